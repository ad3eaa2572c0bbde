/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "engine/engine_internal.h"

/* A boundary of hardware; else what computes at native speed; else emulation. */
const struct sk_engine *const sk_engines[] = { &sk_engine_kvm, &sk_engine_uml, &sk_engine_tcg };
const size_t sk_n_engines = SK_ARRAY_SIZE(sk_engines);
const struct sk_engine *const sk_engine_last = &sk_engine_uml;
