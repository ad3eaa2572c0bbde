/* SPDX-License-Identifier: Apache-2.0 */
/* top: the container's processes as the agent lists them, in the columns of ps -ef, of ps aux, or those of -o. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "cli/commands.h"
#include "model/container.h"
#include "model/jx.h"
#include "cli/print/table.h"
#include "vm/vm.h"

typedef void (*cell_fn)(const json_t *p, char *buf, size_t size);

static void cell_user(const json_t *p, char *buf, size_t size)
{
	snprintf(buf, size, "%s", sk_jx_get_str(p, "user", "?"));
}

static void cell_uid(const json_t *p, char *buf, size_t size)
{
	snprintf(buf, size, "%lld", (long long)sk_jx_get_int(p, "uid", 0));
}

static void cell_pid(const json_t *p, char *buf, size_t size)
{
	snprintf(buf, size, "%lld", (long long)sk_jx_get_int(p, "pid", 0));
}

static void cell_ppid(const json_t *p, char *buf, size_t size)
{
	snprintf(buf, size, "%lld", (long long)sk_jx_get_int(p, "ppid", 0));
}

/* Share of a processor over its life, in per cent. */
static double share(const json_t *p)
{
	double age = (double)(time(NULL) - (time_t)sk_jx_get_int(p, "stime", 0)) * 1000;

	return age > 0 ? (double)sk_jx_get_int(p, "cpu_ms", sk_jx_get_int(p, "time_ms", 0)) * 100 / age : 0;
}

static void cell_c(const json_t *p, char *buf, size_t size)
{
	snprintf(buf, size, "%d", (int)share(p) > 99 ? 99 : (int)share(p));
}

static void cell_pcpu(const json_t *p, char *buf, size_t size)
{
	snprintf(buf, size, "%.1f", share(p));
}

static void cell_stime(const json_t *p, char *buf, size_t size)
{
	time_t t = (time_t)sk_jx_get_int(p, "stime", 0);
	struct tm tm;

	localtime_r(&t, &tm);
	strftime(buf, size, time(NULL) - t < 86400 ? "%H:%M" : "%b%d", &tm);
}

static void cell_tty(const json_t *p, char *buf, size_t size)
{
	snprintf(buf, size, "%s", sk_jx_get_str(p, "tty", "?"));
}

static void cell_time(const json_t *p, char *buf, size_t size)
{
	int64_t s = sk_jx_get_int(p, "time_ms", 0) / 1000;

	snprintf(buf, size, "%02d:%02d:%02d", (int)(s / 3600), (int)(s / 60 % 60), (int)(s % 60));
}

/* BSD's: minutes and seconds. */
static void cell_bsdtime(const json_t *p, char *buf, size_t size)
{
	int64_t s = sk_jx_get_int(p, "time_ms", 0) / 1000;

	snprintf(buf, size, "%lld:%02d", (long long)(s / 60), (int)(s % 60));
}

static void cell_vsz(const json_t *p, char *buf, size_t size)
{
	snprintf(buf, size, "%lld", (long long)sk_jx_get_int(p, "vsz_kib", 0));
}

static void cell_rss(const json_t *p, char *buf, size_t size)
{
	snprintf(buf, size, "%lld", (long long)sk_jx_get_int(p, "rss_kib", 0));
}

static void cell_pmem(const json_t *p, char *buf, size_t size)
{
	double all = (double)sk_jx_get_int(p, "memory_kib", 0), rss = (double)sk_jx_get_int(p, "rss_kib", 0);

	snprintf(buf, size, "%.1f", all > 0 ? rss * 100 / all : 0);
}

static void cell_stat(const json_t *p, char *buf, size_t size)
{
	snprintf(buf, size, "%s", sk_jx_get_str(p, "stat", "?"));
}

static void cell_state(const json_t *p, char *buf, size_t size)
{
	snprintf(buf, size, "%.1s", sk_jx_get_str(p, "stat", "?"));
}

static void cell_cmd(const json_t *p, char *buf, size_t size)
{
	snprintf(buf, size, "%s", sk_jx_get_str(p, "cmd", ""));
}

static void cell_comm(const json_t *p, char *buf, size_t size)
{
	snprintf(buf, size, "%s", sk_jx_get_str(p, "comm", ""));
}

static const struct column {
	const char *names; /* of -o, space around each */
	const char *header;
	cell_fn cell;
} columns[] = {
	{ " user uname ", "USER", cell_user },
	{ " euser ", "EUSER", cell_user },
	{ " uid ", "UID", cell_uid },
	{ " euid ", "EUID", cell_uid },
	{ " pid tgid ", "PID", cell_pid },
	{ " ppid ", "PPID", cell_ppid },
	{ " c ", "C", cell_c },
	{ " stime ", "STIME", cell_stime },
	{ " start start_time bsdstart ", "START", cell_stime },
	{ " tty tname ", "TTY", cell_tty },
	{ " tt ", "TT", cell_tty },
	{ " time cputime ", "TIME", cell_time },
	{ " bsdtime ", "TIME", cell_bsdtime },
	{ " cmd ", "CMD", cell_cmd },
	{ " args command ", "COMMAND", cell_cmd },
	{ " comm ucmd ucomm ", "COMMAND", cell_comm },
	{ " pcpu %cpu ", "%CPU", cell_pcpu },
	{ " pmem %mem ", "%MEM", cell_pmem },
	{ " vsz vsize ", "VSZ", cell_vsz },
	{ " rss rssize rsz ", "RSS", cell_rss },
	{ " stat ", "STAT", cell_stat },
	{ " s state ", "S", cell_state },
};

