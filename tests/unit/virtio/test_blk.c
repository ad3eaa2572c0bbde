/* SPDX-License-Identifier: Apache-2.0 */
/* The block device: several files end to end, bounds, full disks, files that shrink. */
#include "../sk_test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <signal.h>
#include <unistd.h>

#include "frontend.h"
#include "virtio/device.h"

#define RING (UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX | UINT64_C(1) << VIRTIO_RING_F_INDIRECT_DESC)

struct fixture {
	struct sk_loop *loop;
	struct sk_device *dev;
	struct fe fe;
	int files[4]; /* the test's own descriptors of the parts */
	struct virtio_blk_outhdr *h;
	uint8_t *data, *status;
};

static struct fixture fx;

static int make_file(size_t size, uint8_t fill)
{
	int fd = memfd_create("part", MFD_CLOEXEC);
	uint8_t buf[512];
	size_t i;

	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	for (i = 0; i < size; i += sizeof(buf)) {
		size_t n = size - i < sizeof(buf) ? size - i : sizeof(buf);

		memset(buf, fill ? fill + (int)(i / 512 % 10) : 0, sizeof(buf));
		assert_int_equal(pwrite(fd, buf, n, (off_t)i), (ssize_t)n);
	}
	return fd;
}

static void start(const size_t *sizes, unsigned n, bool readonly, uint64_t features)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_blk_part parts[4];
	struct sockaddr_un addr;
	unsigned addr_len, i;
	int fd;

	memset(&fx, 0, sizeof(fx));
	assert_int_equal(sk_loop_new(&fx.loop), 0);
	for (i = 0; i < n; i++) {
		fx.files[i] = make_file(sizes[i], (uint8_t)('A' + i * 16));
		parts[i] = (struct sk_blk_part){ dup(fx.files[i]), sizes[i], false };
	}
	fd = fe_listen(&addr, &addr_len);
	assert_int_equal(sk_blk_new(fx.loop, fd, parts, n, readonly, &fx.dev, &err), 0);
	fe_connect(&fx.fe, fx.loop, &addr, addr_len);
	fe_start(&fx.fe, RING | features, 1);
	fx.h = fe_alloc(&fx.fe, sizeof(*fx.h));
	fx.data = fe_alloc(&fx.fe, 65536);
	fx.status = fe_alloc(&fx.fe, 1);
}

static void stop(void)
{
	unsigned i;

	fe_close(&fx.fe);
	sk_device_free(fx.dev);
	sk_loop_free(fx.loop);
	for (i = 0; i < 4; i++)
		if (fx.files[i] > 0)
			close(fx.files[i]);
}

/* One request with `len` bytes of fx.data; returns its status. */
static int request(uint32_t type, uint64_t sector, uint32_t len, bool in, uint32_t *ret_len)
{
	struct fe_seg segs[3] = { { fx.h, sizeof(*fx.h), false }, { fx.data, len, in }, { fx.status, 1, true } };

	fx.h->type = type;
	fx.h->sector = sector;
	*fx.status = 0xee;
	if (len == 0)
		segs[1] = segs[2];
	fe_add(&fx.fe, 0, segs, len ? 3 : 2);
	fe_kick(&fx.fe, 0);
	assert_true(fe_used(&fx.fe, 0, ret_len) >= 0);
	return *fx.status;
}

static void test_round_trip(void **state)
{
	const size_t size = 1 << 20;
	uint8_t file[4096];
	uint32_t used;

	(void)state;
	start(&size, 1, false, 0);
	memset(fx.data, 0x5a, 4096);
	assert_int_equal(request(VIRTIO_BLK_T_OUT, 8, 4096, false, &used), VIRTIO_BLK_S_OK);
	assert_int_equal(used, 1);
	assert_int_equal(pread(fx.files[0], file, 4096, 4096), 4096);
	assert_memory_equal(file, fx.data, 4096);
	memset(fx.data, 0, 8192);
	assert_int_equal(request(VIRTIO_BLK_T_IN, 0, 8192, true, &used), VIRTIO_BLK_S_OK);
	assert_int_equal(used, 8193);
	assert_int_equal(fx.data[0], 'A');
	assert_int_equal(fx.data[512], 'B');
	assert_memory_equal(fx.data + 4096, file, 4096);
	assert_int_equal(request(VIRTIO_BLK_T_FLUSH, 0, 0, false, &used), VIRTIO_BLK_S_OK);
	assert_int_equal(request(VIRTIO_BLK_T_GET_ID, 0, 20, true, &used), VIRTIO_BLK_S_OK);
	assert_string_equal((char *)fx.data, SK_BLK_ID_WRITABLE);
	assert_int_equal(request(77, 0, 512, true, &used), VIRTIO_BLK_S_UNSUPP);
	stop();
}

