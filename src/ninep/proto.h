/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_NINEP_PROTO_H
#define SK_NINEP_PROTO_H

#include <stdint.h>

#include "ninep/linux.h"

/*
 * 9P2000.L messages (Linux net/9p, diod protocol.md). On the wire: size[4] type[1] tag[2] fields; integers
 * little-endian, string = length[2] bytes without NUL, qid = type[1] version[4] path[8].
 */
#define P9_HEADER 7u
#define P9_NOTAG 0xffffu
#define P9_NOFID 0xffffffffu
#define P9_NONUNAME 0xffffffffu
#define P9_MAXWALK 16u
#define P9_QID_SIZE 13u
#define P9_RREAD_HEADER 11u  /* size type tag count */
#define P9_TWRITE_HEADER 23u /* size type tag fid offset count */
#define P9_RLERROR_SIZE 11u
#define P9_RREADLINK_MAX 8192u
#define P9_MSIZE_MIN 4096u
/* Largest message without file data that means anything: 16 names, or a name and a link target, or two paths. */
#define P9_REQUEST_MAX (12u * 1024u)
#define P9_REPLY_MAX (P9_HEADER + 2u + P9_RREADLINK_MAX)
#define P9_VERSION "9P2000.L"
/*
 * The extension that our guest kernel asks for (docs/mounts.md). All of 9P2000.L holds in such a session; besides,
 *   - attributes bear a generation (which tells a file from a former one with its number) and, as data_version, a
 *     number that grows with each reply of the session: of two answers about a file, the one with the larger number is
 *     the younger;
 *   - these messages exist, each of which does what otherwise takes two to six:
 *
 *   Tlook    fid newfid name            Rlook    flags attr         attributes of a name; newfid: if it is a directory
 *   Topenx   fid newfid flags name      Ropenx   flags iounit attr  newfid: the open file; name empty: the fid's own
 *   Tcreatex fid newfid name flags mode gid   Rcreatex flags iounit attr
 *   Twritex  fid offset data            Rwritex  count pre attr     pre: the file's version before; offset ~0: append
 *   Tsetattrx (as Tsetattr)             Rsetattrx pre attr
 *   Tnotify  count                      Rnotify  data               answered when something has happened
 *   Treaddirx fid offset flags count    Rreaddirx data              names, with attributes if P9_LIST_ATTRS
 *   Tallocate  fid mode offset length   Rallocate pre attr          fallocate(); mode: P9_FALLOC_*
 *   Tseek      fid whence offset        Rseek     offset            whence: P9_SEEK_DATA, P9_SEEK_HOLE;
 *                                                                   P9_SEEK_SET: EFBIG if no file can be so large
 *   Trenamex   olddir oldname newdir newname flags   Rrenamex       renameat2(); flags: P9_RENAME_*
 *   Ttmpfile   fid newfid flags mode gid   Rtmpfile flags iounit attr   O_TMPFILE in the directory fid
 *   Tcopy      from offset to offset length flags   Rcopy count pre attr   copy_file_range() between two open files, or
 *                                                                   with P9_COPY_CLONE FICLONERANGE; attributes of `to`
 *   Tgetflags  fid                      Rgetflags flags xflags extsize projid cowextsize   FS_IOC_GETFLAGS, FSGETXATTR
 *   Tsetflags  fid valid and the same   Rsetflags pre attr          valid: P9_FLAGS_*
 *   Twatch     fid                      Rwatch                      opens, reads and closes in a directory are events
 *   Tconnect   fid newfid type gid      Rconnect                    newfid: connected to the socket that fid is
 *   Tbind      fid newfid name mode gid type   Rbind qid            newfid: bound to a new socket in directory fid
 *   Tlisten    fid backlog              Rlisten                     of a bound one
 *   Taccept    fid newfid               Raccept uid gid             newfid: a connection; uid and gid: of its client
 *   Tshutdown  fid how                  Rshutdown                   how: P9_SHUT_*
 *
 * Sockets are the host's unix sockets; type: P9_SOCK_*. Tconnect with P9_FIFO_* opens one end of a FIFO instead, which
 * is a socket from then on; ENXIO: to write, and nobody reads. Reading it is EAGAIN until somebody writes. Tread,
 * Twrite and Taccept never wait: they answer EAGAIN, and an event P9_EVENT_SOCKET follows as soon as they can be done,
 * with the fid's number as dir and P9_READABLE, P9_WRITABLE as new_dir. Offsets mean nothing. Each Twrite to a
 * P9_SOCK_DGRAM is a datagram.
 *
 * A Tlock bears P9_LOCK_FLAG_FLOCK if the lock was asked for with flock(2): such locks and ranges are independent of
 * each other, as on Linux. Its range and proc_id mean nothing. In a Tgetlock, `type` is the lock that the client would
 * set.
 *
 * Entries in Rreaddirx: flags[4] offset[8] attr[153] name[s]; without P9_LOOK_EXISTS of attr only qid and the type in
 * mode mean something (of "." and "..", and where attributes were not asked for).
 *
 * Events in Rnotify: kind[1] is_dir[1] dir[8] new_dir[8] name[s] new_name[s]; directories by their qid.path. An event
 * without a name is about the directory itself.
 */
