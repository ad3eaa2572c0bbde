/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_MODEL_HEALTH_H
#define SK_MODEL_HEALTH_H

#include <jansson.h>

#include "base/error.h"
#include "model/options.h"

/* Health checks, in docker's words: {"Test": ["CMD-SHELL", "…"], "Interval", "Timeout", "StartPeriod": nanoseconds,
 * "Retries": number}, as in an image's configuration and in inspect. */

/* What the options make of the image's (NULL: it has none). `*ret` is a new reference, NULL without any. -EINVAL. */
int sk_health_plan(const struct sk_run_opts *o, const json_t *image, json_t **ret, struct sk_error *err);
/* For vm.json: {"args": […], "interval_ms", "timeout_ms", "start_period_ms", "retries"}, with docker's defaults. `shell`: the
 * image's, NULL: sh. A new reference; NULL: nothing is to be run. */
json_t *sk_health_to_vm(const json_t *health, const json_t *shell);
/* " (healthy)", " (health: starting)"; "" for a container without. `health`: the state's, may be NULL. */
const char *sk_health_note(const json_t *health);

#endif
