/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "model/path.h"
#include "model/xmem.h"

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

const struct sk_windows_place *sk_model_windows_place(void)
{
	return NULL;
}
