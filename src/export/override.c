/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owner, mode and device of a file kept in an extended attribute of it, for a server that may not set them (MAPPED):
 * the format, which is read from a file that others may write, and its use.
 */
#include "export/override.h"

#include <errno.h>
#include <linux/stat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

/* An unsigned number in `base` up to the next separator of `seps` or the end. False: no digit, or over 32 bits. */
static bool number(const char **at, const char *end, unsigned base, uint32_t *ret)
{
	const char *p = *at;
	uint64_t v = 0;

	while (p < end && *p >= '0' && (unsigned)(*p - '0') < base && v <= UINT32_MAX)
		v = v * base + (unsigned)(*p++ - '0');
	if (p == *at || v > UINT32_MAX)
		return false;
	*at = p;
	*ret = (uint32_t)v;
	return true;
}

static bool skip(const char **at, const char *end, char c)
{
	if (*at == end || **at != c)
		return false;
	(*at)++;
	return true;
}

static bool parse_type(const char *p, const char *end, struct sk_override *o)
{
	static const struct {
		const char *name;
		uint32_t type;
	} types[] = {
		{ "file", S_IFREG },	{ "dir", S_IFDIR },   { "symlink", S_IFLNK }, { "pipe", S_IFIFO },
		{ "socket", S_IFSOCK }, { "char-", S_IFCHR }, { "block-", S_IFBLK },
	};
	size_t i, len = (size_t)(end - p);

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		size_t n = strlen(types[i].name);
		bool device = types[i].name[n - 1] == '-';

		if (len < n || memcmp(p, types[i].name, n) != 0 || (!device && len != n))
			continue;
		o->mode |= types[i].type;
		p += n;
		return !device || (number(&p, end, 10, &o->major) && skip(&p, end, '-') &&
				   number(&p, end, 10, &o->minor) && p == end);
	}
	return false;
}

bool sk_override_parse(const char *text, size_t len, struct sk_override *o)
{
	const char *p = text, *end = text + len;

	memset(o, 0, sizeof(*o));
	if (len && end[-1] == 0)
		end--; /* some writers store the terminator */
	if (!number(&p, end, 10, &o->uid) || !skip(&p, end, ':') || !number(&p, end, 10, &o->gid) ||
	    !skip(&p, end, ':') || !number(&p, end, 8, &o->mode) || o->mode > 07777)
		return false;
	return p == end || (skip(&p, end, ':') && parse_type(p, end, o));
}

size_t sk_override_format(const struct sk_override *o, char buf[SK_OVERRIDE_MAX])
{
	char type[40] = "file";
	int n;

	switch (o->mode & S_IFMT) {
	case S_IFDIR:
		strcpy(type, "dir");
		break;
	case S_IFLNK:
		strcpy(type, "symlink");
		break;
	case S_IFIFO:
		strcpy(type, "pipe");
		break;
	case S_IFSOCK:
		strcpy(type, "socket");
		break;
	case S_IFCHR:
	case S_IFBLK:
		snprintf(type, sizeof(type), "%s-%u-%u", (o->mode & S_IFMT) == S_IFCHR ? "char" : "block", o->major,
			 o->minor);
		break;
	default:
		break;
	}
	n = snprintf(buf, SK_OVERRIDE_MAX, "%u:%u:%04o:%s", o->uid, o->gid, o->mode & 07777, type);
	return (size_t)n;
}

static void proc_path(char path[40], int fd)
{
	snprintf(path, 40, "/proc/self/fd/%d", fd);
}

int sk_override_load(int fd, struct sk_override *ret)
{
	char path[40], buf[SK_OVERRIDE_MAX];
	ssize_t n;

	proc_path(path, fd);
	n = getxattr(path, SK_OVERRIDE_XATTR, buf, sizeof(buf));
	if (n < 0)
		return -errno;
	return sk_override_parse(buf, (size_t)n, ret) ? 0 : -ENODATA;
}

int sk_override_store(int fd, const struct sk_override *o)
{
	char path[40], buf[SK_OVERRIDE_MAX];
	size_t n = sk_override_format(o, buf);

	proc_path(path, fd);
	return setxattr(path, SK_OVERRIDE_XATTR, buf, n, 0) < 0 ? -errno : 0;
}

void sk_override_effective(int fd, const struct statx *stx, struct sk_override *ret)
{
	*ret = (struct sk_override){ stx->stx_uid, stx->stx_gid, stx->stx_mode, stx->stx_rdev_major,
				     stx->stx_rdev_minor };
	if (S_ISREG(stx->stx_mode) || S_ISDIR(stx->stx_mode)) {
		struct sk_override o;

		if (sk_override_load(fd, &o) < 0)
			return;
		/* Only an empty file can stand for something else. */
		if ((o.mode & S_IFMT) == 0 || S_ISDIR(stx->stx_mode) || S_ISDIR(o.mode) || S_ISLNK(o.mode) ||
		    stx->stx_size)
			o.mode = (o.mode & 07777) | (stx->stx_mode & S_IFMT);
		*ret = o;
	}
}