static void test_bounds(void **state)
{
	const size_t size = 65536;
	uint32_t used;

	(void)state;
	start(&size, 1, false, 0);
	assert_int_equal(request(VIRTIO_BLK_T_IN, 127, 512, true, &used), VIRTIO_BLK_S_OK);
	assert_int_equal(request(VIRTIO_BLK_T_IN, 128, 512, true, &used), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(VIRTIO_BLK_T_IN, 127, 1024, true, &used), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(VIRTIO_BLK_T_IN, 0, 513, true, &used), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(VIRTIO_BLK_T_IN, UINT64_MAX, 512, true, &used), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(VIRTIO_BLK_T_IN, UINT64_MAX / 512 + 1, 512, true, &used), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(VIRTIO_BLK_T_OUT, 128, 512, false, &used), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(VIRTIO_BLK_T_OUT, UINT64_MAX - 1, 512, false, &used), VIRTIO_BLK_S_IOERR);
	stop();
}

/* Three files: 5000 bytes (two pages with the tail), 4096, 100. */
static void test_several_files(void **state)
{
	const size_t sizes[3] = { 5000, 4096, 100 };
	struct virtio_blk_config c;
	uint32_t used;
	unsigned i;

	(void)state;
	start(sizes, 3, true, UINT64_C(1) << VIRTIO_BLK_F_RO);
	fe_get_config(&fx.fe, &c, sizeof(c));
	assert_int_equal(c.capacity, 32);
	memset(fx.data, 0xff, 65536);
	assert_int_equal(request(VIRTIO_BLK_T_IN, 0, 16384, true, &used), VIRTIO_BLK_S_OK);
	assert_int_equal(fx.data[0], 'A');
	assert_int_equal(fx.data[4999], 'A' + 9);
	for (i = 5000; i < 8192; i++)
		assert_int_equal(fx.data[i], 0);
	assert_int_equal(fx.data[8192], 'A' + 16);
	assert_int_equal(fx.data[12287], 'A' + 16 + 7);
	assert_int_equal(fx.data[12288 + 99], 'A' + 32);
	for (i = 12288 + 100; i < 16384; i++)
		assert_int_equal(fx.data[i], 0);
	assert_int_equal(fx.data[16384], 0xff);
	/* only a tail; a sector with a border inside */
	assert_int_equal(request(VIRTIO_BLK_T_IN, 31, 512, true, &used), VIRTIO_BLK_S_OK);
	assert_int_equal(fx.data[0], 0);
	assert_int_equal(request(VIRTIO_BLK_T_IN, 9, 512, true, &used), VIRTIO_BLK_S_OK);
	assert_int_equal(fx.data[4999 - 9 * 512], 'A' + 9);
	assert_int_equal(fx.data[5000 - 9 * 512], 0);
	stop();
}

/* The same over many small segments, through an indirect table, with odd sizes that cross every border. */
static void test_scattered(void **state)
{
	const size_t sizes[3] = { 5000, 4096, 100 };
	struct fe_seg segs[20];
	uint8_t *bufs[18];
	size_t at = 0;
	unsigned i, k;
	uint32_t used;
	uint8_t want[16384] = { 0 };

	(void)state;
	start(sizes, 3, true, 0);
	assert_int_equal(pread(fx.files[0], want, 5000, 0), 5000);
	assert_int_equal(pread(fx.files[1], want + 8192, 4096, 0), 4096);
	assert_int_equal(pread(fx.files[2], want + 12288, 100, 0), 100);
	segs[0] = (struct fe_seg){ fx.h, 7, false }; /* the header in two pieces */
	segs[1] = (struct fe_seg){ (uint8_t *)fx.h + 7, 9, false };
	for (i = 0; i < 17; i++) {
		uint32_t len = i < 16 ? 1001 : 16384 - 16 * 1001;

		if (i == 16)
			len += 1; /* the status is the last byte of the last segment */
		bufs[i] = fe_alloc(&fx.fe, len + 32);
		segs[2 + i] = (struct fe_seg){ bufs[i], len, true };
	}
	fx.h->type = VIRTIO_BLK_T_IN;
	fx.h->sector = 0;
	fe_add_indirect(&fx.fe, 0, segs, 19);
	fe_kick(&fx.fe, 0);
	assert_true(fe_used(&fx.fe, 0, &used) >= 0);
	assert_int_equal(used, 16385);
	for (i = 0; i < 17; i++) {
		size_t len = i < 16 ? 1001 : 16384 - 16 * 1001;

		for (k = 0; k < len; k++)
			if (bufs[i][k] != want[at + k])
				fail_msg("byte %zu is %x, not %x", at + k, bufs[i][k], want[at + k]);
		at += len;
	}
	assert_int_equal(bufs[16][16384 - 16 * 1001], VIRTIO_BLK_S_OK);
	stop();
}

