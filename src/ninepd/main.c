/* SPDX-License-Identifier: Apache-2.0 */
/*
 * skerry-9pd: the file server. One per VM, serving all its shares (each a virtio-9p device on a vhost-user or vfio-user
 * socket of its own), or on its own, serving 9P clients on unix and TCP sockets. One thread, one loop: a request is
 * answered where it is read.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "export/override.h"
#include "export/probe.h"
#include "export/sidecar.h"
#include "export/watch.h"
#include "ninepd/ninepd.h"
#include "virtio/ninep_dev.h"

/* Not in a handler: one that comes between the loop's look at its flag and its sleep would be lost. */
static void on_signal(void *arg, int fd, unsigned events)
{
	struct ninepd *d = arg;
	struct signalfd_siginfo si;

	(void)events;
	while (read(fd, &si, sizeof(si)) == sizeof(si))
		sk_loop_quit(d->loop);
}

static int watch_signals(struct ninepd *d, struct sk_error *err)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	d->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	d->signals = d->signal_fd < 0 ? NULL : sk_loop_add_fd(d->loop, d->signal_fd, SK_LOOP_READ, on_signal, d);
	return d->signals ? 0 : sk_error_errno(err, errno, "cannot start");
}

/*
 * Has the kernel kill this process when the owner has closed the other end of the pipe, be it by its own end. The
 * parent-death signal does not do: the kernel forgets it with each change of the file system ids, which are those of
 * whoever creates a file. Nor does the loop, which a call to a slow file system may hold up.
 */
static int die_with_owner(const struct ninepd *d, struct sk_error *err)
{
	struct pollfd p = { .fd = d->owner_fd };

	if (!d->owner_fd)
		return 0;
	if (fcntl(d->owner_fd, F_SETSIG, SIGKILL) < 0 || fcntl(d->owner_fd, F_SETOWN, getpid()) < 0 ||
	    fcntl(d->owner_fd, F_SETFL, O_ASYNC | O_NONBLOCK) < 0)
		return sk_error_errno(err, errno, "cannot watch the owner's pipe");
	/* It may have gone before that. */
	return poll(&p, 1, 0) != 0 ? sk_error_set(err, ESRCH, "the owner has gone") : 0;
}

static int raise_limits(struct ninepd *d)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return -errno;
	/* Each descriptor keeps an inode in the host's memory: what a hard limit would allow is too many. */
	if (l.rlim_max > (d->max_fds ? d->max_fds : NINEPD_FDS))
		l.rlim_max = d->max_fds ? d->max_fds : NINEPD_FDS;
	l.rlim_cur = l.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &l) < 0 ? -errno : 0;
}

/* Makes the pool, and reads the host's users, which the confined process could not read any more. */
static int set_up_pool(struct ninepd *d, struct sk_error *err)
{
	unsigned i;
	int r = d->backend->pool_new(0, &d->pool, err);

	for (i = 0; r == 0 && i < d->n_exports; i++) {
		if (d->exports[i].config.who != SK_EXPORT_CHECK)
			continue;
		r = d->backend->pool_load_users(d->pool);
		return r < 0 ? sk_error_errno(err, -r, "cannot read the host's users") : 0;
	}
	return r;
}

/* One path leads to the other or below it. */
static bool overlap(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b), min = n < m ? n : m;

	if (strncmp(a, b, min) != 0)
		return false;
	return n == m || min == 1 || (n < m ? b : a)[min] == '/';
}

/* Must be called before the process leaves the host's mount namespace, where the paths are valid. */
static void note_paths(struct ninepd *d)
{
	unsigned i;

	for (i = 0; i < d->n_exports; i++) {
		char name[32], path[4096];
		ssize_t n;

		snprintf(name, sizeof(name), "/proc/self/fd/%d", d->exports[i].fd);
		n = readlink(name, path, sizeof(path) - 1);
		path[n > 0 ? n : 0] = 0;
		d->exports[i].host_path = n > 0 ? strdup(path) : NULL;
	}
}

/* One client has all exports, as one file system. */
static bool has_one_client(const struct ninepd *d)
{
	return d->all_fd >= 0 || (d->n_connected == 1 && d->n_listeners == 0);
}

static bool shows_same_mounts(const struct ninepd_export *a, const struct ninepd_export *b)
{
	return a->slave == b->slave && a->nonrecursive == b->nonrecursive;
}

