/* SPDX-License-Identifier: Apache-2.0 */
/* Virtqueues over hostile memory: chains, regions, indirect tables, indices. */
#include "../sk_test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "virtio/notify.h"
#include "virtio/virtqueue.h"

#define NUM 8u
#define REGION 65536u
#define GPA 0x10000u

/* Memory: rings at the start of the first region, data behind; the second region follows at once, the third after a
 * hole. */
struct fixture {
	int memfd, call;
	struct sk_notify_fd notify;
	uint8_t *mem;
	struct sk_guest_mem gm;
	struct vring ring;
	struct sk_virtqueue vq;
	struct sk_vq_chain chain;
};

static void setup_vq(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	f->memfd = memfd_create("guest", MFD_CLOEXEC);
	assert_int_equal(ftruncate(f->memfd, 3 * (off_t)REGION), 0);
	f->mem = mmap(NULL, 3 * REGION, PROT_READ | PROT_WRITE, MAP_SHARED, f->memfd, 0);
	assert_int_equal(sk_mem_add(&f->gm, f->memfd, GPA, GPA, REGION, 0), 0);
	assert_int_equal(sk_mem_add(&f->gm, f->memfd, GPA + REGION, GPA + REGION, REGION, REGION), 0);
	assert_int_equal(sk_mem_add(&f->gm, f->memfd, GPA + 3 * REGION, GPA + 3 * REGION, REGION, 2 * REGION), 0);
	vring_init(&f->ring, NUM, f->mem, 16);
	f->call = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	f->notify.fd = f->call;
	f->vq.call = sk_notify_call;
	f->vq.call_arg = &f->notify;
	f->vq.indirect = true;
	assert_int_equal(sk_vq_start(&f->vq, &f->gm, NUM, GPA + (uint64_t)((uint8_t *)f->ring.desc - f->mem),
				     GPA + (uint64_t)((uint8_t *)f->ring.avail - f->mem),
				     GPA + (uint64_t)((uint8_t *)f->ring.used - f->mem), 0),
			 0);
}

static void teardown_vq(struct fixture *f)
{
	sk_mem_fini(&f->gm);
	munmap(f->mem, 3 * REGION);
	close(f->memfd);
	close(f->call);
}

static void desc(struct fixture *f, unsigned i, uint64_t addr, uint32_t len, unsigned flags, unsigned next)
{
	f->ring.desc[i] = (struct vring_desc){ addr, len, (uint16_t)flags, (uint16_t)next };
}

static void expose(struct fixture *f, unsigned head)
{
	f->ring.avail->ring[f->ring.avail->idx % NUM] = (uint16_t)head;
	f->ring.avail->idx++;
}

static int next(struct fixture *f)
{
	return sk_vq_next(&f->vq, &f->chain);
}

/* Exposes descriptor 0 and expects that the queue breaks, for good. */
static void expect_broken(struct fixture *f)
{
	expose(f, 0);
	assert_int_equal(next(f), -EPROTO);
	assert_true(f->vq.broken);
	desc(f, 0, GPA + 4096, 16, 0, 0);
	expose(f, 0);
	assert_int_equal(next(f), -EPROTO);
	assert_false(sk_vq_pending(&f->vq));
}

static void test_good_chain(void **state)
{
	struct fixture f;

	(void)state;
	setup_vq(&f);
	assert_int_equal(next(&f), 0);
	memcpy(f.mem + 4096, "hello", 5);
	desc(&f, 2, GPA + 4096, 5, VRING_DESC_F_NEXT, 5);
	desc(&f, 5, GPA + 8192, 0, VRING_DESC_F_NEXT, 1); /* empty: left out */
	desc(&f, 1, GPA + 8192, 100, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 0);
	desc(&f, 0, GPA + 8292, 50, VRING_DESC_F_WRITE, 7); /* a neighbour: joined */
	expose(&f, 2);
	assert_true(sk_vq_pending(&f.vq));
	assert_int_equal(next(&f), 1);
	assert_int_equal(f.chain.head, 2);
	assert_int_equal(f.chain.n_out, 1);
	assert_int_equal(f.chain.n_in, 1);
	assert_int_equal(f.chain.out_len, 5);
	assert_int_equal(f.chain.in_len, 150);
	assert_memory_equal(f.chain.iov[0].iov_base, "hello", 5);
	assert_int_equal(f.chain.iov[1].iov_len, 150);
	assert_int_equal(next(&f), 0);
	sk_vq_push(&f.vq, 2, 7);
	assert_int_equal(f.ring.used->idx, 0);
	sk_vq_publish(&f.vq);
	assert_int_equal(f.ring.used->idx, 1);
	assert_int_equal(f.ring.used->ring[0].id, 2);
	assert_int_equal(f.ring.used->ring[0].len, 7);
	teardown_vq(&f);
}

