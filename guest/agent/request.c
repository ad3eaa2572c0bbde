/* SPDX-License-Identifier: Apache-2.0 */
#include "request.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static const struct {
	const char *name;
	bool container;
} ops[SK_OP_COUNT] = {
	[SK_OP_SETUP] = { "setup", false },
	[SK_OP_CREATE] = { "create", true },
	[SK_OP_START] = { "start", true },
	[SK_OP_EXEC] = { "exec", true },
	[SK_OP_SIGNAL] = { "signal", true },
	[SK_OP_RESIZE] = { "resize", true },
	[SK_OP_PAUSE] = { "pause", true },
	[SK_OP_RESUME] = { "resume", true },
	[SK_OP_UPDATE] = { "update", true },
	[SK_OP_STATS] = { "stats", true },
	[SK_OP_PS] = { "ps", true },
	[SK_OP_DELETE] = { "delete", true },
	[SK_OP_STAT] = { "stat", true },
	[SK_OP_GET] = { "get", true },
	[SK_OP_PUT] = { "put", true },
	[SK_OP_TIME] = { "time", false },
	[SK_OP_NETWORK] = { "network", false },
	[SK_OP_CONNECT] = { "connect", false },
	[SK_OP_SYNC] = { "sync", false },
	[SK_OP_SHUTDOWN] = { "shutdown", false },
};

const char *sk_op_name(enum sk_op op)
{
	return ops[op].name;
}

