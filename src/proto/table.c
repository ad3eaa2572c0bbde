/* SPDX-License-Identifier: Apache-2.0 */
/* The table of all messages. docs/protocols.md describes what they mean; a test compares the names. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/frame.h"
#include "proto/proto_internal.h"

#define PATH_BYTES 4095 /* PATH_MAX without its NUL */
#define WORD_BYTES 255	/* host names, devices, users */
#define OPTION_BYTES 1023
#define ITEMS_MAX 4096
#define SIGNAL_MAX 64
#define ANSWER_MS 60000u
#define EXEC_MS (2 * ANSWER_MS)
#define INT_MOST 2147483647

/* The place of `member` in struct `base`, which has to be of type `type`: the comparison is never evaluated. */
#define AT(base, type, member) (uint16_t)(offsetof(struct base, member) + IS(base, type, member))
#define IS(base, type, member) (0 * sizeof((type *)0 == &((struct base *)0)->member))
#define TEXT_AT(base, kind, name, member, most, flags)                                \
	{                                                                             \
		name, kind, flags, AT(base, const char *, member), 0, 0, (most), NULL \
	}
#define NUMBER_AT(base, kind, type, name, member, least, most, flags)           \
	{                                                                       \
		name, kind, flags, AT(base, type, member), 0, least, most, NULL \
	}
#define PLAIN_AT(base, kind, type, name, member, most, flags)               \
	{                                                                   \
		name, kind, flags, AT(base, type, member), 0, 0, most, NULL \
	}
#define NEST_AT(base, type, name, member, rec, flags)                        \
	{                                                                    \
		name, F_NEST, flags, AT(base, type, member), 0, 0, 0, &(rec) \
	}
#define MAYBE_AT(base, kind, type, name, member, said, least, most)                            \
	{                                                                                      \
		name, kind, 0, AT(base, type, member), AT(base, bool, said), least, most, NULL \
	}
#define END                                      \
	{                                        \
		NULL, F_END, 0, 0, 0, 0, 0, NULL \
	}
#define REQ FIELD_REQUIRED

/* ---- parts */

#define STDIO(kind, type, name, member, least, most) NUMBER_AT(sk_stdio_spec, kind, type, name, member, least, most, 0)
static const struct field stdio_fields[] = {
	STDIO(F_BOOL, bool, "terminal", terminal, 0, 0),
	STDIO(F_BOOL, bool, "bare_newlines", bare_newlines, 0, 0),
	STDIO(F_U16, uint16_t, "rows", rows, 0, UINT16_MAX),
	STDIO(F_U16, uint16_t, "cols", cols, 0, UINT16_MAX),
	STDIO(F_TOKEN, struct sk_token, "stdin", token[SK_STDIN], 0, 0),
	STDIO(F_TOKEN, struct sk_token, "stdout", token[SK_STDOUT], 0, 0),
	STDIO(F_TOKEN, struct sk_token, "stderr", token[SK_STDERR], 0, 0),
	END,
};
static const struct record stdio_record = { stdio_fields, NULL, false };

static int check_own(const struct sk_share_stream *own, struct sk_error *err)
{
	if (own->token.set && (!own->aname || (*own->aname && !sk_name_valid(own->aname))))
		return sk_error_set(err, EINVAL, "share: a token without a valid aname");
	return 0;
}

static int check_rootfs(const void *base, struct sk_error *err)
{
	const struct sk_rootfs_spec *s = base;

	if (s->type == SK_ROOTFS_9P)
		return s->tag ? check_own(&s->own, err) : sk_error_set(err, EINVAL, "rootfs 9p without tag");
	if (s->type == SK_ROOTFS_LAYERS && (!s->device || !s->n_layers))
		return sk_error_set(err, EINVAL, "rootfs layers: no device, or not 1 to %u layers", SK_LAYERS_MAX);
	return 0;
}

