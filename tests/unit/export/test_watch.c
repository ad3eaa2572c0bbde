/* SPDX-License-Identifier: Apache-2.0 */
/* Changes by another process in a watched directory are reported; those by this process are not. */
#include "../sk_test.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "export/watch.h"

#define HANDLE_FID 0x200 /* AT_HANDLE_FID, Linux 6.5 */

static char log_text[4096];

static void note(void *arg, const struct sk_watch_event *e)
{
	static const char *const kinds[] = { "create",	    "delete", "modify", "attrib",
					     "close_write", "open",   "access", "close_nowrite" };
	char line[600];

	(void)arg;
	if (e->kind == SK_WATCH_DONE)
		return;
	if (e->kind == SK_WATCH_RENAME)
		snprintf(line, sizeof(line), "rename %d/%s %d/%s%s\n", (int)e->dir, e->name, (int)e->new_dir,
			 e->new_name, e->is_dir ? " dir" : "");
	else
		snprintf(line, sizeof(line), "%s %d/%s%s\n", kinds[e->kind], (int)e->dir, e->name ? e->name : "(null)",
			 e->is_dir ? " dir" : "");
	strncat(log_text, line, sizeof(log_text) - strlen(log_text) - 1);
}

static void put(int dirfd, const char *name, const char *text, int flags)
{
	int fd = openat(dirfd, name, O_WRONLY | flags, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		_exit(1);
	close(fd);
}

static void act(int top)
{
	int i;

	put(top, "a/f", "x", O_CREAT);
	for (i = 0; i < 100; i++)
		put(top, "a/f", "more", O_APPEND);
	mkdirat(top, "a/d", 0755);
	assert_int_equal(fchmodat(top, "a/f", 0600, 0), 0);
	renameat(top, "a/f", top, "b/g");
	renameat(top, "b/g", top, "outside/h");
	renameat(top, "outside/h", top, "b/i");
	renameat(top, "a/d", top, "a/e");
	unlinkat(top, "a/e", AT_REMOVEDIR);
	unlinkat(top, "b/i", 0);
	put(top, "outside/unseen", "x", O_CREAT);
	assert_int_equal(fchmodat(top, "b", 0750, 0), 0);
}

static void get(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_RDONLY);
	char c;

	if (fd < 0 || read(fd, &c, 1) != 1)
		_exit(1);
	close(fd);
}

/* Opens and reads are reported where somebody asked for them. */
static void opens(struct sk_loop *loop, struct sk_watch *w, int topfd, int fd)
{
	uint64_t end;
	int status;
	pid_t child;

	put(topfd, "a/read", "x", O_CREAT);
	put(topfd, "b/read", "x", O_CREAT);
	assert_int_equal(sk_watch_opens(w, fd, 1), 0);
	get(topfd, "a/read");
	child = fork();
	if (child == 0) {
		get(topfd, "a/read");
		get(topfd, "b/read");
		_exit(0);
	}
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
	for (end = sk_now_ms() + 100; sk_now_ms() < end;)
		assert_true(sk_loop_once(loop, 20) >= 0);
	assert_string_equal(log_text, "open 1/read\naccess 1/read\nclose_nowrite 1/read\n");
	log_text[0] = 0;
}

/* A file whose directory is not watched. */
static void single_file(struct sk_loop *loop, struct sk_watch *w, int topfd)
{
	uint64_t end;
	int fd, status;
	pid_t child;

	put(topfd, "outside/single", "x", O_CREAT);
	fd = openat(topfd, "outside/single", O_PATH | O_CLOEXEC);
	assert_int_equal(sk_watch_add_file(w, fd, 7), 0);
	put(topfd, "outside/single", "own", O_APPEND);
	child = fork();
	if (child == 0) {
		put(topfd, "outside/other", "x", O_CREAT);
		put(topfd, "outside/single", "x", O_APPEND);
		_exit(fchmodat(topfd, "outside/single", 0600, 0));
	}
	waitpid(child, &status, 0);
	for (end = sk_now_ms() + 100; sk_now_ms() < end;)
		assert_true(sk_loop_once(loop, 20) >= 0);
	assert_string_equal(log_text, "modify 7/(null)\nattrib 7/(null)\nclose_write 7/(null)\n");
	log_text[0] = 0;
	sk_watch_remove_file(w, fd, 7);
	child = fork();
	if (child == 0) {
		put(topfd, "outside/single", "x", O_APPEND);
		_exit(0);
	}
	waitpid(child, &status, 0);
	for (end = sk_now_ms() + 50; sk_now_ms() < end;)
		assert_true(sk_loop_once(loop, 20) >= 0);
	assert_string_equal(log_text, "");
	close(fd);
}

