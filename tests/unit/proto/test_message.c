/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every message of the table, from a sample that has all of its fields: it survives decoder and encoder; each field of
 * a wrong type or out of bounds is refused by name; missing and unknown fields are what proto/message.h says.
 */
#include "../sk_test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proto/message.h"
#include "../../../src/proto/proto_internal.h"

#define TOKEN "\"000102030405060708090a0b0c0d0eff\""
#define C "\"container\":\"c0\""
#define STDIO                                                                                          \
	"\"stdio\":{\"terminal\":true,\"bare_newlines\":true,\"rows\":24,\"cols\":80,\"stdin\":" TOKEN \
	",\"stdout\":" TOKEN ",\"stderr\":" TOKEN "}"
#define NETWORK                                                                                                  \
	"\"network\":{\"address\":\"10.0.2.15/24\",\"gateway\":\"10.0.2.2/32\",\"address6\":\"fd00::15/64\","    \
	"\"gateway6\":\"fd00::2/128\",\"mtu\":1500,\"tap\":{\"token\":" TOKEN ",\"mac\":\"52:54:00:00:00:01\"}," \
	"\"interfaces\":[{}],\"routes\":[{}],\"dns\":true}"
#define CREATE                                                                                                   \
	"\"name\":\"web\",\"user\":\"www\",\"start\":true,\"mount_only\":true,\"init\":true,\"rootfs\":{"        \
	"\"type\":\"layers\",\"readonly\":true,\"device\":\"serial:a\",\"upper\":\"serial:b\",\"tag\":\"root\"," \
	"\"options\":\"o\",\"token\":" TOKEN ",\"aname\":\"a\",\"layers\":[{\"offset\":0,\"size\":4096},{"       \
	"\"offset\":4096,\"size\":512}]},\"spec\":{\"a\":1},\"groups\":[\"g\"],\"files\":[{}],\"mounts\":[{}],"  \
	"\"join\":{\"ipc\":\"c0\",\"uts\":\"c0\",\"pid\":\"c0\",\"user\":\"c0\"}," STDIO
#define SIZE "\"rows\":24,\"cols\":80"

