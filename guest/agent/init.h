/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_AGENT_INIT_H
#define SK_AGENT_INIT_H

/* The program as a container's init: runs argv's command, passes signals on to it, reaps orphans. Returns its exit
 * code. */
int sk_init_main(int argc, char **argv);

#endif
