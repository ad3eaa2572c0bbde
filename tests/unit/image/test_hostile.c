/* SPDX-License-Identifier: Apache-2.0 */
/* Archives that lie, escape, explode or stop short: an error of one line each, the store byte for byte as it was. */
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"

static struct sk_store *store;

static int enter(void **state)
{
	struct blob b;
	struct tar *t;
	int r = test_enter(state);

	if (r < 0)
		return r;
	store = open_store();
	/* Not an empty store. */
	t = tar_new();
	tar_file(t, "f", 0600, "there before");
	b = tar_end(t);
	import_ok(store, &b, "old");
	blob_free(&b);
	return 0;
}

static int leave(void **state)
{
	sk_store_close(store);
	return test_leave(state);
}

static struct blob tar_of(const char *name, const char *link, bool hard)
{
	struct tar *t = tar_new();

	tar_file(t, "some/file", 0600, "x");
	if (link && hard)
		tar_hardlink(t, name, link);
	else if (link)
		tar_link(t, name, link);
	else
		tar_file(t, name, 0600, "x");
	return tar_end(t);
}

/* ---- layers --------------------------------------------------------------------------------------------------------
 */

static void test_names(void **state)
{
	static const struct {
		const char *name, *link, *words;
		bool hard;
	} rows[] = {
		{ "../x", NULL, "leads out", false },
		{ "/../x", NULL, "leads out", false },
		{ "a/../../x", NULL, "leads out", false },
		{ "./..", NULL, "leads out", false },
		{ "a/../..", NULL, "leads out", false },
		{ "..", "x", "leads out", false },
		{ "h", "../some/file", "leads out", true },
		{ "h", "../../../../etc/passwd", "leads out", true },
		{ "h", "/etc/passwd", "no file \"/etc/passwd\"", true },
		{ "h", "some", "no file \"some\"", true },
		{ "h", "h", "no file \"h\"", true },
		{ "h", "some/file/", "", true },
		{ "../h", "some/file", "leads out", true },
		{ ".", "some/file", "leads out", true },
		{ "some/file/x", NULL, "not a directory", false },
		{ "some/file/x", "some/file", "not a directory", true },
		{ ".wh.", NULL, "leads out", false },
		{ ".wh..", NULL, "leads out", false },
		{ "a/.wh...", NULL, "leads out", false },
		{ ".wh.x", "some/file", "whiteout", true },
		{ "./", NULL, "amaged", false },		     /* a directory with contents */
		{ "some/..", NULL, "leads out", false },	     /* a file as the root */
		{ "../\033[2Jx\ny", NULL, "\"../?[2Jx?y\"", false }, /* nothing that a terminal would obey */
	};
	size_t i;

	(void)state;
	for (i = 0; i < SK_ARRAY_SIZE(rows); i++) {
		struct blob b = tar_of(rows[i].name, rows[i].link, rows[i].hard);

		if (strcmp(rows[i].words, "") == 0)
			import_ok(store, &b, "old"); /* odd, but no harm */
		else
			import_fails(store, &b, rows[i].words);
		blob_free(&b);
	}
}

static void test_links(void **state)
{
	char name[16], target[16];
	struct tar *t = tar_new();
	struct blob b;
	int i;

	(void)state;
	tar_link(t, "a", "b");
	tar_link(t, "b", "a");
	tar_file(t, "a/x", 0600, "x");
	b = tar_end(t);
	import_fails(store, &b, "too many symbolic links");
	blob_free(&b);
	/* A chain that is longer than Linux follows. */
	t = tar_new();
	for (i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "l%d", i);
		snprintf(target, sizeof(target), "l%d", i + 1);
		tar_link(t, name, target);
	}
	tar_file(t, "l0/x", 0600, "x");
	b = tar_end(t);
	import_fails(store, &b, "too many symbolic links");
	blob_free(&b);
	/* A file that grows with each step. */
	t = tar_new();
	tar_link(t, "g", "g/g/g/g/g/g/g/g/g/g/g");
	tar_file(t, "g/x", 0600, "x");
	b = tar_end(t);
	import_fails(store, &b, "too many symbolic links");
	blob_free(&b);
}