/* The message as its fields only: "op", "event" and "id" are added. */
static const char *const samples[SK_OP_COUNT] = {
	[SK_OP_SETUP] = "{\"time\":[1700000000,999999999],\"hostname\":\"h\",\"seed\":\"00ff\"," NETWORK
			",\"sysctl\":{\"net.a\":\"1\"},\"idle_reclaim\":300}",
	[SK_OP_CREATE] = "{" C "," CREATE "}",
	[SK_OP_START] = "{" C "}",
	[SK_OP_EXEC] =
		"{" C ",\"key\":\"x1\",\"process\":{},\"groups\":[],\"user\":\"u\",\"ignore_paused\":true," STDIO "}",
	[SK_OP_SIGNAL] = "{" C ",\"key\":\"x1\",\"signal\":9,\"all\":true,\"group\":true}",
	[SK_OP_RESIZE] = "{" C ",\"key\":\"x1\"," SIZE "}",
	[SK_OP_PAUSE] = "{" C "}",
	[SK_OP_RESUME] = "{" C "}",
	[SK_OP_UPDATE] = "{" C ",\"resources\":{}}",
	[SK_OP_STATS] = "{" C "}",
	[SK_OP_PS] = "{" C "}",
	[SK_OP_DELETE] = "{" C "}",
	[SK_OP_STAT] = "{" C ",\"path\":\"/etc\"}",
	[SK_OP_GET] =
		"{" C
		",\"path\":\"/etc\",\"follow\":true,\"unmounted\":true,\"changes\":true,\"list\":true,\"stream\":" TOKEN
		"}",
	[SK_OP_PUT] = "{" C ",\"path\":\"/etc\",\"uid_gid\":true,\"stream\":" TOKEN "}",
	[SK_OP_TIME] = "{\"time\":[1,2],\"adjust\":-5}",
	[SK_OP_NETWORK] = "{" NETWORK "}",
	[SK_OP_CONNECT] = "{\"address\":\"127.0.0.1\",\"port\":80,\"token\":" TOKEN "}",
	[SK_OP_CONNECT_UNIX] = "{" C ",\"path\":\"/run/docker.sock\",\"token\":" TOKEN "}",
	[SK_OP_SYNC] = "{}",
	[SK_OP_SHUTDOWN] = "{\"fast\":true}",
	[SK_AGENT_HELLO] = "{\"version\":1,\"kernel\":\"7.3\",\"agent\":\"0.2\"}",
	[SK_AGENT_EXIT] = "{" C ",\"key\":\"init\",\"code\":137,\"oom\":true}",
	[SK_AGENT_OOM] = "{" C "}",
	[SK_AGENT_HALTED] = "{}",
	[SK_REQUEST_ATTACH] = "{\"stdin\":true,\"owner\":true}",
	[SK_REQUEST_START] = "{" C "," SIZE "}",
	[SK_REQUEST_EXEC] = "{" C ",\"process\":{},\"user\":\"u\",\"stdin\":true,\"detach\":true,\"owner\":true,"
			    "\"ignore_paused\":true,\"bare_newlines\":true," SIZE "}",
	[SK_REQUEST_KILL] = "{" C ",\"key\":\"x1\",\"signal\":15,\"all\":true}",
	[SK_REQUEST_STOP] = "{\"signal\":15,\"timeout\":-1,\"keep\":true}",
	[SK_REQUEST_WAIT] = "{}",
	[SK_REQUEST_PAUSE] = "{" C "}",
	[SK_REQUEST_RESUME] = "{" C "}",
	[SK_REQUEST_UPDATE] = "{" C ",\"resources\":{}}",
	[SK_REQUEST_STATS] = "{" C "}",
	[SK_REQUEST_PS] = "{" C "}",
	[SK_REQUEST_STAT] = "{" C ",\"path\":\"/etc\"}",
	[SK_REQUEST_RESIZE] = "{" C ",\"key\":\"x1\"," SIZE "}",
	[SK_REQUEST_GET] =
		"{" C ",\"path\":\"/etc\",\"follow\":true,\"unmounted\":true,\"changes\":true,\"list\":true}",
	[SK_REQUEST_PUT] = "{" C ",\"path\":\"/etc\",\"uid_gid\":true}",
	[SK_REQUEST_INFO] = "{}",
	[SK_REQUEST_JOIN] =
		"{\"create\":{" CREATE "},\"terminal\":true,\"stdin\":true,\"bare_newlines\":true," SIZE "}",
	[SK_REQUEST_SHARE] = "{\"token\":" TOKEN "}",
	[SK_REQUEST_NETWORK] = "{}",
	[SK_REQUEST_CREATE] = "{}",
	[SK_ATTACHED_START] = "{" SIZE "}",
	[SK_ATTACHED_RESIZE] = "{" SIZE "}",
	[SK_ATTACHED_SIGNAL] = "{\"signal\":2}",
	[SK_ATTACHED_DETACH] = "{}",
	[SK_EVENT_EXIT] = "{\"code\":1,\"oom\":true,\"message\":\"m\",\"warning\":\"w\"}",
	[SK_EVENT_OOM] = "{}",
	[SK_EVENT_STDIN] = "{\"taken\":4096}",
	[SK_EVENT_DETACHED] = "{}",
	[SK_SERVICE_PUBLISH] = "{\"proto\":\"tcp\",\"host_ip\":\"0.0.0.0\",\"host_port\":8080}",
	[SK_SERVICE_SSH_AUTH] = "{}",
	[SK_SERVICE_IDLE] = "{}",
	[SK_SERVICE_SHARE] = "{\"path\":\"/srv/later\"}",
};

static json_t *json(const char *text)
{
	json_t *o = json_loads(text, JSON_DECODE_ANY, NULL);

	if (!o)
		fail_msg("not JSON: %s", text);
	return o;
}

