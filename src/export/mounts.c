/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * The kernel refuses to remove or rename a mount point (EBUSY) in the mount namespace of the caller only. Anywhere else
 * it detaches what is mounted there, in all namespaces. The file server has a namespace of its own, with private copies
 * of the mounts it shares: what it removes for a guest would take the host's mounts away. So the server asks here
 * first.
 *
 * /proc/self/mountinfo, opened before the server leaves the host's namespace, goes on listing the mounts of that
 * namespace; poll() tells of changes. What was mounted when the copy was made is mounted in the copy as well: a mount
 * point there is an entry that belongs to another mount than its directory. What the host mounts later is looked up
 * when the table has changed: a mount point is an entry of a file system, named by the device and the path in it
 * ("location", which is the same whichever bind mount leads there); it is opened in the copy, and its inode noted in
 * `points`. An inode stays what it is when the host or a guest moves a directory above it.
 *
 * Mostly nothing is mounted below a shared directory, and poll() is all that a removal costs.
 *
 * A mount that the host makes between the question and the removal is lost as before: some microseconds.
 */
#include "export/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

#define TABLE_MAX (64u << 20)
#define TREES_MAX 64u
#define IDS_MAX 64u
#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x00001000U
#endif

struct mount_entry {
	uint64_t id, parent;
	uint64_t dev;
	char *root;  /* the part of the file system that is mounted */
	char *point; /* on what path */
};

struct table {
	char *text; /* the strings are in it */
	struct mount_entry *all;
	size_t n;
};

struct point {
	uint64_t dev, ino;
	char name[256]; /* of one of several hard links */
};

struct sk_mount_tree {
	struct sk_host_mounts *m;
	uint64_t mount_id;
	char *path;  /* of the shared directory on the host */
	int fd;	     /* of its copy; -1: not yet */
	bool nested; /* there were mounts below it when the copy was made */
	struct {
		uint64_t copy, host;
	} ids[IDS_MAX]; /* numbers of mounts */
	unsigned n_ids;
};

struct sk_host_mounts {
	int fd;
	bool is_file;		 /* for tests */
	struct timespec read_at; /* of that: its time of modification then */
	bool stale;
	struct table then; /* when the copies were made */
	struct point *points;
	size_t n_points;
	struct sk_mount_tree trees[TREES_MAX];
	unsigned n_trees;
};

/* --- reading */

static char *read_table(int fd)
{
	size_t size = 16384, len = 0;
	char *text = malloc(size), *more;
	ssize_t n;

	if (!text || lseek(fd, 0, SEEK_SET) < 0)
		goto fail;
	for (;;) {
		n = read(fd, text + len, size - len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			goto fail;
		if (n == 0)
			break;
		len += (size_t)n;
		if (len < size - 1)
			continue;
		more = size < TABLE_MAX ? realloc(text, size * 2) : NULL;
		if (!more)
			goto fail;
		text = more;
		size *= 2;
	}
	text[len] = 0;
	return text;
fail:
	free(text);
	return NULL;
}

static bool is_octal(const char *p)
{
	return p[0] >= '0' && p[0] <= '3' && p[1] >= '0' && p[1] <= '7' && p[2] >= '0' && p[2] <= '7';
}

/* The kernel writes blanks and backslashes as "\040". */
static char *unescape(char *s)
{
	char *from = s, *to = s;

	while (*from) {
		if (*from == '\\' && is_octal(from + 1)) {
			*to++ = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
			from += 4;
		} else {
			*to++ = *from++;
		}
	}
	*to = 0;
	return s;
}

/* "36 35 98:0 /root /point …" */
static bool parse_line(char *line, struct mount_entry *e)
{
	unsigned long long id, parent;
	unsigned major, minor;
	char *save = NULL, *word[5];
	unsigned i;

	for (i = 0; i < 5; i++) {
		word[i] = strtok_r(i ? NULL : line, " ", &save);
		if (!word[i])
			return false;
	}
	if (sscanf(word[0], "%llu", &id) != 1 || sscanf(word[1], "%llu", &parent) != 1 ||
	    sscanf(word[2], "%u:%u", &major, &minor) != 2)
		return false;
	e->id = id;
	e->parent = parent;
	e->dev = (uint64_t)major << 32 | minor;
	e->root = unescape(word[3]);
	e->point = unescape(word[4]);
	return true;
}

static int by_id(const void *a, const void *b)
{
	const struct mount_entry *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static void table_free(struct table *t)
{
	free(t->text);
	free(t->all);
	memset(t, 0, sizeof(*t));
}

static int table_read(struct table *t, int fd)
{
	char *line, *next;
	size_t lines = 1;

	memset(t, 0, sizeof(*t));
	t->text = read_table(fd);
	if (!t->text)
		return -EIO;
	for (line = t->text; (line = strchr(line, '\n')); line++)
		lines++;
	t->all = calloc(lines, sizeof(*t->all));
	if (!t->all) {
		table_free(t);
		return -ENOMEM;
	}
	for (line = t->text; line && *line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = 0;
		if (parse_line(line, &t->all[t->n]))
			t->n++;
	}
	qsort(t->all, t->n, sizeof(*t->all), by_id);
	return 0;
}

static const struct mount_entry *find(const struct table *t, uint64_t id)
{
	struct mount_entry key = { .id = id };

	return t->n ? bsearch(&key, t->all, t->n, sizeof(key), by_id) : NULL;
}

/* --- paths */

/* The rest of `path` below `top`, without "/" before it; "" for `top` itself. NULL: it is elsewhere. */
static const char *below(const char *path, const char *top)
{
	size_t n = strcmp(top, "/") == 0 ? 0 : strlen(top);

	if (strncmp(path, top, n) != 0 || (path[n] && path[n] != '/'))
		return NULL;
	return path[n] ? path + n + 1 : path + n;
}

static bool is_below(const char *path, const char *top)
{
	const char *rest = below(path, top);

	return rest && *rest;
}

static char *join(const char *top, const char *rest)
{
	char *path;

	if (asprintf(&path, "%s%s%s", strcmp(top, "/") == 0 ? "" : top, *rest ? "/" : "", rest) < 0)
		return NULL;
	return path;
}

/* --- mount points */

static int open_in(const struct sk_mount_tree *tree, const char *path)
{
	struct open_how how = { .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };

	return (int)syscall(SYS_openat2, tree->fd, *path ? path : ".", &how, sizeof(how));
}

static void add_point(struct sk_host_mounts *m, const struct sk_mount_tree *tree, const char *path)
{
	const char *slash = strrchr(path, '/');
	struct point *p = &m->points[m->n_points];
	_cleanup_fd_ int fd = -1;
	struct statx stx;

	fd = open_in(tree, path);
	/* Nothing is there, or it lies under another mount: no guest gets there, either. */
	if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_INO, &stx) < 0)
		return;
	p->dev = (uint64_t)stx.stx_dev_major << 32 | stx.stx_dev_minor;
	p->ino = stx.stx_ino;
	snprintf(p->name, sizeof(p->name), "%s", slash ? slash + 1 : path);
	m->n_points++;
}

