/* SPDX-License-Identifier: Apache-2.0 */
/* fallocate and SEEK_DATA of the file system in memory, which keeps no holes. See memory.c. */
#include <string.h>

#include "export/memory_internal.h"

int mem_allocate(struct sk_9p_fs *fs, struct sk_9p_file *file, uint32_t mode, uint64_t offset, uint64_t length)
{
	struct memfs *m = memfs_of(fs);
	struct inode *i = file->inode;
	uint64_t end = offset + length;
	int r = 0;

	if ((mode & P9_FALLOC_PUNCH_HOLE) && !(mode & P9_FALLOC_KEEP_SIZE))
		return -P9_EOPNOTSUPP;
	if (mode & ~(P9_FALLOC_KEEP_SIZE | P9_FALLOC_PUNCH_HOLE | P9_FALLOC_ZERO_RANGE))
		return -P9_EOPNOTSUPP;
	if (!(mode & P9_FALLOC_KEEP_SIZE) && end > i->size)
		r = memfs_resize(m, i, end);
	if (r == 0 && (mode & (P9_FALLOC_PUNCH_HOLE | P9_FALLOC_ZERO_RANGE)) && offset < i->size)
		memset(i->data + offset, 0, (size_t)((end < i->size ? end : i->size) - offset));
	if (r == 0)
		memfs_changed(m, i, true);
	return r;
}

int64_t mem_seek(struct sk_9p_fs *fs, struct sk_9p_file *file, uint64_t offset, uint32_t whence)
{
	(void)fs;
	if (whence == P9_SEEK_SET)
		return (int64_t)offset;
	if (offset >= file->inode->size)
		return -P9_ENXIO;
	return whence == P9_SEEK_DATA ? (int64_t)offset : (int64_t)file->inode->size;
}
