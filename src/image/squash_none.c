/* SPDX-License-Identifier: Apache-2.0 */
/* In the place of squash.c where this program was built without libsquashfs: every use fails and says so. */
#include <errno.h>

#include "image/squash.h"
#include "image/unsquash.h"

const struct sk_squash_options sk_squash_default = { .jobs = 1 };
const struct sk_squash_options sk_squash_small = { .jobs = 1 };

static int fail(struct sk_error *err)
{
	return sk_error_set(err, ENOSYS, "cannot make a layer image: this program was built without libsquashfs");
}

int sk_squash_new(int fd, const struct sk_squash_options *options, struct sk_squash **ret, struct sk_error *err)
{
	(void)fd;
	(void)options;
	(void)ret;
	return fail(err);
}

void sk_squash_free(struct sk_squash *sq)
{
	(void)sq;
}

int sk_squash_begin(struct sk_squash *sq, struct sk_inode *inode, struct sk_error *err)
{
	(void)sq;
	(void)inode;
	return fail(err);
}

int sk_squash_data(struct sk_squash *sq, const void *data, size_t len, struct sk_error *err)
{
	(void)sq;
	(void)data;
	(void)len;
	return fail(err);
}

int sk_squash_end(struct sk_squash *sq, struct sk_error *err)
{
	(void)sq;
	return fail(err);
}

int sk_squash_finish(struct sk_squash *sq, struct sk_tree *tree, struct sk_error *err)
{
	(void)sq;
	(void)tree;
	return fail(err);
}

int sk_unsquash(int fd, int husk_fd, const struct sk_tar_output *out, const volatile sig_atomic_t *cancelled,
		struct sk_error *err)
{
	(void)fd;
	(void)husk_fd;
	(void)out;
	(void)cancelled;
	return sk_error_set(err, ENOSYS, "cannot read a layer image: this program was built without libsquashfs");
}
