/* SPDX-License-Identifier: Apache-2.0 */
/* The 9P device against a guest's side of real rings; the files are those of the file system in memory. */
#include "../sk_test.h"

#include <linux/virtio_9p.h>
#include <linux/virtio_config.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/loop.h"
#include "export/memory.h"
#include "frontend.h"
#include "ninep/codec.h"
#include "virtio/ninep_dev.h"

#define RING (UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX | UINT64_C(1) << VIRTIO_RING_F_INDIRECT_DESC)
#define BUF 200000u
#define STR(s) ((struct p9_str){ (s), (uint16_t)strlen(s) })

struct fixture {
	struct sk_loop *loop;
	struct sk_device *dev;
	struct sk_9p_fs *fs;
	struct sk_9p_export export;
	struct sk_9p_server *server;
	struct fe fe;
	uint8_t *out, *in; /* in guest memory, BUF bytes each */
	bool indirect;
	uint16_t tag;
};

static struct fixture fx;

static uint64_t now(void *arg)
{
	(void)arg;
	return sk_now_ms();
}

static int setup(void **state)
{
	struct sk_memfs_limits limits = { 1u << 20, 100 };
	struct sk_9p_server_config config = { .now_ms = now };
	struct sk_error err = SK_ERROR_INIT;
	struct sockaddr_un addr;
	unsigned addr_len;
	int fd;

	(void)state;
	memset(&fx, 0, sizeof(fx));
	assert_int_equal(sk_loop_new(&fx.loop), 0);
	assert_int_equal(sk_memfs_new(&limits, &fx.fs), 0);
	assert_int_equal(sk_9p_server_new(&config, &fx.server), 0);
	fx.export = (struct sk_9p_export){ .name = "x", .fs = fx.fs };
	fd = fe_listen(&addr, &addr_len);
	assert_int_equal(sk_ninep_dev_new(fx.loop, fd, "share", fx.server, &fx.export, 1, false, &fx.dev, &err), 0);
	fe_connect(&fx.fe, fx.loop, &addr, addr_len);
	fe_start(&fx.fe, RING | UINT64_C(1) << VIRTIO_9P_MOUNT_TAG, 2);
	fx.out = fe_alloc(&fx.fe, BUF);
	fx.in = fe_alloc(&fx.fe, BUF);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fe_close(&fx.fe);
	sk_device_free(fx.dev);
	sk_9p_server_free(fx.server);
	sk_memfs_free(fx.fs); /* nothing of it is held any more */
	sk_loop_free(fx.loop);
	return 0;
}

/* Puts a request on queue q, in pieces of `cut` bytes, with room for the reply in three; returns its head. */
static uint16_t send_cut(unsigned q, struct p9_msg *t, size_t cut)
{
	struct fe_seg segs[FE_QUEUE_SIZE];
	long len;
	unsigned n = 0;
	size_t off;

	if (!t->tag)
		t->tag = ++fx.tag;
	len = p9_encode(t, fx.out, BUF);
	assert_true(len > 0);
	for (off = 0; off < (size_t)len; off += cut) {
		size_t rest = (size_t)len - off;

		assert_true(n < FE_QUEUE_SIZE - 3);
		segs[n++] = (struct fe_seg){ fx.out + off, (uint32_t)(rest < cut ? rest : cut), false };
	}
	segs[n++] = (struct fe_seg){ fx.in, 5, true };
	segs[n++] = (struct fe_seg){ fx.in + 5, 4091, true };
	segs[n++] = (struct fe_seg){ fx.in + 4096, BUF - 4096, true };
	return fx.indirect ? fe_add_indirect(&fx.fe, q, segs, n) : fe_add(&fx.fe, q, segs, n);
}

/* The request and its reply: 0 or the negative errno of Rlerror. */
static int call_cut(unsigned q, struct p9_msg *t, struct p9_msg *ret_r, size_t cut)
{
	uint16_t head = send_cut(q, t, cut);
	uint32_t len;

	fe_kick(&fx.fe, q);
	assert_int_equal(fe_used(&fx.fe, q, &len), head);
	assert_int_equal(len, p9_get32(fx.in));
	assert_int_equal(p9_decode(fx.in, len, ret_r), 0);
	assert_int_equal(ret_r->tag, t->tag);
	return ret_r->type == P9_RLERROR ? -(int)ret_r->u.ecode : 0;
}

static int call(unsigned q, struct p9_msg *t, struct p9_msg *ret_r)
{
	return call_cut(q, t, ret_r, BUF);
}

/* A session on queue q, its root as fid 0. */
static void begin(unsigned q)
{
	struct p9_msg t = { .type = P9_TVERSION, .tag = P9_NOTAG }, r;

	t.u.version.msize = 100000;
	t.u.version.version = STR(P9_VERSION_EXT);
	assert_int_equal(call(q, &t, &r), 0);
	assert_int_equal(r.u.version.msize, 100000);
	t = (struct p9_msg){ .type = P9_TATTACH };
	t.u.attach.afid = P9_NOFID;
	t.u.attach.uname = t.u.attach.aname = STR("");
	assert_int_equal(call(q, &t, &r), 0);
}

