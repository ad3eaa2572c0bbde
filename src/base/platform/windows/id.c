/* SPDX-License-Identifier: Apache-2.0 */
#include "base/id.h"

#include "base/platform/windows/system.h"
#include <bcrypt.h>

void sk_random(void *buf, size_t n)
{
	if (BCryptGenRandom(NULL, buf, (ULONG)n, BCRYPT_USE_SYSTEM_PREFERRED_RNG) < 0)
		abort();
}
