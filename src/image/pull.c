/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pull. Theory of operation.
 *
 * The manifest is fetched first (an index: then the one for the platform, by digest); from here on everything is named
 * by a digest, so that the registry cannot give us two different images. Then `skopeo copy` puts the blobs into a
 * directory, several at a time; each layer is converted as soon as its file is complete, while skopeo fetches others,
 * and the file is removed. Layers that the store has (known by the manifests of other images) are not fetched: skopeo
 * finds an empty file of their name and size and leaves them out.
 *
 * A pull that is interrupted keeps what is complete for the next one, see partial.c.
 *
 * What arrives is checked here: digest and size of each blob, diff ids against the config, which comes last. More bytes
 * than the manifest announces end the pull.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "image/image_internal.h"
#include "image/skopeo.h"

#define DIRECTORY "pull"
#define POLL_MS 50
#define START_MS 2	  /* until skopeo has prepared its directory */
#define SLACK (16u << 20) /* manifest, signatures */

struct pull_layer {
	struct sk_digest diff_id;
	bool done;    /* converted, or the store's */
	bool skipped; /* the store's, or kept by an earlier pull: not fetched */
	bool ours;    /* made of the blob, now or by an earlier pull */
	bool bad;     /* no layer could be made of the blob */
};

struct pull {
	struct sk_store_op *op;
	struct sk_skopeo skopeo;
	struct sk_name name;
	char *manifest_data;
	size_t manifest_len;
	struct sk_digest top, digest; /* digest that the name resolves to; digest of the manifest */
	struct sk_manifest manifest;
	struct pull_layer *layers;
	int dirfd; /* the directory that skopeo writes to */
	bool placed;
	uint64_t total, converted; /* bytes of blobs to fetch; of those converted and removed */
	uint64_t most;		   /* bytes of all blobs: what skopeo may bring at the very most */
	uint64_t shown;		   /* the progress that was told last: it does not go back */
	struct sk_error watch_err; /* why a conversion was interrupted */
};

/* ---- manifest */

static int fetch_manifest(struct pull *p, const struct sk_digest *digest, struct sk_error *err)
{
	_cleanup_free_ char *ref = digest ? sk_asprintf("%s@%s", p->name.repo, digest->text) : sk_name_key(&p->name);
	int r;

	if (!ref)
		return sk_error_errno(err, ENOMEM, "cannot fetch the manifest");
	free(p->manifest_data);
	p->manifest_data = NULL;
	r = sk_skopeo_manifest(&p->skopeo, ref, &p->manifest_data, &p->manifest_len, err);
	if (r < 0)
		return r;
	if (sk_sha256_buffer(p->manifest_data, p->manifest_len, &p->digest) < 0)
		return sk_error_errno(err, ENOMEM, "cannot fetch the manifest");
	if (digest && !sk_digest_equal(digest, &p->digest))
		return sk_error_set(err, EBADMSG, "wrong digest: the registry's manifest is %s, not %s", p->digest.text,
				    digest->text);
	return 0;
}

/* Follows an index to this platform's manifest. */
static int choose_manifest(struct pull *p, struct sk_error *err)
{
	const char *platform = p->skopeo.options->platform;
	const struct sk_index_entry *chosen;
	struct sk_index index;
	struct sk_digest digest;
	char have[200];
	int r = sk_index_parse(p->manifest_data, p->manifest_len, &index, err);

	if (r < 0)
		return r;
	chosen = sk_index_choose(&index, platform);
	if (chosen)
		digest = chosen->desc.digest;
	else
		sk_index_platforms(&index, have, sizeof(have));
	sk_index_fini(&index);
	if (!chosen)
		return sk_error_set(err, ENOENT, "no image for %s (there is: %s)",
				    platform ? platform : sk_platform_host(), have);
	return fetch_manifest(p, &digest, err);
}

