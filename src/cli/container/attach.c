/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The attached client: joins our stdin, stdout and stderr (or the terminal) to a connection of the monitor.
 *
 *   monitor → STDOUT, STDERR frames → our descriptors   one frame at a time, written from the receive buffer; while a
 *                                                       reader of ours is slow we do not read on, and the monitor holds
 *                                                       the guest up: nothing is dropped, nothing grows
 *   our stdin → STDIN frames → monitor                  never more than the window of 256 KiB without acknowledgement,
 *                                                       and never with more than one chunk unsent
 *   SIGWINCH → resize; signals → signal                 through a signalfd, so that they are just another descriptor
 *
 * Nothing here sleeps but poll(): our own descriptors are written through sk_sink. stdin is read only when poll() says
 * that there is something.
 *
 * Life: CONNECTED (start asked for, signals end us) → RUNNING (raw terminal, stdin flows) → the exit event, the
 * detached event, or a break. The exit event comes last in the stream, so all output has been written when the client
 * acts on it.
 *
 * Not trusted: nothing here comes from the guest unframed; what the monitor passes on is bytes for our output only.
 */
#include "cli/container/attach.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/frame.h"
#include "cli/cli.h"
#include "model/jx.h"
#include "cli/container/sink.h"
#include "cli/container/term.h"

#define WINDOW (256u * 1024u)
#define CHUNK (32u * 1024u)
#define RECV_CHUNK (128u * 1024u)

struct client {
	int fd, signal_fd;
	const struct sk_attach *a;
	struct sk_attach_result *ret;
	struct sk_error *err;
	struct sk_buf in, out;
	struct sk_sink sinks[2];
	size_t written;	 /* of the front frame's payload */
	int write_error; /* of a sink that was given up; 0 */
	int blocked;	 /* index of the sink that has no room, -1 */
	size_t unacked;	 /* STDIN bytes */
	struct sk_detach detach;
	bool running, raw, in_eof, detaching, done;
	unsigned rows, cols;
};

static void finish(struct client *c, enum sk_attach_end end, int code)
{
	c->ret->end = end;
	c->ret->code = code;
	c->done = true;
}

static int lost(struct client *c, int error, const char *what)
{
	finish(c, SK_ATTACH_LOST, 125);
	return sk_error_errno(c->err, error, "%s", what);
}

static void send_json(struct client *c, json_t *take)
{
	sk_frame_put_json(&c->out, take);
	json_decref(take);
}

static void send_size(struct client *c)
{
	unsigned rows, cols;

	if (!c->a->tty || c->a->in_fd < 0)
		return;
	sk_term_size(c->a->in_fd, &rows, &cols);
	if (!rows || !cols || (rows == c->rows && cols == c->cols))
		return;
	c->rows = rows;
	c->cols = cols;
	send_json(c, sk_jx(json_pack("{s:s,s:i,s:i}", "op", "resize", "rows", (int)rows, "cols", (int)cols)));
}

static void send_detach(struct client *c)
{
	if (c->detaching)
		return;
	c->detaching = true;
	send_json(c, sk_jx(json_pack("{s:s}", "op", "detach")));
}

/* ---- from the monitor */

static int became_running(struct client *c)
{
	c->running = true;
	c->ret->started = true;
	if (c->a->tty && c->a->in_fd >= 0 && isatty(c->a->in_fd)) {
		int r = sk_term_raw(c->a->in_fd);

		if (r < 0)
			return lost(c, r, "cannot set the terminal to raw mode");
		c->raw = true;
	} else if (c->a->tty && c->a->out_fd >= 0 && isatty(c->a->out_fd)) {
		/* Its lines end with CR LF already. */
		int r = sk_term_plain(c->a->out_fd);

		if (r < 0)
			return lost(c, r, "cannot set the terminal's mode");
	}
	send_size(c);
	return 0;
}

static int on_reply(struct client *c, const json_t *o)
{
	int code = (int)sk_jx_get_int(o, "exit_code", 0);

	if (json_is_true(json_object_get(o, "ok")))
		return became_running(c);
	finish(c, SK_ATTACH_REFUSED, code ? code : 125);
	code = (int)sk_jx_get_int(o, "errno", EIO);
	return sk_error_set(c->err, code, "%s", sk_jx_get_str(o, "message", "the container could not be started"));
}

