/* SPDX-License-Identifier: Apache-2.0 */
/* Removes a container: its VM first, then its directory and its anonymous volumes. */
#include "model/remove.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "model/jx.h"
#include "model/volume.h"
#include "vm/vm.h"

/* Kills the container's VM and waits until its monitor has written the state: a second connection ends with it. */
static int kill_and_wait(const struct sk_paths *paths, const char *id, struct sk_error *err)
{
	const struct sk_msg stop = { .op = SK_REQUEST_STOP, .stop = { .signal = 9, .has_timeout = true } };
	int r = sk_vm_call_to_end(paths, id, &stop, err);

	if (r < 0)
		*err = (struct sk_error)SK_ERROR_INIT;
	/* -ENOENT and -ECONNRESET: the monitor has ended. Otherwise it does not answer, or not sensibly: end the
	 * process. */
	return r < 0 && r != -ENOENT && r != -ECONNRESET ? sk_vm_end(paths, id, err) : 0;
}

int sk_remove_container(const struct sk_paths *paths, const struct sk_container *c, bool force, struct sk_error *err)
{
	_cleanup_json_ json_t *attributes = NULL;
	_cleanup_free_ char *dir = NULL;
	bool auto_remove;
	int r = 0;

	if (sk_container_is_alive(c)) {
		if (!force)
			return sk_error_set(err, EBUSY,
					    "cannot remove container \"%s\": container is %s: stop the container "
					    "before removing or force remove",
					    sk_container_name(c), sk_container_status(c));
		r = kill_and_wait(paths, c->id, err);
		if (r < 0)
			return sk_error_wrap(err, "cannot remove container \"%s\"", sk_container_name(c));
	}
	/* A container with --rm may have been removed meanwhile, or is being removed. */
	auto_remove = sk_jx_get_bool(c->config, "HostConfig.AutoRemove", false);
	dir = sk_xasprintf("%s/containers/%s", paths->root, c->id);
	if (auto_remove && access(dir, F_OK) < 0)
		return 0;
	r = sk_vm_remove(paths, c->id, err);
	if (r == -EBUSY && force) {
		/* Whatever its state says, something holds its lock. */
		*err = (struct sk_error)SK_ERROR_INIT;
		r = sk_vm_end(paths, c->id, err);
		if (r == 0)
			r = sk_vm_remove(paths, c->id, err);
	}
	if (r == -ENOENT && auto_remove) {
		*err = (struct sk_error)SK_ERROR_INIT;
		return 0;
	}
	if (r < 0)
		return r;
	attributes = sk_container_attributes(c);
	sk_event_append(paths, "container", "destroy", c->id, attributes);
	return 0;
}

void sk_remove_anonymous_volumes(const struct sk_paths *paths, const json_t *config)
{
	json_t *m;
	size_t i;

	json_array_foreach(json_object_get(config, "Mounts"), i, m)
	{
		const char *name = sk_jx_get_str(m, "Name", NULL);
		_cleanup_json_ json_t *volume = NULL;
		struct sk_error ignored = SK_ERROR_INIT;

		if (name && strcmp(sk_jx_get_str(m, "Type", ""), "volume") == 0 &&
		    sk_volume_load(paths, name, &volume, &ignored) == 0 && sk_volume_is_anonymous(volume))
			sk_volume_remove(paths, name, &ignored);
	}
}

bool sk_image_in_use(void *arg, const char *id)
{
	const struct sk_containers *list = arg;
	size_t i;

	for (i = 0; i < list->n; i++)
		if (strcmp(sk_jx_get_str(list->v[i].config, "Image", ""), id) == 0)
			return true;
	return false;
}

uint64_t sk_container_disk_usage(const struct sk_paths *paths, const char *id)
{
	static const char *const directories[] = { "", "/log" };
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(directories); i++) {
		_cleanup_free_ char *path = sk_xasprintf("%s/containers/%s%s", paths->root, id, directories[i]);
		_cleanup_closedir_ DIR *dir = opendir(path);
		struct dirent *de;
		struct stat st;

		while (dir && (de = readdir(dir)))
			if (fstatat(dirfd(dir), de->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
				sum += (uint64_t)st.st_blocks * 512;
	}
	return sum;
}
