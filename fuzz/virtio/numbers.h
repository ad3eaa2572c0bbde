/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_FUZZ_VIRTIO_NUMBERS_H
#define SK_FUZZ_VIRTIO_NUMBERS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../input.h"

/* The fuzzer's bytes as a source of numbers; zeros when they are used up. */
struct input {
	const uint8_t *p;
	size_t n;
};

static inline uint8_t in_u8(struct input *in)
{
	if (in->n == 0)
		return 0;
	in->n--;
	return *in->p++;
}

static inline uint16_t in_u16(struct input *in)
{
	uint16_t lo = in_u8(in);

	return (uint16_t)(lo | in_u8(in) << 8);
}

static inline uint32_t in_u32(struct input *in)
{
	uint32_t lo = in_u16(in);

	return lo | (uint32_t)in_u16(in) << 16;
}

/* Up to `n` bytes to `to`; returns how many there were. */
static inline size_t in_bytes(struct input *in, void *to, size_t n)
{
	if (n > in->n)
		n = in->n;
	memcpy(to, in->p, n);
	in->p += n;
	in->n -= n;
	return n;
}

#endif
