/* SPDX-License-Identifier: Apache-2.0 */
/*
 * skerry-9pd on Windows: serves directories to 9P clients on TCP sockets. The same server, connections and secret as on
 * Linux (serve.c, listen.c, auth.c) in front of another back end (export/winfs.c). It has no sandbox: the program has
 * all rights of its user, and says so by wanting --no-sandbox.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/opt.h"
#include "base/socket.h"
#include "export/winfs.h"
#include "export/winwatch.h"
#include "ninepd/ninepd.h"
#include "skerry_config.h"

static void usage(void)
{
	fputs("Usage: skerry-9pd --no-sandbox --export [NAME=]PATH[:OPTION,…] … --listen ADDRESS:PORT …\n"
	      "\n"
	      "Serves directories over 9P2000.L.\n"
	      "\n"
	      "  --export [NAME=]PATH[:OPTION,…]   PATH of a directory or file. Options:\n"
	      "        ro            read-only\n"
	      "  --listen ADDRESS:PORT             TCP; without a secret on loopback addresses only\n"
	      "  --fd N                            a connection that exists: the socket that this program was given "
	      "as\n"
	      "                                    descriptor N. An attach names an export. The\n"
	      "                                    program ends with the last of them\n"
	      "  --secret-file FILE                clients have to know what is in FILE\n"
	      "  --no-sandbox                      has to be given: there is no sandbox on Windows yet\n"
	      "  --version\n",
	      stdout);
}

/* Ctrl-C, Ctrl-Break, the console or the session ends: in a thread of the system's. */
static int stop_socket = -1;

static BOOL WINAPI on_console(DWORD kind)
{
	(void)kind;
	return send(stop_socket, "", 1, 0) == 1;
}

static void on_stop(void *arg, int fd, unsigned events)
{
	(void)fd;
	(void)events;
	sk_loop_quit(arg);
}

static int watch_console(struct ninepd *d, struct sk_error *err)
{
	int pair[2];

	if (socketpair(AF_INET, SOCK_STREAM, 0, pair) < 0)
		return sk_error_errno(err, errno, "cannot start");
	d->signal_fd = pair[0];
	stop_socket = pair[1];
	d->signals = sk_loop_add_fd(d->loop, d->signal_fd, SK_LOOP_READ, on_stop, d->loop);
	if (!d->signals || !SetConsoleCtrlHandler(on_console, TRUE))
		return sk_error_set(err, EIO, "cannot start: Ctrl-C cannot be handled");
	return 0;
}

/* ---- options */

#define HANDLE_WORD "handle:"

static int split_options(struct ninepd_export *e, char *path, struct sk_error *err)
{
	char *colon = strrchr(path, ':');

	/* "C:" and "C:\…" are no options. */
	if (!colon || colon == path + 1 || strpbrk(colon, "/\\"))
		return 0;
	*colon = '\0';
	if (strcmp(colon + 1, "ro") == 0)
		e->readonly = true;
	else if (strcmp(colon + 1, "rw") != 0)
		return sk_error_set(err, EINVAL, "not an option of an export on Windows: %s", colon + 1);
	return 0;
}

/* "handle:NUMBER[/FILE]", of a directory that whoever started this program has handed to it (vm/shares_windows.c). */
static int add_handle(struct ninepd *d, struct ninepd_export *e, const char *path, struct sk_error *err)
{
	unsigned long long n;
	char *end;

	n = strtoull(path + strlen(HANDLE_WORD), &end, 10);
	if (n == 0 || n > INT32_MAX || (*end && (*end != '/' || !end[1] || strpbrk(end + 1, "/\\"))))
		return sk_error_set(err, EINVAL, "no handle of a directory: %s", path);
	if (!e->name[0])
		return sk_error_set(err, EINVAL, "an export of a handle has a name: %s", path);
	e->is_dir = !*end;
	e->file = *end ? strdup(end + 1) : NULL;
	e->path = strdup(path);
	e->fd = (int)n;
	if (!e->path || (*end && !e->file))
		return sk_error_errno(err, ENOMEM, "out of memory");
	d->n_exports++;
	return 0;
}

