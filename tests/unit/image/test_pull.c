/* SPDX-License-Identifier: Apache-2.0 */
/* Pull from a real registry: Debian's docker-registry, started here on the loopback address. */
#include "util.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "image/skopeo.h"

static const struct sk_pull_options plain = { .insecure = true };
static pid_t registry;
static int port;

static bool have_program(const char *name)
{
	int code;

	free(run((const char *const[]){ "sh", "-c", "command -v \"$0\"", name, NULL }, &code));
	return code == 0;
}

static int free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	_cleanup_fd_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	return ntohs(a.sin_port);
}

static bool answers(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				 .sin_port = htons((uint16_t)port) };
	_cleanup_fd_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0;
}

/* `extra`: further YAML. */
static void start_registry(const char *extra)
{
	_cleanup_free_ char *config = NULL;
	struct timespec pause = { .tv_nsec = 20000000 };
	int i;

	port = free_port();
	config = sk_asprintf("version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
			     "storage: {filesystem: {rootdirectory: ./registry}}\nhttp: {addr: '127.0.0.1:%d'}\n%s",
			     port, extra);
	write_file("registry.yml", config, strlen(config));
	registry = fork();
	assert_true(registry >= 0);
	if (registry == 0) {
		int fd = open("registry.log", O_WRONLY | O_CREAT | O_APPEND, 0600);

		dup2(fd, 1);
		dup2(fd, 2);
		unsetenv("OTEL_TRACES_EXPORTER");
		execlp("docker-registry", "docker-registry", "serve", "registry.yml", (char *)NULL);
		_exit(127);
	}
	for (i = 0; i < 500 && !answers(); i++)
		nanosleep(&pause, NULL);
	assert_true(answers());
}

static int stop_registry(void)
{
	if (registry > 0) {
		kill(registry, SIGTERM);
		waitpid(registry, NULL, 0);
	}
	registry = 0;
	return 0;
}

static int enter(void **state)
{
	static const char policy[] = "{\"default\":[{\"type\":\"insecureAcceptAnything\"}]}";
	int r = test_enter(state);

	if (r < 0)
		return r;
	/* Nobody's credentials or configuration. */
	setenv("HOME", "/nonexistent", 1);
	unsetenv("XDG_RUNTIME_DIR");
	unsetenv("REGISTRY_AUTH_FILE");
	write_file("policy.json", policy, strlen(policy));
	start_registry("");
	return 0;
}

static int leave(void **state)
{
	stop_registry();
	return test_leave(state);
}

static char *ref_of(const char *name)
{
	return sk_asprintf("127.0.0.1:%d/%s", port, name);
}

static void push(const char *layout, const char *name, const char *format)
{
	_cleanup_free_ char *from = sk_asprintf("oci:%s", layout),
			    *to = sk_asprintf("docker://127.0.0.1:%d/%s", port, name);

	free(RUN("skopeo", "--policy", "policy.json", "copy", "-q", "-f", format, "--dest-tls-verify=false", from, to));
}

static struct blob noise_layer(const char *name, size_t len)
{
	uint8_t *bytes = malloc(len);
	uint32_t x = (uint32_t)strlen(name) * 2654435761u + (uint8_t)name[0];
	struct tar *t = tar_new();
	struct blob b;
	size_t i;

	for (i = 0; i < len; i++) {
		x = x * 1664525u + 1013904223u;
		bytes[i] = (uint8_t)(x >> 24);
	}
	tar_bytes(t, name, bytes, len);
	free(bytes);
	b = tar_end(t);
	return b;
}

static char *pull_ok(struct sk_store *store, const char *name, const struct sk_progress *progress)
{
	_cleanup_free_ char *ref = ref_of(name);
	struct sk_error err = SK_ERROR_INIT;
	char *id;

	if (sk_store_pull(store, ref, &plain, progress, &id, &err) < 0)
		fail_msg("%s", err.message);
	return id;
}

