/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network over a stream: the guest is this test, at the other end of TCP on loopback, with frames made by hand. All of
 * it knows no system: it runs on Linux and on Windows.
 */
#include "../sk_test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/socket.h"
#include "virtio/net_stream.h"
#include "virtio/net_internal.h"
#include "virtio/stream_kinds.h"

#define PORT 1025u
#define GUEST_PORT 53u
#define ROUNDS 2000 /* of at most 5 ms */
#define HEADERS (14u + 20u + 8u)
#define FLOOD 4000u
#define FLOOD_BYTES 8000u
/* Buffers of the system's on the way, the stream's, and the backlog. */
#define FLOOD_MOST (20u << 20)

static const uint8_t mac[6] = { 0x52, 0x54, 0, 1, 2, 3 };
static char dir[] = "/tmp/sk-test-net-stream-XXXXXX";
static struct sk_loop *loop;
static struct sk_carrier *carrier;
static struct sk_net_stream *net;
static int guest;
static struct sk_packet_reader reader;
static struct {
	size_t bytes, len; /* of all; of the last one that is awaited */
	uint16_t type;
	uint8_t protocol; /* 0: any */
	uint8_t last[SK_PACKET_MAX];
} seen;

static bool on_accept(void *arg, struct sk_stream *stream, uint32_t guest_port)
{
	(void)arg;
	(void)guest_port;
	if (!sk_net_stream_is_free(net))
		return false;
	sk_net_stream_join(net, stream, NULL, 0);
	return true;
}

static void on_frame(void *arg, uint8_t *frame, size_t len)
{
	(void)arg;
	seen.bytes += len;
	if ((frame[12] << 8 | frame[13]) != seen.type || (seen.protocol && (len < 34 || frame[23] != seen.protocol)))
		return;
	seen.len = len;
	memcpy(seen.last, frame, len);
}

/* Connects as the guest does; the small buffer is soon full. */
static int dial(void)
{
	_cleanup_free_ char *path = sk_asprintf("%s/host-%u", dir, PORT), *text = NULL;
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 65536;

	assert_int_equal(sk_fs_read(AT_FDCWD, path, 16, &text, NULL), 0);
	a.sin_port = htons((uint16_t)strtoul(text, NULL, 10));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(sk_socket_nonblock(fd), 0);
	return fd;
}

static void start(const struct sk_slirp_config *config)
{
	struct sk_slirp_config c = config ? *config : (struct sk_slirp_config){ .mtu = 0 };
	struct sk_error err = SK_ERROR_INIT;
	int i;

	memset(&reader, 0, sizeof(reader));
	memset(&seen, 0, sizeof(seen));
	memcpy(c.mac, mac, 6);
	c.mtu = SK_SLIRP_MTU;
	assert_int_equal(sk_loop_new(&loop), 0);
	assert_int_equal(sk_socket_carrier_new(loop, &sk_socket_tcp, dir, &carrier), 0);
	assert_int_equal(sk_carrier_listen(carrier, PORT, on_accept, NULL), 0);
	if (sk_net_stream_new(loop, &c, &net, &err) < 0)
		fail_msg("%s", err.message);
	guest = dial();
	for (i = 0; i < ROUNDS && sk_net_stream_is_free(net); i++)
		sk_loop_once(loop, 5);
	assert_false(sk_net_stream_is_free(net));
}

static void stop(void)
{
	sk_close_fd(&guest);
	sk_net_stream_free(net);
	sk_socket_carrier_free(carrier);
	sk_loop_free(loop);
}

static void send_frame(const uint8_t *frame, size_t len)
{
	struct sk_buf out;

	sk_buf_init(&out, SK_PACKET_HEADER + SK_PACKET_MAX);
	assert_int_equal(sk_packet_put(&out, frame, len), 0);
	assert_int_equal(send(guest, sk_buf_data(&out), out.len, MSG_NOSIGNAL), out.len);
	sk_buf_fini(&out);
}

/* Reads what is there. False: the stream has ended. */
static bool receive(void)
{
	static uint8_t chunk[65536];
	ssize_t n;

	while ((n = recv(guest, chunk, sizeof(chunk), MSG_DONTWAIT)) > 0)
		assert_int_equal(sk_packet_read(&reader, chunk, (size_t)n, on_frame, NULL), 0);
	return n < 0 && errno == EAGAIN;
}

/* Runs until a frame of that type (and protocol of IPv4, if not 0) has come: it is in `seen`. */
static void await(uint16_t type, uint8_t protocol)
{
	int i;

	seen.type = type;
	seen.protocol = protocol;
	seen.len = 0;
	for (i = 0; i < ROUNDS && !seen.len; i++) {
		sk_loop_once(loop, 5);
		assert_true(receive());
	}
	if (!seen.len)
		fail_msg("no frame of type %x", type);
}

static void send_arp(void)
{
	uint8_t f[42] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1 };

	memcpy(f + 6, mac, 6);
	memcpy(f + 22, mac, 6);
	inet_pton(AF_INET, SK_SLIRP_ADDRESS, f + 28);
	inet_pton(AF_INET, SK_SLIRP_GATEWAY, f + 38);
	send_frame(f, sizeof(f));
}

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* A datagram of the guest's for the gateway, that is, for this host. */
static void send_udp(uint16_t from, uint16_t to, const char *text)
{
	size_t n = strlen(text);
	uint8_t f[HEADERS + 100] = { 0x52, 0x55, 10, 0, 2, 2 }, *ip = f + 14, *udp = ip + 20;

	assert_true(n <= 100);
	memcpy(f + 6, mac, 6);
	put16(f + 12, 0x0800);
	ip[0] = 0x45;
	put16(ip + 2, (unsigned)(28 + n));
	ip[8] = 64;
	ip[9] = IPPROTO_UDP;
	inet_pton(AF_INET, SK_SLIRP_ADDRESS, ip + 12);
	inet_pton(AF_INET, SK_SLIRP_GATEWAY, ip + 16);
	put16(ip + 10, net_fold(net_sum(ip, 20, 0)));
	put16(udp, from);
	put16(udp + 2, to);
	put16(udp + 4, (unsigned)(8 + n));
	memcpy(udp + 8, text, n);
	send_frame(f, HEADERS + n);
}

