/* SPDX-License-Identifier: Apache-2.0 */
/* A directory of a Windows host as an export. Runs on Windows, or under Wine. */
#include "../sk_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "export/winfs.h"

static const struct sk_9p_cred me = { 0, 0 };
static char dir[] = "/tmp/sk-test-win-XXXXXX";
static struct sk_9p_fs *fs;
static struct sk_9p_node *root;
static const struct sk_9p_fs_ops *ops;

static int setup(void **state)
{
	const struct sk_winfs_config config = { .uid = 0, .gid = 0 };
	struct sk_error err = SK_ERROR_INIT;
	struct p9_qid qid;

	(void)state;
	if (!mkdtemp(dir) || chdir(dir) < 0 || mkdir("share", 0755) < 0 || mkdir("outside", 0755) < 0)
		return -1;
	if (sk_winfs_new("share", &config, &fs, &err) < 0) {
		print_message("%s\n", err.message);
		return -1;
	}
	ops = fs->ops;
	return ops->root(fs, &root, &qid);
}

static int teardown(void **state)
{
	(void)state;
	ops->put(fs, root);
	sk_winfs_free(fs);
	chdir("/");
	return sk_fs_remove_tree(AT_FDCWD, dir);
}

static struct sk_9p_file *create(struct sk_9p_node *in, const char *name, struct sk_9p_node **ret_node)
{
	struct sk_9p_file *file;
	struct p9_qid qid;

	assert_int_equal(ops->create(fs, &me, in, name, P9_O_RDWR | P9_O_EXCL, 0644, ret_node, &file, &qid), 0);
	return file;
}

static int lookup(const char *name)
{
	struct sk_9p_node *node;
	struct p9_qid qid;
	int r = ops->lookup(fs, &me, root, name, &node, &qid);

	if (r == 0)
		ops->put(fs, node);
	return r;
}

static int64_t put(struct sk_9p_file *file, const char *text, uint64_t offset)
{
	struct sk_iov iov[2] = { { (void *)(uintptr_t)text, 1 }, { (void *)(uintptr_t)(text + 1), strlen(text) - 1 } };

	return ops->write(fs, file, iov, 2, offset);
}

static void assert_content(struct sk_9p_file *file, const char *text)
{
	char buf[64] = "";
	struct sk_iov iov[2] = { { buf, 2 }, { buf + 2, sizeof(buf) - 3 } };

	assert_int_equal(ops->read(fs, file, iov, 2, 0), strlen(text));
	assert_string_equal(buf, text);
}

static void test_bytes(void **state)
{
	struct p9_setattr cut = { .valid = P9_SETATTR_SIZE | P9_SETATTR_MTIME | P9_SETATTR_MTIME_SET,
				  .size = 3,
				  .mtime = { 1000000000, 123456700 } };
	struct sk_9p_node *node;
	struct sk_9p_file *file = create(root, "bytes", &node);
	struct sk_iov iov;
	struct p9_attr attr;
	char c;

	(void)state;
	assert_int_equal(put(file, "hello", 0), 5);
	assert_int_equal(put(file, "world", SK_9P_APPEND), 5);
	assert_content(file, "helloworld");
	iov = (struct sk_iov){ &c, 1 };
	assert_int_equal(ops->read(fs, file, &iov, 1, 10), 0);
	assert_int_equal(ops->fsync(fs, node, file, false), 0);
	assert_int_equal(ops->setattr(fs, &me, node, file, &cut), 0);
	assert_int_equal(ops->getattr(fs, &me, node, NULL, P9_GETATTR_BASIC, &attr), 0);
	assert_int_equal(attr.size, 3);
	assert_int_equal(attr.mtime.sec, 1000000000);
	assert_int_equal(attr.mtime.nsec, 123456700);
	assert_int_equal(attr.mode, P9_S_IFREG | 0777);
	assert_int_equal(attr.nlink, 1);
	ops->close(fs, file);
	ops->put(fs, node);
	assert_int_equal(ops->unlink(fs, &me, root, "bytes", true), -P9_ENOTDIR);
	assert_int_equal(ops->unlink(fs, &me, root, "bytes", false), 0);
	assert_int_equal(lookup("bytes"), -P9_ENOENT);
}

