/* SPDX-License-Identifier: Apache-2.0 */
#include "model/ulimits.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/units.h"

static const char *const names[][2] = {
	{ "core", "RLIMIT_CORE" },	   { "cpu", "RLIMIT_CPU" },
	{ "data", "RLIMIT_DATA" },	   { "fsize", "RLIMIT_FSIZE" },
	{ "locks", "RLIMIT_LOCKS" },	   { "memlock", "RLIMIT_MEMLOCK" },
	{ "msgqueue", "RLIMIT_MSGQUEUE" }, { "nice", "RLIMIT_NICE" },
	{ "nofile", "RLIMIT_NOFILE" },	   { "nproc", "RLIMIT_NPROC" },
	{ "rss", "RLIMIT_RSS" },	   { "rtprio", "RLIMIT_RTPRIO" },
	{ "rttime", "RLIMIT_RTTIME" },	   { "sigpending", "RLIMIT_SIGPENDING" },
	{ "stack", "RLIMIT_STACK" },
};

int sk_ulimit_parse(const char *s, struct sk_ulimit *ret, char *why)
{
	const char *eq = strchr(s, '='), *colon = eq ? strchr(eq, ':') : NULL;
	char soft[32];
	size_t i;

	if (!eq) {
		snprintf(why, 256, "invalid ulimit argument: %.64s", s);
		return -EINVAL;
	}
	for (i = 0; i < SK_ARRAY_SIZE(names); i++)
		if (strlen(names[i][0]) == (size_t)(eq - s) && memcmp(names[i][0], s, (size_t)(eq - s)) == 0)
			break;
	if (i == SK_ARRAY_SIZE(names)) {
		snprintf(why, 256, "invalid ulimit type: %.*s", (int)(eq - s), s);
		return -EINVAL;
	}
	snprintf(soft, sizeof(soft), "%.*s", colon ? (int)(colon - eq - 1) : 31, eq + 1);
	if (sk_parse_int(soft, &ret->soft) < 0 || (colon && sk_parse_int(colon + 1, &ret->hard) < 0)) {
		snprintf(why, 256, "invalid ulimit value: %.64s: a number, or soft:hard, is needed", s);
		return -EINVAL;
	}
	if (!colon)
		ret->hard = ret->soft;
	if (ret->hard != -1 && (ret->soft == -1 || ret->soft > ret->hard)) {
		snprintf(why, 256, "ulimit soft limit must be less than or equal to hard limit: %lld > %lld",
			 (long long)ret->soft, (long long)ret->hard);
		return -EINVAL;
	}
	ret->name = names[i][0];
	ret->rlimit = names[i][1];
	return 0;
}
