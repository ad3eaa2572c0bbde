/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of images: archives, image layouts and stores, made on the spot. */
#include "util.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"

static char dir[64];

void blob_free(struct blob *b)
{
	free(b->data);
	memset(b, 0, sizeof(*b));
}

/* ---- tars -------------------------------------------------------------------------------------------------------- */

struct tar {
	struct archive *a;
	struct archive_entry *e; /* the next one */
	struct blob out;
};

/* A power of two: growing by little does not copy each time. */
static size_t capacity(size_t len)
{
	size_t cap = 4096;

	while (cap < len)
		cap *= 2;
	return cap;
}

static la_ssize_t append(struct archive *a, void *arg, const void *data, size_t len)
{
	struct blob *b = arg;

	(void)a;
	if (!b->data || capacity(b->len) < b->len + len) {
		b->data = realloc(b->data, capacity(b->len + len));
		assert_non_null(b->data);
	}
	memcpy(b->data + b->len, data, len);
	b->len += len;
	return (la_ssize_t)len;
}

struct tar *tar_new(void)
{
	struct tar *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	t->a = archive_write_new();
	t->e = archive_entry_new();
	assert_int_equal(archive_write_set_format_pax(t->a), ARCHIVE_OK);
	archive_write_set_bytes_per_block(t->a, 0);
	assert_int_equal(archive_write_open(t->a, &t->out, NULL, append, NULL), ARCHIVE_OK);
	return t;
}

static void put(struct tar *t, const char *name, mode_t mode, const void *data, size_t len)
{
	archive_entry_set_pathname(t->e, name);
	archive_entry_set_mode(t->e, mode);
	archive_entry_set_size(t->e, (la_int64_t)len);
	assert_int_equal(archive_write_header(t->a, t->e), ARCHIVE_OK);
	if (len)
		assert_int_equal(archive_write_data(t->a, data, len), len);
	archive_entry_clear(t->e);
}

void tar_bytes(struct tar *t, const char *name, const void *data, size_t len)
{
	put(t, name, S_IFREG | 0644, data, len);
}

void tar_file(struct tar *t, const char *name, unsigned mode, const char *contents)
{
	put(t, name, S_IFREG | mode, contents, strlen(contents));
}

void tar_dir(struct tar *t, const char *name, unsigned mode)
{
	put(t, name, S_IFDIR | mode, NULL, 0);
}

void tar_link(struct tar *t, const char *name, const char *target)
{
	archive_entry_set_symlink(t->e, target);
	put(t, name, S_IFLNK | 0777, NULL, 0);
}

void tar_hardlink(struct tar *t, const char *name, const char *target)
{
	archive_entry_set_hardlink(t->e, target);
	put(t, name, S_IFREG | 0644, NULL, 0);
}

void tar_device(struct tar *t, const char *name, mode_t type, unsigned major, unsigned minor)
{
	archive_entry_set_rdevmajor(t->e, major);
	archive_entry_set_rdevminor(t->e, minor);
	put(t, name, type | 0600, NULL, 0);
}

void tar_owner(struct tar *t, int64_t uid, int64_t gid)
{
	archive_entry_set_uid(t->e, uid);
	archive_entry_set_gid(t->e, gid);
}

void tar_mtime(struct tar *t, int64_t seconds)
{
	archive_entry_set_mtime(t->e, seconds, 0);
}

void tar_xattr(struct tar *t, const char *name, const void *value, size_t len)
{
	archive_entry_xattr_add_entry(t->e, name, value, len);
}

void tar_acl(struct tar *t, int type, int permset, int tag, int id)
{
	archive_entry_acl_add_entry(t->e, type, permset, tag, id, NULL);
}

void tar_sparse(struct tar *t, int64_t size, int64_t offset, int64_t len)
{
	archive_entry_set_size(t->e, size); /* it looks at it */
	archive_entry_sparse_add_entry(t->e, offset, len);
}

struct blob tar_end(struct tar *t)
{
	struct blob b;

	assert_int_equal(archive_write_close(t->a), ARCHIVE_OK);
	archive_write_free(t->a);
	archive_entry_free(t->e);
	b = t->out;
	free(t);
	assert_int_equal(sk_sha256_buffer(b.data, b.len, &b.digest), 0);
	return b;
}

