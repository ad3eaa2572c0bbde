/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages between host and guest, and between monitor and clients. The first byte says on which connection the message
 * came, or to which operation it is the answer; the rest is JSON. What the decoder takes the encoder writes, and the
 * decoder takes that again as the same message.
 */
#include <assert.h>
#include <string.h>

#include "../input.h"
#include "proto/message.h"

static void message(enum sk_wire wire, json_t *take_json)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_msg first, second;
	json_t *a, *b;

	if (sk_msg_decode(wire, take_json, &first, &err) < 0) {
		assert(err.code && err.message[0] && !first.json);
		return;
	}
	assert(sk_op_wire(first.op) == wire);
	a = sk_msg_encode(&first, &err);
	assert(a);
	assert(sk_msg_decode(wire, json_incref(a), &second, &err) == 0);
	assert(second.op == first.op);
	b = sk_msg_encode(&second, &err);
	assert(b && json_equal(a, b));
	json_decref(a);
	json_decref(b);
	sk_msg_fini(&first);
	sk_msg_fini(&second);
}

static void answer(enum sk_op op, json_t *take_json)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_reply first, second;
	json_t *a, *b;

	if (sk_reply_decode(op, take_json, &first, &err) < 0)
		return;
	assert(first.ok || (first.error > 0 && first.message[0]));
	a = sk_reply_encode(op, &first, &err);
	assert(a);
	assert(sk_reply_decode(op, json_incref(a), &second, &err) == 0);
	b = sk_reply_encode(op, &second, &err);
	assert(b && json_equal(a, b));
	json_decref(a);
	json_decref(b);
	sk_reply_fini(&first);
	sk_reply_fini(&second);
}

/* What was decoded can be encoded. */
static void encodes(json_t *take_back)
{
	assert(take_back);
	json_decref(take_back);
}

static void items(const json_t *json)
{
	struct sk_interface_spec interface;
	struct sk_error err = SK_ERROR_INIT;
	struct sk_mount_spec mount;
	struct sk_route_spec route;
	struct sk_file_spec file;

	sk_file_decode(json, &file, &err);
	if (sk_mount_decode(json, &mount, &err) == 0)
		encodes(sk_mount_encode(&mount, &err));
	if (sk_route_decode(json, &route, &err) == 0)
		encodes(sk_route_encode(&route, &err));
	if (sk_interface_decode(json, &interface, &err) == 0)
		encodes(sk_interface_encode(&interface, &err));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *json;

	if (size < 1)
		return 0;
	json = json_loadb((const char *)data + 1, size - 1, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(json)) {
		json_decref(json);
		return 0;
	}
	items(json);
	if (data[0] < 'a')
		message((enum sk_wire)(data[0] % SK_WIRE_COUNT), json);
	else
		answer((enum sk_op)((data[0] - 'a') % SK_OP_COUNT), json);
	return 0;
}
