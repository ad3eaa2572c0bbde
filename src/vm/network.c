/* SPDX-License-Identifier: Apache-2.0 */
/* The table of network back ends (network.h), and the shortest: none. */
#include "vm/network.h"

#include <errno.h>

/* ---- none */

static int none_up(const struct sk_network_host *host, const struct sk_network_config *config,
		   struct sk_network **ret_network, struct sk_error *err)
{
	(void)host;
	(void)config;
	(void)ret_network;
	(void)err;
	return 0;
}

static const struct sk_network_backend none = { .name = "none", .up = none_up };

/* ---- the table */

static const struct sk_network_backend *const backends[SK_NETWORK_MODES] = {
	[SK_NETWORK_NONE] = &none,
	[SK_NETWORK_SLIRP] = &sk_network_slirp,
	[SK_NETWORK_NETNS] = &sk_network_netns,
};

const struct sk_network_backend *sk_network_backend(enum sk_network_mode mode)
{
	return backends[mode];
}

int sk_network_up(const struct sk_network_host *host, const struct sk_network_config *config,
		  struct sk_network **ret_network, struct sk_error *err)
{
	const struct sk_network_backend *backend = sk_network_backend(config->mode);
	struct sk_network *n = NULL;
	int r = backend->up(host, config, &n, err);

	if (n) {
		n->backend = backend;
		n->host = *host;
		n->config = config;
	}
	*ret_network = n;
	return r;
}

size_t sk_network_engine_devices(const struct sk_network *n, struct sk_engine_device *ret, size_t max)
{
	return n ? n->backend->devices(n, ret, max) : 0;
}

int sk_network_describe(struct sk_network *n, struct sk_network_spec *ret)
{
	*ret = (struct sk_network_spec){ 0 };
	return n ? n->backend->describe(n, ret) : 0;
}

void sk_network_spec_drop(struct sk_network_spec *spec)
{
	json_decref((json_t *)(uintptr_t)spec->interfaces);
	json_decref((json_t *)(uintptr_t)spec->routes);
	*spec = (struct sk_network_spec){ 0 };
}

ssize_t sk_network_claim(struct sk_network *n, const struct sk_token *token, struct sk_stream *stream,
			 const uint8_t *data, size_t len)
{
	return n && n->backend->claim ? n->backend->claim(n, token, stream, data, len) : -1;
}

int sk_network_publish(struct sk_network *n, const struct sk_slirp_forward *forward)
{
	return n && n->backend->publish ? n->backend->publish(n, forward) : -EOPNOTSUPP;
}

void sk_network_withdraw(struct sk_network *n, const struct sk_slirp_forward *forward)
{
	if (n && n->backend->withdraw)
		n->backend->withdraw(n, forward);
}

void sk_network_down(struct sk_network *n)
{
	if (n)
		n->backend->down(n);
}