#define P9_VERSION_EXT "9P2000.L.sk1"

/* Flags of Rlook, Ropenx, Rcreatex. SETTLED is not in listings. */
#define P9_LOOK_EXISTS 1u     /* else the name does not exist, and attr says nothing */
#define P9_LOOK_NAME_LEASE 2u /* what the name means will not change without a notice */
#define P9_LOOK_ATTR_LEASE 4u /* the same for attributes and content */
#define P9_LOOK_NO_XATTR 8u   /* the file has no extended attributes */
#define P9_LOOK_FID 16u	      /* newfid was made */
#define P9_LOOK_LAST 32u      /* in a listing: the entry has no object */
#define P9_LOOK_ANY_CASE 64u  /* names in this directory that differ in case are one file: cache none of them */
#define P9_LOOK_SETTLED 128u  /* what others have done until now has been told of, by Rnotify before this reply */
#define P9_LOOK_LONG 256u     /* the leases are good for an hour, not for half a minute */
/* Of Treaddirx. */
#define P9_LIST_ATTRS 1u
#define P9_LIST_ALL 1u
/* Of Tcopy: all of the range becomes shared, or nothing is done. Length 0 is up to the end. */
#define P9_COPY_CLONE 1u
#define P9_COPY_ALL 1u
/* Of Tsetflags: which set is meant. */
#define P9_FLAGS_FLAGS 1u  /* FS_*_FL, as chattr has them */
#define P9_FLAGS_XFLAGS 2u /* FS_XFLAG_*, with extsize, projid, cowextsize */

enum p9_type {
	P9_TLERROR = 6, /* never sent */
	P9_RLERROR = 7,
	P9_TSTATFS = 8,
	P9_RSTATFS,
	P9_TLOPEN = 12,
	P9_RLOPEN,
	P9_TLCREATE = 14,
	P9_RLCREATE,
	P9_TSYMLINK = 16,
	P9_RSYMLINK,
	P9_TMKNOD = 18,
	P9_RMKNOD,
	P9_TRENAME = 20,
	P9_RRENAME,
	P9_TREADLINK = 22,
	P9_RREADLINK,
	P9_TGETATTR = 24,
	P9_RGETATTR,
	P9_TSETATTR = 26,
	P9_RSETATTR,
	P9_TXATTRWALK = 30,
	P9_RXATTRWALK,
	P9_TXATTRCREATE = 32,
	P9_RXATTRCREATE,
	P9_TREADDIR = 40,
	P9_RREADDIR,
	P9_TFSYNC = 50,
	P9_RFSYNC,
	P9_TLOCK = 52,
	P9_RLOCK,
	P9_TGETLOCK = 54,
	P9_RGETLOCK,
	P9_TLINK = 70,
	P9_RLINK,
	P9_TMKDIR = 72,
	P9_RMKDIR,
	P9_TRENAMEAT = 74,
	P9_RRENAMEAT,
	P9_TUNLINKAT = 76,
	P9_RUNLINKAT,
	/* Of Skerry's own extension (P9_VERSION_EXT): see below. */
	P9_TLOOK = 80,
	P9_RLOOK,
	P9_TOPENX = 82,
	P9_ROPENX,
	P9_TCREATEX = 84,
	P9_RCREATEX,
	P9_TWRITEX = 86,
	P9_RWRITEX,
	P9_TSETATTRX = 88,
	P9_RSETATTRX,
	P9_TNOTIFY = 90,
	P9_RNOTIFY,
	P9_TREADDIRX = 92,
	P9_RREADDIRX,
	P9_TVERSION = 100,
	P9_RVERSION,
	P9_TAUTH = 102,
	P9_RAUTH,
	P9_TATTACH = 104,
	P9_RATTACH,
	P9_TFLUSH = 108,
	P9_RFLUSH,
	P9_TWALK = 110,
	P9_RWALK,
	P9_TREAD = 116,
	P9_RREAD,
	P9_TWRITE = 118,
	P9_RWRITE,
	P9_TCLUNK = 120,
	P9_RCLUNK,
	P9_TREMOVE = 122,
	P9_RREMOVE,
	/* More of the extension. */
	P9_TALLOCATE = 132,
	P9_RALLOCATE,
	P9_TSEEK = 134,
	P9_RSEEK,
	P9_TRENAMEX = 136,
	P9_RRENAMEX,
	P9_TTMPFILE = 138,
	P9_RTMPFILE,
	P9_TCOPY = 140,
	P9_RCOPY,
	P9_TGETFLAGS = 142,
	P9_RGETFLAGS,
	P9_TSETFLAGS = 144,
	P9_RSETFLAGS,
	P9_TWATCH = 146,
	P9_RWATCH,
	P9_TCONNECT = 148,
	P9_RCONNECT,
	P9_TBIND = 150,
	P9_RBIND,
	P9_TLISTEN = 152,
	P9_RLISTEN,
	P9_TACCEPT = 154,
	P9_RACCEPT,
	P9_TSHUTDOWN = 156,
	P9_RSHUTDOWN,
	P9_TYPES,
};