static void test_long(void **state)
{
	char *name = malloc(70000);
	struct tar *t = tar_new();
	struct blob b;
	size_t i;

	(void)state;
	assert_non_null(name);
	memset(name, 'n', 256);
	name[256] = '\0';
	tar_file(t, name, 0600, "x");
	b = tar_end(t);
	import_fails(store, &b, "too long");
	blob_free(&b);
	for (i = 0; i < 5000; i++)
		name[i] = i % 2 ? '/' : 'd';
	name[5000] = '\0';
	t = tar_new();
	tar_file(t, name, 0600, "x");
	b = tar_end(t);
	import_fails(store, &b, "too long");
	blob_free(&b);
	/* Deeper than names are long, by a link into the depth. */
	name[1998] = 'x';
	name[1999] = '\0';
	t = tar_new();
	tar_file(t, name, 0600, "x");
	name[1997] = '\0'; /* the directory */
	tar_link(t, "down", name);
	memcpy(name, "down/", 5);
	tar_file(t, name, 0600, "x");
	b = tar_end(t);
	import_fails(store, &b, "too deep");
	blob_free(&b);
	memset(name, 't', 69999);
	name[69999] = '\0';
	t = tar_new();
	tar_link(t, "l", name);
	b = tar_end(t);
	import_fails(store, &b, "too long");
	blob_free(&b);
	free(name);
}

static void raw_fails(uint8_t *raw, size_t len, const char *words)
{
	struct blob b = { .data = raw, .len = len };

	import_fails(store, &b, words);
}

/* Fields that libarchive would not write. */
static void test_fields(void **state)
{
	uint8_t raw[4096] = { 0 };

	(void)state;
	raw_header(raw, "f", '0', 077777777777, "");
	raw_fails(raw, 1024, "runcated");
	raw_header(raw, "dev", '3', 0, "");
	memcpy(raw + 329, "7777777", 7);
	memcpy(raw + 337, "7777777", 7);
	raw_header(raw, "s", '2', 0, ""); /* a link to nothing */
	raw_fails(raw, 2048, "");
	raw_header(raw, "s", '1', 0, "");
	raw_fails(raw, 2048, "");
	/* Checksum wrong. */
	raw_header(raw, "f", '0', 0, "");
	raw[0] = 'g';
	raw_fails(raw, 2048, "");
	memset(raw, 'A', sizeof(raw));
	raw_fails(raw, sizeof(raw), "");
}

static void test_owner(void **state)
{
	struct tar *t = tar_new();
	struct blob b;

	(void)state;
	tar_owner(t, 4294967295, 0);
	tar_file(t, "f", 0600, "x");
	b = tar_end(t);
	import_fails(store, &b, "owner out of range");
	blob_free(&b);
	t = tar_new();
	tar_device(t, "d", S_IFCHR, 5000, 0);
	b = tar_end(t);
	import_fails(store, &b, "device number out of range");
	blob_free(&b);
}

static void test_bombs(void **state)
{
	uint8_t *zeros = calloc(1, 8 << 20), raw[1024] = { 0 };
	static const char *const filters[] = { "gzip", "zstd", "xz" };
	struct tar *t = tar_new();
	struct blob b, c;
	size_t i;

	(void)state;
	store->limits.max_uncompressed = 4 << 20;
	tar_bytes(t, "zeros", zeros, 8 << 20);
	b = tar_end(t);
	import_fails(store, &b, "larger than 4194304 bytes unpacked");
	for (i = 0; i < SK_ARRAY_SIZE(filters); i++) {
		c = compress(&b, filters[i]);
		assert_true(c.len < 100000);
		import_fails(store, &c, "larger than 4194304 bytes unpacked");
		blob_free(&c);
	}
	blob_free(&b);
	/* Zeros behind the archive's end. */
	b = (struct blob){ .data = zeros, .len = 8 << 20 };
	import_fails(store, &b, "larger than 4194304 bytes unpacked");
	/* Many small ones. */
	t = tar_new();
	for (i = 0; i < 3000; i++) {
		char name[32];

		snprintf(name, sizeof(name), "f%zu", i);
		tar_bytes(t, name, zeros, 2000);
	}
	b = tar_end(t);
	import_fails(store, &b, "larger than 4194304 bytes unpacked");
	blob_free(&b);
	/* GNU sparse: an exbibyte out of nothing. */
	raw_header(raw, "sparse", 'S', 0, "");
	memcpy(raw + 257, "ustar  ", 8);
	memset(raw + 386, 0, 126);
	raw[483] = 0x80;
	raw[483 + 4] = 0x10;
	memset(raw + 148, ' ', 8);
	{
		unsigned sum = 0;

		for (i = 0; i < 512; i++)
			sum += raw[i];
		snprintf((char *)raw + 148, 8, "%06o", sum);
	}
	raw_fails(raw, sizeof(raw), "larger than 4194304 bytes unpacked");
	free(zeros);
}

