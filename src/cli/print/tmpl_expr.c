/* SPDX-License-Identifier: Apache-2.0 */
/* Pipelines: operands, field chains, calls, variables. A recursive descent over the text that evaluates as it goes. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/jx.h"
#include "cli/print/tmpl_internal.h"

struct expr {
	struct sk_tmpl_run *run;
	json_t *dot;
	const char *start, *p;
};

static json_t *fail_with(struct expr *e, int code, const char *what)
{
	if (!e->run->err->code)
		sk_error_set(e->run->err, code, "template parsing error: template: :1: executing \"\" at <%.100s>: %s",
			     e->start, what);
	return NULL;
}

static json_t *fail(struct expr *e, const char *what)
{
	return fail_with(e, EINVAL, what);
}

static void skip_space(struct expr *e)
{
	while (isspace((unsigned char)*e->p))
		e->p++;
}

static size_t word_length(const char *s)
{
	size_t n = 0;

	while (isalnum((unsigned char)s[n]) || s[n] == '_')
		n++;
	return n;
}

bool sk_tmpl_truth(const json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_NULL:
	case JSON_FALSE:
		return false;
	case JSON_STRING:
		return json_string_length(v) > 0;
	case JSON_INTEGER:
		return json_integer_value(v) != 0;
	case JSON_ARRAY:
		return json_array_size(v) > 0;
	case JSON_OBJECT:
		return json_object_size(v) > 0;
	default:
		return true;
	}
}

int sk_tmpl_set_var(struct sk_tmpl_run *run, const char *name, size_t len, json_t *take_value, bool declare)
{
	size_t i;

	for (i = run->n_vars; !declare && i > 0; i--) {
		struct sk_var *v = &run->vars[i - 1];

		if (strlen(v->name) == len && memcmp(v->name, name, len) == 0) {
			json_decref(v->value);
			v->value = take_value;
			return 0;
		}
	}
	if (!declare || run->n_vars == SK_TMPL_DEPTH || len >= sizeof(run->vars[0].name)) {
		json_decref(take_value);
		return sk_error_set(run->err, EINVAL,
				    "template parsing error: template: :1: undefined or too many variables: %.*s",
				    (int)len, name);
	}
	memcpy(run->vars[run->n_vars].name, name, len);
	run->vars[run->n_vars].name[len] = '\0';
	run->vars[run->n_vars++].value = take_value;
	return 0;
}

static json_t *get_var(struct expr *e, const char *name, size_t len)
{
	size_t i;

	if (len == 1)
		return json_incref(e->run->root);
	for (i = e->run->n_vars; i > 0; i--)
		if (strlen(e->run->vars[i - 1].name) == len && memcmp(e->run->vars[i - 1].name, name, len) == 0)
			return json_incref(e->run->vars[i - 1].value);
	return fail(e, "undefined variable");
}

static json_t *parse_string(struct expr *e)
{
	struct sk_text t = { 0 };
	char quote = *e->p++;
	json_t *v;

	for (; *e->p && *e->p != quote; e->p++) {
		char c = *e->p;

		if (c == '\\' && quote == '"' && e->p[1]) {
			c = *++e->p;
			c = c == 'n' ? '\n' : (c == 't' ? '\t' : (c == 'r' ? '\r' : c));
		}
		sk_text_add(&t, &c, 1);
	}
	if (*e->p)
		e->p++;
	v = sk_jx_str(t.s ? t.s : "");
	sk_text_fini(&t);
	return v;
}

static json_t *parse_number(struct expr *e)
{
	char *end_int, *end_real;
	long long n = strtoll(e->p, &end_int, 0);
	double d = strtod(e->p, &end_real);
	json_t *v = end_real > end_int ? json_real(d) : json_integer(n);

	e->p = end_real > end_int ? end_real : end_int;
	return sk_jx(v);
}

/* {{.Label "name"}} of lists: a method in docker. */
static json_t *label(struct expr *e)
{
	const char *value;
	json_t *name;

	skip_space(e);
	if (*e->p != '"' && *e->p != '`')
		return fail(e, "wrong number of args for Label: want 1 got 0");
	name = parse_string(e);
	value = json_string_value(json_object_get(e->run->labels, json_string_value(name)));
	json_decref(name);
	return sk_jx_str(value ? value : "");
}

/* Docker's maps of text: a key that is not there has no value, where a field that is not there is an error. */
static bool is_map(const char *name)
{
	return strcmp(name, "Labels") == 0 || strcmp(name, "Attributes") == 0 || strcmp(name, "Options") == 0;
}

/* The ".A.B" behind an operand; takes `v`. */
static json_t *follow(struct expr *e, json_t *v)
{
	bool in_map = false;

	while (v && *e->p == '.') {
		size_t n = word_length(e->p + 1);
		char what[96], name[64];
		json_t *next;

		if (n == 0 || n >= sizeof(name)) {
			json_decref(v);
			return fail(e, "bad field name");
		}
		memcpy(name, e->p + 1, n);
		name[n] = '\0';
		e->p += 1 + n;
		next = json_object_get(v, name);
		if (next) {
			json_incref(next);
		} else if (strcmp(name, "Label") == 0 && e->run->labels) {
			next = label(e);
		} else if (in_map && (json_is_object(v) || json_is_null(v))) {
			next = json_null();
		} else {
			snprintf(what, sizeof(what),
				 json_is_object(v) ? "map has no entry for key \"%s\"" : "can't evaluate field %s",
				 name);
			fail_with(e, ENOENT, what);
		}
		json_decref(v);
		v = next;
		in_map = is_map(name);
	}
	return v;
}

