/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_MODEL_FILTER_H
#define SK_MODEL_FILTER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "model/xmem.h"

/*
 * --filter key=value. A command has a table of the keys that it takes, docker's; each entry says how a value is checked
 * and how it is matched, so that no key can be taken and not be obeyed. Several values of one key are alternatives (but
 * where `every` is set), several keys have to match all.
 */
struct sk_filter_key {
	const char *name; /* NULL ends the table */
	/* Whether the object `arg` is wanted. Never NULL. */
	bool (*match)(const char *value, void *arg);
	bool (*is_valid)(const char *value); /* NULL: any value is */
	bool every;			     /* all values have to match */
	bool once;			     /* at most one value makes sense */
};

/*
 * Refuses filters that are not key=value with a key of the table and a possible value, in docker's words. Before that it
 * writes them as docker reads them: keys in lower case, no blanks around keys and values. An empty filter is none.
 */
int sk_filter_check(const struct sk_strv *filters, const struct sk_filter_key *keys, struct sk_error *err);
/* Whether the object that `arg` stands for is wanted. The filters were checked. */
bool sk_filter_wants(const struct sk_strv *filters, const struct sk_filter_key *keys, void *arg);

/* Checks the form of one value of --filter, for the table of options: negative with the reason in `why` (256 bytes). */
int sk_filter_form(const char *value, char *why);

bool sk_filter_has(const struct sk_strv *filters, const char *key);
/* The next value of `key` from number `*at` on, which it moves on; NULL: no more. */
const char *sk_filter_next(const struct sk_strv *filters, const char *key, size_t *at);

/* Keys that several tables share. */
/* Parses true, false, 1, 0. */
bool sk_filter_is_bool(const char *value);
bool sk_filter_bool(const char *value);
/* A time that sk_parse_time() reads. */
bool sk_filter_is_time(const char *value);
/* Whether the time `created` (RFC 3339) is before the one of an until= filter. */
bool sk_filter_is_before(const char *created, const char *until);
/* label=key, label=key=value */
bool sk_filter_label(const char *value, const json_t *labels);

#endif
