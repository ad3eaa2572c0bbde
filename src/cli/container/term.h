/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_CLI_TERM_H
#define SK_CLI_TERM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The user's terminal in raw mode, and the detach keys.
 *
 * Raw mode is undone on every way out: sk_term_restore(), exit() (atexit), and fatal signals (a handler puts the
 * terminal back and dies of the same signal). SIGKILL alone leaves it raw; nobody can help that.
 */

/* -ENOTTY, or the errno of tcsetattr. Once per process. */
int sk_term_raw(int fd);
/* The same for output only: bytes written to it are shown unchanged. Input keys keep their meaning. */
int sk_term_plain(int fd);
/* Puts it back; again is free. */
void sk_term_restore(void);
/* 0, 0 where `fd` is no terminal. */
void sk_term_size(int fd, unsigned *ret_rows, unsigned *ret_cols);

/* A key sequence in a stream of input. Bytes that turn out not to belong to it are passed on. */
#define SK_DETACH_KEYS_MAX 16
struct sk_detach {
	uint8_t keys[SK_DETACH_KEYS_MAX];
	size_t n;	/* 0: none, before sk_detach_parse() */
	size_t matched; /* bytes held back */
};
/* "ctrl-p,ctrl-q" (the default for NULL and, as with docker, ""), "ctrl-@", "a,b", "DEL". -EINVAL. */
int sk_detach_parse(struct sk_detach *detach, const char *text);
/* Filters `in` into `out` (room for n + SK_DETACH_KEYS_MAX); `*ret_len` bytes of it. True: the sequence is complete,
 * the rest of `in` is dropped. */
bool sk_detach_filter(struct sk_detach *detach, const uint8_t *in, size_t n, uint8_t *out, size_t *ret_len);

#endif
