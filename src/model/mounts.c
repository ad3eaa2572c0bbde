/* SPDX-License-Identifier: Apache-2.0 */
/* -v, --mount and --tmpfs: docker's three notations, parsed into one list of mounts, and what is refused. */
#include "model/mounts.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "model/container.h"
#include "model/jx.h"
#include "model/path.h"
#include "model/units.h"

static void mount_fini(struct sk_mount *m)
{
	free(m->source);
	free(m->target);
	free(m->path);
	free(m->options);
	free(m->propagation);
	free(m->subpath);
	free(m->driver);
	sk_strv_fini(&m->driver_options);
	sk_strv_fini(&m->labels);
}

void sk_mounts_fini(struct sk_mounts *mounts)
{
	size_t i;

	for (i = 0; i < mounts->n; i++)
		mount_fini(&mounts->v[i]);
	free(mounts->v);
	*mounts = (struct sk_mounts){ 0 };
}

static void take(struct sk_mounts *mounts, struct sk_mount *m)
{
	mounts->v = sk_xrealloc(mounts->v, mounts->n + 1, sizeof(*mounts->v));
	mounts->v[mounts->n++] = *m;
}

static int set_target(struct sk_mount *m, const char *target, const char *spec, char *why)
{
	if (*target != '/') {
		snprintf(why, 256, "invalid mount path: '%.100s' mount path must be absolute", target);
		return -EINVAL;
	}
	m->target = sk_model_path_clean(target);
	if (strcmp(m->target, "/") == 0) {
		snprintf(why, 256, "invalid volume specification: '%.100s': destination can't be '/'", spec);
		return -EINVAL;
	}
	return 0;
}

static int set_bind(struct sk_mount *m, const char *source, const struct sk_windows_place *place, char *why)
{
	m->type = SK_MOUNT_BIND;
	m->source = place ? sk_model_windows_absolute(source, place) : sk_model_path_absolute(source);
	if (m->source)
		return 0;
	snprintf(why, 256, "'%.100s' is no full path: give drive and directory, as C:\\data, or .\\data", source);
	return -EINVAL;
}

static int set_source(struct sk_mount *m, const char *source, const struct sk_windows_place *place, char *why)
{
	if (place ? sk_model_windows_is_path(source) : strchr("/.~", *source) != NULL)
		return set_bind(m, source, place, why);
	m->type = SK_MOUNT_VOLUME;
	if (!sk_is_docker_name(source)) {
		snprintf(why, 256,
			 "\"%.64s\" includes invalid characters for a local volume name, only "
			 "\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are "
			 "allowed. If you intended to pass a host directory, use absolute path",
			 source);
		return -EINVAL;
	}
	m->source = sk_xstrdup(source);
	return 0;
}

static const char *const propagations[] = { "private", "rprivate", "shared", "rshared", "slave", "rslave" };

static bool is_propagation(const char *s)
{
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(propagations); i++)
		if (strcmp(s, propagations[i]) == 0)
			return true;
	return false;
}

/* "nodev", "nosuid", "noexec", or without "no". */
static bool set_restriction(struct sk_mount *m, const char *word)
{
	const bool no = strncmp(word, "no", 2) == 0;
	const char *what = no ? word + 2 : word;
	bool *to = strcmp(what, "dev") == 0    ? &m->nodev
		   : strcmp(what, "suid") == 0 ? &m->nosuid
		   : strcmp(what, "exec") == 0 ? &m->noexec
					       : NULL;

	if (to)
		*to = no;
	return to != NULL;
}

