/* SPDX-License-Identifier: Apache-2.0 */
/* The vhost-user server: frontends that come and go, move memory, and break each rule of the protocol. */
#include "../sk_test.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/socket.h"
#include "frontend.h"
#include "virtio/device.h"
#include "virtio/notify.h"

/* A read-only disk of one page is the device. */
struct fixture {
	struct sk_loop *loop;
	struct sk_device *dev;
	struct sockaddr_un addr;
	unsigned addr_len;
};

static int setup(void **state)
{
	static struct fixture f;
	struct sk_error err = SK_ERROR_INIT;
	struct sk_blk_part part = { memfd_create("disk", MFD_CLOEXEC), 4096, false };
	int listen_fd;

	memset(&f, 0, sizeof(f));
	sk_notify(-1); /* what it keeps open is not a leak */
	assert_int_equal(ftruncate(part.take_fd, 4096), 0);
	assert_int_equal(pwrite(part.take_fd, "block zero", 10, 0), 10);
	assert_int_equal(sk_loop_new(&f.loop), 0);
	listen_fd = fe_listen(&f.addr, &f.addr_len);
	assert_int_equal(sk_blk_new(f.loop, listen_fd, &part, 1, true, &f.dev, &err), 0);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	sk_device_free(f->dev);
	sk_loop_free(f->loop);
	return 0;
}

static unsigned count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* Reads sector 0 through the device; true when it answered. */
static bool read_works(struct fe *fe)
{
	struct virtio_blk_outhdr *h = fe_alloc(fe, sizeof(*h));
	uint8_t *data = fe_alloc(fe, 512), *status = fe_alloc(fe, 1);
	struct fe_seg segs[3] = { { h, sizeof(*h), false }, { data, 512, true }, { status, 1, true } };

	h->type = VIRTIO_BLK_T_IN;
	*status = 0xff;
	fe_add(fe, 0, segs, 3);
	fe_kick(fe, 0);
	return fe_used(fe, 0, NULL) >= 0 && *status == VIRTIO_BLK_S_OK && !memcmp(data, "block zero", 10);
}

static void test_negotiation(void **state)
{
	struct fixture *f = *state;
	struct fe fe;
	uint64_t u;

	fe_connect(&fe, f->loop, &f->addr, f->addr_len);
	assert_true(fe_send(&fe, VU_SET_OWNER, VU_VERSION, NULL, 0, NULL, 0));
	u = fe_get_u64(&fe, VU_GET_FEATURES);
	assert_true(u >> VIRTIO_F_VERSION_1 & 1);
	assert_true(u >> VU_F_PROTOCOL_FEATURES & 1);
	assert_true(u >> VIRTIO_BLK_F_RO & 1);
	assert_false(u >> VIRTIO_BLK_F_DISCARD & 1);
	u = fe_get_u64(&fe, VU_GET_PROTOCOL_FEATURES);
	assert_true(u >> VU_PROTOCOL_F_REPLY_ACK & u >> VU_PROTOCOL_F_CONFIG & u >> VU_PROTOCOL_F_MQ &
		    u >> VU_PROTOCOL_F_BACKEND_REQ & 1);
	assert_int_equal(fe_get_u64(&fe, VU_GET_QUEUE_NUM), 1);
	/* a feature that was not offered */
	u = UINT64_C(1) << 63;
	fe_send(&fe, VU_SET_FEATURES, VU_VERSION, &u, 8, NULL, 0);
	assert_true(fe_closed(&fe));
	fe_close(&fe);
}

