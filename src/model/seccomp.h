/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_MODEL_SECCOMP_H
#define SK_MODEL_SECCOMP_H

#include <jansson.h>

#include "base/error.h"
#include "model/xmem.h"

/* linux.seccomp of an OCI configuration. `caps`: the capabilities that the container has. New references. */

/* seccomp_default.c: what docker allows by default. */
json_t *sk_seccomp_default(const struct sk_strv *caps);
/* From a file in docker's form (archMap, includes, excludes) or in OCI's. */
int sk_seccomp_load(const char *path, const struct sk_strv *caps, json_t **ret, struct sk_error *err);

#endif
