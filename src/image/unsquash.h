/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_IMAGE_UNSQUASH_H
#define SK_IMAGE_UNSQUASH_H

#include <signal.h>
#include <stddef.h>

#include "base/error.h"

/*
 * From a layer image (squashfs) back to a layer's tar stream: the reverse of layer.h. With the layer's husk (husk.h) it
 * is the stream that the image was made from. Without it the same image always gives the same bytes, too, but others:
 * names sorted, whiteouts and opaque directories as the OCI image-spec (layer.md) writes them, times in whole seconds.
 */
struct sk_tar_output {
	/* Returns 0 or a negative errno with err set. */
	int (*write)(void *arg, const void *data, size_t len, struct sk_error *err);
	void *arg;
};

/* `fd`: a layer image, `husk_fd`: its husk or -1; borrowed. Whether the husk is this layer's is the caller's to check.
 * -EINTR once `*cancelled` (may be NULL) is not 0. */
int sk_unsquash(int fd, int husk_fd, const struct sk_tar_output *out, const volatile sig_atomic_t *cancelled,
		struct sk_error *err);

#endif