static int getattr(unsigned q)
{
	struct p9_msg t = { .type = P9_TGETATTR }, r;
	int e;

	t.u.getattr.mask = P9_GETATTR_BASIC;
	e = call(q, &t, &r);
	if (e == 0)
		assert_int_equal(r.u.attr.mode & P9_S_IFMT, P9_S_IFDIR);
	return e;
}

/* A file `name` made and opened as fid 1. */
static void make(unsigned q, const char *name)
{
	struct p9_msg t = { .type = P9_TWALK }, r;

	t.u.walk.newfid = 1;
	assert_int_equal(call(q, &t, &r), 0);
	t = (struct p9_msg){ .type = P9_TLCREATE };
	t.u.lcreate.fid = 1;
	t.u.lcreate.name = STR(name);
	t.u.lcreate.flags = P9_O_RDWR;
	t.u.lcreate.mode = 0644;
	assert_int_equal(call(q, &t, &r), 0);
}

static void config_is_the_tag(void **state)
{
	uint8_t c[7];

	(void)state;
	fe_get_config(&fx.fe, c, sizeof(c));
	assert_int_equal(c[0], 5);
	assert_int_equal(c[1], 0);
	assert_memory_equal(c + 2, "share", 5);
}

/* The second queue is that of a guest behind QEMU's vhost-user-fs. */
static void either_queue(void **state)
{
	unsigned q;

	(void)state;
	for (q = 0; q < 2; q++) {
		assert_int_equal(getattr(q), q ? 0 : -P9_EPROTO);
		begin(q);
		assert_int_equal(getattr(q), 0);
	}
}

static void in_pieces(void **state)
{
	static const size_t cuts[] = { 1, 3, 7, 11, 4096, BUF };
	uint8_t data[30000];
	unsigned i, k;

	(void)state;
	begin(1);
	make(1, "f");
	for (i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		/* A request without data may have as many pieces as there is room for on the queue. */
		uint32_t n = cuts[i] < 4096 ? (uint32_t)cuts[i] * 30 : (uint32_t)sizeof(data);
		struct p9_msg t = { .type = P9_TWRITE }, r;

		fx.indirect = i % 2 == 1;
		for (k = 0; k < n; k++)
			data[k] = (uint8_t)(k * 31 + i);
		t.u.write.fid = 1;
		t.u.write.offset = 5;
		t.u.write.data = (struct p9_data){ data, n };
		assert_int_equal(call_cut(1, &t, &r, cuts[i]), 0);
		assert_int_equal(r.u.count, n);
		t = (struct p9_msg){ .type = P9_TREAD };
		t.u.read.fid = 1;
		t.u.read.offset = 5;
		t.u.read.count = n;
		assert_int_equal(call_cut(1, &t, &r, cuts[i]), 0);
		assert_int_equal(r.u.data.count, n);
		assert_memory_equal(r.u.data.p, data, n);
	}
}

/* Parks a request for notices on queue q; returns its head. */
static uint16_t park(unsigned q, uint16_t tag)
{
	struct p9_msg t = { .type = P9_TNOTIFY, .tag = tag };
	uint16_t head;

	t.u.count = 4096;
	head = send_cut(q, &t, BUF);
	fe_kick(&fx.fe, q);
	fe_settle(fx.loop);
	assert_int_equal(fe_used_now(&fx.fe, q, NULL), -1);
	return head;
}

static void notice(void)
{
	struct sk_9p_session *s = sk_ninep_dev_session(fx.dev);
	struct sk_9p_event e = { .kind = P9_EVENT_CREATE, .dir = 42, .name = "new" };

	sk_9p_session_event(s, &e);
	sk_9p_session_events_done(s);
}

/* Others are served while one waits; its answer goes to its own chain. */
static void parked(void **state)
{
	struct p9_msg r;
	uint16_t head;
	uint32_t len;
	unsigned q;

	(void)state;
	for (q = 0; q < 2; q++) {
		begin(q);
		head = park(q, 700);
		memset(fx.in, 0, 4096);
		notice();
		assert_int_equal(fe_used(&fx.fe, q, &len), head);
		assert_int_equal(p9_decode(fx.in, len, &r), 0);
		assert_int_equal(r.type, P9_RNOTIFY);
		assert_int_equal(r.tag, 700);
		assert_true(fe_calls(&fx.fe, q) > 0);
		assert_int_equal(getattr(q), 0);
	}
}