#define ROOTFS(kind, type, name, member, most) PLAIN_AT(sk_rootfs_spec, kind, type, name, member, most, 0)
static const struct field rootfs_fields[] = {
	ROOTFS(F_ROOTFS, enum sk_rootfs_type, "type", type, 0),
	ROOTFS(F_BOOL, bool, "readonly", readonly, 0),
	ROOTFS(F_STR, const char *, "device", device, WORD_BYTES),
	ROOTFS(F_STR, const char *, "upper", upper, WORD_BYTES),
	ROOTFS(F_NAME, const char *, "tag", tag, 0),
	ROOTFS(F_STR, const char *, "options", options, OPTION_BYTES),
	ROOTFS(F_TOKEN, struct sk_token, "token", own.token, 0),
	ROOTFS(F_STR, const char *, "aname", own.aname, SK_NAME_MAX),
	{ "layers", F_LAYERS, 0, 0, 0, 0, 0, NULL },
	END,
};
static const struct record rootfs_record = { rootfs_fields, check_rootfs, false };

static int check_mount(const void *base, struct sk_error *err)
{
	const struct sk_mount_spec *m = base;

	if (m->file && (!*m->file || strchr(m->file, '/') || strcmp(m->file, ".") == 0 || strcmp(m->file, "..") == 0))
		return sk_error_set(err, EINVAL, "mounts: invalid file name");
	if (strcmp(m->type, "services") == 0)
		return m->own.token.set ? 0 : sk_error_set(err, EINVAL, "mounts: services without a token");
	return check_own(&m->own, err);
}

#define MOUNT(kind, type, name, member, most, flags) PLAIN_AT(sk_mount_spec, kind, type, name, member, most, flags)
static const struct field mount_fields[] = {
	MOUNT(F_STR, const char *, "type", type, SK_NAME_MAX, REQ),
	MOUNT(F_PATH, const char *, "destination", destination, PATH_BYTES, REQ),
	MOUNT(F_NAME, const char *, "tag", tag, 0, 0),
	MOUNT(F_STR, const char *, "device", device, WORD_BYTES, 0),
	MOUNT(F_STR, const char *, "file", file, WORD_BYTES, 0),
	MOUNT(F_WORDS, const json_t *, "options", options, ITEMS_MAX, 0),
	MOUNT(F_BOOL, bool, "readonly", readonly, 0, 0),
	MOUNT(F_BOOL, bool, "nodev", nodev, 0, 0),
	MOUNT(F_BOOL, bool, "nosuid", nosuid, 0, 0),
	MOUNT(F_BOOL, bool, "noexec", noexec, 0, 0),
	MOUNT(F_BOOL, bool, "copy_up", copy_up, 0, 0),
	MOUNT(F_TOKEN, struct sk_token, "token", own.token, 0, 0),
	MOUNT(F_STR, const char *, "aname", own.aname, SK_NAME_MAX, 0),
	END,
};
const struct record sk_mount_record = { mount_fields, check_mount, false };

#define FILE_(kind, type, name, member, most, flags) PLAIN_AT(sk_file_spec, kind, type, name, member, most, flags)
static const struct field file_fields[] = {
	FILE_(F_PATH, const char *, "path", path, PATH_BYTES, REQ),
	FILE_(F_STRING, const json_t *, "data", data, 0, REQ),
	FILE_(F_STR, const char *, "mode", mode, 8, 0),
	END,
};
const struct record sk_file_record = { file_fields, NULL, false };

static const struct field tap_fields[] = {
	PLAIN_AT(sk_tap_spec, F_TOKEN, struct sk_token, "token", token, 0, REQ),
	{ "mac", F_MAC, REQ, offsetof(struct sk_tap_spec, mac), 0, 0, 0, NULL },
	END,
};
static const struct record tap_record = { tap_fields, NULL, true };
_Static_assert(offsetof(struct sk_tap_spec, set) == 0, "has_set");