static void pull_fails(struct sk_store *store, const char *ref, const struct sk_pull_options *o, int code,
		       const char *words)
{
	_cleanup_free_ char *before = snapshot("store"), *after = NULL;
	struct sk_error err = SK_ERROR_INIT;
	char *id;
	int r = sk_store_pull(store, ref, o, NULL, &id, &err);

	if (!strstr(err.message, words) || strchr(err.message, '\n'))
		fail_msg("wanted \"%s\", got: %s", words, err.message);
	assert_int_equal(r, -code);
	assert_null(id);
	after = snapshot("store");
	assert_string_equal(before, after);
}

struct seen {
	uint64_t done, total, first_total, fetched;
	int calls;
};

static void progress_cb(void *arg, const char *what, uint64_t done, uint64_t total)
{
	struct seen *s = arg;

	s->calls++;
	if (strcmp(what, "downloading") != 0)
		return;
	assert_true(done >= s->done && done <= total);
	assert_true(s->first_total == 0 || s->first_total == total);
	s->first_total = s->total = total;
	s->done = done;
}

/* Two images over one base: contents, names, digests; the second pull fetches its own layer only; the third nothing. */
static void test_pull(void **state)
{
	struct sk_store *store = open_store();
	struct blob a[2] = { noise_layer("base", 3u << 20), noise_layer("a", 100000) };
	struct blob b[3] = { noise_layer("base", 3u << 20), noise_layer("bb", 200000), noise_layer("bb", 200000) };
	_cleanup_free_ char *id_a = NULL, *id_b = NULL, *again = NULL, *by_digest = NULL, *before = NULL, *after = NULL;
	struct seen seen = { 0 };
	struct sk_progress progress = { progress_cb, &seen };
	struct sk_image *image;
	struct layout l, m;
	size_t i, len;

	(void)state;
	layout_make(&l, a, 2, "gzip", NULL);
	layout_make(&m, b, 3, "gzip", NULL);
	layout_write_dir(&l, "a");
	layout_write_dir(&m, "b");
	push("a", "team/a:1", "oci");
	push("b", "b:2", "v2s2");
	id_a = pull_ok(store, "team/a:1", &progress);
	assert_string_equal(id_a, l.config_digest.text);
	assert_int_equal(seen.done, seen.total);
	assert_true(seen.total > l.layers[0].blob.len + l.layers[1].blob.len);
	assert_int_equal(sk_store_find(store, id_a, &image, NULL), 0);
	assert_int_equal(image->n_layers, 2);
	assert_string_equal(image->digest, l.manifest_digest.text);
	sk_image_free(image);
	for (i = 0; i < 2; i++) {
		char *data = cat_layer(store, id_a, i, i ? "a" : "base", &len);

		assert_memory_equal(data, l.layers[i].tar.data + 512, len);
		free(data);
	}
	seen = (struct seen){ 0 };
	id_b = pull_ok(store, "b:2", &progress);
	assert_int_equal(seen.done, seen.total);
	assert_true(seen.total < m.layers[0].blob.len); /* not the base, the double layer once */
	assert_int_equal(sk_store_find(store, id_b, &image, NULL), 0);
	assert_int_equal(image->n_layers, 3);
	assert_string_equal(image->layers[1], image->layers[2]);
	/* By digest. */
	by_digest = sk_asprintf("b@%s", image->digest);
	sk_image_free(image);
	before = snapshot("store/images/layers");
	again = pull_ok(store, by_digest, NULL);
	assert_string_equal(again, id_b);
	free(again);
	again = pull_ok(store, "b:2", NULL);
	assert_string_equal(again, id_b);
	after = snapshot("store/images/layers");
	assert_string_equal(before, after);
	layout_free(&l);
	layout_free(&m);
	sk_store_close(store);
}

