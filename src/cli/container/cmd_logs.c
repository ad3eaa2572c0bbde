/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logs: the monitor's json-file log, oldest file first, then with -f what is appended, through rotations, until the
 * container ends. A connection to the monitor tells of the end; the rest of the log is read after that.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/cleanup.h"
#include "cli/container/client.h"
#include "cli/commands.h"
#include "model/container.h"
#include "model/jx.h"
#include "model/units.h"
#include "vm/vm.h"

#define MAX_FILES 1000
#define FOLLOW_MS 50
#define LINE_MAX_BYTES (1u << 20)

struct logs_opts {
	bool details, follow, timestamps;
	const char *since, *until, *tail;
};

#define AT(f) offsetof(struct logs_opts, f)
static const struct sk_opt logs_opts[] = {
	SK_OPT_BOOL_("details", 0, AT(details), "Show extra details provided to logs"),
	SK_OPT_BOOL_("follow", 'f', AT(follow), "Follow log output"),
	SK_OPT_STR_(
		"since", 0, AT(since), "string",
		"Show logs since timestamp (e.g. \"2013-01-02T13:23:37Z\") or relative (e.g. \"42m\" for 42 minutes)"),
	SK_OPT_STR_("tail", 'n', AT(tail), "string",
		    "Number of lines to show from the end of the logs (default \"all\")"),
	SK_OPT_BOOL_("timestamps", 't', AT(timestamps), "Show timestamps"),
	SK_OPT_STR_("until", 0, AT(until), "string",
		    "Show logs before a timestamp (e.g. \"2013-01-02T13:23:37Z\") or relative (e.g. \"42m\" for 42 "
		    "minutes)"),
	SK_OPT_END,
};

struct logs {
	struct sk_cli *cli;
	const struct logs_opts *o;
	int64_t since_ns, until_ns; /* INT64_MIN, INT64_MAX: none */
	uint64_t skip;		    /* lines not to show */
	char *path;		    /* of container.log */
	int fd;			    /* of it, when following */
	struct sk_text partial;	    /* a line not yet complete */
	FILE *last;		    /* stream of the last line */
	bool stop;		    /* nobody reads us */
};

/* One line of the file. */
static void show(struct logs *l, const char *line, size_t n)
{
	_cleanup_json_ json_t *o = NULL;
	_cleanup_free_ uint8_t *raw = NULL;
	const char *coded;
	const json_t *text;
	size_t raw_len = 0;
	const char *time;
	int64_t t;
	FILE *out;

	if (l->skip) {
		l->skip--;
		return;
	}
	o = json_loadb(line, n, JSON_ALLOW_NUL, NULL);
	text = json_object_get(o, "log");
	time = sk_jx_get_str(o, "time", "");
	if (!json_is_string(text))
		return; /* cut off by a crash */
	if ((l->since_ns != INT64_MIN || l->until_ns != INT64_MAX) && sk_parse_rfc3339(time, &t) == 0 &&
	    (t < l->since_ns || t > l->until_ns))
		return;
	out = strcmp(sk_jx_get_str(o, "stream", "stdout"), "stderr") == 0 ? stderr : stdout;
	if (out != l->last && l->last)
		fflush(l->last); /* both may be one terminal: in the order in which they were written */
	l->last = out;
	if (l->o->timestamps)
		fprintf(out, "%s ", time);
	if (l->o->details)
		fputc(' ', out); /* behind the details, of which there are none: --log-opt knows no env and labels */
	/* "raw" has the unchanged bytes of text that is not UTF-8. */
	coded = sk_jx_get_str(o, "raw", NULL);
	if (coded) {
		raw = sk_xcalloc(strlen(coded) / 4 * 3 + 1, 1);
		raw_len = sk_base64_decode(coded, raw);
	}
	if (raw && raw_len != SIZE_MAX)
		fwrite(raw, 1, raw_len, out);
	else
		fwrite(json_string_value(text), 1, json_string_length(text), out);
	if (ferror(out))
		l->stop = true;
}

static void feed(struct logs *l, const char *p, size_t n)
{
	while (n && !l->stop) {
		const char *end = memchr(p, '\n', n);
		size_t len = end ? (size_t)(end - p) : n;

		if (!end || l->partial.len) {
			if (l->partial.len + len < LINE_MAX_BYTES)
				sk_text_add(&l->partial, p, len);
			if (end) {
				show(l, l->partial.s, l->partial.len);
				l->partial.len = 0;
			}
		} else {
			show(l, p, len);
		}
		p += len + (end != NULL);
		n -= len + (end != NULL);
	}
}

/* Reads to the present end of the log. */
static void drain(struct logs *l, int fd)
{
	static char chunk[65536];
	ssize_t n;

	while (!l->stop && (n = read(fd, chunk, sizeof(chunk))) > 0)
		feed(l, chunk, (size_t)n);
}

static int open_log(const struct logs *l, unsigned number)
{
	_cleanup_free_ char *path = number ? sk_xasprintf("%s.%u", l->path, number) : sk_xstrdup(l->path);

	return open(path, O_RDONLY | O_CLOEXEC);
}

static uint64_t count_lines(int fd)
{
	static char chunk[65536];
	uint64_t lines = 0;
	ssize_t n;

	while ((n = read(fd, chunk, sizeof(chunk))) > 0) {
		const char *p = chunk, *end = chunk + n;

		while ((p = memchr(p, '\n', (size_t)(end - p)))) {
			lines++;
			p++;
		}
	}
	lseek(fd, 0, SEEK_SET);
	return lines;
}

