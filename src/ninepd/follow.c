/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * A single file that is shared is a name for its users: editors and tools that configure replace it by a new file under
 * that name. The server must not have the directory, in which the file's siblings are. So a process of its own has
 * it, the follower: started before the server isolates itself, told nothing by anybody afterwards, it watches the
 * directories of the single files, and when a name is given to another regular file, it opens that (O_PATH) and
 * passes the descriptor to the server. It ends when the server's end of the socket is closed.
 *
 * Not followed: a file that was given by a descriptor whose path leads elsewhere by now, and all where the server has
 * no mount namespace of its own (there Landlock is what keeps the siblings away, and could not let the new file
 * through).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/confine.h"
#include "base/log.h"
#include "base/socket.h"
#include "ninepd/ninepd.h"

struct followed {
	int directory;
	int watch;
	char *name;
	dev_t dev;
	ino_t ino;
	uint32_t export;
};

/* Opens the directory of the export's file, and finds the file's name in it. */
static int find_place(const struct ninepd_export *e, struct followed *f)
{
	char link[32], path[4096], *slash;
	struct stat st, there;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", e->fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 1 || path[0] != '/' || fstat(e->fd, &st) < 0 || !S_ISREG(st.st_mode))
		return -ENOENT;
	path[n] = 0;
	slash = strrchr(path, '/');
	f->name = strdup(slash + 1);
	*slash = 0;
	f->directory = open(*path ? path : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (!f->name || f->directory < 0 || fstatat(f->directory, f->name, &there, AT_SYMLINK_NOFOLLOW) < 0 ||
	    there.st_dev != st.st_dev || there.st_ino != st.st_ino)
		return -ENOENT;
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	return 0;
}

/* --- the follower */

static int look_again(int sock, struct followed *f)
{
	_cleanup_fd_ int fd = openat(f->directory, f->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (st.st_dev == f->dev && st.st_ino == f->ino))
		return 0;
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	return sk_socket_send(sock, &f->export, sizeof(f->export), &fd, 1);
}

static int on_events(int sock, int inotify, struct followed *files, unsigned n)
{
	_Alignas(struct inotify_event) char buf[4096];
	ssize_t len = read(inotify, buf, sizeof(buf));
	const struct inotify_event *e;
	const char *p;
	unsigned i;
	int r = 0;

	for (p = buf; p < buf + len && r == 0; p += sizeof(*e) + e->len) {
		e = (const struct inotify_event *)(const void *)p;
		for (i = 0; i < n && r == 0; i++)
			if ((e->mask & IN_Q_OVERFLOW) ||
			    (e->wd == files[i].watch && e->len && strcmp(e->name, files[i].name) == 0))
				r = look_again(sock, &files[i]);
	}
	return r;
}

static void lock_down(void)
{
	static const int allowed[] = { SCMP_SYS(read),	     SCMP_SYS(openat),	     SCMP_SYS(close),
				       SCMP_SYS(fstat),	     SCMP_SYS(newfstatat),   SCMP_SYS(sendmsg),
				       SCMP_SYS(poll),	     SCMP_SYS(ppoll),	     SCMP_SYS(exit),
				       SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn), SCMP_SYS(restart_syscall) };
	static const int keep[] = { CAP_DAC_READ_SEARCH };
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);

	if (!ctx || sk_caps_keep(keep, geteuid() == 0 ? 1 : 0) < 0 || sk_no_new_privileges() < 0 ||
	    sk_filter_allow(ctx, allowed, SK_ARRAY_SIZE(allowed)) < 0 || seccomp_load(ctx) < 0)
		_exit(1);
}

static void close_others(int sock, int inotify, const struct followed *files, unsigned n)
{
	int fd, max = (int)sysconf(_SC_OPEN_MAX);
	unsigned i;

	for (fd = 3; fd < (max < 4096 ? max : 4096); fd++) {
		bool ours = fd == sock || fd == inotify;

		for (i = 0; i < n && !ours; i++)
			ours = fd == files[i].directory;
		if (!ours)
			close(fd);
	}
}

__attribute__((noreturn)) static void follower(int sock, struct followed *files, unsigned n)
{
	struct pollfd fds[2] = { { .fd = inotify_init1(IN_CLOEXEC), .events = POLLIN }, { .fd = sock } };
	char path[32];
	unsigned i;

	prctl(PR_SET_NAME, "skerry-9pd-name");
	close_others(sock, fds[0].fd, files, n);
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", files[i].directory);
		files[i].watch = inotify_add_watch(fds[0].fd, path, IN_CREATE | IN_MOVED_TO | IN_MASK_ADD | IN_ONLYDIR);
	}
	lock_down();
	while (poll(fds, 2, -1) > 0) {
		if (fds[1].revents || ((fds[0].revents & POLLIN) && on_events(sock, fds[0].fd, files, n) < 0))
			break;
	}
	_exit(0);
}

/* --- the server's side */

int ninepd_follow(struct ninepd *d, struct sk_error *err)
{
	struct followed files[NINEPD_EXPORTS];
	int pair[2];
	unsigned i, n = 0;
	pid_t child;

	d->follow_fd = -1;
	for (i = 0; i < d->n_exports; i++) {
		struct ninepd_export *e = &d->exports[i];

		e->directory = -1;
		files[n] = (struct followed){ .directory = -1, .export = i };
		if (d->no_sandbox || e->is_dir || find_place(e, &files[n]) < 0) {
			sk_close_fd(&files[n].directory);
			free(files[n].name);
			continue;
		}
		e->directory = files[n++].directory;
	}
	if (n == 0)
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return sk_error_errno(err, errno, "cannot follow names");
	child = fork();
	if (child == 0)
		follower(pair[1], files, n);
	close(pair[1]);
	for (i = 0; i < n; i++)
		free(files[i].name);
	if (child < 0) {
		close(pair[0]);
		return sk_error_errno(err, errno, "cannot follow names");
	}
	d->follow_fd = pair[0];
	return 0;
}

static void on_follow(void *arg, int fd, unsigned events)
{
	uint32_t export = UINT32_MAX;
	_cleanup_fd_ int file = -1;
	struct sk_9p_session *session;
	struct ninepd *d = arg;
	int n = sk_socket_receive(fd, false, &export, sizeof(export), &file, 1);

	(void)events;
	if (n == 0) {
		sk_loop_remove(d->follow);
		d->follow = NULL;
	}
	if (file < 0 || n != sizeof(export) || export >= d->n_exports || d->exports[export].is_dir)
		return;
	session = ninepd_session(d, export);
	if (d->backend->replace(d->served[export].fs, SK_TAKE_FD(file)) == 0 && session)
		sk_9p_session_events_done(session);
}

int ninepd_following(struct ninepd *d)
{
	if (d->follow_fd < 0)
		return 0;
	if (!d->isolated) {
		sk_close_fd(&d->follow_fd);
		return 0;
	}
	d->follow = sk_loop_add_fd(d->loop, d->follow_fd, SK_LOOP_READ, on_follow, d);
	return d->follow ? 0 : -ENOMEM;
}
