/* SPDX-License-Identifier: Apache-2.0 */
#pragma GCC system_header
#ifndef SK_WINDOWS_LINUX_VIRTIO_RING_H
#define SK_WINDOWS_LINUX_VIRTIO_RING_H

#include <stdint.h>

/* A split virtqueue's layout, with the names that Linux has for it (virtio 1.2, section 2.7). Little-endian. */
#define VRING_DESC_F_NEXT 1
#define VRING_DESC_F_WRITE 2
#define VRING_DESC_F_INDIRECT 4
#define VRING_USED_F_NO_NOTIFY 1
#define VRING_AVAIL_F_NO_INTERRUPT 1
#define VIRTIO_RING_F_INDIRECT_DESC 28
#define VIRTIO_RING_F_EVENT_IDX 29

struct vring_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};

struct vring_avail {
	uint16_t flags, idx, ring[];
};

struct vring_used_elem {
	uint32_t id, len;
};

struct vring_used {
	uint16_t flags, idx;
	struct vring_used_elem ring[];
};

#endif
