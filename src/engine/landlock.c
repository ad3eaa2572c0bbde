/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The second wall around an engine process, in the child between clone and exec: Landlock, where the host has it (Linux
 * 5.19; TCP since 6.7; abstract unix sockets and signals since 6.12).
 *
 * Behind namespaces it forbids nothing that an engine could reach; it is there for the day on which the namespaces, the
 * filter or the capabilities fail. Without namespaces it is what hides the user's files. It does not know sockets that
 * have a path. Async-signal-safe calls only.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "engine/engine_internal.h"

/* From newer headers (Linux 5.19, 6.2, 6.10, 6.7, 6.12). */
#define FS_REFER (1ULL << 13)
#define FS_TRUNCATE (1ULL << 14)
#define FS_IOCTL_DEV (1ULL << 15)
#define NET_TCP 3ULL /* bind and connect */
#define SCOPES 3ULL  /* abstract unix sockets and signals */

struct ruleset_attr {
	uint64_t fs, net, scoped;
};

#define READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_EXECUTE)
#define DEVICE (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | FS_IOCTL_DEV)
#define SCRATCH                                                                                      \
	(READ | LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE | LANDLOCK_ACCESS_FS_MAKE_REG |          \
	 LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR)
#define OF_FILE                                                                                                    \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_EXECUTE | FS_TRUNCATE | \
	 FS_IOCTL_DEV)

static uint64_t handled(long abi)
{
	uint64_t fs = FS_REFER * 2 - 1;

	if (abi >= 3)
		fs |= FS_TRUNCATE;
	return abi >= 5 ? fs | FS_IOCTL_DEV : fs;
}

/* A path that does not exist needs no rule. */
static int allow(int ruleset, uint64_t all, const char *path, uint64_t access)
{
	_cleanup_fd_ int fd = open(path, O_PATH | O_CLOEXEC);
	struct landlock_path_beneath_attr attr = { .allowed_access = access & all, .parent_fd = fd };
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		attr.allowed_access &= OF_FILE;
	return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &attr, 0) < 0 ? -errno : 0;
}

/* In the root of its own. */
static int allow_inside(int ruleset, uint64_t all)
{
	static const char *const devices[] = { "/dev/null", "/dev/kvm" };
	size_t i;
	int r = allow(ruleset, all, "/", READ);

	if (r == 0)
		r = allow(ruleset, all, "/tmp", SCRATCH);
	if (r == 0)
		r = allow(ruleset, all, SK_QEMU_MEMORY_FILE, OF_FILE & ~LANDLOCK_ACCESS_FS_EXECUTE);
	for (i = 0; r == 0 && i < SK_ARRAY_SIZE(devices); i++)
		r = allow(ruleset, all, devices[i], DEVICE);
	return r;
}

/* In the host's file system. */
static int allow_outside(const struct sk_confine *f, int ruleset, uint64_t all)
{
	size_t i;
	int r = allow(ruleset, all, f->new_root, SCRATCH);

	if (r == 0 && f->memory_dir[0])
		r = allow(ruleset, all, f->memory_dir, SCRATCH);
	if (r == 0 && f->device)
		r = allow(ruleset, all, f->device, DEVICE);
	if (r == 0)
		r = allow(ruleset, all, "/dev/null", DEVICE);
	for (i = 0; r == 0 && i < f->n_binds; i++)
		r = allow(ruleset, all, f->binds[i].from, READ);
	return r;
}

int sk_landlock_prepare(const struct sk_confine *f, int *ret_ruleset)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct ruleset_attr attr = { .fs = handled(abi), .net = NET_TCP, .scoped = SCOPES };
	size_t size = abi >= 6 ? sizeof(attr) : abi >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
	int ruleset, r;

	if (abi < 2)
		return -EOPNOTSUPP; /* none, or one that lets files be moved */
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (ruleset < 0)
		return -errno;
	r = f->namespaces ? allow_inside(ruleset, attr.fs) : allow_outside(f, ruleset, attr.fs);
	if (r < 0)
		close(ruleset);
	else
		*ret_ruleset = ruleset;
	return r;
}

int sk_landlock_enter(int ruleset)
{
	int r = syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? -errno : 0;

	close(ruleset);
	return r;
}
