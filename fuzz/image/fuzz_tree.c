/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A list of entries without the tar around them: the tree, and the file system that is made of it. Each entry: kind,
 * name, and for links another name; names are made of a few short parts, so that they meet.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/squash.h"
#include "image/tree.h"
#include "../input.h"

static const char *const parts[] = {
	"a",	     "b",   "c", "..", ".",  "",     ".wh.a",	     ".wh.b", ".wh..wh..opq",
	".wh..wh.x", "a/b", "/", "l1", "l2", ".wh.", "a-longer-name"
};

static uint8_t next(const uint8_t **p, const uint8_t *end)
{
	return *p < end ? *(*p)++ : 0;
}

static void name(const uint8_t **p, const uint8_t *end, char *out, size_t size)
{
	unsigned n = next(p, end) % 6;

	out[0] = '\0';
	while (n-- && strlen(out) + 20 < size) {
		strcat(out, parts[next(p, end) % 16]);
		if (n)
			strcat(out, "/");
	}
}

static void contents(struct sk_squash *sq, struct sk_inode *inode, uint8_t kind)
{
	static uint8_t bytes[70000];
	size_t len = kind % 4 == 3 ? sizeof(bytes) : kind;

	memset(bytes, kind, len);
	if (sk_squash_begin(sq, inode, NULL) < 0 || sk_squash_data(sq, bytes, len, NULL) < 0 ||
	    sk_squash_end(sq, NULL) < 0)
		abort();
}

static void entry(struct sk_tree *tree, struct sk_squash *sq, const uint8_t **p, const uint8_t *end)
{
	static const uint32_t types[] = { S_IFREG, S_IFDIR, S_IFLNK, S_IFCHR, S_IFBLK, S_IFIFO };
	struct sk_inode_attr attr = { .mode = 0644 };
	char path[200], other[200];
	uint8_t kind = next(p, end), more = next(p, end);
	struct sk_inode *inode = NULL;

	name(p, end, path, sizeof(path));
	if (kind % 8 >= 6) {
		name(p, end, other, sizeof(other));
		(void)sk_tree_hardlink(tree, path, other, NULL);
		return;
	}
	attr.mode |= types[kind % 8];
	attr.uid = more;
	if (S_ISLNK(attr.mode))
		name(p, end, other, sizeof(other));
	if (sk_tree_add(tree, path, &attr, S_ISLNK(attr.mode) ? other : NULL, &inode, NULL) < 0 || !inode)
		return;
	if (S_ISREG(attr.mode))
		contents(sq, inode, more);
	if (kind & 0x40)
		(void)sk_tree_set_xattr(tree, inode, "user.x", path, more % 8, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sk_squash_options o = sk_squash_default;
	int fd = memfd_create("layer", MFD_CLOEXEC);
	const uint8_t *end = data + size;
	struct sk_squash *sq = NULL;
	struct sk_tree *tree = NULL;
	struct stat st;

	o.jobs = 1;
	o.keep_free = 0;
	if (fd < 0 || sk_tree_new(&tree) < 0 || sk_squash_new(fd, &o, &sq, NULL) < 0)
		abort();
	while (data < end)
		entry(tree, sq, &data, end);
	if (sk_tree_finish(tree, NULL) < 0 || sk_squash_finish(sq, tree, NULL) < 0)
		abort();
	if (fstat(fd, &st) < 0 || st.st_size == 0 || st.st_size % 4096)
		abort();
	sk_squash_free(sq);
	sk_tree_free(tree);
	close(fd);
	return 0;
}
