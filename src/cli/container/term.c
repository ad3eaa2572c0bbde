/* SPDX-License-Identifier: Apache-2.0 */
/* The user's terminal: raw mode and back, its size, and the key sequence that detaches. */
#include "cli/container/term.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "model/xmem.h"

static struct termios saved;
static volatile sig_atomic_t saved_fd = -1;

void sk_term_restore(void)
{
	int fd = saved_fd, errno_was = errno;

	saved_fd = -1;
	if (fd >= 0)
		tcsetattr(fd, TCSANOW, &saved);
	errno = errno_was;
}

static void on_fatal(int sig)
{
	sk_term_restore();
	raise(sig); /* SA_RESETHAND: the default action now */
}

static int set_mode(int fd, bool input)
{
	/* The rest of the fatal ones comes through a signalfd (attach.c) or is SIGKILL. */
	static const int fatal[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGTRAP };
	struct sigaction sa = { .sa_handler = on_fatal, .sa_flags = (int)SA_RESETHAND };
	struct termios raw;
	size_t i;

	if (tcgetattr(fd, &saved) < 0)
		return -errno;
	raw = saved;
	if (input) {
		cfmakeraw(&raw);
		raw.c_cc[VMIN] = 1;
		raw.c_cc[VTIME] = 0;
	} else {
		raw.c_oflag &= ~(tcflag_t)OPOST;
	}
	for (i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
		sigaction(fatal[i], &sa, NULL);
	atexit(sk_term_restore);
	saved_fd = fd;
	if (tcsetattr(fd, TCSANOW, &raw) < 0) {
		int r = -errno;

		saved_fd = -1;
		return r;
	}
	return 0;
}

int sk_term_raw(int fd)
{
	return set_mode(fd, true);
}

int sk_term_plain(int fd)
{
	return set_mode(fd, false);
}

void sk_term_size(int fd, unsigned *ret_rows, unsigned *ret_cols)
{
	struct winsize ws;

	*ret_rows = *ret_cols = 0;
	if (ioctl(fd, TIOCGWINSZ, &ws) == 0) {
		*ret_rows = ws.ws_row;
		*ret_cols = ws.ws_col;
	}
}

/* One key of a sequence: a character, or ctrl- and a letter, @, [, \, ], ^ or _. */
static int parse_key(const char *s)
{
	if (s[0] && !s[1])
		return (unsigned char)s[0];
	if (strncasecmp(s, "ctrl-", 5) != 0 || !s[5] || s[6])
		return -EINVAL;
	if (s[5] >= 'a' && s[5] <= 'z')
		return s[5] - 'a' + 1;
	if (s[5] >= 'A' && s[5] <= 'Z')
		return s[5] - 'A' + 1;
	if (s[5] == '@')
		return 0;
	if (s[5] >= '[' && s[5] <= '_')
		return s[5] - '[' + 27;
	return -EINVAL;
}

int sk_detach_parse(struct sk_detach *detach, const char *text)
{
	struct sk_strv keys = { 0 };
	size_t i;
	int key = 0;

	*detach = (struct sk_detach){ 0 };
	if (!text)
		text = "ctrl-p,ctrl-q";
	if (!*text)
		return 0;
	sk_strv_split(&keys, text, ',');
	for (i = 0; key >= 0 && i < keys.n; i++) {
		key = i < SK_DETACH_KEYS_MAX ? parse_key(keys.v[i]) : -EINVAL;
		if (key >= 0)
			detach->keys[detach->n++] = (uint8_t)key;
	}
	sk_strv_fini(&keys);
	return key < 0 ? key : 0;
}

bool sk_detach_filter(struct sk_detach *d, const uint8_t *in, size_t n, uint8_t *out, size_t *ret_len)
{
	size_t len = 0, i;

	for (i = 0; i < n; i++) {
		if (d->n && in[i] == d->keys[d->matched]) {
			if (++d->matched == d->n) {
				d->matched = 0;
				*ret_len = len;
				return true;
			}
			continue;
		}
		/* Not the sequence: the keys held back are sent. The last byte may begin the sequence anew. */
		memcpy(out + len, d->keys, d->matched);
		len += d->matched;
		d->matched = 0;
		if (d->n && in[i] == d->keys[0])
			d->matched = 1;
		else
			out[len++] = in[i];
	}
	*ret_len = len;
	return false;
}