/* The third part of -v: "ro", "rw", "z", "Z", "nocopy", "nodev", "nosuid", "noexec", propagation, consistency. */
static int parse_mode(struct sk_mount *m, const char *mode, char *why)
{
	static const char *const ignored[] = { "rw", "z", "Z", "consistent", "cached", "delegated", "" };
	struct sk_strv parts = { 0 };
	unsigned access = 0;
	int r = 0;
	size_t i, k;

	sk_strv_split(&parts, mode, ',');
	for (i = 0; r == 0 && i < parts.n; i++) {
		const char *p = parts.v[i];

		for (k = 0; k < SK_ARRAY_SIZE(ignored) && strcmp(p, ignored[k]) != 0; k++)
			;
		if ((strcmp(p, "ro") == 0 || strcmp(p, "rw") == 0) && ++access > 1) {
			snprintf(why, 256, "invalid mode: %.64s", mode);
			r = -EINVAL;
		} else if (k < SK_ARRAY_SIZE(ignored)) {
			continue;
		} else if (strcmp(p, "ro") == 0) {
			m->readonly = true;
		} else if (strcmp(p, "nocopy") == 0) {
			m->nocopy = true;
		} else if (set_restriction(m, p)) {
			continue;
		} else if (is_propagation(p)) {
			free(m->propagation);
			m->propagation = sk_xstrdup(p);
		} else {
			snprintf(why, 256, "invalid mode: %.64s", mode);
			r = -EINVAL;
		}
	}
	sk_strv_fini(&parts);
	return r;
}

/* Splits at colons, but for that of a drive. */
static void split_volume(struct sk_strv *parts, const char *spec, bool drives)
{
	size_t n = drives ? sk_model_windows_source_len(spec) : 0;

	if (n && spec[n] == ':') {
		sk_strv_take(parts, sk_xstrndup(spec, n));
		sk_strv_split(parts, spec + n + 1, ':');
	} else if (n) {
		sk_strv_add(parts, spec);
	} else {
		sk_strv_split(parts, spec, ':');
	}
}

int sk_mounts_parse_volume_of(struct sk_mounts *mounts, const char *spec, const struct sk_windows_place *place,
			      char *why)
{
	struct sk_mount m = { .type = SK_MOUNT_VOLUME, .make_source = true };
	struct sk_strv parts = { 0 };
	int r = 0;

	split_volume(&parts, spec, place != NULL);
	if (parts.n > 3 || !*parts.v[0] || (parts.n > 1 && !*parts.v[1])) {
		snprintf(why, 256, "invalid volume specification: '%.128s'", spec);
		r = -EINVAL;
	} else if (parts.n == 1) {
		r = set_target(&m, parts.v[0], spec, why);
	} else {
		r = set_source(&m, parts.v[0], place, why);
		if (r == 0)
			r = set_target(&m, parts.v[1], spec, why);
		if (r == 0 && parts.n == 3)
			r = parse_mode(&m, parts.v[2], why);
	}
	sk_strv_fini(&parts);
	if (r == 0)
		take(mounts, &m);
	else
		mount_fini(&m);
	return r;
}

int sk_mounts_parse_volume(struct sk_mounts *mounts, const char *spec, char *why)
{
	return sk_mounts_parse_volume_of(mounts, spec, sk_model_windows_place(), why);
}

/* Appends ",key=value" or ",key" to mount options. */
static void add_option(struct sk_mount *m, const char *key, const char *value)
{
	char *old = m->options;

	m->options =
		sk_xasprintf("%s%s%s%s%s", old ? old : "", old ? "," : "", key, value ? "=" : "", value ? value : "");
	free(old);
}

int sk_mounts_parse_tmpfs(struct sk_mounts *mounts, const char *spec, char *why)
{
	const char *colon = strchr(spec, ':');
	_cleanup_free_ char *target = colon ? sk_xstrndup(spec, (size_t)(colon - spec)) : sk_xstrdup(spec);
	struct sk_mount m = { .type = SK_MOUNT_TMPFS };
	struct sk_strv parts = { 0 };
	size_t i;
	int r = set_target(&m, target, spec, why);

	if (colon && colon[1])
		sk_strv_split(&parts, colon + 1, ',');
	for (i = 0; i < parts.n; i++) {
		if (strcmp(parts.v[i], "ro") == 0)
			m.readonly = true;
		else if (strcmp(parts.v[i], "rw") != 0)
			add_option(&m, parts.v[i], NULL);
	}
	sk_strv_fini(&parts);
	if (r == 0)
		take(mounts, &m);
	else
		mount_fini(&m);
	return r;
}

/* State of a --mount under way: what can be judged only when the type is known. */
struct mount_parse {
	struct sk_mount m;
	const char *source, *target;
	char *why;
};

