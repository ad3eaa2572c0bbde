/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * dockerd starts a program for each port that it publishes (`--userland-proxy-path`), with docker-proxy's command line.
 * In a machine it is this one. docker-proxy listens on the port; here the port is the host's, so the monitor is asked for
 * it (services.h), and gives a port of the guest where its connections arrive. Those are led on to the container by a rule
 * of iptables (nat.h), so that the container sees the client's address and no byte passes through here.
 *
 * The guest's port is one of IPv4. To a container's IPv6 address, which an engine names for [::] where its network has
 * such, iptables cannot lead; and what comes for a port of the host's IPv6 the engine's filter lets pass to a container
 * only where the same port is published by IPv4, too. In both cases the rule leads to a socket of ours, and we pass on what
 * comes (forward.h), as docker-proxy does. Clients by IPv6 look like a gateway in any case (src/virtio/net_forward.c).
 *
 * Programs of the guest that have the engine's own network find the port as docker-proxy's, too, on loopback. What is not
 * to be had of that is left out.
 *
 * dockerd reads the outcome from descriptor 3: "0\n", or "1\n" and why, in docker-proxy's words: it prints them. It ends us
 * with SIGINT or SIGTERM, and waits. Then the rule goes, and the port: the monitor has withdrawn it when it ends the
 * connection, so that the next container may have it at once. Whatever else ends us, it goes as well.
 *
 * docker 28 opens the socket of the guest's port itself and hands it over (-use-listen-fd). podman listens on the guest's
 * port by itself (-host-only, an option of ours: machine_netavark.c).
 *
 * Deadlines: six seconds for the monitor (machine_host.h), END_MS for its end, and those of nat.c; dockerd waits for 16 s.
 */
#include "machine_proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/loop.h"
#include "forward.h"
#include "machine_host.h"
#include "nat.h"
#include "proto/message.h"
#include "skerry_config.h"

#define REPORT_FD 3
#define LISTEN_FD 4
#define END_MS 2000u

struct options {
	const char *proto, *host_ip, *container_ip;
	const char *host_port_text, *container_port_text;
	uint16_t host_port, container_port;
	bool udp, use_listen_fd, host_only, version;
	struct sockaddr_storage host, to; /* the port; the container's */
	socklen_t host_len, to_len;
};

/* --- the command line --- */

static int parse_port(const char *text, uint16_t *ret)
{
	char *end;
	long n = text && *text ? strtol(text, &end, 10) : 0;

	if (n < 1 || n > 65535 || *end)
		return -EINVAL;
	*ret = (uint16_t)n;
	return 0;
}

/* Go's: "-name value", "-name=value", with one dash or two. */
static int parse(struct options *o, int argc, char **argv, struct sk_error *err)
{
	const struct {
		const char *name, **value;
		bool *flag;
	} known[] = {
		{ "proto", &o->proto, NULL },
		{ "host-ip", &o->host_ip, NULL },
		{ "host-port", &o->host_port_text, NULL },
		{ "container-ip", &o->container_ip, NULL },
		{ "container-port", &o->container_port_text, NULL },
		{ "use-listen-fd", NULL, &o->use_listen_fd },
		{ "host-only", NULL, &o->host_only },
		{ "v", NULL, &o->version },
		{ "version", NULL, &o->version },
	};
	size_t k, len;
	int i;

	for (i = 1; i < argc; i++) {
		const char *name = argv[i] + (argv[i][0] == '-') + (argv[i][0] == '-' && argv[i][1] == '-');
		const char *value = strchr(name, '=');

		len = value ? (size_t)(value - name) : strlen(name);
		for (k = 0; k < SK_ARRAY_SIZE(known); k++)
			if (strlen(known[k].name) == len && memcmp(known[k].name, name, len) == 0)
				break;
		if (argv[i][0] != '-' || k == SK_ARRAY_SIZE(known))
			return sk_error_set(err, EINVAL, "flag provided but not defined: %s", argv[i]);
		if (known[k].flag) {
			*known[k].flag = !value || strcmp(value + 1, "false") != 0;
		} else if (value) {
			*known[k].value = value + 1;
		} else if (i + 1 < argc) {
			*known[k].value = argv[++i];
		} else {
			return sk_error_set(err, EINVAL, "flag needs an argument: %s", argv[i]);
		}
	}
	return 0;
}

