/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Templates: the text is cut into nodes once (parse), blocks get the indexes of their else and end, and a run walks the
 * nodes. Pipelines are kept as text and evaluated by tmpl_expr.c each time: formats are short and rows are few.
 */
#include "cli/print/tmpl.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/jx.h"
#include "cli/print/tmpl_internal.h"

static struct sk_node *add_node(struct sk_tmpl *t, enum sk_node_kind kind, const char *s, size_t n)
{
	struct sk_node *node;

	t->nodes = sk_xrealloc(t->nodes, t->n + 1, sizeof(*t->nodes));
	node = &t->nodes[t->n++];
	*node = (struct sk_node){ .kind = kind, .text = sk_xstrndup(s, n) };
	return node;
}

/* The end of an action: "}}" outside of strings. NULL: none. */
static const char *find_close(const char *s)
{
	for (; *s; s++) {
		if (*s == '"') {
			for (s++; *s && *s != '"'; s++)
				if (*s == '\\' && s[1])
					s++;
		} else if (*s == '`') {
			s = strchr(s + 1, '`');
		}
		if (!s || !*s)
			return NULL;
		if (s[0] == '}' && s[1] == '}')
			return s;
	}
	return NULL;
}

static bool starts_with_word(const char *s, size_t n, const char *word)
{
	size_t len = strlen(word);

	return n >= len && memcmp(s, word, len) == 0 &&
	       (n == len || isspace((unsigned char)s[len]) || s[len] == '(' || s[len] == '.');
}

static void add_action(struct sk_tmpl *t, const char *s, size_t n)
{
	static const struct {
		const char *word;
		enum sk_node_kind kind;
	} words[] = { { "if", SK_NODE_IF },
		      { "with", SK_NODE_WITH },
		      { "range", SK_NODE_RANGE },
		      { "else", SK_NODE_ELSE },
		      { "end", SK_NODE_END },
		      { "break", SK_NODE_BREAK },
		      { "continue", SK_NODE_CONTINUE } };
	size_t i, len;
	struct sk_node *node;

	while (n && isspace((unsigned char)s[0]))
		s++, n--;
	while (n && isspace((unsigned char)s[n - 1]))
		n--;
	if (n >= 2 && s[0] == '/' && s[1] == '*')
		return;
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!starts_with_word(s, n, words[i].word))
			continue;
		len = strlen(words[i].word);
		for (s += len, n -= len; n && isspace((unsigned char)*s); s++)
			n--;
		if (words[i].kind == SK_NODE_ELSE && starts_with_word(s, n, "if")) {
			node = add_node(t, SK_NODE_ELSE, s + 2, n - 2);
			node->chained = true;
			return;
		}
		add_node(t, words[i].kind, s, n);
		return;
	}
	add_node(t, SK_NODE_ACTION, s, n);
}

static int cut(struct sk_tmpl *t, const char *s, struct sk_error *err)
{
	bool trim = false;

	for (;;) {
		const char *open, *close, *from;
		size_t n;

		while (trim && isspace((unsigned char)*s))
			s++;
		open = strstr(s, "{{");
		n = open ? (size_t)(open - s) : strlen(s);
		if (open && open[2] == '-' && isspace((unsigned char)open[3]))
			while (n && isspace((unsigned char)s[n - 1]))
				n--;
		if (n)
			add_node(t, SK_NODE_TEXT, s, n);
		if (!open)
			return 0;
		close = find_close(open + 2);
		if (!close)
			return sk_error_set(err, EINVAL, "template parsing error: template: :1: unclosed action");
		from = open + 2;
		if (*from == '-' && isspace((unsigned char)from[1]))
			from++;
		trim = close - from >= 2 && close[-1] == '-' && isspace((unsigned char)close[-2]);
		n = (size_t)(close - from) - trim;
		if (strspn(from, " \t\n") >= n)
			return sk_error_set(err, EINVAL,
					    "template parsing error: template: :1: missing value for command");
		add_action(t, from, n);
		s = close + 2;
	}
}

/* Tells each block where its else and its end are. */
static int link_blocks(struct sk_tmpl *t, struct sk_error *err)
{
	size_t stack[SK_TMPL_DEPTH], open[SK_TMPL_DEPTH], depth = 0, i, k;

	for (i = 0; i < t->n; i++) {
		struct sk_node *node = &t->nodes[i];

		switch (node->kind) {
		case SK_NODE_IF:
		case SK_NODE_WITH:
		case SK_NODE_RANGE:
			if (depth == SK_TMPL_DEPTH)
				return sk_error_set(err, EINVAL,
						    "template parsing error: too many blocks inside of each other");
			stack[depth] = open[depth] = i;
			depth++;
			break;
		case SK_NODE_ELSE:
		case SK_NODE_END:
			if (depth == 0)
				return sk_error_set(err, EINVAL,
						    "template parsing error: template: :1: unexpected {{%s}}",
						    node->kind == SK_NODE_END ? "end" : "else");
			t->nodes[stack[depth - 1]].next_else = i;
			stack[depth - 1] = i;
			if (node->kind == SK_NODE_ELSE)
				break;
			depth--;
			for (k = open[depth]; k != i; k = t->nodes[k].next_else)
				t->nodes[k].end = i;
			break;
		default:
			break;
		}
	}
	return depth ? sk_error_set(err, EINVAL, "template parsing error: template: :1: unexpected EOF") : 0;
}

