/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_BASE_ERROR_H
#define SK_BASE_ERROR_H

#include <stdarg.h>

/* Longest message kept, with its NUL; a longer one is cut. */
#define SK_ERROR_MAX 1024

/*
 * What went wrong in an operation that a user asked for.
 *
 * Passed as the last argument. Untouched on success, always set on failure, wrapped with context on the
 * way up, and printed once, by main. Control characters and what is no UTF-8 become "?". A NULL pointer means that the
 * caller does not want the words.
 */
struct sk_error {
	int code;		    /* positive errno value, 0: not set */
	char message[SK_ERROR_MAX]; /* one line, no trailing newline */
};

#define SK_ERROR_INIT \
	{             \
		0, "" \
	}

/* Sets `err` to errno value `code` (either sign) and the message. Returns -code, to be returned by the caller. */
int sk_error_set(struct sk_error *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Like sk_error_set() with ": <text of code>" appended. */
int sk_error_errno(struct sk_error *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts "<fmt>: " in front of the message that `err` has. Returns -err->code (-EIO where err is NULL or unset). */
int sk_error_wrap(struct sk_error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* For a terminal, of text that a container has chosen: control characters and what is no UTF-8 become "?", in place. */
void sk_clean_text(char *text);

#endif
