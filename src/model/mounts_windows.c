/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "model/mounts.h"

int sk_mount_check_propagation(const struct sk_mount *m, struct sk_error *err)
{
	if (m->file)
		return sk_error_set(
			err, EOPNOTSUPP,
			"cannot share %s at %s: on Windows only directories can be shared yet: share the one "
			"that it is in",
			m->source, m->target);
	if (!sk_mount_is_slave(m))
		return 0;
	return sk_error_set(err, EOPNOTSUPP, "%s: Windows passes no mounts on: leave \"%s\" out", m->source,
			    m->propagation);
}
