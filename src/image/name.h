/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_IMAGE_NAME_H
#define SK_IMAGE_NAME_H

#include <stdbool.h>

#include "base/error.h"
#include "image/digest.h"

/*
 * An image name, in the grammar of the distribution project (reference/reference.go), normalised as docker
 * does it: "debian" is docker.io/library/debian with tag latest, and is shown as "debian:latest".
 */
struct sk_name {
	char *repo;		 /* "docker.io/library/debian" */
	char *tag;		 /* "latest"; NULL with a digest */
	struct sk_digest digest; /* empty text: none */
};

/* Parses and normalises. With a digest the tag, if any, is dropped: the digest says it all. -EINVAL with `err` set. */
int sk_name_parse(const char *text, struct sk_name *ret, struct sk_error *err);
/* Accepts a zeroed or finished name. */
void sk_name_fini(struct sk_name *name);
/* "docker.io/library/debian:latest" or "…@sha256:…": the key in refs.json. malloc'd; NULL: no memory. */
char *sk_name_key(const struct sk_name *name);
/* The short form of a key or repository: without docker.io/ and library/. Points into `key`. */
const char *sk_name_short(const char *key);

#endif
