/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/frame.h"
#include "base/fs.h"
#include "base/process.h"
#include "skerry_config.h"
#include "vm/vm.h"

#define SK_REMOVE_TRIES 2000 /* 5 ms each */

static void monitor_path(char *buf, size_t size)
{
	const char *path = getenv("SKERRY_MONITOR");

	snprintf(buf, size, "%s", path && *path ? path : SK_LIBEXECDIR "/skerry-monitor");
}

int sk_vm_launch(const struct sk_paths *paths, const char *id, struct sk_error *err)
{
	_cleanup_fd_ int ours = -1, theirs = -1;
	char monitor[512], fd_text[16];
	const char *argv[] = { "skerry-monitor", "--root", paths->root,	 "--run", paths->run,
			       "--id",		 id,	   "--owner-fd", fd_text, NULL };
	struct sk_spawn s = SK_SPAWN_INIT;
	int pair[2], keep[1], r;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return sk_error_errno(err, errno, "cannot start container %.12s", id);
	ours = pair[0];
	theirs = pair[1];
	snprintf(fd_text, sizeof(fd_text), "%d", theirs);
	monitor_path(monitor, sizeof(monitor));
	keep[0] = theirs;
	s.file = monitor;
	s.argv = argv;
	s.keep_fds = keep;
	s.n_keep_fds = 1;
	s.new_session = true;
	r = sk_spawn(&s, &pid, NULL, err);
	if (r == -ENOENT)
		return sk_error_set(err, ENOENT,
				    "monitor program %s is missing: install skerry again, or set SKERRY_MONITOR",
				    monitor);
	if (r < 0)
		return r;
	return SK_TAKE_FD(ours);
}

int sk_vm_connect(const struct sk_paths *paths, const char *id, struct sk_error *err)
{
	_cleanup_free_ char *dir = sk_asprintf("%s/%s", paths->run, id);
	_cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), dirfd = -1;
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	if (fd < 0 || !dir)
		return sk_error_errno(err, errno, "cannot reach container %.12s", id);
	dirfd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	/* Through the descriptor: the path may be longer than a socket address. */
	snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/monitor.sock", dirfd);
	if (dirfd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		if (errno == ENOENT || errno == ECONNREFUSED)
			return sk_error_set(err, ENOENT, "container %.12s is not running", id);
		return sk_error_errno(err, errno, "cannot reach the monitor of container %.12s", id);
	}
	return SK_TAKE_FD(fd);
}

