/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_EXPORT_WINFS_H
#define SK_EXPORT_WINFS_H

#include "base/error.h"
#include "ninep/fs.h"

/* A directory of a Windows host, see winfs.c. */
struct sk_winfs_config {
	uint32_t uid, gid; /* whose all files are, for clients */
	/* The one file of the directory that there is for clients; none can be made, removed or renamed in it then. NULL: all
	 * of them. */
	const char *only;
	void *take_root; /* HANDLE of the directory, which is closed; NULL: it is opened by `path` */
};
/* `path`: UTF-8, of a directory; what messages call it if there is a handle. */
int sk_winfs_new(const char *path, const struct sk_winfs_config *config, struct sk_9p_fs **ret_fs,
		 struct sk_error *err);
/* All nodes and files must have been given back. NULL is allowed. */
void sk_winfs_free(struct sk_9p_fs *fs);

#endif
