/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_MODEL_SELECT_H
#define SK_MODEL_SELECT_H

#include "model/container.h"
#include "model/filter.h"

/*
 * docker's filters for each kind of object: tables for sk_filter_check() and sk_filter_wants(). The comment names what
 * `arg` of the latter is.
 */

/* struct sk_select_container */
extern const struct sk_filter_key sk_ps_filters[];
/* struct sk_select_container */
extern const struct sk_filter_key sk_container_prune_filters[];
struct sk_select_container {
	const struct sk_container *c;
	const struct sk_containers *all; /* for before=, since= */
	const json_t *images;		 /* of sk_store_list(), for ancestor= */
};

/* struct sk_select_image */
extern const struct sk_filter_key sk_images_filters[];
/* struct sk_select_image */
extern const struct sk_filter_key sk_image_prune_filters[];
struct sk_select_image {
	const json_t *image; /* of sk_store_list() */
	const char *ref;     /* the name in question; NULL: it has none */
	const json_t *all;   /* the whole list, for before=, since= */
};
/* The image that before= and since= name: by name, tag "latest" where it has none, or id; NULL: none. */
const json_t *sk_select_image_find(const json_t *all, const char *name);
/* name:tag against a pattern of Go's path.Match, as the argument of `images` and reference= have it. */
bool sk_select_reference(const char *pattern, const char *ref);

/* struct sk_select_volume */
extern const struct sk_filter_key sk_volume_ls_filters[];
/* struct sk_select_volume */
extern const struct sk_filter_key sk_volume_prune_filters[];
struct sk_select_volume {
	const json_t *volume; /* volume.json */
	bool used;
};

/* The keys of `system prune`: label, label!, until; for checking only. */
extern const struct sk_filter_key sk_system_prune_filters[];

#endif
