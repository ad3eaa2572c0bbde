/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * A fanotify group with a mark on each watched directory (an inode mark, as an unprivileged group may have). The kernel
 * wants a group of its own for each file system without an fsid (FUSE, from Linux 6.8 on) and for each subvolume of
 * Btrfs, and refuses to mix them with others (-EXDEV): groups are made as they are needed, WATCH_GROUPS at most. Events
 * name the directory by its file handle and the entry by name, and a rename comes as one event with both names
 * (FAN_RENAME). Of one of which only one side is watched, the other is not known: no directory, no name.
 *
 * Echoes: the kernel tells an unprivileged group the process of an event only if it is the reader's own. All that the
 * guest does on the share is done by this process, so what bears its pid is an echo and is left out, exactly and
 * without any timing. This takes the watcher to live in the process that serves the guest.
 *
 * Bursts: the first event is told at once. What comes in the next millisecond is collected, and for twice as long each
 * time, up to WATCH_DELAY_MS, as long as more comes; the kernel joins equal ones that wait, and in one batch each entry
 * is reported as modified, its attributes as changed, or as closed after writing once. Order is kept otherwise.
 *
 * Settled (sk_watch_settled()): the kernel queues an event before the system call that brought it about returns. So
 * when the queue is empty, whatever others did before is reported. Echoes wait in the queue like other events: they are
 * taken out then.
 *
 * Bounds: WATCH_MAX directories; the kernel's queue, beyond which events are lost and one SK_WATCH_OVERFLOW says so.
 */
#include "export/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"

#ifndef FAN_RENAME
#define FAN_RENAME 0x10000000
#endif
#ifndef FAN_EVENT_INFO_TYPE_OLD_DFID_NAME
#define FAN_EVENT_INFO_TYPE_OLD_DFID_NAME 10
#define FAN_EVENT_INFO_TYPE_NEW_DFID_NAME 12
#endif

#define WATCH_MAX 8192u
#define WATCH_BUCKETS 256u
#define WATCH_DELAY_MS 4u
#define WATCH_BUSY_MS 50u /* after something that others did: leave what follows to be joined */
#define WATCH_SEEN 64u
#define WATCH_FILES 64u
#define WATCH_GROUPS 8u
#define WATCH_FILE_MASK (FAN_MODIFY | FAN_ATTRIB | FAN_CLOSE_WRITE)
#define WATCH_MASK (FAN_CREATE | FAN_DELETE | FAN_RENAME | WATCH_FILE_MASK | FAN_EVENT_ON_CHILD | FAN_ONDIR)
#define WATCH_OPENS (FAN_OPEN | FAN_ACCESS | FAN_CLOSE_NOWRITE)
/* Old kernels lack the flag of the handle's last argument; ours is small enough. */
#define HANDLE_MAX 128u
#ifndef AT_HANDLE_FID
#define AT_HANDLE_FID 0x200 /* Linux 6.5 */
#endif

struct watched_directory {
	struct watched_directory *next;
	uint64_t id;
	unsigned group;
	unsigned len;			 /* of key */
	uint8_t key[8 + 4 + HANDLE_MAX]; /* fsid, handle type, handle */
};

struct seen {
	uint64_t dir;
	char name[256];
	enum sk_watch_kind kind;
};

struct watch_group {
	int fd;
	struct sk_source *source;
};

struct sk_watch {
	struct sk_loop *loop;
	unsigned delay_ms;
	struct watch_group groups[WATCH_GROUPS];
	unsigned n_groups;
	struct sk_source *timer;
	sk_watch_cb cb;
	void *arg;
	pid_t self;
	unsigned n;
	struct watched_directory *buckets[WATCH_BUCKETS];
	struct seen seen[WATCH_SEEN];
	unsigned n_seen;
	/* Single files. An event of one carries its directory, which is not known here: all of them are notified. */
	struct {
		uint64_t id;
		unsigned group;
	} files[WATCH_FILES];
	unsigned n_files;
	uint64_t files_mask; /* what happened to them in this batch */
	uint64_t heard_ms;   /* when something that others did was last read, sk_now_ms() */
};

