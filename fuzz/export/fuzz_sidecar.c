/* SPDX-License-Identifier: Apache-2.0 */
/* The file of records as anybody may have written it: read, changed and read again in a directory. */
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../input.h"
#include "base/fs.h"
#include "export/sidecar.h"

static char path[] = "/tmp/sk-fuzz-sidecar-XXXXXX";

static void clean_up(void)
{
	sk_fs_remove_tree(AT_FDCWD, path);
}

static int directory(void)
{
	static int fd = -1;

	if (fd < 0 && mkdtemp(path)) {
		atexit(clean_up);
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	assert(fd >= 0);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct sk_override o = { 1, 2, S_IFLNK | 0604, 0, 0 };
	struct sk_sidecar *s = sk_sidecar_new(), *again = sk_sidecar_new();
	struct sk_override got;
	const char *target;
	char *copy = malloc(size ? size : 1);
	int dir = directory(), fd;

	/* Of exactly that size: a read behind the end is seen. */
	memcpy(copy, data, size);
	assert(sk_sidecar_parse(s, copy, size) == 0);
	assert(sk_sidecar_count(s) <= size / 12);
	sk_sidecar_free(s);

	fd = openat(dir, SK_SIDECAR_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert(fd >= 0 && write(fd, copy, size) == (ssize_t)size);
	close(fd);
	s = sk_sidecar_new();
	assert(sk_sidecar_put(s, dir, "a b%", &o, "to \n") == 0);
	/* Whatever was there before, the record counts, for others too. */
	assert(sk_sidecar_load(again, dir) == 0 && sk_sidecar_find(again, "a b%", &got, &target));
	assert(got.uid == 1 && got.mode == o.mode && strcmp(target, "to \n") == 0);
	assert(sk_sidecar_drop(again, dir, "a b%") == 0);
	assert(sk_sidecar_load(s, dir) == 0 && !sk_sidecar_find(s, "a b%", &got, NULL));
	assert(sk_sidecar_count(s) == sk_sidecar_count(again));
	sk_sidecar_free(s);
	sk_sidecar_free(again);
	free(copy);
	return 0;
}
