/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/print/table.h"

#include <stdlib.h>
#include <string.h>

#define MIN_WIDTH 10
#define PADDING 3

size_t sk_text_width(const char *s, size_t n)
{
	size_t i, width = 0;

	for (i = 0; i < n; i++)
		width += ((unsigned char)s[i] & 0xc0) != 0x80;
	return width;
}

void sk_table_add(struct sk_table *t, const char *line)
{
	sk_strv_add(&t->lines, line);
}

/* Calls for each cell that a tab ends, so not for the last one. */
static const char *next_cell(const char *s, size_t *ret_len)
{
	const char *tab = strchr(s, '\t');

	*ret_len = tab ? (size_t)(tab - s) : strlen(s);
	return tab ? tab + 1 : NULL;
}

void sk_table_write(struct sk_table *t, FILE *out)
{
	size_t *widths = NULL, n_widths = 0, i, len, col;
	const char *cell, *next;

	for (i = 0; i < t->lines.n; i++) {
		for (col = 0, cell = t->lines.v[i]; (next = next_cell(cell, &len)); cell = next, col++) {
			if (col == n_widths) {
				widths = sk_xrealloc(widths, ++n_widths, sizeof(*widths));
				widths[col] = MIN_WIDTH;
			}
			if (sk_text_width(cell, len) + PADDING > widths[col])
				widths[col] = sk_text_width(cell, len) + PADDING;
		}
	}
	for (i = 0; i < t->lines.n; i++) {
		for (col = 0, cell = t->lines.v[i]; cell; cell = next, col++) {
			next = next_cell(cell, &len);
			fwrite(cell, 1, len, out);
			if (next)
				fprintf(out, "%*s", (int)(widths[col] - sk_text_width(cell, len)), "");
		}
		fputc('\n', out);
	}
	free(widths);
	sk_strv_fini(&t->lines);
}
