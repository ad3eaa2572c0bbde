/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engines that a machine can run: their processes, and what each of them may write. Pure tables and functions.
 *
 * dockerd could start containerd by itself; started beside it, with nothing in it that dockerd does not use, both come
 * up at the same time, and either is started again alone when it was killed.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/opt.h"
#include "machine.h"
#include "reexec.h"

#define MACHINE_BACKOFF_MIN 100u
#define MACHINE_BACKOFF_MAX 10000u
#define MACHINE_IDLE_MAX (30u * 86400u)

static const char *const containerd_argv[] = { "containerd", "--config", "/run/engine/containerd.toml", NULL };
static const char *const dockerd_argv[] = { "dockerd",
					    "--host=unix:///run/engine/docker.sock",
					    "--pidfile=/run/engine/docker.pid",
					    "--exec-root=/run/docker",
					    "--data-root=/var/lib/docker",
					    "--containerd=/run/containerd/containerd.sock",
					    NULL };
static const char *const podman_argv[] = { "podman", "system", "service", "--time=0", "unix:///run/podman/podman.sock",
					   NULL };

/* podman's engine does not end its containers, and starts none by itself: this does what podman-restart.service does. */
static const char *const podman_begin[] = { "podman", "start", "--all", "--filter", "restart-policy=always", NULL };
/* With a time, as docker's clients make containers that have none. */
static const char *const podman_end[] = { "podman", "stop", "--all", "--time", "10", NULL };

static const struct sk_machine_place docker_places[] = {
	{ "/run/docker", NULL, { NULL } },
	{ "/run/containerd", NULL, { NULL } },
	/* BuildKit runs runc by itself, with its default place for state. */
	{ "/run/runc", NULL, { NULL } },
	/* crun does not even say its version without one. */
	{ "/run/crun", NULL, { NULL } },
	{ "/var/lib/docker", "docker", { NULL } },
	{ "/var/lib/containerd", "containerd", { NULL } },
	{ "/etc/docker", "etc-docker", { "/etc/docker/daemon.json", "/etc/docker/certs.d" } },
	{ NULL, NULL, { NULL } },
};
static const struct sk_machine_place containerd_places[] = {
	{ "/run/containerd", NULL, { NULL } },
	{ "/run/netns", NULL, { NULL } },
	{ "/var/lib/containerd", "containerd", { NULL } },
	{ "/var/lib/cni", "cni", { NULL } },
	{ "/etc/cni", "etc-cni", { NULL } },
	{ "/opt/containerd", "opt-containerd", { NULL } },
	{ NULL, NULL, { NULL } },
};
static const struct sk_machine_place podman_places[] = {
	{ "/run/podman", NULL, { NULL } },
	{ "/run/containers", NULL, { NULL } },
	{ "/run/libpod", NULL, { NULL } },
	{ "/run/crun", NULL, { NULL } },
	{ "/run/netns", NULL, { NULL } },
	{ "/run/lock", NULL, { NULL } },
	{ "/var/lib/containers", "containers", { NULL } },
	{ "/var/lib/cni", "cni", { NULL } },
	{ "/etc/cni", "etc-cni", { NULL } },
	{ "/etc/containers/networks", "etc-networks", { NULL } },
	{ "/var/cache/containers", "containers-cache", { NULL } },
	{ "/var/tmp", "var-tmp", { NULL } },
	{ NULL, NULL, { NULL } },
};

static const char *const docker_links[] = { "/run/docker.sock",
					    "engine/docker.sock",
					    "/run/xtables.lock",
					    "engine/xtables.lock",
					    SK_REEXEC,
					    "/sbin/skerry-machine",
					    NULL };
/* The host's socket leads to /run/docker.sock, whatever the engine. */
static const char *const containerd_links[] = { "/run/docker.sock", "containerd/containerd.sock", "/run/xtables.lock",
						"engine/xtables.lock", NULL };
