/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directories of the host that were not there when the machine started: the allow-list of the configuration names them,
 * and the host is asked for one when somebody looks for it.
 *
 * Theory of operation. The directory above each of them is an autofs mount (indirect, protocol 5), which has no entry
 * until its name is looked up, by whatever system call. The kernel then writes a packet to our pipe, and the process that
 * looks waits. We ask the host (machine_host.h). Where it has the directory, the connection is one to a file server from
 * then on, we mount that and say READY: the process goes on in it. Where it has not, or the name is none of ours, we say
 * FAIL: ENOENT. Nobody can make anything in an autofs but us, so that `docker run -v` of such a path is an error, too.
 *
 * What is mounted in the directory above already moves into the autofs. A directory above that is a share itself shows
 * what comes by itself; one with other files is left alone, as they could not be in an autofs.
 *
 * A process of its own with a process group of its own does all that: autofs never asks for the lookups of that group.
 * One request after the other; the host has six seconds for each. A file server that ends takes its mount along, and the
 * next lookup asks again.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/auto_fs.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/id.h"
#include "machine.h"
#include "machine_host.h"
#include "rootfs.h"

#define READY_MS 20000
#define ENTRIES_MAX 256u

/* A directory with an autofs. */
struct above {
	char *path;
	int dir, pipe;
};

/* A directory of the host that is mounted: its connection. */
struct mounted {
	const char *path;
	int conn;
};

struct later {
	const struct sk_machine_later *wanted;
	struct above above[SK_MACHINE_LATER_MAX];
	struct mounted mounted[SK_MACHINE_LATER_MAX]; /* in the order of `wanted`; conn -1: not mounted */
	unsigned n_above;
};

/* An entry of a directory that gets an autofs, until it is there again. */
struct entry {
	char name[NAME_MAX + 1];
	int tree;
};

static void report(const char *path, int error)
{
	fprintf(stderr, "skerry-machine: cannot offer %s: %s\n", path, strerror(error < 0 ? -error : error));
}

/* --- autofs ------------------------------------------------------------------------------------------------------- */

/* Whether the directory, or what there is above it, is a share of the host's. */
static bool is_shared(const char *path)
{
	_cleanup_free_ char *p = strdup(path);
	struct statfs st;
	char *slash;

	while (p && statfs(*p ? p : "/", &st) < 0) {
		slash = strrchr(p, '/');
		if (!slash)
			return false;
		*slash = '\0';
	}
	return p && st.f_type == V9FS_MAGIC;
}

