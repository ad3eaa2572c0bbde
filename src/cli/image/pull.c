/* SPDX-License-Identifier: Apache-2.0 */
/* skerry pull as other commands use it: progress bars, which registries need no TLS, cancelling by a signal. */
#include "cli/image/pull.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/loop.h"
#include "image/manifest.h"
#include "model/units.h"

#define REDRAW_MS 100
#define BAR_WIDTH 30

static bool is_done(const struct sk_bar *b)
{
	return b->total && b->done >= b->total;
}

static void draw_bar(FILE *out, const struct sk_bar *b)
{
	char done[32], total[32], bar[BAR_WIDTH + 1];
	size_t n = b->total ? (size_t)(b->done * BAR_WIDTH / b->total) : 0, i;

	if (is_done(b)) {
		fprintf(out, "%s: complete\033[K\n", b->what);
		return;
	}
	sk_format_size((double)b->done, 4, done);
	if (!b->total) {
		fprintf(out, "%s: %s\033[K\n", b->what, done);
		return;
	}
	for (i = 0; i < BAR_WIDTH; i++)
		bar[i] = i < n ? '=' : (i == n ? '>' : ' ');
	bar[BAR_WIDTH] = '\0';
	sk_format_size((double)b->total, 4, total);
	fprintf(out, "%s: [%s] %s/%s\033[K\n", b->what, bar, done, total);
}

static void draw(struct sk_bars *bars)
{
	unsigned i;

	if (bars->drawn)
		fprintf(bars->out, "\033[%uA", bars->drawn);
	for (i = 0; i < bars->n; i++)
		draw_bar(bars->out, &bars->v[i]);
	bars->drawn = bars->n;
	fflush(bars->out);
}

static void on_progress(void *arg, const char *what, uint64_t done, uint64_t total)
{
	struct sk_bars *bars = arg;
	uint64_t now = sk_now_ms();
	struct sk_bar *b;
	unsigned i;

	for (i = 0; i < bars->n && strcmp(bars->v[i].what, what) != 0; i++)
		;
	if (i == SK_BARS_MAX)
		return;
	b = &bars->v[i];
	if (i == bars->n) {
		bars->n++;
		snprintf(b->what, sizeof(b->what), "%.39s", what);
		bars->last_ms = 0;
	}
	b->done = done;
	b->total = total;
	if (bars->silent)
		return;
	if (bars->tty) {
		if (now - bars->last_ms < REDRAW_MS && !is_done(b))
			return;
		bars->last_ms = now;
		draw(bars);
	} else if (is_done(b) && !b->announced) {
		b->announced = true;
		fprintf(bars->out, "%s: complete\n", b->what);
		fflush(bars->out);
	}
}

void sk_bars_init(struct sk_bars *bars, FILE *out, bool silent, struct sk_progress *ret_progress)
{
	*bars = (struct sk_bars){ .out = out, .tty = isatty(fileno(out)), .silent = silent };
	*ret_progress = (struct sk_progress){ .cb = on_progress, .arg = bars };
}

void sk_bars_finish(struct sk_bars *bars)
{
	if (bars->tty && !bars->silent && bars->n)
		draw(bars);
}

char *sk_pull_with_tag(const char *ref)
{
	const char *slash = strrchr(ref, '/'), *last = slash ? slash + 1 : ref;

	return strpbrk(last, ":@") ? sk_xstrdup(ref) : sk_xasprintf("%s:latest", ref);
}

void sk_pull_announce_missing(const char *ref)
{
	_cleanup_free_ char *full = sk_pull_with_tag(ref);

	fprintf(stderr, "Unable to find image '%s' locally\n", full);
}

/* A registry on this very machine needs no TLS, as with docker: "localhost:5000/x", "127.0.0.1:5000/x", "[::1]:5000/x".
 */
static bool is_local_registry(const char *ref)
{
	return strchr(ref, '/') && (strncmp(ref, "localhost/", 10) == 0 || strncmp(ref, "localhost:", 10) == 0 ||
				    strncmp(ref, "127.", 4) == 0 || strncmp(ref, "[::1]", 5) == 0);
}

