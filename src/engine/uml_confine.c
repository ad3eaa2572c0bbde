/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Confinement of the User-mode Linux process, in named stages, applied in the child between clone and exec.
 * Async-signal-safe calls only.
 *
 *   placement   pinned to its CPU
 *   identity    user namespace with our own user (plain user), or a user of the VM's own (root)
 *   root        a private tmpfs with: linux, initramfs, vu/ (device sockets), dev/null, tmp/ (guest memory); nothing
 * else of the host limits      no core files, bounded descriptors, no new privileges filter      the system calls that
 * UML makes; others fail with EPERM. The stubs install UML's own filter on top, whose "trap" ranks above our "errno"
 * and below "kill": guest system calls are still trapped.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "engine/engine_internal.h"

unsigned sk_uml_confine_flags(const struct sk_uml_confine *f)
{
	unsigned flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;

	if (!f->namespaces)
		return 0;
	return f->uid_map[0] ? flags | CLONE_NEWUSER : flags;
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), r = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		r = -errno;
	close(fd);
	return r;
}

static int map_identity(const struct sk_uml_confine *f)
{
	int r;

	if (!f->uid_map[0])
		return 0;
	r = write_file("/proc/self/setgroups", "deny");
	if (r == 0)
		r = write_file("/proc/self/uid_map", f->uid_map);
	if (r == 0)
		r = write_file("/proc/self/gid_map", f->gid_map);
	return r;
}

/* Binds host file or folder `from` at `to` (made), read-only. */
static int bind_in(const char *from, const char *to, bool dir)
{
	struct mount_attr readonly = { .attr_set = MOUNT_ATTR_RDONLY };
	int fd;

	if (dir) {
		if (mkdir(to, 0755) < 0)
			return -errno;
	} else {
		fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
		if (fd < 0)
			return -errno;
		close(fd);
	}
	if (mount(from, to, NULL, MS_BIND, NULL) < 0)
		return -errno;
	/* Linux 5.12; older ones have the files' permissions alone. Sockets can be connected to all the same. */
	if (syscall(SYS_mount_setattr, AT_FDCWD, to, 0u, &readonly, sizeof(readonly)) < 0 && errno != ENOSYS)
		return -errno;
	return 0;
}

static int enter_root(const struct sk_uml_confine *f)
{
	int r;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -errno;
	if (mount("skerry", f->new_root, "tmpfs", MS_NOSUID | MS_NODEV, f->tmpfs_options) < 0)
		return -errno;
	if (chdir(f->new_root) < 0)
		return -errno;
	r = bind_in(f->kernel, "linux", false);
	if (r == 0)
		r = bind_in(f->initramfs, "initramfs", false);
	if (r == 0)
		r = bind_in(f->dev_dir, "vu", true);
	if (r == 0 && mkdir("dev", 0755) < 0)
		r = -errno;
	if (r == 0)
		r = bind_in("/dev/null", "dev/null", false);
	if (r < 0)
		return r;
	if (mkdir("tmp", 0777) < 0 || chmod("tmp", 0777) < 0)
		return -errno;
	/* pivot_root(2) "new_root and put_old the same folder": the old root lies on top of the new one and is taken
	 * off. */
	if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return -errno;
	return 0;
}

static int set_limits(void)
{
	static const struct rlimit none = { 0, 0 }, files = { 4096, 4096 };

	if (setrlimit(RLIMIT_CORE, &none) < 0 || setrlimit(RLIMIT_NOFILE, &files) < 0)
		return -errno;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

/* As root: become the VM's own user. The change takes all capabilities along. */
static int drop_identity(const struct sk_uml_confine *f)
{
	if (geteuid() != 0 || f->uid_map[0])
		return 0;
	/* The raw calls: libc's signal every thread first, and this is a copy of a threaded process. */
	if (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, f->uid, f->uid, f->uid) < 0 ||
	    syscall(SYS_setresuid, f->uid, f->uid, f->uid) < 0)
		return -errno;
	return 0;
}

int sk_uml_confine_apply(void *arg)
{
	const struct sk_uml_confine *f = arg;
	cpu_set_t set;
	int r;

	if (f->cpu >= 0) {
		CPU_ZERO(&set);
		CPU_SET(f->cpu, &set);
		sched_setaffinity(0, sizeof(set), &set); /* better but not needed */
	}
	if (f->namespaces) {
		r = map_identity(f);
		if (r == 0)
			r = enter_root(f);
		if (r < 0)
			return r;
		if (sethostname("skerry-vm", 9) < 0)
			return -errno;
	} else if (chdir(f->new_root) < 0 || chdir("..") < 0) {
		return -errno;
	}
	/* UML wants it and would start itself anew through /proc, which is not there. */
	if (personality(ADDR_NO_RANDOMIZE) < 0)
		return -errno;
	r = drop_identity(f);
	if (r == 0)
		r = set_limits();
	if (r < 0)
		return r;
	if (f->filter && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, f->filter) < 0)
		return -errno;
	return 0;
}

