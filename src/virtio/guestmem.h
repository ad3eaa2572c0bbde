/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VIRTIO_GUESTMEM_H
#define SK_VIRTIO_GUESTMEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The guest's memory as the frontend shared it: up to SK_MEM_REGIONS mappings. A region has two addresses: the guest's
 * physical one, used in descriptors, and the one used for the rings: with vhost-user the frontend's virtual address
 * (vhost-user, "Memory region description"), with a PCI device the physical one, too.
 *
 * What is read through these pointers changes under our eyes: copy once, check the copy, use the copy. The mappings
 * are as long as the file was when it was mapped; a frontend that truncates the file raises SIGBUS here, which ends
 * this process and with it this guest only.
 */
#define SK_MEM_REGIONS 32u

struct sk_mem_region {
	uint64_t gpa, uva, size;
	uint8_t *host; /* of the region's first byte */
	void *map;
	size_t map_len;
};

struct sk_guest_mem {
	struct sk_mem_region regions[SK_MEM_REGIONS];
	unsigned n;
	/* May be NULL: all of the memory is mapped. Called for an address in no region; returns true when it has added
	 * one that has it. */
	bool (*miss)(void *arg, uint64_t gpa);
	void *miss_arg;
};

/* Maps one more region; `fd` is borrowed. -EINVAL: addresses wrap or lie outside the file; -ENOSPC: too many; errno of
 * mmap. */
int sk_mem_add(struct sk_guest_mem *mem, int fd, uint64_t gpa, uint64_t uva, uint64_t size, uint64_t offset);
void sk_mem_fini(struct sk_guest_mem *mem);
/* Adds a region that somebody else has mapped, and unmaps. -ENOSPC. */
int sk_mem_insert(struct sk_guest_mem *mem, const struct sk_mem_region *region);
/* Takes out the region of exactly these addresses: sk_mem_unmap() it once nobody uses it. -ENOENT: there is none. */
int sk_mem_take(struct sk_guest_mem *mem, uint64_t gpa, uint64_t size, struct sk_mem_region *ret);
void sk_mem_unmap(struct sk_mem_region *region);
/* Any of the region's addresses are in `mem` already. */
bool sk_mem_overlaps(const struct sk_guest_mem *mem, uint64_t gpa, uint64_t size);
/* Host address of `len` bytes at guest-physical (frontend-virtual) `addr`; NULL unless all of them are in one region.
 */
void *sk_mem_gpa(const struct sk_guest_mem *mem, uint64_t addr, uint64_t len);
void *sk_mem_uva(const struct sk_guest_mem *mem, uint64_t addr, uint64_t len);
/* Like sk_mem_gpa() for as many of the `len` bytes as lie in one region: returns how many, 0 when `addr` is in none. */
size_t sk_mem_span(const struct sk_guest_mem *mem, uint64_t addr, size_t len, void **ret_host);

#endif
