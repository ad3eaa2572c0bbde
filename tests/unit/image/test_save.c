/* SPDX-License-Identifier: Apache-2.0 */
/* Saving and committing: what is in an archive, what becomes of it in another store, and which ids stay. */
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"

/* All that a layer can have. */
static struct blob lower_tar(void)
{
	struct tar *t = tar_new();
	uint8_t *big = calloc(1, 300000);

	assert_non_null(big);
	memset(big + 100000, 'x', 100000);
	tar_dir(t, "etc", 0755);
	tar_mtime(t, 1000000);
	tar_owner(t, 3, 70000);
	tar_file(t, "etc/passwd", 0640, "root");
	tar_hardlink(t, "etc/again", "etc/passwd");
	tar_link(t, "etc/link", "../somewhere/else");
	tar_xattr(t, "security.capability", "\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
	tar_file(t, "etc/ping", 04755, "program");
	tar_device(t, "zero", S_IFCHR, 1, 5);
	tar_device(t, "block", S_IFBLK, 259, 70000);
	tar_device(t, "fifo", S_IFIFO, 0, 0);
	tar_file(t, "na\xc3\xafve", 0600, "utf-8");
	tar_bytes(t, "a/b/c/big", big, 300000);
	tar_file(t, "empty", 0644, "");
	tar_file(t,
		 "0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/"
		 "0123456789"
		 "0123456789/0123456789/0123456789/0123456789/0123456789",
		 0644, "a long name");
	free(big);
	return tar_end(t);
}

static struct blob upper_tar(void)
{
	struct tar *t = tar_new();

	tar_file(t, "etc/.wh.passwd", 0644, "");
	tar_dir(t, "a", 0700);
	tar_file(t, "a/.wh..wh..opq", 0644, "");
	tar_file(t, "a/new", 0644, "new");
	return tar_end(t);
}

static void base_image(struct layout *l, struct sk_store *store, const char *name)
{
	struct blob tars[2] = { lower_tar(), upper_tar() };

	layout_make(l, tars, 2, "gzip", name);
	layout_write_dir(l, "layout");
	load_ok(store, "layout");
	assert_int_equal(sk_fs_remove_tree(AT_FDCWD, "layout"), 0);
}

static void save_ok(struct sk_store *store, const char *file, const char *name, const char *more)
{
	const char *names[] = { name, more };
	struct sk_error err = SK_ERROR_INIT;
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	if (sk_store_save(store, names, more ? 2 : 1, fd, &err) < 0)
		fail_msg("%s", err.message);
	close(fd);
}

static char *id_of(struct sk_store *store, const char *name)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_image *image;
	char *id;

	if (sk_store_find(store, name, &image, &err) < 0)
		fail_msg("%s", err.message);
	id = strdup(image->id);
	sk_image_free(image);
	return id;
}

static struct sk_store *other_store(void)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_store *store;

	if (sk_store_open("other", &store, &err) < 0)
		fail_msg("%s", err.message);
	return store;
}

static void same_file(const char *a, const char *b)
{
	size_t la, lb;
	_cleanup_free_ char *da = read_file(a, &la), *db = read_file(b, &lb);

	assert_int_equal(la, lb);
	assert_memory_equal(da, db, la);
}

/* The same files in another store, and from there on the same bytes and the same id. */
static void test_save(void **state)
{
	struct sk_store *store = open_store(), *other = other_store();
	_cleanup_free_ char *before = NULL, *after = NULL, *first = NULL, *second = NULL;
	struct sk_image *image;
	struct layout l;
	size_t i, len;

	(void)state;
	base_image(&l, store, "saved:1");
	save_ok(store, "one.tar", "saved:1", NULL);
	save_ok(store, "two.tar", "saved:1", NULL);
	same_file("one.tar", "two.tar");
	load_ok(other, "one.tar");
	for (i = 0; i < 2; i++) {
		_cleanup_free_ char *is = list_layer(store, "saved:1", i), *was = list_layer(other, "saved:1", i);

		assert_string_equal(is, was);
	}
	before = cat_layer(store, "saved:1", 0, "a/b/c/big", &len);
	assert_int_equal(len, 300000);
	after = cat_layer(other, "saved:1", 0, "a/b/c/big", &len);
	assert_int_equal(len, 300000);
	assert_memory_equal(before, after, len);
	assert_int_equal(sk_store_find(other, "saved:1", &image, NULL), 0);
	assert_string_equal(json_string_value(json_object_get(image->config, "created")), "2020-01-02T03:04:05Z");
	sk_image_free(image);
	save_ok(other, "three.tar", "saved:1", NULL);
	same_file("one.tar", "three.tar");
	first = id_of(other, "saved:1");
	sk_store_close(other);
	assert_int_equal(sk_fs_remove_tree(AT_FDCWD, "other"), 0);
	other = other_store();
	load_ok(other, "three.tar");
	second = id_of(other, "saved:1");
	assert_string_equal(first, second);
	sk_store_close(other);
	assert_int_equal(sk_fs_remove_tree(AT_FDCWD, "other"), 0);
	sk_store_close(store);
	layout_free(&l);
}

