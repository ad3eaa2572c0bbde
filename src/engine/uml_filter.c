/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls that a User-mode Linux kernel makes; others fail with EPERM: memfd_create too, which it would like
 * (a file of its private tmpfs, whose size is bounded, does as well). The stubs install UML's own filter on
 * top, whose "trap" ranks above our "errno" and below "kill": guest system calls are still trapped.
 */
#include <seccomp.h>
#include <signal.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "engine/engine_internal.h"

/* System calls of UML in seccomp mode: of its kernel process, its helper threads and its stubs. */
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
	SCMP_SYS(munmap),
	SCMP_SYS(mprotect),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
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
	SCMP_SYS(tkill),
	SCMP_SYS(tgkill),
	SCMP_SYS(pause),
	SCMP_SYS(alarm),
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
	int r = sk_filter_allow(ctx, allowed, SK_ARRAY_SIZE(allowed));

	if (r == 0)
		r = sk_filter_add_bounds(ctx, true);
	/* Sockets of the local family only: vhost-user, mconsole, its own socket pairs. */
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0));
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0));
	/* A guest kernel that panics aborts itself, again and again: as the init of its pid namespace it does not die
	 * of a signal of its own. When that is refused it exits. */
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(kill), 1, SCMP_A1(SCMP_CMP_NE, SIGABRT, 0));
	/* Stubs are traced only in the mode that we do not use; UML asks for nothing else of ptrace when it starts. */
	return r;
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
		r = sk_filter_export(ctx, ret_filter);
	seccomp_release(ctx);
	return r < 0 ? sk_error_errno(err, r, "cannot build the system call filter of the guest kernel") : 0;
}