static void test_errors(void **state)
{
	struct sk_store *store = open_store();
	struct blob a[1] = { noise_layer("a", 1000) };
	_cleanup_free_ char *missing = NULL, *unknown = NULL, *good = NULL, *bad_digest = NULL, *closed = NULL;
	struct layout l;

	(void)state;
	layout_make(&l, a, 1, "gzip", NULL);
	layout_write_dir(&l, "a");
	push("a", "a:1", "oci");
	missing = ref_of("a:2");
	unknown = ref_of("nothing:1");
	good = ref_of("a:1");
	bad_digest = ref_of("a@sha256:0000000000000000000000000000000000000000000000000000000000000000");
	closed = sk_asprintf("127.0.0.1:%d/a:1", free_port());
	pull_fails(store, missing, &plain, ENOENT, "manifest unknown");
	pull_fails(store, unknown, &plain, ENOENT, "unknown");
	pull_fails(store, bad_digest, &plain, ENOENT, "manifest unknown");
	pull_fails(store, closed, &plain, ECONNREFUSED, "connection refused");
	pull_fails(store, good, NULL, EPROTO, "does not speak TLS");
	pull_fails(store, "Not:a:name", &plain, EINVAL, "not an image name");
	free(pull_ok(store, "a:1", NULL));
	layout_free(&l);
	sk_store_close(store);
}

static void test_platform(void **state)
{
	const struct sk_pull_options arm = { .insecure = true, .platform = "linux/arm64" },
				     vax = { .insecure = true, .platform = "plan9/vax" };
	struct sk_store *store = open_store();
	struct blob a[1] = { noise_layer("a", 1000) }, b[1] = { noise_layer("bb", 1000) };
	_cleanup_free_ char *index = NULL, *ref = NULL, *name = NULL, *id = NULL;
	struct sk_error err = SK_ERROR_INIT;
	struct sk_digest digest;
	struct layout l, m;

	(void)state;
	layout_make(&l, a, 1, "gzip", NULL);
	layout_make(&m, b, 1, "gzip", NULL);
	layout_write_dir(&l, "both");
	layout_write_dir(&m, "both");
	index = sk_asprintf(
		"{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"manifests\":["
		"{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"%s\",\"size\":%zu,"
		"\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}},"
		"{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"%s\",\"size\":%zu,"
		"\"platform\":{\"os\":\"linux\",\"architecture\":\"arm64\",\"variant\":\"v8\"}}]}",
		l.manifest_digest.text, strlen(l.manifest), m.manifest_digest.text, strlen(m.manifest));
	assert_int_equal(sk_sha256_buffer(index, strlen(index), &digest), 0);
	name = sk_asprintf("both/blobs/sha256/%s", sk_digest_hex(&digest));
	write_file(name, index, strlen(index));
	free(name);
	name = sk_asprintf(
		"{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.index.v1+json\","
		"\"digest\":\"%s\",\"size\":%zu}]}",
		digest.text, strlen(index));
	write_file("both/index.json", name, strlen(name));
	ref = sk_asprintf("docker://127.0.0.1:%d/multi:1", port);
	free(RUN("skopeo", "--policy", "policy.json", "copy", "-q", "--all", "--dest-tls-verify=false", "oci:both",
		 ref));
	free(ref);
	ref = ref_of("multi:1");
	if (sk_store_pull(store, ref, &arm, NULL, &id, &err) < 0)
		fail_msg("%s", err.message);
	assert_string_equal(id, m.config_digest.text);
	pull_fails(store, ref, &vax, ENOENT, "there is: linux/amd64, linux/arm64/v8");
	layout_free(&l);
	layout_free(&m);
	sk_store_close(store);
}

