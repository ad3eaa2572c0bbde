/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_TESTS_UNIT_CLI_WRITTEN_H
#define SK_TESTS_UNIT_CLI_WRITTEN_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* What is written to a file: open_memstream() for systems without it. */
static FILE *written_open(void)
{
	FILE *f = tmpfile();

	assert_non_null(f);
	return f;
}

/* Closes it; malloc'd. */
static char *written_end(FILE *f)
{
	char *text = calloc(1, 65536);

	assert_non_null(text);
	rewind(f);
	assert_true(fread(text, 1, 65535, f) < 65535);
	fclose(f);
	return text;
}

#endif