/* A write over the border of two writable files. */
static void test_write_across(void **state)
{
	const size_t sizes[2] = { 8192, 8192 };
	uint8_t file[4096];
	uint32_t used;

	(void)state;
	start(sizes, 2, false, 0);
	memset(fx.data, 0x11, 2048);
	memset(fx.data + 2048, 0x22, 2048);
	assert_int_equal(request(VIRTIO_BLK_T_OUT, 12, 4096, false, &used), VIRTIO_BLK_S_OK);
	assert_int_equal(pread(fx.files[0], file, 2048, 6144), 2048);
	assert_int_equal(file[0], 0x11);
	assert_int_equal(file[2047], 0x11);
	assert_int_equal(pread(fx.files[1], file, 4096, 0), 4096);
	assert_int_equal(file[0], 0x22);
	assert_int_equal(file[2047], 0x22);
	assert_int_not_equal(file[2048], 0x22);
	stop();
}

static void test_readonly(void **state)
{
	const size_t size = 8192;
	uint8_t before[8192], after[8192];
	struct virtio_blk_discard_write_zeroes r = { 0, 8, 0 };
	uint32_t used;

	(void)state;
	start(&size, 1, true, UINT64_C(1) << VIRTIO_BLK_F_RO);
	assert_int_equal(pread(fx.files[0], before, 8192, 0), 8192);
	memset(fx.data, 1, 512);
	assert_int_equal(request(VIRTIO_BLK_T_OUT, 0, 512, false, &used), VIRTIO_BLK_S_IOERR);
	memcpy(fx.data, &r, sizeof(r));
	assert_int_equal(request(VIRTIO_BLK_T_DISCARD, 0, sizeof(r), false, &used), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, sizeof(r), false, &used), VIRTIO_BLK_S_IOERR);
	assert_int_equal(pread(fx.files[0], after, 8192, 0), 8192);
	assert_memory_equal(before, after, 8192);
	stop();
}

