/* SPDX-License-Identifier: Apache-2.0 */
/* Writing to our own output on Windows: where it is no socket nothing tells whether it would wait, and it does. The monitor
 * holds up the guest meanwhile. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/container/sink.h"

#define CHUNK 65536u

void sk_sink_init(struct sk_sink *s, int fd)
{
	struct stat st;

	*s = (struct sk_sink){ .fd = fd, .own_fd = -1, .max = CHUNK };
	s->is_socket = fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

void sk_sink_fini(struct sk_sink *s)
{
	(void)s;
}

ssize_t sk_sink_write(struct sk_sink *s, const void *p, size_t n)
{
	ssize_t r = write(s->fd, p, n > s->max ? s->max : n);

	if (r < 0)
		return errno == EAGAIN ? 0 : -errno;
	return r;
}