/* Of ps -ef: a user's name under UID. */
static const struct column user_of_ef = { "", "UID", cell_user };

static const struct column *find_column(const char *name)
{
	char key[34];
	size_t i;

	snprintf(key, sizeof(key), " %.30s ", name);
	for (i = 0; i < SK_ARRAY_SIZE(columns); i++)
		if (strstr(columns[i].names, key))
			return &columns[i];
	return NULL;
}

#define MAX_COLUMNS 16

/* Which processes (-e, -A, ax: all of them in any case), and -w; the full form (-f), and that of aux. Without a dash e and f
 * would be the environment and a tree. */
static bool is_known(const char *s, size_t n)
{
	if (strcmp(s, "-aux") == 0)
		return true;
	return *s == '-' ? n > 1 && strspn(s + 1, "eAaxfw") >= n - 1 : n && strspn(s, "axuw") >= n;
}

/* ps options: "-ef" and the like mean the default, "aux" its columns; "-o a,b" (also "-eo", "o a,b") choose. */
static int parse_ps(int argc, char **argv, const struct column **ret, size_t *ret_n, struct sk_error *err)
{
	static const char ef[] = "pid,ppid,c,stime,tty,time,cmd",
			  aux[] = "user,pid,%cpu,%mem,vsz,rss,tty,stat,start,bsdtime,command";
	struct sk_strv names = { 0 };
	size_t i, n = 0;
	bool is_aux = false;
	int a, r = 0;

	for (a = 0; a < argc; a++) {
		const char *s = argv[a], *o = strchr(s, 'o');
		size_t before = o ? (size_t)(o - s) : strlen(s);

		if (!is_known(s, before) && !(o && (before == 0 || strncmp(s, "-o", 2) == 0)))
			r = sk_error_set(err, EINVAL,
					 "unknown ps option \"%s\": use -ef, aux, or -o with names of columns", s);
		is_aux = is_aux || (!o && strchr(s, 'u'));
		if (r < 0 || !o)
			continue;
		if (o[1])
			sk_strv_split(&names, o + 1, ',');
		else if (a + 1 < argc)
			sk_strv_split(&names, argv[++a], ',');
	}
	if (r == 0 && !names.n) {
		sk_strv_split(&names, is_aux ? aux : ef, ',');
		if (!is_aux)
			ret[n++] = &user_of_ef;
	}
	for (i = 0; r == 0 && i < names.n && n < MAX_COLUMNS; i++) {
		ret[n] = find_column(names.v[i]);
		if (!ret[n++])
			r = sk_error_set(err, EINVAL,
					 "unknown ps column \"%s\": use user, uid, pid, ppid, c, pcpu, pmem, vsz, "
					 "rss, stat, stime, start, tty, time, cmd or comm",
					 names.v[i]);
	}
	sk_strv_fini(&names);
	*ret_n = n;
	return r;
}

static void print(const json_t *processes, const struct column *const *shown, size_t n)
{
	struct sk_table table = { 0 };
	struct sk_text line = { 0 };
	char cell[4096];
	json_t *p;
	size_t i, k;

	for (k = 0; k < n; k++)
		sk_text_printf(&line, "%s%s", k ? "\t" : "", shown[k]->header);
	sk_table_add(&table, line.s);
	json_array_foreach(processes, i, p)
	{
		line.len = 0;
		for (k = 0; k < n; k++) {
			shown[k]->cell(p, cell, sizeof(cell));
			sk_clean_text(cell); /* a program gives itself its names */
			sk_text_printf(&line, "%s%s", k ? "\t" : "", cell);
		}
		sk_table_add(&table, line.s);
	}
	sk_text_fini(&line);
	sk_table_write(&table, stdout);
}

static int cmd_top(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	_cleanup_container_ struct sk_container c = { 0 };
	const struct column *shown[MAX_COLUMNS];
	struct sk_error err = SK_ERROR_INIT;
	struct sk_reply reply;
	size_t n;

	(void)opts;
	if (parse_ps(argc - 1, argv + 1, shown, &n, &err) < 0 || sk_cli_open(cli, &err) < 0 ||
	    sk_container_find(&cli->paths, argv[0], &c, &err) < 0)
		return sk_cli_fail(&err, 1);
	if (!sk_container_is_alive(&c)) {
		fprintf(stderr, "skerry: Container %s is not running\n", c.id);
		return 1;
	}
	if (sk_vm_call(&cli->paths, c.id, &(const struct sk_msg){ .op = SK_REQUEST_PS }, &reply, &err) < 0)
		return sk_cli_fail(&err, 1);
	print(reply.processes, shown, n);
	sk_reply_fini(&reply);
	return 0;
}

const struct sk_command sk_cmd_top = {
	.name = "top",
	.args = "CONTAINER [ps OPTIONS]",
	.summary = "Display the running processes of a container",
	.aliases = "skerry container top, skerry top",
	.min = 1,
	.max = -1,
	.stop = true,
	.run = cmd_top,
};