static void test_discard_and_zeroes(void **state)
{
	const size_t sizes[2] = { 65536, 65536 };
	struct virtio_blk_discard_write_zeroes *r;
	struct stat before, after;
	uint8_t file[8192];
	uint32_t used;

	(void)state;
	start(sizes, 2, false, UINT64_C(1) << VIRTIO_BLK_F_DISCARD | UINT64_C(1) << VIRTIO_BLK_F_WRITE_ZEROES);
	r = (struct virtio_blk_discard_write_zeroes *)(void *)fx.data;
	fstat(fx.files[0], &before);
	r[0] = (struct virtio_blk_discard_write_zeroes){ 0, 64, 0 };
	r[1] = (struct virtio_blk_discard_write_zeroes){ 120, 16, 0 }; /* over the border */
	assert_int_equal(request(VIRTIO_BLK_T_DISCARD, 0, 2 * sizeof(*r), false, &used), VIRTIO_BLK_S_OK);
	fstat(fx.files[0], &after);
	assert_true(after.st_blocks < before.st_blocks);
	assert_int_equal(after.st_size, before.st_size);
	assert_int_equal(pread(fx.files[0], file, 1, 0), 1);
	assert_int_equal(file[0], 0);
	assert_int_equal(pread(fx.files[1], file, 8192, 0), 8192);
	assert_int_equal(file[4095], 0);
	assert_int_not_equal(file[4096], 0);
	r[0] = (struct virtio_blk_discard_write_zeroes){ 70, 3, VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP };
	assert_int_equal(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, sizeof(*r), false, &used), VIRTIO_BLK_S_OK);
	r[0] = (struct virtio_blk_discard_write_zeroes){ 80, 3, 0 };
	assert_int_equal(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, sizeof(*r), false, &used), VIRTIO_BLK_S_OK);
	assert_int_equal(pread(fx.files[0], file, 4096, 69 * 512), 4096);
	assert_int_not_equal(file[511], 0);
	assert_int_equal(file[512], 0);
	assert_int_equal(file[512 + 1535], 0);
	assert_int_not_equal(file[512 + 1536], 0);
	assert_int_equal(pread(fx.files[0], file, 4096, 79 * 512), 4096);
	assert_int_not_equal(file[511], 0);
	assert_int_equal(file[512], 0);
	assert_int_not_equal(file[512 + 1536], 0);
	/* past the end, wrapping, odd sizes, unknown flags */
	r[0] = (struct virtio_blk_discard_write_zeroes){ 255, 2, 0 };
	assert_int_equal(request(VIRTIO_BLK_T_DISCARD, 0, sizeof(*r), false, &used), VIRTIO_BLK_S_IOERR);
	r[0] = (struct virtio_blk_discard_write_zeroes){ UINT64_MAX, UINT32_MAX, 0 };
	assert_int_equal(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, sizeof(*r), false, &used), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(VIRTIO_BLK_T_DISCARD, 0, 15, false, &used), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(VIRTIO_BLK_T_DISCARD, 0, 0, false, &used), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(VIRTIO_BLK_T_DISCARD, 0, 17 * sizeof(*r), false, &used), VIRTIO_BLK_S_IOERR);
	r[0] = (struct virtio_blk_discard_write_zeroes){ 0, 1, 2 };
	assert_int_equal(request(VIRTIO_BLK_T_DISCARD, 0, sizeof(*r), false, &used), VIRTIO_BLK_S_UNSUPP);
	stop();
}

/* A full file system: here the size limit of the process, which fails the same way in pwritev. */
static void test_write_fails(void **state)
{
	const size_t size = 65536;
	struct rlimit old, now;
	uint32_t used;

	(void)state;
	start(&size, 1, false, 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	now = old;
	now.rlim_cur = 32768;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);
	assert_int_equal(request(VIRTIO_BLK_T_OUT, 0, 4096, false, &used), VIRTIO_BLK_S_OK);
	assert_int_equal(request(VIRTIO_BLK_T_OUT, 64, 4096, false, &used), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(VIRTIO_BLK_T_OUT, 60, 4096, false, &used),
			 VIRTIO_BLK_S_IOERR); /* the first half fits */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(request(VIRTIO_BLK_T_OUT, 64, 4096, false, &used), VIRTIO_BLK_S_OK);
	stop();
}

static int told_full, told_room;

static void on_trouble(void *arg, bool full, int failed)
{
	(void)arg;
	assert_int_equal(failed, 0);
	*(full ? &told_full : &told_room) += 1;
}

/* No space left on the host: the guest's write waits, and what comes behind it; then all of it goes on. */
static void test_no_space(void **state)
{
	const size_t size = 65536;
	struct fe_seg segs[3];
	uint32_t used;
	int part, i;

	(void)state;
	told_full = told_room = 0;
	start(&size, 1, false, 0);
	sk_blk_on_trouble(fx.dev, on_trouble, NULL);
	for (part = 3; part < 64; part++) {
		struct stat a, b;

		if (part != fx.files[0] && fstat(part, &a) == 0 && fstat(fx.files[0], &b) == 0 &&
		    a.st_ino == b.st_ino && a.st_dev == b.st_dev)
			break;
	}
	assert_true(part < 64);
	i = open("/dev/full", O_RDWR | O_CLOEXEC);
	assert_int_equal(dup2(i, part), part);
	close(i);
	segs[0] = (struct fe_seg){ fx.h, sizeof(*fx.h), false };
	segs[1] = (struct fe_seg){ fx.data, 4096, false };
	segs[2] = (struct fe_seg){ fx.status, 1, true };
	fx.h->type = VIRTIO_BLK_T_OUT;
	fx.h->sector = 8;
	memset(fx.data, 'n', 4096);
	*fx.status = 0xee;
	fe_add(&fx.fe, 0, segs, 3);
	fe_kick(&fx.fe, 0);
	for (i = 0; i < 100 && !told_full; i++)
		sk_loop_once(fx.loop, 5);
	assert_int_equal(told_full, 1);
	assert_int_equal(*fx.status, 0xee);
	assert_int_equal(dup2(fx.files[0], part), part);
	assert_true(fe_used(&fx.fe, 0, &used) >= 0);
	assert_int_equal(*fx.status, VIRTIO_BLK_S_OK);
	assert_int_equal(told_full, 1);
	assert_int_equal(told_room, 1);
	assert_int_equal(pread(fx.files[0], fx.data, 1, 4096), 1);
	assert_int_equal(fx.data[0], 'n');
	stop();
}

