/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_EXPORT_EXPORT_H
#define SK_EXPORT_EXPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "ninep/fs.h"

#define SK_EXPORT_MOUNTS_MAX 1024u /* below one export, while it is served */

/*
 * A back end: a kind of file system that an export can be, as whoever serves exports sees it. What the 9P server needs
 * of each export is sk_9p_fs (ninep/fs.h).
 *
 * The pool holds what all exports of one thread share. Pool and exports belong to the thread that made them.
 */
struct sk_export_pool;
struct sk_mount_tree;
struct sk_watch;
struct sk_watch_event;
struct sk_9p_event;

/* Whose rights and ownership. */
enum sk_export_who {
	/* The client's kernel has checked (access=client): everything is permitted here, and what is created belongs to
	 * the caller. Needs root. */
	SK_EXPORT_TRUST,
	/* Rights are checked here: each operation is done with the caller's uid, and the groups that the host's user
	 * database gave it when the export was made. Needs root. */
	SK_EXPORT_CHECK,
	/* Like TRUST, but everything that is created belongs to squash_uid:squash_gid, and chown does nothing. Needs
	   root. */
	SK_EXPORT_SQUASH,
	/* every request runs with the server's own user and rights */
	SK_EXPORT_SELF,
	/* The server's own user and rights; owner, mode and devices that the host would refuse are kept beside the
	 * file, as enum sk_export_keep says. */
	SK_EXPORT_MAPPED,
};

/* Where MAPPED keeps owner, mode and device. */
enum sk_export_keep {
	SK_EXPORT_KEEP_XATTR,	/* the extended attribute user.containers.override_stat: override.h */
	SK_EXPORT_KEEP_EA,	/* NTFS: as WSL does, in EAs, and names as WSL encodes them: lxmeta.h */
	SK_EXPORT_KEEP_SIDECAR, /* one file per directory: sidecar.h */
};

struct sk_export_config {
	enum sk_export_who who;
	enum sk_export_keep keep;
	uint32_t squash_uid, squash_gid;
	bool append;	    /* O_APPEND is done by the host: for clients without write-back caching; wrong with it */
	bool nodev;	    /* no device nodes are made */
	bool nosuid;	    /* no file gets a set-id bit, which is left out, or capabilities */
	bool client_clears; /* clients clear set-id bits before a write, as Linux does: the write leaves them */
	bool any_case;	    /* names in no directory differ in case only, where it is known */
	bool leaves_names;  /* open files that are removed keep a name (FUSE), which clients do not see */
	bool holds_open;    /* open files can be neither removed nor replaced, but renamed: a hidden name until then */
	bool own_mount;	    /* its directories are distinct from other exports' of the same host directory */
	bool no_openat2;    /* for tests: as on a kernel without openat2 */
	bool stat_entries;  /* for tests: look at every entry of a listing (set by itself where file systems need it) */
	/* NULL, or the host's mounts below the directory: their mount points cannot be removed or renamed (borrowed) */
	struct sk_mount_tree *mounts;
};

typedef void (*sk_export_event_cb)(void *arg, const struct sk_9p_event *event);

struct sk_export_ops {
	const char *name;
	/* `max_fds`: descriptors that nodes and open files may use together; 0: what RLIMIT_NOFILE leaves, less a
	 * reserve. */
	int (*pool_new)(unsigned max_fds, struct sk_export_pool **ret_pool, struct sk_error *err);
	void (*pool_free)(struct sk_export_pool *pool);
	/* Reads the host's user database, for SK_EXPORT_CHECK. A process that confines itself calls it before;
	 * otherwise the first such export does. -ENOMEM. */
	int (*pool_load_users)(struct sk_export_pool *pool);

	/*
	 * `take_fd`: an O_PATH descriptor of a directory, which becomes the root, or of anything else, which becomes
	 * the only entry, called `name`, of a root that cannot be written. Taken on failure too. `name` may be NULL for
	 * a directory.
	 */
	int (*open)(struct sk_export_pool *pool, int take_fd, const char *name, const struct sk_export_config *config,
		    struct sk_9p_fs **ret_fs, struct sk_error *err);
	/* All nodes and files must have been given back. NULL is allowed. */
	void (*close)(struct sk_9p_fs *fs);

	/*
	 * Leases: directories that a client with our extension walks to are watched with `watch` (borrowed; its
	 * callback passes events to on_watch()), and what others do there goes to `event`. The export has one client.
	 */
	void (*lease)(struct sk_9p_fs *fs, struct sk_watch *watch, sk_export_event_cb event, void *arg);
	/* For the watcher's callback: passes an event on to the exports it is about. Not SK_WATCH_OVERFLOW,
	 * SK_WATCH_DONE. */
	void (*on_watch)(const struct sk_watch_event *event);

	/*
	 * The single file of an export is another one from now on (O_PATH, taken; a regular file as before): for
	 * clients it is the same with other contents, also where they have it open. -EINVAL: it is no such export, or
	 * no such file.
	 */
	int (*replace)(struct sk_9p_fs *fs, int take_fd);
	/*
	 * Something is mounted below an export's root from now on. `id`: any number but 0 that no other mount of the
	 * export has; `take_fd`: the root of a private copy of the mount (O_PATH, taken on failure too); the mount
	 * point: `path` ("": itself) below the root of mount `parent`, 0: of the export. -EINVAL: wrong numbers, or the
	 * export is a single file; -ENOSPC: more than SK_EXPORT_MOUNTS_MAX; -ENOENT and such: there is no such mount
	 * point.
	 */
	int (*mount)(struct sk_9p_fs *fs, uint64_t id, int take_fd, uint64_t parent, const char *path);
	/* The mount is gone: what clients have of it is stale (ESTALE), but for files that are open. */
	void (*unmount)(struct sk_9p_fs *fs, uint64_t id);

	struct sk_9p_node *(*root)(struct sk_9p_fs *fs); /* borrowed */
	/* A directory below an export's root, for another export that is a part of it (sk_9p_export.root): it stays
	 * open until put(), which is called before the export is closed. */
	int (*below)(struct sk_9p_fs *fs, const char *path, struct sk_9p_node **ret_node);
	void (*put)(struct sk_9p_fs *fs, struct sk_9p_node *node);
	/* Identifies a directory on the host: equal for two nodes of one pool only if they are the same one in one
	 * mount. */
	void (*identity)(const struct sk_9p_node *node, uint64_t *ret_dev, uint64_t *ret_ino, uint64_t *ret_mnt);
};

/* A directory or a single file of a Linux host. See posix.c. */
extern const struct sk_export_ops sk_export_posix;

#endif
