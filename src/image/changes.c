/* SPDX-License-Identifier: Apache-2.0 */
/* Dockerfile lines of `import --change`, as the Dockerfile reference describes them. */
#include "image/changes.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/fs.h"

static int no_memory(struct sk_error *err)
{
	return sk_error_errno(err, ENOMEM, "cannot apply a change");
}

static const char *skip_space(const char *s)
{
	while (isspace((unsigned char)*s))
		s++;
	return s;
}

/* `s` as a JSON array of strings; NULL: it is not one, and so is in shell form. */
static json_t *json_form(const char *s)
{
	json_t *list = *s == '[' ? json_loads(s, 0, NULL) : NULL, *item;
	size_t i;

	if (!json_is_array(list)) {
		json_decref(list);
		return NULL;
	}
	json_array_foreach(list, i, item) if (!json_is_string(item))
	{
		json_decref(list);
		return NULL;
	}
	return list;
}

/* The next word of `*s`: quotes and backslashes taken off; `*s` moves behind it. Ends at an unquoted `stop` (0: only at
 * space). malloc'd; NULL with errno 0: none left; EINVAL: an open quote; ENOMEM. */
static char *next_word(const char **s, char stop)
{
	const char *p = skip_space(*s);
	char *word, *out, quote = 0;

	errno = 0;
	if (!*p)
		return NULL;
	word = out = malloc(strlen(p) + 1);
	if (!word) {
		errno = ENOMEM;
		return NULL;
	}
	for (; *p; p++) {
		if (!quote && (isspace((unsigned char)*p) || (stop && *p == stop)))
			break;
		if (quote && *p == quote)
			quote = 0;
		else if (!quote && (*p == '"' || *p == '\''))
			quote = *p;
		else if (*p == '\\' && quote != '\'' && p[1])
			*out++ = *++p;
		else
			*out++ = *p;
	}
	*out = '\0';
	*s = p;
	if (quote) {
		free(word);
		errno = EINVAL;
		return NULL;
	}
	return word;
}

/* ---- one function for each kind of line: `args` is what stands behind the word */

static int set_command(json_t *config, const char *key, const char *args, struct sk_error *err)
{
	json_t *list = json_form(args);

	if (!list)
		list = json_pack("[s, s, s]", "/bin/sh", "-c", args);
	return !list || json_object_set_new(config, key, list) < 0 ? no_memory(err) : 0;
}

static int do_cmd(json_t *config, const char *args, struct sk_error *err)
{
	return set_command(config, "Cmd", args, err);
}

static int do_entrypoint(json_t *config, const char *args, struct sk_error *err)
{
	return set_command(config, "Entrypoint", args, err);
}

static int do_user(json_t *config, const char *args, struct sk_error *err)
{
	return json_object_set_new(config, "User", json_string(args)) < 0 ? sk_error_set(err, EINVAL, "not valid UTF-8")
									  : 0;
}

static int do_stopsignal(json_t *config, const char *args, struct sk_error *err)
{
	return json_object_set_new(config, "StopSignal", json_string(args)) < 0
		       ? sk_error_set(err, EINVAL, "not valid UTF-8")
		       : 0;
}

static int do_workdir(json_t *config, const char *args, struct sk_error *err)
{
	const char *old = json_string_value(json_object_get(config, "WorkingDir"));
	_cleanup_free_ char *path = NULL;

	if (args[0] == '/')
		path = strdup(args);
	else
		path = sk_asprintf("%s/%s", old && strcmp(old, "/") != 0 ? old : "", args);
	if (!path)
		return no_memory(err);
	return json_object_set_new(config, "WorkingDir", json_string(path)) < 0
		       ? sk_error_set(err, EINVAL, "not valid UTF-8")
		       : 0;
}

/* Adds or replaces "NAME=value" in Env. */
static int put_env(json_t *config, const char *name, const char *value, struct sk_error *err)
{
	json_t *env = json_object_get(config, "Env"), *item, *text;
	_cleanup_free_ char *line = sk_asprintf("%s=%s", name, value);
	size_t i, n = strlen(name);

	if (!line)
		return no_memory(err);
	if (!env && json_object_set_new(config, "Env", env = json_array()) < 0)
		return no_memory(err);
	text = json_string(line);
	if (!text)
		return sk_error_set(err, EINVAL, "not valid UTF-8");
	json_array_foreach(env, i, item)
	{
		const char *s = json_string_value(item);

		if (s && strncmp(s, name, n) == 0 && s[n] == '=')
			return json_array_set_new(env, i, text) < 0 ? no_memory(err) : 0;
	}
	return json_array_append_new(env, text) < 0 ? no_memory(err) : 0;
}

