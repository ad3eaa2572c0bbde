/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_CLI_FILTER_H
#define SK_CLI_FILTER_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "cli/xmem.h"

/* --filter key=value: several of one key are alternatives (but labels, which all have to match), several keys have to
 * match all. */

/* Every filter has to be key=value (key!=value for labels) with a key out of `keys` (NULL-terminated). */
int sk_filter_check(const struct sk_strv *filters, const char *const *keys, struct sk_error *err);
/* True where no filter has the key, or one of its values equals `value`. */
bool sk_filter_exact(const struct sk_strv *filters, const char *key, const char *value);
/* The same with `match(value, arg)`. */
bool sk_filter_match(const struct sk_strv *filters, const char *key, bool (*match)(const char *value, const void *arg),
		     const void *arg);
/* label=key, label=key=value, label!=…: all of them. */
bool sk_filter_labels(const struct sk_strv *filters, const json_t *labels);
bool sk_filter_has(const struct sk_strv *filters, const char *key);

#endif
