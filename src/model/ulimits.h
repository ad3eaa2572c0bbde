/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_MODEL_ULIMITS_H
#define SK_MODEL_ULIMITS_H

#include <stdint.h>

/* --ulimit name=soft[:hard] (docker/go-units); -1 is no limit. */
struct sk_ulimit {
	const char *name;   /* "nofile" */
	const char *rlimit; /* "RLIMIT_NOFILE" */
	int64_t soft, hard;
};
int sk_ulimit_parse(const char *s, struct sk_ulimit *ret, char *why);

#endif
