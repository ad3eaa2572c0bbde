/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_MODEL_PATH_H
#define SK_MODEL_PATH_H

#include <stdbool.h>
#include <stddef.h>

/* Paths as strings, with '/' (the guest's, and this host's: "C:/data" on Windows). All results are malloc'd. */

/* Go's path.Clean: no "//", ".", inner ".."; a rooted path stays rooted; "" becomes ".". */
char *sk_model_path_clean(const char *path);
/* Of this host. Cleaned, from the current directory where relative; "~" alone or "~/…" is the user's home. */
char *sk_model_path_absolute(const char *path);
/* Parent and last part of a cleaned path: "/a/b" → "/a", "b"; "b" → ".", "b"; "/" → "/", "/". */
char *sk_model_path_dir(const char *path);
const char *sk_model_path_base(const char *clean_path);
/* `base` and `name` with one '/' between, cleaned. */
char *sk_model_path_join(const char *base, const char *name);
/* Whether the path says that it means a directory: ends in "/", or in "/." */
bool sk_model_path_has_trailing_slash(const char *path);
bool sk_model_path_ends_in_dot(const char *path);

/* ---- Paths of Windows, on every system (for tests) */

/* Where a program is: its current directory, the user's home (may be NULL). */
struct sk_windows_place {
	const char *cwd, *home;
};
/* Of this program, borrowed until the next call; NULL: this is no Windows. */
const struct sk_windows_place *sk_model_windows_place(void);
/* Length of the source in "SOURCE:TARGET…": a drive's colon does not end it. */
size_t sk_model_windows_source_len(const char *spec);
/* Whether the source of a mount is a path, and not the name of a volume. */
bool sk_model_windows_is_path(const char *source);
/* The full path, with slashes ("C:/data", "//server/share/x"), of one that may be relative, be in the user's home
 * ("~\x"), or have backslashes. NULL: it is relative to a drive's own directory ("C:x"), or incomplete. */
char *sk_model_windows_absolute(const char *path, const struct sk_windows_place *place);

#endif
