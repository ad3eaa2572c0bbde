/* SPDX-License-Identifier: Apache-2.0 */
/* events: lines of <root>/events.jsonl (vm/state.h), those of the past where asked, then those that come. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/commands.h"
#include "model/filter.h"
#include "model/jx.h"
#include "cli/print/list.h"
#include "model/units.h"

#define FOLLOW_MS 100

struct events_opts {
	const char *since, *until, *format;
	struct sk_strv filter;
};

#define AT(f) offsetof(struct events_opts, f)
static const struct sk_opt events_opts[] = {
	SK_OPT_FILTER_('f', AT(filter), "Filter output based on conditions provided"),
	SK_OPT_STR_("format", 0, AT(format), "string",
		    "Format output using a custom template: 'json', or 'TEMPLATE' in Go's template language"),
	SK_OPT_STR_("since", 0, AT(since), "string", "Show all events created since timestamp"),
	SK_OPT_STR_("until", 0, AT(until), "string", "Stream events until this timestamp"),
	SK_OPT_END,
};

struct events {
	const struct events_opts *o;
	int64_t since_ns, until_ns, started_ns;
	struct sk_text partial;
	char *last; /* line that was read; NULL: none yet */
	size_t last_len;
	bool resync; /* lines up to that one are skipped */
	bool stop;
	struct sk_error err;
};

static bool is_type(const json_t *event, const char *type)
{
	return strcmp(sk_jx_get_str(event, "Type", ""), type) == 0;
}

/* An object by the beginning of its name or id, as with docker. */
static bool is_object(const json_t *event, const char *type, const char *value)
{
	const char *id = sk_jx_get_str(event, "Actor.ID", ""),
		   *name = sk_jx_get_str(event, "Actor.Attributes.name", "");
	size_t n = strlen(value);

	return is_type(event, type) && n && (strncmp(name, value, n) == 0 || strncmp(id, value, n) == 0);
}

static bool event_type(const char *value, void *arg)
{
	return is_type(arg, value);
}

/* "exec_create: sh" is the event exec_create, too. */
static bool event_event(const char *value, void *arg)
{
	const char *action = sk_jx_get_str(arg, "Action", "");
	size_t n = strlen(value);

	return strncmp(action, value, n) == 0 && (action[n] == '\0' || action[n] == ':');
}

static bool event_container(const char *value, void *arg)
{
	return is_object(arg, "container", value);
}

static bool event_volume(const char *value, void *arg)
{
	return is_object(arg, "volume", value);
}

static bool event_network(const char *value, void *arg)
{
	return is_object(arg, "network", value);
}

static bool event_daemon(const char *value, void *arg)
{
	return is_object(arg, "daemon", value);
}

/* An image by its id, or its name with or without the tag. */
static bool is_image(const char *name, const char *value)
{
	size_t n = strlen(value);

	return strncmp(name, value, n) == 0 && (name[n] == '\0' || (name[n] == ':' && !strchr(name + n, '/')));
}

static bool event_image(const char *value, void *arg)
{
	return is_image(sk_jx_get_str(arg, "Actor.Attributes.image", ""), value) ||
	       (is_type(arg, "image") && (is_image(sk_jx_get_str(arg, "Actor.ID", ""), value) ||
					  is_image(sk_jx_get_str(arg, "Actor.Attributes.name", ""), value)));
}

static bool event_label(const char *value, void *arg)
{
	return sk_filter_label(value, sk_jx_at(arg, "Actor.Attributes"));
}

/* Objects that there are none of. */
static bool event_none(const char *value, void *arg)
{
	(void)value;
	(void)arg;
	return false;
}

static bool event_scope(const char *value, void *arg)
{
	(void)arg;
	return strcmp(value, "local") == 0;
}

static const struct sk_filter_key filters[] = {
	{ "config", event_none, NULL, false, false },
	{ "container", event_container, NULL, false, false },
	{ "daemon", event_daemon, NULL, false, false },
	{ "event", event_event, NULL, false, false },
	{ "image", event_image, NULL, false, false },
	{ "label", event_label, NULL, true, false },
	{ "network", event_network, NULL, false, false },
	{ "node", event_none, NULL, false, false },
	{ "plugin", event_none, NULL, false, false },
	{ "scope", event_scope, NULL, false, false },
	{ "secret", event_none, NULL, false, false },
	{ "service", event_none, NULL, false, false },
	{ "type", event_type, NULL, false, false },
	{ "volume", event_volume, NULL, false, false },
	{ NULL, NULL, NULL, false, false },
};

