/* SPDX-License-Identifier: Apache-2.0 */
/* Paths as text, by Go's rules (path/filepath), which docker cp's are. */
#include "model/path.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "model/xmem.h"

char *sk_model_path_clean(const char *path)
{
	bool rooted = *path == '/';
	char *out = sk_xcalloc(strlen(path) + 3, 1);
	size_t len = 0, floor = 0; /* out[0..floor) holds what ".." must not remove */

	if (rooted)
		out[len++] = '/';
	floor = len;
	while (*path) {
		size_t n = strcspn(path, "/");

		if (n == 0 || (n == 1 && path[0] == '.')) {
			/* nothing */
		} else if (n == 2 && path[0] == '.' && path[1] == '.') {
			if (len > floor) {
				while (len > floor && out[len - 1] != '/')
					len--;
				if (len > floor)
					len--;
			} else if (!rooted) {
				if (len)
					out[len++] = '/';
				out[len++] = '.';
				out[len++] = '.';
				floor = len;
			}
		} else {
			if (len && out[len - 1] != '/')
				out[len++] = '/';
			memcpy(out + len, path, n);
			len += n;
		}
		path += n + (path[n] == '/');
	}
	if (len == 0)
		out[len++] = '.';
	out[len] = '\0';
	return out;
}

char *sk_model_path_absolute(const char *path)
{
	_cleanup_free_ char *cwd = NULL, *joined = NULL;
	const char *home = getenv("HOME");

	if (*path == '/')
		return sk_model_path_clean(path);
	if (path[0] == '~' && (!path[1] || path[1] == '/') && home) {
		joined = sk_xasprintf("%s/%s", home, path + 1);
		return sk_model_path_clean(joined);
	}
	cwd = getcwd(NULL, 0);
	joined = sk_xasprintf("%s/%s", cwd ? cwd : "", path);
	return sk_model_path_clean(joined);
}

char *sk_model_path_dir(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return sk_xstrdup(".");
	return slash == path ? sk_xstrdup("/") : sk_xstrndup(path, (size_t)(slash - path));
}

const char *sk_model_path_base(const char *clean_path)
{
	const char *slash = strrchr(clean_path, '/');

	return slash && slash[1] ? slash + 1 : clean_path;
}

char *sk_model_path_join(const char *base, const char *name)
{
	_cleanup_free_ char *joined = sk_xasprintf("%s/%s", base, name);

	return sk_model_path_clean(joined);
}

bool sk_model_path_has_trailing_slash(const char *path)
{
	size_t n = strlen(path);

	return n && path[n - 1] == '/';
}

bool sk_model_path_ends_in_dot(const char *path)
{
	size_t n = strlen(path);

	return (n == 1 && path[0] == '.') || (n >= 2 && path[n - 1] == '.' && path[n - 2] == '/');
}
