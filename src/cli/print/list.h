/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_CLI_LIST_H
#define SK_CLI_LIST_H

#include <jansson.h>
#include <stdio.h>

#include "base/error.h"

/*
 * The forms of `--format` for a list: "table" (the command's own), "table TEMPLATE", "json" (an object a line), or a
 * template a line. Rows are objects of strings; their names are what templates know as {{.Name}}.
 */
struct sk_column {
	const char *field;
	const char *header; /* "CONTAINER ID" */
};

struct sk_list {
	const char *format;		 /* as given, or NULL */
	const char *table;		 /* template of the command's own table, without "table " */
	const struct sk_column *columns; /* closed by a field NULL */
};

/* Checks the format before there is work to do, also the names of fields that it uses whatever the rows are. */
int sk_list_check(const struct sk_list *list, struct sk_error *err);
/* `rows`: array of objects; a member "\1labels" of a row (an object) serves {{.Label "x"}} and is not shown. */
int sk_list_print(const struct sk_list *list, const json_t *rows, FILE *out, struct sk_error *err);
#define SK_ROW_LABELS "\001labels"

/* "key=value,…" of an object of labels; malloc'd. */
char *sk_list_labels(const json_t *labels);

/* Exit code of a broken template where one value is printed, docker's. */
#define SK_EXIT_TEMPLATE 64
/* Checks a format of sk_format_one() before there is work to do; NULL and "" are no template. */
int sk_format_check(const char *format, struct sk_error *err);
/* One value by a template or "json", for inspect, info, version. */
int sk_format_one(const char *format, json_t *value, FILE *out, struct sk_error *err);

#endif
