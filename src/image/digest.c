/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 digests: as text, of memory, of a file. */
#include "image/digest.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/hash.h"

bool sk_is_hex(const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f')))
			return false;
	return n > 0;
}

bool sk_digest_from_hex(const char *hex, struct sk_digest *ret)
{
	if (strlen(hex) != SK_DIGEST_HEX || !sk_is_hex(hex, SK_DIGEST_HEX))
		return false;
	memcpy(ret->text, "sha256:", 7);
	memcpy(ret->text + 7, hex, SK_DIGEST_HEX + 1);
	return true;
}

bool sk_digest_parse(const char *s, struct sk_digest *ret)
{
	return s && strncmp(s, "sha256:", 7) == 0 && sk_digest_from_hex(s + 7, ret);
}

bool sk_digest_equal(const struct sk_digest *a, const struct sk_digest *b)
{
	return strcmp(a->text, b->text) == 0;
}

int sk_sha256_init(struct sk_sha256 *h)
{
	h->hash = sk_hash_new();
	return h->hash ? 0 : -ENOMEM;
}

void sk_sha256_fini(struct sk_sha256 *h)
{
	sk_hash_free(h->hash);
	h->hash = NULL;
}

void sk_sha256_update(struct sk_sha256 *h, const void *data, size_t len)
{
	sk_hash_update(h->hash, data, len);
}

void sk_sha256_final(struct sk_sha256 *h, struct sk_digest *ret)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t md[SK_HASH_BYTES];
	char *p = ret->text + 7;
	size_t i;

	sk_hash_final(h->hash, md);
	memcpy(ret->text, "sha256:", 7);
	for (i = 0; i < SK_HASH_BYTES; i++) {
		*p++ = digits[md[i] >> 4];
		*p++ = digits[md[i] & 15];
	}
	*p = '\0';
}

int sk_sha256_buffer(const void *data, size_t len, struct sk_digest *ret)
{
	struct sk_sha256 h;
	int r = sk_sha256_init(&h);

	if (r < 0)
		return r;
	sk_sha256_update(&h, data, len);
	sk_sha256_final(&h, ret);
	sk_sha256_fini(&h);
	return 0;
}

int sk_sha256_fd(int fd, const volatile sig_atomic_t *stop, struct sk_digest *ret)
{
	enum { BLOCK = 1 << 18 };
	_cleanup_free_ char *block = malloc(BLOCK);
	struct sk_sha256 h = { NULL };
	off_t at = 0;
	ssize_t n = 0;
	int r = block ? sk_sha256_init(&h) : -ENOMEM;

	while (r == 0 && (n = pread(fd, block, BLOCK, at)) > 0) {
		sk_sha256_update(&h, block, (size_t)n);
		at += n;
		if (stop && *stop)
			r = -EINTR;
	}
	if (r == 0 && n < 0)
		r = -errno;
	if (r == 0)
		sk_sha256_final(&h, ret);
	sk_sha256_fini(&h);
	return r;
}
