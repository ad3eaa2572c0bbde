/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a monitor gives up once its VM runs: it parses bytes of a hostile guest (vhost-user, virtqueues, vsock, IP
 * packets), so it keeps only what it still needs.
 *
 *   capabilities  as root: all but CAP_KILL (the engine is another user's process); CAP_NET_RAW and CAP_NET_ADMIN too
 *                 where it serves the interfaces of a network namespace, which it cannot leave; CAP_NET_BIND_SERVICE
 *                 where programs of the guest may publish ports
 *   filter        a list of the system calls that it makes; no new programs, namespaces, mounts, tracing, users; no
 *                 connections to local sockets (those to an ssh-agent are made by dialler.c)
 *   files         Landlock, where the host has it: its container's directory to read, state/ and log/ of it and its run
 *                 directory to write, the event log, and reading what name resolution needs. Layers and disks are open
 *                 already
 *
 * What takes more than that later, another life of the container and its removal, is the keeper's (keeper.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "vm/monitor.h"

#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif

#define SK_LANDLOCK_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define SK_LANDLOCK_WRITE                                                                             \
	(SK_LANDLOCK_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |           \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | \
	 LANDLOCK_ACCESS_FS_MAKE_SOCK)

static int drop_capabilities(bool netns, bool publishes)
{
	cap_value_t keep[4] = { CAP_KILL }, cap;
	int n = 1, i, r = 0;
	cap_t caps;

	if (netns) {
		keep[n++] = CAP_NET_RAW;
		keep[n++] = CAP_NET_ADMIN;
	}
	if (publishes)
		keep[n++] = CAP_NET_BIND_SERVICE;
	if (geteuid() != 0)
		return 0;
	for (cap = 0; cap_get_bound(cap) >= 0; cap++) {
		for (i = 0; i < n && keep[i] != cap; i++)
			;
		if (i == n && cap_drop_bound(cap) < 0)
			return -errno;
	}
	caps = cap_init();
	if (!caps || cap_set_flag(caps, CAP_PERMITTED, n, keep, CAP_SET) < 0 ||
	    cap_set_flag(caps, CAP_EFFECTIVE, n, keep, CAP_SET) < 0 || cap_set_proc(caps) < 0)
		r = -errno;
	cap_free(caps);
	return r;
}

/* What a monitor, its devices, libslirp and the C library call. */
static const int allowed[] = {
	SCMP_SYS(read),
	SCMP_SYS(readv),
	SCMP_SYS(pread64),
	SCMP_SYS(preadv),
	SCMP_SYS(preadv2),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(pwrite64),
	SCMP_SYS(pwritev),
	SCMP_SYS(pwritev2),
	SCMP_SYS(lseek),
	SCMP_SYS(close),
	SCMP_SYS(close_range),
	SCMP_SYS(open),
	SCMP_SYS(openat),
	SCMP_SYS(openat2),
	SCMP_SYS(creat),
	SCMP_SYS(stat),
	SCMP_SYS(fstat),
	SCMP_SYS(lstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(statx),
	SCMP_SYS(statfs),
	SCMP_SYS(fstatfs),
	SCMP_SYS(access),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	SCMP_SYS(readlink),
	SCMP_SYS(readlinkat),
	SCMP_SYS(getdents64),
	SCMP_SYS(getcwd),
	SCMP_SYS(fcntl),
	SCMP_SYS(ioctl),
	SCMP_SYS(flock),
	SCMP_SYS(dup),
	SCMP_SYS(dup2),
	SCMP_SYS(dup3),
	SCMP_SYS(pipe),
	SCMP_SYS(pipe2),
	SCMP_SYS(umask),
	SCMP_SYS(chdir),
	SCMP_SYS(fchdir),
	SCMP_SYS(fsync),
	SCMP_SYS(fdatasync),
	SCMP_SYS(sync_file_range),
	SCMP_SYS(ftruncate),
	SCMP_SYS(fallocate),
	SCMP_SYS(fadvise64),
	SCMP_SYS(copy_file_range),
	SCMP_SYS(sendfile),
	SCMP_SYS(splice),
	SCMP_SYS(rename),
	SCMP_SYS(renameat),
	SCMP_SYS(renameat2),
	SCMP_SYS(unlink),
	SCMP_SYS(unlinkat),
	SCMP_SYS(mkdir),
	SCMP_SYS(mkdirat),
	SCMP_SYS(rmdir),
	SCMP_SYS(chmod),
	SCMP_SYS(fchmod),
	SCMP_SYS(fchmodat),
	SCMP_SYS(utimensat),
	SCMP_SYS(mmap),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(mprotect),
	SCMP_SYS(madvise),
	SCMP_SYS(msync),
	SCMP_SYS(mincore),
	SCMP_SYS(brk),
	SCMP_SYS(memfd_create),
	SCMP_SYS(membarrier),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(futex),
	SCMP_SYS(rseq),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(get_robust_list),
	SCMP_SYS(set_tid_address),
	SCMP_SYS(arch_prctl),
	SCMP_SYS(prctl),
	SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(sched_setaffinity),
	SCMP_SYS(getcpu),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigpending),
	SCMP_SYS(rt_sigtimedwait),
	SCMP_SYS(rt_sigqueueinfo),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(kill),
	SCMP_SYS(tgkill),
	SCMP_SYS(tkill),
	SCMP_SYS(wait4),
	SCMP_SYS(waitid),
	SCMP_SYS(pidfd_open),
	SCMP_SYS(pidfd_send_signal),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(getppid),
	SCMP_SYS(getpgrp),
	SCMP_SYS(getpgid),
	SCMP_SYS(getsid),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(getresuid),
	SCMP_SYS(getresgid),
	SCMP_SYS(getgroups),
	SCMP_SYS(capget),
	SCMP_SYS(getrlimit),
	SCMP_SYS(prlimit64),
	SCMP_SYS(getrusage),
	SCMP_SYS(sysinfo),
	SCMP_SYS(uname),
	SCMP_SYS(times),
	SCMP_SYS(getrandom),
	SCMP_SYS(getpriority),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_getres),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(nanosleep),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(timerfd_create),
	SCMP_SYS(timerfd_settime),
	SCMP_SYS(timerfd_gettime),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(select),
	SCMP_SYS(pselect6),
	SCMP_SYS(epoll_create),
	SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_pwait2),
	SCMP_SYS(eventfd),
	SCMP_SYS(eventfd2),
	SCMP_SYS(io_setup), /* virtio/notify.c */
	SCMP_SYS(io_submit),
	SCMP_SYS(io_getevents),
	SCMP_SYS(signalfd),
	SCMP_SYS(signalfd4),
	SCMP_SYS(inotify_init1),
	SCMP_SYS(inotify_add_watch),
	SCMP_SYS(inotify_rm_watch),
	SCMP_SYS(bind),
	SCMP_SYS(listen),
	SCMP_SYS(accept),
	SCMP_SYS(accept4),
	SCMP_SYS(connect),
	SCMP_SYS(shutdown),
	SCMP_SYS(getsockname),
	SCMP_SYS(getpeername),
	SCMP_SYS(setsockopt),
	SCMP_SYS(getsockopt),
	SCMP_SYS(sendto),
	SCMP_SYS(recvfrom),
	SCMP_SYS(sendmsg),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendmmsg),
	SCMP_SYS(recvmmsg),
};

