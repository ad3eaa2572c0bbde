/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_CLI_TABLE_H
#define SK_CLI_TABLE_H

#include <stdio.h>

#include "model/xmem.h"

/*
 * Columns as Go's text/tabwriter makes them for docker: lines with cells parted by tabs; a column is as wide as its
 * widest cell plus three spaces, at least ten; the last cell of a line is not padded. All lines are kept until the end.
 */
struct sk_table {
	struct sk_strv lines;
};

/* One line, without newline. */
void sk_table_add(struct sk_table *t, const char *line);
/* Writes all lines and releases them. */
void sk_table_write(struct sk_table *t, FILE *out);
/* Columns that a terminal shows for UTF-8 text: one for each character. */
size_t sk_text_width(const char *s, size_t n);

#endif
