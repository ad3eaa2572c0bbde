/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network back end "netns": the guest has the interfaces of the network namespace that this process is in
 * (vm/netns.h).
 *
 *   devices   the VM has SK_NICS network devices from the beginning; an interface gets the first free one, and the
 *             agent hides those that are free. So interfaces may come and go while the guest runs (docker network
 *             connect): the owner of the sandbox is told that the network has changed
 *   names     docker's embedded name server listens in the namespace, on 127.0.0.11. The agent listens on that address
 *             in the guest and carries each question here, on streams to port SK_PORT_DNS
 *   loopback  connections made inside the namespace reach the guest: vm/loopback.h
 */
#include "vm/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "vm/device_socket.h"
#include "vm/loopback.h"
#include "vm/netns.h"

#define SK_NICS 4u
#define SK_DNS_MAX 64u /* questions under way */
#define SK_NETWORK_SETTLE_MS 30u
#define SK_NIC_MTU 65521u

struct nic {
	struct sk_device *device;
	unsigned index; /* of the interface; 0: free */
	uint8_t mac[6]; /* as the guest finds it */
};

struct dns_question {
	struct netns_network *net;
	struct dns_question *next;
	struct sk_stream *stream;
	int fd;
	struct sk_source *source;
	struct sk_buf to_server, to_guest;
	bool guest_eof, server_eof, connected;
};

struct netns_network {
	struct sk_network base;
	struct sk_loop *loop;
	int watch_fd;
	struct sk_source *watch_source, *settle;
	struct nic nics[SK_NICS];
	struct sk_loopback *loopback;
	struct dns_question *questions;
	unsigned n_questions;
};

/* ---- names */

static void question_free(struct dns_question *q)
{
	struct netns_network *g = q->net;
	struct dns_question **link;

	for (link = &g->questions; *link && *link != q; link = &(*link)->next)
		;
	if (*link)
		*link = q->next;
	g->n_questions--;
	sk_stream_close(q->stream);
	sk_loop_remove(q->source);
	close(q->fd);
	sk_buf_fini(&q->to_server);
	sk_buf_fini(&q->to_guest);
	free(q);
}

/* Moves bytes both ways. False: the question has ended and was freed. */
static bool question_pump(struct dns_question *q)
{
	while (q->connected && q->to_server.len) {
		ssize_t n = send(q->fd, sk_buf_data(&q->to_server), q->to_server.len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n <= 0)
			break;
		sk_buf_consume(&q->to_server, (size_t)n);
	}
	while (q->to_guest.len) {
		size_t n = sk_stream_write(q->stream, sk_buf_data(&q->to_guest), q->to_guest.len);

		if (n == 0)
			break;
		sk_buf_consume(&q->to_guest, n);
	}
	if (q->server_eof && !q->to_guest.len) {
		sk_stream_shutdown(q->stream);
		if (q->guest_eof) {
			question_free(q);
			return false;
		}
	}
	if (q->source)
		sk_loop_set_events(q->source, SK_LOOP_READ | (q->to_server.len || !q->connected ? SK_LOOP_WRITE : 0));
	return true;
}

static void on_dns_server(void *arg, int fd, unsigned events)
{
	struct dns_question *q = arg;
	uint8_t chunk[8192];
	ssize_t n;

	if (events & SK_LOOP_WRITE)
		q->connected = true;
	if (events & (SK_LOOP_READ | SK_LOOP_HANGUP)) {
		n = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) ||
		    (n > 0 && sk_buf_append(&q->to_guest, chunk, (size_t)n) < 0)) {
			q->server_eof = true;
			sk_loop_remove(q->source);
			q->source = NULL;
		}
	}
	question_pump(q);
}

static size_t on_dns_data(void *arg, const uint8_t *p, size_t n)
{
	struct dns_question *q = arg;

	if (sk_buf_append(&q->to_server, p, n) < 0)
		question_free(q);
	else
		question_pump(q);
	return n;
}

static void on_dns_eof(void *arg)
{
	struct dns_question *q = arg;

	q->guest_eof = true;
	if (q->server_eof)
		question_free(q);
}

static void on_dns_writable(void *arg)
{
	question_pump(arg);
}

static void on_dns_closed(void *arg, int error)
{
	struct dns_question *q = arg;

	(void)error;
	q->stream = NULL;
	question_free(q);
}

