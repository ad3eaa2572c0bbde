/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_AGENT_SPEC_H
#define SK_AGENT_SPEC_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "proto/message.h"
#include "user.h"

/*
 * Makes the OCI configuration that came from the host fit this guest. Pure: JSON in, JSON changed, no I/O.
 */
struct sk_spec_extra {
	const char *container;
	const char *rootfs; /* absolute path in the guest */
	bool readonly;
	uint64_t memory;       /* bytes that the container may have at most; 0: no matter */
	bool init;	       /* run below the agent's own init */
	const char *init_path; /* the agent's binary */
	json_t *binds;	       /* borrowed: appended to the mounts */
	const struct sk_stdio_spec *stdio;
};

/* Completes `spec` in place and removes what belongs to the host: hooks other than startContainer, namespace paths,
 * the network namespace, and security labels of the host. `*ret_sysctl` is a new object with the net.* sysctls, which
 * are the guest's own here. */
int sk_spec_complete(json_t *spec, const struct sk_spec_extra *extra, json_t **ret_sysctl, struct sk_error *err);
/* Terminal, its size and labels: of a container's first process and of an exec's alike. */
int sk_spec_process(json_t *process, const struct sk_stdio_spec *stdio, struct sk_error *err);
/* Fills members that `process` of an exec lacks from the container's `spec`. */
void sk_spec_inherit(json_t *process, const json_t *spec);
/* Sets process.user, and HOME where the environment has none. `mark` (may be NULL): spec in which to note that HOME is
 * ours. */
int sk_spec_user(json_t *process, const struct sk_user *user, json_t *mark, struct sk_error *err);

/* What crun's log says, in docker's words. Sets `err`; returns the exit code of `docker run` for it: 127, 126 or 0 (no
 * statement). `program` is the process's first argument. */
int sk_spec_crun_error(const char *log, const char *program, struct sk_error *err);

#endif
