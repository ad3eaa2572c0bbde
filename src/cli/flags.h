/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_CLI_FLAGS_H
#define SK_CLI_FLAGS_H

#include "base/opt.h"
#include "model/xmem.h"

/*
 * docker's (spf13/pflag's) command line: --flag value, --flag=value, --bool, --bool=false, -abc clusters, -pVALUE,
 * -p=VALUE; its messages; and the types of values that only it has.
 */
extern const struct sk_opt_dialect sk_flag_dialect;

extern const struct sk_opt_type sk_flag_list, sk_flag_int, sk_flag_bytes, sk_flag_cpus, sk_flag_idle;

#define SK_OPT_LIST (&sk_flag_list)   /* struct sk_strv */
#define SK_OPT_INT (&sk_flag_int)     /* int64_t */
#define SK_OPT_BYTES (&sk_flag_bytes) /* int64_t, from "512m"; -1 is taken as it is */
#define SK_OPT_IDLE (&sk_flag_idle)   /* struct sk_strv of the names of options that have no effect: to be told */
#define SK_OPT_CPUS (&sk_flag_cpus)   /* int64_t, 1e-9 of a processor, from "1.5" */

#endif
