/* SPDX-License-Identifier: Apache-2.0 */
/* The engines by name, the choice of one for "auto", and the guest's parts (kernel, initramfs) on the disk. */
#include "engine/engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "engine/engine_internal.h"

const struct sk_engine *sk_engine_at(size_t i)
{
	return i < sk_n_engines ? sk_engines[i] : NULL;
}

static const struct sk_engine *by_name(const char *name)
{
	size_t i;

	for (i = 0; i < sk_n_engines; i++)
		if (strcmp(sk_engines[i]->name, name) == 0)
			return sk_engines[i];
	/* For tests; never chosen. */
	return strcmp(name, sk_engine_fake.name) == 0 ? &sk_engine_fake : NULL;
}

int sk_confinement_parse(const char *name, enum sk_confinement *ret)
{
	static const char *const names[] = {
		[SK_CONFINEMENT_NAMESPACES] = "namespaces",
		[SK_CONFINEMENT_LANDLOCK] = "landlock",
		[SK_CONFINEMENT_FILTER] = "filter",
	};
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(names); i++)
		if (strcmp(name, names[i]) == 0) {
			*ret = (enum sk_confinement)i;
			return 0;
		}
	return -EINVAL;
}

int sk_uml_isolation_parse(const char *name, enum sk_uml_isolation *ret)
{
	static const char *const names[] = {
		[SK_UML_AUTO] = "auto",
		[SK_UML_SEPARATE] = "separate",
		[SK_UML_IN_PLACE] = "in-place",
	};
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(names); i++)
		if (strcmp(name, names[i]) == 0) {
			*ret = (enum sk_uml_isolation)i;
			return 0;
		}
	return -EINVAL;
}

bool sk_engine_name_valid(const char *name)
{
	return strcmp(name, "auto") == 0 || by_name(name);
}

int sk_engine_find(const char *name, const struct sk_engine_settings *settings, const struct sk_engine **ret_engine,
		   struct sk_error *err)
{
	static const struct sk_engine_settings none = { 0 };
	struct sk_error why = SK_ERROR_INIT, of_one;
	size_t i;
	int r;

	if (!settings)
		settings = &none;
	if (name && strcmp(name, "auto") != 0) {
		*ret_engine = by_name(name);
		if (!*ret_engine)
			return sk_error_set(err, ENOENT, "unknown engine \"%s\": it is " SK_ENGINE_NAMES, name);
		r = (*ret_engine)->probe(settings, err);
		return r < 0 ? sk_error_wrap(err, "engine %s cannot run here", name) : 0;
	}
	for (i = 0; i < sk_n_engines; i++) {
		of_one = (struct sk_error)SK_ERROR_INIT;
		*ret_engine = sk_engines[i];
		r = sk_engines[i]->probe(settings, &of_one);
		if (r == 0)
			return 0;
		if (sk_engines[i] != sk_engine_last)
			continue;
		if (r == -EOPNOTSUPP)
			return sk_error_set(err, EOPNOTSUPP, "%s", of_one.message);
		/* The engine that needs least of the machine: its problem is the one to report. */
		why = of_one;
	}
	return sk_error_set(err, ENOENT, "no engine works: %s (`skerry doctor` says more)", why.message);
}
