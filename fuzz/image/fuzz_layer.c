/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a layer, plain or compressed: into the tree, the contents into a sink that counts. What comes out must
 * hold what tree.h promises. The husk goes nowhere. */
#include "tarmut.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/layer.h"

struct sink {
	uint64_t bytes;
	int open;
};

static int begin(void *arg, struct sk_inode *inode, struct sk_error *err)
{
	struct sink *s = arg;

	(void)err;
	if (s->open++ || !S_ISREG(inode->attr.mode))
		abort();
	return 0;
}

static int data_in(void *arg, const void *bytes, size_t len, struct sk_error *err)
{
	struct sink *s = arg;

	(void)err;
	(void)bytes;
	s->bytes += len;
	return 0;
}

static int end(void *arg, struct sk_error *err)
{
	struct sink *s = arg;

	(void)err;
	s->open--;
	return 0;
}

static void check(const struct sk_inode *dir, unsigned depth)
{
	const struct sk_dirent *d, *prev = NULL;

	if (depth > SK_TREE_DEPTH_MAX || dir->number == 0 || dir->nlink < 2)
		abort();
	for (d = dir->children; d; prev = d, d = d->next) {
		if (d->name[0] == '\0' || strchr(d->name, '/') || strcmp(d->name, ".") == 0 ||
		    strcmp(d->name, "..") == 0 || strlen(d->name) > SK_TREE_NAME_MAX ||
		    (prev && strcmp(prev->name, d->name) >= 0) || d->dir != dir)
			abort();
		if (d->inode->number == 0 || d->inode->nlink == 0 ||
		    !!d->inode->target != !!S_ISLNK(d->inode->attr.mode))
			abort();
		if (S_ISDIR(d->inode->attr.mode)) {
			if (d->inode->parent != dir)
				abort();
			check(d->inode, depth + 1);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct sk_layer_limits limits = { .max_blob = 1u << 20, .max_uncompressed = 4u << 20 };
	struct sink s = { 0 };
	const struct sk_layer_sink sink = { begin, data_in, end, &s };
	struct sk_input_memory in;
	struct sk_layer_read job = { .blob = &in.in, .limits = &limits, .sink = &sink, .blob_size = -1 };
	struct sk_error err = SK_ERROR_INIT;
	struct sk_tree *tree;
	int r, null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (null < 0 || sk_tree_new(&tree) < 0 || sk_husk_new(null, &job.husk, &err) < 0)
		abort();
	sk_input_memory_init(&in, data, size);
	r = sk_layer_read(&job, tree, &err);
	if (s.bytes > limits.max_uncompressed || (r < 0) != (err.code != 0))
		abort();
	if (r == 0) {
		if (s.open || job.ret_blob_size != size || sk_tree_finish(tree, &err) < 0)
			abort();
		check(sk_tree_root(tree), 0);
		if (sk_husk_finish(job.husk, &err) < 0)
			abort();
	}
	sk_husk_free(job.husk);
	close(null);
	sk_tree_free(tree);
	return 0;
}
