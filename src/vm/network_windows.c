/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network back ends on Windows (network.h): libslirp, whose frames are a stream of the guest's (virtio/net_stream.h), as
 * no device of ours is in a VM of Hyper-V. The stream has a token, which the agent is told with its addresses. The other
 * back end of Linux is refused by name.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "virtio/net_stream.h"
#include "vm/network_slirp.h"

struct slirp_stream {
	struct sk_network base;
	struct sk_net_stream *net;
	struct sk_token token;
};

static int slirp_up(const struct sk_network_host *host, const struct sk_network_config *config,
		    struct sk_network **ret_network, struct sk_error *err)
{
	const struct sk_slirp_config c = sk_network_slirp_config(config);
	struct slirp_stream *s = calloc(1, sizeof(*s));

	if (!s)
		return sk_error_errno(err, ENOMEM, "cannot make the network");
	*ret_network = &s->base;
	s->token.set = true;
	sk_random(s->token.bytes, sizeof(s->token.bytes));
	return sk_net_stream_new(host->loop, &c, &s->net, err);
}

static size_t slirp_devices(const struct sk_network *n, struct sk_engine_device *ret, size_t max)
{
	(void)n;
	(void)ret;
	(void)max;
	return 0;
}

static int slirp_describe(struct sk_network *n, struct sk_network_spec *ret)
{
	const struct slirp_stream *s = (const struct slirp_stream *)n;

	ret->tap = (struct sk_tap_spec){ .set = true, .token = s->token };
	memcpy(ret->tap.mac, n->config->mac, sizeof(ret->tap.mac));
	return sk_network_slirp_describe(n, ret);
}

static ssize_t slirp_claim(struct sk_network *n, const struct sk_token *token, struct sk_stream *stream,
			   const uint8_t *data, size_t len)
{
	struct slirp_stream *s = (struct slirp_stream *)n;

	if (!sk_token_equal(&s->token, token) || !sk_net_stream_is_free(s->net))
		return -1;
	return (ssize_t)sk_net_stream_join(s->net, stream, data, len);
}

static int slirp_publish(struct sk_network *n, const struct sk_slirp_forward *forward)
{
	return sk_net_stream_publish(((const struct slirp_stream *)n)->net, forward);
}

static void slirp_withdraw(struct sk_network *n, const struct sk_slirp_forward *forward)
{
	sk_net_stream_withdraw(((const struct slirp_stream *)n)->net, forward);
}

static void slirp_down(struct sk_network *n)
{
	struct slirp_stream *s = (struct slirp_stream *)n;

	sk_net_stream_free(s->net);
	free(s);
}

const struct sk_network_backend sk_network_slirp = {
	.name = "slirp",
	.address = SK_SLIRP_ADDRESS,
	.up = slirp_up,
	.devices = slirp_devices,
	.describe = slirp_describe,
	.claim = slirp_claim,
	.publish = slirp_publish,
	.withdraw = slirp_withdraw,
	.down = slirp_down,
};

static int refuse(const struct sk_network_host *host, const struct sk_network_config *config,
		  struct sk_network **ret_network, struct sk_error *err)
{
	(void)host;
	(void)config;
	(void)ret_network;
	return sk_error_set(err, EOPNOTSUPP, "vm.json: there are no network namespaces on Windows");
}

const struct sk_network_backend sk_network_netns = { .name = "netns", .up = refuse };
