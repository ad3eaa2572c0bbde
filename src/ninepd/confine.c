/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the file server gives up, in stages. It parses a hostile guest's messages and holds the user's files: it keeps
 * those, and nothing else.
 *
 *   isolate    a mount namespace of its own (and network, IPC, UTS ones): its root is an empty read-only tmpfs with
 *              nothing but /proc/self/fd. Each export is a private copy of its mounts (open_tree) that is mounted
 *              nowhere, reached by descriptor only: there is nothing above its root. No symbolic link is followed on it
 *              (nosymfollow), no device opened (nodev); read-only where it was asked for. A plain user gets there
 *              through a user namespace in which he is himself: files of others then belong to "nobody". Where the host
 *              forbids that, Landlock takes its place.
 *   lock_down  limits of descriptors and memory; capabilities (root: those that act for other users; a plain user:
 *              none); Landlock: the exports and /proc/self/fd; seccomp: only the calls that serving takes.
 *
 * Only Landlock and the user namespace may be missing, and then it is logged; anything else that fails ends the
 * program.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/landlock.h>
#include <linux/mount.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/confine.h"
#include "base/log.h"
#include "export/syscall.h"
#include "export/watch.h"
#include "ninepd/ninepd.h"

/* <sys/mount.h> does not go together with <linux/mount.h>. */
extern int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data);
extern int umount2(const char *target, int flags);

#define MNT_DETACH 2
/* Memory held for clients: a fid takes a third of a KiB with all that belongs to it. Beyond it requests get ENOMEM. */
#define DATA_MAX (512u << 20)
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define SANITIZED 0
#endif
#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif

/* --- namespaces */

static int write_file(const char *path, const char *text)
{
	_cleanup_fd_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

int ninepd_enter_user_namespace(void)
{
	unsigned uid = geteuid(), gid = getegid();
	char map[64];
	int r;

	if (unshare(CLONE_NEWUSER) < 0)
		return -errno;
	r = write_file("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "%u %u 1", uid, uid);
	if (r == 0)
		r = write_file("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "%u %u 1", gid, gid);
	return r == 0 ? write_file("/proc/self/gid_map", map) : r;
}

/* The same object, opened in this mount namespace: a copy of mounts can be made of those in it only. */
static int reopen_here(int fd)
{
	char link[32], path[4096];
	struct stat a, b;
	ssize_t n;
	int here;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0 || fstat(fd, &a) < 0)
		return -errno;
	path[n] = 0;
	here = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (here < 0)
		return -errno;
	if (fstat(here, &b) < 0 || a.st_dev != b.st_dev || a.st_ino != b.st_ino) {
		close(here);
		return -ESTALE;
	}
	return here;
}

int ninepd_copy_mounts(int fd, bool readonly, bool recursive)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC |
					       MOUNT_ATTR_NOSYMFOLLOW,
				   .propagation = MS_PRIVATE };
	const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH;
	int tree = (int)syscall(SYS_open_tree, fd, "", flags | (recursive ? AT_RECURSIVE : 0));

	/* In a user namespace the mounts on it cannot be removed. */
	if (tree < 0 && errno == EINVAL && !recursive)
		tree = (int)syscall(SYS_open_tree, fd, "", flags | AT_RECURSIVE);
	if (tree < 0)
		return -errno;
	if (readonly)
		attr.attr_set |= MOUNT_ATTR_RDONLY;
	if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0) {
		int r = -errno;

		close(tree);
		return r;
	}
	return tree;
}

/* Replaces the export's descriptor by one of a private copy of its mounts, which lives as long as the descriptor. With
 * the option "slave" it is a copy of the topmost one: propagate.c has the others. */
static int set_apart(struct ninepd_export *e)
{
	_cleanup_fd_ int here = reopen_here(e->fd);
	int tree = here < 0 ? here : ninepd_copy_mounts(here, e->readonly, !e->slave && !e->nonrecursive);

	if (tree < 0)
		return tree;
	close(e->fd);
	e->fd = tree;
	return 0;
}

