/* SPDX-License-Identifier: Apache-2.0 */
/* Checks layer images with unsquashfs and (as root) the kernel: other programs than the one that wrote them. */
#include "util.h"

#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"

static void expect_line(const char *list, const char *end, const char *begin)
{
	_cleanup_free_ char *line = line_with(list, end);

	if (!line)
		fail_msg("no %s in:\n%s", end, list);
	if (strncmp(line, begin, strlen(begin)) != 0)
		fail_msg("%s: wanted %s", line, begin);
}

/* umoci writes neither the last file's padding nor the blocks that end an archive. One byte less is one too few. */
static void test_no_padding(void **state)
{
	struct sk_store *store = open_store();
	struct tar *t = tar_new();
	_cleanup_free_ char *list = NULL;
	struct blob b, cut;

	(void)state;
	tar_file(t, "one", 0644, "1");
	tar_file(t, "two", 0644, "contents");
	b = tar_end(t);
	/* two headers, one block of contents each */
	cut = (struct blob){ .data = b.data, .len = 3 * 512 + 8 };
	import_ok(store, &cut, "unpadded");
	list = list_layer(store, "unpadded", 0);
	expect_line(list, " R/one", "-rw-r--r-- 0/0 ");
	expect_line(list, " R/two", "-rw-r--r-- 0/0 ");
	cut.len--;
	import_fails(store, &cut, "cut off");
	blob_free(&b);
	sk_store_close(store);
}

/* Kinds, modes, owners, times, devices, links. */
static void test_kinds(void **state)
{
	struct sk_store *store = open_store();
	struct tar *t = tar_new();
	_cleanup_free_ char *list = NULL;
	struct blob b;

	(void)state;
	tar_owner(t, 1, 2);
	tar_dir(t, "./", 0711);
	tar_dir(t, "d", 01777);
	tar_owner(t, 2147483648, 4294967294);
	tar_file(t, "d/big-owner", 0640, "x");
	tar_owner(t, 1000, 1000);
	tar_mtime(t, 1234567890);
	tar_file(t, "d/suid", 06755, "contents");
	tar_mtime(t, -5);
	tar_file(t, "d/early", 0, "");
	tar_link(t, "d/absolute", "/etc/passwd");
	tar_link(t, "d/up", "../../../x");
	tar_device(t, "d/null", S_IFCHR, 1, 3);
	tar_device(t, "d/disk", S_IFBLK, 259, 70000);
	tar_device(t, "d/pipe", S_IFIFO, 0, 0);
	tar_hardlink(t, "d/second", "d/suid");
	tar_hardlink(t, "/third", "/d/suid");
	tar_hardlink(t, "null2", "d/null");
	tar_hardlink(t, "up2", "./d/up");
	tar_file(t, "no/parent/here", 0600, "y");
	b = tar_end(t);
	import_ok(store, &b, "kinds");
	list = list_layer(store, "kinds", 0);
	expect_line(list, " R", "drwx--x--x 1/2 ");
	expect_line(list, " R/d", "drwxrwxrwt 0/0 ");
	expect_line(list, " R/d/big-owner", "-rw-r----- 2147483648/4294967294 ");
	expect_line(list, " 8 2009-02-13 23:31 R/d/suid", "-rwsr-sr-x 1000/1000 ");
	expect_line(list, " 0 1970-01-01 00:00 R/d/early", "---------- 0/0 ");
	expect_line(list, " R/d/absolute -> /etc/passwd", "lrwxrwxrwx 0/0 ");
	expect_line(list, " R/d/up -> ../../../x", "lrwxrwxrwx");
	expect_line(list, " R/up2 -> ../../../x", "lrwxrwxrwx");
	expect_line(list, " R/d/null", "crw------- 0/0 1, 3 ");
	expect_line(list, " R/null2", "crw------- 0/0 1, 3 ");
	expect_line(list, " R/d/disk", "brw------- 0/0 ");
	expect_line(list, " R/d/pipe", "prw------- 0/0 ");
	expect_line(list, " R/d/second", "-rwsr-sr-x 1000/1000 ");
	expect_line(list, " R/third", "-rwsr-sr-x 1000/1000 ");
	expect_line(list, " R/no", "drwxr-xr-x 0/0 ");
	expect_line(list, " R/no/parent", "drwxr-xr-x 0/0 ");
	blob_free(&b);
	sk_store_close(store);
}

