/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_EXPORT_MEMORY_INTERNAL_H
#define SK_EXPORT_MEMORY_INTERNAL_H

#include "export/memory.h"

#define LOCK_BYTES 257

struct inode;

struct memory_entry {
	struct memory_entry *next;
	struct inode *inode;
	uint64_t cookie;
	char name[P9_NAME_MAX + 1];
};

struct xattr {
	struct xattr *next;
	char name[P9_NAME_MAX + 1];
	uint8_t *value;
	size_t len;
};

struct inode {
	uint64_t ino;
	uint32_t mode, uid, gid, nlink, version;
	uint64_t rdev;
	unsigned refs;
	uint8_t *data; /* file: content; link: target */
	size_t size, cap;
	uint64_t atime, mtime, ctime, btime;
	struct xattr *xattrs;
	struct inode *parent; /* directory; not counted: a directory with entries stays */
	struct memory_entry *entries, **entries_end;
	uint64_t next_cookie;
};

struct sk_9p_node {
	unsigned refs;
	struct inode *inode, *dir; /* both counted; dir NULL: the root */
	char name[P9_NAME_MAX + 1];
};

struct sk_9p_file {
	struct inode *inode;
	uint32_t flags;
};

struct sk_9p_hostlock {
	struct sk_9p_hostlock *next;
	uint8_t held[LOCK_BYTES], flock; /* P9_LOCK_* */
};

struct memfs {
	struct sk_9p_fs fs;
	struct sk_memfs_limits limits;
	struct inode *root;
	uint64_t clock, next_ino;
	size_t bytes;
	unsigned inodes, held, fail_after;
	int fail_error;
	struct sk_9p_hostlock *locks;
	uint8_t foreign_type;
	enum sk_9p_lock_kind foreign_kind;
	uint64_t foreign_first, foreign_last;
};

static inline struct memfs *memfs_of(struct sk_9p_fs *fs)
{
	return (struct memfs *)fs;
}

/* memory_inode.c */
/* Moves the times and the version on. */
void memfs_changed(struct memfs *m, struct inode *i, bool content);
/* Gives a file another size, with zeros at the end; within the limits. */
int memfs_resize(struct memfs *m, struct inode *i, uint64_t size);

/* memory_file.c */
int mem_allocate(struct sk_9p_fs *fs, struct sk_9p_file *file, uint32_t mode, uint64_t offset, uint64_t length);
int64_t mem_seek(struct sk_9p_fs *fs, struct sk_9p_file *file, uint64_t offset, uint32_t whence);

/* memory_xattr.c */
void memfs_xattr_free(struct memfs *m, struct xattr **at);
int64_t mem_xattr_get(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node, const char *name,
		      void *buf, size_t cap);
int64_t mem_xattr_list(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node, char *buf,
		       size_t cap);
int mem_xattr_set(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node, const char *name,
		  const void *value, size_t len, uint32_t flags);
int mem_xattr_remove(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node, const char *name);

/* memory_lock.c */
int mem_lock_key(struct sk_9p_fs *fs, struct sk_9p_file *file, struct sk_9p_key *ret_key);
int mem_lock_new(struct sk_9p_fs *fs, struct sk_9p_node *node, struct sk_9p_file *file,
		 struct sk_9p_hostlock **ret_lock);
void mem_lock_free(struct sk_9p_fs *fs, struct sk_9p_hostlock *lock);
int mem_lock_set(struct sk_9p_fs *fs, struct sk_9p_hostlock *lock, enum sk_9p_lock_kind kind, uint8_t type,
		 uint64_t first, uint64_t last);
int mem_lock_test(struct sk_9p_fs *fs, struct sk_9p_hostlock *lock, uint8_t *type, uint64_t *first, uint64_t *last,
		  uint32_t *ret_pid);

#endif
