/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of --filter for containers, images and volumes, and what each compares. Lists, prune and ps share them. */
#include "model/select.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/jx.h"
#include "model/pattern.h"
#include "model/units.h"

/* ---- containers */

static const json_t *container_labels(const struct sk_select_container *s)
{
	return sk_jx_at(s->c->config, "Config.Labels");
}

static const char *container_created(const struct sk_container *c)
{
	return sk_jx_get_str(c->config, "Created", "");
}

static bool container_id(const char *value, void *arg)
{
	const struct sk_select_container *s = arg;

	return *value && strncmp(s->c->id, value, strlen(value)) == 0;
}

/* With and without the slash that docker puts before it. */
static bool container_name(const char *value, void *arg)
{
	const struct sk_select_container *s = arg;
	_cleanup_free_ char *slashed = sk_xasprintf("/%s", sk_container_name(s->c));

	return sk_pattern_matches(value, slashed + 1) || sk_pattern_matches(value, slashed);
}

static bool container_label(const char *value, void *arg)
{
	return sk_filter_label(value, container_labels(arg));
}

static bool container_no_label(const char *value, void *arg)
{
	return !sk_filter_label(value, container_labels(arg));
}

static bool container_exited(const char *value, void *arg)
{
	const struct sk_select_container *s = arg;
	int64_t code;

	return strcmp(sk_container_status(s->c), "exited") == 0 && sk_parse_int(value, &code) == 0 &&
	       code == sk_jx_get_int(s->c->state, "exit_code", 0);
}

static bool is_int(const char *value)
{
	int64_t n;

	return sk_parse_int(value, &n) == 0;
}

static bool container_status(const char *value, void *arg)
{
	const struct sk_select_container *s = arg;

	return strcmp(sk_container_status(s->c), value) == 0;
}

static bool is_status(const char *value)
{
	static const char *const words[] = {
		"created", "restarting", "running", "removing", "paused", "exited", "dead"
	};
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(words); i++)
		if (strcmp(words[i], value) == 0)
			return true;
	return false;
}

/* The image that has this name now: what the container was started by does not count, as with docker. */
static bool container_ancestor(const char *value, void *arg)
{
	const struct sk_select_container *s = arg;
	const json_t *image = sk_select_image_find(s->images, value);

	return image && strcmp(sk_jx_get_str(s->c->config, "Image", ""), sk_jx_get_str(image, "Id", "none")) == 0;
}

/* The container that before= and since= name; NULL: none. */
static const struct sk_container *find_container(const struct sk_containers *all, const char *name)
{
	size_t i;

	for (i = 0; i < all->n; i++)
		if (strcmp(sk_container_name(&all->v[i]), name + (name[0] == '/')) == 0)
			return &all->v[i];
	for (i = 0; *name && i < all->n; i++)
		if (strncmp(all->v[i].id, name, strlen(name)) == 0)
			return &all->v[i];
	return NULL;
}

static bool container_before(const char *value, void *arg)
{
	const struct sk_select_container *s = arg;
	const struct sk_container *other = find_container(s->all, value);

	return other && strcmp(container_created(s->c), container_created(other)) < 0;
}

static bool container_since(const char *value, void *arg)
{
	const struct sk_select_container *s = arg;
	const struct sk_container *other = find_container(s->all, value);

	return other && strcmp(container_created(s->c), container_created(other)) > 0;
}

static bool container_until(const char *value, void *arg)
{
	const struct sk_select_container *s = arg;

	return sk_filter_is_before(container_created(s->c), value);
}

/* Whether a port of the host is one of those that the container's port is published on. */
static bool is_published(const json_t *bindings, unsigned first, unsigned last)
{
	json_t *binding;
	size_t i;

	json_array_foreach(bindings, i, binding)
	{
		const char *text = sk_jx_get_str(binding, "HostPort", "");
		unsigned port;

		if (sscanf(text, "%5u", &port) == 1 && port >= first && port <= last)
			return true;
	}
	return false;
}