static int get_manifest(struct pull *p, struct sk_error *err)
{
	enum sk_document kind;
	int depth, r = fetch_manifest(p, p->name.digest.text[0] ? &p->name.digest : NULL, err);

	p->top = p->digest;
	for (depth = 0; r == 0; depth++) {
		r = sk_document_kind(p->manifest_data, p->manifest_len, &kind, err);
		if (r < 0 || kind == SK_DOC_MANIFEST)
			break;
		r = depth < 4 ? choose_manifest(p, err)
			      : sk_error_set(err, ELOOP, "indexes refer to each other too deep");
	}
	if (r == 0)
		r = sk_manifest_parse(p->manifest_data, p->manifest_len, &p->manifest, err);
	if (r == 0) {
		p->layers = calloc(p->manifest.n_layers + 1, sizeof(*p->layers));
		if (!p->layers)
			r = sk_error_errno(err, ENOMEM, "cannot fetch the manifest");
	}
	return r;
}

/* ---- blobs that the store has */

/* Learns from one image of the store which diff ids our layers have. */
static void learn(struct pull *p, const struct sk_digest *manifest)
{
	_cleanup_free_ char *data = NULL, *config_data = NULL;
	struct sk_config config = { .json = NULL };
	struct sk_manifest m = { .n_layers = 0 };
	size_t len, i, k;

	if (sk_store_blob(p->op->store, manifest, &data, &len, NULL) == 0 &&
	    sk_manifest_parse(data, len, &m, NULL) == 0 &&
	    sk_store_blob(p->op->store, &m.config.digest, &config_data, &len, NULL) == 0 &&
	    sk_config_parse(config_data, len, &config, NULL) == 0 && config.n_diff_ids == m.n_layers)
		for (i = 0; i < p->manifest.n_layers; i++)
			for (k = 0; !p->layers[i].done && k < m.n_layers; k++)
				if (sk_digest_equal(&p->manifest.layers[i].digest, &m.layers[k].digest) &&
				    sk_op_have_layer(p->op, &config.diff_ids[k])) {
					p->layers[i].diff_id = config.diff_ids[k];
					p->layers[i].done = p->layers[i].skipped = true;
				}
	sk_config_fini(&config);
	sk_manifest_fini(&m);
}

static int learn_all(struct pull *p, struct sk_error *err)
{
	json_t *refs, *entry;
	const char *id;
	int r = sk_refs_load(p->op->store, &refs, err);

	if (r < 0)
		return r;
	json_object_foreach(sk_refs_images(refs), id, entry)
	{
		struct sk_digest d;

		if (sk_digest_parse(json_string_value(json_object_get(entry, "manifest")), &d))
			learn(p, &d);
	}
	json_decref(refs);
	return 0;
}

/* Keeps complete blobs if the next attempt may succeed. */
static void keep_fetched(struct pull *p, int r)
{
	static const int passing[] = { EINTR, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, ECONNREFUSED, ECONNRESET, EIO };
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(passing) && r != -passing[i]; i++)
		;
	if (i == SK_ARRAY_SIZE(passing))
		return;
	for (i = 0; i < p->manifest.n_layers; i++) {
		const struct sk_descriptor *d = &p->manifest.layers[i];

		if (p->layers[i].ours)
			sk_partial_keep_layer(p->op, &d->digest, &p->layers[i].diff_id);
		else if (!p->layers[i].done && !p->layers[i].bad)
			sk_partial_keep_blob(p->op, p->dirfd, d);
	}
}

/* The first layer of the same digest: what happens to it happens to all. */
static size_t first_of(const struct pull *p, size_t i)
{
	size_t k = 0;

	while (!sk_digest_equal(&p->manifest.layers[k].digest, &p->manifest.layers[i].digest))
		k++;
	return k;
}

static int count_bytes(struct pull *p, struct sk_error *err)
{
	uint64_t max = p->op->store->limits.max_blob;
	struct statvfs st;
	size_t i;

	p->total = p->most = (uint64_t)p->manifest.config.size;
	for (i = 0; i < p->manifest.n_layers; i++) {
		uint64_t size = (uint64_t)p->manifest.layers[i].size;

		if (size > max)
			return sk_error_set(err, EFBIG, "layer %zu is larger than %" PRIu64 " bytes", i + 1, max);
		if (first_of(p, i) != i)
			continue;
		p->most += size;
		if (!p->layers[i].done)
			p->total += size;
	}
	if (fstatvfs(p->op->dirfd, &st) == 0 && (uint64_t)st.f_bavail * st.f_frsize < p->total)
		return sk_error_set(err, ENOSPC, "no space left on device: %" PRIu64 " MiB are needed in %s",
				    p->total >> 20, p->op->store->path);
	return 0;
}

