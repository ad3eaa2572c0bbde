/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_BASE_VHD_H
#define SK_BASE_VHD_H

#include <stdint.h>

/*
 * Virtual hard disks of a fixed size, which are all of a disk's bytes and a footer ("Virtual Hard Disk Image Format
 * Specification", version 1.0). So a file of ours becomes one by what is put behind its end, and what reads it as the file
 * that it was is not disturbed.
 */
#define SK_VHD_FOOTER 512u

/* The footer of a disk of `size` bytes, a multiple of 512. */
void sk_vhd_footer(uint64_t size, uint8_t ret[SK_VHD_FOOTER]);
/* The size of the disk that the footer at the end of a file says, where `file_size` goes with it; 0: it is none. */
uint64_t sk_vhd_parse(const uint8_t footer[SK_VHD_FOOTER], uint64_t file_size);
/* The same of an open file: 0 where it is no disk, or cannot be read. */
uint64_t sk_vhd_size(int fd);
/* Makes the file a disk if it is none yet: fills it up to a multiple of 4096 bytes, and writes the footer. Nobody else
 * writes to it meanwhile. 0 or negative errno. */
int sk_vhd_make(int fd);

#endif
