/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor's end of the control channel: what a guest, whose agent may be anybody, says as frames. The first byte is
 * the size of the pieces that it comes in, the second the number of requests that wait for an answer. No I/O: streams
 * and the rest of the monitor are stubs that look at what they are given.
 */
#include <assert.h>

#include "../../tests/unit/vm/session_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned answers;

static void on_answer(void *arg, const struct sk_reply *reply)
{
	const char *p = reply && !reply->ok ? reply->message : NULL;

	(void)arg;
	for (; p && *p; p++)
		assert((unsigned char)*p >= ' ' && *p != 0x7f); /* it goes to people's terminals */
	answers++;
}

static void feed(struct owner *o, const uint8_t *data, size_t size)
{
	size_t piece = size ? (size_t)data[0] + 1 : 1, waiting = size > 1 ? data[1] % 8 : 0, at, i;

	/* accept() has been called: the session is there. */
	for (i = 0; i < waiting; i++)
		sk_session_request(o->session, &(const struct sk_msg){ .op = SK_OP_STATS, .container = "c0" },
				   on_answer, NULL);
	for (at = 2; at < size && !o->lost; at += piece) {
		size_t n = size - at < piece ? size - at : piece;

		assert(events.data(events_arg, data + at, n) == n);
	}
	if (!o->lost && size % 2)
		events.eof(events_arg);
	sk_session_free(o->session);
	o->session = NULL;
	assert(answers == waiting || o->lost); /* each is answered once, at the latest at the end */
	assert(answers <= waiting);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct owner o = { 0 };

	answers = 0;
	fixture_up(&o);
	feed(&o, data, size);
	fixture_down(&o);
	return 0;
}
