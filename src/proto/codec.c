/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * Each field kind has a reader and a writer below; everything else about a message is data (table.c). A structure
 * starts zeroed, which is the default of every field, so the reader has to deal only with what is there. The writer
 * leaves out what has its default, unless the field is required.
 *
 * Nothing is trusted: a type or bound that does not hold is an error that names the message and the field. Values are
 * borrowed from the JSON, never copied; the decoded message keeps it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proto/proto_internal.h"

#define NOT_TEXT "the reason is not text"

static int wrong(const struct field *f, const char *what, const char *why, struct sk_error *err)
{
	return sk_error_set(err, EINVAL, "%s: \"%s\" %s", what, f->name, why);
}

/* ---- reading one value */

static int get_string(const struct field *f, const json_t *v, const char **ret)
{
	const char *s = json_string_value(v);

	if (!s || strlen(s) != json_string_length(v) || (f->kind == F_STR && strlen(s) > (size_t)f->max))
		return -EINVAL;
	if (f->kind == F_NAME && !sk_name_valid(s))
		return -EINVAL;
	if (f->kind == F_PATH && (s[0] != '/' || strlen(s) > (size_t)f->max))
		return -EINVAL;
	*ret = s;
	return 0;
}

static int get_number(const struct field *f, const json_t *v, void *at, bool *ret_said)
{
	json_int_t n = json_integer_value(v);

	if (!json_is_integer(v) || n < f->min || n > f->max)
		return -EINVAL;
	switch (f->kind) {
	case F_U16:
		*(uint16_t *)at = (uint16_t)n;
		break;
	case F_U32:
		*(uint32_t *)at = (uint32_t)n;
		break;
	case F_I64:
		*(int64_t *)at = n;
		break;
	case F_U64:
		*(uint64_t *)at = (uint64_t)n;
		break;
	default:
		*(int *)at = (int)n;
		break;
	}
	if (ret_said)
		*ret_said = true;
	return 0;
}

static int get_json(const struct field *f, const json_t *v, const json_t **ret)
{
	bool array = json_is_array(v) && json_array_size(v) <= (size_t)f->max;
	bool good = f->kind == F_OBJECT	  ? json_is_object(v)
		    : f->kind == F_STRING ? json_is_string(v)
		    : f->kind == F_WORDS  ? json_is_string(v) || array
					  : array;

	*ret = v;
	return good ? 0 : -EINVAL;
}

static int get_time(const json_t *v, struct sk_time *ret)
{
	const json_t *sec = json_array_get(v, 0), *nsec = json_array_get(v, 1);

	if (json_array_size(v) != 2 || !json_is_integer(sec) || !json_is_integer(nsec) || json_integer_value(sec) < 0 ||
	    json_integer_value(nsec) < 0 || json_integer_value(nsec) > 999999999)
		return -EINVAL;
	*ret = (struct sk_time){ .set = true, .sec = json_integer_value(sec), .nsec = json_integer_value(nsec) };
	return 0;
}

static int get_address(const json_t *v, int family, struct sk_address *ret)
{
	const char *text = json_string_value(v);

	if (text && !*text)
		return 0;
	return text ? sk_address_parse(text, family, ret) : -EINVAL;
}

static int get_mac(const json_t *v, uint8_t ret[6])
{
	const char *text = json_string_value(v);
	unsigned b[6], i;
	int end = 0;

	if (!text || strlen(text) != 17 || strspn(text, "0123456789abcdefABCDEF:") != 17 ||
	    sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &end) != 6 || end != 17)
		return -EINVAL;
	for (i = 0; i < 6; i++)
		ret[i] = (uint8_t)b[i];
	return 0;
}

static bool layer_valid(json_int_t offset, json_int_t size)
{
	return offset >= 0 && offset % 512 == 0 && size > 0 && size % 512 == 0;
}

static int get_layers(const json_t *v, struct sk_rootfs_spec *ret)
{
	size_t i, n = json_array_size(v);

	if (!json_is_array(v) || n > SK_LAYERS_MAX)
		return -EINVAL;
	for (i = 0; i < n; i++) {
		const json_t *offset = json_object_get(json_array_get(v, i), "offset"),
			     *size = json_object_get(json_array_get(v, i), "size");

		if (!json_is_integer(offset) || !json_is_integer(size) ||
		    !layer_valid(json_integer_value(offset), json_integer_value(size)))
			return -EINVAL;
		ret->layers[i].offset = (uint64_t)json_integer_value(offset);
		ret->layers[i].size = (uint64_t)json_integer_value(size);
	}
	ret->n_layers = n;
	return 0;
}

static const char *const rootfs_types[] = { [SK_ROOTFS_LAYERS] = "layers", [SK_ROOTFS_9P] = "9p" };

static int get_rootfs_type(const json_t *v, enum sk_rootfs_type *ret)
{
	const char *s = json_string_value(v);

	*ret = s && strcmp(s, "layers") == 0 ? SK_ROOTFS_LAYERS
	       : s && strcmp(s, "9p") == 0   ? SK_ROOTFS_9P
					     : SK_ROOTFS_NONE;
	return *ret == SK_ROOTFS_NONE ? -EINVAL : 0;
}

