/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "engine/engine_internal.h"
#include "skerry_config.h"

int sk_guest_dir(char *buf, size_t size)
{
	int n = snprintf(buf, size, "%s/guest", SK_LIBEXECDIR);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}