static struct watched_directory **bucket(struct sk_watch *w, const uint8_t *key, unsigned len)
{
	uint32_t h = 2166136261u;
	unsigned i;

	for (i = 0; i < len; i++)
		h = (h ^ key[i]) * 16777619u;
	return &w->buckets[h % WATCH_BUCKETS];
}

static struct watched_directory *find(struct sk_watch *w, const uint8_t *key, unsigned len)
{
	struct watched_directory *f;

	for (f = *bucket(w, key, len); f; f = f->next)
		if (f->len == len && memcmp(f->key, key, len) == 0)
			return f;
	return NULL;
}

/* fsid, type and bytes of a handle as one key. 0: too long. */
static unsigned make_key(uint8_t key[8 + 4 + HANDLE_MAX], const void *fsid, const struct file_handle *h)
{
	if (h->handle_bytes > HANDLE_MAX)
		return 0;
	memcpy(key, fsid, 8);
	memcpy(key + 8, &h->handle_type, 4);
	memcpy(key + 12, h->f_handle, h->handle_bytes);
	return 12 + h->handle_bytes;
}

/* --- events */

struct watch_side {
	const struct watched_directory *directory; /* NULL: not watched */
	const char *name;
};

/* Directory and name of an info record of `len` bytes. */
static struct watch_side parse_side(struct sk_watch *w, const struct fanotify_event_info_fid *info, size_t len)
{
	const struct file_handle *h = (const struct file_handle *)(const void *)info->handle;
	size_t fixed = sizeof(*info) + sizeof(*h);
	uint8_t key[8 + 4 + HANDLE_MAX];
	struct watch_side s = { NULL, NULL };
	unsigned n;

	if (len < fixed || h->handle_bytes > len - fixed)
		return s;
	n = make_key(key, &info->fsid, h);
	if (!n)
		return s;
	s.name = (const char *)h->f_handle + h->handle_bytes;
	if (!memchr(s.name, 0, len - fixed - h->handle_bytes))
		return s;
	s.directory = find(w, key, n);
	return s;
}

/* And not about its name. In this order what the kernel joined to one event makes sense. */
static const struct {
	uint64_t mask;
	enum sk_watch_kind kind;
} file_kinds[] = {
	{ FAN_OPEN, SK_WATCH_OPEN },
	{ FAN_ACCESS, SK_WATCH_ACCESS },
	{ FAN_MODIFY, SK_WATCH_MODIFY },
	{ FAN_ATTRIB, SK_WATCH_ATTRIB },
	{ FAN_CLOSE_WRITE, SK_WATCH_CLOSE_WRITE },
	{ FAN_CLOSE_NOWRITE, SK_WATCH_CLOSE_NOWRITE },
};

static bool is_about_file(enum sk_watch_kind kind)
{
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(file_kinds); i++)
		if (file_kinds[i].kind == kind)
			return true;
	return false;
}

static void deliver(struct sk_watch *w, enum sk_watch_kind kind, bool is_dir, const struct watch_side *at,
		    const struct watch_side *to)
{
	struct sk_watch_event e = { .kind = kind, .is_dir = is_dir, .name = "", .new_name = "" };
	unsigned i;

	if (at->directory) {
		e.dir = at->directory->id;
		e.name = at->name;
	}

	/* "." is the directory itself: the kernel reports it under that name, also to watchers of its parent. */
	if (strcmp(e.name, ".") == 0) {
		if (kind != SK_WATCH_ATTRIB && kind < SK_WATCH_OPEN)
			return;
		e.name = "";
	}
	if (is_about_file(kind)) {
		struct seen *s;

		for (i = 0; i < w->n_seen; i++)
			if (w->seen[i].dir == e.dir && w->seen[i].kind == kind && strcmp(w->seen[i].name, e.name) == 0)
				return;
		if (w->n_seen < WATCH_SEEN) {
			s = &w->seen[w->n_seen++];
			s->dir = e.dir;
			s->kind = kind;
			snprintf(s->name, sizeof(s->name), "%s", e.name);
		}
	} else {
		/* The name refers to another file from here on. */
		w->n_seen = 0;
	}
	if (to && to->directory) {
		e.new_dir = to->directory->id;
		e.new_name = to->name;
	}
	w->cb(w->arg, &e);
}

