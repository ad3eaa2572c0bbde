/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's parts on the disk: kernels and initramfs, found, checked and described. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "engine/engine_internal.h"

int sk_guest_part(const char *name, char *buf, size_t size, struct sk_error *err)
{
	const char *dir = getenv("SKERRY_GUEST_DIR");
	char installed[600];
	int n = -1;

	if (!dir || !*dir)
		dir = sk_guest_dir(installed, sizeof(installed)) == 0 ? installed : NULL;
	if (dir)
		n = snprintf(buf, size, "%s/%s", dir, name);
	if (n < 0 || (size_t)n >= size)
		return sk_error_set(err, ENAMETOOLONG, "the path of guest part %s is too long", name);
	if (access(buf, R_OK) < 0)
		return sk_error_set(err, errno,
				    "guest part %s is missing: run `make build` and set SKERRY_GUEST_DIR to its out "
				    "directory, or install the skerry "
				    "package again",
				    buf);
	return 0;
}

int sk_guest_part_check(const char *name, bool exec, struct sk_error *err)
{
	char path[512];
	int r = sk_guest_part(name, path, sizeof(path), err);

	if (r == 0 && exec && access(path, X_OK) < 0)
		return sk_error_set(
			err, EACCES,
			"guest kernel %s is not executable: chmod 0755 it, or remount its file system without noexec",
			path);
	return r;
}

int sk_guest_parts_info(struct sk_engine_info *info, struct sk_error *err)
{
	char path[512], version[600];
	_cleanup_free_ char *text = NULL;
	struct stat st;
	int r;

	if (stat(info->kernel_path, &st) == 0)
		info->kernel_size = (uint64_t)st.st_size;
	snprintf(version, sizeof(version), "%.*s/kernel.version",
		 (int)(strrchr(info->kernel_path, '/') - info->kernel_path), info->kernel_path);
	if (sk_fs_read(AT_FDCWD, version, 4096, &text, NULL) == 0) {
		text[strcspn(text, "\n")] = '\0';
		snprintf(info->kernel_version, sizeof(info->kernel_version), "%.63s", text);
	}
	r = sk_guest_part(SK_GUEST_INITRAMFS, path, sizeof(path), err);
	if (r == 0 && stat(path, &st) == 0)
		info->initramfs_size = (uint64_t)st.st_size;
	return r;
}
