/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_IMAGE_TREE_H
#define SK_IMAGE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/*
 * The tree of files that one layer describes, in memory, without the files' contents.
 *
 * Theory of operation. A layer is a list of tar entries that was written by anyone. Each entry is put into this
 * tree; the tree, never the host's file system, is where names are resolved: so there is nothing to escape
 * from. What is done with names is what docker does when it unpacks:
 *   - names are cleaned lexically; one that leaves the root with ".." is an error; absolute names are relative
 *     to the root;
 *   - missing parents are made, 0755, root's; links in the middle of a name are followed inside the tree;
 *   - a later entry replaces an earlier one of the same name, except that a directory over a directory keeps its
 *     children;
 *   - ".wh.NAME" hides NAME of the layers below: an overlay whiteout (character device 0:0), or, where this layer
 *     itself has a directory NAME, that directory made opaque (OCI image-spec, layer.md, "Whiteouts": they apply to
 * lower
 *     layers only, wherever in the archive they stand). ".wh..wh..opq" makes its directory opaque;
 *   - other names that begin with ".wh..wh." are AUFS's own. They are kept while the layer is read, as hard
 *     links may point at them, and dropped by sk_tree_finish().
 *
 * Lifecycle: new → add, hardlink… → finish → (numbers, written by squash.c) → free. Inodes live as long as the
 * tree, replaced ones too, because whoever writes file contents holds pointers to them.
 *
 * Limits: SK_TREE_*; every count that the archive decides is bounded.
 */
#define SK_TREE_PATH_MAX 4096
#define SK_TREE_NAME_MAX 255
#define SK_TREE_DEPTH_MAX 1024
#define SK_TREE_INODES_MAX (2u << 20)
#define SK_TREE_BYTES_MAX (512u << 20) /* names, link targets and attributes together */
#define SK_TREE_XATTRS_MAX 64	       /* per file */
#define SK_TREE_XATTR_VALUE_MAX 65536

struct sk_xattr {
	struct sk_xattr *next;
	char *name;
	size_t len;
	uint8_t value[];
};

struct sk_dirent;

/* A file's attributes in the archive. `mode` with the type bits (S_IFREG, …). */
struct sk_inode_attr {
	uint32_t mode;
	uint32_t uid, gid;
	uint32_t mtime; /* seconds since 1970: what squashfs can say */
	uint32_t major, minor;
};

struct sk_inode {
	struct sk_inode_attr attr;
	char *target; /* symbolic link; NULL otherwise */
	struct sk_xattr *xattrs;
	unsigned n_xattrs;
	bool whiteout;		    /* made by ".wh.": attr is a character device 0:0 */
	bool opaque;		    /* directory */
	bool implied;		    /* directory without an entry: gets the newest time of its content at the end */
	struct sk_inode *parent;    /* directory: the one it is in; the root's is itself */
	unsigned depth;		    /* directory: the root's is 0 */
	struct sk_dirent *children; /* directory; sorted by name after finish */
	void *data;		    /* the writer's: contents */
	struct sk_inode *all_next;
	/* After finish: */
	uint32_t number; /* 1.. */
	uint32_t nlink;
	uint64_t disk_ref; /* the writer's */
	uint32_t disk_xattr;
	bool written;
};

struct sk_dirent {
	struct sk_dirent *next, *prev; /* in the directory */
	struct sk_dirent *hash_next;
	struct sk_inode *dir, *inode;
	char name[];
};

struct sk_tree;

/* Cleans `path` lexically into `out` (SK_TREE_PATH_MAX bytes): no "", "." or "..", no leading slash. "" is the root.
 * -EINVAL: leaves the root; -ENAMETOOLONG. */
int sk_path_clean(const char *path, char *out);

int sk_tree_new(struct sk_tree **ret_tree); /* -ENOMEM */
void sk_tree_free(struct sk_tree *tree);

/*
 * Adds an entry that is not a hard link. `target`: of a symbolic link, else NULL. `*ret_inode`: where attributes and
 * contents go; NULL when the entry was a whiteout or mark and has none. Fails with EINVAL (bad name), E2BIG (limits),
 * ENOTDIR (a file in the middle of the name), ELOOP, ENOMEM.
 */
int sk_tree_add(struct sk_tree *tree, const char *path, const struct sk_inode_attr *attr, const char *target,
		struct sk_inode **ret_inode, struct sk_error *err);
/* Another name for `target`, a name in this tree that is not a directory; ENOENT otherwise. */
int sk_tree_hardlink(struct sk_tree *tree, const char *path, const char *target, struct sk_error *err);
/* Sets an attribute. Those that mean something to overlayfs itself, and SELinux's, are dropped; so are kinds that
 * squashfs does not know, and ACLs that are not valid or that this kind of file cannot have (see acl.h). */
int sk_tree_set_xattr(struct sk_tree *tree, struct sk_inode *inode, const char *name, const void *value, size_t len,
		      struct sk_error *err);
/* Drops AUFS's files, counts links, numbers the inodes, sorts. Returns 0 or -ENOMEM with err. */
int sk_tree_finish(struct sk_tree *tree, struct sk_error *err);
struct sk_inode *sk_tree_root(struct sk_tree *tree);
/* Inodes that sk_tree_finish() numbered. */
uint32_t sk_tree_count(const struct sk_tree *tree);

#endif
