/* SPDX-License-Identifier: Apache-2.0 */
/* From a command line to a command. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "cli/absent.h"
#include "cli/cli.h"
#include "skerry_config.h"

static int usage_error(const struct sk_error *err, const char *typed)
{
	fprintf(stderr, "%s\nSee '%s --help'.\n", err->message, typed);
	return SK_EXIT_USAGE;
}

static int check_count(const struct sk_command *c, const char *typed, int n)
{
	const char *plural = c->min == 1 ? "" : "s";

	if (n >= c->min && (c->max < 0 || n <= c->max))
		return 0;
	if (c->max == 0)
		fprintf(stderr, "skerry: '%s' accepts no arguments\n", typed);
	else if (c->min == c->max)
		fprintf(stderr, "skerry: '%s' requires %d argument%s\n", typed, c->min, plural);
	else if (n < c->min)
		fprintf(stderr, "skerry: '%s' requires at least %d argument%s\n", typed, c->min, plural);
	else
		fprintf(stderr, "skerry: '%s' requires at most %d argument%s\n", typed, c->max, c->max == 1 ? "" : "s");
	fprintf(stderr, "See '%s --help'.\n", typed);
	return 1;
}

static const struct sk_opt no_opts[] = { { NULL, 0, SK_OPT_BOOL, 0, NULL, NULL, NULL, NULL, false } };

static int run_command(struct sk_cli *cli, const struct sk_command *c, const char *typed, int argc, char **argv)
{
	const struct sk_opt *table = c->opts ? c->opts : no_opts;
	struct sk_error err = SK_ERROR_INIT;
	struct sk_opt_result parsed;
	void *opts = sk_xcalloc(1, c->opts_size);
	int r;

	cli->command = typed;
	if (c->defaults)
		c->defaults(opts);
	if (sk_opt_parse(table, &sk_flag_dialect, opts, c->stop, argc, argv, &parsed, &err) < 0) {
		r = usage_error(&err, typed);
	} else if (parsed.help) {
		sk_help_command(c, typed);
		r = 0;
	} else {
		argv[parsed.n_args] = NULL;
		r = check_count(c, typed, parsed.n_args);
		if (r == 0)
			r = c->run(cli, opts, parsed.n_args, argv);
	}
	sk_opt_fini(table, opts);
	free(opts);
	return r;
}

static const struct sk_verb *find_verb(const struct sk_verb *verbs, const char *name)
{
	for (; verbs->name; verbs++)
		if (strcmp(verbs->name, name) == 0)
			return verbs;
	return NULL;
}

static bool is_help(const char *s)
{
	return strcmp(s, "--help") == 0 || strcmp(s, "-h") == 0 || strcmp(s, "help") == 0;
}

static int no_command(const char *name, const char *typed)
{
	const char *instead = sk_cli_instead_of(name);

	if (instead)
		fprintf(stderr, "skerry: there is no '%s %s': %s.\nSee '%s --help'.\n", typed, name, instead, typed);
	else
		fprintf(stderr, "skerry: '%s' is not a skerry command.\nSee '%s --help'.\n", name, typed);
	return 1;
}

static int dispatch(struct sk_cli *cli, const struct sk_verb *verbs, const char *typed, const char *summary, int argc,
		    char **argv)
{
	_cleanup_free_ char *longer = NULL;
	const struct sk_verb *v;

	if (argc == 0 || (summary && is_help(argv[0]))) {
		sk_help_group(verbs, typed, summary);
		return 0;
	}
	v = find_verb(verbs, argv[0]);
	if (!v) {
		if (argv[0][0] == '-') {
			fprintf(stderr, "unknown flag: %s\nSee '%s --help'.\n", argv[0], typed);
			return SK_EXIT_USAGE;
		}
		return no_command(argv[0], typed);
	}
	longer = sk_xasprintf("%s %s", typed, argv[0]);
	if (v->group)
		return dispatch(cli, v->group, longer, v->summary, argc - 1, argv + 1);
	if (v->command->refused) {
		fprintf(stderr, "skerry: '%s' is not there on this system: %s\n", longer, v->command->refused);
		return SK_EXIT_USAGE;
	}
	return run_command(cli, v->command, longer, argc - 1, argv + 1);
}

int sk_dispatch(struct sk_cli *cli, const struct sk_verb *verbs, int argc, char **argv)
{
	return dispatch(cli, verbs, "skerry", NULL, argc, argv);
}

struct global {
	const char *root;
	bool version, debug;
};

#define AT(field) offsetof(struct global, field)
static const struct sk_opt global_opts[] = {
	{ "root", 0, SK_OPT_STRING, AT(root), "string",
	  "Directory of images and containers (default " SK_ROOT_NAMES "; also $SKERRY_ROOT)", NULL, NULL, false },
	{ "debug", 'D', SK_OPT_BOOL, AT(debug), NULL, NULL, NULL, NULL, true },
	{ "version", 'v', SK_OPT_BOOL, AT(version), NULL, "Print version information and quit", NULL, NULL, false },
	{ NULL, 0, SK_OPT_BOOL, 0, NULL, NULL, NULL, NULL, false },
};

/* `skerry help run` is `skerry run --help`. */
static int help_for(struct sk_cli *cli, int argc, char **argv)
{
	static char flag[] = "--help";
	char *words[8];
	int i, n = argc < 6 ? argc : 6;

	if (n == 0) {
		sk_help_program(sk_verbs, global_opts);
		return 0;
	}
	for (i = 0; i < n; i++)
		words[i] = argv[i];
	words[n++] = flag;
	words[n] = NULL;
	return sk_dispatch(cli, sk_verbs, n, words);
}

static int run_line(struct sk_cli *cli, int argc, char **argv)
{
	return sk_dispatch(cli, sk_verbs, argc, argv);
}

int sk_cli_main(int argc, char **argv)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_opt_result parsed;
	struct global global = { 0 };
	struct sk_cli cli = { .run = run_line };
	int code;

	if (sk_std_fds_open() < 0)
		return 125;
	/* A reader that goes shows as EPIPE where we write. */
	signal(SIGPIPE, SIG_IGN);
	sk_raise_size_limit();
	argc--;
	argv++;
	if (sk_opt_parse(global_opts, &sk_flag_dialect, &global, true, argc, argv, &parsed, &err) < 0)
		return usage_error(&err, "skerry");
	cli.root = global.root;
	if (global.version) {
		printf("Skerry version %s\n", SK_VERSION);
		return 0;
	}
	if (parsed.help || parsed.n_args == 0) {
		sk_help_program(sk_verbs, global_opts);
		return 0;
	}
	if (strcmp(argv[0], "help") == 0)
		code = help_for(&cli, parsed.n_args - 1, argv + 1);
	else
		code = sk_dispatch(&cli, sk_verbs, parsed.n_args, argv);
	sk_cli_close(&cli);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		if (errno == EPIPE)
			return code ? code : 128 + SIGPIPE;
		fprintf(stderr, "skerry: cannot write the output: %s\n", strerror(errno));
		return code ? code : 1;
	}
	return code;
}
