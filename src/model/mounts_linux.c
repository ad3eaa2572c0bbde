/* SPDX-License-Identifier: Apache-2.0 */
/* Whether what is mounted below a shared directory can be passed on. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "model/mounts.h"

/* The line of /proc/self/mountinfo for mount `id`, to be freed; NULL: there is none. */
static char *mount_line(uint64_t id)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
	_cleanup_free_ char *line = NULL;
	size_t cap = 0;

	while (f && getline(&line, &cap, f) > 0)
		if (strtoull(line, NULL, 10) == id)
			return SK_TAKE_PTR(line);
	return NULL;
}

int sk_mount_check_propagation(const struct sk_mount *m, struct sk_error *err)
{
	_cleanup_free_ char *line = NULL;
	char point[4096] = "/";
	struct statx stx;
	char *fields;
	bool shared;

	if (!sk_mount_is_slave(m) || statx(AT_FDCWD, m->path, 0, STATX_MNT_ID, &stx) < 0)
		return 0;
	line = mount_line(stx.stx_mnt_id);
	fields = line ? strstr(line, " - ") : NULL;
	if (!fields)
		return 0;
	*fields = '\0';
	sscanf(line, "%*s %*s %*s %*s %4095s", point);
	shared = strstr(line, " shared:");
	if (shared || (strstr(line, " master:") && strstr(m->propagation, "slave")))
		return 0;
	return sk_error_set(err, EINVAL, "path %s is mounted on %s but it is not a shared%s mount", m->path, point,
			    strstr(m->propagation, "slave") ? " or slave" : "");
}
