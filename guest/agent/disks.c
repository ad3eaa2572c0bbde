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

#define LETTERS 26u
#define DISKS_MAX 72u /* more than a VM has (vm/sandbox_windows.c) */

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

void sk_disk_name(const char *prefix, unsigned n, char ret_name[SK_DISK_NAME_MAX])
{
	char letters[3] = { (char)('a' + n % LETTERS), '\0', '\0' };

	if (n >= LETTERS) {
		letters[1] = letters[0];
		letters[0] = (char)('a' + (n / LETTERS - 1) % LETTERS);
	}
	snprintf(ret_name, SK_DISK_NAME_MAX, "%.8s%s", prefix, letters);
}

int sk_disk_by_lun(unsigned lun, char ret_name[SK_DISK_NAME_MAX])
{
	char serial[24];
	unsigned n;

	for (n = 0; n < DISKS_MAX; n++) {
		sk_disk_name("sd", n, ret_name);
		if (has_lun(ret_name, lun))
			return 0;
	}
	snprintf(serial, sizeof(serial), "lun:%u", lun);
	return sk_disk_by_serial(serial, ret_name);
}

int sk_disk_by_serial(const char *serial, char ret_name[SK_DISK_NAME_MAX])
{
	char path[64];
	unsigned n;

	for (n = 0; n < DISKS_MAX; n++) {
		_cleanup_free_ char *text = NULL;

		sk_disk_name("vd", n, ret_name);
		snprintf(path, sizeof(path), "/sys/class/block/%s/serial", ret_name);
		if (sk_fs_read(AT_FDCWD, path, 64, &text, NULL) < 0)
			break;
		text[strcspn(text, "\n")] = '\0';
		if (strcmp(text, serial) == 0)
			return 0;
	}
	return -ENODEV;
}
