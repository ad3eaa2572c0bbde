/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_FUZZ_NINEP_SESSION_H
#define SK_FUZZ_NINEP_SESSION_H

/*
 * Turns fuzz input into a conversation: a row of [length (2 bytes)] [message from its type on], over two sessions of
 * one server (the top bit of the length says which). Sizes are put right, fids are folded into a small range so that
 * messages meet, tags too so that flushes hit. Length 0 lets time pass, and what a socket is watched for come; length 1
 * an event happen. The first session speaks the extension.
 */
#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "ninep/codec.h"
#include "ninep/server.h"

#define FUZZ_MSIZE 16384u
#define FUZZ_MESSAGES 400

static uint64_t fuzz_now;
/* Called for each event as well; may be NULL. */
static void (*fuzz_happens)(void);

struct fuzz_watch {
	unsigned want;
	void (*ready)(void *arg, unsigned events);
	void *arg;
};
static struct fuzz_watch *fuzz_wanted;

static void *fuzz_watch(void *arg, int fd, void (*ready)(void *ready_arg, unsigned events), void *ready_arg)
{
	struct fuzz_watch *w = calloc(1, sizeof(*w));

	(void)arg;
	(void)fd;
	if (w)
		*w = (struct fuzz_watch){ 0, ready, ready_arg };
	return w;
}

static int fuzz_want(void *watch, unsigned events)
{
	fuzz_wanted = (struct fuzz_watch *)watch;
	fuzz_wanted->want |= events;
	return 0;
}

static void fuzz_unwatch(void *watch)
{
	if (fuzz_wanted == watch)
		fuzz_wanted = NULL;
	free(watch);
}

static void fuzz_ready(void)
{
	unsigned events = fuzz_wanted ? fuzz_wanted->want : 0;

	if (!events)
		return;
	fuzz_wanted->want = 0;
	fuzz_wanted->ready(fuzz_wanted->arg, events);
}

static uint64_t fuzz_clock(void *arg)
{
	(void)arg;
	return fuzz_now;
}

static void fuzz_complete(void *arg, uint64_t token, const void *reply, size_t len)
{
	(void)arg;
	(void)token;
	assert(len <= P9_RLERROR_SIZE || ((const uint8_t *)reply)[4] == P9_RNOTIFY);
}

static void fuzz_fold(uint8_t *msg, size_t len)
{
	uint8_t type = msg[4];

	msg[5] &= 7; /* tag */
	msg[6] = 0;
	if (type != P9_TVERSION && type != P9_TFLUSH && len >= 11)
		p9_put32(msg + 7, p9_get32(msg + 7) % 8);
	if ((type == P9_TLOOK || type == P9_TOPENX || type == P9_TCREATEX || type == P9_TTMPFILE || type == P9_TWALK ||
	     type == P9_TXATTRWALK || type == P9_TLINK || type == P9_TRENAME || type == P9_TCONNECT ||
	     type == P9_TBIND || type == P9_TACCEPT) &&
	    len >= 15)
		p9_put32(msg + 11, p9_get32(msg + 11) % 8);
	if (type == P9_TFLUSH && len >= 9) {
		msg[7] &= 7;
		msg[8] = 0;
	}
	if (type == P9_TATTACH && len >= 15)
		p9_put32(msg + 11, P9_NOFID);
	if (type == P9_TVERSION && len >= 21) {
		p9_put16(msg + 11, 8);
		memcpy(msg + 13, P9_VERSION, 8);
	}
	/* A type that there is. */
	if (type == P9_TCONNECT && len >= 19)
		p9_put32(msg + 15,
			 msg[15] & 1 ? P9_SOCK_STREAM + (msg[15] >> 1) % 5 : P9_FIFO_READ + (msg[15] >> 1) % 2);
	if (type == P9_TBIND && len >= 27)
		p9_put32(msg + len - 4, P9_SOCK_STREAM + msg[len - 4] % 5);
	if (type == P9_TCOPY && len >= 23)
		p9_put32(msg + 19, p9_get32(msg + 19) % 8);
	/* File sizes and offsets that do not fill the disk, mostly. */
	if (type == P9_TALLOCATE && len >= 31) {
		msg[18] &= 0x80;
		memset(msg + 19, msg[18] ? 0xff : 0, 4);
		memset(msg + 26, 0, 5);
	}
	if ((type == P9_TWRITE || type == P9_TWRITEX) && len >= P9_TWRITE_HEADER) {
		msg[14] &= 0x80;
		memset(msg + 15, msg[14] ? 0xff : 0, 4);
		p9_put32(msg + 19, (uint32_t)(len - P9_TWRITE_HEADER));
	}
}

