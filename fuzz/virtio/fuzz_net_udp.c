/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A published UDP port: datagrams of two clients come in, and the guest sends frames, most of them answers to one of
 * them, with anything wrong in them. Each frame lies in memory of exactly its size.
 */
#include <arpa/inet.h>
#include <net/ethernet.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "numbers.h"
#include "virtio/net_internal.h"

#define CLIENTS 2u
#define GUEST_PORT 53u
#define FRAME_MAX 2048u

static void check(bool ok)
{
	if (!ok)
		abort();
}

static int client_socket(struct sockaddr_in *ret)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t len = sizeof(*ret);

	check(fd >= 0 && bind(fd, (struct sockaddr *)&any, sizeof(any)) == 0 &&
	      getsockname(fd, (struct sockaddr *)ret, &len) == 0);
	return fd;
}

/* Publishes a port that is free now. False: somebody was faster. */
static bool publish(struct net_forward_udp *u, struct sockaddr_in *ret)
{
	struct sk_slirp_forward forward = { .udp = true, .guest_port = GUEST_PORT };
	int fd = client_socket(ret);

	close(fd);
	memcpy(forward.host_addr, &ret->sin_addr, 4);
	forward.host_port = ntohs(ret->sin_port);
	return net_forward_udp_add(u, &forward) == 0;
}

static size_t make_answer(struct input *in, uint8_t *f, const struct sockaddr_in *to)
{
	uint8_t what = in_u8(in);
	size_t n = in_u16(in) % 1400, len = ETH_HLEN + 28 + n;
	uint8_t *ip = f + ETH_HLEN, *udp = ip + 20;
	struct in_addr gateway;

	memset(f, 0, len);
	f[12] = 8;
	ip[0] = 0x45;
	ip[2] = (uint8_t)((28 + n) >> 8);
	ip[3] = (uint8_t)(28 + n);
	ip[9] = IPPROTO_UDP;
	inet_pton(AF_INET, SK_SLIRP_GATEWAY, &gateway);
	memcpy(ip + 16, &gateway, 4);
	udp[1] = GUEST_PORT;
	memcpy(udp + 2, &to->sin_port, 2);
	udp[4] = (uint8_t)((8 + n) >> 8);
	udp[5] = (uint8_t)(8 + n);
	if (what & 1)
		f[in_u8(in) % 42] = in_u8(in);
	if (what & 2)
		len = in_u16(in) % len;
	return len;
}

/* The guest takes nothing. */
static void drop(struct net_link *link, const struct net_offload *h, const uint8_t *frame, size_t len)
{
	(void)link;
	(void)h;
	(void)frame;
	(void)len;
}

static void flush(struct net_link *link)
{
	(void)link;
}

static const struct net_link_ops ops = { drop, flush };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct net_link net = { .ops = &ops, .mtu = 1500 };
	static uint8_t made[FRAME_MAX];
	int clients[CLIENTS];
	struct sockaddr_in addresses[CLIENTS], port;
	struct input in = { data, size };
	struct net_forward_udp *u;
	struct sk_loop *loop = NULL;
	unsigned i;

	sk_log_init(-1, SK_LOG_ERROR);
	check(sk_loop_new(&loop) == 0);
	u = net_forward_udp_new(loop, &net);
	check(u != NULL);
	if (!publish(u, &port))
		in.n = 0;
	for (i = 0; i < CLIENTS; i++)
		clients[i] = client_socket(&addresses[i]);
	while (in.n > 0) {
		uint8_t what = in_u8(&in);
		unsigned c = what >> 2 & 1;

		if ((what & 3) == 0) {
			size_t n = in_u8(&in);

			(void)sendto(clients[c], made, n, MSG_DONTWAIT, (struct sockaddr *)&port, sizeof(port));
			sk_loop_once(loop, 0);
		} else {
			size_t len = (what & 3) == 1 ? in_bytes(&in, made, in_u8(&in))
						     : make_answer(&in, made, &addresses[c]);
			uint8_t *frame = malloc(len ? len : 1);

			check(frame != NULL);
			memcpy(frame, made, len);
			net_forward_udp_take(u, frame, len);
			free(frame);
		}
	}
	for (i = 0; i < CLIENTS; i++)
		close(clients[i]);
	net_forward_udp_free(u);
	sk_loop_free(loop);
	return 0;
}
