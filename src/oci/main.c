/* SPDX-License-Identifier: Apache-2.0 */
/* skerry-oci: global options, the choice of the verb, errors in runc's form. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
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

/* Parses the options before the verb. 0: go on; 1: done. */
static int parse_globals(int argc, char **argv, struct sk_oci *o, const char **ret_root, struct sk_error *err)
{
	static const struct option options[] = {
		{ "root", required_argument, NULL, 'r' },
		{ "log", required_argument, NULL, 'l' },
		{ "log-format", required_argument, NULL, 'f' },
		{ "systemd-cgroup", no_argument, NULL, 's' },
		{ "debug", no_argument, NULL, 'd' },
		{ "rootless", required_argument, NULL, 'x' },
		{ "criu", required_argument, NULL, 'x' },
		{ "version", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "+vh", options, NULL)) != -1) {
		switch (opt) {
		case 'r':
			*ret_root = optarg;
			break;
		case 'l':
			o->log_path = optarg;
			break;
		case 'f':
			if (strcmp(optarg, "json") != 0 && strcmp(optarg, "text") != 0)
				return sk_error_set(err, EINVAL, "invalid log-format: %s", optarg);
			o->log_json = strcmp(optarg, "json") == 0;
			break;
		case 's':
			o->systemd_cgroup = true;
			break;
		case 'd':
			o->debug = true;
			break;
		case 'v':
			printf("skerry-oci version %s\nspec: %s\n", SK_VERSION, SK_OCI_VERSION);
			return 1;
		case 'h':
			help(stdout);
			return 1;
		case 'x':
			break;
		default:
			return sk_oci_bad_option(argv, err);
		}
	}
	return 0;
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
	bool begun;
	int r, first;

	if (sk_std_fds_open() < 0)
		return 1;
	sk_oci_stand_in_main();
	signal(SIGPIPE, SIG_IGN); /* a monitor that is gone is an error with words */
	opterr = 0;
	r = parse_globals(argc, argv, &o, &root, &err);
	first = optind;
	if (r == 0 && optind >= argc) {
		help(stdout);
		return 0;
	}
	if (r == 0 && o.log_path)
		r = sk_oci_log_check(&o, &err);
	begun = r == 0;
	if (r == 0)
		r = dispatch(&o, root, argc - optind, argv + optind, &err);
	else if (r > 0)
		return 0;
	sk_paths_fini(&o.paths);
	if (r >= 0)
		return r;
	sk_oci_log(&o, "error", "%s", err.message);
	/* a failure of exec itself must not look like the program's */
	return begun && first < argc && strcmp(argv[first], "exec") == 0 ? 255 : 1;
}
