/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_AGENT_DISKS_H
#define SK_AGENT_DISKS_H

#define SK_DISK_NAME_MAX 16u

/* The name ("vdb") of the virtio disk with this serial number. -ENODEV: there is none. */
int sk_disk_by_serial(const char *serial, char ret_name[SK_DISK_NAME_MAX]);
/* The same of a disk's number on its SCSI controller, or, where there is none, of the virtio disk with the serial number
 * "lun:N". */
int sk_disk_by_lun(unsigned lun, char ret_name[SK_DISK_NAME_MAX]);

#endif