/* Cut off anywhere: an error, or, where a whole number of entries is left of a plain tar, what is left. (Padding behind
 * the last file may be missing: see test_layer.c.) */
static void test_truncated_import(void **state)
{
	struct tar *t = tar_new();
	struct blob b, c;
	size_t i;

	(void)state;
	for (i = 0; i < 20; i++) {
		char name[32], data[3000];

		snprintf(name, sizeof(name), "file%zu", i);
		memset(data, (int)('a' + i), sizeof(data) - 1);
		data[sizeof(data) - 1] = '\0';
		tar_file(t, name, 0644, data);
	}
	b = tar_end(t);
	c = compress(&b, "gzip");
	for (i = 1; i < c.len; i += 67) {
		struct blob cut = { .data = c.data, .len = i };

		import_fails(store, &cut, "");
	}
	blob_free(&c);
	for (i = 1; i < b.len - 1024; i += 1999) {
		struct blob cut = { .data = b.data, .len = i };

		if (i % 512)
			import_fails(store, &cut, "");
	}
	blob_free(&b);
}

/* ---- images --------------------------------------------------------------------------------------------------------
 */

static void simple_layout(struct layout *l, const char *filter)
{
	struct tar *t = tar_new(), *u = tar_new();
	struct blob tars[2];

	tar_file(t, "one", 0644, "contents of one");
	tar_file(u, "two", 0644, "contents of two");
	tars[0] = tar_end(t);
	tars[1] = tar_end(u);
	layout_make(l, tars, 2, filter, "fresh:1");
}

static struct sk_digest text_digest(const char *s)
{
	struct sk_digest d;

	assert_int_equal(sk_sha256_buffer(s, strlen(s), &d), 0);
	return d;
}

/* Replaces the manifest, its digest being right. */
static void set_manifest(struct layout *l, char *take_manifest)
{
	free(l->manifest);
	l->manifest = take_manifest;
	l->manifest_digest = text_digest(l->manifest);
	free(l->index);
	l->index = make_index(l, "fresh:1");
}

static void set_config(struct layout *l, const char *config)
{
	free(l->config);
	l->config = strdup(config);
	l->config_digest = text_digest(config);
	set_manifest(l, make_manifest(l));
}

/* Each of them as a directory and as an archive. */
static void layout_fails(const struct layout *l, const char *words)
{
	layout_write_dir(l, "layout");
	load_fails(store, "layout", words);
	assert_int_equal(sk_fs_remove_tree(AT_FDCWD, "layout"), 0);
	layout_write_archive(l, "layout.tar", NULL);
	load_fails(store, "layout.tar", words);
}

