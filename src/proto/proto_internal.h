/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_PROTO_INTERNAL_H
#define SK_PROTO_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/message.h"

/*
 * A structure as a list of fields: the word on the wire, where it lies in the structure, its type and bounds. Decoder
 * and encoder (codec.c) both walk that list.
 */
enum field_kind {
	F_END,
	F_STR,	     /* const char *: at most `max` bytes, without NUL */
	F_PATH,	     /* const char *: the same, and absolute */
	F_NAME,	     /* const char *: sk_name_valid() */
	F_TEXT,	     /* const char *: for people. Replaced by another text when it is not UTF-8 */
	F_BOOL,	     /* bool */
	F_MAYBE,     /* bool, with a bool of whether it was said at `aux` */
	F_U16,	     /* uint16_t */
	F_U32,	     /* uint32_t */
	F_INT,	     /* int */
	F_MAYBE_INT, /* int, with a bool of whether it was said at `aux` */
	F_I64,	     /* int64_t */
	F_U64,	     /* uint64_t, at most INT64_MAX */
	F_OBJECT,    /* json_t * */
	F_ARRAY,     /* json_t *: at most `max` items */
	F_STRING,    /* json_t *: a string */
	F_WORDS,     /* json_t *: a string, or an array of at most `max` */
	F_TOKEN,     /* struct sk_token */
	F_TIME,	     /* struct sk_time */
	F_ADDRESS4,  /* struct sk_address */
	F_ADDRESS6,
	F_MAC,	  /* uint8_t[6]; no default */
	F_LAYERS, /* struct sk_rootfs_spec's n_layers and layers; `at` is that structure */
	F_ROOTFS, /* enum sk_rootfs_type */
	F_NEST,	  /* a structure described by `record`, an object of its own on the wire */
	F_INLINE, /* the same, but its fields lie among the others */
};

#define FIELD_REQUIRED 1u /* missing is an error; the encoder writes it even if it is 0 */

struct field {
	const char *name;
	uint8_t kind, flags;
	uint16_t at, aux;
	int64_t min, max;
	const struct record *record;
};

struct record {
	const struct field *fields; /* up to F_END */
	/* Rules among several fields; after decoding and before encoding. NULL: none. */
	int (*check)(const void *base, struct sk_error *err);
	bool has_set; /* begins with a bool that says whether it was there */
};

/* One operation or event. */
struct op_row {
	const char *name;
	uint8_t wire;
	bool managed;
	uint8_t passed_as; /* enum sk_op, of requests that are passed on; SK_OP_COUNT: none */
	uint32_t timeout_ms;
	struct record body;	   /* base: struct sk_msg */
	const struct field *reply; /* base: struct sk_reply; NULL: nothing but "ok" */
};
extern const struct op_row sk_op_rows[SK_OP_COUNT];

extern const struct record sk_mount_record, sk_file_record, sk_interface_record, sk_route_record;

/* `what` stands in front of errors. */
int sk_record_decode(const struct record *record, const char *what, const json_t *json, void *base,
		     struct sk_error *err);
/* Adds the fields to `json`. */
int sk_record_encode(const struct record *record, const char *what, const void *base, json_t *json,
		     struct sk_error *err);

#endif
