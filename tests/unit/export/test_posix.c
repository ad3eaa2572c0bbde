/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The POSIX back end through the server, on a directory of the host. Run as root it goes through TRUST, CHECK and
 * SQUASH, and then through SELF and MAPPED as user 65534; run as anybody else, through the last two.
 */
#include "../sk_test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/loop.h"
#include "export/override.h"
#include "export/posix.h"
#include "posix_fixture.h"

/* The uid that the server uses for a caller's. */
static uint32_t uid_of(uint32_t uid)
{
	return who == SK_EXPORT_SQUASH ? 4321 : who == SK_EXPORT_SELF ? geteuid() : uid;
}

static void create_and_look(void **state)
{
	struct fixture *fx = *state;
	struct client *b = &fx->b;
	struct stat st;
	char buf[16];

	fx_make(b, 1, "f");
	assert_int_equal(cl_write(b, 1, 3, "hello", 5), 5);
	assert_int_equal(cl_getattr(b, 1), 0);
	assert_int_equal(b->r.u.attr.mode, S_IFREG | 0644);
	assert_int_equal(b->r.u.attr.uid, uid_of(1234));
	assert_int_equal(b->r.u.attr.size, 8);
	assert_int_equal(b->r.u.attr.nlink, 1);
	assert_int_not_equal(b->r.u.attr.qid.version, 0);
	/* The host sees the same, at once; and the client what the host does. */
	assert_int_equal(fstatat(fx->dirfd, "f", &st, 0), 0);
	assert_int_equal(st.st_size, 8);
	assert_int_equal(st.st_ino, b->r.u.attr.qid.path);
	if (geteuid() == 0)
		assert_int_equal(st.st_uid, uid_of(1234));
	if (who == SK_EXPORT_TRUST || who == SK_EXPORT_CHECK)
		assert_true(st.st_gid == (who == SK_EXPORT_TRUST ? 1234 : 65534));
	{
		uint32_t version = b->r.u.attr.qid.version;
		int fd = openat(fx->dirfd, "f", O_WRONLY);

		assert_int_equal(write(fd, "xy", 2), 2);
		close(fd);
		assert_int_equal(cl_read(b, 1, 0, 16), 8);
		assert_memory_equal(b->r.u.data.p, "xy\0hello", 8);
		fd = openat(fx->dirfd, "f", O_WRONLY | O_APPEND);
		assert_int_equal(write(fd, "z", 1), 1);
		close(fd);
		assert_int_equal(cl_getattr(b, 1), 0);
		assert_int_not_equal(b->r.u.attr.qid.version, version);
	}
	/* Directory, FIFO, socket, link. */
	assert_int_equal(cl_mkdir(b, 0, "d", 0750, 1234), 0);
	assert_int_equal(cl_mknod(b, 0, "fifo", S_IFIFO | 0600, 0, 0), 0);
	assert_int_equal(cl_mknod(b, 0, "sock", S_IFSOCK | 0600, 0, 0), 0);
	assert_int_equal(cl_symlink(b, 0, "l", "/etc/passwd"), 0);
	assert_int_equal(readlinkat(fx->dirfd, "l", buf, sizeof(buf)), 11);
	assert_int_equal(cl_walk(b, 0, 2, "fifo"), 0);
	assert_int_equal(cl_getattr(b, 2), 0);
	assert_int_equal(b->r.u.attr.mode, S_IFIFO | 0600);
	assert_int_equal(cl_open(b, 2, P9_O_RDONLY), -ENXIO);
	assert_int_equal(cl_walk(b, 0, 3, "sock"), 0);
	assert_int_equal(cl_getattr(b, 3), 0);
	assert_int_equal(b->r.u.attr.mode, S_IFSOCK | 0600);
	assert_int_equal(cl_walk(b, 0, 4, "l"), 0);
	assert_int_equal(cl_fid(b, P9_TREADLINK, 4), 0);
	assert_int_equal(b->r.u.target.len, 11);
	assert_int_equal(cl_open(b, 4, P9_O_RDONLY), -ELOOP);
	assert_int_equal(cl_walk(b, 0, 5, "l/x"), -ENOENT); /* partial: a link is not gone through */
	assert_int_equal(cl_walk(b, 0, 5, "d"), 0);
	assert_int_equal(cl_getattr(b, 5), 0);
	assert_int_equal(b->r.u.attr.mode, S_IFDIR | 0750);
	assert_int_equal(b->r.u.attr.nlink, 2);
	/* true nlink */
	assert_int_equal(cl_link(b, 0, 1, "g"), 0);
	assert_int_equal(cl_link(b, 5, 1, "h"), 0);
	assert_int_equal(cl_getattr(b, 1), 0);
	assert_int_equal(b->r.u.attr.nlink, 3);
	/* a hard link to the symbolic link itself */
	assert_int_equal(cl_link(b, 0, 4, "l2"), 0);
	assert_int_equal(fstatat(fx->dirfd, "l2", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISLNK(st.st_mode) && st.st_nlink == 2);
	{
		struct p9_msg t = { .type = P9_TSTATFS };

		t.u.fid = 0;
		assert_int_equal(cl_call(b, &t), 0);
		assert_int_equal(b->r.u.statfs.namelen, 255);
		assert_true(b->r.u.statfs.blocks > 0);
	}
}

/* The type of `name` in a listing of the root; DT_UNKNOWN: it is not listed. */
static uint8_t listed_type(struct client *a, const char *name)
{
	uint8_t type, found = DT_UNKNOWN;
	uint64_t offset = 0;
	size_t left, used;
	const uint8_t *p;
	struct p9_qid q;
	struct p9_str s;
	int n;

	fx_open(a, 77, "", P9_O_RDONLY);
	while ((n = cl_readdir(a, 77, offset, 1000)) > 0) {
		p = a->r.u.data.p;
		for (left = (size_t)n; left && (used = p9_get_dirent(p, left, &q, &offset, &type, &s)); left -= used) {
			p += used;
			if (s.len == strlen(name) && memcmp(s.p, name, s.len) == 0)
				found = type;
		}
	}
	cl_clunk(a, 77);
	return found;
}

static void devices(void **state)
{
	struct fixture *fx = *state;
	struct client *a = &fx->a;
	struct stat st;
	int r = cl_mknod(a, 0, "null", S_IFCHR | 0666, 1, 3);

	if (who == SK_EXPORT_SELF) {
		assert_int_equal(r, -EPERM);
		return;
	}
	assert_int_equal(r, 0);
	assert_int_equal(cl_mknod(a, 0, "big", S_IFBLK | 0600, 259, 70000), 0);
	assert_int_equal(cl_walk(a, 0, 1, "big"), 0);
	assert_int_equal(cl_getattr(a, 1), 0);
	assert_int_equal(a->r.u.attr.mode, S_IFBLK | 0600);
	assert_int_equal(a->r.u.attr.rdev, (70000 & 0xff) | 259 << 8 | (70000 & ~0xff) << 12);
	assert_int_equal(cl_open(a, 1, P9_O_RDONLY), -ENXIO);
	assert_int_equal(fstatat(fx->dirfd, "null", &st, 0), 0);
	assert_int_equal(listed_type(a, "null"), DT_CHR);
	assert_int_equal(listed_type(a, "big"), DT_BLK);
	assert_int_equal(cl_mknod(a, 0, "pipe", S_IFIFO | 0600, 0, 0), 0);
	assert_int_equal(listed_type(a, "pipe"), DT_FIFO);
	if (who == SK_EXPORT_MAPPED) {
		assert_true(S_ISREG(st.st_mode));
	} else {
		assert_true(S_ISCHR(st.st_mode));
		assert_int_equal(st.st_rdev, makedev(1, 3));
	}
}

static void modes_and_owners(void **state)
{
	struct fixture *fx = *state;
	struct client *a = &fx->a;
	bool owners = who == SK_EXPORT_TRUST || who == SK_EXPORT_CHECK || who == SK_EXPORT_MAPPED;

	fx_make(a, 1, "f");
	assert_int_equal(fx_setattr(a, 1, (struct p9_setattr){ .valid = P9_SETATTR_MODE, .mode = 06755 }), 0);
	assert_int_equal(cl_getattr(a, 1), 0);
	assert_int_equal(a->r.u.attr.mode, S_IFREG | 06755);
	/* A write drops them, whoever writes (CVE-2023-1386). */
	assert_int_equal(cl_write(a, 1, 0, "x", 1), 1);
	assert_int_equal(cl_getattr(a, 1), 0);
	assert_int_equal(a->r.u.attr.mode, S_IFREG | 0755);
	assert_int_equal(fx_setattr(a, 1, (struct p9_setattr){ .valid = P9_SETATTR_MODE, .mode = 06755 }), 0);
	assert_int_equal(fx_setattr(a, 1, (struct p9_setattr){ .valid = P9_SETATTR_SIZE, .size = 0 }), 0);
	assert_int_equal(cl_getattr(a, 1), 0);
	assert_int_equal(a->r.u.attr.mode, S_IFREG | 0755);
	assert_int_equal(fx_setattr(a, 1, (struct p9_setattr){ .valid = P9_SETATTR_MODE, .mode = 06755 }), 0);
	{
		int r = fx_setattr(
			a, 1, (struct p9_setattr){ .valid = P9_SETATTR_UID | P9_SETATTR_GID, .uid = 77, .gid = 78 });

		assert_int_equal(r, who == SK_EXPORT_SELF ? -EPERM : 0);
	}
	assert_int_equal(cl_getattr(a, 1), 0);
	if (who != SK_EXPORT_SELF)
		assert_int_equal(a->r.u.attr.mode, S_IFREG | 0755);
	if (owners) {
		assert_int_equal(a->r.u.attr.uid, 77);
		assert_int_equal(a->r.u.attr.gid, 78);
	}
	/* Both at once: chown comes first. */
	if (owners) {
		assert_int_equal(fx_setattr(a, 1,
					    (struct p9_setattr){ .valid = P9_SETATTR_MODE | P9_SETATTR_UID,
								 .uid = 79,
								 .mode = 04711 }),
				 0);
		assert_int_equal(cl_getattr(a, 1), 0);
		assert_int_equal(a->r.u.attr.mode, S_IFREG | 04711);
		assert_int_equal(a->r.u.attr.uid, 79);
	}
	/* Modes that would lock the server out do not. */
	assert_int_equal(fx_setattr(a, 1, (struct p9_setattr){ .valid = P9_SETATTR_MODE, .mode = 0 }), 0);
	assert_int_equal(cl_getattr(a, 1), 0);
	assert_int_equal(a->r.u.attr.mode, S_IFREG);
	if (who != SK_EXPORT_SELF) {
		fx_open(a, 2, "f", P9_O_RDWR);
		assert_int_equal(cl_write(a, 2, 0, "y", 1), 1);
	}
	/* Set-group-id of a file whose group may not execute it stays with a chown, from whatever group to whatever other. */
	if (who == SK_EXPORT_TRUST || who == SK_EXPORT_MAPPED) {
		assert_int_equal(fx_setattr(a, 1, (struct p9_setattr){ .valid = P9_SETATTR_GID, .gid = 12345 }), 0);
		assert_int_equal(fx_setattr(a, 1, (struct p9_setattr){ .valid = P9_SETATTR_MODE, .mode = 02644 }), 0);
		assert_int_equal(fx_setattr(a, 1,
					    (struct p9_setattr){ .valid = P9_SETATTR_UID | P9_SETATTR_GID,
								 .uid = 78,
								 .gid = 12346 }),
				 0);
		assert_int_equal(cl_getattr(a, 1), 0);
		assert_int_equal(a->r.u.attr.mode, S_IFREG | 02644);
		assert_int_equal(a->r.u.attr.gid, 12346);
		assert_int_equal(fx_setattr(a, 1, (struct p9_setattr){ .valid = P9_SETATTR_MODE, .mode = 0644 }), 0);
	}
	/* Set-group-id directory: what is made in it gets its group and, a directory, the bit. */
	if (who == SK_EXPORT_TRUST) {
		struct stat st;

		assert_int_equal(cl_mkdir(a, 0, "g", 0755, 5), 0);
		assert_int_equal(cl_walk(a, 0, 3, "g"), 0);
		assert_int_equal(fx_setattr(a, 3, (struct p9_setattr){ .valid = P9_SETATTR_MODE, .mode = 02775 }), 0);
		assert_int_equal(cl_mkdir(a, 3, "h", 0755, 9), 0);
		assert_int_equal(fstatat(fx->dirfd, "g/h", &st, 0), 0);
		assert_int_equal(st.st_gid, 5);
		assert_true(st.st_mode & S_ISGID);
	}
}

static void times_and_sizes(void **state)
{
	struct fixture *fx = *state;
	struct client *a = &fx->a;
	struct p9_setattr t = { .valid = P9_SETATTR_ATIME | P9_SETATTR_MTIME | P9_SETATTR_ATIME_SET |
					 P9_SETATTR_MTIME_SET,
				.atime = { 1000000000, 5 },
				.mtime = { 2000000000, 999999999 } };
	struct stat st;

	fx_make(a, 1, "f");
	assert_int_equal(fx_setattr(a, 1, t), 0);
	assert_int_equal(cl_getattr(a, 1), 0);
	assert_int_equal(a->r.u.attr.atime.sec, 1000000000);
	assert_int_equal(a->r.u.attr.mtime.nsec, 999999999);
	t.valid = P9_SETATTR_ATIME; /* now; mtime stays */
	assert_int_equal(fx_setattr(a, 1, t), 0);
	assert_int_equal(cl_getattr(a, 1), 0);
	assert_true(a->r.u.attr.atime.sec > 1000000000);
	assert_int_equal(a->r.u.attr.mtime.sec, 2000000000);
	t.valid = P9_SETATTR_MTIME | P9_SETATTR_MTIME_SET;
	t.mtime.nsec = 1000000000;
	assert_int_equal(fx_setattr(a, 1, t), -EINVAL);
	/* A file of 5 GiB that takes no room; data behind 4 GiB. */
	assert_int_equal(fx_setattr(a, 1, (struct p9_setattr){ .valid = P9_SETATTR_SIZE, .size = UINT64_C(5) << 30 }),
			 0);
	assert_int_equal(cl_write(a, 1, (UINT64_C(4) << 30) + 7, "far", 3), 3);
	assert_int_equal(cl_read(a, 1, (UINT64_C(4) << 30) + 7, 3), 3);
	assert_memory_equal(a->r.u.data.p, "far", 3);
	assert_int_equal(fstatat(fx->dirfd, "f", &st, 0), 0);
	assert_int_equal(st.st_size, INT64_C(5) << 30);
	assert_true(st.st_blocks < 1000);
	assert_int_equal(fx_setattr(a, 0, (struct p9_setattr){ .valid = P9_SETATTR_SIZE, .size = 0 }), -EISDIR);
	assert_int_equal(fx_setattr(a, 1, (struct p9_setattr){ .valid = P9_SETATTR_SIZE, .size = UINT64_MAX }), -EFBIG);
}

static void open_flags(void **state)
{
	struct fixture *fx = *state;
	struct client *a = &fx->a;
	static const uint32_t flags[] = { P9_O_DSYNC,
					  P9_O_SYNC | P9_O_DSYNC,
					  P9_O_DIRECT,
					  P9_O_NOATIME,
					  P9_O_NONBLOCK,
					  P9_O_APPEND,
					  P9_O_NOFOLLOW,
					  P9_O_LARGEFILE,
					  P9_O_CREATE | P9_O_EXCL,
					  P9_O_CLOEXEC | P9_O_FASYNC };
	size_t i;

	fx_make(a, 1, "f");
	assert_int_equal(cl_write(a, 1, 0, "0123456789", 10), 10);
	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		uint32_t fid = (uint32_t)(10 + i);

		fx_open(a, fid, "f", P9_O_RDWR | flags[i]);
		/* Not a multiple of anything, and at its offset though O_APPEND (the client appends). */
		assert_int_equal(cl_write(a, fid, 3, "abc", 3), 3);
		assert_int_equal(cl_read(a, fid, 0, 100), 10);
		assert_memory_equal(a->r.u.data.p, "012abc6789", 10);
	}
	assert_int_equal(cl_walk(a, 0, 2, "f"), 0);
	assert_int_equal(cl_open(a, 2, P9_O_DIRECTORY), -ENOTDIR);
	assert_int_equal(cl_open(a, 2, 3), -EINVAL);
	assert_int_equal(cl_open(a, 2, P9_O_RDWR | P9_O_TRUNC), 0);
	assert_int_equal(cl_read(a, 2, 0, 100), 0);
	{
		struct p9_msg t = { .type = P9_TFSYNC };

		t.u.fsync.fid = 2;
		assert_int_equal(cl_call(a, &t), 0);
		t.tag = 0;
		t.u.fsync.fid = 0; /* a directory, not opened */
		assert_int_equal(cl_call(a, &t), 0);
	}
}

