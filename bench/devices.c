/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices for a guest that bench/mounts boots by hand, without a monitor: the same block and vsock devices that a
 * monitor has.
 *
 *   bench-devices [--disk SOCKET=IMAGE]… [--vfio-disk SOCKET=IMAGE]… [--vsock SOCKET=PORT:UNIX-SOCKET]
 *   bench-devices --tsc
 *
 * --vfio-disk: a disk over vfio-user, for a guest of QEMU 10.1 or later. --vsock: what the guest connects to on host
 * port PORT is carried to UNIX-SOCKET. Ends with SIGTERM, or with its parent. --tsc: prints how many kHz the processor's
 * time stamp counter has, which a guest of QEMU's emulation has to be told (see src/engine/qemu_args.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "virtio/device.h"

#define CHUNK 65536u

static struct sk_loop *loop;
static char target[108];

struct link {
	struct sk_stream *stream;
	struct sk_source *source;
	int fd;
	struct sk_buf to_guest, to_host;
};

static void link_free(struct link *l)
{
	sk_loop_remove(l->source);
	sk_close_fd(&l->fd);
	sk_stream_close(l->stream);
	sk_buf_fini(&l->to_guest);
	sk_buf_fini(&l->to_host);
	free(l);
}

static void watch(struct link *l)
{
	sk_loop_set_events(l->source,
			   (l->to_guest.len < SK_STREAM_BUF ? SK_LOOP_READ : 0) | (l->to_host.len ? SK_LOOP_WRITE : 0));
}

static void push_guest(struct link *l)
{
	while (l->to_guest.len) {
		size_t n = sk_stream_write(l->stream, sk_buf_data(&l->to_guest), l->to_guest.len);

		if (!n)
			break;
		sk_buf_consume(&l->to_guest, n);
	}
}

/* False: the other end is gone. */
static bool push_host(struct link *l)
{
	while (l->to_host.len) {
		ssize_t n = send(l->fd, sk_buf_data(&l->to_host), l->to_host.len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN;
		sk_buf_consume(&l->to_host, (size_t)n);
	}
	return true;
}

static void on_fd(void *arg, int fd, unsigned events)
{
	struct link *l = arg;
	static uint8_t chunk[CHUNK];
	bool ok = push_host(l);

	if (ok && (events & (SK_LOOP_READ | SK_LOOP_HANGUP)) && l->to_guest.len < SK_STREAM_BUF) {
		ssize_t n = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);

		ok = n > 0 ? sk_buf_append(&l->to_guest, chunk, (size_t)n) == 0 : n < 0 && errno == EAGAIN;
		push_guest(l);
	}
	if (ok && !l->to_host.len)
		sk_stream_resume(l->stream);
	if (!ok)
		link_free(l);
	else
		watch(l);
}

static size_t on_data(void *arg, const uint8_t *p, size_t n)
{
	struct link *l = arg;

	if (l->to_host.len > 4 * SK_STREAM_BUF || sk_buf_append(&l->to_host, p, n) < 0)
		return 0;
	push_host(l);
	watch(l);
	return n;
}

static void on_writable(void *arg)
{
	struct link *l = arg;

	push_guest(l);
	watch(l);
}

static void on_eof(void *arg)
{
	struct link *l = arg;

	shutdown(l->fd, SHUT_WR);
}

static void on_closed(void *arg, int error)
{
	struct link *l = arg;

	(void)error;
	l->stream = NULL;
	link_free(l);
}

