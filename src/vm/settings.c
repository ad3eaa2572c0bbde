/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the configuration files and the environment (settings.h). A word that is not known is an error. */
#include "vm/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "vm/config.h"
#include "vm/places.h"
#include "vm/state.h"

#define SK_CONFIG_MAX (64u * 1024u)
#define SK_IDLE_RECLAIM 300u

static int bad(struct sk_error *err, const char *path, const char *why)
{
	return sk_error_set(err, EINVAL, "configuration file %s: %s", path, why);
}

static int check_seconds(const char *path, const char *key, const json_t *value, int min, int max, struct sk_error *err)
{
	if (json_is_number(value) && json_number_value(value) >= min && json_number_value(value) <= max)
		return 0;
	return sk_error_set(err, EINVAL, "configuration file %s: \"%s\" is a number of seconds, %d to %d", path, key,
			    min, max);
}

static bool is_path_list(const json_t *value)
{
	json_t *v;
	size_t i;

	json_array_foreach(value, i, v)
	{
		const char *path = json_string_value(v);

		if (!path || !sk_place_is_full(path))
			return false;
	}
	return json_is_array(value);
}

static int check(const char *path, const char *key, const json_t *value, struct sk_error *err)
{
	enum sk_uml_isolation isolation;
	enum sk_confinement sandbox;

	if (strcmp(key, "engine") == 0)
		return json_is_string(value) && sk_engine_name_valid(json_string_value(value))
			       ? 0
			       : bad(err, path, "\"engine\" is " SK_ENGINE_NAMES);
	if (strcmp(key, "qemu") == 0)
		return json_is_string(value) && sk_place_is_full(json_string_value(value))
			       ? 0
			       : bad(err, path, "\"qemu\" is the absolute path of qemu-system-x86_64");
	if (strcmp(key, "kvm_timeout") == 0)
		return check_seconds(path, key, value, 1, 600, err);
	if (strcmp(key, "start_timeout") == 0)
		return check_seconds(path, key, value, 1, 3600, err);
	if (strcmp(key, "host_loopback") == 0)
		return json_is_boolean(value) ? 0 : bad(err, path, "\"host_loopback\" is true or false");
	if (strcmp(key, "idle_reclaim") == 0)
		return check_seconds(path, key, value, 0, 86400, err);
	if (strcmp(key, "machine_idle_stop") == 0)
		return json_is_integer(value) && json_integer_value(value) == 0
			       ? 0
			       : check_seconds(path, key, value, SK_VM_IDLE_STOP_MIN, SK_VM_IDLE_STOP_MAX, err);
	if (strcmp(key, "tcg_buffer") == 0)
		return json_is_integer(value) && json_integer_value(value) >= 8 && json_integer_value(value) <= 2048
			       ? 0
			       : bad(err, path, "\"tcg_buffer\" is a number of MiB, 8 to 2048");
	if (strcmp(key, "memory") == 0)
		return json_is_integer(value) && json_integer_value(value) >= 96 && json_integer_value(value) <= 4194304
			       ? 0
			       : bad(err, path, "\"memory\" is a number of MiB, 96 to 4194304");
	if (strcmp(key, "cpus") == 0)
		return json_is_integer(value) && json_integer_value(value) >= 1 && json_integer_value(value) <= 64
			       ? 0
			       : bad(err, path, "\"cpus\" is a number of processors, 1 to 64");
	if (strcmp(key, "sandbox") == 0)
		return json_is_string(value) && sk_confinement_parse(json_string_value(value), &sandbox) == 0
			       ? 0
			       : bad(err, path, "\"sandbox\" is " SK_CONFINEMENT_NAMES);
	if (strcmp(key, "uml_isolation") == 0)
		return json_is_string(value) && sk_uml_isolation_parse(json_string_value(value), &isolation) == 0
			       ? 0
			       : bad(err, path, "\"uml_isolation\" is " SK_UML_ISOLATION_NAMES);
	if (strcmp(key, "machine_mounts") == 0)
		return is_path_list(value)
			       ? 0
			       : bad(err, path,
				     "\"machine_mounts\" is a list of absolute paths that machines may see: "
				     "[\"/srv\", \"/mnt:ro\"]");
	return sk_error_set(
		err, EINVAL,
		"configuration file %s: what is \"%.64s\"? There are \"engine\", \"qemu\", \"kvm_timeout\", "
		"\"start_timeout\", \"idle_reclaim\", \"tcg_buffer\", \"memory\", \"cpus\", \"sandbox\", "
		"\"uml_isolation\", \"machine_mounts\", \"machine_idle_stop\" and \"host_loopback\"",
		path, key);
}

