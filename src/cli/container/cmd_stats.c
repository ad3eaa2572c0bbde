/* SPDX-License-Identifier: Apache-2.0 */
/* stats: two samples of each container make its CPU share; on a terminal the table is drawn again each second. */
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/commands.h"
#include "model/container.h"
#include "model/jx.h"
#include "cli/print/list.h"
#include "model/units.h"
#include "vm/vm.h"

#define SAMPLE_MS 1000

struct stats_opts {
	bool all, no_stream, no_trunc;
	const char *format;
};

#define AT(f) offsetof(struct stats_opts, f)
static const struct sk_opt stats_opts[] = {
	SK_OPT_BOOL_("all", 'a', AT(all), "Show all containers (default shows just running)"),
	SK_OPT_STR_("format", 0, AT(format), "string", SK_FORMAT_HELP),
	SK_OPT_BOOL_("no-stream", 0, AT(no_stream), "Disable streaming stats and only pull the first result"),
	SK_OPT_BOOL_("no-trunc", 0, AT(no_trunc), "Do not truncate output"),
	SK_OPT_END,
};

static const struct sk_column columns[] = {
	{ "Container", "CONTAINER" },
	{ "ID", "CONTAINER ID" },
	{ "Name", "NAME" },
	{ "CPUPerc", "CPU %" },
	{ "MemUsage", "MEM USAGE / LIMIT" },
	{ "MemPerc", "MEM %" },
	{ "NetIO", "NET I/O" },
	{ "BlockIO", "BLOCK I/O" },
	{ "PIDs", "PIDS" },
	{ NULL, NULL },
};

/* One container under watch; the last sample stays for the difference. */
struct watched {
	char id[SK_ID_LEN + 1];
	char *name, *asked;
	int64_t cpu_ns, at_ns; /* of the last sample; at_ns 0: none */
	double percent;
	json_t *stats; /* NULL: it does not run */
	json_t *config;
};

struct stats_watch {
	struct watched *v;
	size_t n;
};

static void watch_fini(struct stats_watch *w)
{
	size_t i;

	for (i = 0; i < w->n; i++) {
		free(w->v[i].name);
		free(w->v[i].asked);
		json_decref(w->v[i].stats);
		json_decref(w->v[i].config);
	}
	free(w->v);
}

static void add(struct stats_watch *w, const struct sk_container *c, const char *asked)
{
	struct watched *one;

	w->v = sk_xrealloc(w->v, w->n + 1, sizeof(*w->v));
	one = &w->v[w->n++];
	*one = (struct watched){ .name = sk_xstrdup(sk_container_name(c)),
				 .asked = sk_xstrdup(asked),
				 .config = json_incref(c->config) };
	memcpy(one->id, c->id, sizeof(one->id));
}

/* Containers named, or all that run, with those that came since the last round. */
static int collect(struct sk_cli *cli, const struct stats_opts *o, int argc, char **argv, struct stats_watch *w,
		   struct sk_error *err)
{
	struct sk_containers all = { 0 };
	size_t i, k;
	int a, r;

	if (argc) {
		for (a = 0; w->n < (size_t)argc && a < argc; a++) {
			_cleanup_container_ struct sk_container c = { 0 };

			r = sk_container_find(&cli->paths, argv[a], &c, err);
			if (r < 0)
				return r;
			add(w, &c, argv[a]);
		}
		return 0;
	}
	r = sk_containers_load(&cli->paths, &all, err);
	for (i = 0; r == 0 && i < all.n; i++) {
		if (!o->all && !sk_container_is_alive(&all.v[i]))
			continue;
		for (k = 0; k < w->n && strcmp(w->v[k].id, all.v[i].id) != 0; k++)
			;
		if (k == w->n)
			add(w, &all.v[i], all.v[i].id);
	}
	sk_containers_fini(&all);
	return r;
}

static void sample(struct sk_cli *cli, struct watched *c)
{
	struct sk_reply reply;
	struct sk_error ignored = SK_ERROR_INIT;
	int64_t now, cpu;

	json_decref(c->stats);
	c->stats = NULL;
	if (sk_vm_call(&cli->paths, c->id, &(const struct sk_msg){ .op = SK_REQUEST_STATS }, &reply, &ignored) < 0) {
		c->at_ns = 0;
		c->percent = 0;
		return;
	}
	c->stats = json_incref((json_t *)(uintptr_t)reply.stats);
	sk_reply_fini(&reply);
	/* The guest's own clock where it tells it: the way here takes time, too. */
	cpu = sk_jx_get_int(c->stats, "cpu_ns", 0);
	now = sk_now_ns();
	if (c->at_ns && now > c->at_ns && cpu >= c->cpu_ns)
		c->percent = (double)(cpu - c->cpu_ns) * 100 / (double)(now - c->at_ns);
	c->cpu_ns = cpu;
	c->at_ns = now;
}