#define NETWORK(kind, type, name, member, most) PLAIN_AT(sk_network_spec, kind, type, name, member, most, 0)
static const struct field network_fields[] = {
	NETWORK(F_ADDRESS4, struct sk_address, "address", address, 0),
	NETWORK(F_ADDRESS4, struct sk_address, "gateway", gateway, 0),
	NETWORK(F_ADDRESS6, struct sk_address, "address6", address6, 0),
	NETWORK(F_ADDRESS6, struct sk_address, "gateway6", gateway6, 0),
	NETWORK(F_U32, uint32_t, "mtu", mtu, UINT16_MAX),
	NEST_AT(sk_network_spec, struct sk_tap_spec, "tap", tap, tap_record, 0),
	NETWORK(F_ARRAY, const json_t *, "interfaces", interfaces, ITEMS_MAX),
	NETWORK(F_ARRAY, const json_t *, "routes", routes, ITEMS_MAX),
	NETWORK(F_BOOL, bool, "dns", dns, 0),
	END,
};
static const struct record network_record = { network_fields, NULL, true };
_Static_assert(offsetof(struct sk_network_spec, set) == 0, "has_set");

static int check_interface(const void *base, struct sk_error *err)
{
	const struct sk_interface_spec *i = base;

	if (!*i->name || strchr(i->name, '/'))
		return sk_error_set(err, EINVAL, "interfaces: invalid name");
	return 0;
}

#define IFACE(kind, type, name, member, most, flags) PLAIN_AT(sk_interface_spec, kind, type, name, member, most, flags)
static const struct field interface_fields[] = {
	IFACE(F_STR, const char *, "name", name, 15, REQ), /* IFNAMSIZ without NUL */
	{ "device", F_MAC, REQ, offsetof(struct sk_interface_spec, device), 0, 0, 0, NULL },
	{ "mac", F_MAC, REQ, offsetof(struct sk_interface_spec, mac), 0, 0, 0, NULL },
	IFACE(F_U32, uint32_t, "mtu", mtu, UINT32_MAX, 0),
	MAYBE_AT(sk_interface_spec, F_MAYBE, bool, "ipv6", ipv6, has_ipv6, 0, 0),
	IFACE(F_ARRAY, const json_t *, "addresses", addresses, ITEMS_MAX, 0),
	END,
};
const struct record sk_interface_record = { interface_fields, check_interface, false };

#define ROUTE(kind, type, name, member, most, flags) PLAIN_AT(sk_route_spec, kind, type, name, member, most, flags)
static const struct field route_fields[] = {
	ROUTE(F_STR, const char *, "to", to, WORD_BYTES, REQ),	 ROUTE(F_STR, const char *, "dev", dev, 15, REQ),
	ROUTE(F_STR, const char *, "via", via, WORD_BYTES, 0),	 ROUTE(F_STR, const char *, "src", src, WORD_BYTES, 0),
	ROUTE(F_U32, uint32_t, "metric", metric, UINT32_MAX, 0), END,
};
const struct record sk_route_record = { route_fields, NULL, false };

#define JOIN(name, member) TEXT_AT(sk_join_spec, F_NAME, name, member, 0, 0)
static const struct field join_spec_fields[] = {
	JOIN("ipc", ipc), JOIN("uts", uts), JOIN("pid", pid), JOIN("user", user), END,
};
static const struct record join_spec_record = { join_spec_fields, NULL, false };

static int check_create(const void *base, struct sk_error *err)
{
	const struct sk_create *c = base;

	if (!c->spec && !c->mount_only)
		return sk_error_set(err, EINVAL, "create without spec");
	return c->rootfs.type ? 0 : sk_error_set(err, EINVAL, "create without rootfs, or rootfs without type");
}

#define CREATE(kind, type, name, member, most) PLAIN_AT(sk_create, kind, type, name, member, most, 0)
static const struct field create_fields[] = {
	CREATE(F_STR, const char *, "name", name, OPTION_BYTES),
	CREATE(F_STR, const char *, "user", user, WORD_BYTES * 2),
	CREATE(F_BOOL, bool, "start", start, 0),
	CREATE(F_BOOL, bool, "mount_only", mount_only, 0),
	CREATE(F_BOOL, bool, "init", init, 0),
	NEST_AT(sk_create, struct sk_rootfs_spec, "rootfs", rootfs, rootfs_record, 0),
	CREATE(F_OBJECT, json_t *, "spec", spec, 0),
	CREATE(F_ARRAY, json_t *, "groups", groups, ITEMS_MAX),
	CREATE(F_ARRAY, json_t *, "files", files, ITEMS_MAX),
	CREATE(F_ARRAY, json_t *, "mounts", mounts, ITEMS_MAX),
	NEST_AT(sk_create, struct sk_join_spec, "join", join, join_spec_record, 0),
	NEST_AT(sk_create, struct sk_stdio_spec, "stdio", stdio, stdio_record, 0),
	END,
};
static const struct record create_record = { create_fields, check_create, false };

