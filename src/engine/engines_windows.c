/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/cleanup.h"
#include "engine/engine_internal.h"

const struct sk_engine *const sk_engines[] = { &sk_engine_hyperv };
const size_t sk_n_engines = SK_ARRAY_SIZE(sk_engines);
const struct sk_engine *const sk_engine_last = &sk_engine_hyperv;

bool sk_engine_namespaces(void)
{
	return false;
}

int sk_uml_in_place_check(uint64_t memory, struct sk_error *err)
{
	(void)memory;
	return sk_error_set(err, EOPNOTSUPP, "User-mode Linux is a program of Linux");
}
