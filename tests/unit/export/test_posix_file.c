/* SPDX-License-Identifier: Apache-2.0 */
/* File operations of Linux beyond reading and writing, on a directory of the host. */
#include "../sk_test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "posix_fixture.h"

static struct client c;

static void start(struct fixture *fx)
{
	assert_int_equal(cl_start_ext(&c, fx->server, &fx->export, 0), 0);
}

static void contents(struct fixture *fx, const char *name, const char *want)
{
	char buf[64] = "";
	int fd = openat(fx->dirfd, name, O_RDONLY);

	assert_true(fd >= 0 && read(fd, buf, sizeof(buf) - 1) >= 0);
	assert_string_equal(buf, want);
	close(fd);
}

/* The host's own answer is the right one. */
void file_allocate(void **state)
{
	static const uint32_t modes[] = { 0,
					  P9_FALLOC_KEEP_SIZE,
					  P9_FALLOC_PUNCH_HOLE | P9_FALLOC_KEEP_SIZE,
					  P9_FALLOC_ZERO_RANGE,
					  P9_FALLOC_ZERO_RANGE | P9_FALLOC_KEEP_SIZE,
					  P9_FALLOC_INSERT_RANGE,
					  P9_FALLOC_COLLAPSE_RANGE,
					  P9_FALLOC_PUNCH_HOLE };
	struct fixture *fx = *state;
	char mine[65536], theirs[65536];
	struct stat a, b;
	unsigned i;
	int fd, r;

	start(fx);
	assert_int_equal(cl_look(&c, P9_TCREATEX, 0, 1, "f", P9_O_RDWR | P9_O_EXCL), 0);
	fd = openat(fx->dirfd, "twin", O_RDWR | O_CREAT, 0600);
	memset(mine, 'x', sizeof(mine));
	assert_int_equal(write(fd, mine, 32768), 32768);
	for (i = 0; i < 8; i++)
		assert_int_equal(cl_write(&c, 1, i * 4096, mine, 4096), 4096);
	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		r = fallocate(fd, (int)modes[i], 4096 * i, 8192) < 0 ? -errno : 0;
		assert_int_equal(cl_allocate(&c, 1, modes[i], 4096 * i, 8192), r);
	}
	r = fallocate(fd, 0, 60000, 5000) < 0 ? -errno : 0;
	assert_int_equal(cl_allocate(&c, 1, 0, 60000, 5000), r);
	assert_int_equal(fstat(fd, &a), 0);
	assert_int_equal(fstatat(fx->dirfd, "f", &b, 0), 0);
	assert_int_equal(a.st_size, b.st_size);
	/* A block more or less is the file system's, for where the others are. */
	assert_true(a.st_blocks <= b.st_blocks + 8 && b.st_blocks <= a.st_blocks + 8);
	assert_int_equal(pread(fd, theirs, sizeof(theirs), 0), a.st_size);
	close(fd);
	fd = openat(fx->dirfd, "f", O_RDONLY);
	assert_int_equal(pread(fd, mine, sizeof(mine), 0), a.st_size);
	assert_memory_equal(mine, theirs, (size_t)a.st_size);
	for (i = 0; i < 65536; i += 1000) {
		off_t data = lseek(fd, i, SEEK_DATA), hole;

		assert_int_equal(cl_seek(&c, 1, P9_SEEK_DATA, i), data < 0 ? -errno : data);
		hole = lseek(fd, i, SEEK_HOLE);
		assert_int_equal(cl_seek(&c, 1, P9_SEEK_HOLE, i), hole < 0 ? -errno : hole);
	}
	/* How large a file can be is what the file system says. */
	for (i = 32; i < 63; i++) {
		int64_t size = INT64_C(1) << i;

		assert_int_equal(cl_seek(&c, 1, P9_SEEK_SET, (uint64_t)size),
				 lseek(fd, size, SEEK_SET) < 0 ? -EFBIG : size);
	}
	close(fd);
	cl_end(&c);
}

