/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_MODEL_MOUNTS_H
#define SK_MODEL_MOUNTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "model/xmem.h"

/* A mount that -v, --mount or --tmpfs asks for. */
enum sk_mount_type {
	SK_MOUNT_BIND,	 /* `source` is an absolute host path */
	SK_MOUNT_VOLUME, /* `source` is a volume's name; NULL: an anonymous one */
	SK_MOUNT_TMPFS,
};

struct sk_mount {
	enum sk_mount_type type;
	char *source;
	char *target;  /* absolute path in the container, cleaned */
	char *path;    /* what of the host is shared: real path of a bind's source, a volume's directory; set when the
			      container is made */
	bool file;     /* bind: `path` is a file */
	char *options; /* tmpfs: mount options, "size=64m,mode=1777" */
	char *propagation; /* bind: "rprivate", …; NULL */
	char *subpath;	   /* volume */
	char *driver;	   /* volume */
	struct sk_strv driver_options;
	struct sk_strv labels;
	bool readonly;
	bool nodev, nosuid, noexec; /* not tmpfs, which has them in `options` */
	bool nocopy;		    /* volume: do not fill it from the image */
	bool nonrecursive;	    /* bind */
	bool anonymous;		    /* volume: without a name of the user's; set when the container is made */
	bool make_source;	    /* -v makes a missing host directory, --mount does not */
};

struct sk_mounts {
	struct sk_mount *v;
	size_t n;
};
void sk_mounts_fini(struct sk_mounts *mounts);

/* Each appends one mount; -EINVAL with `why` (256 bytes) in docker's words. Relative bind sources are made absolute. */
int sk_mounts_parse_volume(struct sk_mounts *mounts, const char *spec, char *why); /* -v [src:]dst[:opts] */
struct sk_windows_place;
/* The same on a Windows that is at `place`: sources have drives and backslashes. NULL: on a system with slashes. */
int sk_mounts_parse_volume_of(struct sk_mounts *mounts, const char *spec, const struct sk_windows_place *place,
			      char *why);
int sk_mounts_parse_mount(struct sk_mounts *mounts, const char *spec, char *why); /* --mount type=…,source=…,target=… */
int sk_mounts_parse_tmpfs(struct sk_mounts *mounts, const char *spec, char *why); /* --tmpfs dst[:opts] */

/* What the host mounts below the source later is to be seen in the container. */
bool sk_mount_is_slave(const struct sk_mount *m);
/* With propagation the source's mount on the host has to take part in it: -EINVAL in docker's words. */
int sk_mount_check_propagation(const struct sk_mount *m, struct sk_error *err);
/* Two mounts with one target: -EINVAL. */
int sk_mounts_check(const struct sk_mounts *mounts, struct sk_error *err);
/* vm.json's "mounts" (docs/protocols.md). */
json_t *sk_mounts_to_vm(const struct sk_mounts *mounts);
/* Names of the anonymous volumes. */
json_t *sk_mounts_anonymous(const struct sk_mounts *mounts);
/* inspect's "Mounts" of a created container. */
json_t *sk_mounts_to_inspect(const struct sk_mounts *mounts);

#endif