/* ---- messages */

#define MSG(kind, type, name, member, least, most, flags) \
	NUMBER_AT(sk_msg, kind, type, name, member, least, most, flags)
#define STR(name, member, most, flags) TEXT_AT(sk_msg, F_STR, name, member, most, flags)
#define BOOL(name, member) MSG(F_BOOL, bool, name, member, 0, 0, 0)
#define JSON(kind, name, member, flags) MSG(kind, json_t *, name, member, 0, ITEMS_MAX, flags)
#define CONTAINER(flags) TEXT_AT(sk_msg, F_NAME, "container", container, 0, flags)
#define KEY(flags) TEXT_AT(sk_msg, F_NAME, "key", key, 0, flags)
#define SIZE(at, least)                                                              \
	MSG(F_U16, uint16_t, "rows", at.rows, least, UINT16_MAX, (least) ? REQ : 0), \
		MSG(F_U16, uint16_t, "cols", at.cols, least, UINT16_MAX, (least) ? REQ : 0)

static const struct field setup_fields[] = {
	MSG(F_TIME, struct sk_time, "time", setup.time, 0, 0, 0),
	STR("hostname", setup.hostname, 64, 0),
	STR("seed", setup.seed, 1024, 0),
	NEST_AT(sk_msg, struct sk_network_spec, "network", setup.network, network_record, 0),
	JSON(F_OBJECT, "sysctl", setup.sysctl, 0),
	MSG(F_U32, uint32_t, "idle_reclaim", setup.idle_reclaim, 0, 86400, 0),
	END,
};
static const struct field create_msg_fields[] = {
	CONTAINER(REQ),
	{ NULL, F_INLINE, 0, AT(sk_msg, struct sk_create, create), 0, 0, 0, &create_record },
	END,
};
static const struct field of_container_fields[] = { CONTAINER(REQ), END };
static const struct field exec_fields[] = {
	CONTAINER(REQ),
	KEY(REQ),
	JSON(F_OBJECT, "process", exec.process, REQ),
	JSON(F_ARRAY, "groups", exec.groups, 0),
	STR("user", exec.user, WORD_BYTES * 2, 0),
	BOOL("ignore_paused", exec.ignore_paused),
	NEST_AT(sk_msg, struct sk_stdio_spec, "stdio", exec.stdio, stdio_record, 0),
	END,
};
static const struct field signal_fields[] = {
	CONTAINER(REQ),
	KEY(0),
	MSG(F_INT, int, "signal", signal.number, 1, SIGNAL_MAX, REQ),
	BOOL("all", signal.all),
	BOOL("group", signal.group),
	END,
};
static const struct field resize_fields[] = { CONTAINER(REQ), KEY(0), SIZE(size, 1), END };
static const struct field update_fields[] = {
	CONTAINER(REQ),
	JSON(F_OBJECT, "resources", update.resources, REQ),
	END,
};
static const struct field stat_fields[] = { CONTAINER(REQ), STR("path", file.path, PATH_BYTES, REQ), END };
#define STREAM(flags) MSG(F_TOKEN, struct sk_token, "stream", file.stream, 0, 0, flags)
static const struct field get_fields[] = {
	CONTAINER(REQ),
	STR("path", file.path, PATH_BYTES, REQ),
	BOOL("follow", file.follow),
	BOOL("unmounted", file.unmounted),
	BOOL("changes", file.changes),
	BOOL("list", file.list),
	STREAM(REQ),
	END,
};
static const struct field put_fields[] = {
	CONTAINER(REQ), STR("path", file.path, PATH_BYTES, REQ), BOOL("uid_gid", file.uid_gid), STREAM(REQ), END,
};
static const struct field time_fields[] = {
	MSG(F_TIME, struct sk_time, "time", time.time, 0, 0, 0),
	MSG(F_I64, int64_t, "adjust", time.adjust, -INT64_MAX, INT64_MAX, 0),
	END,
};
static const struct field network_msg_fields[] = {
	NEST_AT(sk_msg, struct sk_network_spec, "network", network.network, network_record, 0),
	END,
};
static const struct field connect_fields[] = {
	STR("address", connect.address, 45, REQ), /* INET6_ADDRSTRLEN without NUL */
	MSG(F_U16, uint16_t, "port", connect.port, 1, UINT16_MAX, REQ),
	MSG(F_TOKEN, struct sk_token, "token", connect.token, 0, 0, REQ),
	END,
};
static const struct field connect_unix_fields[] = {
	CONTAINER(REQ),
	TEXT_AT(sk_msg, F_PATH, "path", connect.path, PATH_BYTES, REQ),
	MSG(F_TOKEN, struct sk_token, "token", connect.token, 0, 0, REQ),
	END,
};
static const struct field shutdown_fields[] = { BOOL("fast", shutdown.fast), END };

