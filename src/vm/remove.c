/* SPDX-License-Identifier: Apache-2.0 */
/* Removes the directory of a container, in one step, and what such removals have left. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "vm/vm.h"

#define SK_REMOVE_TRIES 2000 /* 5 ms each */

/* A monitor that only shuts down after a copy, or is about to end, is waited for. */
static int lock_idle(const struct sk_paths *paths, const char *id, int fd)
{
	int i, r = 0;

	for (i = 0; i < SK_REMOVE_TRIES; i++) {
		json_t *state = NULL;
		bool alive = false;

		r = sk_fs_lock(fd, true, false);
		if (r != -EWOULDBLOCK)
			return r;
		if (sk_vm_state_load(paths, id, &state, NULL) == 0) {
			alive = sk_vm_state_is_alive(state);
			json_decref(state);
		}
		if (alive)
			return r;
		usleep(5000);
	}
	return r;
}

int sk_vm_remove(const struct sk_paths *paths, const char *id, struct sk_error *err)
{
	_cleanup_free_ char *dir = sk_asprintf("%s/containers/%s", paths->root, id),
			    *tomb = sk_asprintf("%s/tmp/removed-%s", paths->root, id);
	_cleanup_free_ char *lock = sk_asprintf("%s/containers/%s/lock", paths->root, id),
			    *run = sk_asprintf("%s/%s", paths->run, id);
	_cleanup_fd_ int fd = -1;
	int r;

	if (!dir || !tomb || !lock || !run)
		return sk_error_errno(err, ENOMEM, "cannot remove container %.12s", id);
	fd = open(lock, O_RDWR | O_CLOEXEC | O_CREAT | O_NOFOLLOW, 0600);
	if (fd < 0 && errno != EISDIR && errno != ELOOP && errno != ENXIO) /* no file that anybody could have locked */
		return sk_error_errno(err, errno, "cannot remove container %.12s", id);
	if (fd >= 0 && lock_idle(paths, id, fd) < 0)
		return sk_error_set(err, EBUSY, "cannot remove container %.12s: its monitor is running", id);
	if (rename(dir, tomb) < 0)
		return sk_error_errno(err, errno, "cannot remove container %.12s", id);
	sk_fs_remove_tree(AT_FDCWD, run);
	r = sk_fs_remove_tree(AT_FDCWD, tomb);
	return r < 0 ? sk_error_errno(err, r, "cannot delete all files of container %.12s in %s", id, tomb) : 0;
}

void sk_vm_sweep(const struct sk_paths *paths)
{
	_cleanup_free_ char *path = sk_asprintf("%s/tmp", paths->root);
	_cleanup_closedir_ DIR *dir = path ? opendir(path) : NULL;
	struct dirent *de;

	while (dir && (de = readdir(dir)))
		if (strncmp(de->d_name, "removed-", 8) == 0)
			sk_fs_remove_tree(dirfd(dir), de->d_name);
}
