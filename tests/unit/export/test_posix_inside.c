/* SPDX-License-Identifier: Apache-2.0 */
/* The POSIX back end stays inside what it was given, whatever the names there lead to. Run by test_posix.c. */
#include "../sk_test.h"

#include "posix_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/loop.h"

void inside_no_way_out(void **state)
{
	struct fixture *fx = *state;
	struct client *a = &fx->a;

	assert_int_equal(symlinkat("/", fx->dirfd, "root"), 0);
	assert_int_equal(symlinkat("..", fx->dirfd, "up"), 0);
	assert_int_equal(symlinkat("/proc/self/root", fx->dirfd, "magic"), 0);
	assert_int_equal(cl_walk(a, 0, 1, "root/etc"), -ENOENT);
	assert_int_equal(cl_walk(a, 0, 1, "up/x"), -ENOENT);
	assert_int_equal(cl_attach(a, 1, 0, "/root/etc"), -ENOTDIR);
	assert_int_equal(cl_attach(a, 1, 0, "/up"), 0); /* the link itself */
	assert_int_equal(cl_getattr(a, 1), 0);
	assert_true(S_ISLNK(a->r.u.attr.mode));
	assert_int_equal(cl_walk(a, 0, 2, "root"), 0);
	assert_int_equal(cl_open(a, 2, P9_O_RDONLY), -ELOOP);
	assert_int_equal(cl_mkdir(a, 2, "x", 0755, 0), -ENOTDIR);
	assert_int_equal(cl_walk(a, 0, 3, ""), 0);
	assert_int_equal(cl_create(a, 3, "root", P9_O_RDWR, 0644, 0), -ELOOP);
	assert_int_equal(cl_create(a, 3, "root", P9_O_RDWR | P9_O_EXCL, 0644, 0), -EEXIST);
	assert_int_equal(fx_setattr(a, 2, (struct p9_setattr){ .valid = P9_SETATTR_MODE, .mode = 0777 }),
			 who == SK_EXPORT_MAPPED ? 0 : -EOPNOTSUPP);
	assert_int_equal(fx_setattr(a, 2, (struct p9_setattr){ .valid = P9_SETATTR_SIZE }), -EINVAL);
}

/* How long the race goes on, in each of the five ways to act: a minute together in the long form. */
static uint64_t race_ms(void)
{
	const char *full = getenv("SKERRY_TEST_FULL");

	return full && strcmp(full, "1") == 0 ? 12000 : 1000;
}

static void put(int dirfd, const char *name, const char *text)
{
	int fd = openat(dirfd, name, O_CREAT | O_WRONLY | O_TRUNC | O_NOFOLLOW, 0666);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	fchmod(fd, 0666);
	close(fd);
}

/* One try of everything that takes a name, through one that leads outside half of the time. True: it worked. */
static bool try_names(struct client *a, unsigned n)
{
	char name[32];
	int r;

	snprintf(name, sizeof(name), "f%u", n);
	r = cl_walk(a, 0, 1, "d");
	if (r == 0) {
		r = cl_create(a, 1, name, P9_O_RDWR | P9_O_EXCL, 0644, 0);
		cl_clunk(a, 1);
	}
	if (cl_walk(a, 0, 1, "d") == 0) {
		cl_unlinkat(a, 1, name, 0);
		cl_mkdir(a, 1, name, 0777, 0);
		cl_unlinkat(a, 1, name, P9_AT_REMOVEDIR);
		cl_mknod(a, 1, name, S_IFIFO | 0666, 0, 0);
		cl_renameat(a, 1, name, 0, "moved");
		cl_renameat(a, 0, "moved", 1, name);
		cl_unlinkat(a, 1, name, 0);
		cl_clunk(a, 1);
	}
	if (cl_walk(a, 0, 1, "d/file") == 0) {
		fx_setattr(a, 1, (struct p9_setattr){ .valid = P9_SETATTR_MODE, .mode = 0600 | (n & 077) });
		cl_xattr_set(a, 1, "user.race", "x", 1, 0);
		if (cl_open(a, 1, P9_O_RDWR) == 0) {
			assert_int_equal(cl_read(a, 1, 0, 20), 6);
			assert_memory_equal(a->r.u.data.p, "inside", 6);
			cl_write(a, 1, 0, "inside", 6);
		}
		cl_clunk(a, 1);
	}
	return r == 0;
}