static void test_config_is_exact(void **state)
{
	struct fixture *f = *state;
	struct virtio_blk_config c;
	uint8_t all[256], part[20];
	struct vu_config ask = { .offset = 0, .size = 257 };
	struct fe fe;

	fe_connect(&fe, f->loop, &f->addr, f->addr_len);
	fe_get_config(&fe, &c, sizeof(c));
	assert_int_equal(c.capacity, 8);
	fe_get_config(&fe, part, sizeof(part));
	assert_memory_equal(part, &c, sizeof(part));
	fe_get_config(&fe, all, sizeof(all));
	assert_memory_equal(all, &c, sizeof(c));
	assert_int_equal(all[255], 0);
	/* more than there can be; a size that does not match the message */
	fe_send(&fe, VU_GET_CONFIG, VU_VERSION, &ask, 12 + 256, NULL, 0);
	assert_true(fe_closed(&fe));
	fe_close(&fe);
	fe_connect(&fe, f->loop, &f->addr, f->addr_len);
	ask.size = 200;
	fe_send(&fe, VU_GET_CONFIG, VU_VERSION, &ask, 12 + 100, NULL, 0);
	assert_true(fe_closed(&fe));
	fe_close(&fe);
	fe_connect(&fe, f->loop, &f->addr, f->addr_len);
	ask.offset = UINT32_MAX - 50;
	ask.size = 100;
	fe_send(&fe, VU_GET_CONFIG, VU_VERSION, &ask, 12 + 100, NULL, 0);
	assert_true(fe_closed(&fe));
	fe_close(&fe);
}

static void test_serves_and_serves_again(void **state)
{
	struct fixture *f = *state;
	unsigned before = count_fds();
	int i;

	for (i = 0; i < 3; i++) {
		struct fe fe;

		fe_connect(&fe, f->loop, &f->addr, f->addr_len);
		fe_start(&fe, UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX, 1);
		assert_true(read_works(&fe));
		assert_true(fe_calls(&fe, 0) > 0);
		fe_close(&fe);
		assert_int_equal(count_fds(), before);
	}
}

/* The second frontend waits in the backlog until the first has gone. */
static void test_one_at_a_time(void **state)
{
	struct fixture *f = *state;
	struct fe a, b;

	fe_connect(&a, f->loop, &f->addr, f->addr_len);
	fe_start(&a, 0, 1);
	fe_connect(&b, f->loop, &f->addr, f->addr_len);
	fe_settle(f->loop);
	assert_true(read_works(&a));
	fe_close(&a);
	fe_start(&b, 0, 1);
	assert_true(read_works(&b));
	fe_close(&b);
}

static void test_base_and_enable(void **state)
{
	struct fixture *f = *state;
	struct vu_vring_state s = { 0, 0 };
	struct vu_msg m;
	struct fe fe;
	uint64_t u = 0;

	fe_connect(&fe, f->loop, &f->addr, f->addr_len);
	fe_start(&fe, 0, 1);
	assert_true(read_works(&fe));
	assert_true(read_works(&fe));
	/* suspended: a kick does nothing; resumed: it goes on where it was */
	fe_ok(&fe, VU_SET_VRING_ENABLE, &s, sizeof(s), NULL, 0);
	{
		struct virtio_blk_outhdr *h = fe_alloc(&fe, sizeof(*h));
		struct fe_seg segs[2] = { { h, sizeof(*h), false }, { fe_alloc(&fe, 1), 1, true } };

		h->type = VIRTIO_BLK_T_FLUSH;
		fe_add(&fe, 0, segs, 2);
		fe_kick(&fe, 0);
		assert_int_equal(fe_used_now(&fe, 0, NULL), -1);
	}
	s.num = 1;
	fe_ok(&fe, VU_SET_VRING_ENABLE, &s, sizeof(s), NULL, 0);
	assert_true(fe_used(&fe, 0, NULL) >= 0);
	assert_true(fe_send(&fe, VU_GET_VRING_BASE, VU_VERSION, &s, sizeof(s), NULL, 0));
	assert_int_equal(fe_reply(&fe, &m), sizeof(struct vu_vring_state));
	assert_int_equal(m.p.state.index, 0);
	assert_int_equal(m.p.state.num, 3);
	/* a restart from that base, with new descriptors */
	s = (struct vu_vring_state){ 0, 3 };
	fe_ok(&fe, VU_SET_VRING_BASE, &s, sizeof(s), NULL, 0);
	fe_ok(&fe, VU_SET_VRING_KICK, &u, 8, &fe.q[0].kick, 1);
	fe_ok(&fe, VU_SET_VRING_CALL, &u, 8, &fe.q[0].call, 1);
	assert_true(read_works(&fe));
	fe_close(&fe);
}