static void append_policy(void **state)
{
	struct fixture *fx = *state;

	fx_stop(fx);
	fx->config.append = true;
	assert_int_equal(fx_start(fx, fx->dir, NULL), 0);
	fx_make(&fx->a, 1, "f");
	assert_int_equal(cl_write(&fx->a, 1, 0, "0123456789", 10), 10);
	fx_open(&fx->a, 2, "f", P9_O_RDWR | P9_O_APPEND);
	assert_int_equal(cl_write(&fx->a, 2, 3, "abc", 3), 3);
	assert_int_equal(cl_read(&fx->a, 2, 0, 100), 13);
}

static void unlinked(void **state)
{
	struct fixture *fx = *state;
	struct client *a = &fx->a;

	/* Open, removed: read, write, stat, chmod, truncate, clone go on. */
	fx_make(a, 1, "f");
	assert_int_equal(cl_walk(a, 0, 2, "f"), 0);
	assert_int_equal(cl_unlinkat(a, 0, "f", 0), 0);
	assert_int_equal(cl_walk(a, 0, 3, "f"), -ENOENT);
	assert_int_equal(cl_write(a, 1, 0, "hello", 5), 5);
	assert_int_equal(
		fx_setattr(a, 1,
			   (struct p9_setattr){ .valid = P9_SETATTR_MODE | P9_SETATTR_SIZE, .mode = 0600, .size = 3 }),
		0);
	assert_int_equal(cl_getattr(a, 2), 0);
	assert_int_equal(a->r.u.attr.size, 3);
	assert_int_equal(a->r.u.attr.nlink, 0);
	assert_int_equal(cl_walk(a, 1, 4, ""), 0);
	assert_int_equal(cl_open(a, 4, P9_O_RDONLY), 0);
	assert_int_equal(cl_read(a, 4, 0, 10), 3);
	/* Replaced by rename: the old one lives on. */
	fx_make(a, 10, "old");
	assert_int_equal(cl_write(a, 10, 0, "old", 3), 3);
	fx_make(a, 11, "new");
	assert_int_equal(cl_write(a, 11, 0, "newer", 5), 5);
	assert_int_equal(cl_walk(a, 0, 12, "old"), 0);
	assert_int_equal(cl_walk(a, 0, 13, "new"), 0);
	assert_int_equal(cl_renameat(a, 0, "new", 0, "old"), 0);
	assert_int_equal(cl_read(a, 10, 0, 10), 3);
	assert_int_equal(cl_getattr(a, 12), 0);
	assert_int_equal(a->r.u.attr.size, 3);
	assert_int_equal(cl_getattr(a, 13), 0);
	assert_int_equal(a->r.u.attr.size, 5);
	fx_open(a, 14, "old", P9_O_RDONLY);
	assert_int_equal(cl_read(a, 14, 0, 10), 5);
	/* The host replaces it: walking again finds the new one, the open one stays. */
	{
		int fd = openat(fx->dirfd, "tmp", O_CREAT | O_WRONLY, 0666);

		assert_int_equal(write(fd, "host", 4), 4);
		close(fd);
		assert_int_equal(renameat(fx->dirfd, "tmp", fx->dirfd, "old"), 0);
	}
	assert_int_equal(cl_read(a, 14, 0, 10), 5);
	assert_int_equal(cl_walk(a, 0, 15, "old"), 0);
	assert_int_equal(cl_getattr(a, 15), 0);
	assert_int_equal(a->r.u.attr.size, 4);
	assert_int_equal(cl_getattr(a, 13), 0);
	assert_int_equal(a->r.u.attr.size, 5);
	/* A renamed directory takes its fids along. */
	assert_int_equal(cl_mkdir(a, 0, "d", 0755, 0), 0);
	assert_int_equal(cl_walk(a, 0, 20, "d"), 0);
	assert_int_equal(cl_mkdir(a, 20, "e", 0755, 0), 0);
	assert_int_equal(cl_walk(a, 20, 21, "e"), 0);
	assert_int_equal(cl_renameat(a, 0, "d", 0, "d2"), 0);
	assert_int_equal(cl_mkdir(a, 21, "f", 0755, 0), 0);
	assert_int_equal(cl_walk(a, 0, 22, "d2/e/f"), 0);
	assert_int_equal(cl_walk(a, 22, 23, "../../.."), 0);
	assert_int_equal(cl_fid(a, P9_TREMOVE, 22), 0);
	assert_int_equal(cl_unlinkat(a, 0, "d2", P9_AT_REMOVEDIR), -ENOTEMPTY);
}

