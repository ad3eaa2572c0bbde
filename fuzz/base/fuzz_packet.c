/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames on a byte stream: the input is such a stream, which is read in two ways, in pieces whose sizes are its first bytes
 * and by a plain walk over it. Both have to find the same frames, and the same end.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../input.h"
#include "base/packet.h"

#define STEPS 4u

static struct sk_packet_reader reader;

struct walk {
	const uint8_t *p; /* the stream */
	size_t n, at;
};

static void check(bool ok)
{
	if (!ok)
		abort();
}

static size_t length_at(const struct walk *w)
{
	const uint8_t *p = w->p + w->at;

	return (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
}

static void on_frame(void *arg, uint8_t *frame, size_t len)
{
	struct walk *w = arg;

	check(len >= SK_PACKET_MIN && len <= SK_PACKET_MAX && w->n - w->at >= SK_PACKET_HEADER + len);
	check(length_at(w) == len && memcmp(w->p + w->at + SK_PACKET_HEADER, frame, len) == 0);
	w->at += SK_PACKET_HEADER + len;
	memset(frame, 0, len);
}

/* What is left is no whole frame. */
static void check_end(const struct walk *w, bool broken)
{
	size_t len;

	if (w->n - w->at < SK_PACKET_HEADER) {
		check(!broken);
		return;
	}
	len = length_at(w);
	check(broken == (len < SK_PACKET_MIN || len > SK_PACKET_MAX));
	check(broken || w->n - w->at - SK_PACKET_HEADER < len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct walk w = { 0 };
	size_t at = 0, i;
	int r = 0;

	if (size < STEPS)
		return 0;
	w.p = data + STEPS;
	w.n = size - STEPS;
	memset(&reader, 0, sizeof(reader));
	for (i = 0; at < w.n; i++) {
		size_t step = 1 + (size_t)data[i % STEPS] * (i % 2 ? 1 : 257);
		uint8_t *piece;

		if (step > w.n - at)
			step = w.n - at;
		piece = malloc(step);
		check(piece != NULL);
		memcpy(piece, w.p + at, step);
		r = sk_packet_read(&reader, piece, step, on_frame, &w);
		free(piece);
		at += step;
		check(r == 0 || r == -EPROTO);
	}
	check_end(&w, r < 0);
	return 0;
}