static void test_whiteouts(void **state)
{
	struct sk_store *store = open_store();
	struct tar *t = tar_new();
	_cleanup_free_ char *list = NULL;
	struct blob b;

	(void)state;
	tar_file(t, "d/.wh.gone", 0600, "");
	tar_file(t, "before", 0600, "kept");
	tar_file(t, ".wh.before", 0600, "");
	tar_file(t, ".wh.after", 0600, "");
	tar_file(t, "after", 0600, "kept");
	tar_file(t, ".wh.directory", 0600, "");
	tar_file(t, "directory/new", 0600, "");
	tar_dir(t, "directory2", 0700);
	tar_file(t, ".wh.directory2", 0600, "");
	tar_file(t, "opaque/.wh..wh..opq", 0600, "");
	tar_file(t, "opaque/x", 0600, "");
	tar_dir(t, "opaque", 0750);
	tar_dir(t, ".wh..wh.plnk", 0700);
	tar_file(t, ".wh..wh.plnk/123.456", 0600, "linked");
	tar_hardlink(t, "aufs-link", ".wh..wh.plnk/123.456");
	tar_file(t, ".wh..wh.aufs", 0600, "");
	b = tar_end(t);
	import_ok(store, &b, "wh");
	list = list_layer(store, "wh", 0);
	expect_line(list, " R/d/gone", "c--------- 0/0 0, 0 ");
	expect_line(list, " R/before", "-rw-------");
	expect_line(list, " R/after", "-rw-------");
	expect_line(list, " R/directory", "drwxr-xr-x");
	expect_line(list, " R/directory/new", "-rw-------");
	expect_line(list, " R/directory2", "drwx------");
	expect_line(list, " R/opaque", "drwxr-x---");
	expect_line(list, " R/aufs-link", "-rw-------");
	assert_null(strstr(list, ".wh."));
	blob_free(&b);
	sk_store_close(store);
}

static void test_duplicates(void **state)
{
	struct sk_store *store = open_store();
	struct tar *t = tar_new();
	_cleanup_free_ char *list = NULL, *data = NULL;
	struct blob b;
	size_t len;

	(void)state;
	tar_file(t, "f", 0600, "old contents");
	tar_hardlink(t, "g", "f");
	tar_file(t, "./f", 0644, "new");
	tar_dir(t, "d", 0700);
	tar_file(t, "d/a/b/c", 0600, "x");
	tar_dir(t, "d/", 0755);
	tar_file(t, "e/a/b/c", 0600, "x");
	tar_file(t, "e/a/b2/c", 0600, "x");
	tar_file(t, "e", 0600, "file over a directory");
	tar_file(t, "h", 0600, "x");
	tar_file(t, "h2", 0600, "x");
	tar_dir(t, "h", 0700);
	tar_link(t, "h2", "f");
	tar_file(t, "loop/x/y", 0600, "survivor");
	tar_hardlink(t, "loop/x", "loop/x/y");
	tar_hardlink(t, "g", "g");
	b = tar_end(t);
	import_ok(store, &b, "dup");
	list = list_layer(store, "dup", 0);
	expect_line(list, " R/f", "-rw-r--r-- 0/0 3 ");
	expect_line(list, " R/g", "-rw------- 0/0 12 ");
	expect_line(list, " R/d", "drwxr-xr-x");
	expect_line(list, " R/d/a/b/c", "-rw-------");
	expect_line(list, " R/e", "-rw------- 0/0 21 ");
	expect_line(list, " R/h", "drwx------");
	expect_line(list, " R/h2 -> f", "lrwxrwxrwx");
	expect_line(list, " R/loop/x", "-rw------- 0/0 8 ");
	assert_null(strstr(list, "R/e/"));
	data = cat_layer(store, "dup", 0, "f", &len);
	assert_string_equal(data, "new");
	free(data);
	data = cat_layer(store, "dup", 0, "g", &len);
	assert_string_equal(data, "old contents");
	blob_free(&b);
	sk_store_close(store);
}

