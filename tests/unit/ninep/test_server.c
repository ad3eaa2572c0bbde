/* SPDX-License-Identifier: Apache-2.0 */
/* The server core against the file system in memory. */
#include "../sk_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server_fixture.h"

static void version(void **state)
{
	struct fixture *fx = *state;
	struct p9_msg t = { .type = P9_TVERSION, .tag = P9_NOTAG };

	make(&fx->a, 1, "f");
	assert_int_equal(sk_9p_session_fids(fx->a.session), 2);
	t.u.version.msize = 4095;
	t.u.version.version = CL_STR("9P2000.L");
	assert_int_equal(cl_call(&fx->a, &t), -P9_EINVAL);
	assert_int_equal(sk_9p_session_fids(fx->a.session), 2);
	t.u.version.msize = 8192;
	assert_int_equal(cl_call(&fx->a, &t), 0);
	assert_int_equal(fx->a.r.u.version.msize, 8192);
	assert_int_equal(sk_9p_session_fids(fx->a.session), 0);
	/* The agreed size holds. */
	assert_int_equal(cl_attach(&fx->a, 0, 0, ""), 0);
	open_file(&fx->a, 1, "f");
	assert_int_equal(cl_write(&fx->a, 1, 0, fx->b.out, 9000), -P9_EMSGSIZE);
	assert_int_equal(cl_write(&fx->a, 1, 0, fx->b.out, 8192 - 23), 8192 - 23);
	assert_int_equal(cl_read(&fx->a, 1, 0, 60000), 8192 - 23);
	t.u.version.msize = 1u << 30;
	t.u.version.version = CL_STR("9P2000");
	assert_int_equal(cl_call(&fx->a, &t), 0);
	assert_int_equal(fx->a.r.u.version.version.len, 7);
	assert_int_equal(fx->a.r.u.version.msize, CL_MSIZE);
	assert_int_equal(cl_attach(&fx->a, 0, 0, ""), -P9_EPROTO);
	assert_int_equal(cl_version(&fx->a), 0);
	assert_int_equal(cl_attach(&fx->a, 0, 0, ""), 0);
}

static void auth_refused(void **state)
{
	struct fixture *fx = *state;
	struct p9_msg t = { .type = P9_TAUTH };

	t.u.attach.afid = 5;
	t.u.attach.uname = t.u.attach.aname = CL_STR("x");
	assert_int_equal(cl_call(&fx->a, &t), -P9_EOPNOTSUPP);
	assert_int_equal(cl_getattr(&fx->a, 0), 0); /* the session lives */
}

static void walking(void **state)
{
	struct fixture *fx = *state;
	struct client *c = &fx->a;
	struct p9_msg t = { .type = P9_TWALK };
	char name[300];

	assert_int_equal(cl_mkdir(c, 0, "d", 0755, 0), 0);
	assert_int_equal(cl_walk(c, 0, 1, "d"), 0);
	assert_int_equal(cl_mkdir(c, 1, "e", 0755, 0), 0);
	assert_int_equal(cl_walk(c, 0, 2, "d/e"), 0);
	assert_int_equal(c->r.u.rwalk.n, 2);
	/* Partial: newfid is not made. First name missing: an error. */
	assert_int_equal(cl_walk(c, 0, 3, "d/none/x"), -P9_ENOENT);
	assert_int_equal(c->r.u.rwalk.n, 1);
	assert_int_equal(cl_getattr(c, 3), -P9_EBADF);
	assert_int_equal(cl_walk(c, 0, 3, "none"), -P9_ENOENT);
	assert_int_equal(c->r.type, P9_RLERROR);
	/* ".." stops at the root. */
	assert_int_equal(cl_walk(c, 2, 3, "../../../../.."), 0);
	assert_int_equal(cl_getattr(c, 0), 0);
	t.u.getattr.mask = c->r.u.attr.qid.path;
	assert_int_equal(cl_getattr(c, 3), 0);
	assert_int_equal(c->r.u.attr.qid.path, t.u.getattr.mask);
	/* Names that are none. */
	assert_int_equal(cl_walk(c, 0, 4, "."), -P9_ENOENT);
	memset(&t.u, 0, sizeof(t.u));
	t.u.walk.newfid = 4;
	t.u.walk.n = 1;
	t.u.walk.names[0] = (struct p9_str){ "d\0e", 3 };
	assert_int_equal(cl_call(c, &t), -P9_ENOENT);
	t.u.walk.names[0] = (struct p9_str){ "d/e", 3 };
	t.tag = 0;
	assert_int_equal(cl_call(c, &t), -P9_ENOENT);
	t.u.walk.names[0] = (struct p9_str){ "", 0 };
	t.tag = 0;
	assert_int_equal(cl_call(c, &t), -P9_ENOENT);
	memset(name, 'x', sizeof(name));
	name[256] = 0;
	assert_int_equal(cl_walk(c, 0, 4, name), -P9_ENAMETOOLONG);
	assert_int_equal(cl_mkdir(c, 0, name, 0755, 0), -P9_ENAMETOOLONG);
	name[255] = 0;
	assert_int_equal(cl_mkdir(c, 0, name, 0755, 0), 0);
	assert_int_equal(cl_mkdir(c, 0, "..", 0755, 0), -P9_EINVAL);
	assert_int_equal(cl_mkdir(c, 0, "a/b", 0755, 0), -P9_EINVAL);
	/* Fids: in use, unknown, in place, through a file. */
	assert_int_equal(cl_walk(c, 0, 2, "d"), -P9_EBADF);
	assert_int_equal(cl_walk(c, 77, 5, "d"), -P9_EBADF);
	assert_int_equal(cl_walk(c, 0, P9_NOFID, "d"), -P9_EBADF);
	assert_int_equal(cl_walk(c, 1, 1, "e"), 0);
	make(c, 6, "f");
	assert_int_equal(cl_walk(c, 6, 6, ""), -P9_EBADF);
	assert_int_equal(cl_walk(c, 6, 7, "x"), -P9_ENOTDIR);
	assert_int_equal(cl_walk(c, 0, 7, "f/x"), -P9_ENOENT);
	/* From an open fid whose file is gone. */
	assert_int_equal(cl_unlinkat(c, 0, "f", 0), 0);
	assert_int_equal(cl_walk(c, 6, 7, ""), 0);
	assert_int_equal(cl_getattr(c, 7), 0);
	assert_int_equal(c->r.u.attr.nlink, 0);
}

