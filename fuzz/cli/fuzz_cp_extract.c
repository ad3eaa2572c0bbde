/* SPDX-License-Identifier: Apache-2.0 */
/* What a container sends to `cp`: unpacked into a directory, beside which nothing may change. */
#include "../image/tarmut.h"

#include <archive.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "cli/container/cp_tar.h"

static char top[] = "/tmp/sk-fuzz-cp-XXXXXX";
static int topfd = -1;

static void remove_top(void)
{
	sk_fs_remove_tree(AT_FDCWD, top);
}

static void begin(void)
{
	const struct rlimit small = { 1 << 20, 1 << 20 };
	int fd;

	/* A sparse file may say that it is as large as it likes. */
	signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &small) < 0 || !mkdtemp(top))
		abort();
	atexit(remove_top);
	topfd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = openat(topfd, "outside", O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
	if (fd < 0 || write(fd, "kept", 4) != 4)
		abort();
	close(fd);
}

static void check(void)
{
	DIR *dir = sk_fs_opendir(topfd, ".");
	struct dirent *de;
	struct stat st;
	unsigned n = 0;

	while ((de = readdir(dir)))
		n++;
	closedir(dir);
	if (n != 4 || fstatat(topfd, "outside", &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_size != 4 || st.st_nlink != 1 ||
	    st.st_mode != (S_IFREG | 0640))
		abort();
}

static void extract(const uint8_t *data, size_t size, const char *name)
{
	struct sk_cp_extract x = { .root = "d", .name = name, .max_kept = 100000 };
	struct archive *in = archive_read_new();
	struct sk_error err = SK_ERROR_INIT;
	int fd, r;

	if (mkdirat(topfd, "in", 0700) < 0 || (fd = openat(topfd, "in", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		abort();
	archive_read_support_format_tar(in);
	if (archive_read_open_memory(in, data, size) == ARCHIVE_OK) {
		r = sk_cp_extract(in, fd, &x, &err);
		if ((r < 0) != (err.code != 0))
			abort();
	}
	archive_read_free(in);
	close(fd);
	check();
	if (sk_fs_remove_tree(topfd, "in") < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (topfd < 0)
		begin();
	extract(data, size, "n");
	extract(data, size, ".");
	return 0;
}