static int get_value(const struct field *f, const json_t *v, uint8_t *base)
{
	void *at = base + f->at;

	switch (f->kind) {
	case F_STR:
	case F_PATH:
	case F_NAME:
	case F_TEXT:
		return get_string(f, v, at);
	case F_MAYBE:
		*(bool *)(void *)(base + f->aux) = true;
		/* fall through */
	case F_BOOL:
		*(bool *)at = json_is_true(v);
		return json_is_boolean(v) ? 0 : -EINVAL;
	case F_MAYBE_INT:
		return get_number(f, v, at, (bool *)(void *)(base + f->aux));
	case F_OBJECT:
	case F_ARRAY:
	case F_STRING:
	case F_WORDS:
		return get_json(f, v, at);
	case F_TOKEN:
		return json_is_string(v) ? sk_token_parse(json_string_value(v), at) : -EINVAL;
	case F_TIME:
		return get_time(v, at);
	case F_ADDRESS4:
		return get_address(v, AF_INET, at);
	case F_ADDRESS6:
		return get_address(v, AF_INET6, at);
	case F_MAC:
		return get_mac(v, at);
	case F_LAYERS:
		return get_layers(v, at);
	case F_ROOTFS:
		return get_rootfs_type(v, at);
	default:
		return get_number(f, v, at, NULL);
	}
}

int sk_record_decode(const struct record *record, const char *what, const json_t *json, void *base,
		     struct sk_error *err)
{
	const struct field *f;
	int r;

	if (!json_is_object(json))
		return sk_error_set(err, EINVAL, "%s: not an object", what);
	if (record->has_set)
		*(bool *)base = true;
	for (f = record->fields; f && f->kind != F_END; f++) {
		const json_t *v = json_object_get(json, f->name ? f->name : "");
		uint8_t *at = (uint8_t *)base + f->at;

		if (f->kind == F_INLINE) {
			r = sk_record_decode(f->record, what, json, at, err);
		} else if (!v || json_is_null(v)) {
			r = f->flags & FIELD_REQUIRED ? wrong(f, what, "is missing", err) : 0;
		} else if (f->kind == F_NEST) {
			char inner[96];

			snprintf(inner, sizeof(inner), "%s: %s", what, f->name);
			r = sk_record_decode(f->record, inner, v, at, err);
		} else {
			r = get_value(f, v, base);
			if (r < 0)
				wrong(f, what, "has a wrong type or is out of bounds", err);
		}
		if (r < 0)
			return -EINVAL;
	}
	return record->check ? record->check(base, err) : 0;
}

/* ---- writing one value. 1: it is the default and may be left out. */

static int put_string(const struct field *f, const char *s, json_t **ret)
{
	bool empty = !s || (!*s && f->kind == F_TEXT);

	if (empty)
		return 1;
	if ((f->kind == F_STR || f->kind == F_PATH) && strlen(s) > (size_t)f->max)
		return -EINVAL;
	if ((f->kind == F_NAME && !sk_name_valid(s)) || (f->kind == F_PATH && s[0] != '/'))
		return -EINVAL;
	*ret = json_string(s);
	if (!*ret && f->kind == F_TEXT)
		*ret = json_string(NOT_TEXT);
	return *ret ? 0 : -EILSEQ;
}

static int64_t number_at(const struct field *f, const void *at)
{
	uint64_t u;

	switch (f->kind) {
	case F_U16:
		return *(const uint16_t *)at;
	case F_U32:
		return *(const uint32_t *)at;
	case F_I64:
		return *(const int64_t *)at;
	case F_U64:
		u = *(const uint64_t *)at;
		return u > INT64_MAX ? -1 : (int64_t)u;
	default:
		return *(const int *)at;
	}
}

static int put_number(const struct field *f, const void *at, json_t **ret)
{
	int64_t n = number_at(f, at);

	if (n == 0 && !(f->flags & FIELD_REQUIRED) && f->kind != F_MAYBE_INT)
		return 1;
	if (n < f->min || n > f->max)
		return -EINVAL;
	*ret = json_integer(n);
	return *ret ? 0 : -ENOMEM;
}

static int put_json(const struct field *f, const json_t *v, json_t **ret)
{
	const json_t *same;

	if (!v)
		return 1;
	if (get_json(f, v, &same) < 0)
		return -EINVAL;
	*ret = json_incref((json_t *)(uintptr_t)v);
	return 0;
}

static int put_token(const struct sk_token *t, json_t **ret)
{
	char hex[SK_TOKEN_HEX + 1];

	if (!t->set)
		return 1;
	sk_token_hex(t, hex);
	*ret = json_string(hex);
	return *ret ? 0 : -ENOMEM;
}

static int put_time(const struct sk_time *t, json_t **ret)
{
	if (!t->set)
		return 1;
	if (t->sec < 0 || t->nsec < 0 || t->nsec > 999999999)
		return -EINVAL;
	*ret = json_pack("[I,I]", (json_int_t)t->sec, (json_int_t)t->nsec);
	return *ret ? 0 : -ENOMEM;
}

