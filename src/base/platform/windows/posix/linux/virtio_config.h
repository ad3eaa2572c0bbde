/* SPDX-License-Identifier: Apache-2.0 */
#pragma GCC system_header
#ifndef SK_WINDOWS_LINUX_VIRTIO_CONFIG_H
#define SK_WINDOWS_LINUX_VIRTIO_CONFIG_H

#define VIRTIO_F_VERSION_1 32

#endif