/* The frontend moves the guest's memory while the queue runs. */
static void test_new_memory_table(void **state)
{
	struct fixture *f = *state;
	struct vu_mem_table t = { .n = 1 };
	struct fe fe;

	fe_connect(&fe, f->loop, &f->addr, f->addr_len);
	fe_start(&fe, 0, 1);
	assert_true(read_works(&fe));
	/* The device goes on with its own index, whatever the guest has put into the ring. */
	fe.q[0].used->idx = 77;
	fe_send_mem_table(&fe);
	fe.q[0].used->idx = fe.q[0].last_used;
	assert_true(read_works(&fe));
	assert_int_equal(fe.q[0].used->idx, fe.q[0].last_used);
	/* a table in which the rings no longer lie anywhere */
	t.regions[0] = (struct vu_mem_region){ 0, FE_HALF, 0, 0 };
	fe_send(&fe, VU_SET_MEM_TABLE, VU_VERSION, &t, 8 + sizeof(t.regions[0]), &fe.memfd, 1);
	assert_true(fe_closed(&fe));
	fe_close(&fe);
}

static void test_message_in_pieces(void **state)
{
	struct fixture *f = *state;
	uint8_t raw[12] = { VU_GET_FEATURES, 0, 0, 0, VU_VERSION };
	struct vu_msg m;
	struct fe fe;
	unsigned i;

	fe_connect(&fe, f->loop, &f->addr, f->addr_len);
	for (i = 0; i < sizeof(raw); i++) {
		assert_int_equal(write(fe.sock, raw + i, 1), 1);
		fe_settle(f->loop);
	}
	assert_int_equal(fe_reply(&fe, &m), 8);
	fe_close(&fe);
}