bool sk_name_valid(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n <= 64 && name[0] != '.' &&
	       strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-") == n;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int sk_token_parse(const char *hex, uint8_t ret_token[SK_TOKEN_BYTES])
{
	size_t i;

	if (!hex || strlen(hex) != (size_t)2 * SK_TOKEN_BYTES)
		return -EINVAL;
	for (i = 0; i < SK_TOKEN_BYTES; i++) {
		int hi = hex_digit(hex[2 * i]), lo = hex_digit(hex[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return -EINVAL;
		ret_token[i] = (uint8_t)(hi << 4 | lo);
	}
	return 0;
}

int sk_request_parse(json_t *take_json, struct sk_request *ret, struct sk_error *err)
{
	const char *op = json_string_value(json_object_get(take_json, "op"));
	const json_t *id = json_object_get(take_json, "id");
	const char *container = json_string_value(json_object_get(take_json, "container"));
	const char *key = json_string_value(json_object_get(take_json, "key"));
	int i;

	*ret = (struct sk_request){ .json = take_json, .container = "", .key = "init" };
	if (!json_is_integer(id) || json_integer_value(id) < 0)
		return sk_error_set(err, EINVAL, "request without an id");
	ret->id = (uint64_t)json_integer_value(id);
	if (!op)
		return sk_error_set(err, EINVAL, "request without op");
	for (i = 0; i < SK_OP_COUNT; i++)
		if (strcmp(op, ops[i].name) == 0)
			break;
	if (i == SK_OP_COUNT)
		return sk_error_set(err, EOPNOTSUPP, "unknown operation");
	ret->op = (enum sk_op)i;
	if (ops[i].container) {
		if (!container || !sk_name_valid(container))
			return sk_error_set(err, EINVAL, "%s: no valid container name", op);
		ret->container = container;
	}
	if (key) {
		if (!sk_name_valid(key))
			return sk_error_set(err, EINVAL, "%s: invalid key", op);
		ret->key = key;
	}
	return 0;
}

void sk_request_fini(struct sk_request *req)
{
	json_decref(req->json);
	req->json = NULL;
}

static uint16_t small_number(const json_t *json)
{
	json_int_t v = json_integer_value(json);

	return v < 0 || v > UINT16_MAX ? 0 : (uint16_t)v;
}

int sk_stdio_parse(const json_t *json, struct sk_stdio_spec *ret, struct sk_error *err)
{
	static const char *const names[SK_STDIO_COUNT] = { "stdin", "stdout", "stderr" };
	int i;

	*ret = (struct sk_stdio_spec){ 0 };
	if (!json)
		return 0;
	ret->terminal = json_is_true(json_object_get(json, "terminal"));
	ret->bare_newlines = json_is_true(json_object_get(json, "bare_newlines"));
	ret->rows = small_number(json_object_get(json, "rows"));
	ret->cols = small_number(json_object_get(json, "cols"));
	for (i = 0; i < SK_STDIO_COUNT; i++) {
		const json_t *token = json_object_get(json, names[i]);

		if (!token || json_is_null(token))
			continue;
		if (sk_token_parse(json_string_value(token), ret->token[i]) < 0)
			return sk_error_set(err, EINVAL, "stdio: invalid token for %s", names[i]);
		ret->wanted[i] = true;
	}
	return 0;
}

static int parse_layer(const json_t *layer, uint64_t *ret_offset, uint64_t *ret_size)
{
	const json_t *offset = json_object_get(layer, "offset"), *size = json_object_get(layer, "size");

	if (!json_is_integer(offset) || !json_is_integer(size))
		return -EINVAL;
	if (json_integer_value(offset) < 0 || json_integer_value(offset) % 512 != 0 || json_integer_value(size) <= 0 ||
	    json_integer_value(size) % 512 != 0)
		return -EINVAL;
	*ret_offset = (uint64_t)json_integer_value(offset);
	*ret_size = (uint64_t)json_integer_value(size);
	return 0;
}

int sk_share_stream_parse(const json_t *json, struct sk_share_stream *ret, struct sk_error *err)
{
	const json_t *token = json_object_get(json, "token");

	*ret = (struct sk_share_stream){ .aname = json_string_value(json_object_get(json, "aname")) };
	if (!token)
		return 0;
	if (sk_token_parse(json_string_value(token), ret->token) < 0 || !ret->aname ||
	    (*ret->aname && !sk_name_valid(ret->aname)))
		return sk_error_set(err, EINVAL, "share: invalid token or aname");
	ret->wanted = true;
	return 0;
}

int sk_rootfs_parse(const json_t *json, struct sk_rootfs_spec *ret, struct sk_error *err)
{
	const char *type = json_string_value(json_object_get(json, "type"));
	const json_t *layers = json_object_get(json, "layers");
	size_t i;

	*ret = (struct sk_rootfs_spec){ .readonly = json_is_true(json_object_get(json, "readonly")) };
	if (!type)
		return sk_error_set(err, EINVAL, "rootfs without type");
	if (strcmp(type, "9p") == 0) {
		ret->is_9p = true;
		ret->share_device = json_string_value(json_object_get(json, "device"));
		ret->tag = json_string_value(json_object_get(json, "tag"));
		ret->options = json_string_value(json_object_get(json, "options"));
		return ret->tag ? sk_share_stream_parse(json, &ret->own, err)
				: sk_error_set(err, EINVAL, "rootfs 9p without tag");
	}
	if (strcmp(type, "layers") != 0)
		return sk_error_set(err, EOPNOTSUPP, "rootfs of unknown type");
	ret->device = json_string_value(json_object_get(json, "device"));
	ret->upper = json_string_value(json_object_get(json, "upper"));
	ret->n_layers = json_array_size(layers);
	if (!ret->device || ret->n_layers == 0 || ret->n_layers > SK_LAYERS_MAX)
		return sk_error_set(err, EINVAL, "rootfs layers: no device, or not 1 to %d layers", SK_LAYERS_MAX);
	for (i = 0; i < ret->n_layers; i++)
		if (parse_layer(json_array_get(layers, i), &ret->layers[i].offset, &ret->layers[i].size) < 0)
			return sk_error_set(err, EINVAL, "rootfs layers: layer %zu has no valid offset and size", i);
	return 0;
}

int sk_address_parse(const char *text, int family, struct sk_address *ret)
{
	uint8_t most = family == AF_INET6 ? 128 : 32;
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	char host[INET6_ADDRSTRLEN];

	*ret = (struct sk_address){ .family = family, .prefix = most };
	if (n >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, n);
	host[n] = '\0';
	if (inet_pton(family, host, ret->addr) != 1)
		return -EINVAL;
	if (slash) {
		char *end;
		unsigned long prefix = strtoul(slash + 1, &end, 10);

		if (end == slash + 1 || *end || prefix > most || slash[1] < '0' || slash[1] > '9')
			return -EINVAL;
		ret->prefix = (uint8_t)prefix;
	}
	return 0;
}

static int parse_one(const json_t *json, const char *name, int family, bool *ret_has, struct sk_address *ret,
		     struct sk_error *err)
{
	const char *text = json_string_value(json_object_get(json, name));

	*ret_has = false;
	if (!text || !*text)
		return 0;
	if (sk_address_parse(text, family, ret) < 0)
		return sk_error_set(err, EINVAL, "network: invalid %s", name);
	*ret_has = true;
	return 0;
}

int sk_network_parse(const json_t *json, struct sk_network_spec *ret, struct sk_error *err)
{
	json_int_t mtu = json_integer_value(json_object_get(json, "mtu"));
	int r;

	*ret = (struct sk_network_spec){ 0 };
	if (mtu < 0 || mtu > 65535)
		return sk_error_set(err, EINVAL, "network: invalid mtu");
	ret->mtu = (uint32_t)mtu;
	r = parse_one(json, "address", AF_INET, &ret->has_address, &ret->address, err);
	if (r == 0)
		r = parse_one(json, "gateway", AF_INET, &ret->has_gateway, &ret->gateway, err);
	if (r == 0)
		r = parse_one(json, "address6", AF_INET6, &ret->has_address6, &ret->address6, err);
	if (r == 0)
		r = parse_one(json, "gateway6", AF_INET6, &ret->has_gateway6, &ret->gateway6, err);
	return r;
}

int sk_time_parse(const json_t *json, int64_t *ret_sec, int64_t *ret_nsec)
{
	const json_t *sec = json_array_get(json, 0), *nsec = json_array_get(json, 1);

	if (!json_is_integer(sec) || !json_is_integer(nsec))
		return -EINVAL;
	if (json_integer_value(sec) < 0 || json_integer_value(nsec) < 0 || json_integer_value(nsec) > 999999999)
		return -EINVAL;
	*ret_sec = json_integer_value(sec);
	*ret_nsec = json_integer_value(nsec);
	return 0;
}
