/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs that are one request: state, kill, pause, resume, update, events, list and others, in runc's words. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "oci/oci.h"
#include "vm/vm.h"

static int print_json(const json_t *o, size_t flags, struct sk_error *err)
{
	_cleanup_free_ char *text = o ? json_dumps(o, flags) : NULL;

	if (!text)
		return sk_error_errno(err, ENOMEM, "cannot print");
	printf("%s\n", text);
	return fflush(stdout) == 0 ? 0 : sk_error_errno(err, errno, "cannot print");
}

/* The container of a verb that has no options. */
static int open_only(struct sk_oci *o, int argc, char **argv, struct sk_oci_container *ret, struct sk_error *err)
{
	int r = sk_oci_options_id(NULL, NULL, argc, argv, err);

	return r < 0 ? r : sk_oci_container_open(o, argv[1], ret, err);
}

int sk_oci_state(struct sk_oci *o, int argc, char **argv, struct sk_error *err)
{
	struct sk_oci_container c;
	json_t *state;
	int r = open_only(o, argc, argv, &c, err);

	if (r < 0)
		return r;
	/* Who waits for the end of a create asks until there is an answer, as runc gives none before. */
	if (strcmp(sk_oci_status(o, &c, NULL), "creating") == 0) {
		sk_oci_container_close(&c);
		return sk_error_set(err, ENOENT, "container does not exist");
	}
	state = sk_oci_state_now(o, &c);
	r = print_json(state, JSON_INDENT(2), err);
	json_decref(state);
	sk_oci_container_close(&c);
	return r;
}

/* ---- kill */

static int parse_signal(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);
	int i;

	if (*text && !*end)
		return n >= 0 && n <= 64 ? (int)n : -ERANGE;
	if (strncasecmp(text, "SIG", 3) == 0)
		text += 3;
	for (i = 1; i < 32; i++) {
		const char *name = sigabbrev_np(i);

		if (name && strcasecmp(name, text) == 0)
			return i;
	}
	if (strncasecmp(text, "RTMIN+", 6) == 0 && (n = strtol(text + 6, &end, 10)) >= 0 && !*end && n <= 30)
		return 34 + (int)n;
	return -EINVAL;
}

/* The container is ending: waits for its process on the host, which callers look at next. */
static void wait_for_end(struct sk_oci *o, const struct sk_oci_container *c)
{
	int tries;

	for (tries = 0; tries < 400 && strcmp(sk_oci_status(o, c, NULL), "stopped") != 0; tries++)
		usleep(5000);
	usleep(20000);
}

/* Whether a request failed because the container, or its first process, has ended in the meantime. */
static bool has_ended(int r)
{
	return r == -ENOENT || r == -ENOTCONN || r == -ECONNRESET || r == -EPIPE || r == -ECONNREFUSED;
}

int sk_oci_kill(struct sk_oci *o, int argc, char **argv, struct sk_error *err)
{
	static const struct sk_opt options[] = { { .name = "all", .letter = 'a', .type = SK_OPT_BOOL },
						 { .name = NULL } };
	struct sk_oci_container c;
	bool all = false;
	int r, sig = SIGTERM, n = sk_oci_options(options, &all, false, argc, argv, err);

	if (n < 0)
		return n;
	if (n < 1 || n > 2)
		return sk_error_set(err, EINVAL, "\"kill\" requires a minimum of 1 and a maximum of 2 argument(s)");
	if (n == 2 && *argv[2])
		sig = parse_signal(argv[2]);
	if (sig == -ERANGE)
		return sk_error_set(err, EINVAL, "unable to signal init: invalid argument");
	if (sig < 0)
		return sk_error_set(err, EINVAL, "unknown signal \"%s\"", argv[2]);
	r = sk_oci_container_open(o, argv[1], &c, err);
	if (r < 0)
		return r;
	if (strcmp(sk_oci_status(o, &c, NULL), "stopped") == 0) {
		r = all ? 0 : sk_error_set(err, ESRCH, "container not running");
	} else if (sig) { /* signal 0: only checks whether it exists */
		const struct sk_msg request = { .op = SK_REQUEST_KILL, .signal = { .number = sig, .all = all } };

		r = sig == SIGKILL ? sk_oci_call_to_end(o, &c, &request, err) : sk_oci_call(o, &c, &request, NULL, err);
		if (r == -ETIMEDOUT && sig == SIGKILL)
			r = sk_vm_end(&o->paths, c.vm_id, err);
		if (r == -ESRCH || has_ended(r)) {
			wait_for_end(o, &c);
			r = all ? 0 : sk_error_set(err, ESRCH, "container not running");
		}
	}
	sk_oci_container_close(&c);
	return r;
}

/* ---- pause, resume */

