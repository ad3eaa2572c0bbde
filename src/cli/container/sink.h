/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_CLI_SINK_H
#define SK_CLI_SINK_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Writing to a descriptor that others share (our stdout) without ever sleeping in write() and without O_NONBLOCK on it,
 * which would be theirs too: pipes and terminals are opened a second time through /proc/self/fd with O_NONBLOCK,
 * sockets take MSG_DONTWAIT, files do not block. Where a second opening is not to be had, writes are of PIPE_BUF bytes
 * after poll() said that there is room.
 */
struct sk_sink {
	int fd;	    /* to poll and to write */
	int own_fd; /* to close; -1 */
	size_t max; /* most bytes of one write */
	int is_socket;
};

void sk_sink_init(struct sk_sink *sink, int fd);
void sk_sink_fini(struct sk_sink *sink);
/* Bytes taken, 0: none now (poll for POLLOUT), or negative errno. */
ssize_t sk_sink_write(struct sk_sink *sink, const void *p, size_t n);

#endif
