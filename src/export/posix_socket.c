/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unix sockets and FIFOs in a share. Nobody but the guest's kernel can say which of its programs asks, so the other
 * side sees the ids of the caller where files that it makes would have them, else those of this server (posix_cred.c).
 * Descriptors do not pass.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/socket.h"
#include "export/override.h"
#include "export/posix_internal.h"

struct sk_9p_socket {
	int fd;
	bool fifo;
};

static int wrap(int take_fd, struct sk_9p_socket **ret_socket)
{
	_cleanup_fd_ int fd = take_fd;
	struct sk_9p_socket *k = malloc(sizeof(*k));

	if (!k)
		return -ENOMEM;
	k->fd = SK_TAKE_FD(fd);
	k->fifo = false;
	*ret_socket = k;
	return 0;
}

static int new_socket(uint32_t type)
{
	int fd = socket(AF_UNIX, (int)type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

static int open_fifo(struct posix_fs *p, const struct sk_9p_cred *cred, struct sk_9p_node *node, bool write,
		     struct sk_9p_socket **ret_socket)
{
	struct stat st;
	int fd, r;

	if (node->is_virtual || node->type != S_IFIFO)
		return -EINVAL;
	posix_as_caller(p, cred);
	fd = posix_open_node(p, node, (write ? O_WRONLY : O_RDONLY) | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode)) {
		close(fd);
		return -ESTALE;
	}
	r = wrap(fd, ret_socket);
	if (r == 0)
		(*ret_socket)->fifo = true;
	return r;
}

int posix_connect(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node, uint32_t type,
		  struct sk_9p_socket **ret_socket)
{
	struct posix_fs *p = posix_of(fs);
	struct sockaddr_un addr;
	_cleanup_fd_ int fd = -1;
	int path, r;

	if (type == P9_FIFO_READ || type == P9_FIFO_WRITE)
		return open_fifo(p, cred, node, type == P9_FIFO_WRITE, ret_socket);
	if (node->is_virtual || node->type != S_IFSOCK)
		return -ECONNREFUSED;
	path = posix_fd(p, node);
	if (path < 0)
		return path;
	fd = new_socket(type);
	if (fd < 0)
		return fd;
	r = sk_socket_address(path, NULL, &addr);
	if (r == 0)
		r = posix_connect_as(p, cred, fd, &addr, sizeof(addr));
	return r < 0 ? r : wrap(SK_TAKE_FD(fd), ret_socket);
}

int posix_bind(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
	       uint32_t mode, uint32_t type, struct p9_qid *ret_qid, struct sk_9p_socket **ret_socket)
{
	struct posix_fs *p = posix_of(fs);
	struct sk_override keep = { cred->uid, cred->gid == P9_NONUNAME ? 0 : cred->gid, S_IFSOCK | mode, 0, 0 };
	bool mapped = p->c.who == SK_EXPORT_MAPPED;
	_cleanup_fd_ int fd = new_socket(type);
	struct sockaddr_un addr;
	int r, dirfd = posix_dir_for_creation(p, cred, dir, name);

	if (fd < 0 || dirfd < 0)
		return fd < 0 ? fd : dirfd;
	r = sk_socket_address(dirfd, name, &addr);
	if (r < 0)
		return r;
	/* It would stand for a socket that nobody of the host can reach. */
	if (posix_sidecar(p))
		return -EOPNOTSUPP;
	/* bind() gives the socket file the mode of the socket's inode. */
	if (fchmod(fd, mapped ? (mode & 0777) | 0600 : (mode_t)mode) < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return errno == EADDRINUSE ? -EEXIST : -errno;
	r = posix_made(p, dir, name, &keep, ret_qid);
	if (r == 0)
		r = wrap(SK_TAKE_FD(fd), ret_socket);
	if (r < 0)
		unlinkat(dirfd, name, 0);
	return r;
}

int posix_listen(struct sk_9p_fs *fs, struct sk_9p_socket *socket, uint32_t backlog)
{
	(void)fs;
	return listen(socket->fd, backlog > 4096 ? 4096 : (int)backlog) < 0 ? -errno : 0;
}

int posix_accept(struct sk_9p_fs *fs, struct sk_9p_socket *socket, struct sk_9p_socket **ret_socket,
		 struct sk_9p_cred *ret_cred)
{
	int fd = accept4(socket->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (fd < 0)
		return -errno;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		peer = (struct ucred){ 0, P9_NOBODY_GID, P9_NOBODY_GID };
	/* This user's files belong to the guest's root, and others' to nobody it knows. */
	if (posix_of(fs)->c.who == SK_EXPORT_MAPPED)
		peer.uid = peer.gid = peer.uid == geteuid() ? 0 : P9_NOBODY_GID;
	*ret_cred = (struct sk_9p_cred){ peer.uid, peer.gid };
	return wrap(fd, ret_socket);
}

int64_t posix_receive(struct sk_9p_fs *fs, struct sk_9p_socket *socket, struct sk_iov *iov, unsigned n)
{
	struct pollfd p = { .fd = socket->fd, .events = POLLIN };
	ssize_t r;

	(void)fs;
	/* Without a writer a read is the end; but not before the first one has come. */
	if (socket->fifo && poll(&p, 1, 0) == 0)
		return -EAGAIN;
	do
		r = readv(socket->fd, (const struct iovec *)(const void *)iov, (int)n);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

int64_t posix_send(struct sk_9p_fs *fs, struct sk_9p_socket *socket, struct sk_iov *iov, unsigned n)
{
	ssize_t r;

	(void)fs;
	do
		r = writev(socket->fd, (const struct iovec *)(const void *)iov, (int)n);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

int posix_shutdown(struct sk_9p_fs *fs, struct sk_9p_socket *socket, uint32_t how)
{
	(void)fs;
	return shutdown(socket->fd, (int)how) < 0 ? -errno : 0;
}

int posix_socket_fd(struct sk_9p_fs *fs, struct sk_9p_socket *socket)
{
	(void)fs;
	return socket->fd;
}

void posix_socket_close(struct sk_9p_fs *fs, struct sk_9p_socket *socket)
{
	(void)fs;
	close(socket->fd);
	free(socket);
}