/*
 * Ports "80", "80/udp", "8000-8010/tcp": whether the container has one of them, where `published` says so as a port of
 * the host. Only one that runs has ports, as with docker.
 */
static bool has_port(const struct sk_container *c, const char *value, bool published)
{
	const json_t *ports = sk_jx_at(c->config, "NetworkSettings.Ports"), *bindings;
	unsigned first, last, port;
	char proto[8] = "tcp", its[8];
	const char *key;

	if (!sk_container_is_alive(c) || strcmp(sk_container_status(c), "created") == 0)
		return false;
	if (sscanf(value, "%5u-%5u/%7s", &first, &last, proto) < 2) {
		if (sscanf(value, "%5u/%7s", &first, proto) < 1)
			return false;
		last = first;
	}
	json_object_foreach((json_t *)(uintptr_t)ports, key, bindings)
	{
		if (sscanf(key, "%5u/%7s", &port, its) != 2 || strcmp(its, proto) != 0)
			continue;
		if (published ? is_published(bindings, first, last) : port >= first && port <= last)
			return true;
	}
	return false;
}

static bool container_expose(const char *value, void *arg)
{
	return has_port(((const struct sk_select_container *)arg)->c, value, false);
}

static bool container_publish(const char *value, void *arg)
{
	return has_port(((const struct sk_select_container *)arg)->c, value, true);
}

static bool is_port(const char *value)
{
	const char *slash = strchr(value, '/');
	size_t n = slash ? (size_t)(slash - value) : strlen(value);

	return n > 0 && n <= 11 && strspn(value, "0123456789-") == n && value[0] != '-' &&
	       (!slash || strcmp(slash, "/tcp") == 0 || strcmp(slash, "/udp") == 0 || strcmp(slash, "/sctp") == 0);
}

static bool container_network(const char *value, void *arg)
{
	const struct sk_select_container *s = arg;

	return strcmp(sk_jx_get_str(s->c->config, "HostConfig.NetworkMode", ""), value) == 0;
}

/* A volume by name, or what is mounted by its source or its place in the container. */
static bool container_volume(const char *value, void *arg)
{
	const struct sk_select_container *s = arg;
	json_t *mount;
	size_t i;

	json_array_foreach(json_object_get(s->c->config, "Mounts"), i, mount)
	{
		const char *name = sk_jx_get_str(mount, "Name", "");

		if (*name && strcmp(name, value) == 0)
			return true;
		if (!*name && strcmp(sk_jx_get_str(mount, "Source", ""), value) == 0)
			return true;
		if (strcmp(sk_jx_get_str(mount, "Destination", ""), value) == 0)
			return true;
	}
	return false;
}

/* "none" for a container without a check. */
static bool container_health(const char *value, void *arg)
{
	const struct sk_select_container *s = arg;
	const json_t *health = json_object_get(s->c->state, "health");
	const char *status = sk_jx_get_str(health, "Status", "none");

	return strcmp(json_is_object(health) && !sk_container_is_alive(s->c) ? "unhealthy" : status, value) == 0;
}

static bool is_health(const char *value)
{
	return strcmp(value, "none") == 0 || strcmp(value, "starting") == 0 || strcmp(value, "healthy") == 0 ||
	       strcmp(value, "unhealthy") == 0;
}

/* No container is a service's task. */
static bool container_is_task(const char *value, void *arg)
{
	(void)arg;
	return !sk_filter_bool(value);
}

const struct sk_filter_key sk_ps_filters[] = {
	{ "ancestor", container_ancestor, NULL, false, false },
	{ "before", container_before, NULL, true, false },
	{ "exited", container_exited, is_int, false, false },
	{ "expose", container_expose, is_port, false, false },
	{ "health", container_health, is_health, false, false },
	{ "id", container_id, NULL, false, false },
	{ "is-task", container_is_task, sk_filter_is_bool, true, false },
	{ "label", container_label, NULL, true, false },
	{ "name", container_name, sk_pattern_is_known, false, false },
	{ "network", container_network, NULL, false, false },
	{ "publish", container_publish, is_port, false, false },
	{ "since", container_since, NULL, true, false },
	{ "status", container_status, is_status, false, false },
	{ "volume", container_volume, NULL, false, false },
	{ NULL, NULL, NULL, false, false },
};