static json_t *sample(enum sk_op op)
{
	bool event = sk_op_wire(op) == SK_WIRE_FROM_AGENT || sk_op_wire(op) == SK_WIRE_TO_CLIENT;
	json_t *o = json(samples[op]);

	json_object_set_new(o, event ? "event" : "op", json_string(sk_op_name(op)));
	if (sk_op_wire(op) == SK_WIRE_TO_AGENT)
		json_object_set_new(o, "id", json_integer(7));
	return o;
}

/* Decodes a copy. */
static int try(enum sk_op op, const json_t *o, struct sk_error *err)
{
	struct sk_msg msg;
	int r = sk_msg_decode(sk_op_wire(op), json_deep_copy((json_t *)(uintptr_t)o), &msg, err);

	if (r == 0 && msg.op != op)
		fail_msg("%s became %s", sk_op_name(op), sk_op_name(msg.op));
	sk_msg_fini(&msg);
	return r;
}

static void test_round_trip(void **state)
{
	int op;

	(void)state;
	for (op = 0; op < SK_OP_COUNT; op++) {
		struct sk_error err = SK_ERROR_INIT;
		json_t *o = sample((enum sk_op)op), *back;
		struct sk_msg msg;

		if (sk_msg_decode(sk_op_wire((enum sk_op)op), json_incref(o), &msg, &err) < 0)
			fail_msg("%s: %s", sk_op_name((enum sk_op)op), err.message);
		assert_int_equal(msg.op, op);
		back = sk_msg_encode(&msg, &err);
		if (!back || !json_equal(o, back))
			fail_msg("%s: %s became %s", sk_op_name((enum sk_op)op), json_dumps(o, 0),
				 back ? json_dumps(back, 0) : err.message);
		sk_msg_fini(&msg);
		json_decref(o);
		json_decref(back);
	}
}

/* ---- one field at a time */

static const char *const odd_values[] = { "true", "3.5", "\"\\u00e4 /\"", "[1,2,3]", "{\"x\":1}" };

static bool takes(const struct field *f, const json_t *v)
{
	switch (f->kind) {
	case F_BOOL:
	case F_MAYBE:
		return json_is_boolean(v);
	case F_STR:
	case F_TEXT:
	case F_STRING:
		return json_is_string(v);
	case F_WORDS:
		return json_is_string(v) || json_is_array(v);
	case F_ARRAY:
		return json_is_array(v);
	case F_OBJECT:
	case F_NEST: /* an object without what it requires is refused for that */
		return json_is_object(v);
	default: /* numbers, and strings of a special form */
		return false;
	}
}

static void expect_refused(enum sk_op op, const json_t *whole, const struct field *f)
{
	struct sk_error err = SK_ERROR_INIT;

	if (try(op, whole, &err) != -EINVAL)
		fail_msg("%s: field %s is taken: %s", sk_op_name(op), f->name, json_dumps(whole, 0));
	assert_non_null(strstr(err.message, f->name));
}

static void check_number(enum sk_op op, json_t *whole, json_t *o, const struct field *f)
{
	struct sk_error err = SK_ERROR_INIT;

	json_object_set_new(o, f->name, json_integer(f->min));
	assert_int_equal(try(op, whole, &err), 0);
	json_object_set_new(o, f->name, json_integer(f->max));
	assert_int_equal(try(op, whole, &err), 0);
	if (f->min > INT64_MIN) {
		json_object_set_new(o, f->name, json_integer(f->min - 1));
		expect_refused(op, whole, f);
	}
	if (f->max < INT64_MAX) {
		json_object_set_new(o, f->name, json_integer(f->max + 1));
		expect_refused(op, whole, f);
	}
}