static int freeze(struct sk_oci *o, int argc, char **argv, bool pause, struct sk_error *err)
{
	struct sk_oci_container c;
	const char *status;
	int r = open_only(o, argc, argv, &c, err);

	if (r < 0)
		return r;
	status = sk_oci_status(o, &c, NULL);
	if (pause && strcmp(status, "running") != 0)
		r = sk_error_set(err, EINVAL, "container not running");
	else if (!pause && strcmp(status, "paused") != 0)
		r = sk_error_set(err, EINVAL, "container not paused");
	else
		r = sk_oci_call(o, &c, &(const struct sk_msg){ .op = pause ? SK_REQUEST_PAUSE : SK_REQUEST_RESUME },
				NULL, err);
	if (has_ended(r)) {
		wait_for_end(o, &c);
		r = sk_error_set(err, EINVAL, pause ? "container not running" : "container not paused");
	}
	if (r == 0)
		sk_oci_member_status(o, &c, pause ? "paused" : "running");
	sk_oci_container_close(&c);
	return r;
}

int sk_oci_pause(struct sk_oci *o, int argc, char **argv, struct sk_error *err)
{
	return freeze(o, argc, argv, true, err);
}

int sk_oci_resume(struct sk_oci *o, int argc, char **argv, struct sk_error *err)
{
	return freeze(o, argc, argv, false, err);
}

/* ---- update */

/* --resources FILE, else the flags. */
static json_t *read_resources(const char *path, struct sk_error *err)
{
	_cleanup_free_ char *text = NULL;
	json_error_t je;
	json_t *o;

	if (strcmp(path, "-") == 0) {
		o = json_loadf(stdin, 0, &je);
	} else {
		int r = sk_fs_read(AT_FDCWD, path, SK_OCI_CONFIG_MAX, &text, NULL);

		if (r < 0) {
			sk_oci_cannot_open(err, r, path);
			return NULL;
		}
		o = json_loads(text, 0, &je);
	}
	if (!json_is_object(o)) {
		sk_error_set(err, EINVAL, "resources: %s", o ? "not an object" : je.text);
		json_decref(o);
		return NULL;
	}
	return o;
}

struct update_flag {
	const char *name, *group, *field;
	enum { UPDATE_TEXT, UPDATE_SIZE, UPDATE_INT, UPDATE_UNSIGNED } kind;
};

static const struct update_flag update_flags[] = {
	{ "memory", "memory", "limit", UPDATE_SIZE },
	{ "memory-reservation", "memory", "reservation", UPDATE_SIZE },
	{ "memory-swap", "memory", "swap", UPDATE_SIZE },
	{ "cpu-period", "cpu", "period", UPDATE_UNSIGNED },
	{ "cpu-quota", "cpu", "quota", UPDATE_INT },
	{ "cpu-share", "cpu", "shares", UPDATE_UNSIGNED },
	{ "cpuset-cpus", "cpu", "cpus", UPDATE_TEXT },
	{ "cpuset-mems", "cpu", "mems", UPDATE_TEXT },
	{ "pids-limit", "pids", "limit", UPDATE_INT },
	{ "blkio-weight", "blockIO", "weight", UPDATE_UNSIGNED },
	{ "kernel-memory", "memory", "kernel", UPDATE_SIZE },
	{ "kernel-memory-tcp", "memory", "kernelTCP", UPDATE_SIZE },
	{ "cpu-rt-period", "cpu", "realtimePeriod", UPDATE_UNSIGNED },
	{ "cpu-rt-runtime", "cpu", "realtimeRuntime", UPDATE_INT },
};

static int set_flag(const struct sk_opt *o, void *to, const char *value, struct sk_error *err)
{
	const struct update_flag *f = update_flags;
	json_t *resources = *(json_t **)to, *group;
	json_int_t n = 0;
	int r = 0;

	if (!*value)
		return 0; /* as not given */
	while (strcmp(f->name, o->name) != 0)
		f++;
	if (f->kind == UPDATE_SIZE)
		r = sk_oci_parse_size(value, &n);
	else if (f->kind != UPDATE_TEXT)
		r = sk_oci_parse_number(value, f->kind == UPDATE_INT ? INT64_MIN : 0, INT64_MAX, &n);
	if (r < 0)
		return sk_error_set(err, EINVAL, "invalid value for %s: %s'%s'", f->name,
				    f->kind == UPDATE_SIZE ? "invalid size: " : "", value);
	group = json_object_get(resources, f->group);
	if (!group) {
		group = json_object();
		json_object_set_new(resources, f->group, group);
	}
	json_object_set_new(group, f->field, f->kind == UPDATE_TEXT ? json_string(value) : json_integer(n));
	return 0;
}

static int replace_resources(const struct sk_opt *o, void *to, const char *value, struct sk_error *err)
{
	json_t **resources = to;

	(void)o;
	json_decref(*resources);
	*resources = read_resources(value, err);
	return *resources ? 0 : -EINVAL;
}

