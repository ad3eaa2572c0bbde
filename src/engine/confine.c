/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Confinement of an engine process, in named stages, applied in the child between clone and exec. Async-signal-safe
 * calls only.
 *
 *   placement   pinned to its CPU
 *   identity    user namespace with our own user (plain user), or a user of the VM's own (root)
 *   root        a private tmpfs with what was bound (the engine's program and the guest parts, read-only), vu/ (device
 *               sockets), dev/null, tmp/; nothing else of the host
 *   limits      no core files, bounded descriptors and memory, no new privileges
 *   filter      the engine's
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
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
#include "engine/engine_internal.h"

/* Users of VMs that root starts: one of their own each, far from any real account. */
#define SK_VM_UID_BASE 0x5b000000u
#define SK_VM_UID_INNER 1000u

/* --- in the parent --- */

int sk_confine_init(struct sk_confine *f, const struct sk_engine_config *c, uint64_t tmpfs_size, struct sk_error *err)
{
	uint32_t random;

	*f = (struct sk_confine){ .cpu = -1, .namespaces = true };
	snprintf(f->new_root, sizeof(f->new_root), "%s/root", c->run_dir);
	snprintf(f->tmpfs_options, sizeof(f->tmpfs_options), "size=%lluk,mode=0755",
		 (unsigned long long)(tmpfs_size / 1024));
	sk_random(&random, sizeof(random));
	if (geteuid() == 0 && sk_in_user_namespace()) {
		/* No user of its own to be had: one without rights, in one more namespace. */
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

static unsigned clone_flags(const struct sk_confine *f)
{
	unsigned flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;

	if (!f->namespaces)
		return 0;
	return f->uid_map[0] ? flags | CLONE_NEWUSER : flags;
}

bool sk_confine_refused(int r)
{
	return r == -EPERM || r == -ENOSPC || r == -EINVAL || r == -ENOSYS || r == -EACCES;
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

/* The folders that lead to `path`. */
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
	/* pivot_root(2) "new_root and put_old the same folder": the old root lies on top of the new one and is taken
	 * off. */
	if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return -errno;
	return 0;
}

static int set_limits(const struct sk_confine *f)
{
	static const struct rlimit none = { 0, 0 }, files = { 4096, 4096 };
	const struct rlimit data = { f->data_limit, f->data_limit };

	if (setrlimit(RLIMIT_CORE, &none) < 0 || setrlimit(RLIMIT_NOFILE, &files) < 0 ||
	    (f->data_limit && setrlimit(RLIMIT_DATA, &data) < 0))
		return -errno;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

/* As root: become the VM's own user. The change takes all capabilities along. */
static int drop_identity(const struct sk_confine *f)
{
	if (geteuid() != 0 || f->uid_map[0])
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
	if (f->no_randomize && personality(ADDR_NO_RANDOMIZE) < 0)
		return -errno;
	if (f->no_huge_pages)
		prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0); /* better but not needed */
	r = drop_identity(f);
	if (r == 0)
		r = set_limits(f);
	if (r < 0)
		return r;
	if (f->filter && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, f->filter) < 0)
		return -errno;
	return 0;
}

int sk_confine_spawn(struct sk_confine *f, struct sk_spawn *s, struct sk_engine_process *ret, struct sk_error *err)
{
	s->die_with_parent = true;
	s->clone_flags = clone_flags(f);
	s->prepare = apply;
	s->prepare_arg = f;
	return sk_spawn(s, &ret->pid, &ret->pidfd, err);
}

/* --- filters --- */

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
