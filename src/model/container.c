/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers as the store has them: found by name or prefix of the ID, listed, with their state in docker's words. One
 * whose config.json is damaged can still be seen and removed.
 */
#include "model/health.h"
#include "model/container.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "model/jx.h"
#include "model/units.h"

#define SK_CONFIG_MAX (16u << 20)
#define ZERO_TIME "0001-01-01T00:00:00Z"

static bool is_hex(const char *s)
{
	return *s && s[strspn(s, "0123456789abcdef")] == '\0';
}

static int load_json(const struct sk_paths *paths, const char *id, const char *file, json_t **ret)
{
	_cleanup_free_ char *path = sk_xasprintf("%s/containers/%s/%s", paths->root, id, file), *text = NULL;
	size_t len;
	json_t *o;
	int r = sk_fs_read(AT_FDCWD, path, SK_CONFIG_MAX, &text, &len);

	if (r < 0)
		return r;
	o = json_loadb(text, len, 0, NULL);
	if (!json_is_object(o)) {
		json_decref(o);
		return -EINVAL;
	}
	*ret = o;
	return 0;
}

/* A config.json that names another container, or none, is damaged as well. */
static int load_config(const struct sk_paths *paths, const char *id, json_t **ret)
{
	json_t *config;
	int r = load_json(paths, id, "config.json", &config);

	if (r < 0)
		return r;
	if (strcmp(sk_jx_get_str(config, "Id", ""), id) != 0) {
		json_decref(config);
		return -EINVAL;
	}
	*ret = config;
	return 0;
}

/* Stands in for the configuration of a container whose config.json cannot be read: enough to show and to remove it. */
static json_t *damaged_config(const char *id)
{
	return sk_jx(json_pack("{s:s,s:s,s:s,s:{s:s,s:{}}}", "Id", id, "Created", "", "Name", "", "Config", "Image", "",
			       "Labels"));
}

static int load(const struct sk_paths *paths, const char *id, struct sk_container *ret, struct sk_error *err)
{
	struct sk_container c = { 0 };
	bool damaged = load_config(paths, id, &c.config) < 0;
	int r;

	/* Cut short, of another type, gone, or not to be read: whatever it is, the container can be removed. */
	if (damaged)
		c.config = damaged_config(id);
	memcpy(c.id, id, SK_ID_LEN + 1);
	r = sk_vm_state_load(paths, id, &c.state, err);
	if (r < 0) {
		json_decref(c.config);
		return r;
	}
	if (damaged && !sk_vm_state_is_alive(c.state))
		sk_jx_set_str(c.state, "status", "dead");
	*ret = c;
	return 0;
}

void sk_container_fini(struct sk_container *c)
{
	json_decref(c->config);
	json_decref(c->state);
	*c = (struct sk_container){ 0 };
}

const char *sk_container_name(const struct sk_container *c)
{
	const char *name = sk_jx_get_str(c->config, "Name", "");

	return name + (*name == '/');
}

/* Calls `cb` with every id until it returns non-zero; returns that. */
static int each_id(const struct sk_paths *paths, int (*cb)(const char *id, void *arg), void *arg)
{
	_cleanup_free_ char *path = sk_xasprintf("%s/containers", paths->root);
	_cleanup_closedir_ DIR *dir = opendir(path);
	struct dirent *de;
	int r = 0;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (r == 0 && (de = readdir(dir)))
		if (strlen(de->d_name) == SK_ID_LEN && is_hex(de->d_name))
			r = cb(de->d_name, arg);
	return r;
}

struct container_search {
	const struct sk_paths *paths;
	const char *ref;
	size_t len;
	char id[SK_ID_LEN + 1]; /* found */
	unsigned matches;
};

/* Machines (model/machine.h) are containers that only their own commands see, and whoever knows the full ID. */
static bool is_machine(const json_t *config)
{
	return json_object_get(config, "Machine");
}

static int match_prefix(const char *id, void *arg)
{
	struct container_search *s = arg;

	if (strncmp(id, s->ref, s->len) == 0) {
		memcpy(s->id, id, sizeof(s->id));
		s->matches++;
	}
	return 0;
}

/* Reads the name alone: the state is of no interest here. */
static int match_name(const char *id, void *arg)
{
	struct container_search *s = arg;
	json_t *config;
	const char *name;

	if (load_config(s->paths, id, &config) < 0)
		return 0;
	name = sk_jx_get_str(config, "Name", "");
	name += *name == '/';
	if (strcmp(name, s->ref) == 0 && !is_machine(config)) {
		memcpy(s->id, id, sizeof(s->id));
		s->matches++;
	}
	json_decref(config);
	return s->matches > 0;
}

