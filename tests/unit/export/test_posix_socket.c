/* SPDX-License-Identifier: Apache-2.0 */
/* Unix sockets and FIFOs in a directory of the host. */
#include "../sk_test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "posix_fixture.h"

static struct client c;
static struct sk_9p_server *server;

/* The embedder's part: one that looks when it is asked to. */
struct watch {
	int fd;
	unsigned want;
	void (*ready)(void *arg, unsigned events);
	void *arg;
};
static unsigned watches;

static void *watch(void *arg, int fd, void (*ready)(void *ready_arg, unsigned events), void *ready_arg)
{
	struct watch *w = calloc(1, sizeof(*w));

	(void)arg;
	*w = (struct watch){ fd, 0, ready, ready_arg };
	watches++;
	return w;
}

static struct watch *wanted;

static int want(void *of, unsigned events)
{
	wanted = of;
	wanted->want |= events;
	return 0;
}

static void unwatch(void *of)
{
	if (wanted == of)
		wanted = NULL;
	watches--;
	free(of);
}

static void start(struct fixture *fx)
{
	struct sk_9p_server_config config = { .watch = watch, .want = want, .unwatch = unwatch, .max_sockets = 3 };

	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(sk_9p_server_new(&config, &server), 0);
	assert_int_equal(cl_start_ext(&c, server, &fx->export, 0), 0);
}

static void stop(void)
{
	sk_9p_session_free(c.session);
	assert_int_equal(watches, 0);
	sk_9p_server_free(server);
}

static int call(uint8_t type, uint32_t fid, uint32_t newfid, const char *name, uint32_t kind)
{
	struct p9_msg t = { .type = type };

	t.u.socket.fid = fid;
	t.u.socket.newfid = newfid;
	t.u.socket.type = kind;
	t.u.socket.gid = getegid();
	t.u.socket.mode = 0640;
	t.u.socket.how = t.u.socket.backlog = kind;
	if (name)
		t.u.socket.name = CL_STR(name);
	return cl_call(&c, &t);
}

static int there(struct fixture *fx, const char *name, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%s", fx->dirfd, name);
	return socket(AF_UNIX, SOCK_STREAM, 0);
}

void socket_connect(void **state)
{
	struct fixture *fx = *state;
	struct sockaddr_un addr;
	char buf[16] = "";
	int fd, peer;

	/* Without an embedder that can watch there are none. */
	assert_int_equal(cl_start_ext(&c, fx->server, &fx->export, 0), 0);
	assert_int_equal(call(P9_TCONNECT, 0, 5, NULL, P9_SOCK_STREAM), -P9_EOPNOTSUPP);
	sk_9p_session_free(c.session);
	start(fx);
	fd = there(fx, "s", &addr);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(cl_walk(&c, 0, 1, "s"), 0);
	assert_int_equal(call(P9_TCONNECT, 1, 2, NULL, P9_SOCK_STREAM), -P9_ECONNREFUSED);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(call(P9_TCONNECT, 1, 2, NULL, 77), -P9_EINVAL);
	assert_int_equal(call(P9_TCONNECT, 1, 2, NULL, P9_SOCK_SEQPACKET), -P9_EPROTOTYPE);
	assert_int_equal(call(P9_TCONNECT, 9, 2, NULL, P9_SOCK_STREAM), -P9_EBADF);
	assert_int_equal(call(P9_TCONNECT, 1, 1, NULL, P9_SOCK_STREAM), -P9_EBADF);
	assert_int_equal(call(P9_TCONNECT, 0, 2, NULL, P9_SOCK_STREAM), -P9_ECONNREFUSED); /* a directory */
	assert_int_equal(call(P9_TCONNECT, 1, 2, NULL, P9_FIFO_READ), -P9_EINVAL);
	assert_int_equal(call(P9_TCONNECT, 1, 2, NULL, P9_SOCK_STREAM), 0);
	peer = accept(fd, NULL, NULL);
	assert_true(peer >= 0);
	/* Operations that would wait return EAGAIN and are watched for. */
	assert_int_equal(cl_read(&c, 2, 0, 16), -P9_EAGAIN);
	assert_non_null(wanted);
	assert_int_equal(wanted->want, P9_READABLE);
	assert_int_equal(write(peer, "hello", 5), 5);
	wanted->ready(wanted->arg, P9_READABLE);
	assert_int_equal(cl_read(&c, 2, 999, 16), 5);
	assert_memory_equal(c.r.u.data.p, "hello", 5);
	assert_int_equal(cl_write(&c, 2, 0, "there", 5), 5);
	assert_int_equal(read(peer, buf, sizeof(buf)), 5);
	assert_string_equal(buf, "there");
	/* The end, in each direction. */
	assert_int_equal(call(P9_TSHUTDOWN, 2, 0, NULL, 7), -P9_EINVAL);
	assert_int_equal(call(P9_TSHUTDOWN, 2, 0, NULL, P9_SHUT_WR), 0);
	assert_int_equal(read(peer, buf, sizeof(buf)), 0);
	close(peer);
	assert_int_equal(cl_read(&c, 2, 0, 16), 0);
	assert_int_equal(cl_write(&c, 2, 0, "x", 1), -P9_EPIPE);
	/* A socket is a socket, and nothing else. */
	assert_int_equal(cl_walk(&c, 2, 7, ""), -P9_EBADF);
	assert_int_equal(call(P9_TLISTEN, 1, 0, NULL, 1), -P9_EBADF);
	/* No more than there may be. */
	assert_int_equal(call(P9_TCONNECT, 1, 3, NULL, P9_SOCK_STREAM), 0);
	assert_int_equal(call(P9_TCONNECT, 1, 4, NULL, P9_SOCK_STREAM), 0);
	assert_int_equal(call(P9_TCONNECT, 1, 5, NULL, P9_SOCK_STREAM), -P9_EMFILE);
	assert_int_equal(cl_clunk(&c, 3), 0);
	assert_int_equal(call(P9_TCONNECT, 1, 5, NULL, P9_SOCK_STREAM), 0);
	close(fd);
	stop();
}

