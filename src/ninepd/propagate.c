/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mount propagation from the host to a share (option "slave"): what the host mounts below the directory while it is
 * served appears in it, and what it unmounts goes.
 *
 * The server cannot take part in propagation itself: a descriptor that it holds on a mount of its own would keep the
 * host from unmounting ("target is busy"), and it has given up what it takes to set a mount's attributes. So another
 * process, started before the server isolates itself, has a mount namespace that is a slave of the host's. It waits for
 * changes of its mount table and sends the server a private copy of each mount below the shared directories
 * (export/posix_mounts.c goes on from there), or tells that a mount is gone. It opens a mount for as long as it takes
 * to copy it. It is told nothing by anybody, and ends when the server's end of the socket is closed.
 *
 * Mounts that the process of a plain user finds when it starts are locked to their places by the kernel, also when the
 * host unmounts them.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
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

#define START_MS 10000
#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x00001000U
#endif

enum message_kind { MOUNTED = 1, UNMOUNTED, STARTED };

/* With a descriptor if it is MOUNTED. */
struct mount_message {
	uint32_t kind, export;
	uint64_t id, parent; /* numbers of this file's own; parent 0: the export itself */
	char path[4096];     /* MOUNTED: from the parent's root to the mount point */
};

/* --- the process that watches */

struct known {
	uint64_t number; /* in messages */
	uint64_t id, dev;
	char *root, *point;
	uint32_t export;
	bool there;
};

struct watcher {
	const struct ninepd *d;
	struct sk_host_mounts *mounts;
	int sock;
	uint64_t roots[NINEPD_EXPORTS]; /* number of the mount in which an export lies; 0: it is not watched */
	struct known known[SK_EXPORT_MOUNTS_MAX];
	unsigned n;
	uint64_t last;
	uint32_t export; /* that is looked at */
	bool full;	 /* said already */
};

static int send_message(const struct watcher *w, const struct mount_message *m, int fd)
{
	return sk_socket_send(w->sock, m, offsetof(struct mount_message, path) + strlen(m->path) + 1, &fd, fd >= 0);
}

/* Returns the number of the mount visible at `path`, or 0. Opens nothing: a descriptor would keep the host from
 * unmounting for a moment. */
static uint64_t mount_at(const char *path)
{
	struct statx stx;

	return statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_MNT_ID, &stx) < 0 ? 0
												    : stx.stx_mnt_id;
}

/* A copy of mount `id` at `path`. -ESTALE: it is not to be seen there. No link is followed: a guest may have made
 * it. */
static int copy_of(const char *path, uint64_t id, bool readonly)
{
	struct open_how how = { .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS };
	_cleanup_fd_ int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
	struct statx stx;

	if (fd < 0 || statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_MNT_ID, &stx) < 0 || stx.stx_mnt_id != id)
		return -ESTALE;
	return ninepd_copy_mounts(fd, readonly, false);
}

static bool same(const struct known *k, uint32_t export, const struct sk_host_mount *m)
{
	return k->export == export && k->id == m->id && k->dev == m->dev && strcmp(k->root, m->root) == 0 &&
	       strcmp(k->point, m->point) == 0;
}

/* First pass: find the mounts that still exist. */
static int mark(void *arg, const struct sk_host_mount *m)
{
	struct watcher *w = arg;
	unsigned i;

	for (i = 0; i < w->n; i++)
		if (same(&w->known[i], w->export, m) && mount_at(m->point) == m->id)
			w->known[i].there = true;
	return 0;
}

/* The innermost known mount that `point` lies in, and the way from there. */
static const char *parent_of(const struct watcher *w, const char *point, uint64_t *ret_parent)
{
	const char *top = w->d->exports[w->export].host_path;
	size_t longest = strcmp(top, "/") == 0 ? 0 : strlen(top), n;
	unsigned i;

	*ret_parent = 0;
	for (i = 0; i < w->n; i++) {
		const struct known *k = &w->known[i];

		n = strlen(k->point);
		if (k->export != w->export || n < longest || strncmp(point, k->point, n) != 0 ||
		    (point[n] && point[n] != '/'))
			continue;
		longest = n;
		*ret_parent = k->number;
	}
	return point[longest] == '/' ? point + longest + 1 : point + longest;
}

static int remember(struct watcher *w, const struct sk_host_mount *m)
{
	struct known *k = &w->known[w->n];

	*k = (struct known){ .number = w->last + 1, .id = m->id, .dev = m->dev, .export = w->export, .there = true };
	k->root = strdup(m->root);
	k->point = strdup(m->point);
	if (!k->root || !k->point)
		return -ENOMEM;
	w->last++;
	w->n++;
	return 0;
}