static int put_label(json_t *config, const char *name, const char *value, struct sk_error *err)
{
	json_t *labels = json_object_get(config, "Labels");

	if (!labels && json_object_set_new(config, "Labels", labels = json_object()) < 0)
		return no_memory(err);
	return json_object_set_new(labels, name, json_string(value)) < 0 ? sk_error_set(err, EINVAL, "not valid UTF-8")
									 : 0;
}

/* NAME=value NAME="other value" …, or the old form NAME the rest of the line. */
static int pairs(json_t *config, const char *args, int (*put)(json_t *, const char *, const char *, struct sk_error *),
		 struct sk_error *err)
{
	const char *p = args;

	for (;;) {
		_cleanup_free_ char *name = next_word(&p, '='), *value = NULL;
		int r;

		if (!name)
			return errno ? sk_error_set(err, EINVAL, "a quote is not closed") : 0;
		if (!*name)
			return sk_error_set(err, EINVAL, "a name is missing");
		if (*p == '=') {
			p++;
			value = isspace((unsigned char)*p) || !*p ? strdup("") : next_word(&p, 0);
		} else if (skip_space(args) + strlen(name) == p && *skip_space(p)) {
			value = strdup(skip_space(p));
			p += strlen(p);
		} else {
			return sk_error_set(err, EINVAL, "%s has no value", name);
		}
		if (!value)
			return sk_error_set(err, EINVAL, "a quote is not closed");
		r = put(config, name, value, err);
		if (r < 0)
			return r;
	}
}

static int do_env(json_t *config, const char *args, struct sk_error *err)
{
	return pairs(config, args, put_env, err);
}

static int do_label(json_t *config, const char *args, struct sk_error *err)
{
	return pairs(config, args, put_label, err);
}

/* Puts each word (or element of the JSON form) as a key of the object `key`. */
static int add_keys(json_t *config, const char *key, const char *args, const char *suffix, struct sk_error *err)
{
	json_t *set = json_object_get(config, key), *list = json_form(args), *item;
	size_t i;
	int r = 0;

	if (!list) {
		list = json_array();
		for (;;) {
			_cleanup_free_ char *word = next_word(&args, 0);

			if (!word)
				break;
			json_array_append_new(list, json_string(word));
		}
	}
	if (!set && json_object_set_new(config, key, set = json_object()) < 0)
		r = no_memory(err);
	if (r == 0 && json_array_size(list) == 0)
		r = sk_error_set(err, EINVAL, "a value is missing");
	json_array_foreach(list, i, item)
	{
		const char *s = json_string_value(item);
		_cleanup_free_ char *full = sk_asprintf("%s%s", s, strchr(s, '/') ? "" : suffix);

		if (r == 0 && (!full || json_object_set_new(set, full, json_object()) < 0))
			r = no_memory(err);
	}
	json_decref(list);
	return r;
}

static int do_volume(json_t *config, const char *args, struct sk_error *err)
{
	return add_keys(config, "Volumes", args, "", err);
}

/* PORT[-PORT][/tcp|udp|sctp] … */
static int do_expose(json_t *config, const char *args, struct sk_error *err)
{
	const char *p = args;

	for (;;) {
		_cleanup_free_ char *word = next_word(&p, 0);
		size_t n;

		if (!word)
			break;
		n = strspn(word, "0123456789-");
		if (n == 0 || !isdigit((unsigned char)word[0]) ||
		    (word[n] && strcmp(word + n, "/tcp") != 0 && strcmp(word + n, "/udp") != 0 &&
		     strcmp(word + n, "/sctp") != 0))
			return sk_error_set(err, EINVAL, "%.60s is not a port", word);
	}
	return add_keys(config, "ExposedPorts", args, "/tcp", err);
}

static int do_onbuild(json_t *config, const char *args, struct sk_error *err)
{
	json_t *list = json_object_get(config, "OnBuild");

	if (!json_is_array(list) && json_object_set_new(config, "OnBuild", list = json_array()) < 0)
		return no_memory(err);
	return json_array_append_new(list, json_string(args)) < 0 ? sk_error_set(err, EINVAL, "not valid UTF-8") : 0;
}