static void xattrs(void **state)
{
	struct fixture *fx = *state;
	struct client *a = &fx->a;
	static const uint8_t acl[] = { 2, 0,	0,   0,	  1,   0,   7,	0, 255, 255, 255, 255, 2,   0,	6,
				       0, 0x39, 5,   0,	  0,   4,   0,	4, 0,	255, 255, 255, 255, 16, 0,
				       6, 0,	255, 255, 255, 255, 32, 0, 4,	0,   255, 255, 255, 255 };
	int r;

	fx_make(a, 1, "f");
	r = cl_xattr_set(a, 1, "user.x", "value", 5, 0);
	if (r == -EOPNOTSUPP)
		skip();
	assert_int_equal(r, 0);
	assert_int_equal(cl_xattr_get(a, 1, "user.x"), 5);
	assert_memory_equal(a->r.u.data.p, "value", 5);
	assert_int_equal(cl_xattr_get(a, 1, ""), 7);
	assert_int_equal(cl_xattr_get(a, 1, "user.none"), -ENODATA);
	assert_int_equal(cl_xattr_get(a, 1, "security.selinux"), -ENODATA);
	assert_int_equal(cl_xattr_set(a, 1, "security.ima", "x", 1, 0), -EPERM);
	assert_int_equal(cl_xattr_get(a, 1, SK_OVERRIDE_XATTR), -ENODATA);
	if (who == SK_EXPORT_MAPPED)
		assert_int_equal(cl_xattr_set(a, 1, SK_OVERRIDE_XATTR, "0:0:0", 5, 0), -EPERM);
	/* ACLs: no error but "none" or "not supported" may come from fetching one. */
	assert_int_equal(cl_xattr_get(a, 1, "system.posix_acl_access"), -ENODATA);
	r = cl_xattr_set(a, 1, "system.posix_acl_access", acl, sizeof(acl), 0);
	if (r != -EOPNOTSUPP) {
		assert_int_equal(r, 0);
		assert_int_equal(cl_xattr_get(a, 1, "system.posix_acl_access"), sizeof(acl));
		assert_memory_equal(a->r.u.data.p, acl, sizeof(acl));
	}
	/* On a removed file too, and not on what a link leads to. */
	assert_int_equal(cl_unlinkat(a, 0, "f", 0), 0);
	assert_int_equal(cl_xattr_set(a, 1, "user.x", "", 0, P9_XATTR_REPLACE), 0);
	assert_int_equal(cl_xattr_get(a, 1, "user.x"), -ENODATA);
	fx_make(a, 2, "target");
	assert_int_equal(cl_symlink(a, 0, "l", "target"), 0);
	assert_int_equal(cl_walk(a, 0, 3, "l"), 0);
	assert_true(cl_xattr_set(a, 3, "user.x", "v", 1, 0) < 0);
	assert_int_equal(cl_xattr_get(a, 2, "user.x"), -ENODATA);
}

