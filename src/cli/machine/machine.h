/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_CLI_MACHINE_H
#define SK_CLI_MACHINE_H

#include <jansson.h>

#include "cli/cli.h"
#include "model/container.h"
#include "model/options.h"
#include "model/plan.h"

/* What the commands of `skerry machine` share; model/machine.h has what is on the disk. */

/* plan.c: the container that a machine is. */
struct sk_machine_plan {
	struct sk_run_opts opts;
	struct sk_plan plan;
	struct sk_image *image;
	char *name;	     /* of the container */
	struct sk_strv args; /* of its PID 1 */
	json_t *later;	     /* vm.json's "services.later": what the host may come to have */
};
/* `machine`: the object of config.json. Finds the image (pulls it, or loads the one that Skerry brings), looks at the
 * mounts and at the environment. sk_machine_plan_fini() in any case. */
int sk_machine_plan_init(struct sk_cli *cli, const json_t *machine, struct sk_machine_plan *ret, struct sk_error *err);
void sk_machine_plan_fini(struct sk_machine_plan *p);
/* A host directory or file as --mount gives it: "/path[:/path][:ro]". -EINVAL, -ENOENT with words. `must_exist`: the
 * host has to have it. */
int sk_machine_check_mount(const char *spec, bool must_exist, struct sk_error *err);

/* start.c */
/* -EBUSY: it runs. */
int sk_machine_start(struct sk_cli *cli, const char *name, bool quiet, struct sk_error *err);
/* Starts a machine that is suspended by a knock on its socket, and waits for its engine. Nothing where it is not. */
int sk_machine_wake(struct sk_cli *cli, struct sk_container *c, struct sk_error *err);
/* 0 also where it does not run. */
int sk_machine_stop(struct sk_cli *cli, const struct sk_container *c, struct sk_error *err);
/* "skerry" for the default machine, else "skerry-NAME"; malloc'd. */
char *sk_machine_context(const char *name);
/* docker's client knows the machine's socket by the name of a context. Nothing without a docker client; a failure is a
 * warning. */
void sk_machine_make_context(struct sk_cli *cli, const char *name);
void sk_machine_remove_context(const char *name);

/* The machine that a command is about: argv[0], or the default one. malloc'd. */
char *sk_machine_arg(struct sk_cli *cli, int argc, char **argv);
/* Runs another command of the program: `words` end with NULL. Its exit code. */
int sk_machine_delegate(struct sk_cli *cli, const char *const *words, int argc, char **argv);

#endif
