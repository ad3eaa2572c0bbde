/* SPDX-License-Identifier: Apache-2.0 */
/* See tree.h for the theory of operation. */
#include "image/tree.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/id.h"
#include "image/acl.h"

#define LINKS_MAX 40 /* symbolic links followed in one name, as in Linux */
#define WHITEOUT ".wh."
#define WHITEOUT_LEN 4
#define OPAQUE ".wh..wh..opq"
#define AUFS ".wh..wh."
#define AUFS_LEN 8

struct sk_tree {
	struct sk_inode *root;
	struct sk_inode *all;
	struct sk_dirent **buckets;
	size_t n_buckets, n_dirents; /* buckets: a power of two */
	uint32_t n_inodes, n_numbered;
	uint64_t bytes;
	uint64_t seed; /* so that no archive can aim at one bucket */
};

static struct sk_inode *inode_new(struct sk_tree *t, const struct sk_inode_attr *attr)
{
	struct sk_inode *ino;

	if (t->n_inodes >= SK_TREE_INODES_MAX) {
		errno = E2BIG;
		return NULL;
	}
	ino = calloc(1, sizeof(*ino));
	if (!ino)
		return NULL;
	ino->attr = *attr;
	ino->all_next = t->all;
	t->all = ino;
	t->n_inodes++;
	return ino;
}

static void inode_free(struct sk_inode *ino)
{
	while (ino->xattrs) {
		struct sk_xattr *x = ino->xattrs;

		ino->xattrs = x->next;
		free(x->name);
		free(x);
	}
	free(ino->target);
	free(ino);
}

int sk_tree_new(struct sk_tree **ret_tree)
{
	const struct sk_inode_attr root = { .mode = S_IFDIR | 0755 };
	struct sk_tree *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->n_buckets = 256;
	t->buckets = calloc(t->n_buckets, sizeof(struct sk_dirent *));
	t->root = inode_new(t, &root);
	if (!t->buckets || !t->root) {
		sk_tree_free(t);
		return -ENOMEM;
	}
	t->root->parent = t->root;
	t->root->implied = true;
	sk_random(&t->seed, sizeof(t->seed));
	*ret_tree = t;
	return 0;
}

void sk_tree_free(struct sk_tree *t)
{
	size_t i;

	if (!t)
		return;
	for (i = 0; t->buckets && i < t->n_buckets; i++)
		while (t->buckets[i]) {
			struct sk_dirent *d = t->buckets[i];

			t->buckets[i] = d->hash_next;
			free(d);
		}
	while (t->all) {
		struct sk_inode *ino = t->all;

		t->all = ino->all_next;
		inode_free(ino);
	}
	free(t->buckets);
	free(t);
}

/* ---- the table of (directory, name) ----------------------------------------------------------------------------- */

static uint64_t mix(uint64_t h)
{
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93u;
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93u;
	h ^= h >> 32;
	return h;
}

static size_t bucket_of(const struct sk_tree *t, const struct sk_inode *dir, const char *name, size_t len)
{
	uint64_t h = t->seed ^ (uint64_t)(uintptr_t)dir, w;

	while (len) {
		size_t n = len < 8 ? len : 8;

		w = 0;
		memcpy(&w, name, n);
		h = mix(h ^ w) + t->seed;
		name += n;
		len -= n;
	}
	return (size_t)mix(h) & (t->n_buckets - 1);
}

static struct sk_dirent *lookup(const struct sk_tree *t, const struct sk_inode *dir, const char *name, size_t len)
{
	struct sk_dirent *d = t->buckets[bucket_of(t, dir, name, len)];

	while (d && !(d->dir == dir && strncmp(d->name, name, len) == 0 && d->name[len] == '\0'))
		d = d->hash_next;
	return d;
}