static void listing(void **state)
{
	struct fixture *fx = *state;
	struct client *a = &fx->a;
	uint64_t offset = 0;
	unsigned i, count = 0, wrong = 0;
	int n;

	assert_int_equal(cl_mkdir(a, 0, "d", 0777, 0), 0);
	for (i = 0; i < 3000; i++) {
		char name[40];
		int fd;

		snprintf(name, sizeof(name), "d/\xff\x01 name%u", i);
		fd = openat(fx->dirfd, name, O_CREAT | O_WRONLY, 0644);
		if (fd < 0) /* ours alone */
			break;
		close(fd);
	}
	assert_int_equal(i, 3000);
	fx_open(a, 1, "d", P9_O_RDONLY);
	while ((n = cl_readdir(a, 1, offset, 1000)) > 0) {
		const uint8_t *p = a->r.u.data.p;
		size_t left = (size_t)n, used;
		struct p9_qid q;
		struct p9_str s;
		uint8_t type;

		while (left && (used = p9_get_dirent(p, left, &q, &offset, &type, &s))) {
			p += used;
			left -= used;
			count++;
			if (count % 100 == 5 && s.p[0] != '.') {
				static struct client copy; /* the listing is in a's buffer */
				char name[300];
				struct stat st;

				(void)copy;
				snprintf(name, sizeof(name), "d/%.*s", s.len, s.p);
				assert_int_equal(fstatat(fx->dirfd, name, &st, 0), 0);
				wrong += st.st_ino != q.path || type != 8;
				/* Removing what was listed does not disturb the rest. */
				unlinkat(fx->dirfd, name, 0);
			}
		}
	}
	assert_int_equal(n, 0);
	assert_int_equal(wrong, 0);
	assert_int_equal(count, 3002);
}