struct blob compress(const struct blob *b, const char *filter)
{
	struct blob out = { .len = 0 };
	struct archive *a = archive_write_new();
	struct archive_entry *e = archive_entry_new();

	assert_int_equal(archive_write_set_format_raw(a), ARCHIVE_OK);
	assert_int_equal(archive_write_add_filter_by_name(a, filter), ARCHIVE_OK);
	if (strcmp(filter, "gzip") == 0) /* the same bytes each time */
		archive_write_set_filter_option(a, "gzip", "timestamp", NULL);
	archive_write_set_bytes_per_block(a, 0);
	assert_int_equal(archive_write_open(a, &out, NULL, append, NULL), ARCHIVE_OK);
	archive_entry_set_filetype(e, S_IFREG);
	assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
	if (b->len)
		assert_int_equal(archive_write_data(a, b->data, b->len), b->len);
	assert_int_equal(archive_write_close(a), ARCHIVE_OK);
	archive_write_free(a);
	archive_entry_free(e);
	assert_int_equal(sk_sha256_buffer(out.data, out.len, &out.digest), 0);
	return out;
}

void raw_header(uint8_t *out, const char *name, char type, uint64_t size, const char *link)
{
	unsigned sum = 0, i;

	memset(out, 0, 512);
	memcpy(out, name, strlen(name) < 100 ? strlen(name) : 100);
	memcpy(out + 100, "0000644", 7);
	memcpy(out + 108, "0000000", 7);
	memcpy(out + 116, "0000000", 7);
	snprintf((char *)out + 124, 12, "%011llo", (unsigned long long)size & 077777777777ull);
	memcpy(out + 136, "00000000000", 11);
	out[156] = (uint8_t)type;
	memcpy(out + 157, link, strlen(link) < 100 ? strlen(link) : 100);
	memcpy(out + 257, "ustar\00000", 8);
	memset(out + 148, ' ', 8);
	for (i = 0; i < 512; i++)
		sum += out[i];
	snprintf((char *)out + 148, 8, "%06o", sum);
}

/* ---- images ------------------------------------------------------------------------------------------------------ */

static struct sk_digest digest_text(const char *s)
{
	struct sk_digest d;

	assert_int_equal(sk_sha256_buffer(s, strlen(s), &d), 0);
	return d;
}

static char *make_config(const struct layout *l)
{
	json_t *ids = json_array(), *j;
	size_t i;
	char *s;

	for (i = 0; i < l->n_layers; i++)
		json_array_append_new(ids, json_string(l->layers[i].tar.digest.text));
	j = json_pack("{s:s, s:s, s:s, s:{s:[s]}, s:{s:s, s:o}}", "architecture", "amd64", "os", "linux", "created",
		      "2020-01-02T03:04:05Z", "config", "Cmd", "sh", "rootfs", "type", "layers", "diff_ids", ids);
	s = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	assert_non_null(s);
	return s;
}

char *make_manifest(const struct layout *l)
{
	json_t *list = json_array(), *j;
	size_t i;
	char *s;

	for (i = 0; i < l->n_layers; i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:I}", "mediaType", l->layers[i].media_type, "digest",
						      l->layers[i].blob.digest.text, "size",
						      (json_int_t)l->layers[i].blob.len));
	j = json_pack("{s:i, s:s, s:{s:s, s:s, s:I}, s:o}", "schemaVersion", 2, "mediaType",
		      "application/vnd.oci.image.manifest.v1+json", "config", "mediaType",
		      "application/vnd.oci.image.config.v1+json", "digest", l->config_digest.text, "size",
		      (json_int_t)strlen(l->config), "layers", list);
	s = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	assert_non_null(s);
	return s;
}

char *make_index(const struct layout *l, const char *name)
{
	json_t *j = json_pack("{s:i, s:[{s:s, s:s, s:I, s:{}}]}", "schemaVersion", 2, "manifests", "mediaType",
			      "application/vnd.oci.image.manifest.v1+json", "digest", l->manifest_digest.text, "size",
			      (json_int_t)strlen(l->manifest), "annotations");
	char *s;

	if (name)
		json_object_set_new(json_object_get(json_array_get(json_object_get(j, "manifests"), 0), "annotations"),
				    "io.containerd.image.name", json_string(name));
	s = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	assert_non_null(s);
	return s;
}

