/* SPDX-License-Identifier: Apache-2.0 */
/* Where Windows has what belongs to Skerry: below the directories for programs' data of the user and of the machine. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/platform/windows/system.h"
#include "vm/places.h"
#include "vm/state.h"

/* "DIRECTORY/rest" of a variable with a directory; NULL: it is not set. */
static char *below(const char *variable, const char *rest)
{
	const char *dir = getenv(variable);
	char *path = dir && sk_place_is_full(dir) ? sk_asprintf("%s/%s", dir, rest) : NULL, *p;

	for (p = path; p && *p; p++)
		if (*p == '\\')
			*p = '/';
	return path;
}

char *sk_place_root(void)
{
	return below("LOCALAPPDATA", "Skerry");
}

char *sk_place_run(void)
{
	const char *root = getenv("SKERRY_ROOT");

	return root && root[0] ? sk_asprintf("%s/run", root) : sk_paths_runtime("Skerry");
}

char *sk_paths_runtime(const char *name)
{
	_cleanup_free_ char *rest = sk_asprintf("%s/run", name);

	return rest ? below("LOCALAPPDATA", rest) : NULL;
}

char *sk_place_config(bool of_user)
{
	return below(of_user ? "APPDATA" : "PROGRAMDATA", "Skerry/config.json");
}

#define PATH_CHARS 32768u

char *sk_place_program(const char *name, const char *variable)
{
	_cleanup_free_ wchar_t *wide = malloc(PATH_CHARS * sizeof(*wide));
	DWORD n = wide ? GetModuleFileNameW(NULL, wide, PATH_CHARS) : 0;
	_cleanup_free_ char *self = n && n < PATH_CHARS ? sk_win_utf8(wide, n) : NULL;
	const char *chosen = getenv(variable);
	char *end;

	if (chosen && *chosen)
		return strdup(chosen);
	end = self ? strrchr(self, '\\') : NULL;
	if (!end) {
		errno = ENOENT;
		return NULL;
	}
	*end = '\0';
	return sk_asprintf("%s/%s.exe", self, name);
}

bool sk_place_is_full(const char *path)
{
	bool drive = ((path[0] >= 'a' && path[0] <= 'z') || (path[0] >= 'A' && path[0] <= 'Z')) && path[1] == ':';

	return drive ? path[2] == '/' || path[2] == '\\'
		     : (path[0] == '/' || path[0] == '\\') && (path[1] == '/' || path[1] == '\\') && path[2];
}