static void check_length(enum sk_op op, json_t *whole, json_t *o, const struct field *f)
{
	static char text[1u << 21];
	size_t max = f->kind == F_NAME ? SK_NAME_MAX : (size_t)f->max;
	struct sk_error err = SK_ERROR_INIT;

	memset(text, 'n', max + 1);
	text[0] = f->kind == F_PATH ? '/' : 'n';
	text[max + 1] = '\0';
	json_object_set_new(o, f->name, json_string(text));
	expect_refused(op, whole, f);
	text[max] = '\0';
	json_object_set_new(o, f->name, json_string(text));
	if (try(op, whole, &err) < 0)
		fail_msg("%s: %s", sk_op_name(op), err.message);
	/* A NUL inside would end the string early for us, and not for whoever looks at the JSON. */
	json_object_set_new(o, f->name, json_stringn("n\0n", 3));
	expect_refused(op, whole, f);
}

static void check_fields(enum sk_op op, json_t *whole, json_t *o, const struct record *record);

static void check_field(enum sk_op op, json_t *whole, json_t *o, const struct field *f)
{
	json_t *good = json_deep_copy(json_object_get(o, f->name));
	struct sk_error err = SK_ERROR_INIT;
	size_t i;

	if (!good)
		fail_msg("%s: the sample has no field %s", sk_op_name(op), f->name);
	for (i = 0; i < sizeof(odd_values) / sizeof(odd_values[0]); i++) {
		json_t *v = json(odd_values[i]);

		json_object_set(o, f->name, v);
		if (!takes(f, v))
			expect_refused(op, whole, f);
		json_decref(v);
	}
	if (f->kind == F_U16 || f->kind == F_U32 || f->kind == F_INT || f->kind == F_MAYBE_INT || f->kind == F_I64 ||
	    f->kind == F_U64)
		check_number(op, whole, o, f);
	else if (f->kind == F_STR || f->kind == F_PATH || f->kind == F_NAME)
		check_length(op, whole, o, f);
	json_object_del(o, f->name);
	if (f->flags & FIELD_REQUIRED) {
		expect_refused(op, whole, f);
		json_object_set_new(o, f->name, json_null());
		expect_refused(op, whole, f);
	}
	json_object_set_new(o, f->name, good);
	if (f->kind == F_NEST)
		check_fields(op, whole, good, f->record);
	assert_int_equal(try(op, whole, &err), 0);
}

static void check_fields(enum sk_op op, json_t *whole, json_t *o, const struct record *record)
{
	const struct field *f;

	for (f = record->fields; f && f->kind != F_END; f++) {
		if (f->kind == F_INLINE)
			check_fields(op, whole, o, f->record);
		else
			check_field(op, whole, o, f);
	}
}

static void test_each_field(void **state)
{
	int op;

	(void)state;
	for (op = 0; op < SK_OP_COUNT; op++) {
		json_t *o = sample((enum sk_op)op);

		check_fields((enum sk_op)op, o, o, &sk_op_rows[op].body);
		json_decref(o);
	}
}

/* What a newer peer may add is ignored; null is as good as nothing. */
static void test_unknown_fields(void **state)
{
	int op;

	(void)state;
	for (op = 0; op < SK_OP_COUNT; op++) {
		struct sk_error err = SK_ERROR_INIT;
		json_t *o = sample((enum sk_op)op);

		json_object_set_new(o, "future", json("[{\"x\":1}]"));
		assert_int_equal(try((enum sk_op)op, o, &err), 0);
		json_decref(o);
	}
}

/* ---- the rest of the decoder */

static int decode(enum sk_wire wire, const char *text, struct sk_msg *msg, struct sk_error *err)
{
	return sk_msg_decode(wire, json(text), msg, err);
}

