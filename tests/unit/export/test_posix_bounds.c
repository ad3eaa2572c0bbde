/* SPDX-License-Identifier: Apache-2.0 */
/* The POSIX back end with few descriptors and buffers: nothing is lost for want of them. Run by test_posix.c. */
#include "../sk_test.h"

#include "posix_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/loop.h"
#include "export/watch.h"

void bounds_budget(void **state)
{
	struct fixture *fx = *state;
	struct client *a = &fx->a;
	unsigned i, nodes, files;
	int r = 0;

	assert_int_equal(cl_mkdir(a, 0, "d", 0777, 0), 0);
	assert_int_equal(cl_walk(a, 0, 1, "d"), 0);
	for (i = 0; i < 500; i++) {
		char name[20];

		snprintf(name, sizeof(name), "f%u", i);
		assert_int_equal(cl_mkdir(a, 1, name, 0777, 0), 0);
		assert_int_equal(cl_walk(a, 1, 1000 + i, name), 0);
	}
	sk_posix_pool_used(fx->pool, &nodes, &files);
	assert_true(nodes <= 41);
	/* All of them work, and are what they were. */
	for (i = 0; i < 500; i += 7)
		assert_int_equal(cl_mkdir(a, 1000 + i, "sub", 0777, 0), 0);
	assert_int_equal(cl_renameat(a, 0, "d", 0, "moved"), 0);
	for (i = 0; i < 500; i += 7)
		assert_int_equal(cl_unlinkat(a, 1000 + i, "sub", P9_AT_REMOVEDIR), 0);
	/* A name that the host has replaced meanwhile is stale, not another file. */
	assert_int_equal(cl_getattr(a, 1499), 0);
	assert_int_equal(unlinkat(fx->dirfd, "moved/f3", AT_REMOVEDIR), 0);
	assert_int_equal(mkdirat(fx->dirfd, "moved/f3", 0777), 0);
	for (i = 100; i < 200; i++)
		assert_int_equal(cl_getattr(a, 1000 + i), 0);
	assert_int_equal(cl_getattr(a, 1003), -ESTALE);
	assert_int_equal(cl_clunk(a, 1003), 0);
	assert_int_equal(cl_walk(a, 1, 1003, "f3"), 0);
	assert_int_equal(cl_getattr(a, 1003), 0);
	/* Open files have a bound of their own, and it is an error, not the end. */
	for (i = 0; i < 100 && r == 0; i++) {
		assert_int_equal(cl_walk(a, 1000 + i, 3000 + i, ""), 0);
		r = cl_open(a, 3000 + i, P9_O_RDONLY);
	}
	assert_int_equal(r, -ENFILE);
	assert_int_equal(cl_getattr(a, 1400), 0);
}

/* Two directories at once, of which the second has to be opened again with all that is above it: the first one's
 * descriptor must not become one of those meanwhile. */
void bounds_two_directories(void **state)
{
	struct fixture *fx = *state;
	struct client *a = &fx->a;
	unsigned i;

	assert_int_equal(cl_mkdir(a, 0, "src", 0777, 0), 0);
	assert_int_equal(cl_walk(a, 0, 1, "src"), 0);
	assert_int_equal(cl_mkdir(a, 1, "f", 0777, 0), 0);
	assert_int_equal(cl_walk(a, 0, 100, ""), 0);
	for (i = 0; i < 100; i++) {
		assert_int_equal(cl_mkdir(a, 100 + i, "d", 0777, 0), 0);
		assert_int_equal(cl_walk(a, 100 + i, 101 + i, "d"), 0);
		assert_int_equal(cl_clunk(a, 100 + i), 0);
	}
	for (i = 0; i < 60; i++) {
		char name[20];

		snprintf(name, sizeof(name), "other%u", i);
		assert_int_equal(cl_mkdir(a, 0, name, 0777, 0), 0);
		assert_int_equal(cl_walk(a, 0, 1000 + i, name), 0);
	}
	assert_int_equal(cl_renameat(a, 1, "f", 200, "g"), 0);
	assert_int_equal(cl_walk(a, 200, 201, "g"), 0);
	for (i = 0; i < 60; i++)
		assert_int_equal(cl_getattr(a, 1000 + i), 0);
	fx_make(a, 2, "file");
	assert_int_equal(cl_link(a, 200, 2, "link"), 0);
	assert_int_equal(cl_walk(a, 200, 202, "link"), 0);
}

static unsigned list_some(struct client *a, uint32_t fid, uint64_t *offset)
{
	int n = cl_readdir(a, fid, *offset, 200);
	const uint8_t *p = a->r.u.data.p;
	size_t left, used;
	unsigned count = 0;
	struct p9_qid q;
	struct p9_str s;
	uint8_t type;

	assert_true(n >= 0);
	for (left = (size_t)n; left && (used = p9_get_dirent(p, left, &q, offset, &type, &s)); count++) {
		p += used;
		left -= used;
	}
	return count;
}