static struct sk_store *cancelled_store;

static void on_cancel(int sig)
{
	(void)sig;
	sk_store_cancel(cancelled_store);
}

void sk_pull_cancel_on_signals(struct sk_store *store)
{
	/* Twice is meant: the second one has the default action. */
	struct sigaction sa = { .sa_handler = on_cancel, .sa_flags = (int)(SA_RESETHAND | SA_RESTART) };

	cancelled_store = store;
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
}

static void stop_cancelling(void)
{
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	cancelled_store = NULL;
}

int sk_pull(struct sk_cli *cli, const struct sk_pull *pull, char **ret_id, struct sk_error *err)
{
	_cleanup_free_ char *full = sk_pull_with_tag(pull->ref), *id = NULL;
	FILE *out = pull->to_stderr ? stderr : stdout;
	struct sk_error unknown = SK_ERROR_INIT;
	struct sk_image *before = NULL, *after = NULL;
	struct sk_progress progress;
	struct sk_pull_options options = pull->options;
	struct sk_store *store;
	struct sk_bars bars;
	int r = sk_cli_store(cli, &store, err);

	if (r < 0)
		return r;
	sk_store_find(store, full, &before, &unknown);
	if (!pull->quiet)
		fprintf(out, "%s: Pulling\n", full);
	fflush(out);
	options.insecure |= is_local_registry(full);
	sk_bars_init(&bars, out, pull->quiet, &progress);
	sk_pull_cancel_on_signals(store);
	r = sk_store_pull(store, full, &options, &progress, &id, err);
	stop_cancelling();
	if (r == 0)
		r = sk_store_find(store, full, &after, err);
	if (r == 0 && !pull->quiet) {
		sk_bars_finish(&bars);
		fprintf(out, "Digest: %s\nStatus: %s for %s\n", after->digest,
			before && strcmp(before->id, after->id) == 0 ? "Image is up to date" : "Downloaded newer image",
			full);
		fflush(out);
	}
	if (before)
		sk_image_free(before);
	if (after)
		sk_image_free(after);
	if (r == 0 && ret_id)
		*ret_id = SK_TAKE_PTR(id);
	return r;
}

/* Is the image one for "linux/arm64[/variant]"? NULL: for anything. */
static bool is_for(const struct sk_image *image, const char *platform)
{
	struct sk_index_entry e = {
		.os = (char *)(uintptr_t)json_string_value(json_object_get(image->config, "os")),
		.arch = (char *)(uintptr_t)json_string_value(json_object_get(image->config, "architecture")),
		.variant = (char *)(uintptr_t)json_string_value(json_object_get(image->config, "variant")),
	};

	return !platform || sk_index_entry_matches(&e, platform);
}

int sk_create_find_image(struct sk_cli *cli, const struct sk_run_opts *opts, const char *ref, struct sk_image **ret,
			 struct sk_error *err)
{
	const char *policy = opts->pull && *opts->pull ? opts->pull : "missing";
	struct sk_store *store;
	struct sk_pull pull = { .ref = ref,
				.quiet = opts->quiet,
				.to_stderr = true,
				.options = { .insecure = !opts->tls_verify, .platform = opts->platform } };
	int r = sk_cli_store(cli, &store, err);

	if (r < 0)
		return r;
	if (strcmp(policy, "always") != 0) {
		r = sk_store_find(store, ref, ret, err);
		if (r == 0 && !is_for(*ret, opts->platform)) {
			r = sk_error_set(err, ENOENT, "image %s is there, but not for %s", ref, opts->platform);
			sk_image_free(*ret);
			*ret = NULL;
		}
		if (r != -ENOENT)
			return r;
		if (strcmp(policy, "never") == 0)
			return r;
		sk_pull_announce_missing(ref);
		*err = (struct sk_error)SK_ERROR_INIT;
	}
	r = sk_pull(cli, &pull, NULL, err);
	return r < 0 ? r : sk_store_find(store, ref, ret, err);
}