const struct sk_filter_key sk_container_prune_filters[] = {
	{ "label", container_label, NULL, true, false },
	{ "label!", container_no_label, NULL, true, false },
	{ "until", container_until, sk_filter_is_time, true, true },
	{ NULL, NULL, NULL, false, false },
};

const struct sk_filter_key sk_system_prune_filters[] = {
	{ "label", container_label, NULL, true, false },
	{ "label!", container_no_label, NULL, true, false },
	{ "until", container_until, sk_filter_is_time, true, true },
	{ NULL, NULL, NULL, false, false },
};

/* ---- images */

static const char *image_created(const json_t *image)
{
	return sk_jx_get_str(image, "Created", "");
}

/*
 * Whether `c` is in the class behind a "[": "a-z", "^" for all others, and "\" before a character that is meant itself.
 * *ret_end is behind its "]"; NULL: it has none, or is empty.
 */
static bool in_class(const char *p, char c, const char **ret_end)
{
	bool negated = *p == '^', found = false;
	const char *first;

	*ret_end = NULL;
	for (p += negated, first = p; *p != ']' || p == first; p++) {
		char low, high;

		if (*p == '-' || *p == ']' || (*p == '\\' && !*++p) || !*p)
			return false;
		low = high = *p;
		if (p[1] == '-') {
			p += 2;
			if (*p == '-' || *p == ']' || (*p == '\\' && !*++p) || !*p)
				return false;
			high = *p;
		}
		found |= low <= c && c <= high;
	}
	*ret_end = p + 1;
	return found != negated;
}

/* The patterns of Go's path.Match: "*", "?", "[a-z]", "[^a-z]", "\" before a character that is meant itself. */
static bool glob(const char *pattern, const char *s)
{
	while (*pattern) {
		const char *next = pattern + 1;

		if (*pattern == '*') {
			while (*next == '*')
				next++;
			for (;; s++) {
				if (glob(next, s))
					return true;
				if (!*s || *s == '/')
					return false;
			}
		}
		if (!*s)
			return false;
		if (*pattern == '[') {
			if (!in_class(next, *s, &next))
				return false;
		} else if (*pattern == '?') {
			if (*s == '/')
				return false;
		} else {
			next += *pattern == '\\' && *next;
			if (next[-1] != *s)
				return false;
		}
		pattern = next;
		s++;
	}
	return !*s;
}

static bool is_pattern(const char *p)
{
	const char *end;

	for (; *p; p = end) {
		end = p + 1;
		if (*p == '[')
			(void)in_class(p + 1, 'x', &end);
		else if (*p == '\\')
			end = p[1] ? p + 2 : NULL;
		if (!end)
			return false;
	}
	return true;
}

/* The end of the name before ":tag" or "@digest". */
static size_t repository_len(const char *ref)
{
	const char *slash = strrchr(ref, '/'), *colon = strchr(slash ? slash : ref, ':'), *at = strchr(ref, '@');

	return at ? (size_t)(at - ref) : colon ? (size_t)(colon - ref) : strlen(ref);
}

bool sk_select_reference(const char *pattern, const char *ref)
{
	_cleanup_free_ char *repository = NULL;

	if (!ref)
		return false;
	repository = sk_xstrndup(ref, repository_len(ref));
	return glob(pattern, ref) || glob(pattern, repository);
}

const json_t *sk_select_image_find(const json_t *all, const char *name)
{
	_cleanup_free_ char *latest = sk_xasprintf("%s:latest", name);
	const char *id = strncmp(name, "sha256:", 7) == 0 ? name + 7 : name;
	json_t *image, *tag;
	size_t i, k;

	json_array_foreach(all, i, image)
	{
		json_array_foreach(json_object_get(image, "RepoTags"), k, tag)
		{
			const char *ref = json_string_value(tag);

			if (strcmp(ref, name) == 0 || strcmp(ref, latest) == 0)
				return image;
		}
	}
	json_array_foreach(all, i, image) if (strlen(id) >= 4 && strncmp(sk_jx_get_str(image, "Id", "sha256:") + 7, id,
									 strlen(id)) == 0) return image;
	return NULL;
}

