/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_EXPORT_POSIX_INTERNAL_H
#define SK_EXPORT_POSIX_INTERNAL_H

#include <linux/stat.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "export/lxmeta.h"
#include "export/override.h"
#include "export/posix.h"

#define POSIX_BUCKETS 4096u
#define POSIX_DEPTH_MAX 8192u
#define POSIX_DEVS 256u
#define POSIX_PROC_PATH 32u
#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x00001000U
#endif
#define POSIX_STATX (STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID)
#define POSIX_GROUPS_MAX 64u
#define POSIX_LISTINGS 64u
#define P9_NOBODY_GID 65534u

struct posix_recent;
struct posix_left;
struct sk_sidecar;
struct posix_mount;

struct posix_lru {
	struct posix_lru *prev, *next;
};

struct posix_user {
	struct posix_user *next;
	uint32_t uid, gid;
	unsigned n_groups;
	uint32_t groups[POSIX_GROUPS_MAX];
};

/* A file system as one mount shows it. The first mount of each that is met stands for the file system, too. */
struct posix_dev {
	uint64_t dev, mnt; /* mnt 0: no directory was met yet */
	unsigned first;	   /* index of the first mount of this file system */
	bool several;	   /* of the first: there are more */
	enum {
		POSIX_PLACE_UNKNOWN,
		POSIX_PLACE_HERE,
		POSIX_PLACE_ELSEWHERE,
	} place; /* of the first: see posix_is_local() */
};

struct sk_export_pool {
	struct posix_dev devs[POSIX_DEVS];
	unsigned n_devs, n_fs;
	unsigned max_nodes, max_files, nodes, files;
	unsigned watched; /* nodes whose descriptor stays open for their mark: at most half of max_nodes */
	/* Open files with a buffer for directory entries. When all buffers are in use, the next file takes over the
	 * oldest one. */
	struct sk_9p_file *listings[POSIX_LISTINGS];
	unsigned next_listing;
	struct posix_lru lru; /* nodes whose descriptor may be closed, most recently used first */
	/* The thread's ids as far as file systems look at them. */
	bool root;
	uint32_t fsuid, fsgid;
	struct posix_user *users;	    /* CHECK: the host's */
	const struct posix_user *groups_of; /* whose supplementary groups are set */
	bool full;			    /* capabilities are effective though fsuid is not 0 */
	uint64_t caps;			    /* permitted, without CAP_FSETID */
	uint64_t stale_ms;		    /* when a client was last made to walk again, by sk_now_ms() */
	uint64_t changes; /* of owners and modes that are kept, by this server or, as far as known, others */
};

struct sk_9p_node {
	struct posix_lru lru; /* linked when fd >= 0 and not pinned */
	unsigned refs;
	int fd;		 /* O_PATH; -1: closed for the budget, to be opened again from parent and name */
	bool pinned;	 /* fd stays open: no name leads to the node */
	bool hashed;	 /* in the table under (parent, name) */
	bool is_virtual; /* the root above a single file */
	bool watched;	 /* a directory whose changes are reported */
	bool leased;	 /* `watched`, and what is reported are all changes: clients may have leases */
	bool opens;	 /* opens, reads and closes in it are reported, too */
	uint16_t type;	 /* S_IFMT bits on the host */
	uint64_t dev, ino;
	uint64_t mnt;	   /* of a directory: the host's number of its mount */
	uint64_t mount;	   /* for the root of a mount of sk_posix_mount(), its number; else 0 */
	bool left;	   /* it was in a mount that is gone */
	bool no_lx_xattrs; /* KEEP_EA: there were no extended attributes of WSL's when its EAs were read last */
	enum {
		POSIX_CASE_UNKNOWN,
		POSIX_CASE_MATTERS,
		POSIX_CASE_IGNORED,
	} names; /* of a directory */
	struct statx_timestamp btime;
	uint64_t stale_ms;	   /* of this directory */
	int64_t known_ms;	   /* when a client walked to it or last changed names in it, by CLOCK_REALTIME */
	bool reborn;		   /* on overlayfs: to be copied up gives a file another time of birth */
	struct posix_fs *fs;	   /* of `watched` */
	struct sk_9p_node *parent; /* counted */
	struct sk_9p_node *hash_next;
	struct sk_9p_file *files; /* open instances */
	char *name;
	/* MAPPED, KEEP_SIDECAR: of a directory what its file says; of a file without a name what was kept of it. */
	struct sk_sidecar *side;
	struct sk_override *kept;
	struct posix_recent *recent;
};

