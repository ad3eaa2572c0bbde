/* SPDX-License-Identifier: Apache-2.0 */
/* Every message: encode, decode, encode again: the same bytes; every truncation is refused; every byte after it too. */
#include "../sk_test.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ninep/codec.h"

/* Fills the parts that a message type has with values that differ from field to field. The union's other members are
 * not looked at. */
static void fill(struct p9_msg *m, uint8_t type)
{
	static const uint8_t data[] = { 1, 2, 3, 0, 255 };
	const struct p9_str s = { "n\xc3\xa4me", 5 }, s2 = { "../x", 4 };
	const struct p9_qid q = { 0x80, 0x11223344, UINT64_C(0x8877665544332211) };
	uint8_t *p = (uint8_t *)&m->u;
	size_t i;

	m->type = type;
	m->tag = 0x1234;
	for (i = 0; i < sizeof(m->u); i++)
		p[i] = (uint8_t)(i * 7 + 1);
	switch (type) {
	case P9_TVERSION:
	case P9_RVERSION:
		m->u.version.version = s;
		break;
	case P9_TAUTH:
	case P9_TATTACH:
		m->u.attach.uname = s;
		m->u.attach.aname = s2;
		break;
	case P9_TWALK:
		m->u.walk.n = P9_MAXWALK;
		for (i = 0; i < P9_MAXWALK; i++)
			m->u.walk.names[i] = i % 2 ? s : s2;
		break;
	case P9_RWALK:
		m->u.rwalk.n = P9_MAXWALK;
		for (i = 0; i < P9_MAXWALK; i++)
			m->u.rwalk.qids[i] = q;
		break;
	case P9_TWRITE:
	case P9_TWRITEX:
		m->u.write.data = (struct p9_data){ data, sizeof(data) };
		break;
	case P9_RREAD:
	case P9_RREADDIR:
	case P9_RREADDIRX:
	case P9_RNOTIFY:
		m->u.data = (struct p9_data){ data, sizeof(data) };
		break;
	case P9_TBIND:
		m->u.socket.name = s;
		break;
	case P9_TLCREATE:
		m->u.lcreate.name = s;
		break;
	case P9_TSYMLINK:
		m->u.symlink.name = s;
		m->u.symlink.target = s2;
		break;
	case P9_TMKNOD:
		m->u.mknod.name = s;
		break;
	case P9_TMKDIR:
		m->u.mkdir.name = s;
		break;
	case P9_TRENAME:
	case P9_TLINK:
		m->u.rename.name = s;
		break;
	case P9_TRENAMEAT:
	case P9_TRENAMEX:
		m->u.renameat.oldname = s;
		m->u.renameat.newname = s2;
		break;
	case P9_TUNLINKAT:
		m->u.unlinkat.name = s;
		break;
	case P9_RREADLINK:
		m->u.target = s2;
		break;
	case P9_TLOOK:
	case P9_TOPENX:
	case P9_TCREATEX:
		m->u.look.name = s;
		break;
	case P9_TXATTRWALK:
		m->u.xattrwalk.name = s;
		break;
	case P9_TXATTRCREATE:
		m->u.xattrcreate.name = s;
		break;
	case P9_TLOCK:
	case P9_TGETLOCK:
	case P9_RGETLOCK:
		m->u.lock.client_id = s;
		break;
	default:
		break;
	}
}

static bool known(unsigned type)
{
	return strcmp(p9_type_name((uint8_t)type), "?") != 0;
}

static void every_message(void **state)
{
	unsigned type, count = 0;

	(void)state;
	for (type = 0; type < 256; type++) {
		uint8_t a[1024], b[1024];
		struct p9_msg m, back;
		long n, i;

		if (!known(type))
			continue;
		count++;
		fill(&m, (uint8_t)type);
		n = p9_encode(&m, a, sizeof(a));
		assert_true(n >= (long)P9_HEADER);
		assert_int_equal(p9_get32(a), n);
		memset(&back, 0xee, sizeof(back));
		assert_int_equal(p9_decode(a, (size_t)n, &back), 0);
		assert_int_equal(back.type, type);
		assert_int_equal(back.tag, 0x1234);
		assert_int_equal(p9_encode(&back, b, sizeof(b)), n);
		assert_memory_equal(a, b, (size_t)n);
		for (i = 0; i < n; i++) {
			uint8_t *cut = malloc((size_t)i + 1); /* so that a sanitizer sees reads behind the end */

			assert_int_equal(p9_encode(&m, b, (size_t)i), -P9_EMSGSIZE);
			memcpy(cut, a, (size_t)i);
			if (i >= 4)
				p9_put32(cut, (uint32_t)i);
			/* The one field that may be missing. */
			if (!(type == P9_TFSYNC && i == n - 4))
				assert_true(p9_decode(cut, (size_t)i, &back) < 0);
			free(cut);
		}
		memcpy(b, a, (size_t)n);
		b[n] = 0;
		p9_put32(b, (uint32_t)n + 1);
		assert_int_equal(p9_decode(b, (size_t)n + 1, &back), -P9_EPROTO);
	}
	assert_int_equal(count, 97);
}

