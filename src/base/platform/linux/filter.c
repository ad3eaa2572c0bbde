/* SPDX-License-Identifier: Apache-2.0 */
/* What filters of system calls have in common. Users link libseccomp. */
#include <errno.h>
#include <sched.h>
#include <seccomp.h>

#include "base/confine.h"

#define NEW_NAMESPACES \
	(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)

int sk_filter_allow(void *ctx, const int *calls, size_t n)
{
	size_t i;
	int r;

	for (i = 0; i < n; i++) {
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0);
		if (r < 0 && r != -EDOM && r != -EFAULT)
			return r;
	}
	return 0;
}

int sk_filter_allow_threads(void *ctx)
{
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				SCMP_A0(SCMP_CMP_MASKED_EQ, NEW_NAMESPACES, 0));
}