/*
 * No local sockets: whatever listens on one, a docker.sock or the user's bus, takes a connection for the user's. Those
 * that exist already listen or are connected, and connect(2) of such a one is an error; so it is for pairs but of
 * datagrams.
 */
static const int families[] = { AF_INET, AF_INET6, AF_NETLINK, AF_PACKET };
static const int pairs[] = { SOCK_STREAM, SOCK_SEQPACKET };
#define SK_SOCKET_TYPE 0xfu /* without SOCK_CLOEXEC, SOCK_NONBLOCK */

#define SK_NEW_NAMESPACES \
	(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)

static int filter_rules(scmp_filter_ctx ctx)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < SK_ARRAY_SIZE(allowed); i++) {
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
		if (r == -EDOM || r == -EFAULT)
			r = 0; /* not of this architecture */
	}
	for (i = 0; r == 0 && i < SK_ARRAY_SIZE(families); i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
				     SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i], 0));
	for (i = 0; r == 0 && i < SK_ARRAY_SIZE(pairs); i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 2, SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0),
				     SCMP_A1(SCMP_CMP_MASKED_EQ, SK_SOCKET_TYPE, (scmp_datum_t)pairs[i]));
	/* Threads and processes, no namespaces; clone3, whose flags no filter can see, is not there: the C library
	 * falls back on clone. */
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				     SCMP_A0(SCMP_CMP_MASKED_EQ, SK_NEW_NAMESPACES, 0));
	return r;
}