/* The name behind the head of an event lies between p and end. */
static void on_event(struct sk_watch *w, const struct fanotify_event_metadata *m, const uint8_t *p, const uint8_t *end)
{
	struct watch_side at = { NULL, NULL }, from = at, to = at;
	bool is_dir = m->mask & FAN_ONDIR;
	size_t i;

	if (m->pid != w->self)
		w->heard_ms = sk_now_ms();
	if (m->mask & FAN_Q_OVERFLOW) {
		struct sk_watch_event e = { .kind = SK_WATCH_OVERFLOW };

		w->cb(w->arg, &e);
		return;
	}
	if (m->pid == w->self)
		return;
	while ((size_t)(end - p) >= sizeof(struct fanotify_event_info_header)) {
		const struct fanotify_event_info_fid *info = (const struct fanotify_event_info_fid *)(const void *)p;
		size_t len = info->hdr.len;

		if (len < sizeof(info->hdr) || len > (size_t)(end - p))
			break;
		if (info->hdr.info_type == FAN_EVENT_INFO_TYPE_DFID_NAME)
			at = parse_side(w, info, len);
		else if (info->hdr.info_type == FAN_EVENT_INFO_TYPE_OLD_DFID_NAME)
			from = parse_side(w, info, len);
		else if (info->hdr.info_type == FAN_EVENT_INFO_TYPE_NEW_DFID_NAME)
			to = parse_side(w, info, len);
		p += len;
	}
	if (!at.directory && !from.directory && !to.directory) {
		w->files_mask |= m->mask & (WATCH_FILE_MASK | WATCH_OPENS);
		return;
	}
	if (at.directory && (m->mask & FAN_CREATE))
		deliver(w, SK_WATCH_CREATE, is_dir, &at, NULL);
	for (i = 0; i < SK_ARRAY_SIZE(file_kinds); i++)
		if (at.directory && (m->mask & file_kinds[i].mask))
			deliver(w, file_kinds[i].kind, is_dir, &at, NULL);
	if (at.directory && (m->mask & FAN_DELETE))
		deliver(w, SK_WATCH_DELETE, is_dir, &at, NULL);
	if (!(m->mask & FAN_RENAME))
		return;
	if (from.directory || to.directory)
		deliver(w, SK_WATCH_RENAME, is_dir, &from, &to);
}

static void tell_files(struct sk_watch *w)
{
	unsigned i, k;

	for (i = 0; i < w->n_files; i++) {
		for (k = 0; k < SK_ARRAY_SIZE(file_kinds); k++) {
			struct sk_watch_event e = { .kind = file_kinds[k].kind, .dir = w->files[i].id };

			if (w->files_mask & file_kinds[k].mask)
				w->cb(w->arg, &e);
		}
	}
	w->files_mask = 0;
}

/* Reads what is pending in a group. */
static bool take_group(struct sk_watch *w, int fd)
{
	_Alignas(struct fanotify_event_metadata) uint8_t buf[16384];
	struct fanotify_event_metadata m;
	bool any = false;
	unsigned rounds;

	for (rounds = 0; rounds < 64; rounds++) {
		ssize_t n = read(fd, buf, sizeof(buf));
		const uint8_t *p = buf;

		if (n <= 0)
			break;
		any = true;
		/* The length of an event with a name need not be a multiple of 8. */
		for (; (size_t)(buf + n - p) >= sizeof(m); p += m.event_len) {
			memcpy(&m, p, sizeof(m));
			if (m.metadata_len < sizeof(m) || m.event_len < m.metadata_len ||
			    m.event_len > (size_t)(buf + n - p))
				break;
			on_event(w, &m, p + m.metadata_len, p + m.event_len);
		}
	}
	return any;
}

/* Reads all pending events. */
static bool take_events(struct sk_watch *w)
{
	struct sk_watch_event done = { .kind = SK_WATCH_DONE };
	bool any = false;
	unsigned i;

	w->n_seen = 0;
	for (i = 0; i < w->n_groups; i++)
		any = take_group(w, w->groups[i].fd) || any;
	tell_files(w);
	if (any)
		w->cb(w->arg, &done);
	return any;
}