/* --- locks against the host */

static void host_locks(void **state)
{
	struct fixture *fx = *state;
	struct client *a = &fx->a, *b = &fx->b;
	struct flock l = { .l_type = F_WRLCK, .l_start = 10, .l_len = 10 };
	int fd;

	fx_make(a, 1, "f");
	assert_int_equal(fx_setattr(a, 1, (struct p9_setattr){ .valid = P9_SETATTR_MODE, .mode = 0666 }), 0);
	fd = openat(fx->dirfd, "f", O_RDWR);
	assert_true(fd >= 0);
	fx_open(b, 1, "f", P9_O_RDWR);
	/* Ours keep the host out, the host's keep us out. */
	assert_int_equal(cl_lock(a, 1, P9_LOCK_WRLCK, 0, 0, 15, 1), 0);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &l), -1);
	assert_int_equal(cl_lock(a, 1, P9_LOCK_UNLCK, 0, 10, 5, 1), 0);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &l), 0);
	assert_int_equal(cl_lock(a, 1, P9_LOCK_RDLCK, 0, 19, 1, 1), P9_LOCK_BLOCKED);
	assert_int_equal(cl_getlock(b, 1, 12, 1, 1), P9_LOCK_WRLCK);
	assert_int_equal(b->r.u.lock.start, 10);
	assert_int_equal(b->r.u.lock.length, 10);
	assert_int_equal(cl_getlock(b, 1, 5, 1, 1), P9_LOCK_WRLCK); /* a's */
	/* Two readers of ours, one goes: the other's lock is still known on the host. */
	assert_int_equal(cl_lock(a, 1, P9_LOCK_RDLCK, 0, 100, 10, 1), 0);
	assert_int_equal(cl_lock(b, 1, P9_LOCK_RDLCK, 0, 105, 10, 1), 0);
	assert_int_equal(cl_clunk(a, 1), 0);
	l = (struct flock){ .l_type = F_WRLCK, .l_start = 104, .l_len = 1 };
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &l), 0);
	l = (struct flock){ .l_type = F_WRLCK, .l_start = 105, .l_len = 1 };
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &l), -1);
	/* Blocked by the host: granted soon after it lets go. */
	l = (struct flock){ .l_type = F_WRLCK, .l_start = 500, .l_len = 1 };
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &l), 0);
	assert_int_equal(cl_lock(b, 1, P9_LOCK_WRLCK, P9_LOCK_FLAG_BLOCK, 500, 1, 1), 1000);
	sk_9p_server_timer(fx->server);
	assert_int_equal(b->completed, 0);
	l.l_type = F_UNLCK;
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &l), 0);
	usleep(20000);
	sk_9p_server_timer(fx->server);
	assert_int_equal(b->completed, 1);
	assert_int_equal(b->last_status, P9_LOCK_SUCCESS);
	cl_end(b);
	l = (struct flock){ .l_type = F_WRLCK };
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &l), 0);
	close(fd);
	/* A directory can be locked too. */
	fx_open(a, 2, "", P9_O_RDONLY);
	assert_int_equal(cl_lock(a, 2, P9_LOCK_WRLCK, 0, 0, 0, 1), 0);
	assert_int_equal(flock(fx->dirfd, LOCK_SH | LOCK_NB), -1);
	assert_int_equal(cl_lock(a, 2, P9_LOCK_UNLCK, 0, 0, 0, 1), 0);
	assert_int_equal(flock(fx->dirfd, LOCK_SH | LOCK_NB), 0);
}

