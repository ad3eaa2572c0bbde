/* SPDX-License-Identifier: Apache-2.0 */
/* Free page reporting: what is given back to the host, and hostile reports. */
#include "../sk_test.h"

#include <linux/virtio_balloon.h>
#include <linux/virtio_config.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "frontend.h"
#include "virtio/device.h"

#define RING (UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX | UINT64_C(1) << VIRTIO_RING_F_INDIRECT_DESC)
#define PAGE 4096u
#define FILL 0xaa
#define REPORTING 2u

struct fixture {
	struct sk_loop *loop;
	struct sk_device *dev;
	struct fe fe;
	uint8_t *far; /* the second half of the guest's memory, filled */
};

static struct fixture fx;

static void start(void)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sockaddr_un addr;
	unsigned addr_len;
	int fd;

	memset(&fx, 0, sizeof(fx));
	assert_int_equal(sk_loop_new(&fx.loop), 0);
	fd = fe_listen(&addr, &addr_len);
	assert_int_equal(sk_balloon_new(fx.loop, fd, &fx.dev, &err), 0);
	fe_connect(&fx.fe, fx.loop, &addr, addr_len);
	fe_start(&fx.fe, RING | UINT64_C(1) << VIRTIO_BALLOON_F_REPORTING, 5);
	fx.far = fx.fe.mem + FE_HALF;
	memset(fx.far, FILL, FE_HALF);
}

static void stop(void)
{
	fe_close(&fx.fe);
	sk_device_free(fx.dev);
	sk_loop_free(fx.loop);
}

/* Pages that the host holds for the guest. */
static long held(void)
{
	struct stat st;

	assert_int_equal(fstat(fx.fe.memfd, &st), 0);
	return (long)(st.st_blocks * 512 / PAGE);
}

static bool filled(const uint8_t *p, size_t n, uint8_t with)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (p[i] != with)
			return false;
	return true;
}

static void report(unsigned q, const struct fe_seg *segs, unsigned n)
{
	uint32_t used = 1;

	fe_add(&fx.fe, q, segs, n);
	fe_kick(&fx.fe, q);
	assert_true(fe_used(&fx.fe, q, &used) >= 0);
	assert_int_equal(used, 0);
}

static void test_gives_back(void **state)
{
	struct fe_seg segs[2];
	long before;
	unsigned q;

	(void)state;
	start();
	before = held();
	/* Linux' number of the queue, and the specification's */
	for (q = REPORTING; q <= 4; q += 2) {
		uint8_t *p = fx.far + q * 64 * PAGE;

		segs[0] = (struct fe_seg){ p + PAGE, 16 * PAGE, true };
		segs[1] = (struct fe_seg){ p + 32 * PAGE, PAGE, true };
		report(q, segs, 2);
		assert_int_equal(held(), before - 17);
		before -= 17;
		assert_true(filled(p, PAGE, FILL));
		assert_int_equal(p[PAGE], 0);
		assert_int_equal(p[32 * PAGE], 0);
		assert_int_equal(p[33 * PAGE], FILL);
		before = held(); /* looking at a hole fills it */
	}
	stop();
}

/* No byte is lost that was not reported, whatever the alignment. */
static void test_whole_pages_only(void **state)
{
	struct fe_seg seg;
	long before;

	(void)state;
	start();
	before = held();
	seg = (struct fe_seg){ fx.far + 100, 3 * PAGE, true };
	report(REPORTING, &seg, 1);
	assert_int_equal(held(), before - 2);
	assert_true(filled(fx.far, PAGE, FILL));
	assert_true(filled(fx.far + PAGE, 2 * PAGE, 0));
	assert_true(filled(fx.far + 3 * PAGE, PAGE, FILL));
	before = held();
	seg = (struct fe_seg){ fx.far + 8 * PAGE + 1, 2 * PAGE - 2, true };
	report(REPORTING, &seg, 1);
	seg = (struct fe_seg){ fx.far + 8 * PAGE, PAGE - 1, true };
	report(REPORTING, &seg, 1);
	assert_int_equal(held(), before);
	stop();
}

