/* SPDX-License-Identifier: Apache-2.0 */
/* The user's console: raw mode and back, its size. What is typed and shown are the bytes of a terminal, as on Linux. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/platform/windows/system.h"
#include "cli/container/term.h"

static struct {
	HANDLE console;
	DWORD mode;
	bool set;
} saved[2];

void sk_term_restore(void)
{
	size_t i;

	for (i = 0; i < 2; i++) {
		if (saved[i].set)
			SetConsoleMode(saved[i].console, saved[i].mode);
		saved[i].set = false;
	}
}

static int set_mode(size_t i, HANDLE console, DWORD clear, DWORD set)
{
	DWORD mode;

	if (!GetConsoleMode(console, &mode))
		return -ENOTTY;
	if (!SetConsoleMode(console, (mode & ~clear) | set))
		return -sk_win_errno(GetLastError());
	saved[i].console = console;
	saved[i].mode = mode;
	saved[i].set = true;
	atexit(sk_term_restore);
	return 0;
}

int sk_term_plain(int fd)
{
	return set_mode(1, sk_win_handle(fd), 0,
			ENABLE_PROCESSED_OUTPUT | ENABLE_VIRTUAL_TERMINAL_PROCESSING | DISABLE_NEWLINE_AUTO_RETURN);
}

int sk_term_raw(int fd)
{
	HANDLE out = GetStdHandle(STD_OUTPUT_HANDLE);
	DWORD mode;

	SetConsoleCP(CP_UTF8);
	if (GetConsoleMode(out, &mode))
		set_mode(1, out, 0,
			 ENABLE_PROCESSED_OUTPUT | ENABLE_VIRTUAL_TERMINAL_PROCESSING | DISABLE_NEWLINE_AUTO_RETURN);
	return set_mode(0, sk_win_handle(fd),
			ENABLE_LINE_INPUT | ENABLE_ECHO_INPUT | ENABLE_PROCESSED_INPUT | ENABLE_QUICK_EDIT_MODE,
			ENABLE_VIRTUAL_TERMINAL_INPUT | ENABLE_EXTENDED_FLAGS);
}

/* Of the screen: what is read from has no size here. */
void sk_term_size(int fd, unsigned *ret_rows, unsigned *ret_cols)
{
	CONSOLE_SCREEN_BUFFER_INFO info;

	(void)fd;
	*ret_rows = *ret_cols = 0;
	if (!GetConsoleScreenBufferInfo(GetStdHandle(STD_OUTPUT_HANDLE), &info))
		return;
	*ret_rows = (unsigned)(info.srWindow.Bottom - info.srWindow.Top + 1);
	*ret_cols = (unsigned)(info.srWindow.Right - info.srWindow.Left + 1);
}
