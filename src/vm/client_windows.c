/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client's way to a monitor, on a system for which there is no monitor yet: no container runs, and none can be started.
 * A store may have containers, which another system made.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "vm/vm.h"

static int is_not_running(const char *id, struct sk_error *err)
{
	return sk_error_set(err, ENOENT, "container %.12s is not running", id);
}

int sk_vm_launch(const struct sk_paths *paths, const char *id, struct sk_error *err)
{
	(void)paths;
	return sk_error_set(err, EOPNOTSUPP,
			    "cannot start container %.12s: this version of Skerry does not start containers on Windows",
			    id);
}

int sk_vm_connect(const struct sk_paths *paths, const char *id, struct sk_error *err)
{
	(void)paths;
	return is_not_running(id, err);
}

int sk_vm_await(const struct sk_paths *paths, const char *id, int fd, unsigned patience, struct sk_error *err)
{
	(void)paths;
	(void)fd;
	(void)patience;
	return is_not_running(id, err);
}

int sk_vm_request(const struct sk_paths *paths, const char *id, int fd, const struct sk_msg *msg,
		  struct sk_reply *ret_reply, int *ret_exit_code, struct sk_error *err)
{
	(void)paths;
	(void)fd;
	(void)msg;
	(void)ret_reply;
	(void)ret_exit_code;
	return is_not_running(id, err);
}

int sk_vm_call(const struct sk_paths *paths, const char *id, const struct sk_msg *msg, struct sk_reply *ret_reply,
	       struct sk_error *err)
{
	return sk_vm_request(paths, id, -1, msg, ret_reply, NULL, err);
}

int sk_vm_call_to_end(const struct sk_paths *paths, const char *id, const struct sk_msg *msg, struct sk_error *err)
{
	return sk_vm_request(paths, id, -1, msg, NULL, NULL, err);
}

int sk_vm_end_holders(const char *path, struct sk_error *err)
{
	(void)path;
	(void)err;
	return 0; /* nothing of ours runs */
}

int sk_vm_end(const struct sk_paths *paths, const char *id, struct sk_error *err)
{
	_cleanup_free_ char *path = sk_asprintf("%s/containers/%s/lock", paths->root, id);
	_cleanup_fd_ int fd = path ? open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW) : -1;

	if (fd >= 0 && sk_fs_lock(fd, true, false) < 0)
		return sk_error_set(err, EBUSY, "another program holds %s", path);
	return 0;
}