/* MAPPED: owner and mode of a file that is open, as they were a moment ago: data in small pieces would otherwise have
 * them read again for each piece. */
struct posix_recent {
	uint64_t ms, changes; /* when, by sk_now_ms(), and the pool's number of changes then */
	struct sk_override o;
};

struct sk_9p_file {
	struct sk_9p_file *next; /* of the node */
	struct sk_9p_node *node;
	int fd;
	bool writable;
	/* Listings: what getdents gave and how far it was used. NULL: nothing, or the buffer was given to another. */
	uint8_t *buf;
	unsigned listing; /* with buf: its place in the pool's list */
	size_t pos, len;
	uint64_t next_off; /* cookie of the last entry that was emitted */
	bool suid;	   /* MAPPED: the kept mode has a set-id bit, to go with the first write */
};

struct posix_fs {
	struct sk_9p_fs fs;
	struct sk_export_config c;
	struct sk_export_pool *pool;
	struct sk_9p_node *root, *single; /* single: the file below a virtual root */
	unsigned number;		  /* in the pool */
	bool stat_entries;
	struct sk_watch *watch; /* NULL: no leases */
	sk_export_event_cb event;
	void *event_arg;
	struct sk_9p_fs_ops ops;    /* KEEP_EA: with names as NTFS has them */
	struct posix_mount *mounts; /* sk_posix_mount(): posix_mounts.c */
	struct posix_left *left;    /* posix_left.c */
	struct sk_9p_node *buckets[POSIX_BUCKETS];
};

static inline struct posix_fs *posix_of(struct sk_9p_fs *fs)
{
	return (struct posix_fs *)fs;
}

/* posix_node.c */
/* A client has changed names in `dir`. */
void posix_names_changed(struct sk_9p_node *dir);
/* For a directory that the host has removed (`stx`: what it is): whether the client has to walk to it once more, since
 * its path may lead elsewhere by now. The next answers are no: the client has walked, or a program of its own stands in
 * the removed directory, and gets what Linux says there. */
bool posix_is_removed(struct posix_fs *p, struct sk_9p_node *dir, const struct statx *stx);
/* Returns -ENOENT for a name that `dir` (with descriptor `dirfd`) does not have; -ESTALE, once, if the directory is
 * removed or others have just changed its names: what has led the client to this name may have changed as well, and the notice
 * of it be on its way. Clients walk again then, by what is there. */
int posix_no_name(struct posix_fs *p, struct sk_9p_node *dir, int dirfd);
/* The O_PATH descriptor of a node, opened again if need be. -ESTALE: the name refers to another file now. */
int posix_fd(struct posix_fs *p, struct sk_9p_node *node);
/* The descriptors of two nodes at once: opening the second may close others for the budget, but not the first. */
int posix_two_fds(struct posix_fs *p, struct sk_9p_node *a, struct sk_9p_node *b, int *ret_a, int *ret_b);
/* The node, whose descriptor is open, is watched from now on and keeps it. */
void posix_keep(struct posix_fs *p, struct sk_9p_node *node);
/* A new node for an open O_PATH descriptor (-1: not open yet; taken), entered under (parent, name) unless parent is
 * NULL. */
int posix_node_new(struct posix_fs *p, int take_fd, struct sk_9p_node *parent, const char *name,
		   const struct statx *stx, struct sk_9p_node **ret_node);