/* podman looks for netavark there first: machine_netavark.c. */
static const char *const podman_links[] = { "/run/docker.sock",
					    "podman/podman.sock",
					    "/run/xtables.lock",
					    "engine/xtables.lock",
					    "/usr/local/libexec/podman/netavark",
					    "/sbin/skerry-machine",
					    NULL };
static const char *const directories[] = { "tmp", NULL };

/* An image is the first one of these whose program it has: dockerd's has containerd, too. */
static const struct sk_machine_engine engines[] = {
	{
		.name = "docker",
		.program = "dockerd",
		.processes = { { "containerd", containerd_argv, NULL }, { "dockerd", dockerd_argv, NULL } },
		.places = docker_places,
		.links = docker_links,
		.directories = directories,
		/*
		 * BuildKit asks each time which emulators work, by programs that it runs without /proc. There qemu-arm
		 * finds room for its guest's 4 GiB by trying one page after the other, for seconds; told where, it does not.
		 */
		.environment = "QEMU_GUEST_BASE=0x100000000",
	},
	{
		.name = "podman",
		.program = "podman",
		.processes = { { "podman", podman_argv, "/run/podman/podman.sock" } },
		.places = podman_places,
		.links = podman_links,
		.directories = directories,
		.begin = podman_begin,
		.end = podman_end,
	},
	{
		.name = "containerd",
		.program = "containerd",
		.processes = { { "containerd", containerd_argv, NULL } },
		.places = containerd_places,
		.links = containerd_links,
		.directories = directories,
	},
};

static const struct sk_machine_engine *find_engine(const char *name)
{
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(engines); i++)
		if (strcmp(engines[i].name, name) == 0)
			return &engines[i];
	return NULL;
}

const struct sk_machine_engine *sk_machine_engine_of(bool (*has_program)(const char *name))
{
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(engines); i++)
		if (has_program(engines[i].program))
			return &engines[i];
	return NULL;
}

static int set_engine(const struct sk_opt *opt, void *to, const char *value, struct sk_error *err)
{
	const struct sk_machine_engine **engine = to;

	(void)opt;
	*engine = find_engine(value);
	return *engine ? 0 : sk_error_set(err, EINVAL, "no such engine: %s (docker, podman, containerd)", value);
}

static int set_seconds(const struct sk_opt *opt, void *to, const char *value, struct sk_error *err)
{
	uint64_t *seconds = to;
	char *end;

	(void)opt;
	errno = 0;
	*seconds = strtoull(value, &end, 10);
	if (errno || end == value || *end || *value == '-' || *seconds > MACHINE_IDLE_MAX)
		return sk_error_set(err, EINVAL, "invalid --idle-stop %.40s: seconds, at most %u", value,
				    MACHINE_IDLE_MAX);
	return 0;
}

static int add_later(const struct sk_opt *opt, void *to, const char *value, struct sk_error *err)
{
	struct sk_machine_later *later = to;

	(void)opt;
	if (value[0] != '/' || later->n == SK_MACHINE_LATER_MAX)
		return sk_error_set(err, EINVAL, "invalid --later %.200s: an absolute path, at most %u of them", value,
				    SK_MACHINE_LATER_MAX);
	later->paths[later->n++] = value;
	return 0;
}

