/* SPDX-License-Identifier: Apache-2.0 */
/* Names, ids, the list, removal and prune. */
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"

static char *import(struct sk_store *store, const char *contents, const char *ref)
{
	struct sk_error err = SK_ERROR_INIT;
	struct tar *t = tar_new();
	struct blob b;
	char *id;

	tar_file(t, "base", 0600, "the same in all");
	tar_file(t, contents, 0600, contents);
	b = tar_end(t);
	write_file("import.tar", b.data, b.len);
	if (import_image(store, "import.tar", ref, NULL, NULL, &id, &err) < 0)
		fail_msg("%s", err.message);
	blob_free(&b);
	return id;
}

static void expect_found(struct sk_store *store, const char *name, const char *id, const char *shown)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_image *image;

	if (sk_store_find(store, name, &image, &err) < 0)
		fail_msg("%s", err.message);
	assert_string_equal(image->id, id);
	assert_string_equal(image->ref, shown);
	sk_image_free(image);
}

static void expect_missing(struct sk_store *store, const char *name, int code)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_image *image;

	assert_int_equal(sk_store_find(store, name, &image, &err), -code);
	assert_int_equal(err.code, code);
}

static size_t count_files(const char *path)
{
	_cleanup_free_ char *s = snapshot(path);
	size_t n = 0;
	char *p;

	for (p = s; (p = strchr(p, '\n')); p++)
		n++;
	return n - 1; /* the directory */
}

static void test_find(void **state)
{
	struct sk_store *store = open_store();
	_cleanup_free_ char *id = import(store, "a", "example.org/team/app:1"), *short_id = strndup(id + 7, 12),
			    *four = strndup(id + 7, 4), *three = strndup(id + 7, 3);

	(void)state;
	expect_found(store, "example.org/team/app:1", id, "example.org/team/app:1");
	expect_found(store, id, id, id);
	expect_found(store, id + 7, id, id);
	expect_found(store, short_id, id, id);
	expect_found(store, four, id, id);
	expect_missing(store, three, ENOENT);
	expect_missing(store, "example.org/team/app", ENOENT);
	expect_missing(store, "app:1", ENOENT);
	expect_missing(store, "ffffffffffff", ENOENT);
	expect_missing(store, "sha256:ff", ENOENT);
	expect_missing(store, "Not A Name", EINVAL);
	expect_missing(store, "../../etc/passwd", EINVAL);
	/* A name that looks like an id's beginning is a name first. */
	assert_int_equal(sk_store_tag(store, id, four, NULL), 0);
	free(import(store, "b", "other"));
	assert_int_equal(sk_store_tag(store, "other", four, NULL), 0);
	{
		struct sk_image *image;

		assert_int_equal(sk_store_find(store, four, &image, NULL), 0);
		assert_string_not_equal(image->id, id);
		sk_image_free(image);
	}
	sk_store_close(store);
}

static void test_ambiguous(void **state)
{
	struct sk_store *store = open_store();
	struct sk_digest id, manifest;
	char *key;
	json_t *refs = json_pack("{s:i, s:{s:{s:s}, s:{s:s}}, s:{}}", "version", 1, "images",
				 "sha256:abcd000000000000000000000000000000000000000000000000000000000000", "manifest",
				 "sha256:0000000000000000000000000000000000000000000000000000000000000000",
				 "sha256:abcd100000000000000000000000000000000000000000000000000000000000", "manifest",
				 "sha256:0000000000000000000000000000000000000000000000000000000000000000", "refs");

	(void)state;
	assert_int_equal(sk_refs_find(refs, "abcd", &key, &id, &manifest, NULL), -ENOTUNIQ);
	assert_int_equal(sk_refs_find(refs, "abcd1", &key, &id, &manifest, NULL), 0);
	json_decref(refs);
	sk_store_close(store);
}

static void test_list(void **state)
{
	struct sk_store *store = open_store();
	_cleanup_free_ char *id = import(store, "a", "app:1"), *nameless = import(store, "b", NULL);
	json_t *list, *entry;
	size_t i;

	(void)state;
	assert_int_equal(sk_store_tag(store, "app:1", "me/app:2", NULL), 0);
	assert_int_equal(sk_store_tag(store, "nothing", "x", NULL), -ENOENT);
	assert_int_equal(sk_store_tag(store, "app:1", "Bad", NULL), -EINVAL);
	assert_int_equal(sk_store_tag(store, "app:1",
				      "x@sha256:0000000000000000000000000000000000000000000000000000000000000000",
				      NULL),
			 -EINVAL);
	assert_int_equal(sk_store_list(store, &list, NULL), 0);
	assert_int_equal(json_array_size(list), 2);
	json_array_foreach(list, i, entry)
	{
		size_t tags = json_array_size(json_object_get(entry, "RepoTags"));
		const char *this = json_string_value(json_object_get(entry, "Id"));

		assert_int_equal(tags, strcmp(this, id) == 0 ? 2 : 0);
		assert_true(tags || strcmp(this, nameless) == 0);
		assert_true(json_integer_value(json_object_get(entry, "Size")) >= 4096);
		assert_int_equal(json_integer_value(json_object_get(entry, "Size")) % 4096, 0);
		assert_non_null(strchr(json_string_value(json_object_get(entry, "Created")), 'T'));
		assert_true(json_is_array(json_object_get(entry, "RepoDigests")));
		assert_non_null(json_string_value(json_object_get(entry, "Digest")));
	}
	json_decref(list);
	sk_store_close(store);
}

