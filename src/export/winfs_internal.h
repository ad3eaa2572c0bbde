/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_EXPORT_WINFS_INTERNAL_H
#define SK_EXPORT_WINFS_INTERNAL_H

#include "base/platform/windows/system.h"
#include "export/winfs.h"
#include "export/windows_name.h"

/* Names that are about to go: hidden from clients. See winfs_names.c. */
#define WINFS_GONE L".skerry-gone-"

/* One for each name that a client holds: two walks to the same name give the same node. */
struct sk_9p_node {
	struct sk_9p_node *parent; /* a reference; NULL: the root */
	struct sk_9p_node *children, *next, **link;
	unsigned refs;
	unsigned files; /* open ones */
	bool dir, gone; /* gone: no longer in parent's list */
	uint64_t ino;
	wchar_t name[SK_WINDOWS_NAME_MAX + 1];
};

struct sk_winwatch;

struct winfs_entry {
	uint64_t ino;
	uint32_t attributes;
	char name[P9_NAME_MAX + 1];
};

struct sk_9p_file {
	struct sk_9p_node *node; /* a reference */
	HANDLE h;
	bool wrote;
	/* Of a directory: the listing, read as a whole when it begins. */
	struct winfs_entry *entries;
	size_t n, cap;
	bool listed;
};

struct winfs {
	struct sk_9p_fs fs;
	struct sk_winfs_config config;
	HANDLE root_handle;
	struct sk_9p_node root;
	wchar_t *only;		   /* of the root, see struct sk_winfs_config; NULL */
	uint64_t only_ino;	   /* its number for clients; 0: not looked up yet */
	unsigned held;		   /* nodes and files */
	struct sk_winwatch *watch; /* NULL: nobody wants to know what others do here */
};

static inline struct winfs *winfs_of(struct sk_9p_fs *fs)
{
	return (struct winfs *)fs;
}

/* winfs_node.c. Functions return 0 or a negative Linux errno. */
/* A negative Linux errno of a status, or of a host's negative errno. */
int winfs_status(long status);
int winfs_errno(int r);
/* Opens what the node is, step by step from the root. */
int winfs_open(struct winfs *w, struct sk_9p_node *node, const struct sk_nt_how *how, HANDLE *ret);
/* Opens `name` in the directory that `dir` is a handle of: no reparse point (-P9_EPERM). */
int winfs_open_in(HANDLE dir, const wchar_t *name, const struct sk_nt_how *how, HANDLE *ret,
		  struct sk_nt_info *ret_info);
/* A handle of the directory, for names in it. */
int winfs_open_dir(struct winfs *w, struct sk_9p_node *node, HANDLE *ret);
/* The same for names that are about to be made, removed or renamed in it. */
int winfs_open_to_change(struct winfs *w, struct sk_9p_node *node, HANDLE *ret);
/* A single file has one number for clients, whichever file it is by now. `node` NULL: it is not made yet. */
void winfs_number(struct winfs *w, const struct sk_9p_node *node, struct sk_nt_info *info);
/* Whether clients may know of the name. */
bool winfs_shows(const struct winfs *w, const struct sk_9p_node *dir, const wchar_t *name);
int winfs_name(const char *name, wchar_t ret[SK_WINDOWS_NAME_MAX + 1]);
/* The node of `name` in `dir`, a new reference. */
int winfs_node(struct winfs *w, struct sk_9p_node *dir, const wchar_t *name, const struct sk_nt_info *info,
	       struct sk_9p_node **ret);
/* The held node of a name, or NULL. */
struct sk_9p_node *winfs_held(struct sk_9p_node *dir, const wchar_t *name);
void winfs_detach(struct sk_9p_node *node);
void winfs_attach(struct sk_9p_node *node, struct sk_9p_node *dir);
struct sk_9p_node *winfs_get(struct winfs *w, struct sk_9p_node *node);
void winfs_put(struct winfs *w, struct sk_9p_node *node);
struct p9_qid winfs_qid(const struct sk_nt_info *info);

/* winwatch.c. What clients do themselves, so that it is not told to them: a name that comes or goes, a file that changes. */
enum { WINWATCH_APPEAR, WINWATCH_VANISH, WINWATCH_CHANGE };
void winwatch_expect(struct sk_winwatch *w, const struct sk_9p_node *dir, const wchar_t *name, unsigned what);

static inline void winfs_did(const struct winfs *w, const struct sk_9p_node *dir, const wchar_t *name, unsigned what)
{
	if (w->watch)
		winwatch_expect(w->watch, dir, name, what);
}

static inline void winfs_changed(const struct winfs *w, const struct sk_9p_node *node)
{
	if (w->watch && node->parent && !node->gone)
		winwatch_expect(w->watch, node->parent, node->name, WINWATCH_CHANGE);
}

/* winfs_names.c */
int winfs_mkdir(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		uint32_t mode, struct p9_qid *ret_qid);
int winfs_mknod(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		uint32_t mode, uint32_t major, uint32_t minor, struct p9_qid *ret_qid);
int winfs_symlink(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		  const char *target, struct p9_qid *ret_qid);
int winfs_link(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node, struct sk_9p_node *dir,
	       const char *name);
int winfs_unlink(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		 bool rmdir);
int winfs_rename(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *olddir, const char *oldname,
		 struct sk_9p_node *newdir, const char *newname, uint32_t flags);

/* winfs_io.c */
int winfs_open_file(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node, uint32_t flags,
		    struct sk_9p_file **ret_file, struct p9_qid *ret_qid);
int winfs_create(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		 uint32_t flags, uint32_t mode, struct sk_9p_node **ret_node, struct sk_9p_file **ret_file,
		 struct p9_qid *ret_qid);
void winfs_close(struct sk_9p_fs *fs, struct sk_9p_file *file);
int64_t winfs_read(struct sk_9p_fs *fs, struct sk_9p_file *file, struct sk_iov *iov, unsigned n, uint64_t offset);
int64_t winfs_write(struct sk_9p_fs *fs, struct sk_9p_file *file, struct sk_iov *iov, unsigned n, uint64_t offset);
int winfs_fsync(struct sk_9p_fs *fs, struct sk_9p_node *node, struct sk_9p_file *file, bool datasync);
int winfs_readdir(struct sk_9p_fs *fs, struct sk_9p_node *node, struct sk_9p_file *file, uint64_t offset, bool exact,
		  sk_9p_emit emit, void *arg);

#endif