static void grow(struct sk_tree *t)
{
	size_t n = t->n_buckets * 2, i, old = t->n_buckets;
	struct sk_dirent **fresh = calloc(n, sizeof(struct sk_dirent *)), **from = t->buckets;

	if (!fresh)
		return; /* longer chains: slower, not wrong */
	t->buckets = fresh;
	t->n_buckets = n;
	for (i = 0; i < old; i++)
		while (from[i]) {
			struct sk_dirent *d = from[i];
			size_t b = bucket_of(t, d->dir, d->name, strlen(d->name));

			from[i] = d->hash_next;
			d->hash_next = fresh[b];
			fresh[b] = d;
		}
	free(from);
}

static struct sk_dirent *link_inode(struct sk_tree *t, struct sk_inode *dir, const char *name, size_t len,
				    struct sk_inode *ino)
{
	struct sk_dirent *d;
	size_t b;

	if (t->bytes + len > SK_TREE_BYTES_MAX || (S_ISDIR(ino->attr.mode) && dir->depth >= SK_TREE_DEPTH_MAX)) {
		errno = E2BIG;
		return NULL;
	}
	d = malloc(sizeof(*d) + len + 1);
	if (!d)
		return NULL;
	if (t->n_dirents >= t->n_buckets)
		grow(t);
	t->bytes += len;
	t->n_dirents++;
	memcpy(d->name, name, len);
	d->name[len] = '\0';
	d->dir = dir;
	d->inode = ino;
	d->prev = NULL;
	d->next = dir->children;
	if (d->next)
		d->next->prev = d;
	dir->children = d;
	b = bucket_of(t, dir, name, len);
	d->hash_next = t->buckets[b];
	t->buckets[b] = d;
	if (S_ISDIR(ino->attr.mode)) {
		ino->parent = dir;
		ino->depth = dir->depth + 1;
	}
	return d;
}

static void unlink_one(struct sk_tree *t, struct sk_dirent *d)
{
	struct sk_dirent **p = &t->buckets[bucket_of(t, d->dir, d->name, strlen(d->name))];

	while (*p != d)
		p = &(*p)->hash_next;
	*p = d->hash_next;
	if (d->prev)
		d->prev->next = d->next;
	else
		d->dir->children = d->next;
	if (d->next)
		d->next->prev = d->prev;
	t->n_dirents--;
	free(d);
}

/* With everything below. Goes down and up by the directories' own links: no recursion. */
static void unlink_tree(struct sk_tree *t, struct sk_dirent *top)
{
	struct sk_inode *stop = top->dir, *dir = stop;
	struct sk_dirent *d = top;

	while (d) {
		if (S_ISDIR(d->inode->attr.mode) && d->inode->children) {
			d = d->inode->children;
			continue;
		}
		dir = d->dir;
		if (d == top) {
			unlink_one(t, d);
			return;
		}
		unlink_one(t, d);
		d = dir->children;
		if (!d) {
			/* The directory is empty now: its own entry is next. We always go down by the first child, so
			 * it is the first one of its own directory. */
			d = dir->parent == stop ? top : dir->parent->children;
			assert(d->inode == dir);
		}
	}
}

/* ---- names ----------------------------------------------------------------------------------------------------- */

int sk_path_clean(const char *path, char *out)
{
	size_t len = 0;

	while (*path) {
		size_t n = strcspn(path, "/");

		if (n == 2 && path[0] == '.' && path[1] == '.') {
			if (len == 0)
				return -EINVAL;
			while (len && out[len - 1] != '/')
				len--;
			if (len)
				len--;
		} else if (n && !(n == 1 && path[0] == '.')) {
			if (n > SK_TREE_NAME_MAX || n + 2 > SK_TREE_PATH_MAX - len)
				return -ENAMETOOLONG;
			if (len)
				out[len++] = '/';
			memcpy(out + len, path, n);
			len += n;
		}
		path += n;
		path += strspn(path, "/");
	}
	out[len] = '\0';
	return 0;
}

