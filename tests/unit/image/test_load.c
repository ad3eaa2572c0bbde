/* SPDX-License-Identifier: Apache-2.0 */
/* Loading in all forms, by two at once, and cut short: by a signal, a full disk, the user. */
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"

static struct blob small_tar(const char *name, const char *contents)
{
	struct tar *t = tar_new();

	tar_file(t, name, 0644, contents);
	return tar_end(t);
}

static struct blob noise_tar(size_t len)
{
	uint8_t *bytes = malloc(len);
	uint64_t x = 88172645463325252u;
	struct tar *t = tar_new();
	struct blob b;
	size_t i;

	assert_non_null(bytes);
	for (i = 0; i < len; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		bytes[i] = (uint8_t)x;
	}
	tar_bytes(t, "noise", bytes, len);
	free(bytes);
	b = tar_end(t);
	return b;
}

static void two_layers(struct layout *l, const char *filter, const char *name)
{
	struct blob tars[2] = { small_tar("one", "first"), small_tar("two", "second") };

	layout_make(l, tars, 2, filter, name);
}

static void expect_image(struct sk_store *store, const struct layout *l, const char *name)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_image *image;
	_cleanup_free_ char *data = NULL;
	size_t len, i;

	if (sk_store_find(store, name, &image, &err) < 0)
		fail_msg("%s", err.message);
	assert_string_equal(image->id, l->config_digest.text);
	assert_int_equal(image->n_layers, l->n_layers);
	for (i = 0; i < l->n_layers; i++) {
		assert_non_null(strstr(image->layers[i], sk_digest_hex(&l->layers[i].tar.digest)));
		assert_int_equal(access(image->layers[i], R_OK), 0);
	}
	assert_string_equal(json_string_value(json_object_get(image->config, "created")), "2020-01-02T03:04:05Z");
	sk_image_free(image);
	data = cat_layer(store, name, 0, "one", &len);
	assert_string_equal(data, "first");
}

static void test_forms(void **state)
{
	static const char *const filters[] = { NULL, "gzip", "zstd" };
	struct layout l;
	size_t f;

	(void)state;
	for (f = 0; f < SK_ARRAY_SIZE(filters); f++) {
		struct sk_store *store = open_store();
		struct sk_image *image;

		two_layers(&l, filters[f], "forms:1");
		layout_write_dir(&l, "layout");
		load_ok(store, "layout");
		expect_image(store, &l, "forms:1");
		assert_int_equal(sk_store_find(store, "forms:1", &image, NULL), 0);
		assert_string_equal(image->digest, l.manifest_digest.text);
		assert_string_equal(image->ref, "forms:1");
		sk_image_free(image);
		sk_store_close(store);
		assert_int_equal(sk_fs_remove_tree(AT_FDCWD, "store"), 0);

		store = open_store();
		layout_write_archive(&l, "layout.tar", filters[f]);
		load_ok(store, "layout.tar");
		expect_image(store, &l, "forms:1");
		sk_store_close(store);
		assert_int_equal(sk_fs_remove_tree(AT_FDCWD, "store"), 0);

		store = open_store();
		layout_write_docker(&l, "docker.tar", "docker.io/library/forms:2", false);
		load_ok(store, "docker.tar");
		expect_image(store, &l, "forms:2");
		sk_store_close(store);
		assert_int_equal(sk_fs_remove_tree(AT_FDCWD, "store"), 0);
		assert_int_equal(sk_fs_remove_tree(AT_FDCWD, "layout"), 0);
		layout_free(&l);
	}
}

/* The old form of docker save: a directory for each layer, links between them; the same layer twice; no name. */
static void test_docker_legacy(void **state)
{
	struct sk_store *store = open_store();
	struct blob tars[3] = { small_tar("one", "first"), small_tar("one", "first"), small_tar("two", "second") };
	struct sk_error err = SK_ERROR_INIT;
	json_t *refs;
	struct layout l;

	(void)state;
	layout_make(&l, tars, 3, NULL, NULL);
	layout_write_docker(&l, "docker.tar", NULL, true);
	if (sk_store_load(store, "docker.tar", NULL, &refs, &err) < 0)
		fail_msg("%s", err.message);
	assert_int_equal(json_array_size(refs), 1);
	assert_string_equal(json_string_value(json_array_get(refs, 0)), l.config_digest.text);
	json_decref(refs);
	expect_image(store, &l, l.config_digest.text);
	layout_free(&l);
	sk_store_close(store);
}

