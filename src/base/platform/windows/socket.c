/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets behind descriptors. A table says which descriptors are sockets, and which of them do not wait: the system
 * cannot be asked for that. Descriptors are the C runtime's, at most 2,048.
 */
#include <fcntl.h>
#include <poll.h>

#include "base/cleanup.h"
#include "base/id.h"
#include "base/platform/windows/system.h"
#include "base/socket.h"

/* The system's own, below our names. */
#undef socket
#undef bind
#undef listen
#undef connect
#undef accept
#undef send
#undef recv
#undef shutdown
#undef setsockopt
#undef getsockopt
#undef getpeername
#undef getsockname
#undef getaddrinfo

#define FDS_MAX 2048
/* Of mstcpip.h, newer than mingw-w64's. */
#ifndef SIO_TCP_INFO
#define SIO_TCP_INFO _WSAIORW(IOC_VENDOR, 39)
#endif
#define STATE_CLOSED 0
#define STATE_ESTABLISHED 4
#define STATE_CLOSE_WAIT 7

static volatile uint8_t is_socket[FDS_MAX];
static volatile LONG held_back; /* no new ones: sk_socket_hold_back() */

static int fail(void)
{
	errno = sk_win_errno((unsigned long)WSAGetLastError());
	return -1;
}

static bool start(void)
{
	static volatile LONG started;
	WSADATA data;

	if (InterlockedCompareExchange(&started, 1, 0) == 0 && WSAStartup(MAKEWORD(2, 2), &data) != 0) {
		started = 0;
		errno = ENETDOWN;
		return false;
	}
	return true;
}

bool sk_win_is_socket(int fd)
{
	return fd >= 0 && fd < FDS_MAX && is_socket[fd];
}

SOCKET sk_win_socket(int fd)
{
	HANDLE h = sk_win_handle(fd);

	if (h == INVALID_HANDLE_VALUE)
		return INVALID_SOCKET;
	if (!sk_win_is_socket(fd)) {
		errno = ENOTSOCK;
		return INVALID_SOCKET;
	}
	return (SOCKET)h;
}

/* What _close() does afterwards frees the descriptor, and finds the handle gone. */
void sk_win_forget_socket(int fd)
{
	if (!sk_win_is_socket(fd))
		return;
	is_socket[fd] = 0;
	closesocket((SOCKET)_get_osfhandle(fd));
}

static int wrap(SOCKET take_socket, int flags)
{
	u_long yes = 1;
	int fd;

	if (take_socket == INVALID_SOCKET)
		return fail();
	if (held_back) {
		closesocket(take_socket);
		errno = EMFILE;
		return -1;
	}
	SetHandleInformation((HANDLE)take_socket, HANDLE_FLAG_INHERIT, 0);
	if ((flags & SOCK_NONBLOCK) && ioctlsocket(take_socket, (long)FIONBIO, &yes) != 0) {
		fail();
		closesocket(take_socket);
		return -1;
	}
	fd = _open_osfhandle((intptr_t)take_socket, O_BINARY | _O_NOINHERIT);
	if (fd < 0 || fd >= FDS_MAX) {
		closesocket(take_socket);
		if (fd >= 0)
			_close(fd);
		errno = EMFILE;
		return -1;
	}
	is_socket[fd] = 1;
	return fd;
}

int sk_socket_nonblock(int fd)
{
	SOCKET s = sk_win_socket(fd);
	u_long yes = 1;

	return s == INVALID_SOCKET || ioctlsocket(s, (long)FIONBIO, &yes) != 0 ? -ENOTSOCK : 0;
}

void sk_socket_send_timeout(int fd, unsigned ms)
{
	DWORD timeout = ms;

	(void)setsockopt(sk_win_socket(fd), SOL_SOCKET, SO_SNDTIMEO, (const char *)&timeout, sizeof(timeout));
}

/* The system tells since Windows 10 1703. */
int sk_socket_tcp_state(int fd)
{
	SOCKET s = sk_win_socket(fd);
	DWORD version = 0, n;
	struct {
		DWORD state;
		uint8_t rest[124];
	} info; /* TCP_INFO_v0, which mingw-w64 does not have, and room */

	if (s == INVALID_SOCKET)
		return -errno;
	if (WSAIoctl(s, SIO_TCP_INFO, &version, sizeof(version), &info, sizeof(info), &n, NULL, NULL) == SOCKET_ERROR)
		return -sk_win_errno((unsigned long)WSAGetLastError());
	if (info.state == STATE_ESTABLISHED || info.state == STATE_CLOSE_WAIT)
		return SK_TCP_MAY_SEND;
	return info.state == STATE_CLOSED ? SK_TCP_CLOSED : SK_TCP_OTHER;
}

