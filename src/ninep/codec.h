/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_NINEP_CODEC_H
#define SK_NINEP_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "ninep/proto.h"

/* Little-endian fields at any address. */
static inline uint16_t p9_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}
static inline uint32_t p9_get32(const uint8_t *p)
{
	return (uint32_t)p9_get16(p) | (uint32_t)p9_get16(p + 2) << 16;
}
static inline uint64_t p9_get64(const uint8_t *p)
{
	return (uint64_t)p9_get32(p) | (uint64_t)p9_get32(p + 4) << 32;
}
static inline void p9_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}
static inline void p9_put32(uint8_t *p, uint32_t v)
{
	p9_put16(p, (uint16_t)v);
	p9_put16(p + 2, (uint16_t)(v >> 16));
}
static inline void p9_put64(uint8_t *p, uint64_t v)
{
	p9_put32(p, (uint32_t)v);
	p9_put32(p + 4, (uint32_t)(v >> 32));
}

/*
 * Decodes one message. `buf` holds the first `avail` bytes of it; the size field says how long it is and has to be
 * avail, except for messages that end in data (Twrite, Rread, Rreaddir …), whose data may be left out. Strings and data
 * point into `buf`. Returns 0; -P9_EOPNOTSUPP: no such type (type and tag are set); -P9_EPROTO: truncated, too long, or
 * a count that does not fit (type and tag are set when there were 7 bytes).
 */
int p9_decode(const uint8_t *buf, size_t avail, struct p9_msg *ret_msg);

/*
 * Encodes `msg`. Data without a pointer is counted in the size field but not written. Returns the bytes written, or
 * -P9_EMSGSIZE when `cap` is too small, -P9_EINVAL for a type that does not exist.
 */
long p9_encode(const struct p9_msg *msg, uint8_t *buf, size_t cap);

/* "Twalk" and the like, for the log; "?" for a type that does not exist. */
const char *p9_type_name(uint8_t type);

/* One directory entry of Rreaddir: qid[13] offset[8] type[1] name[s]. Bytes written, or 0 when it does not fit. */
size_t p9_put_dirent(uint8_t *buf, size_t cap, const struct p9_qid *qid, uint64_t offset, uint8_t type,
		     const char *name, size_t len);
/* Reads one; bytes used, or 0: truncated. */
size_t p9_get_dirent(const uint8_t *buf, size_t len, struct p9_qid *ret_qid, uint64_t *ret_offset, uint8_t *ret_type,
		     struct p9_str *ret_name);

/* The same of Rreaddirx: flags[4] offset[8] attr[153] name[s]. */
#define P9_DIRENTX_MIN 167u
size_t p9_put_direntx(uint8_t *buf, size_t cap, uint32_t flags, uint64_t offset, const struct p9_attr *attr,
		      const char *name, size_t len);
size_t p9_get_direntx(const uint8_t *buf, size_t len, uint32_t *ret_flags, uint64_t *ret_offset,
		      struct p9_attr *ret_attr, struct p9_str *ret_name);

#endif