static void attach_names(void **state)
{
	struct fixture *fx = *state;
	struct client *c = &fx->a;

	assert_int_equal(cl_mkdir(c, 0, "d", 0755, 0), 0);
	assert_int_equal(cl_attach(c, 1, P9_NONUNAME, "/d"), 0);
	assert_int_equal(cl_attach(c, 2, 0, "/d/../../.."), 0);
	assert_int_equal(cl_attach(c, 3, 0, "/none"), -P9_ENOENT);
	assert_int_equal(cl_attach(c, 1, 0, "/"), -P9_EBADF);
	assert_int_equal(cl_attach(c, P9_NOFID, 0, "/"), -P9_EBADF);
}

static void io(void **state)
{
	struct fixture *fx = *state;
	struct client *c = &fx->a;
	uint8_t big[40000];
	size_t i;

	for (i = 0; i < sizeof(big); i++)
		big[i] = (uint8_t)(i * 13 >> 3);
	make(c, 1, "f");
	assert_int_equal(cl_write(c, 1, 5, big, sizeof(big)), sizeof(big));
	assert_int_equal(cl_read(c, 1, 5, sizeof(big)), sizeof(big));
	assert_memory_equal(c->r.u.data.p, big, sizeof(big));
	assert_int_equal(cl_read(c, 1, 40004, 10), 1);
	assert_int_equal(cl_read(c, 1, 40005, 10), 0);
	assert_int_equal(cl_read(c, 1, INT64_MAX, 10), -P9_EINVAL);
	assert_int_equal(cl_write(c, 1, INT64_MAX, big, 10), -P9_EFBIG);
	assert_int_equal(cl_write(c, 1, UINT64_MAX, big, 10), -P9_EFBIG);
	assert_int_equal(cl_write(c, 1, 0, big, 0), 0);
	/* Errors of the file system reach the client; no progress is never "0 written". */
	assert_int_equal(cl_write(c, 1, 2u << 20, big, 10), -P9_ENOSPC);
	sk_memfs_fail_write(fx->fs, 1, P9_EIO);
	assert_int_equal(cl_write(c, 1, 0, big, 10), -P9_EIO);
	sk_memfs_fail_write(fx->fs, 1, 0);
	assert_int_equal(cl_write(c, 1, 0, big, 10), -P9_EIO);
	/* Modes of the fid. */
	assert_int_equal(cl_walk(c, 0, 2, "f"), 0);
	assert_int_equal(cl_read(c, 2, 0, 10), -P9_EBADF);
	assert_int_equal(cl_open(c, 2, P9_O_WRONLY), 0);
	assert_int_equal(cl_open(c, 2, P9_O_WRONLY), -P9_EINVAL);
	assert_int_equal(cl_read(c, 2, 0, 10), -P9_EBADF);
	assert_int_equal(cl_walk(c, 0, 3, "f"), 0);
	assert_int_equal(cl_open(c, 3, P9_O_RDONLY), 0);
	assert_int_equal(cl_write(c, 3, 0, big, 10), -P9_EBADF);
	assert_int_equal(cl_walk(c, 0, 4, ""), 0);
	assert_int_equal(cl_open(c, 4, P9_O_RDWR), -P9_EISDIR);
	assert_int_equal(cl_open(c, 4, P9_O_RDONLY), 0);
	assert_int_equal(cl_read(c, 4, 0, 10), -P9_EISDIR);
	/* Create: exclusive, and on top of what is there. */
	assert_int_equal(cl_walk(c, 0, 5, ""), 0);
	assert_int_equal(cl_create(c, 5, "f", P9_O_RDWR | P9_O_EXCL, 0600, 0), -P9_EEXIST);
	assert_int_equal(cl_create(c, 5, "f", P9_O_RDWR, 0600, 0), 0);
	assert_int_equal(cl_read(c, 5, 40004, 10), 1);
}

