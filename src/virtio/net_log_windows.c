/* SPDX-License-Identifier: Apache-2.0 */
#include "virtio/net_slirp.h"

/* What stands in for glib there (base/platform/windows/slirp) writes to our log by itself. */
void net_slirp_log(void)
{
}