/*
 * Which exports are parts of each other: what is done through one of them changes the other, and is done by this
 * process, so that the watcher takes it for an echo. Not where one client has both: it keeps one inode for a file, by
 * whichever way it came to it.
 */
static void find_overlaps(struct ninepd *d)
{
	unsigned i, k;

	for (i = 0; i < d->n_exports; i++) {
		for (k = 0; k < i && d->all_fd < 0; k++) {
			const char *a = d->exports[i].host_path, *b = d->exports[k].host_path;

			/* A location that is not known may overlap. */
			if (!a || !b || overlap(a, b))
				d->exports[i].overlaps = d->exports[k].overlaps = true;
		}
	}
}

/* Exports of one directory in which not the same is mounted: a client would take the two for one. */
static void find_differences(struct ninepd *d)
{
	unsigned i, k;

	for (i = 0; i < d->n_exports; i++) {
		struct ninepd_export *e = &d->exports[i];

		for (k = 0; k < d->n_exports && (e->slave || e->nonrecursive); k++)
			if (!shows_same_mounts(e, &d->exports[k]) && e->host_path && d->exports[k].host_path &&
			    overlap(e->host_path, d->exports[k].host_path))
				e->config.own_mount = true;
	}
}

/*
 * Whether export i may be served as a part of export k. A read-only part of a writable export is kept read-only by the
 * guest's mount of it: the guest reaches the same files through the other export, too.
 */
static bool may_be_part(const struct ninepd *d, unsigned i, unsigned k)
{
	const struct ninepd_export *part = &d->exports[i], *whole = &d->exports[k];
	const char *a = part->host_path, *b = whole->host_path;

	if (i == k || !part->is_dir || !whole->is_dir || !whole->fs || !a || !b || !overlap(a, b) ||
	    strlen(a) < strlen(b) || (whole->readonly && !part->readonly))
		return false;
	return part->config.who == whole->config.who && part->config.keep == whole->config.keep &&
	       part->config.any_case == whole->config.any_case &&
	       part->config.leaves_names == whole->config.leaves_names &&
	       part->config.holds_open == whole->config.holds_open && part->config.append == whole->config.append &&
	       part->config.nodev == whole->config.nodev && shows_same_mounts(part, whole) &&
	       part->config.nosuid == whole->config.nosuid && part->config.squash_uid == whole->config.squash_uid &&
	       part->config.squash_gid == whole->config.squash_gid;
}

static bool same_directory(const struct ninepd *d, const struct sk_9p_node *a, const struct sk_9p_node *b)
{
	uint64_t dev[2], ino[2], mnt[2];

	d->backend->identity(a, &dev[0], &ino[0], &mnt[0]);
	d->backend->identity(b, &dev[1], &ino[1], &mnt[1]);
	return dev[0] == dev[1] && ino[0] == ino[1] && mnt[0] == mnt[1];
}

static bool join(struct ninepd *d, unsigned i, unsigned k)
{
	struct ninepd_export *part = &d->exports[i], *whole = &d->exports[k];
	struct sk_9p_node *node;

	if (d->backend->below(whole->fs, part->host_path + strlen(whole->host_path), &node) < 0)
		return false;
	if (!same_directory(d, node, d->backend->root(part->fs))) {
		d->backend->put(whole->fs, node);
		return false;
	}
	d->backend->close(part->fs);
	part->fs = NULL;
	whole->has_parts = true;
	d->served[i].fs = whole->fs;
	d->served[i].root = node;
	d->served[i].readonly = whole->readonly;
	return true;
}

/*
 * An export that is a part of another one of the same client becomes one: from the one to the other is within a mount
 * then, where a name can be moved, as it can on the host.
 */
static void join_exports(struct ninepd *d)
{
	unsigned i, k;

	for (i = 0; i < d->n_exports && has_one_client(d); i++) {
		unsigned whole = i;

		/* Find the outermost export that contains it. */
		for (k = 0; k < d->n_exports && !d->exports[i].has_parts; k++)
			if (may_be_part(d, i, k) &&
			    (whole == i || strlen(d->exports[k].host_path) < strlen(d->exports[whole].host_path)))
				whole = k;
		if (whole != i)
			(void)join(d, i, whole);
	}
}

