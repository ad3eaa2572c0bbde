/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_BASE_TERMINAL_H
#define SK_BASE_TERMINAL_H

/* Columns of the terminal behind a descriptor; 0: it is none, or does not say. */
unsigned sk_terminal_width(int fd);

/*
 * A descriptor for what can be read from `fd` that poll() can wait for: `fd` itself where it can. Otherwise a new one, which
 * a thread feeds that ends with `fd`'s data; what it has read and nobody takes is lost. Closed by sk_input_close(). -errno.
 */
int sk_input_open(int fd);
void sk_input_close(int fd, int input);

#endif
