/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Confinement of an engine process, in named stages, applied in the child between clone and exec. Async-signal-safe
 * calls only.
 *
 *   placement   pinned to its CPU
 *   identity    user namespace with our own user (plain user), or a user of the VM's own (root)
 *   root        a private tmpfs with what was bound (the engine's program and the guest parts, read-only), vu/ (device
 *               sockets), dev/null, tmp/; nothing else of the host
 *   limits      no core files; bounded descriptors, processes, memory, address space and size of files; no new
 *               privileges
 *   Landlock    where the host has it: the same files once more (landlock.c)
 *   filter      the engine's
 *
 * Memory that an engine can take of the host, then: files only of its private tmpfs, whose size is the guest's memory
 * and a little more (the filters know no memfd_create and no shared memory without a file), and RLIMIT_DATA for each of
 * its processes.
 *
 * Where the host refuses namespaces an engine does not start, unless the configuration allows it by name: then Landlock
 * takes the place of the root, or nothing does.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/id.h"
#include "base/log.h"
#include "engine/engine_internal.h"

/* Users of VMs that root starts: one of their own each, far from any real account. */
#define SK_VM_UID_BASE 0x5b000000u
#define SK_VM_UID_INNER 1000u

/* --- in the parent --- */

int sk_confine_init(struct sk_confine *f, const struct sk_engine_config *c, uint64_t tmpfs_size, struct sk_error *err)
{
	uint32_t random;

	*f = (struct sk_confine){ .cpu = -1, .namespaces = true };
	f->sandbox = c->settings ? c->settings->sandbox : SK_CONFINEMENT_NAMESPACES;
	f->file_limit = tmpfs_size;
	f->process_limit = f->fd_limit = 4096;
	snprintf(f->new_root, sizeof(f->new_root), "%s/root", c->run_dir);
	snprintf(f->tmpfs_options, sizeof(f->tmpfs_options), "size=%lluk,mode=0755",
		 (unsigned long long)(tmpfs_size / 1024));
	sk_random(&random, sizeof(random));
	if (geteuid() == 0 && sk_in_user_namespace()) {
		/* A user namespace's root has no further users to give: a user without rights, in one more
		 * namespace. */
		f->uid = SK_VM_UID_INNER;
		snprintf(f->uid_map, sizeof(f->uid_map), "%u 0 1\n", SK_VM_UID_INNER);
		snprintf(f->gid_map, sizeof(f->gid_map), "%u 0 1\n", SK_VM_UID_INNER);
	} else if (geteuid() == 0) {
		f->uid = SK_VM_UID_BASE + (random & 0xffffff);
	} else {
		f->uid = geteuid();
		snprintf(f->uid_map, sizeof(f->uid_map), "%u %u 1\n", geteuid(), geteuid());
		snprintf(f->gid_map, sizeof(f->gid_map), "%u %u 1\n", getegid(), getegid());
	}
	sk_confine_bind(f, "/dev/null", "dev/null", false, false);
	if (mkdir(f->new_root, 0755) < 0 && errno != EEXIST)
		return sk_error_errno(err, errno, "cannot make %s", f->new_root);
	return 0;
}

void sk_confine_bind(struct sk_confine *f, const char *from, const char *to, bool dir, bool optional)
{
	if (f->n_binds < SK_CONFINE_BINDS)
		f->binds[f->n_binds++] = (struct sk_confine_bind){ from, to, dir, optional };
}

static unsigned namespaces_of(const struct sk_confine *f)
{
	unsigned kinds = SK_NS_MOUNT | SK_NS_PID | SK_NS_NET | SK_NS_IPC | SK_NS_UTS;

	if (!f->namespaces)
		return 0;
	return f->uid_map[0] ? kinds | SK_NS_USER : kinds;
}

/* --- in the child --- */

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

static int map_identity(const struct sk_confine *f)
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

/* The directories that lead to `path`. */
static int make_parents(const char *path)
{
	char part[512];
	size_t i;

	for (i = 0; path[i] && i < sizeof(part) - 1; i++) {
		part[i] = path[i];
		if (path[i + 1] != '/')
			continue;
		part[i + 1] = '\0';
		/* 0755 whatever the umask: root's engine is another user. */
		if (mkdir(part, 0755) < 0 ? errno != EEXIST : chmod(part, 0755) < 0)
			return -errno;
	}
	return 0;
}