/* Takes hold of what is in the directory. -ENOTEMPTY: something that no autofs can have. */
static int take_entries(const char *path, struct entry *entries, unsigned *ret_n)
{
	_cleanup_closedir_ DIR *dir = opendir(path);
	struct dirent *de;
	struct stat st;

	if (!dir)
		return -errno;
	while ((de = readdir(dir))) {
		struct entry *e = &entries[*ret_n];

		if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0)
			continue;
		if (*ret_n == ENTRIES_MAX || fstatat(dirfd(dir), de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISDIR(st.st_mode))
			return -ENOTEMPTY;
		snprintf(e->name, sizeof(e->name), "%s", de->d_name);
		e->tree = (int)syscall(SYS_open_tree, dirfd(dir), de->d_name,
				       OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
		if (e->tree < 0)
			return -errno;
		++*ret_n;
	}
	return 0;
}

static int give_entries(int dir, const struct entry *entries, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		if (mkdirat(dir, entries[i].name, 0755) < 0 ||
		    syscall(SYS_move_mount, entries[i].tree, "", dir, entries[i].name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
			return -errno;
	return 0;
}

static int mount_autofs(struct above *a)
{
	char options[96];
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	a->pipe = fds[0];
	snprintf(options, sizeof(options), "fd=%d,pgrp=%d,minproto=5,maxproto=5,indirect", fds[1], (int)getpgrp());
	if (mount("skerry-later", a->path, "autofs", 0, options) < 0) {
		close(fds[1]);
		return -errno;
	}
	close(fds[1]); /* the kernel has its own */
	a->dir = open(a->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return a->dir < 0 ? -errno : 0;
}

static int offer_in(struct above *a)
{
	struct entry *entries = calloc(ENTRIES_MAX, sizeof(*entries));
	unsigned i, n = 0;
	int r = entries ? sk_fs_mkdir_p(a->path, 0755) : -ENOMEM;

	if (r == 0 || r == -EEXIST)
		r = take_entries(a->path, entries, &n);
	if (r == 0)
		r = mount_autofs(a);
	if (r == 0)
		r = give_entries(a->dir, entries, n);
	for (i = 0; i < n; i++)
		close(entries[i].tree);
	free(entries);
	return r;
}

static void offer(struct later *l, const char *path)
{
	struct above *a = &l->above[l->n_above];
	unsigned i;
	int r;

	*a = (struct above){ .path = strndup(path, (size_t)(strrchr(path, '/') - path)), .dir = -1, .pipe = -1 };
	if (!a->path || !*a->path || is_shared(a->path)) {
		free(a->path);
		return;
	}
	for (i = 0; i < l->n_above; i++)
		if (strcmp(l->above[i].path, a->path) == 0) {
			free(a->path);
			return;
		}
	r = offer_in(a);
	if (r == 0) {
		l->n_above++;
		return;
	}
	report(path, r);
	sk_close_fd(&a->dir);
	sk_close_fd(&a->pipe);
	free(a->path);
}

/* --- requests ----------------------------------------------------------------------------------------------------- */

/* A connection to the file server of the host's directory. */
static int ask_host(const char *path)
{
	const struct sk_msg msg = { .op = SK_SERVICE_SHARE, .place = { .path = path } };
	struct sk_error err = SK_ERROR_INIT;
	_cleanup_fd_ int fd = sk_machine_host_connect(&err);
	struct sk_reply reply;
	int r = fd < 0 ? fd : sk_machine_host_ask(fd, &msg, &reply, &err);

	if (r < 0)
		return r;
	r = reply.ok ? 0 : -reply.error;
	sk_reply_fini(&reply);
	return r < 0 ? r : SK_TAKE_FD(fd);
}

static int mount_later(struct mounted *m)
{
	char share[33];
	int fd = ask_host(m->path), r;

	if (fd < 0)
		return fd;
	sk_random_hex(share, 16);
	r = mkdir(m->path, 0755) < 0 && errno != EEXIST ? -errno : 0;
	if (r == 0)
		r = sk_rootfs_mount_stream(share, m->path, fd, "");
	if (r < 0) {
		rmdir(m->path);
		close(fd);
		return r;
	}
	m->conn = fd;
	return 0;
}

static void unmount_later(struct mounted *m)
{
	sk_close_fd(&m->conn);
	umount2(m->path, MNT_DETACH);
	rmdir(m->path);
}

static int look_for(struct later *l, const struct above *a, const char *name)
{
	size_t len = strlen(a->path);
	unsigned i;
	int r;

	for (i = 0; i < l->wanted->n; i++) {
		struct mounted *m = &l->mounted[i];

		if (strncmp(m->path, a->path, len) != 0 || m->path[len] != '/' || strcmp(m->path + len + 1, name) != 0)
			continue;
		if (m->conn >= 0)
			return 0;
		r = mount_later(m);
		if (r < 0 && r != -ENOENT)
			report(m->path, r);
		return r;
	}
	return -ENOENT;
}

static void on_packet(struct later *l, struct above *a)
{
	union autofs_v5_packet_union packet;
	ssize_t n = read(a->pipe, &packet, sizeof(packet));
	int r;

	/* Written at once, and smaller than what a pipe passes in one piece. */
	if (n < (ssize_t)sizeof(struct autofs_v5_packet) || packet.hdr.type != autofs_ptype_missing_indirect) {
		if (n <= 0)
			sk_close_fd(&a->pipe);
		return;
	}
	packet.v5_packet.name[NAME_MAX] = '\0';
	r = look_for(l, a, packet.v5_packet.name);
	if (ioctl(a->dir, r < 0 ? AUTOFS_IOC_FAIL : AUTOFS_IOC_READY,
		  (unsigned long)packet.v5_packet.wait_queue_token) < 0)
		report(a->path, errno);
}

static void serve(struct later *l)
{
	struct pollfd fds[2 * SK_MACHINE_LATER_MAX];
	unsigned i, n = l->n_above + l->wanted->n;

	for (;;) {
		for (i = 0; i < n; i++)
			fds[i] = i < l->n_above ? (struct pollfd){ .fd = l->above[i].pipe, .events = POLLIN }
						: (struct pollfd){ .fd = l->mounted[i - l->n_above].conn,
								   .events = POLLRDHUP };
		if (poll(fds, n, -1) < 0 && errno != EINTR)
			return;
		for (i = 0; i < n; i++) {
			if (!fds[i].revents)
				continue;
			if (i < l->n_above)
				on_packet(l, &l->above[i]);
			else
				unmount_later(&l->mounted[i - l->n_above]);
		}
	}
}

/* --- start -------------------------------------------------------------------------------------------------------- */

static void run(const struct sk_machine_later *wanted, int ready)
{
	static struct later l;
	sigset_t none;
	unsigned i;

	setsid();
	prctl(PR_SET_NAME, "skerry-later");
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_IGN);
	l.wanted = wanted;
	for (i = 0; i < wanted->n; i++)
		l.mounted[i] = (struct mounted){ .path = wanted->paths[i], .conn = -1 };
	for (i = 0; i < wanted->n; i++)
		offer(&l, wanted->paths[i]);
	if (write(ready, l.n_above ? "1" : "0", 1) == 1 && l.n_above) {
		close(ready);
		serve(&l);
	}
}

pid_t sk_machine_later_start(const struct sk_machine_later *later)
{
	struct pollfd p = { .events = POLLIN };
	int ready[2];
	char up = '0';
	pid_t pid;

	if (!later->n || pipe2(ready, O_CLOEXEC) < 0)
		return 0;
	pid = fork();
	if (pid == 0) {
		close(ready[0]);
		run(later, ready[1]);
		_exit(0);
	}
	close(ready[1]);
	p.fd = ready[0];
	if (pid > 0 && poll(&p, 1, READY_MS) == 1 && read(ready[0], &up, 1) != 1)
		up = '0';
	close(ready[0]);
	return pid > 0 && up == '1' ? pid : 0;
}
