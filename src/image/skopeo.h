/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_IMAGE_SKOPEO_H
#define SK_IMAGE_SKOPEO_H

#include <stddef.h>

#include "base/error.h"
#include "base/process.h"
#include "image/image_internal.h"

/*
 * The program that speaks to registries. It is given an operation's directory to write to, its standard error goes to a
 * file there, of which one line is made for the user.
 */
struct sk_skopeo {
	struct sk_store_op *op;
	const struct sk_pull_options *options;
	sk_pid pid; /* 0: none runs */
	int pidfd;
};

/* `skopeo inspect --raw docker://ref`: the manifest or index, as it is (at most SK_JSON_MAX bytes). */
int sk_skopeo_manifest(struct sk_skopeo *s, const char *ref, char **ret_data, size_t *ret_len, struct sk_error *err);
/* Starts `skopeo copy docker://ref dir:directory`, which leaves the blobs as files named by their hexadecimal
 * digests. */
int sk_skopeo_copy(struct sk_skopeo *s, const char *ref, const char *directory, struct sk_error *err);
/* Waits at most `ms` milliseconds. 1: it runs on; 0: it has ended well; negative errno with err: it has failed. */
int sk_skopeo_wait(struct sk_skopeo *s, int ms, struct sk_error *err);
/* Ends it if it runs. */
void sk_skopeo_kill(struct sk_skopeo *s);
/* Translates `text`, skopeo's standard error, for the user; returns an errno value. For tests. */
int sk_skopeo_reason(const char *text, char *out, size_t size);

#endif
