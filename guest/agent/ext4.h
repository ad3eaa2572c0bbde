/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_AGENT_EXT4_H
#define SK_AGENT_EXT4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Whether the first `len` bytes of a disk are those of an ext4 file system; `*ret_bytes`: its size, 0 where that is
 * nonsense. */
bool sk_ext4_probe(const void *head, size_t len, uint64_t *ret_bytes);
/* Mounts a container's disk. A file system that is smaller than its disk is made as large as that first: on hosts without a
 * mkfs.ext4 a disk begins with one of a few MiB (guest/build-disk). */
int sk_ext4_mount(const char *device, const char *target, struct sk_error *err);

#endif