/* "1m30s", "500ms" in nanoseconds; -1: it is not a time. */
static json_int_t duration_ns(const char *s)
{
	static const struct {
		const char *unit;
		json_int_t ns;
	} units[] = { { "ms", 1000000 },      { "us", 1000 },	    { "ns", 1 },
		      { "h", 3600000000000 }, { "m", 60000000000 }, { "s", 1000000000 } };
	json_int_t total = 0;

	while (*s) {
		char *end;
		double n = isdigit((unsigned char)*s) ? strtod(s, &end) : -1;
		size_t i;

		if (n < 0 || n > 1e6)
			return -1;
		for (i = 0; i < SK_ARRAY_SIZE(units) && strncmp(end, units[i].unit, strlen(units[i].unit)) != 0; i++)
			;
		if (i == SK_ARRAY_SIZE(units))
			return -1;
		total += (json_int_t)(n * (double)units[i].ns);
		s = end + strlen(units[i].unit);
	}
	return total;
}

/* --interval=30s and the like, before CMD. */
static int health_option(json_t *health, const char *word, struct sk_error *err)
{
	static const char *const names[][2] = { { "--interval=", "Interval" },
						{ "--timeout=", "Timeout" },
						{ "--start-period=", "StartPeriod" } };
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(names); i++) {
		size_t n = strlen(names[i][0]);
		json_int_t ns;

		if (strncmp(word, names[i][0], n) != 0)
			continue;
		ns = duration_ns(word + n);
		if (ns < 1000000)
			return sk_error_set(err, EINVAL, "%.60s is not a time of at least 1ms", word);
		return json_object_set_new(health, names[i][1], json_integer(ns));
	}
	if (strncmp(word, "--retries=", 10) == 0 && atoi(word + 10) > 0)
		return json_object_set_new(health, "Retries", json_integer(atoi(word + 10)));
	return sk_error_set(err, EINVAL, "%.60s is not an option of HEALTHCHECK", word);
}

/* [--interval=30s …] CMD command, or NONE */
static int do_healthcheck(json_t *config, const char *args, struct sk_error *err)
{
	json_t *health = json_object(), *test = NULL;
	int r = 0;

	while (r == 0 && args[0] == '-' && args[1] == '-') {
		size_t n = strcspn(args, " \t");
		_cleanup_free_ char *word = strndup(args, n);

		r = word ? health_option(health, word, err) : no_memory(err);
		args = skip_space(args + n);
	}
	if (r == 0 && strncasecmp(args, "CMD", 3) == 0 && isspace((unsigned char)args[3])) {
		const char *command = skip_space(args + 3);

		test = json_form(command);
		if (test)
			json_array_insert_new(test, 0, json_string("CMD"));
		else
			test = json_pack("[s, s]", "CMD-SHELL", command);
	} else if (r == 0 && strcasecmp(args, "NONE") == 0) {
		test = json_pack("[s]", "NONE");
	}
	if (r == 0 && !test)
		r = sk_error_set(err, EINVAL, "HEALTHCHECK needs CMD and a command, or NONE");
	if (r == 0) {
		json_object_set_new(health, "Test", test);
		return json_object_set_new(config, "Healthcheck", health) < 0 ? no_memory(err) : 0;
	}
	json_decref(test);
	json_decref(health);
	return r;
}

int sk_change_apply(json_t *config, const char *line, struct sk_error *err)
{
	static const struct {
		const char *word;
		int (*apply)(json_t *config, const char *args, struct sk_error *err);
	} table[] = {
		{ "CMD", do_cmd },
		{ "ENTRYPOINT", do_entrypoint },
		{ "ENV", do_env },
		{ "EXPOSE", do_expose },
		{ "LABEL", do_label },
		{ "STOPSIGNAL", do_stopsignal },
		{ "USER", do_user },
		{ "VOLUME", do_volume },
		{ "WORKDIR", do_workdir },
		{ "ONBUILD", do_onbuild },
		{ "HEALTHCHECK", do_healthcheck },
	};
	const char *word = skip_space(line);
	_cleanup_free_ char *args = NULL;
	size_t n = strcspn(word, " \t"), i, len;

	args = strdup(skip_space(word + n));
	if (!args)
		return no_memory(err);
	for (len = strlen(args); len && isspace((unsigned char)args[len - 1]); len--)
		args[len - 1] = '\0';
	for (i = 0; i < SK_ARRAY_SIZE(table); i++) {
		int r;

		if (strlen(table[i].word) != n || strncasecmp(table[i].word, word, n) != 0)
			continue;
		r = *args ? table[i].apply(config, args, err) : sk_error_set(err, EINVAL, "a value is missing");
		return r < 0 ? sk_error_wrap(err, "bad change \"%.200s\"", line) : 0;
	}
	return sk_error_set(err, EINVAL, "bad change \"%.200s\": %.*s is not supported", line, (int)(n < 40 ? n : 40),
			    word);
}
