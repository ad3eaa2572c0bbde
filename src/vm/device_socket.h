/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VM_DEVICE_SOCKET_H
#define SK_VM_DEVICE_SOCKET_H

#include "base/error.h"

/* The sockets on which a sandbox's devices wait for the engine (vhost-user), in <run_dir>/vu. */

/* Makes their directory; one that is there already is fine. */
int sk_device_socket_dir(const char *run_dir, struct sk_error *err);
/* A listening socket with the name; one that is left there is replaced. The descriptor is the caller's. */
int sk_device_socket(const char *run_dir, const char *name, int *ret_fd, struct sk_error *err);

#endif