/* Each of these ends its connection, closes what came with it, and leaves the device serving. */
static void test_hostile_messages(void **state)
{
	static const struct {
		uint32_t request, flags, size;
		uint32_t words[12];
		unsigned n_fds;
	} bad[] = {
		{ 0, VU_VERSION, 0, { 0 }, 0 },
		{ 6, VU_VERSION, 8, { 0 }, 0 },
		{ 999, VU_VERSION, 0, { 0 }, 1 },
		{ UINT32_MAX, VU_VERSION, 0, { 0 }, 0 },
		{ VU_GET_FEATURES, 0, 0, { 0 }, 0 },
		{ VU_GET_FEATURES, 2, 0, { 0 }, 0 },
		{ VU_GET_FEATURES, VU_VERSION | VU_FLAG_REPLY, 0, { 0 }, 0 },
		{ VU_GET_FEATURES, VU_VERSION, 8, { 0 }, 0 },
		{ VU_GET_FEATURES, VU_VERSION, UINT32_MAX, { 0 }, 0 },
		{ VU_GET_FEATURES, VU_VERSION, 0, { 0 }, 3 },
		{ VU_SET_MEM_TABLE, VU_VERSION, 4, { 1 }, 1 },
		{ VU_SET_MEM_TABLE, VU_VERSION, 8, { 0 }, 0 },
		{ VU_SET_MEM_TABLE, VU_VERSION, 8, { 1 }, 1 },
		{ VU_SET_MEM_TABLE, VU_VERSION, 40, { 1, 0, 0, 0, 4096 }, 0 }, /* no descriptor */
		{ VU_SET_MEM_TABLE, VU_VERSION, 40, { 1, 0, 0, 0, 4096 }, 2 }, /* one too many */
		{ VU_SET_MEM_TABLE, VU_VERSION, 40, { 1, 0, 0, 0, 0 }, 1 },    /* empty */
		{ VU_SET_MEM_TABLE, VU_VERSION, 40, { 1, 0, 0, 0, 0, 1 }, 1 }, /* 4 GiB of an 8 MiB file */
		{ VU_SET_MEM_TABLE, VU_VERSION, 40, { 9, 0, 0, 0, 4096 }, 1 },
		{ VU_SET_MEM_TABLE, VU_VERSION, 8, { UINT32_MAX }, 8 },
		{ VU_SET_VRING_NUM, VU_VERSION, 8, { 1, 64 }, 0 }, /* no such queue */
		{ VU_SET_VRING_NUM, VU_VERSION, 8, { 255, 64 }, 0 },
		{ VU_SET_VRING_NUM, VU_VERSION, 8, { 0, 0 }, 0 },
		{ VU_SET_VRING_NUM, VU_VERSION, 8, { 0, 32768 }, 0 },
		{ VU_SET_VRING_BASE, VU_VERSION, 8, { 0, 65536 }, 0 },
		{ VU_SET_VRING_BASE, VU_VERSION, 8, { 77, 0 }, 0 },
		{ VU_GET_VRING_BASE, VU_VERSION, 8, { 4, 0 }, 0 },
		{ VU_SET_VRING_ADDR, VU_VERSION, 40, { 1 }, 0 },
		{ VU_SET_VRING_KICK, VU_VERSION, 8, { 0 }, 0 },
		{ VU_SET_VRING_KICK, VU_VERSION, 8, { 0 }, 1 }, /* a memfd cannot be waited for */
		{ VU_SET_VRING_KICK, VU_VERSION, 8, { 256 }, 1 },
		{ VU_SET_VRING_KICK, VU_VERSION, 8, { 256 }, 0 }, /* polling */
		{ VU_SET_VRING_KICK, VU_VERSION, 8, { 1 }, 1 },
		{ VU_SET_VRING_CALL, VU_VERSION, 8, { 0 }, 1 },
		{ VU_SET_VRING_CALL, VU_VERSION, 8, { 0, 1 }, 0 },
		{ VU_SET_VRING_ENABLE, VU_VERSION, 8, { 0, 2 }, 0 },
		{ VU_SET_VRING_ENABLE, VU_VERSION, 8, { 3, 1 }, 0 },
		{ VU_SET_PROTOCOL_FEATURES, VU_VERSION, 8, { 0, 0x80000000u }, 0 },
		{ VU_SET_BACKEND_REQ_FD, VU_VERSION, 0, { 0 }, 0 },
		{ VU_SET_CONFIG, VU_VERSION, 12, { 0, 4, 0 }, 0 },
		{ VU_SET_CONFIG, VU_VERSION, 8, { 0, 4 }, 0 },
	};
	struct fixture *f = *state;
	unsigned i, before = count_fds();

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int fds[8];
		struct fe fe;
		unsigned k;

		fe_connect(&fe, f->loop, &f->addr, f->addr_len);
		for (k = 0; k < 8; k++)
			fds[k] = fe.memfd;
		/* A header may promise more than comes. */
		{
			uint32_t have = bad[i].size <= sizeof(bad[i].words) ? bad[i].size : 0;
			struct vu_header h = { bad[i].request, bad[i].flags, bad[i].size };

			if (have == bad[i].size)
				assert_true(fe_send(&fe, h.request, h.flags, bad[i].words, have, fds, bad[i].n_fds));
			else
				assert_int_equal(send(fe.sock, &h, sizeof(h), MSG_NOSIGNAL), sizeof(h));
		}
		if (!fe_closed(&fe))
			fail_msg("message %u was taken", i);
		fe_close(&fe);
		assert_int_equal(count_fds(), before);
	}
	{
		struct fe fe;

		fe_connect(&fe, f->loop, &f->addr, f->addr_len);
		fe_start(&fe, 0, 1);
		assert_true(read_works(&fe));
		fe_close(&fe);
	}
}

