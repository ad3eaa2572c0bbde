/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_MODEL_VOLUMES_FROM_H
#define SK_MODEL_VOLUMES_FROM_H

#include "base/error.h"
#include "base/id.h"
#include "model/xmem.h"
#include "vm/state.h"

/* --volumes-from: the volumes and directories of the host of other containers, each "NAME|ID[:ro|:rw]", as pairs in
 * `ret`: a place in the container, and a text for --mount. -ENOENT with docker's words, -EINVAL. */
int sk_volumes_from(const struct sk_paths *paths, const struct sk_strv *from, struct sk_strv *ret,
		    struct sk_error *err);

#endif
