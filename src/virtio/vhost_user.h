/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VIRTIO_VHOST_USER_H
#define SK_VIRTIO_VHOST_USER_H

#include <stdint.h>

/*
 * The wire format of the vhost-user protocol (QEMU documentation, "Vhost-user Protocol"). Native byte order: both ends
 * are on one machine. Shared with the tests' frontend.
 */
enum vu_request {
	VU_GET_FEATURES = 1,
	VU_SET_FEATURES = 2,
	VU_SET_OWNER = 3,
	VU_RESET_OWNER = 4,
	VU_SET_MEM_TABLE = 5,
	VU_SET_VRING_NUM = 8,
	VU_SET_VRING_ADDR = 9,
	VU_SET_VRING_BASE = 10,
	VU_GET_VRING_BASE = 11,
	VU_SET_VRING_KICK = 12,
	VU_SET_VRING_CALL = 13,
	VU_SET_VRING_ERR = 14,
	VU_GET_PROTOCOL_FEATURES = 15,
	VU_SET_PROTOCOL_FEATURES = 16,
	VU_GET_QUEUE_NUM = 17,
	VU_SET_VRING_ENABLE = 18,
	VU_SEND_RARP = 19,
	VU_NET_SET_MTU = 20,
	VU_SET_BACKEND_REQ_FD = 21,
	VU_GET_CONFIG = 24,
	VU_SET_CONFIG = 25,
	VU_RESET_DEVICE = 34,
	VU_REQUESTS,
};

#define VU_VERSION 1u
#define VU_VERSION_MASK 3u
#define VU_FLAG_REPLY (1u << 2)
#define VU_FLAG_NEED_REPLY (1u << 3)

#define VU_F_PROTOCOL_FEATURES 30
#define VU_PROTOCOL_F_MQ 0
#define VU_PROTOCOL_F_REPLY_ACK 3
#define VU_PROTOCOL_F_NET_MTU 4
#define VU_PROTOCOL_F_BACKEND_REQ 5
#define VU_PROTOCOL_F_CONFIG 9
#define VU_PROTOCOL_F_RESET_DEVICE 13

#define VU_VRING_INDEX_MASK 0xffu
#define VU_VRING_NOFD (1u << 8)
#define VU_MAX_REGIONS 8u
#define VU_MAX_FDS 8u
#define VU_CONFIG_MAX 256u

struct vu_header {
	uint32_t request, flags, size;
};

struct vu_vring_state {
	uint32_t index, num;
};

struct vu_vring_addr {
	uint32_t index, flags;
	uint64_t desc, used, avail, log;
};

struct vu_mem_region {
	uint64_t guest_addr, size, user_addr, mmap_offset;
};

struct vu_mem_table {
	uint32_t n, padding;
	struct vu_mem_region regions[VU_MAX_REGIONS];
};

struct vu_config {
	uint32_t offset, size, flags;
	uint8_t data[VU_CONFIG_MAX];
};

union vu_payload {
	uint64_t u64;
	struct vu_vring_state state;
	struct vu_vring_addr addr;
	struct vu_mem_table mem;
	struct vu_config config;
};

struct vu_msg {
	struct vu_header h;
	/* 12 bytes of header on the wire; the payload is read and written on its own, aligned. */
	union vu_payload p;
};

#endif
