/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Length of the UTF-8 character at `p`; 0: none, or a control character. */
static size_t printable(const unsigned char *p)
{
	size_t n = *p < 0x80		     ? 1
		   : *p >= 0xc2 && *p < 0xe0 ? 2
		   : *p >= 0xe0 && *p < 0xf0 ? 3
		   : *p >= 0xf0 && *p < 0xf5 ? 4
					     : 0,
	       i;

	if ((*p < 0x20 && *p != '\n' && *p != '\t') || *p == 0x7f || (*p == 0xc2 && p[1] < 0xa0))
		return 0;
	for (i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

/* Messages go to terminals, and name files, images and more that a container or an archive has chosen. */
void sk_clean_text(char *text)
{
	unsigned char *p = (unsigned char *)text;

	while (*p) {
		size_t n = printable(p);

		if (n == 0)
			*p = '?';
		p += n ? n : 1;
	}
}

int sk_error_set(struct sk_error *err, int code, const char *fmt, ...)
{
	code = abs(code);
	if (code == 0)
		code = EIO;
	if (err) {
		va_list ap;

		err->code = code;
		va_start(ap, fmt);
		vsnprintf(err->message, sizeof(err->message), fmt, ap);
		va_end(ap);
		sk_clean_text(err->message);
	}
	return -code;
}

int sk_error_errno(struct sk_error *err, int code, const char *fmt, ...)
{
	code = abs(code);
	if (code == 0)
		code = EIO;
	if (err) {
		va_list ap;
		size_t len;

		err->code = code;
		va_start(ap, fmt);
		vsnprintf(err->message, sizeof(err->message), fmt, ap);
		va_end(ap);
		len = strlen(err->message);
		snprintf(err->message + len, sizeof(err->message) - len, ": %s", strerror(code));
		sk_clean_text(err->message);
	}
	return -code;
}

int sk_error_wrap(struct sk_error *err, const char *fmt, ...)
{
	char inner[SK_ERROR_MAX];
	va_list ap;
	size_t len;

	if (!err)
		return -EIO;
	memcpy(inner, err->message, sizeof(inner));
	va_start(ap, fmt);
	vsnprintf(err->message, sizeof(err->message), fmt, ap);
	va_end(ap);
	len = strlen(err->message);
	snprintf(err->message + len, sizeof(err->message) - len, ": %s", inner);
	sk_clean_text(err->message);
	return err->code ? -err->code : -EIO;
}
