/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/engine_internal.h"

static bool grow(struct sk_args *a)
{
	size_t cap = a->cap ? 2 * a->cap : 32;
	char **v;

	if (a->n + 1 < a->cap)
		return true;
	v = realloc(a->v, cap * sizeof(*v));
	if (!v)
		return false;
	a->v = v;
	a->cap = cap;
	return true;
}

void sk_args_add(struct sk_args *a, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	int n;

	if (a->failed)
		return;
	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0 || !grow(a)) {
		a->failed = true;
		if (n >= 0)
			free(text);
		return;
	}
	a->v[a->n++] = text;
	a->v[a->n] = NULL;
}

void sk_args_fini(struct sk_args *a)
{
	size_t i;

	for (i = 0; i < a->n; i++)
		free(a->v[i]);
	free(a->v);
	*a = (struct sk_args){ 0 };
}
