/* SPDX-License-Identifier: Apache-2.0 */
/* Open files and listings of a directory of a Windows host. */
#include "base/cleanup.h"
#include "export/winfs_internal.h"

#define ENTRIES_MAX (1u << 22)

static unsigned long access_of(uint32_t flags)
{
	switch (flags & P9_O_ACCMODE) {
	case P9_O_WRONLY:
		return FILE_GENERIC_WRITE | FILE_READ_ATTRIBUTES;
	case P9_O_RDWR:
		return FILE_GENERIC_READ | FILE_GENERIC_WRITE;
	default:
		/* A truncation needs it; Linux asks for it on the open. */
		return flags & P9_O_TRUNC ? FILE_GENERIC_READ | FILE_WRITE_DATA : FILE_GENERIC_READ;
	}
}

static int file_new(struct winfs *w, struct sk_9p_node *node, HANDLE take_h, uint32_t flags, struct sk_9p_file **ret)
{
	struct sk_9p_file *f = calloc(1, sizeof(*f));
	int r = f ? 0 : -P9_ENOMEM;

	if (r == 0 && (flags & P9_O_TRUNC) && !SetEndOfFile(take_h))
		r = winfs_errno(-sk_win_errno(GetLastError()));
	if (r < 0) {
		CloseHandle(take_h);
		free(f);
		return r;
	}
	f->node = winfs_get(w, node);
	f->h = take_h;
	f->wrote = flags & P9_O_TRUNC;
	if (f->wrote)
		winfs_changed(w, node);
	node->files++;
	w->held++;
	*ret = f;
	return 0;
}

int winfs_open_file(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node, uint32_t flags,
		    struct sk_9p_file **ret_file, struct p9_qid *ret_qid)
{
	struct sk_nt_how how = { .access = access_of(flags),
				 .disposition = FILE_OPEN,
				 .options = FILE_NON_DIRECTORY_FILE };
	struct winfs *w = winfs_of(fs);
	struct sk_nt_info info;
	HANDLE h;
	int r;

	(void)cred;
	if (node->dir) {
		if ((flags & P9_O_ACCMODE) != P9_O_RDONLY || flags & P9_O_TRUNC)
			return -P9_EISDIR;
		how.access = FILE_LIST_DIRECTORY | FILE_TRAVERSE | FILE_READ_ATTRIBUTES;
		how.options = FILE_DIRECTORY_FILE;
	} else if (flags & P9_O_DIRECTORY) {
		return -P9_ENOTDIR;
	}
	r = winfs_open(w, node, &how, &h);
	if (r < 0)
		return r;
	r = file_new(w, node, h, flags, ret_file);
	if (r < 0)
		return r;
	if (sk_nt_info(h, &info) >= 0) {
		winfs_number(w, node, &info);
		*ret_qid = winfs_qid(&info);
	}
	return 0;
}

int winfs_create(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		 uint32_t flags, uint32_t mode, struct sk_9p_node **ret_node, struct sk_9p_file **ret_file,
		 struct p9_qid *ret_qid)
{
	struct sk_nt_how how = { .access = access_of(flags),
				 .disposition = flags & P9_O_EXCL ? FILE_CREATE : FILE_OPEN_IF,
				 .options = FILE_NON_DIRECTORY_FILE,
				 .attributes = mode & 0200 ? 0 : FILE_ATTRIBUTE_READONLY };
	wchar_t wide[SK_WINDOWS_NAME_MAX + 1];
	struct winfs *w = winfs_of(fs);
	struct sk_nt_info info;
	HANDLE d, h;
	int r = winfs_name(name, wide);

	(void)cred;
	if (r == 0)
		r = winfs_open_to_change(w, dir, &d);
	if (r < 0)
		return r;
	r = winfs_open_in(d, wide, &how, &h, &info);
	CloseHandle(d);
	if (r < 0)
		return r;
	r = winfs_node(w, dir, wide, &info, ret_node);
	if (r < 0) {
		CloseHandle(h);
		return r;
	}
	r = file_new(w, *ret_node, h, flags, ret_file);
	if (r < 0)
		winfs_put(w, *ret_node);
	else
		*ret_qid = winfs_qid(&info);
	if (r == 0) {
		winfs_did(w, dir, wide, WINWATCH_APPEAR);
		winfs_did(w, dir, wide, WINWATCH_CHANGE);
	}
	return r;
}

void winfs_close(struct sk_9p_fs *fs, struct sk_9p_file *file)
{
	struct winfs *w = winfs_of(fs);

	CloseHandle(file->h);
	if (file->wrote)
		winfs_changed(w, file->node); /* Windows may report it only now */
	file->node->files--;
	w->held--;
	winfs_put(w, file->node);
	free(file->entries);
	free(file);
}

/* Both directions: the system moves bytes from or to one segment at a time. */
static int64_t transfer(HANDLE h, struct sk_iov *iov, unsigned n, uint64_t offset, bool write)
{
	bool append = offset == SK_9P_APPEND;
	int64_t total = 0;
	unsigned i;

	for (i = 0; i < n; i++) {
		size_t done = 0;

		while (done < iov[i].len) {
			uint64_t at = append ? UINT64_MAX : offset + (uint64_t)total;
			OVERLAPPED o = { .Offset = (DWORD)at, .OffsetHigh = (DWORD)(at >> 32) };
			DWORD want = iov[i].len - done > 1u << 30 ? 1u << 30 : (DWORD)(iov[i].len - done), moved = 0;
			uint8_t *p = (uint8_t *)iov[i].base + done;

			if (!(write ? WriteFile(h, p, want, &moved, &o) : ReadFile(h, p, want, &moved, &o))) {
				DWORD e = GetLastError();

				if (total || (!write && e == ERROR_HANDLE_EOF))
					return total;
				return winfs_errno(-sk_win_errno(e));
			}
			done += moved;
			total += moved;
			if (moved < want)
				return total;
		}
	}
	return total;
}