struct sk_9p_node *posix_find(struct posix_fs *p, const struct sk_9p_node *dir, const char *name);
/* Before a name goes: makes sure that the node found by it survives. After: it has no name any more; or, it did not go.
 */
void posix_hold(struct posix_fs *p, struct sk_9p_node *node);
void posix_gone(struct posix_fs *p, struct sk_9p_node *node);
void posix_stays(struct posix_fs *p, struct sk_9p_node *node);
/* The node is found under another name from now on. */
void posix_moved(struct posix_fs *p, struct sk_9p_node *node, struct sk_9p_node *dir, const char *name);
/* Opens one component, O_PATH, never following a link, never leaving `dirfd`. Descriptor or negative errno. */
int posix_open_component(const struct posix_fs *p, int dirfd, const char *name);
int posix_statx(int fd, struct statx *ret_stx);
/* Both, of what is called `name` in `dir`, for which that is a chance to learn how `dir` treats case. */
int posix_open_name(struct posix_fs *p, struct sk_9p_node *dir, int dirfd, const char *name, struct statx *ret_stx);
/* The descriptor of a directory in which a file is to be made and opened, or negative errno. */
int posix_fd_for_new(struct posix_fs *p, struct sk_9p_node *dir);
/* True if btime cannot distinguish two files with the same inode number. */
bool posix_reborn(const struct posix_fs *p, const struct sk_9p_node *dir, int dirfd, const char *name,
		  const struct statx *stx);
/* The descriptor's file system is an overlayfs. */
bool posix_is_overlay(int fd);
struct sk_9p_node *posix_get(struct sk_9p_fs *fs, struct sk_9p_node *node);
void posix_put(struct sk_9p_fs *fs, struct sk_9p_node *node);
int posix_root(struct sk_9p_fs *fs, struct sk_9p_node **ret_node, struct p9_qid *ret_qid);
int posix_lookup(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		 struct sk_9p_node **ret_node, struct p9_qid *ret_qid);
int posix_parent(struct sk_9p_fs *fs, struct sk_9p_node *node, struct sk_9p_node **ret_node, struct p9_qid *ret_qid);
int posix_place(struct sk_9p_fs *fs, struct sk_9p_node *node, struct sk_9p_node **ret_dir,
		char ret_name[P9_NAME_MAX + 1]);

/* All nodes of a mount that is gone lose their descriptors. */
void posix_leave_mount(struct posix_fs *p, uint64_t mount);

/* posix_mounts.c */
/* If something is mounted on what `stx` was read of: its root instead, in `stx` and, unless NULL, as the descriptor.
 * `ret_mount`: which mount it is, 0: nothing is mounted there. 0 or negative errno. */
int posix_cross(const struct posix_fs *p, struct statx *stx, int *fd, uint64_t *ret_mount);
bool posix_is_point(const struct posix_fs *p, int dirfd, const char *name);
void posix_mounts_free(struct posix_fs *p);

/* posix_watch.c */
/* Watches a directory if that is possible. Call posix_unwatch() before its node is freed. */
void posix_watch(struct posix_fs *p, struct sk_9p_node *node);
void posix_unwatch(struct posix_fs *p, struct sk_9p_node *node);

/* posix.c */
/* "/proc/self/fd/N" */
void posix_proc(char path[POSIX_PROC_PATH], int fd);
/* `mnt`: of a directory, its node's; else 0. */
uint64_t posix_qid_path(struct posix_fs *p, uint64_t dev, uint64_t mnt, uint64_t ino);
uint64_t posix_mnt_of(const struct posix_fs *p, const struct statx *stx);
/* The number of a file system for clients. */
uint32_t posix_dev_number(struct posix_fs *p, const struct statx *stx);
/* A directory of this file system may be visible in more than one mount: changes through one affect the others. */
bool posix_several(const struct posix_fs *p, const struct sk_9p_node *dir);
/*
 * Whether all changes in the file system of `fd`, which is that of the device `dev`, are made by system calls of this
 * host, which raises events for them: not where it is a network's or a cluster's, or behind a program (FUSE) that may
 * change it by itself.
 */