/* What cannot be kept is refused. */
static void test_attributes(void **state)
{
	struct p9_setattr mode = { .valid = P9_SETATTR_MODE, .mode = 0600 },
			  owner = { .valid = P9_SETATTR_UID, .uid = 5 };
	struct sk_9p_node *node;
	struct sk_9p_file *file = create(root, "attributes", &node), *again;
	struct p9_attr attr;
	struct p9_qid qid;
	int r;

	(void)state;
	ops->close(fs, file);
	assert_int_equal(ops->setattr(fs, &me, node, NULL, &mode), -P9_EPERM);
	assert_int_equal(ops->setattr(fs, &me, node, NULL, &owner), -P9_EPERM);
	mode.mode = 0555;
	assert_int_equal(ops->setattr(fs, &me, node, NULL, &mode), 0);
	assert_int_equal(ops->getattr(fs, &me, node, NULL, P9_GETATTR_BASIC, &attr), 0);
	assert_int_equal(attr.mode & 0777, 0555);
	/* Wine lets root write to it. */
	r = ops->open(fs, &me, node, P9_O_RDWR, &again, &qid);
	assert_true(r == 0 || r == -P9_EACCES);
	if (r == 0)
		ops->close(fs, again);
	ops->put(fs, node);
	/* Its name is the directory's, which may be written. */
	assert_int_equal(ops->unlink(fs, &me, root, "attributes", false), 0);
	assert_int_equal(lookup("attributes"), -P9_ENOENT);
	assert_int_equal(ops->symlink(fs, &me, root, "link", "/etc", &qid), -P9_EPERM);
	assert_int_equal(ops->mknod(fs, &me, root, "fifo", P9_S_IFIFO | 0600, 0, 0, &qid), -P9_EPERM);
}

/* An open file lives on without its name, and another one can have that. */
static void test_unlink_open(void **state)
{
	struct sk_9p_node *node, *other;
	struct sk_9p_file *file = create(root, "open", &node), *second;
	struct p9_attr attr;

	(void)state;
	assert_int_equal(put(file, "old", 0), 3);
	assert_int_equal(ops->unlink(fs, &me, root, "open", false), 0);
	assert_int_equal(lookup("open"), -P9_ENOENT);
	second = create(root, "open", &other);
	assert_int_equal(put(second, "new", 0), 3);
	assert_content(file, "old");
	assert_content(second, "new");
	assert_int_equal(ops->getattr(fs, &me, node, file, P9_GETATTR_BASIC, &attr), 0);
	assert_int_equal(attr.size, 3);
	assert_int_equal(ops->getattr(fs, &me, node, NULL, P9_GETATTR_BASIC, &attr), -P9_ENOENT);
	ops->close(fs, file);
	ops->close(fs, second);
	ops->put(fs, node);
	ops->put(fs, other);
	assert_int_equal(ops->unlink(fs, &me, root, "open", false), 0);
}

/* As programs replace their files, while somebody reads the old one. */
static void test_rename(void **state)
{
	struct sk_9p_node *a, *b, *sub, *inner;
	struct sk_9p_file *fa = create(root, "a", &a), *fb = create(root, "b", &b), *file;
	struct p9_attr attr;
	struct p9_qid qid;

	(void)state;
	assert_int_equal(put(fa, "from a", 0), 6);
	assert_int_equal(put(fb, "from b", 0), 6);
	assert_int_equal(ops->rename(fs, &me, root, "a", root, "b", P9_RENAME_NOREPLACE), -P9_EEXIST);
	assert_int_equal(ops->rename(fs, &me, root, "a", root, "b", P9_RENAME_EXCHANGE), -P9_EINVAL);
	assert_int_equal(ops->rename(fs, &me, root, "a", root, "b", 0), 0);
	assert_int_equal(lookup("a"), -P9_ENOENT);
	assert_content(fb, "from b");
	assert_content(fa, "from a");
	assert_int_equal(ops->getattr(fs, &me, a, NULL, P9_GETATTR_BASIC, &attr), 0);
	assert_int_equal(attr.size, 6);
	ops->close(fs, fa);
	ops->close(fs, fb);
	ops->put(fs, b);

	/* A directory with a file whose node is held: the node is found below the new name. */
	assert_int_equal(ops->mkdir(fs, &me, root, "dir", 0755, &qid), 0);
	assert_int_equal(ops->lookup(fs, &me, root, "dir", &sub, &qid), 0);
	assert_int_equal(ops->rename(fs, &me, root, "b", sub, "in", 0), 0);
	ops->put(fs, a);
	assert_int_equal(ops->lookup(fs, &me, sub, "in", &inner, &qid), 0);
	assert_int_equal(ops->rename(fs, &me, root, "dir", root, "other", 0), 0);
	assert_int_equal(ops->open(fs, &me, inner, P9_O_RDONLY, &file, &qid), 0);
	assert_content(file, "from a");
	ops->close(fs, file);
	assert_int_equal(ops->unlink(fs, &me, root, "other", true), -P9_ENOTEMPTY);
	assert_int_equal(ops->unlink(fs, &me, sub, "in", false), 0);
	ops->put(fs, inner);
	ops->put(fs, sub);
	assert_int_equal(ops->unlink(fs, &me, root, "other", true), 0);
}