static void test_digests(void **state)
{
	struct layout l;

	(void)state;
	simple_layout(&l, "gzip");
	l.layers[1].blob.data[l.layers[1].blob.len - 1] ^= 1; /* gzip's length: the sum of the file says so, too */
	layout_fails(&l, "layer ");
	layout_free(&l);

	simple_layout(&l, NULL);
	l.layers[1].tar.data[600] ^= 1;
	layout_fails(&l, "wrong digest");
	layout_free(&l);

	simple_layout(&l, NULL);
	l.layers[0].blob.len -= 512;
	layout_fails(&l, "wrong size");
	layout_free(&l);

	simple_layout(&l, NULL);
	l.layers[0].blob.data = realloc(l.layers[0].blob.data, l.layers[0].blob.len + 512);
	l.layers[0].tar.data = l.layers[0].blob.data;
	memset(l.layers[0].blob.data + l.layers[0].blob.len, 0, 512);
	l.layers[0].blob.len += 512;
	layout_fails(&l, "wrong size");
	layout_free(&l);

	simple_layout(&l, NULL);
	l.config[30] ^= 1;
	layout_fails(&l, "wrong digest");
	layout_free(&l);

	simple_layout(&l, NULL);
	l.manifest[30] ^= 1;
	layout_fails(&l, "wrong digest");
	layout_free(&l);

	/* A size that is not that of the manifest or the config, though the digest is right. */
	simple_layout(&l, NULL);
	free(l.index);
	l.index = sk_asprintf("{\"manifests\":[{\"digest\":\"%s\",\"size\":5}]}", l.manifest_digest.text);
	layout_fails(&l, "wrong size");
	layout_free(&l);

	/* A blob that is what the manifest says, but not what the config says. */
	simple_layout(&l, NULL);
	l.layers[0].tar.digest = l.layers[1].tar.digest;
	{
		_cleanup_free_ char *config =
			sk_asprintf("{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\",\"%s\"]}}",
				    l.layers[1].tar.digest.text, text_digest("x").text);

		set_config(&l, config);
	}
	layout_fails(&l, "wrong digest: unpacked it is");
	layout_free(&l);
}

static void test_documents(void **state)
{
	static const struct {
		const char *config, *words;
	} rows[] = {
		{ "{}", "no rootfs.diff_ids" },
		{ "[]", "no rootfs.diff_ids" },
		{ "{\"rootfs\":{\"diff_ids\":[]}}", "its configuration lists 0" },
		{ "{\"rootfs\":{\"diff_ids\":[\"sha256:x\",1]}}", "a diff id is not sha256" },
		{ "{\"rootfs\":{\"diff_ids\":[1,2]}}", "a diff id is not sha256" },
		{ "not json", "not a JSON document" },
		{ "{", "not valid JSON" },
	};
	struct layout l;
	char *big, *deep;
	size_t i;

	(void)state;
	for (i = 0; i < SK_ARRAY_SIZE(rows); i++) {
		simple_layout(&l, NULL);
		set_config(&l, rows[i].config);
		if (i == 5)
			layout_write_archive(&l, "layout.tar", NULL), load_fails(store, "layout.tar", rows[i].words);
		else
			layout_fails(&l, rows[i].words);
		layout_free(&l);
	}
	/* Five mebibytes, and ten thousand levels. */
	big = malloc((5u << 20) + 1);
	memset(big, ' ', 5u << 20);
	big[5u << 20] = '\0';
	big[0] = '{';
	simple_layout(&l, NULL);
	set_manifest(&l, big);
	layout_write_dir(&l, "layout");
	load_fails(store, "layout", "");
	layout_write_archive(&l, "layout.tar", NULL);
	load_fails(store, "layout.tar", "not a JSON document of at most");
	layout_free(&l);
	assert_int_equal(sk_fs_remove_tree(AT_FDCWD, "layout"), 0);
	deep = malloc(20001);
	memset(deep, '[', 10000);
	memset(deep + 10000, ']', 10000);
	deep[20000] = '\0';
	simple_layout(&l, NULL);
	set_manifest(&l, deep);
	layout_fails(&l, "not valid JSON");
	layout_free(&l);
}