static void test_stdin(void **state)
{
	struct sk_store *store = open_store();
	struct layout l;
	int saved = dup(0), p[2];
	pid_t pid;

	(void)state;
	two_layers(&l, "gzip", "piped");
	layout_write_archive(&l, "layout.tar", NULL);
	assert_int_equal(pipe(p), 0);
	pid = fork();
	if (pid == 0) {
		dup2(p[1], 1);
		close(p[0]);
		close(p[1]);
		execlp("cat", "cat", "layout.tar", (char *)NULL);
		_exit(1);
	}
	dup2(p[0], 0);
	close(p[0]);
	close(p[1]);
	load_ok(store, "-");
	dup2(saved, 0);
	close(saved);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	expect_image(store, &l, "piped");
	layout_free(&l);
	sk_store_close(store);
}

/* An index for several machines inside the layout, as builders write it, with an attestation. */
static void test_platforms(void **state)
{
	struct sk_store *store = open_store();
	_cleanup_free_ char *inner = NULL, *outer = NULL, *name = NULL;
	const char *host = strchr(sk_platform_host(), '/') + 1;
	struct sk_digest digest;
	struct layout l;

	(void)state;
	two_layers(&l, "gzip", NULL);
	layout_write_dir(&l, "layout");
	inner = sk_asprintf(
		"{\"manifests\":["
		"{\"digest\":\"sha256:%064d\",\"size\":7,\"platform\":{\"os\":\"plan9\",\"architecture\":\"mips\"}},"
		"{\"digest\":\"sha256:%064d\",\"size\":7,\"platform\":{\"os\":\"unknown\",\"architecture\":\"unknown\"}"
		"},"
		"{\"digest\":\"%s\",\"size\":%zu,\"platform\":{\"os\":\"linux\",\"architecture\":\"%.*s\"}}]}",
		1, 2, l.manifest_digest.text, strlen(l.manifest), (int)strcspn(host, "/"), host);
	assert_int_equal(sk_sha256_buffer(inner, strlen(inner), &digest), 0);
	name = sk_asprintf("layout/blobs/sha256/%s", sk_digest_hex(&digest));
	write_file(name, inner, strlen(inner));
	outer = sk_asprintf(
		"{\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"digest\":\"%s\","
		"\"size\":%zu,\"annotations\":{\"org.opencontainers.image.ref.name\":\"example.org/multi:3\"}}]}",
		digest.text, strlen(inner));
	write_file("layout/index.json", outer, strlen(outer));
	load_ok(store, "layout");
	expect_image(store, &l, "example.org/multi:3");
	layout_free(&l);
	sk_store_close(store);
}

/* The number of the compression that a layer image has (the field of squashfs's superblock). */
static int compression_of(struct sk_store *store, const struct layout *l, const char *name, size_t i)
{
	_cleanup_free_ char *data = NULL;
	struct sk_image *image;
	size_t len;
	int id;

	assert_int_equal(sk_store_find(store, name, &image, NULL), 0);
	assert_true(i < l->n_layers);
	data = read_file(image->layers[i], &len);
	assert_true(len > 96);
	id = data[20];
	sk_image_free(image);
	return id;
}