/* ---- layers come out as they came in ------------------------------------------------------------------------------ */

static struct blob blob_of_file(const char *path)
{
	struct blob b = { .data = NULL };

	b.data = (uint8_t *)read_file(path, &b.len);
	assert_int_equal(sk_sha256_buffer(b.data, b.len, &b.digest), 0);
	return b;
}

#define LONG_NAME "01234567890123456789012345678901234567890123456789012345678901234567890123456789"
#define LONG_DIR "root/deep/" LONG_NAME "/" LONG_NAME

/* By GNU tar, with names in no order, of `format`; `more` may be NULL. */
static struct blob tar_of_files(const char *format, const char *more)
{
	_cleanup_free_ char *kind = sk_asprintf("--format=%s", format);

	free(RUN("mkdir", "-p", LONG_DIR));
	write_file(LONG_DIR "/x", "long", 4);
	write_file(LONG_DIR "/y", "longer", 6);
	free(RUN(
		"sh", "-c",
		"cd root && echo z >z && echo a >a && ln -f z deep/z && ln -sf a deep/a && printf %513s x >deep/odd && "
		"touch deep/empty && head -c 200000 /dev/urandom >big && truncate -s 4M hole && echo y >>hole"));
	free(RUN("tar", kind, more ? more : "--no-xattrs", "-C", "root", "-cf", "made.tar", "z", "deep", "big", "hole",
		 "a"));
	assert_int_equal(sk_fs_remove_tree(AT_FDCWD, "root"), 0);
	return blob_of_file("made.tar");
}

/* Loads an image of these layers, saves it: what went in comes out, or (not `same`) other bytes for the same files. */
static void in_and_out(struct blob *take_tars, size_t n, bool same)
{
	struct sk_store *store = open_store(), *other = other_store();
	_cleanup_free_ char *id = NULL, *after = NULL;
	struct layout l;
	size_t i, len;

	layout_make(&l, take_tars, n, "gzip", "exact:1");
	layout_write_dir(&l, "layout");
	load_ok(store, "layout");
	save_ok(store, "saved.tar", "exact:1", NULL);
	load_ok(other, "saved.tar");
	id = id_of(store, "exact:1");
	after = id_of(other, "exact:1");
	assert_int_equal(strcmp(id, after) == 0, same);
	assert_int_equal(mkdir("out", 0700), 0);
	free(RUN("tar", "-xf", "saved.tar", "-C", "out"));
	for (i = 0; i < n; i++) {
		_cleanup_free_ char *is = list_layer(store, "exact:1", i), *was = list_layer(other, "exact:1", i);
		_cleanup_free_ char *path = sk_asprintf("out/%s/layer.tar", sk_digest_hex(&l.layers[i].tar.digest));
		_cleanup_free_ char *tar = same ? read_file(path, &len) : NULL;

		assert_string_equal(is, was);
		if (!same)
			continue;
		assert_int_equal(len, l.layers[i].tar.len);
		assert_memory_equal(tar, l.layers[i].tar.data, len);
	}
	sk_store_close(other);
	sk_store_close(store);
	assert_int_equal(sk_fs_remove_tree(AT_FDCWD, "other"), 0);
	assert_int_equal(sk_fs_remove_tree(AT_FDCWD, "store"), 0);
	assert_int_equal(sk_fs_remove_tree(AT_FDCWD, "out"), 0);
	assert_int_equal(sk_fs_remove_tree(AT_FDCWD, "layout"), 0);
	layout_free(&l);
}

static void test_exact(void **state)
{
	static const char *const formats[] = { "gnu", "pax", "ustar" };
	struct blob tars[2] = { lower_tar(), upper_tar() };
	size_t i;

	(void)state;
	in_and_out(tars, 2, true);
	for (i = 0; i < SK_ARRAY_SIZE(formats); i++) {
		tars[0] = tar_of_files(formats[i], NULL);
		in_and_out(tars, 1, true);
	}
	/* Without its end, and with more behind it than that. */
	tars[0] = tar_of_files("gnu", NULL);
	tars[0].len -= 1024;
	assert_int_equal(sk_sha256_buffer(tars[0].data, tars[0].len, &tars[0].digest), 0);
	in_and_out(tars, 1, true);
	tars[0] = tar_of_files("gnu", "--blocking-factor=1000");
	in_and_out(tars, 1, true);
}