/* Second pass: find the new mounts. */
static int add(void *arg, const struct sk_host_mount *m)
{
	struct mount_message message = { .kind = MOUNTED };
	_cleanup_fd_ int copy = -1;
	struct watcher *w = arg;
	unsigned i;
	int r;

	for (i = 0; i < w->n; i++)
		if (same(&w->known[i], w->export, m))
			return 0;
	/* Hidden: something else is mounted over it. */
	if (mount_at(m->point) != m->id)
		return 0;
	if (w->n == SK_EXPORT_MOUNTS_MAX) {
		if (!w->full)
			sk_log(SK_LOG_WARN, "more than %u mounts below shared directories: the others are not shown",
			       SK_EXPORT_MOUNTS_MAX);
		w->full = true;
		return 0;
	}
	copy = copy_of(m->point, m->id, w->d->exports[w->export].readonly);
	if (copy == -ESTALE)
		return 0;
	if (copy < 0) {
		sk_log(SK_LOG_WARN, "cannot share what is mounted on %s: %s", m->point, strerror(-copy));
		return 0;
	}
	snprintf(message.path, sizeof(message.path), "%s", parent_of(w, m->point, &message.parent));
	r = remember(w, m);
	if (r < 0)
		return r;
	message.export = w->export;
	message.id = w->last;
	return send_message(w, &message, copy);
}

static int remove_gone(struct watcher *w)
{
	unsigned i = w->n;
	int r = 0;

	/* Innermost mounts first. */
	while (i-- > 0 && r == 0) {
		struct known *k = &w->known[i];

		if (k->there)
			continue;
		r = send_message(w, &(struct mount_message){ .kind = UNMOUNTED, .export = k->export, .id = k->number },
				 -1);
		free(k->root);
		free(k->point);
		memmove(k, k + 1, (--w->n - i) * sizeof(*k));
	}
	return r;
}

static int for_each_export(struct watcher *w, int (*each)(void *arg, const struct sk_host_mount *mount))
{
	int r = 0;

	for (w->export = 0; r == 0 && w->export < w->d->n_exports; w->export ++) {
		const char *top = w->d->exports[w->export].host_path;

		/* Over the shared directory itself something else may have been mounted: nothing of that is shared. */
		if (w->roots[w->export] && mount_at(top) == w->roots[w->export])
			r = sk_mounts_each(w->mounts, top, each, w);
	}
	return r;
}

static int look(struct watcher *w)
{
	unsigned i;
	int r;

	for (i = 0; i < w->n; i++)
		w->known[i].there = false;
	r = for_each_export(w, mark);
	if (r == 0)
		r = remove_gone(w);
	return r == 0 ? for_each_export(w, add) : r;
}

/* A mount namespace that gets what the host mounts. */
static int enter_namespace(struct watcher *w)
{
	unsigned i;
	int r = geteuid() == 0 ? 0 : ninepd_enter_user_namespace();

	if (r == 0 && (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0))
		r = -errno;
	if (r == 0)
		r = sk_mounts_new(NULL, &w->mounts);
	for (i = 0; r == 0 && i < w->d->n_exports; i++)
		if (w->d->exports[i].slave && w->d->exports[i].is_dir && w->d->exports[i].host_path)
			w->roots[i] = mount_at(w->d->exports[i].host_path);
	return r;
}

static int lock_down(void)
{
	static const int allowed[] = { SCMP_SYS(read),
				       SCMP_SYS(lseek),
				       SCMP_SYS(openat2),
				       SCMP_SYS(statx),
				       SCMP_SYS(open_tree),
				       SCMP_SYS(mount_setattr),
				       SCMP_SYS(sendmsg),
				       SCMP_SYS(close),
				       SCMP_SYS(poll),
				       SCMP_SYS(ppoll),
				       SCMP_SYS(brk),
				       SCMP_SYS(munmap),
				       SCMP_SYS(mremap),
				       SCMP_SYS(madvise),
				       SCMP_SYS(write),
				       SCMP_SYS(fstat),
				       SCMP_SYS(newfstatat),
				       SCMP_SYS(clock_gettime),
				       SCMP_SYS(exit),
				       SCMP_SYS(exit_group),
				       SCMP_SYS(rt_sigreturn),
				       SCMP_SYS(getpid),
				       SCMP_SYS(restart_syscall) };
	static const int keep[] = { CAP_SYS_ADMIN, CAP_DAC_READ_SEARCH };
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	bool ok = ctx && sk_caps_keep(keep, SK_ARRAY_SIZE(keep)) == 0 && sk_no_new_privileges() == 0 &&
		  sk_filter_allow(ctx, allowed, SK_ARRAY_SIZE(allowed)) == 0 &&
		  seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
				   SCMP_A2(SCMP_CMP_MASKED_EQ, 4 /* PROT_EXEC */, 0)) == 0 &&
		  seccomp_load(ctx) == 0;

	seccomp_release(ctx);
	return ok ? 0 : -EPERM;
}

