/* SPDX-License-Identifier: Apache-2.0 */
#include <regex.h>
#include <string.h>

#include "model/pattern.h"

bool sk_pattern_is_known(const char *pattern)
{
	(void)pattern;
	return true;
}

bool sk_pattern_matches(const char *pattern, const char *text)
{
	regex_t re;
	bool match;

	if (regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB) != 0)
		return strstr(text, pattern) != NULL;
	match = regexec(&re, text, 0, NULL, 0) == 0;
	regfree(&re);
	return match;
}
