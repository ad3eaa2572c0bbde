/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the container has mounted in the guest (tmpfs and the like) is not to be seen here: in its place is an empty
 * directory that cannot be written to. Its /proc has no processes,
 * like that which a program of the host sees in a container of runc: with the host's, /proc/1/root would lead out of
 * the container's root, and the container could put a link to it in the way of who copies a file in. Nothing of all
 * that is needed for the container to run: where it cannot be had, the process just waits.
 *
 * The container can change its root file system at any time: destinations of mounts are looked up as in a chroot.
 */
#include "vm/parent.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/confine.h"

/* <sys/mount.h> does not go together with <linux/mount.h>. */
extern int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data);
extern int umount2(const char *target, int flags);
#define MNT_DETACH 2

#define SK_PARENT_MOUNTS 64u

/* Something that is mounted below the root. */
struct parent_place {
	int tree;
	bool dir;
	bool closed; /* a file system of the guest's: empty here, and read-only in the end */
	const char *destination;
};

static int clone_tree(const char *path, bool readonly, bool *ret_dir)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	int fd = (int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	struct stat st;

	if (fd < 0)
		return -1;
	/* A mount that cannot be made read-only is left out. */
	if (fstat(fd, &st) < 0 ||
	    (readonly && syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0)) {
		close(fd);
		return -1;
	}
	*ret_dir = S_ISDIR(st.st_mode);
	return fd;
}

/* An empty directory in place of what only the guest has: whoever copies a file there gets EROFS, and does not write it
 * below the container's mount, where it would never be seen again. */
static int empty_tree(void)
{
	_cleanup_fd_ int fs = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);

	if (fs < 0 || syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "mode", "755", 0) < 0 ||
	    syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -1;
	return (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
}

static int look_up(int root, const char *path)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };

	return (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
}