static void listen_to(struct sk_watch *w, unsigned events)
{
	unsigned i;

	for (i = 0; i < w->n_groups; i++)
		sk_loop_set_events(w->groups[i].source, events);
}

/* The delay is over. */
static void on_timer(void *arg)
{
	struct sk_watch *w = arg;

	if (!take_events(w)) {
		listen_to(w, SK_LOOP_READ);
		return;
	}
	w->delay_ms = w->delay_ms * 2 < WATCH_DELAY_MS ? w->delay_ms * 2 : WATCH_DELAY_MS;
	sk_loop_set_timer(w->timer, w->delay_ms);
}

static void on_readable(void *arg, int fd, unsigned events)
{
	struct sk_watch *w = arg;

	(void)fd;
	(void)events;
	take_events(w);
	w->delay_ms = 1;
	listen_to(w, 0);
	sk_loop_set_timer(w->timer, w->delay_ms);
}

static bool pending(const struct sk_watch *w)
{
	struct pollfd p[WATCH_GROUPS];
	unsigned i;

	for (i = 0; i < w->n_groups; i++)
		p[i] = (struct pollfd){ .fd = w->groups[i].fd, .events = POLLIN };
	return poll(p, w->n_groups, 0) != 0;
}

/* --- the interface */

bool sk_watch_settled(struct sk_watch *w)
{
	if (!pending(w))
		return true;
	if (sk_now_ms() - w->heard_ms < WATCH_BUSY_MS)
		return false;
	take_events(w);
	return !pending(w);
}

static int add_group(struct sk_watch *w)
{
	struct watch_group *g = &w->groups[w->n_groups];

	if (w->n_groups == WATCH_GROUPS)
		return -EXDEV;
	g->fd = fanotify_init(SK_WATCH_INIT_FLAGS, O_RDONLY | O_CLOEXEC);
	if (g->fd < 0)
		return -errno;
	g->source = sk_loop_add_fd(w->loop, g->fd, SK_LOOP_READ, on_readable, w);
	if (!g->source) {
		sk_close_fd(&g->fd);
		return -ENOMEM;
	}
	w->n_groups++;
	return 0;
}

int sk_watch_new(struct sk_loop *loop, sk_watch_cb cb, void *arg, struct sk_watch **ret_watch)
{
	struct sk_watch *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->loop = loop;
	w->cb = cb;
	w->arg = arg;
	w->self = getpid();
	r = add_group(w);
	if (r == 0) {
		w->timer = sk_loop_add_timer(loop, UINT64_MAX, on_timer, w);
		r = w->timer ? 0 : -ENOMEM;
	}
	if (r < 0) {
		sk_watch_free(w);
		return r;
	}
	*ret_watch = w;
	return 0;
}

void sk_watch_free(struct sk_watch *w)
{
	unsigned i;

	if (!w)
		return;
	for (i = 0; i < WATCH_BUCKETS; i++) {
		while (w->buckets[i]) {
			struct watched_directory *f = w->buckets[i];

			w->buckets[i] = f->next;
			free(f);
		}
	}
	for (i = 0; i < w->n_groups; i++) {
		sk_loop_remove(w->groups[i].source);
		sk_close_fd(&w->groups[i].fd);
	}
	sk_loop_remove(w->timer);
	free(w);
}

/* The handle that events have of a directory. AT_HANDLE_FID asks for a handle that names a file and opens none: overlayfs has
 * no other unless it is exported. Kernels before 6.5 do not know the flag. */
