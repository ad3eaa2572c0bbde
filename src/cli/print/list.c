/* SPDX-License-Identifier: Apache-2.0 */
/* Lists: docker's tables, --format with its headers, JSON lines. The columns are the command's. */
#include "cli/print/list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/jx.h"
#include "cli/print/table.h"
#include "cli/print/tmpl.h"

static void tmpl_free(struct sk_tmpl **t)
{
	sk_tmpl_free(*t);
}
#define _cleanup_tmpl_ _cleanup_(tmpl_free)

/* Shells pass "\t" as two characters. malloc'd. */
static char *unescape(const char *s)
{
	char *out = sk_xcalloc(strlen(s) + 1, 1);
	size_t n = 0;

	for (; *s; s++) {
		if (s[0] == '\\' && (s[1] == 't' || s[1] == 'n'))
			out[n++] = *++s == 't' ? '\t' : '\n';
		else
			out[n++] = *s;
	}
	return out;
}

enum form {
	FORM_TABLE,
	FORM_JSON,
	FORM_LINES,
};

/* `*ret_template` is malloc'd, NULL for JSON. */
static enum form form_of(const struct sk_list *list, char **ret_template)
{
	const char *f = list->format ? list->format : "table";

	if (strcmp(f, "json") == 0) {
		*ret_template = NULL;
		return FORM_JSON;
	}
	if (strcmp(f, "table") == 0 || !*f) {
		*ret_template = sk_xstrdup(list->table);
		return FORM_TABLE;
	}
	if (strncmp(f, "table ", 6) == 0) {
		*ret_template = unescape(f + 6);
		return FORM_TABLE;
	}
	*ret_template = unescape(f);
	return FORM_LINES;
}

static void print_json(json_t *row, FILE *out)
{
	_cleanup_free_ char *text = json_dumps(row, JSON_COMPACT | JSON_SORT_KEYS);

	fprintf(out, "%s\n", text ? text : "{}");
}

static void fill_header(const struct sk_list *list, json_t *row)
{
	const struct sk_column *c;

	for (c = list->columns; c->field; c++)
		sk_jx_set_str(row, c->field, c->header);
}

/* The row of headers: the template run on them. */
static void add_header(const struct sk_list *list, const struct sk_tmpl *t, struct sk_table *table)
{
	_cleanup_json_ json_t *row = sk_jx_object(), *labels = sk_jx_object();
	_cleanup_text_ struct sk_text line = { 0 };
	struct sk_error ignored = SK_ERROR_INIT;

	fill_header(list, row);
	sk_tmpl_run(t, row, labels, &line, &ignored);
	sk_table_add(table, line.s ? line.s : "");
}

int sk_list_check(const struct sk_list *list, struct sk_error *err)
{
	_cleanup_json_ json_t *row = sk_jx_object(), *labels = sk_jx_object();
	_cleanup_free_ char *template = NULL;
	_cleanup_tmpl_ struct sk_tmpl *t = NULL;
	_cleanup_text_ struct sk_text line = { 0 };
	struct sk_error own = SK_ERROR_INIT;
	int r;

	if (form_of(list, &template) == FORM_JSON)
		return 0;
	r = sk_tmpl_parse(template, &t, err);
	if (r < 0)
		return r;
	fill_header(list, row);
	/* What else fails on headers may do on rows. */
	if (sk_tmpl_run(t, row, labels, &line, &own) < 0 && own.code == ENOENT)
		return sk_error_set(err, EINVAL, "%s", own.message);
	return 0;
}

int sk_list_print(const struct sk_list *list, const json_t *rows, FILE *out, struct sk_error *err)
{
	_cleanup_free_ char *template = NULL;
	_cleanup_tmpl_ struct sk_tmpl *t = NULL;
	enum form form = form_of(list, &template);
	struct sk_table table = { 0 };
	json_t *row;
	size_t i;
	int r = form == FORM_JSON ? 0 : sk_tmpl_parse(template, &t, err);

	if (r == 0 && form == FORM_TABLE)
		add_header(list, t, &table);
	json_array_foreach(rows, i, row)
	{
		_cleanup_json_ json_t *labels = NULL, *shown = NULL;
		_cleanup_text_ struct sk_text line = { 0 };

		if (r < 0)
			break;
		shown = sk_jx(json_copy(row));
		labels = json_incref(json_object_get(row, SK_ROW_LABELS));
		json_object_del(shown, SK_ROW_LABELS);
		if (form == FORM_JSON) {
			print_json(shown, out);
			continue;
		}
		r = sk_tmpl_run(t, shown, labels, &line, err);
		if (r == 0 && form == FORM_TABLE)
			sk_table_add(&table, line.s ? line.s : "");
		else if (r == 0)
			fprintf(out, "%s\n", line.s ? line.s : "");
	}
	if (r == 0)
		sk_table_write(&table, out);
	else
		sk_strv_fini(&table.lines);
	return r;
}

int sk_format_check(const char *format, struct sk_error *err)
{
	_cleanup_free_ char *template = NULL;
	_cleanup_tmpl_ struct sk_tmpl *t = NULL;

	if (!format || strcmp(format, "json") == 0)
		return 0;
	template = unescape(format);
	return sk_tmpl_parse(template, &t, err);
}

int sk_format_one(const char *format, json_t *value, FILE *out, struct sk_error *err)
{
	_cleanup_free_ char *template = NULL;
	_cleanup_text_ struct sk_text text = { 0 };
	_cleanup_tmpl_ struct sk_tmpl *t = NULL;
	int r;

	if (strcmp(format, "json") == 0) {
		print_json(value, out);
		return 0;
	}
	template = unescape(format);
	r = sk_tmpl_parse(template, &t, err);
	if (r == 0)
		r = sk_tmpl_run(t, value, NULL, &text, err);
	if (r == 0)
		fprintf(out, "%s\n", text.s ? text.s : "");
	return r;
}

char *sk_list_labels(const json_t *labels)
{
	struct sk_text t = { 0 };
	const char *key;
	json_t *v;
	char *text;

	json_object_foreach((json_t *)(uintptr_t)labels, key, v)
		sk_text_printf(&t, "%s%s=%s", t.len ? "," : "", key, json_string_value(v));
	text = sk_text_take(&t);
	sk_clean_text(text); /* images choose some of them */
	return text;
}