bool posix_is_local(const struct posix_fs *p, uint64_t dev, int fd);
/* Of the root above a single file. */
static inline struct p9_qid posix_virtual_qid(const struct posix_fs *p)
{
	return (struct p9_qid){ P9_QTDIR, 1, UINT64_MAX - p->number };
}

static inline uint64_t posix_dev_of(const struct statx *stx)
{
	return (uint64_t)stx->stx_dev_major << 32 | stx->stx_dev_minor;
}

void posix_qid(struct posix_fs *p, const struct statx *stx, struct p9_qid *ret_qid);

/* A single file may be another one than at first (sk_posix_replace); to clients it stays the same. */
static inline void posix_identity(const struct posix_fs *p, const struct sk_9p_node *node, struct statx *stx)
{
	if (node != p->single)
		return;
	stx->stx_dev_major = (uint32_t)(node->dev >> 32);
	stx->stx_dev_minor = (uint32_t)node->dev;
	stx->stx_ino = node->ino;
	stx->stx_btime = node->btime;
}

/* posix_cred.c */
int posix_cred_init(struct sk_export_pool *pool);
/* The thread is root again (without CAP_FSETID). */
void posix_cred_fini(struct sk_export_pool *pool);
/* Takes on the ids for something that is created, or, where rights are checked here, for any operation. */
void posix_as_creator(struct posix_fs *p, const struct sk_9p_cred *cred);
void posix_as_caller(struct posix_fs *p, const struct sk_9p_cred *cred);
/* connect() of a unix socket; the other side (SO_PEERCRED) sees the ids of the caller that this thread acts for. */
int posix_connect_as(struct posix_fs *p, const struct sk_9p_cred *cred, int fd, const void *addr, uint32_t len);
/* The mode that a client's file gets on this export. A directory's S_ISGID is about groups, not about rights. */
static inline uint32_t posix_file_mode(const struct posix_fs *p, uint32_t mode)
{
	return p->c.nosuid ? mode & ~(uint32_t)(S_ISUID | S_ISGID) : mode;
}
/* Around a chmod that sets S_ISGID: the client's kernel has decided. */
void posix_fsetid(struct posix_fs *p, bool on);
/* Before the data of a file change. True: set-group-id must stay, and posix_fsetid(p, false) follows the change. */
bool posix_setid_stays(struct posix_fs *p, int fd);

/* posix_io.c */
/* Translates a client's open flags into the host's. */
int posix_host_flags(const struct posix_fs *p, uint32_t flags);
/* A file for an open descriptor (taken). */
int posix_file_new(struct posix_fs *p, struct sk_9p_node *node, int take_fd, uint32_t flags,
		   struct sk_9p_file **ret_file);
/* A node and a file for one that was made just now: `name` in `dir`, or NULL and "". */
int posix_file_made(struct posix_fs *p, struct sk_9p_node *dir, const char *name, int take_fd, uint32_t flags,
		    uint32_t mode, struct sk_9p_node **ret_node, struct sk_9p_file **ret_file, struct p9_qid *ret_qid);
/* Opens a node's inode through its descriptor, whatever name it has by now. */
int posix_open_node(struct posix_fs *p, struct sk_9p_node *node, int flags);
/* MAPPED: the host does not know of the set-id bits that a write has to clear, unless the client does. */
void posix_clear_suid(struct posix_fs *p, struct sk_9p_file *file);
int posix_open(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node, uint32_t flags,
	       struct sk_9p_file **ret_file, struct p9_qid *ret_qid);
int posix_create(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		 uint32_t flags, uint32_t mode, struct sk_9p_node **ret_node, struct sk_9p_file **ret_file,
		 struct p9_qid *ret_qid);