/* The directory `name` in `dir`, made if missing. */
static struct sk_inode *make_directory(struct sk_tree *t, struct sk_inode *dir, const char *name, size_t len)
{
	const struct sk_inode_attr attr = { .mode = S_IFDIR | 0755 };
	struct sk_inode *ino = inode_new(t, &attr);

	if (!ino || !link_inode(t, dir, name, len, ino))
		return NULL;
	ino->implied = true;
	return ino;
}

/* State of a walk: what is left of the name, on a stack of texts of which links push theirs. */
struct tree_walk {
	char rest[SK_TREE_PATH_MAX * 2];
	unsigned links;
};

/* Puts a link's target in front of the rest. */
static int walk_link(struct tree_walk *w, const char *rest, const char *target)
{
	size_t n = strlen(target), m = strlen(rest);

	if (++w->links > LINKS_MAX)
		return -ELOOP;
	if (n + 1 + m + 1 > sizeof(w->rest))
		return -ENAMETOOLONG;
	memmove(w->rest + n + 1, rest, m + 1);
	memcpy(w->rest, target, n);
	w->rest[n] = '/';
	return 0;
}

/*
 * Finds the directory that `path` (any text of at most SK_TREE_PATH_MAX) names, following links inside the tree; ".."
 * stops at the root. Missing directories are made if `make`, else -ENOENT. A whiteout in the way becomes an opaque
 * directory.
 */
static int walk_directory(struct sk_tree *t, const char *path, bool make, struct sk_inode **ret)
{
	struct sk_inode *dir = t->root;
	struct tree_walk w = { .links = 0 };
	const char *p = w.rest;

	memcpy(w.rest, path, strlen(path) + 1);
	for (;;) {
		struct sk_dirent *d;
		struct sk_inode *ino;
		size_t n;

		p += strspn(p, "/");
		n = strcspn(p, "/");
		if (n == 0)
			break;
		if (n == 1 && p[0] == '.') {
			p += n;
			continue;
		}
		if (n == 2 && p[0] == '.' && p[1] == '.') {
			dir = dir->parent;
			p += n;
			continue;
		}
		if (n > SK_TREE_NAME_MAX)
			return -ENAMETOOLONG;
		d = lookup(t, dir, p, n);
		if (d && S_ISLNK(d->inode->attr.mode)) {
			int r = walk_link(&w, p + n, d->inode->target);

			if (r < 0)
				return r;
			p = w.rest;
			if (*p == '/')
				dir = t->root;
			continue;
		}
		if (d && S_ISDIR(d->inode->attr.mode)) {
			ino = d->inode;
		} else {
			bool hidden = d && d->inode->whiteout;

			if (d && !hidden)
				return -ENOTDIR;
			if (!make)
				return -ENOENT;
			if (d)
				unlink_one(t, d);
			ino = make_directory(t, dir, p, n);
			if (!ino)
				return -errno;
			ino->opaque = hidden;
		}
		dir = ino;
		p += n;
	}
	*ret = dir;
	return 0;
}

/* Splits the cleaned `path` and finds the directory; `*ret_name` points into `path`. */
static int walk_parent(struct sk_tree *t, char *path, bool make, struct sk_inode **ret_dir, char **ret_name)
{
	char *slash = strrchr(path, '/');

	*ret_name = slash ? slash + 1 : path;
	if (!slash) {
		*ret_dir = t->root;
		return 0;
	}
	*slash = '\0';
	return walk_directory(t, path, make, ret_dir);
}

static int name_error(struct sk_error *err, const char *path, int code)
{
	switch (-code) {
	case EINVAL:
		return sk_error_set(err, EINVAL, "bad name \"%.300s\": it leads out of the root directory", path);
	case ENOTDIR:
		return sk_error_set(err, EINVAL, "bad name \"%.300s\": a part of it is not a directory", path);
	case ELOOP:
		return sk_error_set(err, EINVAL, "bad name \"%.300s\": too many symbolic links", path);
	case ENAMETOOLONG:
		return sk_error_set(err, EINVAL, "bad name \"%.80s…\": too long", path);
	case E2BIG:
		return sk_error_set(err, E2BIG, "too many files, or directories too deep (at \"%.300s\")", path);
	default:
		return sk_error_errno(err, code, "\"%.300s\"", path);
	}
}

