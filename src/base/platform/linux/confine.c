/* SPDX-License-Identifier: Apache-2.0 */
/* Capabilities and Landlock. Raw system calls: also for a child between clone and exec. */
#include "base/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

static bool is_kept(const int *keep, size_t n, int cap)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (keep[i] == cap)
			return true;
	return false;
}

int sk_caps_keep(const int *keep, size_t n)
{
	struct __user_cap_header_struct version = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };
	int cap;

	for (cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
		if (is_kept(keep, n, cap)) {
			data[cap / 32].permitted |= 1u << cap % 32;
			data[cap / 32].effective |= 1u << cap % 32;
		} else if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno != EPERM) {
			return -errno;
		}
	}
	return syscall(SYS_capset, &version, data) < 0 ? -errno : 0;
}

int sk_no_new_privileges(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

/* --- Landlock */

#define NET_TCP 3ULL /* bind and connect: Linux 6.7 */
#define SCOPES 3ULL  /* abstract unix sockets and signals: Linux 6.12 */
#define OF_FILE                                                                                      \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_EXECUTE | \
	 LANDLOCK_ACCESS_FS_TRUNCATE | LANDLOCK_ACCESS_FS_IOCTL_DEV)

struct ruleset {
	uint64_t fs, net, scoped;
};

int sk_landlock_new(enum sk_landlock_scope scope, struct sk_landlock *ret)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct ruleset attr = { .fs = LANDLOCK_ACCESS_FS_REFER * 2 - 1 };
	size_t size = abi >= 6 ? sizeof(attr) : abi >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t);

	*ret = (struct sk_landlock){ .fd = -1 };
	if (abi < 2)
		return -EOPNOTSUPP;
	if (abi >= 3)
		attr.fs |= LANDLOCK_ACCESS_FS_TRUNCATE;
	if (abi >= 5)
		attr.fs |= LANDLOCK_ACCESS_FS_IOCTL_DEV;
	if (scope == SK_LANDLOCK_NETWORK) {
		attr.net = NET_TCP;
		attr.scoped = SCOPES;
	}
	ret->all = attr.fs;
	ret->fd = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	return ret->fd < 0 ? -errno : 0;
}

int sk_landlock_allow(const struct sk_landlock *l, int fd, uint64_t access)
{
	struct landlock_path_beneath_attr attr = { .allowed_access = access & l->all, .parent_fd = fd };
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		attr.allowed_access &= OF_FILE;
	return syscall(SYS_landlock_add_rule, l->fd, LANDLOCK_RULE_PATH_BENEATH, &attr, 0) < 0 ? -errno : 0;
}

int sk_landlock_allow_path(const struct sk_landlock *l, const char *path, uint64_t access)
{
	_cleanup_fd_ int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	return sk_landlock_allow(l, fd, access);
}

int sk_landlock_enter(struct sk_landlock *l)
{
	return syscall(SYS_landlock_restrict_self, l->fd, 0) < 0 ? -errno : 0;
}

void sk_landlock_fini(struct sk_landlock *l)
{
	sk_close_fd(&l->fd);
}
