/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VIRTIO_VFIO_USER_H
#define SK_VIRTIO_VFIO_USER_H

#include <stdint.h>

/*
 * The wire format of vfio-user 0.1 (QEMU documentation, "vfio-user Protocol Specification"). Little-endian; so are the
 * machines that this runs on. Payloads are those of Linux' <linux/vfio.h>. Shared with the tests' client.
 */
enum vfu_command {
	VFU_VERSION = 1,
	VFU_DMA_MAP = 2,
	VFU_DMA_UNMAP = 3,
	VFU_DEVICE_GET_INFO = 4,
	VFU_DEVICE_GET_REGION_INFO = 5,
	VFU_DEVICE_GET_REGION_IO_FDS = 6,
	VFU_DEVICE_GET_IRQ_INFO = 7,
	VFU_DEVICE_SET_IRQS = 8,
	VFU_REGION_READ = 9,
	VFU_REGION_WRITE = 10,
	VFU_DEVICE_RESET = 13,
	VFU_COMMANDS,
};

#define VFU_TYPE_MASK 0xfu
#define VFU_TYPE_COMMAND 0u
#define VFU_TYPE_REPLY 1u
#define VFU_NO_REPLY 0x10u
#define VFU_ERROR 0x20u

#define VFU_MAJOR 0u
#define VFU_MINOR 1u
#define VFU_MESSAGE_MAX 4096u /* of a client, with its header */
#define VFU_MAX_FDS 8u

struct vfu_header {
	uint16_t id, command;
	uint32_t size; /* of all of the message */
	uint32_t flags, error;
};

struct vfu_version {
	uint16_t major, minor; /* then JSON, with its NUL */
};

#define VFU_DMA_READ 1u
#define VFU_DMA_WRITE 2u
struct vfu_dma_map {
	uint32_t argsz, flags;
	uint64_t offset, address, size;
};

#define VFU_DMA_UNMAP_ALL 2u
struct vfu_dma_unmap {
	uint32_t argsz, flags;
	uint64_t address, size;
};

#define VFU_DEVICE_RESETS 1u
#define VFU_DEVICE_PCI 2u
struct vfu_device_info {
	uint32_t argsz, flags, regions, irqs;
};

/* Regions: six BARs, ROM, configuration space, VGA. */
#define VFU_REGIONS 9u
#define VFU_REGION_CONFIG 7u
#define VFU_REGION_READABLE 1u
#define VFU_REGION_WRITABLE 2u
struct vfu_region_info {
	uint32_t argsz, flags, index, cap_offset;
	uint64_t size, offset;
};

/* Kinds of interrupts: pin, MSI, MSI-X. Without the two that VFIO has for errors and requests of the host. */
#define VFU_IRQS 3u
#define VFU_IRQ_MSIX 2u
#define VFU_IRQ_EVENTFD 1u
struct vfu_irq_info {
	uint32_t argsz, flags, index, count;
};

#define VFU_IRQ_DATA_NONE 1u
#define VFU_IRQ_DATA_BOOL 2u
#define VFU_IRQ_DATA_EVENTFD 4u
#define VFU_IRQ_DATA 7u
#define VFU_IRQ_MASK 8u
#define VFU_IRQ_UNMASK 16u
#define VFU_IRQ_TRIGGER 32u
#define VFU_IRQ_ACTION 56u
struct vfu_irq_set {
	uint32_t argsz, flags, index, start, count; /* then bytes, with VFU_IRQ_DATA_BOOL */
};

struct vfu_region_access {
	uint64_t offset;
	uint32_t region, count; /* then the data of a write, or of a read's reply */
};

#endif