void layout_make(struct layout *l, struct blob *take_tars, size_t n, const char *filter, const char *name)
{
	size_t i;

	memset(l, 0, sizeof(*l));
	l->n_layers = n;
	for (i = 0; i < n; i++) {
		l->layers[i].tar = take_tars[i];
		l->layers[i].blob = filter ? compress(&take_tars[i], filter) : take_tars[i];
		l->layers[i].media_type = !filter			? "application/vnd.oci.image.layer.v1.tar"
					  : strcmp(filter, "gzip") == 0 ? "application/vnd.oci.image.layer.v1.tar+gzip"
									: "application/vnd.oci.image.layer.v1.tar+zstd";
	}
	l->config = make_config(l);
	l->config_digest = digest_text(l->config);
	l->manifest = make_manifest(l);
	l->manifest_digest = digest_text(l->manifest);
	l->index = make_index(l, name);
}

void layout_free(struct layout *l)
{
	size_t i;

	for (i = 0; i < l->n_layers; i++) {
		if (l->layers[i].blob.data != l->layers[i].tar.data)
			blob_free(&l->layers[i].blob);
		blob_free(&l->layers[i].tar);
	}
	free(l->config);
	free(l->manifest);
	free(l->index);
}

static void put_blob_file(const char *path, const struct sk_digest *d, const void *data, size_t len)
{
	_cleanup_free_ char *name = sk_asprintf("%s/blobs/sha256/%s", path, sk_digest_hex(d));

	write_file(name, data, len);
}

void layout_write_dir(const struct layout *l, const char *path)
{
	_cleanup_free_ char *blobs = sk_asprintf("%s/blobs/sha256", path), *marker = sk_asprintf("%s/oci-layout", path);
	_cleanup_free_ char *index = sk_asprintf("%s/index.json", path);
	size_t i;

	assert_int_equal(sk_fs_mkdir_p(blobs, 0755), 0);
	for (i = 0; i < l->n_layers; i++)
		put_blob_file(path, &l->layers[i].blob.digest, l->layers[i].blob.data, l->layers[i].blob.len);
	put_blob_file(path, &l->config_digest, l->config, strlen(l->config));
	put_blob_file(path, &l->manifest_digest, l->manifest, strlen(l->manifest));
	write_file(marker, "{\"imageLayoutVersion\":\"1.0.0\"}", 30);
	write_file(index, l->index, strlen(l->index));
}

static void write_tar(struct tar *t, const char *path, const char *filter)
{
	struct blob b = tar_end(t), c = { .len = 0 };

	if (filter)
		c = compress(&b, filter);
	write_file(path, filter ? c.data : b.data, filter ? c.len : b.len);
	blob_free(&b);
	blob_free(&c);
}

static void put_blob_member(struct tar *t, const struct sk_digest *d, const void *data, size_t len)
{
	_cleanup_free_ char *name = sk_asprintf("blobs/sha256/%s", sk_digest_hex(d));

	tar_bytes(t, name, data, len);
}

void layout_write_archive(const struct layout *l, const char *path, const char *filter)
{
	struct tar *t = tar_new();
	size_t i;

	for (i = 0; i < l->n_layers; i++)
		put_blob_member(t, &l->layers[i].blob.digest, l->layers[i].blob.data, l->layers[i].blob.len);
	put_blob_member(t, &l->config_digest, l->config, strlen(l->config));
	put_blob_member(t, &l->manifest_digest, l->manifest, strlen(l->manifest));
	tar_file(t, "./oci-layout", 0644, "{\"imageLayoutVersion\":\"1.0.0\"}");
	tar_file(t, "index.json", 0644, l->index);
	write_tar(t, path, filter);
}

