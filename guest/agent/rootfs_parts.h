/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_AGENT_ROOTFS_PARTS_H
#define SK_AGENT_ROOTFS_PARTS_H

#include <stdio.h>

#include "base/error.h"

/* `<dir>/parts`: what a root file system was put together from, a line "TYPE DEVICE" for each layer, the lowest first, and
 * one for the disk, of type ext4, if there is one. For sk_rootfs_parts(). */
FILE *sk_parts_new(const char *dir, struct sk_error *err);
int sk_parts_add(FILE *parts, const char *type, const char *device, struct sk_error *err);

#endif