unsigned sk_socket_most(void)
{
	return FDS_MAX;
}

bool sk_socket_hold_back(struct sk_socket_hold *ret)
{
	*ret = (struct sk_socket_hold){ 0, 0 };
	held_back = 1;
	return true;
}

void sk_socket_let_go(const struct sk_socket_hold *hold)
{
	(void)hold;
	held_back = 0;
}

/* The handle is one for files. The library that sockets belong to has to be told of it, which is what its way to hand sockets
 * to other processes does, also from a process to itself. */
int sk_socket_inherited(int fd)
{
	HANDLE h = sk_win_handle(fd);
	WSAPROTOCOL_INFOW info;

	if (h == INVALID_HANDLE_VALUE || !start() || WSADuplicateSocketW((SOCKET)h, GetCurrentProcessId(), &info) != 0)
		return -ENOTSOCK;
	fd = wrap(WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0, WSA_FLAG_OVERLAPPED),
		  0);
	CloseHandle(h);
	return fd < 0 ? -errno : fd;
}

int sk_posix_socket(int family, int type, int protocol)
{
	return start() ? wrap(socket(family, type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK), protocol), type) : -1;
}

#define WITH_SOCKET(call)                                   \
	do {                                                \
		SOCKET s = sk_win_socket(fd);               \
                                                            \
		if (s == INVALID_SOCKET)                    \
			return -1;                          \
		return (call) == SOCKET_ERROR ? fail() : 0; \
	} while (0)

int sk_posix_bind(int fd, const struct sockaddr *address, socklen_t len)
{
	WITH_SOCKET(bind(s, address, len));
}

int sk_posix_listen(int fd, int backlog)
{
	WITH_SOCKET(listen(s, backlog));
}

int sk_posix_connect(int fd, const struct sockaddr *address, socklen_t len)
{
	SOCKET s = sk_win_socket(fd);

	if (s == INVALID_SOCKET)
		return -1;
	if (connect(s, address, len) != SOCKET_ERROR)
		return 0;
	fail();
	if (errno == EAGAIN)
		errno = EINPROGRESS; /* POSIX's word for a socket that does not wait */
	return -1;
}

int sk_posix_shutdown(int fd, int how)
{
	WITH_SOCKET(shutdown(s, how));
}

int sk_posix_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	/* What POSIX means by it is always so here. Here it would let others take the port while we have it. */
	if (level == SOL_SOCKET && name == SO_REUSEADDR)
		name = SO_EXCLUSIVEADDRUSE;
	WITH_SOCKET(setsockopt(s, level, name, value, len));
}

int sk_posix_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	WITH_SOCKET(getsockopt(s, level, name, value, len));
}

int sk_posix_getpeername(int fd, struct sockaddr *address, socklen_t *len)
{
	WITH_SOCKET(getpeername(s, address, len));
}

int sk_posix_getsockname(int fd, struct sockaddr *address, socklen_t *len)
{
	WITH_SOCKET(getsockname(s, address, len));
}

int sk_posix_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags)
{
	SOCKET s = sk_win_socket(fd);

	return s == INVALID_SOCKET ? -1 : wrap(accept(s, address, len), flags);
}

int sk_posix_accept(int fd, struct sockaddr *address, socklen_t *len)
{
	return sk_posix_accept4(fd, address, len, 0);
}

static int chunk(size_t n)
{
	return n > 1u << 30 ? 1 << 30 : (int)n;
}

ssize_t sk_posix_send(int fd, const void *buf, size_t n, int flags)
{
	SOCKET s = sk_win_socket(fd);
	int r;

	if (s == INVALID_SOCKET)
		return -1;
	r = send(s, buf, chunk(n), flags);
	return r == SOCKET_ERROR ? fail() : r;
}

ssize_t sk_posix_recv(int fd, void *buf, size_t n, int flags)
{
	SOCKET s = sk_win_socket(fd);
	int r;

	if (s == INVALID_SOCKET)
		return -1;
	r = recv(s, buf, chunk(n), flags);
	return r == SOCKET_ERROR ? fail() : r;
}

int sk_posix_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **ret)
{
	return start() ? getaddrinfo(host, service, hints, ret) : EAI_FAIL;
}

/* ---- pairs */

