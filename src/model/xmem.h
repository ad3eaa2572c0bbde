/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_MODEL_XMEM_H
#define SK_MODEL_XMEM_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Memory for a program that does one thing and ends: when there is none left, the program prints that and exits with
 * 125 (docker's "the command itself failed"). Nothing in the CLI holds state that a sudden end could damage: files are
 * replaced by rename, and the terminal is put back by atexit().
 */
void sk_die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

void *sk_xcalloc(size_t n, size_t size);
void *sk_xrealloc(void *p, size_t n, size_t size);
char *sk_xstrdup(const char *s);
char *sk_xstrndup(const char *s, size_t n);
char *sk_xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A list of strings of its own. */
struct sk_strv {
	char **v;
	size_t n, cap;
};
void sk_strv_add(struct sk_strv *list, const char *s);
/* Each byte that is not UTF-8 becomes U+FFFD: configurations are JSON, and docker does the same to what programs are
 * given. Not for paths. */
void sk_strv_make_utf8(struct sk_strv *list);
void sk_strv_take(struct sk_strv *list, char *take_s);
/* Removes the one at `i`. */
void sk_strv_drop(struct sk_strv *list, size_t i);
void sk_strv_fini(struct sk_strv *list);
bool sk_strv_has(const struct sk_strv *list, const char *s);
/* Splits at every `sep`; empty parts are kept. */
void sk_strv_split(struct sk_strv *list, const char *s, char sep);

/* A string that grows. */
struct sk_text {
	char *s; /* NULL while empty */
	size_t len, cap;
};
void sk_text_add(struct sk_text *t, const char *s, size_t n);
void sk_text_puts(struct sk_text *t, const char *s);
void sk_text_printf(struct sk_text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The string, "" when empty, the caller's now. */
char *sk_text_take(struct sk_text *t);
void sk_text_fini(struct sk_text *t);
#define _cleanup_text_ __attribute__((cleanup(sk_text_fini)))
#define _cleanup_strv_ __attribute__((cleanup(sk_strv_fini)))

#endif
