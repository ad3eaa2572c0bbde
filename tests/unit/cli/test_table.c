/* SPDX-License-Identifier: Apache-2.0 */
#include "../sk_test.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/print/table.h"

static void test_table(void **state)
{
	struct sk_table t = { 0 };
	char buf[256] = "";
	FILE *out = fmemopen(buf, sizeof(buf), "w");

	(void)state;
	sk_table_add(&t, "ID\tNAME\tEND");
	sk_table_add(&t, "0123456789ab\tä\tx");
	sk_table_write(&t, out);
	fclose(out);
	assert_string_equal(buf, "ID             NAME      END\n0123456789ab   ä         x\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_table) };

	return cmocka_run_group_tests_name("cli-table", tests, NULL, NULL);
}