static json_t *parse_pipeline(struct expr *e);

/* NULL without an error set: there is no operand here. */
static json_t *parse_operand(struct expr *e)
{
	size_t n;

	skip_space(e);
	if (*e->p == '.') {
		json_t *v = json_incref(e->dot);

		if (word_length(e->p + 1) == 0) {
			e->p++;
			return v;
		}
		return follow(e, v);
	}
	if (*e->p == '$') {
		const char *name = e->p;

		n = 1 + word_length(name + 1);
		e->p += n;
		return follow(e, get_var(e, name, n));
	}
	if (*e->p == '"' || *e->p == '`')
		return parse_string(e);
	if (isdigit((unsigned char)*e->p) || ((*e->p == '-' || *e->p == '+') && isdigit((unsigned char)e->p[1])))
		return parse_number(e);
	if (*e->p == '(') {
		json_t *v;

		e->p++;
		v = parse_pipeline(e);
		skip_space(e);
		if (v && *e->p != ')') {
			json_decref(v);
			return fail(e, "unclosed left paren");
		}
		e->p += *e->p == ')';
		return follow(e, v);
	}
	n = word_length(e->p);
	if ((n == 4 && memcmp(e->p, "true", 4) == 0) || (n == 5 && memcmp(e->p, "false", 5) == 0)) {
		e->p += n;
		return json_boolean(n == 4);
	}
	if (n == 3 && memcmp(e->p, "nil", 3) == 0) {
		e->p += n;
		return json_null();
	}
	if (n && sk_tmpl_is_func(e->p, n)) { /* a function without arguments, as an argument */
		const char *name = e->p;

		e->p += n;
		return sk_tmpl_call(e->run, name, n, NULL, 0);
	}
	return n ? fail(e, "function not defined") : NULL;
}

/* One command of a pipeline; takes `piped`, the value of the one before (may be NULL). */
static json_t *parse_command(struct expr *e, json_t *piped)
{
	json_t *args[SK_TMPL_ARGS], *v = NULL;
	const char *name;
	size_t n_name, n = 0;

	skip_space(e);
	name = e->p;
	n_name = word_length(name);
	if (n_name == 0 || isdigit((unsigned char)*name) || !sk_tmpl_is_func(name, n_name)) {
		v = parse_operand(e);
		if (!v && !e->run->err->code)
			fail(e, "missing value for command");
		skip_space(e);
		if (v && (piped || (*e->p && *e->p != '|' && *e->p != ')'))) {
			json_decref(v);
			v = fail(e, "can't give argument to non-function");
		}
		json_decref(piped);
		return v;
	}
	e->p += n_name;
	while (n < SK_TMPL_ARGS - 1) {
		args[n] = parse_operand(e);
		if (!args[n])
			break;
		n++;
	}
	if (piped)
		args[n++] = piped;
	if (!e->run->err->code)
		v = sk_tmpl_call(e->run, name, n_name, args, n);
	while (n)
		json_decref(args[--n]);
	return v;
}

static json_t *parse_pipeline(struct expr *e)
{
	json_t *v;

	if (++e->run->depth > SK_TMPL_DEPTH)
		return fail(e, "nested too deep");
	v = parse_command(e, NULL);
	for (;;) {
		skip_space(e);
		if (!v || *e->p != '|')
			break;
		e->p++;
		v = parse_command(e, v);
	}
	e->run->depth--;
	return v;
}

json_t *sk_tmpl_eval(struct sk_tmpl_run *run, json_t *dot, const char *pipeline, bool *ret_assigned)
{
	struct expr e = { .run = run, .dot = dot, .start = pipeline, .p = pipeline };
	const char *name = NULL;
	size_t len = 0;
	bool declare = false;
	json_t *v;

	*ret_assigned = false;
	skip_space(&e);
	if (*e.p == '$') {
		const char *p = e.p + 1 + word_length(e.p + 1);

		len = (size_t)(p - e.p);
		while (isspace((unsigned char)*p))
			p++;
		declare = p[0] == ':' && p[1] == '=';
		if (declare || (p[0] == '=' && p[1] != '=')) {
			name = e.p;
			e.p = p + 1 + declare;
		}
	}
	run->depth = 0;
	v = parse_pipeline(&e);
	skip_space(&e);
	if (v && *e.p) {
		json_decref(v);
		return fail(&e, "unexpected characters at the end");
	}
	if (v && name) {
		*ret_assigned = true;
		if (sk_tmpl_set_var(run, name, len, json_incref(v), declare) < 0) {
			json_decref(v);
			return NULL;
		}
	}
	return v;
}