static const struct field hello_fields[] = {
	MSG(F_U32, uint32_t, "version", hello.version, 0, INT_MOST, REQ),
	STR("kernel", hello.kernel, WORD_BYTES, 0),
	STR("agent", hello.agent, WORD_BYTES, 0),
	END,
};
static const struct field agent_exit_fields[] = {
	CONTAINER(REQ), KEY(REQ), MSG(F_INT, int, "code", exit.code, 0, 255, REQ), BOOL("oom", exit.oom), END,
};

static const struct field attach_fields[] = { BOOL("stdin", attach.input), BOOL("owner", attach.owner), END };
static const struct field start_fields[] = { CONTAINER(0), SIZE(size, 0), END };
static const struct field attached_start_fields[] = { SIZE(size, 0), END };
static const struct field run_fields[] = {
	CONTAINER(0),
	JSON(F_OBJECT, "process", run.process, REQ),
	STR("user", run.user, WORD_BYTES * 2, 0),
	BOOL("stdin", run.input),
	BOOL("detach", run.detach),
	BOOL("owner", run.owner),
	BOOL("ignore_paused", run.ignore_paused),
	BOOL("bare_newlines", run.bare_newlines),
	SIZE(run, 0),
	END,
};
static const struct field kill_fields[] = {
	CONTAINER(0), KEY(0), MSG(F_INT, int, "signal", signal.number, 1, SIGNAL_MAX, REQ), BOOL("all", signal.all),
	END,
};
static const struct field stop_fields[] = {
	MSG(F_INT, int, "signal", stop.signal, 0, SIGNAL_MAX, 0),
	MAYBE_AT(sk_msg, F_MAYBE_INT, int, "timeout", stop.timeout, stop.has_timeout, -1, INT_MOST),
	BOOL("keep", stop.keep),
	END,
};
static const struct field any_container_fields[] = { CONTAINER(0), END };
static const struct field request_update_fields[] = {
	CONTAINER(0),
	JSON(F_OBJECT, "resources", update.resources, REQ),
	END,
};
static const struct field request_stat_fields[] = { CONTAINER(0), STR("path", file.path, PATH_BYTES, REQ), END };
static const struct field request_resize_fields[] = { CONTAINER(0), KEY(0), SIZE(size, 1), END };
static const struct field request_get_fields[] = {
	CONTAINER(0),
	STR("path", file.path, PATH_BYTES, REQ),
	BOOL("follow", file.follow),
	BOOL("unmounted", file.unmounted),
	BOOL("changes", file.changes),
	BOOL("list", file.list),
	END,
};
static const struct field request_put_fields[] = {
	CONTAINER(0),
	STR("path", file.path, PATH_BYTES, REQ),
	BOOL("uid_gid", file.uid_gid),
	END,
};
static const struct field join_fields[] = {
	NEST_AT(sk_msg, struct sk_create, "create", join.create, create_record, REQ),
	BOOL("terminal", join.terminal),
	BOOL("stdin", join.input),
	BOOL("bare_newlines", join.bare_newlines),
	SIZE(join, 0),
	END,
};
static const struct field share_fields[] = {
	MSG(F_TOKEN, struct sk_token, "token", share.token, 0, 0, REQ),
	END,
};
static const struct field attached_resize_fields[] = { SIZE(size, 0), END };
static const struct field attached_signal_fields[] = {
	MSG(F_INT, int, "signal", signal.number, 1, SIGNAL_MAX, REQ),
	END,
};
static const struct field event_exit_fields[] = {
	MSG(F_INT, int, "code", exit.code, 0, 255, REQ),
	BOOL("oom", exit.oom),
	TEXT_AT(sk_msg, F_TEXT, "message", exit.message, SK_FRAME_MAX, 0),
	TEXT_AT(sk_msg, F_TEXT, "warning", exit.warning, SK_FRAME_MAX, 0),
	END,
};
static const struct field event_stdin_fields[] = {
	MSG(F_U32, uint32_t, "taken", input.taken, 0, INT_MOST, REQ),
	END,
};

