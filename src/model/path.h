/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_MODEL_PATH_H
#define SK_MODEL_PATH_H

#include <stdbool.h>

/* Paths as strings, with '/' (the guest's, and this host's). All results are malloc'd. */

/* Go's path.Clean: no "//", ".", inner ".."; a rooted path stays rooted; "" becomes ".". */
char *sk_model_path_clean(const char *path);
/* Cleaned, from the current directory where relative; "~" alone or "~/…" is the user's home. */
char *sk_model_path_absolute(const char *path);
/* Parent and last part of a cleaned path: "/a/b" → "/a", "b"; "b" → ".", "b"; "/" → "/", "/". */
char *sk_model_path_dir(const char *path);
const char *sk_model_path_base(const char *clean_path);
/* `base` and `name` with one '/' between, cleaned. */
char *sk_model_path_join(const char *base, const char *name);
/* Whether the path says that it means a directory: ends in "/", or in "/." */
bool sk_model_path_has_trailing_slash(const char *path);
bool sk_model_path_ends_in_dot(const char *path);

#endif
