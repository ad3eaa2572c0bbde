/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_FUZZ_IMAGE_TARMUT_H
#define SK_FUZZ_IMAGE_TARMUT_H

#include <stdio.h>
#include <string.h>

#include "../input.h"

/* Mutates a tar, and makes the headers' checksums right again most of the time: or nothing would get past them. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	size_t at, i;

	size = LLVMFuzzerMutate(data, size, max);
	for (at = 0; seed % 8 && at + 512 <= size; at += 512) {
		unsigned sum = 0;
		char text[8];

		if (memcmp(data + at + 257, "ustar", 5) != 0)
			continue;
		memset(data + at + 148, ' ', 8);
		for (i = 0; i < 512; i++)
			sum += data[at + i];
		snprintf(text, sizeof(text), "%06o", sum);
		memcpy(data + at + 148, text, 7);
	}
	return size;
}

#endif
