/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/platform/windows/system.h"
#include "engine/engine_internal.h"

#define PATH_CHARS 32768u

/* Beside the program. */
int sk_guest_dir(char *buf, size_t size)
{
	_cleanup_free_ wchar_t *wide = malloc(PATH_CHARS * sizeof(*wide));
	DWORD len = wide ? GetModuleFileNameW(NULL, wide, PATH_CHARS) : 0;
	_cleanup_free_ char *path = len && len < PATH_CHARS ? sk_win_utf8(wide, len) : NULL;
	char *p;
	int n;

	if (!path)
		return -ENAMETOOLONG;
	for (p = path; *p; p++)
		if (*p == '\\')
			*p = '/';
	*strrchr(path, '/') = '\0';
	n = snprintf(buf, size, "%s/guest", path);
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}