void layout_write_docker(const struct layout *l, const char *path, const char *name, bool legacy)
{
	json_t *layers = json_array(), *j;
	_cleanup_free_ char *config = sk_asprintf("%s.json", sk_digest_hex(&l->config_digest)), *text = NULL;
	struct tar *t = tar_new();
	size_t i;

	for (i = 0; i < l->n_layers; i++) {
		const struct blob *b = &l->layers[i].blob;
		_cleanup_free_ char *member =
			legacy ? sk_asprintf("%064zx/layer.tar", i) : sk_asprintf("%s.tar", sk_digest_hex(&b->digest));

		json_array_append_new(layers, json_string(member));
		if (legacy && i && sk_digest_equal(&b->digest, &l->layers[0].blob.digest)) {
			_cleanup_free_ char *target = sk_asprintf("../%064zx/layer.tar", (size_t)0);

			tar_link(t, member, target);
		} else {
			tar_bytes(t, member, b->data, b->len);
		}
	}
	tar_file(t, config, 0644, l->config);
	j = json_pack("[{s:s, s:o, s:o}]", "Config", config, "RepoTags", name ? json_pack("[s]", name) : json_null(),
		      "Layers", layers);
	text = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	tar_file(t, "manifest.json", 0644, text);
	write_tar(t, path, NULL);
}

/* ---- the store -----------------------------------------------------------------------------------------------------
 */

int test_enter(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/sk-test-image-XXXXXX");
	return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

int test_leave(void **state)
{
	/* Where a test that failed may have left something mounted. */
	static const char *const mounts[] = { "m/all", "m/low", "m/high", "mnt", "store" };
	size_t i;

	(void)state;
	for (i = 0; i < SK_ARRAY_SIZE(mounts); i++)
		(void)umount2(mounts[i], MNT_DETACH);
	return chdir("/") < 0 ? -1 : sk_fs_remove_tree(AT_FDCWD, dir);
}

struct sk_store *open_store(void)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_store *store = NULL;

	if (sk_store_open("store", &store, &err) < 0)
		fail_msg("%s", err.message);
	return store;
}