static void test_too_many_fds(void **state)
{
	struct fixture *f = *state;
	unsigned i, before = count_fds();
	int fds[20];
	struct fe fe;

	fe_connect(&fe, f->loop, &f->addr, f->addr_len);
	for (i = 0; i < 20; i++)
		fds[i] = fe.memfd;
	assert_true(fe_send(&fe, VU_GET_FEATURES, VU_VERSION, NULL, 0, fds, 20));
	assert_true(fe_closed(&fe));
	fe_close(&fe);
	assert_int_equal(count_fds(), before);
}

/* Descriptors that come one by one with the bytes of one message are counted together. */
static void test_fds_byte_by_byte(void **state)
{
	struct fixture *f = *state;
	unsigned i, before = count_fds();
	struct fe fe;

	fe_connect(&fe, f->loop, &f->addr, f->addr_len);
	for (i = 0; i < 12; i++) {
		uint8_t raw[12] = { VU_GET_FEATURES, 0, 0, 0, VU_VERSION };

		if (sk_socket_send(fe.sock, raw + i, 1, &fe.memfd, 1) < 0)
			break;
	}
	assert_true(fe_closed(&fe));
	fe_close(&fe);
	assert_int_equal(count_fds(), before);
}

/* A frontend that asks and never reads: dropped, not waited for. */
static void test_replies_not_read(void **state)
{
	struct fixture *f = *state;
	struct vu_header h = { VU_GET_FEATURES, VU_VERSION, 0 };
	unsigned i;
	struct fe fe;

	fe_connect(&fe, f->loop, &f->addr, f->addr_len);
	for (i = 0; i < 100000; i++) {
		if (send(fe.sock, &h, sizeof(h), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			fe_settle(f->loop);
		if (send(fe.sock, &h, 0, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			break;
	}
	assert_true(i < 100000); /* EPIPE */
	fe_close(&fe);
}

/* User-mode Linux: kick is an eventfd, call one end of a stream socket pair whose other end may be full or gone. */
static void test_call_socket(void **state)
{
	struct fixture *f = *state;
	char fill[4096] = { 0 };
	uint64_t u = 0, got = 0;
	struct fe fe;
	int sv[2];

	fe_connect(&fe, f->loop, &f->addr, f->addr_len);
	fe_start(&fe, 0, 1);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv), 0);
	fe_ok(&fe, VU_SET_VRING_CALL, &u, 8, &sv[1], 1);
	assert_int_equal(read(sv[0], &got, 8), 8); /* what may have been missed */
	assert_true(read_works(&fe));
	assert_int_equal(read(sv[0], &got, 8), 8);
	assert_int_equal(got, 1);
	while (write(sv[1], fill, sizeof(fill)) > 0)
		;
	close(sv[1]);
	assert_true(read_works(&fe));
	close(sv[0]);
	assert_true(read_works(&fe)); /* SIGPIPE would end the test */
	fe_close(&fe);
}

/* A device with several queues. */
static struct sk_device *new_vsock(struct fixture *f, struct sockaddr_un *addr, unsigned *addr_len)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_carrier *carrier;
	struct sk_device *dev;

	assert_int_equal(sk_vsock_new(f->loop, fe_listen(addr, addr_len), 3, NULL, NULL, &dev, &carrier, &err), 0);
	return dev;
}

/* The rings of the first queue are not in the new table, those of the second are: both have to leave the old mapping.
 */
static void test_mem_table_stops_all(void **state)
{
	struct fixture *f = *state;
	struct vu_mem_table t = { .n = 1 };
	struct sockaddr_un addr;
	struct sk_device *dev;
	unsigned addr_len;
	size_t off;
	struct fe fe;

	dev = new_vsock(f, &addr, &addr_len);
	fe_connect(&fe, f->loop, &addr, addr_len);
	fe_start(&fe, 0, 2);
	off = (size_t)((uint8_t *)fe.q[1].desc - fe.mem);
	t.regions[0] = (struct vu_mem_region){ FE_GPA0 + off, 8192, FE_GPA0 + FE_UVA_OFFSET + off, off };
	fe_kick(&fe, 1);
	fe_send(&fe, VU_SET_MEM_TABLE, VU_VERSION, &t, 8 + sizeof(t.regions[0]), &fe.memfd, 1);
	fe_kick(&fe, 1);
	assert_true(fe_closed(&fe));
	fe_close(&fe);
	sk_device_free(dev);
}

static void block_again(int fd)
{
	assert_int_equal(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK), 0);
}