static void test_other_queues_change_nothing(void **state)
{
	uint32_t *pfn;
	struct fe_seg seg;
	long before;
	unsigned q;

	(void)state;
	start();
	before = held();
	pfn = fe_alloc(&fx.fe, 4 * sizeof(*pfn));
	pfn[0] = (uint32_t)(FE_GPA1 / PAGE);
	seg = (struct fe_seg){ pfn, 4, false };
	for (q = 0; q < REPORTING; q++)
		report(q, &seg, 1);
	/* what the guest wrote for us is not room that it gives away */
	seg = (struct fe_seg){ fx.far, 8 * PAGE, false };
	report(REPORTING, &seg, 1);
	assert_true(held() >= before);
	assert_true(filled(fx.far, FE_HALF, FILL));
	stop();
}

/* 128 MiB in one chain: it takes more than one turn, and the loop runs between them. */
static void add_long_chain(void)
{
	struct fe_seg segs[32];
	unsigned i;

	for (i = 0; i < 32; i++)
		segs[i] = (struct fe_seg){ fx.far, FE_HALF, true };
	fe_add_indirect(&fx.fe, REPORTING, segs, 32);
	fe_kick(&fx.fe, REPORTING);
}

static void test_long_chain_takes_turns(void **state)
{
	unsigned turns = 0;

	(void)state;
	start();
	add_long_chain();
	while (fx.fe.q[REPORTING].used->idx == 0 && turns++ < 100)
		sk_loop_once(fx.loop, 0);
	assert_in_range(turns, 3, 20);
	assert_true(fe_used_now(&fx.fe, REPORTING, NULL) >= 0);
	assert_true(filled(fx.far, FE_HALF, 0));
	/* the next chain starts at its own first byte */
	memset(fx.far, FILL, FE_HALF);
	report(REPORTING, &(struct fe_seg){ fx.far, PAGE, true }, 1);
	assert_int_equal(fx.far[0], 0);
	assert_int_equal(fx.far[PAGE], FILL);
	stop();
}

static void test_chain_changes_between_turns(void **state)
{
	struct vring_desc *table;

	(void)state;
	start();
	add_long_chain();
	sk_loop_once(fx.loop, 0);
	assert_int_equal(fx.fe.q[REPORTING].used->idx, 0);
	table = (struct vring_desc *)(void *)(fx.fe.mem + (fx.fe.q[REPORTING].desc[0].addr - FE_GPA0));
	table[31].addr = FE_GPA1 + FE_HALF - PAGE;
	assert_true(fe_used(&fx.fe, REPORTING, NULL) >= 0);
	stop();
	/* shorter than what was done of it already */
	start();
	add_long_chain();
	sk_loop_once(fx.loop, 0);
	fx.fe.q[REPORTING].desc[0].len = sizeof(*table);
	table = (struct vring_desc *)(void *)(fx.fe.mem + (fx.fe.q[REPORTING].desc[0].addr - FE_GPA0));
	table[0].flags = VRING_DESC_F_WRITE;
	assert_true(fe_used(&fx.fe, REPORTING, NULL) >= 0);
	stop();
}

static void test_beyond_memory(void **state)
{
	const struct vring_desc bad[] = {
		{ FE_GPA1 + FE_HALF - PAGE, 2 * PAGE, VRING_DESC_F_WRITE, 0 },
		{ FE_GPA0 - PAGE, PAGE, VRING_DESC_F_WRITE, 0 },
		{ UINT64_MAX - PAGE + 1, PAGE, VRING_DESC_F_WRITE, 0 },
		{ FE_GPA1, UINT32_MAX, VRING_DESC_F_WRITE, 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		start();
		fx.fe.q[REPORTING].desc[0] = bad[i];
		fe_expose(&fx.fe, REPORTING, 0);
		fe_kick(&fx.fe, REPORTING);
		assert_true(fe_used(&fx.fe, REPORTING, NULL) >= 0);
		assert_true(filled(fx.far, FE_HALF, FILL));
		stop();
	}
}

static void test_config(void **state)
{
	struct virtio_balloon_config c = { .num_pages = 1 };

	(void)state;
	start();
	fe_get_config(&fx.fe, &c, sizeof(c));
	assert_int_equal(c.num_pages, 0);
	assert_int_equal(fe_get_u64(&fx.fe, VU_GET_QUEUE_NUM), 5);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gives_back),
		cmocka_unit_test(test_whole_pages_only),
		cmocka_unit_test(test_other_queues_change_nothing),
		cmocka_unit_test(test_long_chain_takes_turns),
		cmocka_unit_test(test_chain_changes_between_turns),
		cmocka_unit_test(test_beyond_memory),
		cmocka_unit_test(test_config),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
