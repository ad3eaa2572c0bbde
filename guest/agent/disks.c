/* SPDX-License-Identifier: Apache-2.0 */
#include "disks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fs.h"

int sk_disk_by_serial(const char *serial, char ret_name[SK_DISK_NAME_MAX])
{
	char path[64];
	int letter;

	for (letter = 'a'; letter <= 'z'; letter++) {
		_cleanup_free_ char *text = NULL;

		snprintf(path, sizeof(path), "/sys/class/block/vd%c/serial", letter);
		if (sk_fs_read(AT_FDCWD, path, 64, &text, NULL) < 0)
			break;
		text[strcspn(text, "\n")] = '\0';
		if (strcmp(text, serial) == 0) {
			snprintf(ret_name, SK_DISK_NAME_MAX, "vd%c", letter);
			return 0;
		}
	}
	return -ENODEV;
}
