/* SPDX-License-Identifier: Apache-2.0 */
#include "disks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"

/* A disk of a SCSI controller, "H:C:T:L": its address is the name of its device. */
static bool has_lun(const char *name, unsigned lun)
{
	char path[80], target[256], *colon;
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/class/block/%s/device", name);
	n = readlink(path, target, sizeof(target) - 1);
	if (n <= 0)
		return false;
	target[n] = '\0';
	colon = strrchr(target, ':');
	return colon && strtoul(colon + 1, NULL, 10) == lun;
}

int sk_disk_by_lun(unsigned lun, char ret_name[SK_DISK_NAME_MAX])
{
	char serial[24];
	int letter;

	for (letter = 'a'; letter <= 'z'; letter++) {
		snprintf(ret_name, SK_DISK_NAME_MAX, "sd%c", letter);
		if (has_lun(ret_name, lun))
			return 0;
	}
	snprintf(serial, sizeof(serial), "lun:%u", lun);
	return sk_disk_by_serial(serial, ret_name);
}

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
