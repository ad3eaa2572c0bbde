/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directories and files of the host that a VM is given. All are served by one process, skerry-9pd, which dies with
 * this one; when it dies first, the VM cannot go on. The guest has one virtio device for all of them, and attaches to each by its tag: they
 * are one file system for it, in which a file has one inode by whichever share it is reached.
 */
#include "vm/shares.h"

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
#include "virtio/device.h"
#include "vm/device_socket.h"

#define SK_SHARES_SOCKET "shares"
#define SK_SHARES_TAG "shares"

struct share {
	int path_fd;  /* until the server has it */
	char *export; /* its word on the server's command line */
};

struct sk_shares {
	void (*lost)(void *arg, const char *why);
	void *arg;
	struct share all[SK_SANDBOX_SHARES];
	unsigned n;
	int socket; /* of the device, until the server has it */
	pid_t pid;
	int pidfd;
	struct sk_source *source;
	int wait_fd;  /* the server begins when this is closed; -1: it does not wait */
	int owner_fd; /* nobody else has it: the server ends when this process does */
};

static void on_server(void *arg, int fd, unsigned events)
{
	const struct sk_shares *s = arg;

	(void)fd;
	(void)events;
	s->lost(s->arg, "the file server of the VM has ended unexpectedly");
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

/* A volume that is still empty is written once, by the agent, with what the image has there; the mount in
 * the guest is read-only all the same. */
static bool is_readonly(const struct sk_sandbox_share *share, int path_fd)
{
	return share->readonly && !(share->copy_up && is_empty(path_fd));
}

static int open_share(const struct sk_sandbox_share *share, struct share *e, struct sk_error *err)
{
	const char *tag = share->tag, *file = share->file;
	int whole;

	if (!tag || strspn(tag, "abcdefghijklmnopqrstuvwxyz0123456789") != strlen(tag) || strlen(tag) > 31 ||
	    (file && strpbrk(file, "/,")))
		return sk_error_set(err, EINVAL, "vm.json: a share's tag or file name is wrong");
	e->path_fd = open(share->path, O_PATH | O_CLOEXEC);
	if (e->path_fd < 0)
		return sk_error_errno(err, errno, "cannot share %s", share->path);
	if (!share->subpath)
		return 0;
	/* The guest may have written what is in there, links too. */
	whole = e->path_fd;
	e->path_fd = sk_fs_open_beneath(whole, share->subpath);
	close(whole);
	return e->path_fd < 0 ? sk_error_errno(err, -e->path_fd, "cannot share %s of %s", share->subpath, share->path)
			      : 0;
}

static int add_share(struct sk_shares *s, const struct sk_sandbox_share *share, struct sk_error *err)
{
	struct share *e = &s->all[s->n];
	int r;

	if (s->n == SK_SANDBOX_SHARES)
		return sk_error_set(err, E2BIG,
				    "more than %u directories and files of the host cannot be given to one VM",
				    SK_SANDBOX_SHARES);
	e->path_fd = -1;
	s->n++;
	r = open_share(share, e, err);
	if (r < 0)
		return r;
	e->export = sk_asprintf("%s=fd:%d:%s%s%s%s%s%s%s%s", share->tag, e->path_fd,
				is_readonly(share, e->path_fd) ? "ro" : "rw", share->nodev ? ",nodev" : "",
				share->nosuid ? ",nosuid" : "", share->slave ? ",slave" : "",
				share->nonrecursive ? ",nonrecursive" : "", share->long_leases ? ",long-leases" : "",
				share->file ? ",file=" : "", share->file ? share->file : "");
	return e->export ? 0 : sk_error_errno(err, ENOMEM, "cannot share %s", share->path);
}

static int start_server(struct sk_shares *s, const struct sk_shares_config *config, struct sk_error *err)
{
	const char *argv[2 * SK_SANDBOX_SHARES + 8] = { "skerry-9pd" };
	int keep[SK_SANDBOX_SHARES + 3], wait[2] = { -1, -1 }, owner[2], r;
	struct sk_spawn spawn = SK_SPAWN_INIT;
	size_t n = 1, n_keep = 0;
	char path[512], device[sizeof(SK_SHARES_TAG) + 24], wait_text[12], owner_text[12];
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
	if (pipe2(owner, O_CLOEXEC) < 0)
		return sk_error_errno(err, errno, "cannot share directories");
	s->owner_fd = owner[1];
	snprintf(owner_text, sizeof(owner_text), "%d", owner[0]);
	argv[n++] = "--owner";
	argv[n++] = owner_text;
	keep[n_keep++] = owner[0];
	if (config->wait) {
		if (pipe2(wait, O_CLOEXEC) < 0) {
			close(owner[0]);
			return sk_error_errno(err, errno, "cannot share directories");
		}
		snprintf(wait_text, sizeof(wait_text), "%d", wait[0]);
		argv[n++] = "--wait";
		argv[n++] = wait_text;
		keep[n_keep++] = wait[0];
		s->wait_fd = wait[1];
	}
	server_path(path, sizeof(path));
	spawn.file = path;
	spawn.argv = argv;
	spawn.stdout_fd = spawn.stderr_fd = config->log_fd;
	spawn.keep_fds = keep;
	spawn.n_keep_fds = n_keep;
	spawn.die_with_parent = true;
	r = sk_spawn(&spawn, &s->pid, &s->pidfd, err);
	sk_close_fd(&owner[0]);
	sk_close_fd(&wait[0]);
	return r;
}

int sk_shares_new(const struct sk_shares_config *config, struct sk_shares **ret_shares, struct sk_error *err)
{
	struct sk_shares *s;
	unsigned i;
	int r = 0;

	*ret_shares = NULL;
	if (!config->n_shares)
		return 0;
	s = calloc(1, sizeof(*s));
	if (!s)
		return sk_error_errno(err, ENOMEM, "cannot share directories");
	s->lost = config->lost;
	s->arg = config->arg;
	s->pidfd = s->socket = s->wait_fd = s->owner_fd = -1;
	for (i = 0; r == 0 && i < config->n_shares; i++)
		r = add_share(s, &config->shares[i], err);
	if (r == 0)
		r = sk_device_socket(config->run_dir, SK_SHARES_SOCKET, &s->socket, err);
	if (r == 0)
		r = start_server(s, config, err);
	sk_close_fd(&s->socket);
	for (i = 0; i < s->n; i++)
		sk_close_fd(&s->all[i].path_fd);
	if (r == 0) {
		s->source = sk_loop_add_fd(config->loop, s->pidfd, SK_LOOP_READ, on_server, s);
		r = s->source ? 0 : sk_error_errno(err, ENOMEM, "cannot watch the file server");
	}
	if (r == 0)
		*ret_shares = s;
	else
		sk_shares_free(s);
	return r;
}

void sk_shares_begin(struct sk_shares *s)
{
	if (s)
		sk_close_fd(&s->wait_fd);
}

void sk_shares_place(const struct sk_shares *s, const struct sk_engine_process *engine)
{
	if (s)
		sk_engine_keep_off(engine, s->pid);
}

size_t sk_shares_engine_devices(const struct sk_shares *s, struct sk_engine_device *ret, size_t max)
{
	if (!s || !max)
		return 0;
	*ret = (struct sk_engine_device){ .virtio_id = SK_VIRTIO_9P, .socket = SK_SHARES_SOCKET, .tag = SK_SHARES_TAG };
	return 1;
}

const char *sk_shares_device(const struct sk_shares *s)
{
	return s ? SK_SHARES_TAG : NULL;
}

/* They are on a device. */
const struct sk_token *sk_shares_token(const struct sk_shares *s)
{
	(void)s;
	return NULL;
}

ssize_t sk_shares_claim(struct sk_shares *s, const struct sk_token *token, struct sk_stream *stream,
			const uint8_t *data, size_t n)
{
	(void)s;
	(void)token;
	(void)stream;
	(void)data;
	(void)n;
	return -1;
}

void sk_shares_free(struct sk_shares *s)
{
	unsigned i;

	if (!s)
		return;
	sk_loop_remove(s->source);
	if (s->pid > 0) {
		kill(s->pid, SIGKILL);
		waitpid(s->pid, NULL, 0);
	}
	sk_close_fd(&s->pidfd);
	sk_close_fd(&s->wait_fd);
	sk_close_fd(&s->owner_fd);
	for (i = 0; i < s->n; i++)
		free(s->all[i].export);
	free(s);
}
