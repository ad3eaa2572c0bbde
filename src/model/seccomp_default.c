/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container's programs may ask of their kernel by default: the calls that docker allows (moby, profiles/seccomp,
 * of 2025), with those that depend on a capability.
 *
 * A call that is refused fails with EPERM, as with docker. A call that neither list knows fails with ENOSYS: the
 * guest's libseccomp may be older than its C library, and a program has to see "there is no such call" to fall back on
 * an older one (runc does the same behind docker's profile).
 *
 * io_uring stays refused for the sake of sameness, though here it could only hurt the container's own kernel.
 */
#include <string.h>

#include "base/cleanup.h"
#include "model/jx.h"
#include "model/seccomp.h"

/* clang-format off */
static const char *const allowed[] = {
	"accept", "accept4", "access", "adjtimex", "alarm", "bind", "brk", "cachestat", "capget", "capset",
	"chdir", "chmod", "chown", "chown32", "clock_adjtime", "clock_adjtime64", "clock_getres",
	"clock_getres_time64", "clock_gettime", "clock_gettime64", "clock_nanosleep", "clock_nanosleep_time64",
	"close", "close_range", "connect", "copy_file_range", "creat", "dup", "dup2", "dup3", "epoll_create",
	"epoll_create1", "epoll_ctl", "epoll_ctl_old", "epoll_pwait", "epoll_pwait2", "epoll_wait",
	"epoll_wait_old", "eventfd", "eventfd2", "execve", "execveat", "exit", "exit_group", "faccessat",
	"faccessat2", "fadvise64", "fadvise64_64", "fallocate", "fanotify_mark", "fchdir", "fchmod",
	"fchmodat", "fchmodat2", "fchown", "fchown32", "fchownat", "fcntl", "fcntl64", "fdatasync",
	"fgetxattr", "flistxattr", "flock", "fork", "fremovexattr", "fsetxattr", "fstat", "fstat64",
	"fstatat64", "fstatfs", "fstatfs64", "fsync", "ftruncate", "ftruncate64", "futex", "futex_requeue",
	"futex_time64", "futex_wait", "futex_waitv", "futex_wake", "futimesat", "getcpu", "getcwd", "getdents",
	"getdents64", "getegid", "getegid32", "geteuid", "geteuid32", "getgid", "getgid32", "getgroups",
	"getgroups32", "getitimer", "getpeername", "getpgid", "getpgrp", "getpid", "getppid", "getpriority",
	"getrandom", "getresgid", "getresgid32", "getresuid", "getresuid32", "getrlimit", "get_robust_list",
	"getrusage", "getsid", "getsockname", "getsockopt", "get_thread_area", "gettid", "gettimeofday",
	"getuid", "getuid32", "getxattr", "getxattrat", "inotify_add_watch", "inotify_init", "inotify_init1",
	"inotify_rm_watch", "io_cancel", "ioctl", "io_destroy", "io_getevents", "io_pgetevents",
	"io_pgetevents_time64", "ioprio_get", "ioprio_set", "io_setup", "io_submit", "ipc", "kill",
	"landlock_add_rule", "landlock_create_ruleset", "landlock_restrict_self", "lchown", "lchown32",
	"lgetxattr", "link", "linkat", "listen", "listmount", "listxattr", "listxattrat", "llistxattr",
	"_llseek", "lremovexattr", "lseek", "lsetxattr", "lstat", "lstat64", "madvise", "map_shadow_stack",
	"membarrier", "memfd_create", "memfd_secret", "mincore", "mkdir", "mkdirat", "mknod", "mknodat",
	"mlock", "mlock2", "mlockall", "mmap", "mmap2", "mprotect", "mq_getsetattr", "mq_notify", "mq_open",
	"mq_timedreceive", "mq_timedreceive_time64", "mq_timedsend", "mq_timedsend_time64", "mq_unlink",
	"mremap", "mseal", "msgctl", "msgget", "msgrcv", "msgsnd", "msync", "munlock", "munlockall", "munmap",
	"name_to_handle_at", "nanosleep", "newfstatat", "_newselect", "open", "openat", "openat2", "pause",
	"pidfd_open", "pidfd_send_signal", "pipe", "pipe2", "pkey_alloc", "pkey_free", "pkey_mprotect", "poll",
	"ppoll", "ppoll_time64", "prctl", "pread64", "preadv", "preadv2", "prlimit64", "process_mrelease",
	"pselect6", "pselect6_time64", "pwrite64", "pwritev", "pwritev2", "read", "readahead", "readlink",
	"readlinkat", "readv", "recv", "recvfrom", "recvmmsg", "recvmmsg_time64", "recvmsg",
	"remap_file_pages", "removexattr", "removexattrat", "rename", "renameat", "renameat2",
	"restart_syscall", "rmdir", "rseq", "rt_sigaction", "rt_sigpending", "rt_sigprocmask",
	"rt_sigqueueinfo", "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "rt_sigtimedwait_time64",
	"rt_tgsigqueueinfo", "sched_getaffinity", "sched_getattr", "sched_getparam", "sched_get_priority_max",
	"sched_get_priority_min", "sched_getscheduler", "sched_rr_get_interval",
	"sched_rr_get_interval_time64", "sched_setaffinity", "sched_setattr", "sched_setparam",
	"sched_setscheduler", "sched_yield", "seccomp", "select", "semctl", "semget", "semop", "semtimedop",
	"semtimedop_time64", "send", "sendfile", "sendfile64", "sendmmsg", "sendmsg", "sendto", "setfsgid",
	"setfsgid32", "setfsuid", "setfsuid32", "setgid", "setgid32", "setgroups", "setgroups32", "setitimer",
	"setpgid", "setpriority", "setregid", "setregid32", "setresgid", "setresgid32", "setresuid",
	"setresuid32", "setreuid", "setreuid32", "setrlimit", "set_robust_list", "setsid", "setsockopt",
	"set_thread_area", "set_tid_address", "setuid", "setuid32", "setxattr", "setxattrat", "shmat",
	"shmctl", "shmdt", "shmget", "shutdown", "sigaltstack", "signalfd", "signalfd4", "sigprocmask",
	"sigreturn", "socketcall", "socketpair", "splice", "stat", "stat64", "statfs", "statfs64", "statmount",
	"statx", "symlink", "symlinkat", "sync", "sync_file_range", "syncfs", "sysinfo", "tee", "tgkill",
	"time", "timer_create", "timer_delete", "timer_getoverrun", "timer_gettime", "timer_gettime64",
	"timer_settime", "timer_settime64", "timerfd_create", "timerfd_gettime", "timerfd_gettime64",
	"timerfd_settime", "timerfd_settime64", "times", "tkill", "truncate", "truncate64", "ugetrlimit",
	"umask", "uname", "unlink", "unlinkat", "uretprobe", "utime", "utimensat", "utimensat_time64",
	"utimes", "vfork", "vmsplice", "wait4", "waitid", "waitpid", "write", "writev", "process_vm_readv",
	"process_vm_writev", "ptrace", "arch_prctl", "modify_ldt",
};

static const char *const refused[] = {
	"_sysctl", "add_key", "afs_syscall", "bdflush", "create_module", "get_kernel_syms", "io_uring_enter",
	"io_uring_register", "io_uring_setup", "kexec_file_load", "kexec_load", "keyctl", "migrate_pages",
	"move_pages", "nfsservctl", "pivot_root", "query_module", "request_key", "swapoff", "swapon", "sysfs",
	"userfaultfd", "uselib", "ustat", "vm86", "vm86old", "vserver",
};

/* Calls that are allowed with a capability. A call may be listed under several. */
static const struct {
	const char *cap;
	const char *names[24];
} gated[] = {
	{ "CAP_DAC_READ_SEARCH", { "open_by_handle_at" } },
	{ "CAP_SYS_ADMIN", {
		"bpf", "clone", "clone3", "fanotify_init", "fsconfig", "fsmount", "fsopen", "fspick",
		"lookup_dcookie", "mount", "mount_setattr", "move_mount", "open_tree", "perf_event_open",
		"quotactl", "quotactl_fd", "setdomainname", "sethostname", "setns", "syslog", "umount",
		"umount2", "unshare",
	} },
	{ "CAP_SYS_BOOT", { "reboot" } },
	{ "CAP_SYS_CHROOT", { "chroot" } },
	{ "CAP_SYS_MODULE", { "delete_module", "finit_module", "init_module" } },
	{ "CAP_SYS_PACCT", { "acct" } },
	{ "CAP_SYS_PTRACE", { "kcmp", "pidfd_getfd", "process_madvise" } },
	{ "CAP_SYS_RAWIO", { "ioperm", "iopl" } },
	{ "CAP_SYS_TIME", { "clock_settime", "clock_settime64", "settimeofday", "stime" } },
	{ "CAP_SYS_TTY_CONFIG", { "vhangup" } },
	{ "CAP_SYS_NICE", { "get_mempolicy", "mbind", "set_mempolicy", "set_mempolicy_home_node" } },
	{ "CAP_SYSLOG", { "syslog" } },
	{ "CAP_BPF", { "bpf" } },
	{ "CAP_PERFMON", { "perf_event_open" } },
};

/* CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET: new namespaces take CAP_SYS_ADMIN. */
static const json_int_t clone_flags[] = { 0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000 };
/* Errors of Linux, whatever numbers the host has. */
#define GUEST_EPERM 1
#define GUEST_ENOSYS 38
#define CLONE_NAMESPACES 0x7e020000
/* personality(2): Linux, 32-bit addresses, "which one is it" */
static const json_int_t personalities[] = { 0x0, 0x8, 0x20000, 0x20008, 0xffffffff };
/* clang-format on */

#define AF_VSOCK_NUMBER 40

static json_t *names_of(const char *const *names, size_t n)
{
	json_t *list = sk_jx_array();
	size_t i;

	for (i = 0; i < n && names[i]; i++)
		sk_jx_push_str(list, names[i]);
	return list;
}

/* `error` 0: allow. */
static json_t *push_rule(json_t *rules, json_t *take_names, int error)
{
	json_t *rule = sk_jx_object();

	sk_jx_set(rule, "names", take_names);
	sk_jx_set_str(rule, "action", error ? "SCMP_ACT_ERRNO" : "SCMP_ACT_ALLOW");
	if (error)
		sk_jx_set_int(rule, "errnoRet", error);
	sk_jx_push(rules, rule);
	return rule;
}

static void push_arg_rule(json_t *rules, const char *name, int error, const char *op, json_int_t value,
			  json_int_t value_two)
{
	json_t *rule = push_rule(rules, names_of(&name, 1), error);

	sk_jx_set(rule, "args",
		  sk_jx(json_pack("[{s:i,s:I,s:I,s:s}]", "index", 0, "value", value, "valueTwo", value_two, "op", op)));
}

static bool holds(const struct sk_strv *caps, const char *name)
{
	size_t i, k;

	for (i = 0; i < SK_ARRAY_SIZE(gated); i++)
		for (k = 0; k < SK_ARRAY_SIZE(gated[i].names) && gated[i].names[k]; k++)
			if (strcmp(gated[i].names[k], name) == 0 && sk_strv_has(caps, gated[i].cap))
				return true;
	return false;
}

static void push_gated(json_t *rules, const struct sk_strv *caps)
{
	json_t *yes = sk_jx_array(), *no = sk_jx_array();
	struct sk_strv seen = { 0 };
	size_t i, k;

	for (i = 0; i < SK_ARRAY_SIZE(gated); i++) {
		for (k = 0; k < SK_ARRAY_SIZE(gated[i].names) && gated[i].names[k]; k++) {
			const char *name = gated[i].names[k];

			if (sk_strv_has(&seen, name))
				continue;
			sk_strv_add(&seen, name);
			if (holds(caps, name))
				sk_jx_push_str(yes, name);
			else if (strncmp(name, "clone", 5) != 0) /* these two are told apart below */
				sk_jx_push_str(no, name);
		}
	}
	sk_strv_fini(&seen);
	push_rule(rules, no, GUEST_EPERM);
	if (json_array_size(yes))
		push_rule(rules, yes, 0);
	else
		json_decref(yes);
}

json_t *sk_seccomp_default(const struct sk_strv *caps)
{
	static const char *const clone3[] = { "clone3" };
	json_t *o = sk_jx_object(), *rules = sk_jx_array();
	size_t i;

	sk_jx_set_str(o, "defaultAction", "SCMP_ACT_ERRNO");
	sk_jx_set_int(o, "defaultErrnoRet", GUEST_ENOSYS);
#if defined(__x86_64__)
	sk_jx_set(o, "architectures",
		  sk_jx(json_pack("[s,s,s]", "SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32")));
#elif defined(__aarch64__)
	sk_jx_set(o, "architectures", sk_jx(json_pack("[s,s]", "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM")));
#endif
	push_rule(rules, names_of(allowed, SK_ARRAY_SIZE(allowed)), 0);
	push_rule(rules, names_of(refused, SK_ARRAY_SIZE(refused)), GUEST_EPERM);
	push_gated(rules, caps);
	if (!sk_strv_has(caps, "CAP_SYS_ADMIN")) {
		push_arg_rule(rules, "clone", 0, "SCMP_CMP_MASKED_EQ", CLONE_NAMESPACES, 0);
		for (i = 0; i < SK_ARRAY_SIZE(clone_flags); i++)
			push_arg_rule(rules, "clone", GUEST_EPERM, "SCMP_CMP_MASKED_EQ", clone_flags[i],
				      clone_flags[i]);
		/* Its flags are in memory, where a filter cannot look: the C library falls back on clone. */
		push_rule(rules, names_of(clone3, 1), GUEST_ENOSYS);
	}
	/* A container with vsock sockets could connect to the monitor in the agent's place. */
	push_arg_rule(rules, "socket", 0, "SCMP_CMP_NE", AF_VSOCK_NUMBER, 0);
	push_arg_rule(rules, "socket", GUEST_EPERM, "SCMP_CMP_EQ", AF_VSOCK_NUMBER, 0);
	for (i = 0; i < SK_ARRAY_SIZE(personalities); i++)
		push_arg_rule(rules, "personality", 0, "SCMP_CMP_EQ", personalities[i], 0);
	sk_jx_set(o, "syscalls", rules);
	return o;
}
