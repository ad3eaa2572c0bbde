/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections of a guest for the host's services: they come, send pieces of anything, with the token or without, end and
 * go, in any order. There is no ssh-agent.
 */
#include "../../tests/unit/vm/services_fixture.h"
#include "../input.h"

#include "base/log.h"

#define STREAMS 8u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sk_stream *streams[STREAMS] = { NULL };
	struct sk_services *s;
	struct sk_loop *loop;
	size_t n;

	sk_log_init(-1, SK_LOG_ERROR);
	if (sk_loop_new(&loop) < 0)
		abort();
	s = services_start(loop, true, NULL);
	while (size >= 2) {
		struct sk_stream **at = &streams[data[0] % STREAMS];
		uint8_t what = data[0] / STREAMS % 8;

		n = data[1] < size - 2 ? data[1] : size - 2;
		publish_result = data[0] & 0x80 ? -EADDRINUSE : 0;
		data += 2;
		size -= 2;
		if (!*at) {
			*at = guest_connect();
			if (*at && what & 1)
				guest_send(*at, token, sizeof(token));
		} else if (what < 6) {
			guest_send(*at, data, n);
			data += n;
			size -= n;
		} else if (what == 6) {
			guest_shut(*at);
		} else {
			guest_drop(*at);
			*at = NULL;
		}
	}
	sk_services_free(s);
	if (n_ports)
		abort();
	for (n = 0; n < STREAMS; n++)
		if (streams[n])
			guest_drop(streams[n]);
	sk_loop_free(loop);
	return 0;
}
