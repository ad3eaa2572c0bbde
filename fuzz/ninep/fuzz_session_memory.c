/* SPDX-License-Identifier: Apache-2.0 */
/* Conversations with the server on the file system in memory, which checks at its end that everything was given back.
 */
#include "export/memory.h"
#include "session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sk_memfs_limits limits = { 1u << 20, 200 };
	struct sk_9p_export export = { .name = "x" };
	struct sk_9p_fs *fs;

	if (size < 1 || sk_memfs_new(&limits, &fs) < 0)
		return 0;
	export.fs = fs;
	export.readonly = data[0] == 0xff;
	if (data[0] & 1)
		sk_memfs_foreign_lock(fs, P9_LOCK_WRLCK, 10, 20);
	fuzz_conversation(&export, data + 1, size - 1);
	assert(sk_memfs_hostlocks(fs) == 0);
	sk_memfs_free(fs);
	return 0;
}
