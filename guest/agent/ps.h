/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_AGENT_PS_H
#define SK_AGENT_PS_H

#include <jansson.h>

/* The process list of docs/protocols.md (`ps`), a new reference. `rootfd` (or -1): where user names are looked up. */
json_t *sk_ps_list(const char *container, int rootfd);
/* One line of /proc/<pid>/stat: everything that ps needs of it. False when it is malformed. */
struct sk_ps_stat {
	char comm[64];
	char state;
	int ppid, pgrp, session, tty, tpgid, nice, threads;
	unsigned long long utime, stime, start, vsize; /* vsize: bytes */
	long long rss;				       /* pages */
};
int sk_ps_parse_stat(const char *text, struct sk_ps_stat *ret);

#endif
