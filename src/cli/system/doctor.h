/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_CLI_SYSTEM_DOCTOR_H
#define SK_CLI_SYSTEM_DOCTOR_H

#include <jansson.h>

#include "cli/cli.h"

/* Below these a check is a note. Bytes. */
#define SK_LOW_MEMORY (512ll << 20)
#define SK_LOW_DISK (1ll << 30)

/* doctor_add.c. Appends a check: `state` is "ok", "note" (something is not as good as it could be) or "bad" (it does not work). */
void sk_doctor_add(json_t *checks, const char *name, const char *state, const char *text);
/* Free memory and disk, in bytes; -1: not known. */
void sk_doctor_add_room(json_t *checks, int64_t memory, int64_t disk, const char *root);

/* doctor_SYSTEM.c. What this system needs beside an engine; `engines`: sk_engines_json(). */
void sk_doctor_checks(struct sk_cli *cli, const json_t *engines, json_t *checks);
/*
 * What the file system below a directory or file really does, and how a share of it works: a new object with Path,
 * Mode ("trust", "mapped"), Keep ("" with trust; "xattr", "ea", "sidecar"), Text and Checks (Name, State, Text).
 * NULL: it cannot be looked at.
 */
json_t *sk_doctor_export(const char *path, struct sk_error *err);

#endif
