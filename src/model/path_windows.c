/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "model/path.h"
#include "model/xmem.h"

const struct sk_windows_place *sk_model_windows_place(void)
{
	static struct sk_windows_place place;
	static char *cwd;

	free(cwd);
	cwd = getcwd(NULL, 0);
	place = (struct sk_windows_place){ cwd ? cwd : "", getenv("USERPROFILE") };
	return &place;
}

char *sk_model_path_absolute(const char *path)
{
	char *full = sk_model_windows_absolute(path, sk_model_windows_place());

	/* Nothing has such a name: whoever opens it says so. */
	return full ? full : sk_xstrdup(path);
}