/* What was not said on the command line follows from what the file system does. */
static void choose(struct ninepd_export *e)
{
	enum sk_export_who who;
	enum sk_export_keep keep;
	struct sk_probe probe;

	if ((e->who_given && (e->keep_given || e->config.who != SK_EXPORT_MAPPED)) ||
	    sk_probe_run(e->fd, e->readonly ? SK_PROBE_LOOK : SK_PROBE_OWNER, &probe) < 0)
		return;
	sk_probe_choose(&probe, &who, &keep);
	e->config.leaves_names = probe.unlink_open == SK_PROBE_NO;
	e->config.holds_open = probe.remove_open == SK_PROBE_NO || probe.rename_over == SK_PROBE_NO;
	e->config.any_case = probe.case_matters == SK_PROBE_NO;
	if (!e->who_given)
		e->config.who = e->keep_given ? SK_EXPORT_MAPPED : who;
	if (!e->keep_given)
		e->config.keep = keep;
	if (probe.root && !e->who_given && who == SK_EXPORT_MAPPED)
		sk_log(SK_LOG_INFO, "%s: its file system does not keep owners and modes; they are kept in %s", e->name,
		       keep == SK_EXPORT_KEEP_EA	? "NTFS attributes"
		       : keep == SK_EXPORT_KEEP_SIDECAR ? SK_SIDECAR_NAME
							: SK_OVERRIDE_XATTR);
}

static int set_up_exports(struct ninepd *d, struct sk_error *err)
{
	unsigned i;
	int r = 0;

	for (i = 0; r == 0 && i < d->n_exports; i++) {
		struct ninepd_export *e = &d->exports[i];
		/* The filter's Landlock rules need the descriptor later: the back end gets a copy. */
		int fd = fcntl(e->fd, F_DUPFD_CLOEXEC, 3);

		if (fd < 0)
			return sk_error_errno(err, errno, "cannot share %s", e->name);
		choose(e);
		r = d->backend->open(d->pool, fd, e->is_dir ? NULL : e->file, &e->config, &e->fs, err);
		if (r < 0)
			return sk_error_wrap(err, "cannot share %s", e->name);
		d->served[i].fs = e->fs;
		d->served[i].name = e->name;
		d->served[i].readonly = e->readonly;
		d->served[i].long_leases = e->long_leases;
	}
	return r;
}

static void on_watch(void *arg, const struct sk_watch_event *event)
{
	struct ninepd *d = arg;
	const struct sk_9p_event lost = { .kind = P9_EVENT_LOST };
	unsigned i;

	if (event->kind != SK_WATCH_OVERFLOW && event->kind != SK_WATCH_DONE) {
		d->backend->on_watch(event);
		return;
	}
	for (i = 0; i < d->n_exports; i++) {
		struct sk_9p_session *s = ninepd_session(d, i);

		if (i && s == ninepd_session(d, i - 1))
			continue;
		if (s && event->kind == SK_WATCH_OVERFLOW)
			sk_9p_session_event(s, &lost);
		else if (s)
			sk_9p_session_events_done(s);
	}
}

static void on_event(void *arg, const struct sk_9p_event *event)
{
	sk_9p_session_event(arg, event);
}

static bool settled(void *arg)
{
	const struct ninepd *d = arg;

	return d->watch && sk_watch_settled(d->watch);
}

/* With leases a guest may cache until it is told of a change; without them, for a second. */
static void set_up_leases(struct ninepd *d)
{
	unsigned i;
	int r;

	for (i = 0; i < d->n_exports; i++) {
		struct ninepd_export *e = &d->exports[i];

		if (!e->fs || !ninepd_session(d, i) || e->overlaps)
			continue;
		r = d->watch ? 0 : sk_watch_new(d->loop, on_watch, d, &d->watch);
		if (r < 0) {
			sk_log(SK_LOG_INFO, "changes made on the host cannot be watched: %s", strerror(-r));
			return;
		}
		d->backend->lease(e->fs, d->watch, on_event, ninepd_session(d, i));
	}
}