void socket_bind(void **state)
{
	struct fixture *fx = *state;
	struct sockaddr_un addr;
	struct stat st;
	int fd;

	start(fx);
	assert_int_equal(call(P9_TBIND, 0, 1, "../x", P9_SOCK_STREAM), -P9_EINVAL);
	assert_int_equal(call(P9_TBIND, 0, 1, "s", P9_SOCK_STREAM), 0);
	assert_int_equal(fstatat(fx->dirfd, "s", &st, 0), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(call(P9_TBIND, 0, 2, "s", P9_SOCK_STREAM), -P9_EEXIST);
	fd = there(fx, "s", &addr);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), -1);
	assert_int_equal(errno, ECONNREFUSED);
	assert_int_equal(call(P9_TLISTEN, 1, 0, NULL, 8), 0);
	assert_int_equal(call(P9_TACCEPT, 1, 2, NULL, 0), -P9_EAGAIN);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(call(P9_TACCEPT, 1, 2, NULL, 0), 0);
	assert_int_equal(c.r.u.socket.uid, who == SK_EXPORT_MAPPED ? 0 : geteuid());
	assert_int_equal(write(fd, "hi", 2), 2);
	assert_int_equal(cl_read(&c, 2, 0, 16), 2);
	close(fd);
	/* A connection that is closed is connected no more. */
	assert_int_equal(cl_clunk(&c, 1), 0);
	fd = there(fx, "s", &addr);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), -1);
	assert_int_equal(errno, ECONNREFUSED);
	close(fd);
	stop();
}

void socket_fifo(void **state)
{
	struct fixture *fx = *state;
	char buf[16] = "";
	int fd;

	start(fx);
	assert_int_equal(mkfifoat(fx->dirfd, "f", 0600), 0);
	assert_int_equal(cl_walk(&c, 0, 1, "f"), 0);
	assert_int_equal(call(P9_TCONNECT, 1, 2, NULL, P9_SOCK_STREAM), -P9_ECONNREFUSED);
	assert_int_equal(call(P9_TCONNECT, 1, 2, NULL, P9_FIFO_WRITE), -P9_ENXIO);
	assert_int_equal(call(P9_TCONNECT, 1, 2, NULL, P9_FIFO_READ), 0);
	/* Not the end: nobody has come yet. */
	assert_int_equal(cl_read(&c, 2, 0, 16), -P9_EAGAIN);
	fd = openat(fx->dirfd, "f", O_WRONLY | O_NONBLOCK);
	assert_true(fd >= 0);
	assert_int_equal(cl_read(&c, 2, 0, 16), -P9_EAGAIN);
	assert_int_equal(write(fd, "abc", 3), 3);
	assert_int_equal(cl_read(&c, 2, 0, 16), 3);
	close(fd);
	assert_int_equal(cl_read(&c, 2, 0, 16), 0);
	assert_int_equal(cl_clunk(&c, 2), 0);
	fd = openat(fx->dirfd, "f", O_RDONLY | O_NONBLOCK);
	assert_int_equal(call(P9_TCONNECT, 1, 2, NULL, P9_FIFO_WRITE), 0);
	assert_int_equal(cl_write(&c, 2, 0, "xyz", 3), 3);
	assert_int_equal(read(fd, buf, sizeof(buf)), 3);
	close(fd);
	assert_int_equal(cl_write(&c, 2, 0, "xyz", 3), -P9_EPIPE);
	stop();
}
