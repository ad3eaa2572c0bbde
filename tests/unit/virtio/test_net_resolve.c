/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's questions when the host's resolv.conf is another file than this process may read. */
#include "../sk_test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "net_guest.h"
#include "virtio/net_resolve.h"

#define QUESTION "\x12\x34\1\0\0\1\0\0\0\0\0\0\4host\0\0\1\0\1"
#define TCP_LEN 20u
#define LARGE 20000u
#define ANSWER "\x12\x34\x81\x80\0\1\0\1\0\0\0\0\4host\0\0\1\0\1\xc0\x0c\0\1\0\1\0\0\0\1\0\4\1\2\3\4"

static char directory[] = "/tmp/sk-resolve-XXXXXX", path[64];
static const char *conf;
static unsigned reads;

static int read_conf(void *arg, char *ret, size_t size)
{
	assert_ptr_equal(arg, &conf);
	reads++;
	if (!conf)
		return -EIO;
	return snprintf(ret, size, "%s", conf);
}

/* A file that cannot be opened, not by root either; another one each time. */
static void replace_conf(const char *text)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	char other[80];
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	conf = text;
	snprintf(other, sizeof(other), "%s.new", path);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", other);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	close(fd);
	assert_int_equal(rename(other, path), 0);
}

static void put_sum(uint8_t *at, uint32_t sum)
{
	uint16_t folded = htons((uint16_t)~ng_fold(sum));

	memcpy(at, &folded, 2);
}

static void ask(uint8_t id)
{
	uint8_t f[200];
	size_t at = ng_put_ip(f, IPPROTO_UDP, 8 + sizeof(QUESTION) - 1);

	memcpy(f + 30, "\x0a\0\2\3", 4);
	memcpy(f + at, "\x0f\xa0\0\x35\0\0\0\0", 8);
	f[at + 5] = 8 + sizeof(QUESTION) - 1;
	memcpy(f + at + 8, QUESTION, sizeof(QUESTION) - 1);
	f[at + 8] = id;
	ng_send_frame(NULL, f, at + 8 + sizeof(QUESTION) - 1);
}

/* A name server has the question, and answers with `n` bytes. */
static void serve(int server, uint8_t id, const void *answer, size_t n)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	uint8_t buf[512];
	ssize_t got = -1;
	int i;

	for (i = 0; i < 3000 && got < 0; i++) {
		sk_loop_once(ng.loop, 1);
		got = recvfrom(server, buf, sizeof(buf), MSG_DONTWAIT, (struct sockaddr *)&from, &len);
	}
	assert_int_equal(got, sizeof(QUESTION) - 1);
	assert_int_equal(buf[0], id);
	assert_memory_equal(buf + 1, &QUESTION[1], sizeof(QUESTION) - 2);
	assert_int_equal(sendto(server, answer, n, 0, (struct sockaddr *)&from, len), n);
}

static void expect_answer(void)
{
	const uint8_t *f = ng.frame;
	size_t n = sizeof(ANSWER) - 1;

	assert_int_equal(ng_receive(2000), 42 + n);
	assert_memory_equal(f + 26, "\x0a\0\2\3\x0a\0\2\x0f", 8);
	assert_memory_equal(f + 34, "\0\x35\x0f\xa0", 4);
	assert_memory_equal(f + 42, ANSWER, n);
	assert_int_equal(ng_fold(ng_sum16(f + 14, 20, 0)), 0xffff);
	assert_int_equal(ng_fold(ng_sum16(f + 26, 8, ng_sum16(f + 34, 8 + n, IPPROTO_UDP + 8 + (uint32_t)n))), 0xffff);
}