static bool on_accept(void *arg, struct sk_stream *stream, uint32_t guest_port)
{
	static const struct sk_stream_events events = {
		.data = on_data, .eof = on_eof, .writable = on_writable, .closed = on_closed
	};
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct link *l = calloc(1, sizeof(*l));

	(void)arg;
	(void)guest_port;
	if (!l)
		return false;
	memcpy(sa.sun_path, target, sizeof(sa.sun_path));
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (l->fd < 0 || connect(l->fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		perror(target);
		sk_close_fd(&l->fd);
		free(l);
		return false;
	}
	l->source = sk_loop_add_fd(loop, l->fd, SK_LOOP_READ, on_fd, l);
	l->stream = stream;
	sk_buf_init(&l->to_guest, 8 * SK_STREAM_BUF);
	sk_buf_init(&l->to_host, 8 * SK_STREAM_BUF);
	sk_stream_set_events(stream, &events, l);
	return true;
}

static int listen_on(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (strlen(path) >= sizeof(sa.sun_path))
		return -1;
	strcpy(sa.sun_path, path);
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 4) < 0) {
		perror(path);
		exit(1);
	}
	return fd;
}

static int add_disk(const char *socket, const char *image, bool vfio, struct sk_error *err)
{
	struct sk_blk_part part = { .take_fd = open(image, O_RDWR | O_CLOEXEC) };
	struct sk_device *dev;
	struct stat st;
	int r;

	if (part.take_fd < 0 || fstat(part.take_fd, &st) < 0)
		return sk_error_errno(err, errno, "%s", image);
	part.size = (uint64_t)st.st_size;
	r = sk_blk_new(loop, listen_on(socket), &part, 1, false, &dev, err);
	if (r == 0 && vfio)
		sk_device_serve_vfio_user(dev);
	return r;
}

static int add_vsock(const char *socket, char *spec, struct sk_error *err)
{
	struct sk_carrier *carrier;
	struct sk_device *dev;
	char *path = strchr(spec, ':');
	int r;

	if (!path || strlen(path + 1) >= sizeof(target))
		return sk_error_set(err, EINVAL, "PORT:UNIX-SOCKET");
	strcpy(target, path + 1);
	r = sk_vsock_new(loop, listen_on(socket), 3, NULL, NULL, &dev, &carrier, err);
	return r < 0 ? r : sk_carrier_listen(carrier, (uint32_t)strtoul(spec, NULL, 10), on_accept, NULL);
}

static int print_tsc(void)
{
#ifdef __x86_64__
	struct timespec from, to, pause = { 0, 100000000 };
	uint64_t begin, ticks, ns;

	clock_gettime(CLOCK_MONOTONIC, &from);
	begin = __builtin_ia32_rdtsc();
	nanosleep(&pause, NULL);
	clock_gettime(CLOCK_MONOTONIC, &to);
	ticks = __builtin_ia32_rdtsc() - begin;
	ns = (uint64_t)(to.tv_sec - from.tv_sec) * 1000000000u + (uint64_t)to.tv_nsec - (uint64_t)from.tv_nsec;
	printf("%llu\n", (unsigned long long)(ticks * 1000000 / ns));
	return 0;
#else
	return 1;
#endif
}

static void on_signal(int sig)
{
	(void)sig;
	sk_loop_quit(loop);
}

int main(int argc, char **argv)
{
	struct sk_error err = SK_ERROR_INIT;
	int i, r;

	if (argc == 2 && strcmp(argv[1], "--tsc") == 0)
		return print_tsc();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	r = sk_loop_new(&loop);
	signal(SIGTERM, on_signal);
	signal(SIGPIPE, SIG_IGN);
	for (i = 1; r == 0 && i + 1 < argc; i += 2) {
		char *eq = strchr(argv[i + 1], '=');

		if (!eq)
			break;
		*eq = 0;
		if (strcmp(argv[i], "--disk") == 0)
			r = add_disk(argv[i + 1], eq + 1, false, &err);
		else if (strcmp(argv[i], "--vfio-disk") == 0)
			r = add_disk(argv[i + 1], eq + 1, true, &err);
		else if (strcmp(argv[i], "--vsock") == 0)
			r = add_vsock(argv[i + 1], eq + 1, &err);
		else
			break;
	}
	if (r < 0 || i != argc) {
		fprintf(stderr, "bench-devices: %s\n", r < 0 ? err.message : "what is asked for?");
		return 1;
	}
	return sk_loop_run(loop) < 0;
}