/* All files that are there, oldest first. The newest stays open in l->fd. */
static int show_files(struct logs *l, struct sk_error *err)
{
	int fds[MAX_FILES], n = 0, i;
	uint64_t total = 0, tail = UINT64_MAX;
	int64_t number;

	if (l->o->tail && strcmp(l->o->tail, "all") != 0) {
		if (sk_parse_int(l->o->tail, &number) < 0)
			return sk_error_set(err, EINVAL, "invalid value for \"tail\": %s: give a number or all",
					    l->o->tail);
		tail = number < 0 ? UINT64_MAX : (uint64_t)number;
	}
	/* Opened from the newest on: a rotation in between shows lines twice at worst, and none is missed. */
	for (n = 0; n < MAX_FILES; n++) {
		fds[n] = open_log(l, (unsigned)n);
		if (fds[n] < 0)
			break;
	}
	for (i = 0; tail != UINT64_MAX && i < n; i++)
		total += count_lines(fds[i]);
	l->skip = total > tail ? total - tail : 0;
	for (i = n - 1; i >= 0; i--) {
		drain(l, fds[i]);
		if (i > 0)
			close(fds[i]);
	}
	if (n > 0)
		l->fd = fds[0];
	return 0;
}

/* A new container.log has taken the place of ours: the old one is read to its end first. */
static void check_rotation(struct logs *l)
{
	struct stat ours, now;
	int fd;

	if (stat(l->path, &now) < 0 ||
	    (l->fd >= 0 && fstat(l->fd, &ours) == 0 && ours.st_ino == now.st_ino && ours.st_dev == now.st_dev))
		return;
	fd = open_log(l, 0);
	if (fd < 0)
		return;
	if (l->fd >= 0) {
		drain(l, l->fd);
		close(l->fd);
	}
	l->fd = fd;
}

/* A connection on which the monitor reports the container's end; -1: it does not run. */
static int watch_end(struct logs *l, const char *id)
{
	const struct sk_msg request = { .op = SK_REQUEST_WAIT };
	struct sk_error ignored = SK_ERROR_INIT;
	int fd = sk_vm_connect(&l->cli->paths, id, &ignored);

	if (fd >= 0 && sk_vm_request(&l->cli->paths, id, fd, &request, NULL, NULL, &ignored) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static void follow(struct logs *l, struct sk_container *c)
{
	struct sk_error ignored = SK_ERROR_INIT;
	int fd = -1;

	for (;;) {
		struct pollfd pfd;
		bool ended;

		if (fd < 0)
			fd = watch_end(l, c->id);
		pfd = (struct pollfd){ .fd = fd, .events = POLLIN };
		ended = fd < 0 || poll(&pfd, 1, FOLLOW_MS) > 0;
		check_rotation(l);
		if (l->fd >= 0)
			drain(l, l->fd);
		fflush(stdout);
		if (l->stop || ferror(stdout) || (l->until_ns != INT64_MAX && sk_now_ns() > l->until_ns))
			break;
		if (!ended)
			continue;
		sk_close_fd(&fd);
		if (sk_container_refresh(&l->cli->paths, c, &ignored) < 0 || !sk_container_is_alive(c))
			break;
		poll(NULL, 0, FOLLOW_MS); /* restarting */
	}
	sk_close_fd(&fd);
	if (l->fd >= 0)
		drain(l, l->fd);
}

static int parse_bounds(struct logs *l, struct sk_error *err)
{
	int64_t now = sk_now_ns();

	l->since_ns = INT64_MIN;
	l->until_ns = INT64_MAX;
	if (l->o->since && sk_parse_time(l->o->since, now, &l->since_ns) < 0)
		return sk_error_set(err, EINVAL,
				    "invalid value for \"since\": failed to parse value as time or duration: \"%s\"",
				    l->o->since);
	if (l->o->until && sk_parse_time(l->o->until, now, &l->until_ns) < 0)
		return sk_error_set(err, EINVAL,
				    "invalid value for \"until\": failed to parse value as time or duration: \"%s\"",
				    l->o->until);
	return 0;
}

static int cmd_logs(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	struct logs l = { .cli = cli, .o = opts, .fd = -1 };
	_cleanup_container_ struct sk_container c = { 0 };
	struct sk_error err = SK_ERROR_INIT;
	int r = parse_bounds(&l, &err);

	(void)argc;
	if (r == 0)
		r = sk_cli_open(cli, &err);
	if (r == 0)
		r = sk_container_find(&cli->paths, argv[0], &c, &err);
	if (r == 0 && strcmp(sk_jx_get_str(c.config, "HostConfig.LogConfig.Type", ""), "none") == 0)
		r = sk_error_set(&err, EOPNOTSUPP, "configured logging driver does not support reading");
	if (r < 0)
		return sk_cli_fail(&err, 1);
	l.path = sk_xasprintf("%s/containers/%s/log/container.log", cli->paths.root, c.id);
	r = show_files(&l, &err);
	if (r == 0 && l.o->follow && !l.stop) {
		fflush(stdout);
		follow(&l, &c);
	}
	sk_close_fd(&l.fd);
	sk_text_fini(&l.partial);
	free(l.path);
	return r < 0 ? sk_cli_fail(&err, 1) : 0;
}

const struct sk_command sk_cmd_logs = {
	.name = "logs",
	.args = "[OPTIONS] CONTAINER",
	.summary = "Fetch the logs of a container",
	.aliases = "skerry container logs, skerry logs",
	.opts = logs_opts,
	.opts_size = sizeof(struct logs_opts),
	.min = 1,
	.max = 1,
	.run = cmd_logs,
};
