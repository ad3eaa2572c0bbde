/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_TESTS_UNIT_SK_TEST_H
#define SK_TESTS_UNIT_SK_TEST_H

/* The headers that cmocka.h needs before it, in one place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
