/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_NINEP_FS_H
#define SK_NINEP_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/iov.h"
#include "ninep/proto.h"

/*
 * What the 9P server needs of a file system. A back end embeds struct sk_9p_fs, and defines struct sk_9p_node and
 * struct sk_9p_file for itself.
 *
 *   node   a name that was walked to: an object in a directory. Counted: get() and put(). A node stays usable after
 *          its name was removed.
 *   file   an open instance of a node, with a position of its own for directories. One owner; ends with close().
 *
 * Every function returns 0 (or what it says) or a negative Linux errno (enum p9_errno), whatever the host's numbers
 * are. Names were checked: 1 to 255 bytes, no '/', no NUL, not "." or "..". Writing functions are not called on a
 * read-only export. Functions do not keep pointers to their arguments. They may block on the host's disk, not on other
 * programs.
 */
struct sk_9p_node;
struct sk_9p_file;
struct sk_9p_hostlock;
struct sk_9p_socket;

/* The caller: the user of the attach, and the group for what is created (P9_NONUNAME where the message has none). */
struct sk_9p_cred {
	uint32_t uid, gid;
};

/* Identity of a file on the host: what locks are about. */
struct sk_9p_key {
	uint64_t dev, ino;
};

/* Locks of different kinds never conflict. */
enum sk_9p_lock_kind {
	SK_9P_LOCK_RANGE, /* fcntl(2): byte ranges, of a process or an open file */
	SK_9P_LOCK_FLOCK, /* flock(2): the whole file, of an open file */
	SK_9P_LOCK_KINDS,
};

/* Takes one entry of a listing. False: no room, not taken, stop. */
typedef bool (*sk_9p_emit)(void *arg, const struct p9_qid *qid, uint64_t offset, uint8_t type, const char *name,
			   size_t len);

#define SK_9P_APPEND UINT64_MAX

struct sk_9p_fs;
struct sk_9p_fs_ops {
	/* The export's root, a new reference. */
	int (*root)(struct sk_9p_fs *fs, struct sk_9p_node **ret_node, struct p9_qid *ret_qid);
	struct sk_9p_node *(*get)(struct sk_9p_fs *fs, struct sk_9p_node *node);
	void (*put)(struct sk_9p_fs *fs, struct sk_9p_node *node);
	/* `name` in `dir`; symbolic links are not followed. -P9_ENOTDIR, -P9_ENOENT. */
	int (*lookup)(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		      struct sk_9p_node **ret_node, struct p9_qid *ret_qid);
	/*
	 * May be NULL. Looks `name` in `dir` up: its attributes and, if `want_dir` and it is a directory, its node
	 * (else *ret_node is NULL), in one call. `*ret_flags`: P9_LOOK_EXISTS or not (no error), NO_XATTR, and leases:
	 * while the node of the directory lives, sk_9p_session_event() reports what others do in it.
	 */
	int (*look)(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		    bool want_dir, struct sk_9p_node **ret_node, struct p9_attr *ret_attr, uint32_t *ret_flags);
	/* May be NULL. The leases that a file just made in `dir` has. */
	uint32_t (*leases)(struct sk_9p_fs *fs, struct sk_9p_node *dir);
	/* The directory above; the root is its own. */
	int (*parent)(struct sk_9p_fs *fs, struct sk_9p_node *node, struct sk_9p_node **ret_node,
		      struct p9_qid *ret_qid);
	/* Under which name in which directory the node was found last (the directory: a new reference). For Tremove and
	 * Trename. */
	int (*place)(struct sk_9p_fs *fs, struct sk_9p_node *node, struct sk_9p_node **ret_dir,
		     char ret_name[P9_NAME_MAX + 1]);

	/* `file` (may be NULL) is an open instance of `node`: then the answer is about that one, also after an unlink.
	 * `mask` 0: mode, owner and device are not needed, and may be missing in ret_attr->valid. */
	int (*getattr)(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node,
		       struct sk_9p_file *file, uint64_t mask, struct p9_attr *ret_attr);
	int (*setattr)(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node,
		       struct sk_9p_file *file, const struct p9_setattr *attr);
	int (*statfs)(struct sk_9p_fs *fs, struct sk_9p_node *node, struct p9_statfs *ret_statfs);
	/* Bytes of the target, at most `cap`, without NUL. */
	int (*readlink)(struct sk_9p_fs *fs, struct sk_9p_node *node, char *buf, size_t cap);