int sk_machine_options(struct sk_machine_options *ret, int argc, char **argv, struct sk_error *err)
{
#define AT(f) offsetof(struct sk_machine_options, f)
	static const struct sk_opt_type type_engine = { true, set_engine, NULL };
	static const struct sk_opt_type type_seconds = { true, set_seconds, NULL };
	static const struct sk_opt_type type_later = { true, add_later, NULL };
	static const struct sk_opt options[] = {
		{ .name = "engine", .type = &type_engine, .offset = AT(engine) },
		{ .name = "data", .type = SK_OPT_STRING, .offset = AT(data) },
		{ .name = "host-gateway-ip", .type = SK_OPT_STRING, .offset = AT(gateway) },
		{ .name = "idle-stop", .type = &type_seconds, .offset = AT(idle_stop) },
		{ .name = "later", .type = &type_later, .offset = AT(later) },
		{ .name = "debug", .type = SK_OPT_BOOL, .offset = AT(debug) },
		{ .name = NULL },
	};
#undef AT
	struct sk_opt_result parsed = { 0 };
	int n = 1, r;

	*ret = (struct sk_machine_options){ .data = "serial:skerry-data" };
	while (n < argc && strcmp(argv[n], "--") != 0)
		n++;
	ret->extra = argv + (n < argc ? n + 1 : argc);
	r = sk_opt_parse(options, &sk_opt_gnu, ret, false, n - 1, argv + 1, &parsed, err);
	if (r == 0 && parsed.n_args)
		r = sk_error_set(err, EINVAL, "unexpected argument %s", argv[1]);
	return r < 0 ? r : 0;
}

struct arguments {
	const char **v;
	size_t n;
};

/* Count an argument too many, but do not write it. */
static void add(struct arguments *a, const char *word)
{
	if (a->n < SK_MACHINE_ARGS_MAX - 1)
		a->v[a->n] = word;
	a->n++;
}

int sk_machine_argv(const struct sk_machine_options *o, const struct sk_machine_process *process, const char *proxy,
		    const char *ret[SK_MACHINE_ARGS_MAX], struct sk_error *err)
{
	bool last = process == &o->engine->processes[1] || !o->engine->processes[1].name;
	bool docker = strcmp(process->name, "dockerd") == 0;
	struct arguments a = { .v = ret };
	size_t i;

	for (i = 0; process->argv[i]; i++)
		add(&a, process->argv[i]);
	if (docker && !proxy) {
		add(&a, "--userland-proxy=false");
	} else if (docker) {
		add(&a, "--userland-proxy-path");
		add(&a, proxy);
	}
	if (docker && o->gateway) {
		add(&a, "--host-gateway-ip");
		add(&a, o->gateway);
	}
	if (o->debug && docker)
		add(&a, "--debug");
	for (i = 0; last && o->extra && o->extra[i]; i++)
		add(&a, o->extra[i]);
	if (a.n >= SK_MACHINE_ARGS_MAX)
		return sk_error_set(err, E2BIG, "%s: too many arguments", process->name);
	ret[a.n] = NULL;
	return 0;
}

uint64_t sk_machine_backoff(unsigned failures)
{
	uint64_t ms = MACHINE_BACKOFF_MIN;

	while (failures-- > 1 && ms < MACHINE_BACKOFF_MAX)
		ms *= 2;
	return ms < MACHINE_BACKOFF_MAX ? ms : MACHINE_BACKOFF_MAX;
}

void sk_machine_tail_add(struct sk_machine_tail *tail, const char *data, size_t len)
{
	size_t drop, room = sizeof(tail->data) - 1;

	if (len > room) {
		data += len - room;
		len = room;
	}
	if (tail->len > room - len) {
		drop = tail->len - (room - len);
		memmove(tail->data, tail->data + drop, tail->len - drop);
		tail->len -= drop;
	}
	memcpy(tail->data + tail->len, data, len);
	tail->len += len;
}

const char *sk_machine_tail_lines(struct sk_machine_tail *tail, unsigned lines)
{
	const char *p = tail->data + tail->len, *begin = tail->data;
	bool full = tail->len == sizeof(tail->data) - 1;

	while (tail->len && p > tail->data && p[-1] == '\n')
		p--;
	tail->len = (size_t)(p - tail->data);
	tail->data[tail->len] = '\0';
	while (p > tail->data && lines > 0)
		if (*--p == '\n' && --lines == 0)
			begin = p + 1;
	/* Skip a line whose beginning was cut off. */
	if (full && begin == tail->data && strchr(begin, '\n'))
		begin = strchr(begin, '\n') + 1;
	return begin;
}
