/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_CLI_COMMANDS_H
#define SK_CLI_COMMANDS_H

#include "cli/cli.h"

/* cmd_run.c, cmd_create.c, … */
extern const struct sk_command sk_cmd_attach, sk_cmd_commit, sk_cmd_cp, sk_cmd_create, sk_cmd_diff, sk_cmd_events,
	sk_cmd_exec, sk_cmd_export, sk_cmd_history, sk_cmd_images, sk_cmd_import, sk_cmd_info, sk_cmd_inspect,
	sk_cmd_kill, sk_cmd_load, sk_cmd_logs, sk_cmd_pause, sk_cmd_port, sk_cmd_ps, sk_cmd_pull, sk_cmd_rename,
	sk_cmd_restart, sk_cmd_rm, sk_cmd_rmi, sk_cmd_run, sk_cmd_save, sk_cmd_start, sk_cmd_stats, sk_cmd_stop,
	sk_cmd_tag, sk_cmd_top, sk_cmd_unpause, sk_cmd_update, sk_cmd_version, sk_cmd_wait, sk_cmd_df, sk_cmd_doctor;
extern const struct sk_command sk_cmd_volume_create, sk_cmd_volume_inspect, sk_cmd_volume_ls, sk_cmd_volume_prune,
	sk_cmd_volume_rm;
extern const struct sk_command sk_cmd_container_inspect, sk_cmd_container_prune, sk_cmd_image_inspect,
	sk_cmd_image_prune, sk_cmd_system_prune, sk_cmd_system_check;

extern const struct sk_command sk_cmd_machine_cp, sk_cmd_machine_default, sk_cmd_machine_init, sk_cmd_machine_inspect,
	sk_cmd_machine_logs, sk_cmd_machine_ls, sk_cmd_machine_reset, sk_cmd_machine_restart, sk_cmd_machine_rm,
	sk_cmd_machine_set, sk_cmd_machine_ssh, sk_cmd_machine_start, sk_cmd_machine_stop;

/* Into the log of events: `action` of image `id`, called `name`. */
void sk_image_event(struct sk_cli *cli, const char *action, const char *id, const char *name);

/* Calls `one` for each argument; an error is printed and the others go on, as docker does. 0, or 1 if any failed.
 * Prints the argument on success where `echo`. */
int sk_each(struct sk_cli *cli, int argc, char **argv, bool echo,
	    int (*one)(struct sk_cli *cli, const char *ref, void *arg, struct sk_error *err), void *arg);

/* Removes the volumes that no container uses, the anonymous ones only unless `all`, and prints their names.
 * `filter`: checked, by sk_volume_prune_filters. Adds what they took to *bytes. */
int sk_prune_volumes(struct sk_cli *cli, const struct sk_strv *filter, bool all, uint64_t *bytes, struct sk_error *err);

/* "End of a table", and the fields of one entry. */
#define SK_OPT_END                                                     \
	{                                                              \
		NULL, 0, SK_OPT_BOOL, 0, NULL, NULL, NULL, NULL, false \
	}
#define SK_OPT_BOOL_(name, letter, at, help)                                 \
	{                                                                    \
		name, letter, SK_OPT_BOOL, at, NULL, help, NULL, NULL, false \
	}
#define SK_OPT_STR_(name, letter, at, value, help)                              \
	{                                                                       \
		name, letter, SK_OPT_STRING, at, value, help, NULL, NULL, false \
	}
#define SK_OPT_INT_(name, letter, at, help)                                  \
	{                                                                    \
		name, letter, SK_OPT_INT, at, "int", help, NULL, NULL, false \
	}
#define SK_OPT_LIST_(name, letter, at, value, help)                           \
	{                                                                     \
		name, letter, SK_OPT_LIST, at, value, help, NULL, NULL, false \
	}
#define SK_OPT_FILTER_(letter, at, help)                                                       \
	{                                                                                      \
		"filter", letter, SK_OPT_LIST, at, "filter", help, sk_filter_form, NULL, false \
	}
#define SK_FORMAT_HELP                                                                                                \
	"Format output using a custom template: 'table' (default where there is a table), 'table TEMPLATE', 'json', " \
	"or 'TEMPLATE' in "                                                                                           \
	"Go's template language"

#endif