static bool parse_address(const char *ip, uint16_t port, struct sockaddr_storage *ret, socklen_t *ret_len)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	bool v4 = inet_pton(AF_INET, ip, &in.sin_addr) == 1;

	if (!v4 && inet_pton(AF_INET6, ip, &in6.sin6_addr) != 1)
		return false;
	*ret_len = v4 ? sizeof(in) : sizeof(in6);
	memset(ret, 0, sizeof(*ret));
	memcpy(ret, v4 ? (void *)&in : (void *)&in6, *ret_len);
	return true;
}

static int check(struct options *o, struct sk_error *err)
{
	if (strcmp(o->proto, "tcp") != 0 && strcmp(o->proto, "udp") != 0)
		return sk_error_set(err, EPROTONOSUPPORT,
				    "protocol %s cannot be published on the host of a machine, only tcp and udp",
				    o->proto);
	o->udp = strcmp(o->proto, "udp") == 0;
	if (!*o->host_ip)
		o->host_ip = "0.0.0.0";
	if (parse_port(o->host_port_text, &o->host_port) < 0)
		return sk_error_set(err, EINVAL, "invalid host port: %s", o->host_port_text);
	if (!parse_address(o->host_ip, o->host_port, &o->host, &o->host_len))
		return sk_error_set(err, EINVAL, "invalid host IP: %s", o->host_ip);
	if (parse_port(o->container_port_text, &o->container_port) < 0)
		return sk_error_set(err, EINVAL, "invalid container port: %s", o->container_port_text);
	if (!parse_address(o->container_ip, o->container_port, &o->to, &o->to_len))
		return sk_error_set(err, EINVAL, "invalid container IP: %s", o->container_ip);
	return 0;
}

/* --- the monitor --- */

/* "listen tcp4 0.0.0.0:8080: bind: address already in use", as docker-proxy has it from Go. */
static int bind_error(const struct options *o, const struct sk_reply *reply, struct sk_error *err)
{
	bool v6 = strchr(o->host_ip, ':') != NULL;
	char text[128];

	snprintf(text, sizeof(text), "%s", strerror(reply->error));
	if (text[0] >= 'A' && text[0] <= 'Z' && !(text[1] >= 'A' && text[1] <= 'Z'))
		text[0] = (char)(text[0] - 'A' + 'a');
	return sk_error_set(err, reply->error, v6 ? "listen %s%c [%s]:%u: bind: %s" : "listen %s%c %s:%u: bind: %s",
			    o->proto, v6 ? '6' : '4', o->host_ip, o->host_port, text);
}

/* Asks for the port. `ret_ip` has room for INET6_ADDRSTRLEN. */
static int publish(int fd, const struct options *o, char *ret_ip, uint16_t *ret_port, struct sk_error *err)
{
	const struct sk_msg msg = { .op = SK_SERVICE_PUBLISH,
				    .publish = {
					    .proto = o->proto, .host_ip = o->host_ip, .host_port = o->host_port } };
	struct sk_reply reply;
	int r = sk_machine_host_ask(fd, &msg, &reply, err);

	if (r < 0)
		return sk_error_wrap(err, "cannot publish port %u", o->host_port);
	if (reply.ok) {
		snprintf(ret_ip, INET6_ADDRSTRLEN, "%s", reply.guest_ip);
		*ret_port = reply.guest_port;
	} else {
		r = reply.error == EPERM ? sk_error_set(err, EPERM, "%s", reply.message) : bind_error(o, &reply, err);
	}
	sk_reply_fini(&reply);
	return r;
}

/* --- life --- */

static void report(const struct sk_error *err)
{
	char text[SK_ERROR_MAX + 8];
	int n = err ? snprintf(text, sizeof(text), "1\n%s", err->message) : snprintf(text, sizeof(text), "0\n");

	if (err)
		fprintf(stderr, "skerry-proxy: %s\n", err->message);
	sk_fs_write_all(REPORT_FD, text, (size_t)n);
	close(REPORT_FD);
}

static void on_signal(void *arg, int fd, unsigned events)
{
	(void)fd;
	(void)events;
	sk_loop_quit(arg);
}

/* The monitor says nothing more until it ends the connection. */
static void on_control(void *arg, int fd, unsigned events)
{
	char buf[256];

	(void)events;
	if (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) <= 0)
		sk_loop_quit(arg);
}

