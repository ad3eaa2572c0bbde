/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_AGENT_LINGER_H
#define SK_AGENT_LINGER_H

#include <stdbool.h>

#define SK_LINGER_MS 2000u
#define SK_LINGER_LOOK_MS 10u

/* True while a connection that a program has closed still has data to send. */
bool sk_linger_wanted(void);

#endif
