/* SPDX-License-Identifier: Apache-2.0 */
/* Messages and replies as a whole: which one it is, its id, success or failure, and the versions of both sides. */
#include "proto/message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/proto_internal.h"
#include "skerry_config.h"

#define NO_REASON "no reason was given"

const char *sk_op_name(enum sk_op op)
{
	return sk_op_rows[op].name;
}

enum sk_wire sk_op_wire(enum sk_op op)
{
	return (enum sk_wire)sk_op_rows[op].wire;
}

enum sk_op sk_op_passed_as(enum sk_op op)
{
	return (enum sk_op)sk_op_rows[op].passed_as;
}

bool sk_op_is_managed(enum sk_op op)
{
	return sk_op_rows[op].managed;
}

unsigned sk_msg_timeout_ms(const struct sk_msg *msg)
{
	if (msg->op == SK_OP_EXEC && msg->exec.ignore_paused)
		return 0; /* it begins when the container is resumed */
	return sk_op_rows[msg->op].timeout_ms;
}

/* The word that says which message it is. */
static const char *kind_of(enum sk_wire wire)
{
	return wire == SK_WIRE_FROM_AGENT || wire == SK_WIRE_TO_CLIENT ? "event" : "op";
}

static int find_op(enum sk_wire wire, const char *name, enum sk_op *ret)
{
	int i;

	for (i = 0; i < SK_OP_COUNT; i++) {
		if (sk_op_rows[i].wire == wire && strcmp(sk_op_rows[i].name, name) == 0) {
			*ret = (enum sk_op)i;
			return 0;
		}
	}
	return -EOPNOTSUPP;
}

static int get_id(const json_t *json, uint64_t *ret)
{
	const json_t *id = json_object_get(json, "id");

	if (!json_is_integer(id) || json_integer_value(id) < 0)
		return -EINVAL;
	*ret = (uint64_t)json_integer_value(id);
	return 0;
}

static int decode(enum sk_wire wire, const json_t *json, struct sk_msg *ret, struct sk_error *err)
{
	const char *kind = kind_of(wire), *name = json_string_value(json_object_get(json, kind));
	int r;

	if (wire == SK_WIRE_TO_AGENT && get_id(json, &ret->id) < 0)
		return sk_error_set(err, EINVAL, "request without an id");
	if (!name)
		return sk_error_set(err, EINVAL, "message without \"%s\"", kind);
	if (find_op(wire, name, &ret->op) < 0)
		return sk_error_set(err, EOPNOTSUPP, "unknown %s \"%.32s\"", kind, name);
	r = sk_record_decode(&sk_op_rows[ret->op].body, name, json, ret, err);
	if (r == 0 && wire == SK_WIRE_TO_AGENT && !ret->key)
		ret->key = SK_INIT_KEY;
	return r;
}

int sk_msg_decode(enum sk_wire wire, json_t *take_json, struct sk_msg *ret, struct sk_error *err)
{
	int r;

	*ret = (struct sk_msg){ .op = SK_OP_COUNT };
	r = decode(wire, take_json, ret, err);
	if (r < 0) {
		*ret = (struct sk_msg){ .op = SK_OP_COUNT, .id = ret->id };
		json_decref(take_json);
		return r;
	}
	ret->json = take_json;
	return 0;
}

void sk_msg_fini(struct sk_msg *msg)
{
	if (!msg)
		return;
	json_decref(msg->json);
	msg->json = NULL;
}

json_t *sk_msg_encode(const struct sk_msg *msg, struct sk_error *err)
{
	const struct op_row *row = &sk_op_rows[msg->op];
	json_t *json = json_object();

	json_object_set_new(json, kind_of((enum sk_wire)row->wire), json_string(row->name));
	if (row->wire == SK_WIRE_TO_AGENT)
		json_object_set_new(json, "id", json_integer((json_int_t)msg->id));
	if (sk_record_encode(&row->body, row->name, msg, json, err) < 0) {
		json_decref(json);
		return NULL;
	}
	return json;
}

