/* SPDX-License-Identifier: Apache-2.0 */
/* The tree of commands on Windows, where no VM can be started yet: all that needs none. The others say so. */
#include "cli/commands.h"

#include <stddef.h>

#define NEEDS_VM "this version of Skerry does not start containers on Windows"
#define NEEDS_SKOPEO "it needs skopeo, which there is for Windows in no package; \"skerry load\" reads archives"
#define NEEDS_LINUX "it looks at Linux' own ways of isolation; \"skerry info\" says what there is of Hyper-V"

#define CMD(name, command)                                     \
	{                                                      \
		name, &command, NULL, NULL, false, false, NULL \
	}
#define ALIAS(name, command)                                  \
	{                                                     \
		name, &command, NULL, NULL, false, true, NULL \
	}
#define COMMON(name, command)                                 \
	{                                                     \
		name, &command, NULL, NULL, true, false, NULL \
	}
#define GROUP(name, verbs, summary)                            \
	{                                                      \
		name, NULL, verbs, summary, false, false, NULL \
	}
#define NOT(name, why)                                     \
	{                                                  \
		name, NULL, NULL, NULL, false, true, (why) \
	}
#define END                                                \
	{                                                  \
		NULL, NULL, NULL, NULL, false, false, NULL \
	}

/* What the group "container" has, and skerry itself. */
#define NO_CONTAINER_VERBS                                                                                   \
	NOT("attach", NEEDS_VM), NOT("cp", NEEDS_VM), NOT("create", NEEDS_VM), NOT("exec", NEEDS_VM),        \
		NOT("kill", NEEDS_VM), NOT("logs", NEEDS_VM), NOT("pause", NEEDS_VM), NOT("port", NEEDS_VM), \
		NOT("ps", NEEDS_VM), NOT("rename", NEEDS_VM), NOT("restart", NEEDS_VM), NOT("rm", NEEDS_VM), \
		NOT("run", NEEDS_VM), NOT("start", NEEDS_VM), NOT("stats", NEEDS_VM), NOT("stop", NEEDS_VM), \
		NOT("top", NEEDS_VM), NOT("unpause", NEEDS_VM), NOT("update", NEEDS_VM), NOT("wait", NEEDS_VM)

static const struct sk_verb image_verbs[] = {
	CMD("history", sk_cmd_history),
	CMD("import", sk_cmd_import),
	CMD("inspect", sk_cmd_image_inspect),
	CMD("load", sk_cmd_load),
	CMD("ls", sk_cmd_images),
	ALIAS("list", sk_cmd_images),
	CMD("prune", sk_cmd_image_prune),
	NOT("pull", NEEDS_SKOPEO),
	CMD("rm", sk_cmd_rmi),
	ALIAS("remove", sk_cmd_rmi),
	CMD("tag", sk_cmd_tag),
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
	COMMON("images", sk_cmd_images),
	COMMON("load", sk_cmd_load),
	COMMON("version", sk_cmd_version),
	COMMON("info", sk_cmd_info),
	GROUP("image", image_verbs, "Manage images"),
	GROUP("system", system_verbs, "Manage Skerry"),
	GROUP("volume", volume_verbs, "Manage volumes"),
	CMD("events", sk_cmd_events),
	CMD("history", sk_cmd_history),
	CMD("import", sk_cmd_import),
	CMD("inspect", sk_cmd_inspect),
	CMD("prune", sk_cmd_system_prune),
	CMD("rmi", sk_cmd_rmi),
	CMD("tag", sk_cmd_tag),
	NO_CONTAINER_VERBS,
	NOT("container", NEEDS_VM),
	NOT("machine", NEEDS_VM),
	NOT("pull", NEEDS_SKOPEO),
	NOT("doctor", NEEDS_LINUX),
	END,
};