/* Listens on a port of loopback that the system chooses. */
static SOCKET listen_on_loopback(struct sockaddr_in *ret)
{
	SOCKET s = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(*ret);
	BOOL yes = TRUE;

	*ret = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (s != INVALID_SOCKET &&
	    setsockopt(s, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (const char *)&yes, sizeof(yes)) == 0 &&
	    bind(s, (struct sockaddr *)ret, sizeof(*ret)) == 0 && listen(s, 1) == 0 &&
	    getsockname(s, (struct sockaddr *)ret, &len) == 0)
		return s;
	fail();
	if (s != INVALID_SOCKET)
		closesocket(s);
	return INVALID_SOCKET;
}

/* The connection of ours, which anybody on this machine may have come before: its address has to be that of `client`. */
static SOCKET accept_own(SOCKET listener, SOCKET client)
{
	struct sockaddr_in own, peer;
	unsigned tries;

	for (tries = 0; tries < 8; tries++) {
		socklen_t n = sizeof(own), m = sizeof(peer);
		SOCKET s = accept(listener, (struct sockaddr *)&peer, &m);

		if (s == INVALID_SOCKET)
			break;
		if (getsockname(client, (struct sockaddr *)&own, &n) == 0 && own.sin_port == peer.sin_port &&
		    own.sin_addr.s_addr == peer.sin_addr.s_addr)
			return s;
		closesocket(s);
	}
	fail();
	return INVALID_SOCKET;
}

int sk_posix_socketpair(int family, int type, int protocol, int ret[2])
{
	struct sockaddr_in address;
	SOCKET listener, client, other = INVALID_SOCKET;
	BOOL yes = TRUE;

	(void)family;
	(void)protocol;
	if ((type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)) != SOCK_STREAM) {
		errno = EPROTONOSUPPORT;
		return -1;
	}
	if (!start() || (listener = listen_on_loopback(&address)) == INVALID_SOCKET)
		return -1;
	client = socket(AF_INET, SOCK_STREAM, 0);
	if (client != INVALID_SOCKET && connect(client, (struct sockaddr *)&address, sizeof(address)) == 0)
		other = accept_own(listener, client);
	else
		fail();
	closesocket(listener);
	if (other == INVALID_SOCKET) {
		if (client != INVALID_SOCKET)
			closesocket(client);
		return -1;
	}
	setsockopt(client, IPPROTO_TCP, TCP_NODELAY, (const char *)&yes, sizeof(yes));
	setsockopt(other, IPPROTO_TCP, TCP_NODELAY, (const char *)&yes, sizeof(yes));
	ret[0] = wrap(client, type);
	ret[1] = ret[0] < 0 ? -1 : wrap(other, type);
	if (ret[1] >= 0)
		return 0;
	if (ret[0] >= 0)
		close(ret[0]);
	else
		closesocket(other);
	return -1;
}

int sk_posix_pipe2(int ret[2], int flags)
{
	(void)flags;
	if (sk_posix_socketpair(AF_INET, SOCK_STREAM, 0, ret) < 0)
		return -1;
	/* One way only. */
	shutdown(sk_win_socket(ret[0]), SD_SEND);
	return 0;
}

int sk_posix_pipe(int ret[2])
{
	return sk_posix_pipe2(ret, 0);
}

/* ---- poll */

int sk_posix_poll(struct sk_posix_pollfd *fds, unsigned n, int timeout_ms)
{
	_cleanup_free_ WSAPOLLFD *p = calloc(n ? n : 1, sizeof(*p));
	unsigned i, k = 0;
	int ready = 0, r = 0;

	if (!p)
		return -1;
	for (i = 0; i < n; i++) {
		fds[i].revents = 0;
		if (fds[i].fd < 0)
			continue;
		if (sk_win_is_socket(fds[i].fd)) {
			p[k].fd = (SOCKET)sk_win_handle(fds[i].fd);
			p[k++].events = (short)(fds[i].events & (POLLIN | POLLOUT));
		} else {
			fds[i].revents = fds[i].events;
			ready++;
		}
	}
	if (ready)
		timeout_ms = 0;
	if (k == 0)
		Sleep(timeout_ms < 0 ? INFINITE : (DWORD)timeout_ms);
	else
		r = WSAPoll(p, k, timeout_ms);
	if (r == SOCKET_ERROR)
		return fail();
	for (i = 0, k = 0; i < n; i++)
		if (sk_win_is_socket(fds[i].fd))
			fds[i].revents = p[k++].revents;
	return r + ready;
}
