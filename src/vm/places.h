/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VM_PLACES_H
#define SK_VM_PLACES_H

#include <stdbool.h>

/* Where a system has what belongs to Skerry; malloc'd, NULL: nowhere, or no memory. Not made, not checked. */

/* The state directory of this user, and the one of what is gone after a reboot. */
char *sk_place_root(void);
char *sk_place_run(void);
/* The configuration file of the machine, or of this user. */
char *sk_place_config(bool of_user);
/* Windows: another program of Skerry's, `name` without its ending: what the variable says, or it is beside this one. */
char *sk_place_program(const char *name, const char *variable);
/* Whether a path begins at the root of a file system. */
bool sk_place_is_full(const char *path);

#endif