/* A layer whose descriptor asks for it is compressed with zstd (6), the others with LZ4 (5). */
static void test_small(void **state)
{
	struct sk_store *store = open_store();
	struct layout l;
	json_t *j;

	(void)state;
	two_layers(&l, "gzip", "small:1");
	j = json_loads(l.manifest, 0, NULL);
	json_object_set_new(json_array_get(json_object_get(j, "layers"), 1), "annotations",
			    json_pack("{s:s}", SK_LAYER_COMPRESSION, "zstd"));
	free(l.manifest);
	free(l.index);
	l.manifest = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	assert_int_equal(sk_sha256_buffer(l.manifest, strlen(l.manifest), &l.manifest_digest), 0);
	l.index = make_index(&l, "small:1");
	layout_write_dir(&l, "layout");
	load_ok(store, "layout");
	expect_image(store, &l, "small:1");
	assert_int_equal(compression_of(store, &l, "small:1", 0), 5);
	assert_int_equal(compression_of(store, &l, "small:1", 1), 6);
	layout_free(&l);
	sk_store_close(store);
}

/* A second image over the same base: its layer alone is made, the shared one stays the very same file. */
static void test_sharing(void **state)
{
	struct sk_store *store = open_store();
	struct blob second[2] = { small_tar("one", "first"), small_tar("three", "third") };
	struct sk_image *a, *b;
	struct stat before, after;
	struct layout l, m;

	(void)state;
	two_layers(&l, "gzip", "base:1");
	layout_make(&m, second, 2, "zstd", "base:2");
	layout_write_dir(&l, "l");
	layout_write_dir(&m, "m");
	load_ok(store, "l");
	assert_int_equal(sk_store_find(store, "base:1", &a, NULL), 0);
	assert_int_equal(stat(a->layers[0], &before), 0);
	load_ok(store, "m");
	load_ok(store, "m");
	assert_int_equal(sk_store_find(store, "base:2", &b, NULL), 0);
	assert_string_equal(a->layers[0], b->layers[0]);
	assert_int_equal(stat(b->layers[0], &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(after.st_nlink, 1);
	sk_image_free(a);
	sk_image_free(b);
	layout_free(&l);
	layout_free(&m);
	sk_store_close(store);
}

/* Two operations that convert the same layer: the second one's result is dropped, as the first may be in use by then.
 */
static void test_same_twice(void **state)
{
	struct sk_store *store = open_store();
	struct sk_layer_read jobs[2] = { { .blob_size = -1 }, { .blob_size = -1 } };
	struct sk_store_op ops[2];
	struct blob b = small_tar("f", "x");
	_cleanup_free_ char *path = NULL;
	struct sk_input_memory in;
	struct stat before, after;
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		assert_int_equal(sk_op_begin(store, NULL, &ops[i], NULL), 0);
		sk_input_memory_init(&in, b.data, b.len);
		jobs[i].blob = &in.in;
		assert_int_equal(sk_op_convert(&ops[i], &jobs[i], "x", 0, NULL), 0);
	}
	path = sk_asprintf("store/images/layers/%s.squashfs", sk_digest_hex(&b.digest));
	assert_int_equal(sk_op_commit(&ops[0], NULL, 0, NULL), 0);
	assert_int_equal(stat(path, &before), 0);
	assert_int_equal(sk_op_commit(&ops[1], NULL, 0, NULL), 0);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	sk_op_end(&ops[0]);
	sk_op_end(&ops[1]);
	blob_free(&b);
	sk_store_close(store);
}

/* A commit that fails halfway is taken back. */
static void test_commit_fails(void **state)
{
	struct sk_store *store = open_store();
	struct blob tars[8];
	struct layout l;
	int i;

	(void)state;
	for (i = 0; i < 8; i++) {
		char name[2] = { (char)('a' + i), '\0' };

		tars[i] = small_tar(name, name);
	}
	layout_make(&l, tars, 8, "gzip", "x");
	layout_write_dir(&l, "layout");
	assert_int_equal(rmdir("store/images/blobs/sha256"), 0);
	write_file("store/images/blobs/sha256", "in the way", 10);
	load_fails(store, "layout", "cannot write to the image store store/images: Not a directory");
	assert_int_equal(unlink("store/images/blobs/sha256"), 0);
	assert_int_equal(mkdir("store/images/blobs/sha256", 0700), 0);
	load_ok(store, "layout");
	layout_free(&l);
	sk_store_close(store);
}

/* Two processes load the same at the same time; and while others prune. */
static void test_concurrent(void **state)
{
	struct sk_store *store = open_store();
	_cleanup_free_ char *snap = NULL;
	struct layout l;
	pid_t pids[6];
	int i, k, status;

	(void)state;
	two_layers(&l, "gzip", "both:1");
	layout_write_archive(&l, "layout.tar", NULL);
	for (i = 0; i < 6; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			struct sk_store *mine;
			json_t *out = NULL;
			uint64_t bytes;
			int r = 0;

			for (k = 0; r == 0 && k < 10; k++) {
				r = sk_store_open("store", &mine, NULL);
				if (r == 0)
					r = i < 4 ? sk_store_load(mine, "layout.tar", NULL, &out, NULL)
						  : sk_store_prune(mine, false, NULL, NULL, &out, &bytes, NULL);
				json_decref(out);
				out = NULL;
				sk_store_close(mine);
			}
			_exit(r == 0 ? 0 : 1);
		}
	}
	for (i = 0; i < 6; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	expect_image(store, &l, "both:1");
	snap = snapshot("store/images/tmp");
	assert_null(strchr(strchr(snap, '\n') + 1, '\n')); /* the directory itself only */
	layout_free(&l);
	sk_store_close(store);
}

/* kill -9 in the middle of an import: nothing but a directory below tmp/, which is gone when the store is opened
 * again. */
static void test_killed(void **state)
{
	struct sk_store *store = open_store();
	_cleanup_free_ char *before = snapshot("store"), *during = NULL, *after = NULL;
	struct blob b = noise_tar(20u << 20);
	struct timespec pause = { .tv_nsec = 20000000 };
	int p[2], i;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(p), 0);
	pid = fork();
	if (pid == 0) {
		char *id;

		dup2(p[0], 0);
		close(p[1]);
		import_image(store, "-", "killed", NULL, NULL, &id, NULL);
		_exit(0);
	}
	close(p[0]);
	assert_int_equal(sk_fs_write_all(p[1], b.data, b.len / 2), 0);
	for (i = 0; i < 500; i++) { /* until it has written some of it */
		free(during);
		during = snapshot("store/images/tmp");
		if (strstr(during, "layer.part"))
			break;
		nanosleep(&pause, NULL);
	}
	assert_non_null(strstr(during, "layer.part"));
	sk_store_close(store);
	store = open_store();
	free(during);
	during = snapshot("store/images/tmp");
	assert_non_null(strstr(during, "layer.part")); /* its owner lives: it stays */
	sk_store_close(store);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(p[1]);
	store = open_store();
	after = snapshot("store");
	assert_string_equal(before, after);
	sk_store_close(store);
	blob_free(&b);
}