/* An out-segment and an in-segment that are neighbours stay apart. */
static void test_no_join_across_direction(void **state)
{
	struct fixture f;

	(void)state;
	setup_vq(&f);
	desc(&f, 0, GPA + 4096, 16, VRING_DESC_F_NEXT, 1);
	desc(&f, 1, GPA + 4112, 16, VRING_DESC_F_WRITE, 0);
	expose(&f, 0);
	assert_int_equal(next(&f), 1);
	assert_int_equal(f.chain.n_out, 1);
	assert_int_equal(f.chain.n_in, 1);
	assert_int_equal(f.chain.iov[0].iov_len, 16);
	teardown_vq(&f);
}

static void test_regions(void **state)
{
	struct fixture f;

	(void)state;
	setup_vq(&f);
	/* Across a border of two regions that touch: two pieces, in order. */
	desc(&f, 0, GPA + REGION - 10, 30, 0, 0);
	memcpy(f.mem + REGION - 10, "0123456789abcdefghijklmnopqrst", 30);
	expose(&f, 0);
	assert_int_equal(next(&f), 1);
	assert_int_equal(f.chain.out_len, 30);
	{
		char got[31] = "";

		assert_int_equal(sk_iovec_read(f.chain.iov, f.chain.n_out, 0, got, 31), 30);
		assert_string_equal(got, "0123456789abcdefghijklmnopqrst");
	}
	/* Into the hole behind the second one. */
	desc(&f, 0, GPA + 2 * REGION - 10, 11, 0, 0);
	expose(&f, 0);
	assert_int_equal(next(&f), 1);
	assert_true(sk_vq_unmapped(&f.chain));
	assert_int_equal(f.chain.out_len, 10);
	teardown_vq(&f);
}

static void test_bad_addresses(void **state)
{
	static const struct {
		uint64_t addr;
		uint32_t len;
	} bad[] = {
		{ 0, 1 },
		{ GPA - 1, 1 },
		{ GPA - 1, 2 },
		{ GPA + 2 * REGION, 1 },
		{ GPA + 4 * REGION - 1, 2 },
		{ GPA + 4 * REGION, UINT32_MAX },
		{ UINT64_MAX, 1 },
		{ UINT64_MAX - 3, 16 },
		{ UINT64_MAX - 15, UINT32_MAX },
		{ GPA, UINT32_MAX },
	};
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct fixture f;

		setup_vq(&f);
		desc(&f, 0, bad[i].addr, bad[i].len, VRING_DESC_F_WRITE, 0);
		expose(&f, 0);
		assert_int_equal(next(&f), 1);
		assert_true(sk_vq_unmapped(&f.chain));
		assert_true(f.chain.in_len < bad[i].len);
		/* The queue goes on. */
		sk_vq_push(&f.vq, 0, 0);
		desc(&f, 1, GPA + 4096, 16, 0, 0);
		expose(&f, 1);
		assert_int_equal(next(&f), 1);
		assert_false(sk_vq_unmapped(&f.chain));
		assert_int_equal(f.chain.out_len, 16);
		teardown_vq(&f);
	}
}