static int bind_in(const struct sk_confine_bind *b)
{
	struct mount_attr readonly = { .attr_set = MOUNT_ATTR_RDONLY };
	int fd, r;

	if (b->optional && access(b->from, F_OK) < 0)
		return 0;
	r = make_parents(b->to);
	if (r < 0)
		return r;
	if (b->dir) {
		if (mkdir(b->to, 0755) < 0 && errno != EEXIST)
			return -errno;
	} else {
		fd = open(b->to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
		if (fd < 0)
			return -errno;
		close(fd);
	}
	if (mount(b->from, b->to, NULL, MS_BIND, NULL) < 0)
		return -errno;
	/* Linux 5.12; older ones have the files' permissions alone. Sockets can be connected to all the same. */
	if (syscall(SYS_mount_setattr, AT_FDCWD, b->to, 0u, &readonly, sizeof(readonly)) < 0 && errno != ENOSYS)
		return -errno;
	return 0;
}

/* A device node of the VM's own: as root, who may make one. Its /dev is a file system that has devices. */
static int make_device(const struct sk_confine *f)
{
	struct stat st;

	if (stat(f->device, &st) < 0 || mkdir("dev", 0755) < 0)
		return -errno;
	if (mount("skerry", "dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "size=64k,mode=0755") < 0)
		return -errno;
	if (mknod("dev/kvm", S_IFCHR | 0600, st.st_rdev) < 0 || chown("dev/kvm", f->uid, f->uid) < 0)
		return -errno;
	return 0;
}

/* /dev/kvm, to which the rights of this user apply: its group stays his in a user namespace. */
static int give_device(const struct sk_confine *f)
{
	const struct sk_confine_bind bind = { f->device, "dev/kvm", false, false };

	if (!f->device || (!f->uid_map[0] && make_device(f) == 0))
		return 0;
	return bind_in(&bind);
}

static int enter_root(const struct sk_confine *f)
{
	char vu[640];
	struct sk_confine_bind devices = { vu, "vu", true, false };
	size_t i;
	int r;

	/* The device sockets lie beside the mount point. */
	memcpy(vu, f->new_root, strlen(f->new_root) + 1);
	memcpy(strrchr(vu, '/'), "/vu", 4);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -errno;
	if (mount("skerry", f->new_root, "tmpfs", MS_NOSUID | MS_NODEV, f->tmpfs_options) < 0)
		return -errno;
	if (chdir(f->new_root) < 0)
		return -errno;
	r = give_device(f);
	for (i = 0; r == 0 && i < f->n_binds; i++)
		r = bind_in(&f->binds[i]);
	if (r == 0)
		r = bind_in(&devices);
	if (r == 0 && f->fill)
		r = f->fill(f->fill_arg, f->uid);
	if (r < 0)
		return r;
	if ((mkdir("tmp", 0777) < 0 && errno != EEXIST) || chmod("tmp", 0777) < 0)
		return -errno;
	/* pivot_root(2) "new_root and put_old the same directory": the old root lies on top of the new one and is taken
	 * off. */
	if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return -errno;
	return 0;
}

static int set_limits(const struct sk_confine *f)
{
	const struct {
		int resource;
		rlim_t limit;
	} limits[] = {
		{ RLIMIT_CORE, 0 },
		{ RLIMIT_NOFILE, f->fd_limit },
		/* Of the VM's own user, or in its user namespace; without one, the user's other processes count, too.
		 */
		{ RLIMIT_NPROC, f->process_limit },
		{ RLIMIT_MSGQUEUE, 0 },
		{ RLIMIT_DATA, f->data_limit },
		{ RLIMIT_FSIZE, f->file_limit },
		{ RLIMIT_AS, f->address_limit },
		/* Without a limit the host maps memory from the bottom up, where a guest's programs have theirs. */
		{ RLIMIT_STACK, 8u << 20 },
	};
	struct rlimit has, want;
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(limits); i++) {
		/* Never more than we have ourselves. */
		if (getrlimit((__rlimit_resource_t)limits[i].resource, &has) < 0)
			return -errno;
		want.rlim_cur = want.rlim_max = limits[i].limit < has.rlim_max ? limits[i].limit : has.rlim_max;
		if (setrlimit((__rlimit_resource_t)limits[i].resource, &want) < 0)
			return -errno;
	}
	return sk_no_new_privileges();
}

/* Without namespaces: the run directory, where the device sockets are, and root/ in it to write in. As root that is
 * another user's process: others are kept out by the directory above. */
static int stay_outside(const struct sk_confine *f)
{
	if (chdir(f->new_root) < 0)
		return -errno;
	if (f->uid_map[0])
		return chdir("..") < 0 ? -errno : 0;
	return chown(".", f->uid, (gid_t)-1) < 0 || chdir("..") < 0 || chmod(".", 0711) < 0 ? -errno : 0;
}

/* As root: become the VM's own user. The change takes all capabilities along. */
static int drop_identity(const struct sk_confine *f)
{
	if (f->uid_map[0]) {
		/* Root of a user namespace of somebody else's, without one of its own: no capabilities by its number.
		 */
		if (geteuid() == 0 && (prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED, 0, 0, 0) < 0 ||
				       sk_caps_keep(NULL, 0) < 0))
			return -errno;
		return 0;
	}
	if (geteuid() != 0)
		return 0;
	/* The raw calls: libc's signal every thread first, and this is a copy of a threaded process. */
	if (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, f->uid, f->uid, f->uid) < 0 ||
	    syscall(SYS_setresuid, f->uid, f->uid, f->uid) < 0)
		return -errno;
	return 0;
}