int64_t winfs_read(struct sk_9p_fs *fs, struct sk_9p_file *file, struct sk_iov *iov, unsigned n, uint64_t offset)
{
	(void)fs;
	return file->node->dir ? -P9_EISDIR : transfer(file->h, iov, n, offset, false);
}

int64_t winfs_write(struct sk_9p_fs *fs, struct sk_9p_file *file, struct sk_iov *iov, unsigned n, uint64_t offset)
{
	file->wrote = true;
	winfs_changed(winfs_of(fs), file->node);
	return transfer(file->h, iov, n, offset, true);
}

int winfs_fsync(struct sk_9p_fs *fs, struct sk_9p_node *node, struct sk_9p_file *file, bool datasync)
{
	const struct sk_nt_how how = { .access = FILE_WRITE_DATA,
				       .disposition = FILE_OPEN,
				       .options = FILE_NON_DIRECTORY_FILE };
	HANDLE h = file ? file->h : NULL;
	int r = 0;

	(void)datasync;
	if (node->dir)
		return 0;
	if (h && FlushFileBuffers(h))
		return 0;
	/* Opened for reading only. What is read-only has nothing to write. */
	r = winfs_open(winfs_of(fs), node, &how, &h);
	if (r < 0)
		return r == -P9_EACCES || r == -P9_ENOENT ? 0 : r;
	if (!FlushFileBuffers(h))
		r = winfs_errno(-sk_win_errno(GetLastError()));
	CloseHandle(h);
	return r;
}

/* ---- listings */

struct listing {
	const struct winfs *w;
	struct sk_9p_file *file;
	int error;
};

/* A name that is no string. */
static bool is_shown(const struct listing *l, const wchar_t *name, size_t n)
{
	wchar_t text[SK_WINDOWS_NAME_MAX + 1];

	if (n > SK_WINDOWS_NAME_MAX)
		return false;
	memcpy(text, name, n * sizeof(*text));
	text[n] = L'\0';
	return winfs_shows(l->w, l->file->node, text);
}

static bool add_entry(void *arg, const wchar_t *name, size_t n, uint32_t attributes, uint64_t ino)
{
	struct listing *l = arg;
	struct sk_9p_file *f = l->file;
	struct winfs_entry e = { .ino = l->w->only_ino && !f->node->parent ? l->w->only_ino : ino,
				 .attributes = attributes };

	if (n >= wcslen(WINFS_GONE) && wcsncmp(name, WINFS_GONE, wcslen(WINFS_GONE)) == 0)
		return true;
	if (!is_shown(l, name, n))
		return true;
	/* ".", "..", and what Linux has no name for. */
	if (sk_windows_name_decode((const uint16_t *)name, n, e.name, sizeof(e.name)) < 0)
		return true;
	if (f->n == f->cap) {
		size_t cap = f->cap ? 2 * f->cap : 32;
		struct winfs_entry *p = cap > ENTRIES_MAX ? NULL : reallocarray(f->entries, cap, sizeof(*p));

		if (!p) {
			l->error = -P9_ENOMEM;
			return false;
		}
		f->entries = p;
		f->cap = cap;
	}
	f->entries[f->n++] = e;
	return true;
}

static int list(const struct winfs *w, struct sk_9p_file *file)
{
	struct listing l = { .w = w, .file = file };
	long status;

	file->n = 0;
	status = sk_nt_list(file->h, true, add_entry, &l);
	if (l.error)
		return l.error;
	file->listed = status >= 0;
	return status < 0 ? winfs_status(status) : 0;
}

/* Entry 1 is ".", 2 is "..", 3 the first of the listing; an entry's number is the offset behind it. */
int winfs_readdir(struct sk_9p_fs *fs, struct sk_9p_node *node, struct sk_9p_file *file, uint64_t offset, bool exact,
		  sk_9p_emit emit, void *arg)
{
	struct p9_qid qid = { .type = P9_QTDIR, .path = node->ino };
	int r = 0;

	(void)exact;
	if (!node->dir)
		return -P9_ENOTDIR;
	if (offset == 0 || !file->listed)
		r = list(winfs_of(fs), file);
	if (r < 0)
		return r;
	if (offset == 0 && !emit(arg, &qid, ++offset, P9_DT_DIR, ".", 1))
		return 0;
	qid.path = node->parent ? node->parent->ino : node->ino;
	if (offset == 1 && !emit(arg, &qid, ++offset, P9_DT_DIR, "..", 2))
		return 0;
	for (; offset - 2 < file->n; offset++) {
		const struct winfs_entry *e = &file->entries[offset - 2];
		bool dir = e->attributes & FILE_ATTRIBUTE_DIRECTORY,
		     link = e->attributes & FILE_ATTRIBUTE_REPARSE_POINT;

		qid = (struct p9_qid){ .type = link ? P9_QTSYMLINK : dir ? P9_QTDIR : P9_QTFILE, .path = e->ino };
		if (!emit(arg, &qid, offset + 1,
			  link	? P9_DT_LNK
			  : dir ? P9_DT_DIR
				: P9_DT_REG,
			  e->name, strlen(e->name)))
			break;
	}
	return 0;
}