int sk_tmpl_parse(const char *text, struct sk_tmpl **ret_tmpl, struct sk_error *err)
{
	struct sk_tmpl *t = sk_xcalloc(1, sizeof(*t));
	int r = cut(t, text, err);

	if (r == 0)
		r = link_blocks(t, err);
	if (r < 0) {
		sk_tmpl_free(t);
		return r;
	}
	*ret_tmpl = t;
	return 0;
}

void sk_tmpl_free(struct sk_tmpl *t)
{
	size_t i;

	if (!t)
		return;
	for (i = 0; i < t->n; i++)
		free(t->nodes[i].text);
	free(t->nodes);
	free(t);
}

static void cut_vars(struct sk_tmpl_run *run, size_t n)
{
	while (run->n_vars > n)
		json_decref(run->vars[--run->n_vars].value);
}

enum loop_flow {
	FLOW_FAILED = -1,
	FLOW_ON,
	FLOW_BREAK,
	FLOW_CONTINUE,
};

static enum loop_flow run_nodes(struct sk_tmpl_run *run, const struct sk_tmpl *t, size_t from, size_t to, json_t *dot,
				struct sk_text *out);

/* if, with: the branch that holds. */
static enum loop_flow run_condition(struct sk_tmpl_run *run, const struct sk_tmpl *t, size_t at, json_t *dot,
				    struct sk_text *out)
{
	bool with = t->nodes[at].kind == SK_NODE_WITH;
	size_t n_vars = run->n_vars, end = t->nodes[at].end;
	enum loop_flow flow = FLOW_ON;

	while (at != end) {
		const struct sk_node *node = &t->nodes[at];
		bool assigned, holds = true;
		json_t *v = NULL;

		if (node->kind != SK_NODE_ELSE || node->chained) {
			v = sk_tmpl_eval(run, dot, node->text, &assigned);
			if (!v) {
				flow = FLOW_FAILED;
				break;
			}
			holds = sk_tmpl_truth(v);
		}
		if (holds)
			flow = run_nodes(run, t, at + 1, node->next_else, with && v ? v : dot, out);
		json_decref(v);
		if (holds)
			break;
		at = node->next_else;
	}
	cut_vars(run, n_vars);
	return flow;
}

/* "$k, $v := pipeline" of a range: the names, and the pipeline behind. */
static const char *range_vars(const char *s, const char *names[2], size_t lens[2])
{
	const char *p = s;
	int i;

	for (i = 0; i < 2; i++) {
		while (isspace((unsigned char)*p))
			p++;
		if (*p != '$')
			return s;
		names[i] = p++;
		while (isalnum((unsigned char)*p) || *p == '_')
			p++;
		lens[i] = (size_t)(p - names[i]);
		while (isspace((unsigned char)*p))
			p++;
		if (p[0] == ':' && p[1] == '=')
			return p + 2;
		if (*p++ != ',')
			return s;
	}
	return s;
}

struct range_loop {
	struct sk_tmpl_run *run;
	const struct sk_tmpl *t;
	size_t at;
	struct sk_text *out;
	const char *names[2];
	size_t lens[2];
};

static enum loop_flow run_item(struct range_loop *g, json_t *take_key, json_t *value)
{
	size_t n_vars = g->run->n_vars;
	enum loop_flow flow = FLOW_ON;
	int r = 0;

	if (g->names[1]) {
		r = sk_tmpl_set_var(g->run, g->names[0], g->lens[0], json_incref(take_key), true);
		if (r == 0)
			r = sk_tmpl_set_var(g->run, g->names[1], g->lens[1], json_incref(value), true);
	} else if (g->names[0]) {
		r = sk_tmpl_set_var(g->run, g->names[0], g->lens[0], json_incref(value), true);
	}
	json_decref(take_key);
	flow = r < 0 ? FLOW_FAILED : run_nodes(g->run, g->t, g->at + 1, g->t->nodes[g->at].next_else, value, g->out);
	cut_vars(g->run, n_vars);
	return flow == FLOW_CONTINUE ? FLOW_ON : flow;
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Objects in the order of their keys, as Go ranges over maps. */
static enum loop_flow run_object(struct range_loop *g, json_t *object)
{
	size_t n = json_object_size(object), i = 0;
	const char **keys = sk_xcalloc(n, sizeof(*keys)), *key;
	enum loop_flow flow = FLOW_ON;
	json_t *value;