/* A mount point at `path` of the file system `dev`: looked up in whatever a tree shows of that. */
static int add_location(struct sk_host_mounts *m, const struct sk_mount_tree *tree, uint64_t dev, const char *path)
{
	size_t i;

	for (i = 0; i < m->then.n; i++) {
		const struct mount_entry *e = &m->then.all[i];
		const char *rest = e->dev == dev ? below(path, e->root) : NULL;
		_cleanup_free_ char *full = NULL;

		if (!rest || (e->id != tree->mount_id && !is_below(e->point, tree->path)))
			continue;
		full = join(e->point, rest);
		if (!full)
			return -ENOMEM;
		if (is_below(full, tree->path))
			add_point(m, tree, below(full, tree->path));
	}
	return 0;
}

static int add_mount(struct sk_host_mounts *m, const struct table *now, const struct mount_entry *e)
{
	const struct mount_entry *on = find(now, e->parent), *then = find(&m->then, e->id);
	const char *rest = on && on != e ? below(e->point, on->point) : NULL;
	_cleanup_free_ char *path = NULL;
	struct point *more;
	unsigned i;
	int r = 0;

	/* The kernel may have given the number to another mount since. */
	if (!rest || (then && then->dev == e->dev && strcmp(then->root, e->root) == 0))
		return 0; /* the root; or mounted in the copies, too */
	path = join(on->root, rest);
	more = path ? realloc(m->points, (m->n_points + m->n_trees * (m->then.n + 1)) * sizeof(*more)) : NULL;
	if (!more)
		return -ENOMEM;
	m->points = more;
	for (i = 0; r == 0 && i < m->n_trees; i++)
		if (m->trees[i].fd >= 0)
			r = add_location(m, &m->trees[i], on->dev, path);
	return r;
}

/* Returns true if the mount table has changed since the last call. */
static bool has_changed(struct sk_host_mounts *m)
{
	struct pollfd p = { .fd = m->fd, .events = POLLPRI };
	struct stat st;
	bool changed;

	if (!m->is_file)
		return poll(&p, 1, 0) > 0;
	if (fstat(m->fd, &st) < 0)
		return true;
	changed = st.st_mtim.tv_sec != m->read_at.tv_sec || st.st_mtim.tv_nsec != m->read_at.tv_nsec;
	m->read_at = st.st_mtim;
	return changed;
}

/* Reads the table if it has changed. */
static int refresh(struct sk_host_mounts *m)
{
	struct table now;
	size_t i;
	int r;

	m->stale |= has_changed(m);
	if (!m->stale)
		return 0;
	r = table_read(&now, m->fd);
	if (r < 0)
		return r;
	m->n_points = 0;
	for (i = 0; r == 0 && i < now.n; i++)
		r = add_mount(m, &now, &now.all[i]);
	table_free(&now);
	m->stale = r < 0;
	return r;
}

/* The entry is the root of something that is mounted in the copy. */
static bool is_mounted(int dirfd, const struct statx *entry)
{
	struct statx dir;

	return statx(dirfd, "", AT_EMPTY_PATH, STATX_MNT_ID, &dir) < 0 || dir.stx_mnt_id != entry->stx_mnt_id;
}

