/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_EXPORT_PROBE_H
#define SK_EXPORT_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "export/export.h"

/*
 * What the file system below a directory really does. Its name tells nothing (FUSE), and many accept a change that they
 * do not keep, so each answer is read back from a file that is made for it.
 */
enum sk_probe_answer {
	SK_PROBE_UNKNOWN, /* could not be tried */
	SK_PROBE_NO,
	SK_PROBE_YES,
};

/* What metadata of a mapped share the directory itself has: somebody has shared it so before. */
enum {
	SK_PROBE_MARK_XATTR = 1u,
	SK_PROBE_MARK_EA = 2u,
	SK_PROBE_MARK_SIDECAR = 4u,
};

struct sk_probe {
	bool root; /* asked with root's rights: what chown says about others */
	enum sk_probe_answer writable, chown, chmod, xattr, ea;
	/* Not known where there are nameless files, but with SK_PROBE_ALL. */
	enum sk_probe_answer case_matters; /* "a" and "A" are two files */
	enum sk_probe_answer rename_over;  /* a file that is open can be replaced */
	enum sk_probe_answer remove_open;  /* a file that is open can be removed */
	enum sk_probe_answer unlink_open;  /* and its directory then */
	unsigned marks;

	/* The rest only with SK_PROBE_ALL. */
	enum sk_probe_answer symlink, fifo, socket, device, hard_link;
	enum sk_probe_answer wsl;      /* special files are reparse points of WSL's */
	enum sk_probe_answer any_name; /* names with : and ? */
	enum sk_probe_answer fallocate, punch, tmpfile;
	enum sk_probe_answer flock, mmap;
	uint64_t time_ns; /* granularity of mtime: 1, 100, 10^9, 2*10^9; 0: unknown */
};

enum sk_probe_depth {
	SK_PROBE_LOOK,	/* nothing is written */
	SK_PROBE_OWNER, /* owner, mode, attributes, by a file without a name, or that has its name for a moment */
	SK_PROBE_ALL,	/* in a directory that is made, and removed again */
};

/*
 * `fd`: of a directory or file, may be O_PATH. Of a file, and of a directory that cannot be written, what needs a new
 * file is UNKNOWN. Bounded: some dozens of system calls. 0 or negative errno: it could not even be looked at.
 */
int sk_probe_run(int fd, enum sk_probe_depth depth, struct sk_probe *ret);

/* How such a directory is to be shared by default: for root as it is where owner and mode stay, else mapped. */
void sk_probe_choose(const struct sk_probe *probe, enum sk_export_who *ret_who, enum sk_export_keep *ret_keep);

#endif