static int on_json(struct client *c, const struct sk_frame *frame)
{
	_cleanup_json_ json_t *o = sk_frame_json(frame);
	const char *event = sk_jx_get_str(o, "event", NULL);

	if (!o)
		return lost(c, EPROTO, "the container's monitor sent something else than a message");
	if (!event)
		return json_object_get(o, "ok") && !c->running ? on_reply(c, o) : 0;
	if (strcmp(event, "stdin") == 0) {
		size_t taken = (size_t)sk_jx_get_int(o, "taken", 0);

		c->unacked -= taken < c->unacked ? taken : c->unacked;
	} else if (strcmp(event, "exit") == 0) {
		const char *message = sk_jx_get_str(o, "message", "");

		c->ret->oom = sk_jx_get_bool(o, "oom", false);
		finish(c, SK_ATTACH_EXITED, (int)sk_jx_get_int(o, "code", 125) & 255);
		/* The program has ended by itself, but not with all that it was to have. */
		if (!*message && *sk_jx_get_str(o, "warning", ""))
			sk_cli_warn("%s", sk_jx_get_str(o, "warning", ""));
		if (*message)
			return sk_error_set(c->err, EIO, "%s", message);
		if (c->write_error)
			return sk_error_errno(c->err, c->write_error, "cannot write the container's output");
	} else if (strcmp(event, "detached") == 0) {
		finish(c, SK_ATTACH_DETACHED, c->ret->signal ? 128 + c->ret->signal : 0);
	}
	return 0;
}

/* 1: the frame is done with, 0: its sink has no room. */
static int on_output(struct client *c, const struct sk_frame *frame, int which)
{
	struct sk_sink *sink = &c->sinks[which];

	while (sink->fd >= 0 && c->written < frame->len) {
		ssize_t n = sk_sink_write(sink, frame->payload + c->written, frame->len - c->written);

		if (n == 0) {
			c->blocked = which;
			return 0;
		}
		if (n < 0) {
			/* Nobody reads us any more: as if SIGPIPE had come. Of any other error the container knows
			 * nothing: a word at the end, and its own exit code. */
			if (n != -EPIPE) {
				c->write_error = (int)n;
				sink->fd = -1;
				break;
			}
			finish(c, SK_ATTACH_LOST, 128 + SIGPIPE);
			return sk_error_errno(c->err, (int)n, "cannot write the container's output");
		}
		c->written += (size_t)n;
	}
	c->written = 0;
	return 1;
}

static int handle_frames(struct client *c)
{
	struct sk_frame frame;
	int r = 0;

	c->blocked = -1;
	while (!c->done) {
		r = sk_frame_peek(&c->in, &frame);
		if (r == 0)
			return 0;
		if (r < 0)
			return lost(c, r, "the container's monitor sent a broken message");
		switch (frame.type) {
		case SK_FRAME_JSON:
			r = on_json(c, &frame);
			break;
		case SK_FRAME_STDOUT:
		case SK_FRAME_STDERR:
			r = on_output(c, &frame, frame.type == SK_FRAME_STDERR);
			if (r == 0)
				return 0;
			break;
		default:
			r = 0;
			break;
		}
		if (r < 0)
			return r;
		sk_frame_consume(&c->in, &frame);
	}
	return 0;
}