static void test_link(void **state)
{
	struct sk_9p_node *node;
	struct sk_9p_file *file = create(root, "one", &node);
	struct p9_attr attr;

	(void)state;
	ops->close(fs, file);
	assert_int_equal(ops->link(fs, &me, node, root, "two"), 0);
	assert_int_equal(ops->link(fs, &me, node, root, "two"), -P9_EEXIST);
	assert_int_equal(ops->getattr(fs, &me, node, NULL, P9_GETATTR_BASIC, &attr), 0);
	assert_int_equal(attr.nlink, 2);
	ops->put(fs, node);
	assert_int_equal(ops->unlink(fs, &me, root, "one", false), 0);
	assert_int_equal(ops->unlink(fs, &me, root, "two", false), 0);
}

struct names {
	unsigned n, stop;
	uint64_t last;
	char all[32][32];
};

static bool emit(void *arg, const struct p9_qid *qid, uint64_t offset, uint8_t type, const char *name, size_t len)
{
	struct names *l = arg;

	(void)qid;
	(void)type;
	if (l->n == l->stop)
		return false;
	snprintf(l->all[l->n++], 32, "%.*s", (int)len, name);
	l->last = offset;
	return true;
}

static bool has(const struct names *l, const char *name)
{
	unsigned i, n = 0;

	for (i = 0; i < l->n; i++)
		n += strcmp(l->all[i], name) == 0;
	return n == 1;
}

/* In pieces, with names that Windows forbids, and without those that are about to go. */
static void test_listing(void **state)
{
	static const char *const forbidden[] = { "a:b", "what?", "back\\slash", "con", "\xc3\xa4.txt" };
	struct names l = { .stop = 3 };
	struct sk_9p_node *node, *gone;
	struct sk_9p_file *file, *open;
	struct p9_qid qid;
	size_t i;

	(void)state;
	for (i = 0; i < SK_ARRAY_SIZE(forbidden); i++) {
		ops->close(fs, create(root, forbidden[i], &node));
		ops->put(fs, node);
	}
	open = create(root, "gone", &gone);
	assert_int_equal(ops->unlink(fs, &me, root, "gone", false), 0);
	assert_int_equal(ops->open(fs, &me, root, P9_O_RDONLY, &file, &qid), 0);
	while (ops->readdir(fs, root, file, l.last, true, emit, &l) == 0 && l.n == l.stop)
		l.stop += 3;
	ops->close(fs, file);
	assert_int_equal(l.n, 2 + SK_ARRAY_SIZE(forbidden));
	assert_true(has(&l, ".") && has(&l, ".."));
	for (i = 0; i < SK_ARRAY_SIZE(forbidden); i++) {
		assert_true(has(&l, forbidden[i]));
		assert_int_equal(ops->unlink(fs, &me, root, forbidden[i], false), 0);
	}
	ops->close(fs, open);
	ops->put(fs, gone);
}

/* Nothing leads out. Wine shows links of the host below it to directories as reparse points. */
static void test_inside(void **state)
{
	struct sk_9p_node *node;
	struct sk_9p_file *file;
	struct p9_qid qid;

	(void)state;
	assert_int_equal(sk_fs_write_atomic(AT_FDCWD, "outside/secret", "x", 1, 0600, false), 0);
	assert_int_equal(lookup("..\\outside"), -P9_ENOENT);
	assert_int_equal(lookup("\xef\x80\xae\xef\x80\xae"), -P9_ENOENT);
	assert_int_equal(lookup(".skerry-gone-0123"), -P9_ENOENT);
	assert_int_equal(ops->create(fs, &me, root, ".skerry-gone-1", P9_O_RDWR, 0644, &node, &file, &qid), -P9_EPERM);
	/* A colon is a character of a name, not a stream. */
	file = create(root, "f:stream", &node);
	ops->close(fs, file);
	ops->put(fs, node);
	assert_int_equal(lookup("f"), -P9_ENOENT);
	assert_int_equal(ops->unlink(fs, &me, root, "f:stream", false), 0);
}