static int add_export(const struct sk_opt *opt, void *to, const char *arg, struct sk_error *err)
{
	struct ninepd *d = to;
	struct ninepd_export *e = &d->exports[d->n_exports];
	_cleanup_free_ char *spec = strdup(arg);
	char *path = spec, *eq = spec ? strchr(spec, '=') : NULL, *last;
	struct stat st;

	(void)opt;
	if (!spec)
		return sk_error_errno(err, ENOMEM, "out of memory");
	if (d->n_exports == NINEPD_EXPORTS)
		return sk_error_set(err, E2BIG, "more than %u exports", NINEPD_EXPORTS);
	e->fd = e->vhost_fd = -1;
	/* A name has no slash and no colon; what else has "=" is a path. */
	if (eq && strcspn(spec, "/\\:") > (size_t)(eq - spec)) {
		if (eq == spec || (size_t)(eq - spec) >= sizeof(e->name))
			return sk_error_set(err, EINVAL, "an export's name has 1 to 63 bytes: %s", arg);
		memcpy(e->name, spec, (size_t)(eq - spec));
		path = eq + 1;
	}
	if (split_options(e, path, err) < 0)
		return -EINVAL;
	if (strncmp(path, HANDLE_WORD, strlen(HANDLE_WORD)) == 0)
		return add_handle(d, e, path, err);
	e->is_dir = stat(path, &st) < 0 || S_ISDIR(st.st_mode);
	last = path + strlen(path);
	while (last > path && !strchr("/\\:", last[-1]))
		last--;
	if (!e->name[0])
		snprintf(e->name, sizeof(e->name), "%.63s", *last ? last : "root");
	/* A file is exported as its directory, with nothing else in it. */
	if (!e->is_dir) {
		e->file = strdup(last);
		*last = '\0';
	}
	e->path = strdup(*path ? path : ".");
	if (!e->path || (!e->is_dir && !e->file))
		return sk_error_errno(err, ENOMEM, "out of memory");
	d->n_exports++;
	return 0;
}

static int add_tcp(const struct sk_opt *opt, void *to, const char *arg, struct sk_error *err)
{
	(void)opt;
	return ninepd_add_tcp(to, arg, err);
}

static int add_connection(const struct sk_opt *opt, void *to, const char *arg, struct sk_error *err)
{
	struct ninepd *d = to;
	char *end;
	long fd = strtol(arg, &end, 10);
	int sock = *end || fd < 0 || fd > INT_MAX ? -1 : sk_socket_inherited((int)fd);

	(void)opt;
	if (d->n_connected == NINEPD_CONNECTIONS)
		return sk_error_set(err, E2BIG, "more than %u connections", NINEPD_CONNECTIONS);
	if (sock < 0 || sk_socket_nonblock(sock) < 0)
		return sk_error_set(err, EBADF, "--fd %s is no socket that this program was given", arg);
	d->connected[d->n_connected++] = sock;
	d->by_name = true;
	return 0;
}

static int set_secret(const struct sk_opt *opt, void *to, const char *path, struct sk_error *err)
{
	(void)opt;
	return ninepd_read_secret(to, path, err);
}

static const struct sk_opt_type type_export = { true, add_export, NULL };
static const struct sk_opt_type type_listen = { true, add_tcp, NULL };
static const struct sk_opt_type type_connection = { true, add_connection, NULL };
static const struct sk_opt_type type_secret = { true, set_secret, NULL };

static const struct sk_opt options[] = {
	{ .name = "export", .type = &type_export },
	{ .name = "listen", .type = &type_listen },
	{ .name = "fd", .type = &type_connection },
	{ .name = "secret-file", .type = &type_secret },
	{ .name = "no-sandbox", .type = SK_OPT_BOOL, .offset = offsetof(struct ninepd, no_sandbox) },
	{ .name = NULL },
};

static int fail(const struct sk_opt_error *e, struct sk_error *err)
{
	if (e->fault == SK_OPT_BAD_VALUE)
		return -EINVAL;
	sk_opt_gnu.fail(e, err);
	fprintf(stderr, "skerry-9pd: %s\n", err->message);
	return sk_error_set(err, EINVAL, "see skerry-9pd --help");
}

