/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <string.h>
#include <unistd.h>

#include "cli/container/cp_system.h"
#include "model/xmem.h"

char *sk_cp_stored_path(const char *path)
{
	return sk_xstrdup(path);
}

char *sk_cp_local_path(const char *path, struct sk_error *err)
{
	(void)err;
	return sk_xstrdup(path);
}

bool sk_cp_set_owner(int at, const char *name, struct archive_entry *entry)
{
	return fchownat(at, name, (uid_t)archive_entry_uid(entry), (gid_t)archive_entry_gid(entry),
			AT_SYMLINK_NOFOLLOW | (*name ? 0 : AT_EMPTY_PATH)) == 0;
}

void sk_cp_set_time(int fd, const struct timespec *mtime)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, *mtime };

	(void)futimens(fd, times);
}

int sk_cp_make_symlink(const char *target, int at, const char *name)
{
	return symlinkat(target, at, name);
}

int sk_cp_make_fifo(int at, const char *name, mode_t mode)
{
	return mkfifoat(at, name, mode);
}

bool sk_cp_describe(struct archive_entry *entry, const char *path, const struct stat *st)
{
	char target[4096];

	archive_entry_copy_stat(entry, st);
	if (S_ISLNK(st->st_mode)) {
		ssize_t n = readlink(path, target, sizeof(target) - 1);

		target[n < 0 ? 0 : n] = '\0';
		archive_entry_copy_symlink(entry, target);
	}
	return true;
}

static int visit_entry(const FTSENT *e, size_t prefix, sk_cp_visit visit, void *arg, struct sk_error *err)
{
	const char *below = e->fts_path + prefix;

	while (*below == '/')
		below++;
	switch (e->fts_info) {
	case FTS_DP:
		return 0;
	case FTS_DNR:
	case FTS_ERR:
	case FTS_NS:
		return sk_error_errno(err, e->fts_errno, "cannot read %s", e->fts_path);
	case FTS_D:
	case FTS_F:
	case FTS_SL:
	case FTS_SLNONE:
		return visit(arg, e->fts_accpath, below, e->fts_statp);
	default: /* pipes; sockets have no place in a tar */
		return S_ISSOCK(e->fts_statp->st_mode) ? 0 : visit(arg, e->fts_accpath, below, e->fts_statp);
	}
}

int sk_cp_walk(const char *start, bool follow, sk_cp_visit visit, void *arg, struct sk_error *err)
{
	char *paths[] = { (char *)(uintptr_t)start, NULL };
	FTS *fts = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | (follow ? FTS_COMFOLLOW : 0), NULL);
	FTSENT *e;
	int r = 0;

	if (!fts)
		return sk_error_errno(err, errno, "cannot read %s", start);
	while (r == 0 && (errno = 0, e = fts_read(fts)))
		r = visit_entry(e, strlen(start), visit, arg, err);
	if (r == 0 && errno)
		r = sk_error_errno(err, errno, "cannot read %s", start);
	fts_close(fts);
	return r;
}