static bool image_before(const char *value, void *arg)
{
	const struct sk_select_image *s = arg;
	const json_t *other = sk_select_image_find(s->all, value);

	return other && strcmp(image_created(s->image), image_created(other)) < 0;
}

static bool image_since(const char *value, void *arg)
{
	const struct sk_select_image *s = arg;
	const json_t *other = sk_select_image_find(s->all, value);

	return other && strcmp(image_created(s->image), image_created(other)) > 0;
}

static bool image_until(const char *value, void *arg)
{
	return sk_filter_is_before(image_created(((const struct sk_select_image *)arg)->image), value);
}

static bool image_label(const char *value, void *arg)
{
	return sk_filter_label(value, json_object_get(((const struct sk_select_image *)arg)->image, "Labels"));
}

static bool image_no_label(const char *value, void *arg)
{
	return !image_label(value, arg);
}

static bool image_dangling(const char *value, void *arg)
{
	return sk_filter_bool(value) == (((const struct sk_select_image *)arg)->ref == NULL);
}

static bool image_reference(const char *value, void *arg)
{
	return sk_select_reference(value, ((const struct sk_select_image *)arg)->ref);
}

/* The command reads it: which images go at all. */
static bool image_prune_dangling(const char *value, void *arg)
{
	(void)value;
	(void)arg;
	return true;
}

const struct sk_filter_key sk_images_filters[] = {
	{ "before", image_before, NULL, true, false },
	{ "dangling", image_dangling, sk_filter_is_bool, true, false },
	{ "label", image_label, NULL, true, false },
	{ "reference", image_reference, is_pattern, false, false },
	{ "since", image_since, NULL, true, false },
	{ "until", image_until, sk_filter_is_time, true, true },
	{ NULL, NULL, NULL, false, false },
};

const struct sk_filter_key sk_image_prune_filters[] = {
	{ "dangling", image_prune_dangling, sk_filter_is_bool, true, true },
	{ "label", image_label, NULL, true, false },
	{ "label!", image_no_label, NULL, true, false },
	{ "until", image_until, sk_filter_is_time, true, true },
	{ NULL, NULL, NULL, false, false },
};

/* ---- volumes */

static bool volume_name(const char *value, void *arg)
{
	return sk_pattern_matches(value, sk_jx_get_str(((const struct sk_select_volume *)arg)->volume, "Name", ""));
}

static bool volume_driver(const char *value, void *arg)
{
	return strcmp(sk_jx_get_str(((const struct sk_select_volume *)arg)->volume, "Driver", ""), value) == 0;
}

static bool volume_label(const char *value, void *arg)
{
	return sk_filter_label(value, json_object_get(((const struct sk_select_volume *)arg)->volume, "Labels"));
}

static bool volume_no_label(const char *value, void *arg)
{
	return !volume_label(value, arg);
}

static bool volume_dangling(const char *value, void *arg)
{
	return sk_filter_bool(value) != ((const struct sk_select_volume *)arg)->used;
}

/* The command reads it: whether named volumes go, too. */
static bool volume_prune_all(const char *value, void *arg)
{
	(void)value;
	(void)arg;
	return true;
}

const struct sk_filter_key sk_volume_ls_filters[] = {
	{ "dangling", volume_dangling, sk_filter_is_bool, true, false },
	{ "driver", volume_driver, NULL, false, false },
	{ "label", volume_label, NULL, true, false },
	{ "name", volume_name, sk_pattern_is_known, false, false },
	{ NULL, NULL, NULL, false, false },
};

const struct sk_filter_key sk_volume_prune_filters[] = {
	{ "all", volume_prune_all, sk_filter_is_bool, true, true },
	{ "label", volume_label, NULL, true, false },
	{ "label!", volume_no_label, NULL, true, false },
	{ NULL, NULL, NULL, false, false },
};
