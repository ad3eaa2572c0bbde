/* SPDX-License-Identifier: Apache-2.0 */
/* See husk.h. Of the tar format only as much is understood here as tells contents from everything else; libarchive
 * reads the same stream, and what the two do not see alike makes the husk useless. */
#include "image/husk.h"

#include <archive.h>
#include <archive_entry.h>
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "image/tree.h"

#define BLOCK 512u
#define PIECE (64u * 1024)
#define HOLES_MAX (1u << 20)
#define PENDING_MAX (8u << 20)

/* Of a header (POSIX pax, "ustar Interchange Format"). */
#define AT_SIZE 124
#define SIZE_LEN 12
#define AT_TYPE 156

enum husk_state { IN_HEADER, IN_META, IN_CONTENTS, IN_REST };

/* Contents in the stream whose file's name is not known yet. */
struct hole {
	uint64_t at; /* in the literal bytes */
	uint64_t size;
};

struct sk_husk {
	struct archive *out;
	bool useless; /* this tar has no husk */
	int error;    /* negative */

	enum husk_state state;
	uint8_t header[BLOCK];
	size_t have;	    /* bytes of the header */
	uint64_t left;	    /* bytes of contents or of an extended header */
	size_t padding;	    /* behind them */
	bool pax;	    /* the extended header may speak of sizes */
	struct sk_buf meta; /* the extended header */

	struct sk_buf pending; /* literal bytes that are not written yet */
	uint64_t bytes, written;
	struct hole *holes;
	size_t n_holes, next_hole, room;
};

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static int open_out(struct sk_husk *f, int fd)
{
	struct archive_entry *e = archive_entry_new();
	int r;

	f->out = archive_write_new();
	if (!f->out || !e) {
		archive_entry_free(e);
		return -ENOMEM;
	}
	archive_write_set_format_raw(f->out);
	archive_write_add_filter_gzip(f->out);
	archive_write_set_options(f->out, "gzip:compression-level=1,gzip:!timestamp");
	archive_write_set_bytes_in_last_block(f->out, 1);
	archive_entry_set_filetype(e, S_IFREG);
	r = archive_write_open_fd(f->out, fd) == ARCHIVE_OK && archive_write_header(f->out, e) == ARCHIVE_OK ? 0 : -EIO;
	archive_entry_free(e);
	return r;
}

int sk_husk_new(int fd, struct sk_husk **ret, struct sk_error *err)
{
	struct sk_husk *f = calloc(1, sizeof(*f));
	int r = f ? open_out(f, fd) : -ENOMEM;

	if (r < 0) {
		sk_husk_free(f);
		return sk_error_errno(err, r, "cannot write the layer's husk");
	}
	sk_buf_init(&f->pending, PENDING_MAX);
	sk_buf_init(&f->meta, SK_HUSK_META_MAX + BLOCK);
	*ret = f;
	return 0;
}

void sk_husk_free(struct sk_husk *f)
{
	if (!f)
		return;
	/* Closes it if that is still to be done: archive_write_fail() would leak what gzip has. */
	archive_write_free(f->out);
	sk_buf_fini(&f->pending);
	sk_buf_fini(&f->meta);
	free(f->holes);
	free(f);
}

static void put(struct sk_husk *f, const void *data, size_t len)
{
	int code;

	if (f->error || archive_write_data(f->out, data, len) == (la_ssize_t)len)
		return;
	code = archive_errno(f->out);
	f->error = code > 0 ? -code : -EIO;
}

/* Writes the literal bytes before `end`, an offset in all of them. */
static void put_pending(struct sk_husk *f, uint64_t end)
{
	while (f->written < end) {
		uint64_t rest = end - f->written;
		uint32_t n = rest < PIECE ? (uint32_t)rest : PIECE;
		uint32_t n_le = htole32(n);

		put(f, "B", 1);
		put(f, &n_le, sizeof(n_le));
		put(f, sk_buf_data(&f->pending), n);
		sk_buf_consume(&f->pending, n);
		f->written += n;
	}
}

