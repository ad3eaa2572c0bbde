/* SPDX-License-Identifier: Apache-2.0 */
#include "base/platform/windows/system.h"

wchar_t *sk_win_wide(const char *text)
{
	int n = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, NULL, 0);
	wchar_t *w;

	if (n <= 0) {
		errno = EILSEQ;
		return NULL;
	}
	w = malloc((size_t)n * sizeof(*w));
	if (w)
		MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, w, n);
	return w;
}

char *sk_win_utf8(const wchar_t *text, size_t len)
{
	int n = len ? WideCharToMultiByte(CP_UTF8, WC_ERR_INVALID_CHARS, text, (int)len, NULL, 0, NULL, NULL) : 0;
	char *s;

	if (len && n <= 0) {
		errno = EILSEQ;
		return NULL;
	}
	s = malloc((size_t)n + 1);
	if (!s)
		return NULL;
	if (len)
		WideCharToMultiByte(CP_UTF8, WC_ERR_INVALID_CHARS, text, (int)len, s, n, NULL, NULL);
	s[n] = '\0';
	return s;
}