static void test_manifests(void **state)
{
	static const struct {
		const char *manifest, *words;
	} rows[] = {
		{ "{}", "neither an image nor an index" },
		{ "{\"schemaVersion\":1}", "schema 1" },
		{ "{\"mediaType\":\"text/plain\"}", "text/plain" },
		{ "{\"config\":{}}", "digest or size is missing" },
		{ "{\"config\":{\"digest\":\"sha512:00\",\"size\":1}}", "not sha256" },
		{ "{\"config\":{\"digest\":\"sha256:../../../x\",\"size\":1}}", "not sha256" },
		{ "{\"config\":{\"digest\":7,\"size\":1}}", "digest or size is missing" },
		{ "{\"config\":{\"digest\":\"sha256:0000000000000000000000000000000000000000000000000000000000000000\","
		  "\"size\":-1},\"layers\":[]}",
		  "size out of range" },
		{ "{\"config\":{\"digest\":\"sha256:0000000000000000000000000000000000000000000000000000000000000000\","
		  "\"size\":1,\"mediaType\":\"application/vnd.cncf.helm.config.v1+json\"},\"layers\":[]}",
		  "not a container image" },
		{ "{\"config\":{\"digest\":\"sha256:0000000000000000000000000000000000000000000000000000000000000000\","
		  "\"size\":1},\"layers\":[]}",
		  "has no blobs/sha256/0000" },
		{ "{\"config\":{\"digest\":\"sha256:0000000000000000000000000000000000000000000000000000000000000000\","
		  "\"size\":1},\"layers\":{}}",
		  "no layers" },
		{ "{\"config\":{\"digest\":\"sha256:0000000000000000000000000000000000000000000000000000000000000000\","
		  "\"size\":1},\"layers\":[{\"digest\":\"sha256:"
		  "0000000000000000000000000000000000000000000000000000000000000000\",\"size\":1,\"mediaType\":\"x/"
		  "y\"}]}",
		  "unsupported kind" },
		{ "{\"manifests\":[]}", "no image for" },
		{ "{\"manifests\":[{\"digest\":\"sha256:"
		  "0000000000000000000000000000000000000000000000000000000000000000\",\"size\":1,\"platform\":{\"os\":"
		  "\"plan9\","
		  "\"architecture\":\"vax\"}}]}",
		  "there is: plan9/vax" },
	};
	struct layout l;
	size_t i;

	(void)state;
	for (i = 0; i < SK_ARRAY_SIZE(rows); i++) {
		simple_layout(&l, NULL);
		set_manifest(&l, strdup(rows[i].manifest));
		layout_fails(&l, rows[i].words);
		layout_free(&l);
	}
}

/* Indexes inside indexes: one can only name itself by a wrong digest, and a long chain ends. */
static void test_index_chain(void **state)
{
	struct layout l;
	char *index;
	int i;

	(void)state;
	simple_layout(&l, NULL);
	set_manifest(
		&l,
		sk_asprintf(
			"{\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"digest\":\"%s\","
			"\"size\":%zu}]}",
			l.manifest_digest.text, strlen(l.manifest)));
	layout_fails(&l, "has no blobs");
	layout_free(&l);

	simple_layout(&l, NULL);
	layout_write_dir(&l, "layout");
	for (i = 0; i < 12; i++) {
		_cleanup_free_ char *name = NULL;

		set_manifest(&l,
			     sk_asprintf("{\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.index.v1+json\","
					 "\"digest\":\"%s\",\"size\":%zu}]}",
					 l.manifest_digest.text, strlen(l.manifest)));
		name = sk_asprintf("layout/blobs/sha256/%s", sk_digest_hex(&l.manifest_digest));
		write_file(name, l.manifest, strlen(l.manifest));
	}
	index = make_index(&l, "x");
	write_file("layout/index.json", index, strlen(index));
	free(index);
	load_fails(store, "layout", "more than 8 deep");
	layout_free(&l);
}

/* A directory whose files are not files, or not its own. */
static void test_directory_links(void **state)
{
	_cleanup_free_ char *blob = NULL;
	struct layout l;

	(void)state;
	simple_layout(&l, NULL);
	layout_write_dir(&l, "layout");
	blob = sk_asprintf("layout/blobs/sha256/%s", sk_digest_hex(&l.layers[1].blob.digest));
	assert_int_equal(rename(blob, "outside"), 0);
	assert_int_equal(symlink("../../../outside", blob), 0);
	load_fails(store, "layout", "has no blobs");
	unlink(blob);
	assert_int_equal(mkfifo(blob, 0600), 0);
	load_fails(store, "layout", "has no blobs");
	unlink(blob);
	assert_int_equal(mkdir(blob, 0700), 0);
	load_fails(store, "layout", "has no blobs");
	rmdir(blob);
	load_fails(store, "layout", "has no blobs");
	/* A link that stays inside is fine. */
	assert_int_equal(rename("outside", "layout/inside"), 0);
	assert_int_equal(symlink("../../inside", blob), 0);
	load_ok(store, "layout");
	layout_free(&l);
}