/* The host swaps a directory and a link to the outside as fast as it can, while the client tries every operation
 * through that name. Nothing outside changes, and nothing of it is read. */
void inside_race(void **state)
{
	struct fixture *fx = *state;
	char outside[128], path[160], text[16] = "";
	uint64_t end;
	unsigned ok = 0, refused = 0;
	int status, fd, inside;
	struct stat st;
	pid_t child;

	snprintf(outside, sizeof(outside), "%s/outside-XXXXXX", top);
	assert_non_null(mkdtemp(outside));
	chmod(outside, 0777);
	snprintf(path, sizeof(path), "%s/file", outside);
	put(AT_FDCWD, path, "outside");
	assert_int_equal(mkdirat(fx->dirfd, "d", 0777), 0);
	assert_int_equal(fchmodat(fx->dirfd, "d", 0777, 0), 0);
	inside = openat(fx->dirfd, "d", O_RDONLY | O_DIRECTORY);
	put(inside, "file", "inside");
	close(inside);
	assert_int_equal(symlinkat(outside, fx->dirfd, "link"), 0);
	child = fork();
	if (child == 0) {
		unsigned seed = 1;

		/* Now and then a pause, so that neither state is seen by accident only. */
		for (;;) {
			if (renameat2(fx->dirfd, "d", fx->dirfd, "link", RENAME_EXCHANGE) < 0)
				_exit(1);
			if (rand_r(&seed) % 8 == 0)
				usleep((unsigned)rand_r(&seed) % 60);
		}
	}
	for (end = sk_now_ms() + race_ms(); sk_now_ms() < end;) {
		if (try_names(&fx->a, ok + refused))
			ok++;
		else
			refused++;
	}
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	assert_true(WIFSIGNALED(status));
	assert_true(ok > 0);
	fd = open(path, O_RDONLY);
	assert_int_equal(read(fd, text, sizeof(text)), 7);
	assert_string_equal(text, "outside");
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0666);
	assert_int_equal(fgetxattr(fd, "user.race", text, sizeof(text)), -1);
	close(fd);
	unlink(path);
	assert_int_equal(rmdir(outside), 0); /* empty: nothing else ended up there */
	printf("           %u times inside, %u refused\n", ok, refused);
}

/* The host gives the name of a single file to another: for the client the file has changed, also where it has it open.
 */
void inside_single_file_replaced(void **state)
{
	struct fixture *fx = *state;
	struct client *a = &fx->a;
	char path[160], buf[16];
	uint64_t ino;
	int fd;

	put(fx->dirfd, "only", "first");
	put(fx->dirfd, "other", "the second");
	fx_stop(fx);
	snprintf(path, sizeof(path), "%s/only", fx->dir);
	assert_int_equal(fx_start(fx, path, "shown"), 0);
	fx_open(a, 1, "shown", P9_O_RDWR);
	ino = a->r.u.ropen.qid.path;
	assert_int_equal(cl_walk(a, 0, 2, "shown"), 0);
	assert_int_equal(renameat(fx->dirfd, "other", fx->dirfd, "only"), 0);
	fd = openat(fx->dirfd, "only", O_PATH | O_CLOEXEC);
	assert_int_equal(sk_posix_replace(fx->fs, fd), 0);
	assert_int_equal(cl_getattr(a, 2), 0);
	assert_int_equal(a->r.u.attr.qid.path, ino);
	assert_int_equal(a->r.u.attr.size, 10);
	assert_int_equal(cl_read(a, 1, 0, 16), 10);
	assert_memory_equal(a->r.u.data.p, "the second", 10);
	assert_int_equal(cl_write(a, 1, 0, "THE", 3), 3);
	assert_int_equal(cl_walk(a, 0, 3, "shown"), 0);
	assert_int_equal(cl_open(a, 3, P9_O_RDONLY), 0);
	assert_int_equal(a->r.u.ropen.qid.path, ino);
	fd = openat(fx->dirfd, "only", O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, buf, sizeof(buf)), 10);
	assert_memory_equal(buf, "THE second", 10);
	close(fd);
	/* Not a directory, and not for an export that is one. */
	assert_int_equal(sk_posix_replace(fx->fs, open(fx->dir, O_PATH | O_CLOEXEC)), -EINVAL);
	assert_int_equal(cl_getattr(a, 2), 0);
}