/* With a password: without it, with a wrong one, with the right one in the file that skopeo reads. */
static void test_login(void **state)
{
	/* user:secret, bcrypt */
	static const char htpasswd[] = "user:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n";
	static const char auth[] = "{\"auths\":{\"127.0.0.1:%d\":{\"auth\":\"%s\"}}}";
	struct sk_pull_options o = { .insecure = true, .auth_file = "auth.json" };
	struct sk_store *store = open_store();
	struct blob a[1] = { noise_layer("a", 1000) };
	_cleanup_free_ char *ref = NULL, *good = NULL, *wrong = NULL, *id = NULL;
	struct sk_error err = SK_ERROR_INIT;
	struct layout l;

	(void)state;
	layout_make(&l, a, 1, "gzip", NULL);
	layout_write_dir(&l, "a");
	push("a", "a:1", "oci");
	stop_registry();
	write_file("htpasswd", htpasswd, strlen(htpasswd));
	start_registry("auth: {htpasswd: {realm: test, path: ./htpasswd}}\n");
	ref = ref_of("a:1");
	good = sk_asprintf(auth, port, "dXNlcjpzZWNyZXQ=");
	wrong = sk_asprintf(auth, port, "dXNlcjp3cm9uZw==");
	pull_fails(store, ref, &plain, EACCES, "unauthorized");
	write_file("auth.json", wrong, strlen(wrong));
	pull_fails(store, ref, &o, EACCES, "unauthorized");
	write_file("auth.json", good, strlen(good));
	if (sk_store_pull(store, ref, &o, NULL, &id, &err) < 0)
		fail_msg("%s", err.message);
	layout_free(&l);
	sk_store_close(store);
}

/* A registry whose files were changed behind its back. */
static void test_damaged(void **state)
{
	struct sk_store *store = open_store();
	struct blob a[1] = { noise_layer("a", 100000) };
	_cleanup_free_ char *path = NULL, *ref = NULL, *data = NULL;
	struct layout l;
	size_t len;

	(void)state;
	layout_make(&l, a, 1, "gzip", NULL);
	layout_write_dir(&l, "a");
	push("a", "a:1", "oci");
	ref = ref_of("a:1");
	path = sk_asprintf("registry/docker/registry/v2/blobs/sha256/%.2s/%s/data",
			   sk_digest_hex(&l.layers[0].blob.digest), sk_digest_hex(&l.layers[0].blob.digest));
	data = read_file(path, &len);
	data[len / 2] ^= 1;
	write_file(path, data, len);
	pull_fails(store, ref, &plain, EIO, "igest did not match");
	assert_int_equal(unlink(path), 0);
	pull_fails(store, ref, &plain, EIO, "");
	layout_free(&l);
	sk_store_close(store);
}

struct cancel {
	struct sk_store *store;
};

static void cancel_cb(void *arg, const char *what, uint64_t done, uint64_t total)
{
	struct cancel *c = arg;

	(void)what;
	(void)done;
	(void)total;
	sk_store_cancel(c->store);
}

static void test_cancel(void **state)
{
	struct sk_store *store = open_store();
	_cleanup_free_ char *before = snapshot("store"), *after = NULL, *ref = NULL;
	struct blob a[1] = { noise_layer("a", 3u << 20) };
	struct cancel c = { store };
	struct sk_progress progress = { cancel_cb, &c };
	struct sk_error err = SK_ERROR_INIT;
	struct layout l;
	char *id;

	(void)state;
	layout_make(&l, a, 1, "gzip", NULL);
	layout_write_dir(&l, "a");
	push("a", "a:1", "oci");
	ref = ref_of("a:1");
	assert_int_equal(sk_store_pull(store, ref, &plain, &progress, &id, &err), -EINTR);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), 0); /* the registry only is left */
	after = snapshot("store");
	assert_string_equal(before, after);
	layout_free(&l);
	sk_store_close(store);
}

struct cancel_after {
	struct sk_store *store;
	char what[13];
};

static void cancel_after_cb(void *arg, const char *what, uint64_t done, uint64_t total)
{
	struct cancel_after *c = arg;

	if (strcmp(what, c->what) == 0 && done == total)
		sk_store_cancel(c->store);
}