static void test_replaced(void **state)
{
	struct sk_slirp_config config = {
		.mtu = 1500, .resolv_conf = read_conf, .resolv_arg = &conf, .resolv_path = path
	};
	int server = ng_server(SOCK_DGRAM, &config.dns_port);
	char other[sizeof(ANSWER)];

	(void)state;
	reads = 0;
	replace_conf("# of a VPN\nsearch example\nnameserver 127.0.0.1\n");
	ng_start(&config, BIT(VIRTIO_NET_F_MRG_RXBUF), 16, 2048);
	ng_learn_gateway();
	ask(0x12);
	serve(server, 0x12, ANSWER, sizeof(ANSWER) - 1);
	expect_answer();
	ask(0x12);
	serve(server, 0x12, ANSWER, sizeof(ANSWER) - 1);
	expect_answer();
	assert_int_equal(reads, 1); /* once for each change */

	/* The first server refuses. */
	replace_conf("nameserver 127.0.0.2\nnameserver 127.0.0.1");
	ask(0x12);
	serve(server, 0x12, ANSWER, sizeof(ANSWER) - 1);
	expect_answer();
	assert_int_equal(reads, 2);

	/* What answers another question, or none, is not passed on. */
	memcpy(other, ANSWER, sizeof(ANSWER));
	other[1] ^= 1;
	ask(0x12);
	serve(server, 0x12, other, sizeof(ANSWER) - 1);
	assert_int_equal(ng_receive(50), 0);
	ask(0x13);
	serve(server, 0x13, QUESTION, sizeof(QUESTION) - 1);
	assert_int_equal(ng_receive(50), 0);

	/* A server that is silent: the next one after two seconds. */
	replace_conf("nameserver 127.0.0.1\nnameserver 127.0.0.1\n");
	ask(0x12);
	serve(server, 0x12, "", 0);
	serve(server, 0x12, ANSWER, sizeof(ANSWER) - 1);
	expect_answer();
	ng_stop();
	close(server);
}

/* Nobody knows what is in the file: the guest gets no answer, and nothing is lost but that. */
static void test_unknown(void **state)
{
	struct sk_slirp_config config = {
		.mtu = 1500, .resolv_conf = read_conf, .resolv_arg = &conf, .resolv_path = path, .isolated = true
	};

	(void)state;
	reads = 0;
	replace_conf(NULL);
	ng_start(&config, BIT(VIRTIO_NET_F_MRG_RXBUF), 16, 2048);
	ng_learn_gateway();
	ask(0x12); /* one without a way out has no name server */
	assert_int_equal(ng_receive(20), 0);
	assert_int_equal(reads, 0);
	ng_stop();
}

/* A segment from the guest's port `from` to its name server. */
static void send_segment(uint16_t from, uint8_t flags, const void *data, size_t n)
{
	uint8_t f[1600] = { 0 };
	size_t at = ng_put_ip(f, IPPROTO_TCP, TCP_LEN + n);
	struct tcphdr t = { .source = htons(from),
			    .dest = htons(53),
			    .seq = htonl(ng.seq),
			    .ack_seq = htonl(ng.ack),
			    .doff = 5,
			    .window = htons(65000) };

	((uint8_t *)&t)[13] = flags;
	memcpy(f + 30, "\x0a\0\2\3", 4);
	memset(f + 24, 0, 2);
	put_sum(f + 24, ng_sum16(f + 14, 20, 0));
	memcpy(f + at, &t, TCP_LEN);
	memcpy(f + at + TCP_LEN, data, n);
	put_sum(f + at + 16, ng_sum16(f + at, TCP_LEN + n, ng_sum16(f + 26, 8, IPPROTO_TCP + TCP_LEN + (uint32_t)n)));
	ng_send_frame(NULL, f, at + TCP_LEN + n);
	ng.seq += (uint32_t)n + (flags & TH_SYN ? 1 : 0);
}

/* The next segment for the guest is from its name server to its port `to`. Its bytes of data. */
static size_t expect_segment(uint16_t to, struct tcphdr *t)
{
	const uint8_t *f = ng.frame;
	size_t n;

	do {
		n = ng_receive(2000);
		assert_true(n >= 54);
		ng_give_buffers(ng.merged);
	} while (f[23] != IPPROTO_TCP);
	assert_memory_equal(f + 26, "\x0a\0\2\3\x0a\0\2\x0f", 8);
	memcpy(t, f + 34, TCP_LEN);
	assert_int_equal(ntohs(t->source), 53);
	assert_int_equal(ntohs(t->dest), to);
	n = (size_t)(f[16] << 8 | f[17]) - 20;
	assert_int_equal(ng_fold(ng_sum16(f + 14, 20, 0)), 0xffff);
	assert_int_equal(ng_fold(ng_sum16(f + 34, n, ng_sum16(f + 26, 8, IPPROTO_TCP + (uint32_t)n))), 0xffff);
	return n - t->doff * 4u;
}

/* Returns the server's end of a connection of the guest's port `from`; -1: refused. */
static int connect_tcp(int listener, uint16_t from)
{
	struct tcphdr t;
	int i, s = -1;

	ng.seq = 1000;
	ng.ack = 0;
	send_segment(from, TH_SYN, "", 0);
	expect_segment(from, &t);
	if (t.rst)
		return -1;
	assert_true(t.syn && t.ack);
	ng.ack = ntohl(t.seq) + 1;
	send_segment(from, TH_ACK, "", 0);
	for (i = 0; i < 500 && s < 0; i++) {
		sk_loop_once(ng.loop, 1);
		s = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	}
	assert_true(s >= 0);
	return s;
}

