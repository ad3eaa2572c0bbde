/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * virtio-blk (virtio 1.2, section 5.2) over files laid end to end. A request is served where it stands: preadv and
 * pwritev move the bytes between the file and the guest's memory, without a copy and without a thread hop; the answer
 * is pushed before the next request is looked at. A disk that makes others wait (fdatasync) belongs on a loop of its
 * own: nothing here is shared.
 *
 * Every part begins at a multiple of 4096 bytes and is followed by zeros up to the next one. What is writable has no
 * such tail: its parts are multiples of 4096 long.
 *
 * Not trusted: the request header (copied once), the framing (any split into segments is taken), sector numbers and
 * lengths (checked against the capacity). Errors of the file and buffers that are not mapped become VIRTIO_BLK_S_IOERR
 * of that request. A chain without room for a status byte cannot be answered and ends the connection.
 *
 * A write that finds no space left on the host is no error: a guest that was told of one would make its file system
 * read-only. The request goes back to the queue, which rests until a timer tries it again.
 */
#include "virtio/device.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "virtio/virtio_internal.h"

#define SECTOR 512u
#define PART_ALIGN 4096u
#define PARTS_MAX 512u
/* virtio_uml's queues have 256 entries; header and status take two. */
#define SEG_MAX 254u
/* Bounds how long one request can take: a discard frees extents, zeroing may have to write. */
#define DISCARD_SECTORS_MAX (1u << 21) /* 1 GiB */
#define ZEROES_SECTORS_MAX (1u << 16)  /* 32 MiB */
#define RANGES_MAX 16u
#define REQUEST_MAX (64u << 20) /* bytes of one read or write; Linux asks for 4 MiB at most */
/* Bytes after which a turn ends: the end of the VM waits for the turn, and a guest can ask for 16 GiB in 256 requests
 * that all name the same memory. */
#define TURN_MAX REQUEST_MAX
#define RETRY_MS 500u /* on a full host disk */

struct blk_part {
	int fd;
	uint64_t start; /* on the disk */
	uint64_t size;	/* of the file */
	uint64_t span;	/* with its tail of zeros */
	bool dirty;	/* written since the last flush */
	bool scratch;
};

struct blk_dev {
	struct sk_device dev;
	char id[VIRTIO_BLK_ID_BYTES]; /* by this the guest knows which disk is which, in whatever order it finds them */
	bool readonly;
	uint64_t capacity; /* bytes */
	unsigned n_parts;
	struct blk_part *parts;
	struct sk_vq_chain chain;
	uint64_t moved; /* bytes in this turn */
	bool no_space;	/* the last request found none */
	bool waiting;	/* the queue rests until there is some */
	struct sk_source *retry;
	int failed; /* the first errno of the host that a write or flush of the guest met */
	void (*trouble)(void *arg, bool is_full, int failed);
	void *trouble_arg;
};

static struct blk_dev *blk_of(struct sk_device *dev)
{
	return (struct blk_dev *)dev;
}

/* --- the disk --- */

/* The part that holds byte `off` < capacity. */
static struct blk_part *find_part(struct blk_dev *b, uint64_t off)
{
	unsigned lo = 0, hi = b->n_parts;

	while (hi - lo > 1) {
		unsigned mid = lo + (hi - lo) / 2;

		if (b->parts[mid].start <= off)
			lo = mid;
		else
			hi = mid;
	}
	return &b->parts[lo];
}

static void iov_zero(const struct iovec *iov, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		memset(iov[i].iov_base, 0, iov[i].iov_len);
}

/* Moves all the bytes of `iov` at offset `off` of a file; advances the list. 0 or negative errno. */
static int transfer(int fd, struct iovec *iov, unsigned n, uint64_t off, size_t len, bool write)
{
	while (len) {
		ssize_t done = write ? pwritev(fd, iov, (int)n, (off_t)off) : preadv(fd, iov, (int)n, (off_t)off);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		if (done == 0)
			return -EIO; /* the file is shorter than configured */
		off += (uint64_t)done;
		len -= (size_t)done;
		if (len)
			n = sk_iovec_cut(&iov, n, (size_t)done, len);
	}
	return 0;
}

