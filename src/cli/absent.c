/* SPDX-License-Identifier: Apache-2.0 */
/* docker's commands that Skerry does not have, and what to do instead. */
#include "cli/absent.h"

#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"

#define IN_A_MACHINE "it is a Docker engine's: `skerry machine init --now` makes one, for `docker --context skerry`"

static const struct {
	const char *name, *instead;
} absent[] = {
	{ "build", "build the image with docker, podman or in a machine (`skerry machine init --now`, then `docker "
		   "--context skerry build`), and bring it here: `docker save IMAGE | skerry load`" },
	{ "builder", IN_A_MACHINE },
	{ "buildx", IN_A_MACHINE },
	{ "checkpoint", "a VM cannot be saved while it runs" },
	{ "compose", IN_A_MACHINE },
	{ "config", IN_A_MACHINE },
	{ "context", "it belongs to the docker client: `docker context`; machines are listed by `skerry machine ls`" },
	{ "login",
	  "`skerry pull` uses the credentials that `skopeo login`, `podman login` or `docker login` have stored" },
	{ "logout", "credentials are those of skopeo, podman or docker: use its `logout`" },
	{ "manifest", "`skopeo inspect --raw docker://IMAGE` shows an image's manifest" },
	{ "network",
	  "each container has a network of its own, published with -p, or none with --network none; networks "
	  "of several containers are a machine's: `skerry machine init --now`" },
	{ "node", IN_A_MACHINE },
	{ "plugin", IN_A_MACHINE },
	{ "push", "push an image from where it was built; `skopeo copy` copies between registries" },
	{ "search", "look for images on the registry's web page, or with `podman search`" },
	{ "secret", IN_A_MACHINE },
	{ "service", IN_A_MACHINE },
	{ "stack", IN_A_MACHINE },
	{ "swarm", IN_A_MACHINE },
	{ "trust", "`skerry pull IMAGE@sha256:…` takes exactly the image of that digest" },
};

const char *sk_cli_instead_of(const char *name)
{
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(absent); i++)
		if (strcmp(absent[i].name, name) == 0)
			return absent[i].instead;
	return NULL;
}
