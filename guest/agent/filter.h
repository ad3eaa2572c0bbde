/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_AGENT_FILTER_H
#define SK_AGENT_FILTER_H

#include <jansson.h>
#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>

/* Longest program: the kernel's bound. */
#define SK_FILTER_MAX BPF_MAXINSNS

/*
 * Makes the filter program of an OCI `linux.seccomp` object. `compat`: this kernel runs 32-bit programs too.
 * The number of instructions, or -EOPNOTSUPP where the profile says something that this compiler does not know (then
 * crun's own, slow one has to do it), -EINVAL for a malformed one, -E2BIG.
 */
int sk_filter_compile(const json_t *seccomp, bool compat, struct sock_filter ret_program[SK_FILTER_MAX]);

/* Replaces the rules in a container's `spec` by the finished program, in the form that crun takes. Leaves alone what it
 * cannot do. */
void sk_filter_prepare(json_t *spec);

#endif