static int apply(void *arg)
{
	const struct sk_confine *f = arg;
	struct sk_landlock files = { .fd = -1 };
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
	} else {
		r = stay_outside(f);
		if (r < 0)
			return r;
	}
	/* While the paths can still be reached. */
	r = sk_confine_prepare_files(f, &files);
	if (r < 0 && (r != -EOPNOTSUPP || (!f->namespaces && f->sandbox < SK_CONFINEMENT_FILTER)))
		return r;
	if (f->no_randomize && personality(ADDR_NO_RANDOMIZE) < 0)
		return -errno;
	if (f->no_huge_pages)
		prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0); /* better but not needed */
	r = drop_identity(f);
	if (r == 0)
		r = set_limits(f);
	if (r == 0 && files.fd >= 0)
		r = sk_landlock_enter(&files);
	sk_landlock_fini(&files);
	if (r < 0)
		return r;
	if (f->filter && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, f->filter) < 0)
		return -errno;
	return 0;
}

int sk_confine_spawn(struct sk_confine *f, struct sk_spawn *s, struct sk_engine_process *ret, struct sk_error *err)
{
	s->die_with_parent = true;
	s->namespaces = namespaces_of(f);
	s->prepare = apply;
	s->prepare_arg = f;
	return sk_spawn(s, &ret->pid, &ret->pidfd, err);
}

/* The host refuses namespaces, or has too few of them. */
static bool refused(int r)
{
	return r == -EPERM || r == -ENOSPC || r == -EINVAL || r == -ENOSYS || r == -EACCES || r == -EUSERS;
}

int sk_confine_start(struct sk_confine *f,
		     int (*spawn)(void *arg, struct sk_confine *confine, struct sk_engine_process *ret,
				  struct sk_error *err),
		     void *arg, struct sk_engine_process *ret, struct sk_error *err)
{
	struct sk_error why = SK_ERROR_INIT;
	int r = spawn(arg, f, ret, &why);

	if (r == 0)
		return 0;
	if (!refused(r))
		return sk_error_set(err, -r, "%s", why.message);
	if (f->sandbox == SK_CONFINEMENT_NAMESPACES)
		return sk_error_set(
			err, -r,
			"this host gives a guest no namespaces of its own (%s), and it does not run without: `skerry "
			"doctor` says how to allow them; \"sandbox\": \"landlock\" in the configuration is less "
			"confinement (skerry(1))",
			strerror(-r));
	sk_log(SK_LOG_WARN,
	       "no namespaces for the guest (%s): it runs with less confinement, as the configuration allows",
	       strerror(-r));
	f->namespaces = false;
	r = spawn(arg, f, ret, err);
	if (r == -EOPNOTSUPP)
		return sk_error_set(
			err, -r,
			"this host has no Landlock, and gives a guest no namespaces of its own: \"sandbox\": "
			"\"filter\" in the configuration does without both (skerry(1))");
	return r;
}

/* --- filters --- */

/* User-mode Linux makes one such mapping when it starts, for a test of its own. */
#define SK_SHARED_MAX 8192u

/* Processes and threads, but no namespaces; clone3, whose flags no filter can see, is not there: the C library falls
 * back on clone. */
static int add_clone(scmp_filter_ctx ctx, bool allow)
{
	static const unsigned flags[] = { CLONE_NEWUSER, CLONE_NEWNS,  CLONE_NEWPID,   CLONE_NEWNET,
					  CLONE_NEWIPC,	 CLONE_NEWUTS, CLONE_NEWCGROUP };
	size_t i;
	int r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);

	if (allow)
		return r < 0 ? r : sk_filter_allow_threads(ctx);
	for (i = 0; r == 0 && i < SK_ARRAY_SIZE(flags); i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
				     SCMP_A0(SCMP_CMP_MASKED_EQ, flags[i], flags[i]));
	return r;
}

/* Memory that is shared and has no file counts for no limit. MAP_SHARED_VALIDATE has the bit of MAP_SHARED. */
static int add_mmap(scmp_filter_ctx ctx, bool allow)
{
	static const scmp_datum_t fine[] = { 0, MAP_SHARED, MAP_ANONYMOUS };
	const scmp_datum_t both = MAP_SHARED | MAP_ANONYMOUS;
	size_t i;
	int r = 0;

	if (!allow)
		return seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(mmap), 1,
					SCMP_A3(SCMP_CMP_MASKED_EQ, both, both));
	for (i = 0; r == 0 && i < SK_ARRAY_SIZE(fine); i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
				     SCMP_A3(SCMP_CMP_MASKED_EQ, both, fine[i]));
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2, SCMP_A1(SCMP_CMP_LE, SK_SHARED_MAX, 0),
				     SCMP_A3(SCMP_CMP_MASKED_EQ, both, both));
	return r;
}

int sk_filter_add_bounds(void *ctx, bool allow)
{
	int r = add_clone(ctx, allow);

	return r < 0 ? r : add_mmap(ctx, allow);
}

int sk_filter_export(void *ctx, struct sock_fprog **ret_filter)
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

void sk_filter_free(struct sock_fprog *filter)
{
	free(filter);
}
