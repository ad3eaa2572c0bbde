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
 * What takes more than that later, another life of the container, its removal and a look at a resolv.conf that has come
 * in the place of the one that it may read, is the keeper's (keeper.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/confine.h"
#include "base/log.h"
#include "vm/monitor.h"

#define SK_LANDLOCK_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define SK_LANDLOCK_WRITE                                                                               \
	(SK_LANDLOCK_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE |               \
	 LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | \
	 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK)

static int drop_capabilities(bool netns, bool publishes)
{
	int keep[4] = { CAP_KILL };
	size_t n = 1;

	if (netns) {
		keep[n++] = CAP_NET_RAW;
		keep[n++] = CAP_NET_ADMIN;
	}
	if (publishes)
		keep[n++] = CAP_NET_BIND_SERVICE;
	return geteuid() == 0 ? sk_caps_keep(keep, n) : 0;
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
 * No new local sockets: a server behind one (docker.sock, the user's bus) would take a connection for the user's own.
 * The sockets that exist already listen or are connected, so connect(2) on them fails. It fails on socket pairs too,
 * except for those of datagrams, which the filter refuses.
 */
static const int families[] = { AF_INET, AF_INET6, AF_NETLINK, AF_PACKET };
static const int pairs[] = { SOCK_STREAM, SOCK_SEQPACKET };
#define SK_SOCKET_TYPE 0xfu /* without SOCK_CLOEXEC, SOCK_NONBLOCK */

static int filter_rules(scmp_filter_ctx ctx)
{
	int r = sk_filter_allow(ctx, allowed, SK_ARRAY_SIZE(allowed));
	size_t i;

	for (i = 0; r == 0 && i < SK_ARRAY_SIZE(families); i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
				     SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i], 0));
	for (i = 0; r == 0 && i < SK_ARRAY_SIZE(pairs); i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 2, SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0),
				     SCMP_A1(SCMP_CMP_MASKED_EQ, SK_SOCKET_TYPE, (scmp_datum_t)pairs[i]));
	return r == 0 ? sk_filter_allow_threads(ctx) : r;
}

static int load_filter(void)
{
	/* ENOSYS and not EPERM: the C library then falls back from a call that is newer than this list to an older
	 * one. */
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int r;

	if (!ctx)
		return -ENOMEM;
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1); /* also for threads that exist already */
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	r = filter_rules(ctx);
	if (r == 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	return r;
}

static int restrict_files(struct sk_monitor *m)
{
	/* Files of the host that name resolution looks at. */
	static const char *const readable[] = { "/etc/resolv.conf", "/etc/hosts",	    "/etc/nsswitch.conf",
						"/etc/localtime",   "/run/systemd/resolve", "/proc/sys/net",
						"/proc/self/net" };
	static const char *const writable[] = { SK_STATE_DIR, "log" };
	struct sk_landlock files;
	char path[600];
	size_t i;
	int r = sk_landlock_new(SK_LANDLOCK_FILES, &files);

	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "%s/containers/%s", m->paths.root, m->id);
	r = sk_landlock_allow_path(&files, path, SK_LANDLOCK_READ);
	for (i = 0; r == 0 && i < SK_ARRAY_SIZE(writable); i++) {
		snprintf(path, sizeof(path), "%s/containers/%s/%s", m->paths.root, m->id, writable[i]);
		r = sk_landlock_allow_path(&files, path, SK_LANDLOCK_WRITE);
	}
	/* The event log is locked through its directory. */
	if (r == 0)
		r = sk_landlock_allow_path(&files, m->paths.root, LANDLOCK_ACCESS_FS_READ_DIR);
	snprintf(path, sizeof(path), "%s/events.jsonl", m->paths.root);
	close(open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
	if (r == 0)
		r = sk_landlock_allow_path(&files, path, SK_LANDLOCK_WRITE);
	if (r == 0)
		r = sk_landlock_allow_path(&files, m->run_dir, SK_LANDLOCK_WRITE);
	if (r == 0)
		r = sk_landlock_allow_path(&files, m->paths.run, LANDLOCK_ACCESS_FS_REMOVE_DIR);
	for (i = 0; r == 0 && i < SK_ARRAY_SIZE(readable); i++)
		r = sk_landlock_allow_path(&files, readable[i], SK_LANDLOCK_READ);
	if (r == 0)
		r = sk_landlock_enter(&files);
	sk_landlock_fini(&files);
	return r;
}

void sk_monitor_confine(struct sk_monitor *m)
{
	int r = sk_no_new_privileges();

	if (r < 0)
		sk_log(SK_LOG_WARN, "no_new_privs is not to be had: %s", strerror(-r));
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
