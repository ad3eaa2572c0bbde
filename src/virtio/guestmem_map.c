/* SPDX-License-Identifier: Apache-2.0 */
#include "virtio/guestmem.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* More than any host has; keeps sums of sizes far away from overflow. */
#define REGION_MAX (UINT64_C(1) << 44)

int sk_mem_add(struct sk_guest_mem *mem, int fd, uint64_t gpa, uint64_t uva, uint64_t size, uint64_t offset)
{
	uint64_t align = (uint64_t)sysconf(_SC_PAGESIZE) - 1, skip;
	struct stat st;
	void *map;

	if (mem->n == SK_MEM_REGIONS)
		return -ENOSPC;
	if (size == 0 || size > REGION_MAX || gpa > UINT64_MAX - size || uva > UINT64_MAX - size)
		return -EINVAL;
	if (fstat(fd, &st) < 0)
		return -errno;
	/* A device or a pipe has no length to check against. */
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size < size || offset > (uint64_t)st.st_size - size)
		return -EINVAL;
	skip = offset & align;
	map = mmap(NULL, (size_t)(size + skip), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd,
		   (off_t)(offset - skip));
	if (map == MAP_FAILED)
		return -errno;
	return sk_mem_insert(mem, &(struct sk_mem_region){
					  .gpa = gpa,
					  .uva = uva,
					  .size = size,
					  .host = (uint8_t *)map + skip,
					  .map = map,
					  .map_len = (size_t)(size + skip),
				  });
}

void sk_mem_unmap(struct sk_mem_region *r)
{
	munmap(r->map, r->map_len);
	r->map = NULL;
}

void sk_mem_fini(struct sk_guest_mem *mem)
{
	unsigned i;

	for (i = 0; i < mem->n; i++)
		sk_mem_unmap(&mem->regions[i]);
	mem->n = 0;
}
