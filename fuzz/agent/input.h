/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_FUZZ_AGENT_INPUT_H
#define SK_FUZZ_AGENT_INPUT_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