static void suid_goes(void **state)
{
	struct fixture *fx = *state;
	struct client *c = &fx->a;
	struct p9_msg t = { .type = P9_TSETATTR };

	make(c, 1, "f");
	t.u.setattr.fid = 1;
	t.u.setattr.valid = P9_SETATTR_MODE;
	t.u.setattr.mode = 06755;
	assert_int_equal(cl_call(c, &t), 0);
	assert_int_equal(cl_write(c, 1, 0, "x", 1), 1);
	assert_int_equal(cl_getattr(c, 1), 0);
	assert_int_equal(c->r.u.attr.mode, 0100755);
}

static unsigned count_entries(struct client *c, uint32_t fid, uint32_t chunk)
{
	uint64_t offset = 0;
	unsigned count = 0;
	int n;

	while ((n = cl_readdir(c, fid, offset, chunk)) > 0) {
		const uint8_t *p = c->r.u.data.p;
		size_t left = (size_t)n, used;
		struct p9_qid q;
		struct p9_str s;
		uint8_t type;

		while (left && (used = p9_get_dirent(p, left, &q, &offset, &type, &s))) {
			p += used;
			left -= used;
			count++;
		}
		assert_int_equal(left, 0);
	}
	assert_int_equal(n, 0);
	return count;
}

static void listing(void **state)
{
	struct fixture *fx = *state;
	struct client *c = &fx->a;
	char name[32];
	unsigned i;

	for (i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "entry%u", i);
		assert_int_equal(cl_mknod(c, 0, name, 0100644, 0, 0), 0);
	}
	assert_int_equal(cl_walk(c, 0, 1, ""), 0);
	assert_int_equal(cl_readdir(c, 1, 0, 1000), -P9_EBADF);
	assert_int_equal(cl_open(c, 1, 0), 0);
	assert_int_equal(cl_readdir(c, 1, 0, 0), -P9_EINVAL);
	assert_int_equal(cl_readdir(c, 1, 0, 10), -P9_EINVAL);
	assert_int_equal(count_entries(c, 1, 60), 302);
	assert_int_equal(count_entries(c, 1, 1000), 302);
	assert_int_equal(count_entries(c, 1, 1u << 30), 302);
	/* Cookies stay good while entries go. */
	assert_true(cl_readdir(c, 1, 0, 1000) > 0);
	for (i = 0; i < 300; i += 2) {
		snprintf(name, sizeof(name), "entry%u", i);
		assert_int_equal(cl_unlinkat(c, 0, name, 0), 0);
	}
	assert_int_equal(count_entries(c, 1, 100), 152);
}

