/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conversations with the server on a directory of this host (made below TMPDIR, emptied each time). Beside the
 * directory lies a file that no conversation may reach, and inside it a symbolic link that leads there. Or on a
 * single file, whose name is given to others meanwhile.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "export/posix.h"
#include "session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char top[200];

static void clean_up(void)
{
	sk_fs_remove_tree(AT_FDCWD, top);
}

static void prepare(char path[256])
{
	const char *tmp = getenv("TMPDIR");
	int fd;

	if (!top[0]) {
		snprintf(top, sizeof(top), "%.150s/sk-fuzz-XXXXXX", tmp ? tmp : "/tmp");
		if (!mkdtemp(top))
			abort();
		atexit(clean_up);
		umask(0);
	}
	snprintf(path, 256, "%s/canary", top);
	fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, "alive", 5) != 5)
		abort();
	close(fd);
	snprintf(path, 256, "%s/share", top);
	mkdir(path, 0777);
	snprintf(path, 256, "%s/share/out", top);
	if (symlink("..", path) < 0)
		abort();
	snprintf(path, 256, "%s/share", top);
}

static struct sk_9p_fs *single;

static void replace_single(void)
{
	char path[256], from[256];
	int fd;

	snprintf(path, sizeof(path), "%s/share/only", top);
	snprintf(from, sizeof(from), "%s/share/next", top);
	fd = open(from, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, "another", 7) != 7 || rename(from, path) < 0)
		abort();
	close(fd);
	if (sk_posix_replace(single, open(path, O_PATH | O_CLOEXEC)) < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sk_export_config config = { .who = SK_EXPORT_SELF, .nodev = true };
	struct sk_9p_export export = { .name = "x" };
	struct sk_export_pool *pool;
	struct sk_9p_fs *fs;
	unsigned nodes, files;
	char path[256];
	struct stat st;

	if (size < 1)
		return 0;
	config.append = data[0] & 1;
	config.stat_entries = data[0] & 2;
	if (data[0] & 4)
		config.who = SK_EXPORT_MAPPED;
	prepare(path);
	if (sk_posix_pool_new(data[0] & 8 ? 40 : 400, &pool, NULL) < 0)
		abort();
	if (data[0] & 16) {
		strcat(path, "/only");
		close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	}
	if (sk_posix_new(pool, open(path, O_PATH | O_CLOEXEC), data[0] & 16 ? "f" : NULL, &config, &fs, NULL) < 0)
		abort();
	single = fs;
	fuzz_happens = data[0] & 16 ? replace_single : NULL;
	export.fs = fs;
	fuzz_conversation(&export, data + 1, size - 1);
	sk_posix_free(fs);
	sk_posix_pool_used(pool, &nodes, &files);
	assert(nodes == 0 && files == 0);
	sk_posix_pool_free(pool);
	snprintf(path, sizeof(path), "%s/share", top);
	chmod(path, 0700);
	sk_fs_remove_tree(AT_FDCWD, path);
	snprintf(path, sizeof(path), "%s/canary", top);
	assert(stat(path, &st) == 0 && st.st_size == 5 && (st.st_mode & 0777) == 0600 && st.st_nlink == 1);
	return 0;
}
