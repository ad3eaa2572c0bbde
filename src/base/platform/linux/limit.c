/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <sys/resource.h>

#include "base/acceptor.h"
#include "base/process.h"

unsigned sk_raise_fd_limit(unsigned max)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return 256;
	if (l.rlim_cur < max && l.rlim_cur < l.rlim_max) {
		l.rlim_cur = l.rlim_max < max ? l.rlim_max : max;
		if (setrlimit(RLIMIT_NOFILE, &l) < 0)
			getrlimit(RLIMIT_NOFILE, &l);
	}
	return l.rlim_cur < max ? (unsigned)l.rlim_cur : max;
}

void sk_raise_size_limit(void)
{
	struct rlimit l;

	signal(SIGXFSZ, SIG_IGN);
	if (getrlimit(RLIMIT_FSIZE, &l) < 0 || l.rlim_cur == l.rlim_max)
		return;
	l.rlim_cur = l.rlim_max;
	setrlimit(RLIMIT_FSIZE, &l);
}
