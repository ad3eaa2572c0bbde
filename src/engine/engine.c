/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "engine/engine_internal.h"
#include "skerry_config.h"

/* In the order of preference of "auto". The fake engine is for tests and never chosen. */
static const struct sk_engine *const engines[] = { &sk_engine_uml, &sk_engine_fake };

int sk_engine_find(const char *name, const struct sk_engine **ret_engine, struct sk_error *err)
{
	size_t i;

	if (!name || strcmp(name, "auto") == 0) {
		*ret_engine = &sk_engine_uml;
		return sk_engine_uml.probe(err);
	}
	for (i = 0; i < SK_ARRAY_SIZE(engines); i++) {
		if (strcmp(engines[i]->name, name) == 0) {
			*ret_engine = engines[i];
			return engines[i]->probe(err);
		}
	}
	return sk_error_set(err, ENOENT, "unknown engine \"%s\": this build has uml; use --engine uml or auto", name);
}

int sk_guest_part(const char *name, char *buf, size_t size, struct sk_error *err)
{
	const char *dir = getenv("SKERRY_GUEST_DIR");
	int n = dir && *dir ? snprintf(buf, size, "%s/%s", dir, name)
			    : snprintf(buf, size, "%s/guest/%s", SK_LIBEXECDIR, name);

	if (n < 0 || (size_t)n >= size)
		return sk_error_set(err, ENAMETOOLONG, "the path of guest part %s is too long", name);
	if (access(buf, R_OK) < 0)
		return sk_error_set(err, errno,
				    "guest part %s is missing: run `make build` and set SKERRY_GUEST_DIR to its out "
				    "folder, or install the skerry "
				    "package again",
				    buf);
	return 0;
}
