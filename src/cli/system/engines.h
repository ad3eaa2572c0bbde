/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_CLI_ENGINES_H
#define SK_CLI_ENGINES_H

#include <jansson.h>
#include <stdbool.h>

/*
 * Which engine containers get here, and why, for info and doctor:
 *   { "Engine": "uml" or "", "Setting": "auto", "SettingFrom": "default", "Error": why there is none,
 *     "UmlIsolationSetting": "auto", "UmlIsolation": "separate" or "in-place",
 *     "UmlInPlaceProblem": why "in-place" does not work here, or is not chosen with "auto", or "",
 *     "Engines": [ { "Name", "Works", "Chosen", "Problem", "Isolation", "Program", "KernelVersion", "KernelPath",
 *     "KernelSize", "InitramfsSize" } … ] }
 * "Problem" says what to do too. `again`: whatever was found out before. May take seconds, once.
 */
json_t *sk_engines_json(bool again);
/* The chosen one of "Engines"; NULL: none. */
const json_t *sk_engines_chosen(const json_t *engines);

#endif