bool sk_mounts_busy(struct sk_mount_tree *tree, int dirfd, const char *name)
{
	struct sk_host_mounts *m = tree->m;
	struct statx stx;
	uint64_t dev;
	size_t i;

	if (refresh(m) < 0)
		return true;
	if (!m->n_points && !tree->nested)
		return false;
	if (statx(dirfd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
		  STATX_TYPE | STATX_NLINK | STATX_INO | STATX_MNT_ID, &stx) < 0)
		return errno != ENOENT;
	if (tree->nested && is_mounted(dirfd, &stx))
		return true;
	dev = (uint64_t)stx.stx_dev_major << 32 | stx.stx_dev_minor;
	for (i = 0; i < m->n_points; i++)
		if (m->points[i].ino == stx.stx_ino && m->points[i].dev == dev &&
		    (S_ISDIR(stx.stx_mode) || stx.stx_nlink == 1 || strcmp(m->points[i].name, name) == 0))
			return true;
	return false;
}

/* --- all of them */

static int by_length(const void *a, const void *b)
{
	size_t x = strlen(((const struct mount_entry *)a)->point), y = strlen(((const struct mount_entry *)b)->point);

	return x < y ? -1 : x > y;
}

int sk_mounts_each(struct sk_host_mounts *m, const char *path,
		   int (*each)(void *arg, const struct sk_host_mount *mount), void *arg)
{
	struct table now;
	size_t i;
	int r = table_read(&now, m->fd);

	if (r < 0)
		return r;
	qsort(now.all, now.n, sizeof(*now.all), by_length);
	for (i = 0; r == 0 && i < now.n; i++) {
		const struct mount_entry *e = &now.all[i];

		if (is_below(e->point, path))
			r = each(arg, &(struct sk_host_mount){ e->id, e->dev, e->root, e->point });
	}
	table_free(&now);
	return r;
}

int sk_mounts_fd(const struct sk_host_mounts *m)
{
	return m->fd;
}

/* --- the interface */

int sk_mounts_new(const char *path, struct sk_host_mounts **ret_mounts)
{
	struct sk_host_mounts *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return -ENOMEM;
	m->is_file = path;
	m->stale = true;
	m->fd = open(path ? path : "/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	r = m->fd < 0 ? -errno : table_read(&m->then, m->fd);
	if (r < 0) {
		sk_mounts_free(m);
		return r;
	}
	*ret_mounts = m;
	return 0;
}

void sk_mounts_free(struct sk_host_mounts *m)
{
	unsigned i;

	if (!m)
		return;
	for (i = 0; i < m->n_trees; i++)
		free(m->trees[i].path);
	free(m->points);
	table_free(&m->then);
	sk_close_fd(&m->fd);
	free(m);
}

int sk_mounts_add_path(struct sk_host_mounts *m, uint64_t mount_id, const char *path, struct sk_mount_tree **ret_tree)
{
	struct sk_mount_tree *tree = &m->trees[m->n_trees];
	size_t i;

	if (m->n_trees == TREES_MAX)
		return -ENOSPC;
	if (!find(&m->then, mount_id))
		return -ENOENT;
	tree->m = m;
	tree->mount_id = mount_id;
	tree->fd = -1;
	tree->path = strdup(path);
	if (!tree->path)
		return -ENOMEM;
	for (i = 0; i < m->then.n; i++)
		tree->nested |= is_below(m->then.all[i].point, path);
	m->n_trees++;
	m->stale = true;
	*ret_tree = tree;
	return 0;
}

static void note_id(struct sk_mount_tree *tree, const char *path, uint64_t host)
{
	_cleanup_fd_ int fd = open_in(tree, path);
	struct statx stx;

	if (fd < 0 || tree->n_ids == IDS_MAX || statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &stx) < 0)
		return;
	tree->ids[tree->n_ids].copy = stx.stx_mnt_id;
	tree->ids[tree->n_ids++].host = host;
}

void sk_mounts_copied(struct sk_mount_tree *tree, int fd)
{
	const struct table *t = &tree->m->then;
	size_t i;

	tree->fd = fd;
	tree->m->stale = true;
	note_id(tree, "", tree->mount_id);
	for (i = 0; i < t->n; i++)
		if (is_below(t->all[i].point, tree->path))
			note_id(tree, below(t->all[i].point, tree->path), t->all[i].id);
}

uint64_t sk_mounts_id(const struct sk_mount_tree *tree, uint64_t id)
{
	unsigned i;

	for (i = 0; i < tree->n_ids; i++)
		if (tree->ids[i].copy == id)
			return tree->ids[i].host;
	return id | UINT64_C(1) << 63;
}

int sk_mounts_add(struct sk_host_mounts *m, int fd, struct sk_mount_tree **ret_tree)
{
	char link[32], path[4096];
	struct statx stx;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0 || path[0] != '/')
		return -ENOENT;
	path[n] = 0;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &stx) < 0)
		return -errno;
	if (!(stx.stx_mask & STATX_MNT_ID))
		return -ENOENT;
	return sk_mounts_add_path(m, stx.stx_mnt_id, path, ret_tree);
}