/* The piece of a request that lies in `p`: its `len` bytes from `off` of the part on are in `iov`, which is used up. */
static int part_io(struct blk_part *p, struct iovec *iov, unsigned n, uint64_t off, size_t len, bool write)
{
	size_t in_file = off >= p->size ? 0 : len;
	unsigned n_file = n;
	struct iovec split;
	size_t skip = 0;
	unsigned i;
	int r;

	if (in_file > p->size - off)
		in_file = (size_t)(p->size - off);
	if (write)
		p->dirty = true;
	if (in_file == len)
		return transfer(p->fd, iov, n, off, len, write);
	if (write)
		return -EIO; /* writable parts have no tail */
	/* Zero the tail first, segment by segment: transfer() consumes the list. */
	for (i = 0; i < n; i++) {
		if (skip >= in_file) {
			iov_zero(&iov[i], 1);
		} else if (skip + iov[i].iov_len > in_file) {
			size_t keep = in_file - skip;

			split = (struct iovec){ (uint8_t *)iov[i].iov_base + keep, iov[i].iov_len - keep };
			iov_zero(&split, 1);
		}
		skip += iov[i].iov_len;
	}
	n_file = sk_iovec_cut(&iov, n, 0, in_file);
	r = transfer(p->fd, iov, n_file, off, in_file, write);
	return r;
}

/* Reads or writes `len` bytes at `off`; the range was checked. `iov` is used up. */
static int disk_io(struct blk_dev *b, struct iovec *iov, uint64_t off, size_t len, bool write)
{
	while (len) {
		struct blk_part *p = find_part(b, off);
		uint64_t at = off - p->start, left = p->span - at;
		size_t now = len <= left ? len : (size_t)left;
		struct iovec edge = { NULL, 0 };
		size_t sum = 0;
		unsigned i = 0;
		int r;

		/* The segments of this part are iov[0..i), the last one cut at the border; `edge` is the rest of it. */
		while (sum < now) {
			if (iov[i].iov_len > now - sum) {
				edge.iov_base = (uint8_t *)iov[i].iov_base + (now - sum);
				edge.iov_len = iov[i].iov_len - (now - sum);
				iov[i].iov_len = now - sum;
			}
			sum += iov[i++].iov_len;
		}
		r = part_io(p, iov, i, at, now, write);
		if (r < 0)
			return r;
		if (edge.iov_len)
			iov[--i] = edge;
		iov += i;
		off += now;
		len -= now;
	}
	return 0;
}

static int disk_flush(struct blk_dev *b)
{
	int r = 0;
	unsigned i;

	for (i = 0; i < b->n_parts; i++) {
		if (!b->parts[i].dirty || b->parts[i].scratch)
			continue;
		if (fdatasync(b->parts[i].fd) < 0)
			r = -errno;
		else
			b->parts[i].dirty = false;
	}
	return r;
}