static void test_defaults(void **state)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_msg m;

	(void)state;
	assert_int_equal(
		decode(SK_WIRE_TO_AGENT, "{\"id\":3,\"op\":\"signal\"," C ",\"signal\":1,\"all\":null}", &m, &err), 0);
	assert_int_equal(m.id, 3);
	assert_string_equal(m.key, "init");
	assert_false(m.signal.all);
	sk_msg_fini(&m);
	assert_int_equal(decode(SK_WIRE_REQUEST, "{\"op\":\"stop\"}", &m, &err), 0);
	assert_false(m.stop.has_timeout);
	assert_null(m.container);
	assert_null(m.key);
	sk_msg_fini(&m);
	assert_int_equal(decode(SK_WIRE_REQUEST, "{\"op\":\"stop\",\"timeout\":0}", &m, &err), 0);
	assert_true(m.stop.has_timeout && m.stop.timeout == 0);
	sk_msg_fini(&m);
	assert_int_equal(decode(SK_WIRE_TO_AGENT, "{\"id\":0,\"op\":\"setup\",\"network\":null}", &m, &err), 0);
	assert_false(m.setup.network.set);
	sk_msg_fini(&m);
	assert_int_equal(
		decode(SK_WIRE_TO_AGENT, "{\"id\":0,\"op\":\"setup\",\"network\":{\"gateway6\":\"\"}}", &m, &err), 0);
	assert_true(m.setup.network.set && !m.setup.network.gateway6.family);
	sk_msg_fini(&m);
}

/* The same word is another message on another connection, or none at all. */
static void test_wires(void **state)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_msg m;

	(void)state;
	assert_int_equal(decode(SK_WIRE_REQUEST, "{\"op\":\"stats\"}", &m, &err), 0);
	assert_int_equal(m.op, SK_REQUEST_STATS);
	assert_int_equal(sk_op_passed_as(m.op), SK_OP_STATS);
	sk_msg_fini(&m);
	assert_int_equal(decode(SK_WIRE_ATTACHED, "{\"op\":\"stats\"}", &m, &err), -EOPNOTSUPP);
	assert_int_equal(decode(SK_WIRE_REQUEST, "{\"op\":\"shutdown\"}", &m, &err), -EOPNOTSUPP);
	assert_int_equal(decode(SK_WIRE_FROM_AGENT, "{\"event\":\"stdin\",\"taken\":1}", &m, &err), -EOPNOTSUPP);
	assert_int_equal(decode(SK_WIRE_FROM_AGENT, "{\"op\":\"halted\"}", &m, &err), -EINVAL);
	assert_true(sk_op_is_managed(SK_REQUEST_JOIN) && !sk_op_is_managed(SK_REQUEST_EXEC));
	assert_int_equal(sk_op_passed_as(SK_REQUEST_EXEC), SK_OP_COUNT);
}

static void test_broken(void **state)
{
	static const char *const bad[] = {
		"{}",
		"{\"op\":\"sync\"}",
		"{\"id\":-1,\"op\":\"sync\"}",
		"{\"id\":\"1\",\"op\":\"sync\"}",
		"{\"id\":1}",
		"{\"id\":1,\"op\":7}",
		"{\"id\":1,\"op\":\"nosuch\"}",
		"{\"id\":1,\"op\":\"start\"}",
		"{\"id\":1,\"op\":\"start\",\"container\":\"\"}",
		"{\"id\":1,\"op\":\"start\",\"container\":\"..\"}",
		"{\"id\":1,\"op\":\"start\",\"container\":\"a/b\"}",
		"{\"id\":1,\"op\":\"start\",\"container\":\".a\"}",
		"{\"id\":1,\"op\":\"create\"," C ",\"rootfs\":{\"type\":\"9p\",\"tag\":\"r\"}}",
		"{\"id\":1,\"op\":\"create\"," C ",\"spec\":{}}",
		"{\"id\":1,\"op\":\"create\"," C ",\"spec\":{},\"rootfs\":{}}",
		"{\"id\":1,\"op\":\"create\"," C ",\"spec\":{},\"rootfs\":{\"type\":\"tar\"}}",
		"{\"id\":1,\"op\":\"create\"," C ",\"spec\":{},\"rootfs\":{\"type\":\"9p\"}}",
		"{\"id\":1,\"op\":\"create\"," C ",\"spec\":{},\"rootfs\":{\"type\":\"layers\",\"device\":\"d\"}}",
		"{\"id\":1,\"op\":\"create\"," C
		",\"spec\":{},\"rootfs\":{\"type\":\"9p\",\"tag\":\"r\",\"token\":" TOKEN "}}",
		"{\"id\":1,\"op\":\"create\"," C
		",\"spec\":{},\"rootfs\":{\"type\":\"9p\",\"tag\":\"r\",\"token\":" TOKEN ",\"aname\":\"../x\"}}",
	};
	struct sk_msg m;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct sk_error err = SK_ERROR_INIT;

		if (decode(SK_WIRE_TO_AGENT, bad[i], &m, &err) >= 0)
			fail_msg("taken: %s", bad[i]);
		assert_true(err.code != 0 && err.message[0]);
		assert_null(m.json);
	}
	/* The answer to a broken request has to carry its id. */
	assert_true(decode(SK_WIRE_TO_AGENT, "{\"id\":9,\"op\":\"fly\"}", &m, NULL) < 0);
	assert_int_equal(m.id, 9);
}