static const struct field publish_fields[] = {
	STR("proto", publish.proto, 3, REQ),
	STR("host_ip", publish.host_ip, 45, REQ),
	MSG(F_U16, uint16_t, "host_port", publish.host_port, 1, UINT16_MAX, REQ),
	END,
};

static const struct field place_fields[] = {
	STR("path", place.path, PATH_BYTES, REQ),
	END,
};

/* ---- replies */

#define REPLY(kind, type, name, member, least, most, flags) \
	NUMBER_AT(sk_reply, kind, type, name, member, least, most, flags)
#define PID(name, member) REPLY(F_INT, int, name, member, 0, INT_MOST, 0)
#define FROM_MONITOR PID("pid", pid), TEXT_AT(sk_reply, F_STR, "engine", engine, WORD_BYTES, 0)
#define STATS REPLY(F_OBJECT, const json_t *, "stats", stats, 0, 0, REQ)
#define PROCESSES REPLY(F_ARRAY, const json_t *, "processes", processes, 0, INT_MOST, REQ)
#define STAT REPLY(F_OBJECT, const json_t *, "stat", stat, 0, 0, REQ)

static const struct field pid_reply[] = { PID("pid", pid), END };
static const struct field stats_reply[] = { STATS, END };
static const struct field ps_reply[] = { PROCESSES, END };
static const struct field stat_reply[] = { STAT, END };
static const struct field time_reply[] = { REPLY(F_TIME, struct sk_time, "clock", clock, 0, 0, REQ), END };
static const struct field passed_reply[] = { FROM_MONITOR, END };
static const struct field passed_stats_reply[] = { FROM_MONITOR, STATS, END };
static const struct field passed_ps_reply[] = { FROM_MONITOR, PROCESSES, END };
static const struct field passed_stat_reply[] = { FROM_MONITOR, STAT, END };
static const struct field exec_reply[] = { TEXT_AT(sk_reply, F_NAME, "key", key, 0, 0), END };
static const struct field stop_reply[] = { REPLY(F_INT, int, "code", code, 0, 255, REQ), END };
static const struct field join_reply[] = { TEXT_AT(sk_reply, F_NAME, "container", container, 0, REQ), END };
static const struct field publish_reply[] = {
	REPLY(F_U16, uint16_t, "guest_port", guest_port, 1, UINT16_MAX, REQ),
	TEXT_AT(sk_reply, F_STR, "guest_ip", guest_ip, 45, REQ),
	END,
};
static const struct field info_reply[] = {
	FROM_MONITOR,
	PID("engine_pid", engine_pid),
	TEXT_AT(sk_reply, F_STR, "kernel", kernel, WORD_BYTES, 0),
	REPLY(F_U64, uint64_t, "memory", memory, 0, INT64_MAX, 0),
	REPLY(F_U32, uint32_t, "cpus", cpus, 0, INT_MOST, 0),
	END,
};

