/* SPDX-License-Identifier: Apache-2.0 */
/* The control channel: frames, requests, and every structure that a request may hold. No I/O. */
#include <sys/socket.h>

#include "base/buf.h"
#include "base/frame.h"
#include "filter.h"
#include "../input.h"
#include "request.h"
#include "spec.h"

static void parts(const struct sk_request *req)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_stdio_spec stdio;
	struct sk_rootfs_spec rootfs;
	struct sk_network_spec net;
	uint8_t token[SK_TOKEN_BYTES];
	json_t *spec = json_object_get(req->json, "spec"), *process = json_object_get(req->json, "process");
	json_t *sysctl = NULL;
	int64_t sec, nsec;

	sk_rootfs_parse(json_object_get(req->json, "rootfs"), &rootfs, &err);
	sk_network_parse(json_object_get(req->json, "network"), &net, &err);
	sk_time_parse(json_object_get(req->json, "time"), &sec, &nsec);
	sk_token_parse(json_string_value(json_object_get(req->json, "stream")), token);
	if (sk_stdio_parse(json_object_get(req->json, "stdio"), &stdio, &err) < 0)
		return;
	if (json_is_object(spec)) {
		sk_filter_prepare(spec);
		struct sk_spec_extra extra = {
			.container = req->container, .rootfs = "/r", .init = true, .init_path = "/init", .stdio = &stdio
		};

		if (sk_spec_complete(spec, &extra, &sysctl, &err) == 0)
			json_decref(sysctl);
	}
	if (process) {
		sk_spec_inherit(process, spec);
		sk_spec_process(process, &stdio, &err);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_request req;
	struct sk_frame frame;
	struct sk_buf in;
	json_t *json;

	sk_buf_init(&in, SK_FRAME_MAX + SK_FRAME_HEADER);
	if (sk_buf_append(&in, data, size) < 0)
		return 0;
	while (sk_frame_peek(&in, &frame) == 1) {
		json = sk_frame_json(&frame);
		sk_frame_consume(&in, &frame);
		if (!json)
			break;
		if (sk_request_parse(json, &req, &err) == 0)
			parts(&req);
		sk_request_fini(&req);
	}
	sk_buf_fini(&in);
	return 0;
}
