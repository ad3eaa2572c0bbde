/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_BASE_IOV_H
#define SK_BASE_IOV_H

#include <stddef.h>

/* One segment of a scattered buffer: laid out like POSIX's struct iovec (asserted where one is used as the other). */
struct sk_iov {
	void *base;
	size_t len;
};

size_t sk_iov_len(const struct sk_iov *iov, unsigned n);
/* Copy between bytes off.. of the segments and `buf`; return how many (less than `len` only at the end of the
 * segments). */
size_t sk_iov_get(const struct sk_iov *iov, unsigned n, size_t off, void *buf, size_t len);
size_t sk_iov_put(const struct sk_iov *iov, unsigned n, size_t off, const void *buf, size_t len);
/* Cuts the list down to bytes off..off+len-1 of itself, in place: `*iov` moves forward. Returns the new count. */
unsigned sk_iov_cut(struct sk_iov **iov, unsigned n, size_t off, size_t len);

#endif
