/* SPDX-License-Identifier: Apache-2.0 */
#pragma GCC system_header
#ifndef SK_WINDOWS_SYS_SOCKET_H
#define SK_WINDOWS_SYS_SOCKET_H

/* Sockets behind descriptors. See sk_posix.h. A descriptor that is closed closes its socket. */
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include <winsock2.h>
#include <ws2tcpip.h>

#define SOCK_CLOEXEC 0x80000 /* always so */
#define SOCK_NONBLOCK 0x800
#define MSG_NOSIGNAL 0
#define MSG_DONTWAIT 0 /* for descriptors that were made with SOCK_NONBLOCK */
#define SHUT_RD SD_RECEIVE
#define SHUT_WR SD_SEND
#define SHUT_RDWR SD_BOTH

#define socket sk_posix_socket
#define socketpair sk_posix_socketpair
#define bind sk_posix_bind
#define listen sk_posix_listen
#define connect sk_posix_connect
#define accept4 sk_posix_accept4
#define accept sk_posix_accept
#define send sk_posix_send
#define recv sk_posix_recv
#define shutdown sk_posix_shutdown
#define setsockopt sk_posix_setsockopt
#define getsockopt sk_posix_getsockopt
#define getpeername sk_posix_getpeername
#define getsockname sk_posix_getsockname
#define getaddrinfo sk_posix_getaddrinfo
int sk_posix_socket(int family, int type, int protocol);
/* Of any family: two TCP sockets on loopback, the second made by a connection that is proved to be ours. */
int sk_posix_socketpair(int family, int type, int protocol, int ret[2]);
int sk_posix_bind(int fd, const struct sockaddr *address, socklen_t len);
int sk_posix_listen(int fd, int backlog);
int sk_posix_connect(int fd, const struct sockaddr *address, socklen_t len);
int sk_posix_accept(int fd, struct sockaddr *address, socklen_t *len);
int sk_posix_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags);
ssize_t sk_posix_send(int fd, const void *buf, size_t n, int flags);
ssize_t sk_posix_recv(int fd, void *buf, size_t n, int flags);
int sk_posix_shutdown(int fd, int how);
int sk_posix_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int sk_posix_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int sk_posix_getpeername(int fd, struct sockaddr *address, socklen_t *len);
int sk_posix_getsockname(int fd, struct sockaddr *address, socklen_t *len);
int sk_posix_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **ret);

#endif
