/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data disk of a machine: ext4 on a virtio disk of its own, which outlives the machine's root. It is checked at
 * each start (a clean one within milliseconds, after a power cut the journal is replayed), its file system is made as
 * large as the disk, and freed blocks are discarded, so that the host's file shrinks. An empty disk gets a file system;
 * anything else that is not ext4 is left alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/loop.h"
#include "disks.h"
#include "ext4.h"
#include "machine.h"

#define PROBE_BYTES (64u * 1024)
#define PROBE_MIN 2048u /* less is no disk */
#define MACHINE_DISK_WAIT_MS 2000u
#define MACHINE_NODE "/run/engine/data" /* a device node of ours: the container's /dev need not have one */
#define E2FSCK_BAD 4			/* "File system errors left uncorrected", and all above it (e2fsck(8)) */

enum sk_machine_fs sk_machine_probe(const void *head, size_t len, uint64_t *ret_bytes)
{
	const uint8_t *p = head;
	size_t i;

	if (sk_ext4_probe(head, len, ret_bytes))
		return SK_MACHINE_FS_EXT4;
	if (len < PROBE_MIN)
		return SK_MACHINE_FS_OTHER;
	for (i = 0; i < len; i++)
		if (p[i])
			return SK_MACHINE_FS_OTHER;
	return SK_MACHINE_FS_NONE;
}

int sk_machine_run(const char *const *argv)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		dup2(STDERR_FILENO, STDOUT_FILENO);
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int make_node(const char *name, struct sk_error *err)
{
	_cleanup_free_ char *text = NULL;
	char path[128];
	unsigned major, minor;
	int r;

	snprintf(path, sizeof(path), "/sys/class/block/%s/dev", name);
	r = sk_fs_read(AT_FDCWD, path, 64, &text, NULL);
	if (r < 0 || sscanf(text, "%u:%u", &major, &minor) != 2)
		return sk_error_errno(err, r < 0 ? r : EIO, "cannot find the number of disk %s", name);
	if (mknod(MACHINE_NODE, S_IFBLK | 0600, makedev(major, minor)) < 0 && errno != EEXIST)
		return sk_error_errno(err, errno, "cannot make a node for disk %s", name);
	return 0;
}

/* The path of the disk's device. */
static int find_disk(const char *data, char *path, size_t size, struct sk_error *err)
{
	const struct timespec pause = { .tv_nsec = 5000000 };
	uint64_t end = sk_now_ms() + MACHINE_DISK_WAIT_MS;
	char name[SK_DISK_NAME_MAX];

	snprintf(path, size, "%s", data);
	if (strncmp(data, "serial:", 7) != 0)
		return 0;
	while (sk_disk_by_serial(data + 7, name) < 0) {
		if (sk_now_ms() > end)
			return sk_error_set(err, ENODEV, "the machine has no disk with the serial number %s", data + 7);
		nanosleep(&pause, NULL);
	}
	snprintf(path, size, "%s", MACHINE_NODE);
	return make_node(name, err);
}

static int probe(const char *device, enum sk_machine_fs *ret_fs, bool *ret_larger, struct sk_error *err)
{
	_cleanup_fd_ int fd = open(device, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *head = malloc(PROBE_BYTES);
	uint64_t disk = 0, fs = 0;
	ssize_t n;

	if (fd < 0)
		return sk_error_errno(err, errno, "cannot open the data disk");
	n = head ? pread(fd, head, PROBE_BYTES, 0) : -1;
	if (n < 0)
		return sk_error_errno(err, head ? errno : ENOMEM, "cannot read the data disk");
	*ret_fs = sk_machine_probe(head, (size_t)n, &fs);
	/* Less than 16 MiB more are no reason: resize2fs would leave them anyway when they make no group. */
	*ret_larger = ioctl(fd, BLKGETSIZE64, &disk) == 0 && fs && disk > fs && disk - fs >= UINT64_C(16) << 20;
	return 0;
}

static int format(const char *device, struct sk_error *err)
{
	const char *const argv[] = { "mke2fs", "-q", "-t", "ext4", "-m", "1", "-E", "nodiscard", device, NULL };
	int r = sk_machine_run(argv);

	if (r != 0)
		return sk_error_set(err, EIO, "cannot make a file system on the data disk (mke2fs: %d)", r);
	return 0;
}

static int check(const char *device, struct sk_error *err)
{
	const char *const argv[] = { "e2fsck", "-p", device, NULL };
	int r = sk_machine_run(argv);

	if (r == 127)
		return sk_error_set(err, ENOENT, "the engine image has no e2fsck: the data disk cannot be checked");
	if (r < 0 || r >= E2FSCK_BAD)
		return sk_error_set(err, EIO,
				    "the data disk has errors that e2fsck does not mend by itself (code %d): what it "
				    "said is above; run e2fsck -f on a copy of the disk's file",
				    r);
	return 0;
}

static int mount_device(const char *data, struct sk_error *err)
{
	enum sk_machine_fs fs = SK_MACHINE_FS_OTHER;
	char device[128];
	bool larger = false;
	int r = find_disk(data, device, sizeof(device), err);

	if (r == 0)
		r = probe(device, &fs, &larger, err);
	if (r < 0)
		return r;
	if (fs == SK_MACHINE_FS_OTHER)
		return sk_error_set(err, EINVAL, "the data disk is neither empty nor ext4: it is left as it is");
	r = fs == SK_MACHINE_FS_NONE ? format(device, err) : check(device, err);
	if (r < 0)
		return r;
	if (mount(device, SK_MACHINE_DISK, "ext4", MS_NOATIME, "discard") < 0)
		return sk_error_errno(err, errno, "cannot mount the data disk");
	if (fs == SK_MACHINE_FS_EXT4 && larger) {
		const char *const argv[] = { "resize2fs", device, NULL };

		r = sk_machine_run(argv);
		if (r != 0)
			fprintf(stderr, "skerry-machine: the data disk keeps its size (resize2fs: %d)\n", r);
	}
	return 0;
}

int sk_machine_disk_mount(const char *data, struct sk_error *err)
{
	if (strcmp(data, "tmpfs") != 0)
		return mount_device(data, err);
	if (mount("tmpfs", SK_MACHINE_DISK, "tmpfs", MS_NOATIME, "mode=755") < 0)
		return sk_error_errno(err, errno, "cannot mount a tmpfs for data");
	return 0;
}

void sk_machine_disk_unmount(const struct sk_machine_engine *engine)
{
	const struct sk_machine_place *place;
	_cleanup_fd_ int fd = open(SK_MACHINE_DISK, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		syncfs(fd);
	sk_close_fd(&fd);
	for (place = engine->places; place->path; place++)
		if (place->from)
			umount2(place->path, MNT_DETACH);
	/* What a killed container still holds goes with it; its file system is clean once nobody does. */
	if (umount2(SK_MACHINE_DISK, 0) < 0)
		umount2(SK_MACHINE_DISK, MNT_DETACH);
}
