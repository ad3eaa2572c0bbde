/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes of a directory of a Windows host, and how what they are is opened. See winfs.c. */
#include "base/cleanup.h"
#include "export/winfs_internal.h"

#define DEPTH_MAX 512u

/* ---- errors */

int winfs_errno(int r)
{
	static const struct {
		int host, linux_number;
	} map[] = {
		{ ENAMETOOLONG, P9_ENAMETOOLONG },
		{ ENOTEMPTY, P9_ENOTEMPTY },
		{ EILSEQ, P9_EINVAL },
		{ ENOLCK, P9_ENOLCK },
		{ ENOSYS, P9_ENOSYS },
		{ ELOOP, P9_ELOOP },
		{ EOPNOTSUPP, P9_EOPNOTSUPP },
		{ ESTALE, P9_ESTALE },
		{ EDQUOT, P9_EDQUOT },
		{ EWOULDBLOCK, P9_EAGAIN },
	};
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(map); i++)
		if (map[i].host == -r)
			return -map[i].linux_number;
	return -r < 35 ? r : -P9_EIO; /* the numbers below are those of the first Unix on both */
}

int winfs_status(long status)
{
	return winfs_errno(-sk_win_status_errno(status));
}

/* ---- nodes */

struct sk_9p_node *winfs_get(struct winfs *w, struct sk_9p_node *node)
{
	node->refs++;
	w->held++;
	return node;
}

void winfs_detach(struct sk_9p_node *node)
{
	if (!node->link)
		return;
	*node->link = node->next;
	if (node->next)
		node->next->link = node->link;
	node->link = NULL;
	node->next = NULL;
	node->gone = true;
}

void winfs_attach(struct sk_9p_node *node, struct sk_9p_node *dir)
{
	node->next = dir->children;
	if (node->next)
		node->next->link = &node->next;
	node->link = &dir->children;
	dir->children = node;
	node->gone = false;
}

void winfs_put(struct winfs *w, struct sk_9p_node *node)
{
	w->held--;
	while (--node->refs == 0 && node != &w->root) {
		struct sk_9p_node *parent = node->parent;

		winfs_detach(node);
		free(node);
		w->held--;
		node = parent;
	}
}

struct sk_9p_node *winfs_held(struct sk_9p_node *dir, const wchar_t *name)
{
	struct sk_9p_node *n;

	for (n = dir->children; n; n = n->next)
		if (wcscmp(n->name, name) == 0)
			return n;
	return NULL;
}

int winfs_node(struct winfs *w, struct sk_9p_node *dir, const wchar_t *name, const struct sk_nt_info *info,
	       struct sk_9p_node **ret)
{
	bool is_dir = info->attributes & FILE_ATTRIBUTE_DIRECTORY;
	struct sk_9p_node *node = winfs_held(dir, name);

	if (node && node->ino == info->ino && node->dir == is_dir) {
		*ret = winfs_get(w, node);
		return 0;
	}
	/* Somebody else has replaced it. */
	if (node)
		winfs_detach(node);
	node = calloc(1, sizeof(*node));
	if (!node)
		return -P9_ENOMEM;
	node->parent = winfs_get(w, dir);
	node->ino = info->ino;
	node->dir = is_dir;
	wcscpy(node->name, name);
	winfs_attach(node, dir);
	*ret = winfs_get(w, node);
	return 0;
}

int winfs_name(const char *name, wchar_t ret[SK_WINDOWS_NAME_MAX + 1])
{
	int n;

	_Static_assert(sizeof(wchar_t) == sizeof(uint16_t), "UTF-16");
	n = sk_windows_name_encode(name, (uint16_t *)ret);
	if (n >= 0 && wcsncmp(ret, WINFS_GONE, wcslen(WINFS_GONE)) == 0)
		return -P9_EPERM;
	return n < 0 ? n : 0;
}

/* ---- opening */

int winfs_open_in(HANDLE dir, const wchar_t *name, const struct sk_nt_how *how, HANDLE *ret,
		  struct sk_nt_info *ret_info)
{
	long status = sk_nt_open(dir, name, how, ret);