/* An interrupted pull keeps what was complete: the next one does not need it from the registry; a prune removes it. */
/* Interrupts a pull when the first layer of two is made, and takes that layer's blob out of the registry. */
static char *interrupt_pull(char first, char second)
{
	const char names[2][2] = { { first, 0 }, { second, 0 } };
	struct blob blobs[2] = { noise_layer(names[0], 100000), noise_layer(names[1], 30u << 20) };
	_cleanup_free_ char *path = NULL, *name = sk_asprintf("%c:1", first);
	struct cancel_after c = { .store = open_store() };
	struct sk_progress progress = { cancel_after_cb, &c };
	char *ref = ref_of(name), *id;
	struct sk_error err = SK_ERROR_INIT;
	struct layout l;

	layout_make(&l, blobs, 2, "gzip", NULL);
	layout_write_dir(&l, names[0]);
	push(names[0], name, "oci");
	memcpy(c.what, sk_digest_hex(&l.layers[0].blob.digest), 12);
	if (sk_store_pull(c.store, ref, &plain, &progress, &id, &err) != -EINTR)
		fail_msg("%s", err.message);
	sk_store_close(c.store);
	path = sk_asprintf("registry/docker/registry/v2/blobs/sha256/%.2s/%s/data",
			   sk_digest_hex(&l.layers[0].blob.digest), sk_digest_hex(&l.layers[0].blob.digest));
	assert_int_equal(unlink(path), 0);
	layout_free(&l);
	return ref;
}

/* An interrupted pull keeps what was complete: the next one does not need it from the registry; a prune removes it. */
static void test_resume(void **state)
{
	_cleanup_free_ char *kept = interrupt_pull('a', 'b'), *pruned = NULL, *id = NULL, *husks = NULL;
	struct sk_store *store = open_store();
	struct sk_error err = SK_ERROR_INIT;
	uint64_t bytes;
	json_t *list;

	(void)state;
	if (sk_store_pull(store, kept, &plain, NULL, &id, &err) < 0)
		fail_msg("%s", err.message);
	/* what was complete has its husk as well as what was fetched now */
	husks = RUN("sh", "-c",
		    "ls store/images/layers/*.squashfs store/images/layers/*.husk | sed 's/.*[.]//' | sort | uniq -c "
		    "| tr -s ' \\n' ' '");
	assert_string_equal(husks, " 2 husk 2 squashfs ");
	sk_store_close(store);
	pruned = interrupt_pull('c', 'd');
	store = open_store();
	assert_int_equal(sk_store_prune(store, false, NULL, NULL, &list, &bytes, NULL), 0);
	assert_true(bytes > 100000);
	json_decref(list);
	free(id);
	assert_true(sk_store_pull(store, pruned, &plain, NULL, &id, NULL) < 0);
	sk_store_close(store);
}

/* A skopeo of our own that lies: `inspect` gives the file "manifest", `copy` runs the lines given. */
static void fake_skopeo(const char *copy)
{
	_cleanup_free_ char *script = sk_asprintf("#!/bin/sh\n"
						  "for last; do :; done\n"
						  "case \"$*\" in\n"
						  "*inspect*) cat \"$FAKE/manifest\" ;;\n"
						  "*) cd \"${last#dir:}\" && echo >version || exit\n%s\n;;\n"
						  "esac\n",
						  copy);

	write_file("skopeo", script, strlen(script));
	assert_int_equal(chmod("skopeo", 0755), 0);
}