/* --- rights */

static void rights(void **state)
{
	struct fixture *fx = *state;
	struct client *a = &fx->a, *b = &fx->b;
	int r;

	fx_make(a, 1, "secret");
	assert_int_equal(fx_setattr(a, 1, (struct p9_setattr){ .valid = P9_SETATTR_MODE, .mode = 0600 }), 0);
	assert_int_equal(cl_mkdir(a, 0, "d", 01777, 0), 0);
	assert_int_equal(cl_walk(a, 0, 2, "d"), 0);
	assert_int_equal(cl_create(a, 2, "f", P9_O_RDWR, 0666, 0), 0);
	assert_int_equal(cl_walk(b, 0, 1, "secret"), 0);
	r = cl_open(b, 1, P9_O_RDONLY);
	assert_int_equal(r, who == SK_EXPORT_CHECK ? -EACCES : 0);
	/* The sticky bit. */
	assert_int_equal(cl_walk(b, 0, 2, "d"), 0);
	r = cl_unlinkat(b, 2, "f", 0);
	assert_int_equal(r, who == SK_EXPORT_CHECK ? -EPERM : 0);
	assert_int_equal(fx_setattr(b, 1, (struct p9_setattr){ .valid = P9_SETATTR_MODE, .mode = 0666 }),
			 who == SK_EXPORT_CHECK ? -EPERM : 0);
}

static void kept_owner(void **state)
{
	struct fixture *fx = *state;
	char buf[SK_OVERRIDE_MAX + 1], path[160];
	struct stat st;
	ssize_t n;

	if (who != SK_EXPORT_MAPPED)
		skip();
	assert_int_equal(cl_walk(&fx->b, 0, 1, ""), 0);
	assert_int_equal(cl_create(&fx->b, 1, "f", P9_O_RDWR, 0640, 999), 0);
	assert_int_equal(cl_mkdir(&fx->b, 0, "d", 0111, 999), 0);
	snprintf(path, sizeof(path), "%s/f", fx->dir);
	n = getxattr(path, SK_OVERRIDE_XATTR, buf, sizeof(buf) - 1);
	assert_true(n > 0);
	buf[n] = 0;
	assert_string_equal(buf, "1234:999:0640:file");
	snprintf(path, sizeof(path), "%s/d", fx->dir);
	n = getxattr(path, SK_OVERRIDE_XATTR, buf, sizeof(buf) - 1);
	buf[n] = 0;
	assert_string_equal(buf, "1234:999:0111:dir");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, geteuid());
	assert_int_equal(st.st_mode & 0777, 0711);
	/* Attributes that others wrote count; damaged ones do not. */
	assert_int_equal(setxattr(path, SK_OVERRIDE_XATTR, "5:6:0700", 8, 0), 0);
	assert_int_equal(cl_walk(&fx->b, 0, 2, "d"), 0);
	assert_int_equal(cl_getattr(&fx->b, 2), 0);
	assert_int_equal(fx->b.r.u.attr.uid, 5);
	assert_int_equal(fx->b.r.u.attr.mode, S_IFDIR | 0700);
	assert_int_equal(setxattr(path, SK_OVERRIDE_XATTR, "x", 1, 0), 0);
	assert_int_equal(cl_getattr(&fx->b, 2), 0);
	assert_int_equal(fx->b.r.u.attr.uid, geteuid());
}

static int setup(void **state)
{
	return fx_setup(state, false, 4000);
}

static int setup_old(void **state)
{
	return fx_setup(state, true, 4000);
}

static int setup_few(void **state)
{
	return fx_setup(state, false, 80);
}

