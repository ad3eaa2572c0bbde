/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a monitor that does not answer: of its own, because it was stopped or has a fault, or because a guest has
 * taken it over.
 *
 * Which process that is cannot be read in a file that the monitor writes: it could name any process of the user's. The
 * kernel knows who holds the container's lock: an open file description with a flock shows it in /proc/<pid>/fdinfo,
 * also after the description was handed on to the monitor of the next life (what /proc/locks names is the one that took
 * it). Each such process is checked and killed through a pidfd. A monitor could give the description away over a
 * socket, so only our own programs are ended.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/loop.h"
#include "vm/vm.h"

#define SK_END_WAIT_MS 10000u
#define SK_FDINFO_MAX 65536u

static bool is_ours(int proc)
{
	char exe[4096];
	ssize_t n = readlinkat(proc, "exe", exe, sizeof(exe) - 1);
	const char *name;

	if (n <= 0)
		return false;
	exe[n] = '\0';
	name = strrchr(exe, '/');
	return name && strncmp(name, "/skerry-", 8) == 0;
}

/* Whether descriptor `name` of the process is the locked file, and locked through it. */
static bool holds_by(int proc, int fds, const char *name, const struct stat *lock)
{
	_cleanup_free_ char *info = NULL;
	struct stat st;
	char path[300];

	if (fstatat(fds, name, &st, 0) < 0 || st.st_dev != lock->st_dev || st.st_ino != lock->st_ino)
		return false;
	snprintf(path, sizeof(path), "fdinfo/%s", name);
	return sk_fs_read(proc, path, SK_FDINFO_MAX, &info, NULL) == 0 && strstr(info, "FLOCK") != NULL;
}

static bool holds(int proc, const struct stat *lock)
{
	int fds = openat(proc, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fds < 0 ? NULL : fdopendir(fds);
	struct dirent *de;

	if (!dir) {
		sk_close_fd(&fds);
		return false;
	}
	while ((de = readdir(dir)))
		if (de->d_name[0] != '.' && holds_by(proc, fds, de->d_name, lock))
			return true;
	return false;
}

/* How many holders of the lock were sent SIGKILL. */
static unsigned kill_holders(const struct stat *lock)
{
	_cleanup_closedir_ DIR *dir = opendir("/proc");
	struct dirent *de;
	unsigned n = 0;

	while (dir && (de = readdir(dir))) {
		_cleanup_fd_ int pidfd = -1, proc = -1;
		pid_t pid = (pid_t)atoi(de->d_name);

		if (pid <= 1 || pid == getpid())
			continue;
		/* Open the pidfd before looking at what the process holds: if the pid is reused in between, the
		 * signal goes nowhere. */
		pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
		proc = openat(dirfd(dir), de->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (pidfd >= 0 && proc >= 0 && is_ours(proc) && holds(proc, lock) &&
		    syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) == 0)
			n++;
	}
	return n;
}

int sk_vm_end_holders(const char *path, struct sk_error *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno == ENOENT ? 0 : sk_error_errno(err, errno, "cannot end what uses %s", path);
	kill_holders(&st);
	return 0;
}

int sk_vm_end(const struct sk_paths *paths, const char *id, struct sk_error *err)
{
	_cleanup_free_ char *path = sk_asprintf("%s/containers/%s/lock", paths->root, id);
	_cleanup_fd_ int fd = path ? open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW) : -1;
	uint64_t deadline = sk_now_ms() + SK_END_WAIT_MS;
	struct stat st;

	if (fd < 0 && (errno == ENOENT || errno == EISDIR || errno == ELOOP || errno == ENXIO))
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return sk_error_errno(err, errno, "cannot end the monitor of container %.12s", id);
	while (sk_fs_lock(fd, true, false) < 0) {
		if (sk_now_ms() > deadline)
			return sk_error_set(err, EBUSY,
					    "cannot end the monitor of container %.12s: the process that holds %s does "
					    "not go",
					    id, path);
		kill_holders(&st);
		usleep(20000);
	}
	return 0;
}
