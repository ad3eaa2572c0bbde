/* SPDX-License-Identifier: Apache-2.0 */
#pragma GCC system_header
#ifndef SK_WINDOWS_LINUX_VIRTIO_9P_H
#define SK_WINDOWS_LINUX_VIRTIO_9P_H

#define VIRTIO_9P_MOUNT_TAG 0

#endif