void posix_close(struct sk_9p_fs *fs, struct sk_9p_file *file);
int64_t posix_read(struct sk_9p_fs *fs, struct sk_9p_file *file, struct sk_iov *iov, unsigned n, uint64_t offset);
int64_t posix_write(struct sk_9p_fs *fs, struct sk_9p_file *file, struct sk_iov *iov, unsigned n, uint64_t offset);
int posix_fsync(struct sk_9p_fs *fs, struct sk_9p_node *node, struct sk_9p_file *file, bool datasync);
int posix_readdir(struct sk_9p_fs *fs, struct sk_9p_node *node, struct sk_9p_file *file, uint64_t offset, bool exact,
		  sk_9p_emit emit, void *arg);

/* posix_attr.c */
/* Finds out, by a name that exists and what was read of it, whether names in a directory ignore case. */
void posix_probe_case(struct posix_fs *p, struct sk_9p_node *dir, int dirfd, const char *name, const struct statx *stx);
int posix_getattr(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node, struct sk_9p_file *file,
		  uint64_t mask, struct p9_attr *ret_attr);
int posix_look(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
	       bool want_dir, struct sk_9p_node **ret_node, struct p9_attr *ret_attr, uint32_t *ret_flags);
uint32_t posix_leases(struct sk_9p_fs *fs, struct sk_9p_node *dir);
int posix_watch_opens(struct sk_9p_fs *fs, struct sk_9p_node *dir);
int posix_setattr(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node, struct sk_9p_file *file,
		  const struct p9_setattr *attr);
int posix_statfs(struct sk_9p_fs *fs, struct sk_9p_node *node, struct p9_statfs *ret_statfs);
int posix_readlink(struct sk_9p_fs *fs, struct sk_9p_node *node, char *buf, size_t cap);
int64_t posix_xattr_get(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node, const char *name,
			void *buf, size_t cap);
int64_t posix_xattr_list(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node, char *buf,
			 size_t cap);
int posix_xattr_set(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node, const char *name,
		    const void *value, size_t len, uint32_t flags);
int posix_xattr_remove(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node, const char *name);

/* posix_name.c */
int posix_mkdir(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		uint32_t mode, struct p9_qid *ret_qid);
int posix_mknod(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		uint32_t mode, uint32_t major, uint32_t minor, struct p9_qid *ret_qid);
/* For something that is made in `dir`: its descriptor, with the ids of the caller. */
int posix_dir_for_creation(struct posix_fs *p, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name);
/* After an object was made: keeps its owner and mode (MAPPED; NULL: nothing to keep) and returns its qid. */
int posix_made(struct posix_fs *p, struct sk_9p_node *dir, const char *name, const struct sk_override *keep,
	       struct p9_qid *ret_qid);
int posix_symlink(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		  const char *target, struct p9_qid *ret_qid);
int posix_link(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node, struct sk_9p_node *dir,
	       const char *name);
int posix_unlink(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		 bool rmdir);
int posix_rename(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *olddir, const char *oldname,
		 struct sk_9p_node *newdir, const char *newname, uint32_t flags);

/* posix_keep.c: MAPPED, what is kept of a file, wherever that is. */
/* The file: its descriptor, and its node, or its name in a directory. Neither: it has no name yet. */
struct posix_subject {
	int fd;
	struct sk_9p_node *node, *dir;
	const char *name;
};
static inline bool posix_sidecar(const struct posix_fs *p)
{
	return p->c.who == SK_EXPORT_MAPPED && p->c.keep == SK_EXPORT_KEEP_SIDECAR;
}
/* Owner, mode, type and device as they are kept now, or those of `stx`. */
void posix_kept(struct posix_fs *p, const struct posix_subject *f, const struct statx *stx, struct sk_override *ret);
/* Puts them over what the host says; of an open file as they were a moment ago. */
void posix_effective(struct posix_fs *p, const struct posix_subject *f, struct statx *stx);
/* `fields`: what was changed of it (SK_LX_*): of what was not, what others set at the same time stays (not
 * with KEEP_XATTR). -EOPNOTSUPP: nothing can be kept of this file. */
