/* SPDX-License-Identifier: Apache-2.0 */
#include "archive.h"
#include <errno.h>
int sk_archive_get(int rootfd, const char *path, bool follow, int fd, struct sk_error *err)
{
	(void)rootfd; (void)path; (void)follow; (void)fd;
	return sk_error_errno(err, ENOSYS, "get");
}
int sk_archive_put(int rootfd, const char *path, bool owners, int fd, struct sk_error *err)
{
	(void)rootfd; (void)path; (void)owners; (void)fd;
	return sk_error_errno(err, ENOSYS, "put");
}
json_t *sk_archive_stat(int rootfd, const char *path, struct sk_error *err)
{
	(void)rootfd; (void)path;
	sk_error_errno(err, ENOSYS, "stat");
	return NULL;
}