static void docker_fails(const char *manifest, const char *link, const char *words)
{
	struct tar *t = tar_new();
	struct blob b;

	if (link)
		tar_link(t, "l/layer.tar", link);
	tar_file(t, "config.json", 0600,
		 "{\"rootfs\":{\"diff_ids\":[\"sha256:"
		 "0000000000000000000000000000000000000000000000000000000000000000\"]}}");
	tar_file(t, "manifest.json", 0600, manifest);
	b = tar_end(t);
	write_file("docker.tar", b.data, b.len);
	load_fails(store, "docker.tar", words);
	blob_free(&b);
}

static void test_docker(void **state)
{
	static const char one[] = "[{\"Config\":\"config.json\",\"RepoTags\":[\"x:y\"],\"Layers\":[\"l/layer.tar\"]}]";
	struct layout l;
	char *config;

	(void)state;
	docker_fails("{}", NULL, "not a list of images");
	docker_fails("[]", NULL, "not a list of images");
	docker_fails("[1]", NULL, "no Config");
	docker_fails("[{\"Config\":\"../x\",\"Layers\":[]}]", NULL, "has no ../x");
	docker_fails("[{\"Config\":\"config.json\",\"Layers\":[7]}]", NULL, "not a string");
	docker_fails("[{\"Config\":\"config.json\",\"Layers\":[]}]", NULL, "its configuration lists 1");
	docker_fails(one, NULL, "has no l/layer.tar");
	docker_fails(one, "layer.tar", "has no l/layer.tar");
	docker_fails(one, "../../../etc/passwd", "has no l/layer.tar");
	docker_fails(one, "/etc/passwd", "has no l/layer.tar");
	docker_fails(one, "../config.json", "layer 000000000000");
	/* The config is not what its name says; one tar for two layers. */
	simple_layout(&l, NULL);
	l.config[30] ^= 1;
	layout_write_docker(&l, "docker.tar", "x:y", false);
	load_fails(store, "docker.tar", "wrong digest");
	layout_free(&l);
	simple_layout(&l, NULL);
	config = l.config;
	l.config = NULL;
	set_config(&l, config);
	free(config);
	l.layers[1].blob.digest = l.layers[0].blob.digest;
	layout_write_docker(&l, "docker.tar", "x:y", true);
	load_fails(store, "docker.tar", "serves as two different layers");
	l.layers[1].blob.digest = l.layers[1].tar.digest;
	layout_free(&l);
}

static void test_not_archives(void **state)
{
	struct tar *t = tar_new();
	struct blob b;
	char *noise = malloc(100000);
	size_t i;

	(void)state;
	load_fails(store, "nothing-there", "nothing-there");
	assert_int_equal(mkdir("empty", 0700), 0);
	load_fails(store, "empty", "neither");
	write_file("zero", "", 0);
	load_fails(store, "zero", "");
	for (i = 0; i < 100000; i++)
		noise[i] = (char)((i * 2654435761u) >> 11);
	write_file("noise", noise, 100000);
	load_fails(store, "noise", "");
	free(noise);
	tar_file(t, "etc/passwd", 0600, "x");
	b = tar_end(t);
	write_file("rootfs.tar", b.data, b.len);
	load_fails(store, "rootfs.tar", "import");
	blob_free(&b);
	t = tar_new();
	tar_file(t, "../index.json", 0600, "{}");
	b = tar_end(t);
	write_file("escape.tar", b.data, b.len);
	load_fails(store, "escape.tar", "bad name");
	blob_free(&b);
	t = tar_new();
	tar_file(t, "repositories", 0600, "{}");
	b = tar_end(t);
	write_file("old.tar", b.data, b.len);
	load_fails(store, "old.tar", "older than 1.10");
	blob_free(&b);
}

/* No offset at which a cut-off archive would pass. */
static void test_truncated_load(void **state)
{
	static const char *const filters[] = { NULL, "gzip", "zstd" };
	struct layout l;
	size_t f, i;

	(void)state;
	simple_layout(&l, "gzip");
	for (f = 0; f < SK_ARRAY_SIZE(filters); f++) {
		_cleanup_free_ char *data = NULL;
		size_t len;

		layout_write_archive(&l, "whole.tar", filters[f]);
		data = read_file("whole.tar", &len);
		/* The last two blocks of a tar are its end mark: nothing is lost with them. */
		for (i = 0; i < (filters[f] ? len : len - 1024); i += filters[f] ? 101 : 499) {
			write_file("cut.tar", data, i);
			load_fails(store, "cut.tar", "");
		}
	}
	load_ok(store, "whole.tar");
	layout_free(&l);
}

