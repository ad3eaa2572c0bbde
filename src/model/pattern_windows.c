/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "model/pattern.h"

bool sk_pattern_is_known(const char *pattern)
{
	const char *p = pattern + (*pattern == '^');

	p += strcspn(p, "\\[](){}*+?|^$");
	return !*p || (*p == '$' && !p[1]);
}

/* At the beginning of `text`. */
static bool matches_here(const char *pattern, const char *text)
{
	for (; *pattern; pattern++, text++) {
		if (*pattern == '$' && !pattern[1])
			return !*text;
		if (!*text || (*pattern != '.' && *pattern != *text))
			return false;
	}
	return true;
}

bool sk_pattern_matches(const char *pattern, const char *text)
{
	if (*pattern == '^')
		return matches_here(pattern + 1, text);
	for (; !matches_here(pattern, text); text++)
		if (!*text)
			return false;
	return true;
}
