/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The folders and files of the host that a VM is given: the root file system if it is one ("rootfs" of type 9p) and
 * "mounts" that have a "path". All are served by one process, skerry-9pd, which dies with the monitor; when it dies
 * first, the VM cannot go on. Each is a virtio device of its own, or, where the engine has no more places for them, a
 * stream (share_stream.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/process.h"
#include "skerry_config.h"
#include "vm/monitor.h"

#define SK_SHARES_MAX 48u

struct share {
	int path_fd, socket; /* until the server has them */
	const char *tag;     /* in vm.json */
	char socket_name[16];
	char *export, *device; /* its words on the server's command line; no device: by stream */
};

struct sk_shares {
	struct share all[SK_SHARES_MAX];
	unsigned n;
	int socket; /* through which the server gets streams to serve, until it has it; -1: none are */
	struct sk_share_streams *streams;
	pid_t pid;
	int pidfd;
	struct sk_source *source;
};

static void on_server(void *arg, int fd, unsigned events)
{
	(void)fd;
	(void)events;
	sk_monitor_lost(arg, "the file server of the VM has ended unexpectedly");
}

static void server_path(char *buf, size_t size)
{
	const char *path = getenv("SKERRY_9PD");

	snprintf(buf, size, "%s", path && *path ? path : SK_LIBEXECDIR "/skerry-9pd");
}

static int add_share(struct sk_monitor *m, const json_t *o,
		     int (*device_socket)(struct sk_monitor *m, const char *name, int *ret_fd, struct sk_error *err),
		     struct sk_error *err)
{
	struct sk_shares *s = m->shares;
	const char *tag = json_string_value(json_object_get(o, "tag")),
		   *path = json_string_value(json_object_get(o, "path"));
	const char *file = json_string_value(json_object_get(o, "file")),
		   *subpath = json_string_value(json_object_get(o, "subpath"));
	struct share *e = &s->all[s->n];

	if (!path)
		return 0;
	if (s->n == SK_SHARES_MAX)
		return sk_error_set(err, E2BIG, "more than %u folders and files of the host cannot be given to one VM",
				    SK_SHARES_MAX);
	if (!tag || strspn(tag, "abcdefghijklmnopqrstuvwxyz0123456789") != strlen(tag) || strlen(tag) > 31 ||
	    (file && strpbrk(file, "/,")))
		return sk_error_set(err, EINVAL, "vm.json: a share's tag or file name is wrong");
	e->path_fd = e->socket = -1;
	e->tag = tag;
	s->n++;
	e->path_fd = open(path, O_PATH | O_CLOEXEC);
	if (e->path_fd < 0)
		return sk_error_errno(err, errno, "cannot share %s", path);
	if (subpath) {
		int whole = e->path_fd;

		/* The guest may have written what is in there, links too. */
		e->path_fd = sk_fs_open_beneath(whole, subpath);
		close(whole);
		if (e->path_fd < 0)
			return sk_error_errno(err, -e->path_fd, "cannot share %s of %s", subpath, path);
	}
	e->export = sk_asprintf(
		"%s=fd:%d:%s%s%s%s%s", tag, e->path_fd, json_is_true(json_object_get(o, "readonly")) ? "ro" : "rw",
		json_is_true(json_object_get(o, "nodev")) ? ",nodev" : "",
		json_is_true(json_object_get(o, "nosuid")) ? ",nosuid" : "", file ? ",file=" : "", file ? file : "");
	if (s->n > m->engine->share_devices)
		return e->export ? 0 : sk_error_errno(err, ENOMEM, "cannot share %s", path);
	snprintf(e->socket_name, sizeof(e->socket_name), "share%u", s->n - 1);
	if (device_socket(m, e->socket_name, &e->socket, err) < 0)
		return -err->code;
	e->device = sk_asprintf("%s=fd:%d", tag, e->socket);
	return e->export && e->device ? 0 : sk_error_errno(err, ENOMEM, "cannot share %s", path);
}

static int start_server(struct sk_monitor *m, struct sk_error *err)
{
	const char *argv[4 * SK_SHARES_MAX + 4] = { "skerry-9pd" };
	struct sk_shares *s = m->shares;
	int keep[2 * SK_SHARES_MAX + 1];
	struct sk_spawn spawn = SK_SPAWN_INIT;
	size_t n = 1, n_keep = 0;
	char path[512], stream[24];
	unsigned i;

	for (i = 0; i < s->n; i++) {
		argv[n++] = "--export";
		argv[n++] = s->all[i].export;
		keep[n_keep++] = s->all[i].path_fd;
		if (!s->all[i].device)
			continue;
		argv[n++] = "--vhost-user";
		argv[n++] = s->all[i].device;
		keep[n_keep++] = s->all[i].socket;
	}
	if (s->socket >= 0) {
		snprintf(stream, sizeof(stream), "fd:%d", s->socket);
		argv[n++] = "--passed";
		argv[n++] = stream;
		keep[n_keep++] = s->socket;
	}
	server_path(path, sizeof(path));
	spawn.file = path;
	spawn.argv = argv;
	spawn.stdout_fd = spawn.stderr_fd = m->log_fd;
	spawn.keep_fds = keep;
	spawn.n_keep_fds = n_keep;
	spawn.die_with_parent = true;
	return sk_spawn(&spawn, &s->pid, &s->pidfd, err);
}

int sk_shares_up(struct sk_monitor *m,
		 int (*device_socket)(struct sk_monitor *m, const char *name, int *ret_fd, struct sk_error *err),
		 struct sk_error *err)
{
	const json_t *rootfs = json_object_get(m->config.json, "rootfs");
	unsigned i;
	size_t k;
	int r;

	m->shares = calloc(1, sizeof(*m->shares));
	if (!m->shares)
		return sk_error_errno(err, ENOMEM, "cannot share folders");
	m->shares->pidfd = m->shares->socket = -1;
	r = add_share(m, rootfs, device_socket, err);
	for (k = 0; r == 0 && k < json_array_size(m->config.mounts); k++)
		r = add_share(m, json_array_get(m->config.mounts, k), device_socket, err);
	if (r == 0 && m->shares->n > m->engine->share_devices)
		r = sk_share_streams_new(m, &m->shares->streams, &m->shares->socket, err);
	if (r == 0 && m->shares->n)
		r = start_server(m, err);
	sk_close_fd(&m->shares->socket);
	for (i = 0; i < m->shares->n; i++) {
		sk_close_fd(&m->shares->all[i].path_fd);
		sk_close_fd(&m->shares->all[i].socket);
	}
	if (r < 0 || !m->shares->n)
		return r;
	m->shares->source = sk_loop_add_fd(m->loop, m->shares->pidfd, SK_LOOP_READ, on_server, m);
	return m->shares->source ? 0 : sk_error_errno(err, ENOMEM, "cannot watch the file server");
}

void sk_shares_place(const struct sk_monitor *m)
{
	if (m->shares && m->shares->pid > 0)
		sk_engine_keep_off(&m->process, m->shares->pid);
}

size_t sk_shares_engine_devices(const struct sk_monitor *m, struct sk_engine_device *ret, size_t max)
{
	size_t n;

	for (n = 0; m->shares && n < m->shares->n && m->shares->all[n].device && n < max; n++)
		ret[n] = (struct sk_engine_device){ .virtio_id = SK_VIRTIO_9P,
						    .socket = m->shares->all[n].socket_name,
						    .tag = m->shares->all[n].tag };
	return n;
}

/* A server with one share takes the name for a path in it. */
const char *sk_shares_stream(const struct sk_monitor *m, const json_t *share)
{
	const char *tag = json_string_value(json_object_get(share, "tag"));
	unsigned i;

	for (i = 0; m->shares && tag && i < m->shares->n; i++)
		if (!m->shares->all[i].device && strcmp(m->shares->all[i].tag, tag) == 0)
			return m->shares->n > 1 ? tag : "";
	return NULL;
}

json_t *sk_shares_mounts(const struct sk_monitor *m)
{
	json_t *mounts = m->config.mounts ? json_deep_copy(m->config.mounts) : NULL, *o;
	const char *type;
	size_t i;

	json_array_foreach(mounts, i, o)
	{
		type = json_string_value(json_object_get(o, "type"));
		if (type && strcmp(type, "9p") == 0 && sk_shares_stream(m, o))
			json_object_set_new(o, "stream", json_string(sk_shares_stream(m, o)));
	}
	return mounts;
}

void sk_shares_down(struct sk_monitor *m)
{
	struct sk_shares *s = m->shares;
	unsigned i;

	if (!s)
		return;
	m->shares = NULL;
	sk_share_streams_free(s->streams);
	sk_loop_remove(s->source);
	if (s->pid > 0) {
		kill(s->pid, SIGKILL);
		waitpid(s->pid, NULL, 0);
	}
	sk_close_fd(&s->pidfd);
	for (i = 0; i < s->n; i++) {
		free(s->all[i].export);
		free(s->all[i].device);
	}
	free(s);
}