/* A question with its length in front, and an answer that no datagram could carry. */
static void exchange_tcp(int s, uint16_t from)
{
	static uint8_t answer[2 + LARGE];
	uint8_t buf[2 + sizeof(QUESTION)];
	struct tcphdr t;
	ssize_t got = -1;
	size_t n = 0, i;

	memcpy(buf, (const uint8_t[]){ 0, sizeof(QUESTION) - 1 }, 2);
	memcpy(buf + 2, QUESTION, sizeof(QUESTION) - 1);
	send_segment(from, TH_ACK | TH_PUSH, buf, sizeof(QUESTION) + 1);
	for (i = 0; i < 1000 && got < 0; i++) {
		sk_loop_once(ng.loop, 1);
		got = recv(s, buf, sizeof(buf), MSG_DONTWAIT);
	}
	assert_int_equal(got, sizeof(QUESTION) + 1);
	assert_memory_equal(buf + 2, QUESTION, sizeof(QUESTION) - 1);
	for (i = 0; i < sizeof(answer); i++)
		answer[i] = ng_pattern(i);
	assert_int_equal(send(s, answer, sizeof(answer), 0), sizeof(answer));
	while (n < sizeof(answer)) {
		size_t part = expect_segment(from, &t);

		assert_true(part <= sizeof(answer) - n);
		if (!part)
			continue;
		assert_int_equal(ntohl(t.seq), ng.ack);
		assert_memory_equal(ng.frame + 34 + t.doff * 4u, answer + n, part);
		n += part;
		ng.ack += (uint32_t)part;
		send_segment(from, TH_ACK, "", 0);
	}
}

static void test_tcp(void **state)
{
	struct sk_slirp_config config = { .mtu = 1500,
					  .resolv_conf = read_conf,
					  .resolv_arg = &conf,
					  .resolv_path = path,
					  .no_host_loopback = true };
	int listener = ng_server(SOCK_STREAM, &config.dns_port), s;
	struct tcphdr t;

	(void)state;
	replace_conf("nameserver ::1\nnameserver 127.0.0.1\n"); /* segments of IPv4 cannot be turned to the first one */
	ng_start(&config, BIT(VIRTIO_NET_F_MRG_RXBUF), 32, 2048);
	ng_learn_gateway();
	s = connect_tcp(listener, 6000);
	exchange_tcp(s, 6000);

	/* What began with one server stays there when the file changes. */
	replace_conf("nameserver 127.0.0.2\nnameserver 127.0.0.1\n");
	exchange_tcp(s, 6000);
	close(s);
	expect_segment(6000, &t);
	assert_true(t.fin);

	/* A server that refuses: the next connection goes to the other one. */
	assert_int_equal(connect_tcp(listener, 6001), -1);
	s = connect_tcp(listener, 6002);
	exchange_tcp(s, 6002);
	close(s);
	ng_stop();
	close(listener);
}

static void test_parse(void **state)
{
	struct sockaddr_storage s[NET_RESOLVE_SERVERS];
	const struct sockaddr_in *in = (struct sockaddr_in *)&s[0];
	const struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&s[1];

	(void)state;
	assert_int_equal(net_resolve_parse("", 53, s), 0);
	assert_int_equal(
		net_resolve_parse("nameserver\nnameservers 1.1.1.1\nnameserver x\n nameserver 1.1.1.1\n", 53, s), 0);
	assert_int_equal(
		net_resolve_parse("options edns0\nnameserver \t192.0.2.1 # first\nnameserver fe80::1%lo\r\n", 53, s),
		2);
	assert_int_equal(in->sin_addr.s_addr, htonl(0xc0000201));
	assert_int_equal(ntohs(in->sin_port), 53);
	assert_int_equal(in6->sin6_family, AF_INET6);
	assert_int_equal(in6->sin6_scope_id, 1);
	assert_int_equal(
		net_resolve_parse("nameserver 1.1.1.1\nnameserver 1.1.1.2\nnameserver 1.1.1.3\nnameserver 1.1.1.4\n",
				  53, s),
		3);
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/resolv.conf", directory);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replaced),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_parse),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
