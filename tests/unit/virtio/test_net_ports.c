/* SPDX-License-Identifier: Apache-2.0 */
/* Ports that come and go while the network runs, seen from the host: no guest is connected. */
#include "../sk_test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "frontend.h"
#include "virtio/device.h"

static struct sk_loop *loop;
static struct sk_device *net;

static void start(const struct sk_slirp_forward *forwards, unsigned n)
{
	struct sk_slirp_config config = { .mac = { 2, 0, 0, 0, 0, 1 }, .forwards = forwards, .n_forwards = n };
	struct sk_error err = SK_ERROR_INIT;
	struct sockaddr_un addr;
	unsigned addr_len;

	assert_int_equal(sk_loop_new(&loop), 0);
	if (sk_net_slirp_new(loop, fe_listen(&addr, &addr_len), &config, &net, &err) < 0)
		fail_msg("%s", err.message);
}

static void stop(void)
{
	sk_device_free(net);
	sk_loop_free(loop);
}

static void run(void)
{
	int i;

	for (i = 0; i < 10; i++)
		sk_loop_once(loop, 0);
}

static struct sockaddr_storage address(const struct sk_slirp_forward *f, socklen_t *ret_len)
{
	struct sockaddr_storage all = { 0 };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(f->host_port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(f->host_port) };

	memcpy(&in.sin_addr, f->host_addr, 4);
	memcpy(&in6.sin6_addr, f->host_addr, 16);
	*ret_len = f->v6 ? sizeof(in6) : sizeof(in);
	memcpy(&all, f->v6 ? (void *)&in6 : (void *)&in, *ret_len);
	return all;
}

/* A socket on the address; negative errno where it is taken. */
static int take(const struct sk_slirp_forward *f)
{
	int fd = socket(f->v6 ? AF_INET6 : AF_INET, (f->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0), on = 1;
	struct sockaddr_storage a;
	socklen_t len;

	a = address(f, &len);
	if (!f->udp) /* closed connections of before are no harm */
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (f->v6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&a, len) < 0 || (!f->udp && listen(fd, 4) < 0)) {
		int r = -errno;

		close(fd);
		return r;
	}
	return fd;
}

