/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/cleanup.h"
#include "engine/engine_internal.h"

const struct sk_engine *const sk_engines[] = { &sk_engine_hyperv };
const size_t sk_n_engines = SK_ARRAY_SIZE(sk_engines);
const struct sk_engine *const sk_engine_last = &sk_engine_hyperv;

int sk_uml_in_place_check(struct sk_error *err)
{
	return sk_error_set(err, EOPNOTSUPP, "User-mode Linux is a program of Linux");
}