/* Each direction keeps what comes before its first hole, and the last byte to write is known behind one. */
static void test_holes(void **state)
{
	struct fixture f;

	(void)state;
	setup_vq(&f);
	desc(&f, 0, GPA + 4096, 16, VRING_DESC_F_NEXT, 1);
	desc(&f, 1, 0, 4096, VRING_DESC_F_NEXT, 2);
	desc(&f, 2, GPA + 8192, 16, VRING_DESC_F_NEXT, 3);
	desc(&f, 3, GPA + 2 * REGION - 8, 16, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 4);
	desc(&f, 4, GPA + 12288, 1, VRING_DESC_F_WRITE, 0);
	expose(&f, 0);
	assert_int_equal(next(&f), 1);
	assert_true(f.chain.out_hole && f.chain.in_hole);
	assert_int_equal(f.chain.out_len, 16);
	assert_int_equal(f.chain.in_len, 8);
	assert_int_equal(f.chain.n_out + f.chain.n_in, 2);
	assert_non_null(f.chain.last_in);
	*f.chain.last_in = 0x77;
	assert_int_equal(f.mem[12288], 0x77);
	teardown_vq(&f);
}

static void test_bad_chains(void **state)
{
	struct fixture f;

	(void)state;
	/* a loop of one, of two */
	setup_vq(&f);
	desc(&f, 0, GPA + 4096, 1, VRING_DESC_F_NEXT, 0);
	expect_broken(&f);
	teardown_vq(&f);
	setup_vq(&f);
	desc(&f, 0, GPA + 4096, 0, VRING_DESC_F_NEXT, 1);
	desc(&f, 1, GPA + 4096, 0, VRING_DESC_F_NEXT, 0);
	expect_broken(&f);
	teardown_vq(&f);
	/* next outside the table */
	setup_vq(&f);
	desc(&f, 0, GPA + 4096, 1, VRING_DESC_F_NEXT, NUM);
	expect_broken(&f);
	teardown_vq(&f);
	/* out behind in */
	setup_vq(&f);
	desc(&f, 0, GPA + 4096, 1, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 1);
	desc(&f, 1, GPA + 4096, 1, 0, 0);
	expect_broken(&f);
	teardown_vq(&f);
	/* a head outside the table */
	setup_vq(&f);
	expose(&f, NUM);
	assert_int_equal(next(&f), -EPROTO);
	teardown_vq(&f);
	/* more available than fit */
	setup_vq(&f);
	desc(&f, 0, GPA + 4096, 1, 0, 0);
	f.ring.avail->idx = NUM + 1;
	assert_int_equal(next(&f), -EPROTO);
	teardown_vq(&f);
	/* the same descriptor again and again without being returned */
	setup_vq(&f);
	desc(&f, 0, GPA + 4096, 1, 0, 0);
	{
		unsigned i;

		for (i = 0; i < NUM; i++) {
			expose(&f, 0);
			assert_int_equal(next(&f), 1);
		}
		expose(&f, 0);
		assert_int_equal(next(&f), -EPROTO);
	}
	teardown_vq(&f);
}

static void test_longest_chain(void **state)
{
	struct fixture f;
	unsigned i;

	(void)state;
	setup_vq(&f);
	for (i = 0; i < NUM; i++)
		desc(&f, i, GPA + 4096 + i * 32, 16, VRING_DESC_F_WRITE | (i + 1 < NUM ? VRING_DESC_F_NEXT : 0u),
		     i + 1);
	expose(&f, 0);
	assert_int_equal(next(&f), 1);
	assert_int_equal(f.chain.n_in, NUM);
	teardown_vq(&f);
}

static struct vring_desc *table(struct fixture *f)
{
	return (struct vring_desc *)(void *)(f->mem + 16384);
}

static void test_indirect(void **state)
{
	struct fixture f;
	unsigned i;

	(void)state;
	setup_vq(&f);
	for (i = 0; i < 20; i++) /* longer than the queue: Linux does that */
		table(&f)[i] = (struct vring_desc){ GPA + 4096 + i * 64, 32, i < 19 ? VRING_DESC_F_NEXT : 0,
						    (uint16_t)(i + 1) };
	desc(&f, 0, GPA + 16384, 20 * 16, VRING_DESC_F_INDIRECT, 0);
	expose(&f, 0);
	assert_int_equal(next(&f), 1);
	assert_int_equal(f.chain.n_out, 20);
	assert_int_equal(f.chain.out_len, 20 * 32);
	teardown_vq(&f);
}

