/* SPDX-License-Identifier: Apache-2.0 */
/* Listings of directories by descriptor. See posix/dirent.h. */
#include <dirent.h>

#include "base/cleanup.h"
#include "base/platform/windows/system.h"

/* The whole listing, read at once: the system's own position would be moved by every other use of the handle. */
struct sk_posix_dir {
	int fd;
	bool read;
	struct sk_posix_dirent *entries;
	size_t n, cap, next;
	int error;
};

static bool add_entry(void *arg, const wchar_t *name, size_t n, uint32_t attributes, uint64_t ino)
{
	struct sk_posix_dir *d = arg;
	_cleanup_free_ char *text = sk_win_utf8(name, n);
	struct sk_posix_dirent *e;

	/* A name that is no UTF-16 has no name here. */
	if (!text || strlen(text) >= sizeof(e->d_name))
		return errno != ENOMEM;
	if (d->n == d->cap) {
		size_t cap = d->cap ? 2 * d->cap : 16;

		e = realloc(d->entries, cap * sizeof(*e));
		if (!e) {
			d->error = ENOMEM;
			return false;
		}
		d->entries = e;
		d->cap = cap;
	}
	e = &d->entries[d->n++];
	e->d_ino = ino;
	e->d_type = attributes & FILE_ATTRIBUTE_REPARSE_POINT ? DT_LNK
		    : attributes & FILE_ATTRIBUTE_DIRECTORY   ? DT_DIR
							      : DT_REG;
	strcpy(e->d_name, text);
	return true;
}

DIR *sk_posix_fdopendir(int take_fd)
{
	struct sk_posix_dir *d;
	struct stat st;

	if (fstat(take_fd, &st) < 0)
		return NULL;
	if (!S_ISDIR(st.st_mode)) {
		errno = ENOTDIR;
		return NULL;
	}
	d = calloc(1, sizeof(*d));
	if (d)
		d->fd = take_fd;
	return d;
}

DIR *sk_posix_opendir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d)
		sk_close_fd(&fd);
	return d;
}

struct dirent *sk_posix_readdir(DIR *d)
{
	if (!d->read) {
		long status;

		d->n = d->next = 0;
		d->error = 0;
		status = sk_nt_list(sk_win_handle(d->fd), true, add_entry, d);
		if (status < 0 && !d->error)
			d->error = sk_win_status_errno(status);
		d->read = true;
	}
	if (d->next < d->n)
		return &d->entries[d->next++];
	if (d->error)
		errno = d->error;
	return NULL;
}

void sk_posix_rewinddir(DIR *d)
{
	d->read = false;
}

int sk_posix_closedir(DIR *d)
{
	int r = close(d->fd);

	free(d->entries);
	free(d);
	return r;
}

int sk_posix_dirfd(const DIR *d)
{
	return d->fd;
}