static void test_layers(void **state)
{
	static const char *const bad[] = { "[{\"offset\":-512,\"size\":512}]",
					   "[{\"offset\":0,\"size\":0}]",
					   "[{\"offset\":1,\"size\":512}]",
					   "[{\"offset\":0,\"size\":100}]",
					   "[{\"offset\":0}]",
					   "[7]",
					   "[]",
					   "{}" };
	json_t *o = sample(SK_OP_CREATE), *rootfs = json_object_get(o, "rootfs"), *many = json_array();
	struct sk_error err = SK_ERROR_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		json_object_set_new(rootfs, "layers", json(bad[i]));
		assert_int_equal(try(SK_OP_CREATE, o, &err), -EINVAL);
	}
	for (i = 0; i < SK_LAYERS_MAX; i++)
		json_array_append_new(many, json_pack("{s:i,s:i}", "offset", (int)i * 4096, "size", 4096));
	json_object_set_new(rootfs, "layers", many);
	assert_int_equal(try(SK_OP_CREATE, o, &err), 0);
	json_array_append_new(many, json_pack("{s:i,s:i}", "offset", 0, "size", 4096));
	assert_int_equal(try(SK_OP_CREATE, o, &err), -EINVAL);
	json_decref(o);
}

/* ---- the encoder */

static void test_encoder_bounds(void **state)
{
	char user[2000];
	const struct sk_msg bad[] = {
		{ .op = SK_OP_SIGNAL, .container = "c0", .signal = { .number = 65 } },
		{ .op = SK_OP_SIGNAL, .container = "c0" },
		{ .op = SK_OP_SIGNAL, .signal = { .number = 9 } },
		{ .op = SK_OP_SIGNAL, .container = "../c0", .signal = { .number = 9 } },
		{ .op = SK_OP_RESIZE, .container = "c0" },
		{ .op = SK_OP_STAT, .container = "c0", .file = { .path = "/\xff" } },
		{ .op = SK_OP_GET, .container = "c0", .file = { .path = "/" } },
		{ .op = SK_OP_EXEC, .container = "c0", .key = "x", .exec = { .user = "u" } },
		{ .op = SK_OP_CREATE, .container = "c0" },
		{ .op = SK_OP_TIME, .time = { .time = { .set = true, .nsec = 1000000000 } } },
		{ .op = SK_EVENT_EXIT, .exit = { .code = 256 } },
		{ .op = SK_REQUEST_EXEC, .run = { .user = user } },
	};
	size_t i;

	(void)state;
	memset(user, 'u', sizeof(user));
	user[sizeof(user) - 1] = '\0';
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct sk_error err = SK_ERROR_INIT;

		if (sk_msg_encode(&bad[i], &err))
			fail_msg("encoded: %zu", i);
		assert_true(err.code && err.message[0]);
	}
}

/* A text for people is replaced when it is not one; nothing else is. */
static void test_encoder_text(void **state)
{
	const struct sk_msg m = { .op = SK_EVENT_EXIT, .exit = { .code = 1, .message = "\xff", .warning = "" } };
	json_t *o = sk_msg_encode(&m, NULL);

	(void)state;
	assert_non_null(o);
	assert_true(json_is_string(json_object_get(o, "message")));
	assert_null(json_object_get(o, "warning"));
	json_decref(o);
}

/* ---- replies */

