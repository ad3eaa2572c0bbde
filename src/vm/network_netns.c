/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network back end "netns": the guest has the interfaces of the network namespace that this process is in
 * (vm/netns.h).
 *
 *   devices   the VM has SK_NICS network devices from the beginning; an interface gets the first free one, and the
 *             agent hides those that are free. So interfaces may come and go while the guest runs (docker network
 *             connect): the owner of the sandbox is told that the network has changed
 *   names     docker's embedded name server listens in the namespace, on 127.0.0.11. The agent listens on that address
 *             in the guest and carries each question here: vm/netns_names.h
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

#include "base/cleanup.h"
#include "base/log.h"
#include "vm/device_socket.h"
#include "vm/loopback.h"
#include "vm/netns.h"
#include "vm/netns_names.h"

#define SK_NICS 4u
#define SK_NETWORK_SETTLE_MS 30u
#define SK_NIC_MTU 65521u

struct nic {
	struct sk_device *device;
	unsigned index; /* of the interface; 0: free */
	uint8_t mac[6]; /* as the guest finds it */
};

struct netns_network {
	struct sk_network base;
	struct sk_loop *loop;
	int watch_fd;
	struct sk_source *watch_source, *settle;
	struct nic nics[SK_NICS];
	struct sk_loopback *loopback;
	struct sk_netns_names *names;
	bool own_ports; /* the namespace's kernel has ports of its own */
};

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

	if (sk_netns_silence(ns, i, g->own_ports, &err) < 0)
		sk_log(SK_LOG_WARN, "%s: the host's kernel answers on it too", err.message);
	if (!nic) {
		nic = nic_of(g, 0);
		if (!nic)
			return -ENOSPC;
		fd = sk_netns_packet_socket(i->index, ns->dns && g->own_ports);
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
	g->own_ports = sk_netns_own_ports();
	g->watch_fd = sk_netns_watch();
	if (g->watch_fd < 0)
		return sk_error_errno(err, g->watch_fd, "cannot watch the guest's network");
	g->watch_source = sk_loop_add_fd(host->loop, g->watch_fd, SK_LOOP_READ, on_watch, g);
	g->settle = sk_loop_add_timer(host->loop, UINT64_MAX, on_settled, g);
	g->names = sk_netns_names_new(host->loop, host->carrier);
	if (!g->watch_source || !g->settle || !g->names)
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

	sk_netns_names_free(g->names);
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
