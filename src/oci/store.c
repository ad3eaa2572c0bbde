/* SPDX-License-Identifier: Apache-2.0 */
/* The directories of containers that skerry-oci has made: a lock and a record (oci.json) each, found by ID. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/private.h"
#include "base/process.h"
#include "oci/oci.h"
#include "vm/vm.h"

/* What is in it comes from a config.json, whose numbers may be written shorter than we do. */
#define SK_RECORD_MAX (4 * SK_OCI_CONFIG_MAX)

/* runc's rule: the root of a user namespace, which rootless podman calls us as, is a plain user. */
static bool is_rootless(void)
{
	const char *user = getenv("USER");

	return geteuid() != 0 || (sk_in_user_namespace() && (!user || strcmp(user, "root") != 0));
}

static char *default_root(void)
{
	return is_rootless() ? sk_paths_runtime("skerry-oci") : strdup("/run/skerry-oci");
}

int sk_oci_paths(struct sk_oci *o, const char *root, struct sk_error *err)
{
	static const char *const names[] = { "containers", "run", "tmp" };
	_cleanup_free_ char *wanted = root ? strdup(root) : default_root();
	_cleanup_fd_ int dirfd = -1;
	size_t i;

	if (!wanted)
		return sk_error_errno(err, ENOMEM, "cannot find the state directory");
	dirfd = sk_private_dir(wanted, 0711, &o->paths.root, err);
	if (dirfd < 0)
		return dirfd;
	o->paths.run = sk_asprintf("%s/run", o->paths.root);
	if (!o->paths.run)
		return sk_error_errno(err, ENOMEM, "cannot use %s", wanted);
	for (i = 0; i < SK_ARRAY_SIZE(names); i++) {
		_cleanup_fd_ int fd = sk_private_subdir(dirfd, names[i], 0700, err);

		if (fd < 0) {
			sk_error_wrap(err, "%s", o->paths.root);
			return fd;
		}
	}
	return 0;
}

static int vm_id(const char *id, char ret[65])
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned i, n = 0;

	if (strlen(id) == SK_ID_LEN && strspn(id, "0123456789abcdef") == SK_ID_LEN) {
		memcpy(ret, id, SK_ID_LEN + 1);
		return 0;
	}
	if (!EVP_Digest(id, strlen(id), digest, &n, EVP_sha256(), NULL) || n != 32)
		return -EIO;
	for (i = 0; i < 32; i++)
		snprintf(ret + (size_t)2 * i, 3, "%02x", digest[i]);
	return 0;
}

static int container_name(struct sk_oci *o, const char *id, struct sk_oci_container *ret, struct sk_error *err)
{
	*ret = (struct sk_oci_container){ .making_fd = -1 };
	if (!id || !sk_container_id_valid(id, SK_OCI_ID_MAX)) /* runc's rule */
		return sk_error_set(err, EINVAL, "invalid container ID format");
	snprintf(ret->id, sizeof(ret->id), "%s", id);
	if (vm_id(id, ret->vm_id) < 0)
		return sk_error_set(err, EIO, "no SHA-256 here");
	ret->dir = sk_asprintf("%s/containers/%s", o->paths.root, ret->vm_id);
	return ret->dir ? 0 : sk_error_errno(err, ENOMEM, "container %s", id);
}

/* Removes what a `create` that was killed had not yet moved to its place. */
static void sweep(struct sk_oci *o)
{
	_cleanup_free_ char *path = sk_asprintf("%s/tmp", o->paths.root);
	_cleanup_closedir_ DIR *dir = path ? opendir(path) : NULL;
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		_cleanup_fd_ int fd = -1;

		if (strncmp(e->d_name, "new-", 4) != 0)
			continue;
		fd = openat(dirfd(dir), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 && sk_fs_lock(fd, true, false) == 0)
			sk_fs_remove_tree(dirfd(dir), e->d_name);
	}
	sk_vm_sweep(&o->paths);
}

