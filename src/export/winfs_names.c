/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making, moving and removing names in a directory of a Windows host.
 *
 * A file that is open can be removed and replaced on Linux. On NTFS Windows can do that, too (POSIX semantics). Where it
 * cannot, the file is given a hidden name first (".skerry-gone-…") and goes with its last handle, also when this process
 * ends. If only a Windows program has it open, it keeps the name until that closes it.
 */
#include "base/cleanup.h"
#include "base/id.h"
#include "export/winfs_internal.h"

#define REMOVE (DELETE | FILE_READ_ATTRIBUTES | FILE_WRITE_ATTRIBUTES)

static const struct sk_nt_how remove_how = { .access = REMOVE, .disposition = FILE_OPEN };

/* Makes a directory or an empty file. */
static int make(struct winfs *w, struct sk_9p_node *dir, const char *name, const struct sk_nt_how *how,
		struct p9_qid *ret_qid)
{
	wchar_t wide[SK_WINDOWS_NAME_MAX + 1];
	struct sk_nt_info info;
	HANDLE d, h;
	int r = winfs_name(name, wide);

	if (r == 0)
		r = winfs_open_to_change(w, dir, &d);
	if (r < 0)
		return r;
	r = winfs_open_in(d, wide, how, &h, &info);
	CloseHandle(d);
	if (r < 0)
		return r;
	CloseHandle(h);
	winfs_did(w, dir, wide, WINWATCH_APPEAR);
	*ret_qid = winfs_qid(&info);
	return 0;
}

int winfs_mkdir(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		uint32_t mode, struct p9_qid *ret_qid)
{
	const struct sk_nt_how how = { .access = FILE_READ_ATTRIBUTES,
				       .disposition = FILE_CREATE,
				       .options = FILE_DIRECTORY_FILE,
				       .attributes = FILE_ATTRIBUTE_DIRECTORY };

	(void)cred;
	(void)mode;
	return make(winfs_of(fs), dir, name, &how, ret_qid);
}

int winfs_mknod(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		uint32_t mode, uint32_t major, uint32_t minor, struct p9_qid *ret_qid)
{
	const struct sk_nt_how how = { .access = FILE_READ_ATTRIBUTES,
				       .disposition = FILE_CREATE,
				       .options = FILE_NON_DIRECTORY_FILE };

	(void)cred;
	(void)major;
	(void)minor;
	if ((mode & P9_S_IFMT) != P9_S_IFREG)
		return -P9_EPERM;
	return make(winfs_of(fs), dir, name, &how, ret_qid);
}

int winfs_symlink(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		  const char *target, struct p9_qid *ret_qid)
{
	(void)fs;
	(void)cred;
	(void)dir;
	(void)name;
	(void)target;
	(void)ret_qid;
	return -P9_EPERM;
}

int winfs_link(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node, struct sk_9p_node *dir,
	       const char *name)
{
	const struct sk_nt_how how = { .access = FILE_READ_ATTRIBUTES | FILE_WRITE_ATTRIBUTES,
				       .disposition = FILE_OPEN };
	wchar_t wide[SK_WINDOWS_NAME_MAX + 1];
	struct winfs *w = winfs_of(fs);
	HANDLE d, h;
	long status;
	int r = winfs_name(name, wide);

	(void)cred;
	if (r == 0 && node->dir)
		r = -P9_EPERM;
	if (r == 0)
		r = winfs_open_to_change(w, dir, &d);
	if (r < 0)
		return r;
	r = winfs_open(w, node, &how, &h);
	if (r == 0) {
		status = sk_nt_link(h, d, wide);
		r = status < 0 ? winfs_status(status) : 0;
		CloseHandle(h);
	}
	CloseHandle(d);
	if (r == 0)
		winfs_did(w, dir, wide, WINWATCH_APPEAR);
	return r;
}

/* ---- removing */

/* Gives what `h` is a hidden name in the directory `d`. */
static long hide(HANDLE d, HANDLE h)
{
	wchar_t name[64];
	char random[17];

	sk_random_hex(random, 8);
	swprintf(name, SK_ARRAY_SIZE(name), WINFS_GONE L"%hs", random);
	return sk_nt_rename(h, d, name, false);
}

/* Removes what `h` is, so that its name in `d` is free at once. `open`: by clients of ours. */
static int remove_handle(HANDLE d, HANDLE h, bool open)
{
	long status = sk_nt_remove_now(h);

	if (status >= 0)
		return 0;
	if (!sk_nt_is_unknown(status))
		return winfs_status(status);
	if (open && (status = hide(d, h)) < 0)
		return winfs_status(status);
	status = sk_nt_remove_later(h);
	return status < 0 ? winfs_status(status) : 0;
}