void file_renamex(void **state)
{
	struct fixture *fx = *state;
	struct stat st;

	start(fx);
	assert_int_equal(cl_mkdir(&c, 0, "d", 0755, 0), 0);
	assert_int_equal(cl_look(&c, P9_TLOOK, 0, 1, "d", 0), 0);
	assert_int_equal(cl_look(&c, P9_TCREATEX, 0, 2, "a", P9_O_RDWR | P9_O_EXCL), 0);
	assert_int_equal(cl_look(&c, P9_TCREATEX, 1, 3, "b", P9_O_RDWR | P9_O_EXCL), 0);
	assert_int_equal(cl_write(&c, 2, 0, "A", 1), 1);
	assert_int_equal(cl_write(&c, 3, 0, "B", 1), 1);
	assert_int_equal(cl_renamex(&c, 0, "a", 1, "b", P9_RENAME_NOREPLACE), -EEXIST);
	assert_int_equal(cl_renamex(&c, 0, "a", 1, "b", P9_RENAME_EXCHANGE), 0);
	contents(fx, "a", "B");
	contents(fx, "d/b", "A");
	/* The files after the exchange: by name, and by a descriptor from before. */
	assert_int_equal(cl_walk(&c, 0, 4, "a"), 0);
	assert_int_equal(cl_open(&c, 4, P9_O_RDONLY), 0);
	assert_int_equal(cl_read(&c, 4, 0, 10), 1);
	assert_memory_equal(c.r.u.data.p, "B", 1);
	assert_int_equal(cl_read(&c, 2, 0, 10), 1);
	assert_memory_equal(c.r.u.data.p, "A", 1);
	/* A directory and a file; what is below it is found under the new name. */
	assert_int_equal(cl_renamex(&c, 0, "d", 0, "a", P9_RENAME_EXCHANGE), 0);
	contents(fx, "d", "B");
	contents(fx, "a/b", "A");
	assert_int_equal(cl_look(&c, P9_TLOOK, 1, P9_NOFID, "b", 0), 0);
	assert_int_equal(c.r.u.found.flags & P9_LOOK_EXISTS, P9_LOOK_EXISTS);
	assert_int_equal(cl_renamex(&c, 0, "d", 0, "none", P9_RENAME_EXCHANGE), -ENOENT);
	assert_int_equal(cl_renamex(&c, 0, "a", 1, "b", P9_RENAME_EXCHANGE), -EINVAL);
	/* A whiteout, where the host's file system has them. */
	if (renameat2(fx->dirfd, "d", fx->dirfd, "d2", RENAME_WHITEOUT) == 0) {
		assert_int_equal(unlinkat(fx->dirfd, "d", 0), 0);
		assert_int_equal(cl_renamex(&c, 0, "d2", 0, "d3", P9_RENAME_WHITEOUT), 0);
		assert_int_equal(fstatat(fx->dirfd, "d2", &st, AT_SYMLINK_NOFOLLOW), 0);
		assert_true(S_ISCHR(st.st_mode) && st.st_rdev == 0);
		contents(fx, "d3", "B");
		assert_int_equal(cl_look(&c, P9_TLOOK, 0, P9_NOFID, "d2", 0), 0);
		assert_true(S_ISCHR(c.r.u.found.attr.mode) && c.r.u.found.attr.rdev == 0);
	}
	cl_end(&c);
}

