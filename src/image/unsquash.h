/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_IMAGE_UNSQUASH_H
#define SK_IMAGE_UNSQUASH_H

#include <signal.h>
#include <stddef.h>

#include "base/error.h"

/*
 * From a layer image (squashfs) back to a layer's tar stream: the reverse of layer.h. The same image always gives the
 * same bytes: names sorted, whiteouts and opaque directories as the OCI image-spec (layer.md) writes them, times in whole
 * seconds. They are not the bytes that the image was made from: those had an order and paddings of their own.
 */
struct sk_tar_output {
	/* Returns 0 or a negative errno with err set. */
	int (*write)(void *arg, const void *data, size_t len, struct sk_error *err);
	void *arg;
};

/* `fd`: a layer image, borrowed. -EINTR once `*cancelled` (may be NULL) is not 0. */
int sk_unsquash(int fd, const struct sk_tar_output *out, const volatile sig_atomic_t *cancelled, struct sk_error *err);

#endif