/* What UML in seccomp mode calls, in its kernel process, its helper threads and its stubs. */
static const int allowed[] = {
	/* program start */
	SCMP_SYS(execve),
	SCMP_SYS(brk),
	SCMP_SYS(arch_prctl),
	SCMP_SYS(set_tid_address),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq),
	SCMP_SYS(prlimit64),
	SCMP_SYS(getrlimit),
	SCMP_SYS(setrlimit),
	SCMP_SYS(uname),
	SCMP_SYS(getrandom),
	SCMP_SYS(readlink),
	SCMP_SYS(readlinkat),
	SCMP_SYS(access),
	SCMP_SYS(faccessat),
	SCMP_SYS(sysinfo),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(personality),
	/* memory */
	SCMP_SYS(mmap),
	SCMP_SYS(munmap),
	SCMP_SYS(mprotect),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(memfd_create),
	SCMP_SYS(fallocate),
	SCMP_SYS(ftruncate),
	/* files of its own root */
	SCMP_SYS(open),
	SCMP_SYS(openat),
	SCMP_SYS(close),
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(readv),
	SCMP_SYS(writev),
	SCMP_SYS(pread64),
	SCMP_SYS(pwrite64),
	SCMP_SYS(lseek),
	SCMP_SYS(fstat),
	SCMP_SYS(stat),
	SCMP_SYS(lstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(statx),
	SCMP_SYS(statfs),
	SCMP_SYS(fstatfs),
	SCMP_SYS(unlink),
	SCMP_SYS(unlinkat),
	SCMP_SYS(mkdir),
	SCMP_SYS(mkdirat),
	SCMP_SYS(rmdir),
	SCMP_SYS(getdents64),
	SCMP_SYS(getcwd),
	SCMP_SYS(dup),
	SCMP_SYS(dup2),
	SCMP_SYS(dup3),
	SCMP_SYS(pipe),
	SCMP_SYS(pipe2),
	SCMP_SYS(fsync),
	SCMP_SYS(fdatasync),
	SCMP_SYS(chmod),
	SCMP_SYS(fchmod),
	SCMP_SYS(rename),
	/* events and devices */
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(select),
	SCMP_SYS(pselect6),
	SCMP_SYS(epoll_create),
	SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(eventfd),
	SCMP_SYS(eventfd2),
	SCMP_SYS(signalfd),
	SCMP_SYS(signalfd4),
	SCMP_SYS(sendmsg),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(recvfrom),
	SCMP_SYS(connect),
	SCMP_SYS(bind),
	SCMP_SYS(listen),
	SCMP_SYS(accept),
	SCMP_SYS(accept4),
	SCMP_SYS(getsockname),
	SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt),
	SCMP_SYS(shutdown),
	SCMP_SYS(ioctl),
	SCMP_SYS(fcntl),
	/* time, signals, processes and threads */
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_getres),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(nanosleep),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(timer_create),
	SCMP_SYS(timer_settime),
	SCMP_SYS(timer_gettime),
	SCMP_SYS(timer_delete),
	SCMP_SYS(timer_getoverrun),
	SCMP_SYS(setitimer),
	SCMP_SYS(getitimer),
	SCMP_SYS(timerfd_create),
	SCMP_SYS(timerfd_settime),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigpending),
	SCMP_SYS(rt_sigtimedwait),
	SCMP_SYS(rt_sigsuspend),
	SCMP_SYS(rt_sigqueueinfo),
	SCMP_SYS(rt_tgsigqueueinfo),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(kill),
	SCMP_SYS(tkill),
	SCMP_SYS(tgkill),
	SCMP_SYS(pause),
	SCMP_SYS(alarm),
	SCMP_SYS(clone),
	SCMP_SYS(clone3),
	SCMP_SYS(vfork),
	SCMP_SYS(fork),
	SCMP_SYS(wait4),
	SCMP_SYS(waitid),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(getppid),
	SCMP_SYS(getpgrp),
	SCMP_SYS(setsid),
	SCMP_SYS(setpgid),
	SCMP_SYS(futex),
	SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(sched_setaffinity),
	SCMP_SYS(prctl),
	SCMP_SYS(seccomp),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(get_thread_area),
	SCMP_SYS(set_thread_area),
	SCMP_SYS(execveat),
	SCMP_SYS(close_range),
	SCMP_SYS(membarrier),
};

static int filter_rules(scmp_filter_ctx ctx)
{
	size_t i;
	int r;

	for (i = 0; i < SK_ARRAY_SIZE(allowed); i++) {
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
		if (r < 0)
			return r;
	}
	/* Sockets of the local family only: vhost-user, mconsole, its own socket pairs. */
	r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0));
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0));
	/* Stubs are traced only in the mode that we do not use; UML asks for nothing else of ptrace when it starts. */
	return r;
}

static int filter_export(scmp_filter_ctx ctx, struct sock_fprog **ret_filter)
{
	_cleanup_fd_ int fd = memfd_create("filter", MFD_CLOEXEC);
	struct sock_fprog *prog;
	off_t size;
	int r;

	if (fd < 0)
		return -errno;
	r = seccomp_export_bpf(ctx, fd);
	if (r < 0)
		return r;
	size = lseek(fd, 0, SEEK_END);
	prog = malloc(sizeof(*prog) + (size_t)size);
	if (!prog)
		return -ENOMEM;
	prog->len = (unsigned short)((size_t)size / sizeof(struct sock_filter));
	prog->filter = (struct sock_filter *)(prog + 1);
	if (pread(fd, prog->filter, (size_t)size, 0) != size) {
		free(prog);
		return -EIO;
	}
	*ret_filter = prog;
	return 0;
}

int sk_uml_filter_new(struct sock_fprog **ret_filter, struct sk_error *err)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r;

	if (!ctx)
		return sk_error_errno(err, ENOMEM, "cannot build the system call filter of the guest kernel");
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE,
			       2); /* binary tree: the guest's calls pass through it too */
	r = filter_rules(ctx);
	if (r == 0)
		r = filter_export(ctx, ret_filter);
	seccomp_release(ctx);
	return r < 0 ? sk_error_errno(err, r, "cannot build the system call filter of the guest kernel") : 0;
}

void sk_uml_filter_free(struct sock_fprog *filter)
{
	free(filter);
}
