/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_BASE_SOCKET_H
#define SK_BASE_SOCKET_H

struct sockaddr_un;

/*
 * The address of a unix socket by descriptor, for bind() and connect() in this process: of the socket `name` in the
 * directory `fd`, or, without a name, of the socket that `fd` (O_PATH) is. A path may be longer than an address has room
 * for, and may lead elsewhere by the time it is used; a descriptor does neither. Valid as long as `fd` is open.
 * -EBADF: no descriptor; -ENAMETOOLONG: a name of more than about 80 bytes.
 */
int sk_socket_address(int fd, const char *name, struct sockaddr_un *ret);

#endif
