/* SPDX-License-Identifier: Apache-2.0 */
/* doctor: what works on this machine, what does not, and what to do about it. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/commands.h"
#include "cli/system/doctor.h"
#include "cli/system/engines.h"
#include "cli/print/list.h"
#include "model/jx.h"
#include "model/units.h"

struct doctor_opts {
	const char *format, *export;
	bool again;
};

static const struct sk_opt doctor_opts[] = {
	SK_OPT_BOOL_("again", 0, offsetof(struct doctor_opts, again),
		     "Try hardware virtualization again, whatever was found out before"),
	SK_OPT_STR_("export", 0, offsetof(struct doctor_opts, export), "path",
		    "Only say what the file system of this directory does, and how a share of it works"),
	SK_OPT_STR_("format", 'f', offsetof(struct doctor_opts, format), "string",
		    "Format output using a custom template: 'json', or 'TEMPLATE' in Go's template language"),
	SK_OPT_END,
};

static void print_engines(const json_t *o)
{
	const json_t *list = json_object_get(o, "Engines");
	const char *setting = sk_jx_get_str(o, "Setting", ""), *from = sk_jx_get_str(o, "SettingFrom", "");
	size_t i;

	printf("Engine: %s\n", *sk_jx_get_str(o, "Engine", "") ? sk_jx_get_str(o, "Engine", "") : "none");
	if (strcmp(setting, "auto") == 0)
		printf("  the first that works of these%s%s\n", strcmp(from, "default") ? ", as set by " : "",
		       strcmp(from, "default") ? from : "");
	else if (*setting)
		printf("  as set by %s\n", from);
	if (*sk_jx_get_str(o, "Error", ""))
		printf("  %s\n", sk_jx_get_str(o, "Error", ""));
	for (i = 0; i < json_array_size(list); i++) {
		const json_t *e = json_array_get(list, i);
		bool works = sk_jx_get_bool(e, "Works", false);

		printf("\n%-4s %s\n", works ? "ok" : "no", sk_jx_get_str(e, "Name", ""));
		printf("     %s\n", sk_jx_get_str(e, works ? "Isolation" : "Problem", ""));
		if (works && *sk_jx_get_str(e, "Program", ""))
			printf("     %s\n", sk_jx_get_str(e, "Program", ""));
	}
}

static void print_checks(const json_t *checks)
{
	size_t i;

	putchar('\n');
	for (i = 0; i < json_array_size(checks); i++) {
		const json_t *c = json_array_get(checks, i);

		printf("%-4s %s: %s\n", sk_jx_get_str(c, "State", ""), sk_jx_get_str(c, "Name", ""),
		       sk_jx_get_str(c, "Text", ""));
	}
}

static bool all_well(const json_t *o)
{
	const json_t *checks = json_object_get(o, "Checks");
	size_t i;

	for (i = 0; i < json_array_size(checks); i++)
		if (strcmp(sk_jx_get_str(json_array_get(checks, i), "State", ""), "bad") == 0)
			return false;
	return *sk_jx_get_str(o, "Engine", "") != '\0';
}

/* Needs neither containers nor engines. */
static int show_export(const struct doctor_opts *o)
{
	struct sk_error err = SK_ERROR_INIT;
	_cleanup_json_ json_t *all = sk_doctor_export(o->export, &err);

	if (!all || (o->format && sk_format_one(o->format, all, stdout, &err) < 0))
		return sk_cli_fail(&err, 1);
	if (!o->format) {
		printf("%s\n     %s\n", sk_jx_get_str(all, "Path", ""), sk_jx_get_str(all, "Text", ""));
		print_checks(json_object_get(all, "Checks"));
	}
	return 0;
}

static int cmd_doctor(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	const struct doctor_opts *o = opts;
	struct sk_error err = SK_ERROR_INIT;
	_cleanup_json_ json_t *all = NULL;
	json_t *checks;

	(void)argc;
	(void)argv;
	if (sk_format_check(o->format, &err) < 0)
		return sk_cli_fail(&err, SK_EXIT_TEMPLATE);
	if (o->export)
		return show_export(o);
	if (sk_cli_open(cli, &err) < 0)
		return sk_cli_fail(&err, 1);
	all = sk_engines_json(o->again);
	checks = sk_jx_array();
	sk_doctor_checks(cli, all, checks);
	sk_jx_set(all, "Checks", checks);
	if (o->format) {
		if (sk_format_one(o->format, all, stdout, &err) < 0)
			return sk_cli_fail(&err, 1);
	} else {
		print_engines(all);
		print_checks(checks);
	}
	return all_well(all) ? 0 : 1;
}

const struct sk_command sk_cmd_doctor = {
	.name = "doctor",
	.args = "[OPTIONS]",
	.summary = "Show what works on this machine, and what to do about what does not",
	.opts = doctor_opts,
	.opts_size = sizeof(struct doctor_opts),
	.max = 0,
	.run = cmd_doctor,
};
