/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket calls of libslirp on Windows. libslirp calls the system's by wrappers of its own (its util.c), whose sockets
 * are none of the C runtime's descriptors; ours stand in their place (scripts/windows-libs takes those out), so that its
 * sockets are descriptors like all others: the loop waits for them, and one table knows them.
 */
#include "base/platform/windows/system.h"
#include "base/socket.h"

int slirp_connect_wrap(int fd, const struct sockaddr *address, int len);
int slirp_listen_wrap(int fd, int backlog);
int slirp_bind_wrap(int fd, const struct sockaddr *address, int len);
int slirp_socket_wrap(int family, int type, int protocol);
int slirp_accept_wrap(int fd, struct sockaddr *address, int *len);
int slirp_shutdown_wrap(int fd, int how);
int slirp_getpeername_wrap(int fd, struct sockaddr *address, int *len);
int slirp_getsockname_wrap(int fd, struct sockaddr *address, int *len);
ssize_t slirp_send_wrap(int fd, const void *buf, size_t n, int flags);
ssize_t slirp_sendto_wrap(int fd, const void *buf, size_t n, int flags, const struct sockaddr *address, int len);
ssize_t slirp_recv_wrap(int fd, void *buf, size_t n, int flags);
ssize_t slirp_recvfrom_wrap(int fd, void *buf, size_t n, int flags, struct sockaddr *address, int *len);
int slirp_closesocket_wrap(int fd);
int slirp_ioctlsocket_wrap(int fd, int request, void *value);
int slirp_getsockopt_wrap(int fd, int level, int name, void *value, int *len);
int slirp_setsockopt_wrap(int fd, int level, int name, const void *value, int len);

int slirp_connect_wrap(int fd, const struct sockaddr *address, int len)
{
	return connect(fd, address, len);
}

int slirp_listen_wrap(int fd, int backlog)
{
	return listen(fd, backlog);
}

/* What POSIX promises of a bound address: nobody else has it, nor any part of it. */
int slirp_bind_wrap(int fd, const struct sockaddr *address, int len)
{
	int on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, &on, sizeof(on)) < 0)
		return -1;
	return bind(fd, address, len);
}

int slirp_socket_wrap(int family, int type, int protocol)
{
	return socket(family, type, protocol);
}

int slirp_accept_wrap(int fd, struct sockaddr *address, int *len)
{
	return accept(fd, address, len);
}

int slirp_shutdown_wrap(int fd, int how)
{
	return shutdown(fd, how);
}

int slirp_getpeername_wrap(int fd, struct sockaddr *address, int *len)
{
	return getpeername(fd, address, len);
}

int slirp_getsockname_wrap(int fd, struct sockaddr *address, int *len)
{
	return getsockname(fd, address, len);
}

ssize_t slirp_send_wrap(int fd, const void *buf, size_t n, int flags)
{
	return send(fd, buf, n, flags);
}

ssize_t slirp_recv_wrap(int fd, void *buf, size_t n, int flags)
{
	return recv(fd, buf, n, flags);
}

ssize_t slirp_sendto_wrap(int fd, const void *buf, size_t n, int flags, const struct sockaddr *address, int len)
{
	SOCKET s = sk_win_socket(fd);
	int r = s == INVALID_SOCKET ? SOCKET_ERROR : sendto(s, buf, (int)n, flags, address, len);

	if (r == SOCKET_ERROR && s != INVALID_SOCKET)
		errno = sk_win_errno((unsigned long)WSAGetLastError());
	return r;
}

ssize_t slirp_recvfrom_wrap(int fd, void *buf, size_t n, int flags, struct sockaddr *address, int *len)
{
	SOCKET s = sk_win_socket(fd);
	int r = s == INVALID_SOCKET ? SOCKET_ERROR : recvfrom(s, buf, (int)n, flags, address, len);

	if (r == SOCKET_ERROR && s != INVALID_SOCKET)
		errno = sk_win_errno((unsigned long)WSAGetLastError());
	return r;
}

/* Keeps errno: libslirp closes a socket whose call has failed, and means to tell why afterwards. */
int slirp_closesocket_wrap(int fd)
{
	int error = errno;

	(void)close(fd);
	errno = error;
	return 0;
}

int slirp_ioctlsocket_wrap(int fd, int request, void *value)
{
	SOCKET s = sk_win_socket(fd);
	int r = s == INVALID_SOCKET ? SOCKET_ERROR : ioctlsocket(s, request, value);

	if (r == SOCKET_ERROR && s != INVALID_SOCKET)
		errno = sk_win_errno((unsigned long)WSAGetLastError());
	return r;
}

int slirp_getsockopt_wrap(int fd, int level, int name, void *value, int *len)
{
	return getsockopt(fd, level, name, value, len);
}

int slirp_setsockopt_wrap(int fd, int level, int name, const void *value, int len)
{
	return setsockopt(fd, level, name, value, len);
}