	json_object_foreach(object, key, value) keys[i++] = key;
	qsort(keys, n, sizeof(*keys), compare_keys);
	for (i = 0; i < n && flow == FLOW_ON; i++)
		flow = run_item(g, sk_jx_str(keys[i]), json_object_get(object, keys[i]));
	free(keys);
	return flow;
}

static enum loop_flow run_range(struct sk_tmpl_run *run, const struct sk_tmpl *t, size_t at, json_t *dot,
				struct sk_text *out)
{
	struct range_loop g = { .run = run, .t = t, .at = at, .out = out };
	const char *pipeline = range_vars(t->nodes[at].text, g.names, g.lens);
	enum loop_flow flow = FLOW_ON;
	bool assigned;
	json_t *v, *item;
	size_t i;

	if (pipeline == t->nodes[at].text)
		g.names[0] = g.names[1] = NULL;
	v = sk_tmpl_eval(run, dot, pipeline, &assigned);
	if (!v)
		return FLOW_FAILED;
	if (json_is_object(v) && json_object_size(v)) {
		flow = run_object(&g, v);
	} else if (json_is_array(v) && json_array_size(v)) {
		for (i = 0; i < json_array_size(v) && flow == FLOW_ON; i++) {
			item = json_array_get(v, i);
			flow = run_item(&g, json_integer((json_int_t)i), item);
		}
	} else if (json_is_object(v) || json_is_array(v) || json_is_null(v)) {
		size_t other = t->nodes[at].next_else;

		if (other != t->nodes[at].end)
			flow = run_nodes(run, t, other + 1, t->nodes[at].end, dot, out);
	} else {
		sk_error_set(run->err, EINVAL, "template: range can't iterate over %s", t->nodes[at].text);
		flow = FLOW_FAILED;
	}
	json_decref(v);
	return flow == FLOW_BREAK ? FLOW_ON : flow;
}

static enum loop_flow run_nodes(struct sk_tmpl_run *run, const struct sk_tmpl *t, size_t from, size_t to, json_t *dot,
				struct sk_text *out)
{
	enum loop_flow flow = FLOW_ON;
	size_t i;

	for (i = from; i < to && flow == FLOW_ON; i++) {
		const struct sk_node *node = &t->nodes[i];
		bool assigned = false;
		json_t *v;

		switch (node->kind) {
		case SK_NODE_TEXT:
			sk_text_puts(out, node->text);
			break;
		case SK_NODE_ACTION:
			v = sk_tmpl_eval(run, dot, node->text, &assigned);
			if (!v)
				return FLOW_FAILED;
			if (!assigned)
				sk_tmpl_print(out, v);
			json_decref(v);
			break;
		case SK_NODE_IF:
		case SK_NODE_WITH:
			flow = run_condition(run, t, i, dot, out);
			i = node->end;
			break;
		case SK_NODE_RANGE:
			flow = run_range(run, t, i, dot, out);
			i = node->end;
			break;
		case SK_NODE_BREAK:
			return FLOW_BREAK;
		case SK_NODE_CONTINUE:
			return FLOW_CONTINUE;
		case SK_NODE_ELSE:
		case SK_NODE_END:
			break;
		}
	}
	return flow;
}

int sk_tmpl_run(const struct sk_tmpl *t, json_t *dot, const json_t *labels, struct sk_text *out, struct sk_error *err)
{
	struct sk_error own = SK_ERROR_INIT;
	struct sk_tmpl_run run = { .labels = labels, .root = dot, .err = err ? err : &own };
	enum loop_flow flow = run_nodes(&run, t, 0, t->n, dot, out);

	cut_vars(&run, 0);
	return flow == FLOW_FAILED ? -EINVAL : 0;
}

void sk_tmpl_print(struct sk_text *out, const json_t *v)
{
	const char *key, **keys;
	json_t *item;
	size_t i = 0, n;

	switch (json_typeof(v)) {
	case JSON_STRING:
		sk_text_add(out, json_string_value(v), json_string_length(v));
		break;
	case JSON_INTEGER:
		sk_text_printf(out, "%lld", (long long)json_integer_value(v));
		break;
	case JSON_REAL:
		sk_text_printf(out, "%.15g", json_real_value(v));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		sk_text_puts(out, json_is_true(v) ? "true" : "false");
		break;
	case JSON_NULL:
		sk_text_puts(out, "<no value>");
		break;
	case JSON_ARRAY:
		sk_text_puts(out, "[");
		for (i = 0; i < json_array_size(v); i++) {
			if (i)
				sk_text_puts(out, " ");
			sk_tmpl_print(out, json_array_get(v, i));
		}
		sk_text_puts(out, "]");
		break;
	case JSON_OBJECT:
		n = json_object_size(v);
		keys = sk_xcalloc(n, sizeof(*keys));
		json_object_foreach((json_t *)(uintptr_t)v, key, item) keys[i++] = key;
		qsort(keys, n, sizeof(*keys), compare_keys);
		sk_text_puts(out, "map[");
		for (i = 0; i < n; i++) {
			sk_text_printf(out, "%s%s:", i ? " " : "", keys[i]);
			sk_tmpl_print(out, json_object_get(v, keys[i]));
		}
		sk_text_puts(out, "]");
		free(keys);
		break;
	}
}