static int receive(struct client *c)
{
	size_t room = sk_buf_room(&c->in), want = room < RECV_CHUNK ? room : RECV_CHUNK;
	uint8_t *to = sk_buf_reserve(&c->in, want);
	ssize_t n;

	if (!to)
		return lost(c, ENOMEM, "cannot receive the container's output");
	n = recv(c->fd, to, want, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return lost(c, n < 0 ? errno : ECONNRESET, "the container's monitor is gone");
	sk_buf_commit(&c->in, (size_t)n);
	return handle_frames(c);
}

/* ---- to the monitor */

static int flush_out(struct client *c)
{
	while (c->out.len) {
		ssize_t n = send(c->fd, sk_buf_data(&c->out), c->out.len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		/* The monitor closed its side: its last frames, the exit event among them, are still to be read. */
		if (n < 0) {
			sk_buf_consume(&c->out, c->out.len);
			c->in_eof = true;
			return 0;
		}
		sk_buf_consume(&c->out, (size_t)n);
	}
	return 0;
}

static bool wants_stdin(const struct client *c)
{
	return c->running && c->a->in_fd >= 0 && !c->in_eof && !c->detaching &&
	       c->unacked + SK_DETACH_KEYS_MAX < WINDOW && c->out.len < CHUNK;
}

static void read_stdin(struct client *c)
{
	uint8_t chunk[CHUNK], filtered[CHUNK + SK_DETACH_KEYS_MAX];
	size_t want = WINDOW - c->unacked, len;
	bool detach = false;
	ssize_t n;

	/* The filter may add the keys it held back. */
	want = want > CHUNK ? CHUNK : want;
	n = read(c->a->in_fd, chunk, want - SK_DETACH_KEYS_MAX);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) { /* an error is an end, too: a terminal that hung up gives EIO */
		c->in_eof = true;
		sk_frame_put(&c->out, SK_FRAME_STDIN, NULL, 0);
		return;
	}
	len = (size_t)n;
	if (c->raw)
		detach = sk_detach_filter(&c->detach, chunk, (size_t)n, filtered, &len);
	if (len) {
		sk_frame_put(&c->out, SK_FRAME_STDIN, c->raw ? filtered : chunk, len);
		c->unacked += len;
	}
	if (detach)
		send_detach(c);
}

static void on_signal(struct client *c)
{
	struct signalfd_siginfo si;
	int sig;

	while (read(c->signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		sig = (int)si.ssi_signo;
		if (sig == SIGWINCH) {
			if (c->running)
				send_size(c);
		} else if (c->a->sig_proxy && !c->a->tty && c->running) {
			send_json(c, sk_jx(json_pack("{s:s,s:i}", "op", "signal", "signal", sig)));
		} else if (sig == SIGINT || sig == SIGTERM || sig == SIGHUP || sig == SIGQUIT) {
			c->ret->signal = sig;
			if (c->running && !c->a->sig_proxy)
				send_detach(c); /* the container goes on */
			else
				finish(c, SK_ATTACH_DETACHED, 128 + sig);
		}
	}
}

/* The signals that come through the signalfd. Faults stay what they are; stopping and going on is for the shell. */
static void signal_set(const struct sk_attach *a, sigset_t *set)
{
	static const int left[] = { SIGKILL, SIGSTOP, SIGCHLD, SIGPIPE, SIGURG, SIGTSTP, SIGTTIN, SIGTTOU,
				    SIGCONT, SIGSEGV, SIGBUS,  SIGILL,	SIGFPE, SIGABRT, SIGTRAP, SIGSYS };
	size_t i;

	if (!a->sig_proxy || a->tty) {
		sigemptyset(set);
		sigaddset(set, SIGINT);
		sigaddset(set, SIGTERM);
		sigaddset(set, SIGHUP);
		sigaddset(set, SIGQUIT);
		sigaddset(set, SIGWINCH);
		return;
	}
	sigfillset(set);
	for (i = 0; i < SK_ARRAY_SIZE(left); i++)
		sigdelset(set, left[i]);
}

static int step(struct client *c)
{
	struct pollfd fds[4] = {
		{ .fd = c->fd, .events = (short)((c->blocked < 0 ? POLLIN : 0) | (c->out.len ? POLLOUT : 0)) },
		{ .fd = c->signal_fd, .events = POLLIN },
		{ .fd = wants_stdin(c) ? c->a->in_fd : -1, .events = POLLIN },
		{ .fd = c->blocked < 0 ? -1 : c->sinks[c->blocked].fd, .events = POLLOUT },
	};
	int r = 0;

	/* A peer that hung up would wake us for nothing while our own output is stuck. */
	if (!fds[0].events)
		fds[0].fd = -1;
	if (poll(fds, 4, -1) < 0)
		return errno == EINTR ? 0 : lost(c, errno, "cannot wait for the container's output");
	if (fds[1].revents)
		on_signal(c);
	if (fds[2].revents)
		read_stdin(c);
	if (fds[3].revents)
		r = handle_frames(c);
	else if (c->blocked < 0 && (fds[0].revents & (POLLIN | POLLHUP | POLLERR)))
		r = receive(c);
	if (r == 0)
		r = flush_out(c);
	return r;
}

static int run(struct client *c)
{
	int r = 0;

	if (c->a->start) {
		if (c->a->tty && c->a->in_fd >= 0)
			sk_term_size(c->a->in_fd, &c->rows, &c->cols);
		send_json(c,
			  sk_jx(json_pack("{s:s,s:i,s:i}", "op", "start", "rows", (int)c->rows, "cols", (int)c->cols)));
	} else {
		r = became_running(c);
	}
	if (r == 0)
		r = flush_out(c);
	while (r == 0 && !c->done)
		r = step(c);
	return r;
}

int sk_attach_run(int fd, const struct sk_attach *attach, struct sk_attach_result *ret, struct sk_error *err)
{
	struct client c = { .fd = fd, .signal_fd = -1, .a = attach, .ret = ret, .err = err, .blocked = -1 };
	sigset_t set, before;
	int r;

	*ret = (struct sk_attach_result){ .end = SK_ATTACH_LOST, .code = 125 };
	if (sk_detach_parse(&c.detach, attach->detach_keys) < 0)
		return sk_error_set(err, EINVAL,
				    "invalid detach keys (%s): give letters, or ctrl- and one, joined by commas",
				    attach->detach_keys);
	sk_buf_init(&c.in, SK_FRAME_MAX + SK_FRAME_HEADER);
	sk_buf_init(&c.out, SK_FRAME_MAX);
	sk_sink_init(&c.sinks[0], attach->out_fd);
	sk_sink_init(&c.sinks[1], attach->err_fd);
	signal_set(attach, &set);
	sigprocmask(SIG_BLOCK, &set, &before);
	c.signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	r = c.signal_fd < 0 ? lost(&c, errno, "cannot watch signals") : run(&c);
	sk_term_restore();
	sigprocmask(SIG_SETMASK, &before, NULL);
	sk_close_fd(&c.signal_fd);
	sk_sink_fini(&c.sinks[0]);
	sk_sink_fini(&c.sinks[1]);
	sk_buf_fini(&c.in);
	sk_buf_fini(&c.out);
	return r;
}