/* Links in the middle of names are followed inside the layer, as under chroot. */
static void test_links_followed(void **state)
{
	struct sk_store *store = open_store();
	struct tar *t = tar_new();
	_cleanup_free_ char *list = NULL;
	struct blob b;

	(void)state;
	tar_link(t, "lib", "usr/lib");
	tar_file(t, "lib/a", 0600, "");
	tar_link(t, "out", "../../..");
	tar_file(t, "out/b", 0600, "");
	tar_link(t, "abs", "/usr/./share//");
	tar_file(t, "abs/c", 0600, "");
	tar_dir(t, "usr/lib", 0555);
	tar_link(t, "chain", "chain2");
	tar_link(t, "chain2", "abs");
	tar_hardlink(t, "hard", "chain/c");
	tar_file(t, "x/../y/./z", 0600, "");
	b = tar_end(t);
	import_ok(store, &b, "follow");
	list = list_layer(store, "follow", 0);
	expect_line(list, " R/usr/lib/a", "-rw-");
	expect_line(list, " R/usr/lib", "dr-xr-xr-x");
	expect_line(list, " R/b", "-rw-");
	expect_line(list, " R/usr/share/c", "-rw-");
	expect_line(list, " R/hard", "-rw-");
	expect_line(list, " R/y/z", "-rw-");
	expect_line(list, " R/out -> ../../..", "lrwx");
	blob_free(&b);
	sk_store_close(store);
}

static void test_names(void **state)
{
	struct sk_store *store = open_store();
	char name[256], deep[3001], target[4001];
	struct tar *t = tar_new();
	_cleanup_free_ char *data = NULL;
	struct blob b, c = { .len = 0 };
	uint8_t *raw;
	size_t len, i;

	(void)state;
	memset(name, 'n', 255);
	name[255] = '\0';
	for (i = 0; i < 3000; i++)
		deep[i] = i % 10 == 9 ? '/' : 'd';
	deep[2999] = 'x';
	deep[3000] = '\0';
	memset(target, 't', 4000);
	target[4000] = '\0';
	tar_file(t, name, 0600, "long");
	tar_file(t, deep, 0600, "deep");
	tar_link(t, "link", target);
	tar_file(t, "gr\xc3\xbc\xc3\x9f", 0600, "utf-8");
	tar_file(t, "new\nline \"quote\" \\", 0600, "odd");
	b = tar_end(t);
	/* A name that is not UTF-8: by hand. */
	raw = calloc(1, 1024 + b.len);
	raw_header(raw, "latin-\xfc\xe9", '0', 5, "");
	memcpy(raw + 512, "bytes", 5);
	memcpy(raw + 1024, b.data, b.len);
	c.data = raw;
	c.len = 1024 + b.len;
	import_ok(store, &c, "names");
	data = cat_layer(store, "names", 0, name, &len);
	assert_string_equal(data, "long");
	free(data);
	data = cat_layer(store, "names", 0, deep, &len);
	assert_string_equal(data, "deep");
	free(data);
	data = cat_layer(store, "names", 0, "gr\xc3\xbc\xc3\x9f", &len);
	assert_string_equal(data, "utf-8");
	free(data);
	data = cat_layer(store, "names", 0, "latin-\xfc\xe9", &len);
	assert_string_equal(data, "bytes");
	blob_free(&b);
	blob_free(&c);
	sk_store_close(store);
}

/* Contents of every size around the block size, equal ones, holes. */
static void test_contents(void **state)
{
	static const size_t sizes[] = { 1, 4095, 4096, 65535, 65536, 65537, 131072, 200001, 1000000 };
	struct sk_store *store = open_store();
	uint8_t *bytes = malloc(1000000);
	_cleanup_free_ char *data = NULL;
	struct tar *t = tar_new();
	struct blob b;
	size_t len, i;

	(void)state;
	assert_non_null(bytes);
	for (i = 0; i < 1000000; i++)
		bytes[i] = (uint8_t)((i * 2654435761u) >> 13);
	for (i = 0; i < SK_ARRAY_SIZE(sizes); i++) {
		char name[32];

		snprintf(name, sizeof(name), "f%zu", sizes[i]);
		tar_bytes(t, name, bytes, sizes[i]);
		snprintf(name, sizeof(name), "again%zu", sizes[i]);
		tar_bytes(t, name, bytes, sizes[i]);
	}
	b = tar_end(t);
	import_ok(store, &b, "contents");
	extract_layer(store, "contents", 0, "out");
	for (i = 0; i < 2 * SK_ARRAY_SIZE(sizes); i++) {
		char name[32];

		snprintf(name, sizeof(name), "out/%s%zu", i % 2 ? "f" : "again", sizes[i / 2]);
		data = read_file(name, &len);
		assert_int_equal(len, sizes[i / 2]);
		assert_memory_equal(data, bytes, len);
		free(data);
	}
	data = NULL;
	free(bytes);
	blob_free(&b);
	sk_store_close(store);
}