/* ---- bombs ------------------------------------------------------------------------------------------------------- */

/* A tar with one file of 7 GiB of zeros, some KiB. */
static struct blob bomb(const char *name)
{
	const size_t piece = 32u << 20, n = 224;
	struct blob head = { .len = 512 }, zeros = { .len = piece }, packed, all = { .len = 0 };
	size_t i;

	head.data = malloc(512);
	zeros.data = calloc(1, piece);
	raw_header(head.data, name, '0', 7ull << 30, "");
	packed = compress(&head, "bzip2");
	blob_free(&head);
	head = packed;
	packed = compress(&zeros, "bzip2");
	all.data = malloc(head.len + n * packed.len);
	memcpy(all.data, head.data, head.len);
	all.len = head.len;
	for (i = 0; i < n; i++, all.len += packed.len)
		memcpy(all.data + all.len, packed.data, packed.len);
	blob_free(&head);
	blob_free(&zeros);
	blob_free(&packed);
	return all;
}

/* Many images of many layers, each found by many links, among many members with long names: some KiB, compressed. */
static void test_many_names(void **state)
{
	enum { MEMBERS = 5000, IMAGES = 256, LAYERS = 256, LINKS = 15 };
	char prefix[1024], name[1100], target[1100], *at;
	char *config = malloc(LAYERS * 80 + 100), *manifest = malloc(IMAGES * (LAYERS * 4 + 100) + 100);
	struct tar *t = tar_new();
	struct blob b;
	int i, k;

	(void)state;
	for (i = 0; i < (int)sizeof(prefix) - 1; i++)
		prefix[i] = i % 200 == 199 ? '/' : 'p';
	prefix[i] = '\0';
	for (i = 0; i < LINKS; i++) {
		snprintf(name, sizeof(name), i ? "%sl%d" : "l", prefix, i);
		snprintf(target, sizeof(target), "/%sl%d", prefix, i + 1);
		tar_link(t, name, target);
	}
	snprintf(name, sizeof(name), "%sl%d", prefix, LINKS);
	tar_file(t, name, 0600, "no layer");
	for (i = 0; i < MEMBERS; i++) {
		snprintf(name, sizeof(name), "%s%d", prefix, i);
		tar_dir(t, name, 0755);
	}
	at = config + sprintf(config, "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[");
	for (i = 0; i < LAYERS; i++)
		at += sprintf(at, "%s\"sha256:%064d\"", i ? "," : "", i);
	strcpy(at, "]}}");
	tar_file(t, "c", 0600, config);
	at = manifest;
	for (k = 0; k < IMAGES; k++) {
		at += sprintf(at, "%s{\"Config\":\"c\",\"RepoTags\":null,\"Layers\":[", k ? "," : "[");
		for (i = 0; i < LAYERS; i++)
			at += sprintf(at, "%s\"l\"", i ? "," : "");
		at += sprintf(at, "]}");
	}
	strcpy(at, "]");
	tar_file(t, "manifest.json", 0600, manifest);
	b = tar_end(t);
	write_file("many.tar", b.data, b.len);
	alarm(120); /* it would be many minutes */
	load_fails(store, "many.tar", "layer 000000000000");
	alarm(0);
	blob_free(&b);
	free(config);
	free(manifest);
}

