/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_AGENT_COPY_CHANGES_H
#define SK_AGENT_COPY_CHANGES_H

#include <stdbool.h>

#include "base/error.h"

/* The directories of an overlay, opened (O_PATH will do), borrowed. */
struct sk_changes {
	int upper;  /* what the container has written */
	int lower;  /* what it started from */
	int merged; /* both, as it sees them */
};

/*
 * What a container has changed of its image, to `fd`: a layer (tar, with whiteouts as OCI image-spec, layer.md, has
 * them), or, with `list`, for each change a letter of docker's diff (A: added, C: changed, D: deleted), the path from
 * "/" and a NUL.
 */
int sk_changes_send(const struct sk_changes *of, bool list, int fd, struct sk_error *err);
/* The same of the container whose files are in `dir` (sk_rootfs_build() has made them). Mounts what it needs in a mount
 * namespace of its own: for a child that ends afterwards. -ENOTSUP: its root has no layers here. */
int sk_changes_send_container(const char *dir, bool list, int fd, struct sk_error *err);

#endif
