/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * The engine gives us the eventfds of a device's interrupts, and holds them itself. An engine that a guest has taken
 * over can fill the counter and take O_NONBLOCK back at any time: the flag belongs to the open file, which both share.
 * A write() then blocks for ever, and looking beforehand (fcntl, poll) only leaves a race. There is no write to an
 * eventfd that is non-blocking by itself: eventfd has no write_iter, so that RWF_NOWAIT is refused.
 *
 * But the kernel adds to a counter without ever waiting when it announces the end of an asynchronous read
 * (IOCB_FLAG_RESFD, Linux 2.6.22). So a notification is a read of no bytes from a file of our own, which ends within
 * io_submit(): 0.7 µs more than write(). The list of ends is emptied when it is full.
 *
 * One context serves all threads of the process.
 */
#include "virtio/notify.h"

#include <errno.h>
#include <linux/aio_abi.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SK_NOTIFY_EVENTS 64

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static aio_context_t context;
static int nothing_fd = -1;

static int set_up(void)
{
	int r = 0;

	pthread_mutex_lock(&lock);
	if (nothing_fd < 0)
		nothing_fd = memfd_create("notify", MFD_CLOEXEC);
	if (nothing_fd < 0 || (!context && syscall(SYS_io_setup, SK_NOTIFY_EVENTS, &context) < 0))
		r = -errno;
	pthread_mutex_unlock(&lock);
	return r;
}

static void drain(void)
{
	struct io_event events[SK_NOTIFY_EVENTS];

	(void)syscall(SYS_io_getevents, context, 0L, (long)SK_NOTIFY_EVENTS, events, NULL);
}

int sk_notify(int eventfd)
{
	struct iocb cb = { .aio_lio_opcode = IOCB_CMD_PREAD, .aio_flags = IOCB_FLAG_RESFD }, *list = &cb;
	int r, tries;

	if (!context && (r = set_up()) < 0)
		return r;
	cb.aio_fildes = (uint32_t)nothing_fd;
	cb.aio_resfd = (uint32_t)eventfd;
	for (tries = 0; tries < 8; tries++) {
		if (syscall(SYS_io_submit, context, 1L, &list) == 1)
			return 0;
		if (errno != EAGAIN)
			return -errno;
		drain();
	}
	return -EAGAIN;
}

int sk_notify_check(int fd, bool *ret_socket)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	*ret_socket = S_ISSOCK(st.st_mode);
	return *ret_socket || (st.st_mode & S_IFMT) == 0 ? 0 : -EINVAL;
}

/* 8 bytes are sent without waiting. A full socket holds wake-ups that have not been read yet, so that EAGAIN loses
 * nothing; any other failure means that nobody waits. */
void sk_notify_call(void *arg)
{
	const struct sk_notify_fd *n = arg;
	uint64_t one = 1;

	if (n->fd >= 0 && n->is_socket)
		(void)!send(n->fd, &one, sizeof(one), MSG_DONTWAIT | MSG_NOSIGNAL);
	else if (n->fd >= 0)
		(void)sk_notify(n->fd);
}