	if (status < 0)
		return winfs_status(status);
	status = sk_nt_info(*ret, ret_info);
	if (status >= 0 && !(ret_info->attributes & FILE_ATTRIBUTE_REPARSE_POINT))
		return 0;
	CloseHandle(*ret);
	return status < 0 ? winfs_status(status) : -P9_EPERM;
}

/* The nodes from below the root to `node`. */
static int path_of(struct winfs *w, struct sk_9p_node *node, struct sk_9p_node *ret[DEPTH_MAX])
{
	struct sk_9p_node *n;
	unsigned depth = 0, i;

	for (n = node; n != &w->root; n = n->parent) {
		if (n->gone)
			return -P9_ENOENT;
		if (++depth > DEPTH_MAX)
			return -P9_ENAMETOOLONG;
	}
	for (n = node, i = depth; i; n = n->parent)
		ret[--i] = n;
	return (int)depth;
}

/* A single file is whatever has its name: editors replace files, and clients who have mounted it keep what they got. */
static bool follows(const struct winfs *w, const struct sk_9p_node *node, const struct sk_nt_info *info)
{
	return w->only && node->parent == &w->root && !(info->attributes & FILE_ATTRIBUTE_DIRECTORY);
}

void winfs_number(struct winfs *w, const struct sk_9p_node *node, struct sk_nt_info *info)
{
	if (!w->only || node == &w->root)
		return;
	if (!w->only_ino)
		w->only_ino = info->ino;
	info->ino = w->only_ino;
}

int winfs_open(struct winfs *w, struct sk_9p_node *node, const struct sk_nt_how *how, HANDLE *ret)
{
	const struct sk_nt_how through = { .access = FILE_TRAVERSE | FILE_READ_ATTRIBUTES,
					   .disposition = FILE_OPEN,
					   .options = FILE_DIRECTORY_FILE };
	struct sk_9p_node *path[DEPTH_MAX];
	HANDLE at = w->root_handle, next;
	int i, r = 0, n = path_of(w, node, path);

	if (n < 0)
		return n;
	if (n == 0) {
		struct sk_nt_info info;

		return winfs_open_in(at, L"", how, ret, &info);
	}
	for (i = 0; i < n && r == 0; i++) {
		struct sk_nt_info info;

		r = winfs_open_in(at, path[i]->name, i == n - 1 ? how : &through, &next, &info);
		if (at != w->root_handle)
			CloseHandle(at);
		if (r == 0 && info.ino != path[i]->ino && !follows(w, path[i], &info)) {
			CloseHandle(next);
			r = -P9_ESTALE;
		}
		at = next;
	}
	*ret = at;
	return r;
}

int winfs_open_dir(struct winfs *w, struct sk_9p_node *node, HANDLE *ret)
{
	const struct sk_nt_how how = { .access = FILE_TRAVERSE | FILE_LIST_DIRECTORY | FILE_READ_ATTRIBUTES,
				       .disposition = FILE_OPEN,
				       .options = FILE_DIRECTORY_FILE };

	return node->dir ? winfs_open(w, node, &how, ret) : -P9_ENOTDIR;
}

bool winfs_shows(const struct winfs *w, const struct sk_9p_node *dir, const wchar_t *name)
{
	return !w->only || dir != &w->root || wcscmp(name, w->only) == 0;
}

int winfs_open_to_change(struct winfs *w, struct sk_9p_node *node, HANDLE *ret)
{
	return w->only && node == &w->root ? -P9_EPERM : winfs_open_dir(w, node, ret);
}

struct p9_qid winfs_qid(const struct sk_nt_info *info)
{
	return (struct p9_qid){
		.type = info->attributes & FILE_ATTRIBUTE_DIRECTORY ? P9_QTDIR : P9_QTFILE,
		.version = (uint32_t)(info->changed ^ info->changed >> 32),
		.path = info->ino,
	};
}
