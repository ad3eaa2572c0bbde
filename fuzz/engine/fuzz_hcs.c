/* SPDX-License-Identifier: Apache-2.0 */
/* What the Host Compute System answers. The first byte says which document it is, the four behind it are an error code. */
#include <assert.h>
#include <string.h>

#include "../input.h"
#include "engine/hcs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sk_error err = SK_ERROR_INIT;
	char id[SK_HCS_ID_SIZE];
	struct sk_hcs_exit end;
	const char *text;
	uint32_t code;
	unsigned minor;

	if (size < 5)
		return 0;
	memcpy(&code, data + 1, sizeof(code));
	text = (const char *)data + 5;
	size -= 5;
	switch (data[0] & 3) {
	case 0:
		assert(sk_hcs_error(code, text, size, &err, "test") < 0 && err.code > 0 && err.message[0]);
		break;
	case 1:
		if (sk_hcs_parse_exit(text, size, &end) < 0)
			assert(end.type == SK_HCS_EXIT_UNKNOWN && end.status == 0);
		break;
	case 2:
		assert(sk_hcs_parse_schema(text, size, &minor) < 0 || minor < 1000);
		break;
	default:
		assert(sk_hcs_parse_runtime_id(text, size, id) < 0 ? !id[0] : strlen(id) == SK_HCS_ID_SIZE - 1);
		break;
	}
	return 0;
}
