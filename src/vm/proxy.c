/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies between the descriptors that a managed container was started with and its monitor's control connection. A
 * descriptor that somebody else holds is never waited for (enum how).
 */
#include "vm/proxy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/frame.h"

#define SK_PROXY_HIGH (256u * 1024u)
#define SK_PROXY_CHUNK (64u * 1024u)
/* A process that has ended does not wait for ever for a reader of its last words. */
#define SK_PROXY_LINGER_MS 30000u

/* How a descriptor is used without waiting. O_NONBLOCK alone does not do: where the file cannot be opened anew, the
 * flag is shared with everybody who has it. */
enum how {
	HOW_FLAG,   /* O_NONBLOCK, if possible of our own */
	HOW_SOCKET, /* MSG_DONTWAIT */
	HOW_PIPE,   /* RWF_NOWAIT */
};

struct sk_proxy_out {
	int fd;
	enum how how;
	struct sk_buf buf;
	struct sk_source *source;
	bool dead;  /* its reader has gone */
	bool ended; /* nothing more comes: closed as soon as `buf` is empty */
};

struct sk_proxy {
	struct sk_proxy_config c;
	struct sk_buf in, to_conn;
	struct sk_source *conn_source, *in_source, *in_deferred, *linger;
	struct sk_proxy_out out[2];
	size_t unacked;
	unsigned linger_ms;
	enum how in_how;
	unsigned short rows, cols;
	bool in_file; /* always readable: a regular file or a device without poll */
	bool in_eof, exited, done;
	bool conn_gone;
	int code;
	bool oom;
};

static void proxy_pump(struct sk_proxy *p);

/* A descriptor of our own for the same file, so that O_NONBLOCK is ours alone. */
static int make_nonblocking(int take_fd, enum how *ret_how)
{
	char path[48];
	struct stat st;
	int flags, fd;

	*ret_how = HOW_FLAG;
	if (take_fd < 0 || fstat(take_fd, &st) < 0)
		return take_fd;
	flags = fcntl(take_fd, F_GETFL);
	if (S_ISSOCK(st.st_mode))
		*ret_how = HOW_SOCKET;
	else if (S_ISFIFO(st.st_mode))
		*ret_how = HOW_PIPE;
	if (S_ISSOCK(st.st_mode) || flags < 0)
		return take_fd;
	if (S_ISREG(st.st_mode))
		return take_fd;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", take_fd);
	fd = open(path, (flags & (O_ACCMODE | O_APPEND)) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0) {
		fcntl(take_fd, F_SETFL, flags | O_NONBLOCK);
		return take_fd;
	}
	close(take_fd);
	return fd;
}

static bool would_block(int error)
{
	return error == EAGAIN || error == EINTR;
}

static ssize_t write_now(int fd, enum how how, const void *p, size_t n)
{
	struct iovec iov = { (void *)(uintptr_t)p, n };
	ssize_t r;

	if (how == HOW_SOCKET)
		return send(fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (how == HOW_PIPE) {
		r = pwritev2(fd, &iov, 1, -1, RWF_NOWAIT);
		if (r >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS && errno != EPERM))
			return r;
	}
	return write(fd, p, n);
}

static ssize_t read_now(int fd, enum how how, void *p, size_t n)
{
	struct iovec iov = { p, n };
	ssize_t r;

	if (how == HOW_SOCKET)
		return recv(fd, p, n, MSG_DONTWAIT);
	if (how == HOW_PIPE) {
		r = preadv2(fd, &iov, 1, -1, RWF_NOWAIT);
		if (r >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS && errno != EPERM))
			return r;
	}
	return read(fd, p, n);
}

static bool stalled(const struct sk_proxy *p)
{
	return p->out[0].buf.len > SK_PROXY_HIGH || p->out[1].buf.len > SK_PROXY_HIGH;
}

