/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
	return err->code ? -err->code : -EIO;
}