int posix_keep_set(struct posix_fs *p, const struct posix_subject *f, const struct statx *stx,
		   const struct sk_override *o, unsigned fields);
/* KEEP_SIDECAR. Before a name is made: its record; -EEXIST: there is such a name. After: the record is still there. */
int posix_keep_first(struct posix_fs *p, struct sk_9p_node *dir, const char *name, const struct sk_override *o,
		     const char *target);
int posix_keep_again(struct posix_fs *p, struct sk_9p_node *dir, const char *name, const struct sk_override *o,
		     const char *target);
/* A file may be about to lose its name; a name is gone. */
void posix_keep_remember(struct posix_fs *p, struct sk_9p_node *node);
void posix_keep_gone(struct posix_fs *p, struct sk_9p_node *dir, const char *name);
/* Around a rename: before it; after it, with its result. */
int posix_keep_moving(struct posix_fs *p, struct sk_9p_node *olddir, const char *oldname, struct sk_9p_node *newdir,
		      const char *newname, bool exchange);
int posix_keep_moved(struct posix_fs *p, struct sk_9p_node *olddir, const char *oldname, struct sk_9p_node *newdir,
		     const char *newname, int result);
/* The target of what stands for a symbolic link. Its length, or -EINVAL: it is none. */
int posix_keep_readlink(struct posix_fs *p, struct sk_9p_node *node, char *buf, size_t cap);
int posix_keep_sync(struct posix_fs *p, struct sk_9p_node *node);
/* rmdir of a directory that is empty for clients. */
int posix_keep_rmdir(struct posix_fs *p, int dirfd, const char *name);

/* posix_ntfs.c */
/* Puts the operations of NTFS in place of those of the same name. */
void posix_ntfs_ops(struct sk_9p_fs_ops *ops);
/* A name of the host as the client has it. */
const char *posix_guest_name(const struct posix_fs *p, const char *name, char buf[P9_NAME_MAX + 1]);

/* posix_lx.c: what WSL has made on NTFS (KEEP_EA) and ntfs-3g does not show; nothing for other exports */
/* Of a user's attribute that the host says it does not have (`error`). */
int posix_lx_xattr_get(struct posix_fs *p, struct sk_9p_node *node, const char *name, void *buf, size_t cap, int error);
/* Adds their names to those in `all` that are `len` bytes; all that there are then. */
ssize_t posix_lx_xattr_list(struct posix_fs *p, struct sk_9p_node *node, char *all, size_t len, size_t cap);
/* Before one is set: 1: WSL has one of that name; 0; -EEXIST, -ENODATA: `flags` forbid it. `path`: of the file. */
int posix_lx_xattr_check(struct posix_fs *p, struct sk_9p_node *node, const char *name, const char *path, int flags);
int posix_lx_xattr_drop(struct posix_fs *p, struct sk_9p_node *node, const char *name);
/* A link of which the host has said `result`, with that in `buf`. */
int posix_lx_readlink(struct posix_fs *p, int fd, char *buf, size_t cap, int result);

/* posix_left.c: names that open files keep after their removal */
bool posix_left_name(const struct posix_fs *p, const char *name);
/* rmdir of a directory in `up` that has nothing but such. */
int posix_left_rmdir(struct posix_fs *p, struct sk_9p_node *up, int upfd, const char *name);
/* After unlink, or a rename over `newname`, has failed with `error`: the same for a file that is open, where it was refused
 * for that. `node`: that of the name that goes, or NULL. 0, or `error` if nothing can be done about it. */
int posix_left_unlink(struct posix_fs *p, struct sk_9p_node *dir, int dirfd, const char *name, struct sk_9p_node *node,
		      int error);
int posix_left_replace(struct posix_fs *p, int oldfd, const char *oldname, struct sk_9p_node *newdir, int newfd,
		       const char *newname, struct sk_9p_node *node, int error);
