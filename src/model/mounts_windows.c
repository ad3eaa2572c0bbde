/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "model/mounts.h"

int sk_mount_check_propagation(const struct sk_mount *m, struct sk_error *err)
{
	if (!sk_mount_is_slave(m))
		return 0;
	return sk_error_set(err, EOPNOTSUPP, "%s: Windows passes no mounts on: leave \"%s\" out", m->source,
			    m->propagation);
}
