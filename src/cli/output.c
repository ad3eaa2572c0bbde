/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "model/path.h"
#include "model/xmem.h"

/* docker's rules and words. */
static int check(const char *file, const struct stat *st, struct sk_error *err)
{
	_cleanup_free_ char *clean = sk_model_path_clean(file), *dir = sk_model_path_dir(clean);
	struct stat of_dir;

	if (stat(dir, &of_dir) < 0)
		return sk_error_set(err, ENOENT, "invalid output path: directory \"%s\" does not exist", dir);
	if (st && S_ISDIR(st->st_mode))
		return sk_error_set(err, EISDIR, "invalid output path: \"%s\" is a directory", file);
	if (st && (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)))
		return sk_error_set(err, EINVAL,
				    "invalid output path: \"%s\" must be a directory or a regular file: got a device",
				    file);
	return 0;
}

int sk_cli_output(const char *file, int (*write)(void *arg, int fd, struct sk_error *err), void *arg,
		  struct sk_error *err)
{
	_cleanup_free_ char *part = NULL;
	_cleanup_fd_ int fd = -1;
	struct stat st;
	bool exists;
	int r;

	if (!file && isatty(STDOUT_FILENO))
		return sk_error_set(err, ENOTTY,
				    "cowardly refusing to save to a terminal. Use the -o flag or redirect");
	if (!file)
		return write(arg, STDOUT_FILENO, err);
	exists = stat(file, &st) == 0;
	r = check(file, exists ? &st : NULL, err);
	if (r < 0)
		return r;
	if (exists && !S_ISREG(st.st_mode)) {
		fd = open(file, O_WRONLY | O_CLOEXEC);
		return fd < 0 ? sk_error_errno(err, errno, "cannot open %s", file) : write(arg, fd, err);
	}
	part = sk_xasprintf("%s.%d.part", file, (int)getpid());
	fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return sk_error_errno(err, errno, "cannot make %s", part);
	r = write(arg, fd, err);
	if (r == 0 && rename(part, file) < 0)
		r = sk_error_errno(err, errno, "cannot write %s", file);
	if (r < 0)
		unlink(part);
	return r;
}
