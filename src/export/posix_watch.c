/* SPDX-License-Identifier: Apache-2.0 */
/* Leases: folders that a client has walked to are watched as long as their nodes live. See watch.c. */
#include <sys/stat.h>

#include "export/posix_internal.h"
#include "export/watch.h"
#include "ninep/server.h"

void posix_watch(struct posix_fs *p, struct sk_9p_node *node)
{
	int fd;

	if (!p->watch || node->watched || node->is_virtual || node->type != S_IFDIR)
		return;
	fd = posix_fd(p, node);
	/* No watch is no error: without a lease the client asks again when its time is up. */
	if (fd < 0 || sk_watch_add(p->watch, fd, (uint64_t)(uintptr_t)node) < 0)
		return;
	node->watched = true;
	node->fs = p;
}

void posix_unwatch(struct posix_fs *p, struct sk_9p_node *node)
{
	if (!node->watched)
		return;
	node->watched = false;
	sk_watch_remove(p->watch, node->fd, (uint64_t)(uintptr_t)node);
}

void sk_posix_lease(struct sk_9p_fs *fs, struct sk_watch *watch, sk_posix_event_cb event, void *arg)
{
	struct posix_fs *p = posix_of(fs);

	p->watch = watch;
	p->event = event;
	p->event_arg = arg;
	posix_watch(p, p->root);
}

static uint64_t path_of(const struct sk_9p_node *n)
{
	return posix_qid_path(n->fs, (uint32_t)(n->dev >> 32), (uint32_t)n->dev, n->ino);
}

static void tell(const struct sk_9p_node *dir, uint8_t kind, bool is_dir, const char *name)
{
	struct sk_9p_event e = { .kind = kind, .is_dir = is_dir, .dir = path_of(dir), .name = name };

	dir->fs->event(dir->fs->event_arg, &e);
}

static void tell_rename(const struct sk_watch_event *w, const struct sk_9p_node *from, const struct sk_9p_node *to)
{
	struct sk_9p_event e = { .kind = P9_EVENT_RENAME,
				 .is_dir = w->is_dir,
				 .dir = path_of(from),
				 .name = w->name,
				 .new_dir = path_of(to),
				 .new_name = w->new_name };

	from->fs->event(from->fs->event_arg, &e);
}

void sk_posix_on_watch(const struct sk_watch_event *w)
{
	static const uint8_t kinds[] = {
		[SK_WATCH_CREATE] = P9_EVENT_CREATE,
		[SK_WATCH_DELETE] = P9_EVENT_DELETE,
		[SK_WATCH_MODIFY] = P9_EVENT_MODIFY,
		[SK_WATCH_ATTRIB] = P9_EVENT_ATTRIB,
	};
	const struct sk_9p_node *dir = (const struct sk_9p_node *)(uintptr_t)w->dir;
	const struct sk_9p_node *to = (const struct sk_9p_node *)(uintptr_t)w->new_dir;

	if (w->kind != SK_WATCH_RENAME) {
		tell(dir, kinds[w->kind], w->is_dir, w->name);
	} else if (dir->fs == to->fs) {
		tell_rename(w, dir, to);
	} else {
		/* Out of one share and into another. */
		tell(dir, P9_EVENT_DELETE, w->is_dir, w->name);
		tell(to, P9_EVENT_CREATE, w->is_dir, w->new_name);
	}
}