static void finish(struct sk_proxy *p)
{
	if (p->done)
		return;
	p->done = true;
	sk_loop_remove(SK_TAKE_PTR(p->conn_source));
	sk_loop_remove(SK_TAKE_PTR(p->in_source));
	sk_loop_remove(SK_TAKE_PTR(p->out[0].source));
	sk_loop_remove(SK_TAKE_PTR(p->out[1].source));
	sk_loop_remove(SK_TAKE_PTR(p->linger));
	/* Close the descriptors now, so that their readers see end of file before the owner frees the proxy. */
	sk_close_fd(&p->out[0].fd);
	sk_close_fd(&p->out[1].fd);
	sk_close_fd(&p->c.in_fd);
	if (p->c.done)
		p->c.done(p->c.arg, p->exited ? p->code : -ECONNRESET, p->oom);
}

static void on_linger(void *arg)
{
	struct sk_proxy *p = arg;

	p->out[0].dead = p->out[1].dead = true;
	proxy_pump(p);
}

static void on_out(void *arg, int fd, unsigned events)
{
	(void)fd;
	(void)events;
	proxy_pump(arg);
}

static void flush_one(struct sk_proxy *p, struct sk_proxy_out *o)
{
	while (o->buf.len && !o->dead) {
		ssize_t n = write_now(o->fd, o->how, sk_buf_data(&o->buf), o->buf.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && would_block(errno))
			break;
		if (n < 0) {
			o->dead = true;
			break;
		}
		sk_buf_consume(&o->buf, (size_t)n);
		if (p->linger)
			sk_loop_set_timer(p->linger, p->linger_ms);
	}
	if (o->dead)
		sk_buf_consume(&o->buf, o->buf.len);
	if (o->ended && !o->buf.len && o->fd >= 0) {
		sk_loop_remove(SK_TAKE_PTR(o->source));
		sk_close_fd(&o->fd);
		return;
	}
	if (o->buf.len && !o->source) {
		o->source = sk_loop_add_fd(p->c.loop, o->fd, SK_LOOP_WRITE, on_out, p);
		if (!o->source) { /* a file: cannot be waited for, and did not take it: full */
			o->dead = true;
			sk_buf_consume(&o->buf, o->buf.len);
		}
	} else if (!o->buf.len && o->source) {
		sk_loop_remove(SK_TAKE_PTR(o->source));
	}
}

static void flush_conn(struct sk_proxy *p)
{
	while (p->to_conn.len && !p->conn_gone) {
		ssize_t n =
			send(p->c.take_conn_fd, sk_buf_data(&p->to_conn), p->to_conn.len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break; /* full, or gone: reading tells which */
		sk_buf_consume(&p->to_conn, (size_t)n);
	}
}

/* Replies and unknown events are ignored. */
static void on_message(struct sk_proxy *p, json_t *take_json)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_msg event;

	if (sk_msg_decode(SK_WIRE_TO_CLIENT, take_json, &event, &err) < 0)
		return;
	if (event.op == SK_EVENT_STDIN) {
		p->unacked -= event.input.taken <= p->unacked ? event.input.taken : p->unacked;
	} else if (event.op == SK_EVENT_OOM) {
		if (p->c.oom)
			p->c.oom(p->c.arg);
	} else if (event.op == SK_EVENT_EXIT) {
		p->exited = true;
		p->code = event.exit.code;
		p->oom = event.exit.oom;
		sk_proxy_ended(p, SK_PROXY_LINGER_MS);
	}
	sk_msg_fini(&event);
}

void sk_proxy_ended(struct sk_proxy *p, unsigned ms)
{
	if (p->done || p->linger)
		return;
	p->linger_ms = ms;
	p->linger = sk_loop_add_timer(p->c.loop, ms, on_linger, p);
}