static void literally(struct sk_husk *f, const void *data, size_t len)
{
	if (len > SK_HUSK_BYTES_MAX - f->bytes || sk_buf_append(&f->pending, data, len) < 0) {
		f->useless = true;
		return;
	}
	f->bytes += len;
	if (f->next_hole == f->n_holes && f->pending.len >= PIECE)
		put_pending(f, f->bytes);
}

static void add_hole(struct sk_husk *f, uint64_t size)
{
	if (f->next_hole == f->n_holes)
		f->next_hole = f->n_holes = 0;
	if (f->n_holes == f->room) {
		size_t room = f->room ? 2 * f->room : 64;
		struct hole *p = room <= HOLES_MAX ? reallocarray(f->holes, room, sizeof(*p)) : NULL;

		if (!p) {
			f->useless = true;
			return;
		}
		f->holes = p;
		f->room = room;
	}
	f->holes[f->n_holes++] = (struct hole){ .at = f->bytes, .size = size };
}

/* ---- the stream -------------------------------------------------------------------------------------------------- */

/* Octal digits, or a number with the first bit set (GNU tar). False: neither, or more than anything here may have. */
static bool parse_size(const uint8_t *p, uint64_t *ret)
{
	uint64_t n = 0;
	size_t i = 0;

	if (p[0] & 0x80) {
		for (i = 0; i < SIZE_LEN; i++) {
			if (n >> 54)
				return false;
			n = n << 8 | (i ? p[i] : p[i] & 0x7fu);
		}
		*ret = n;
		return true;
	}
	while (i < SIZE_LEN && p[i] == ' ')
		i++;
	for (; i < SIZE_LEN && p[i] >= '0' && p[i] <= '7'; i++)
		n = n << 3 | (uint64_t)(p[i] - '0');
	*ret = n;
	return i == SIZE_LEN || p[i] == ' ' || p[i] == '\0';
}

