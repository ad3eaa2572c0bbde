/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_IMAGE_SOURCE_H
#define SK_IMAGE_SOURCE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "image/input.h"

/*
 * Where `load` reads from: an archive (tar, also compressed) or a directory, seen as named members.
 *
 * An archive is read twice and never unpacked. The first pass notes the members and keeps the contents of those that
 * look like JSON (small, begin with '{' or '['); the second one hands out the layers in the order in which they come.
 * So that works with compressed archives, too, of which what is passed over is unpacked nevertheless, and bounded; only
 * standard input is put into a temporary file first (by the caller). Names are compared as text, cleaned; links are
 * followed among the members only. In a directory, names are opened so that nothing leads out of it.
 */
struct sk_image_source;

#define SK_SOURCE_MEMBERS_MAX 20000u
#define SK_SOURCE_JSON_MAX (64u << 20) /* bytes of JSON kept of one archive */

/* `fd` (borrowed): of a directory, or of an archive that can be sought. `give_up` (may be NULL): once it is set, what
 * is at work ends with -EINTR. */
int sk_source_open(int fd, const volatile sig_atomic_t *give_up, struct sk_image_source **ret, struct sk_error *err);
void sk_source_free(struct sk_image_source *s);
bool sk_source_has(struct sk_image_source *s, const char *name);
/* A JSON member: malloc'd, NUL behind. -ENOENT with err set. */
int sk_source_get(struct sk_image_source *s, const char *name, char **ret_data, size_t *ret_len, struct sk_error *err);
/* Size in bytes of a member; -ENOENT. */
int64_t sk_source_size(struct sk_image_source *s, const char *name);

/* Called for each of the wanted members, in the source's order; several wants may name one member: it is called for the
 * first. */
typedef int (*sk_source_cb)(void *arg, size_t want, struct sk_input *in, uint64_t size, struct sk_error *err);
/* Every one of `names` must be there: -ENOENT with err set otherwise. */
int sk_source_each(struct sk_image_source *s, const char *const *names, size_t n, sk_source_cb cb, void *arg,
		   struct sk_error *err);

#endif
