/* SPDX-License-Identifier: Apache-2.0 */
/* The tree of commands, on each system: what one does not have says so itself (missing_windows.c). Order is the order of
 * the help. */
#include "cli/commands.h"

#include <stddef.h>

#define CMD(name, command)                               \
	{                                                \
		name, &command, NULL, NULL, false, false \
	}
#define ALIAS(name, command)                            \
	{                                               \
		name, &command, NULL, NULL, false, true \
	}
#define COMMON(name, command)                           \
	{                                               \
		name, &command, NULL, NULL, true, false \
	}
#define GROUP(name, verbs, summary)                      \
	{                                                \
		name, NULL, verbs, summary, false, false \
	}
#define END                                          \
	{                                            \
		NULL, NULL, NULL, NULL, false, false \
	}

static const struct sk_verb container_verbs[] = {
	CMD("attach", sk_cmd_attach),
	CMD("commit", sk_cmd_commit),
	CMD("cp", sk_cmd_cp),
	CMD("create", sk_cmd_create),
	CMD("diff", sk_cmd_diff),
	CMD("exec", sk_cmd_exec),
	CMD("export", sk_cmd_export),
	CMD("inspect", sk_cmd_container_inspect),
	CMD("kill", sk_cmd_kill),
	CMD("logs", sk_cmd_logs),
	CMD("ls", sk_cmd_ps),
	ALIAS("list", sk_cmd_ps),
	ALIAS("ps", sk_cmd_ps),
	CMD("pause", sk_cmd_pause),
	CMD("port", sk_cmd_port),
	CMD("prune", sk_cmd_container_prune),
	CMD("rename", sk_cmd_rename),
	CMD("restart", sk_cmd_restart),
	CMD("rm", sk_cmd_rm),
	ALIAS("remove", sk_cmd_rm),
	CMD("run", sk_cmd_run),
	CMD("start", sk_cmd_start),
	CMD("stats", sk_cmd_stats),
	CMD("stop", sk_cmd_stop),
	CMD("top", sk_cmd_top),
	CMD("unpause", sk_cmd_unpause),
	CMD("update", sk_cmd_update),
	CMD("wait", sk_cmd_wait),
	END,
};

static const struct sk_verb image_verbs[] = {
	CMD("history", sk_cmd_history),
	CMD("import", sk_cmd_import),
	CMD("inspect", sk_cmd_image_inspect),
	CMD("load", sk_cmd_load),
	CMD("ls", sk_cmd_images),
	ALIAS("list", sk_cmd_images),
	CMD("prune", sk_cmd_image_prune),
	CMD("pull", sk_cmd_pull),
	CMD("rm", sk_cmd_rmi),
	ALIAS("remove", sk_cmd_rmi),
	CMD("save", sk_cmd_save),
	CMD("tag", sk_cmd_tag),
	END,
};

static const struct sk_verb machine_verbs[] = {
	CMD("cp", sk_cmd_machine_cp),
	CMD("default", sk_cmd_machine_default),
	CMD("init", sk_cmd_machine_init),
	CMD("inspect", sk_cmd_machine_inspect),
	CMD("logs", sk_cmd_machine_logs),
	CMD("ls", sk_cmd_machine_ls),
	ALIAS("list", sk_cmd_machine_ls),
	CMD("reset", sk_cmd_machine_reset),
	CMD("restart", sk_cmd_machine_restart),
	CMD("rm", sk_cmd_machine_rm),
	CMD("set", sk_cmd_machine_set),
	CMD("ssh", sk_cmd_machine_ssh),
	CMD("start", sk_cmd_machine_start),
	CMD("stop", sk_cmd_machine_stop),
	END,
};

static const struct sk_verb system_verbs[] = {
	CMD("check", sk_cmd_system_check), CMD("df", sk_cmd_df),
	CMD("events", sk_cmd_events),	   CMD("info", sk_cmd_info),
	CMD("prune", sk_cmd_system_prune), END,
};

static const struct sk_verb volume_verbs[] = {
	CMD("create", sk_cmd_volume_create), CMD("inspect", sk_cmd_volume_inspect),
	CMD("ls", sk_cmd_volume_ls),	     ALIAS("list", sk_cmd_volume_ls),
	CMD("prune", sk_cmd_volume_prune),   CMD("rm", sk_cmd_volume_rm),
	ALIAS("remove", sk_cmd_volume_rm),   END,
};

const struct sk_verb sk_verbs[] = {
	COMMON("run", sk_cmd_run),
	COMMON("exec", sk_cmd_exec),
	COMMON("ps", sk_cmd_ps),
	COMMON("pull", sk_cmd_pull),
	COMMON("images", sk_cmd_images),
	COMMON("version", sk_cmd_version),
	COMMON("info", sk_cmd_info),
	GROUP("container", container_verbs, "Manage containers"),
	GROUP("image", image_verbs, "Manage images"),
	GROUP("machine", machine_verbs, "Manage machines: VMs with a Docker engine inside"),
	GROUP("system", system_verbs, "Manage Skerry"),
	GROUP("volume", volume_verbs, "Manage volumes"),
	CMD("attach", sk_cmd_attach),
	CMD("commit", sk_cmd_commit),
	CMD("cp", sk_cmd_cp),
	CMD("create", sk_cmd_create),
	CMD("diff", sk_cmd_diff),
	CMD("doctor", sk_cmd_doctor),
	CMD("events", sk_cmd_events),
	CMD("export", sk_cmd_export),
	CMD("history", sk_cmd_history),
	CMD("import", sk_cmd_import),
	CMD("inspect", sk_cmd_inspect),
	CMD("kill", sk_cmd_kill),
	CMD("load", sk_cmd_load),
	CMD("logs", sk_cmd_logs),
	CMD("pause", sk_cmd_pause),
	CMD("port", sk_cmd_port),
	CMD("prune", sk_cmd_system_prune),
	CMD("rename", sk_cmd_rename),
	CMD("restart", sk_cmd_restart),
	CMD("rm", sk_cmd_rm),
	CMD("rmi", sk_cmd_rmi),
	CMD("save", sk_cmd_save),
	CMD("start", sk_cmd_start),
	CMD("stats", sk_cmd_stats),
	CMD("stop", sk_cmd_stop),
	CMD("tag", sk_cmd_tag),
	CMD("top", sk_cmd_top),
	CMD("unpause", sk_cmd_unpause),
	CMD("update", sk_cmd_update),
	CMD("wait", sk_cmd_wait),
	END,
};