/* More names than a list of images should have, in a few KiB. */
static void test_many_tags(void **state)
{
	enum { IMAGES = 5, TAGS = 1000 };
	char *manifest = malloc(IMAGES * (TAGS * 20 + 100) + 100), *at = manifest;
	struct sk_error err = SK_ERROR_INIT;
	json_t *refs;
	int i, k;

	(void)state;
	for (k = 0; k < IMAGES; k++) {
		at += sprintf(at, "%s{\"Config\":\"config.json\",\"Layers\":[\"l/layer.tar\"],\"RepoTags\":[",
			      k ? "," : "[");
		for (i = 0; i < TAGS; i++)
			at += sprintf(at, "%s\"x%d:%d\"", i ? "," : "", k, i);
		at += sprintf(at, "]}");
	}
	strcpy(at, "]");
	docker_fails(manifest, "../config.json", "more than 4096 names");
	free(manifest);
	/* A list that is too large to be read again is not written. */
	assert_int_equal(sk_refs_load(store, &refs, &err), 0);
	at = malloc(65 << 20);
	memset(at, 'x', (65 << 20) - 1);
	at[(65 << 20) - 1] = '\0';
	json_object_set_new(sk_refs_images(refs), "much", json_string(at));
	free(at);
	assert_int_equal(sk_refs_save(store, refs, &err), -EFBIG);
	json_decref(refs);
	assert_int_equal(sk_refs_load(store, &refs, &err), 0);
	json_decref(refs);
}

static void on_alarm(int sig)
{
	(void)sig;
	sk_store_cancel(store);
}

/* A signal of the user's ends work that would take hours. */
static void test_bomb_cancelled(void **state)
{
	struct itimerval soon = { .it_value = { .tv_usec = 300000 } };
	struct sigaction sa = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	struct sk_error err = SK_ERROR_INIT;
	struct blob b = bomb("junk");
	json_t *refs = NULL;
	char *id = NULL;

	(void)state;
	sigaction(SIGALRM, &sa, NULL);
	write_file("bomb.tar.bz2", b.data, b.len);
	assert_true(b.len < 400000);
	setitimer(ITIMER_REAL, &soon, NULL);
	assert_int_equal(sk_store_load(store, "bomb.tar.bz2", NULL, &refs, &err), -EINTR);
	store->cancelled = 0;
	err = (struct sk_error)SK_ERROR_INIT;
	setitimer(ITIMER_REAL, &soon, NULL);
	assert_int_equal(import_image(store, "bomb.tar.bz2", "x", NULL, NULL, &id, &err), -EINTR);
	store->cancelled = 0;
	blob_free(&b);
}

static void test_bomb_bound(void **state)
{
	struct sk_error err = SK_ERROR_INIT;

	(void)state;
	assert_int_equal(sk_unpack_check(0, SK_UNPACK_FREE, &err), 0);
	assert_int_equal(sk_unpack_check(1 << 20, SK_UNPACK_FREE + (1100ull << 20), &err), 0);
	assert_int_equal(sk_unpack_check(1 << 20, SK_UNPACK_FREE + (1102ull << 20), &err), -EFBIG);
	assert_non_null(strstr(err.message, "decompression bomb"));
	err = (struct sk_error)SK_ERROR_INIT;
	assert_int_equal(sk_unpack_check(208000, 64ull << 30, &err), -EFBIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_names, enter, leave),
		cmocka_unit_test_setup_teardown(test_links, enter, leave),
		cmocka_unit_test_setup_teardown(test_long, enter, leave),
		cmocka_unit_test_setup_teardown(test_bomb_cancelled, enter, leave),
		cmocka_unit_test(test_bomb_bound),
		cmocka_unit_test_setup_teardown(test_many_names, enter, leave),
		cmocka_unit_test_setup_teardown(test_many_tags, enter, leave),
		cmocka_unit_test_setup_teardown(test_fields, enter, leave),
		cmocka_unit_test_setup_teardown(test_owner, enter, leave),
		cmocka_unit_test_setup_teardown(test_bombs, enter, leave),
		cmocka_unit_test_setup_teardown(test_truncated_import, enter, leave),
		cmocka_unit_test_setup_teardown(test_digests, enter, leave),
		cmocka_unit_test_setup_teardown(test_documents, enter, leave),
		cmocka_unit_test_setup_teardown(test_manifests, enter, leave),
		cmocka_unit_test_setup_teardown(test_index_chain, enter, leave),
		cmocka_unit_test_setup_teardown(test_directory_links, enter, leave),
		cmocka_unit_test_setup_teardown(test_docker, enter, leave),
		cmocka_unit_test_setup_teardown(test_not_archives, enter, leave),
		cmocka_unit_test_setup_teardown(test_truncated_load, enter, leave),
	};

	setlocale(LC_CTYPE, "C.UTF-8"); /* for the writer of archives */
	return cmocka_run_group_tests_name("image-hostile", tests, NULL, NULL);
}