static void known_bytes(void **state)
{
	/* As captured from Linux v9fs: Tlock of a write lock on the whole file. */
	static const uint8_t tlock[] = { 42, 0, 0, 0, 52, 1, 0, 3, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0,   0,	0,   0,
					 0,  0, 0, 0, 0,  0, 0, 0, 0, 0, 0, 9, 1, 0, 0, 4, 0, 'h', 'o', 's', 't' };
	struct p9_msg m;

	(void)state;
	assert_int_equal(p9_decode(tlock, sizeof(tlock), &m), 0);
	assert_int_equal(m.u.lock.fid, 3);
	assert_int_equal(m.u.lock.type, P9_LOCK_WRLCK);
	assert_int_equal(m.u.lock.flags, P9_LOCK_FLAG_BLOCK);
	assert_int_equal(m.u.lock.proc_id, 265);
	assert_int_equal(m.u.lock.client_id.len, 4);
	assert_memory_equal(m.u.lock.client_id.p, "host", 4);
}

static void data_elsewhere(void **state)
{
	uint8_t buf[64];
	struct p9_msg m = { .type = P9_TWRITE, .tag = 1 }, back;

	(void)state;
	m.u.write.data = (struct p9_data){ NULL, 100000 };
	m.u.write.fid = 7;
	m.u.write.offset = 1;
	assert_int_equal(p9_encode(&m, buf, sizeof(buf)), P9_TWRITE_HEADER);
	assert_int_equal(p9_get32(buf), P9_TWRITE_HEADER + 100000);
	assert_int_equal(p9_decode(buf, P9_TWRITE_HEADER, &back), 0);
	assert_null(back.u.write.data.p);
	assert_int_equal(back.u.write.data.count, 100000);
	/* Some of the data, but not all: neither here nor there. */
	assert_int_equal(p9_decode(buf, P9_TWRITE_HEADER + 5, &back), -P9_EPROTO);
	/* A count that is not what the size says. */
	p9_put32(buf + 19, 99999);
	assert_int_equal(p9_decode(buf, P9_TWRITE_HEADER, &back), -P9_EPROTO);
	p9_put32(buf + 19, 0xffffffff);
	assert_int_equal(p9_decode(buf, P9_TWRITE_HEADER, &back), -P9_EPROTO);
}

static void hostile_counts(void **state)
{
	uint8_t buf[64] = { 0 };
	struct p9_msg m;

	(void)state;
	p9_put32(buf, 17);
	buf[4] = P9_TWALK;
	p9_put16(buf + 15, 17); /* names */
	assert_int_equal(p9_decode(buf, 17, &m), -P9_EPROTO);
	p9_put16(buf + 15, 0xffff);
	assert_int_equal(p9_decode(buf, 17, &m), -P9_EPROTO);
	assert_int_equal(p9_decode(buf, 6, &m), -P9_EPROTO);
	buf[4] = 200;
	assert_int_equal(p9_decode(buf, 17, &m), -P9_EOPNOTSUPP);
	buf[4] = P9_TLERROR;
	assert_int_equal(p9_decode(buf, 17, &m), -P9_EOPNOTSUPP);
}

static void directory_entries(void **state)
{
	const struct p9_qid q = { P9_QTDIR, 5, 6 };
	uint8_t buf[64], type;
	struct p9_qid q2;
	struct p9_str s;
	uint64_t off;

	(void)state;
	assert_int_equal(p9_put_dirent(buf, sizeof(buf), &q, 77, 4, "name", 4), 28);
	assert_int_equal(p9_put_dirent(buf, 27, &q, 77, 4, "name", 4), 0);
	assert_int_equal(p9_get_dirent(buf, 28, &q2, &off, &type, &s), 28);
	assert_int_equal(p9_get_dirent(buf, 27, &q2, &off, &type, &s), 0);
	assert_int_equal(p9_get_dirent(buf, 28, &q2, &off, &type, &s), 28);
	assert_int_equal(off, 77);
	assert_int_equal(type, 4);
	assert_int_equal(s.len, 4);
	assert_memory_equal(&q.path, &q2.path, 8);
}

static void entries_with_attributes(void **state)
{
	struct p9_attr a = { .valid = 1, .qid = { P9_QTDIR, 5, 6 }, .mode = 040755, .size = UINT64_C(1) << 40 }, b;
	uint8_t buf[P9_DIRENTX_MIN + 4];
	uint32_t flags;
	struct p9_str s;
	uint64_t off;

	(void)state;
	a.ctime.nsec = 9;
	a.data_version = 77;
	assert_int_equal(p9_put_direntx(buf, sizeof(buf), P9_LOOK_LAST, 7, &a, "name", 4), sizeof(buf));
	assert_int_equal(p9_put_direntx(buf, sizeof(buf) - 1, P9_LOOK_LAST, 7, &a, "name", 4), 0);
	assert_int_equal(p9_put_direntx(buf, sizeof(buf), P9_LOOK_LAST, 7, &a, "name", 4), sizeof(buf));
	assert_int_equal(p9_get_direntx(buf, sizeof(buf) - 1, &flags, &off, &b, &s), 0);
	assert_int_equal(p9_get_direntx(buf, sizeof(buf), &flags, &off, &b, &s), sizeof(buf));
	assert_int_equal(flags, P9_LOOK_LAST);
	assert_int_equal(off, 7);
	assert_int_equal(s.len, 4);
	assert_int_equal(b.qid.version, 5);
	assert_int_equal(b.size, a.size);
	assert_int_equal(b.ctime.nsec, 9);
	assert_int_equal(b.data_version, 77);
	assert_memory_equal(s.p, "name", 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_message),     cmocka_unit_test(known_bytes),
		cmocka_unit_test(data_elsewhere),    cmocka_unit_test(hostile_counts),
		cmocka_unit_test(directory_entries), cmocka_unit_test(entries_with_attributes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