static void test_lies(void **state)
{
	_cleanup_free_ char *old_path = strdup(getenv("PATH")), *path = NULL, *here = getcwd(NULL, 0), *copy = NULL;
	_cleanup_free_ char *by_digest = NULL, *config = NULL, *partly = NULL, *lie = NULL;
	struct blob a[1] = { noise_layer("a", 100000) };
	struct sk_store *store = open_store();
	struct layout l;

	(void)state;
	path = sk_asprintf("%s:%s", here, old_path);
	setenv("FAKE", here, 1);
	layout_make(&l, a, 1, "gzip", NULL);
	layout_write_dir(&l, "layout");
	write_file("manifest", l.manifest, strlen(l.manifest));
	/* As skopeo does it: what has its name is complete. */
	copy = sk_asprintf("for f in \"$FAKE\"/layout/blobs/sha256/*; do cp \"$f\" dir-put-blob1 && mv dir-put-blob1 "
			   "\"${f##*/}\"; done");
	config = sk_asprintf("%s; chmod u+w %s; echo >>%s", copy, sk_digest_hex(&l.config_digest),
			     sk_digest_hex(&l.config_digest));
	/* (What has been there once is taken by us at any time.) */
	partly = sk_asprintf("cp \"$FAKE\"/layout/blobs/sha256/%s .", sk_digest_hex(&l.config_digest));
	setenv("PATH", path, 1);
	fake_skopeo(config);
	pull_fails(store, "x:1", NULL, EBADMSG, "wrong digest: the configuration is");
	fake_skopeo(partly);
	pull_fails(store, "x:1", NULL, EIO, "layer 1 did not arrive");
	fake_skopeo("sleep 0.1; head -c 30000000 /dev/zero >dir-put-blob1; exec sleep 60");
	pull_fails(store, "x:1", NULL, EFBIG, "sends more than the manifest says");
	fake_skopeo("exit 3");
	pull_fails(store, "x:1", NULL, EIO, "skopeo failed with exit code 3");
	by_digest = sk_asprintf("x@sha256:%064d", 0);
	pull_fails(store, by_digest, NULL, EBADMSG, "wrong digest: the registry's manifest is");
	write_file("manifest", "{", 1);
	pull_fails(store, "x:1", NULL, EINVAL, "not valid JSON");
	/* A config whose digest is right and whose diff ids are another image's. */
	free(l.config);
	l.config = sk_asprintf("{\"rootfs\":{\"diff_ids\":[\"sha256:%064d\"]}}", 0);
	assert_int_equal(sk_sha256_buffer(l.config, strlen(l.config), &l.config_digest), 0);
	free(l.manifest);
	l.manifest = make_manifest(&l);
	write_file("manifest", l.manifest, strlen(l.manifest));
	layout_write_dir(&l, "layout");
	fake_skopeo(copy);
	pull_fails(store, "x:1", NULL, EBADMSG, "wrong digest: layer 1 is");
	/* A layer that is something else: checked against the manifest. */
	lie = sk_asprintf("cp \"$FAKE\"/layout/blobs/sha256/%s %s", sk_digest_hex(&l.config_digest),
			  sk_digest_hex(&l.layers[0].blob.digest));
	fake_skopeo(lie);
	pull_fails(store, "x:1", NULL, EBADMSG, "layer ");
	setenv("PATH", old_path, 1);
	layout_free(&l);
	sk_store_close(store);
}