/* Somebody truncates the file under us. */
static void test_file_shrinks(void **state)
{
	const size_t size = 65536;
	uint32_t used;

	(void)state;
	start(&size, 1, true, 0);
	assert_int_equal(ftruncate(fx.files[0], 1000), 0);
	assert_int_equal(request(VIRTIO_BLK_T_IN, 64, 512, true, &used), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(VIRTIO_BLK_T_IN, 0, 512, true, &used), VIRTIO_BLK_S_OK);
	stop();
}

static void test_many_in_one_kick(void **state)
{
	const size_t size = 65536;
	struct fe_seg segs[3];
	unsigned i;

	(void)state;
	start(&size, 1, true, 0);
	for (i = 0; i < 20; i++) {
		struct virtio_blk_outhdr *h = fe_alloc(&fx.fe, sizeof(*h));

		h->type = VIRTIO_BLK_T_IN;
		h->sector = i;
		segs[0] = (struct fe_seg){ h, sizeof(*h), false };
		segs[1] = (struct fe_seg){ fx.data + i * 512, 512, true };
		segs[2] = (struct fe_seg){ fe_alloc(&fx.fe, 1), 1, true };
		fe_add(&fx.fe, 0, segs, 3);
	}
	fe_calls(&fx.fe, 0);
	fe_kick(&fx.fe, 0);
	for (i = 0; i < 20; i++)
		assert_true(fe_used(&fx.fe, 0, NULL) >= 0);
	for (i = 0; i < 20; i++)
		assert_int_equal(fx.data[i * 512], 'A' + i % 10);
	assert_int_equal(fe_calls(&fx.fe, 0), 1);
	stop();
}

static void test_malformed(void **state)
{
	const size_t size = 65536;
	struct fe_seg segs[2];
	uint32_t used;

	(void)state;
	/* a header that is too short still has a status */
	start(&size, 1, false, 0);
	segs[0] = (struct fe_seg){ fx.h, 8, false };
	segs[1] = (struct fe_seg){ fx.status, 1, true };
	*fx.status = 0xee;
	fe_add(&fx.fe, 0, segs, 2);
	fe_kick(&fx.fe, 0);
	assert_true(fe_used(&fx.fe, 0, &used) >= 0);
	assert_int_equal(*fx.status, VIRTIO_BLK_S_IOERR);
	/* nowhere to put a status: the connection ends */
	fe_add(&fx.fe, 0, segs, 1);
	fe_kick(&fx.fe, 0);
	assert_true(fe_closed(&fx.fe));
	stop();
	/* a chain that loops */
	start(&size, 1, false, 0);
	fx.fe.q[0].desc[0] = (struct vring_desc){ fe_gpa(&fx.fe, fx.h), 16, VRING_DESC_F_NEXT, 0 };
	fe_expose(&fx.fe, 0, 0);
	fe_kick(&fx.fe, 0);
	assert_true(fe_closed(&fx.fe));
	stop();
}