static const char *used;

static bool in_use(void *arg, const char *id)
{
	(void)arg;
	return used && strcmp(used, id) == 0;
}

/* Removes; "U:name D:id …" of what it says. */
static char *removed(struct sk_store *store, const char *name, bool force, int code)
{
	struct sk_error err = SK_ERROR_INIT;
	json_t *list = NULL, *entry;
	char *out = strdup("");
	size_t i;
	int r = sk_store_remove(store, name, force, in_use, NULL, &list, &err);

	assert_int_equal(r, -code);
	if (r < 0)
		return out;
	json_array_foreach(list, i, entry)
	{
		const char *u = json_string_value(json_object_get(entry, "Untagged"));
		char *next = sk_asprintf("%s%s%s ", out,
					 u ? "U:" : "D:", u ? u : json_string_value(json_object_get(entry, "Deleted")));

		free(out);
		out = next;
	}
	json_decref(list);
	return out;
}

static void expect_removed(struct sk_store *store, const char *name, bool force, const char *untagged, const char *id)
{
	_cleanup_free_ char *want = id ? sk_asprintf("%sD:%s ", untagged, id) : strdup(untagged);
	_cleanup_free_ char *have = removed(store, name, force, 0);

	assert_string_equal(have, want);
}

static void test_remove(void **state)
{
	struct sk_store *store = open_store();
	_cleanup_free_ char *a = import(store, "a", "a:1"), *b = import(store, "b", "b:1"), *empty = NULL;

	(void)state;
	used = NULL;
	assert_int_equal(sk_store_tag(store, "a:1", "a:2", NULL), 0);
	expect_removed(store, "a:2", false, "U:a:2 ", NULL);
	assert_int_equal(count_files("store/images/layers"), 6);
	used = a;
	free(removed(store, "a:1", false, EBUSY));
	free(removed(store, a, false, EBUSY));
	expect_found(store, "a:1", a, "a:1");
	assert_int_equal(sk_store_tag(store, "a:1", "a:2", NULL), 0);
	expect_removed(store, "a:1", false, "U:a:1 ", NULL); /* a name is left: nothing is taken from the container */
	/* By force: its names, but not what the container runs on. */
	expect_removed(store, "a:2", true, "U:a:2 ", NULL);
	free(removed(store, a, true, EBUSY));
	assert_int_equal(count_files("store/images/layers"), 6);
	used = NULL;
	expect_removed(store, a, false, "", a);
	assert_int_equal(count_files("store/images/layers"), 3);
	assert_int_equal(count_files("store/images/blobs/sha256"), 2);
	used = NULL;
	assert_int_equal(sk_store_tag(store, "b:1", "c/b:1", NULL), 0);
	free(removed(store, b, false, EBUSY)); /* two repositories */
	expect_removed(store, "c/b:1", false, "U:c/b:1 ", NULL);
	assert_int_equal(sk_store_tag(store, "b:1", "b:2", NULL), 0);
	expect_removed(store, b, false, "U:b:1 U:b:2 ", b);
	free(removed(store, "b:1", false, ENOENT));
	assert_int_equal(count_files("store/images/layers"), 0);
	assert_int_equal(count_files("store/images/blobs/sha256"), 0);
	empty = read_file("store/images/refs.json", &(size_t){ 0 });
	assert_null(strstr(empty, "sha256"));
	sk_store_close(store);
}