static int handle_of(int fd, struct file_handle *h)
{
	int mount_id;

	if (name_to_handle_at(fd, "", h, &mount_id, AT_EMPTY_PATH | AT_HANDLE_FID) == 0)
		return 0;
	if (errno != EINVAL)
		return -errno;
	return name_to_handle_at(fd, "", h, &mount_id, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

/* The key of a directory in events. */
static int key_of(int fd, uint8_t key[8 + 4 + HANDLE_MAX], unsigned *ret_len)
{
	struct {
		struct file_handle h;
		uint8_t bytes[HANDLE_MAX];
	} handle = { .h = { .handle_bytes = HANDLE_MAX } };
	struct statfs_fsid {
		uint8_t bytes[8];
	} fsid;
	struct statfs st;
	int r = handle_of(fd, &handle.h);

	if (r < 0)
		return r;
	if (fstatfs(fd, &st) < 0)
		return -errno;
	memcpy(&fsid, &st.f_fsid, sizeof(fsid));
	*ret_len = make_key(key, &fsid, &handle.h);
	return *ret_len ? 0 : -EOPNOTSUPP;
}

static int mark(const struct sk_watch *w, unsigned group, unsigned flags, uint64_t mask, int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return fanotify_mark(w->groups[group].fd, flags, mask, AT_FDCWD, path) < 0 ? -errno : 0;
}

/* Marks it in the first group that takes it: one of its own file system, or a new one. */
static int mark_new(struct sk_watch *w, unsigned flags, uint64_t mask, int fd, unsigned *ret_group)
{
	int r = -EXDEV;
	unsigned i;

	for (i = 0; r == -EXDEV; i++) {
		if (i == w->n_groups) {
			r = add_group(w);
			if (r < 0)
				return r;
		}
		*ret_group = i;
		r = mark(w, i, FAN_MARK_ADD | flags, mask, fd);
	}
	return r;
}

int sk_watch_add(struct sk_watch *w, int fd, uint64_t id)
{
	struct watched_directory *f, **to;
	int r;

	if (w->n >= WATCH_MAX)
		return -ENOSPC;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	r = key_of(fd, f->key, &f->len);
	if (r == 0 && find(w, f->key, f->len))
		r = -EEXIST;
	if (r == 0)
		r = mark_new(w, FAN_MARK_ONLYDIR, WATCH_MASK, fd, &f->group);
	if (r < 0) {
		free(f);
		return r;
	}
	f->id = id;
	to = bucket(w, f->key, f->len);
	f->next = *to;
	*to = f;
	w->n++;
	return 0;
}

void sk_watch_remove(struct sk_watch *w, int fd, uint64_t id)
{
	unsigned i;

	for (i = 0; i < WATCH_BUCKETS; i++) {
		struct watched_directory **at;

		for (at = &w->buckets[i]; *at; at = &(*at)->next) {
			struct watched_directory *f = *at;

			if (f->id != id)
				continue;
			/* The directory may be gone; then so is its mark. */
			(void)mark(w, f->group, FAN_MARK_REMOVE, WATCH_MASK | WATCH_OPENS, fd);
			*at = f->next;
			free(f);
			w->n--;
			return;
		}
	}
}

int sk_watch_opens(struct sk_watch *w, int fd, uint64_t id)
{
	const struct watched_directory *f;
	unsigned i;

	for (i = 0; i < WATCH_BUCKETS; i++)
		for (f = w->buckets[i]; f; f = f->next)
			if (f->id == id)
				return mark(w, f->group, FAN_MARK_ADD, WATCH_OPENS | FAN_EVENT_ON_CHILD | FAN_ONDIR,
					    fd);
	return -ENOENT;
}

int sk_watch_opens_file(struct sk_watch *w, int fd, uint64_t id)
{
	unsigned i;

	for (i = 0; i < w->n_files; i++)
		if (w->files[i].id == id)
			return mark(w, w->files[i].group, FAN_MARK_ADD, WATCH_OPENS, fd);
	return -ENOENT;
}

int sk_watch_add_file(struct sk_watch *w, int fd, uint64_t id)
{
	int r;

	if (w->n_files == WATCH_FILES)
		return -ENOSPC;
	r = mark_new(w, 0, WATCH_FILE_MASK, fd, &w->files[w->n_files].group);
	if (r == 0)
		w->files[w->n_files++].id = id;
	return r;
}

void sk_watch_remove_file(struct sk_watch *w, int fd, uint64_t id)
{
	unsigned i;

	for (i = 0; i < w->n_files; i++) {
		if (w->files[i].id != id)
			continue;
		(void)mark(w, w->files[i].group, FAN_MARK_REMOVE, WATCH_FILE_MASK | WATCH_OPENS, fd);
		w->files[i--] = w->files[--w->n_files];
	}
}