void file_tmpfile(void **state)
{
	struct fixture *fx = *state;
	struct stat st;
	int r;

	start(fx);
	r = cl_look(&c, P9_TTMPFILE, 0, 1, "", P9_O_RDWR);
	if (r == -EOPNOTSUPP)
		return; /* the host's file system has none */
	assert_int_equal(r, 0);
	assert_int_equal(c.r.u.found.attr.nlink, 0);
	assert_int_equal(c.r.u.found.attr.mode, S_IFREG | 0640);
	assert_int_equal(cl_write(&c, 1, 0, "data", 4), 4);
	assert_int_equal(cl_link(&c, 0, 1, "named"), 0);
	contents(fx, "named", "data");
	assert_int_equal(cl_getattr(&c, 1), 0);
	assert_int_equal(c.r.u.attr.nlink, 1);
	assert_int_equal(fx_setattr(&c, 1, (struct p9_setattr){ .valid = P9_SETATTR_MODE, .mode = 0600 }), 0);
	assert_int_equal(cl_link(&c, 0, 1, "named"), -EEXIST);
	/* A fid of its own that outlives the open one. */
	assert_int_equal(cl_walk(&c, 1, 2, ""), 0);
	assert_int_equal(cl_clunk(&c, 1), 0);
	assert_int_equal(cl_getattr(&c, 2), 0);
	assert_int_equal(c.r.u.attr.size, 4);
	assert_int_equal(cl_look(&c, P9_TTMPFILE, 0, 3, "", P9_O_WRONLY | P9_O_EXCL), 0);
	assert_int_equal(cl_link(&c, 0, 3, "other"), -ENOENT);
	assert_int_equal(fstatat(fx->dirfd, "other", &st, 0), -1);
	cl_end(&c);
}

void file_copy(void **state)
{
	struct fixture *fx = *state;
	int fd, from, r;

	start(fx);
	assert_int_equal(cl_look(&c, P9_TCREATEX, 0, 1, "a", P9_O_RDWR | P9_O_EXCL), 0);
	assert_int_equal(cl_look(&c, P9_TCREATEX, 0, 2, "b", P9_O_RDWR | P9_O_EXCL), 0);
	assert_int_equal(cl_write(&c, 1, 0, "0123456789", 10), 10);
	assert_int_equal(cl_copy(&c, 1, 2, 2, 0, 100, 0), 8);
	assert_int_equal(c.r.u.found.attr.size, 8);
	contents(fx, "b", "23456789");
	assert_int_equal(cl_copy(&c, 1, 10, 2, 0, 100, 0), 0);
	/* A clone is the host's to allow. */
	from = openat(fx->dirfd, "a", O_RDONLY);
	fd = openat(fx->dirfd, "host", O_RDWR | O_CREAT, 0600);
	r = ioctl(fd, FICLONE, from) < 0 ? -errno : 0;
	close(fd);
	close(from);
	assert_int_equal(cl_copy(&c, 1, 0, 2, 0, 0, P9_COPY_CLONE), r);
	if (r == 0)
		contents(fx, "b", "0123456789");
	cl_end(&c);
}

void file_flags(void **state)
{
	struct fixture *fx = *state;
	struct p9_msg t = { .type = P9_TGETFLAGS };
	int fd, flags = 0, r;

	start(fx);
	assert_int_equal(cl_look(&c, P9_TCREATEX, 0, 1, "f", P9_O_RDWR | P9_O_EXCL), 0);
	assert_int_equal(cl_mknod(&c, 0, "fifo", S_IFIFO | 0600, 0, 0), 0);
	fd = openat(fx->dirfd, "f", O_RDWR);
	r = ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0 ? -errno : 0;
	t.u.flags.fid = 1;
	assert_int_equal(cl_call(&c, &t), r);
	if (r == 0) {
		assert_int_equal(c.r.u.flags.f.flags, (unsigned)flags);
		t = (struct p9_msg){ .type = P9_TSETFLAGS };
		t.u.flags.fid = 1;
		t.u.flags.valid = P9_FLAGS_FLAGS;
		t.u.flags.f.flags = (unsigned)flags | FS_NODUMP_FL;
		assert_int_equal(cl_call(&c, &t), 0);
		assert_int_equal(ioctl(fd, FS_IOC_GETFLAGS, &flags), 0);
		assert_true(flags & FS_NODUMP_FL);
	}
	/* A file that may only be appended to: a writer that opens it with O_APPEND may write. */
	t.u.flags.f.flags = (unsigned)flags | FS_APPEND_FL;
	if (r == 0 && who == SK_EXPORT_TRUST && cl_call(&c, &t) == 0) {
		assert_int_equal(cl_look(&c, P9_TOPENX, 0, 3, "f", P9_O_RDWR), -EPERM);
		assert_int_equal(cl_look(&c, P9_TOPENX, 0, 3, "f", P9_O_RDWR | P9_O_APPEND), 0);
		assert_int_equal(cl_write(&c, 3, 0, "data", 4), 4);
		t = (struct p9_msg){ .type = P9_TSETFLAGS };
		t.u.flags.fid = 1;
		t.u.flags.valid = P9_FLAGS_FLAGS;
		t.u.flags.f.flags = (unsigned)flags;
		assert_int_equal(cl_call(&c, &t), 0);
	}
	close(fd);
	/* Not of what may be a device: its own ioctls are not for guests. */
	assert_int_equal(cl_walk(&c, 0, 2, "fifo"), 0);
	t = (struct p9_msg){ .type = P9_TGETFLAGS };
	t.u.flags.fid = 2;
	r = cl_call(&c, &t);
	assert_true(who == SK_EXPORT_MAPPED || r == -ENOTTY);
	cl_end(&c);
}