/* Digests that came with a pull, and one that was pulled as such. */
static void test_remove_digests(void **state)
{
	struct sk_store *store = open_store();
	_cleanup_free_ char *a = import(store, "a", "a:1"), *digest = NULL, *untagged = NULL, *name = NULL;
	struct sk_digest id, manifest;
	struct sk_image *image;
	json_t *refs;

	(void)state;
	used = NULL;
	assert_int_equal(sk_store_find(store, "a:1", &image, NULL), 0);
	assert_true(sk_digest_parse(image->id, &id));
	assert_true(sk_digest_parse(image->digest, &manifest));
	sk_image_free(image);
	digest = sk_asprintf("docker.io/library/a@%s", manifest.text);
	name = sk_asprintf("a@%s", manifest.text);
	assert_int_equal(sk_refs_load(store, &refs, NULL), 0);
	assert_int_equal(sk_refs_set(refs, digest, true, &id, &manifest), 0);
	assert_int_equal(sk_refs_save(store, refs, NULL), 0);
	expect_found(store, name, a, name);
	untagged = sk_asprintf("U:a:1 U:%s ", name);
	expect_removed(store, "a:1", false, untagged, a);
	/* Pulled by digest: it stays when the tag goes. */
	free(import(store, "a", "a:1"));
	assert_int_equal(sk_store_find(store, "a:1", &image, NULL), 0);
	assert_true(sk_digest_parse(image->id, &id));
	assert_true(sk_digest_parse(image->digest, &manifest));
	sk_image_free(image);
	json_object_clear(sk_refs_images(refs));
	json_object_clear(sk_refs_names(refs));
	assert_int_equal(sk_refs_set(refs, "docker.io/library/a:1", false, &id, &manifest), 0);
	free(digest);
	digest = sk_asprintf("docker.io/library/a@%s", manifest.text);
	assert_int_equal(sk_refs_set(refs, digest, false, &id, &manifest), 0);
	assert_int_equal(sk_refs_set(refs, digest, true, &id, &manifest), 0); /* a pull by tag later */
	assert_int_equal(sk_refs_save(store, refs, NULL), 0);
	expect_removed(store, "a:1", false, "U:a:1 ", NULL);
	free(untagged);
	untagged = sk_asprintf("U:a@%s ", manifest.text);
	expect_removed(store, digest, false, untagged, id.text);
	json_decref(refs);
	sk_store_close(store);
}

static void test_prune(void **state)
{
	struct sk_store *store = open_store();
	_cleanup_free_ char *a = import(store, "a", "a:1"), *b = import(store, "b", "a:1"),
			    *c = import(store, "c", "c:1"), *d = import(store, "d", NULL), *before = NULL,
			    *after = NULL;
	json_t *list;
	uint64_t bytes;

	(void)state;
	write_file("store/images/layers/0000000000000000000000000000000000000000000000000000000000000000.squashfs", "x",
		   1);
	write_file("store/images/blobs/sha256/0000000000000000000000000000000000000000000000000000000000000000", "x",
		   1);
	used = d;
	assert_int_equal(sk_store_prune(store, false, in_use, NULL, &list, &bytes, NULL), 0);
	assert_int_equal(json_array_size(list), 1); /* a: its name went to b */
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "Deleted")), a);
	assert_true(bytes >= 4096 * 5); /* layer, config, manifest and the two strays */
	json_decref(list);
	expect_found(store, "a:1", b, "a:1");
	expect_found(store, d, d, d);
	before = snapshot("store");
	assert_int_equal(sk_store_prune(store, false, in_use, NULL, &list, &bytes, NULL), 0);
	assert_int_equal(json_array_size(list), 0);
	assert_int_equal(bytes, 0);
	json_decref(list);
	after = snapshot("store");
	assert_string_equal(before, after);
	used = c;
	assert_int_equal(sk_store_prune(store, true, in_use, NULL, &list, &bytes, NULL), 0);
	assert_int_equal(json_array_size(list), 3); /* b's name, b, d */
	json_decref(list);
	expect_found(store, "c:1", c, "c:1");
	assert_int_equal(count_files("store/images/layers"), 3);
	sk_store_close(store);
}

/* A store that something has damaged: told, listed, removable, and prune does not make it worse. */
static void test_damaged(void **state)
{
	struct sk_store *store = open_store();
	_cleanup_free_ char *a = import(store, "a", "a:1"), *b = import(store, "b", "b:1"), *path = NULL,
			    *before = NULL, *after = NULL;
	struct sk_error err = SK_ERROR_INIT;
	struct sk_image *image;
	json_t *list;
	uint64_t bytes;

	(void)state;
	used = NULL;
	path = sk_asprintf("store/images/blobs/sha256/%s", a + 7);
	assert_int_equal(unlink(path), 0);
	write_file(path, "{}", 2);
	assert_int_equal(sk_store_find(store, "a:1", &image, &err), -EBADMSG);
	assert_non_null(strstr(err.message, "damaged"));
	before = snapshot("store");
	assert_true(sk_store_prune(store, false, in_use, NULL, &list, &bytes, &err) < 0);
	after = snapshot("store");
	assert_string_equal(before, after);
	assert_int_equal(sk_store_list(store, &list, NULL), 0);
	assert_int_equal(json_array_size(list), 2);
	json_decref(list);
	expect_removed(store, "a:1", false, "U:a:1 ", a);
	expect_found(store, "b:1", b, "b:1");
	assert_int_equal(count_files("store/images/layers"), 3);
	write_file("store/images/refs.json", "{\"version\":2}", 13);
	assert_int_equal(sk_store_find(store, "b:1", &image, &err), -EBADMSG);
	assert_int_equal(sk_store_list(store, &list, &err), -EBADMSG);
	assert_true(sk_store_prune(store, true, in_use, NULL, &list, &bytes, &err) < 0);
	assert_int_equal(count_files("store/images/layers"), 3);
	sk_store_close(store);
}