int winfs_unlink(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		 bool rmdir)
{
	wchar_t wide[SK_WINDOWS_NAME_MAX + 1];
	struct winfs *w = winfs_of(fs);
	struct sk_9p_node *node;
	struct sk_nt_info info;
	HANDLE d, h;
	int r = winfs_name(name, wide);
	bool is_dir;

	(void)cred;
	if (r < 0)
		return -P9_ENOENT;
	r = winfs_open_to_change(w, dir, &d);
	if (r < 0)
		return r;
	r = winfs_open_in(d, wide, &remove_how, &h, &info);
	if (r == 0) {
		is_dir = info.attributes & FILE_ATTRIBUTE_DIRECTORY;
		node = winfs_held(dir, wide);
		if (is_dir != rmdir)
			r = is_dir ? -P9_EISDIR : -P9_ENOTDIR;
		else
			r = remove_handle(d, h, node && node->files && !is_dir);
		CloseHandle(h);
		if (r == 0)
			winfs_did(w, dir, wide, WINWATCH_VANISH);
		if (r == 0 && node)
			winfs_detach(node);
	}
	CloseHandle(d);
	return r;
}

/* ---- moving */

/* What has the name that something is moved to goes out of the way: an empty directory, or a file that is open. */
static int displace(HANDLE d, const wchar_t *name, bool want_dir)
{
	struct sk_nt_info info;
	HANDLE h;
	int r = winfs_open_in(d, name, &remove_how, &h, &info);
	bool is_dir;

	if (r < 0)
		return r;
	is_dir = info.attributes & FILE_ATTRIBUTE_DIRECTORY;
	if (is_dir != want_dir)
		r = is_dir ? -P9_EISDIR : -P9_ENOTDIR;
	else
		r = remove_handle(d, h, !is_dir);
	CloseHandle(h);
	return r;
}

static int move(HANDLE from, HANDLE to, const wchar_t *old, const wchar_t *new, bool replace)
{
	struct sk_nt_info info;
	HANDLE h;
	long status;
	int r = winfs_open_in(from, old, &remove_how, &h, &info);

	if (r < 0)
		return r;
	status = sk_nt_rename(h, to, new, replace);
	r = status < 0 ? winfs_status(status) : 0;
	if ((r == -P9_EACCES || r == -P9_EEXIST) && replace) {
		r = displace(to, new, info.attributes & FILE_ATTRIBUTE_DIRECTORY);
		if (r == 0) {
			status = sk_nt_rename(h, to, new, replace);
			r = status < 0 ? winfs_status(status) : 0;
		}
	}
	CloseHandle(h);
	return r;
}

/* The node of a moved name goes with it. */
static void move_node(struct winfs *w, struct sk_9p_node *olddir, const wchar_t *old, struct sk_9p_node *newdir,
		      const wchar_t *new)
{
	struct sk_9p_node *node = winfs_held(olddir, old), *replaced = winfs_held(newdir, new);

	if (replaced && replaced != node)
		winfs_detach(replaced);
	if (!node)
		return;
	winfs_detach(node);
	wcscpy(node->name, new);
	winfs_attach(node, newdir);
	if (newdir != olddir) {
		node->parent = winfs_get(w, newdir);
		winfs_put(w, olddir);
	}
}

int winfs_rename(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *olddir, const char *oldname,
		 struct sk_9p_node *newdir, const char *newname, uint32_t flags)
{
	wchar_t old[SK_WINDOWS_NAME_MAX + 1], new[SK_WINDOWS_NAME_MAX + 1];
	struct winfs *w = winfs_of(fs);
	HANDLE from, to;
	int r = winfs_name(oldname, old) < 0 ? -P9_ENOENT : winfs_name(newname, new);

	(void)cred;
	if (r == 0 && (flags & ~P9_RENAME_NOREPLACE))
		r = -P9_EINVAL;
	if (r == 0)
		r = winfs_open_to_change(w, olddir, &from);
	if (r < 0)
		return r;
	r = winfs_open_to_change(w, newdir, &to);
	if (r == 0) {
		/* The same name: there is nothing to do, and nothing to put out of the way. */
		if (olddir != newdir || wcscmp(old, new) != 0)
			r = move(from, to, old, new, !(flags & P9_RENAME_NOREPLACE));
		if (r == 0 && (olddir != newdir || wcscmp(old, new) != 0)) {
			winfs_did(w, olddir, old, WINWATCH_VANISH);
			winfs_did(w, newdir, new, WINWATCH_VANISH); /* what was replaced, if anything was */
			winfs_did(w, newdir, new, WINWATCH_APPEAR);
			winfs_did(w, newdir, new, WINWATCH_CHANGE);
			move_node(w, olddir, old, newdir, new);
		}
		CloseHandle(to);
	}
	CloseHandle(from);
	return r;
}