/* The last open file of the node has been closed. */
void posix_left_closed(struct posix_fs *p, const struct sk_9p_node *node);
/* A listing has met this name: removes what a killed server has left. */
void posix_left_sweep(struct posix_fs *p, struct sk_9p_node *dir, int dirfd, const char *name);
void posix_left_free(struct posix_fs *p);

/* posix_links.c */
#define SK_LINKS_DIR ".skerry-links"
/* The name is not for the guest. */
bool posix_hidden_name(struct posix_fs *p, struct sk_9p_node *dir, const char *name);
/* Of what can have no attribute on the host. False: nothing is kept. */
bool posix_link_load(struct posix_fs *p, const struct statx *stx, struct sk_override *ret);
int posix_link_store(struct posix_fs *p, const struct statx *stx, const struct sk_override *o);
/* What a name refers to before it is removed, for posix_link_drop() afterwards. */
void posix_link_look(const struct posix_fs *p, int dirfd, const char *name, struct statx *ret_stx);
void posix_link_drop(struct posix_fs *p, const struct statx *stx);

/* posix_socket.c */
int posix_connect(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node, uint32_t type,
		  struct sk_9p_socket **ret_socket);
int posix_bind(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
	       uint32_t mode, uint32_t type, struct p9_qid *ret_qid, struct sk_9p_socket **ret_socket);
int posix_listen(struct sk_9p_fs *fs, struct sk_9p_socket *socket, uint32_t backlog);
int posix_accept(struct sk_9p_fs *fs, struct sk_9p_socket *socket, struct sk_9p_socket **ret_socket,
		 struct sk_9p_cred *ret_cred);
int64_t posix_receive(struct sk_9p_fs *fs, struct sk_9p_socket *socket, struct sk_iov *iov, unsigned n);
int64_t posix_send(struct sk_9p_fs *fs, struct sk_9p_socket *socket, struct sk_iov *iov, unsigned n);
int posix_shutdown(struct sk_9p_fs *fs, struct sk_9p_socket *socket, uint32_t how);
int posix_socket_fd(struct sk_9p_fs *fs, struct sk_9p_socket *socket);
void posix_socket_close(struct sk_9p_fs *fs, struct sk_9p_socket *socket);

/* posix_file.c */
int posix_tmpfile(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, uint32_t flags,
		  uint32_t mode, struct sk_9p_node **ret_node, struct sk_9p_file **ret_file, struct p9_qid *ret_qid);
int posix_allocate(struct sk_9p_fs *fs, struct sk_9p_file *file, uint32_t mode, uint64_t offset, uint64_t length);
int64_t posix_seek(struct sk_9p_fs *fs, struct sk_9p_file *file, uint64_t offset, uint32_t whence);
int64_t posix_copy(struct sk_9p_fs *fs, struct sk_9p_file *from, uint64_t from_offset, struct sk_9p_file *to,
		   uint64_t to_offset, uint64_t length, bool clone);
int posix_getflags(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node, struct sk_9p_file *file,
		   struct p9_fileflags *ret_flags);
int posix_setflags(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node, struct sk_9p_file *file,
		   uint32_t valid, const struct p9_fileflags *flags);

/* posix_lock.c */
int posix_lock_key(struct sk_9p_fs *fs, struct sk_9p_file *file, struct sk_9p_key *ret_key);
int posix_lock_new(struct sk_9p_fs *fs, struct sk_9p_node *node, struct sk_9p_file *file,
		   struct sk_9p_hostlock **ret_lock);
void posix_lock_free(struct sk_9p_fs *fs, struct sk_9p_hostlock *lock);
int posix_lock_set(struct sk_9p_fs *fs, struct sk_9p_hostlock *lock, enum sk_9p_lock_kind kind, uint8_t type,
		   uint64_t first, uint64_t last);
int posix_lock_test(struct sk_9p_fs *fs, struct sk_9p_hostlock *lock, uint8_t *type, uint64_t *first, uint64_t *last,
		    uint32_t *ret_pid);

#endif