	/* flags: P9_O_*; only regular files and directories can be opened (-P9_ENXIO otherwise). */
	int (*open)(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node, uint32_t flags,
		    struct sk_9p_file **ret_file, struct p9_qid *ret_qid);
	int (*create)(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		      uint32_t flags, uint32_t mode, struct sk_9p_node **ret_node, struct sk_9p_file **ret_file,
		      struct p9_qid *ret_qid);
	void (*close)(struct sk_9p_fs *fs, struct sk_9p_file *file);
	/* Bytes moved. `iov` may be used up. read: less than asked only at the end of the file. */
	int64_t (*read)(struct sk_9p_fs *fs, struct sk_9p_file *file, struct sk_iov *iov, unsigned n, uint64_t offset);
	/* offset SK_9P_APPEND: at the end of the file, wherever that is, in one step. */
	int64_t (*write)(struct sk_9p_fs *fs, struct sk_9p_file *file, struct sk_iov *iov, unsigned n, uint64_t offset);
	/* `file` may be NULL. */
	int (*fsync)(struct sk_9p_fs *fs, struct sk_9p_node *node, struct sk_9p_file *file, bool datasync);
	/* Entries behind `offset` (0: from the start), "." and ".." among them, until emit() refuses or the end.
	 * `exact`: their qids and types are what getattr would say; if not, they may be what the directory says, which
	 * differs for mount points. */
	int (*readdir)(struct sk_9p_fs *fs, struct sk_9p_node *node, struct sk_9p_file *file, uint64_t offset,
		       bool exact, sk_9p_emit emit, void *arg);

	int (*mkdir)(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		     uint32_t mode, struct p9_qid *ret_qid);
	/* `mode` with its type; any type but directory and link. */
	int (*mknod)(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		     uint32_t mode, uint32_t major, uint32_t minor, struct p9_qid *ret_qid);
	int (*symlink)(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		       const char *target, struct p9_qid *ret_qid);
	int (*link)(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node, struct sk_9p_node *dir,
		    const char *name);
	int (*unlink)(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		      bool rmdir);
	/* flags: P9_RENAME_*, of which all are known ones; -P9_EINVAL for what this file system cannot do. */
	int (*rename)(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *olddir,
		      const char *oldname, struct sk_9p_node *newdir, const char *newname, uint32_t flags);

	/* Of our extension; each may be NULL: -P9_EOPNOTSUPP. */

	/* A file without a name in `dir`, which link() may give one unless flags have P9_O_EXCL. */
	int (*tmpfile)(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, uint32_t flags,
		       uint32_t mode, struct sk_9p_node **ret_node, struct sk_9p_file **ret_file,
		       struct p9_qid *ret_qid);
	/* fallocate() of a file open for writing; mode: P9_FALLOC_*. offset and length are not negative, length not 0.
	 */
	int (*allocate)(struct sk_9p_fs *fs, struct sk_9p_file *file, uint32_t mode, uint64_t offset, uint64_t length);
	/* The next offset from `offset` of data or of a hole (P9_SEEK_*). -P9_ENXIO: none. P9_SEEK_SET: whether the file
	 * can have that size, -P9_EFBIG if not. */
	int64_t (*seek)(struct sk_9p_fs *fs, struct sk_9p_file *file, uint64_t offset, uint32_t whence);
	/* Copies at most `length` bytes between two open files, or, with `clone`, lets them share the range. Bytes
	 * copied; 0 is the end of `from`. A clone: 0. */
	int64_t (*copy)(struct sk_9p_fs *fs, struct sk_9p_file *from, uint64_t from_offset, struct sk_9p_file *to,
			uint64_t to_offset, uint64_t length, bool clone);
	/* May be NULL. From now on, events of a directory that is watched tell of opens, reads and closes, too. */
	int (*watch_opens)(struct sk_9p_fs *fs, struct sk_9p_node *dir);
	/* Flags of an inode; `file` may be NULL. valid: P9_FLAGS_*. */
	int (*getflags)(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node,
			struct sk_9p_file *file, struct p9_fileflags *ret_flags);
	int (*setflags)(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node,
			struct sk_9p_file *file, uint32_t valid, const struct p9_fileflags *flags);

