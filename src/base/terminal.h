/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_BASE_TERMINAL_H
#define SK_BASE_TERMINAL_H

/* Columns of the terminal behind a descriptor; 0: it is none, or does not say. */
unsigned sk_terminal_width(int fd);

#endif
