/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/container/cp_plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/path.h"
#include "model/xmem.h"

void sk_cp_split(const char *arg, char **ret_container, char **ret_path)
{
	const char *colon = strchr(arg, ':');

	*ret_container = NULL;
	/* "C:\x" is a path where drives have letters. */
	if (arg[0] == '/' || arg[0] == '.' || !colon || colon == arg ||
	    (sk_model_windows_place() && sk_model_windows_is_path(arg))) {
		*ret_path = sk_xstrdup(arg);
		return;
	}
	*ret_container = sk_xstrndup(arg, (size_t)(colon - arg));
	*ret_path = sk_xstrdup(colon + 1);
}

static bool says_directory(const char *path)
{
	return sk_model_path_has_trailing_slash(path) || sk_model_path_ends_in_dot(path);
}

int sk_cp_plan(const struct sk_cp_side *src, const struct sk_cp_side *dst, char **ret_dir, char **ret_name,
	       struct sk_error *err)
{
	_cleanup_free_ char *from = sk_model_path_clean(src->path), *to = sk_model_path_clean(dst->path);
	bool contents = sk_model_path_ends_in_dot(src->path) || strcmp(from, "/") == 0 || strcmp(from, ".") == 0;

	if (!src->is_dir && says_directory(src->path))
		return sk_error_set(err, ENOTDIR, "%s: not a directory", src->path);
	if (dst->exists && dst->is_dir) {
		*ret_dir = SK_TAKE_PTR(to);
		*ret_name = sk_xstrdup(contents ? "." : sk_model_path_base(from));
		return 0;
	}
	if (dst->exists && src->is_dir)
		return sk_error_set(err, ENOTDIR, "cannot copy directory %s to file %s", src->path, dst->path);
	if (dst->exists && says_directory(dst->path))
		return sk_error_set(err, ENOTDIR, "%s: not a directory", dst->path);
	if (!dst->exists && !src->is_dir && says_directory(dst->path))
		return sk_error_set(err, ENOENT,
				    "destination \"%s\" must be a directory: it does not exist, make it first",
				    dst->path);
	/* A file, or a directory that is not there yet: the root gets the destination's own name. */
	*ret_dir = sk_model_path_dir(to);
	*ret_name = sk_xstrdup(sk_model_path_base(to));
	return 0;
}

static bool has_dotdot(const char *path)
{
	while (*path) {
		size_t n = strcspn(path, "/");

		if (n == 2 && path[0] == '.' && path[1] == '.')
			return true;
		path += n + (path[n] == '/');
	}
	return false;
}

char *sk_cp_rename(const char *entry, const char *root, const char *name)
{
	_cleanup_free_ char *clean = NULL, *clean_root = sk_model_path_clean(root);
	size_t n = strlen(clean_root);

	while (*entry == '/')
		entry++;
	if (has_dotdot(entry))
		return NULL;
	clean = sk_model_path_clean(*entry ? entry : ".");
	if (strcmp(clean, clean_root) == 0)
		return sk_xstrdup(name);
	if (strcmp(clean_root, ".") == 0)
		return sk_model_path_join(name, clean);
	if (strncmp(clean, clean_root, n) != 0 || clean[n] != '/')
		return NULL;
	return sk_model_path_join(name, clean + n + 1);
}
