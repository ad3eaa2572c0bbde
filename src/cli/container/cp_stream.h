/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_CLI_CONTAINER_CP_STREAM_H
#define SK_CLI_CONTAINER_CP_STREAM_H

#include <stddef.h>

#include "base/error.h"
#include "cli/cli.h"
#include "image/input.h"
#include "model/container.h"
#include "proto/message.h"

/* What is done with the answer of a container's guest to a request for files (SK_REQUEST_GET). The guest is not trusted. */
struct sk_cp_use {
	/* Reads `in` to its end, unless it fails: then a negative errno with err set. */
	int (*use)(void *arg, struct sk_input *in, struct sk_error *err);
	void *arg;
};

/* Asks the guest of `container`, which is booted for it where the container does not run. In cmd_cp.c. */
int sk_cp_stream(struct sk_cli *cli, const struct sk_container *container, const struct sk_msg *request,
		 const struct sk_cp_use *use, struct sk_error *err);
/* For `use`: `arg` points to a descriptor, which gets all of it. */
int sk_cp_to_fd(void *arg, struct sk_input *in, struct sk_error *err);

#endif
