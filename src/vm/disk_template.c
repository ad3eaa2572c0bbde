/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/disk_template.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static const char magic[8] = { 'S', 'K', 'D', 'I', 'S', 'K', '1', '\n' };

struct template_cursor {
	const uint8_t *p;
	size_t left;
};

static bool get(struct template_cursor *c, uint64_t *ret)
{
	unsigned i;

	if (c->left < 8)
		return false;
	for (*ret = 0, i = 8; i-- > 0;)
		*ret = *ret << 8 | c->p[i];
	c->p += 8;
	c->left -= 8;
	return true;
}

/* One file system: written to `disk`, or passed over where that is NULL. */
static int copy_runs(struct template_cursor *c, uint64_t size, struct sk_vhdx *disk)
{
	uint64_t offset, n;
	int r = 0;

	while (r == 0) {
		if (!get(c, &offset) || !get(c, &n) || n > c->left || offset > size || n > size - offset)
			return -EINVAL;
		if (n == 0)
			break;
		if (disk)
			r = sk_vhdx_write(disk, offset, c->p, (size_t)n);
		c->p += n;
		c->left -= (size_t)n;
	}
	return r;
}

int sk_disk_template_write(const void *data, size_t len, uint64_t size, struct sk_vhdx *disk)
{
	struct template_cursor c = { data, len }, best = { NULL, 0 };
	uint64_t least, most, own, best_size = 0;
	int r;

	if (len < sizeof(magic) || memcmp(data, magic, sizeof(magic)) != 0)
		return -EINVAL;
	c.p += sizeof(magic);
	c.left -= sizeof(magic);
	for (;;) {
		if (!get(&c, &least) || (least && (!get(&c, &most) || !get(&c, &own))))
			return -EINVAL;
		if (!least)
			break;
		if (own > least)
			return -EINVAL; /* it would not fit */
		if (size >= least && size <= most) {
			best = c;
			best_size = own;
		}
		r = copy_runs(&c, own, NULL);
		if (r < 0)
			return r;
	}
	return best.p ? copy_runs(&best, best_size, disk) : -ERANGE;
}