/* A directory with the record in it, locked; it is `c->dir` until it is moved. */
static int make_dir(struct sk_oci *o, struct sk_oci_container *c, struct sk_error *err)
{
	int r = -EWOULDBLOCK, tries;

	/* Another process that removes leftovers may remove the directory before it is locked. */
	for (tries = 0; r < 0 && tries < 100; tries++) {
		free(c->dir);
		c->dir = sk_asprintf("%s/tmp/new-XXXXXX", o->paths.root);
		if (!c->dir || !mkdtemp(c->dir))
			return sk_error_errno(err, errno, "cannot make a directory in %s/tmp", o->paths.root);
		c->making_fd = open(c->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		r = c->making_fd < 0 ? -errno : sk_fs_lock(c->making_fd, true, false);
		if (r == 0)
			r = sk_oci_container_save(c, NULL);
		if (r < 0)
			sk_close_fd(&c->making_fd);
	}
	return r < 0 ? sk_error_errno(err, r, "cannot make the state of container %s", c->id) : 0;
}

int sk_oci_container_new(struct sk_oci *o, const char *id, struct sk_oci_container *ret, struct sk_error *err)
{
	_cleanup_free_ char *place = NULL;
	int r = container_name(o, id, ret, err);

	if (r < 0)
		return r;
	sweep(o);
	place = SK_TAKE_PTR(ret->dir);
	ret->record = json_pack("{s:s}", "id", id);
	r = make_dir(o, ret, err);
	if (r == 0 && renameat2(AT_FDCWD, ret->dir, AT_FDCWD, place, RENAME_NOREPLACE) < 0) {
		r = errno == EEXIST ? sk_error_set(err, EEXIST, "container with given ID already exists")
				    : sk_error_errno(err, errno, "cannot make %s", place);
		sk_fs_remove_tree(AT_FDCWD, ret->dir);
	}
	if (r < 0) {
		sk_oci_container_close(ret);
		return r;
	}
	free(ret->dir);
	ret->dir = SK_TAKE_PTR(place);
	return 0;
}

bool sk_oci_container_lock(struct sk_oci_container *c)
{
	c->making_fd = open(c->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (c->making_fd < 0 && errno == ENOENT)
		return true;
	if (c->making_fd >= 0 && sk_fs_lock(c->making_fd, true, false) == 0)
		return true;
	sk_close_fd(&c->making_fd);
	return false;
}

/* The record in directory `dir`; NULL with `*ret_error`. */
static json_t *read_record(const char *dir, int *ret_error)
{
	_cleanup_free_ char *path = sk_asprintf("%s/oci.json", dir), *text = NULL;
	json_t *record = NULL;
	size_t len;
	int r = path ? sk_fs_read(AT_FDCWD, path, SK_RECORD_MAX, &text, &len) : -ENOMEM;

	if (r == 0) {
		record = json_loadb(text, len, 0, NULL);
		r = json_is_object(record) ? 0 : -EINVAL;
	}
	if (r < 0) {
		json_decref(record);
		*ret_error = r;
		return NULL;
	}
	return record;
}

int sk_oci_container_open(struct sk_oci *o, const char *id, struct sk_oci_container *ret, struct sk_error *err)
{
	int r = container_name(o, id, ret, err);

	if (r < 0)
		return r;
	ret->record = read_record(ret->dir, &r);
	if (ret->record)
		return 0;
	sk_oci_container_close(ret);
	if (r == -ENOENT)
		return sk_error_set(err, ENOENT, "container does not exist");
	return sk_error_errno(err, r, "cannot read the state of container %s", id);
}

int sk_oci_container_open_damaged(struct sk_oci *o, const char *id, struct sk_oci_container *ret, struct sk_error *err)
{
	int r = container_name(o, id, ret, err);

	if (r < 0)
		return r;
	if (access(ret->dir, F_OK) == 0 && (ret->record = json_pack("{s:s}", "id", id)))
		return 0;
	sk_oci_container_close(ret);
	return sk_error_set(err, ENOENT, "container does not exist");
}

int sk_oci_container_save(struct sk_oci_container *c, struct sk_error *err)
{
	_cleanup_free_ char *text = json_dumps(c->record, JSON_COMPACT), *path = sk_asprintf("%s/oci.json", c->dir);
	int r = !text || !path		       ? -ENOMEM
		: strlen(text) > SK_RECORD_MAX ? -EFBIG /* nobody could read it */
					       : sk_fs_write_atomic(AT_FDCWD, path, text, strlen(text), 0600, false);

	return r < 0 ? sk_error_errno(err, r, "cannot write the state of container %s", c->id) : 0;
}

void sk_oci_container_close(struct sk_oci_container *c)
{
	free(c->dir);
	json_decref(c->record);
	sk_close_fd(&c->making_fd);
	*c = (struct sk_oci_container){ .making_fd = -1 };
}

/* Returns true if another process holds the lock on file `name` of the container's directory. */
static bool is_locked(const struct sk_oci_container *c, const char *name, int flags)
{
	_cleanup_free_ char *path = sk_asprintf("%s/%s", c->dir, name);
	_cleanup_fd_ int fd = path ? open(path, flags | O_CLOEXEC) : -1;

	return fd >= 0 && sk_fs_lock(fd, false, false) == -EWOULDBLOCK;
}

const char *sk_oci_status(struct sk_oci *o, const struct sk_oci_container *c, json_t **ret_state)
{
	static const char *const same[] = { "created", "running", "paused" };
	const char *status, *ret = "stopped";
	json_t *state = NULL;
	size_t i;

	if (!is_locked(c, "lock", O_RDWR)) {
		if (ret_state)
			sk_vm_state_load(&o->paths, c->vm_id, ret_state, NULL);
		return c->making_fd < 0 && is_locked(c, ".", O_RDONLY | O_DIRECTORY) ? "creating" : ret;
	}
	if (sk_vm_state_load(&o->paths, c->vm_id, &state, NULL) < 0)
		return ret;
	status = json_string_value(json_object_get(state, "status"));
	if (status && strcmp(status, "starting") == 0)
		ret = "creating";
	for (i = 0; status && i < SK_ARRAY_SIZE(same); i++)
		if (strcmp(status, same[i]) == 0)
			ret = same[i];
	if (ret_state)
		*ret_state = state;
	else
		json_decref(state);
	return ret;
}

pid_t sk_oci_pid(struct sk_oci *o, const struct sk_oci_container *c)
{
	json_t *state = NULL;
	pid_t pid = 0;

	if (strcmp(sk_oci_status(o, c, &state), "stopped") != 0)
		pid = (pid_t)json_integer_value(json_object_get(state, "pid"));
	json_decref(state);
	return pid;
}

json_t *sk_oci_state_now(struct sk_oci *o, const struct sk_oci_container *c)
{
	json_t *state = NULL, *now;
	const char *status = sk_oci_status(o, c, &state);
	bool stopped = strcmp(status, "stopped") == 0;

	now = sk_oci_state_json(c, status, stopped ? 0 : (pid_t)json_integer_value(json_object_get(state, "pid")));
	json_decref(state);
	return now;
}

json_t *sk_oci_state_json(const struct sk_oci_container *c, const char *status, pid_t pid)
{
	json_t *o = json_pack("{s:s,s:s,s:i,s:s,s:O?,s:O?,s:O?,s:s}", "ociVersion", SK_OCI_VERSION, "id", c->id, "pid",
			      (int)pid, "status", status, "bundle", json_object_get(c->record, "bundle"), "rootfs",
			      json_object_get(c->record, "rootfs"), "created", json_object_get(c->record, "created"),
			      "owner", "");
	json_t *annotations = json_object_get(c->record, "annotations");

	if (annotations)
		json_object_set(o, "annotations", annotations);
	return o;
}

int sk_oci_each(struct sk_oci *o, void (*each)(struct sk_oci *o, struct sk_oci_container *c, void *arg), void *arg,
		struct sk_error *err)
{
	_cleanup_free_ char *path = sk_asprintf("%s/containers", o->paths.root);
	_cleanup_closedir_ DIR *dir = path ? opendir(path) : NULL;
	struct dirent *e;

	if (!dir)
		return sk_error_errno(err, errno, "cannot list containers");
	while ((e = readdir(dir))) {
		_cleanup_free_ char *place = sk_asprintf("%s/%s", path, e->d_name);
		struct sk_oci_container c;
		json_t *record;
		int r;

		if (e->d_name[0] == '.' || !place)
			continue;
		record = read_record(place, &r);
		if (!record)
			continue;
		if (container_name(o, json_string_value(json_object_get(record, "id")), &c, NULL) == 0 &&
		    strcmp(c.vm_id, e->d_name) == 0) {
			c.record = json_incref(record);
			each(o, &c, arg);
		}
		sk_oci_container_close(&c);
		json_decref(record);
	}
	return 0;
}
