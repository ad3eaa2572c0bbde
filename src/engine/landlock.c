/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The second wall around an engine process, in the child between clone and exec: Landlock, where the host has it (Linux
 * 5.19; TCP since 6.7; abstract unix sockets and signals since 6.12).
 *
 * Behind namespaces it forbids nothing that an engine could reach; it is there for the day on which the namespaces, the
 * filter or the capabilities fail. Without namespaces it is what hides the user's files. It does not know sockets that
 * have a path. Async-signal-safe calls only.
 */
#include <linux/landlock.h>

#include "base/cleanup.h"
#include "base/confine.h"
#include "engine/engine_internal.h"

#define READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_EXECUTE)
#define DEVICE (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_IOCTL_DEV)
#define SCRATCH                                                                                             \
	(READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE | LANDLOCK_ACCESS_FS_MAKE_REG | \
	 LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |        \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR)
#define MEMORY                                                                                        \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE | \
	 LANDLOCK_ACCESS_FS_IOCTL_DEV)

/* In the root of its own. */
static int allow_inside(const struct sk_landlock *files)
{
	static const char *const devices[] = { "/dev/null", "/dev/kvm" };
	size_t i;
	int r = sk_landlock_allow_path(files, "/", READ);

	if (r == 0)
		r = sk_landlock_allow_path(files, "/tmp", SCRATCH);
	if (r == 0)
		r = sk_landlock_allow_path(files, SK_QEMU_MEMORY_FILE, MEMORY);
	for (i = 0; r == 0 && i < SK_ARRAY_SIZE(devices); i++)
		r = sk_landlock_allow_path(files, devices[i], DEVICE);
	return r;
}

/* In the host's file system. */
static int allow_outside(const struct sk_confine *f, const struct sk_landlock *files)
{
	size_t i;
	int r = sk_landlock_allow_path(files, f->new_root, SCRATCH);

	if (r == 0 && f->memory_dir[0])
		r = sk_landlock_allow_path(files, f->memory_dir, SCRATCH);
	if (r == 0 && f->device)
		r = sk_landlock_allow_path(files, f->device, DEVICE);
	if (r == 0)
		r = sk_landlock_allow_path(files, "/dev/null", DEVICE);
	for (i = 0; r == 0 && i < f->n_binds; i++)
		r = sk_landlock_allow_path(files, f->binds[i].from, READ);
	return r;
}

int sk_confine_prepare_files(const struct sk_confine *f, struct sk_landlock *ret)
{
	int r = sk_landlock_new(SK_LANDLOCK_NETWORK, ret);

	if (r == 0)
		r = f->namespaces ? allow_inside(ret) : allow_outside(f, ret);
	if (r < 0)
		sk_landlock_fini(ret);
	return r;
}