/* What a husk does not say is a layer of other bytes, never one of other files. */
static void test_no_husk(void **state)
{
	struct tar *t = tar_new();
	struct blob tars[1];

	(void)state;
	/* replaced within the layer: its first contents are nowhere */
	tar_file(t, "twice", 0644, "first");
	tar_file(t, "twice", 0644, "and then");
	tars[0] = tar_end(t);
	in_and_out(tars, 1, false);
	tars[0] = tar_of_files("gnu", "--sparse");
	in_and_out(tars, 1, false);
	tars[0] = tar_of_files("pax", "--sparse");
	in_and_out(tars, 1, false);
	/* a size in an extended header */
	tars[0] = (struct blob){ .data = calloc(6, 512), .len = 6 * (size_t)512 };
	assert_non_null(tars[0].data);
	raw_header(tars[0].data, "PaxHeaders/sized", 'x', 10, "");
	memcpy(tars[0].data + 512, "10 size=5\n", 10);
	raw_header(tars[0].data + 1024, "sized", '0', 5, "");
	memcpy(tars[0].data + 1536, "words", 5);
	assert_int_equal(sk_sha256_buffer(tars[0].data, tars[0].len, &tars[0].digest), 0);
	in_and_out(tars, 1, false);
}

/* A husk that is damaged, or another layer's, is as none. */
static void test_bad_husk(void **state)
{
	static const char *const damages[] = { ": >", "head -c 30 /dev/zero >", "printf x >>", "gzip </etc/passwd >" };
	struct sk_store *store = open_store();
	struct layout l;
	size_t i;

	(void)state;
	base_image(&l, store, "base:1");
	for (i = 0; i < SK_ARRAY_SIZE(damages); i++) {
		_cleanup_free_ char *command =
			sk_asprintf("for f in store/images/layers/*.husk; do chmod 644 $f; %s$f; done", damages[i]);

		free(RUN("sh", "-c", command));
		save_ok(store, "saved.tar", "base:1", NULL);
	}
	free(RUN("sh", "-c", "rm store/images/layers/*.husk"));
	save_ok(store, "none.tar", "base:1", NULL);
	same_file("saved.tar", "none.tar");
	sk_store_close(store);
	layout_free(&l);
}

static void test_names(void **state)
{
	struct sk_store *store = open_store(), *other = other_store();
	static const char *const unknown[] = { "saved:2", "nothere" };
	struct sk_error err = SK_ERROR_INIT;
	_cleanup_free_ char *id = NULL, *text = NULL;
	struct sk_image *image;
	struct layout l;
	size_t len;
	int fd;

	(void)state;
	base_image(&l, store, "saved:1");
	id = id_of(store, "saved:1");
	assert_int_equal(sk_store_tag(store, "saved:1", "saved:2", &err), 0);
	assert_int_equal(sk_store_tag(store, "saved:1", "localhost:5000/x/y:z", &err), 0);
	/* A name without a tag means all its tags, and no other names. */
	save_ok(store, "all.tar", "saved", NULL);
	load_ok(other, "all.tar");
	assert_int_equal(sk_store_find(other, "saved:1", &image, NULL), 0);
	sk_image_free(image);
	assert_int_equal(sk_store_find(other, "saved:2", &image, NULL), 0);
	sk_image_free(image);
	assert_int_equal(sk_store_find(other, "localhost:5000/x/y:z", &image, NULL), -ENOENT);
	sk_store_close(other);
	assert_int_equal(sk_fs_remove_tree(AT_FDCWD, "other"), 0);
	/* Two names of one image are one image; an id has none. */
	save_ok(store, "both.tar", "localhost:5000/x/y:z", "saved:2");
	text = RUN("tar", "-xOf", "both.tar", "manifest.json");
	assert_non_null(strstr(text, "\"RepoTags\":[\"localhost:5000/x/y:z\",\"saved:2\"]"));
	assert_null(strstr(text, "},{"));
	free(text);
	save_ok(store, "id.tar", id, NULL);
	text = RUN("tar", "-xOf", "id.tar", "manifest.json");
	assert_non_null(strstr(text, "\"RepoTags\":null"));
	/* One that is missing: nothing is written at all. */
	fd = open("none.tar", O_RDWR | O_CREAT, 0600);
	assert_int_equal(sk_store_save(store, unknown, 2, fd, &err), -ENOENT);
	assert_non_null(strstr(err.message, "nothere"));
	close(fd);
	free(read_file("none.tar", &len));
	assert_int_equal(len, 0);
	sk_store_close(store);
	layout_free(&l);
}

