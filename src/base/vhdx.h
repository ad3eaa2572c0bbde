/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_BASE_VHDX_H
#define SK_BASE_VHDX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Writes virtual hard disks that grow, in the format VHDX ("[MS-VHDX]: Virtual Hard Disk v2 (VHDX) File Format", version 7.0):
 * blocks of 1 MiB, which the file has where they were written, and which read as zeros everywhere else. Sectors have 512
 * bytes, physical ones 4096.
 *
 * A disk with holes cannot be a file of a fixed size (base/vhd.h) on Windows: Hyper-V refuses files with holes of the file
 * system, unless it is told to take them, which it knows from schema 2.6 on (AlwaysAllowSparseFiles).
 */
#define SK_VHDX_BLOCK (UINT64_C(1) << 20)
#define SK_VHDX_MAX (UINT64_C(64) << 40) /* of the format */

/* One that is being written. */
struct sk_vhdx {
	int fd; /* borrowed */
	uint64_t size, end;
	uint64_t *bat;
	uint32_t n_entries;
};

/* Begins a disk of `size` bytes, a multiple of 1 MiB, in an empty file. -EINVAL, -ENOMEM. sk_vhdx_fini() in any case. */
int sk_vhdx_begin(struct sk_vhdx *vhdx, int fd, uint64_t size);
/* Puts bytes where the disk has them; what lies in the file around them is zero. -ERANGE: outside. */
int sk_vhdx_write(struct sk_vhdx *vhdx, uint64_t offset, const void *data, size_t len);
/* Completes the file; until then it is none of a disk's. */
int sk_vhdx_finish(struct sk_vhdx *vhdx);
void sk_vhdx_fini(struct sk_vhdx *vhdx);

/* Whether an open file says that it is such a disk. */
bool sk_vhdx_is(int fd);

#endif