/* Credentials: whose file is taken, by what the environment says. */
static void test_credentials(void **state)
{
	static const char script[] = "#!/bin/sh\necho \"$@\" >\"$FAKE/said\"; exit 3\n";
	_cleanup_free_ char *old_path = strdup(getenv("PATH")), *here = getcwd(NULL, 0), *path = NULL, *home = NULL;
	struct sk_store *store = open_store();
	size_t len;
	char *said;

	(void)state;
	path = sk_asprintf("%s:%s", here, old_path);
	home = sk_asprintf("%s/home", here);
	write_file("skopeo", script, strlen(script));
	assert_int_equal(chmod("skopeo", 0755), 0);
	setenv("FAKE", here, 1);
	setenv("PATH", path, 1);
	setenv("HOME", home, 1);
	unsetenv("XDG_RUNTIME_DIR");
	unsetenv("XDG_CONFIG_HOME");
	assert_int_equal(mkdir("home", 0755), 0);
	assert_int_equal(mkdir("home/.docker", 0755), 0);
	/* None at all: skopeo's own rules. */
	pull_fails(store, "x:1", NULL, EIO, "");
	said = read_file("said", &len);
	assert_null(strstr(said, "auth"));
	assert_null(strstr(said, "creds"));
	free(said);
	/* Our own. */
	write_file("home/.docker/config.json", "{}", 2);
	pull_fails(store, "x:1", NULL, EIO, "");
	said = read_file("said", &len);
	assert_non_null(strstr(said, "/home/.docker/config.json"));
	free(said);
	/* A file of another user, or something else than a file, is not used. */
	unlink("home/.docker/config.json");
	if (geteuid() == 0) {
		write_file("home/.docker/config.json", "{}", 2);
		assert_int_equal(chown("home/.docker/config.json", 12345, 12345), 0);
	} else {
		assert_int_equal(mkdir("home/.docker/config.json", 0), 0);
	}
	pull_fails(store, "x:1", NULL, EIO, "");
	said = read_file("said", &len);
	assert_non_null(strstr(said, "--no-creds"));
	free(said);
	setenv("PATH", old_path, 1);
	sk_store_close(store);
}

/* Messages of skopeo as they were seen, and ours for them. */
static void test_words(void **state)
{
	static const struct {
		const char *text, *words;
		int code;
	} rows[] = {
		{ "time=\"2022\" level=fatal msg=\"Error parsing image name \\\"docker://x/y:z\\\": reading manifest z "
		  "in x/y: "
		  "manifest unknown: manifest unknown\"\n",
		  "manifest unknown: no such image or tag", ENOENT },
		{ "time=\"2022\" level=warning msg=\"a\"\ntime=\"2022\" level=fatal msg=\"initializing source "
		  "docker://x/y:z: "
		  "pinging container registry x: Get \\\"https://x/v2/\\\": dial tcp: lookup x: no such host\"\n",
		  "no such host: x", EHOSTUNREACH },
		{ "msg=\"dial tcp: lookup nosuch.invalid on 10.0.0.1:53: no such host\"",
		  "no such host: nosuch.invalid", EHOSTUNREACH },
		{ "level=fatal msg=\"initializing source docker://a/b:c: something \\\"new\\\" happened\"\n",
		  "something \"new\" happened", EIO },
		{ "level=fatal msg=\"copying: Get https://x/v2/: x509: certificate signed by unknown authority\"",
		  "x509: certificate signed by unknown authority", EPROTO },
		{ "panic: all broken\nat line 2", "at line 2", EIO },
		{ "", "skopeo failed without saying why", EIO },
		{ "msg=\"", "skopeo failed without saying why", EIO },
		{ "msg=\"x\\", "x\\", EIO },
	};
	char out[512];
	size_t i;

	(void)state;
	for (i = 0; i < SK_ARRAY_SIZE(rows); i++) {
		assert_int_equal(sk_skopeo_reason(rows[i].text, out, sizeof(out)), rows[i].code);
		assert_string_equal(out, rows[i].words);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test_setup_teardown(test_credentials, enter, leave),
		cmocka_unit_test_setup_teardown(test_pull, enter, leave),
		cmocka_unit_test_setup_teardown(test_errors, enter, leave),
		cmocka_unit_test_setup_teardown(test_platform, enter, leave),
		cmocka_unit_test_setup_teardown(test_login, enter, leave),
		cmocka_unit_test_setup_teardown(test_damaged, enter, leave),
		cmocka_unit_test_setup_teardown(test_cancel, enter, leave),
		cmocka_unit_test_setup_teardown(test_resume, enter, leave),
		cmocka_unit_test_setup_teardown(test_lies, test_enter, test_leave),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	if (!have_program("docker-registry") || !have_program("skopeo")) {
		printf("image-pull: needs docker-registry and skopeo: skipped\n");
		return 77;
	}
	return cmocka_run_group_tests_name("image-pull", tests, NULL, NULL);
}
