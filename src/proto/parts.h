/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_PROTO_PARTS_H
#define SK_PROTO_PARTS_H

/*
 * Structures that are part of a message (proto/message.h). Strings and JSON point into the message's JSON and live as
 * long as that.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "proto/wire.h"

#define SK_NAME_MAX 64u /* bytes of a name: container, key, tag */
#define SK_LAYERS_MAX 127u

/* A name that may become part of a path: letters, digits, "_.-", not starting with a dot, at most SK_NAME_MAX. */
bool sk_name_valid(const char *name);
/* An id of a container as OCI runtimes allow it, which becomes a directory's name: letters, digits, "_+-.", at most
 * `max` bytes. */
bool sk_container_id_valid(const char *id, size_t max);

/* The name of a stream, known to monitor and agent only. */
struct sk_token {
	bool set;
	uint8_t bytes[SK_TOKEN_BYTES];
};
/* 32 hexadecimal digits. -EINVAL. */
int sk_token_parse(const char *hex, struct sk_token *ret);
void sk_token_hex(const struct sk_token *token, char ret[SK_TOKEN_HEX + 1]);
bool sk_token_equal(const struct sk_token *a, const struct sk_token *b);

/* CLOCK_REALTIME; on the wire [sec, nsec]. */
struct sk_time {
	bool set;
	int64_t sec, nsec; /* 0 <= nsec < 10^9 */
};

enum sk_stdio_stream { SK_STDIN, SK_STDOUT, SK_STDERR, SK_STDIO_COUNT };

/* All zero: no stream, no terminal. With a terminal only SK_STDOUT has a token. */
struct sk_stdio_spec {
	bool terminal, bare_newlines;
	uint16_t rows, cols; /* 0: not known */
	struct sk_token token[SK_STDIO_COUNT];
};

/* A share that has a file server of its own, reached over a stream; `aname` "" is what a server has that serves one
 * thing only. */
struct sk_share_stream {
	struct sk_token token; /* not set: the share is on a device */
	const char *aname;     /* not NULL with a token */
};

enum sk_rootfs_type { SK_ROOTFS_NONE, SK_ROOTFS_LAYERS, SK_ROOTFS_9P };

struct sk_rootfs_spec {
	enum sk_rootfs_type type;
	bool readonly;
	const char *device; /* layers: the block device; 9p: mount tag of the device that has the share, or NULL */
	const char *upper;  /* layers; NULL: changes live in memory */
	const char *tag, *options;  /* 9p */
	struct sk_share_stream own; /* 9p */
	size_t n_layers;
	struct {
		uint64_t offset, size; /* bytes, multiples of 512; size not 0 */
	} layers[SK_LAYERS_MAX];
};

/* An item of "mounts". "services" has the services' token, and no name with it. */
struct sk_mount_spec {
	const char *type, *destination; /* never NULL; destination is absolute */
	const char *tag, *device, *file;
	const json_t *options; /* string or array; NULL: none */
	bool readonly, nodev, nosuid, noexec, copy_up;
	struct sk_share_stream own;
};
int sk_mount_decode(const json_t *json, struct sk_mount_spec *ret, struct sk_error *err);
json_t *sk_mount_encode(const struct sk_mount_spec *spec, struct sk_error *err); /* as sk_interface_encode() */

/* An item of "files". */
struct sk_file_spec {
	const char *path;   /* absolute */
	const json_t *data; /* a string */
	const char *mode;   /* octal; NULL: 0644 */
};
int sk_file_decode(const json_t *json, struct sk_file_spec *ret, struct sk_error *err);

struct sk_address {
	int family; /* AF_INET or AF_INET6; 0: none */
	uint8_t addr[16];
	uint8_t prefix;
};
/* "10.0.2.15/24", or without prefix length (then the whole address). -EINVAL. */
int sk_address_parse(const char *text, int family, struct sk_address *ret);

/* A network device that is a stream of the guest's (base/packet.h). */
struct sk_tap_spec {
	bool set;
	struct sk_token token;
	uint8_t mac[6]; /* eth0's */
};

/* "network": either one interface, eth0, with these addresses; or a list of interfaces as in a network namespace. */
struct sk_network_spec {
	bool set; /* false: no network */
	struct sk_address address, gateway, address6, gateway6;
	uint32_t mtu;			   /* 0: leave */
	struct sk_tap_spec tap;		   /* not set: the one interface is there already */
	const json_t *interfaces, *routes; /* arrays; `interfaces` NULL: the one interface */
	bool dns;
};

/* An item of "interfaces". */
struct sk_interface_spec {
	const char *name;
	uint8_t device[6]; /* the virtio device's own MAC */
	uint8_t mac[6];	   /* that the interface is to have */
	uint32_t mtu;	   /* 0: leave */
	bool has_ipv6, ipv6;
	const json_t *addresses; /* array of strings; NULL: none */
};
int sk_interface_decode(const json_t *json, struct sk_interface_spec *ret, struct sk_error *err);
/* New reference; NULL with `err` set: it is not within the bounds. */
json_t *sk_interface_encode(const struct sk_interface_spec *spec, struct sk_error *err);

/* An item of "routes". */
struct sk_route_spec {
	const char *to, *dev; /* never NULL */
	const char *via, *src;
	uint32_t metric;
};
int sk_route_decode(const json_t *json, struct sk_route_spec *ret, struct sk_error *err);
json_t *sk_route_encode(const struct sk_route_spec *spec, struct sk_error *err); /* as sk_interface_encode() */

/* "join": containers whose namespaces are to be used instead of new ones; NULL: a new one. */
struct sk_join_spec {
	const char *ipc, *uts, *pid, *user;
};

#endif