static void fuzz_send(struct sk_9p_session *s, uint8_t *msg, size_t len)
{
	static uint8_t in[FUZZ_MSIZE];
	size_t cut = len > 9 ? 9 : len;
	struct sk_iov o[2] = { { msg, cut }, { msg + cut, len - cut } },
		      i[3] = { { in, 5 }, { in + 5, 20 }, { in + 25, sizeof(in) - 25 } };
	struct p9_msg r;
	int64_t n = sk_9p_request(s, o, len > cut ? 2 : 1, i, 3, 1);

	if (n <= 0)
		return;
	/* Whatever was asked: the answer is a message, and it is for this tag. */
	assert((size_t)n <= sizeof(in) && p9_get32(in) == (uint32_t)n);
	assert(p9_decode(in, (size_t)n, &r) == 0);
	assert(r.tag == p9_get16(msg + 5));
	assert(r.type == P9_RLERROR || r.type == msg[4] + 1);
	assert(r.type != P9_RLERROR || (r.u.ecode > 0 && r.u.ecode < 200));
}

static void fuzz_open(struct sk_9p_session *s, const char *version)
{
	uint8_t buf[64];
	struct p9_msg t = { .type = P9_TVERSION, .tag = P9_NOTAG };
	long n;

	t.u.version.msize = FUZZ_MSIZE;
	t.u.version.version = (struct p9_str){ version, (uint16_t)strlen(version) };
	n = p9_encode(&t, buf, sizeof(buf));
	fuzz_send(s, buf, (size_t)n);
	memset(&t, 0, sizeof(t));
	t.type = P9_TATTACH;
	t.u.attach.afid = P9_NOFID;
	t.u.attach.n_uname = 0;
	n = p9_encode(&t, buf, sizeof(buf));
	fuzz_send(s, buf, (size_t)n);
}

static void fuzz_conversation(const struct sk_9p_export *export, const uint8_t *data, size_t size)
{
	struct sk_9p_server_config sc = { .max_fids = 64,
					  .max_parked = 3,
					  .max_locks = 20,
					  .now_ms = fuzz_clock,
					  .watch = fuzz_watch,
					  .want = fuzz_want,
					  .unwatch = fuzz_unwatch,
					  .max_sockets = 8 };
	struct sk_9p_session_config c = {
		.exports = export, .n_exports = 1, .msize = FUZZ_MSIZE, .complete = fuzz_complete
	};
	struct sk_9p_session *s[2];
	struct sk_9p_server *server;
	static uint8_t msg[FUZZ_MSIZE];
	unsigned i;

	signal(SIGPIPE, SIG_IGN);
	if (sk_9p_server_new(&sc, &server) < 0)
		return;
	for (i = 0; i < 2; i++) {
		c.ext = i == 0;
		if (sk_9p_session_new(server, &c, &s[i]) < 0)
			return;
		fuzz_open(s[i], c.ext ? P9_VERSION_EXT : P9_VERSION);
	}
	for (i = 0; i < FUZZ_MESSAGES && size >= 2; i++) {
		unsigned which = data[1] >> 7;
		size_t len = (size_t)(data[0] | (data[1] & 0x1f) << 8);

		data += 2;
		size -= 2;
		if (len > size)
			len = size;
		if (len == 1) {
			const struct sk_9p_event e = {
				.kind = (uint8_t)(1 + data[0] % 6), .dir = 1, .name = "f", .new_name = "g"
			};

			if (fuzz_happens)
				fuzz_happens();
			sk_9p_session_event(s[which], &e);
			sk_9p_session_events_done(s[which]);
		}
		if (len < 3) {
			fuzz_now += 100;
			sk_9p_server_timer(server);
			fuzz_ready();
			continue;
		}
		p9_put32(msg, (uint32_t)len + 4);
		memcpy(msg + 4, data, len);
		data += len;
		size -= len;
		fuzz_fold(msg, len + 4);
		fuzz_send(s[which], msg, len + 4);
	}
	sk_9p_session_free(s[0]);
	sk_9p_session_free(s[1]);
	sk_9p_server_free(server);
}

#endif
