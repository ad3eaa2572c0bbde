/* SPDX-License-Identifier: Apache-2.0 */
/* Health checks: options and image → what inspect shows, and what the monitor does (vm/health.c). */
#include "model/health.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/jx.h"
#include "model/units.h"

#define NS_OF_MS INT64_C(1000000)
#define DEFAULT_MS 30000 /* interval, and timeout */
#define DEFAULT_RETRIES 3

struct setting {
	const char *option, *key;
	const char *text;
};

/* A duration that was asked for, 0 without one. */
static int set_duration(json_t *health, const struct setting *s, struct sk_error *err)
{
	int64_t ns;

	if (!s->text)
		return 0;
	if (sk_parse_duration(s->text, &ns) < 0)
		return sk_error_set(err, EINVAL,
				    "invalid argument \"%.64s\" for \"--%s\" flag: give a duration, as 30s", s->text,
				    s->option);
	if (ns < 0)
		return sk_error_set(err, EINVAL, "--%s cannot be negative", s->option);
	if (ns && ns < NS_OF_MS)
		return sk_error_set(err, EINVAL, "%s in Healthcheck cannot be less than 1ms", s->key);
	if (ns)
		sk_jx_set_int(health, s->key, ns);
	return 0;
}

static bool has_settings(const struct sk_run_opts *o)
{
	return (o->health_cmd && *o->health_cmd) || o->health_interval || o->health_timeout || o->health_start_period ||
	       o->health_retries;
}

/* What the image says where the options do not. */
static void merge(json_t *health, const json_t *image)
{
	static const char *const keys[] = { "Test", "Interval", "Timeout", "StartPeriod", "Retries" };
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(keys); i++)
		if (!json_object_get(health, keys[i]) && json_object_get(image, keys[i]))
			sk_jx_set(health, keys[i], json_deep_copy(json_object_get(image, keys[i])));
}

int sk_health_plan(const struct sk_run_opts *o, const json_t *image, json_t **ret, struct sk_error *err)
{
	const struct setting settings[] = {
		{ "health-interval", "Interval", o->health_interval },
		{ "health-timeout", "Timeout", o->health_timeout },
		{ "health-start-period", "StartPeriod", o->health_start_period },
	};
	_cleanup_json_ json_t *health = NULL;
	size_t i;

	*ret = NULL;
	if (o->no_healthcheck && has_settings(o))
		return sk_error_set(err, EINVAL, "--no-healthcheck conflicts with --health-* options");
	if (o->no_healthcheck) {
		*ret = sk_jx(json_pack("{s:[s]}", "Test", "NONE"));
		return 0;
	}
	if (!has_settings(o) && !json_is_object(image))
		return 0;
	health = sk_jx_object();
	if (o->health_cmd && *o->health_cmd)
		sk_jx_set(health, "Test", sk_jx(json_pack("[s, s]", "CMD-SHELL", o->health_cmd)));
	for (i = 0; i < SK_ARRAY_SIZE(settings); i++)
		if (set_duration(health, &settings[i], err) < 0)
			return -EINVAL;
	if (o->health_retries < 0)
		return sk_error_set(err, EINVAL, "--health-retries cannot be negative");
	if (o->health_retries)
		sk_jx_set_int(health, "Retries", o->health_retries);
	if (json_is_object(image))
		merge(health, image);
	*ret = json_incref(health);
	return 0;
}

static void append(json_t *list, const json_t *from, size_t first)
{
	size_t i;

	for (i = first; i < json_array_size(from); i++)
		if (json_is_string(json_array_get(from, i)))
			sk_jx_push(list, json_incref(json_array_get(from, i)));
}

static int64_t ms_of(const json_t *health, const char *key, int64_t absent)
{
	int64_t ns = sk_jx_get_int(health, key, 0);

	return ns >= NS_OF_MS ? ns / NS_OF_MS : absent;
}

json_t *sk_health_to_vm(const json_t *health, const json_t *shell)
{
	const json_t *test = json_object_get(health, "Test");
	const char *kind = json_string_value(json_array_get(test, 0));
	int64_t retries = sk_jx_get_int(health, "Retries", 0);
	json_t *args, *o;

	if (!kind || json_array_size(test) < 2 || (strcmp(kind, "CMD") != 0 && strcmp(kind, "CMD-SHELL") != 0))
		return NULL;
	args = sk_jx_array();
	if (strcmp(kind, "CMD-SHELL") == 0 && json_array_size(shell))
		append(args, shell, 0);
	else if (strcmp(kind, "CMD-SHELL") == 0) {
		sk_jx_push(args, sk_jx(json_string("/bin/sh")));
		sk_jx_push(args, sk_jx(json_string("-c")));
	}
	append(args, test, 1);
	o = sk_jx_object();
	sk_jx_set(o, "args", args);
	sk_jx_set_int(o, "interval_ms", ms_of(health, "Interval", DEFAULT_MS));
	sk_jx_set_int(o, "timeout_ms", ms_of(health, "Timeout", DEFAULT_MS));
	sk_jx_set_int(o, "start_period_ms", ms_of(health, "StartPeriod", 0));
	sk_jx_set_int(o, "retries", retries > 0 ? retries : DEFAULT_RETRIES);
	return o;
}

const char *sk_health_note(const json_t *health)
{
	const char *status = sk_jx_get_str(health, "Status", "");

	return strcmp(status, "starting") == 0	  ? " (health: starting)"
	       : strcmp(status, "healthy") == 0	  ? " (healthy)"
	       : strcmp(status, "unhealthy") == 0 ? " (unhealthy)"
						  : "";
}