static const struct sk_stream_events dns_events = {
	.data = on_dns_data,
	.eof = on_dns_eof,
	.writable = on_dns_writable,
	.closed = on_dns_closed,
};

static bool on_dns_accept(void *arg, struct sk_stream *stream, uint32_t guest_port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_port = htons(53),
				    .sin_addr.s_addr = htonl(0x7f00000b) };
	struct netns_network *g = arg;
	struct dns_question *q;

	(void)guest_port;
	if (g->n_questions >= SK_DNS_MAX)
		return false;
	q = calloc(1, sizeof(*q));
	if (!q)
		return false;
	q->net = g;
	q->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (q->fd < 0 || (connect(q->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 && errno != EINPROGRESS)) {
		if (q->fd >= 0)
			close(q->fd);
		free(q);
		return false;
	}
	q->source = sk_loop_add_fd(g->loop, q->fd, SK_LOOP_READ | SK_LOOP_WRITE, on_dns_server, q);
	sk_buf_init(&q->to_server, 128u * 1024u);
	sk_buf_init(&q->to_guest, 128u * 1024u);
	q->stream = stream;
	q->next = g->questions;
	g->questions = q;
	g->n_questions++;
	sk_stream_set_events(stream, &dns_events, q);
	return true;
}

/* ---- interfaces */

static struct nic *nic_of(struct netns_network *g, unsigned index)
{
	unsigned i;

	for (i = 0; i < SK_NICS; i++)
		if (g->nics[i].index == index && g->nics[i].device)
			return &g->nics[i];
	return NULL;
}

/* Gives interface `i` a device of the guest's. -ENOSPC: none is left. */
static int attach(struct netns_network *g, const struct sk_netns *ns, const struct sk_netns_if *i, struct nic **ret_nic)
{
	struct sk_error err = SK_ERROR_INIT;
	struct nic *nic = nic_of(g, i->index);
	int fd;

	if (sk_netns_silence(ns, i, &err) < 0)
		sk_log(SK_LOG_WARN, "%s: the host's kernel answers on it too", err.message);
	if (!nic) {
		nic = nic_of(g, 0);
		if (!nic)
			return -ENOSPC;
		fd = sk_netns_packet_socket(i->index);
		if (fd < 0)
			return fd;
		sk_net_packet_attach(nic->device, fd);
		nic->index = i->index;
	}
	*ret_nic = nic;
	return 0;
}

static json_t *interface_json(const struct sk_netns_if *i, const struct nic *nic)
{
	struct sk_interface_spec spec = {
		.name = i->name, .mtu = i->mtu, .has_ipv6 = true, .ipv6 = i->ipv6, .addresses = i->addresses
	};
	struct sk_error err = SK_ERROR_INIT;
	json_t *o;

	memcpy(spec.device, nic->mac, sizeof(spec.device));
	memcpy(spec.mac, i->mac, sizeof(spec.mac));
	o = sk_interface_encode(&spec, &err);
	if (!o)
		sk_log(SK_LOG_ERROR, "interface %s does not reach the guest: %s", i->name, err.message);
	return o;
}

static int netns_describe(struct sk_network *n, struct sk_network_spec *ret)
{
	struct netns_network *g = (struct netns_network *)n;
	struct sk_error err = SK_ERROR_INIT;
	json_t *list = json_array();
	struct sk_netns ns;
	unsigned i, k;

	*ret = (struct sk_network_spec){ .set = true, .interfaces = list };
	sk_netns_watch_drain(g->watch_fd); /* the state that is read now includes every change announced so far */
	if (sk_netns_read(&ns, &err) < 0) {
		sk_log(SK_LOG_ERROR, "%s", err.message);
		return 0;
	}
	/* Those that have gone make room first. */
	for (i = 0; i < SK_NICS; i++) {
		for (k = 0; k < ns.n_ifs && ns.ifs[k].index != g->nics[i].index; k++)
			;
		if (k == ns.n_ifs && g->nics[i].index) {
			sk_net_packet_attach(g->nics[i].device, -1);
			g->nics[i].index = 0;
		}
	}
	for (k = 0; k < ns.n_ifs; k++) {
		struct nic *nic = NULL;
		int r = attach(g, &ns, &ns.ifs[k], &nic);

		if (r < 0)
			sk_log(SK_LOG_ERROR, "interface %s does not reach the guest: %s", ns.ifs[k].name, strerror(-r));
		else
			json_array_append_new(list, interface_json(&ns.ifs[k], nic)); /* refuses NULL */
	}
	sk_loopback_update(g->loopback, &ns);
	ret->routes = json_incref(ns.routes);
	ret->dns = ns.dns;
	sk_netns_fini(&ns);
	return 0;
}

