/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A queue over memory that changes while it is read: the input is the memory (in two regions, allocated so that a
 * sanitizer sees every byte outside) and then a list of actions; a second thread rewrites the rings meanwhile when the
 * first byte says so.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "numbers.h"
#include "virtio/virtqueue.h"

#define A 4096u
#define B 2048u
#define GPA_A 0x1000u
#define GPA_B (GPA_A + A) /* a neighbour */
#define NUM 16u
#define AVAIL 512u
#define USED 640u

static uint8_t *mem_a, *mem_b;
static atomic_uint running; /* 0: the thread pauses; else its seed */
static struct sk_vq_chain chain, again;

/* The guest, which writes when it likes: no race of ours, so ThreadSanitizer does not look at this side. */
__attribute__((no_sanitize("thread"))) static void *change(void *arg)
{
	uint32_t x = 1;

	(void)arg;
	for (;;) {
		unsigned seed = atomic_load(&running);

		if (!seed) {
			usleep(50);
			continue;
		}
		x = x * 1664525u + 1013904223u + seed;
		/* Descriptors and the available ring; now and then a byte of an indirect table. */
		if ((x >> 28) == 0)
			((volatile uint8_t *)mem_a)[1024 + (x >> 8) % 1024] = (uint8_t)x;
		else
			((volatile uint8_t *)mem_a)[(x >> 8) % 600] = (uint8_t)(x >> 20);
	}
	return NULL;
}

static void touch(const struct sk_vq_chain *c)
{
	unsigned i;
	size_t k, out = 0, in = 0;
	static volatile uint8_t sink;

	if (c->n_out + c->n_in > SK_VQ_MAX_SEGS)
		abort();
	for (i = 0; i < c->n_out + c->n_in; i++) {
		volatile uint8_t *p = c->iov[i].iov_base;

		if (c->iov[i].iov_len == 0)
			abort();
		*(i < c->n_out ? &out : &in) += c->iov[i].iov_len;
		for (k = 0; k < c->iov[i].iov_len; k += 61)
			sink = p[k];
		sink = p[c->iov[i].iov_len - 1];
		if (i >= c->n_out)
			p[c->iov[i].iov_len - 1] = sink;
	}
	if (out != c->out_len || in != c->in_len)
		abort();
}

static void setup(void)
{
	pthread_t t;

	mem_a = aligned_alloc(16, A);
	mem_b = aligned_alloc(16, B);
	if (!mem_a || !mem_b || pthread_create(&t, NULL, change, NULL))
		abort();
	pthread_detach(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct sk_guest_mem mem = { .n = 2 };
	struct sk_virtqueue vq = { .mem = NULL };
	unsigned heads[NUM + 1], n_heads = 0, steps = 0;
	uint8_t how = in_u8(&in);

	if (!mem_a)
		setup();
	memset(mem_a, 0, A);
	memset(mem_b, 0, B);
	mem.regions[0] = (struct sk_mem_region){ .gpa = GPA_A, .uva = GPA_A, .size = A, .host = mem_a };
	mem.regions[1] = (struct sk_mem_region){ .gpa = GPA_B, .uva = GPA_B, .size = B, .host = mem_b };
	vq.event_idx = how & 1;
	vq.indirect = how & 2;
	in_bytes(&in, mem_a, in_u16(&in) % A);
	if (sk_vq_start(&vq, &mem, NUM, GPA_A, GPA_A + AVAIL, GPA_A + USED, in_u16(&in)) < 0)
		abort();
	if (how & 4)
		atomic_store(&running, (unsigned)size + 1);
	while (steps++ < 500 && (in.n > 0 || (how & 4 && steps < 100))) {
		uint8_t what = in_u8(&in);
		struct iovec *iov = chain.iov;

		switch (what & 7) {
		case 0:
		case 1:
		case 2:
			if (sk_vq_next(&vq, &chain) <= 0)
				break;
			if (n_heads >= NUM)
				abort(); /* more chains out than the queue has */
			heads[n_heads++] = chain.head;
			touch(&chain);
			if (what & 8)
				sk_iovec_cut(&iov, chain.n_out, what, chain.out_len / 2);
			break;
		case 3:
			if (n_heads) {
				sk_vq_push(&vq, (uint16_t)heads[--n_heads], what);
				sk_vq_flush(&vq);
			}
			break;
		case 4:
			if (n_heads) {
				n_heads--;
				sk_vq_unget(&vq, 1);
			}
			break;
		case 5:
			if (n_heads && sk_vq_reload(&vq, (uint16_t)heads[what % n_heads], &again) > 0)
				touch(&again);
			break;
		case 6: {
			uint16_t off = in_u16(&in) % A;

			in_bytes(&in, mem_a + off, in_u8(&in) % (A - off));
			break;
		}
		default:
			sk_vq_publish(&vq);
			break;
		}
	}
	atomic_store(&running, 0);
	return 0;
}