static void test_sparse(void **state)
{
	struct sk_store *store = open_store();
	struct tar *t = tar_new();
	uint8_t *bytes = calloc(1, 10 << 20);
	_cleanup_free_ char *data = NULL;
	struct sk_image *image;
	struct blob b;
	size_t len;

	(void)state;
	memcpy(bytes + (5 << 20), "middle", 6);
	tar_sparse(t, 10 << 20, 5 << 20, 512);
	tar_bytes(t, "sparse", bytes, 10 << 20);
	b = tar_end(t);
	assert_true(b.len < 65536);
	import_ok(store, &b, "sparse");
	data = cat_layer(store, "sparse", 0, "sparse", &len);
	assert_int_equal(len, 10 << 20);
	assert_memory_equal(data, bytes, len);
	assert_int_equal(sk_store_find(store, "sparse", &image, NULL), 0);
	assert_true(image->layer_sizes[0] < 65536);
	sk_image_free(image);
	free(bytes);
	blob_free(&b);
	sk_store_close(store);
}

/* The same tar packed in each way gives the same layer; padding, read-only, several thousand files in a directory. */
static void test_compressions(void **state)
{
	static const char *const filters[] = { "gzip", "zstd", "xz", "bzip2" };
	struct sk_store *store = open_store();
	struct sk_image *plain, *packed;
	struct tar *t = tar_new();
	struct stat st;
	struct blob b;
	size_t i;

	(void)state;
	for (i = 0; i < 5000; i++) {
		char name[64];

		snprintf(name, sizeof(name), "directory/file-with-a-name-%05zu", (i * 7919) % 5000);
		tar_file(t, name, 0644, name);
	}
	b = tar_end(t);
	import_ok(store, &b, "plain");
	assert_int_equal(sk_store_find(store, "plain", &plain, NULL), 0);
	assert_int_equal(plain->layer_sizes[0] % 4096, 0);
	assert_int_equal(stat(plain->layers[0], &st), 0);
	assert_int_equal(st.st_mode & 07777, 0444);
	for (i = 0; i < SK_ARRAY_SIZE(filters); i++) {
		struct blob c = compress(&b, filters[i]);

		import_ok(store, &c, filters[i]);
		assert_int_equal(sk_store_find(store, filters[i], &packed, NULL), 0);
		assert_string_equal(plain->layers[0], packed->layers[0]);
		sk_image_free(packed);
		blob_free(&c);
	}
	sk_image_free(plain);
	blob_free(&b);
	sk_store_close(store);
}

/* An empty layer is common: `docker build` makes them. */
static void test_empty(void **state)
{
	struct sk_store *store = open_store();
	struct tar *t = tar_new();
	struct blob b = tar_end(t), empty = { .data = (uint8_t *)strdup(""), .len = 0 };
	_cleanup_free_ char *list = NULL;

	(void)state;
	import_ok(store, &b, "empty");
	list = list_layer(store, "empty", 0);
	expect_line(list, " R", "drwxr-xr-x 0/0 ");
	import_fails(store, &empty, "it is empty");
	blob_free(&b);
	blob_free(&empty);
	sk_store_close(store);
}

