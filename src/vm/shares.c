/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directories and files of the host that a VM is given: the root file system if it is one ("rootfs" of type 9p) and
 * "mounts" that have a "path". All are served by one process, skerry-9pd, which dies with the monitor; when it dies
 * first, the VM cannot go on. The guest has one virtio device for all of them, and attaches to each by its tag: they
 * are one file system for it, in which a file has one inode by whichever share it is reached.
 */
#include <dirent.h>
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
#define SK_SHARES_SOCKET "shares"
#define SK_SHARES_TAG "shares"

struct share {
	int path_fd;  /* until the server has it */
	char *export; /* its word on the server's command line */
};

struct sk_shares {
	struct share all[SK_SHARES_MAX];
	unsigned n;
	int socket; /* of the device, until the server has it */
	pid_t pid;
	int pidfd;
	struct sk_source *source;
	int wait_fd; /* the server begins when this is closed; -1: it does not wait */
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

static bool is_empty(int path_fd)
{
	int fd = openat(path_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	unsigned n = 0;

	if (!dir) {
		sk_close_fd(&fd);
		return false;
	}
	while (n < 3 && readdir(dir))
		n++;
	return n < 3; /* "." and ".." */
}

/* A volume that is still empty is written once, by the agent, with what the image has there; the container's mount is
 * read-only all the same. */
static bool is_readonly(const json_t *o, int path_fd)
{
	return json_is_true(json_object_get(o, "readonly")) &&
	       !(json_is_true(json_object_get(o, "copy_up")) && is_empty(path_fd));
}

static int add_share(struct sk_monitor *m, const json_t *o, struct sk_error *err)
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
		return sk_error_set(err, E2BIG,
				    "more than %u directories and files of the host cannot be given to one VM",
				    SK_SHARES_MAX);
	if (!tag || strspn(tag, "abcdefghijklmnopqrstuvwxyz0123456789") != strlen(tag) || strlen(tag) > 31 ||
	    (file && strpbrk(file, "/,")))
		return sk_error_set(err, EINVAL, "vm.json: a share's tag or file name is wrong");
	e->path_fd = -1;
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
	e->export = sk_asprintf("%s=fd:%d:%s%s%s%s%s%s%s", tag, e->path_fd, is_readonly(o, e->path_fd) ? "ro" : "rw",
				json_is_true(json_object_get(o, "nodev")) ? ",nodev" : "",
				json_is_true(json_object_get(o, "nosuid")) ? ",nosuid" : "",
				json_is_true(json_object_get(o, "slave")) ? ",slave" : "",
				json_is_true(json_object_get(o, "nonrecursive")) ? ",nonrecursive" : "",
				file ? ",file=" : "", file ? file : "");
	return e->export ? 0 : sk_error_errno(err, ENOMEM, "cannot share %s", path);
}

static int start_server(struct sk_monitor *m, struct sk_error *err)
{
	const char *argv[2 * SK_SHARES_MAX + 6] = { "skerry-9pd" };
	struct sk_shares *s = m->shares;
	int keep[SK_SHARES_MAX + 2], wait[2] = { -1, -1 }, r;
	struct sk_spawn spawn = SK_SPAWN_INIT;
	size_t n = 1, n_keep = 0;
	char path[512], device[sizeof(SK_SHARES_TAG) + 24], wait_text[12];
	unsigned i;

	for (i = 0; i < s->n; i++) {
		argv[n++] = "--export";
		argv[n++] = s->all[i].export;
		keep[n_keep++] = s->all[i].path_fd;
	}
	snprintf(device, sizeof(device), SK_SHARES_TAG "=fd:%d", s->socket);
	argv[n++] = "--vhost-user-all";
	argv[n++] = device;
	keep[n_keep++] = s->socket;
	if (m->config.shares_wait) {
		if (pipe2(wait, O_CLOEXEC) < 0)
			return sk_error_errno(err, errno, "cannot share directories");
		snprintf(wait_text, sizeof(wait_text), "%d", wait[0]);
		argv[n++] = "--wait";
		argv[n++] = wait_text;
		keep[n_keep++] = wait[0];
		s->wait_fd = wait[1];
	}
	server_path(path, sizeof(path));
	spawn.file = path;
	spawn.argv = argv;
	spawn.stdout_fd = spawn.stderr_fd = m->log_fd;
	spawn.keep_fds = keep;
	spawn.n_keep_fds = n_keep;
	spawn.die_with_parent = true;
	r = sk_spawn(&spawn, &s->pid, &s->pidfd, err);
	sk_close_fd(&wait[0]);
	return r;
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
		return sk_error_errno(err, ENOMEM, "cannot share directories");
	m->shares->pidfd = m->shares->socket = m->shares->wait_fd = -1;
	r = add_share(m, rootfs, err);
	for (k = 0; r == 0 && k < json_array_size(m->config.mounts); k++)
		r = add_share(m, json_array_get(m->config.mounts, k), err);
	if (r == 0 && m->shares->n)
		r = device_socket(m, SK_SHARES_SOCKET, &m->shares->socket, err);
	if (r == 0 && m->shares->n)
		r = start_server(m, err);
	sk_close_fd(&m->shares->socket);
	for (i = 0; i < m->shares->n; i++)
		sk_close_fd(&m->shares->all[i].path_fd);
	if (r < 0 || !m->shares->n)
		return r;
	m->shares->source = sk_loop_add_fd(m->loop, m->shares->pidfd, SK_LOOP_READ, on_server, m);
	return m->shares->source ? 0 : sk_error_errno(err, ENOMEM, "cannot watch the file server");
}

void sk_shares_begin(struct sk_monitor *m)
{
	if (m->shares)
		sk_close_fd(&m->shares->wait_fd);
}

void sk_shares_place(const struct sk_monitor *m)
{
	if (m->shares && m->shares->pid > 0)
		sk_engine_keep_off(&m->process, m->shares->pid);
}

size_t sk_shares_engine_devices(const struct sk_monitor *m, struct sk_engine_device *ret, size_t max)
{
	if (!m->shares || !m->shares->n || !max)
		return 0;
	*ret = (struct sk_engine_device){ .virtio_id = SK_VIRTIO_9P, .socket = SK_SHARES_SOCKET, .tag = SK_SHARES_TAG };
	return 1;
}

const char *sk_shares_device(const struct sk_monitor *m)
{
	return m->shares && m->shares->n ? SK_SHARES_TAG : NULL;
}

json_t *sk_shares_mounts(const struct sk_monitor *m)
{
	json_t *mounts = m->config.mounts ? json_deep_copy(m->config.mounts) : NULL, *o;
	size_t i;

	json_array_foreach(mounts, i, o)
	{
		if (json_object_get(o, "path") && sk_shares_device(m))
			json_object_set_new(o, "device", json_string(sk_shares_device(m)));
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
	sk_loop_remove(s->source);
	if (s->pid > 0) {
		kill(s->pid, SIGKILL);
		waitpid(s->pid, NULL, 0);
	}
	sk_close_fd(&s->pidfd);
	sk_close_fd(&s->wait_fd);
	for (i = 0; i < s->n; i++)
		free(s->all[i].export);
	free(s);
}