/* trusted.* and security.*: the host's own as root, kept beside by a plain user. */
void file_privileged_xattrs(void **state)
{
	struct fixture *fx = *state;
	char buf[16], list[64];
	int fd, r, n;

	start(fx);
	assert_int_equal(cl_look(&c, P9_TCREATEX, 0, 1, "f", P9_O_RDWR | P9_O_EXCL), 0);
	r = cl_xattr_set(&c, 1, "user.x", "v", 1, 0);
	if (r == -EOPNOTSUPP)
		skip();
	assert_int_equal(cl_xattr_set(&c, 1, "user.x", "", 0, P9_XATTR_REPLACE), 0);
	r = cl_xattr_set(&c, 1, "trusted.overlay.opaque", "y", 1, 0);
	if (who != SK_EXPORT_TRUST && who != SK_EXPORT_MAPPED) {
		assert_int_equal(r, -EPERM);
		cl_end(&c);
		return;
	}
	assert_int_equal(r, 0);
	assert_int_equal(cl_xattr_set(&c, 1, "security.NTACL", "acl", 3, 0), 0);
	assert_int_equal(cl_xattr_get(&c, 1, "trusted.overlay.opaque"), 1);
	assert_memory_equal(c.r.u.data.p, "y", 1);
	assert_int_equal(cl_xattr_get(&c, 1, "security.NTACL"), 3);
	n = cl_xattr_get(&c, 1, "");
	assert_int_equal(n, strlen("trusted.overlay.opaque") + 1 + strlen("security.NTACL") + 1);
	memcpy(list, c.r.u.data.p, (size_t)n);
	assert_non_null(memmem(list, (size_t)n, "trusted.overlay.opaque", 23));
	assert_non_null(memmem(list, (size_t)n, "security.NTACL", 15));
	fd = openat(fx->dirfd, "f", O_RDONLY);
	if (who == SK_EXPORT_MAPPED) {
		assert_int_equal(fgetxattr(fd, "user.skerry.trusted.overlay.opaque", buf, sizeof(buf)), 1);
	} else {
		assert_int_equal(fgetxattr(fd, "security.NTACL", buf, sizeof(buf)), 3);
	}
	close(fd);
	/* A look must not say that there are none. */
	assert_int_equal(cl_look(&c, P9_TLOOK, 0, P9_NOFID, "f", 0), 0);
	assert_int_equal(c.r.u.found.flags & P9_LOOK_NO_XATTR, 0);
	/* A label of the host, which the guest does not see, is none. */
	fd = openat(fx->dirfd, "labelled", O_WRONLY | O_CREAT, 0644);
	r = fsetxattr(fd, "security.selinux", "label", 5, 0);
	close(fd);
	if (r == 0) {
		assert_int_equal(cl_look(&c, P9_TLOOK, 0, P9_NOFID, "labelled", 0), 0);
		assert_int_equal(c.r.u.found.flags & P9_LOOK_NO_XATTR, P9_LOOK_NO_XATTR);
	}
	assert_int_equal(cl_xattr_set(&c, 1, "trusted.overlay.opaque", "", 0, P9_XATTR_REPLACE), 0);
	assert_int_equal(cl_xattr_get(&c, 1, "trusted.overlay.opaque"), -ENODATA);
	cl_end(&c);
}