void inside_single_file(void **state)
{
	struct fixture *fx = *state;
	struct client *a = &fx->a;
	char path[160];
	int fd = openat(fx->dirfd, "only", O_CREAT | O_WRONLY, 0666);
	const struct p9_qid *q;

	assert_int_equal(fchmod(fd, 0666), 0);
	assert_int_equal(write(fd, "text", 4), 4);
	close(fd);
	close(openat(fx->dirfd, "sibling", O_CREAT | O_WRONLY, 0666));
	fx_stop(fx);
	snprintf(path, sizeof(path), "%s/only", fx->dir);
	assert_int_equal(fx_start(fx, path, "shown"), 0);
	assert_int_equal(cl_getattr(a, 0), 0);
	assert_int_equal(a->r.u.attr.mode, S_IFDIR | 0555);
	assert_int_equal(cl_walk(a, 0, 1, "sibling"), -ENOENT);
	assert_int_equal(cl_walk(a, 0, 1, "only"), -ENOENT);
	fx_open(a, 1, "shown", P9_O_RDWR);
	q = &a->r.u.ropen.qid;
	assert_int_not_equal(q->version, 0);
	assert_int_equal(cl_read(a, 1, 0, 10), 4);
	assert_int_equal(cl_write(a, 1, 4, "!", 1), 1);
	assert_int_equal(cl_walk(a, 1, 2, ""), 0);
	assert_int_equal(cl_walk(a, 2, 3, ".."), -ENOTDIR);
	fx_open(a, 3, "", P9_O_RDONLY);
	assert_int_equal(cl_readdir(a, 3, 0, 1000), 24 + 1 + 24 + 2 + 24 + 5);
	assert_int_equal(cl_walk(a, 0, 4, ""), 0);
	assert_int_equal(cl_create(a, 4, "x", P9_O_RDWR, 0644, 0), -EACCES);
	assert_int_equal(cl_mkdir(a, 0, "x", 0755, 0), -EACCES);
	assert_int_equal(cl_unlinkat(a, 0, "shown", 0), -EACCES);
	assert_int_equal(cl_renameat(a, 0, "shown", 0, "x"), -EACCES);
	assert_int_equal(fx_setattr(a, 0, (struct p9_setattr){ .valid = P9_SETATTR_MODE, .mode = 0777 }), -EPERM);
	assert_int_equal(cl_fid(a, P9_TREMOVE, 2), -EBUSY);
	/* Its name on the host may go; the file is still the one that was shared. */
	assert_int_equal(unlinkat(fx->dirfd, "only", 0), 0);
	assert_int_equal(cl_walk(a, 0, 5, "shown"), 0);
	assert_int_equal(cl_open(a, 5, P9_O_RDONLY), 0);
	assert_int_equal(cl_read(a, 5, 0, 10), 5);
}

/* What led to a name that others have taken away may have changed as well: the client walks again, once. */
void inside_walk_again(void **state)
{
	struct fixture *fx = *state;
	struct client *a = &fx->a;

	assert_int_equal(cl_mkdir(a, 0, "d", 0777, 0), 0);
	assert_int_equal(cl_walk(a, 0, 1, "d"), 0);
	assert_int_equal(cl_mkdir(a, 1, "f", 0777, 0), 0);
	/* Its own changes, and those before it has walked there, are no surprise. */
	assert_int_equal(cl_walk(a, 1, 2, "y"), -ENOENT);
	assert_int_equal(cl_unlinkat(a, 1, "f", P9_AT_REMOVEDIR), 0);
	assert_int_equal(cl_walk(a, 1, 2, "f"), -ENOENT);
	usleep(30000);
	assert_int_equal(mkdirat(fx->dirfd, "d/x", 0777), 0);
	assert_int_equal(unlinkat(fx->dirfd, "d/x", AT_REMOVEDIR), 0);
	assert_int_equal(cl_walk(a, 1, 2, "x"), -ESTALE);
	assert_int_equal(cl_walk(a, 1, 2, "x"), -ENOENT);
	usleep(500000);
	/* A removed directory, which would look empty. */
	assert_int_equal(unlinkat(fx->dirfd, "d", AT_REMOVEDIR), 0);
	assert_int_equal(cl_walk(a, 1, 2, ""), 0);
	assert_int_equal(cl_open(a, 2, P9_O_RDONLY | P9_O_DIRECTORY), -ESTALE);
	assert_int_equal(cl_open(a, 2, P9_O_RDONLY | P9_O_DIRECTORY), 0);
	assert_int_equal(cl_walk(a, 1, 3, "x"), -ENOENT);
}
