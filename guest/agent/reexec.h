/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_AGENT_REEXEC_H
#define SK_AGENT_REEXEC_H

#include <stddef.h>

/* Where the dockerd of an engine image (guest/build-engine), and crun (guest/patches), find this program. */
#define SK_REEXEC "/run/engine/re"

/* What dockerd does in a process of its own, by the last part of argv[0]: see reexec.c. Returns the exit code. */
int sk_reexec_main(int argc, char **argv);

/* --- parts, for the tests: each is the program of that name. `sysctl` is /proc/sys/net/ipv6/conf. */
int sk_reexec_set_ipv6(int argc, char **argv, const char *sysctl);
int sk_reexec_setkey(int argc, char **argv, const char *state, size_t len);

#endif