static int bad_field(struct mount_parse *p, const char *key, const char *value)
{
	snprintf(p->why, 256, "invalid value for %.32s: %.128s", key, value ? value : "");
	return -EINVAL;
}

static int parse_tmpfs_field(struct mount_parse *p, const char *key, const char *value)
{
	char text[32], *end;
	int64_t size;

	if (strcmp(key, "tmpfs-size") == 0) {
		if (sk_parse_bytes(value, &size) < 0)
			return bad_field(p, key, value);
		snprintf(text, sizeof(text), "%lld", (long long)size);
		add_option(&p->m, "size", text);
	} else {
		if (!*value || strtol(value, &end, 8) < 0 || *end)
			return bad_field(p, key, value);
		add_option(&p->m, "mode", value);
	}
	return 0;
}

static const struct {
	const char *name;
	size_t offset;
} mount_flags[] = {
	{ "readonly", offsetof(struct sk_mount, readonly) },
	{ "ro", offsetof(struct sk_mount, readonly) },
	{ "nodev", offsetof(struct sk_mount, nodev) },
	{ "nosuid", offsetof(struct sk_mount, nosuid) },
	{ "noexec", offsetof(struct sk_mount, noexec) },
	{ "volume-nocopy", offsetof(struct sk_mount, nocopy) },
	{ "bind-nonrecursive", offsetof(struct sk_mount, nonrecursive) },
};

static void replace(char **to, const char *value)
{
	free(*to);
	*to = sk_xstrdup(value);
}

/* Fields with a value that is kept as it is. */
static int parse_value_field(struct mount_parse *p, const char *key, const char *value)
{
	struct sk_mount *m = &p->m;

	if (strcmp(key, "source") == 0 || strcmp(key, "src") == 0)
		p->source = value;
	else if (strcmp(key, "target") == 0 || strcmp(key, "dst") == 0 || strcmp(key, "destination") == 0)
		p->target = value;
	else if (strcmp(key, "bind-propagation") == 0 && is_propagation(value))
		replace(&m->propagation, value);
	else if (strcmp(key, "volume-driver") == 0)
		replace(&m->driver, value);
	else if (strcmp(key, "volume-subpath") == 0)
		replace(&m->subpath, value);
	else if (strcmp(key, "volume-label") == 0)
		sk_strv_add(&m->labels, value);
	else if (strcmp(key, "volume-opt") == 0)
		sk_strv_add(&m->driver_options, value);
	else if (strcmp(key, "tmpfs-size") == 0 || strcmp(key, "tmpfs-mode") == 0)
		return parse_tmpfs_field(p, key, value);
	else if (strcmp(key, "consistency") == 0 || strcmp(key, "bind-recursive") == 0)
		return 0;
	else if (strcmp(key, "bind-propagation") == 0)
		return bad_field(p, key, value);
	else {
		snprintf(p->why, 256, "unexpected key '%.64s' in '%.64s=%.64s'", key, key, value);
		return -EINVAL;
	}
	return 0;
}

/* 1: it was one of the flags, 0: another field, -EINVAL. */
static int parse_flag(struct mount_parse *p, const char *key, const char *value)
{
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(mount_flags); i++) {
		bool *to = (bool *)((char *)&p->m + mount_flags[i].offset);

		if (strcmp(key, mount_flags[i].name) != 0)
			continue;
		*to = true;
		if (value && sk_parse_bool(value, to) < 0)
			return bad_field(p, key, value);
		return 1;
	}
	return 0;
}

static int parse_field(struct mount_parse *p, char *field)
{
	static const char *const types[] = { "bind", "volume", "tmpfs" };
	char *eq = strchr(field, '='), *value = eq ? eq + 1 : NULL;
	size_t i;
	int r;

	if (eq)
		*eq = '\0';
	r = parse_flag(p, field, value);
	if (r)
		return r < 0 ? r : 0;
	if (!value) {
		snprintf(p->why, 256, "invalid field '%.128s' must be a key=value pair", field);
		return -EINVAL;
	}
	if (strcmp(field, "type") != 0)
		return parse_value_field(p, field, value);
	for (i = 0; i < SK_ARRAY_SIZE(types); i++) {
		if (strcmp(value, types[i]) == 0) {
			p->m.type = (enum sk_mount_type)i;
			return 0;
		}
	}
	snprintf(p->why, 256, "mount type '%.32s' is not supported: use bind, volume or tmpfs", value);
	return -EINVAL;
}