static int write_zeros(int fd, uint64_t off, uint64_t len)
{
	static const uint8_t zeros[65536];

	while (len) {
		ssize_t n = pwrite(fd, zeros, len < sizeof(zeros) ? (size_t)len : sizeof(zeros), (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		off += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}

/* Makes a range of one file read as zeros. `punch`: its space may be given back. `must`: otherwise it is only a hint.
 */
static int part_clear(struct blk_part *p, uint64_t off, uint64_t len, bool punch, bool must)
{
	int mode = punch ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE;

	p->dirty = true;
	if (fallocate(p->fd, mode | FALLOC_FL_KEEP_SIZE, (off_t)off, (off_t)len) == 0)
		return 0;
	if (errno != EOPNOTSUPP && errno != ENOSYS)
		return -errno;
	return must ? write_zeros(p->fd, off, len) : 0;
}

static int disk_clear(struct blk_dev *b, uint64_t off, uint64_t len, bool punch, bool must)
{
	while (len) {
		struct blk_part *p = find_part(b, off);
		uint64_t at = off - p->start, left = p->span - at, now = len < left ? len : left;
		int r = part_clear(p, at, now, punch, must);

		if (r < 0)
			return r;
		off += now;
		len -= now;
	}
	return 0;
}

/* --- requests --- */

static bool in_range(const struct blk_dev *b, uint64_t sector, uint64_t len)
{
	return sector <= b->capacity / SECTOR && len <= b->capacity - sector * SECTOR;
}

static bool good_transfer(const struct blk_dev *b, uint64_t sector, size_t len)
{
	return len % SECTOR == 0 && len <= REQUEST_MAX && in_range(b, sector, len);
}

static bool is_full(int r)
{
	return r == -ENOSPC || r == -EDQUOT;
}

static uint8_t status_of(int r)
{
	if (r == 0)
		return VIRTIO_BLK_S_OK;
	return r == -EOPNOTSUPP ? VIRTIO_BLK_S_UNSUPP : VIRTIO_BLK_S_IOERR;
}

static void tell(struct blk_dev *b)
{
	if (b->trouble)
		b->trouble(b->trouble_arg, b->waiting, b->failed);
}

static void note_failure(struct blk_dev *b, int r)
{
	if (r == 0 || r == -EINVAL || r == -EROFS || r == -EOPNOTSUPP || b->failed)
		return;
	b->failed = -r;
	tell(b);
}

/* The result of a write: a full disk makes the guest wait, any other failure of the host's is reported to it. */
static uint8_t written(struct blk_dev *b, int r)
{
	b->no_space = is_full(r);
	if (!b->no_space)
		note_failure(b, r);
	return status_of(r);
}

/* Discard and write zeroes: the data are ranges. `iov` are the segments behind the header. */
static int do_ranges(struct blk_dev *b, const struct iovec *iov, unsigned n, size_t len, bool discard)
{
	struct virtio_blk_discard_write_zeroes range[RANGES_MAX];
	uint32_t max = discard ? DISCARD_SECTORS_MAX : ZEROES_SECTORS_MAX;
	unsigned i, count = (unsigned)(len / sizeof(range[0]));
	int r;

	if (b->readonly)
		return -EROFS;
	if (len == 0 || len % sizeof(range[0]) || len > sizeof(range))
		return -EINVAL;
	if (sk_iovec_read(iov, n, 0, range, len) != len)
		return -EINVAL;
	for (i = 0; i < count; i++) {
		uint64_t sector = le64toh(range[i].sector), sectors = le32toh(range[i].num_sectors);
		uint32_t flags = le32toh(range[i].flags);
		bool unmap = flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;

		if ((flags & ~VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP) || (discard && unmap))
			return -EOPNOTSUPP;
		if (sectors > max || !in_range(b, sector, sectors * SECTOR))
			return -EINVAL;
		if (!discard)
			b->moved += sectors * SECTOR;
		r = disk_clear(b, sector * SECTOR, sectors * SECTOR, discard || unmap, !discard);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Runs the request in b->chain. Returns the status; `*ret_len`: bytes written to the guest, without it. */
static uint8_t run_request(struct blk_dev *b, uint32_t *ret_len)
{
	struct sk_vq_chain *c = &b->chain;
	struct virtio_blk_outhdr h;
	struct iovec *out = c->iov, *in = c->iov + c->n_out;
	size_t out_len, in_len = c->in_len - 1;
	unsigned n_out, n_in;
	uint64_t sector;
	int r;

	*ret_len = 0;
	if (sk_iovec_read(out, c->n_out, 0, &h, sizeof(h)) != sizeof(h))
		return VIRTIO_BLK_S_IOERR;
	out_len = c->out_len - sizeof(h);
	sector = le64toh(h.sector);
	/* Out first: cutting the in-list would not disturb it, but the other way round neither does. */
	n_out = sk_iovec_cut(&out, c->n_out, sizeof(h), out_len);
	n_in = sk_iovec_cut(&in, c->n_in, 0, in_len);
	switch (le32toh(h.type)) {
	case VIRTIO_BLK_T_IN:
		if (!good_transfer(b, sector, in_len))
			return VIRTIO_BLK_S_IOERR;
		if (disk_io(b, in, sector * SECTOR, in_len, false) < 0)
			return VIRTIO_BLK_S_IOERR;
		*ret_len = (uint32_t)in_len;
		return VIRTIO_BLK_S_OK;
	case VIRTIO_BLK_T_OUT:
		if (b->readonly || !good_transfer(b, sector, out_len))
			return VIRTIO_BLK_S_IOERR;
		return written(b, disk_io(b, out, sector * SECTOR, out_len, true));
	case VIRTIO_BLK_T_FLUSH:
		/* A failed flush cannot be repeated: the host has dropped the data that it could not write. */
		r = disk_flush(b);
		note_failure(b, r);
		return status_of(r);
	case VIRTIO_BLK_T_GET_ID:
		*ret_len = (uint32_t)sk_iovec_write(in, n_in, 0, b->id, sizeof(b->id));
		return VIRTIO_BLK_S_OK;
	case VIRTIO_BLK_T_DISCARD:
		return status_of(do_ranges(b, out, n_out, out_len, true));
	case VIRTIO_BLK_T_WRITE_ZEROES:
		return written(b, do_ranges(b, out, n_out, out_len, false));
	default:
		return VIRTIO_BLK_S_UNSUPP;
	}
}

static void tell_full(struct blk_dev *b, bool full)
{
	if (b->waiting == full)
		return;
	b->waiting = full;
	tell(b);
}

static void on_retry(void *arg)
{
	struct blk_dev *b = arg;

	sk_loop_set_timer(b->retry, UINT64_MAX);
	if (b->dev.vq[0].running && b->dev.ops->queue_kick(&b->dev, 0))
		sk_loop_set_timer(b->retry, 0); /* more than a turn */
}

static bool blk_kick(struct sk_device *dev, unsigned q)
{
	struct blk_dev *b = blk_of(dev);
	struct sk_virtqueue *vq = &dev->vq[q];
	bool full = false;
	unsigned budget;
	int r = 0;

	b->moved = 0;
	for (budget = SK_VIRTIO_BUDGET; budget > 0 && b->moved < TURN_MAX; budget--) {
		uint8_t *status, result;
		uint32_t len;

		r = sk_vq_next(vq, &b->chain);
		if (r <= 0)
			break;
		status = b->chain.last_in; /* the last byte that the guest gave us */
		if (!status) {
			r = -EPROTO;
			break;
		}
		b->moved += b->chain.out_len + b->chain.in_len;
		len = 0;
		b->no_space = false;
		result = sk_vq_unmapped(&b->chain) ? VIRTIO_BLK_S_IOERR : run_request(b, &len);
		full = b->no_space;
		if (full) {
			sk_vq_unget(vq, 1);
			r = 0;
			break;
		}
		*status = result;
		sk_vq_push(vq, b->chain.head, len + 1);
		sk_vq_publish(vq);
	}
	sk_vq_flush(vq);
	tell_full(b, full);
	if (full)
		sk_loop_set_timer(b->retry, RETRY_MS);
	if (r < 0)
		sk_virtio_fail(dev, "the guest broke the request queue");
	return r > 0;
}

static void blk_stopped(struct sk_device *dev, unsigned q)
{
	(void)q;
	sk_loop_set_timer(blk_of(dev)->retry, UINT64_MAX);
}

void sk_blk_set_id(struct sk_device *dev, const char *id)
{
	struct blk_dev *b = blk_of(dev);
	size_t n = strnlen(id, sizeof(b->id));

	memset(b->id, 0, sizeof(b->id)); /* padded with NULs, not ended by one (virtio 1.2, 5.2.6) */
	memcpy(b->id, id, n);
}

void sk_blk_on_trouble(struct sk_device *dev, void (*trouble)(void *arg, bool is_full, int failed), void *arg)
{
	blk_of(dev)->trouble = trouble;
	blk_of(dev)->trouble_arg = arg;
}

static size_t blk_config(struct sk_device *dev, uint8_t buf[SK_VIRTIO_CONFIG])
{
	struct blk_dev *b = blk_of(dev);
	struct virtio_blk_config c = {
		.capacity = htole64(b->capacity / SECTOR),
		.seg_max = htole32(SEG_MAX),
		.blk_size = htole32(SECTOR),
		.physical_block_exp = 3,
		.min_io_size = htole16(PART_ALIGN / SECTOR),
		.num_queues = htole16(1),
		.max_discard_sectors = htole32(DISCARD_SECTORS_MAX),
		.max_discard_seg = htole32(RANGES_MAX),
		.discard_sector_alignment = htole32(PART_ALIGN / SECTOR),
		.max_write_zeroes_sectors = htole32(ZEROES_SECTORS_MAX),
		.max_write_zeroes_seg = htole32(RANGES_MAX),
		.write_zeroes_may_unmap = 1,
	};

	memcpy(buf, &c, sizeof(c));
	return sizeof(c);
}

static void blk_free(struct sk_device *dev)
{
	struct blk_dev *b = blk_of(dev);
	unsigned i;

	sk_virtio_fini(dev);
	sk_loop_remove(b->retry);
	if (!b->readonly)
		disk_flush(b);
	for (i = 0; i < b->n_parts; i++)
		sk_close_fd(&b->parts[i].fd);
	free(b->parts);
	free(b);
}

static const struct sk_virtio_ops blk_ops = {
	.n_queues = 1,
	.config = blk_config,
	.queue_kick = blk_kick,
	.queue_stopped = blk_stopped,
	.free = blk_free,
};

/* Checks part `i` and appends it to the disk. */
static int add_part(struct blk_dev *b, const struct sk_blk_part *from, unsigned i, struct sk_error *err)
{
	struct blk_part *p = &b->parts[i];
	struct stat st;

	if (fstat(p->fd, &st) < 0)
		return sk_error_errno(err, errno, "cannot look at file %u of the disk", i);
	if (S_ISREG(st.st_mode) && (uint64_t)st.st_size < from->size)
		return sk_error_set(err, EINVAL, "file %u of the disk is shorter than the %llu bytes wanted", i,
				    (unsigned long long)from->size);
	if (from->size == 0 || from->size > INT64_MAX / 4 / PARTS_MAX)
		return sk_error_set(err, EINVAL, "file %u of the disk has an impossible size", i);
	if (!b->readonly && from->size % PART_ALIGN)
		return sk_error_set(err, EINVAL, "file %u of a writable disk is not a multiple of %u bytes long", i,
				    PART_ALIGN);
	p->size = from->size;
	p->span = (from->size + PART_ALIGN - 1) / PART_ALIGN * PART_ALIGN;
	p->start = b->capacity;
	b->capacity += p->span;
	return 0;
}

int sk_blk_new(struct sk_loop *loop, int take_listen_fd, const struct sk_blk_part *parts, unsigned n_parts,
	       bool readonly, struct sk_device **ret_device, struct sk_error *err)
{
	_cleanup_fd_ int listen_fd = take_listen_fd;
	struct blk_dev *b = calloc(1, sizeof(*b));
	unsigned i;
	int r;

	if (b)
		b->parts = calloc(n_parts ? n_parts : 1, sizeof(*b->parts));
	if (!b || !b->parts) {
		for (i = 0; i < n_parts; i++)
			close(parts[i].take_fd);
		free(b);
		return sk_error_errno(err, ENOMEM, "cannot set up the disk");
	}
	b->dev.ops = &blk_ops;
	b->dev.id = SK_VIRTIO_BLOCK;
	b->dev.name = "block";
	sk_blk_set_id(&b->dev, readonly ? SK_BLK_ID_READONLY : SK_BLK_ID_WRITABLE);
	b->readonly = readonly;
	b->n_parts = n_parts;
	b->dev.features = UINT64_C(1) << VIRTIO_BLK_F_SEG_MAX | UINT64_C(1) << VIRTIO_BLK_F_BLK_SIZE |
			  UINT64_C(1) << VIRTIO_BLK_F_TOPOLOGY;
	if (readonly)
		b->dev.features |= UINT64_C(1) << VIRTIO_BLK_F_RO;
	else
		b->dev.features |= UINT64_C(1) << VIRTIO_BLK_F_DISCARD | UINT64_C(1) << VIRTIO_BLK_F_WRITE_ZEROES;
	for (i = 0; i < n_parts; i++) {
		b->parts[i].fd = parts[i].take_fd;
		b->parts[i].scratch = parts[i].scratch;
		/* Without it the guest takes what is written for safe, and asks for no flushes that would do nothing. */
		if (!parts[i].scratch)
			b->dev.features |= UINT64_C(1) << VIRTIO_BLK_F_FLUSH;
	}
	if (n_parts == 0 || n_parts > PARTS_MAX) {
		r = sk_error_set(err, EINVAL, "a disk has 1 to %u files, not %u", PARTS_MAX, n_parts);
		goto fail;
	}
	for (i = 0; i < n_parts; i++) {
		r = add_part(b, &parts[i], i, err);
		if (r < 0)
			goto fail;
	}
	b->retry = sk_loop_add_timer(loop, UINT64_MAX, on_retry, b);
	if (!b->retry) {
		r = sk_error_errno(err, ENOMEM, "cannot set up the disk");
		goto fail;
	}
	r = sk_virtio_init(&b->dev, loop, SK_TAKE_FD(listen_fd), err);
	if (r < 0)
		goto fail;
	*ret_device = &b->dev;
	return 0;
fail:
	blk_free(&b->dev);
	return r;
}
