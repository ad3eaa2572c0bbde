/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_MODEL_CONTAINER_H
#define SK_MODEL_CONTAINER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/id.h"
#include "vm/state.h"

/*
 * Containers on disk: <root>/containers/<id>/config.json is docker's inspect object without State. A directory
 * without it is no container (yet, or any more). Names are unique among the config.json files: whoever gives a name
 * (create, rename) looks and writes under an exclusive flock of <root>/containers.lock. Readers take no lock: files
 * are replaced by rename, and a container that goes while it is read is left out.
 */
struct sk_container {
	char id[SK_ID_LEN + 1];
	json_t *config; /* config.json */
	json_t *state;	/* sk_vm_state_load() */
};

/* By full id, unique beginning of an id, or name (with or without "/"). -ENOENT "No such container: …", -ENOTUNIQ. */
int sk_container_find(const struct sk_paths *paths, const char *ref, struct sk_container *ret, struct sk_error *err);
void sk_container_fini(struct sk_container *c);
#define _cleanup_container_ __attribute__((cleanup(sk_container_fini)))

struct sk_containers {
	struct sk_container *v;
	size_t n;
};
/* All but machines, newest first. */
int sk_containers_load(const struct sk_paths *paths, struct sk_containers *ret, struct sk_error *err);
/* With the machines: for who asks what is in use. */
int sk_containers_load_all(const struct sk_paths *paths, struct sk_containers *ret, struct sk_error *err);
void sk_containers_fini(struct sk_containers *list);

/* Without the slash. */
const char *sk_container_name(const struct sk_container *c);
/* state.json's word, "created" for "starting" (docker has no such state). */
const char *sk_container_status(const struct sk_container *c);
bool sk_container_is_alive(const struct sk_container *c);
/* Reads the state again. */
int sk_container_refresh(const struct sk_paths *paths, struct sk_container *c, struct sk_error *err);
/* inspect's "State" object. A new reference. */
json_t *sk_container_inspect_state(const struct sk_container *c);
/* The STATUS column of ps: "Up 2 hours", "Exited (0) 3 days ago". */
void sk_container_status_text(const struct sk_container *c, int64_t now_ns, char buf[96]);
/* Event attributes: image, name, labels. A new reference. */
json_t *sk_container_attributes(const struct sk_container *c);

/* docker's rule for names of containers and volumes: [a-zA-Z0-9][a-zA-Z0-9_.-]+, at most 255. */
bool sk_is_docker_name(const char *s);
/* Takes the lock of the names; the descriptor holds it. */
int sk_containers_lock(const struct sk_paths *paths, struct sk_error *err);
/* With the lock held: -EEXIST with docker's words when a container has that name, -EINVAL for one that is no name.
 * `self`: id of the container to leave out, or NULL. */
int sk_container_check_name(const struct sk_paths *paths, const char *name, const char *self, struct sk_error *err);
/* With the lock held: "brave_hopper", not yet used. */
void sk_container_make_name(const struct sk_paths *paths, char buf[64]);
/* Replaces config.json (vm.json). */
int sk_container_save(const struct sk_paths *paths, const char *id, const json_t *config, struct sk_error *err);
int sk_container_save_vm(const struct sk_paths *paths, const char *id, const json_t *vm, struct sk_error *err);
/* Whether its config.json can be read. */
bool sk_container_has_config(const struct sk_paths *paths, const char *id);
int sk_container_load_vm(const struct sk_paths *paths, const char *id, json_t **ret_vm, struct sk_error *err);

/* names.c: a random adjective_surname; `n` picks a number behind it when not 0. */
void sk_name_random(char buf[64], unsigned n);

#endif
