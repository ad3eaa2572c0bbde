/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WSL's metadata as anybody may have written it. The first byte says what the rest is: EAs, a reparse point, a name.
 * What was read is written again and read back the same; other programs' EAs stay.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "../input.h"
#include "export/lxmeta.h"
#include "export/windows_name.h"

static void try_ea(const uint8_t *ea, size_t len)
{
	struct sk_lx_meta m, again;
	uint8_t *out = malloc(SK_LX_EA_MAX), *twice = malloc(SK_LX_EA_MAX);
	int r = sk_lx_ea_read(ea, len, &m), n, n2;

	n = sk_lx_ea_write(ea, len, &m, false, out, SK_LX_EA_MAX);
	assert(r == 0 || n < 0);
	if (n >= 0) {
		assert(sk_lx_ea_read(out, (size_t)n, &again) == 0 && memcmp(&m, &again, sizeof(m)) == 0);
		n2 = sk_lx_ea_write(out, (size_t)n, &m, false, twice, SK_LX_EA_MAX);
		assert(n2 == n && memcmp(out, twice, (size_t)n) == 0);
		assert(sk_lx_ea_write(ea, len, &m, true, twice, SK_LX_EA_MAX) == n);
		assert(sk_lx_ea_read(twice, (size_t)n, &again) == 0 && memcmp(&m, &again, sizeof(m)) == 0);
	}
	free(out);
	free(twice);
}

/* Each attribute that is listed is there, and is gone when it was removed. */
static void try_xattrs(const uint8_t *ea, size_t len)
{
	uint8_t *out = malloc(SK_LX_EA_MAX);
	int n = sk_lx_xattr_list(ea, len, NULL, 0), at, k;
	char *names = malloc((size_t)n + 1), value[64];

	assert(n >= 0 && sk_lx_xattr_list(ea, len, names, (size_t)n) == n);
	for (at = 0; at < n; at += (int)strlen(names + at) + 1) {
		assert(strncmp(names + at, "user.", 5) == 0 && names[at + 5]);
		assert(sk_lx_xattr_get(ea, len, names + at, value, sizeof(value)) >= 0);
		k = sk_lx_xattr_drop(ea, len, names + at, false, out, SK_LX_EA_MAX);
		if (k >= 0)
			assert(sk_lx_xattr_get(out, (size_t)k, names + at, NULL, 0) < 0);
	}
	assert(sk_lx_xattr_get(ea, len, "user.", value, sizeof(value)) < 0);
	free(names);
	free(out);
}

static void try_reparse(const uint8_t *data, size_t len)
{
	enum sk_lx_reparse is;
	char target[SK_LX_TARGET_MAX];
	int r = sk_lx_reparse_read(data, len, &is, target);

	assert(memchr(target, 0, sizeof(target)));
	if (r == 0 && (is == SK_LX_REPARSE_LINK || is == SK_LX_REPARSE_FOREIGN))
		assert(*target);
}

static void try_name(const uint8_t *data, size_t len)
{
	char *name = malloc(len + 1), *back = malloc(len + 1), host[256];

	memcpy(name, data, len);
	name[len] = 0;
	sk_windows_name_unescape(name, back);
	assert(strlen(back) <= strlen(name));
	if (sk_windows_name_escape(name, host, sizeof(host)) == 0) {
		assert(!strpbrk(host, "\"*:<>?\\|\x01\x1f"));
		sk_windows_name_unescape(host, host);
		assert(strcmp(host, name) == 0);
	}
	free(name);
	free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy;

	if (size == 0 || size > 70000)
		return 0;
	/* Of exactly that size: a read behind the end is seen. */
	copy = malloc(size > 1 ? size - 1 : 1);
	memcpy(copy, data + 1, size - 1);
	if (data[0] % 3 == 0) {
		try_ea(copy, size - 1);
		try_xattrs(copy, size - 1);
	} else if (data[0] % 3 == 1) {
		try_reparse(copy, size - 1);
	} else {
		try_name(copy, size - 1);
	}
	free(copy);
	return 0;
}