struct cancel {
	struct sk_store *store;
	int calls;
};

static void cancel_cb(void *arg, const char *what, uint64_t done, uint64_t total)
{
	struct cancel *c = arg;

	assert_non_null(what);
	assert_true(total == 0 || done <= total);
	if (++c->calls == 3)
		sk_store_cancel(c->store);
}

static void test_cancel(void **state)
{
	struct sk_store *store = open_store();
	_cleanup_free_ char *before = snapshot("store"), *after = NULL;
	struct cancel c = { store, 0 };
	struct sk_progress progress = { cancel_cb, &c };
	struct sk_error err = SK_ERROR_INIT;
	struct blob b = noise_tar(4u << 20);
	char *id;

	(void)state;
	write_file("big.tar", b.data, b.len);
	assert_int_equal(import_image(store, "big.tar", "x", NULL, &progress, &id, &err), -EINTR);
	assert_non_null(strstr(err.message, "interrupted"));
	after = snapshot("store");
	assert_string_equal(before, after);
	blob_free(&b);
	sk_store_close(store);
}

static struct sk_store *alarm_store;

static void on_alarm(int sig)
{
	(void)sig;
	sk_store_cancel(alarm_store);
}

/* Waiting for a pipe into which nobody writes, the signal's handler being one that restarts system calls. */
static void test_cancel_waiting(void **state)
{
	struct sigaction sa = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	struct itimerval soon = { .it_value = { .tv_usec = 100000 } };
	_cleanup_free_ char *before = NULL, *after = NULL;
	struct sk_error err = SK_ERROR_INIT;
	int saved = dup(0), p[2], r[2];
	json_t *refs;
	char *id;

	(void)state;
	assert_int_equal(pipe(p), 0);
	dup2(p[0], 0);
	sigaction(SIGALRM, &sa, NULL);
	alarm_store = open_store();
	before = snapshot("store");
	setitimer(ITIMER_REAL, &soon, NULL);
	r[0] = import_image(alarm_store, "-", "x", NULL, NULL, &id, &err);
	sk_store_close(alarm_store);
	alarm_store = open_store();
	setitimer(ITIMER_REAL, &soon, NULL);
	r[1] = sk_store_load(alarm_store, "-", NULL, &refs, &err);
	dup2(saved, 0);
	close(saved);
	close(p[0]);
	close(p[1]);
	assert_int_equal(r[0], -EINTR);
	assert_int_equal(r[1], -EINTR);
	assert_string_equal(err.message, "cannot load standard input: interrupted");
	after = snapshot("store");
	assert_string_equal(before, after);
	sk_store_close(alarm_store);
}