/* A port that nobody has, of all addresses of both families. */
static uint16_t free_port(bool udp)
{
	struct sk_slirp_forward any = { .udp = udp, .v6 = true };
	struct sockaddr_in6 a;
	socklen_t len = sizeof(a);
	int fd = take(&any);

	assert_true(fd >= 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	close(fd);
	return ntohs(a.sin6_port);
}

/* 0: connected. */
static int try_connect(const struct sk_slirp_forward *f)
{
	int fd = socket(f->v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), r;
	struct sockaddr_storage a;
	socklen_t len;

	a = address(f, &len);
	r = connect(fd, (struct sockaddr *)&a, len) < 0 ? -errno : 0;
	close(fd);
	run();
	return r;
}

static void test_tcp(void **state)
{
	struct sk_slirp_forward f = { .host_addr = { 127, 0, 0, 1 },
				      .host_port = free_port(false),
				      .guest_port = 61000 };
	int i, fd;

	(void)state;
	start(NULL, 0);
	assert_int_equal(try_connect(&f), -ECONNREFUSED);
	for (i = 0; i < 3; i++) {
		assert_int_equal(sk_net_slirp_publish(net, &f), 0);
		run();
		assert_int_equal(take(&f), -EADDRINUSE);
		assert_int_equal(try_connect(&f), 0);
		assert_int_equal(sk_net_slirp_publish(net, &f), -EADDRINUSE);
		sk_net_slirp_withdraw(net, &f);
		assert_int_equal(try_connect(&f), -ECONNREFUSED);
		run();
	}
	sk_net_slirp_withdraw(net, &f); /* again: nothing */
	fd = take(&f);
	assert_true(fd >= 0);
	assert_int_equal(sk_net_slirp_publish(net, &f), -EADDRINUSE);
	close(fd);
	stop();
}

/* 0.0.0.0 and :: both, as dockerd asks for them; in any order. */
static void test_both_families(void **state)
{
	struct sk_slirp_forward f4 = { .host_port = free_port(false), .guest_port = 61000 };
	struct sk_slirp_forward f6 = { .v6 = true, .host_port = f4.host_port, .guest_port = 61001 }, l6 = f6;

	(void)state;
	l6.host_addr[15] = 1;
	start(NULL, 0);
	assert_int_equal(sk_net_slirp_publish(net, &f6), 0);
	assert_int_equal(sk_net_slirp_publish(net, &f4), 0);
	run();
	assert_int_equal(try_connect(&l6), 0);
	assert_int_equal(try_connect(&f4), 0);
	sk_net_slirp_withdraw(net, &f4);
	assert_int_equal(try_connect(&f4), -ECONNREFUSED);
	assert_int_equal(try_connect(&l6), 0);
	assert_int_equal(sk_net_slirp_publish(net, &f4), 0);
	sk_net_slirp_withdraw(net, &f6);
	assert_int_equal(try_connect(&l6), -ECONNREFUSED);
	assert_int_equal(try_connect(&f4), 0);
	f4.udp = f6.udp = true;
	assert_int_equal(sk_net_slirp_publish(net, &f4), 0);
	assert_int_equal(sk_net_slirp_publish(net, &f6), 0);
	stop();
}

/* The inner port of one is not taken for another's, whatever came and went before. */
static void test_many(void **state)
{
	struct sk_slirp_forward f[24];
	unsigned i, round;

	(void)state;
	start(NULL, 0);
	for (i = 0; i < 24; i++) {
		f[i] = (struct sk_slirp_forward){ .v6 = i % 2, .guest_port = (uint16_t)(61000 + i) };
		memcpy(f[i].host_addr, i % 2 ? "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1" : "\x7f\0\0\1", i % 2 ? 16 : 4);
		f[i].host_port = free_port(false);
		assert_int_equal(sk_net_slirp_publish(net, &f[i]), 0);
	}
	for (round = 0; round < 3; round++) {
		for (i = round; i < 24; i += 3)
			sk_net_slirp_withdraw(net, &f[i]);
		for (i = 0; i < 24; i++)
			assert_int_equal(try_connect(&f[i]), i % 3 == round ? -ECONNREFUSED : 0);
		for (i = round; i < 24; i += 3)
			assert_int_equal(sk_net_slirp_publish(net, &f[i]), 0);
	}
	for (i = 0; i < 24; i++)
		sk_net_slirp_withdraw(net, &f[i]);
	for (i = 0; i < 24; i++)
		assert_int_equal(try_connect(&f[i]), -ECONNREFUSED);
	stop();
}

static void test_udp(void **state)
{
	struct sk_slirp_forward f = {
		.udp = true, .host_addr = { 127, 0, 0, 1 }, .host_port = free_port(true), .guest_port = 61000
	};
	int client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), fd;
	struct sockaddr_storage a;
	socklen_t len;

	(void)state;
	start(NULL, 0);
	assert_int_equal(sk_net_slirp_publish(net, &f), 0);
	assert_int_equal(take(&f), -EADDRINUSE);
	/* Two clients' flows go with the port. */
	a = address(&f, &len);
	assert_int_equal(sendto(client, "a", 1, 0, (struct sockaddr *)&a, len), 1);
	close(client);
	client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(sendto(client, "b", 1, 0, (struct sockaddr *)&a, len), 1);
	run();
	sk_net_slirp_withdraw(net, &f);
	fd = take(&f);
	assert_true(fd >= 0);
	assert_int_equal(sk_net_slirp_publish(net, &f), -EADDRINUSE);
	close(fd);
	assert_int_equal(sk_net_slirp_publish(net, &f), 0);
	close(client);
	stop();
}

static void test_errors(void **state)
{
	struct sk_slirp_forward f = { .host_addr = { 192, 0, 2, 1 }, .host_port = 8080, .guest_port = 61000 };
	struct sk_slirp_forward started = { .host_addr = { 127, 0, 0, 1 },
					    .host_port = free_port(false),
					    .guest_port = 80 };

	(void)state;
	start(&started, 1);
	assert_int_equal(sk_net_slirp_publish(net, &f), -EADDRNOTAVAIL);
	f.udp = true;
	assert_int_equal(sk_net_slirp_publish(net, &f), -EADDRNOTAVAIL);
	f = (struct sk_slirp_forward){ .v6 = true, .host_addr = { 0x20, 1, 0xd, 0xb8, [15] = 1 }, .host_port = 8080 };
	assert_int_equal(sk_net_slirp_publish(net, &f), -EADDRNOTAVAIL);
	/* One that was there from the start is like the others. */
	f = started;
	assert_int_equal(sk_net_slirp_publish(net, &f), -EADDRINUSE);
	assert_int_equal(try_connect(&started), 0);
	sk_net_slirp_withdraw(net, &started);
	assert_int_equal(try_connect(&started), -ECONNREFUSED);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tcp), cmocka_unit_test(test_both_families), cmocka_unit_test(test_many),
		cmocka_unit_test(test_udp), cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests_name("virtio-net-ports", tests, NULL, NULL);
}