static void take_frames(struct sk_proxy *p)
{
	struct sk_frame f;
	int r;

	while (!stalled(p) && !p->exited && (r = sk_frame_peek(&p->in, &f)) != 0) {
		if (r < 0) {
			p->conn_gone = true;
			return;
		}
		if (f.type == SK_FRAME_STDOUT || f.type == SK_FRAME_STDERR) {
			struct sk_proxy_out *o = &p->out[f.type == SK_FRAME_STDERR && p->out[1].fd >= 0];

			if (!f.len)
				o->ended = !p->c.terminal;
			else if (!o->dead && o->fd >= 0 && sk_buf_append(&o->buf, f.payload, f.len) < 0)
				o->dead = true;
			flush_one(p, o);
		} else if (f.type == SK_FRAME_JSON) {
			json_t *o = sk_frame_json(&f);

			if (o)
				on_message(p, o);
		}
		sk_frame_consume(&p->in, &f);
	}
}

static void on_conn(void *arg, int fd, unsigned events)
{
	struct sk_proxy *p = arg;
	uint8_t *to;
	ssize_t n;

	if (events & (SK_LOOP_READ | SK_LOOP_HANGUP)) {
		to = sk_buf_reserve(&p->in, SK_PROXY_CHUNK);
		n = to ? recv(fd, to, SK_PROXY_CHUNK, MSG_DONTWAIT) : -1;
		if (n > 0)
			sk_buf_commit(&p->in, (size_t)n);
		else if (n == 0 || !to || !would_block(errno))
			p->conn_gone = true;
	}
	proxy_pump(p);
}

/* One read of the input, if the window allows. False: nothing came. */
static bool read_input(struct sk_proxy *p)
{
	uint8_t chunk[16384];
	size_t want = SK_STDIN_WINDOW - p->unacked < sizeof(chunk) ? SK_STDIN_WINDOW - p->unacked : sizeof(chunk);
	ssize_t n;

	if (p->in_eof || p->exited || !want || p->to_conn.len > SK_STDIN_WINDOW)
		return false;
	n = read_now(p->c.in_fd, p->in_how, chunk, want);
	if (n < 0 && would_block(errno))
		return false;
	if (n <= 0) {
		p->in_eof = true;
		if (!p->c.terminal)
			sk_frame_put(&p->to_conn, SK_FRAME_STDIN, NULL, 0);
		return false;
	}
	p->unacked += (size_t)n;
	sk_frame_put(&p->to_conn, SK_FRAME_STDIN, chunk, (size_t)n);
	return true;
}

static void on_in(void *arg, int fd, unsigned events)
{
	struct sk_proxy *p = arg;

	(void)fd;
	(void)events;
	read_input(p);
	proxy_pump(p);
}

static void on_in_deferred(void *arg)
{
	struct sk_proxy *p = arg;

	if (read_input(p))
		sk_loop_trigger(p->in_deferred);
	proxy_pump(p);
}

/* Input is watched only while it may be taken: a hang-up is reported always. */
static void watch_input(struct sk_proxy *p)
{
	bool want = !p->in_eof && !p->exited && p->unacked < SK_STDIN_WINDOW && p->c.in_fd >= 0 &&
		    p->to_conn.len <= SK_STDIN_WINDOW;

	if (p->in_file) {
		if (want)
			sk_loop_trigger(p->in_deferred);
		return;
	}
	if (want && !p->in_source) {
		p->in_source = sk_loop_add_fd(p->c.loop, p->c.in_fd, SK_LOOP_READ, on_in, p);
		if (!p->in_source) {
			p->in_file = true;
			sk_loop_trigger(p->in_deferred);
		}
	} else if (!want && p->in_source) {
		sk_loop_remove(SK_TAKE_PTR(p->in_source));
	}
}