static bool is_zero(const uint8_t *p, size_t n)
{
	return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

static void begin_header(struct sk_husk *f)
{
	f->state = IN_HEADER;
	f->have = 0;
}

static void header_read(struct sk_husk *f)
{
	uint8_t type = f->header[AT_TYPE];
	uint64_t size;

	begin_header(f);
	if (is_zero(f->header, BLOCK)) {
		f->state = IN_REST;
		return;
	}
	if (!parse_size(f->header + AT_SIZE, &size)) {
		f->useless = true;
		return;
	}
	if (size == 0)
		return;
	f->padding = (size_t)(-size & (BLOCK - 1));
	f->pax = type == 'x' || type == 'g' || type == 'X';
	if (f->pax || type == 'L' || type == 'K') {
		f->useless = size > SK_HUSK_META_MAX;
		f->left = size + f->padding;
		f->padding = 0;
		f->state = IN_META;
	} else if (type == '0' || type == '\0' || type == '7') {
		add_hole(f, size);
		f->left = size;
		f->state = IN_CONTENTS;
	} else {
		f->useless = true;
	}
}

/* What is said of sizes there holds in the place of the next header's: not understood here. */
static void meta_read(struct sk_husk *f)
{
	if (f->pax && f->meta.len && memmem(sk_buf_data(&f->meta), f->meta.len, "size=", 5))
		f->useless = true;
	sk_buf_consume(&f->meta, f->meta.len);
	f->pax = false;
	begin_header(f);
}

/* Takes from the stream what belongs to the state; how much that was. */
static size_t take(struct sk_husk *f, const uint8_t *p, size_t len)
{
	size_t n = len;

	switch (f->state) {
	case IN_HEADER:
		n = len < BLOCK - f->have ? len : BLOCK - f->have;
		memcpy(f->header + f->have, p, n);
		f->have += n;
		literally(f, p, n);
		if (f->have == BLOCK)
			header_read(f);
		break;
	case IN_META:
		n = f->left < len ? (size_t)f->left : len;
		literally(f, p, n);
		if (f->pax && sk_buf_append(&f->meta, p, n) < 0)
			f->useless = true;
		f->left -= n;
		if (f->left == 0)
			meta_read(f);
		break;
	case IN_CONTENTS:
		n = f->left < len ? (size_t)f->left : len;
		f->left -= n;
		if (f->left)
			break;
		f->left = f->padding;
		f->padding = 0;
		if (f->left)
			f->state = IN_META;
		else
			begin_header(f);
		break;
	case IN_REST:
		literally(f, p, n);
		break;
	}
	return n;
}

void sk_husk_bytes(struct sk_husk *f, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (f && len && !f->useless && !f->error) {
		size_t n = take(f, p, len);

		p += n;
		len -= n;
	}
}

void sk_husk_file(struct sk_husk *f, const char *path, uint64_t size)
{
	uint64_t size_le = htole64(size);
	char name[SK_TREE_PATH_MAX];
	const struct hole *hole;
	uint16_t len, len_le;

	if (!f || f->useless || f->error)
		return;
	hole = f->next_hole < f->n_holes ? &f->holes[f->next_hole] : NULL;
	if (!hole || hole->size != size || sk_path_clean(path, name) < 0) {
		f->useless = true;
		return;
	}
	put_pending(f, hole->at);
	f->next_hole++;
	len = (uint16_t)strlen(name);
	len_le = htole16(len);
	put(f, "F", 1);
	put(f, &size_le, sizeof(size_le));
	put(f, &len_le, sizeof(len_le));
	put(f, name, len);
}

int sk_husk_finish(struct sk_husk *f, struct sk_error *err)
{
	if (f->useless || f->next_hole < f->n_holes || f->state == IN_CONTENTS)
		return 1;
	put_pending(f, f->bytes);
	put(f, "E", 1);
	if (!f->error && archive_write_close(f->out) != ARCHIVE_OK)
		f->error = archive_errno(f->out) > 0 ? -archive_errno(f->out) : -EIO;
	return f->error ? sk_error_errno(err, f->error, "cannot write the layer's husk") : 0;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

struct reader {
	struct archive *in;
	const struct sk_husk_sink *sink;
	uint8_t *buf; /* PIECE bytes */
};

static bool get(struct reader *r, void *data, size_t len)
{
	return archive_read_data(r->in, data, len) == (la_ssize_t)len;
}

static int damaged(struct sk_error *err)
{
	return sk_error_set(err, EBADMSG, "the layer's husk is damaged");
}

static int read_bytes(struct reader *r, struct sk_error *err)
{
	uint32_t n;

	if (!get(r, &n, sizeof(n)))
		return damaged(err);
	n = le32toh(n);
	if (n > PIECE || !get(r, r->buf, n))
		return damaged(err);
	return r->sink->bytes(r->sink->arg, r->buf, n, err);
}

static int read_file(struct reader *r, struct sk_error *err)
{
	char name[SK_TREE_PATH_MAX];
	uint64_t size;
	uint16_t len;

	if (!get(r, &size, sizeof(size)) || !get(r, &len, sizeof(len)))
		return damaged(err);
	len = le16toh(len);
	if (len == 0 || len >= sizeof(name) || !get(r, name, len))
		return damaged(err);
	name[len] = '\0';
	return r->sink->file(r->sink->arg, name, le64toh(size), err);
}

static int read_records(struct reader *r, struct sk_error *err)
{
	char kind;
	int rc = 0;

	while (rc == 0) {
		if (!get(r, &kind, 1))
			return damaged(err);
		if (kind == 'E')
			return 0;
		rc = kind == 'B' ? read_bytes(r, err) : kind == 'F' ? read_file(r, err) : damaged(err);
	}
	return rc;
}

int sk_husk_read(int fd, const struct sk_husk_sink *sink, struct sk_error *err)
{
	struct reader r = { .in = archive_read_new(), .sink = sink, .buf = malloc(PIECE) };
	struct archive_entry *e;
	int rc;

	if (!r.in || !r.buf) {
		rc = sk_error_errno(err, ENOMEM, "cannot read the layer's husk");
	} else {
		archive_read_support_filter_gzip(r.in);
		archive_read_support_format_raw(r.in);
		rc = archive_read_open_fd(r.in, fd, PIECE) == ARCHIVE_OK &&
				     archive_read_next_header(r.in, &e) == ARCHIVE_OK
			     ? read_records(&r, err)
			     : damaged(err);
	}
	archive_read_free(r.in);
	free(r.buf);
	return rc;
}