static int datagram_socket(struct sockaddr_in *ret)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t len = sizeof(*ret);

	*ret = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	assert_int_equal(bind(fd, (struct sockaddr *)ret, sizeof(*ret)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)ret, &len), 0);
	return fd;
}

static void await_datagram(int fd, const char *text)
{
	char got[200];
	ssize_t n = -1;
	int i;

	for (i = 0; i < ROUNDS && n < 0; i++) {
		sk_loop_once(loop, 5);
		n = recv(fd, got, sizeof(got), MSG_DONTWAIT);
	}
	assert_int_equal(n, strlen(text));
	assert_memory_equal(got, text, strlen(text));
}

static void test_frames(void **state)
{
	struct sockaddr_in host;
	int fd = datagram_socket(&host);

	(void)state;
	start(NULL);
	send_arp();
	await(0x0806, 0);
	assert_int_equal(seen.last[21], 2);
	assert_memory_equal(seen.last, mac, 6);
	/* Out and back. */
	send_udp(4000, ntohs(host.sin_port), "ping");
	await_datagram(fd, "ping");
	close(fd);
	stop();
}

/* A published port: the answer comes from where the question went. */
static void test_published(void **state)
{
	struct sk_slirp_forward forward = { .udp = true, .guest_port = GUEST_PORT };
	struct sk_slirp_config config = { .forwards = &forward, .n_forwards = 1 };
	struct sockaddr_in port, client;
	int taken = datagram_socket(&port), fd = datagram_socket(&client);
	struct sk_slirp_forward again;

	(void)state;
	close(taken); /* free, most likely */
	memcpy(forward.host_addr, &port.sin_addr, 4);
	forward.host_port = ntohs(port.sin_port);
	start(&config);
	again = forward;
	assert_int_equal(sk_net_stream_publish(net, &again), -EADDRINUSE);
	/* Connected: what comes from elsewhere would not be received. */
	assert_int_equal(connect(fd, (struct sockaddr *)&port, sizeof(port)), 0);
	assert_int_equal(send(fd, "ask", 3, 0), 3);
	await(0x0800, IPPROTO_UDP);
	assert_int_equal(seen.len, HEADERS + 3);
	assert_int_equal(seen.last[34] << 8 | seen.last[35], ntohs(client.sin_port));
	assert_int_equal(seen.last[36] << 8 | seen.last[37], GUEST_PORT);
	assert_memory_equal(seen.last + HEADERS, "ask", 3);
	send_udp(GUEST_PORT, ntohs(client.sin_port), "answer");
	await_datagram(fd, "answer");
	sk_net_stream_withdraw(net, &forward);
	assert_int_equal(sk_net_stream_publish(net, &again), 0);
	close(fd);
	stop();
}

static void test_bad_length(void **state)
{
	int i, other;
	char c;

	(void)state;
	start(NULL);
	send_arp();
	await(0x0806, 0);
	assert_int_equal(send(guest, "\0\1\0\x12", 4, MSG_NOSIGNAL), 4);
	for (i = 0; i < ROUNDS && receive(); i++)
		sk_loop_once(loop, 5);
	assert_true(i < ROUNDS);
	/* Nobody else gets in its place. */
	other = dial();
	for (i = 0; i < ROUNDS && recv(other, &c, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN; i++)
		sk_loop_once(loop, 5);
	assert_true(i < ROUNDS);
	close(other);
	stop();
}

/* A guest that does not read: what is kept for it is bounded, the rest is dropped, and every frame that it gets is whole. */
static void test_slow_guest(void **state)
{
	struct sk_slirp_forward forward = { .udp = true, .guest_port = GUEST_PORT };
	struct sk_slirp_config config = { .forwards = &forward, .n_forwards = 1 };
	static char data[FLOOD_BYTES];
	struct sockaddr_in port, client;
	int taken = datagram_socket(&port), fd = datagram_socket(&client);
	unsigned i;

	(void)state;
	close(taken);
	memcpy(forward.host_addr, &port.sin_addr, 4);
	forward.host_port = ntohs(port.sin_port);
	start(&config);
	assert_int_equal(connect(fd, (struct sockaddr *)&port, sizeof(port)), 0);
	for (i = 0; i < FLOOD; i++) {
		(void)send(fd, data, sizeof(data), 0);
		if (i % 8 == 0)
			sk_loop_once(loop, 0);
	}
	for (i = 0; i < 100; i++) {
		sk_loop_once(loop, 5);
		assert_true(receive());
	}
	assert_true(seen.bytes > 1u << 20);
	assert_true(seen.bytes < FLOOD_MOST);
	/* It goes on where it reads again. */
	send_arp();
	await(0x0806, 0);
	close(fd);
	stop();
}

static void test_end(void **state)
{
	int i;

	(void)state;
	start(NULL);
	sk_close_fd(&guest);
	for (i = 0; i < 20; i++)
		sk_loop_once(loop, 5);
	assert_false(sk_net_stream_is_free(net));
	stop();
}

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	return sk_fs_remove_tree(AT_FDCWD, dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames),	   cmocka_unit_test(test_published), cmocka_unit_test(test_bad_length),
		cmocka_unit_test(test_slow_guest), cmocka_unit_test(test_end),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
