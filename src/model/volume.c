/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes: a directory each below volumes/, with _data and volume.json, which has the form of docker volume inspect. */
#include "model/volume.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/id.h"
#include "model/container.h"
#include "model/jx.h"
#include "vm/vm.h"

#define VOLUME_JSON_MAX (1u << 20)
#define ANONYMOUS_LABEL "com.docker.volume.anonymous"

static int check_name(const char *name, struct sk_error *err)
{
	if (!sk_is_docker_name(name))
		return sk_error_set(err, EINVAL,
				    "\"%s\" includes invalid characters for a local volume name, only "
				    "\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. "
				    "If you intended to pass a host directory, use absolute path",
				    name);
	return 0;
}

char *sk_volume_random_name(void)
{
	char *name = sk_xcalloc(SK_ID_LEN + 1, 1);

	sk_random_hex(name, SK_ID_LEN / 2);
	return name;
}

bool sk_volume_is_anonymous(const json_t *volume)
{
	return json_object_get(json_object_get(volume, "Labels"), ANONYMOUS_LABEL) != NULL;
}

static int make(const struct sk_paths *paths, const char *name, const char *dir, const json_t *labels,
		struct sk_error *err)
{
	_cleanup_free_ char *data = sk_xasprintf("%s/_data", dir), *file = sk_xasprintf("%s/volume.json", dir),
			    *text = NULL;
	_cleanup_json_ json_t *o = sk_jx_object();
	char created[36];
	int r;

	(void)paths;
	if ((mkdir(dir, 0700) < 0 && errno != EEXIST) || (mkdir(data, 0755) < 0 && errno != EEXIST))
		return sk_error_errno(err, errno, "cannot make volume %s", name);
	/* The directory that the container sees: mode 0755 whatever the umask. */
	if (chmod(data, 0755) < 0)
		return sk_error_errno(err, errno, "cannot make volume %s", name);
	sk_jx_set_str(o, "CreatedAt", sk_time_now(created));
	sk_jx_set_str(o, "Driver", "local");
	sk_jx_set(o, "Labels", labels ? json_deep_copy(labels) : json_null());
	sk_jx_set_str(o, "Mountpoint", data);
	sk_jx_set_str(o, "Name", name);
	/* As docker: null for those that nobody has created by name. */
	sk_jx_set(o, "Options", labels ? json_object() : json_null());
	sk_jx_set_str(o, "Scope", "local");
	text = json_dumps(o, JSON_INDENT(1));
	r = text ? sk_fs_write_atomic(AT_FDCWD, file, text, strlen(text), 0600, true) : -ENOMEM;
	if (r < 0)
		return sk_error_errno(err, r, "cannot make volume %s", name);
	return 0;
}

int sk_volume_ensure(const struct sk_paths *paths, const char *name, const json_t *labels, char **ret_path,
		     struct sk_error *err)
{
	_cleanup_free_ char *dir = sk_xasprintf("%s/volumes/%s", paths->root, name),
			    *file = sk_xasprintf("%s/volume.json", dir);
	int r = check_name(name, err);

	if (r < 0)
		return r;
	if (access(file, F_OK) < 0) {
		r = make(paths, name, dir, labels, err);
		if (r < 0)
			return r;
		sk_event_append(paths, "volume", "create", name, NULL);
	} else if (!labels) {
		_cleanup_free_ char *mark = sk_xasprintf("%s/" SK_VOLUME_NAMED, dir);
		_cleanup_json_ json_t *o = NULL;

		/* Somebody else's anonymous volume does not go with its first container any more. */
		if (sk_volume_load(paths, name, &o, NULL) == 0 && sk_volume_is_anonymous(o) &&
		    (r = sk_fs_write_atomic(AT_FDCWD, mark, "", 0, 0600, false)) < 0)
			return sk_error_errno(err, r, "cannot share volume %s", name);
	}
	*ret_path = sk_xasprintf("%s/_data", dir);
	return 0;
}

