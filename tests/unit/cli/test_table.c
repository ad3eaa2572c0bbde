/* SPDX-License-Identifier: Apache-2.0 */
#include "../sk_test.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/print/table.h"
#include "written.h"

static void test_table(void **state)
{
	struct sk_table t = { 0 };
	FILE *out = written_open();
	char *text;

	(void)state;
	sk_table_add(&t, "ID\tNAME\tEND");
	sk_table_add(&t, "0123456789ab\tä\tx");
	sk_table_write(&t, out);
	text = written_end(out);
	assert_string_equal(text, "ID             NAME      END\n0123456789ab   ä         x\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_table) };

	return cmocka_run_group_tests_name("cli-table", tests, NULL, NULL);
}