/* 64 requests of 64 MiB at once: the loop is back after each. */
/* Memory that is not shared: the request fails, the device goes on. */
static void test_unmapped(void **state)
{
	const size_t size = 65536;
	struct fe_seg segs[4] = { { NULL, 0, false }, { NULL, 4096, false }, { NULL, 4096, false }, { NULL, 1, true } };
	uint8_t file[8192], before[8192];
	unsigned i;
	uint32_t used;

	(void)state;
	start(&size, 1, false, 0);
	assert_int_equal(pread(fx.files[0], before, sizeof(before), 0), sizeof(before));
	memset(fx.data, 0x5a, 4096);
	for (i = 0; i < 6; i++) {
		bool in = i % 2;

		*fx.h = (struct virtio_blk_outhdr){ .type = in ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT };
		segs[0] = (struct fe_seg){ i < 4 ? fx.h : NULL, sizeof(*fx.h), false };
		segs[1] = (struct fe_seg){ i < 2 ? fx.data : NULL, 4096, in };
		segs[2] = (struct fe_seg){ i < 2 ? NULL : fx.data, 4096, in };
		segs[3] = (struct fe_seg){ fx.status, 1, true };
		*fx.status = 0xee;
		fe_add(&fx.fe, 0, segs, 4);
		fe_kick(&fx.fe, 0);
		assert_true(fe_used(&fx.fe, 0, &used) >= 0);
		assert_int_equal(used, 1);
		assert_int_equal(*fx.status, VIRTIO_BLK_S_IOERR);
	}
	assert_int_equal(pread(fx.files[0], file, sizeof(file), 0), sizeof(file));
	assert_memory_equal(file, before, sizeof(file));
	assert_int_equal(request(VIRTIO_BLK_T_OUT, 0, 4096, false, &used), VIRTIO_BLK_S_OK);
	/* The status itself: there is no way to answer. */
	segs[3].p = NULL;
	fe_add(&fx.fe, 0, segs, 4);
	fe_kick(&fx.fe, 0);
	assert_true(fe_closed(&fx.fe));
	stop();
}

static void test_large_ones_take_turns(void **state)
{
	const size_t size = 64u << 20;
	struct fe_seg segs[18];
	unsigned i, turns = 0;
	uint8_t *room;

	(void)state;
	start(&size, 1, false, 0);
	fx.h->type = VIRTIO_BLK_T_IN;
	fx.h->sector = 0;
	room = fx.fe.mem + FE_HALF;
	segs[0] = (struct fe_seg){ fx.h, sizeof(*fx.h), false };
	for (i = 1; i <= 16; i++)
		segs[i] = (struct fe_seg){ room, FE_HALF, true };
	segs[17] = (struct fe_seg){ fx.status, 1, true };
	for (i = 0; i < 8; i++)
		fe_add_indirect(&fx.fe, 0, segs, 18);
	fe_kick(&fx.fe, 0);
	while (fx.fe.q[0].used->idx < 8 && turns++ < 100) {
		unsigned before = fx.fe.q[0].used->idx;

		sk_loop_once(fx.loop, 0);
		assert_true(fx.fe.q[0].used->idx - before <= 1);
	}
	assert_in_range(turns, 8, 50);
	assert_int_equal(*fx.status, VIRTIO_BLK_S_OK);
	stop();
}

static int new_with(const struct sk_blk_part *parts, unsigned n, bool readonly, struct sk_error *err)
{
	struct sk_loop *loop;
	struct sk_device *dev;
	struct sockaddr_un addr;
	unsigned addr_len;
	int r;

	assert_int_equal(sk_loop_new(&loop), 0);
	r = sk_blk_new(loop, fe_listen(&addr, &addr_len), parts, n, readonly, &dev, err);
	if (r == 0)
		sk_device_free(dev);
	sk_loop_free(loop);
	return r;
}

static void test_new_errors(void **state)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_blk_part p = { -1, 0, false };

	(void)state;
	assert_int_equal(new_with(NULL, 0, true, &err), -EINVAL);
	p = (struct sk_blk_part){ make_file(100, 'A'), 200, false };
	assert_int_equal(new_with(&p, 1, true, &err), -EINVAL);
	assert_non_null(strstr(err.message, "shorter"));
	p = (struct sk_blk_part){ make_file(5000, 'A'), 5000, false };
	assert_int_equal(new_with(&p, 1, false, &err), -EINVAL);
	assert_non_null(strstr(err.message, "multiple of 4096"));
	assert_int_equal(fcntl(p.take_fd, F_GETFD), -1); /* taken, and closed */
	p = (struct sk_blk_part){ make_file(5000, 'A'), 5000, false };
	assert_int_equal(new_with(&p, 1, true, &err), 0);
	assert_int_equal(fcntl(p.take_fd, F_GETFD), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),	   cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_several_files),	   cmocka_unit_test(test_scattered),
		cmocka_unit_test(test_write_across),	   cmocka_unit_test(test_readonly),
		cmocka_unit_test(test_discard_and_zeroes), cmocka_unit_test(test_write_fails),
		cmocka_unit_test(test_no_space),	   cmocka_unit_test(test_file_shrinks),
		cmocka_unit_test(test_many_in_one_kick),   cmocka_unit_test(test_large_ones_take_turns),
		cmocka_unit_test(test_malformed),	   cmocka_unit_test(test_unmapped),
		cmocka_unit_test(test_new_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
