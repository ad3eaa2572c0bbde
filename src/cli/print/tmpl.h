/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_CLI_TMPL_H
#define SK_CLI_TMPL_H

#include <jansson.h>

#include "base/error.h"
#include "model/xmem.h"

/*
 * The part of Go's text/template that people use with docker's --format, over JSON values: text, {{pipelines}}, if /
 * else if / else / range / with / end, variables, comments, trim marks, and the functions json, join, split, lower,
 * upper, title, pad, truncate, print, println, printf, len, index, eq, ne, lt, le, gt, ge, and, or, not. Templates are
 * the user's own: limits are on depth only.
 */
struct sk_tmpl;

/* -EINVAL with "template parsing error: …". */
int sk_tmpl_parse(const char *text, struct sk_tmpl **ret_tmpl, struct sk_error *err);
void sk_tmpl_free(struct sk_tmpl *tmpl);
/* Appends the result to `out`. `labels` (may be NULL) serves {{.Label "name"}}. Negative: `err` has the code ENOENT where a
 * field does not exist, else EINVAL. */
int sk_tmpl_run(const struct sk_tmpl *tmpl, json_t *dot, const json_t *labels, struct sk_text *out,
		struct sk_error *err);
/* A value as Go prints it with %v. */
void sk_tmpl_print(struct sk_text *out, const json_t *value);

#endif