/* MAPPED: who a symbolic link belongs to, which has no attribute of its own on the host. */
static void owner_of(const char *path, uint32_t uid, uint32_t gid)
{
	assert_int_equal(cl_walk(&c, 0, 50, path), 0);
	assert_int_equal(cl_getattr(&c, 50), 0);
	assert_int_equal(c.r.u.attr.uid, uid);
	assert_int_equal(c.r.u.attr.gid, gid);
	assert_int_equal(cl_clunk(&c, 50), 0);
}

static bool has_records(struct fixture *fx)
{
	return faccessat(fx->dirfd, ".skerry-links", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool is_listed(const char *name)
{
	uint64_t offset = 0;
	bool found = false;
	int n;

	assert_int_equal(cl_walk(&c, 0, 51, ""), 0);
	assert_int_equal(cl_open(&c, 51, P9_O_RDONLY), 0);
	while ((n = cl_readdir(&c, 51, offset, 4000)) > 0) {
		const uint8_t *at = c.r.u.data.p;
		size_t left = (size_t)n, used;
		struct p9_qid q;
		struct p9_str s;
		uint8_t type;

		while (left && (used = p9_get_dirent(at, left, &q, &offset, &type, &s))) {
			found |= s.len == strlen(name) && memcmp(s.p, name, s.len) == 0;
			at += used;
			left -= used;
		}
	}
	assert_int_equal(cl_clunk(&c, 51), 0);
	return found;
}

void file_link_owner(void **state)
{
	const struct p9_setattr chown_ = { .valid = P9_SETATTR_UID | P9_SETATTR_GID, .uid = 77, .gid = 88 };
	struct fixture *fx = *state;
	struct statx before, after;

	if (who != SK_EXPORT_MAPPED)
		skip();
	start(fx);
	assert_int_equal(cl_mkdir(&c, 0, "d", 0755, 0), 0);
	assert_int_equal(cl_symlink(&c, 0, "l", "target"), 0);
	owner_of("l", 0, 0); /* who made it, not who the server runs as */
	assert_int_equal(cl_walk(&c, 0, 1, "l"), 0);
	assert_int_equal(statx(fx->dirfd, "l", AT_SYMLINK_NOFOLLOW, STATX_CTIME, &before), 0);
	usleep(20000);
	assert_int_equal(fx_setattr(&c, 1, chown_), 0);
	owner_of("l", 77, 88);
	assert_int_equal(statx(fx->dirfd, "l", AT_SYMLINK_NOFOLLOW, STATX_CTIME, &after), 0);
	assert_true(before.stx_ctime.tv_nsec != after.stx_ctime.tv_nsec);
	assert_int_equal(fx_setattr(&c, 1, (struct p9_setattr){ .valid = P9_SETATTR_GID, .gid = 99 }), 0);
	owner_of("l", 77, 99);
	/* It follows the inode. */
	assert_int_equal(cl_renameat(&c, 0, "l", 0, "m"), 0);
	owner_of("m", 77, 99);
	assert_int_equal(cl_walk(&c, 0, 2, "d"), 0);
	assert_int_equal(cl_renameat(&c, 0, "m", 2, "n"), 0);
	owner_of("d/n", 77, 99);
	assert_int_equal(cl_link(&c, 0, 1, "second"), 0);
	assert_int_equal(cl_unlinkat(&c, 2, "n", 0), 0);
	owner_of("second", 77, 99);
	/* The guest does not see where it is kept, and cannot get there. */
	assert_true(has_records(fx));
	assert_false(is_listed(".skerry-links"));
	assert_true(is_listed("second"));
	assert_int_equal(cl_walk(&c, 0, 3, ".skerry-links"), -ENOENT);
	assert_int_equal(cl_look(&c, P9_TLOOK, 0, P9_NOFID, ".skerry-links", 0), 0);
	assert_int_equal(c.r.u.found.flags & P9_LOOK_EXISTS, 0);
	assert_int_equal(cl_mkdir(&c, 0, ".skerry-links", 0755, 0), -EPERM);
	assert_int_equal(cl_symlink(&c, 0, ".skerry-links", "x"), -EPERM);
	assert_int_equal(cl_link(&c, 0, 1, ".skerry-links"), -EPERM);
	assert_int_equal(cl_look(&c, P9_TCREATEX, 0, 9, ".skerry-links", P9_O_RDWR), -EPERM);
	assert_int_equal(cl_renameat(&c, 0, "second", 0, ".skerry-links"), -EPERM);
	assert_int_equal(cl_renameat(&c, 0, ".skerry-links", 0, "seen"), -ENOENT);
	assert_int_equal(cl_unlinkat(&c, 0, ".skerry-links", P9_AT_REMOVEDIR), -ENOENT);
	assert_int_equal(cl_mkdir(&c, 2, ".skerry-links", 0755, 0), 0); /* elsewhere it is a name like others */
	/* With the last name the record goes, and with the last record the place. */
	assert_int_equal(cl_symlink(&c, 0, "other", "x"), 0);
	assert_int_equal(cl_renameat(&c, 0, "other", 0, "second"), 0);
	owner_of("second", 0, 0);
	assert_true(has_records(fx));
	assert_int_equal(cl_unlinkat(&c, 0, "second", 0), 0);
	assert_false(has_records(fx));
	/* Links that the host plants there lead nowhere. */
	assert_int_equal(symlinkat("d", fx->dirfd, ".skerry-links"), 0);
	assert_int_equal(cl_symlink(&c, 0, "l", "target"), 0);
	assert_int_equal(faccessat(fx->dirfd, "d", F_OK, 0), 0);
	owner_of("l", geteuid(), getegid());
	cl_end(&c);
}

/* A process of the host that has a lease of the file, and does not give it back for as long as the host allows (45 s). */
static pid_t lease(const struct fixture *fx, const char *name, int type)
{
	int ready[2];
	char ok = 0;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		int fd = openat(fx->dirfd, name, type == F_RDLCK ? O_RDONLY : O_RDWR);

		signal(SIGIO, SIG_IGN);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		ok = fd >= 0 && fcntl(fd, F_SETLEASE, type) == 0;
		if (write(ready[1], &ok, 1) == 1 && ok)
			pause();
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &ok, 1), 1);
	close(ready[0]);
	if (ok)
		return pid;
	waitpid(pid, NULL, 0);
	return 0;
}