/* A request for notices that is flushed is answered, with none, before Rflush. */
static void flushed(void **state)
{
	struct p9_msg t = { .type = P9_TFLUSH }, r;
	uint16_t head, flush;
	uint32_t len;

	(void)state;
	begin(1);
	head = park(1, 700);
	t.u.oldtag = 700;
	flush = send_cut(1, &t, BUF);
	fe_kick(&fx.fe, 1);
	assert_int_equal(fe_used(&fx.fe, 1, &len), head);
	assert_int_equal(len, P9_HEADER + 4);
	assert_int_equal(fe_used(&fx.fe, 1, &len), flush);
	assert_int_equal(p9_decode(fx.in, len, &r), 0);
	assert_int_equal(r.type, P9_RFLUSH);
	notice();
	fe_settle(fx.loop);
	assert_int_equal(fe_used_now(&fx.fe, 1, &len), -1);
	assert_int_equal(getattr(1), 0);
}

/* Between a request and its late answer the guest makes its descriptors lead elsewhere. */
static void parked_chain_is_looked_at_again(void **state)
{
	uint16_t head;

	(void)state;
	begin(1);
	head = park(1, 700);
	fx.fe.q[1].desc[fx.fe.q[1].desc[head].next].addr = UINT64_C(1) << 60;
	notice();
	assert_true(fe_closed(&fx.fe));
}

/* Once a queue has stopped nothing is written to its chains any more; the session is over. */
static void stopped(void **state)
{
	struct vu_vring_state s = { 1, 0 };
	struct vu_msg m;

	(void)state;
	begin(1);
	park(1, 700);
	memset(fx.in, 0xee, 64);
	assert_true(fe_send(&fx.fe, VU_GET_VRING_BASE, VU_VERSION, &s, sizeof(s), NULL, 0));
	assert_true(fe_reply(&fx.fe, &m) > 0);
	notice();
	fe_settle(fx.loop);
	assert_int_equal(fx.in[0], 0xee);
	assert_int_equal(getattr(0), -P9_EPROTO);
	begin(0);
	assert_int_equal(getattr(0), 0);
}

/* Data in memory that is not shared: EFAULT for the request, and the session goes on. */
static void unmapped(void **state)
{
	static const uint8_t data[4096];
	struct p9_msg t = { .type = P9_TWRITE, .tag = 77 }, r;
	struct fe_seg segs[4];
	uint32_t len;
	unsigned way;

	(void)state;
	begin(1);
	make(1, "f");
	for (way = 0; way < 3; way++) {
		t.type = way == 0 ? P9_TWRITE : P9_TREAD;
		if (way == 0) {
			t.u.write.fid = 1;
			t.u.write.offset = 0;
			t.u.write.data = (struct p9_data){ data, sizeof(data) };
		} else {
			t.u.read.fid = 1;
			t.u.read.offset = 0;
			t.u.read.count = 4096;
		}
		assert_true(p9_encode(&t, fx.out, BUF) > 0);
		segs[0] = (struct fe_seg){ fx.out, P9_TWRITE_HEADER, false };
		segs[1] = (struct fe_seg){ way == 0 ? NULL : fx.in, way == 0 ? 4096 : 11, way > 0 };
		segs[2] = (struct fe_seg){ way == 0 ? fx.in : NULL, 4096, true };
		segs[3] = (struct fe_seg){ fx.in + 4096, 4096, true };
		fe_add(&fx.fe, 1, segs, way == 1 ? 3 : 4);
		fe_kick(&fx.fe, 1);
		assert_true(fe_used(&fx.fe, 1, &len) >= 0);
		assert_int_equal(len, P9_RLERROR_SIZE);
		assert_int_equal(p9_decode(fx.in, len, &r), 0);
		assert_int_equal(r.type, P9_RLERROR);
		assert_int_equal(r.tag, 77);
		assert_int_equal(r.u.ecode, P9_EFAULT);
	}
	assert_int_equal(getattr(1), 0);
}

/* Requests that no answer can be given to end the connection. */
static void hopeless(void **state)
{
	struct p9_msg t = { .type = P9_TGETATTR, .tag = 1 };
	struct fe_seg segs[2];
	unsigned way;

	for (way = 0; way < 5; way++) {
		long len = p9_encode(&t, fx.out, BUF);

		segs[0] = (struct fe_seg){ fx.out, (uint32_t)len, false };
		segs[1] = (struct fe_seg){ fx.in, 4096, true };
		if (way == 0)
			segs[0].len = 6; /* no header */
		else if (way == 1)
			p9_put32(fx.out, (uint32_t)len + 1); /* more than there is */
		else if (way == 2)
			p9_put32(fx.out, 3); /* less than a header */
		else if (way == 3)
			segs[1].len = 10; /* no room for an error */
		fe_add(&fx.fe, 1, segs, way == 4 ? 1 : 2);
		fe_kick(&fx.fe, 1);
		assert_true(fe_closed(&fx.fe));
		teardown(state);
		setup(state);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = { T(config_is_the_tag), T(either_queue),
					    T(in_pieces),	  T(parked),
					    T(flushed),		  T(parked_chain_is_looked_at_again),
					    T(stopped),		  T(hopeless),
					    T(unmapped) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