static unsigned problems, mended;
static char last_problem[1024];

static void on_problem(void *arg, const char *problem, const char *what)
{
	(void)arg;
	problems++;
	mended += what != NULL;
	snprintf(last_problem, sizeof(last_problem), "%s", problem);
}

static const char *used; /* id of an image that a container uses */

static const char *user_of(void *arg, const char *id)
{
	(void)arg;
	return used && strcmp(used, id) == 0 ? "web" : NULL;
}

static void expect_problems(struct sk_store *store, bool repair, unsigned n, unsigned n_mended)
{
	struct sk_error err = SK_ERROR_INIT;

	problems = mended = 0;
	if (sk_store_check(store, repair, user_of, on_problem, NULL, &err) < 0)
		fail_msg("%s", err.message);
	if (problems != n)
		fail_msg("%u problems, the last: %s", problems, last_problem);
	assert_int_equal(mended, n_mended);
}

static char *layer_of(struct sk_store *store, const char *name)
{
	struct sk_image *image;
	char *path;

	assert_int_equal(sk_store_find(store, name, &image, NULL), 0);
	path = strdup(image->layers[0]);
	sk_image_free(image);
	return path;
}

/* A layer with other contents, one that is cut short, and a damaged list: found, and mended so that all goes on. */
static void test_check(void **state)
{
	struct sk_store *store = open_store();
	_cleanup_free_ char *a = NULL, *b = NULL, *layer = NULL, *again = NULL, *before = NULL, *after = NULL;
	struct sk_error err = SK_ERROR_INIT;
	struct sk_image *image;
	int fd;

	(void)state;
	assert_int_equal(sk_store_partial_bytes(store), 0);
	write_file("store/images/partial/aa.blob", "12345", 5);
	assert_int_equal(sk_store_partial_bytes(store), 5);
	a = import(store, "a", "a:1");
	b = import(store, "b", "b:1");
	layer = layer_of(store, "a:1");
	expect_problems(store, false, 0, 0);
	assert_int_equal(chmod(layer, 0644), 0);
	fd = open(layer, O_RDWR | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "!", 1, 200), 1);
	before = snapshot("store");
	expect_problems(store, false, 1, 0);
	assert_non_null(strstr(last_problem, "has other contents"));
	after = snapshot("store");
	assert_string_equal(before, after);
	assert_int_equal(ftruncate(fd, 300), 0);
	close(fd);
	assert_int_equal(sk_store_find(store, "a:1", &image, &err), -EIO);
	assert_non_null(strstr(err.message, "cut short"));
	/* the layer, the image, which stays as long as a container uses it */
	used = a;
	expect_problems(store, true, 2, 1);
	assert_non_null(strstr(last_problem, "container web uses it"));
	expect_problems(store, true, 1, 0);
	used = NULL;
	expect_problems(store, true, 1, 1);
	expect_problems(store, false, 0, 0);
	assert_int_equal(sk_store_find(store, "a:1", &image, NULL), -ENOENT);
	expect_found(store, "b:1", b, "b:1");
	again = import(store, "a", "a:1");
	expect_found(store, "a:1", again, "a:1");
	expect_problems(store, false, 0, 0);
	/* the list before the last change knows b */
	write_file("store/images/refs.json", "{", 1);
	expect_problems(store, true, 1, 1);
	expect_found(store, "b:1", b, "b:1");
	/* none at all: by their ids */
	unlink("store/images/refs.json.old");
	write_file("store/images/refs.json", "{", 1);
	expect_problems(store, true, 1, 1);
	expect_found(store, b, b, b);
	assert_int_equal(sk_store_find(store, "b:1", &image, NULL), -ENOENT);
	sk_store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_find, test_enter, test_leave),
		cmocka_unit_test_setup_teardown(test_ambiguous, test_enter, test_leave),
		cmocka_unit_test_setup_teardown(test_list, test_enter, test_leave),
		cmocka_unit_test_setup_teardown(test_remove, test_enter, test_leave),
		cmocka_unit_test_setup_teardown(test_remove_digests, test_enter, test_leave),
		cmocka_unit_test_setup_teardown(test_prune, test_enter, test_leave),
		cmocka_unit_test_setup_teardown(test_check, test_enter, test_leave),
		cmocka_unit_test_setup_teardown(test_damaged, test_enter, test_leave),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests_name("image-store", tests, NULL, NULL);
}