static int put_address(const struct sk_address *a, int family, json_t **ret)
{
	char host[INET6_ADDRSTRLEN], text[INET6_ADDRSTRLEN + 8];

	if (!a->family)
		return 1;
	if (a->family != family || a->prefix > (family == AF_INET6 ? 128 : 32) ||
	    !inet_ntop(family, a->addr, host, sizeof(host)))
		return -EINVAL;
	snprintf(text, sizeof(text), "%s/%u", host, a->prefix);
	*ret = json_string(text);
	return *ret ? 0 : -ENOMEM;
}

static int put_mac(const uint8_t *mac, json_t **ret)
{
	char text[18];

	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	*ret = json_string(text);
	return *ret ? 0 : -ENOMEM;
}

static int put_layers(const struct sk_rootfs_spec *s, json_t **ret)
{
	size_t i;

	if (!s->n_layers)
		return 1;
	if (s->n_layers > SK_LAYERS_MAX)
		return -EINVAL;
	*ret = json_array();
	for (i = 0; i < s->n_layers; i++) {
		json_int_t offset = (json_int_t)s->layers[i].offset, size = (json_int_t)s->layers[i].size;

		if (!layer_valid(offset, size) ||
		    json_array_append_new(*ret, json_pack("{s:I,s:I}", "offset", offset, "size", size)) < 0) {
			json_decref(*ret);
			return -EINVAL;
		}
	}
	return *ret ? 0 : -ENOMEM;
}

static int put_bool(const struct field *f, const uint8_t *base, json_t **ret)
{
	bool b = *(const bool *)(const void *)(base + f->at);
	bool said = f->kind == F_MAYBE ? *(const bool *)(const void *)(base + f->aux) : b;

	if (!said && !(f->flags & FIELD_REQUIRED))
		return 1;
	*ret = json_boolean(b);
	return 0;
}

static int put_rootfs_type(enum sk_rootfs_type type, json_t **ret)
{
	if (type != SK_ROOTFS_LAYERS && type != SK_ROOTFS_9P)
		return 1;
	*ret = json_string(rootfs_types[type]);
	return *ret ? 0 : -ENOMEM;
}

static int put_value(const struct field *f, const uint8_t *base, json_t **ret)
{
	const void *at = base + f->at;

	switch (f->kind) {
	case F_STR:
	case F_PATH:
	case F_NAME:
	case F_TEXT:
		return put_string(f, *(const char *const *)at, ret);
	case F_BOOL:
	case F_MAYBE:
		return put_bool(f, base, ret);
	case F_MAYBE_INT:
		return *(const bool *)(const void *)(base + f->aux) ? put_number(f, at, ret) : 1;
	case F_OBJECT:
	case F_ARRAY:
	case F_STRING:
	case F_WORDS:
		return put_json(f, *(const json_t *const *)at, ret);
	case F_TOKEN:
		return put_token(at, ret);
	case F_TIME:
		return put_time(at, ret);
	case F_ADDRESS4:
		return put_address(at, AF_INET, ret);
	case F_ADDRESS6:
		return put_address(at, AF_INET6, ret);
	case F_MAC:
		return put_mac(at, ret);
	case F_LAYERS:
		return put_layers(at, ret);
	case F_ROOTFS:
		return put_rootfs_type(*(const enum sk_rootfs_type *)at, ret);
	default:
		return put_number(f, at, ret);
	}
}

/* A structure without anything in it is left out. */
static int put_nested(const struct field *f, const char *what, const void *at, json_t **ret, struct sk_error *err)
{
	char inner[96];
	int r;

	if (f->record->has_set && !*(const bool *)at)
		return 1;
	snprintf(inner, sizeof(inner), "%s: %s", what, f->name);
	*ret = json_object();
	r = sk_record_encode(f->record, inner, at, *ret, err);
	if (r == 0 && (json_object_size(*ret) || f->record->has_set))
		return 0;
	json_decref(*ret);
	*ret = NULL;
	return r < 0 ? r : 1;
}

int sk_record_encode(const struct record *record, const char *what, const void *base, json_t *json,
		     struct sk_error *err)
{
	const struct field *f;
	int r = record->check ? record->check(base, err) : 0;

	for (f = record->fields; r == 0 && f && f->kind != F_END; f++) {
		const uint8_t *at = (const uint8_t *)base + f->at;
		json_t *v = NULL;

		if (f->kind == F_INLINE) {
			r = sk_record_encode(f->record, what, at, json, err);
			continue;
		}
		if (f->kind == F_NEST) {
			r = put_nested(f, what, at, &v, err);
		} else {
			r = put_value(f, base, &v);
			if (r < 0)
				wrong(f, what, r == -EILSEQ ? "is not UTF-8" : "is out of bounds", err);
		}
		if (r == 1) /* the default */
			r = f->flags & FIELD_REQUIRED ? wrong(f, what, "is missing", err) : 0;
		else if (r == 0 && json_object_set_new(json, f->name, v) < 0)
			r = sk_error_errno(err, ENOMEM, "%s", what);
	}
	return r;
}