/* ---- entries --------------------------------------------------------------------------------------------------- */

static int add_whiteout(struct sk_tree *t, struct sk_inode *dir, const char *name)
{
	const struct sk_inode_attr attr = { .mode = S_IFCHR };
	size_t len = strlen(name);
	struct sk_dirent *d;
	struct sk_inode *ino;

	if (len == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return -EINVAL;
	d = lookup(t, dir, name, len);
	if (d) {
		if (S_ISDIR(d->inode->attr.mode))
			d->inode->opaque = true;
		return 0; /* the layer's own file hides the one below anyway */
	}
	ino = inode_new(t, &attr);
	if (!ino || !link_inode(t, dir, name, len, ino))
		return -errno;
	ino->whiteout = true;
	return 0;
}

static int add_root(struct sk_tree *t, const struct sk_inode_attr *attr, struct sk_inode **ret)
{
	if (!S_ISDIR(attr->mode))
		return -EINVAL;
	t->root->attr = *attr;
	*ret = t->root;
	return 0;
}

static void drop_xattrs(struct sk_inode *ino)
{
	while (ino->xattrs) {
		struct sk_xattr *x = ino->xattrs;

		ino->xattrs = x->next;
		free(x->name);
		free(x);
	}
	ino->n_xattrs = 0;
}

static int add_file(struct sk_tree *t, struct sk_inode *dir, const char *name, const struct sk_inode_attr *attr,
		    const char *target, struct sk_inode **ret)
{
	size_t len = strlen(name);
	struct sk_dirent *d = lookup(t, dir, name, len);
	bool opaque = d && d->inode->whiteout && S_ISDIR(attr->mode);
	struct sk_inode *ino;

	if (d && S_ISDIR(d->inode->attr.mode) && S_ISDIR(attr->mode)) {
		d->inode->attr = *attr;
		d->inode->implied = false;
		drop_xattrs(d->inode);
		*ret = d->inode;
		return 0;
	}
	ino = inode_new(t, attr);
	if (!ino)
		return -errno;
	if (target) {
		t->bytes += strlen(target);
		ino->target = strdup(target);
		if (!ino->target)
			return -ENOMEM;
	}
	if (d)
		unlink_tree(t, d);
	if (!link_inode(t, dir, name, len, ino))
		return -errno;
	ino->opaque = opaque;
	*ret = ino;
	return 0;
}

int sk_tree_add(struct sk_tree *t, const char *path, const struct sk_inode_attr *attr, const char *target,
		struct sk_inode **ret_inode, struct sk_error *err)
{
	char clean[SK_TREE_PATH_MAX], *name;
	struct sk_inode *dir;
	int r;

	*ret_inode = NULL;
	if (target && (target[0] == '\0' || strlen(target) >= SK_TREE_PATH_MAX))
		return sk_error_set(err, EINVAL, "\"%.300s\": the symbolic link's target is empty or too long", path);
	r = sk_path_clean(path, clean);
	if (r == 0 && clean[0] == '\0')
		r = add_root(t, attr, ret_inode);
	else if (r == 0) {
		r = walk_parent(t, clean, true, &dir, &name);
		if (r < 0)
			;
		else if (strcmp(name, OPAQUE) == 0)
			dir->opaque = true;
		else if (strncmp(name, WHITEOUT, WHITEOUT_LEN) == 0 && strncmp(name, AUFS, AUFS_LEN) != 0)
			r = add_whiteout(t, dir, name + WHITEOUT_LEN);
		else
			r = add_file(t, dir, name, attr, target, ret_inode);
	}
	return r < 0 ? name_error(err, path, r) : 0;
}

int sk_tree_hardlink(struct sk_tree *t, const char *path, const char *target, struct sk_error *err)
{
	char clean[SK_TREE_PATH_MAX], *name;
	struct sk_inode *dir;
	struct sk_dirent *from, *d;
	int r = sk_path_clean(target, clean);

	if (r == 0)
		r = walk_parent(t, clean, false, &dir, &name);
	if (r < 0 && r != -ENOENT && r != -ENOTDIR)
		return name_error(err, target, r);
	from = r == 0 ? lookup(t, dir, name, strlen(name)) : NULL;
	if (!from || from->inode->whiteout || S_ISDIR(from->inode->attr.mode))
		return sk_error_set(err, EINVAL, "hard link \"%.300s\": the layer has no file \"%.300s\" before it",
				    path, target);
	r = sk_path_clean(path, clean);
	if (r == 0 && clean[0] == '\0')
		r = -EINVAL;
	if (r == 0)
		r = walk_parent(t, clean, true, &dir, &name);
	if (r < 0)
		return name_error(err, path, r);
	if (strncmp(name, WHITEOUT, WHITEOUT_LEN) == 0 && strncmp(name, AUFS, AUFS_LEN) != 0)
		return sk_error_set(err, EINVAL, "\"%.300s\": a whiteout cannot be a hard link", path);
	d = lookup(t, dir, name, strlen(name));
	if (d) {
		struct sk_inode *ino = from->inode;

		if (d == from)
			return 0;  /* a link to itself: nothing new */
		unlink_tree(t, d); /* `from` may be below it */
		d = link_inode(t, dir, name, strlen(name), ino);
	} else {
		d = link_inode(t, dir, name, strlen(name), from->inode);
	}
	return d ? 0 : name_error(err, path, -errno);
}

static bool xattr_wanted(const char *name)
{
	if (strncmp(name, "trusted.overlay.", 16) == 0 || strncmp(name, "user.overlay.", 13) == 0 ||
	    strncmp(name, "trusted.posix_acl_", 18) == 0 || strcmp(name, "security.selinux") == 0)
		return false;
	return strncmp(name, "user.", 5) == 0 || strncmp(name, "trusted.", 8) == 0 ||
	       strncmp(name, "security.", 9) == 0;
}

/* Checks that `ino` can have the ACL `value`. An access ACL sets the group bits of its mode. */
static bool acl_wanted(struct sk_inode *ino, const char *name, const void *value, size_t len)
{
	bool access = strcmp(name, "system.posix_acl_access") == 0;
	unsigned mask;

	if (S_ISLNK(ino->attr.mode) || (!access && !S_ISDIR(ino->attr.mode)) || !sk_acl_valid(value, len, &mask))
		return false;
	if (access)
		ino->attr.mode = (ino->attr.mode & ~(uint32_t)S_IRWXG) | mask << 3;
	return true;
}

int sk_tree_set_xattr(struct sk_tree *t, struct sk_inode *ino, const char *name, const void *value, size_t len,
		      struct sk_error *err)
{
	const char *disk_name = sk_acl_disk_name(name);
	struct sk_xattr *x, **p;
	size_t name_len;

	if (disk_name ? !acl_wanted(ino, name, value, len) : !xattr_wanted(name))
		return 0;
	if (disk_name)
		name = disk_name;
	name_len = strlen(name);
	if (name_len > SK_TREE_NAME_MAX || len > SK_TREE_XATTR_VALUE_MAX ||
	    t->bytes + name_len + len > SK_TREE_BYTES_MAX || ino->n_xattrs >= SK_TREE_XATTRS_MAX)
		return sk_error_set(err, E2BIG, "too many or too large extended attributes");
	for (p = &ino->xattrs; *p; p = &(*p)->next)
		if (strcmp((*p)->name, name) == 0) {
			x = *p;
			*p = x->next;
			free(x->name);
			free(x);
			ino->n_xattrs--;
			break;
		}
	x = malloc(sizeof(*x) + len);
	if (!x || !(x->name = strdup(name))) {
		free(x);
		return sk_error_errno(err, ENOMEM, "cannot keep an extended attribute");
	}
	x->len = len;
	if (len)
		memcpy(x->value, value, len);
	x->next = ino->xattrs;
	ino->xattrs = x;
	ino->n_xattrs++;
	t->bytes += name_len + len;
	return 0;
}

/* ---- the end ----------------------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	const struct sk_dirent *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name); /* as unsigned bytes: squashfs's order */
}