void write_file(const char *path, const void *data, size_t len)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	if (len)
		assert_int_equal(fwrite(data, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

char *read_file(const char *path, size_t *ret_len)
{
	char *data;

	assert_int_equal(sk_fs_read(AT_FDCWD, path, 1u << 30, &data, ret_len), 0);
	return data;
}

static char *snap;

static int snap_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	char *next, digest[SK_DIGEST_LEN + 1] = "-";

	(void)ftw;
	if (type == FTW_F) {
		size_t len;
		char *data = read_file(path, &len);
		struct sk_digest d;

		assert_int_equal(sk_sha256_buffer(data, len, &d), 0);
		memcpy(digest, d.text, sizeof(d.text));
		free(data);
	}
	next = sk_asprintf("%s%s %o %lld %s\n", snap ? snap : "", path, st->st_mode,
			   type == FTW_F ? (long long)st->st_size : 0, digest);
	free(snap);
	snap = next;
	return 0;
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char *snapshot(const char *path)
{
	char *lines[4096], *p, *save = NULL, *out;
	size_t n = 0, i;

	snap = NULL;
	assert_int_equal(nftw(path, snap_one, 16, FTW_PHYS), 0);
	for (p = strtok_r(snap, "\n", &save); p && n < 4096; p = strtok_r(NULL, "\n", &save))
		lines[n++] = p;
	qsort(lines, n, sizeof(lines[0]), compare_lines);
	out = strdup("");
	for (i = 0; i < n; i++) {
		char *next = sk_asprintf("%s%s\n", out, lines[i]);

		free(out);
		out = next;
	}
	free(snap);
	return out;
}

void load_ok(struct sk_store *store, const char *path)
{
	struct sk_error err = SK_ERROR_INIT;
	json_t *refs = NULL;

	if (sk_store_load(store, path, NULL, &refs, &err) < 0)
		fail_msg("%s", err.message);
	assert_true(json_array_size(refs) > 0);
	json_decref(refs);
}

int import_image(struct sk_store *store, const char *path, const char *ref, const char *const *changes,
		 const struct sk_progress *progress, char **ret_id, struct sk_error *err)
{
	const struct sk_new_image image = { .ref = ref, .changes = changes };

	return sk_store_import(store, path, &image, progress, ret_id, err);
}

void import_ok(struct sk_store *store, const struct blob *tar, const char *ref)
{
	struct sk_error err = SK_ERROR_INIT;
	char *id = NULL;

	write_file("import.tar", tar->data, tar->len);
	if (import_image(store, "import.tar", ref, NULL, NULL, &id, &err) < 0)
		fail_msg("%s", err.message);
	free(id);
}

static void check_failure(int r, const struct sk_error *err, const char *words, const char *before)
{
	_cleanup_free_ char *after = snapshot("store");

	if (r >= 0)
		fail_msg("no error; wanted: %s", words);
	assert_int_equal(r, -err->code);
	assert_null(strchr(err->message, '\n'));
	if (!strstr(err->message, words))
		fail_msg("wanted \"%s\", got: %s", words, err->message);
	assert_string_equal(before, after);
}

void load_fails(struct sk_store *store, const char *path, const char *words)
{
	_cleanup_free_ char *before = snapshot("store");
	struct sk_error err = SK_ERROR_INIT;
	json_t *refs = NULL;

	check_failure(sk_store_load(store, path, NULL, &refs, &err), &err, words, before);
}

void import_fails(struct sk_store *store, const struct blob *tar, const char *words)
{
	_cleanup_free_ char *before = snapshot("store");
	struct sk_error err = SK_ERROR_INIT;
	char *id = NULL;

	write_file("import.tar", tar->data, tar->len);
	check_failure(import_image(store, "import.tar", "x", NULL, NULL, &id, &err), &err, words, before);
	assert_null(id);
}

char *run(const char *const *argv, int *ret_code)
{
	posix_spawn_file_actions_t actions;
	int p[2], status;
	char *out = malloc(1);
	size_t len = 0;
	pid_t pid;

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, p[1], 1);
	posix_spawn_file_actions_adddup2(&actions, p[1], 2);
	assert_int_equal(posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	close(p[1]);
	for (;;) {
		ssize_t n;

		out = realloc(out, len + 65537);
		assert_non_null(out);
		n = read(p[0], out + len, 65536);
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	out[len] = '\0';
	close(p[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (ret_code)
		*ret_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	else if (status != 0)
		fail_msg("%s failed: %s", argv[0], out);
	return out;
}

static struct sk_image *find_ok(struct sk_store *store, const char *name)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_image *image = NULL;

	if (sk_store_find(store, name, &image, &err) < 0)
		fail_msg("%s", err.message);
	return image;
}

char *list_layer(struct sk_store *store, const char *name, size_t n)
{
	struct sk_image *image = find_ok(store, name);
	char *out, *from, *to;

	assert_true(n < image->n_layers);
	out = RUN("unsquashfs", "-d", "R", "-lln", image->layers[n]);
	sk_image_free(image);
	/* Its columns are as wide as they need to be: one space each. */
	for (from = to = out; *from; from++)
		if (*from != ' ' || to == out || to[-1] != ' ')
			*to++ = *from;
	*to = '\0';
	return out;
}

void extract_layer(struct sk_store *store, const char *name, size_t n, const char *to)
{
	struct sk_image *image = find_ok(store, name);

	assert_true(n < image->n_layers);
	free(RUN("unsquashfs", "-q", "-n", "-no-xattrs", "-p", "1", "-d", to, image->layers[n]));
	sk_image_free(image);
}

char *cat_layer(struct sk_store *store, const char *name, size_t n, const char *file, size_t *ret_len)
{
	_cleanup_free_ char *path = sk_asprintf("cat.d/%s", file);
	char *data;

	extract_layer(store, name, n, "cat.d");
	data = read_file(path, ret_len);
	sk_fs_remove_tree(AT_FDCWD, "cat.d");
	return data;
}

char *line_with(const char *text, const char *end)
{
	while (*text) {
		size_t n = strcspn(text, "\n");

		if (n >= strlen(end) && memcmp(text + n - strlen(end), end, strlen(end)) == 0)
			return sk_asprintf("%.*s", (int)n, text);
		text += n + (text[n] == '\n');
	}
	return NULL;
}
