/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory and strings for a command: every failure to allocate ends the program, which holds nothing that has to be put
 * in order. Lists of strings, and text that grows.
 */
#include "model/xmem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

void sk_die(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("skerry: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(125);
}

static void *need(void *p)
{
	if (!p)
		sk_die("out of memory");
	return p;
}

void *sk_xcalloc(size_t n, size_t size)
{
	return need(calloc(n ? n : 1, size ? size : 1));
}

void *sk_xrealloc(void *p, size_t n, size_t size)
{
	return need(reallocarray(p, n ? n : 1, size));
}

char *sk_xstrdup(const char *s)
{
	return need(strdup(s));
}

char *sk_xstrndup(const char *s, size_t n)
{
	return need(strndup(s, n));
}

char *sk_xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *s = NULL;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return need(n < 0 ? NULL : s);
}

void sk_strv_take(struct sk_strv *list, char *take_s)
{
	if (list->n == list->cap) {
		list->cap = list->cap ? list->cap * 2 : 4;
		list->v = sk_xrealloc(list->v, list->cap, sizeof(*list->v));
	}
	list->v[list->n++] = take_s;
}

void sk_strv_add(struct sk_strv *list, const char *s)
{
	sk_strv_take(list, sk_xstrdup(s));
}

static char *make_utf8(const char *s)
{
	size_t left = strlen(s), n;
	char *text = sk_xcalloc(left * 3 + 1, 1), *to = text;

	for (; left > 0; s += n, left -= n) {
		n = sk_utf8_len((const uint8_t *)s, left);
		if (n > 0) {
			memcpy(to, s, n);
			to += n;
		} else {
			memcpy(to, SK_UTF8_REPLACEMENT, 3);
			to += 3;
			n = 1;
		}
	}
	return text;
}

void sk_strv_make_utf8(struct sk_strv *list)
{
	size_t i;

	for (i = 0; i < list->n; i++) {
		char *text = make_utf8(list->v[i]);

		free(list->v[i]);
		list->v[i] = text;
	}
}

void sk_strv_drop(struct sk_strv *list, size_t i)
{
	free(list->v[i]);
	list->n--;
	memmove(list->v + i, list->v + i + 1, (list->n - i) * sizeof(*list->v));
}

void sk_strv_fini(struct sk_strv *list)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		free(list->v[i]);
	free(list->v);
	*list = (struct sk_strv){ 0 };
}

bool sk_strv_has(const struct sk_strv *list, const char *s)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		if (strcmp(list->v[i], s) == 0)
			return true;
	return false;
}

void sk_strv_split(struct sk_strv *list, const char *s, char sep)
{
	for (;;) {
		const char *end = strchr(s, sep);

		if (!end) {
			sk_strv_add(list, s);
			return;
		}
		sk_strv_take(list, sk_xstrndup(s, (size_t)(end - s)));
		s = end + 1;
	}
}

void sk_text_add(struct sk_text *t, const char *s, size_t n)
{
	if (n >= t->cap - t->len || t->cap == 0) {
		size_t cap = t->cap ? t->cap : 64;

		while (cap - t->len <= n)
			cap *= 2;
		t->s = sk_xrealloc(t->s, cap, 1);
		t->cap = cap;
	}
	if (n)
		memcpy(t->s + t->len, s, n);
	t->len += n;
	t->s[t->len] = '\0';
}

void sk_text_puts(struct sk_text *t, const char *s)
{
	sk_text_add(t, s, strlen(s));
}

void sk_text_printf(struct sk_text *t, const char *fmt, ...)
{
	va_list ap;
	char *s = NULL;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	need(n < 0 ? NULL : s);
	sk_text_add(t, s, (size_t)n);
	free(s);
}

char *sk_text_take(struct sk_text *t)
{
	char *s = t->s ? t->s : sk_xstrdup("");

	*t = (struct sk_text){ 0 };
	return s;
}

void sk_text_fini(struct sk_text *t)
{
	free(t->s);
	*t = (struct sk_text){ 0 };
}