static bool wanted(const struct events *e, json_t *event)
{
	int64_t t = sk_jx_get_int(event, "timeNano", 0);

	return t >= e->since_ns && t <= e->until_ns && sk_filter_wants(&e->o->filter, filters, event);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "2026-11-23T10:00:00.123456789+01:00 container start 0123… (image=debian, name=web)" */
static void print_line(const json_t *event)
{
	json_t *attributes = sk_jx_at(event, "Actor.Attributes"), *v;
	int64_t t = sk_jx_get_int(event, "timeNano", 0);
	size_t n = json_object_size(attributes), i = 0;
	_cleanup_free_ const char **keys = sk_xcalloc(n, sizeof(*keys));
	time_t s = (time_t)(t / 1000000000);
	char when[40], zone[8];
	const char *key;
	struct tm tm;

	localtime_r(&s, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	sk_format_zone(t, zone);
	printf("%s.%09d%.3s:%s %s %s %s", when, (int)(t % 1000000000), zone, zone + 3, sk_jx_get_str(event, "Type", ""),
	       sk_jx_get_str(event, "Action", ""), sk_jx_get_str(event, "Actor.ID", ""));
	json_object_foreach(attributes, key, v) keys[i++] = key;
	qsort(keys, n, sizeof(*keys), by_name);
	for (i = 0; i < n; i++) {
		const char *value = json_string_value(json_object_get(attributes, keys[i]));
		_cleanup_free_ char *text = sk_xasprintf("%s=%s", keys[i], value ? value : "");

		sk_clean_text(text); /* an image's labels, say */
		printf("%s%s", i ? ", " : " (", text);
	}
	printf(n ? ")\n" : "\n");
}

static void show(struct events *e, const char *line, size_t n)
{
	_cleanup_json_ json_t *event = json_loadb(line, n, 0, NULL);

	if (!event || !wanted(e, event))
		return;
	if (!e->o->format)
		print_line(event);
	else if (sk_format_one(e->o->format, event, stdout, &e->err) < 0)
		e->stop = true;
	fflush(stdout);
	if (ferror(stdout))
		e->stop = true;
}

/* After the file was cut, the lines up to the last one that was read are behind us. */
static bool is_behind(struct events *e, const char *line, size_t n)
{
	if (!e->resync)
		return false;
	if (e->last && n == e->last_len && memcmp(line, e->last, n) == 0)
		e->resync = false;
	return true;
}

static void read_line(struct events *e)
{
	if (is_behind(e, e->partial.s, e->partial.len))
		return;
	show(e, e->partial.s, e->partial.len);
	free(e->last);
	e->last = sk_xstrndup(e->partial.s, e->partial.len);
	e->last_len = e->partial.len;
}

static void drain(struct events *e, int fd)
{
	char chunk[16384];
	ssize_t n;

	while (!e->stop && (n = read(fd, chunk, sizeof(chunk))) > 0) {
		const char *p = chunk, *end;

		while ((end = memchr(p, '\n', (size_t)(chunk + n - p)))) {
			sk_text_add(&e->partial, p, (size_t)(end - p));
			read_line(e);
			e->partial.len = 0;
			p = end + 1;
		}
		sk_text_add(&e->partial, p, (size_t)(chunk + n - p));
	}
}

/* The older half of the file was cut off (vm/state.c): on from the last line that was read, or, if that is gone or there
 * was none, from the beginning, with what is newer than the command. */
static void follow_cut(struct events *e, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || st.st_size >= lseek(fd, 0, SEEK_CUR))
		return;
	e->partial.len = 0;
	e->resync = e->last != NULL;
	if (!e->last && !e->o->since)
		e->since_ns = e->started_ns;
	lseek(fd, 0, SEEK_SET);
	drain(e, fd);
	if (!e->resync)
		return;
	e->resync = false;
	lseek(fd, 0, SEEK_SET);
	drain(e, fd);
}

static void stream(struct events *e, const char *path)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	e->started_ns = sk_now_ns();
	if (!e->o->since && fd >= 0)
		lseek(fd, 0, SEEK_END);
	for (;;) {
		int64_t now = sk_now_ns();

		if (fd < 0)
			fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0) {
			follow_cut(e, fd);
			drain(e, fd);
		}
		if (e->stop || now >= e->until_ns)
			return;
		poll(NULL, 0, FOLLOW_MS);
	}
}

static int parse_bounds(struct events *e)
{
	int64_t now = sk_now_ns();

	e->since_ns = INT64_MIN;
	e->until_ns = INT64_MAX;
	if (e->o->since && sk_parse_time(e->o->since, now, &e->since_ns) < 0)
		return sk_error_set(&e->err, EINVAL, "invalid value for \"since\": %s: give a time or a duration",
				    e->o->since);
	if (e->o->until && sk_parse_time(e->o->until, now, &e->until_ns) < 0)
		return sk_error_set(&e->err, EINVAL, "invalid value for \"until\": %s: give a time or a duration",
				    e->o->until);
	return 0;
}

static int cmd_events(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	struct events e = { .o = opts };
	_cleanup_free_ char *path = NULL;

	(void)argc;
	(void)argv;
	if (sk_format_check(e.o->format, &e.err) < 0)
		return sk_cli_fail(&e.err, SK_EXIT_TEMPLATE);
	if (parse_bounds(&e) < 0 || sk_filter_check(&e.o->filter, filters, &e.err) < 0 || sk_cli_open(cli, &e.err) < 0)
		return sk_cli_fail(&e.err, 1);
	path = sk_xasprintf("%s/events.jsonl", cli->paths.root);
	stream(&e, path);
	sk_text_fini(&e.partial);
	free(e.last);
	return e.err.code ? sk_cli_fail(&e.err, 1) : 0;
}

const struct sk_command sk_cmd_events = {
	.name = "events",
	.args = "[OPTIONS]",
	.summary = "Get real time events",
	.aliases = "skerry system events, skerry events",
	.opts = events_opts,
	.opts_size = sizeof(struct events_opts),
	.max = 0,
	.run = cmd_events,
};