static void names(void **state)
{
	struct fixture *fx = *state;
	struct client *c = &fx->a;
	struct p9_msg t = { .type = P9_TRENAME };
	char target[5000];

	make(c, 1, "f");
	assert_int_equal(cl_link(c, 0, 1, "g"), 0);
	assert_int_equal(cl_getattr(c, 1), 0);
	assert_int_equal(c->r.u.attr.nlink, 2);
	assert_int_equal(cl_link(c, 0, 1, "g"), -P9_EEXIST);
	assert_int_equal(cl_link(c, 0, 0, "dirlink"), -P9_EPERM);
	assert_int_equal(cl_mkdir(c, 0, "d", 0755, 0), 0);
	assert_int_equal(cl_unlinkat(c, 0, "d", 0), -P9_EISDIR);
	assert_int_equal(cl_unlinkat(c, 0, "f", P9_AT_REMOVEDIR), -P9_ENOTDIR);
	assert_int_equal(cl_unlinkat(c, 0, "f", 1), -P9_EINVAL);
	assert_int_equal(cl_renameat(c, 0, "f", 0, "d"), -P9_EISDIR);
	assert_int_equal(cl_renameat(c, 0, "f", 0, "g"), 0); /* the same file: nothing happens */
	assert_int_equal(cl_walk(c, 0, 2, "f"), 0);
	assert_int_equal(cl_walk(c, 0, 3, "d"), 0);
	t.u.rename.fid = 2;
	t.u.rename.dfid = 3;
	t.u.rename.name = CL_STR("h");
	assert_int_equal(cl_call(c, &t), 0);
	assert_int_equal(cl_unlinkat(c, 0, "d", P9_AT_REMOVEDIR), -P9_ENOTEMPTY);
	assert_int_equal(cl_walk(c, 0, 4, "d/h"), 0);
	assert_int_equal(cl_fid(c, P9_TREMOVE, 4), 0);
	assert_int_equal(cl_getattr(c, 4), -P9_EBADF); /* gone in any case */
	assert_int_equal(cl_fid(c, P9_TREMOVE, 3), 0);
	assert_int_equal(cl_walk(c, 0, 3, ""), 0);
	assert_int_equal(cl_fid(c, P9_TREMOVE, 3), -P9_EBUSY);
	assert_int_equal(cl_getattr(c, 3), -P9_EBADF);
	/* Links: the target as it is. */
	assert_int_equal(cl_symlink(c, 0, "l", "../..//x/"), 0);
	assert_int_equal(cl_walk(c, 0, 5, "l"), 0);
	assert_int_equal(cl_fid(c, P9_TREADLINK, 5), 0);
	assert_int_equal(c->r.u.target.len, 9);
	assert_memory_equal(c->r.u.target.p, "../..//x/", 9);
	assert_int_equal(cl_open(c, 5, 0), -P9_ELOOP);
	assert_int_equal(cl_fid(c, P9_TREADLINK, 1), -P9_EINVAL);
	memset(target, 'x', sizeof(target));
	target[4095] = 0;
	assert_int_equal(cl_symlink(c, 0, "m", target), 0);
	assert_int_equal(cl_walk(c, 0, 6, "m"), 0);
	assert_int_equal(cl_fid(c, P9_TREADLINK, 6), 0);
	assert_int_equal(c->r.u.target.len, 4095);
	target[4095] = 'x';
	target[4096] = 0;
	assert_int_equal(cl_symlink(c, 0, "n", target), -P9_ENAMETOOLONG);
	assert_int_equal(cl_symlink(c, 0, "n", ""), -P9_ENOENT);
	/* Devices. */
	assert_int_equal(cl_mknod(c, 0, "null", P9_S_IFCHR | 0666, 1, 300), 0);
	assert_int_equal(cl_walk(c, 0, 7, "null"), 0);
	assert_int_equal(cl_getattr(c, 7), 0);
	assert_int_equal(c->r.u.attr.rdev, (300 & 0xff) | 1 << 8 | (300 & ~0xff) << 12);
	assert_int_equal(cl_open(c, 7, 0), -P9_ENXIO);
	assert_int_equal(cl_mknod(c, 0, "dir", P9_S_IFDIR | 0666, 0, 0), -P9_EPERM);
}

static void xattrs(void **state)
{
	struct fixture *fx = *state;
	struct client *c = &fx->a;
	static uint8_t big[50000];
	struct p9_msg t = { .type = P9_TXATTRCREATE };

	make(c, 1, "f");
	assert_int_equal(cl_xattr_get(c, 1, "user.x"), -P9_ENODATA);
	assert_int_equal(cl_xattr_set(c, 1, "user.x", "value", 5, 0), 0);
	assert_int_equal(cl_xattr_get(c, 1, "user.x"), 5);
	assert_memory_equal(c->r.u.data.p, "value", 5);
	assert_int_equal(cl_xattr_set(c, 1, "user.x", "v", 1, P9_XATTR_CREATE), -P9_EEXIST);
	assert_int_equal(cl_xattr_set(c, 1, "user.y", "v", 1, P9_XATTR_REPLACE), -P9_ENODATA);
	assert_int_equal(cl_xattr_set(c, 1, "user.big", big, sizeof(big), 0), 0);
	assert_int_equal(cl_xattr_get(c, 1, "user.big"), sizeof(big));
	assert_int_equal(cl_xattr_get(c, 1, ""), 16);
	assert_int_equal(cl_xattr_set(c, 1, "user.x", "", 0, 0), 0); /* empty, not removed */
	assert_int_equal(cl_xattr_get(c, 1, "user.x"), 0);
	assert_int_equal(cl_xattr_set(c, 1, "user.x", "", 0, P9_XATTR_REPLACE), 0);
	assert_int_equal(cl_xattr_get(c, 1, "user.x"), -P9_ENODATA);
	assert_int_equal(cl_xattr_set(c, 1, "user.x", "", 0, P9_XATTR_REPLACE), -P9_ENODATA);
	assert_int_equal(cl_xattr_set(c, 1, "user.x", "", 0, P9_XATTR_FLAG_EMPTY), -P9_EINVAL); /* the extension's */
	/* An attribute value that was not written to its end is not set; the clunk returns an error and frees the
	 * fid. */
	assert_int_equal(cl_walk(c, 1, 2, ""), 0);
	t.u.xattrcreate.fid = 2;
	t.u.xattrcreate.name = CL_STR("user.z");
	t.u.xattrcreate.size = 10;
	assert_int_equal(cl_call(c, &t), 0);
	assert_int_equal(cl_getattr(c, 2), -P9_EBADF);
	assert_int_equal(cl_write(c, 2, 0, "12345", 5), 5);
	assert_int_equal(cl_write(c, 2, 0, "12345", 5), -P9_EINVAL);
	assert_int_equal(cl_write(c, 2, 5, "123456", 6), -P9_EINVAL);
	assert_int_equal(cl_clunk(c, 2), -P9_EIO);
	assert_int_equal(cl_clunk(c, 2), -P9_EBADF);
	assert_int_equal(cl_xattr_get(c, 1, "user.z"), -P9_ENODATA);
	t.tag = 0;
	t.u.xattrcreate.size = 65537;
	assert_int_equal(cl_walk(c, 1, 2, ""), 0);
	assert_int_equal(cl_call(c, &t), -P9_E2BIG);
	/* Memory for values is bounded: 4 MiB of them. */
	t.u.xattrcreate.size = 65536;
	{
		uint32_t fid;
		int r = 0;

		for (fid = 10; fid < 100 && r == 0; fid++) {
			assert_int_equal(cl_walk(c, 1, fid, ""), 0);
			t.tag = 0;
			t.u.xattrcreate.fid = fid;
			r = cl_call(c, &t);
		}
		assert_int_equal(r, -P9_ENOMEM);
		assert_int_equal(fid, 75);
	}
}