int sk_volume_load(const struct sk_paths *paths, const char *name, json_t **ret_volume, struct sk_error *err)
{
	_cleanup_free_ char *file = sk_xasprintf("%s/volumes/%s/volume.json", paths->root, name), *text = NULL;
	json_t *o = NULL;
	size_t len;

	if (!strchr(name, '/') && name[0] != '.' && sk_fs_read(AT_FDCWD, file, VOLUME_JSON_MAX, &text, &len) == 0)
		o = json_loadb(text, len, 0, NULL);
	if (!json_is_object(o)) {
		json_decref(o);
		return sk_error_set(err, ENOENT, "get %s: no such volume", name);
	}
	*ret_volume = o;
	return 0;
}

void sk_volume_each_damaged(const struct sk_paths *paths, void (*cb)(void *arg, const char *name), void *arg)
{
	_cleanup_free_ char *path = sk_xasprintf("%s/volumes", paths->root);
	_cleanup_closedir_ DIR *dir = opendir(path);
	struct dirent *de;

	while (dir && (de = readdir(dir))) {
		_cleanup_free_ char *file = sk_xasprintf("%s/%s/volume.json", path, de->d_name);
		_cleanup_json_ json_t *o = NULL;

		if (de->d_name[0] != '.' && access(file, F_OK) == 0 && sk_volume_load(paths, de->d_name, &o, NULL) < 0)
			cb(arg, de->d_name);
	}
}

int sk_volume_mend(const struct sk_paths *paths, const char *name, struct sk_error *err)
{
	_cleanup_free_ char *dir = sk_xasprintf("%s/volumes/%s", paths->root, name);
	int r = check_name(name, err);

	return r < 0 ? r : make(paths, name, dir, NULL, err);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int sk_volume_list(const struct sk_paths *paths, json_t **ret_list, struct sk_error *err)
{
	_cleanup_free_ char *path = sk_xasprintf("%s/volumes", paths->root);
	_cleanup_closedir_ DIR *dir = opendir(path);
	struct sk_strv names = { 0 };
	struct dirent *de;
	json_t *list = sk_jx_array(), *o;
	size_t i;

	if (!dir)
		return sk_error_errno(err, errno, "cannot list %s", path);
	while ((de = readdir(dir)))
		if (de->d_name[0] != '.')
			sk_strv_add(&names, de->d_name);
	if (names.n)
		qsort(names.v, names.n, sizeof(*names.v), compare);
	for (i = 0; i < names.n; i++)
		if (sk_volume_load(paths, names.v[i], &o, NULL) == 0)
			sk_jx_push(list, o);
	sk_strv_fini(&names);
	*ret_list = list;
	return 0;
}

char *sk_volume_user(const struct sk_paths *paths, const char *name)
{
	struct sk_containers list = { 0 };
	char *user = NULL;
	size_t i, k;

	if (sk_containers_load_all(paths, &list, NULL) < 0)
		return NULL;
	for (i = 0; i < list.n && !user; i++) {
		const json_t *mounts = json_object_get(list.v[i].config, "Mounts");

		for (k = 0; k < json_array_size(mounts) && !user; k++) {
			const char *used = json_string_value(json_object_get(json_array_get(mounts, k), "Name"));

			if (used && strcmp(used, name) == 0)
				user = sk_xstrdup(list.v[i].id);
		}
	}
	sk_containers_fini(&list);
	return user;
}

int sk_volume_remove(const struct sk_paths *paths, const char *name, struct sk_error *err)
{
	_cleanup_free_ char *dir = sk_xasprintf("%s/volumes/%s", paths->root, name), *tomb = NULL, *user = NULL;
	_cleanup_json_ json_t *o = NULL;
	char suffix[17];
	int r = sk_volume_load(paths, name, &o, err);

	if (r < 0)
		return r;
	user = sk_volume_user(paths, name);
	if (user)
		return sk_error_set(err, EBUSY, "remove %s: volume is in use - [%s]", name, user);
	sk_random_hex(suffix, 8);
	tomb = sk_xasprintf("%s/tmp/removed-volume-%s", paths->root, suffix);
	if (rename(dir, tomb) < 0)
		return sk_error_errno(err, errno, "cannot remove volume %s", name);
	sk_event_append(paths, "volume", "destroy", name, NULL);
	r = sk_fs_remove_tree(AT_FDCWD, tomb);
	return r < 0 ? sk_error_errno(err, r, "cannot delete all files of volume %s in %s", name, tomb) : 0;
}
