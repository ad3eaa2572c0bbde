/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a monitor gives up once its VM runs: it parses bytes of a hostile guest (vhost-user, virtqueues, vsock, IP
 * packets), so it keeps only what it still needs.
 *
 *   capabilities  as root: all but CAP_KILL (the engine is another user's process); CAP_NET_RAW and CAP_NET_ADMIN too
 * where it serves the interfaces of a network namespace, which it cannot leave filter        no new programs,
 * namespaces, mounts, tracing, kernel interfaces that it never uses files         Landlock, where the host has it: its
 * container's and run folders, the event log, tmp/ of the store (its own removal), and reading what name resolution
 * needs. Layers and disks are open already.
 *
 * A container with a restart policy starts engines again, later: its monitor keeps what that takes, and goes without
 * Landlock (which forbids the mounts that shut the engine in).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
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
	 LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REFER)

static int drop_capabilities(bool restarts, bool netns)
{
	static const cap_value_t always[] = { CAP_KILL, CAP_NET_RAW, CAP_NET_ADMIN };
	static const cap_value_t for_restart[] = { CAP_KILL, CAP_SYS_ADMIN, CAP_SETUID, CAP_SETGID,
						   CAP_NET_BIND_SERVICE };
	const cap_value_t *keep = restarts ? for_restart : always;
	int n = restarts ? (int)SK_ARRAY_SIZE(for_restart) : netns ? (int)SK_ARRAY_SIZE(always) : 1, i, r = 0;
	cap_value_t cap;
	cap_t caps;

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

static const int never[] = {
	SCMP_SYS(ptrace),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(bpf),
	SCMP_SYS(perf_event_open),
	SCMP_SYS(userfaultfd),
	SCMP_SYS(kexec_load),
	SCMP_SYS(kexec_file_load),
	SCMP_SYS(init_module),
	SCMP_SYS(finit_module),
	SCMP_SYS(delete_module),
	SCMP_SYS(reboot),
	SCMP_SYS(swapon),
	SCMP_SYS(swapoff),
	SCMP_SYS(acct),
	SCMP_SYS(quotactl),
	SCMP_SYS(add_key),
	SCMP_SYS(keyctl),
	SCMP_SYS(request_key),
	SCMP_SYS(open_by_handle_at),
	SCMP_SYS(setns),
	SCMP_SYS(io_uring_setup),
	SCMP_SYS(io_uring_enter),
	SCMP_SYS(io_uring_register),
	SCMP_SYS(iopl),
	SCMP_SYS(ioperm),
	SCMP_SYS(settimeofday),
	SCMP_SYS(clock_settime),

	SCMP_SYS(kcmp),
	SCMP_SYS(lookup_dcookie),
	SCMP_SYS(vhangup),
	SCMP_SYS(mknod),
	SCMP_SYS(mknodat),
};
static const int never_without_restart[] = {
	SCMP_SYS(sethostname), SCMP_SYS(setdomainname), SCMP_SYS(execve),     SCMP_SYS(execveat),  SCMP_SYS(unshare),
	SCMP_SYS(mount),       SCMP_SYS(umount2),	SCMP_SYS(pivot_root), SCMP_SYS(chroot),	   SCMP_SYS(fsopen),
	SCMP_SYS(open_tree),   SCMP_SYS(move_mount),	SCMP_SYS(setuid),     SCMP_SYS(setgid),	   SCMP_SYS(setresuid),
	SCMP_SYS(setresgid),   SCMP_SYS(setreuid),	SCMP_SYS(setregid),   SCMP_SYS(setgroups),
};

static int load_filter(bool restarts)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	size_t i;
	int r = 0;

	if (!ctx)
		return -ENOMEM;
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1); /* the block device thread too */
	for (i = 0; r == 0 && i < SK_ARRAY_SIZE(never); i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), never[i], 0);
	for (i = 0; r == 0 && !restarts && i < SK_ARRAY_SIZE(never_without_restart); i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), never_without_restart[i], 0);
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
	uint64_t write = SK_LANDLOCK_WRITE;
	_cleanup_fd_ int ruleset = -1;
	char path[600];
	size_t i;
	int r;

	if (abi < 2)
		return -ENOSYS; /* the first version cannot move a folder, which removing a container takes */
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr.handled_access_fs), 0);
	if (ruleset < 0)
		return -errno;
	/* containers/ as a whole: a container that removes itself moves its folder to tmp/. */
	snprintf(path, sizeof(path), "%s/containers", m->paths.root);
	r = allow_path(ruleset, path, LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REFER);
	snprintf(path, sizeof(path), "%s/containers/%s", m->paths.root, m->id);
	if (r == 0)
		r = allow_path(ruleset, path, write);
	snprintf(path, sizeof(path), "%s/tmp", m->paths.root);
	if (r == 0)
		r = allow_path(ruleset, path, write);
	/* Anonymous volumes move there too, when they go with the container. */
	snprintf(path, sizeof(path), "%s/volumes", m->paths.root);
	if (r == 0)
		r = allow_path(ruleset, path, LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REFER);
	for (i = 0; r == 0 && i < json_array_size(json_object_get(m->config.json, "volumes")); i++) {
		snprintf(path, sizeof(path), "%s/volumes/%s", m->paths.root,
			 json_string_value(json_array_get(json_object_get(m->config.json, "volumes"), i)));
		r = allow_path(ruleset, path, write);
	}
	/* The event log is locked through its folder; it is rotated by others. */
	if (r == 0)
		r = allow_path(ruleset, m->paths.root, LANDLOCK_ACCESS_FS_READ_DIR);
	snprintf(path, sizeof(path), "%s/events.jsonl", m->paths.root);
	close(open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
	if (r == 0)
		r = allow_path(ruleset, path, write);
	if (r == 0)
		r = allow_path(ruleset, m->run_dir, write);
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
	bool restarts = m->config.restart != SK_RESTART_NO;
	int r;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		sk_log(SK_LOG_WARN, "no_new_privs is not to be had: %s", strerror(errno));
	r = drop_capabilities(restarts, m->managed && m->config.netns);
	if (r < 0)
		sk_log(SK_LOG_WARN, "capabilities could not be dropped: %s", strerror(-r));
	if (!restarts) {
		r = restrict_files(m);
		if (r < 0)
			sk_log(SK_LOG_INFO, "no Landlock here: %s", strerror(-r));
	}
	r = load_filter(restarts);
	if (r < 0)
		sk_log(SK_LOG_WARN, "the system call filter could not be loaded: %s", strerror(-r));
}