/* ---- all of them */

#define NOT_PASSED SK_OP_COUNT
#define TO_AGENT(name, ms, fields, reply)                                                     \
	{                                                                                     \
		name, SK_WIRE_TO_AGENT, false, NOT_PASSED, ms, { fields, NULL, false }, reply \
	}
#define FROM_AGENT(name, fields)                                                              \
	{                                                                                     \
		name, SK_WIRE_FROM_AGENT, false, NOT_PASSED, 0, { fields, NULL, false }, NULL \
	}
#define REQUEST(name, fields, reply)                                                                            \
	{                                                                                                       \
		name, SK_WIRE_REQUEST, false, NOT_PASSED, SK_CLIENT_PATIENCE_MS, { fields, NULL, false }, reply \
	}
#define MANAGED(name, fields, reply)                                                                           \
	{                                                                                                      \
		name, SK_WIRE_REQUEST, true, NOT_PASSED, SK_CLIENT_PATIENCE_MS, { fields, NULL, false }, reply \
	}
#define PASSED(name, as, fields, reply)                                                                 \
	{                                                                                               \
		name, SK_WIRE_REQUEST, false, as, SK_CLIENT_PATIENCE_MS, { fields, NULL, false }, reply \
	}
#define ATTACHED(name, fields, reply)                                                        \
	{                                                                                    \
		name, SK_WIRE_ATTACHED, false, NOT_PASSED, 0, { fields, NULL, false }, reply \
	}
#define EVENT(name, fields)                                                                  \
	{                                                                                    \
		name, SK_WIRE_TO_CLIENT, false, NOT_PASSED, 0, { fields, NULL, false }, NULL \
	}
#define SERVICE(name, fields, reply)                                                                 \
	{                                                                                            \
		name, SK_WIRE_SERVICES, false, NOT_PASSED, ANSWER_MS, { fields, NULL, false }, reply \
	}