/* What somebody else puts in the place of a file is another one. */
static void test_stale(void **state)
{
	struct sk_9p_node *node;
	struct p9_attr attr;

	(void)state;
	ops->close(fs, create(root, "stale", &node));
	assert_int_equal(rename("share/stale", "outside/stale"), 0);
	assert_int_equal(sk_fs_write_atomic(AT_FDCWD, "share/stale", "x", 1, 0600, false), 0);
	assert_int_equal(ops->getattr(fs, &me, node, NULL, P9_GETATTR_BASIC, &attr), -P9_ESTALE);
	assert_int_equal(lookup("stale"), 0);
	ops->put(fs, node);
	assert_int_equal(ops->unlink(fs, &me, root, "stale", false), 0);
}

/* Of a single file's directory nothing else is there, and nothing in it can be changed but the file's own bytes. */
static void test_single(void **state)
{
	const struct sk_winfs_config config = { .only = "one" };
	const struct p9_setattr touch = { .valid = P9_SETATTR_MTIME };
	struct sk_9p_fs *all = fs;
	struct sk_9p_node *top, *one, *node, *all_root = root;
	struct names l = { .stop = 8 };
	struct sk_9p_file *file;
	struct p9_qid qid;
	uint64_t number;

	(void)state;
	assert_int_equal(sk_fs_write_atomic(AT_FDCWD, "outside/one", "x", 1, 0600, false), 0);
	assert_int_equal(sk_fs_write_atomic(AT_FDCWD, "outside/two", "y", 1, 0600, false), 0);
	assert_int_equal(sk_winfs_new("outside", &config, &fs, NULL), 0);
	assert_int_equal(ops->root(fs, &top, &qid), 0);
	root = top;
	assert_int_equal(lookup("two"), -P9_ENOENT);
	assert_int_equal(lookup("two:stream"), -P9_ENOENT);
	assert_int_equal(lookup("nothing"), -P9_ENOENT);
	assert_int_equal(ops->open(fs, &me, top, P9_O_RDONLY, &file, &qid), 0);
	assert_int_equal(ops->readdir(fs, top, file, 0, true, emit, &l), 0);
	ops->close(fs, file);
	assert_int_equal(l.n, 3);
	assert_true(has(&l, "one"));
	assert_int_equal(ops->create(fs, &me, top, "new", P9_O_RDWR, 0644, &node, &file, &qid), -P9_EPERM);
	assert_int_equal(ops->create(fs, &me, top, "two", P9_O_RDWR, 0644, &node, &file, &qid), -P9_EPERM);
	assert_int_equal(ops->mkdir(fs, &me, top, "new", 0755, &qid), -P9_EPERM);
	assert_int_equal(ops->unlink(fs, &me, top, "one", false), -P9_EPERM);
	assert_int_equal(ops->unlink(fs, &me, top, "two", false), -P9_EPERM);
	assert_int_equal(ops->rename(fs, &me, top, "two", top, "one", 0), -P9_EPERM);
	assert_int_equal(ops->setattr(fs, &me, top, NULL, &touch), -P9_EPERM);
	assert_int_equal(ops->lookup(fs, &me, top, "one", &one, &qid), 0);
	assert_int_equal(ops->link(fs, &me, one, top, "new"), -P9_EPERM);
	assert_int_equal(ops->open(fs, &me, one, P9_O_RDWR, &file, &qid), 0);
	assert_int_equal(put(file, "own", 0), 3);
	assert_content(file, "own");
	ops->close(fs, file);
	/* What replaces the file is the file, also for who has it already; but no directory. */
	assert_int_equal(sk_fs_write_atomic(AT_FDCWD, "outside/one", "z", 1, 0600, false), 0);
	number = qid.path;
	assert_int_equal(ops->open(fs, &me, one, P9_O_RDONLY, &file, &qid), 0);
	assert_int_equal(qid.path, number);
	assert_int_equal(lookup("one"), 0);
	assert_content(file, "z");
	ops->close(fs, file);
	assert_int_equal(unlink("outside/one"), 0);
	assert_int_equal(mkdir("outside/one", 0755), 0);
	assert_int_equal(ops->open(fs, &me, one, P9_O_RDONLY, &file, &qid), -P9_EISDIR);
	assert_int_equal(lookup("one"), -P9_ENOENT);
	ops->put(fs, one);
	assert_int_equal(rmdir("outside/one"), 0);
	ops->put(fs, top);
	sk_winfs_free(fs);
	fs = all;
	root = all_root;
	assert_int_equal(access("outside/two", F_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),  cmocka_unit_test(test_attributes), cmocka_unit_test(test_unlink_open),
		cmocka_unit_test(test_rename), cmocka_unit_test(test_link),	  cmocka_unit_test(test_listing),
		cmocka_unit_test(test_inside), cmocka_unit_test(test_stale),	  cmocka_unit_test(test_single),
	};

	return cmocka_run_group_tests_name("export-windows", tests, setup, teardown);
}