/* A limit on the size of files stands for any failing write, without root. */
static void test_write_fails(void **state)
{
	struct sk_store *store = open_store();
	struct blob b = noise_tar(4u << 20);
	struct rlimit old, small;

	(void)state;
	write_file("import.tar", b.data, b.len);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 1u << 20;
	{
		_cleanup_free_ char *before = snapshot("store"), *after = NULL;
		struct sk_error err = SK_ERROR_INIT;
		char *id;
		int r;

		assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
		r = import_image(store, "import.tar", "x", NULL, NULL, &id, &err);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
		assert_int_equal(r, -EFBIG);
		assert_non_null(strstr(err.message, "File too large"));
		after = snapshot("store");
		assert_string_equal(before, after);
	}
	blob_free(&b);
	sk_store_close(store);
}

static void full_disk(const char *size, uint64_t keep_free)
{
	_cleanup_free_ char *options = sk_asprintf("size=%s", size);
	struct blob b = noise_tar(4u << 20), tiny = small_tar("f", "x");
	struct sk_store *store;
	struct layout l;

	assert_int_equal(sk_fs_mkdir_p("store", 0700), 0);
	assert_int_equal(mount("none", "store", "tmpfs", 0, options), 0);
	store = open_store();
	store->squash.keep_free = keep_free;
	import_ok(store, &tiny, "tiny");
	import_fails(store, &b, "No space left on device");
	layout_make(&l, &b, 1, "gzip", "x");
	layout_write_archive(&l, "layout.tar", NULL);
	load_fails(store, "layout.tar", "No space left on device");
	load_fails(store, "layout.tar", "No space left on device");
	import_ok(store, &tiny, "tiny2"); /* there is room again */
	sk_store_close(store);
	assert_int_equal(umount("store"), 0);
	layout_free(&l);
	blob_free(&tiny);
}

static void test_full_disk(void **state)
{
	(void)state;
	if (geteuid() != 0) {
		print_message("image-load: a small file system needs root: skipped\n");
		skip();
	}
	full_disk("2m", 0);
	full_disk("20m", 18u << 20);
}