/* As root of a user namespace that knows few users: what others make belongs to nobody, not to who came before them. */
static void unknown_users(void **state)
{
	struct fixture *fx = *state;
	struct client *a = &fx->a, *b = &fx->b;
	struct stat st;

	fx_make(b, 1, "first"); /* 1234, who exists */
	assert_int_equal(fstatat(fx->dirfd, "first", &st, 0), 0);
	assert_int_equal(st.st_uid, 1234);
	assert_int_equal(cl_attach(a, 5, 50000, ""), 0);
	assert_int_equal(cl_walk(a, 5, 6, ""), 0);
	assert_int_equal(cl_create(a, 6, "second", P9_O_RDWR, 0644, 50000), 0);
	assert_int_equal(fstatat(fx->dirfd, "second", &st, 0), 0);
	assert_int_equal(st.st_uid, 65534);
	assert_int_equal(st.st_gid, 65534);
	fx_make(b, 2, "third");
	assert_int_equal(fstatat(fx->dirfd, "third", &st, 0), 0);
	assert_int_equal(st.st_uid, 1234);
}

static int run_in_small_namespace(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test_setup_teardown(unknown_users, setup, fx_teardown) };
	static const char *const files[] = { "uid_map", "gid_map" };
	char path[64], go;
	int out[2], in[2], status = 0;
	unsigned i;
	pid_t child;

	if (pipe(out) < 0 || pipe(in) < 0)
		return 1;
	fflush(NULL);
	child = fork();
	if (child == 0) {
		if (unshare(CLONE_NEWUSER) < 0)
			_exit(77);
		close(in[1]);
		if (write(out[1], "x", 1) != 1 || read(in[0], &go, 1) != 1 || setgroups(0, NULL) < 0)
			_exit(77);
		who = SK_EXPORT_TRUST;
		status = _cmocka_run_group_tests("few users", tests, 1, NULL, NULL);
		fflush(NULL);
		_exit(status ? 1 : 0);
	}
	close(out[1]);
	if (read(out[0], &go, 1) == 1) {
		for (i = 0; i < 2; i++) {
			int fd;

			snprintf(path, sizeof(path), "/proc/%d/%s", (int)child, files[i]);
			fd = open(path, O_WRONLY | O_CLOEXEC);
			if (fd >= 0 && write(fd, "0 0 2000\n65534 65534 1\n", 23) != 23)
				perror(path);
			close(fd);
		}
		(void)!write(in[1], "x", 1);
	}
	close(in[1]);
	close(in[0]);
	close(out[0]);
	waitpid(child, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		printf("LEFT OUT: no user namespace can be made here\n");
		return 0;
	}
	return status != 0;
}

/* MAPPED on a file system that has no place for owners: everything works, and belongs to who serves. */
static void no_xattrs(void **state)
{
	struct fixture *fx = *state;
	struct client *b = &fx->b;

	fx_make(b, 1, "f");
	assert_int_equal(cl_write(b, 1, 0, "hello", 5), 5);
	assert_int_equal(fx_setattr(b, 1, (struct p9_setattr){ .valid = P9_SETATTR_SIZE, .size = 2 }), 0);
	assert_int_equal(fx_setattr(b, 1, (struct p9_setattr){ .valid = P9_SETATTR_MODE, .mode = 0600 }), 0);
	assert_int_equal(fx_setattr(b, 1, (struct p9_setattr){ .valid = P9_SETATTR_UID, .uid = geteuid() }), 0);
	assert_int_equal(fx_setattr(b, 1, (struct p9_setattr){ .valid = P9_SETATTR_UID, .uid = 4711 }), -EPERM);
	assert_int_equal(cl_getattr(b, 1), 0);
	assert_int_equal(b->r.u.attr.mode, S_IFREG | 0600);
	assert_int_equal(b->r.u.attr.uid, geteuid());
	assert_int_equal(b->r.u.attr.size, 2);
	assert_int_equal(cl_mkdir(b, 0, "d", 0755, 0), 0);
	assert_int_equal(cl_walk(b, 0, 2, "d"), 0);
	assert_int_equal(cl_create(b, 2, "g", P9_O_RDWR, 0644, 0), 0);
}

static int run_without_xattrs(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test_setup_teardown(no_xattrs, setup, fx_teardown) };

	who = SK_EXPORT_MAPPED;
	return _cmocka_run_group_tests("no xattrs", tests, 1, NULL, NULL);
}

/* A guest tells files apart by number and generation. */
static void identity(struct fixture *fx, const char *name, struct p9_attr *a)
{
	const struct sk_9p_cred cred = { 0, P9_NONUNAME };
	struct sk_9p_node *root, *node = NULL;
	struct p9_qid qid;
	uint32_t flags;

	memset(a, 0, sizeof(*a));
	assert_int_equal(fx->fs->ops->root(fx->fs, &root, &qid), 0);
	assert_int_equal(fx->fs->ops->look(fx->fs, &cred, root, name, true, &node, a, &flags), 0);
	assert_true(flags & P9_LOOK_EXISTS);
	if (node)
		fx->fs->ops->put(fx->fs, node);
	fx->fs->ops->put(fx->fs, root);
}

/* On overlayfs a file that is copied up has another time of birth, and is the same file. */
static void copied_up(void **state)
{
	struct fixture *fx = *state;
	struct p9_attr dir, file, again;
	char name[20];
	unsigned i;

	if (faccessat(fx->dirfd, "d", F_OK, 0) < 0)
		skip();
	identity(fx, "d", &dir);
	identity(fx, "f", &file);
	assert_int_equal(cl_walk(&fx->a, 0, 1, "d"), 0);
	/* Its descriptor goes. */
	for (i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		fx_make(&fx->a, 1000 + i, name);
		assert_int_equal(cl_clunk(&fx->a, 1000 + i), 0);
		assert_int_equal(cl_walk(&fx->a, 0, 1000 + i, name), 0);
	}
	assert_int_equal(mkdirat(fx->dirfd, "d/new", 0755), 0);
	assert_int_equal(fchmodat(fx->dirfd, "f", 0600, 0), 0);
	identity(fx, "d", &again);
	assert_true(again.btime.sec != dir.btime.sec || again.btime.nsec != dir.btime.nsec);
	assert_int_equal(again.qid.path, dir.qid.path);
	assert_int_equal(again.gen, dir.gen);
	identity(fx, "f", &again);
	assert_int_equal(again.qid.path, file.qid.path);
	assert_int_equal(again.gen, file.gen);
	/* Not ESTALE. */
	assert_int_equal(cl_getattr(&fx->a, 1), 0);
}