int sk_container_find(const struct sk_paths *paths, const char *ref, struct sk_container *ret, struct sk_error *err)
{
	struct container_search s = { .paths = paths, .ref = ref + (*ref == '/') };
	struct sk_error ignored = SK_ERROR_INIT;

	s.len = strlen(s.ref);
	if (s.len == SK_ID_LEN && is_hex(s.ref) && load(paths, s.ref, ret, &ignored) == 0)
		return 0;
	if (s.len)
		each_id(paths, match_name, &s);
	if (!s.matches && is_hex(s.ref) && s.len < SK_ID_LEN)
		each_id(paths, match_prefix, &s);
	if (s.matches > 1)
		return sk_error_set(err, ENOTUNIQ, "Multiple IDs found with provided prefix: %s", ref);
	if (s.matches && load(paths, s.id, ret, &ignored) == 0) {
		if (!is_machine(ret->config))
			return 0;
		sk_container_fini(ret);
	}
	return sk_error_set(err, ENOENT, "No such container: %s", ref);
}

struct collect {
	const struct sk_paths *paths;
	struct sk_containers *list;
	bool machines; /* are listed, too */
};

static int collect(const char *id, void *arg)
{
	struct collect *c = arg;
	struct sk_container one;
	struct sk_error ignored = SK_ERROR_INIT;

	if (load(c->paths, id, &one, &ignored) < 0)
		return 0; /* half made, or just going */
	if (!c->machines && is_machine(one.config)) {
		sk_container_fini(&one);
		return 0;
	}
	c->list->v = sk_xrealloc(c->list->v, c->list->n + 1, sizeof(one));
	c->list->v[c->list->n++] = one;
	return 0;
}

static int newer_first(const void *a, const void *b)
{
	const struct sk_container *x = a, *y = b;

	/* RFC 3339 in UTC with fixed digits: sorts as text */
	return strcmp(sk_jx_get_str(y->config, "Created", ""), sk_jx_get_str(x->config, "Created", ""));
}

static int load_list(const struct sk_paths *paths, bool machines, struct sk_containers *ret, struct sk_error *err)
{
	struct sk_containers list = { 0 };
	struct collect c = { paths, &list, machines };
	int r = each_id(paths, collect, &c);

	if (r < 0)
		return sk_error_errno(err, r, "cannot list the containers in %s", paths->root);
	if (list.n)
		qsort(list.v, list.n, sizeof(*list.v), newer_first);
	*ret = list;
	return 0;
}

int sk_containers_load(const struct sk_paths *paths, struct sk_containers *ret, struct sk_error *err)
{
	return load_list(paths, false, ret, err);
}

int sk_containers_load_all(const struct sk_paths *paths, struct sk_containers *ret, struct sk_error *err)
{
	return load_list(paths, true, ret, err);
}

void sk_containers_fini(struct sk_containers *list)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		sk_container_fini(&list->v[i]);
	free(list->v);
	*list = (struct sk_containers){ 0 };
}

const char *sk_container_status(const struct sk_container *c)
{
	const char *status = sk_jx_get_str(c->state, "status", "created");

	return strcmp(status, "starting") == 0 ? "created" : status;
}

bool sk_container_is_alive(const struct sk_container *c)
{
	return sk_vm_state_is_alive(c->state);
}

int sk_container_refresh(const struct sk_paths *paths, struct sk_container *c, struct sk_error *err)
{
	json_t *state;
	int r = sk_vm_state_load(paths, c->id, &state, err);

	if (r < 0)
		return r;
	json_decref(c->state);
	c->state = state;
	return 0;
}

static const char *time_or_zero(const json_t *state, const char *key)
{
	const char *s = sk_jx_get_str(state, key, "");

	return *s ? s : ZERO_TIME;
}

/* A check that nobody makes any more says nothing: as docker, such a container is unhealthy. */
static json_t *health_of(const struct sk_container *c)
{
	json_t *health = sk_jx(json_copy(json_object_get(c->state, "health")));

	if (!sk_container_is_alive(c))
		sk_jx_set_str(health, "Status", "unhealthy");
	return health;
}

json_t *sk_container_inspect_state(const struct sk_container *c)
{
	const char *status = sk_container_status(c);
	bool paused = strcmp(status, "paused") == 0, restarting = strcmp(status, "restarting") == 0;
	bool running = paused || strcmp(status, "running") == 0 || restarting;
	json_t *o = sk_jx_object();

	sk_jx_set_str(o, "Status", status);
	sk_jx_set_bool(o, "Running", running);
	sk_jx_set_bool(o, "Paused", paused);
	sk_jx_set_bool(o, "Restarting", restarting);
	sk_jx_set_bool(o, "OOMKilled", sk_jx_get_bool(c->state, "oom_killed", false));
	sk_jx_set_bool(o, "Dead", strcmp(status, "dead") == 0);
	sk_jx_set_int(o, "Pid", running ? sk_jx_get_int(c->state, "pid", 0) : 0);
	sk_jx_set_int(o, "ExitCode", running && !restarting ? 0 : sk_jx_get_int(c->state, "exit_code", 0));
	sk_jx_set_str(o, "Error", sk_jx_get_str(c->state, "error", ""));
	sk_jx_set_str(o, "StartedAt", time_or_zero(c->state, "started_at"));
	sk_jx_set_str(o, "FinishedAt", time_or_zero(c->state, "finished_at"));
	if (json_is_object(json_object_get(c->state, "health")))
		sk_jx_set(o, "Health", health_of(c));
	return o;
}