/* Makes one part of a path in `dir`, for the same owner: a directory, or at the end of the path a file. */
static void make(int dir, const char *name, bool is_file)
{
	struct stat st;

	if (fstat(dir, &st) < 0 || (is_file ? mknodat(dir, name, S_IFREG | 0644, 0) : mkdirat(dir, name, 0755)) < 0)
		return;
	if (fchownat(dir, name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		(void)unlinkat(dir, name, is_file ? 0 : AT_REMOVEDIR);
}

/* Opens what is to be mounted on; what is not there is made, as the guest is about to do. */
static int look_up_or_make(int root, const char *path, bool is_dir)
{
	_cleanup_free_ char *copy = strdup(path);
	int dir = look_up(root, "/");
	char *at = copy;

	while (at && dir >= 0 && *(at += strspn(at, "/"))) {
		char *end = at + strcspn(at, "/"), was = *end;

		*end = '\0';
		make(dir, at, !is_dir && !was);
		close(dir);
		/* From the root each time: there may be symbolic links. */
		dir = look_up(root, copy);
		*end = was;
		at = end;
	}
	return dir;
}

static void attach(struct parent_place *p)
{
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), to;
	struct stat st;

	to = look_up_or_make(root, p->destination, p->dir);
	if (to < 0 || fstat(to, &st) < 0 || S_ISDIR(st.st_mode) != p->dir ||
	    syscall(SYS_move_mount, p->tree, "", to, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		p->closed = false;
	if (to >= 0)
		close(to);
	if (root >= 0)
		close(root);
}

static void close_for_good(const struct parent_place *p)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

	if (p->closed)
		syscall(SYS_mount_setattr, p->tree, "", AT_EMPTY_PATH, &attr, sizeof(attr));
}

static bool enter_root(const char *rootfs)
{
	if (mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL) < 0 || chdir(rootfs) < 0)
		return false;
	return syscall(SYS_pivot_root, ".", ".") == 0 && umount2(".", MNT_DETACH) == 0 && chdir("/") == 0;
}

/* Mounts the /proc of a namespace of processes that has none any more. */
static void mount_proc(void)
{
	pid_t child;
	int status;

	if (unshare(CLONE_NEWPID) < 0)
		return;
	child = fork();
	if (child == 0)
		_exit(mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0);
	if (child > 0)
		(void)waitpid(child, &status, 0);
}

static void add_place(struct parent_place *places, unsigned *n, struct parent_place p)
{
	if (p.tree >= 0 && *n < SK_PARENT_MOUNTS)
		places[(*n)++] = p;
	else if (p.tree >= 0)
		close(p.tree);
}

static int by_depth(const void *a, const void *b)
{
	size_t m = strlen(((const struct parent_place *)a)->destination),
	       n = strlen(((const struct parent_place *)b)->destination);

	return (m > n) - (m < n);
}

/* A file system that only the guest has. Its /sys is bound in user namespaces. */
static bool is_of_guest(const char *type, const char *source)
{
	if (strcmp(type, "bind") == 0)
		return source && strcmp(source, "/sys") == 0;
	return strcmp(type, "none") != 0 && strcmp(type, "proc") != 0;
}

/* What there is to mount, the outer ones first. */
static unsigned gather(struct parent_place *places, const json_t *mounts, const json_t *guest_mounts)
{
	unsigned n = 0;
	size_t k;

	for (k = 0; k < json_array_size(mounts); k++) {
		const json_t *m = json_array_get(mounts, k);
		const char *path = json_string_value(json_object_get(m, "path")),
			   *type = json_string_value(json_object_get(m, "type"));
		struct parent_place p = { .tree = -1,
					  .destination = json_string_value(json_object_get(m, "destination")) };

		if (path && p.destination) {
			p.tree = clone_tree(path, json_is_true(json_object_get(m, "readonly")), &p.dir);
		} else if (type && p.destination && strcmp(type, "shm") == 0) {
			p.dir = p.closed = true;
			p.tree = empty_tree();
		}
		add_place(places, &n, p);
	}
	for (k = 0; k < json_array_size(guest_mounts); k++) {
		const json_t *m = json_array_get(guest_mounts, k);
		const char *type = json_string_value(json_object_get(m, "type"));
		struct parent_place p = { .dir = true,
					  .closed = true,
					  .destination = json_string_value(json_object_get(m, "destination")) };

		if (!type || !p.destination || !is_of_guest(type, json_string_value(json_object_get(m, "source"))))
			continue;
		p.tree = empty_tree();
		add_place(places, &n, p);
	}
	qsort(places, n, sizeof(*places), by_depth);
	return n;
}

static void take_root(const char *rootfs, const json_t *mounts, const json_t *guest_mounts)
{
	struct parent_place places[SK_PARENT_MOUNTS];
	unsigned n, i;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return;
	n = gather(places, mounts, guest_mounts);
	if (enter_root(rootfs)) {
		for (i = 0; i < n; i++)
			attach(&places[i]);
		for (i = 0; i < n; i++)
			close_for_good(&places[i]);
		mount_proc();
	}
}

pid_t sk_parent_pid(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/status", "re");
	char line[128];
	int pid;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "PPid: %d", &pid) == 1)
			return pid;
	return getppid();
}

/* Waits for the child, reaps orphans as the first process of its pid namespace, and forwards SIGTERM and SIGINT.
 * Ends with the child's exit code. */
static void stand(pid_t child, const sigset_t *all)
{
	int sig, status;
	pid_t pid;

	sk_no_new_privileges();
	sk_caps_keep(NULL, 0);
	while (sigwait(all, &sig) == 0) {
		if (sig == SIGTERM || sig == SIGINT)
			kill(child, sig);
		while (sig == SIGCHLD && (pid = waitpid(-1, &status, WNOHANG)) > 0)
			if (pid == child)
				_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	}
	_exit(255);
}

void sk_parent_fork(const char *rootfs, const json_t *mounts, const json_t *guest_mounts)
{
	pid_t parent = getpid(), child;
	sigset_t all, old;
	int null;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	child = fork();
	if (child < 0)
		_exit(125);
	if (child == 0) {
		sigprocmask(SIG_SETMASK, &old, NULL);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(137);
		return;
	}
	/* The container's stdio is the child's: an end of file must reach its readers. */
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		dup2(null, 0);
		dup2(null, 1);
		dup2(null, 2);
	}
	syscall(SYS_close_range, 3u, ~0u, 0u);
	take_root(rootfs, mounts, guest_mounts);
	syscall(SYS_close_range, 3u, ~0u, 0u);
	stand(child, &all);
}
