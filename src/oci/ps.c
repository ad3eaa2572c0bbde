/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ps. The table is that of ps -ef, with the guest's pids, times and terminals. As JSON the caller wants pids that it
 * can look up on this host: those of stand-ins (standin.c). With options for ps, the host's ps shows the stand-ins, as
 * runc has it show the container's processes.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "oci/oci.h"

#define SK_PS_OPTIONS_MAX 32

static json_int_t number(const json_t *process, const char *key)
{
	return json_integer_value(json_object_get(process, key));
}

static const char *word(const json_t *process, const char *key)
{
	const char *s = json_string_value(json_object_get(process, key));

	return s ? s : "?";
}

static void print_process(const json_t *p)
{
	time_t now = time(NULL), begun = (time_t)number(p, "stime");
	long long s = number(p, "time_ms") / 1000, share = now > begun ? s * 100 / (now - begun) : 0;
	const char *user = word(p, "user");
	char when[16] = "?";
	struct tm tm;

	if (localtime_r(&begun, &tm))
		strftime(when, sizeof(when), now - begun < 86400 ? "%H:%M" : "%b%d", &tm);
	/* As ps does it: a long name ends with a plus sign. */
	printf("%-.*s%s%*s %7lld %7lld %2lld %5s %-8s %02lld:%02lld:%02lld %s\n", strlen(user) > 8 ? 7 : 8, user,
	       strlen(user) > 8 ? "+" : "", strlen(user) > 8 ? 0 : 8 - (int)strlen(user), "",
	       (long long)number(p, "pid"), (long long)number(p, "ppid"), share > 99 ? 99 : share, when, word(p, "tty"),
	       s / 3600, s / 60 % 60, s % 60, word(p, "cmd"));
}

static int print_table(const json_t *list, struct sk_error *err)
{
	size_t i;

	printf("%-8s %7s %7s %2s %5s %-8s %8s %s\n", "UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD");
	for (i = 0; i < json_array_size(list); i++)
		print_process(json_array_get(list, i));
	return fflush(stdout) == 0 ? 0 : sk_error_errno(err, errno, "cannot print");
}

static int print_pids(const json_t *pids, struct sk_error *err)
{
	_cleanup_free_ char *text = json_dumps(pids, JSON_COMPACT);

	if (!text)
		return sk_error_errno(err, ENOMEM, "cannot print");
	puts(json_array_size(pids) ? text : "null"); /* runc's word */
	return fflush(stdout) == 0 ? 0 : sk_error_errno(err, errno, "cannot print");
}

static bool is_in(const json_t *pids, long pid)
{
	size_t i;

	for (i = 0; i < json_array_size(pids); i++)
		if (json_integer_value(json_array_get(pids, i)) == pid)
			return true;
	return false;
}

/* Of what ps says, the header and the lines of `pids`. */
static int print_those(FILE *ps, const json_t *pids, struct sk_error *err)
{
	_cleanup_free_ char *line = NULL, *copy = NULL;
	char *rest, *field;
	size_t size = 0;
	int column = -1, i;

	while (getline(&line, &size, ps) >= 0) {
		free(copy);
		copy = strdup(line);
		if (!copy)
			return sk_error_errno(err, ENOMEM, "cannot print");
		if (column < 0) {
			for (i = 0, field = strtok_r(copy, " \n", &rest); field && strcmp(field, "PID") != 0; i++)
				field = strtok_r(NULL, " \n", &rest);
			if (!field)
				return sk_error_set(err, EINVAL, "couldn't find PID field in ps output");
			column = i;
			fputs(line, stdout);
			continue;
		}
		for (i = 0, field = strtok_r(copy, " \n", &rest); field && i < column; i++)
			field = strtok_r(NULL, " \n", &rest);
		if (field && is_in(pids, strtol(field, NULL, 10)))
			fputs(line, stdout);
	}
	return fflush(stdout) == 0 ? 0 : sk_error_errno(err, errno, "cannot print");
}

/* The host's ps with `options`. */
static int host_ps(const json_t *pids, int n, char **options, struct sk_error *err)
{
	const char *argv[SK_PS_OPTIONS_MAX + 2] = { "ps" };
	struct sk_spawn s = SK_SPAWN_INIT;
	_cleanup_fclose_ FILE *out = NULL;
	int fd = memfd_create("ps", MFD_CLOEXEC), i, r;

	out = fd < 0 ? NULL : fdopen(fd, "r");
	if (!out)
		return sk_error_errno(err, errno, "cannot run ps");
	if (n > SK_PS_OPTIONS_MAX)
		return sk_error_set(err, E2BIG, "more than %d options for ps", SK_PS_OPTIONS_MAX);
	for (i = 0; i < n; i++)
		argv[i + 1] = options[i];
	s.file = "ps";
	s.argv = argv;
	s.stdout_fd = fd;
	r = sk_run(&s, err);
	if (r != 0)
		return r < 0 ? r : -EIO;
	rewind(out);
	return print_those(out, pids, err);
}

/* Ends stand-ins that were started for this command only. */
static void dismiss(const json_t *pids)
{
	size_t i;

	for (i = 0; i < json_array_size(pids); i++)
		kill((pid_t)json_integer_value(json_array_get(pids, i)), SIGKILL);
}

static int show(const json_t *list, bool json, int n, char **options, struct sk_error *err)
{
	json_t *pids;
	int r;

	if (!json && n == 0)
		return print_table(list, err);
	pids = sk_oci_stand_ins(list);
	r = json ? print_pids(pids, err) : host_ps(pids, n, options, err);
	if (!json)
		dismiss(pids);
	json_decref(pids);
	return r;
}

int sk_oci_ps(struct sk_oci *o, int argc, char **argv, struct sk_error *err)
{
	static const struct sk_opt options[] = { { .name = "format", .letter = 'f', .type = &sk_oci_opt_format },
						 { .name = NULL } };
	struct sk_oci_container c;
	struct sk_reply reply = { 0 };
	bool json = false;
	int r, n = sk_oci_options(options, &json, true, argc, argv, err);

	if (n < 0)
		return n;
	if (n == 0)
		return sk_error_set(err, EINVAL, "\"ps\" requires a minimum of 1 argument(s)");
	r = sk_oci_container_open(o, argv[1], &c, err);
	if (r < 0)
		return r;
	/* A stopped container has no processes: that is no error. */
	if (strcmp(sk_oci_status(o, &c, NULL), "stopped") != 0)
		r = sk_oci_call(o, &c, &(const struct sk_msg){ .op = SK_REQUEST_PS }, &reply, err);
	if (r == 0)
		r = show(reply.processes, json, n - 1, argv + 2, err);
	sk_reply_fini(&reply);
	sk_oci_container_close(&c);
	return r;
}
