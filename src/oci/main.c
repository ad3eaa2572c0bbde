/* SPDX-License-Identifier: Apache-2.0 */
/* skerry-oci: global options, the choice of the verb, errors in runc's form. */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "oci/oci.h"
#include "skerry_config.h"

static const struct {
	const char *name;
	int (*run)(struct sk_oci *o, int argc, char **argv, struct sk_error *err);
	const char *args, *what;
	bool stateless;
} verbs[] = {
	{ "create", sk_oci_create, "[--bundle DIR] [--pid-file FILE] [--console-socket SOCKET] ID",
	  "create a container", false },
	{ "delete", sk_oci_delete, "[--force] ID", "remove what is left of a container", false },
	{ "events", sk_oci_events, "[--stats] [--interval S] ID", "show events and statistics", false },
	{ "exec", sk_oci_exec,
	  "[--process FILE | --tty --user U --cwd D --env K=V …] [--detach] [--pid-file FILE] ID [COMMAND …]",
	  "run a process in a container", false },
	{ "features", sk_oci_features, "", "show what this runtime can do, as JSON", true },
	{ "install", sk_oci_install, "--docker|--podman [--undo] [--yes] [--name NAME] [--config FILE]",
	  "register with docker or podman", true },
	{ "kill", sk_oci_kill, "[--all] ID [SIGNAL]", "send a signal (TERM)", false },
	{ "list", sk_oci_list, "[--format table|json] [--quiet]", "list containers", false },
	{ "pause", sk_oci_pause, "ID", "suspend all processes", false },
	{ "ps", sk_oci_ps, "[--format table|json] ID [PS OPTION …]", "list processes", false },
	{ "resume", sk_oci_resume, "ID", "undo pause", false },
	{ "run", sk_oci_run, "[--bundle DIR] [--detach] [--pid-file FILE] [--keep] ID", "create and start", false },
	{ "spec", sk_oci_spec, "[--bundle DIR]", "write an example config.json", true },
	{ "start", sk_oci_start, "ID", "start the process of a created container", false },
	{ "state", sk_oci_state, "ID", "show a container's state as JSON", false },
	{ "update", sk_oci_update, "[--resources FILE | --memory N --cpu-quota N …] ID", "change limits", false },
};

static void help(FILE *f)
{
	size_t i;

	fprintf(f,
		"usage: skerry-oci [--root DIR] [--log FILE] [--log-format text|json] [--systemd-cgroup] [--debug] "
		"VERB …\n\n"
		"An OCI runtime with runc's command line: each container runs in a small VM of its own.\n\nVerbs:\n");
	for (i = 0; i < SK_ARRAY_SIZE(verbs); i++)
		fprintf(f, "  %-9s %s\n            %s\n", verbs[i].name, verbs[i].what, verbs[i].args);
	fprintf(f, "\nSee skerry-oci(8).\n");
}

struct globals {
	const char *root, *log_path;
	bool log_json, systemd_cgroup, debug;
};

static int store_log_format(const struct sk_opt *o, void *to, const char *value, struct sk_error *err)
{
	(void)o;
	if (strcmp(value, "json") != 0 && strcmp(value, "text") != 0)
		return sk_error_set(err, EINVAL, "invalid log-format: %s", value);
	*(bool *)to = strcmp(value, "json") == 0;
	return 0;
}

static int print_version(const struct sk_opt *o, void *to, const char *value, struct sk_error *err)
{
	(void)o;
	(void)to;
	(void)value;
	(void)err;
	printf("skerry-oci version %s\nspec: %s\n", SK_VERSION, SK_OCI_VERSION);
	return 1;
}

static int print_help(const struct sk_opt *o, void *to, const char *value, struct sk_error *err)
{
	(void)o;
	(void)to;
	(void)value;
	(void)err;
	help(stdout);
	return 1;
}

/* Parses the options before the verb, also those before a mistake, which the log is told of. 0: go on, with `*ret_args` arguments; 1: done. */
static int parse_globals(int argc, char **argv, struct sk_oci *o, const char **ret_root, int *ret_args,
			 struct sk_error *err)
{
	static const struct sk_opt_type log_format = { true, store_log_format, NULL };
	static const struct sk_opt_type version = { false, print_version, NULL },
					show_help = { false, print_help, NULL };
	static const struct sk_opt options[] = {
		{ .name = "root", .type = SK_OPT_STRING, .offset = offsetof(struct globals, root) },
		{ .name = "log", .type = SK_OPT_STRING, .offset = offsetof(struct globals, log_path) },
		{ .name = "log-format", .type = &log_format, .offset = offsetof(struct globals, log_json) },
		{ .name = "systemd-cgroup", .type = SK_OPT_BOOL, .offset = offsetof(struct globals, systemd_cgroup) },
		{ .name = "debug", .type = SK_OPT_BOOL, .offset = offsetof(struct globals, debug) },
		{ .name = "rootless", .type = SK_OPT_IGNORED },
		{ .name = "criu", .type = SK_OPT_IGNORED },
		{ .name = "version", .letter = 'v', .type = &version },
		{ .name = "help", .letter = 'h', .type = &show_help },
		{ .name = NULL },
	};
	struct globals g = { 0 };
	struct sk_opt_result parsed = { 0 };
	int r = sk_opt_parse(options, &sk_oci_dialect, &g, true, argc - 1, argv + 1, &parsed, err);

	o->log_path = g.log_path;
	o->log_json = g.log_json;
	o->systemd_cgroup = g.systemd_cgroup;
	o->debug = g.debug;
	*ret_root = g.root;
	*ret_args = parsed.n_args;
	return r;
}

static int dispatch(struct sk_oci *o, const char *root, int argc, char **argv, struct sk_error *err)
{
	size_t i;
	int r;

	for (i = 0; i < SK_ARRAY_SIZE(verbs) && strcmp(argv[0], verbs[i].name) != 0; i++)
		;
	if (i == SK_ARRAY_SIZE(verbs)) {
		fprintf(stderr, "No help topic for '%s': see skerry-oci --help\n", argv[0]);
		return 3; /* as runc's */
	}
	if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		printf("usage: skerry-oci %s %s\n\n%s\n", verbs[i].name, verbs[i].args, verbs[i].what);
		return 0;
	}
	sk_oci_log(o, "debug", "skerry-oci " SK_VERSION ": %s %s", argv[0], argc > 1 ? argv[argc - 1] : "");
	r = verbs[i].stateless ? 0 : sk_oci_paths(o, root, err);
	return r < 0 ? r : verbs[i].run(o, argc, argv, err);
}

int main(int argc, char **argv)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_oci o = { 0 };
	const char *root = NULL;
	int r, n = 0;
	bool begun;

	if (sk_std_fds_open() < 0)
		return 1;
	sk_oci_stand_in_main();
	signal(SIGPIPE, SIG_IGN); /* a monitor that is gone is an error with words */
	sk_raise_size_limit();
	r = parse_globals(argc, argv, &o, &root, &n, &err);
	if (r > 0)
		return 0;
	if (r == 0 && n == 0) {
		help(stdout);
		return 0;
	}
	if (r == 0 && o.log_path)
		r = sk_oci_log_check(&o, &err);
	begun = r == 0;
	if (r == 0) {
		argv[1 + n] = NULL;
		r = dispatch(&o, root, n, argv + 1, &err);
	}
	sk_paths_fini(&o.paths);
	if (r >= 0)
		return r;
	sk_oci_log(&o, "error", "%s", err.message);
	/* a failure of exec itself must not look like the program's */
	return begun && strcmp(argv[1], "exec") == 0 ? 255 : 1;
}
