/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Authentication with a shared secret, over an auth fid. The secret itself is never sent.
 *
 *   Tauth afid uname aname n_uname
 *   Tread afid, 32 bytes:   a random challenge, new for each Tauth
 *   Twrite afid, 32 bytes:  HMAC-SHA256(secret, "skerry-9p\0" challenge n_uname[4, little-endian]
 *                           len[2] uname len[2] aname)
 *   Tattach with that afid and the same uname, aname, n_uname
 *
 * This proves knowledge of the secret at the beginning of a connection. It does not encrypt or sign what follows: use
 * it on networks where others cannot put themselves in between, or through a tunnel.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/id.h"
#include "ninep/codec.h"
#include "ninepd/ninepd.h"

#define PROOF SK_HASH_BYTES
#define TEXT_MAX 4096u

struct exchange {
	struct ninepd_proof *proof;
	uint8_t challenge[PROOF], got[PROOF];
	size_t have;
};

/* The proof for these three; false: too long. */
static bool compute(const struct ninepd *d, const uint8_t challenge[PROOF], struct p9_str uname, struct p9_str aname,
		    uint32_t n_uname, uint8_t ret[PROOF])
{
	static const char label[] = "skerry-9p";
	uint8_t text[sizeof(label) + PROOF + 8 + 2 * TEXT_MAX], *p = text;

	if (uname.len > TEXT_MAX || aname.len > TEXT_MAX)
		return false;
	memcpy(p, label, sizeof(label));
	p += sizeof(label);
	memcpy(p, challenge, PROOF);
	p += PROOF;
	p9_put32(p, n_uname);
	p9_put16(p + 4, uname.len);
	p += 6;
	if (uname.len)
		memcpy(p, uname.p, uname.len);
	p += uname.len;
	p9_put16(p, aname.len);
	p += 2;
	if (aname.len)
		memcpy(p, aname.p, aname.len);
	p += aname.len;
	return sk_hash_hmac(d->secret, d->secret_len, text, (size_t)(p - text), ret);
}

static int auth_begin(void *arg, struct p9_str uname, struct p9_str aname, uint32_t n_uname, void **ret_exchange)
{
	struct exchange *x = calloc(1, sizeof(*x));

	if (!x)
		return -P9_ENOMEM;
	(void)uname;
	(void)aname;
	(void)n_uname;
	x->proof = arg;
	sk_random(x->challenge, sizeof(x->challenge));
	*ret_exchange = x;
	return 0;
}

static int auth_read(void *exchange, uint64_t offset, void *buf, size_t n)
{
	const struct exchange *x = exchange;

	if (offset >= PROOF)
		return 0;
	if (n > PROOF - offset)
		n = PROOF - (size_t)offset;
	memcpy(buf, x->challenge + offset, n);
	return (int)n;
}

static int auth_write(void *exchange, uint64_t offset, const void *buf, size_t n)
{
	struct exchange *x = exchange;

	if (offset != x->have || n > PROOF - x->have)
		return -P9_EINVAL;
	memcpy(x->got + x->have, buf, n);
	x->have += n;
	return (int)n;
}

static bool auth_passed(void *exchange, struct p9_str uname, struct p9_str aname, uint32_t n_uname)
{
	/* Computed from the fields of the attach, not from those of the auth: the proof has to be for the attach. */
	const struct exchange *x = exchange;
	uint8_t expected[PROOF];
	bool passed = x->have == PROOF && compute(x->proof->d, x->challenge, uname, aname, n_uname, expected) &&
		      sk_hash_equal(x->got, expected);

	x->proof->given |= passed;
	return passed;
}

static void auth_end(void *exchange)
{
	struct exchange *x = exchange;

	sk_wipe(x, sizeof(*x));
	free(x);
}

const struct sk_9p_auth_ops ninepd_auth = {
	.begin = auth_begin,
	.read = auth_read,
	.write = auth_write,
	.passed = auth_passed,
	.end = auth_end,
};
