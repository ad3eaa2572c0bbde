/* SPDX-License-Identifier: Apache-2.0 */
#include "base/acceptor.h"
#include "base/process.h"

/* The C runtime's table has a fixed size. */
unsigned sk_raise_fd_limit(unsigned max)
{
	return max < 2048 ? max : 2048;
}

/* Windows counts no load. */
unsigned sk_host_load(void)
{
	return 1;
}

void sk_raise_size_limit(void)
{
}