/* ---- while skopeo works */

/* Files that make skopeo leave out what we have. It empties the directory when it begins, then writes "version". */
static void place_known(struct pull *p)
{
	size_t i;

	if (p->placed || faccessat(p->dirfd, "version", F_OK, 0) < 0)
		return;
	p->placed = true;
	for (i = 0; i < p->manifest.n_layers; i++) {
		const struct sk_descriptor *d = &p->manifest.layers[i];
		_cleanup_fd_ int fd = -1;

		if (!p->layers[i].skipped)
			continue;
		/* If this fails, or comes too late, the layer is fetched for nothing. */
		fd = openat(p->dirfd, sk_digest_hex(&d->digest), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd >= 0 && ftruncate(fd, d->size) < 0)
			unlinkat(p->dirfd, sk_digest_hex(&d->digest), 0);
	}
}

/* Bytes on disk in the directory: of blobs that are arriving or wait to be converted. */
static uint64_t bytes_present(struct pull *p)
{
	_cleanup_closedir_ DIR *dir = sk_fs_opendir(p->dirfd, ".");
	struct dirent *de;
	uint64_t sum = 0;

	if (!dir)
		return 0;
	while ((de = readdir(dir))) {
		struct stat st;

		if (fstatat(dirfd(dir), de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
			continue;
		/* Our own empty files have a size and no blocks. */
		if (st.st_blocks || st.st_size < 4096)
			sum += (uint64_t)st.st_size;
	}
	return sum;
}

/* A blob that skopeo renames meanwhile may be counted twice, or not at all. */
static int watch(struct pull *p, struct sk_error *err)
{
	uint64_t done = bytes_present(p) + p->converted;

	place_known(p);
	if (sk_op_cancelled(p->op, err) < 0)
		return -EINTR;
	if (p->skopeo.pid && done > p->most + SLACK && bytes_present(p) + p->converted > p->most + SLACK)
		return sk_error_set(err, EFBIG, "the registry sends more than the manifest says");
	if (done > p->total)
		done = p->total;
	if (done > p->shown)
		p->shown = done;
	sk_op_progress(p->op, "downloading", p->shown, p->total);
	return 0;
}

/* Called while a layer is converted, so that the download of others continues. */
static int convert_tick(void *arg, uint64_t bytes)
{
	struct pull *p = arg;

	sk_op_progress(p->op, p->op->what, bytes, p->op->total);
	return watch(p, &p->watch_err) < 0;
}

/* Makes a layer image of a blob. */
static int convert_blob(struct pull *p, size_t i, int fd, struct sk_error *err)
{
	const struct sk_descriptor *d = &p->manifest.layers[i];
	struct sk_input_fd in;
	struct sk_layer_read job = { .blob = &in.in,
				     .blob_digest = &d->digest,
				     .blob_size = d->size,
				     .small = d->small,
				     .keep_husk = true,
				     .tick = convert_tick,
				     .tick_arg = p };
	char what[13];
	int r;

	memcpy(what, sk_digest_hex(&d->digest), 12);
	what[12] = '\0';
	sk_input_fd_init(&in, fd, NULL);
	r = sk_op_convert(p->op, &job, what, (uint64_t)d->size, err);
	if (r < 0 && p->watch_err.code) {
		if (err)
			*err = p->watch_err;
		return r;
	}
	if (r < 0) {
		p->layers[i].bad = true;
		return sk_error_wrap(err, "layer %s", what);
	}
	p->layers[i].diff_id = job.ret_diff_id;
	p->layers[i].done = p->layers[i].ours = true;
	return 0;
}

static int convert_layer(struct pull *p, size_t i, struct sk_error *err)
{
	const struct sk_descriptor *d = &p->manifest.layers[i];
	_cleanup_fd_ int fd = openat(p->dirfd, sk_digest_hex(&d->digest), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int r;

	if (fd < 0)
		return errno == ENOENT ? 0 : sk_error_errno(err, errno, "cannot read layer %zu", i + 1);
	r = convert_blob(p, i, fd, err);
	if (r == 0 && unlinkat(p->dirfd, sk_digest_hex(&d->digest), 0) == 0)
		p->converted += (uint64_t)d->size;
	return r;
}

/* Reuses what an interrupted pull has left: layers, and blobs from which layers are made. Whatever is unusable is
 * fetched again. */
static int take_kept(struct pull *p, struct sk_error *err)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < p->manifest.n_layers; i++) {
		const struct sk_descriptor *d = &p->manifest.layers[i];
		struct pull_layer *l = &p->layers[i];
		_cleanup_fd_ int fd = -1;

		if (l->done)
			continue;
		if (sk_partial_take_layer(p->op, &d->digest, &l->diff_id))
			l->done = l->ours = true;
		else if ((fd = sk_partial_take_blob(p->op, d)) >= 0)
			(void)convert_blob(p, i, fd, NULL);
		l->skipped = l->done;
		l->bad = false;
		r = sk_op_cancelled(p->op, err);
	}
	p->watch_err = (struct sk_error)SK_ERROR_INIT;
	return r;
}

/* Converts the layers that are complete. */
static int convert_ready(struct pull *p, struct sk_error *err)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < p->manifest.n_layers; i++) {
		size_t first = first_of(p, i);

		if (p->layers[i].done)
			continue;
		if (first == i)
			r = convert_layer(p, i, err);
		else if (p->layers[first].done)
			p->layers[i] = p->layers[first];
	}
	return r;
}