static void proxy_pump(struct sk_proxy *p)
{
	if (p->done)
		return;
	flush_one(p, &p->out[0]);
	flush_one(p, &p->out[1]);
	take_frames(p);
	flush_conn(p);
	watch_input(p);
	if ((p->exited || p->conn_gone) && !p->out[0].buf.len && !p->out[1].buf.len) {
		finish(p);
		return;
	}
	if (stalled(p) || p->exited || p->conn_gone) {
		sk_loop_remove(SK_TAKE_PTR(p->conn_source));
	} else if (!p->conn_source) {
		p->conn_source = sk_loop_add_fd(p->c.loop, p->c.take_conn_fd, SK_LOOP_READ, on_conn, p);
		if (!p->conn_source)
			p->conn_gone = true;
	}
	if (p->conn_source)
		sk_loop_set_events(p->conn_source, SK_LOOP_READ | (p->to_conn.len ? SK_LOOP_WRITE : 0));
}

void sk_proxy_send(struct sk_proxy *p, const struct sk_msg *message)
{
	struct sk_error err = SK_ERROR_INIT;
	json_t *json = sk_msg_encode(message, &err);

	if (json && !p->done && sk_frame_put_json(&p->to_conn, json) == 0)
		proxy_pump(p);
	json_decref(json);
}

void sk_proxy_resize(struct sk_proxy *p)
{
	struct winsize ws;

	if (p->done || !p->c.terminal || ioctl(p->c.size_fd < 0 ? p->c.in_fd : p->c.size_fd, TIOCGWINSZ, &ws) < 0 ||
	    !ws.ws_row || !ws.ws_col)
		return;
	if (ws.ws_row == p->rows && ws.ws_col == p->cols)
		return;
	p->rows = ws.ws_row;
	p->cols = ws.ws_col;
	sk_proxy_send(p, &(const struct sk_msg){ .op = SK_ATTACHED_RESIZE, .size = { ws.ws_row, ws.ws_col } });
}

bool sk_proxy_is_done(const struct sk_proxy *p)
{
	return p->done;
}

int sk_proxy_new(const struct sk_proxy_config *config, struct sk_proxy **ret_proxy)
{
	struct sk_proxy *p = calloc(1, sizeof(*p));

	if (!p) {
		close(config->take_conn_fd);
		return -ENOMEM;
	}
	p->c = *config;
	sk_buf_init(&p->in, 2 * (SK_FRAME_MAX + SK_FRAME_HEADER));
	sk_buf_init(&p->to_conn, 2 * SK_FRAME_MAX);
	sk_buf_init(&p->out[0].buf, SK_PROXY_HIGH + SK_FRAME_MAX);
	sk_buf_init(&p->out[1].buf, SK_PROXY_HIGH + SK_FRAME_MAX);
	p->c.in_fd = make_nonblocking(config->in_fd, &p->in_how);
	p->out[0].fd = make_nonblocking(config->out_fd, &p->out[0].how);
	p->out[1].fd = make_nonblocking(config->err_fd, &p->out[1].how);
	p->in_eof = p->c.in_fd < 0;
	p->in_deferred = sk_loop_add_deferred(p->c.loop, on_in_deferred, p);
	p->conn_source = sk_loop_add_fd(p->c.loop, p->c.take_conn_fd, SK_LOOP_READ, on_conn, p);
	if (!p->in_deferred || !p->conn_source) {
		sk_proxy_free(p);
		return -ENOMEM;
	}
	watch_input(p);
	*ret_proxy = p;
	return 0;
}

void sk_proxy_free(struct sk_proxy *p)
{
	if (!p)
		return;
	p->done = true;
	sk_loop_remove(p->conn_source);
	sk_loop_remove(p->in_source);
	sk_loop_remove(p->in_deferred);
	sk_loop_remove(p->linger);
	sk_loop_remove(p->out[0].source);
	sk_loop_remove(p->out[1].source);
	sk_close_fd(&p->out[0].fd);
	sk_close_fd(&p->out[1].fd);
	sk_close_fd(&p->c.in_fd);
	close(p->c.take_conn_fd);
	sk_buf_fini(&p->in);
	sk_buf_fini(&p->to_conn);
	sk_buf_fini(&p->out[0].buf);
	sk_buf_fini(&p->out[1].buf);
	free(p);
}