/* Parses either the secret alone or everything else: the secret decides what may be listened on. */
static int parse(struct ninepd *d, bool secret, int argc, char **argv, struct sk_error *err)
{
	const struct sk_opt_dialect dialect = { .abbreviations = true, .fail = fail };
	struct sk_opt table[SK_ARRAY_SIZE(options)];
	struct sk_opt_result parsed;
	size_t i;
	int r;

	memcpy(table, options, sizeof(table));
	for (i = 0; table[i].name; i++)
		if ((table[i].type == &type_secret) != secret)
			table[i].type = table[i].type->has_value ? SK_OPT_IGNORED : SK_OPT_IGNORED_BOOL;
	r = sk_opt_parse(table, &dialect, d, false, argc - 1, argv + 1, &parsed, err);
	if (r == 0 && parsed.n_args)
		return sk_error_set(err, EINVAL, "what is %s? See skerry-9pd --help", argv[1]);
	return r;
}

/* ---- the server */

static struct sk_winwatch *watch;

static void on_event(void *arg, const struct sk_9p_event *event)
{
	ninepd_event(arg, event);
}

/* What cannot be watched is served all the same. */
static int set_up_watch(struct ninepd *d, struct sk_error *err)
{
	unsigned i;
	int r = sk_winwatch_new(d->loop, on_event, d, &watch, err);

	for (i = 0; r == 0 && i < d->n_exports; i++) {
		struct sk_error why = SK_ERROR_INIT;

		if (sk_winwatch_add(watch, d->exports[i].fs, &why) < 0)
			sk_log(SK_LOG_INFO, "%s: changes made on the host are not told: %s", d->exports[i].name,
			       why.message);
	}
	return r == 0 ? sk_winwatch_start(watch, err) : r;
}

static int start(struct ninepd *d, int argc, char **argv, struct sk_error *err)
{
	struct sk_winfs_config config = { 0 };
	unsigned i;
	int r = parse(d, true, argc, argv, err);

	if (r == 0)
		r = parse(d, false, argc, argv, err);
	if (r < 0)
		return r;
	if (!d->no_sandbox)
		return sk_error_set(err, EINVAL, "there is no sandbox on Windows yet: give --no-sandbox to do without");
	if (!d->n_exports)
		return sk_error_set(err, EINVAL, "nothing to share: see skerry-9pd --help");
	if (!d->n_listeners && !d->n_connected)
		return sk_error_set(err, EINVAL, "nobody to share with: see skerry-9pd --help");
	r = sk_loop_new(&d->loop);
	if (r < 0)
		return sk_error_errno(err, -r, "cannot start");
	r = watch_console(d, err);
	for (i = 0; r == 0 && i < d->n_exports; i++) {
		struct ninepd_export *e = &d->exports[i];

		config.only = e->file;
		config.take_root = e->fd > 0 ? (HANDLE)(uintptr_t)(unsigned)e->fd : NULL;
		r = sk_winfs_new(e->path, &config, &e->fs, err);
		d->served[i].fs = e->fs;
		d->served[i].name = e->name;
		d->served[i].readonly = e->readonly;
	}
	if (r == 0)
		r = set_up_watch(d, err);
	return r == 0 ? ninepd_listen(d, err) : r;
}

static void finish(struct ninepd *d)
{
	unsigned i;

	if (d->loop)
		ninepd_close_all(d);
	sk_winwatch_free(watch);
	for (i = 0; i < d->n_exports; i++) {
		sk_winfs_free(d->exports[i].fs);
		free(d->exports[i].path);
		free(d->exports[i].file);
	}
	for (i = 0; i < d->n_listeners; i++)
		close(d->listeners[i].fd);
	if (d->server)
		sk_9p_server_free(d->server);
	if (d->loop)
		sk_loop_free(d->loop);
	free(d->secret);
}

int main(int argc, char **argv)
{
	static struct ninepd d = { .all_fd = -1, .signal_fd = -1 };
	struct sk_error err = SK_ERROR_INIT;
	int r;

	sk_posix_main(&argc, &argv);
	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		usage();
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		printf("skerry-9pd %s\n", SK_VERSION);
		return 0;
	}
	sk_log_init(2, SK_LOG_INFO);
	r = start(&d, argc, argv, &err);
	if (r == 0)
		r = sk_loop_run(d.loop);
	else
		fprintf(stderr, "skerry-9pd: %s\n", err.message);
	finish(&d);
	return r < 0 ? 1 : 0;
}
