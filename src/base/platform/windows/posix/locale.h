/* SPDX-License-Identifier: Apache-2.0 */
#pragma GCC system_header
#ifndef SK_WINDOWS_LOCALE_H
#define SK_WINDOWS_LOCALE_H

#include_next <locale.h>

/* A thread has no locale of its own here. See sk_posix.h. */
typedef struct sk_posix_locale *locale_t;
#define LC_CTYPE_MASK 1
static inline locale_t newlocale(int mask, const char *name, locale_t base)
{
	(void)mask;
	(void)name;
	return base;
}
static inline locale_t uselocale(locale_t l)
{
	return l;
}
static inline void freelocale(locale_t l)
{
	(void)l;
}

#endif
