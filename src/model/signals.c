/* SPDX-License-Identifier: Apache-2.0 */
#include "model/signals.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <strings.h>

#include "base/cleanup.h"
#include "model/units.h"

/* The guest's numbers, by position; the host's headers could belong to another system. */
static const char *const names[] = {
	NULL,	"HUP",	"INT",	"QUIT", "ILL",	  "TRAP",   "ABRT",  "BUS",  "FPE",  "KILL", "USR1",
	"SEGV", "USR2", "PIPE", "ALRM", "TERM",	  "STKFLT", "CHLD",  "CONT", "STOP", "TSTP", "TTIN",
	"TTOU", "URG",	"XCPU", "XFSZ", "VTALRM", "PROF",   "WINCH", "IO",   "PWR",  "SYS",
};

#define RTMIN 34
#define RTMAX 64

int sk_signal_parse(const char *s)
{
	int64_t n;
	size_t i;
	int offset, end = 0;

	if (sk_parse_int(s, &n) == 0)
		return n >= 1 && n <= RTMAX ? (int)n : -EINVAL;
	if (strncasecmp(s, "SIG", 3) == 0)
		s += 3;
	for (i = 1; i < SK_ARRAY_SIZE(names); i++)
		if (strcasecmp(s, names[i]) == 0)
			return (int)i;
	if (strcasecmp(s, "IOT") == 0)
		return 6;
	if (strcasecmp(s, "CLD") == 0)
		return 17;
	if (strcasecmp(s, "POLL") == 0)
		return 29;
	if (strcasecmp(s, "RTMIN") == 0)
		return RTMIN;
	if (strcasecmp(s, "RTMAX") == 0)
		return RTMAX;
	if (strncasecmp(s, "RTMIN+", 6) == 0 && sscanf(s + 6, "%2d%n", &offset, &end) == 1 && !s[6 + end] &&
	    offset >= 0 && offset <= RTMAX - RTMIN)
		return RTMIN + offset;
	if (strncasecmp(s, "RTMAX-", 6) == 0 && sscanf(s + 6, "%2d%n", &offset, &end) == 1 && !s[6 + end] &&
	    offset >= 0 && offset <= RTMAX - RTMIN)
		return RTMAX - offset;
	return -EINVAL;
}