static const char *const replies[SK_OP_COUNT] = {
	[SK_OP_CREATE] = "{\"pid\":12}",
	[SK_OP_EXEC] = "{\"pid\":12}",
	[SK_OP_STATS] = "{\"stats\":{\"cpu_ns\":1}}",
	[SK_OP_PS] = "{\"processes\":[{\"pid\":1}]}",
	[SK_OP_STAT] = "{\"stat\":{\"size\":1}}",
	[SK_OP_TIME] = "{\"clock\":[1,2]}",
	[SK_REQUEST_START] = "{\"pid\":5,\"engine\":\"uml\"}",
	[SK_REQUEST_EXEC] = "{\"key\":\"x1\"}",
	[SK_REQUEST_KILL] = "{\"pid\":5,\"engine\":\"uml\"}",
	[SK_REQUEST_STOP] = "{\"code\":0}",
	[SK_REQUEST_PAUSE] = "{\"pid\":5,\"engine\":\"uml\"}",
	[SK_REQUEST_STATS] = "{\"pid\":5,\"engine\":\"uml\",\"stats\":{}}",
	[SK_REQUEST_PS] = "{\"pid\":5,\"engine\":\"uml\",\"processes\":[]}",
	[SK_REQUEST_STAT] = "{\"pid\":5,\"engine\":\"uml\",\"stat\":{}}",
	[SK_REQUEST_JOIN] = "{\"container\":\"c1\"}",
	[SK_REQUEST_INFO] = "{\"pid\":5,\"engine\":\"uml\",\"engine_pid\":6,\"kernel\":\"7.3\",\"memory\":5368709120,"
			    "\"cpus\":2}",
	[SK_SERVICE_PUBLISH] = "{\"guest_port\":61000,\"guest_ip\":\"10.0.2.15\"}",
};

static void test_replies(void **state)
{
	int op;

	(void)state;
	for (op = 0; op < SK_OP_COUNT; op++) {
		json_t *o = json(replies[op] ? replies[op] : "{}"), *back;
		struct sk_error err = SK_ERROR_INIT;
		struct sk_reply reply;

		json_object_set_new(o, "ok", json_true());
		if (sk_op_wire((enum sk_op)op) == SK_WIRE_TO_AGENT)
			json_object_set_new(o, "id", json_integer(4));
		if (sk_reply_decode((enum sk_op)op, json_incref(o), &reply, &err) < 0)
			fail_msg("%s: %s", sk_op_name((enum sk_op)op), err.message);
		back = sk_reply_encode((enum sk_op)op, &reply, &err);
		if (!back || !json_equal(o, back))
			fail_msg("%s: %s became %s", sk_op_name((enum sk_op)op), json_dumps(o, 0),
				 back ? json_dumps(back, 0) : err.message);
		sk_reply_fini(&reply);
		json_decref(o);
		json_decref(back);
	}
}

static void test_failures(void **state)
{
	static const char *const bad[] = { "{}", "{\"ok\":1}", "{\"ok\":true}", "{\"ok\":true,\"stats\":[]}" };
	struct sk_reply reply = { .error = 2, .exit_code = 127, .message = "no \xff" };
	struct sk_error err = SK_ERROR_INIT;
	json_t *o = sk_reply_encode(SK_OP_START, &reply, &err);
	uint64_t id;
	size_t i;

	(void)state;
	assert_int_equal(sk_reply_decode(SK_OP_START, o, &reply, &err), 0);
	assert_false(reply.ok);
	assert_int_equal(reply.error, 2);
	assert_int_equal(reply.exit_code, 127);
	assert_true(reply.message[0]);
	sk_reply_fini(&reply);
	/* Whatever a failure leaves out or has wrong, it stays a failure. */
	assert_int_equal(sk_reply_decode(SK_OP_START,
					 json("{\"ok\":false,\"errno\":-5,\"exit_code\":\"x\",\"message\":7}"), &reply,
					 &err),
			 0);
	assert_int_equal(reply.error, EIO);
	assert_int_equal(reply.exit_code, 0);
	assert_true(reply.message[0]);
	sk_reply_fini(&reply);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(sk_reply_decode(SK_OP_STATS, json(bad[i]), &reply, &err), -EINVAL);
	o = json("{\"id\":77}");
	assert_int_equal(sk_reply_id(o, &id), 0);
	assert_int_equal(id, 77);
	json_object_set_new(o, "id", json_integer(-1));
	assert_int_equal(sk_reply_id(o, &id), -EINVAL);
	json_decref(o);
}

