/* SPDX-License-Identifier: Apache-2.0 */
/* Leases: directories that a client has walked to are watched as long as their nodes live. See watch.c. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "export/posix_internal.h"
#include "export/watch.h"
#include "ninep/server.h"

void posix_watch(struct posix_fs *p, struct sk_9p_node *node)
{
	int fd;

	if (!p->watch || node->watched || node->type != S_IFDIR || posix_several(p, node) ||
	    p->pool->watched >= p->pool->max_nodes / 2)
		return;
	/* Of a single file's export, the file is watched, not the directory above it. */
	fd = posix_fd(p, node->is_virtual ? p->single : node);
	/* No watch is no error: without a lease the client asks again when its time is up. */
	if (fd < 0 || (node->is_virtual ? sk_watch_add_file(p->watch, fd, (uint64_t)(uintptr_t)node)
					: sk_watch_add(p->watch, fd, (uint64_t)(uintptr_t)node)) < 0)
		return;
	node->fs = p;
	node->leased = posix_is_local(p, node->is_virtual ? p->single->dev : node->dev, fd);
	posix_keep(p, node);
}

/* The watch lasts as long as the directory's node: clients do not report that they have stopped watching. */
int posix_watch_opens(struct sk_9p_fs *fs, struct sk_9p_node *dir)
{
	struct posix_fs *p = posix_of(fs);
	int r;

	if (dir->opens)
		return 0;
	posix_watch(p, dir);
	if (!dir->watched)
		return -P9_EOPNOTSUPP;
	r = dir->is_virtual ? sk_watch_opens_file(p->watch, p->single->fd, (uint64_t)(uintptr_t)dir)
			    : sk_watch_opens(p->watch, dir->fd, (uint64_t)(uintptr_t)dir);
	dir->opens = r == 0;
	return r;
}

void posix_unwatch(struct posix_fs *p, struct sk_9p_node *node)
{
	if (!node->watched)
		return;
	node->watched = node->leased = node->opens = false;
	p->pool->watched--;
	if (node->is_virtual)
		sk_watch_remove_file(p->watch, p->single->fd, (uint64_t)(uintptr_t)node);
	else
		sk_watch_remove(p->watch, node->fd, (uint64_t)(uintptr_t)node);
}

void sk_posix_lease(struct sk_9p_fs *fs, struct sk_watch *watch, sk_export_event_cb event, void *arg)
{
	struct posix_fs *p = posix_of(fs);

	p->watch = watch;
	p->event = event;
	p->event_arg = arg;
	posix_watch(p, p->root);
}

static uint64_t path_of(const struct sk_9p_node *n)
{
	return n->is_virtual ? posix_virtual_qid(n->fs).path : posix_qid_path(n->fs, n->dev, n->mnt, n->ino);
}

static void tell(struct sk_9p_node *dir, uint8_t kind, bool is_dir, const char *name)
{
	char buf[P9_NAME_MAX + 1];
	struct sk_9p_event e = {
		.kind = kind, .is_dir = is_dir, .dir = path_of(dir), .name = posix_guest_name(dir->fs, name, buf)
	};

	/* Another server of this directory keeps owners of links: nothing to the guest. */
	if (!name || !posix_hidden_name(dir->fs, dir, name))
		dir->fs->event(dir->fs->event_arg, &e);
}

/* A side that is NULL is not watched. */
static void tell_rename(const struct sk_watch_event *w, const struct sk_9p_node *from, const struct sk_9p_node *to)
{
	const struct posix_fs *p = from ? from->fs : to->fs;
	char name[P9_NAME_MAX + 1], new_name[P9_NAME_MAX + 1];
	struct sk_9p_event e = { .kind = P9_EVENT_RENAME,
				 .is_dir = w->is_dir,
				 .dir = from ? path_of(from) : 0,
				 .name = posix_guest_name(p, w->name, name),
				 .new_dir = to ? path_of(to) : 0,
				 .new_name = posix_guest_name(p, w->new_name, new_name) };

	p->event(p->event_arg, &e);
}

void sk_posix_on_watch(const struct sk_watch_event *w)
{
	static const uint8_t kinds[] = {
		[SK_WATCH_CREATE] = P9_EVENT_CREATE,	       [SK_WATCH_DELETE] = P9_EVENT_DELETE,
		[SK_WATCH_MODIFY] = P9_EVENT_MODIFY,	       [SK_WATCH_ATTRIB] = P9_EVENT_ATTRIB,
		[SK_WATCH_CLOSE_WRITE] = P9_EVENT_CLOSE_WRITE, [SK_WATCH_OPEN] = P9_EVENT_OPEN,
		[SK_WATCH_ACCESS] = P9_EVENT_ACCESS,	       [SK_WATCH_CLOSE_NOWRITE] = P9_EVENT_CLOSE_NOWRITE,
	};
	struct sk_9p_node *dir = (struct sk_9p_node *)(uintptr_t)w->dir;
	struct sk_9p_node *to = (struct sk_9p_node *)(uintptr_t)w->new_dir;

	(dir ? dir : to)->fs->pool->changes++;
	if (w->kind == SK_WATCH_RENAME && (!dir || !to || dir->fs == to->fs)) {
		tell_rename(w, dir, to);
	} else if (dir->is_virtual) {
		tell(dir, kinds[w->kind], false, dir->fs->single->name);
	} else if (w->kind != SK_WATCH_RENAME) {
		tell(dir, kinds[w->kind], w->is_dir, w->name);
	} else {
		/* Out of one share and into another. */
		tell(dir, P9_EVENT_DELETE, w->is_dir, w->name);
		tell(to, P9_EVENT_CREATE, w->is_dir, w->new_name);
	}
}

/* A guest program that has the old file open continues with the new one: the guest has one inode, and one cache, for
 * the name. */
static void open_again(struct sk_9p_node *single)
{
	struct sk_9p_file *f;
	char path[POSIX_PROC_PATH];

	posix_proc(path, single->fd);
	for (f = single->files; f; f = f->next) {
		int flags = fcntl(f->fd, F_GETFL), fd;

		if (flags < 0)
			continue;
		fd = open(path, (flags & (O_ACCMODE | O_APPEND | O_SYNC)) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (fd < 0)
			continue; /* it may not be opened like that: the old one then */
		close(f->fd);
		f->fd = fd;
	}
}

int sk_posix_replace(struct sk_9p_fs *fs, int take_fd)
{
	_cleanup_fd_ int fd = take_fd;
	struct posix_fs *p = posix_of(fs);
	struct statx stx;
	bool opens;

	if (!p->single || p->single->type != S_IFREG || posix_statx(fd, &stx) < 0 || !S_ISREG(stx.stx_mode))
		return -EINVAL;
	opens = p->root->opens;
	posix_unwatch(p, p->root);
	close(p->single->fd);
	p->single->fd = SK_TAKE_FD(fd);
	open_again(p->single);
	posix_watch(p, p->root);
	if (opens)
		posix_watch_opens(fs, p->root);
	if (!p->event)
		return 0;
	p->root->fs = p;
	if (!p->root->leased) {
		/* The new file cannot be watched: all leases given so far are void. */
		const struct sk_9p_event lost = { .kind = P9_EVENT_LOST };

		p->event(p->event_arg, &lost);
	}
	tell(p->root, P9_EVENT_ATTRIB, false, p->single->name);
	tell(p->root, P9_EVENT_MODIFY, false, p->single->name);
	return 0;
}