/* The monitor ends the connection when the port is withdrawn. */
static void end_connection(int fd)
{
	uint64_t end = sk_now_ms() + END_MS, now;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char buf[256];
	ssize_t n = 1;

	shutdown(fd, SHUT_WR);
	while (n != 0 && (now = sk_now_ms()) < end) {
		if (poll(&p, 1, (int)(end - now)) <= 0)
			continue;
		n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return;
	}
}

/* A socket on the address; negative errno. */
static int bind_socket(bool udp, const struct sockaddr_storage *a, socklen_t len)
{
	_cleanup_fd_ int fd = socket(a->ss_family, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0)
		return -errno;
	if (!udp)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (a->ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	return bind(fd, (const struct sockaddr *)a, len) < 0 ? -errno : SK_TAKE_FD(fd);
}

/* The port as programs of the guest find it. */
static void serve_guest(struct sk_loop *loop, const struct options *o)
{
	int fd = o->host_only ? -1 : o->use_listen_fd ? LISTEN_FD : bind_socket(o->udp, &o->host, o->host_len);

	if (fd >= 0)
		sk_forward(loop, o->udp, fd, (const struct sockaddr *)&o->to, o->to_len);
}

/* Where the rule leads to: the container, or a socket of ours. `rule` has the guest's address. */
static int choose_target(struct sk_loop *loop, const struct options *o, struct sk_nat_rule *rule, struct sk_error *err)
{
	struct sockaddr_storage a;
	struct sockaddr_in in;
	socklen_t len;
	int fd, r;

	rule->container_ip = o->container_ip;
	rule->container_port = o->container_port;
	if (o->to.ss_family == AF_INET && o->host.ss_family == AF_INET)
		return 0;
	if (!parse_address(rule->guest_ip, 0, &a, &len) || a.ss_family != AF_INET)
		return sk_error_set(err, EPROTO, "the host gave port %u to %s", o->host_port, rule->guest_ip);
	fd = bind_socket(o->udp, &a, len);
	len = sizeof(in);
	r = fd < 0 ? fd : getsockname(fd, (struct sockaddr *)&in, &len) < 0 ? -errno : 0;
	rule->container_ip = rule->guest_ip;
	rule->container_port = r < 0 ? 0 : ntohs(in.sin_port);
	if (r == 0)
		r = sk_forward(loop, o->udp, fd, (const struct sockaddr *)&o->to, o->to_len);
	return r < 0 ? sk_error_errno(err, r, "cannot lead port %u to %s", o->host_port, o->container_ip) : 0;
}

static int run(struct options *o, int signals, struct sk_error *err)
{
	char guest_ip[INET6_ADDRSTRLEN];
	struct sk_nat_rule rule = { .guest_ip = guest_ip };
	_cleanup_fd_ int control = -1;
	struct sk_loop *loop;
	int r = check(o, err);

	if (r < 0)
		return r;
	rule.udp = o->udp;
	control = sk_machine_host_connect(err);
	if (control < 0)
		return control;
	r = publish(control, o, guest_ip, &rule.guest_port, err);
	if (r < 0)
		return r;
	if (sk_loop_new(&loop) < 0 || !sk_loop_add_fd(loop, signals, SK_LOOP_READ, on_signal, loop) ||
	    !sk_loop_add_fd(loop, control, SK_LOOP_READ, on_control, loop))
		return sk_error_errno(err, ENOMEM, "cannot publish port %u", o->host_port);
	r = choose_target(loop, o, &rule, err);
	if (r == 0)
		r = sk_nat_add(&rule, err);
	if (r < 0)
		return r;
	serve_guest(loop, o);
	report(NULL);
	sk_nat_tidy(&rule);
	sk_loop_run(loop);
	sk_nat_remove(&rule);
	end_connection(control);
	return 0;
}

int sk_machine_proxy_main(int argc, char **argv)
{
	struct options o = {
		.proto = "tcp", .host_ip = "", .container_ip = "", .host_port_text = "-1", .container_port_text = "-1"
	};
	struct sk_error err = SK_ERROR_INIT;
	sigset_t set;
	int signals, r;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	r = parse(&o, argc, argv, &err);
	if (r == 0 && o.version) {
		printf("skerry-proxy " SK_VERSION "\n");
		return 0;
	}
	if (r == 0)
		r = run(&o, signals, &err);
	if (r == 0)
		return 0;
	report(&err);
	return 1;
}
