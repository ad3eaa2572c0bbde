/* SPDX-License-Identifier: Apache-2.0 */
/* Inodes of the file system in memory: what all operations change. See memory.c. */
#include <stdlib.h>
#include <string.h>

#include "export/memory_internal.h"

void memfs_changed(struct memfs *m, struct inode *i, bool content)
{
	i->ctime = ++m->clock;
	if (content)
		i->mtime = i->ctime;
	if (++i->version == 0)
		i->version = 1;
}

int memfs_resize(struct memfs *m, struct inode *i, uint64_t size)
{
	if (size > i->size && size - i->size > m->limits.bytes - m->bytes)
		return -P9_ENOSPC;
	if (size > i->cap) {
		size_t cap = i->cap ? i->cap : 256;
		uint8_t *data;

		while (cap < size)
			cap *= 2;
		data = realloc(i->data, cap);
		if (!data)
			return -P9_ENOMEM;
		i->data = data;
		i->cap = cap;
	}
	if (size > i->size)
		memset(i->data + i->size, 0, (size_t)size - i->size);
	m->bytes = m->bytes - i->size + (size_t)size;
	i->size = (size_t)size;
	return 0;
}
