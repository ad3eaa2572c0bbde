/* SPDX-License-Identifier: Apache-2.0 */
/* Removes the directory of a container, in one step, and what such removals have left. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "vm/vm.h"

#define SK_REMOVE_TRIES 2000 /* 5 ms each */
#define SK_VM_JSON_MAX (16u << 20)

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
	r = rename(dir, tomb);
	/* Some systems move no directory in which a file is open: then the lock has to go first. */
	if (r < 0 && (errno == EACCES || errno == EPERM || errno == EBUSY)) {
		sk_close_fd(&fd);
		r = rename(dir, tomb);
	}
	if (r < 0)
		return sk_error_errno(err, errno, "cannot remove container %.12s", id);
	sk_close_fd(&fd); /* and keep one that is open in its place when it is removed */
	sk_fs_remove_tree(AT_FDCWD, run);
	r = sk_fs_remove_tree(AT_FDCWD, tomb);
	return r < 0 ? sk_error_errno(err, r, "cannot delete all files of container %.12s in %s", id, tomb) : 0;
}

static json_t *own_volumes(const struct sk_paths *paths, const char *id)
{
	_cleanup_free_ char *file = sk_asprintf("%s/containers/%s/vm.json", paths->root, id), *text = NULL;
	json_t *vm = NULL, *volumes;
	size_t len;

	if (file && sk_fs_read(AT_FDCWD, file, SK_VM_JSON_MAX, &text, &len) == 0)
		vm = json_loadb(text, len, 0, NULL);
	volumes = json_incref(json_object_get(vm, "volumes"));
	json_decref(vm);
	return volumes;
}

/* Removes an anonymous volume, unless another container was given it by name: it has the mark SK_VOLUME_NAMED then. */
static void remove_volume(const struct sk_paths *paths, const char *name)
{
	_cleanup_free_ char *dir = sk_asprintf("%s/volumes/%s", paths->root, name);
	_cleanup_free_ char *mark = sk_asprintf("%s/volumes/%s/" SK_VOLUME_NAMED, paths->root, name);
	_cleanup_free_ char *tomb = sk_asprintf("%s/tmp/removed-volume-%s", paths->root, name);

	if (!*name || strchr(name, '/') || !dir || !mark || !tomb || access(mark, F_OK) == 0)
		return;
	if (rename(dir, tomb) == 0)
		sk_event_append(paths, "volume", "destroy", name, NULL);
}

int sk_vm_discard(const struct sk_paths *paths, const char *id)
{
	_cleanup_free_ char *dir = sk_asprintf("%s/containers/%s", paths->root, id);
	_cleanup_free_ char *tomb = sk_asprintf("%s/tmp/removed-%s", paths->root, id);
	json_t *volumes = own_volumes(paths, id);
	int r = !dir || !tomb ? -ENOMEM : rename(dir, tomb) < 0 ? -errno : 0;
	size_t i;

	for (i = 0; r == 0 && i < json_array_size(volumes); i++)
		if (json_is_string(json_array_get(volumes, i)))
			remove_volume(paths, json_string_value(json_array_get(volumes, i)));
	json_decref(volumes);
	return r;
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
