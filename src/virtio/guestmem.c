/* SPDX-License-Identifier: Apache-2.0 */
#include "virtio/guestmem.h"

#include <errno.h>

int sk_mem_insert(struct sk_guest_mem *mem, const struct sk_mem_region *region)
{
	if (mem->n == SK_MEM_REGIONS)
		return -ENOSPC;
	mem->regions[mem->n++] = *region;
	return 0;
}

int sk_mem_take(struct sk_guest_mem *mem, uint64_t gpa, uint64_t size, struct sk_mem_region *ret)
{
	unsigned i;

	for (i = 0; i < mem->n; i++) {
		if (mem->regions[i].gpa != gpa || mem->regions[i].size != size)
			continue;
		*ret = mem->regions[i];
		mem->regions[i] = mem->regions[--mem->n];
		return 0;
	}
	return -ENOENT;
}

bool sk_mem_overlaps(const struct sk_guest_mem *mem, uint64_t gpa, uint64_t size)
{
	unsigned i;

	for (i = 0; i < mem->n; i++) {
		const struct sk_mem_region *r = &mem->regions[i];

		if (gpa < r->gpa ? r->gpa - gpa < size : gpa - r->gpa < r->size)
			return true;
	}
	return false;
}

static size_t find(const struct sk_guest_mem *mem, uint64_t addr, size_t len, void **ret_host)
{
	unsigned i;

	for (i = 0; i < mem->n; i++) {
		const struct sk_mem_region *r = &mem->regions[i];
		uint64_t off = addr - r->gpa, left;

		if (addr < r->gpa || off >= r->size)
			continue;
		left = r->size - off;
		*ret_host = r->host + off;
		return len <= left ? len : (size_t)left;
	}
	return 0;
}

size_t sk_mem_span(const struct sk_guest_mem *mem, uint64_t addr, size_t len, void **ret_host)
{
	size_t n = find(mem, addr, len, ret_host);

	if (n == 0 && mem->miss && mem->miss(mem->miss_arg, addr))
		n = find(mem, addr, len, ret_host);
	return n;
}

void *sk_mem_gpa(const struct sk_guest_mem *mem, uint64_t addr, uint64_t len)
{
	void *host;

	if (len == 0 || len > SIZE_MAX || sk_mem_span(mem, addr, (size_t)len, &host) != len)
		return NULL;
	return host;
}

static void *find_uva(const struct sk_guest_mem *mem, uint64_t addr, uint64_t len)
{
	unsigned i;

	for (i = 0; i < mem->n; i++) {
		const struct sk_mem_region *r = &mem->regions[i];
		uint64_t off = addr - r->uva;

		if (addr >= r->uva && off < r->size && len <= r->size - off)
			return r->host + off;
	}
	return NULL;
}

void *sk_mem_uva(const struct sk_guest_mem *mem, uint64_t addr, uint64_t len)
{
	void *host = find_uva(mem, addr, len);

	if (!host && mem->miss && mem->miss(mem->miss_arg, addr))
		host = find_uva(mem, addr, len);
	return host;
}
