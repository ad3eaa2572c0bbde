/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VIRTIO_NET_TCP_H
#define SK_VIRTIO_NET_TCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The TCP connections between the guest and libslirp, see net_tcp.c. Frames are Ethernet frames. */
struct net_tcp;

struct net_tcp_ops {
	/* Hands a frame to libslirp as if the guest had sent it. */
	void (*input)(void *arg, uint8_t *frame, size_t len);
	/* Hands a frame to the guest. */
	void (*deliver)(void *arg, const uint8_t *frame, size_t len);
	/* Returns true if libslirp holds data of the guest that it has not written to socket `fd` yet. */
	bool (*has_unwritten)(void *arg, int fd);
};

/* NULL: no memory. At most `max` connections are tracked; others go to libslirp unchanged. */
struct net_tcp *net_tcp_new(const struct net_tcp_ops *ops, void *arg, unsigned max);
/* Accepts NULL. */
void net_tcp_free(struct net_tcp *t);

/* Around each slirp_input(). The frame has its checksum; a FIN that has to wait is taken off it. */
void net_tcp_begin_input(struct net_tcp *t, uint8_t *frame, size_t len);
void net_tcp_end_input(struct net_tcp *t);
/* A frame of libslirp for the guest. */
void net_tcp_output(struct net_tcp *t, const uint8_t *frame, size_t len);

/* libslirp has made, asks about, or is about to close a socket. */
void net_tcp_registered(struct net_tcp *t, int fd);
void net_tcp_polled(struct net_tcp *t, int fd);
void net_tcp_unregistered(struct net_tcp *t, int fd);

/* A socket that libslirp only wants to write to has ended or failed. True: the connection was reset; the next
 * net_tcp_run() tells libslirp and the guest. */
bool net_tcp_is_reset(struct net_tcp *t, int fd);
/* Passes on the resets that are due. */
void net_tcp_run_resets(struct net_tcp *t);
/* After slirp_pollfds_fill(): passes on the FINs that need not wait any longer. True when libslirp got one. */
bool net_tcp_run_fins(struct net_tcp *t);

/* Reminds libslirp of connections of which only the guest's half is open. */
#define NET_TCP_KEEP_MS 240000u
void net_tcp_keep(struct net_tcp *t);

#endif
