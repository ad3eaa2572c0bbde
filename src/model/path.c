/* SPDX-License-Identifier: Apache-2.0 */
/* Paths as text, by Go's rules (path/filepath), which docker cp's are. */
#include "model/path.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

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

/* ---- Windows' paths: C:\a, \\server\share\a, \\?\C:\a, \a, .\a, with either slash */

static bool is_slash(char c)
{
	return c == '/' || c == '\\';
}

static bool has_drive(const char *s)
{
	return ((s[0] >= 'a' && s[0] <= 'z') || (s[0] >= 'A' && s[0] <= 'Z')) && s[1] == ':';
}

/* Length of what is in front of a path for programs that know no longer ones. */
static size_t verbatim(const char *s)
{
	return is_slash(s[0]) && is_slash(s[1]) && s[2] == '?' && is_slash(s[3]) ? 4 : 0;
}

size_t sk_model_windows_source_len(const char *spec)
{
	size_t n = verbatim(spec);

	if (has_drive(spec + n))
		n += 2;
	return n + strcspn(spec + n, ":");
}

bool sk_model_windows_is_path(const char *source)
{
	return is_slash(source[0]) || has_drive(source) || source[0] == '.' || source[0] == '~';
}

/* "/rest" of a drive or share, cleaned, behind its name. */
static char *below(const char *root, size_t n, const char *rest)
{
	_cleanup_free_ char *rooted = sk_xasprintf("/%s", rest), *clean = NULL;
	char *p;

	for (p = rooted; *p; p++)
		if (*p == '\\')
			*p = '/';
	clean = sk_model_path_clean(rooted);
	/* The root of a drive has a slash, that of a share has none. */
	return sk_xasprintf("%.*s%s", (int)n, root, n > 2 && strcmp(clean, "/") == 0 ? "" : clean);
}

/* Length of "C:" or of "//server/share" at the beginning of a full path; 0: it is none. */
static size_t root_len(const char *path)
{
	size_t server, share;

	if (has_drive(path) && is_slash(path[2]))
		return 2;
	if (!is_slash(path[0]) || !is_slash(path[1]))
		return 0;
	server = 2 + strcspn(path + 2, "/\\");
	if (server == 2 || !path[server])
		return 0;
	share = strcspn(path + server + 1, "/\\");
	return share ? server + 1 + share : 0;
}

char *sk_model_windows_absolute(const char *path, const struct sk_windows_place *place)
{
	_cleanup_free_ char *joined = NULL, *share = NULL;
	size_t skip = verbatim(path), n, i;
	char *full;

	path += skip;
	if (skip && strncasecmp(path, "UNC\\", 4) == 0)
		path = share = sk_xasprintf("//%s", path + 4);
	n = root_len(path);
	if (!n && (skip || has_drive(path) || (is_slash(path[0]) && is_slash(path[1]))))
		return NULL;
	if (!n) {
		bool in_home = path[0] == '~' && (!path[1] || is_slash(path[1])) && place->home;
		const char *base = in_home ? place->home : place->cwd;
		size_t root;

		base += verbatim(base);
		root = root_len(base);
		if (!root)
			return NULL;
		joined = is_slash(path[0]) ? sk_xasprintf("%.*s%s", (int)root, base, path)
					   : sk_xasprintf("%s/%s", base, path + in_home);
		path = joined;
		n = root;
	}
	full = below(path, n, path + n);
	if (n == 2 && full[0] >= 'a')
		full[0] = (char)(full[0] - 'a' + 'A');
	for (i = 0; i < n; i++)
		if (full[i] == '\\')
			full[i] = '/';
	return full;
}
