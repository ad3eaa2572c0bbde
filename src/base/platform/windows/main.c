/* SPDX-License-Identifier: Apache-2.0 */
/* The beginning of each program. */
#include "base/platform/windows/system.h"
#include <shellapi.h>

/* Of a console that does not do so by itself: cursor movement and colours. */
static void understand_escapes(DWORD stream)
{
	HANDLE h = GetStdHandle(stream);
	DWORD mode;

	if (GetConsoleMode(h, &mode))
		SetConsoleMode(h, mode | ENABLE_PROCESSED_OUTPUT | ENABLE_VIRTUAL_TERMINAL_PROCESSING);
}

void sk_posix_main(int *argc, char ***argv)
{
	wchar_t **wide;
	char **args;
	int i, n;

	/* No files that are opened later are taken for text, and consoles show what we write. */
	_fmode = _O_BINARY;
	_setmode(0, _O_BINARY);
	_setmode(1, _O_BINARY);
	_setmode(2, _O_BINARY);
	SetConsoleOutputCP(CP_UTF8);
	understand_escapes(STD_OUTPUT_HANDLE);
	understand_escapes(STD_ERROR_HANDLE);
	/* No box on a screen that nobody looks at. */
	SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX);
	/* The runtime's own are in the code page of the system, where not all names can be said. */
	wide = CommandLineToArgvW(GetCommandLineW(), &n);
	args = wide ? calloc((size_t)n + 1, sizeof(*args)) : NULL;
	for (i = 0; args && i < n; i++) {
		args[i] = sk_win_utf8(wide[i], wcslen(wide[i]));
		if (!args[i])
			args = NULL;
	}
	LocalFree(wide);
	if (!args) {
		fputs("the command line cannot be read: no memory, or no UTF-16\n", stderr);
		exit(125);
	}
	*argc = n;
	*argv = args;
}