/* A file that is not there says nothing, unless it was asked for. */
static int read_file(struct sk_settings *s, const char *path, bool wanted, struct sk_error *err)
{
	_cleanup_free_ char *text = NULL;
	json_error_t why;
	json_t *o, *value;
	const char *key;
	int r = sk_fs_read(AT_FDCWD, path, SK_CONFIG_MAX, &text, NULL);

	if (r == -ENOENT && !wanted)
		return 0;
	if (r < 0)
		return sk_error_errno(err, r, "cannot read configuration file %s", path);
	o = json_loads(text, JSON_REJECT_DUPLICATES, &why);
	if (!json_is_object(o)) {
		json_decref(o);
		return sk_error_set(err, EINVAL, "configuration file %s, line %d: not a JSON object%s%.100s", path,
				    o ? 1 : why.line, o ? "" : ": ", o ? "" : why.text);
	}
	json_object_foreach(o, key, value) if (r == 0) r = check(path, key, value, err);
	if (r == 0 && json_object_get(o, "engine")) {
		free(s->source_buf);
		s->source_buf = strdup(path);
	}
	if (r == 0 && json_object_update(s->json, o) < 0)
		r = sk_error_errno(err, ENOMEM, "cannot read configuration file %s", path);
	json_decref(o);
	return r;
}

static int read_files(struct sk_settings *s, struct sk_error *err)
{
	_cleanup_free_ char *common = sk_place_config(false), *own = sk_place_config(true);
	const char *only = getenv("SKERRY_CONFIG");
	int r;

	if (only && *only)
		return read_file(s, only, true, err);
	r = common ? read_file(s, common, false, err) : 0;
	if (r < 0)
		return r;
	return own ? read_file(s, own, false, err) : 0;
}

static unsigned milliseconds(const struct sk_settings *s, const char *key, unsigned absent)
{
	const json_t *value = json_object_get(s->json, key);

	return value ? (unsigned)(json_number_value(value) * 1000) : absent * 1000;
}

int sk_settings_init(struct sk_settings *s, struct sk_error *err)
{
	const char *env = getenv("SKERRY_ENGINE"), *sandbox, *isolation;
	int r;

	*s = (struct sk_settings){ .json = json_object() };
	r = s->json ? read_files(s, err) : sk_error_errno(err, ENOMEM, "cannot read the configuration");
	if (r == 0 && env && *env && !sk_engine_name_valid(env))
		r = sk_error_set(err, EINVAL, "SKERRY_ENGINE is \"%.64s\": it is " SK_ENGINE_NAMES, env);
	if (r < 0) {
		sk_settings_fini(s);
		return r;
	}
	s->engine = json_string_value(json_object_get(s->json, "engine"));
	s->source = s->engine ? s->source_buf : "default";
	if (!s->engine)
		s->engine = "auto";
	if (env && *env) {
		s->engine = env;
		s->source = "SKERRY_ENGINE";
	}
	s->start_timeout_ms = milliseconds(s, "start_timeout", 60);
	s->machine_mounts = json_object_get(s->json, "machine_mounts");
	s->machine_idle_stop = milliseconds(s, "machine_idle_stop", 0) / 1000;
	s->no_host_loopback = json_is_false(json_object_get(s->json, "host_loopback"));
	s->idle_reclaim = milliseconds(s, "idle_reclaim", SK_IDLE_RECLAIM) / 1000;
	s->default_memory = (uint64_t)json_integer_value(json_object_get(s->json, "memory")) << 20;
	s->default_cpus = (unsigned)json_integer_value(json_object_get(s->json, "cpus"));
	s->cache_dir = sk_paths_host_run();
	s->engines = (struct sk_engine_settings){
		.cache_dir = s->cache_dir,
		.qemu = json_string_value(json_object_get(s->json, "qemu")),
		.kvm_timeout_ms = milliseconds(s, "kvm_timeout", 5),
		.tcg_buffer = (unsigned)json_integer_value(json_object_get(s->json, "tcg_buffer")),
	};
	isolation = json_string_value(json_object_get(s->json, "uml_isolation"));
	if (isolation)
		(void)sk_uml_isolation_parse(isolation, &s->engines.uml_isolation); /* checked above */
	sandbox = json_string_value(json_object_get(s->json, "sandbox"));
	if (sandbox)
		(void)sk_confinement_parse(sandbox, &s->engines.sandbox); /* checked above */
	return 0;
}

void sk_settings_fini(struct sk_settings *s)
{
	json_decref(s->json);
	free(s->source_buf);
	free(s->cache_dir);
	*s = (struct sk_settings){ 0 };
}