	/*
	 * Unix sockets of the host; a back end has all of these functions or none. None of them waits: -P9_EAGAIN.
	 *   connect  to the socket that `node` is, as the caller, whose ids the other side sees; or opens the FIFO that
	 *            it is (P9_FIFO_*), as the caller
	 *   bind     a new socket, `name` in `dir`, as mknod makes it
	 * type: P9_SOCK_*.
	 */
	int (*connect)(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node, uint32_t type,
		       struct sk_9p_socket **ret_socket);
	int (*bind)(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		    uint32_t mode, uint32_t type, struct p9_qid *ret_qid, struct sk_9p_socket **ret_socket);
	int (*listen)(struct sk_9p_fs *fs, struct sk_9p_socket *socket, uint32_t backlog);
	/* `ret_cred`: whose it is, as clients know users. */
	int (*accept)(struct sk_9p_fs *fs, struct sk_9p_socket *socket, struct sk_9p_socket **ret_socket,
		      struct sk_9p_cred *ret_cred);
	/* Bytes moved; receive: 0 is the end. `iov` may be used up. The process ignores SIGPIPE. */
	int64_t (*receive)(struct sk_9p_fs *fs, struct sk_9p_socket *socket, struct sk_iov *iov, unsigned n);
	int64_t (*send)(struct sk_9p_fs *fs, struct sk_9p_socket *socket, struct sk_iov *iov, unsigned n);
	int (*shutdown)(struct sk_9p_fs *fs, struct sk_9p_socket *socket, uint32_t how);
	/* What the embedder watches (sk_9p_server_config.watch). */
	int (*socket_fd)(struct sk_9p_fs *fs, struct sk_9p_socket *socket);
	void (*socket_close)(struct sk_9p_fs *fs, struct sk_9p_socket *socket);

	/* Attributes. get and list: bytes, with cap 0 how many there would be. */
	int64_t (*xattr_get)(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node,
			     const char *name, void *buf, size_t cap);
	int64_t (*xattr_list)(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node, char *buf,
			      size_t cap);
	int (*xattr_set)(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node, const char *name,
			 const void *value, size_t len, uint32_t flags);
	int (*xattr_remove)(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node,
			    const char *name);

	/*
	 * Locks on the host: one hostlock holds what all clients of this server together hold on one file, of both
	 * kinds. Ranges are first..last, inclusive; UINT64_MAX is "to the end, however far".
	 */
	int (*lock_key)(struct sk_9p_fs *fs, struct sk_9p_file *file, struct sk_9p_key *ret_key);
	int (*lock_new)(struct sk_9p_fs *fs, struct sk_9p_node *node, struct sk_9p_file *file,
			struct sk_9p_hostlock **ret_lock);
	void (*lock_free)(struct sk_9p_fs *fs, struct sk_9p_hostlock *lock);
	/*
	 * Sets a range to P9_LOCK_*; FLOCK: always the whole file. Never waits: -P9_EAGAIN when somebody else has it.
	 * After a failure a RANGE is as it was; of FLOCK nothing may be held any more (flock(2) gives up the old lock
	 * first).
	 */
	int (*lock_set)(struct sk_9p_fs *fs, struct sk_9p_hostlock *lock, enum sk_9p_lock_kind kind, uint8_t type,
			uint64_t first, uint64_t last);
	/* RANGE: Would a lock of `*type` on the range conflict with somebody else's? Then describes that one, else
	 * *type = UNLCK. */
	int (*lock_test)(struct sk_9p_fs *fs, struct sk_9p_hostlock *lock, uint8_t *type, uint64_t *first,
			 uint64_t *last, uint32_t *ret_pid);
};

struct sk_9p_fs {
	const struct sk_9p_fs_ops *ops;
};

#endif
