/* SPDX-License-Identifier: Apache-2.0 */
#include "base/iov.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

size_t sk_iov_len(const struct sk_iov *iov, unsigned n)
{
	size_t sum = 0;
	unsigned i;

	for (i = 0; i < n; i++)
		sum += iov[i].len;
	return sum;
}

static size_t copy(const struct sk_iov *iov, unsigned n, size_t off, uint8_t *buf, size_t len, bool put)
{
	size_t done = 0;
	unsigned i;

	for (i = 0; i < n && done < len; i++) {
		size_t now;
		uint8_t *at;

		if (off >= iov[i].len) {
			off -= iov[i].len;
			continue;
		}
		now = iov[i].len - off;
		if (now > len - done)
			now = len - done;
		at = (uint8_t *)iov[i].base + off;
		if (put)
			memcpy(at, buf + done, now);
		else
			memcpy(buf + done, at, now);
		done += now;
		off = 0;
	}
	return done;
}

size_t sk_iov_get(const struct sk_iov *iov, unsigned n, size_t off, void *buf, size_t len)
{
	return copy(iov, n, off, buf, len, false);
}

size_t sk_iov_put(const struct sk_iov *iov, unsigned n, size_t off, const void *buf, size_t len)
{
	return copy(iov, n, off, (uint8_t *)(uintptr_t)buf, len, true);
}

unsigned sk_iov_cut(struct sk_iov **iov, unsigned n, size_t off, size_t len)
{
	struct sk_iov *v = *iov;
	unsigned i;

	while (n && off >= v->len) {
		off -= v->len;
		v++;
		n--;
	}
	*iov = v;
	if (!n || !len)
		return 0;
	v->base = (uint8_t *)v->base + off;
	v->len -= off;
	for (i = 0; i < n && len > v[i].len; i++)
		len -= v[i].len;
	if (i == n)
		return n;
	v[i].len = len;
	return i + 1;
}
