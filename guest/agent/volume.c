/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes that are still empty get what the image has at their place in the container. */
#include "volume.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "confine.h"
#include "copy.h"
#include "proto/parts.h"

/* 1: no entry but "." and ".."; 0: there are some; negative errno. */
static int is_empty(int dirfd)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), n = 0;
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return -errno;
	}
	while (n < 3 && readdir(dir))
		n++;
	return n < 3;
}

/* Copies the tree below `from` to `to` through a pipe: a child packs it, the caller unpacks it. */
static int copy_tree(int from, int to, struct sk_error *err)
{
	_cleanup_fd_ int out = -1, in = -1;
	int pipefd[2], status = -1, r;
	pid_t pid;

	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return sk_error_errno(err, errno, "cannot fill a volume");
	in = pipefd[0];
	out = pipefd[1];
	pid = fork();
	if (pid < 0)
		return sk_error_errno(err, errno, "cannot fill a volume");
	if (pid == 0) {
		close(in);
		_exit(sk_copy_get(from, "/", false, out, NULL) < 0);
	}
	sk_close_fd(&out);
	r = sk_copy_put(to, "/", true, in, err);
	sk_close_fd(&in);
	if (waitpid(pid, &status, 0) < 0 || (r == 0 && status != 0))
		r = sk_error_set(err, EIO, "cannot read all that the image has there");
	return r;
}

static int fill(const struct sk_mount_spec *mount, int rootfd, const char *shares_dir, struct sk_error *err)
{
	const char *destination = mount->destination, *tag = mount->tag;
	_cleanup_fd_ int from = -1, to = -1;
	char path[256];
	struct stat st;
	int r;

	if (!tag)
		return 0;
	from = sk_confine_open(rootfd, destination, O_RDONLY | O_DIRECTORY, 0);
	if (from < 0)
		return 0; /* the image has nothing there */
	snprintf(path, sizeof(path), "%s/%s", shares_dir, tag);
	to = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = to < 0 ? -errno : is_empty(to);
	if (r <= 0)
		return r < 0 ? sk_error_errno(err, r, "cannot look into the volume for %s", destination) : 0;
	r = copy_tree(from, to, err);
	if (r < 0)
		return sk_error_wrap(err, "cannot fill the volume for %s from the image", destination);
	if (fstat(from, &st) < 0 || fchown(to, st.st_uid, st.st_gid) < 0 || fchmod(to, st.st_mode & 07777) < 0)
		return sk_error_errno(err, errno, "cannot give the volume for %s the image's owner and mode",
				      destination);
	return 0;
}

int sk_volumes_fill(const json_t *mounts, int rootfd, const char *shares_dir, struct sk_error *err)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < json_array_size(mounts); i++) {
		struct sk_mount_spec m;

		r = sk_mount_decode(json_array_get(mounts, i), &m, err);
		if (r == 0 && m.copy_up)
			r = fill(&m, rootfd, shares_dir, err);
	}
	return r;
}
