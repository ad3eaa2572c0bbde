/* SPDX-License-Identifier: Apache-2.0 */
/* What clients come through: listening sockets, and the secret that they have to know. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "ninepd/ninepd.h"

int ninepd_add_listener(struct ninepd *d, int take_fd, const char *path, struct sk_error *err)
{
	if (d->n_listeners == SK_ARRAY_SIZE(d->listeners)) {
		close(take_fd);
		return sk_error_set(err, E2BIG, "too many sockets");
	}
	d->listeners[d->n_listeners].fd = take_fd;
	d->listeners[d->n_listeners++].path = path ? strdup(path) : NULL;
	return 0;
}

static bool is_loopback(const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)(const void *)sa)->sin_addr.s_addr) >> 24 == 127;
	return sa->sa_family == AF_INET6 &&
	       IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr);
}

int ninepd_add_tcp(struct ninepd *d, const char *arg, struct sk_error *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV }, *ai = NULL;
	_cleanup_free_ char *host = strdup(arg);
	_cleanup_fd_ int fd = -1;
	char *colon = host ? strrchr(host, ':') : NULL, *h = host;
	int r, one = 1;

	if (!colon || colon == host)
		return sk_error_set(err, EINVAL, "--listen wants ADDRESS:PORT, not %s", arg);
	*colon = 0;
	if (*h == '[' && colon[-1] == ']') {
		h++;
		colon[-1] = 0;
	}
	r = getaddrinfo(h, colon + 1, &hints, &ai);
	if (r != 0)
		return sk_error_set(err, EINVAL, "cannot listen on %s: %s", arg, gai_strerror(r));
	if (!d->secret && !is_loopback(ai->ai_addr)) {
		freeaddrinfo(ai);
		return sk_error_set(err, EPERM, "%s can be reached by others: give --secret-file first", arg);
	}
	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	r = fd < 0 ? -1 : setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (r == 0)
		r = setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (r == 0)
		r = bind(fd, ai->ai_addr, (socklen_t)ai->ai_addrlen);
	if (r == 0)
		r = listen(fd, 128);
	freeaddrinfo(ai);
	if (r < 0)
		return sk_error_errno(err, errno, "cannot listen on %s", arg);
	return ninepd_add_listener(d, SK_TAKE_FD(fd), NULL, err);
}

int ninepd_read_secret(struct ninepd *d, const char *path, struct sk_error *err)
{
	char *data;
	size_t len;
	int r = sk_fs_read(AT_FDCWD, path, NINEPD_SECRET_MAX, &data, &len);

	if (r < 0)
		return sk_error_errno(err, -r, "cannot read the secret from %s", path);
	while (len && (data[len - 1] == '\n' || data[len - 1] == '\r'))
		len--;
	d->secret = (uint8_t *)data;
	d->secret_len = len;
	if (len < 16)
		return sk_error_set(err, EINVAL, "the secret in %s has less than 16 bytes", path);
	return 0;
}