#define P9_QTDIR 0x80u
#define P9_QTAUTH 0x08u
#define P9_QTSYMLINK 0x02u
#define P9_QTFILE 0x00u

/* Tgetattr, Rgetattr */
#define P9_GETATTR_MODE 0x1u
#define P9_GETATTR_UID 0x4u
#define P9_GETATTR_GID 0x8u
#define P9_GETATTR_RDEV 0x10u
#define P9_GETATTR_BASIC 0x7ffu
#define P9_GETATTR_BTIME 0x800u
/* Tsetattr */
#define P9_SETATTR_MODE 0x1u
#define P9_SETATTR_UID 0x2u
#define P9_SETATTR_GID 0x4u
#define P9_SETATTR_SIZE 0x8u
#define P9_SETATTR_ATIME 0x10u
#define P9_SETATTR_MTIME 0x20u
#define P9_SETATTR_CTIME 0x40u
#define P9_SETATTR_ATIME_SET 0x80u
#define P9_SETATTR_MTIME_SET 0x100u
#define P9_SETATTR_ALL 0x1ffu

#define P9_LOCK_RDLCK 0u
#define P9_LOCK_WRLCK 1u
#define P9_LOCK_UNLCK 2u
#define P9_LOCK_FLAG_BLOCK 1u
#define P9_LOCK_FLAG_RECLAIM 2u
#define P9_LOCK_FLAG_FLOCK 0x100u  /* extension: taken with flock(2), by the open file behind the fid */
#define P9_XATTR_FLAG_EMPTY 0x100u /* extension: set to an empty value, where 0 bytes and P9_XATTR_REPLACE remove */
#define P9_LOCK_SUCCESS 0u
#define P9_LOCK_BLOCKED 1u
#define P9_LOCK_ERROR 2u
#define P9_LOCK_GRACE 3u

enum p9_event {
	P9_EVENT_CREATE = 1,
	P9_EVENT_DELETE,
	P9_EVENT_MODIFY,
	P9_EVENT_ATTRIB,
	P9_EVENT_RENAME, /* from name in dir to new_name in new_dir */
	P9_EVENT_LOST,	 /* some were lost: anything may have changed */
	P9_EVENT_CLOSE_WRITE,
	P9_EVENT_OPEN, /* this and the next: only after a Twatch */
	P9_EVENT_ACCESS,
	P9_EVENT_CLOSE_NOWRITE,
	P9_EVENT_SOCKET,
};
/* Of P9_EVENT_SOCKET. */
#define P9_READABLE 1u
#define P9_WRITABLE 2u
/* Tconnect, Tbind */
#define P9_SOCK_STREAM 1u
#define P9_SOCK_DGRAM 2u
#define P9_SOCK_SEQPACKET 5u
/* Tconnect */
#define P9_FIFO_READ 0x100u
#define P9_FIFO_WRITE 0x101u
/* Tshutdown */
#define P9_SHUT_RD 0u
#define P9_SHUT_WR 1u
#define P9_SHUT_RDWR 2u
#define P9_EVENT_MIN 22u /* bytes of an event without names */

struct p9_str {
	const char *p; /* not terminated; any bytes */
	uint16_t len;
};

struct p9_qid {
	uint8_t type;
	uint32_t version;
	uint64_t path;
};

/* Counted bytes at the end of a message. `p` NULL: they are elsewhere (decode: behind what was given; encode: the
 * caller adds them). */
struct p9_data {
	const uint8_t *p;
	uint32_t count;
};

struct p9_time {
	uint64_t sec, nsec;
};

struct p9_attr {
	uint64_t valid;
	struct p9_qid qid;
	uint32_t mode, uid, gid;
	uint64_t nlink, rdev, size, blksize, blocks;
	struct p9_time atime, mtime, ctime, btime;
	uint64_t gen, data_version;
	uint32_t dev; /* the extension: number of the file's file system, in the upper half of gen */
};

struct p9_setattr {
	uint32_t fid, valid, mode, uid, gid;
	uint64_t size;
	struct p9_time atime, mtime;
};

struct p9_fileflags {
	uint32_t flags, xflags, extsize, projid, cowextsize;
};

