/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_AGENT_REQUEST_H
#define SK_AGENT_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/*
 * The requests of docs/protocols.md, "Monitor ↔ agent", as checked structures. No I/O here: this is the layer that the
 * fuzzer drives. Strings point into the request's JSON.
 */
#define SK_TOKEN_BYTES 16
#define SK_LAYERS_MAX 127
#define SK_PORT_CONTROL 1024u
#define SK_PORT_STREAM 1025u
#define SK_PROTOCOL_VERSION 1

enum sk_op {
	SK_OP_SETUP,
	SK_OP_CREATE,
	SK_OP_START,
	SK_OP_EXEC,
	SK_OP_SIGNAL,
	SK_OP_RESIZE,
	SK_OP_PAUSE,
	SK_OP_RESUME,
	SK_OP_UPDATE,
	SK_OP_STATS,
	SK_OP_PS,
	SK_OP_DELETE,
	SK_OP_STAT,
	SK_OP_GET,
	SK_OP_PUT,
	SK_OP_TIME,
	SK_OP_NETWORK,
	SK_OP_CONNECT,
	SK_OP_SYNC,
	SK_OP_SHUTDOWN,
	SK_OP_COUNT,
};

struct sk_request {
	uint64_t id;
	enum sk_op op;
	const char *container; /* "" where the operation has none */
	const char *key;       /* "init" when not given */
	json_t *json;	       /* owned */
};

/* Takes `take_json` in any case. On failure `ret->id` is still what the reply has to carry (0: none was readable). */
int sk_request_parse(json_t *take_json, struct sk_request *ret, struct sk_error *err);
void sk_request_fini(struct sk_request *req);
const char *sk_op_name(enum sk_op op);

/* A name that may become part of a path: letters, digits, "_.-", not starting with a dot, at most 64. */
bool sk_name_valid(const char *name);
/* 32 hexadecimal digits. */
int sk_token_parse(const char *hex, uint8_t ret_token[SK_TOKEN_BYTES]);

enum sk_stdio_stream { SK_STDIN, SK_STDOUT, SK_STDERR, SK_STDIO_COUNT };

struct sk_stdio_spec {
	bool terminal, bare_newlines;
	uint16_t rows, cols;
	bool wanted[SK_STDIO_COUNT];
	uint8_t token[SK_STDIO_COUNT][SK_TOKEN_BYTES];
};
/* `json` may be NULL: no stream at all. */
int sk_stdio_parse(const json_t *json, struct sk_stdio_spec *ret, struct sk_error *err);

/* A share that has a file server of its own, reached over a stream with a token. */
struct sk_share_stream {
	bool wanted;
	uint8_t token[SK_TOKEN_BYTES];
	const char *aname;
};
/* "token" and "aname" of a rootfs or a mount; "" is what a server has that serves one thing only. */
int sk_share_stream_parse(const json_t *json, struct sk_share_stream *ret, struct sk_error *err);

struct sk_rootfs_spec {
	bool is_9p;
	bool readonly;
	const char *device, *upper; /* layers; upper NULL: changes live in memory */
	const char *tag, *options;  /* 9p */
	const char *share_device;   /* 9p: mount tag of the device that has the share `tag`; NULL: of its own */
	struct sk_share_stream own;
	size_t n_layers;
	struct {
		uint64_t offset, size;
	} layers[SK_LAYERS_MAX];
};
int sk_rootfs_parse(const json_t *json, struct sk_rootfs_spec *ret, struct sk_error *err);

struct sk_address {
	int family; /* AF_INET or AF_INET6 */
	uint8_t addr[16];
	uint8_t prefix;
};
struct sk_network_spec {
	bool has_address, has_gateway, has_address6, has_gateway6;
	struct sk_address address, gateway, address6, gateway6;
	uint32_t mtu; /* 0: leave */
};
/* "10.0.2.15/24", or without prefix length (then the whole address). */
int sk_address_parse(const char *text, int family, struct sk_address *ret);
int sk_network_parse(const json_t *json, struct sk_network_spec *ret, struct sk_error *err);
/* [seconds, nanoseconds] */
int sk_time_parse(const json_t *json, int64_t *ret_sec, int64_t *ret_nsec);

#endif