static void read_only(void **state)
{
	struct fixture *fx = *state;
	struct client *c = &fx->a, *w = &fx->b;
	struct p9_msg t = { .type = P9_TSETATTR };

	make(w, 1, "f");
	assert_int_equal(cl_write(w, 1, 0, "hello", 5), 5);
	assert_int_equal(cl_mkdir(w, 0, "d", 0755, 0), 0);
	fx->export.readonly = true;
	assert_int_equal(cl_walk(c, 0, 1, "f"), 0);
	assert_int_equal(cl_open(c, 1, P9_O_RDWR), -P9_EROFS);
	assert_int_equal(cl_open(c, 1, P9_O_RDONLY | P9_O_TRUNC), -P9_EROFS);
	assert_int_equal(cl_open(c, 1, P9_O_RDONLY), 0);
	assert_int_equal(cl_read(c, 1, 0, 10), 5);
	assert_int_equal(cl_lock(c, 1, P9_LOCK_RDLCK, 0, 0, 0, 1), P9_LOCK_SUCCESS);
	assert_int_equal(cl_walk(c, 0, 2, ""), 0);
	assert_int_equal(cl_create(c, 2, "n", P9_O_RDWR, 0644, 0), -P9_EROFS);
	assert_int_equal(cl_mkdir(c, 0, "n", 0755, 0), -P9_EROFS);
	assert_int_equal(cl_mknod(c, 0, "n", 0100644, 0, 0), -P9_EROFS);
	assert_int_equal(cl_symlink(c, 0, "n", "x"), -P9_EROFS);
	assert_int_equal(cl_link(c, 0, 1, "n"), -P9_EROFS);
	assert_int_equal(cl_renameat(c, 0, "f", 0, "n"), -P9_EROFS);
	assert_int_equal(cl_unlinkat(c, 0, "f", 0), -P9_EROFS);
	assert_int_equal(cl_xattr_set(c, 1, "user.x", "v", 1, 0), -P9_EROFS);
	t.u.setattr.fid = 1;
	t.u.setattr.valid = P9_SETATTR_MODE;
	assert_int_equal(cl_call(c, &t), -P9_EROFS);
	assert_int_equal(cl_walk(c, 0, 3, "f"), 0);
	assert_int_equal(cl_fid(c, P9_TREMOVE, 3), -P9_EROFS);
	fx->export.readonly = false;
}

/* --- locks */

#define R P9_LOCK_RDLCK
#define W P9_LOCK_WRLCK
#define U P9_LOCK_UNLCK