struct p9_statfs {
	uint32_t type, bsize;
	uint64_t blocks, bfree, bavail, files, ffree, fsid;
	uint32_t namelen;
};

struct p9_msg {
	uint8_t type;
	uint16_t tag;
	union {
		struct {
			uint32_t msize;
			struct p9_str version;
		} version; /* T and R */
		struct {
			uint32_t fid, afid; /* Tauth: afid only */
			struct p9_str uname, aname;
			uint32_t n_uname;
		} attach;	   /* Tauth, Tattach */
		struct p9_qid qid; /* Rauth Rattach Rsymlink Rmknod Rmkdir Rbind */
		uint16_t oldtag;   /* Tflush */
		struct {
			uint32_t fid, newfid;
			uint16_t n;
			struct p9_str names[P9_MAXWALK];
		} walk;
		struct {
			uint16_t n;
			struct p9_qid qids[P9_MAXWALK];
		} rwalk;
		struct {
			uint32_t fid;
			uint64_t offset;
			uint32_t count;
			uint32_t flags; /* Treaddirx only */
		} read;			/* Tread, Treaddir, Treaddirx */
		struct {
			uint32_t fid;
			uint64_t offset;
			struct p9_data data;
		} write;
		struct p9_data data; /* Rread, Rreaddir, Rreaddirx, Rnotify */
		uint32_t count;	     /* Rwrite */
		uint32_t fid;	     /* Tclunk Tremove Tstatfs Treadlink */
		struct p9_statfs statfs;
		struct {
			uint32_t fid, flags;
		} lopen;
		struct {
			struct p9_qid qid;
			uint32_t iounit;
		} ropen; /* Rlopen, Rlcreate */
		struct {
			uint32_t fid;
			struct p9_str name;
			uint32_t flags, mode, gid;
		} lcreate;
		struct {
			uint32_t fid;
			struct p9_str name, target;
			uint32_t gid;
		} symlink;
		struct {
			uint32_t fid;
			struct p9_str name;
			uint32_t mode, major, minor, gid;
		} mknod;
		struct {
			uint32_t fid;
			struct p9_str name;
			uint32_t mode, gid;
		} mkdir;
		struct {
			uint32_t fid, dfid;
			struct p9_str name;
		} rename; /* Trename, and Tlink (dfid first on the wire) */
		struct {
			uint32_t oldfid;
			struct p9_str oldname;
			uint32_t newfid;
			struct p9_str newname;
			uint32_t flags; /* Trenamex only */
		} renameat;
		struct {
			uint32_t fid;
			struct p9_str name;
			uint32_t flags;
		} unlinkat;
		struct p9_str target; /* Rreadlink */
		struct {
			uint32_t fid;
			uint64_t mask;
		} getattr;
		struct p9_attr attr; /* Rgetattr */
		struct {
			uint32_t fid, newfid;
			struct p9_str name;
			uint32_t flags, mode, gid;
		} look; /* Tlook Topenx Tcreatex Ttmpfile */
		struct {
			uint32_t flags, iounit, count, pre;
			struct p9_attr attr;
		} found; /* Rlook Ropenx Rcreatex Rwritex Rsetattrx Rallocate Rtmpfile Rcopy Rsetflags */
		struct {
			uint32_t fid, mode;
			uint64_t offset, length;
		} allocate;
		struct {
			uint32_t fid, whence;
			uint64_t offset;
		} seek; /* Tseek; Rseek: offset only */
		struct {
			uint32_t from, to, flags;
			uint64_t from_offset, to_offset, length;
		} copy;
		struct {
			uint32_t fid, valid;
			struct p9_fileflags f;
		} flags; /* Tgetflags, Rgetflags, Tsetflags */
		struct {
			uint32_t fid, newfid, type, uid, gid; /* Raccept: uid, gid */
			struct p9_str name;		      /* Tbind only */
			uint32_t mode;			      /* Tbind only */
			uint32_t backlog, how;
		} socket; /* Tconnect Tbind Tlisten Taccept Raccept Tshutdown */
		struct p9_setattr setattr;
		struct {
			uint32_t fid, newfid;
			struct p9_str name;
		} xattrwalk;
		uint64_t size; /* Rxattrwalk */
		struct {
			uint32_t fid;
			struct p9_str name;
			uint64_t size;
			uint32_t flags;
		} xattrcreate;
		struct {
			uint32_t fid, datasync;
		} fsync;
		struct {
			uint32_t fid; /* not in Rgetlock */
			uint8_t type;
			uint32_t flags; /* Tlock only */
			uint64_t start, length;
			uint32_t proc_id;
			struct p9_str client_id;
		} lock;		/* Tlock, Tgetlock, Rgetlock */
		uint8_t status; /* Rlock */
		uint32_t ecode; /* Rlerror */
	} u;
};

#endif