__attribute__((noreturn)) static void watch(struct ninepd *d, int sock)
{
	static struct watcher w;
	struct pollfd fds[2] = { { .fd = sock }, { .events = POLLPRI } };
	int r;

	prctl(PR_SET_NAME, "skerry-9pd-mnt");
	w.d = d;
	w.sock = sock;
	r = enter_namespace(&w);
	if (r == 0)
		r = lock_down();
	if (r == 0)
		r = look(&w);
	if (r == 0)
		r = send_message(&w, &(struct mount_message){ .kind = STARTED }, -1);
	if (r < 0) {
		sk_log(SK_LOG_ERROR, "cannot watch the host's mounts: %s", strerror(-r));
		_exit(1);
	}
	fds[1].fd = sk_mounts_fd(w.mounts);
	while (poll(fds, 2, -1) > 0 || errno == EINTR) {
		if (fds[0].revents || (fds[1].revents && look(&w) < 0))
			break;
	}
	_exit(0);
}

/* --- the server's side */

int ninepd_propagate(struct ninepd *d, struct sk_error *err)
{
	bool wanted = false;
	int pair[2];
	unsigned i;
	pid_t child;

	d->propagate_fd = -1;
	for (i = 0; i < d->n_exports; i++)
		wanted |= d->exports[i].slave && d->exports[i].is_dir;
	if (!wanted || d->no_sandbox)
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return sk_error_errno(err, errno, "cannot watch the host's mounts");
	child = fork();
	if (child == 0) {
		/* Close the server's descriptors: exports would keep the host's mounts busy. */
		if ((pair[1] != 3 && dup3(pair[1], 3, O_CLOEXEC) < 0) || close_range(4, ~0u, 0) < 0)
			_exit(1);
		watch(d, 3);
	}
	close(pair[1]);
	if (child < 0) {
		close(pair[0]);
		return sk_error_errno(err, errno, "cannot watch the host's mounts");
	}
	d->propagate_fd = pair[0];
	return 0;
}

/* Handles one message. 1: exports have changed; 0: they have not; -EAGAIN: no message; -EPIPE: the watcher has ended.
 * */
static int take_message(struct ninepd *d, bool *ret_started)
{
	struct mount_message m = { 0 };
	_cleanup_fd_ int fd = -1;
	struct ninepd_export *e;
	int r = sk_socket_receive(d->propagate_fd, false, &m, sizeof(m), &fd, 1);

	if (r <= 0)
		return r < 0 ? r : -EPIPE;
	m.path[sizeof(m.path) - 1] = 0;
	if (m.kind == STARTED) {
		*ret_started = true;
		return 0;
	}
	e = m.export < d->n_exports ? &d->exports[m.export] : NULL;
	/* An export that is part of another one gets its mounts through that one. */
	if (!e || !e->fs)
		return 0;
	if (m.kind == UNMOUNTED) {
		d->backend->unmount(e->fs, m.id);
		return 1;
	}
	if (m.kind != MOUNTED || fd < 0)
		return 0;
	r = d->backend->mount(e->fs, m.id, SK_TAKE_FD(fd), m.parent, m.path);
	if (r < 0)
		sk_log(SK_LOG_WARN, "%s: cannot show what is mounted on %s: %s", e->name, m.path, strerror(-r));
	return r == 0;
}

static void on_propagate(void *arg, int fd, unsigned events)
{
	const struct sk_9p_event lost = { .kind = P9_EVENT_LOST };
	bool started, changed = false;
	struct ninepd *d = arg;
	unsigned i;
	int r;

	(void)fd;
	(void)events;
	while ((r = take_message(d, &started)) >= 0)
		changed |= r > 0;
	if (r != -EAGAIN) {
		sk_log(SK_LOG_WARN, "the host's mounts are not watched any more");
		sk_loop_remove(d->propagate);
		d->propagate = NULL;
	}
	for (i = 0; changed && i < d->n_exports; i++) {
		struct sk_9p_session *s = ninepd_session(d, i);

		if (!s || (i && s == ninepd_session(d, i - 1)))
			continue;
		/* Clients may have cached names and attributes of files that the mount now hides. */
		sk_9p_session_event(s, &lost);
		sk_9p_session_events_done(s);
	}
}

int ninepd_propagating(struct ninepd *d, struct sk_error *err)
{
	struct pollfd p = { .fd = d->propagate_fd, .events = POLLIN };
	bool started = false;
	int r;

	if (d->propagate_fd < 0)
		return 0;
	/* Without a mount namespace of its own, the server sees the host's mounts as they are. */
	if (!d->isolated) {
		sk_close_fd(&d->propagate_fd);
		return 0;
	}
	while (!started) {
		r = poll(&p, 1, START_MS) > 0 ? take_message(d, &started) : -ETIMEDOUT;
		if (r < 0 && r != -EAGAIN)
			return sk_error_errno(err, -r, "cannot watch the host's mounts");
	}
	d->propagate = sk_loop_add_fd(d->loop, d->propagate_fd, SK_LOOP_READ, on_propagate, d);
	return d->propagate ? 0 : sk_error_errno(err, ENOMEM, "cannot watch the host's mounts");
}