static void lock_ranges(void **state)
{
	struct fixture *fx = *state;
	struct client *a = &fx->a, *b = &fx->b;

	make(a, 1, "f");
	open_file(b, 1, "f");
	assert_int_equal(cl_lock(a, 1, W, 0, 10, 20, 1), 0);
	assert_int_equal(cl_lock(b, 1, W, 0, 29, 1, 1),
			 P9_LOCK_BLOCKED); /* the same pid and host name in another session */
	assert_int_equal(cl_lock(b, 1, R, 0, 0, 11, 1), P9_LOCK_BLOCKED);
	assert_int_equal(cl_lock(b, 1, W, 0, 0, 10, 1), 0);
	assert_int_equal(cl_lock(b, 1, W, 0, 30, 0, 1), 0);
	assert_int_equal(cl_getlock(b, 1, 0, 0, 1), W);
	assert_int_equal(b->r.u.lock.start, 10);
	assert_int_equal(b->r.u.lock.length, 20);
	assert_int_equal(b->r.u.lock.proc_id, 1);
	/* Split: unlock the middle. */
	assert_int_equal(cl_lock(a, 1, U, 0, 15, 5, 1), 0);
	assert_int_equal(cl_lock(b, 1, W, 0, 15, 5, 1), 0);
	assert_int_equal(cl_lock(b, 1, R, 0, 14, 1, 1), P9_LOCK_BLOCKED);
	assert_int_equal(cl_lock(b, 1, R, 0, 20, 1, 1), P9_LOCK_BLOCKED);
	/* Downgrade lets readers in; the upgrade then has to wait. */
	assert_int_equal(cl_lock(a, 1, R, 0, 10, 5, 1), 0);
	assert_int_equal(cl_lock(b, 1, R, 0, 10, 5, 1), 0);
	assert_int_equal(cl_lock(a, 1, W, 0, 10, 5, 1), P9_LOCK_BLOCKED);
	assert_int_equal(sk_memfs_hostlock_at(fx->fs, 12), R);
	assert_int_equal(cl_lock(b, 1, U, 0, 10, 5, 1), 0);
	assert_int_equal(sk_memfs_hostlock_at(fx->fs, 12), R);
	assert_int_equal(cl_lock(a, 1, W, 0, 10, 5, 1), 0);
	assert_int_equal(sk_memfs_hostlock_at(fx->fs, 12), W);
	/* All of it away: the host has nothing left. */
	assert_int_equal(cl_lock(a, 1, U, 0, 0, 0, 1), 0);
	assert_int_equal(sk_memfs_hostlock_at(fx->fs, 12), U);
	assert_int_equal(sk_memfs_hostlock_at(fx->fs, 16), W);
	assert_int_equal(cl_lock(b, 1, U, 0, 0, 0, 1), 0);
	assert_int_equal(sk_memfs_hostlock_at(fx->fs, 16), U);
	assert_int_equal(sk_memfs_hostlock_at(fx->fs, 300), U);
	assert_int_equal(cl_lock(a, 1, 3, 0, 0, 0, 1), -P9_EINVAL);
	assert_int_equal(cl_lock(a, 1, W, 0, UINT64_MAX, 1, 1), -P9_EINVAL);
	assert_int_equal(cl_lock(a, 1, W, 0, 10, INT64_MAX, 1), -P9_EOVERFLOW);
	assert_int_equal(cl_lock(a, 0, W, 0, 0, 1, 1), -P9_EBADF);
}

static void lock_owners(void **state)
{
	struct fixture *fx = *state;
	struct client *a = &fx->a;

	make(a, 1, "f");
	assert_int_equal(cl_link(a, 0, 1, "g"), 0);
	open_file(a, 2, "g"); /* a hard link: another inode for the guest */
	open_file(a, 3, "f");
	assert_int_equal(cl_lock(a, 1, W, 0, 0, 0, 1), 0);
	assert_int_equal(cl_lock(a, 2, W, 0, 0, 0, 2), P9_LOCK_BLOCKED);
	/* One process, two descriptors: no conflict. */
	assert_int_equal(cl_lock(a, 2, W, 0, 5, 5, 1), 0);
	assert_int_equal(cl_lock(a, 2, U, 0, 0, 0, 1), 0);
	assert_int_equal(cl_lock(a, 2, W, 0, 0, 0, 2), 0);
	/* flock() by one process, unlock and lock again by others through the same open file. */
	assert_int_equal(cl_lock(a, 2, U, 0, 0, 0, 3), 0);
	assert_int_equal(cl_lock(a, 2, W, 0, 0, 0, 4), 0);
	assert_int_equal(cl_lock(a, 3, W, 0, 0, 0, 5), P9_LOCK_BLOCKED);
	/* A clunk releases what was made through that fid, and only that. */
	assert_int_equal(cl_clunk(a, 1), 0);
	assert_int_equal(cl_lock(a, 3, W, 0, 0, 0, 5), P9_LOCK_BLOCKED);
	assert_int_equal(cl_clunk(a, 2), 0);
	assert_int_equal(cl_lock(a, 3, W, 0, 0, 0, 5), 0);
	assert_int_equal(sk_memfs_hostlocks(fx->fs), 1);
	assert_int_equal(cl_clunk(a, 3), 0);
	assert_int_equal(sk_memfs_hostlocks(fx->fs), 0);
}

