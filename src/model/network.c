/* SPDX-License-Identifier: Apache-2.0 */
/* The table of networks that a container may be given. See network.h. */
#include "model/network.h"

#include <stddef.h>
#include <string.h>

#include "model/hosts.h"

static const char *const bridge_aliases[] = { "default", "slirp", "slirp4netns", NULL };
static const char *const no_aliases[] = { NULL };

/* The first one is the default. */
static const struct sk_network_kind kinds[] = {
	{ .name = "bridge",
	  .aliases = bridge_aliases,
	  .backend = "slirp",
	  .address = SK_NET_ADDRESS,
	  .gateway = SK_NET_GATEWAY,
	  .prefix = SK_NET_PREFIX },
	{ .name = "none", .aliases = no_aliases, .address = "", .gateway = "" },
};

static int is_called(const struct sk_network_kind *kind, const char *name)
{
	const char *const *alias;

	for (alias = kind->aliases; *alias && strcmp(*alias, name) != 0; alias++)
		;
	return *alias || strcmp(kind->name, name) == 0;
}

const struct sk_network_kind *sk_network_kind(const char *name)
{
	size_t i;

	if (!name)
		return &kinds[0];
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (is_called(&kinds[i], name))
			return &kinds[i];
	return NULL;
}
