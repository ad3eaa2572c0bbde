/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_CLI_SYSTEM_USAGE_H
#define SK_CLI_SYSTEM_USAGE_H

#include <stdint.h>

/* Bytes on the disk of all that is below a directory. Links are not followed; what cannot be read counts nothing. */
uint64_t sk_tree_usage(const char *path);

#endif