static void lock_waits(void **state)
{
	struct fixture *fx = *state;
	struct client *a = &fx->a, *b = &fx->b;
	uint32_t fid;

	make(a, 1, "f");
	open_file(b, 1, "f");
	open_file(b, 2, "f");
	assert_int_equal(cl_lock(a, 1, W, 0, 0, 0, 1), 0);
	/* Granted at once when it becomes free, in the order of arrival. */
	assert_int_equal(cl_lock(b, 1, W, P9_LOCK_FLAG_BLOCK, 0, 0, 1), 1000);
	assert_int_equal(cl_lock(b, 2, W, P9_LOCK_FLAG_BLOCK, 0, 0, 2), 1000);
	assert_int_equal(sk_9p_session_parked(b->session), 2);
	assert_int_equal(cl_lock(a, 1, U, 0, 0, 0, 1), 0);
	assert_int_equal(b->completed, 1);
	assert_int_equal(b->last_status, P9_LOCK_SUCCESS);
	assert_int_equal(b->last_token, b->token - 1);
	assert_int_equal(cl_clunk(b, 1), 0);
	assert_int_equal(b->completed, 2);
	assert_int_equal(b->last_status, P9_LOCK_SUCCESS);
	/* Time-out. */
	assert_int_equal(cl_lock(a, 1, R, P9_LOCK_FLAG_BLOCK, 5, 1, 1), 1000);
	assert_int_equal(timer, now + 1000);
	now += 999;
	sk_9p_server_timer(fx->server);
	assert_int_equal(a->completed, 0);
	now += 1;
	sk_9p_server_timer(fx->server);
	assert_int_equal(a->completed, 1);
	assert_int_equal(a->last_status, P9_LOCK_BLOCKED);
	assert_true(timer == UINT64_MAX);
	/* Flush: no answer, no lock. */
	assert_int_equal(cl_lock(a, 1, R, P9_LOCK_FLAG_BLOCK, 5, 1, 1), 1000);
	assert_int_equal(cl_flush(a, (uint16_t)(a->tag + 500)), 0); /* unknown */
	assert_int_equal(a->cancelled, 0);
	assert_int_equal(cl_flush(a, (uint16_t)(a->tag - 1)), 0);
	assert_int_equal(a->cancelled, 1);
	assert_int_equal(cl_lock(b, 2, U, 0, 0, 0, 2), 0);
	assert_int_equal(a->completed, 1);
	open_file(b, 1, "f");
	assert_int_equal(cl_lock(b, 1, W, 0, 0, 0, 9), 0);
	/* At most four requests wait; the fifth is refused. A clunk of the fid ends them. */
	for (fid = 10; fid < 15; fid++) {
		open_file(a, fid, "f");
		assert_int_equal(cl_lock(a, fid, W, P9_LOCK_FLAG_BLOCK, 0, 0, fid), fid < 14 ? 1000 : P9_LOCK_BLOCKED);
	}
	assert_int_equal(cl_clunk(a, 11), 0);
	assert_int_equal(a->completed, 2);
	assert_int_equal(a->last_status, -P9_EINTR);
	/* A lost session leaves nothing behind. */
	sk_9p_session_reset(a->session, false);
	assert_int_equal(a->completed, 2);
	assert_int_equal(sk_9p_session_parked(a->session), 0);
	assert_int_equal(cl_lock(b, 1, U, 0, 0, 0, 9), 0);
	assert_int_equal(cl_lock(b, 1, W, 0, 0, 0, 9), 0);
}

static void lock_host(void **state)
{
	struct fixture *fx = *state;
	struct client *a = &fx->a;

	make(a, 1, "f");
	sk_memfs_foreign_lock(fx->fs, W, 100, 109);
	assert_int_equal(cl_lock(a, 1, R, 0, 105, 1, 1), P9_LOCK_BLOCKED);
	assert_int_equal(cl_lock(a, 1, R, 0, 110, 1, 1), 0);
	assert_int_equal(cl_getlock(a, 1, 0, 0, 1), W);
	assert_int_equal(a->r.u.lock.start, 100);
	assert_int_equal(a->r.u.lock.length, 10);
	assert_int_equal(cl_lock(a, 1, W, P9_LOCK_FLAG_BLOCK, 0, 0, 1), 1000);
	assert_int_equal(timer, now + 1);
	now = timer;
	sk_9p_server_timer(fx->server);
	assert_int_equal(a->completed, 0);
	assert_int_equal(timer, now + 2);
	sk_memfs_foreign_lock(fx->fs, U, 0, 0);
	now = timer;
	sk_9p_server_timer(fx->server);
	assert_int_equal(a->completed, 1);
	assert_int_equal(a->last_status, P9_LOCK_SUCCESS);
	/* Nothing held by others, nothing to report. */
	assert_int_equal(cl_getlock(a, 1, 0, 0, 1), U);
}