static int sort_children(struct sk_inode *dir)
{
	_cleanup_free_ struct sk_dirent **list = NULL;
	struct sk_dirent *d;
	size_t n = 0, i;

	for (d = dir->children; d; d = d->next)
		n++;
	if (n < 2)
		return 0;
	list = calloc(n, sizeof(struct sk_dirent *));
	if (!list)
		return -ENOMEM;
	for (i = 0, d = dir->children; d; d = d->next)
		list[i++] = d;
	qsort(list, n, sizeof(struct sk_dirent *), by_name);
	for (i = 0; i < n; i++) {
		list[i]->prev = i ? list[i - 1] : NULL;
		list[i]->next = i + 1 < n ? list[i + 1] : NULL;
	}
	dir->children = list[0];
	return 0;
}

/* Numbers the children of `dir`, counts links, sorts. */
static int finish_dir(struct sk_tree *t, struct sk_inode *dir)
{
	struct sk_dirent *d;

	dir->nlink += 2;
	for (d = dir->children; d; d = d->next) {
		struct sk_inode *ino = d->inode;

		if (S_ISDIR(ino->attr.mode))
			dir->nlink++;
		else
			ino->nlink++;
		if (ino->number == 0)
			ino->number = ++t->n_numbered;
	}
	return sort_children(dir);
}