static int load_filter(void)
{
	/* Not there, rather than not allowed: what is newer than this list has something older to fall back on. */
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int r;

	if (!ctx)
		return -ENOMEM;
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1); /* threads that there are already */
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	r = filter_rules(ctx);
	if (r == 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	return r;
}

static int allow_path(int ruleset, const char *path, uint64_t access)
{
	_cleanup_fd_ int fd = open(path, O_PATH | O_CLOEXEC);
	struct landlock_path_beneath_attr attr = { .allowed_access = access, .parent_fd = fd };
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISDIR(st.st_mode))
		attr.allowed_access &= LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE;
	return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &attr, 0) < 0 ? -errno : 0;
}

static int restrict_files(struct sk_monitor *m)
{
	/* Files of the host that name resolution looks at. */
	static const char *const readable[] = { "/etc/resolv.conf", "/etc/hosts",	    "/etc/nsswitch.conf",
						"/etc/localtime",   "/run/systemd/resolve", "/proc/sys/net",
						"/proc/self/net" };
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct landlock_ruleset_attr attr = { .handled_access_fs = (LANDLOCK_ACCESS_FS_REFER << 1) - 1 };
	static const char *const writable[] = { SK_STATE_DIR, "log" };
	_cleanup_fd_ int ruleset = -1;
	char path[600];
	size_t i;
	int r;

	if (abi < 2)
		return -ENOSYS; /* the first version cannot keep a file from being moved */
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr.handled_access_fs), 0);
	if (ruleset < 0)
		return -errno;
	snprintf(path, sizeof(path), "%s/containers/%s", m->paths.root, m->id);
	r = allow_path(ruleset, path, SK_LANDLOCK_READ);
	for (i = 0; r == 0 && i < SK_ARRAY_SIZE(writable); i++) {
		snprintf(path, sizeof(path), "%s/containers/%s/%s", m->paths.root, m->id, writable[i]);
		r = allow_path(ruleset, path, SK_LANDLOCK_WRITE);
	}
	/* The event log is locked through its directory. */
	if (r == 0)
		r = allow_path(ruleset, m->paths.root, LANDLOCK_ACCESS_FS_READ_DIR);
	snprintf(path, sizeof(path), "%s/events.jsonl", m->paths.root);
	close(open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
	if (r == 0)
		r = allow_path(ruleset, path, SK_LANDLOCK_WRITE);
	if (r == 0)
		r = allow_path(ruleset, m->run_dir, SK_LANDLOCK_WRITE);
	if (r == 0)
		r = allow_path(ruleset, m->paths.run, LANDLOCK_ACCESS_FS_REMOVE_DIR);
	for (i = 0; r == 0 && i < SK_ARRAY_SIZE(readable); i++)
		r = allow_path(ruleset, readable[i], SK_LANDLOCK_READ);
	if (r < 0)
		return r;
	return syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? -errno : 0;
}

void sk_monitor_confine(struct sk_monitor *m)
{
	int r;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		sk_log(SK_LOG_WARN, "no_new_privs is not to be had: %s", strerror(errno));
	r = drop_capabilities(sk_network_backend(m->config.network.mode)->administers, m->config.services_publish);
	if (r < 0)
		sk_log(SK_LOG_WARN, "capabilities could not be dropped: %s", strerror(-r));
	r = restrict_files(m);
	if (r < 0)
		sk_log(SK_LOG_INFO, "no Landlock here: %s", strerror(-r));
	r = load_filter();
	if (r < 0)
		sk_log(SK_LOG_WARN, "the system call filter could not be loaded: %s", strerror(-r));
}