static int parse_update(int argc, char **argv, json_t **ret, struct sk_error *err)
{
	static const struct sk_opt_type flag = { true, set_flag, NULL }, file = { true, replace_resources, NULL };
	struct sk_opt options[SK_ARRAY_SIZE(update_flags) + 2] = { 0 };
	size_t i, n = SK_ARRAY_SIZE(update_flags);

	*ret = json_object();
	for (i = 0; i < n; i++)
		options[i] = (struct sk_opt){ .name = update_flags[i].name, .type = &flag };
	options[n] = (struct sk_opt){ .name = "resources", .letter = 'r', .type = &file };
	return sk_oci_options_id(options, ret, argc, argv, err);
}

int sk_oci_update(struct sk_oci *o, int argc, char **argv, struct sk_error *err)
{
	struct sk_oci_container c = { .making_fd = -1 };
	struct sk_msg request = { .op = SK_REQUEST_UPDATE };
	json_t *resources = NULL, *memory, *shares;
	int r = parse_update(argc, argv, &resources, err);

	if (r >= 0)
		r = sk_oci_container_open(o, argv[1], &c, err);
	if (r == 0 && strcmp(sk_oci_status(o, &c, NULL), "stopped") == 0)
		r = sk_error_set(err, EINVAL, "container not running");
	if (r == 0)
		r = sk_oci_check_resources(resources, err);
	if (r == 0) {
		/* 0 is how docker says "unchanged". */
		memory = json_object_get(resources, "memory");
		if (memory && json_integer_value(json_object_get(memory, "limit")) == 0)
			json_object_del(memory, "limit");
		request.update.resources = sk_oci_guest_resources(resources);
		r = sk_oci_call(o, &c, &request, NULL, err);
		json_decref(request.update.resources);
	}
	if (r == 0)
		r = sk_oci_cgroups_update(json_object_get(c.record, "cgroups"),
					  json_string_value(json_object_get(c.record, "unit")), resources, err);
	shares = json_object_get(json_object_get(resources, "cpu"), "shares");
	if (r == 0 && json_integer_value(shares) > 0) {
		json_object_set(c.record, "cpu_shares", shares);
		r = sk_oci_container_save(&c, err);
		if (r == 0)
			r = sk_oci_pod_weigh(o, sk_oci_vm_of(&c), err);
	}
	json_decref(resources);
	sk_oci_container_close(&c);
	return r;
}

/* ---- events */

/* Returns true if other containers use the VM too: the container is a pod's sandbox, or a member. */
static bool shares_vm(const struct sk_oci_container *c)
{
	const json_t *annotations = json_object_get(c->record, "annotations");

	return json_object_get(c->record, "sandbox") ||
	       json_object_get(annotations, "io.kubernetes.cri.container-type") ||
	       json_object_get(annotations, "io.kubernetes.cri-o.ContainerType");
}

/* The guest's numbers, in the form of the host's. */
static void set_guest_stats(json_t *data, const json_t *stats)
{
	const json_t *memory = json_object_get(stats, "memory");

	json_object_set_new(data, "cpu",
			    json_pack("{s:{s:O?,s:O?,s:O?},s:{}}", "usage", "total", json_object_get(stats, "cpu_ns"),
				      "kernel", json_object_get(stats, "system_ns"), "user",
				      json_object_get(stats, "user_ns"), "throttling"));
	json_object_set_new(data, "memory",
			    json_pack("{s:{s:O?,s:O?,s:O?,s:i},s:{s:O?}}", "usage", "limit",
				      json_object_get(memory, "limit"), "usage", json_object_get(memory, "usage"),
				      "max", json_object_get(memory, "peak"), "failcnt", 0, "raw", "inactive_file",
				      json_object_get(memory, "inactive_file")));
}

/* Of a container with a VM of its own, the host's numbers: all that it costs. Of one that shares a VM, what the guest
 * counts for it. Processes are the guest's in any case. */
static int print_stats(struct sk_oci *o, struct sk_oci_container *c, struct sk_error *err)
{
	json_t *data = sk_oci_cgroups_stats(json_object_get(c->record, "cgroups")), *event;
	struct sk_reply reply = { 0 };
	int r;

	if (sk_oci_call(o, c, &(const struct sk_msg){ .op = SK_REQUEST_STATS }, &reply, NULL) == 0) {
		json_object_set(data, "pids", json_object_get(reply.stats, "pids"));
		if (shares_vm(c))
			set_guest_stats(data, reply.stats);
	}
	sk_reply_fini(&reply);
	event = json_pack("{s:s,s:s,s:o}", "type", "stats", "id", c->id, "data", data);
	r = print_json(event, JSON_COMPACT, err);
	json_decref(event);
	return r;
}