/* After the directories in it: one that the archive implies is as old as the youngest thing in it. */
static void date_dir(struct sk_inode *dir)
{
	struct sk_dirent *d;

	for (d = dir->children; dir->implied && d; d = d->next)
		if (!d->inode->whiteout && d->inode->attr.mtime > dir->attr.mtime)
			dir->attr.mtime = d->inode->attr.mtime;
}

static struct sk_dirent *first_directory(struct sk_dirent *d)
{
	while (d && !S_ISDIR(d->inode->attr.mode))
		d = d->next;
	return d;
}

static int finish_below(struct sk_tree *t)
{
	struct sk_dirent *stack[SK_TREE_DEPTH_MAX + 2];
	unsigned top = 0;
	int r = finish_dir(t, t->root);

	stack[0] = first_directory(t->root->children);
	while (r == 0) {
		struct sk_dirent *d = stack[top];

		if (!d) {
			if (top == 0)
				break;
			top--;
			date_dir(stack[top]->inode);
			stack[top] = first_directory(stack[top]->next);
			continue;
		}
		r = finish_dir(t, d->inode);
		stack[++top] = first_directory(d->inode->children);
	}
	date_dir(t->root);
	return r;
}

int sk_tree_finish(struct sk_tree *t, struct sk_error *err)
{
	struct sk_dirent *d, *next;
	int r;

	for (d = t->root->children; d; d = next) {
		next = d->next;
		if (strncmp(d->name, AUFS, AUFS_LEN) == 0)
			unlink_tree(t, d);
	}
	t->root->number = ++t->n_numbered;
	r = finish_below(t);
	return r < 0 ? sk_error_errno(err, r, "cannot sort the layer's files") : 0;
}

struct sk_inode *sk_tree_root(struct sk_tree *t)
{
	return t->root;
}

uint32_t sk_tree_count(const struct sk_tree *t)
{
	return t->n_numbered;
}