static int set_up_devices(struct ninepd *d, struct sk_error *err)
{
	unsigned i;
	int r = 0;

	for (i = 0; r == 0 && i < d->n_exports; i++) {
		struct ninepd_export *e = &d->exports[i];

		if (e->vhost_fd >= 0)
			r = sk_ninep_dev_new(d->loop, SK_TAKE_FD(e->vhost_fd), e->name, d->server, &d->served[i], 1,
					     false, &e->device, err);
		if (r == 0 && e->vfio)
			sk_device_serve_vfio_user(e->device);
	}
	if (r == 0 && d->all_fd >= 0)
		r = sk_ninep_dev_new(d->loop, SK_TAKE_FD(d->all_fd), d->all_tag, d->server, d->served, d->n_exports,
				     true, &d->all, err);
	if (r == 0 && d->all && d->all_vfio)
		sk_device_serve_vfio_user(d->all);
	return r;
}

static void finish(struct ninepd *d)
{
	unsigned i;

	for (i = 0; i < d->n_exports; i++)
		if (d->exports[i].device)
			sk_device_free(d->exports[i].device);
	if (d->all)
		sk_device_free(d->all);
	ninepd_close_all(d);
	for (i = 0; i < d->n_exports; i++)
		if (d->served[i].root)
			d->backend->put(d->served[i].fs, d->served[i].root);
	for (i = 0; i < d->n_exports; i++) {
		d->backend->close(d->exports[i].fs);
		free(d->exports[i].host_path);
		sk_close_fd(&d->exports[i].fd);
		free(d->exports[i].path);
		free(d->exports[i].file);
	}
	for (i = 0; i < d->n_listeners; i++) {
		close(d->listeners[i].fd);
		free(d->listeners[i].path);
	}
	sk_loop_remove(d->signals);
	sk_close_fd(&d->signal_fd);
	sk_loop_remove(d->follow);
	sk_close_fd(&d->follow_fd);
	sk_loop_remove(d->propagate);
	sk_close_fd(&d->propagate_fd);
	sk_watch_free(d->watch);
	sk_mounts_free(d->mounts);
	sk_9p_server_free(d->server);
	d->backend->pool_free(d->pool);
	sk_loop_free(d->loop);
	free(d->secret);
}

/* --wait: until the other end is closed. */
static void wait_for_mounts(struct ninepd *d)
{
	char byte;

	while (d->wait_fd > 0 && (read(d->wait_fd, &byte, 1) > 0 || errno == EINTR))
		;
	if (d->wait_fd > 0)
		close(d->wait_fd);
}

static int start(struct ninepd *d, int argc, char **argv, struct sk_error *err)
{
	int r = ninepd_options(d, argc, argv, err);
	unsigned i;

	if (r == 0)
		r = die_with_owner(d, err);
	if (r < 0)
		return r;
	umask(0);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	raise_limits(d);
	wait_for_mounts(d);
	note_paths(d);
	find_overlaps(d);
	find_differences(d);
	r = ninepd_follow(d, err);
	if (r == 0)
		r = ninepd_propagate(d, err);
	if (r == 0)
		r = set_up_pool(d, err);
	if (r == 0)
		r = ninepd_isolate(d, err);
	if (r < 0)
		return r;
	r = sk_loop_new(&d->loop);
	if (r < 0)
		return sk_error_errno(err, -r, "cannot start");
	r = watch_signals(d, err);
	/* Devices belong to our guests. */
	for (i = 0; i < d->n_exports; i++)
		d->exports[i].config.client_clears = d->n_listeners == 0 && d->n_connected == 0;
	if (r == 0)
		r = set_up_exports(d, err);
	if (r == 0)
		join_exports(d);
	d->settled = settled;
	if (r == 0)
		r = ninepd_listen(d, err);
	if (r == 0)
		r = set_up_devices(d, err);
	if (r == 0 && ninepd_following(d) < 0)
		return sk_error_errno(err, ENOMEM, "cannot start");
	if (r == 0)
		r = ninepd_propagating(d, err);
	if (r == 0)
		set_up_leases(d);
	return r == 0 ? ninepd_lock_down(d, err) : r;
}

int main(int argc, char **argv)
{
	static struct ninepd d = { .all_fd = -1, .backend = &sk_export_posix };
	struct sk_error err = SK_ERROR_INIT;
	int r;

	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		ninepd_usage();
		return 0;
	}
	d.signal_fd = d.follow_fd = d.propagate_fd = -1;
	sk_log_init(STDERR_FILENO, SK_LOG_INFO);
	r = start(&d, argc, argv, &err);
	if (r == 0)
		r = sk_loop_run(d.loop);
	else
		fprintf(stderr, "skerry-9pd: %s\n", err.message);
	finish(&d);
	return r < 0 ? 1 : 0;
}