static void test_bad_indirect(void **state)
{
	static const struct {
		uint64_t addr;
		uint32_t len;
		unsigned flags;
	} bad[] = {
		{ GPA + 16384, 0, VRING_DESC_F_INDIRECT },
		{ GPA + 16384, 17, VRING_DESC_F_INDIRECT },
		{ GPA + 16384, 16, VRING_DESC_F_INDIRECT | VRING_DESC_F_NEXT },
		{ GPA + 16384, 16 * (SK_VQ_MAX_SEGS + 1), VRING_DESC_F_INDIRECT },
		{ GPA + REGION - 8, 16, VRING_DESC_F_INDIRECT }, /* a table across regions */
		{ GPA + 2 * REGION, 16, VRING_DESC_F_INDIRECT },
		{ UINT64_MAX - 7, 16, VRING_DESC_F_INDIRECT },
		{ GPA + 16384 + 4, 16, VRING_DESC_F_INDIRECT }, /* not aligned */
	};
	struct fixture f;
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		setup_vq(&f);
		table(&f)[0] = (struct vring_desc){ GPA + 4096, 1, 0, 0 };
		desc(&f, 0, bad[i].addr, bad[i].len, bad[i].flags, 1);
		desc(&f, 1, GPA + 4096, 1, 0, 0);
		expect_broken(&f);
		teardown_vq(&f);
	}
	/* a table in a table */
	setup_vq(&f);
	table(&f)[0] = (struct vring_desc){ GPA + 16384, 16, VRING_DESC_F_INDIRECT, 0 };
	desc(&f, 0, GPA + 16384, 16, VRING_DESC_F_INDIRECT, 0);
	expect_broken(&f);
	teardown_vq(&f);
	/* next outside the inner table, although inside the queue */
	setup_vq(&f);
	table(&f)[0] = (struct vring_desc){ GPA + 4096, 1, VRING_DESC_F_NEXT, 1 };
	table(&f)[1] = (struct vring_desc){ GPA + 4096, 1, 0, 0 };
	desc(&f, 0, GPA + 16384, 16, VRING_DESC_F_INDIRECT, 0);
	expect_broken(&f);
	teardown_vq(&f);
	/* not negotiated */
	setup_vq(&f);
	f.vq.indirect = false;
	table(&f)[0] = (struct vring_desc){ GPA + 4096, 1, 0, 0 };
	desc(&f, 0, GPA + 16384, 16, VRING_DESC_F_INDIRECT, 0);
	expect_broken(&f);
	teardown_vq(&f);
}

static unsigned calls(struct fixture *f)
{
	uint64_t n = 0;

	return read(f->call, &n, sizeof(n)) < 0 ? 0 : (unsigned)n;
}

static void give(struct fixture *f, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++) {
		desc(f, 0, GPA + 4096, 1, 0, 0);
		expose(f, 0);
		assert_int_equal(next(f), 1);
		sk_vq_push(&f->vq, 0, 0);
	}
}

static void test_notify_flags(void **state)
{
	struct fixture f;

	(void)state;
	setup_vq(&f);
	assert_int_equal(next(&f), 0);
	assert_int_equal(f.ring.used->flags, 0);
	give(&f, 1);
	assert_int_equal(f.ring.used->flags, VRING_USED_F_NO_NOTIFY);
	assert_int_equal(next(&f), 0);
	assert_int_equal(f.ring.used->flags, 0);
	sk_vq_flush(&f.vq);
	assert_int_equal(calls(&f), 1);
	sk_vq_flush(&f.vq); /* nothing new */
	assert_int_equal(calls(&f), 0);
	f.ring.avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	give(&f, 1);
	sk_vq_flush(&f.vq);
	assert_int_equal(f.ring.used->idx, 2);
	assert_int_equal(calls(&f), 0);
	teardown_vq(&f);
}

static void test_notify_event_idx(void **state)
{
	struct fixture f;

	(void)state;
	setup_vq(&f);
	f.vq.event_idx = true;
	assert_int_equal(next(&f), 0);
	assert_int_equal(vring_avail_event(&f.ring), 0);
	vring_used_event(&f.ring) = 2; /* call when the third one is used */
	give(&f, 2);
	sk_vq_flush(&f.vq);
	assert_int_equal(calls(&f), 0);
	assert_int_equal(vring_avail_event(&f.ring), 0); /* not renewed while there is work */
	give(&f, 1);
	sk_vq_flush(&f.vq);
	assert_int_equal(calls(&f), 1);
	assert_int_equal(next(&f), 0);
	assert_int_equal(vring_avail_event(&f.ring), 3);
	give(&f, 3); /* past the event that was there already */
	sk_vq_flush(&f.vq);
	assert_int_equal(calls(&f), 0);
	vring_used_event(&f.ring) = 7;
	give(&f, 2); /* 6 and 7: crosses */
	sk_vq_flush(&f.vq);
	assert_int_equal(calls(&f), 1);
	teardown_vq(&f);
}

