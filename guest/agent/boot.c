/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first milliseconds of the guest. The root is the initramfs, which the kernel does not let anyone pivot away from;
 * so it is bound over itself and the copy becomes the root: container runtimes can pivot_root() from there. The copy is
 * read-only, which also spares crun from re-executing a private copy of itself at every start (it protects its own
 * binary from the container; here nobody can write it).
 */
#include "boot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/log.h"
#include "cgroup.h"

#define CONSOLE_LEVEL 8		   /* syslog(2): SYSLOG_ACTION_CONSOLE_LEVEL */
#define BOOT_FILES (1024u * 1024u) /* fs.nr_open */
#define BOOT_SIGNALS (128u * 1024u)
#define CGROUP2_MAGIC 0x63677270

static void mount_or_log(const char *type, const char *target, unsigned long flags, const char *options)
{
	if (mount(type, target, type, flags, options) < 0 && errno != EBUSY)
		sk_log(SK_LOG_ERROR, "cannot mount %s at %s: %s", type, target, strerror(errno));
}

void sk_boot_early(void)
{
	const struct rlimit files = { BOOT_FILES, BOOT_FILES }, unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	const struct rlimit signals = { BOOT_SIGNALS, BOOT_SIGNALS };
	int i, fd;

	/* The kernel opens the initramfs's /dev/console as descriptors 0 to 2. Without a console they must be open
	 * all the same. */
	for (i = 0; i < 3; i++)
		if (fcntl(i, F_GETFD) < 0) {
			fd = open("/", O_PATH);
			if (fd >= 0 && fd != i)
				dup2(fd, i);
		}
	klogctl(CONSOLE_LEVEL, NULL, 4);
	/* The rlimits that docker gives containers by default. */
	setrlimit(RLIMIT_NOFILE, &files);
	setrlimit(RLIMIT_NPROC, &unlimited);
	setrlimit(RLIMIT_SIGPENDING, &signals);
}

static void move_root(void)
{
	if (mount("/", "/mnt", NULL, MS_BIND, NULL) < 0 ||
	    mount(NULL, "/mnt", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) < 0 || chdir("/mnt") < 0 ||
	    mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0)
		sk_log(SK_LOG_ERROR, "cannot bind the root: %s", strerror(errno));
}

void sk_boot_mounts(void)
{
	move_root();
	mount_or_log("devtmpfs", "/dev", MS_NOSUID, "mode=755");
	mount_or_log("proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	mount_or_log("sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	mount_or_log("cgroup2", SK_CGROUP_ROOT, MS_NOSUID | MS_NODEV | MS_NOEXEC, "nsdelegate");
	mount_or_log("tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=755");
	mount_or_log("tmpfs", "/tmp", MS_NOSUID | MS_NODEV, "mode=1777");
	mkdir("/dev/pts", 0755);
	mkdir("/dev/shm", 01777);
	mount_or_log("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5");
	mount_or_log("tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777");
	if (symlink("/proc/self/fd", "/dev/fd") < 0 && errno != EEXIST)
		sk_log(SK_LOG_ERROR, "cannot make /dev/fd: %s", strerror(errno));
	mkdir("/run/skerry", 0711);
}

/*
 * Linux derives these from the memory it finds, which here is the VM's. On the host whose place the VM takes they are
 * out of sight, and what bounds a container is its control group. So with memory: a container is promised what it asks
 * for, and one that uses more than it has ends by the OOM killer, not by a refusal that programs do not expect.
 */
void sk_boot_parameters(void)
{
	static const char *const parameters[][2] = {
		{ "vm/overcommit_memory", "1" },
		{ "vm/max_map_count", "1048576" },
		{ "fs/file-max", "9223372036854775807" },
		{ "fs/nr_open", "1073741816" },
		{ "fs/inotify/max_user_watches", "1048576" },
		{ "kernel/threads-max", "1048576" },
		{ "kernel/pid_max", "4194304" },
	};
	char path[64];
	size_t i;

	for (i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++) {
		_cleanup_fd_ int fd = -1;

		snprintf(path, sizeof(path), "/proc/sys/%s", parameters[i][0]);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0 || sk_fs_write_all(fd, parameters[i][1], strlen(parameters[i][1])) < 0)
			sk_log(SK_LOG_ERROR, "cannot set %s: %s", path, strerror(errno));
	}
}

bool sk_boot_cgroups(void)
{
	_cleanup_free_ char *controllers = NULL;
	char *word, *rest, enable[64];
	struct statfs fs;

	if (statfs(SK_CGROUP_ROOT, &fs) < 0 || fs.f_type != CGROUP2_MAGIC)
		return false;
	if (sk_fs_read(AT_FDCWD, SK_CGROUP_ROOT "/cgroup.controllers", 4096, &controllers, NULL) < 0)
		return true;
	for (rest = controllers; (word = strsep(&rest, " \n"));) {
		if (!*word)
			continue;
		snprintf(enable, sizeof(enable), "+%s", word);
		if (sk_cgroup_write(".", "cgroup.subtree_control", enable) < 0)
			sk_log(SK_LOG_ERROR, "cannot hand down control group controller %s", word);
	}
	return true;
}
