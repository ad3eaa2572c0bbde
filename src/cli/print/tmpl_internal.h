/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_CLI_TMPL_INTERNAL_H
#define SK_CLI_TMPL_INTERNAL_H

#include <stdbool.h>

#include "cli/print/tmpl.h"

#define SK_TMPL_DEPTH 64
#define SK_TMPL_ARGS 32

enum sk_node_kind {
	SK_NODE_TEXT,
	SK_NODE_ACTION, /* {{pipeline}}, also {{$x := pipeline}} */
	SK_NODE_IF,
	SK_NODE_WITH,
	SK_NODE_RANGE,
	SK_NODE_ELSE,
	SK_NODE_END,
	SK_NODE_BREAK,
	SK_NODE_CONTINUE,
};

/* Nodes lie in the order of the text; blocks know where they go on. */
struct sk_node {
	enum sk_node_kind kind;
	char *text;	  /* text, or the pipeline */
	size_t next_else; /* IF, WITH, RANGE and ELSE with a condition: index of the ELSE or END that follows */
	size_t end;	  /* of IF, WITH, RANGE, ELSE: index of the END */
	bool chained;	  /* ELSE: has a condition of its own ("else if") */
};

struct sk_tmpl {
	struct sk_node *nodes;
	size_t n;
};

struct sk_var {
	char name[32];
	json_t *value;
};

/* One run. Variables are a stack: a block cuts it back at its end. */
struct sk_tmpl_run {
	const json_t *labels;
	struct sk_var vars[SK_TMPL_DEPTH];
	size_t n_vars;
	json_t *root;
	struct sk_error *err;
	unsigned depth;
};

/* tmpl_expr.c: evaluates a pipeline; a new reference, NULL with run->err set. `*ret_assigned` is set where it was an
 * assignment. */
json_t *sk_tmpl_eval(struct sk_tmpl_run *run, json_t *dot, const char *pipeline, bool *ret_assigned);
int sk_tmpl_set_var(struct sk_tmpl_run *run, const char *name, size_t len, json_t *take_value, bool declare);
bool sk_tmpl_truth(const json_t *v);

/* tmpl_func.c: a function by name (not NUL-terminated); args are borrowed. NULL with err set. */
bool sk_tmpl_is_func(const char *name, size_t len);
json_t *sk_tmpl_call(struct sk_tmpl_run *run, const char *name, size_t len, json_t *const *args, size_t n);

#endif