static void in_child(int topfd, const char *name)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		put(topfd, name, "x", O_CREAT);
		_exit(0);
	}
	waitpid(child, &status, 0);
}

/* What others have done is reported at once to who asks whether that was all, but not each of what they do in quick
 * succession. */
static void settled(struct sk_loop *loop, struct sk_watch *w, int topfd)
{
	uint64_t end;

	assert_true(sk_watch_settled(w));
	/* Our own doings are in the kernel's queue as well. */
	put(topfd, "a/own", "x", O_CREAT);
	assert_true(sk_watch_settled(w));
	assert_string_equal(log_text, "");
	in_child(topfd, "a/first");
	assert_true(sk_watch_settled(w));
	assert_string_equal(log_text, "create 1/first\nmodify 1/first\nclose_write 1/first\n");
	in_child(topfd, "a/second");
	assert_false(sk_watch_settled(w));
	assert_string_equal(log_text, "create 1/first\nmodify 1/first\nclose_write 1/first\n");
	for (end = sk_now_ms() + 200; sk_now_ms() < end;)
		assert_true(sk_loop_once(loop, 20) >= 0);
	assert_true(sk_watch_settled(w));
	assert_string_equal(log_text, "create 1/first\nmodify 1/first\nclose_write 1/first\n"
				      "create 1/second\nmodify 1/second\nclose_write 1/second\n");
	log_text[0] = 0;
}

static void events(void **state)
{
	char top[] = "/tmp/sk-watch-XXXXXX";
	struct sk_loop *loop;
	struct sk_watch *w;
	uint64_t end;
	int topfd, fd[2], status, r;
	pid_t child;

	(void)state;
	assert_non_null(mkdtemp(top));
	topfd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	mkdirat(topfd, "a", 0755);
	mkdirat(topfd, "b", 0755);
	mkdirat(topfd, "outside", 0755);
	fd[0] = openat(topfd, "a", O_PATH | O_CLOEXEC);
	fd[1] = openat(topfd, "b", O_PATH | O_CLOEXEC);
	assert_int_equal(sk_loop_new(&loop), 0);
	r = sk_watch_new(loop, note, NULL, &w);
	if (r == -ENOSYS || r == -EPERM || r == -EINVAL) {
		printf("LEFT OUT: this kernel has no fanotify for us: %s\n", strerror(-r));
		skip();
	}
	assert_int_equal(r, 0);
	r = sk_watch_add(w, fd[0], 1);
	if (r == -EOPNOTSUPP || r == -ENODEV) {
		printf("LEFT OUT: not on this file system\n");
		skip();
	}
	assert_int_equal(r, 0);
	assert_int_equal(sk_watch_add(w, fd[1], 2), 0);
	assert_int_equal(sk_watch_add(w, fd[1], 3), -EEXIST);
	/* Our own doings: nothing. */
	act(topfd);
	unlinkat(topfd, "outside/unseen", 0);
	child = fork();
	if (child == 0) {
		act(topfd);
		_exit(0);
	}
	waitpid(child, &status, 0);
	for (end = sk_now_ms() + 200; sk_now_ms() < end;)
		assert_true(sk_loop_once(loop, 20) >= 0);
	/* The kernel joins what waits for one entry: its attributes come with its creation. */
	assert_string_equal(log_text, "create 1/f\nmodify 1/f\nattrib 1/f\nclose_write 1/f\ncreate 1/d dir\nrename 1/f "
				      "2/g\nrename 2/g 0/\nrename 0/ 2/i\n"
				      "rename 1/d 1/e dir\ndelete 1/e dir\ndelete 2/i\nattrib 2/ dir\n");
	log_text[0] = 0;
	settled(loop, w, topfd);
	opens(loop, w, topfd, fd[0]);
	single_file(loop, w, topfd);
	sk_watch_remove(w, fd[0], 1);
	sk_watch_remove(w, fd[1], 2);
	child = fork();
	if (child == 0) {
		put(topfd, "a/z", "x", O_CREAT);
		_exit(0);
	}
	waitpid(child, &status, 0);
	for (end = sk_now_ms() + 50; sk_now_ms() < end;)
		sk_loop_once(loop, 20);
	assert_string_equal(log_text, "");
	sk_watch_free(w);
	sk_loop_free(loop);
	close(fd[0]);
	close(fd[1]);
	close(topfd);
	sk_fs_remove_tree(AT_FDCWD, top);
}

