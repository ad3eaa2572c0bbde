/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VM_ENDPOINT_H
#define SK_VM_ENDPOINT_H

#include "base/error.h"

/*
 * How clients and the monitor of a container find each other, by its run directory; each system's own.
 *
 * On Linux that is a unix socket. On Windows it is a TCP port of loopback, to which any program of the machine can
 * connect: the file "monitor.sock", which only the user can read, has its number and a secret, and a client's first frame
 * (SK_FRAME_SECRET) is that secret.
 */
#define SK_ENDPOINT_SECRET 64u /* hexadecimal digits */
#define SK_ENDPOINT_FILE "monitor.sock"

/* A listening socket. *ret_secret: what a client has to say first; "": nothing. */
int sk_endpoint_listen(const char *run_dir, char ret_secret[SK_ENDPOINT_SECRET + 1], struct sk_error *err);
/* For a listening socket that the container's last life has handed on: what clients have to say. 0 or -errno. */
int sk_endpoint_take_over(const char *run_dir, char ret_secret[SK_ENDPOINT_SECRET + 1]);
/* Nobody finds it any more. */
void sk_endpoint_remove(const char *run_dir);
/* Connects, and has said the secret. A descriptor, or -errno: -ENOENT, -ECONNREFUSED: no monitor is there; -EAGAIN,
 * -ETIMEDOUT: it accepts nobody. */
int sk_endpoint_connect(const char *run_dir);

#endif