static void lock_bound(void **state)
{
	struct fixture *fx = *state;
	struct client *a = &fx->a;
	unsigned i;
	int r = 0;

	make(a, 1, "f");
	for (i = 0; i < 200 && r == 0; i++)
		r = cl_lock(a, 1, W, 0, i * 2, 1, 1);
	assert_int_equal(r, -P9_ENOLCK);
	assert_int_equal(i, 101);
	assert_int_equal(cl_lock(a, 1, U, 0, 0, 0, 1), 0);
	assert_int_equal(cl_lock(a, 1, W, 0, 0, 0, 1), 0);
	for (i = 0, r = 0; i < 1000 && r == 0; i++)
		r = cl_lock(a, 1, U, 0, i * 2 + 1, 1, 1);
	assert_int_equal(r, -P9_ENOLCK);
	assert_int_equal(cl_lock(a, 1, U, 0, 0, 0, 1), 0);
}

static void fid_bound(void **state)
{
	struct fixture *fx = *state;
	struct client *a = &fx->a;
	uint32_t i;
	int r = 0;

	for (i = 1; i < 1000 && r == 0; i++)
		r = cl_walk(a, 0, i * 7919, "");
	assert_int_equal(r, -P9_EMFILE);
	assert_int_equal(sk_9p_session_fids(a->session), 500);
	for (i = 1; i < 500; i++)
		assert_int_equal(cl_clunk(a, i * 7919), 0);
	assert_int_equal(sk_9p_session_fids(a->session), 1);
}

/* --- hostile framing */

static void framing(void **state)
{
	struct fixture *fx = *state;
	struct client *a = &fx->a;
	struct p9_msg t = { .type = P9_TGETATTR, .tag = 9 };
	struct sk_iov out, in;
	long n;

	t.u.getattr.fid = 0;
	n = p9_encode(&t, a->out, sizeof(a->out));
	out = (struct sk_iov){ a->out, 6 };
	in = (struct sk_iov){ a->in, sizeof(a->in) };
	assert_int_equal(sk_9p_request(a->session, &out, 1, &in, 1, 0), -P9_EPROTO);
	out.len = (size_t)n - 1;
	assert_int_equal(sk_9p_request(a->session, &out, 1, &in, 1, 0), -P9_EPROTO);
	out.len = (size_t)n;
	in.len = 10;
	assert_int_equal(sk_9p_request(a->session, &out, 1, &in, 1, 0), -P9_EPROTO);
	in.len = 100; /* too little for Rgetattr, enough for an error */
	assert_int_equal(sk_9p_request(a->session, &out, 1, &in, 1, 0), 11);
	assert_int_equal(p9_get32(a->in + 7), P9_EMSGSIZE);
	in.len = 160;
	assert_int_equal(sk_9p_request(a->session, &out, 1, &in, 1, 0), 160);
	assert_int_equal(sk_9p_request(a->session, NULL, 0, NULL, 0, 0), -P9_EPROTO);
	/* A message with something behind its fields. */
	a->out[n] = 0;
	p9_put32(a->out, (uint32_t)n + 1);
	assert_int_equal(cl_raw(a, (size_t)n + 1, 0), -P9_EINVAL);
	/* A string that would reach over the end. */
	n = 7 + 4 + 4 + 2 + 2;
	memset(a->out, 0, (size_t)n);
	p9_put32(a->out, (uint32_t)n);
	a->out[4] = P9_TWALK;
	p9_put16(a->out + 15, 1);
	p9_put16(a->out + 17, 0xffff);
	assert_int_equal(cl_raw(a, (size_t)n, 3), -P9_EINVAL);
	/* Replies and unknown types are no requests. */
	a->out[4] = P9_RWALK;
	assert_int_equal(cl_raw(a, (size_t)n, 0), -P9_EINVAL);
	a->out[4] = 99;
	assert_int_equal(cl_raw(a, (size_t)n, 0), -P9_EOPNOTSUPP);
	/* A huge message without data. */
	memset(a->out, 0, 60000);
	p9_put32(a->out, 60000);
	a->out[4] = P9_TWALK;
	assert_int_equal(cl_raw(a, 60000, 0), -P9_ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(version),    T(auth_refused), T(walking),    T(attach_names), T(io),		T(suid_goes),
		T(listing),    T(names),	T(xattrs),     T(read_only),	T(lock_ranges), T(lock_owners),
		T(lock_waits), T(lock_host),	T(lock_bound), T(fid_bound),	T(framing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
