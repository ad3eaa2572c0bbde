/* SPDX-License-Identifier: Apache-2.0 */
/* Which engine containers get on this machine, and why the others do not: for info and doctor. */
#include "cli/system/engines.h"

#include <string.h>

#include "model/jx.h"
#include "engine/engine.h"
#include "vm/settings.h"

/* Where the programs of a guest run with the engine uml, as uml.c decides it, and why. */
static bool add_uml_isolation(json_t *o, const struct sk_engine_settings *settings)
{
	static const char *const names[] = {
		[SK_UML_AUTO] = "auto", [SK_UML_SEPARATE] = "separate", [SK_UML_IN_PLACE] = "in-place"
	};
	struct sk_error problem = SK_ERROR_INIT;
	bool works = sk_uml_in_place_check(0, &problem) == 0;
	const char *why = problem.message;

	if (works && settings->uml_isolation == SK_UML_AUTO && settings->sandbox != SK_CONFINEMENT_NAMESPACES &&
	    !sk_engine_namespaces())
		why = "the sandbox is not whole, as this host gives guests no namespaces";
	sk_jx_set_str(o, "UmlIsolationSetting", names[settings->uml_isolation]);
	sk_jx_set_str(o, "UmlIsolation",
		      settings->uml_isolation == SK_UML_IN_PLACE || (settings->uml_isolation == SK_UML_AUTO && !*why)
			      ? "in-place"
			      : "separate");
	sk_jx_set_str(o, "UmlInPlaceProblem", why);
	return works;
}

static json_t *one_engine(const struct sk_engine *e, const struct sk_engine_settings *settings)
{
	struct sk_error problem = SK_ERROR_INIT, err = SK_ERROR_INIT;
	struct sk_engine_info info = { 0 };
	json_t *o = sk_jx_object();
	bool works = e->probe(settings, &problem) == 0;

	/* Details are shown for an engine that does not work, too. */
	if (e->info(settings, &info, &err) < 0 && works)
		problem = err;
	sk_jx_set_str(o, "Name", e->name);
	sk_jx_set_bool(o, "Works", works);
	sk_jx_set_str(o, "Problem", problem.message);
	sk_jx_set_str(o, "Isolation", info.isolation ? info.isolation : "");
	sk_jx_set_str(o, "Program", info.program);
	sk_jx_set_str(o, "KernelVersion", info.kernel_version);
	sk_jx_set_str(o, "KernelPath", info.kernel_path);
	sk_jx_set_int(o, "KernelSize", (int64_t)info.kernel_size);
	sk_jx_set_int(o, "InitramfsSize", (int64_t)info.initramfs_size);
	return o;
}

/* The first that works, or the one that was asked for. As sk_engine_find(). */
static void choose(json_t *o, json_t *list, const char *setting, bool no_in_place)
{
	bool any = strcmp(setting, "auto") == 0;
	json_t *e;
	size_t i;

	json_array_foreach(list, i, e)
	{
		const char *name = sk_jx_get_str(e, "Name", "");

		if (!any && strcmp(name, setting) != 0)
			continue;
		if (sk_jx_get_bool(e, "Works", false)) {
			sk_jx_set_bool(e, "Chosen", true);
			sk_jx_set_str(o, "Engine", name);
			return;
		}
		if (!any || (no_in_place && strcmp(name, "uml") == 0)) {
			sk_jx_set_str(o, "Error", sk_jx_get_str(e, "Problem", ""));
			return;
		}
	}
	if (any)
		sk_jx_set_str(o, "Error", "no engine works on this machine: see `skerry doctor`");
}

json_t *sk_engines_json(bool again)
{
	json_t *o = sk_jx_object(), *list = sk_jx_array();
	struct sk_error err = SK_ERROR_INIT;
	struct sk_settings settings;
	const struct sk_engine *e;
	bool in_place;
	size_t i;

	sk_jx_set_str(o, "Engine", "");
	sk_jx_set_str(o, "Error", "");
	if (sk_settings_init(&settings, &err) < 0) {
		sk_jx_set_str(o, "Setting", "");
		sk_jx_set_str(o, "SettingFrom", "");
		sk_jx_set_str(o, "Error", err.message);
		sk_jx_set(o, "Engines", list);
		return o;
	}
	sk_jx_set_str(o, "Setting", settings.engine);
	sk_jx_set_str(o, "SettingFrom", settings.source);
	in_place = add_uml_isolation(o, &settings.engines);
	settings.engines.probe_again = again;
	for (i = 0; (e = sk_engine_at(i)); i++) {
		json_t *one = one_engine(e, &settings.engines);

		sk_jx_set_bool(one, "Chosen", false);
		sk_jx_push(list, one);
		settings.engines.probe_again = false; /* kvm comes first, and is the one that takes long */
	}
	choose(o, list, settings.engine, settings.engines.uml_isolation == SK_UML_IN_PLACE && !in_place);
	sk_jx_set(o, "Engines", list);
	sk_settings_fini(&settings);
	return o;
}

const json_t *sk_engines_chosen(const json_t *engines)
{
	const json_t *list = json_object_get(engines, "Engines");
	size_t i;

	for (i = 0; i < json_array_size(list); i++)
		if (sk_jx_get_bool(json_array_get(list, i), "Chosen", false))
			return json_array_get(list, i);
	return NULL;
}
