/* SPDX-License-Identifier: Apache-2.0 */
/* The control channel: frames, requests, and what the agent makes of the documents in a request. No I/O. */
#include "base/buf.h"
#include "base/frame.h"
#include "filter.h"
#include "../input.h"
#include "proto/message.h"
#include "spec.h"

static void parts(const struct sk_msg *req)
{
	struct sk_error err = SK_ERROR_INIT;
	/* "spec" beside an exec's process is the container's, which the agent reads from its own file. */
	json_t *spec = json_object_get(req->json, "spec"), *process = json_object_get(req->json, "process");
	const struct sk_stdio_spec stdio = req->op == SK_OP_CREATE ? req->create.stdio : req->exec.stdio;
	json_t *sysctl = NULL;

	if (json_is_object(spec)) {
		sk_filter_prepare(spec);
		struct sk_spec_extra extra = {
			.container = req->container, .rootfs = "/r", .init = true, .init_path = "/init", .stdio = &stdio
		};

		if (sk_spec_complete(spec, &extra, &sysctl, &err) == 0)
			json_decref(sysctl);
	}
	if (json_is_object(process)) {
		sk_spec_inherit(process, spec);
		sk_spec_process(process, &stdio, &err);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_msg req;
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
		if (sk_msg_decode(SK_WIRE_TO_AGENT, json, &req, &err) < 0)
			continue;
		if (req.op == SK_OP_CREATE || req.op == SK_OP_EXEC)
			parts(&req);
		sk_msg_fini(&req);
	}
	sk_buf_fini(&in);
	return 0;
}