static json_t *make_row(const struct stats_opts *o, const struct watched *c)
{
	const json_t *s = c->stats, *net = sk_jx_at(s, "net.eth0");
	char id[SK_ID_LEN + 1], a[32], b[32], text[80];
	int64_t usage = sk_jx_get_int(s, "memory.usage", 0), inactive = sk_jx_get_int(s, "memory.inactive_file", 0);
	int64_t limit = sk_jx_get_int(s, "memory.limit", 0), vm = sk_jx_get_int(c->config, "Vm.Memory", 0);
	json_t *row = sk_jx_object();

	usage = usage > inactive ? usage - inactive : 0;
	if (limit <= 0 || (vm && limit > vm))
		limit = vm;
	snprintf(id, sizeof(id), "%.*s", o->no_trunc ? SK_ID_LEN : 12, c->id);
	sk_jx_set_str(row, "Container", c->asked);
	sk_jx_set_str(row, "ID", id);
	sk_jx_set_str(row, "Name", c->name);
	snprintf(text, sizeof(text), "%.2f%%", c->percent);
	sk_jx_set_str(row, "CPUPerc", s ? text : "--");
	snprintf(text, sizeof(text), "%s / %s", sk_format_memory((double)usage, a), sk_format_memory((double)limit, b));
	sk_jx_set_str(row, "MemUsage", s ? text : "-- / --");
	snprintf(text, sizeof(text), "%.2f%%", limit > 0 ? (double)usage * 100 / (double)limit : 0.0);
	sk_jx_set_str(row, "MemPerc", s ? text : "--");
	snprintf(text, sizeof(text), "%s / %s", sk_format_size((double)sk_jx_get_int(net, "rx_bytes", 0), 3, a),
		 sk_format_size((double)sk_jx_get_int(net, "tx_bytes", 0), 3, b));
	sk_jx_set_str(row, "NetIO", s ? text : "--");
	snprintf(text, sizeof(text), "%s / %s", sk_format_size((double)sk_jx_get_int(s, "blkio.read", 0), 3, a),
		 sk_format_size((double)sk_jx_get_int(s, "blkio.write", 0), 3, b));
	sk_jx_set_str(row, "BlockIO", s ? text : "--");
	snprintf(text, sizeof(text), "%lld", (long long)sk_jx_get_int(s, "pids.current", 0));
	sk_jx_set_str(row, "PIDs", s ? text : "--");
	return row;
}

static int show(const struct stats_opts *o, const struct stats_watch *w, bool clear, struct sk_error *err)
{
	struct sk_list list = { .format = o->format,
				.table = "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{"
					 ".BlockIO}}\t{{.PIDs}}",
				.columns = columns };
	_cleanup_json_ json_t *rows = sk_jx_array();
	size_t i;
	int r;

	for (i = 0; i < w->n; i++)
		sk_jx_push(rows, make_row(o, &w->v[i]));
	if (clear)
		fputs("\033[2J\033[H", stdout);
	r = sk_list_print(&list, rows, stdout, err);
	fflush(stdout);
	return r;
}

static int watch_loop(struct sk_cli *cli, const struct stats_opts *o, int argc, char **argv, struct stats_watch *w,
		      struct sk_error *err)
{
	bool first = true;
	size_t i;
	int r;

	for (;;) {
		r = collect(cli, o, argc, argv, w, err);
		if (r < 0)
			return r;
		for (i = 0; i < w->n; i++)
			sample(cli, &w->v[i]);
		if (first) {
			first = false;
			if (w->n && (o->no_stream || !o->format))
				poll(NULL, 0, SAMPLE_MS);
			if (w->n)
				for (i = 0; i < w->n; i++)
					sample(cli, &w->v[i]);
		}
		r = show(o, w, !o->no_stream && !o->format, err);
		if (r < 0 || o->no_stream || ferror(stdout))
			return r;
		poll(NULL, 0, SAMPLE_MS);
		if (argc)
			continue;
		for (i = 0; i < w->n; i++) /* what runs no more is not asked for again */
			if (!w->v[i].stats && !o->all) {
				struct stats_watch one = { sk_xcalloc(1, sizeof(*w->v)), 1 };

				one.v[0] = w->v[i];
				memmove(w->v + i, w->v + i + 1, (w->n - i - 1) * sizeof(*w->v));
				w->n--;
				i--;
				watch_fini(&one);
			}
	}
}

static int cmd_stats(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	const struct stats_opts *o = opts;
	struct sk_list list = { .format = o->format, .table = "", .columns = columns };
	struct sk_error err = SK_ERROR_INIT;
	struct stats_watch w = { 0 };
	int r = sk_list_check(&list, &err);

	if (r == 0)
		r = sk_cli_open(cli, &err);
	if (r == 0)
		r = watch_loop(cli, o, argc, argv, &w, &err);
	watch_fini(&w);
	return r < 0 ? sk_cli_fail(&err, 1) : 0;
}

const struct sk_command sk_cmd_stats = {
	.name = "stats",
	.args = "[OPTIONS] [CONTAINER...]",
	.summary = "Display a live stream of container(s) resource usage statistics",
	.aliases = "skerry container stats, skerry stats",
	.opts = stats_opts,
	.opts_size = sizeof(struct stats_opts),
	.max = -1,
	.run = cmd_stats,
};