/* ---- versions, timeouts */

static void test_versions(void **state)
{
	struct sk_msg hello = { .op = SK_AGENT_HELLO, .hello = { .version = SK_PROTOCOL_VERSION } };
	struct sk_error err = SK_ERROR_INIT;

	(void)state;
	assert_int_equal(sk_proto_check_agent(&hello, &err), 0);
	assert_int_equal(err.code, 0);
	hello.hello.version--;
	hello.hello.agent = "0.1.0";
	assert_int_equal(sk_proto_check_agent(&hello, &err), -EPROTO);
	assert_non_null(strstr(err.message, "(skerry 0.1.0, protocol 0) is older"));
	assert_non_null(strstr(err.message, "install the same version"));
	hello.hello.version += 2;
	hello.hello.agent = NULL;
	assert_int_equal(sk_proto_check_agent(&hello, &err), -EPROTO);
	assert_non_null(strstr(err.message, "is newer"));
}

static void test_timeouts(void **state)
{
	struct sk_msg m = { .op = SK_OP_EXEC };

	(void)state;
	assert_true(sk_msg_timeout_ms(&m) > 0);
	m.exec.ignore_paused = true;
	assert_int_equal(sk_msg_timeout_ms(&m), 0);
	m = (struct sk_msg){ .op = SK_OP_SHUTDOWN };
	assert_int_equal(sk_msg_timeout_ms(&m), 0);
	m.op = SK_OP_STATS;
	assert_true(sk_msg_timeout_ms(&m) > 0);
}

/* ---- the document names every message and every field */

static void expect_named(const char *text, const char *name)
{
	char quoted[64];

	snprintf(quoted, sizeof(quoted), "`%s`", name);
	if (strstr(text, quoted))
		return;
	snprintf(quoted, sizeof(quoted), "\"%s\"", name);
	if (!strstr(text, quoted))
		fail_msg("docs/protocols.md does not name %s", name);
}

static void expect_fields(const char *text, const struct field *f)
{
	for (; f && f->kind != F_END; f++) {
		if (f->name)
			expect_named(text, f->name);
		if (f->record)
			expect_fields(text, f->record->fields);
	}
}

static void test_document(void **state)
{
	static char text[1u << 20];
	FILE *file = fopen(SK_PROTOCOLS_MD, "r");
	int op;

	(void)state;
	assert_non_null(file);
	assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
	fclose(file);
	for (op = 0; op < SK_OP_COUNT; op++) {
		if (!strstr(text, sk_op_name((enum sk_op)op)))
			fail_msg("docs/protocols.md does not name %s", sk_op_name((enum sk_op)op));
		expect_fields(text, sk_op_rows[op].body.fields);
		expect_fields(text, sk_op_rows[op].reply);
	}
	expect_fields(text, sk_mount_record.fields);
	expect_fields(text, sk_file_record.fields);
	expect_fields(text, sk_interface_record.fields);
	expect_fields(text, sk_route_record.fields);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),     cmocka_unit_test(test_each_field),
		cmocka_unit_test(test_unknown_fields), cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_wires),	       cmocka_unit_test(test_broken),
		cmocka_unit_test(test_layers),	       cmocka_unit_test(test_encoder_bounds),
		cmocka_unit_test(test_encoder_text),   cmocka_unit_test(test_replies),
		cmocka_unit_test(test_failures),       cmocka_unit_test(test_versions),
		cmocka_unit_test(test_timeouts),       cmocka_unit_test(test_document),
	};

	return cmocka_run_group_tests_name("proto-message", tests, NULL, NULL);
}