/* An empty root, with /proc/self/fd in it. */
static int empty_root(void)
{
	static const char *const directories[] = { "proc", "proc/self", "proc/self/fd" };
	size_t i;

	if (mount("none", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=64k,nr_inodes=16,mode=0755") < 0)
		return -errno;
	if (chdir("/tmp") < 0)
		return -errno;
	for (i = 0; i < SK_ARRAY_SIZE(directories); i++)
		if (mkdir(directories[i], 0755) < 0)
			return -errno;
	if (mount("/proc/self/fd", "proc/self/fd", NULL, MS_BIND, NULL) < 0)
		return -errno;
	if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return -errno;
	return mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0
		       ? -errno
		       : 0;
}

/* A guest must not remove what the host mounts in a share, now or later: see export/mounts.c. */
static int note_mounts(struct ninepd *d)
{
	unsigned i;
	int r = sk_mounts_new(NULL, &d->mounts);

	for (i = 0; r == 0 && i < d->n_exports; i++) {
		struct ninepd_export *e = &d->exports[i];

		if (!e->is_dir)
			continue;
		r = sk_mounts_add(d->mounts, e->fd, &e->mounts);
		if (r == -ENOENT)
			sk_log(SK_LOG_WARN, "%s: the host's mounts below it are not known, and not protected", e->name);
		r = r == -ENOENT ? 0 : r;
	}
	return r;
}

int ninepd_isolate(struct ninepd *d, struct sk_error *err)
{
	unsigned i;
	int r;

	if (d->no_sandbox)
		return 0;
	r = note_mounts(d);
	if (r < 0)
		return sk_error_errno(err, -r, "cannot read the host's mounts");
	if (geteuid() != 0) {
		r = ninepd_enter_user_namespace();
		if (r < 0) {
			sk_log(SK_LOG_WARN, "no namespace of its own for the file server: %s", strerror(-r));
			return 0;
		}
	}
	if (unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET) < 0)
		return sk_error_errno(err, errno, "cannot have namespaces");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return sk_error_errno(err, errno, "cannot make mounts private");
	for (i = 0; i < d->n_exports; i++) {
		struct ninepd_export *e = &d->exports[i];

		r = set_apart(e);
		if (r < 0)
			return sk_error_errno(err, -r, "cannot set %s apart", e->name);
		if (e->mounts)
			sk_mounts_copied(e->mounts, e->fd);
		e->config.mounts = e->mounts;
	}
	r = empty_root();
	d->isolated = r == 0;
	return r < 0 ? sk_error_errno(err, -r, "cannot leave the host's file system") : 0;
}

/* --- what is left */

static int drop_capabilities(const struct ninepd *d)
{
	/* CAP_SYS_ADMIN is for the attributes trusted.* and security.*; the filter of system calls denies everything
	 * else that it permits. CAP_MKNOD comes last. */
	static const int keep[] = { CAP_CHOWN,		 CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH,
				    CAP_FOWNER,		 CAP_FSETID,	   CAP_SETUID,
				    CAP_SETGID,		 CAP_SETFCAP,	   CAP_SYS_ADMIN,
				    CAP_LINUX_IMMUTABLE, CAP_MKNOD };
	bool act = false, root = geteuid() == 0, dev = false;
	unsigned i;

	for (i = 0; i < d->n_exports; i++) {
		act |= root && d->exports[i].config.who != SK_EXPORT_SELF;
		dev |= !d->exports[i].config.nodev && !d->exports[i].readonly;
	}
	return sk_caps_keep(keep, act ? SK_ARRAY_SIZE(keep) - (dev ? 0 : 1) : 0);
}

static int allow_export(const struct ninepd *d, const struct ninepd_export *e, const struct sk_landlock *files)
{
	uint64_t access = e->readonly ? LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR : files->all;
	int r = 0;

	access &= ~LANDLOCK_ACCESS_FS_EXECUTE;
	if (!e->is_dir)
		access &= LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE;
	/* Files that the follower sends lie in that directory. The server has no way to any other there. */
	if (!e->is_dir && e->directory >= 0 && d->isolated)
		r = sk_landlock_allow(files, e->directory, access);
	return r == 0 ? sk_landlock_allow(files, e->fd, access) : r;
}

static int restrict_files(const struct ninepd *d)
{
	struct sk_landlock files;
	unsigned i;
	int r = sk_landlock_new(SK_LANDLOCK_FILES, &files);

	for (i = 0; r == 0 && i < d->n_exports; i++)
		r = allow_export(d, &d->exports[i], &files);
	if (r == 0)
		r = sk_landlock_enter(&files);
	sk_landlock_fini(&files);
	return r;
}

static const int allowed[] = {
	/* files by descriptor and below one */
	SCMP_SYS(openat),
	SCMP_SYS(openat2),
	SCMP_SYS(open),
	SCMP_SYS(close),
	SCMP_SYS(statx),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(fstatfs),
	SCMP_SYS(statfs),
	SCMP_SYS(preadv),
	SCMP_SYS(pwritev),
	SCMP_SYS(pwritev2),
	SCMP_SYS(pread64),
	SCMP_SYS(pwrite64),
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(readv),
	SCMP_SYS(writev),
	SCMP_SYS(lseek),
	SCMP_SYS(fallocate),
	SCMP_SYS(copy_file_range),
	SCMP_SYS(getdents64),
	SCMP_SYS(ftruncate),
	SCMP_SYS(truncate),
	SCMP_SYS(chmod),
	SCMP_SYS(fchmod),
	SCMP_SYS(fchmodat),
	SCMP_SYS(fchownat),
	SCMP_SYS(utimensat),
	SCMP_SYS(mkdirat),
	SCMP_SYS(mkdir),
	SCMP_SYS(mknodat),
	SCMP_SYS(symlinkat),
	SCMP_SYS(linkat),
	SCMP_SYS(unlinkat),
	SCMP_SYS(renameat),
	SCMP_SYS(renameat2),
	SCMP_SYS(readlinkat),
	SCMP_SYS(readlink),
	SCMP_SYS(getxattr),
	SCMP_SYS(setxattr),
	SCMP_SYS(listxattr),
	SCMP_SYS(llistxattr),
	SYS_listxattrat,
	SCMP_SYS(removexattr),
	SCMP_SYS(fsync),
	SCMP_SYS(fdatasync),
	SCMP_SYS(fcntl),
	SCMP_SYS(flock),
	SCMP_SYS(access),
	SCMP_SYS(faccessat),
	SCMP_SYS(fanotify_mark),
	SCMP_SYS(name_to_handle_at),
	/* for whom */
	SCMP_SYS(setfsuid),
	SCMP_SYS(setfsgid),
	SCMP_SYS(setgroups),
	SCMP_SYS(setresuid),
	SCMP_SYS(setresgid),
	SCMP_SYS(capget),
	SCMP_SYS(capset),
	SCMP_SYS(geteuid),
	SCMP_SYS(getegid),
	SCMP_SYS(getuid),
	SCMP_SYS(getgid),
	/* sockets that exist already, and the loop */
	SCMP_SYS(accept4),
	SCMP_SYS(getpeername),
	SCMP_SYS(recvmsg),
	SCMP_SYS(recvfrom),
	SCMP_SYS(sendmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(shutdown),
	SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt),
	SCMP_SYS(getsockname),
	SCMP_SYS(socketpair),
	SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(eventfd2),
	SCMP_SYS(io_setup), /* virtio/notify.c */
	SCMP_SYS(io_submit),
	SCMP_SYS(io_getevents),
	SCMP_SYS(memfd_create),
	SCMP_SYS(timerfd_create),
	SCMP_SYS(timerfd_settime),
	SCMP_SYS(timerfd_gettime),
	SCMP_SYS(dup),
	/* the process itself */
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(brk),
	SCMP_SYS(futex),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(getrandom),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(tgkill),
	SCMP_SYS(rseq),
	SCMP_SYS(sched_yield),
	SCMP_SYS(umask),
	SCMP_SYS(sysinfo),
};

static const uint32_t ioctls[] = { FS_IOC_GETFLAGS, FS_IOC_SETFLAGS, FS_IOC_FSGETXATTR, FS_IOC_FSSETXATTR,
				   FICLONERANGE,    FIONBIO,	     FIONREAD,		TCGETS };

static int load_filter(const struct ninepd *d)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	static const int sockets[] = { SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(listen) };
	static const int mapping[] = { SCMP_SYS(mmap), SCMP_SYS(mprotect) };
	size_t i;
	int r;

	if (!ctx)
		return -ENOMEM;
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	r = sk_filter_allow(ctx, allowed, SK_ARRAY_SIZE(allowed));
	/* None of the ioctls that freeze, resize, search or take apart file systems. */
	for (i = 0; r == 0 && i < SK_ARRAY_SIZE(ioctls); i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1_32(SCMP_CMP_EQ, ioctls[i], 0));
	/* A group of notices for one more file system (src/export/watch.c). */
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(fanotify_init), 1,
				     SCMP_A0_32(SCMP_CMP_EQ, SK_WATCH_INIT_FLAGS, 0));
	/* Unix sockets that lie in a share: with a network namespace of its own there are no others to reach. */
	if (r == 0 && d->isolated)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0_32(SCMP_CMP_EQ, AF_UNIX, 0));
	for (i = 0; r == 0 && d->isolated && i < SK_ARRAY_SIZE(sockets); i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, sockets[i], 0);
	/* No new code. */
	for (i = 0; r == 0 && i < SK_ARRAY_SIZE(mapping); i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, mapping[i], 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, 4 /* PROT_EXEC */, 0));
	if (r == 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	return r;
}

int ninepd_lock_down(struct ninepd *d, struct sk_error *err)
{
	struct rlimit core = { 0, 0 }, data = { DATA_MAX, DATA_MAX };
	unsigned i;
	int r;

	setrlimit(RLIMIT_CORE, &core);
	if (d->no_sandbox)
		return 0;
	/* The guest's memory does not count: it is shared. */
	if (!SANITIZED && setrlimit(RLIMIT_DATA, &data) < 0)
		return sk_error_errno(err, errno, "cannot limit the memory of the file server");
	r = sk_no_new_privileges();
	if (r < 0)
		return sk_error_errno(err, -r, "cannot give up new privileges");
	r = drop_capabilities(d);
	if (r < 0)
		return sk_error_errno(err, -r, "cannot give up capabilities");
	/* Landlock would deny access to later mounts. */
	r = d->propagate_fd >= 0 ? 0 : restrict_files(d);
	for (i = 0; i < d->n_exports; i++)
		sk_close_fd(&d->exports[i].directory);
	if (r < 0)
		sk_log(SK_LOG_INFO, "no Landlock on this host: %s", strerror(-r));
	r = load_filter(d);
	return r < 0 ? sk_error_errno(err, -r, "cannot load the system call filter") : 0;
}