/* ---- replies */

static const struct record nothing = { NULL, NULL, false };

int sk_reply_id(const json_t *json, uint64_t *ret_id)
{
	return get_id(json, ret_id);
}

/* A failure that says less than it should is one all the same. */
static void decode_failure(const json_t *json, struct sk_reply *ret)
{
	json_int_t error = json_integer_value(json_object_get(json, "errno")),
		   exit_code = json_integer_value(json_object_get(json, "exit_code"));
	const char *message = json_string_value(json_object_get(json, "message"));

	ret->error = error > 0 && error < 4096 ? (int)error : EIO;
	ret->exit_code = exit_code > 0 && exit_code < 256 ? (int)exit_code : 0;
	ret->message = message && *message ? message : NO_REASON;
}

int sk_reply_decode(enum sk_op op, json_t *take_json, struct sk_reply *ret, struct sk_error *err)
{
	const struct record record = { sk_op_rows[op].reply, NULL, false };
	const json_t *ok = json_object_get(take_json, "ok");
	int r = 0;

	*ret = (struct sk_reply){ .ok = json_is_true(ok) };
	get_id(take_json, &ret->id);
	if (!json_is_boolean(ok))
		r = sk_error_set(err, EINVAL, "%s: an answer without \"ok\"", sk_op_name(op));
	else if (!ret->ok)
		decode_failure(take_json, ret);
	else
		r = sk_record_decode(record.fields ? &record : &nothing, sk_op_name(op), take_json, ret, err);
	if (r < 0) {
		*ret = (struct sk_reply){ 0 };
		json_decref(take_json);
		return r;
	}
	ret->json = take_json;
	return 0;
}

void sk_reply_fini(struct sk_reply *reply)
{
	if (!reply)
		return;
	json_decref(reply->json);
	reply->json = NULL;
}

int sk_reply_error(const struct sk_reply *reply, struct sk_error *err)
{
	return reply->ok ? 0 : sk_error_set(err, reply->error, "%s", reply->message);
}

static int encode_failure(const struct sk_reply *reply, json_t *json)
{
	json_t *message = json_string(reply->message ? reply->message : NO_REASON);

	if (!message) /* not UTF-8: a file name of the container's, say */
		message = json_string("the operation failed, and its message is not text");
	json_object_set_new(json, "errno", json_integer(reply->error ? abs(reply->error) : EIO));
	json_object_set_new(json, "message", message);
	if (reply->exit_code)
		json_object_set_new(json, "exit_code", json_integer(reply->exit_code));
	return 0;
}

json_t *sk_reply_encode(enum sk_op op, const struct sk_reply *reply, struct sk_error *err)
{
	const struct record record = { sk_op_rows[op].reply, NULL, false };
	json_t *json = json_object();
	int r;

	if (sk_op_wire(op) == SK_WIRE_TO_AGENT)
		json_object_set_new(json, "id", json_integer((json_int_t)reply->id));
	json_object_set_new(json, "ok", json_boolean(reply->ok));
	r = reply->ok ? sk_record_encode(&record, sk_op_name(op), reply, json, err) : encode_failure(reply, json);
	if (r < 0) {
		json_decref(json);
		return NULL;
	}
	return json;
}

/* ---- versions */

int sk_proto_check_agent(const struct sk_msg *hello, struct sk_error *err)
{
	bool older = hello->hello.version < SK_PROTOCOL_VERSION;

	if (hello->hello.version == SK_PROTOCOL_VERSION)
		return 0;
	return sk_error_set(
		err, EPROTO,
		"the agent in the guest (skerry %s, protocol %u) is %s than this program (skerry " SK_VERSION
		", protocol %u): guest and programs have to be of one build: install the same version of both, "
		"or build both with `make`",
		hello->hello.agent ? hello->hello.agent : "of unknown version", hello->hello.version,
		older ? "older" : "newer", SK_PROTOCOL_VERSION);
}
