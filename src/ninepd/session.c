/* SPDX-License-Identifier: Apache-2.0 */
#include "ninepd/ninepd.h"
#include "virtio/ninep_dev.h"

struct sk_9p_session *ninepd_session(const struct ninepd *d, unsigned export)
{
	struct sk_device *device = d->exports[export].device ? d->exports[export].device : d->all;

	return device ? sk_ninep_dev_session(device) : NULL;
}
