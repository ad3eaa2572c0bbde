/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs for other processors: static emulators on a small read-only disk, which the monitor attaches when an image
 * wants them. The kernel opens each emulator when it is registered (binfmt_misc's flag F), so that a container needs no
 * file of it. Only the pages of those that run are ever read.
 */
#include "foreign.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/log.h"
#include "disks.h"

#define BINFMT "/proc/sys/fs/binfmt_misc"
#define LINES_MAX 65536u
#define LINE_MAX_BYTES 1920u /* the kernel takes a page less its own record (fs/binfmt_misc.c, MAX_REGISTER_LENGTH) */

size_t sk_foreign_line(const char *text, const char *end, const char **ret_next)
{
	const char *newline = memchr(text, '\n', (size_t)(end - text));
	size_t len = (size_t)((newline ? newline : end) - text);

	*ret_next = newline ? newline + 1 : end;
	return len > 0 && len <= LINE_MAX_BYTES && text[0] == ':' ? len : 0;
}

static int register_all(void)
{
	_cleanup_free_ char *text = NULL;
	const char *p, *next;
	size_t len, n;
	int r = sk_fs_read(AT_FDCWD, SK_FOREIGN_DIR "/register", LINES_MAX, &text, &len);

	for (p = text; r == 0 && p < text + len; p = next) {
		_cleanup_fd_ int fd = -1;

		n = sk_foreign_line(p, text + len, &next);
		if (n == 0)
			continue;
		fd = open(BINFMT "/register", O_WRONLY | O_CLOEXEC);
		if (fd < 0 || (write(fd, p, n) < 0 && errno != EEXIST))
			r = -errno;
	}
	return r;
}

void sk_foreign_register(void)
{
	char name[SK_DISK_NAME_MAX], device[32];
	int r = 0;

	/* It comes behind the layers and the container's disk: without a third one there is nothing to ask for. */
	if (access("/sys/class/block/vdc", F_OK) < 0 || sk_disk_by_serial(SK_FOREIGN_SERIAL, name) < 0)
		return;
	snprintf(device, sizeof(device), "/dev/%s", name);
	mkdir(SK_FOREIGN_DIR, 0755);
	if (mount(device, SK_FOREIGN_DIR, "squashfs", MS_RDONLY | MS_NODEV, NULL) < 0 && errno != EBUSY)
		r = -errno;
	if (r == 0 && access(BINFMT "/register", F_OK) < 0 && mount("binfmt_misc", BINFMT, "binfmt_misc", 0, NULL) < 0)
		r = -errno;
	if (r == 0)
		r = register_all();
	if (r < 0)
		sk_log(SK_LOG_ERROR, "programs of other processors will not run: %s", strerror(-r));
}