/* The frontend shares its eventfds with us, and takes O_NONBLOCK back. One word wakes two sources. */
static void test_kick_blocks(void **state)
{
	struct fixture *f = *state;
	uint64_t u = 1;
	struct sockaddr_un addr;
	struct sk_device *dev;
	unsigned addr_len;
	struct fe fe;

	alarm(10);
	dev = new_vsock(f, &addr, &addr_len);
	fe_connect(&fe, f->loop, &addr, addr_len);
	fe_start(&fe, 0, 2);
	fe_ok(&fe, VU_SET_VRING_KICK, &u, 8, &fe.q[0].kick, 1);
	block_again(fe.q[0].kick);
	fe_kick(&fe, 0);
	fe_settle(f->loop);
	fe_close(&fe);
	sk_device_free(dev);
	alarm(0);
}

/* A descriptor that becomes readable by itself, again and again, is none for notifications. */
static void test_kick_is_eventfd(void **state)
{
	const struct itimerspec often = { { 0, 1000 }, { 0, 1000 } };
	struct fixture *f = *state;
	uint64_t u = 0;
	struct fe fe;
	int fds[2] = { timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), epoll_create1(0) };
	unsigned i;

	assert_int_equal(timerfd_settime(fds[0], 0, &often, NULL), 0);
	for (i = 0; i < 2; i++) {
		fe_connect(&fe, f->loop, &f->addr, f->addr_len);
		assert_true(fe_send(&fe, VU_SET_VRING_KICK, VU_VERSION, &u, 8, &fds[i], 1));
		assert_true(fe_closed(&fe));
		fe_close(&fe);
		close(fds[i]);
	}
}

/* … or fills it: the guest gets no interrupt then, but nobody waits for it. */
static void test_call_blocks(void **state)
{
	struct fixture *f = *state;
	uint64_t full = UINT64_MAX - 1;
	struct fe fe;
	int i;

	alarm(10);
	fe_connect(&fe, f->loop, &f->addr, f->addr_len);
	fe_start(&fe, 0, 1);
	fe_calls(&fe, 0);
	assert_int_equal(write(fe.q[0].call, &full, sizeof(full)), sizeof(full));
	block_again(fe.q[0].call);
	for (i = 0; i < 10; i++)
		assert_true(read_works(&fe));
	fe_close(&fe);
	alarm(0);
}

/* More notifications than the kernel keeps ends of reads. */
static void test_many_calls(void **state)
{
	struct fixture *f = *state;
	struct fe fe;
	int i;

	fe_connect(&fe, f->loop, &f->addr, f->addr_len);
	fe_start(&fe, 0, 1);
	fe_calls(&fe, 0);
	for (i = 0; i < 1000; i++)
		assert_true(read_works(&fe));
	assert_int_equal(fe_calls(&fe, 0), 1000);
	fe_close(&fe);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_negotiation, setup, teardown),
		cmocka_unit_test_setup_teardown(test_config_is_exact, setup, teardown),
		cmocka_unit_test_setup_teardown(test_serves_and_serves_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_at_a_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_base_and_enable, setup, teardown),
		cmocka_unit_test_setup_teardown(test_new_memory_table, setup, teardown),
		cmocka_unit_test_setup_teardown(test_message_in_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile_messages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_many_fds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fds_byte_by_byte, setup, teardown),
		cmocka_unit_test_setup_teardown(test_replies_not_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_call_socket, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mem_table_stops_all, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kick_blocks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kick_is_eventfd, setup, teardown),
		cmocka_unit_test_setup_teardown(test_call_blocks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_calls, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