/* Leases of others do not hold up the server: what they would is refused. */
void file_leased(void **state)
{
	static const struct p9_setattr cut = { .valid = P9_SETATTR_SIZE };
	static const int types[] = { F_RDLCK, F_WRLCK };
	struct fixture *fx = *state;
	pid_t holder, pid;
	unsigned i;
	int status;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		status = openat(fx->dirfd, "f", O_RDWR | O_CREAT | O_TRUNC, 0600);
		assert_int_equal(write(status, "text", 4), 4);
		close(status);
		holder = lease(fx, "f", types[i]);
		if (!holder) {
			print_message("no leases on this file system: not tested\n");
			skip();
		}
		pid = fork();
		if (pid == 0) {
			alarm(20);
			start(fx);
			if (cl_walk(&c, 0, 1, "f") < 0 || fx_setattr(&c, 1, cut) != -EAGAIN ||
			    cl_look(&c, P9_TOPENX, 0, 2, "f", P9_O_RDWR | P9_O_TRUNC) != -EAGAIN)
				_exit(1);
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		kill(holder, SIGKILL);
		waitpid(holder, NULL, 0);
		contents(fx, "f", "text");
		start(fx);
		assert_int_equal(cl_walk(&c, 0, 1, "f"), 0);
		assert_int_equal(fx_setattr(&c, 1, cut), 0);
		contents(fx, "f", "");
		cl_end(&c);
	}
}