/* Mounts an overlay on top/merged, whose lower directory has d/old, in a mount namespace of this process's own. */
static int mount_overlay(const char *top)
{
	char options[400], merged[128];

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -errno;
	snprintf(merged, sizeof(merged), "%s/merged", top);
	/* /tmp itself may lie on an overlay. */
	if (mount("tmpfs", top, "tmpfs", 0, NULL) < 0 || mkdir(merged, 0755) < 0)
		return -errno;
	snprintf(options, sizeof(options), "lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work", top, top, top);
	if (chdir(top) < 0 || mkdir("lower", 0755) < 0 || mkdir("lower/d", 0755) < 0 || mkdir("upper", 0755) < 0 ||
	    mkdir("work", 0755) < 0)
		return -errno;
	put(AT_FDCWD, "lower/d/old", "x", O_CREAT);
	return mount("overlay", merged, "overlay", 0, options) < 0 ? -errno : 0;
}

/* The root file system of a container of docker. To be copied up changes a directory's name in events as little. */
static void overlay(void **state)
{
	struct {
		struct file_handle h;
		uint8_t bytes[128];
	} handle = { .h = { .handle_bytes = 128 } };
	char top[] = "/tmp/sk-watch-XXXXXX";
	struct sk_loop *loop;
	struct sk_watch *w;
	uint64_t end;
	int fd, mount_id, status, r;
	pid_t child;

	(void)state;
	assert_non_null(mkdtemp(top));
	r = mount_overlay(top);
	if (r < 0) {
		printf("LEFT OUT: cannot mount an overlay: %s\n", strerror(-r));
		rmdir(top);
		skip();
	}
	fd = open("merged/d", O_PATH | O_CLOEXEC);
	assert_int_equal(sk_loop_new(&loop), 0);
	assert_int_equal(sk_watch_new(loop, note, NULL, &w), 0);
	r = name_to_handle_at(fd, "", &handle.h, &mount_id, AT_EMPTY_PATH | HANDLE_FID);
	if (r < 0) {
		printf("LEFT OUT: this kernel names no file of an overlay in events: %s\n", strerror(errno));
		skip();
	}
	assert_int_equal(sk_watch_add(w, fd, 1), 0);
	child = fork();
	if (child == 0) {
		put(AT_FDCWD, "merged/d/new", "x", O_CREAT);
		put(AT_FDCWD, "merged/d/old", "more", O_APPEND);
		renameat(AT_FDCWD, "merged/d/new", AT_FDCWD, "merged/d/newer");
		_exit(0);
	}
	waitpid(child, &status, 0);
	for (end = sk_now_ms() + 200; sk_now_ms() < end;)
		assert_true(sk_loop_once(loop, 20) >= 0);
	assert_string_equal(log_text, "create 1/new\nmodify 1/new\nclose_write 1/new\nmodify 1/old\nclose_write 1/old\n"
				      "rename 1/new 1/newer\n");
	log_text[0] = 0;
	sk_watch_free(w);
	sk_loop_free(loop);
	close(fd);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(umount2(top, MNT_DETACH), 0);
	rmdir(top);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(events), cmocka_unit_test(overlay) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