static char *commit_ok(struct sk_store *store, const char *parent, const char *ref, const struct blob *layer)
{
	static const char *const changes[] = { "ENV A=b", NULL };
	json_t *config = json_pack("{s:[s]}", "Cmd", "sh");
	const struct sk_new_image image = { .ref = ref,
					    .parent = parent,
					    .config = config,
					    .changes = changes,
					    .author = "me",
					    .comment = "why",
					    .created_by = "sh -c x" };
	struct sk_error err = SK_ERROR_INIT;
	struct sk_input_memory in;
	char *id;

	sk_input_memory_init(&in, layer->data, layer->len);
	if (sk_store_commit(store, &in.in, &image, &id, &err) < 0)
		fail_msg("%s", err.message);
	json_decref(config);
	return id;
}

static const char *text_at(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static void test_commit(void **state)
{
	struct sk_store *store = open_store(), *other = other_store();
	struct blob layer = upper_tar(), root = lower_tar();
	_cleanup_free_ char *id = NULL, *own = NULL, *there = NULL;
	struct sk_image *image, *parent;
	const json_t *history;
	struct layout l;

	(void)state;
	base_image(&l, store, "base:1");
	id = commit_ok(store, "base:1", "made:1", &layer);
	assert_int_equal(sk_store_find(store, "made:1", &image, NULL), 0);
	assert_int_equal(sk_store_find(store, "base:1", &parent, NULL), 0);
	assert_string_equal(image->id, id);
	assert_int_equal(image->n_layers, 3);
	assert_string_equal(image->layers[0], parent->layers[0]);
	assert_string_equal(image->layers[1], parent->layers[1]);
	assert_string_equal(text_at(image->config, "author"), "me");
	assert_string_equal(text_at(image->config, "architecture"), text_at(parent->config, "architecture"));
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(json_object_get(image->config, "config"), "Env"), 0)),
		"A=b");
	history = json_object_get(image->config, "history");
	history = json_array_get(history, json_array_size(history) - 1);
	assert_string_equal(text_at(history, "comment"), "why");
	assert_string_equal(text_at(history, "created_by"), "sh -c x");
	sk_image_free(parent);
	sk_image_free(image);
	/* Made of layers of our own: the id stays. */
	own = commit_ok(store, NULL, "own:1", &root);
	free(own);
	own = commit_ok(store, "own:1", "own:2", &layer);
	save_ok(store, "own.tar", "own:2", NULL);
	load_ok(other, "own.tar");
	there = id_of(other, "own:2");
	assert_string_equal(own, there);
	sk_store_close(other);
	assert_int_equal(sk_fs_remove_tree(AT_FDCWD, "other"), 0);
	sk_store_close(store);
	blob_free(&layer);
	blob_free(&root);
	layout_free(&l);
}

static void test_damaged(void **state)
{
	struct sk_store *store = open_store();
	struct sk_error err = SK_ERROR_INIT;
	const char *name = "base:1";
	struct sk_image *image;
	struct layout l;
	int fd, null = open("/dev/null", O_WRONLY);
	off_t at;

	(void)state;
	base_image(&l, store, name);
	assert_int_equal(sk_store_find(store, name, &image, NULL), 0);
	assert_int_equal(chmod(image->layers[0], 0600), 0);
	fd = open(image->layers[0], O_WRONLY);
	assert_true(fd >= 0);
	for (at = 96; at < (off_t)image->layer_sizes[0] - 32; at += 64)
		assert_int_equal(pwrite(fd, "damaged!damaged!damaged!damaged!", 32, at), 32);
	close(fd);
	assert_int_equal(sk_store_save(store, &name, 1, null, &err), -EIO);
	assert_non_null(strstr(err.message, "system check --repair"));
	close(null);
	sk_image_free(image);
	sk_store_close(store);
	layout_free(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_save, test_enter, test_leave),
		cmocka_unit_test_setup_teardown(test_exact, test_enter, test_leave),
		cmocka_unit_test_setup_teardown(test_no_husk, test_enter, test_leave),
		cmocka_unit_test_setup_teardown(test_bad_husk, test_enter, test_leave),
		cmocka_unit_test_setup_teardown(test_names, test_enter, test_leave),
		cmocka_unit_test_setup_teardown(test_commit, test_enter, test_leave),
		cmocka_unit_test_setup_teardown(test_damaged, test_enter, test_leave),
	};

	setlocale(LC_CTYPE, "C.UTF-8"); /* for the names in the archives that the tests make */
	return cmocka_run_group_tests_name("image-save", tests, NULL, NULL);
}