static void test_unwritable(void **state)
{
	struct sk_store *store = open_store();
	struct blob b = small_tar("f", "x");
	struct sk_error err = SK_ERROR_INIT;

	(void)state;
	sk_store_close(store);
	write_file("file", "", 0);
	store = NULL;
	assert_int_equal(sk_store_open("file", &store, &err), -ENOTDIR);
	assert_non_null(strstr(err.message, "Not a directory"));
	if (geteuid() == 0) {
		print_message("image-load: root may write everywhere: skipped\n");
		blob_free(&b);
		skip();
	}
	store = open_store();
	assert_int_equal(chmod("store/images/tmp", 0500), 0);
	import_fails(store, &b, "cannot write to the image store store/images: Permission denied");
	assert_int_equal(chmod("store/images/tmp", 0700), 0);
	assert_int_equal(chmod("store/images/layers", 0500), 0);
	import_fails(store, &b, "cannot write to the image store store/images: Permission denied");
	assert_int_equal(chmod("store/images/layers", 0700), 0);
	assert_int_equal(chmod("store/images", 0500), 0);
	import_fails(store, &b, "Permission denied");
	assert_int_equal(chmod("store/images", 0700), 0);
	import_ok(store, &b, "x");
	sk_store_close(store);
	blob_free(&b);
}

static void test_import(void **state)
{
	static const char *const changes[] = { "CMD [\"a\"]", "ENV X=y", "WORKDIR /w", NULL }, *const bad[] = {
		"CMD [\"a\"]", "RUN x", NULL
	};
	struct sk_store *store = open_store();
	struct blob b = small_tar("f", "x");
	struct sk_error err = SK_ERROR_INIT;
	const json_t *config;
	struct sk_image *image;
	char *id;

	(void)state;
	write_file("import.tar", b.data, b.len);
	if (import_image(store, "import.tar", "mine:1", changes, NULL, &id, &err) < 0)
		fail_msg("%s", err.message);
	assert_int_equal(sk_store_find(store, id, &image, NULL), 0);
	assert_string_equal(image->id, id);
	config = json_object_get(image->config, "config");
	assert_string_equal(json_string_value(json_array_get(json_object_get(config, "Cmd"), 0)), "a");
	assert_int_equal(json_array_size(json_object_get(config, "Env")), 2);
	assert_string_equal(json_string_value(json_object_get(config, "WorkingDir")), "/w");
	assert_string_equal(json_string_value(json_object_get(image->config, "os")), "linux");
	sk_image_free(image);
	free(id);
	assert_int_equal(import_image(store, "import.tar", "mine:2", bad, NULL, &id, &err), -EINVAL);
	assert_non_null(strstr(err.message, "RUN is not supported"));
	assert_int_equal(import_image(store, "import.tar", "Bad Name", NULL, NULL, &id, &err), -EINVAL);
	assert_int_equal(import_image(store, ".", "x", NULL, NULL, &id, &err), -EISDIR);
	assert_int_equal(import_image(store, "import.tar", NULL, NULL, NULL, &id, &err), 0);
	free(id);
	blob_free(&b);
	sk_store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_forms, test_enter, test_leave),
		cmocka_unit_test_setup_teardown(test_docker_legacy, test_enter, test_leave),
		cmocka_unit_test_setup_teardown(test_stdin, test_enter, test_leave),
		cmocka_unit_test_setup_teardown(test_platforms, test_enter, test_leave),
		cmocka_unit_test_setup_teardown(test_small, test_enter, test_leave),
		cmocka_unit_test_setup_teardown(test_sharing, test_enter, test_leave),
		cmocka_unit_test_setup_teardown(test_same_twice, test_enter, test_leave),
		cmocka_unit_test_setup_teardown(test_commit_fails, test_enter, test_leave),
		cmocka_unit_test_setup_teardown(test_concurrent, test_enter, test_leave),
		cmocka_unit_test_setup_teardown(test_killed, test_enter, test_leave),
		cmocka_unit_test_setup_teardown(test_cancel, test_enter, test_leave),
		cmocka_unit_test_setup_teardown(test_cancel_waiting, test_enter, test_leave),
		cmocka_unit_test_setup_teardown(test_write_fails, test_enter, test_leave),
		cmocka_unit_test_setup_teardown(test_full_disk, test_enter, test_leave),
		cmocka_unit_test_setup_teardown(test_unwritable, test_enter, test_leave),
		cmocka_unit_test_setup_teardown(test_import, test_enter, test_leave),
	};

	setlocale(LC_CTYPE, "C.UTF-8"); /* for the writer of archives */
	return cmocka_run_group_tests_name("image-load", tests, NULL, NULL);
}
