/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_MODEL_JX_H
#define SK_MODEL_JX_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "model/xmem.h"

/* JSON with sk_die() on no memory. Paths are member names joined by dots ("HostConfig.Memory"); a member with a dot in
 * its name is not reachable. */
static inline void sk_json_unref(json_t **j)
{
	json_decref(*j);
	*j = NULL;
}
#define _cleanup_json_ __attribute__((cleanup(sk_json_unref)))

/* A JSON string of text from the user. Text that is not UTF-8 ends the program with a message; NULL becomes null. */
json_t *sk_jx_str(const char *s);
json_t *sk_jx_object(void);
json_t *sk_jx_array(void);
/* Never NULL: passes `take` through. */
json_t *sk_jx(json_t *take);
json_t *sk_jx_strv(const struct sk_strv *list);

void sk_jx_set(json_t *o, const char *key, json_t *take_value);
void sk_jx_set_str(json_t *o, const char *key, const char *s);
void sk_jx_set_int(json_t *o, const char *key, int64_t n);
void sk_jx_set_bool(json_t *o, const char *key, bool b);
void sk_jx_push(json_t *array, json_t *take_value);
void sk_jx_push_str(json_t *array, const char *s);

/* Borrowed; NULL when any step is missing. */
json_t *sk_jx_at(const json_t *o, const char *path);
/* `absent` when missing or of another type. */
const char *sk_jx_get_str(const json_t *o, const char *path, const char *absent);
int64_t sk_jx_get_int(const json_t *o, const char *path, int64_t absent);
bool sk_jx_get_bool(const json_t *o, const char *path, bool absent);

#endif
