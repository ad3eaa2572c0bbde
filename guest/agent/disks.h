/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_AGENT_DISKS_H
#define SK_AGENT_DISKS_H

#define SK_DISK_NAME_MAX 16u

/* The kernel's name of the n-th disk of a driver, from 0 on: "sda", … "sdz", "sdaa", … (701 at most). */
void sk_disk_name(const char *prefix, unsigned n, char ret_name[SK_DISK_NAME_MAX]);
/* The name ("vdb") of the virtio disk with this serial number. -ENODEV: there is none. */
int sk_disk_by_serial(const char *serial, char ret_name[SK_DISK_NAME_MAX]);
/* The same of a disk's number on its SCSI controller, or, where there is none, of the virtio disk with the serial number
 * "lun:N". */
int sk_disk_by_lun(unsigned lun, char ret_name[SK_DISK_NAME_MAX]);

#endif