/* Indices wrap at 65536. */
static void test_wrap(void **state)
{
	struct fixture f;
	unsigned i;

	(void)state;
	setup_vq(&f);
	for (i = 0; i < 70000; i++)
		give(&f, 1);
	sk_vq_flush(&f.vq);
	assert_int_equal(f.ring.used->idx, 70000 - 65536);
	assert_int_equal(next(&f), 0);
	teardown_vq(&f);
}

static void test_unget_and_reload(void **state)
{
	struct fixture f;

	(void)state;
	setup_vq(&f);
	desc(&f, 3, GPA + 4096, 10, 0, 0);
	desc(&f, 4, GPA + 4200, 20, 0, 0);
	expose(&f, 3);
	expose(&f, 4);
	assert_int_equal(next(&f), 1);
	assert_int_equal(next(&f), 1);
	assert_int_equal(f.chain.head, 4);
	sk_vq_unget(&f.vq, 2);
	assert_int_equal(next(&f), 1);
	assert_int_equal(f.chain.head, 3);
	assert_int_equal(next(&f), 1);
	assert_int_equal(sk_vq_reload(&f.vq, 3, &f.chain), 1);
	assert_int_equal(f.chain.out_len, 10);
	desc(&f, 3, 0, 10, 0, 0); /* the guest changed its mind */
	assert_int_equal(sk_vq_reload(&f.vq, 3, &f.chain), 1);
	assert_true(sk_vq_unmapped(&f.chain));
	assert_int_equal(f.chain.out_len, 0);
	desc(&f, 3, GPA + 4096, 10, VRING_DESC_F_NEXT, NUM);
	assert_int_equal(sk_vq_reload(&f.vq, 3, &f.chain), -EPROTO);
	teardown_vq(&f);
}

static void test_start_checks(void **state)
{
	struct fixture f;
	struct sk_virtqueue vq = { .mem = NULL };
	const uint64_t top = GPA + REGION; /* the second region's start: rings may not cross into it */

	(void)state;
	setup_vq(&f);
	assert_int_equal(sk_vq_start(&vq, &f.gm, 0, GPA, GPA, GPA, 0), -EINVAL);
	assert_int_equal(sk_vq_start(&vq, &f.gm, 3, GPA, GPA, GPA, 0), -EINVAL);
	assert_int_equal(sk_vq_start(&vq, &f.gm, 2048, GPA, GPA, GPA, 0), -EINVAL);
	assert_int_equal(sk_vq_start(&vq, &f.gm, 8, GPA + 8, GPA + 1024, GPA + 2048, 0), -EINVAL);
	assert_int_equal(sk_vq_start(&vq, &f.gm, 8, GPA, GPA + 1025, GPA + 2048, 0), -EINVAL);
	assert_int_equal(sk_vq_start(&vq, &f.gm, 8, GPA, GPA + 1024, GPA + 2050, 0), -EINVAL);
	assert_int_equal(sk_vq_start(&vq, &f.gm, 8, top - 16 * 7, GPA, GPA, 0), -EINVAL);
	assert_int_equal(sk_vq_start(&vq, &f.gm, 8, top - 16 * 8, GPA, GPA, 0), 0);
	assert_int_equal(sk_vq_start(&vq, &f.gm, 8, GPA, top - 20, GPA, 0), -EINVAL);
	assert_int_equal(sk_vq_start(&vq, &f.gm, 8, GPA, top - 22, GPA, 0), 0);
	assert_int_equal(sk_vq_start(&vq, &f.gm, 8, GPA, GPA, top - 68, 0), -EINVAL);
	assert_int_equal(sk_vq_start(&vq, &f.gm, 8, GPA, GPA, top - 72, 0), 0);
	assert_int_equal(sk_vq_start(&vq, &f.gm, 8, UINT64_MAX - 15, GPA, GPA, 0), -EINVAL);
	teardown_vq(&f);
}