/* Reads until one whole frame is in `in`. */
static int read_frame(int fd, struct sk_buf *in, struct sk_frame *frame)
{
	for (;;) {
		int r = sk_frame_peek(in, frame);
		uint8_t chunk[4096];
		ssize_t n;

		if (r != 0)
			return r;
		/* Exactly what the frame still needs: what comes behind belongs to whoever uses the connection next. */
		n = (ssize_t)sizeof(chunk);
		if (in->len < 4) {
			n = (ssize_t)(4 - in->len);
		} else {
			const uint8_t *p = sk_buf_data(in);
			size_t want = 4 + ((size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24) -
				      in->len;

			if (want < (size_t)n)
				n = (ssize_t)want;
		}
		n = read(fd, chunk, (size_t)n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ECONNRESET;
		r = sk_buf_append(in, chunk, (size_t)n);
		if (r < 0)
			return r;
	}
}

static int check_reply(json_t *reply, int *ret_exit_code, struct sk_error *err)
{
	const char *message = json_string_value(json_object_get(reply, "message"));
	int code = (int)json_integer_value(json_object_get(reply, "errno"));

	if (json_is_true(json_object_get(reply, "ok")))
		return 0;
	if (ret_exit_code)
		*ret_exit_code = (int)json_integer_value(json_object_get(reply, "exit_code"));
	return sk_error_set(err, code ? code : EIO, "%s", message ? message : "the container's monitor gave no reason");
}

int sk_vm_request(int fd, const json_t *request, json_t **ret_reply, int *ret_exit_code, struct sk_error *err)
{
	struct sk_buf buf;
	struct sk_frame frame;
	json_t *reply;
	int r;

	if (ret_exit_code)
		*ret_exit_code = 0;
	sk_buf_init(&buf, SK_FRAME_MAX + SK_FRAME_HEADER);
	r = sk_frame_put_json(&buf, request);
	if (r == 0)
		r = sk_fs_write_all(fd, sk_buf_data(&buf), buf.len);
	if (r == 0) {
		sk_buf_consume(&buf, buf.len);
		r = read_frame(fd, &buf, &frame);
	}
	if (r < 0) {
		sk_buf_fini(&buf);
		return sk_error_errno(err, r, "the container's monitor does not answer");
	}
	reply = sk_frame_json(&frame);
	sk_buf_fini(&buf);
	if (!reply)
		return sk_error_set(err, EPROTO, "the container's monitor answered something else than a reply");
	r = check_reply(reply, ret_exit_code, err);
	if (r == 0 && ret_reply)
		*ret_reply = reply;
	else
		json_decref(reply);
	return r;
}

int sk_vm_call(const struct sk_paths *paths, const char *id, const json_t *request, json_t **ret_reply,
	       struct sk_error *err)
{
	_cleanup_fd_ int fd = sk_vm_connect(paths, id, err);

	return fd < 0 ? fd : sk_vm_request(fd, request, ret_reply, NULL, err);
}

/* A monitor that only shuts down after a copy, or is about to end, is waited for. */
static int lock_idle(const struct sk_paths *paths, const char *id, int fd)
{
	int i, r = 0;

	for (i = 0; i < SK_REMOVE_TRIES; i++) {
		json_t *state = NULL;
		bool alive = false;

		r = sk_fs_lock(fd, true, false);
		if (r != -EWOULDBLOCK)
			return r;
		if (sk_vm_state_load(paths, id, &state, NULL) == 0) {
			alive = sk_vm_state_is_alive(state);
			json_decref(state);
		}
		if (alive)
			return r;
		usleep(5000);
	}
	return r;
}

int sk_vm_remove(const struct sk_paths *paths, const char *id, struct sk_error *err)
{
	_cleanup_free_ char *dir = sk_asprintf("%s/containers/%s", paths->root, id),
			    *tomb = sk_asprintf("%s/tmp/removed-%s", paths->root, id);
	_cleanup_free_ char *lock = sk_asprintf("%s/containers/%s/lock", paths->root, id),
			    *run = sk_asprintf("%s/%s", paths->run, id);
	_cleanup_fd_ int fd = -1;
	int r;

	if (!dir || !tomb || !lock || !run)
		return sk_error_errno(err, ENOMEM, "cannot remove container %.12s", id);
	fd = open(lock, O_RDWR | O_CLOEXEC | O_CREAT, 0600);
	if (fd < 0)
		return sk_error_errno(err, errno, "cannot remove container %.12s", id);
	if (lock_idle(paths, id, fd) < 0)
		return sk_error_set(err, EBUSY, "cannot remove container %.12s: its monitor is running", id);
	if (rename(dir, tomb) < 0)
		return sk_error_errno(err, errno, "cannot remove container %.12s", id);
	sk_fs_remove_tree(AT_FDCWD, run);
	r = sk_fs_remove_tree(AT_FDCWD, tomb);
	return r < 0 ? sk_error_errno(err, r, "cannot delete all files of container %.12s in %s", id, tomb) : 0;
}

void sk_vm_sweep(const struct sk_paths *paths)
{
	_cleanup_free_ char *path = sk_asprintf("%s/tmp", paths->root);
	_cleanup_closedir_ DIR *dir = path ? opendir(path) : NULL;
	struct dirent *de;

	while (dir && (de = readdir(dir)))
		if (strncmp(de->d_name, "removed-", 8) == 0)
			sk_fs_remove_tree(dirfd(dir), de->d_name);
}