static int setup_overlay(void **state)
{
	char text[500];
	struct fixture *fx;

	if (setup_few(state) < 0)
		return -1;
	fx = *state;
	fx_stop(fx);
	close(fx->dirfd);
	snprintf(text, sizeof(text),
		 "cd %s && mkdir lower upper work merged lower/d && touch lower/f && "
		 "mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work overlay merged",
		 fx->dir);
	if (system(text) != 0)
		printf("LEFT OUT: an overlay cannot be mounted on %s\n", fx->dir);
	snprintf(text, sizeof(text), "%s/merged", fx->dir);
	fx->dirfd = open(text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fx_start(fx, text, NULL);
}

static int teardown_overlay(void **state)
{
	struct fixture *fx = *state;
	char path[130];

	fx_stop(fx);
	close(fx->dirfd);
	snprintf(path, sizeof(path), "%s/merged", fx->dir);
	umount2(path, MNT_DETACH);
	return sk_fs_remove_tree(AT_FDCWD, fx->dir);
}

/* In the mount namespace of this test's own. */
static int run_on_overlay(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test_setup_teardown(copied_up, setup_overlay,
									    teardown_overlay) };

	who = SK_EXPORT_TRUST;
	return _cmocka_run_group_tests("overlay", tests, 1, NULL, NULL);
}

static int run(const char *name, enum sk_export_who w)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, fx_teardown)
		T(create_and_look),
		T(devices),
		T(modes_and_owners),
		T(times_and_sizes),
		T(open_flags),
		T(append_policy),
		T(unlinked),
		T(xattrs),
		T(listing),
		T(inside_no_way_out),
		T(inside_race),
		T(inside_single_file),
		T(inside_single_file_replaced),
		T(inside_walk_again),
		T(host_locks),
		T(kept_owner),
		T(file_allocate),
		T(file_renamex),
		T(file_tmpfile),
		T(file_copy),
		T(file_flags),
		T(file_privileged_xattrs),
		T(file_link_owner),
		T(file_leased),
		T(socket_connect),
		T(socket_bind),
		T(socket_fifo),
		T(bounds_many_listings),
		cmocka_unit_test_setup_teardown(bounds_budget, setup_few, fx_teardown),
		cmocka_unit_test_setup_teardown(bounds_two_directories, setup_few, fx_teardown),
		cmocka_unit_test_setup_teardown(bounds_watched_directories, setup_few, fx_teardown),
		cmocka_unit_test_setup_teardown(inside_no_way_out, setup_old, fx_teardown),
		cmocka_unit_test_setup_teardown(inside_race, setup_old, fx_teardown),
	};
	const struct CMUnitTest check[] = { T(create_and_look), T(rights), T(host_locks) };
	const struct CMUnitTest squash[] = { T(create_and_look), T(modes_and_owners), T(rights) };

	who = w;
	if (w == SK_EXPORT_CHECK)
		return _cmocka_run_group_tests(name, check, sizeof(check) / sizeof(check[0]), NULL, NULL);
	if (w == SK_EXPORT_SQUASH)
		return _cmocka_run_group_tests(name, squash, sizeof(squash) / sizeof(squash[0]), NULL, NULL);
	return _cmocka_run_group_tests(name, tests, sizeof(tests) / sizeof(tests[0]), NULL, NULL);
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");
	char bare[110];
	int failed = 0, status = 0;
	pid_t child;

	umask(0);
	snprintf(top, sizeof(top), "%s/sk-posix-XXXXXX", tmp && strlen(tmp) < 40 ? tmp : "/tmp");
	if (!mkdtemp(top))
		return 1;
	chmod(top, 0777);
	if (geteuid() == 0) {
		failed += run("trust", SK_EXPORT_TRUST);
		failed += run("check", SK_EXPORT_CHECK);
		failed += run("squash", SK_EXPORT_SQUASH);
		failed += run_in_small_namespace();
	} else {
		printf("LEFT OUT, for want of root: acting for other users (TRUST, CHECK, SQUASH)\n");
	}
	fflush(NULL);
	snprintf(bare, sizeof(bare), "%s/bare", top);
	mkdir(bare, 0777);
	/* In a mount namespace of this test's own: it is gone with it. */
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", bare, "ramfs", 0, "mode=0777") < 0) {
		printf("LEFT OUT: a file system without extended attributes cannot be mounted: %s\n", strerror(errno));
		bare[0] = 0;
	} else {
		failed += run_on_overlay();
	}
	child = fork();
	if (child == 0) {
		if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0))
			_exit(1);
		failed = run("self", SK_EXPORT_SELF);
		failed += run("mapped", SK_EXPORT_MAPPED);
		if (bare[0]) {
			snprintf(top, sizeof(top), "%s", bare);
			failed += run_without_xattrs();
		}
		fflush(NULL);
		_exit(failed ? 1 : 0);
	}
	waitpid(child, &status, 0);
	if (bare[0])
		umount(bare);
	sk_fs_remove_tree(AT_FDCWD, top);
	return failed || status ? 1 : 0;
}
