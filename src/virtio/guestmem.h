/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VIRTIO_GUESTMEM_H
#define SK_VIRTIO_GUESTMEM_H

#include <stddef.h>
#include <stdint.h>

/*
 * The guest's memory as the frontend shared it: up to SK_MEM_REGIONS mappings of its descriptors (vhost-user,
 * "Memory region description"). A region has two addresses: the guest's physical one, used in descriptors, and the
 * frontend's virtual one, used for the rings.
 *
 * What is read through these pointers changes under our eyes: copy once, check the copy, use the copy. The mappings
 * are as long as the file was when it was mapped; a frontend that truncates the file raises SIGBUS here, which ends
 * this process and with it this guest only.
 */
#define SK_MEM_REGIONS 8u

struct sk_mem_region {
	uint64_t gpa, uva, size;
	uint8_t *host; /* of the region's first byte */
	void *map;
	size_t map_len;
};

struct sk_guest_mem {
	struct sk_mem_region regions[SK_MEM_REGIONS];
	unsigned n;
};

/* Maps one more region; `fd` is borrowed. -EINVAL: addresses wrap or lie outside the file; -ENOSPC: too many; errno of
 * mmap. */
int sk_mem_add(struct sk_guest_mem *mem, int fd, uint64_t gpa, uint64_t uva, uint64_t size, uint64_t offset);
void sk_mem_fini(struct sk_guest_mem *mem);
/* Host address of `len` bytes at guest-physical (frontend-virtual) `addr`; NULL unless all of them are in one region.
 */
void *sk_mem_gpa(const struct sk_guest_mem *mem, uint64_t addr, uint64_t len);
void *sk_mem_uva(const struct sk_guest_mem *mem, uint64_t addr, uint64_t len);
/* Like sk_mem_gpa() for as many of the `len` bytes as lie in one region: returns how many, 0 when `addr` is in none. */
size_t sk_mem_span(const struct sk_guest_mem *mem, uint64_t addr, size_t len, void **ret_host);

#endif