#define SK_EVENTS_LOOK_US 100000u

/* For `interval` seconds: tells of each time that the container has run out of memory. True: it has ended. */
static bool watch_oom(struct sk_oci *o, const struct sk_oci_container *c, unsigned interval, json_int_t *told)
{
	uint64_t left = (uint64_t)interval * 1000000u;
	bool stopped = false;

	while (!stopped) {
		json_t *state = NULL;
		json_int_t n;

		stopped = strcmp(sk_oci_status(o, c, &state), "stopped") == 0;
		n = json_integer_value(json_object_get(state, "ooms"));
		if (n == 0)
			n = json_is_true(json_object_get(state, "oom_killed"));
		json_decref(state);
		for (; *told < n; ++*told)
			printf("{\"type\":\"oom\",\"id\":\"%s\"}\n", c->id);
		fflush(stdout);
		if (left < SK_EVENTS_LOOK_US)
			break;
		usleep(SK_EVENTS_LOOK_US);
		left -= SK_EVENTS_LOOK_US;
	}
	return stopped;
}

struct events_options {
	bool once;
	unsigned interval; /* seconds */
};

static int store_interval(const struct sk_opt *o, void *to, const char *value, struct sk_error *err)
{
	(void)o;
	(void)err;
	*(unsigned *)to = (unsigned)atoi(value);
	return 0;
}

int sk_oci_events(struct sk_oci *o, int argc, char **argv, struct sk_error *err)
{
	static const struct sk_opt_type seconds = { true, store_interval, NULL };
	static const struct sk_opt options[] = {
		{ .name = "stats", .type = SK_OPT_BOOL, .offset = offsetof(struct events_options, once) },
		{ .name = "interval", .type = &seconds, .offset = offsetof(struct events_options, interval) },
		{ .name = NULL },
	};
	struct events_options x = { .interval = 5 };
	struct sk_oci_container c;
	json_int_t told = 0;
	int r = sk_oci_options(options, &x, false, argc, argv, err);

	if (r < 0)
		return r;
	if (r != 1 || x.interval == 0)
		return sk_error_set(err, EINVAL,
				    x.interval ? "\"events\" requires exactly 1 argument(s)"
					       : "duration interval must be greater than 0");
	r = sk_oci_container_open(o, argv[1], &c, err);
	if (r < 0)
		return r;
	if (strcmp(sk_oci_status(o, &c, NULL), "stopped") == 0)
		r = sk_error_set(err, EINVAL, "container with id %s is not running", c.id);
	while (r == 0) {
		r = print_stats(o, &c, err);
		if (x.once || r < 0 || watch_oom(o, &c, x.interval, &told))
			break;
	}
	sk_oci_container_close(&c);
	return r;
}

/* ---- list */

struct container_listing {
	json_t *all; /* in runc's order: by id */
};

static void list_one(struct sk_oci *o, struct sk_oci_container *c, void *arg)
{
	struct container_listing *l = arg;
	size_t i = 0;

	while (i < json_array_size(l->all) &&
	       strcmp(json_string_value(json_object_get(json_array_get(l->all, i), "id")), c->id) < 0)
		i++;
	json_array_insert_new(l->all, i, sk_oci_state_now(o, c));
}

static const char *word(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static void print_list(const json_t *all, bool quiet)
{
	size_t i;

	if (!quiet)
		printf("%-11s %-11s %-11s %-11s %-24s %s\n", "ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER");
	for (i = 0; i < json_array_size(all); i++) {
		const json_t *c = json_array_get(all, i);

		if (quiet)
			printf("%s\n", word(c, "id"));
		else
			printf("%-11s %-11d %-11s %-11s %-24s %s\n", word(c, "id"),
			       (int)json_integer_value(json_object_get(c, "pid")), word(c, "status"), word(c, "bundle"),
			       word(c, "created"), "root");
	}
}

struct list_options {
	bool json, quiet;
};

int sk_oci_list(struct sk_oci *o, int argc, char **argv, struct sk_error *err)
{
	static const struct sk_opt options[] = {
		{ .name = "format",
		  .letter = 'f',
		  .type = &sk_oci_opt_format,
		  .offset = offsetof(struct list_options, json) },
		{ .name = "quiet", .letter = 'q', .type = SK_OPT_BOOL, .offset = offsetof(struct list_options, quiet) },
		{ .name = NULL },
	};
	struct container_listing l = { .all = json_array() };
	struct list_options x = { 0 };
	int r = sk_oci_options(options, &x, false, argc, argv, err);

	if (r >= 0)
		r = sk_oci_each(o, list_one, &l, err);
	if (r == 0 && x.json && !x.quiet)
		r = print_json(l.all, JSON_COMPACT, err);
	else if (r == 0)
		print_list(l.all, x.quiet);
	json_decref(l.all);
	return r;
}
