/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever decodes, encodes to the same bytes. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ninep/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct p9_msg m;
	uint8_t *copy, *out;
	long n;

	if (size > 70000)
		return 0;
	/* Of exactly that size: a read behind the end is seen. */
	copy = malloc(size ? size : 1);
	out = malloc(size + 8);
	memcpy(copy, data, size);
	if (size >= 4)
		p9_put32(copy, (uint32_t)size);
	if (p9_decode(copy, size, &m) == 0) {
		n = p9_encode(&m, out, size + 8);
		/* The one optional field is always written. */
		assert(n == (long)size || (m.type == P9_TFSYNC && n == (long)size + 4));
		if (n == (long)size)
			assert(memcmp(copy, out, size) == 0);
	}
	if (size > P9_TWRITE_HEADER && p9_decode(copy, P9_TWRITE_HEADER, &m) == 0)
		assert(m.type == P9_TWRITE || m.type == P9_TWRITEX || m.type == P9_RREAD || m.type == P9_RREADDIR ||
		       m.type == P9_RREADDIRX || m.type == P9_RNOTIFY);
	free(copy);
	free(out);
	return 0;
}