static int finish_mount(struct mount_parse *p, const char *spec)
{
	if (!p->target) {
		snprintf(p->why, 256, "target is required");
		return -EINVAL;
	}
	if (p->m.type == SK_MOUNT_BIND && (!p->source || !*p->source)) {
		snprintf(p->why, 256, "type=bind needs a source");
		return -EINVAL;
	}
	if (p->m.type == SK_MOUNT_TMPFS && p->source) {
		snprintf(p->why, 256, "type=tmpfs takes no source");
		return -EINVAL;
	}
	if (p->m.type == SK_MOUNT_VOLUME && p->source && !sk_is_docker_name(p->source)) {
		snprintf(p->why, 256, "invalid volume name: %.64s", p->source);
		return -EINVAL;
	}
	if (p->m.subpath && (p->m.type != SK_MOUNT_VOLUME || !p->source || !*p->m.subpath || *p->m.subpath == '/')) {
		snprintf(p->why, 256, "volume-subpath wants a named volume and a relative path: %.64s", p->m.subpath);
		return -EINVAL;
	}
	if (p->source && p->m.type != SK_MOUNT_BIND)
		p->m.source = sk_xstrdup(p->source);
	else if (p->source && set_bind(&p->m, p->source, sk_model_windows_place(), p->why) < 0)
		return -EINVAL;
	return set_target(&p->m, p->target, spec, p->why);
}

static int bad_quote(const char *spec, const char *at, const char *what, char *why)
{
	snprintf(why, 256, "parse error on line 1, column %zu: %s", (size_t)(at - spec) + 1, what);
	return -EINVAL;
}

/* A field that begins at `*p`, into `buf`, which is as long as the whole; `*p` is then at the comma behind it, or at the
 * end. */
static int csv_field(const char *spec, const char **p, char *buf, char *why)
{
	const char *s = *p;

	if (*s != '"') {
		for (; *s && *s != ','; s++) {
			if (*s == '"')
				return bad_quote(spec, s, "bare \" in non-quoted field", why);
			*buf++ = *s;
		}
	} else {
		for (s++; *s && (*s != '"' || s[1] == '"'); s++) {
			*buf++ = *s;
			s += *s == '"';
		}
		if (*s != '"' || (s[1] && s[1] != ','))
			return bad_quote(spec, s, "extraneous or missing \" in quoted-field", why);
		s++;
	}
	*buf = '\0';
	*p = s;
	return 0;
}

/* One line of comma-separated values, as docker reads it (Go's encoding/csv; RFC 4180): a field in quotes may have
 * commas, and quotes that are doubled. */
static int csv_split(struct sk_strv *fields, const char *spec, char *why)
{
	_cleanup_free_ char *buf = sk_xcalloc(strlen(spec) + 1, 1);
	const char *p = spec;
	int r;

	for (;;) {
		r = csv_field(spec, &p, buf, why);
		if (r < 0)
			return r;
		sk_strv_add(fields, buf);
		if (!*p)
			return 0;
		p++;
	}
}

int sk_mounts_parse_mount(struct sk_mounts *mounts, const char *spec, char *why)
{
	struct mount_parse p = { .m.type = SK_MOUNT_VOLUME, .why = why };
	struct sk_strv fields = { 0 };
	size_t i;
	int r = csv_split(&fields, spec, why);

	for (i = 0; r == 0 && i < fields.n; i++)
		r = parse_field(&p, fields.v[i]);
	if (r == 0)
		r = finish_mount(&p, spec);
	sk_strv_fini(&fields);
	if (r == 0)
		take(mounts, &p.m);
	else
		mount_fini(&p.m);
	return r;
}

static bool is_utf8(const char *s)
{
	json_t *j = s ? json_string(s) : json_null();
	bool is = j != NULL;

	json_decref(j);
	return is;
}

