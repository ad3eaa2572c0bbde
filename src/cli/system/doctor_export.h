/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_CLI_SYSTEM_DOCTOR_EXPORT_H
#define SK_CLI_SYSTEM_DOCTOR_EXPORT_H

#include <jansson.h>

#include "base/error.h"

/*
 * What the file system below a directory or file really does, and how a share of it works: a new object with Path,
 * Mode ("trust", "mapped"), Keep ("" with trust; "xattr", "ea", "sidecar"), Text and Checks (Name, State, Text).
 * NULL: it cannot be looked at.
 */
json_t *sk_doctor_export(const char *path, struct sk_error *err);

#endif
