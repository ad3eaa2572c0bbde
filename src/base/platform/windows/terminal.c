/* SPDX-License-Identifier: Apache-2.0 */
/* Consoles: their size, whether a descriptor is one, and the keys that interrupt a program. */
#include "base/terminal.h"

#include <signal.h>
#include <sys/signalfd.h>

#include "base/platform/windows/system.h"

#define SIZE_MS 250u /* between two looks at the size of the window */

unsigned sk_terminal_width(int fd)
{
	CONSOLE_SCREEN_BUFFER_INFO info;
	HANDLE h = (HANDLE)_get_osfhandle(fd);

	if (h == INVALID_HANDLE_VALUE || !GetConsoleScreenBufferInfo(h, &info))
		return 0;
	return (unsigned)(info.srWindow.Right - info.srWindow.Left + 1);
}

int sk_posix_isatty(int fd)
{
	HANDLE h = (HANDLE)_get_osfhandle(fd);
	DWORD mode;

	if (h != INVALID_HANDLE_VALUE && GetConsoleMode(h, &mode))
		return 1;
	errno = ENOTTY;
	return 0;
}

/* ---- signals: what the console and the system tell a program, on a thread of theirs */

static struct {
	int number;
	struct sigaction action;
} caught[] = { { .number = SIGINT }, { .number = SIGTERM }, { .number = SIGHUP } };
#define N_CAUGHT (sizeof(caught) / sizeof(caught[0]))
static SRWLOCK caught_lock = SRWLOCK_INIT;

static int number_of(DWORD event)
{
	switch (event) {
	case CTRL_C_EVENT:
	case CTRL_BREAK_EVENT:
		return SIGINT;
	case CTRL_CLOSE_EVENT:
		return SIGHUP;
	default: /* the user signs out, the machine shuts down */
		return SIGTERM;
	}
}

/* False: the next handler's, which in the end is the system's own: it ends the program with the exit code 0xC000013A. */
static BOOL WINAPI on_console(DWORD event)
{
	void (*handler)(int) = SIG_DFL;
	int number = number_of(event);
	size_t i;

	AcquireSRWLockExclusive(&caught_lock);
	for (i = 0; i < N_CAUGHT; i++)
		if (caught[i].number == number) {
			handler = caught[i].action.sa_handler;
			if (caught[i].action.sa_flags & SA_RESETHAND)
				caught[i].action.sa_handler = SIG_DFL;
		}
	ReleaseSRWLockExclusive(&caught_lock);
	if (handler == SIG_DFL)
		return FALSE;
	if (handler != SIG_IGN)
		handler(number);
	return TRUE;
}

int sk_posix_sigaction(int number, const struct sigaction *action, struct sigaction *ret_old)
{
	static bool asked;
	size_t i;

	for (i = 0; i < N_CAUGHT && caught[i].number != number; i++)
		;
	if (i == N_CAUGHT) {
		errno = EINVAL;
		return -1;
	}
	AcquireSRWLockExclusive(&caught_lock);
	if (ret_old)
		*ret_old = caught[i].action;
	if (action)
		caught[i].action = *action;
	ReleaseSRWLockExclusive(&caught_lock);
	if (!asked)
		asked = SetConsoleCtrlHandler(on_console, TRUE);
	return 0;
}

void (*sk_posix_signal(int number, void (*handler)(int)))(int)
{
	struct sigaction action = { .sa_handler = handler }, old = { .sa_handler = SIG_DFL };

	/* There is no such signal: a write to a pipe that nobody reads fails. */
	if (number != SIGPIPE && sk_posix_sigaction(number, &action, &old) < 0)
		return SIG_ERR;
	return old.sa_handler;
}

/* ---- the same for a loop */

static struct {
	int fd; /* its other end is the caller's; -1: there is none */
	sigset_t set;
} told = { -1, 0 };

static void tell_loop(int number)
{
	const struct signalfd_siginfo si = { (uint32_t)number };

	if (told.set & ((sigset_t)1 << number))
		send(told.fd, &si, sizeof(si), 0);
}

static bool window_size(COORD *ret)
{
	CONSOLE_SCREEN_BUFFER_INFO info;

	if (!GetConsoleScreenBufferInfo(GetStdHandle(STD_OUTPUT_HANDLE), &info))
		return false;
	ret->X = (SHORT)(info.srWindow.Right - info.srWindow.Left);
	ret->Y = (SHORT)(info.srWindow.Bottom - info.srWindow.Top);
	return true;
}

/* A new size is a record among the keys, which whoever reads those as bytes does not get: the window is looked at. */
static DWORD WINAPI watch_size(void *arg)
{
	COORD size = { 0, 0 }, now;

	(void)arg;
	window_size(&size);
	for (;;) {
		Sleep(SIZE_MS);
		if (window_size(&now) && (now.X != size.X || now.Y != size.Y)) {
			size = now;
			tell_loop(SIGWINCH);
		}
	}
	return 0;
}

static void begin_watch_size(void)
{
	static bool begun;
	HANDLE thread;
	COORD size;

	if (begun || !window_size(&size))
		return;
	thread = CreateThread(NULL, 0, watch_size, NULL, 0, NULL);
	begun = thread != NULL;
	if (thread)
		CloseHandle(thread);
}

int sk_posix_signalfd(int fd, const sigset_t *set, int flags)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	int pair[2];
	size_t i;

	if (fd != -1 || socketpair(AF_INET, SOCK_STREAM | (flags & SOCK_NONBLOCK), 0, pair) < 0)
		return -1;
	if (told.fd >= 0)
		close(told.fd);
	told.fd = pair[1];
	told.set = *set;
	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (*set & ((sigset_t)1 << numbers[i]))
			signal(numbers[i], tell_loop);
	if (*set & ((sigset_t)1 << SIGWINCH))
		begin_watch_size();
	return pair[0];
}

/* ---- what can be read, for poll() */

struct feeder {
	int from, to;
};

static DWORD WINAPI feed(void *arg)
{
	struct feeder *f = arg;
	char chunk[4096];
	ssize_t n;

	while ((n = read(f->from, chunk, sizeof(chunk))) > 0) {
		ssize_t done = 0, k = 0;

		while (done < n && (k = send(f->to, chunk + done, (size_t)(n - done), 0)) > 0)
			done += k;
		if (k <= 0)
			break;
	}
	close(f->to);
	free(f);
	return 0;
}

int sk_input_open(int fd)
{
	struct feeder *f;
	HANDLE thread = NULL;
	int pair[2];

	if (sk_win_is_socket(fd))
		return fd;
	f = malloc(sizeof(*f));
	if (!f)
		return -ENOMEM;
	if (socketpair(AF_INET, SOCK_STREAM, 0, pair) < 0) {
		free(f);
		return -errno;
	}
	*f = (struct feeder){ .from = fd, .to = pair[1] };
	thread = CreateThread(NULL, 0, feed, f, 0, NULL);
	if (!thread) {
		close(pair[0]);
		close(pair[1]);
		free(f);
		return -EAGAIN;
	}
	CloseHandle(thread);
	return pair[0];
}

/* The thread may wait for its next byte for ever: it goes with the program. */
void sk_input_close(int fd, int input)
{
	if (input >= 0 && input != fd)
		close(input);
}