/* " 2 hours" since a time in the state; "" when there is none. */
static const char *since(const json_t *state, const char *key, int64_t now_ns, char buf[40])
{
	int64_t t;

	if (sk_parse_rfc3339(sk_jx_get_str(state, key, ""), &t) < 0)
		return "Less than a second";
	return sk_format_duration(now_ns - t, buf);
}

void sk_container_status_text(const struct sk_container *c, int64_t now_ns, char buf[96])
{
	const char *status = sk_container_status(c);
	int code = (int)sk_jx_get_int(c->state, "exit_code", 0);
	char age[40];

	if (strcmp(status, "running") == 0)
		snprintf(buf, 96, "Up %s%s", since(c->state, "started_at", now_ns, age),
			 sk_health_note(json_object_get(c->state, "health")));
	else if (strcmp(status, "paused") == 0)
		snprintf(buf, 96, "Up %s (Paused)", since(c->state, "started_at", now_ns, age));
	else if (strcmp(status, "restarting") == 0)
		snprintf(buf, 96, "Restarting (%d) %s ago", code, since(c->state, "finished_at", now_ns, age));
	else if (strcmp(status, "exited") == 0)
		snprintf(buf, 96, "Exited (%d) %s ago", code, since(c->state, "finished_at", now_ns, age));
	else if (strcmp(status, "dead") == 0)
		snprintf(buf, 96, "Dead");
	else
		snprintf(buf, 96, "Created");
}

json_t *sk_container_attributes(const struct sk_container *c)
{
	json_t *labels = sk_jx_at(c->config, "Config.Labels"),
	       *o = json_is_object(labels) ? sk_jx(json_copy(labels)) : sk_jx_object();

	sk_jx_set_str(o, "image", sk_jx_get_str(c->config, "Config.Image", ""));
	sk_jx_set_str(o, "name", sk_container_name(c));
	return o;
}

int sk_containers_lock(const struct sk_paths *paths, struct sk_error *err)
{
	_cleanup_free_ char *path = sk_xasprintf("%s/containers.lock", paths->root);
	_cleanup_fd_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return sk_error_errno(err, errno, "cannot open %s", path);
	r = sk_fs_lock(fd, true, true);
	if (r < 0)
		return sk_error_errno(err, r, "cannot lock %s", path);
	return SK_TAKE_FD(fd);
}

int sk_container_check_name(const struct sk_paths *paths, const char *name, const char *self, struct sk_error *err)
{
	struct container_search s = { .paths = paths, .ref = name };

	if (!sk_is_docker_name(name))
		return sk_error_set(err, EINVAL,
				    "Invalid container name (%.128s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
				    name);
	each_id(paths, match_name, &s);
	if (s.matches && !(self && strcmp(self, s.id) == 0))
		return sk_error_set(err, EEXIST,
				    "Conflict. The container name \"/%s\" is already in use by container \"%s\". You "
				    "have to remove (or rename) "
				    "that container to be able to reuse that name.",
				    name, s.id);
	return 0;
}

void sk_container_make_name(const struct sk_paths *paths, char buf[64])
{
	struct sk_error ignored = SK_ERROR_INIT;
	unsigned i;

	for (i = 0;; i++) {
		sk_name_random(buf, i < 6 ? 0 : i - 5);
		if (sk_container_check_name(paths, buf, NULL, &ignored) == 0)
			return;
	}
}

static int save(const struct sk_paths *paths, const char *id, const char *file, const json_t *o, struct sk_error *err)
{
	_cleanup_free_ char *path = sk_xasprintf("%s/containers/%s/%s", paths->root, id, file);
	_cleanup_free_ char *text = json_dumps(o, JSON_COMPACT);
	int r = text ? sk_fs_write_atomic(AT_FDCWD, path, text, strlen(text), 0600, false) : -ENOMEM;

	return r < 0 ? sk_error_errno(err, r, "cannot write %s", path) : 0;
}

int sk_container_save(const struct sk_paths *paths, const char *id, const json_t *config, struct sk_error *err)
{
	return save(paths, id, "config.json", config, err);
}

int sk_container_save_vm(const struct sk_paths *paths, const char *id, const json_t *vm, struct sk_error *err)
{
	return save(paths, id, "vm.json", vm, err);
}

int sk_container_load_vm(const struct sk_paths *paths, const char *id, json_t **ret_vm, struct sk_error *err)
{
	int r = load_json(paths, id, "vm.json", ret_vm);

	return r < 0 ? sk_error_errno(err, r, "cannot read vm.json of container %.12s", id) : 0;
}

bool sk_container_has_config(const struct sk_paths *paths, const char *id)
{
	json_t *config = NULL;
	bool has = load_config(paths, id, &config) == 0;

	json_decref(config);
	return has;
}
