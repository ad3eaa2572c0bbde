/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_EXPORT_OVERRIDE_H
#define SK_EXPORT_OVERRIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Owner, mode and type kept beside a file that cannot have them on the host, in the extended attribute
 * user.containers.override_stat, in the form that the containers ecosystem (containers/storage, fuse-overlayfs) writes
 * and reads: "uid:gid:mode[:type]", mode octal, type one of file, dir, symlink, pipe, socket, char-MAJOR-MINOR,
 * block-MAJOR-MINOR.
 */
#define SK_OVERRIDE_XATTR "user.containers.override_stat"
#define SK_OVERRIDE_MAX 96

struct statx;
struct sk_override {
	uint32_t uid, gid;
	uint32_t mode; /* with the type; type 0: none given */
	uint32_t major, minor;
};

/* False: malformed; `*ret` must not be used. */
bool sk_override_parse(const char *text, size_t len, struct sk_override *ret);
/* Returns the length. */
size_t sk_override_format(const struct sk_override *o, char buf[SK_OVERRIDE_MAX]);

/* Reads the attribute of an open descriptor, O_PATH or not. 0, -ENODATA (none or damaged), or errno. */
int sk_override_load(int fd, struct sk_override *ret);
int sk_override_store(int fd, const struct sk_override *o);
/* Reads owner and mode from the attribute, or takes those of `stx` if the file has none. */
void sk_override_effective(int fd, const struct statx *stx, struct sk_override *ret);

#endif