static int fetch(struct pull *p, struct sk_error *err)
{
	_cleanup_free_ char *ref = sk_asprintf("%s@%s", p->name.repo, p->digest.text);
	_cleanup_free_ char *directory = sk_asprintf("%s/tmp/%s/" DIRECTORY, p->op->store->path, p->op->name);
	int r;

	if (!ref || !directory)
		return sk_error_errno(err, ENOMEM, "cannot pull");
	if (mkdirat(p->op->dirfd, DIRECTORY, 0700) < 0 ||
	    (p->dirfd = openat(p->op->dirfd, DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return sk_error_errno(err, errno, "cannot write to the image store %s", p->op->store->path);
	r = sk_skopeo_copy(&p->skopeo, ref, directory, err);
	while (r == 0) {
		int running = sk_skopeo_wait(&p->skopeo, p->placed ? POLL_MS : START_MS, err);

		if (running < 0)
			return running;
		r = watch(p, err);
		if (r == 0)
			r = convert_ready(p, err);
		if (!running)
			break;
	}
	sk_skopeo_kill(&p->skopeo);
	return r;
}

/* ---- the end */

static int check_config(struct pull *p, const char *data, size_t len, struct sk_error *err)
{
	struct sk_config config;
	struct sk_digest have;
	size_t i;
	int r;

	if (sk_sha256_buffer(data, len, &have) < 0)
		return sk_error_errno(err, ENOMEM, "cannot read the image's configuration");
	if (!sk_digest_equal(&have, &p->manifest.config.digest))
		return sk_error_set(err, EBADMSG, "wrong digest: the configuration is %s, not %s", have.text,
				    p->manifest.config.digest.text);
	r = sk_config_parse(data, len, &config, err);
	if (r < 0)
		return r;
	if (config.n_diff_ids != p->manifest.n_layers)
		r = sk_error_set(err, EINVAL, "the image has %zu layers, its configuration lists %zu",
				 p->manifest.n_layers, config.n_diff_ids);
	for (i = 0; r == 0 && i < config.n_diff_ids; i++) {
		if (!p->layers[i].done)
			r = sk_error_set(err, EIO, "layer %zu did not arrive", i + 1);
		else if (!sk_digest_equal(&config.diff_ids[i], &p->layers[i].diff_id))
			r = sk_error_set(err, EBADMSG,
					 "wrong digest: layer %zu is %s unpacked, the image's configuration says %s",
					 i + 1, p->layers[i].diff_id.text, config.diff_ids[i].text);
	}
	sk_config_fini(&config);
	return r;
}

static int commit(struct pull *p, const char *config, size_t config_len, struct sk_error *err)
{
	char *key = sk_name_key(&p->name);
	char *by_top = sk_asprintf("%s@%s", p->name.repo, p->top.text);
	char *by_digest = sk_asprintf("%s@%s", p->name.repo, p->digest.text);
	char *keys[] = { key, NULL }, *implied[] = { by_top, by_digest, NULL };
	struct sk_op_image image = {
		.id = p->manifest.config.digest, .manifest = p->digest, .keys = keys, .implied = implied
	};
	int r = 0;

	if (!key || !by_top || !by_digest)
		r = sk_error_errno(err, ENOMEM, "cannot pull");
	if (r == 0)
		r = sk_op_blob(p->op, &p->digest, p->manifest_data, p->manifest_len, err);
	if (r == 0)
		r = sk_op_blob(p->op, &image.id, config, config_len, err);
	if (r == 0)
		r = sk_op_commit(p->op, &image, 1, err);
	free(key);
	free(by_top);
	free(by_digest);
	return r;
}

/* Is the very manifest in the store, with all it needs? Then only names change. */
static bool have_all(struct pull *p, char **ret_config, size_t *ret_len)
{
	size_t i;

	for (i = 0; i < p->manifest.n_layers; i++)
		if (!p->layers[i].done)
			return false;
	return sk_store_blob(p->op->store, &p->manifest.config.digest, ret_config, ret_len, NULL) == 0;
}

static int pull_op(struct pull *p, struct sk_error *err)
{
	_cleanup_free_ char *config = NULL;
	size_t len = 0;
	int r = get_manifest(p, err);

	if (r == 0)
		r = learn_all(p, err);
	if (r == 0)
		r = take_kept(p, err);
	if (r == 0 && !have_all(p, &config, &len)) {
		r = count_bytes(p, err);
		if (r == 0)
			r = fetch(p, err);
		if (r == 0) {
			r = sk_fs_read(p->dirfd, sk_digest_hex(&p->manifest.config.digest), SK_JSON_MAX, &config, &len);
			if (r < 0)
				sk_error_errno(err, r, "cannot read the image's configuration");
		}
	}
	if (r == 0)
		r = check_config(p, config, len, err);
	if (r == 0 && p->total)
		sk_op_progress(p->op, "downloading", p->total, p->total);
	return r == 0 ? commit(p, config, len, err) : r;
}

int sk_store_pull(struct sk_store *store, const char *ref, const struct sk_pull_options *options,
		  const struct sk_progress *progress, char **ret_id, struct sk_error *err)
{
	static const struct sk_pull_options none;
	struct pull p = { .dirfd = -1 };
	struct sk_store_op op;
	int r = sk_name_parse(ref, &p.name, err);

	*ret_id = NULL;
	if (r == 0)
		r = sk_op_begin(store, progress, &op, err);
	if (r == 0) {
		p.op = &op;
		p.skopeo = (struct sk_skopeo){ .op = &op, .options = options ? options : &none, .pidfd = -1 };
		r = pull_op(&p, err);
		sk_skopeo_kill(&p.skopeo);
		keep_fetched(&p, r);
		if (r == 0 && !(*ret_id = strdup(p.manifest.config.digest.text)))
			r = sk_error_errno(err, ENOMEM, "cannot pull");
		sk_close_fd(&p.dirfd);
		sk_op_end(&op);
	}
	sk_manifest_fini(&p.manifest);
	sk_name_fini(&p.name);
	free(p.layers);
	free(p.manifest_data);
	return r < 0 ? sk_fail(err, "pull", ref) : 0;
}