const struct op_row sk_op_rows[SK_OP_COUNT] = {
	/* What moves data, or boots and ends a container, takes as long as it takes: clients can go away, and a stop
	 * has deadlines of its own. */
	[SK_OP_SETUP] = TO_AGENT("setup", 0, setup_fields, NULL),
	[SK_OP_CREATE] = TO_AGENT("create", 0, create_msg_fields, pid_reply),
	[SK_OP_START] = TO_AGENT("start", 0, of_container_fields, NULL),
	[SK_OP_EXEC] = TO_AGENT("exec", EXEC_MS, exec_fields, pid_reply),
	[SK_OP_SIGNAL] = TO_AGENT("signal", ANSWER_MS, signal_fields, NULL),
	[SK_OP_RESIZE] = TO_AGENT("resize", ANSWER_MS, resize_fields, NULL),
	[SK_OP_PAUSE] = TO_AGENT("pause", ANSWER_MS, of_container_fields, NULL),
	[SK_OP_RESUME] = TO_AGENT("resume", ANSWER_MS, of_container_fields, NULL),
	[SK_OP_UPDATE] = TO_AGENT("update", ANSWER_MS, update_fields, NULL),
	[SK_OP_STATS] = TO_AGENT("stats", ANSWER_MS, of_container_fields, stats_reply),
	[SK_OP_PS] = TO_AGENT("ps", ANSWER_MS, of_container_fields, ps_reply),
	[SK_OP_DELETE] = TO_AGENT("delete", 0, of_container_fields, NULL),
	[SK_OP_STAT] = TO_AGENT("stat", ANSWER_MS, stat_fields, stat_reply),
	[SK_OP_GET] = TO_AGENT("get", 0, get_fields, NULL),
	[SK_OP_PUT] = TO_AGENT("put", 0, put_fields, NULL),
	[SK_OP_TIME] = TO_AGENT("time", ANSWER_MS, time_fields, time_reply),
	[SK_OP_NETWORK] = TO_AGENT("network", ANSWER_MS, network_msg_fields, NULL),
	[SK_OP_CONNECT] = TO_AGENT("connect", ANSWER_MS, connect_fields, NULL),
	[SK_OP_CONNECT_UNIX] = TO_AGENT("connect_unix", ANSWER_MS, connect_unix_fields, NULL),
	[SK_OP_SYNC] = TO_AGENT("sync", 0, NULL, NULL),
	[SK_OP_SHUTDOWN] = TO_AGENT("shutdown", 0, shutdown_fields, NULL),

	[SK_AGENT_HELLO] = FROM_AGENT("hello", hello_fields),
	[SK_AGENT_EXIT] = FROM_AGENT("exit", agent_exit_fields),
	[SK_AGENT_OOM] = FROM_AGENT("oom", of_container_fields),
	[SK_AGENT_HALTED] = FROM_AGENT("halted", NULL),

	[SK_REQUEST_ATTACH] = REQUEST("attach", attach_fields, NULL),
	[SK_REQUEST_START] = REQUEST("start", start_fields, passed_reply),
	[SK_REQUEST_EXEC] = REQUEST("exec", run_fields, exec_reply),
	[SK_REQUEST_KILL] = REQUEST("kill", kill_fields, passed_reply),
	[SK_REQUEST_STOP] = REQUEST("stop", stop_fields, stop_reply),
	[SK_REQUEST_WAIT] = REQUEST("wait", NULL, NULL),
	[SK_REQUEST_PAUSE] = PASSED("pause", SK_OP_PAUSE, any_container_fields, passed_reply),
	[SK_REQUEST_RESUME] = PASSED("resume", SK_OP_RESUME, any_container_fields, passed_reply),
	[SK_REQUEST_UPDATE] = PASSED("update", SK_OP_UPDATE, request_update_fields, passed_reply),
	[SK_REQUEST_STATS] = PASSED("stats", SK_OP_STATS, any_container_fields, passed_stats_reply),
	[SK_REQUEST_PS] = PASSED("ps", SK_OP_PS, any_container_fields, passed_ps_reply),
	[SK_REQUEST_STAT] = PASSED("stat", SK_OP_STAT, request_stat_fields, passed_stat_reply),
	[SK_REQUEST_RESIZE] = PASSED("resize", SK_OP_RESIZE, request_resize_fields, passed_reply),
	[SK_REQUEST_GET] = REQUEST("get", request_get_fields, NULL),
	[SK_REQUEST_PUT] = REQUEST("put", request_put_fields, NULL),
	[SK_REQUEST_INFO] = REQUEST("info", NULL, info_reply),
	[SK_REQUEST_JOIN] = MANAGED("join", join_fields, join_reply),
	[SK_REQUEST_SHARE] = MANAGED("share", share_fields, NULL),
	[SK_REQUEST_NETWORK] = MANAGED("network", NULL, NULL),
	[SK_REQUEST_CREATE] = MANAGED("create", NULL, NULL),

	[SK_ATTACHED_START] = ATTACHED("start", attached_start_fields, NULL),
	[SK_ATTACHED_RESIZE] = ATTACHED("resize", attached_resize_fields, NULL),
	[SK_ATTACHED_SIGNAL] = ATTACHED("signal", attached_signal_fields, NULL),
	[SK_ATTACHED_DETACH] = ATTACHED("detach", NULL, NULL),

	[SK_EVENT_EXIT] = EVENT("exit", event_exit_fields),
	[SK_EVENT_OOM] = EVENT("oom", NULL),
	[SK_EVENT_STDIN] = EVENT("stdin", event_stdin_fields),
	[SK_EVENT_DETACHED] = EVENT("detached", NULL),

	[SK_SERVICE_PUBLISH] = SERVICE("publish", publish_fields, publish_reply),
	[SK_SERVICE_SSH_AUTH] = SERVICE("ssh-auth", NULL, NULL),
	[SK_SERVICE_IDLE] = SERVICE("idle", NULL, NULL),
	[SK_SERVICE_SHARE] = SERVICE("share", place_fields, NULL),
};
_Static_assert(SK_OP_COUNT <= UINT8_MAX, "passed_as");
