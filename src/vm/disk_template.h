/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VM_DISK_TEMPLATE_H
#define SK_VM_DISK_TEMPLATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/vhdx.h"

/*
 * Empty file systems for containers' disks, for hosts that have no mkfs.ext4: a file that guest/build-disk makes, with the
 * format. Puts the one for disks of `size` bytes onto `disk`. -EINVAL: no such file, or damaged; -ERANGE: none is for disks
 * of that size; and what sk_vhdx_write() returns.
 */
int sk_disk_template_write(const void *data, size_t len, uint64_t size, struct sk_vhdx *disk);

#endif