/* Mounted by the kernel: attributes, link counts, and an overlay of two layers. */
static void test_mounted(void **state)
{
	static const uint8_t cap[20] = { 1, 0, 0, 2, 0, 4 };
	static const uint8_t acl[] = { 2, 0,	0,   0,	  1,   0,   6,	0, 255, 255, 255, 255, 2,   0,	4,
				       0, 0xe8, 3,   0,	  0,   4,   0,	0, 0,	255, 255, 255, 255, 16, 0,
				       4, 0,	255, 255, 255, 255, 32, 0, 0,	0,   255, 255, 255, 255 };
	struct sk_store *store = open_store();
	struct tar *t = tar_new();
	struct sk_image *image;
	char value[64];
	struct stat st;
	struct blob b;

	(void)state;
	if (geteuid() != 0) {
		print_message("image-layer: mounting needs root: skipped\n");
		sk_store_close(store);
		skip();
	}
	tar_xattr(t, "security.capability", cap, sizeof(cap));
	tar_xattr(t, "user.test", "a\0b", 3);
	tar_xattr(t, "trusted.test", "", 0);
	tar_xattr(t, "security.selinux", "x", 1);
	tar_xattr(t, "trusted.overlay.redirect", "/etc", 4);
	tar_file(t, "ping", 0755, "x");
	tar_hardlink(t, "ping2", "ping");
	tar_hardlink(t, "ping3", "ping");
	tar_file(t, "opaque/.wh..wh..opq", 0600, "");
	tar_dir(t, "d/e", 0755);
	tar_xattr(t, "system.posix_acl_access", acl, sizeof(acl));
	tar_xattr(t, "system.posix_acl_default", acl, sizeof(acl));
	tar_file(t, "acl", 0600, "x"); /* a file has no default ACL */
	tar_xattr(t, "system.posix_acl_access", acl, sizeof(acl) - 1);
	tar_xattr(t, "trusted.posix_acl_access", acl, sizeof(acl));
	tar_file(t, "no-acl", 0604, "x");
	tar_acl(t, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, ARCHIVE_ENTRY_ACL_READ, ARCHIVE_ENTRY_ACL_USER, 1000);
	tar_acl(t, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, ARCHIVE_ENTRY_ACL_READ, ARCHIVE_ENTRY_ACL_MASK, -1);
	tar_file(t, "acl-text", 0600, "x");
	b = tar_end(t);
	import_ok(store, &b, "mounted");
	assert_int_equal(sk_store_find(store, "mounted", &image, NULL), 0);
	assert_int_equal(mkdir("mnt", 0700), 0);
	free(RUN("mount", "-o", "loop,ro", "-t", "squashfs", image->layers[0], "mnt"));
	assert_int_equal(getxattr("mnt/ping", "security.capability", value, sizeof(value)), 20);
	assert_memory_equal(value, cap, 20);
	assert_int_equal(getxattr("mnt/ping2", "user.test", value, sizeof(value)), 3);
	assert_memory_equal(value, "a\0b", 3);
	assert_int_equal(getxattr("mnt/ping", "trusted.test", value, sizeof(value)), 0);
	assert_int_equal(getxattr("mnt/ping", "security.selinux", value, sizeof(value)), -1);
	assert_int_equal(getxattr("mnt/ping", "trusted.overlay.redirect", value, sizeof(value)), -1);
	assert_int_equal(getxattr("mnt/opaque", "trusted.overlay.opaque", value, sizeof(value)), 1);
	assert_int_equal(value[0], 'y');
	assert_int_equal(getxattr("mnt/d", "trusted.overlay.opaque", value, sizeof(value)), -1);
	/* Another kernel sees ACLs as what they are on disk. */
	assert_int_equal(getxattr("mnt/acl", "trusted.posix_acl_access", value, sizeof(value)), sizeof(acl));
	assert_memory_equal(value, acl, sizeof(acl));
	assert_int_equal(getxattr("mnt/acl", "trusted.posix_acl_default", value, sizeof(value)), -1);
	assert_int_equal(getxattr("mnt/acl-text", "trusted.posix_acl_access", value, sizeof(value)), sizeof(acl));
	assert_memory_equal(value, acl, sizeof(acl));
	assert_int_equal(stat("mnt/acl-text", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(stat("mnt/acl", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(getxattr("mnt/no-acl", "trusted.posix_acl_access", value, sizeof(value)), -1);
	assert_int_equal(stat("mnt/no-acl", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0604);
	assert_int_equal(stat("mnt/ping3", &st), 0);
	assert_int_equal(st.st_nlink, 3);
	assert_int_equal(stat("mnt/d", &st), 0);
	assert_int_equal(st.st_nlink, 3);
	free(RUN("umount", "mnt"));
	sk_image_free(image);
	blob_free(&b);
	sk_store_close(store);
}

/* Two layers joined by the kernel's overlay: what the upper one hides is hidden. */
static void test_overlay(void **state)
{
	struct sk_store *store = open_store();
	struct tar *t = tar_new();
	struct sk_image *low, *high;
	struct blob b;

	(void)state;
	if (geteuid() != 0) {
		print_message("image-layer: mounting needs root: skipped\n");
		sk_store_close(store);
		skip();
	}
	tar_file(t, "gone", 0600, "");
	tar_file(t, "kept", 0600, "");
	tar_file(t, "directory/gone", 0600, "");
	tar_file(t, "again/gone", 0600, "");
	tar_file(t, "opaque/gone", 0600, "");
	tar_file(t, "before/gone", 0600, "");
	tar_file(t, "after/gone", 0600, "");
	tar_file(t, "merged/kept", 0600, "");
	b = tar_end(t);
	import_ok(store, &b, "low");
	blob_free(&b);
	t = tar_new();
	tar_file(t, ".wh.gone", 0600, "");
	tar_file(t, ".wh.directory", 0600, "");
	tar_file(t, ".wh.again", 0600, "");
	tar_file(t, "again/new", 0600, "");
	tar_file(t, "opaque/new", 0600, "");
	tar_file(t, "opaque/.wh..wh..opq", 0600, "");
	tar_dir(t, "before", 0755);
	tar_file(t, ".wh.before", 0600, "");
	tar_file(t, ".wh.after", 0600, "");
	tar_dir(t, "after", 0755);
	tar_file(t, "merged/new", 0600, "");
	b = tar_end(t);
	import_ok(store, &b, "high");
	blob_free(&b);
	assert_int_equal(sk_store_find(store, "low", &low, NULL), 0);
	assert_int_equal(sk_store_find(store, "high", &high, NULL), 0);
	assert_int_equal(sk_fs_mkdir_p("m/low", 0700) | sk_fs_mkdir_p("m/high", 0700) | sk_fs_mkdir_p("m/all", 0700),
			 0);
	free(RUN("mount", "-o", "loop,ro", "-t", "squashfs", low->layers[0], "m/low"));
	free(RUN("mount", "-o", "loop,ro", "-t", "squashfs", high->layers[0], "m/high"));
	free(RUN("mount", "-t", "overlay", "-o", "lowerdir=m/high:m/low", "none", "m/all"));
	assert_int_equal(access("m/all/gone", F_OK), -1);
	assert_int_equal(access("m/all/kept", F_OK), 0);
	assert_int_equal(access("m/all/directory", F_OK), -1);
	assert_int_equal(access("m/all/again/new", F_OK), 0);
	assert_int_equal(access("m/all/again/gone", F_OK), -1);
	assert_int_equal(access("m/all/opaque/new", F_OK), 0);
	assert_int_equal(access("m/all/opaque/gone", F_OK), -1);
	assert_int_equal(access("m/all/before", F_OK), 0);
	assert_int_equal(access("m/all/before/gone", F_OK), -1);
	assert_int_equal(access("m/all/after", F_OK), 0);
	assert_int_equal(access("m/all/after/gone", F_OK), -1);
	assert_int_equal(access("m/all/merged/new", F_OK), 0);
	assert_int_equal(access("m/all/merged/kept", F_OK), 0);
	free(RUN("umount", "m/all"));
	free(RUN("umount", "m/low"));
	free(RUN("umount", "m/high"));
	sk_image_free(low);
	sk_image_free(high);
	sk_store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_no_padding, test_enter, test_leave),
		cmocka_unit_test_setup_teardown(test_kinds, test_enter, test_leave),
		cmocka_unit_test_setup_teardown(test_whiteouts, test_enter, test_leave),
		cmocka_unit_test_setup_teardown(test_duplicates, test_enter, test_leave),
		cmocka_unit_test_setup_teardown(test_links_followed, test_enter, test_leave),
		cmocka_unit_test_setup_teardown(test_names, test_enter, test_leave),
		cmocka_unit_test_setup_teardown(test_contents, test_enter, test_leave),
		cmocka_unit_test_setup_teardown(test_sparse, test_enter, test_leave),
		cmocka_unit_test_setup_teardown(test_compressions, test_enter, test_leave),
		cmocka_unit_test_setup_teardown(test_empty, test_enter, test_leave),
		cmocka_unit_test_setup_teardown(test_mounted, test_enter, test_leave),
		cmocka_unit_test_setup_teardown(test_overlay, test_enter, test_leave),
	};

	setenv("TZ", "UTC", 1);
	setlocale(LC_CTYPE, "C.UTF-8"); /* for the writer of archives */
	return cmocka_run_group_tests_name("image-layer", tests, NULL, NULL);
}