static void on_settled(void *arg)
{
	const struct netns_network *g = arg;

	g->base.host.changed(g->base.host.arg);
}

/* Something has changed. Changes come in bursts: read the state when they have settled. */
static void on_watch(void *arg, int fd, unsigned events)
{
	const struct netns_network *g = arg;

	(void)events;
	sk_netns_watch_drain(fd);
	sk_loop_set_timer(g->settle, SK_NETWORK_SETTLE_MS);
}

static int new_nic(struct nic *nic, unsigned i, const struct sk_network_host *host, struct sk_error *err)
{
	const uint8_t mac[6] = { 0x02, 0x53, 0x4b, 0, 0, (uint8_t)i };
	char name[8];
	int sock, r;

	snprintf(name, sizeof(name), "net%u", i);
	memcpy(nic->mac, mac, sizeof(mac));
	r = sk_device_socket(host->run_dir, name, &sock, err);
	return r < 0 ? r : sk_net_packet_new(host->loop, sock, mac, SK_NIC_MTU, &nic->device, err);
}

static int netns_up(const struct sk_network_host *host, const struct sk_network_config *config,
		    struct sk_network **ret_network, struct sk_error *err)
{
	struct netns_network *g = calloc(1, sizeof(*g));
	unsigned i;
	int r = 0;

	(void)config;
	if (!g)
		return sk_error_errno(err, ENOMEM, "cannot make the network");
	*ret_network = &g->base;
	g->loop = host->loop;
	g->watch_fd = -1;
	for (i = 0; r == 0 && i < SK_NICS; i++)
		r = new_nic(&g->nics[i], i, host, err);
	if (r < 0)
		return r;
	g->watch_fd = sk_netns_watch();
	if (g->watch_fd < 0)
		return sk_error_errno(err, g->watch_fd, "cannot watch the guest's network");
	g->watch_source = sk_loop_add_fd(host->loop, g->watch_fd, SK_LOOP_READ, on_watch, g);
	g->settle = sk_loop_add_timer(host->loop, UINT64_MAX, on_settled, g);
	if (!g->watch_source || !g->settle || sk_carrier_listen(host->carrier, SK_PORT_DNS, on_dns_accept, g) < 0)
		return sk_error_errno(err, ENOMEM, "cannot watch the guest's network");
	g->loopback = sk_loopback_new(host->loop, host->session);
	return 0;
}

static size_t netns_devices(const struct sk_network *n, struct sk_engine_device *ret, size_t max)
{
	static const char *const names[SK_NICS] = { "net0", "net1", "net2", "net3" };
	const struct netns_network *g = (const struct netns_network *)n;
	size_t i;

	for (i = 0; i < SK_NICS && i < max; i++) {
		ret[i] = (struct sk_engine_device){ .virtio_id = SK_VIRTIO_NET, .socket = names[i], .mtu = SK_NIC_MTU };
		memcpy(ret[i].mac, g->nics[i].mac, sizeof(ret[i].mac));
	}
	return i;
}

static ssize_t netns_claim(struct sk_network *n, const struct sk_token *token, struct sk_stream *stream,
			   const uint8_t *data, size_t len)
{
	return sk_loopback_claim(((struct netns_network *)n)->loopback, token, stream, data, len);
}

static void netns_down(struct sk_network *n)
{
	struct netns_network *g = (struct netns_network *)n;
	unsigned i;

	while (g->questions)
		question_free(g->questions);
	sk_loopback_free(g->loopback);
	sk_loop_remove(g->watch_source);
	sk_loop_remove(g->settle);
	sk_close_fd(&g->watch_fd);
	for (i = 0; i < SK_NICS; i++)
		sk_device_free(g->nics[i].device);
	free(g);
}

const struct sk_network_backend sk_network_netns = {
	.name = "netns",
	.changes = true,
	.administers = true,
	.up = netns_up,
	.devices = netns_devices,
	.describe = netns_describe,
	.claim = netns_claim,
	.down = netns_down,
};
