/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_IMAGE_DIGEST_H
#define SK_IMAGE_DIGEST_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

/* "sha256:" and 64 hexadecimal digits: the only digests that we take (OCI image-spec, descriptor.md, "Digests"). */
#define SK_DIGEST_HEX 64
#define SK_DIGEST_LEN (7 + SK_DIGEST_HEX)

struct sk_digest {
	char text[SK_DIGEST_LEN + 1];
};

/* The part behind "sha256:", which is also a file name. */
static inline const char *sk_digest_hex(const struct sk_digest *d)
{
	return d->text + 7;
}

/* `s` is "sha256:<64 lower-case hexadecimal digits>". False: it is not, `*ret` untouched. */
bool sk_digest_parse(const char *s, struct sk_digest *ret);
/* The same from the bare digits. */
bool sk_digest_from_hex(const char *hex, struct sk_digest *ret);
/* `n` >= 1 characters, all of them lower-case hexadecimal digits. */
bool sk_is_hex(const char *s, size_t n);
bool sk_digest_equal(const struct sk_digest *a, const struct sk_digest *b);

struct sk_hash;

/* Running SHA-256. fini accepts a zeroed one. */
struct sk_sha256 {
	struct sk_hash *hash;
};
int sk_sha256_init(struct sk_sha256 *h); /* -ENOMEM */
void sk_sha256_fini(struct sk_sha256 *h);
void sk_sha256_update(struct sk_sha256 *h, const void *data, size_t len);
/* Ends it; only fini may follow. */
void sk_sha256_final(struct sk_sha256 *h, struct sk_digest *ret);
/* Of a buffer; -ENOMEM. */
int sk_sha256_buffer(const void *data, size_t len, struct sk_digest *ret);
/* Of a file from its beginning. -EINTR once `*stop` (may be NULL) is not 0. */
int sk_sha256_fd(int fd, const volatile sig_atomic_t *stop, struct sk_digest *ret);

#endif
