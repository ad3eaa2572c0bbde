/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_EXPORT_WATCH_H
#define SK_EXPORT_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"

/*
 * Reports what others on the host do in watched directories, for guests whose programs watch them with inotify. See
 * watch.c.
 */
enum sk_watch_kind {
	SK_WATCH_CREATE,
	SK_WATCH_DELETE,
	SK_WATCH_MODIFY,
	SK_WATCH_ATTRIB, /* `name` empty: of `dir` itself */
	SK_WATCH_CLOSE_WRITE,
	SK_WATCH_OPEN, /* this and the next two: after sk_watch_opens() */
	SK_WATCH_ACCESS,
	SK_WATCH_CLOSE_NOWRITE,
	SK_WATCH_RENAME,   /* from `name` in `dir` to `new_name` in `new_dir`; a side that is not watched is 0 and "" */
	SK_WATCH_OVERFLOW, /* events were lost: whatever is watched may have changed. No names */
	SK_WATCH_DONE,	   /* that was all for now. No names */
};

struct sk_watch_event {
	enum sk_watch_kind kind;
	bool is_dir;
	uint64_t dir; /* as given to sk_watch_add() */
	const char *name;
	uint64_t new_dir;
	const char *new_name;
};

struct sk_watch;
typedef void (*sk_watch_cb)(void *arg, const struct sk_watch_event *event);

/* What the groups are made with: the flags of fanotify_init(2), which a filter of system calls has to allow later, too. */
#define SK_WATCH_INIT_FLAGS (FAN_CLASS_NOTIF | FAN_REPORT_DFID_NAME | FAN_CLOEXEC | FAN_NONBLOCK)

/* Needs no privileges. -ENOSYS, -EPERM, -EINVAL: a kernel without it (before 5.17). -EMFILE, -ENOMEM. */
int sk_watch_new(struct sk_loop *loop, sk_watch_cb cb, void *arg, struct sk_watch **ret_watch);
void sk_watch_free(struct sk_watch *watch);
/* Watches the directory behind `fd` (O_PATH will do; borrowed) and calls it `id`. -EOPNOTSUPP, -ENODEV, -EXDEV: not on this
 * file system; -ENOSPC: too many watches; -EEXIST: it is watched already. */
int sk_watch_add(struct sk_watch *watch, int fd, uint64_t id);
void sk_watch_remove(struct sk_watch *watch, int fd, uint64_t id);
/*
 * Whether all that others have done in what is watched has been reported. Reports it now if it has not, unless others are
 * busy there: then it comes when the delay is over, joined, and this is false meanwhile.
 */
bool sk_watch_settled(struct sk_watch *watch);
/* Also reports opens, reads and closes in the watched directory (`fd`) that is called `id`, or of the single file.
 * Negative errno; -ENOENT: it is not watched. */
int sk_watch_opens(struct sk_watch *w, int fd, uint64_t id);
int sk_watch_opens_file(struct sk_watch *w, int fd, uint64_t id);
/* The same for a single file, whose directory is not watched: only SK_WATCH_MODIFY, _ATTRIB and _CLOSE_WRITE come,
 * with `id` as their directory and without a name; possibly also when another such file has changed. -ENOSPC: too
 * many. */
int sk_watch_add_file(struct sk_watch *watch, int fd, uint64_t id);
void sk_watch_remove_file(struct sk_watch *watch, int fd, uint64_t id);

#endif