int sk_mounts_check(const struct sk_mounts *mounts, struct sk_error *err)
{
	size_t i, k;

	/* Before anything is made at such a path. */
	for (i = 0; i < mounts->n; i++)
		if (!is_utf8(mounts->v[i].source) || !is_utf8(mounts->v[i].target))
			return sk_error_set(err, EINVAL, "%s:%s is not valid UTF-8: give it in UTF-8",
					    mounts->v[i].source ? mounts->v[i].source : "", mounts->v[i].target);
	for (i = 0; i < mounts->n; i++)
		for (k = 0; k < i; k++)
			if (strcmp(mounts->v[i].target, mounts->v[k].target) == 0)
				return sk_error_set(err, EINVAL, "Duplicate mount point: %s", mounts->v[i].target);
	return 0;
}

bool sk_mount_is_slave(const struct sk_mount *m)
{
	return m->type == SK_MOUNT_BIND && m->propagation && !strstr(m->propagation, "private");
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

json_t *sk_mounts_to_vm(const struct sk_mounts *mounts)
{
	json_t *list = sk_jx_array();
	size_t i;

	for (i = 0; i < mounts->n; i++) {
		const struct sk_mount *m = &mounts->v[i];
		char tag[32];
		json_t *o;

		if (!m->path)
			continue;
		snprintf(tag, sizeof(tag), "mount%zu", i);
		o = sk_jx_object();
		sk_jx_set_str(o, "type", "9p");
		sk_jx_set_str(o, "tag", tag);
		sk_jx_set_str(o, "path", m->path);
		sk_jx_set_str(o, "destination", m->target);
		sk_jx_set_bool(o, "readonly", m->readonly);
		if (m->nodev)
			sk_jx_set_bool(o, "nodev", true);
		if (m->nosuid)
			sk_jx_set_bool(o, "nosuid", true);
		if (m->noexec)
			sk_jx_set_bool(o, "noexec", true);
		if (sk_mount_is_slave(m))
			sk_jx_set_bool(o, "slave", true);
		if (m->nonrecursive)
			sk_jx_set_bool(o, "nonrecursive", true);
		if (m->subpath)
			sk_jx_set_str(o, "subpath", m->subpath);
		if (m->file)
			sk_jx_set_str(o, "file", base_name(m->subpath ? m->subpath : m->path));
		if (m->type == SK_MOUNT_VOLUME && !m->nocopy && !m->subpath)
			sk_jx_set_bool(o, "copy_up", true);
		sk_jx_push(list, o);
	}
	return list;
}

json_t *sk_mounts_anonymous(const struct sk_mounts *mounts)
{
	json_t *list = sk_jx_array();
	size_t i;

	for (i = 0; i < mounts->n; i++)
		if (mounts->v[i].anonymous)
			sk_jx_push_str(list, mounts->v[i].source);
	return list;
}

json_t *sk_mounts_to_inspect(const struct sk_mounts *mounts)
{
	static const char *const types[] = { "bind", "volume", "tmpfs" };
	json_t *list = sk_jx_array();
	size_t i;

	for (i = 0; i < mounts->n; i++) {
		const struct sk_mount *m = &mounts->v[i];
		json_t *o = sk_jx_object();

		sk_jx_set_str(o, "Type", types[m->type]);
		if (m->type == SK_MOUNT_VOLUME && m->source)
			sk_jx_set_str(o, "Name", m->source);
		sk_jx_set_str(o, "Source", m->path ? m->path : m->type == SK_MOUNT_BIND ? m->source : "");
		sk_jx_set_str(o, "Destination", m->target);
		if (m->type == SK_MOUNT_VOLUME)
			sk_jx_set_str(o, "Driver", "local");
		sk_jx_set_str(o, "Mode", m->options ? m->options : "");
		sk_jx_set_bool(o, "RW", !m->readonly);
		sk_jx_set_str(o, "Propagation",
			      m->propagation ? m->propagation : (m->type == SK_MOUNT_BIND ? "rprivate" : ""));
		sk_jx_push(list, o);
	}
	return list;
}