/* More directories are listed at once than there are buffers. */
void bounds_many_listings(void **state)
{
	struct fixture *fx = *state;
	struct client *a = &fx->a;
	static uint64_t offset[200];
	static unsigned seen[200];
	bool more = true;
	unsigned i, k;

	assert_int_equal(cl_mkdir(a, 0, "d", 0777, 0), 0);
	for (i = 0; i < 30; i++) {
		char name[20];

		snprintf(name, sizeof(name), "d/f%u", i);
		assert_int_equal(mkdirat(fx->dirfd, name, 0777), 0);
	}
	memset(offset, 0, sizeof(offset));
	memset(seen, 0, sizeof(seen));
	for (k = 0; k < 200; k++)
		fx_open(a, 1 + k, "d", P9_O_RDONLY);
	while (more) {
		more = false;
		for (k = 0; k < 200; k++) {
			unsigned n = list_some(a, 1 + k, &offset[k]);

			seen[k] += n;
			more |= n != 0;
		}
	}
	for (k = 0; k < 200; k++)
		assert_int_equal(seen[k], 32);
}

static void no_event(void *arg, const struct sk_9p_event *event)
{
	(void)arg;
	(void)event;
}

static void on_watch(void *arg, const struct sk_watch_event *event)
{
	(void)arg;
	(void)event;
}

static unsigned marks(void)
{
	DIR *d = opendir("/proc/self/fdinfo");
	struct dirent *e;
	unsigned n = 0;

	assert_non_null(d);
	while ((e = readdir(d))) {
		char path[300], line[512];
		FILE *f;

		snprintf(path, sizeof(path), "/proc/self/fdinfo/%s", e->d_name);
		f = fopen(path, "re");
		while (f && fgets(line, sizeof(line), f))
			n += strncmp(line, "fanotify ino:", 13) == 0;
		if (f)
			fclose(f);
	}
	closedir(d);
	return n;
}

/* Watched directories keep their descriptors, even with few of them. */
void bounds_watched_directories(void **state)
{
	struct fixture *fx = *state;
	const struct sk_9p_fs_ops *ops = fx->fs->ops;
	const struct sk_9p_cred cred = { 0, P9_NONUNAME };
	struct sk_9p_node *root, *node, *nodes[200];
	struct sk_watch *watch;
	struct sk_loop *loop;
	struct p9_attr attr;
	struct p9_qid qid;
	uint32_t flags;
	unsigned i;
	int r;

	assert_int_equal(sk_loop_new(&loop), 0);
	r = sk_watch_new(loop, on_watch, NULL, &watch);
	if (r < 0) {
		printf("LEFT OUT: this kernel has no fanotify for us: %s\n", strerror(-r));
		skip();
	}
	sk_posix_lease(fx->fs, watch, no_event, NULL);
	if (marks() == 0) {
		printf("LEFT OUT: directories of this file system cannot be watched\n");
		skip();
	}
	assert_int_equal(ops->root(fx->fs, &root, &qid), 0);
	for (i = 0; i < 200; i++) {
		char name[20];

		snprintf(name, sizeof(name), "d%u", i);
		assert_int_equal(mkdirat(fx->dirfd, name, 0777), 0);
		assert_int_equal(ops->look(fx->fs, &cred, root, name, true, &nodes[i], &attr, &flags), 0);
		assert_non_null(nodes[i]);
	}
	assert_true(marks() > 10 && marks() < 40);
	/* A directory that is watched comes with its lease also to a client that has its node; another one does not. */
	assert_int_equal(ops->look(fx->fs, &cred, root, "d0", false, &node, &attr, &flags), 0);
	assert_null(node);
	assert_int_equal(flags & (P9_LOOK_NAME_LEASE | P9_LOOK_ATTR_LEASE), P9_LOOK_NAME_LEASE | P9_LOOK_ATTR_LEASE);
	assert_int_equal(mkdirat(fx->dirfd, "e", 0777), 0);
	assert_int_equal(ops->look(fx->fs, &cred, root, "e", false, &node, &attr, &flags), 0);
	assert_int_equal(flags & (P9_LOOK_NAME_LEASE | P9_LOOK_ATTR_LEASE), P9_LOOK_NAME_LEASE);
	for (i = 0; i < 200; i++)
		ops->put(fx->fs, nodes[i]);
	assert_int_equal(marks(), 1); /* the root's */
	ops->put(fx->fs, root);
	fx_stop(fx);
	assert_int_equal(marks(), 0);
	sk_watch_free(watch);
	sk_loop_free(loop);
	assert_int_equal(fx_start(fx, fx->dir, NULL), 0);
}