static void test_mem_checks(void **state)
{
	struct sk_guest_mem m = { .n = 0 };
	int fd = memfd_create("guest", MFD_CLOEXEC), p[2];
	void *host;
	unsigned i;

	(void)state;
	assert_int_equal(ftruncate(fd, 8192), 0);
	assert_int_equal(sk_mem_add(&m, fd, 0, 0, 8193, 0), -EINVAL);
	assert_int_equal(sk_mem_add(&m, fd, 0, 0, 4096, 4097), -EINVAL);
	assert_int_equal(sk_mem_add(&m, fd, 0, 0, 4096, UINT64_MAX - 100), -EINVAL);
	assert_int_equal(sk_mem_add(&m, fd, 0, 0, 0, 0), -EINVAL);
	assert_int_equal(sk_mem_add(&m, fd, UINT64_MAX - 100, 0, 4096, 0), -EINVAL);
	assert_int_equal(sk_mem_add(&m, fd, 0, UINT64_MAX - 100, 4096, 0), -EINVAL);
	assert_int_equal(sk_mem_add(&m, fd, 0, 0, UINT64_MAX, 0), -EINVAL);
	assert_int_equal(pipe(p), 0);
	assert_int_equal(sk_mem_add(&m, p[0], 0, 0, 4096, 0), -EINVAL);
	close(p[0]);
	close(p[1]);
	assert_int_equal(m.n, 0);
	/* an offset inside a page */
	assert_int_equal(sk_mem_add(&m, fd, 0x1000, 0x2000, 4096, 1000), 0);
	assert_int_equal(pwrite(fd, "Z", 1, 1000), 1);
	assert_int_equal(*(char *)sk_mem_gpa(&m, 0x1000, 1), 'Z');
	assert_int_equal(*(char *)sk_mem_uva(&m, 0x2000, 1), 'Z');
	assert_null(sk_mem_gpa(&m, 0x1000, 4097));
	assert_null(sk_mem_gpa(&m, 0x2000, 1));
	assert_null(sk_mem_gpa(&m, 0x1000, 0));
	assert_int_equal(sk_mem_span(&m, 0x1fff, 100, &host), 1);
	for (i = 1; i < SK_MEM_REGIONS; i++)
		assert_int_equal(sk_mem_add(&m, fd, 0, 0, 4096, 0), 0);
	assert_int_equal(sk_mem_add(&m, fd, 0, 0, 4096, 0), -ENOSPC);
	sk_mem_fini(&m);
	close(fd);
}

static void test_iov(void **state)
{
	char a[] = "abc", b[] = "defgh", c[] = "i";
	struct iovec v[3] = { { a, 3 }, { b, 5 }, { c, 1 } }, *p = v;
	char out[16] = "";

	(void)state;
	assert_int_equal(sk_iovec_read(v, 3, 2, out, 5), 5);
	assert_string_equal(out, "cdefg");
	assert_int_equal(sk_iovec_write(v, 3, 7, "XYZ", 3), 2);
	assert_string_equal(b, "defgX");
	assert_string_equal(c, "Y");
	assert_int_equal(sk_iovec_read(v, 3, 9, out, 5), 0);
	assert_int_equal(sk_iovec_cut(&p, 3, 4, 3), 1);
	assert_int_equal(p->iov_len, 3);
	assert_memory_equal(p->iov_base, "efg", 3);
	assert_int_equal(sk_iovec_cut(&p, 1, 0, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_chain),
		cmocka_unit_test(test_no_join_across_direction),
		cmocka_unit_test(test_regions),
		cmocka_unit_test(test_bad_addresses),
		cmocka_unit_test(test_holes),
		cmocka_unit_test(test_bad_chains),
		cmocka_unit_test(test_longest_chain),
		cmocka_unit_test(test_indirect),
		cmocka_unit_test(test_bad_indirect),
		cmocka_unit_test(test_notify_flags),
		cmocka_unit_test(test_notify_event_idx),
		cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_unget_and_reload),
		cmocka_unit_test(test_start_checks),
		cmocka_unit_test(test_mem_checks),
		cmocka_unit_test(test_iov),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
