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
#include "base/terminal.h"
#include "cli/cli.h"
#include "model/jx.h"
#include "cli/container/sink.h"
#include "cli/container/term.h"
#include "proto/message.h"

#define CHUNK (32u * 1024u)
#define RECV_CHUNK (128u * 1024u)

struct client {
	int fd, signal_fd;
	int input; /* what poll() can wait for of our stdin, -1 */
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

static void send_message(struct client *c, const struct sk_msg *message)
{
	struct sk_error err = SK_ERROR_INIT;
	_cleanup_json_ json_t *json = sk_msg_encode(message, &err);

	if (json)
		sk_frame_put_json(&c->out, json);
}

static void send_of_size(struct client *c, enum sk_op op, unsigned rows, unsigned cols)
{
	const struct sk_msg message = { .op = op, .size = { (uint16_t)rows, (uint16_t)cols } };

	send_message(c, &message);
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
	send_of_size(c, SK_ATTACHED_RESIZE, rows, cols);
}

static void send_detach(struct client *c)
{
	if (c->detaching)
		return;
	c->detaching = true;
	send_message(c, &(const struct sk_msg){ .op = SK_ATTACHED_DETACH });
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

static int on_reply(struct client *c, json_t *take_json)
{
	struct sk_reply reply;
	int r;

	if (sk_reply_decode(SK_ATTACHED_START, take_json, &reply, c->err) < 0)
		return lost(c, EPROTO, "the container's monitor sent something else than a reply");
	if (reply.ok) {
		r = became_running(c);
	} else {
		finish(c, SK_ATTACH_REFUSED, reply.exit_code ? reply.exit_code : 125);
		r = sk_reply_error(&reply, c->err);
	}
	sk_reply_fini(&reply);
	return r;
}

static int on_exit_event(struct client *c, const struct sk_msg *event)
{
	const char *message = event->exit.message ? event->exit.message : "";

	c->ret->oom = event->exit.oom;
	finish(c, SK_ATTACH_EXITED, event->exit.code);
	/* The program has ended by itself; the monitor warns of a problem with its disk or layers. */
	if (!*message && event->exit.warning && *event->exit.warning)
		sk_cli_warn("%s", event->exit.warning);
	if (*message)
		return sk_error_set(c->err, EIO, "%s", message);
	if (c->write_error)
		return sk_error_errno(c->err, c->write_error, "cannot write the container's output");
	return 0;
}

static int on_event(struct client *c, const struct sk_msg *event)
{
	if (event->op == SK_EVENT_STDIN)
		c->unacked -= event->input.taken < c->unacked ? event->input.taken : c->unacked;
	else if (event->op == SK_EVENT_EXIT)
		return on_exit_event(c, event);
	else if (event->op == SK_EVENT_DETACHED)
		finish(c, SK_ATTACH_DETACHED, c->ret->signal ? 128 + c->ret->signal : 0);
	return 0;
}

static int on_json(struct client *c, const struct sk_frame *frame)
{
	struct sk_error err = SK_ERROR_INIT;
	json_t *o = sk_frame_json(frame);
	struct sk_msg event;
	int r;

	if (!o)
		return lost(c, EPROTO, "the container's monitor sent something else than a message");
	if (!json_object_get(o, "event")) {
		if (json_object_get(o, "ok") && !c->running)
			return on_reply(c, o);
		json_decref(o);
		return 0;
	}
	r = sk_msg_decode(SK_WIRE_TO_CLIENT, o, &event, &err);
	if (r < 0) /* what a newer monitor may say is not for us */
		return r == -EOPNOTSUPP ? 0 : lost(c, EPROTO, "the container's monitor sent a broken message");
	r = on_event(c, &event);
	sk_msg_fini(&event);
	return r;
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
			/* EPIPE: our reader has gone, so end as by SIGPIPE. Any other error concerns only us: it
			 * is reported at the end, and the exit code stays the container's. */
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
	       c->unacked + SK_DETACH_KEYS_MAX < SK_STDIN_WINDOW && c->out.len < CHUNK;
}

static void read_stdin(struct client *c)
{
	uint8_t chunk[CHUNK], filtered[CHUNK + SK_DETACH_KEYS_MAX];
	size_t want = SK_STDIN_WINDOW - c->unacked, len;
	bool detach = false;
	ssize_t n;

	/* The filter may add the keys it held back. */
	want = want > CHUNK ? CHUNK : want;
	n = read(c->input, chunk, want - SK_DETACH_KEYS_MAX);
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
			send_message(c, &(const struct sk_msg){ .op = SK_ATTACHED_SIGNAL,
								.signal = { .number = sig, .all = false } });
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
		{ .fd = wants_stdin(c) ? c->input : -1, .events = POLLIN },
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
		send_of_size(c, SK_ATTACHED_START, c->rows, c->cols);
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
	struct client c = {
		.fd = fd, .signal_fd = -1, .input = -1, .a = attach, .ret = ret, .err = err, .blocked = -1
	};
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
	r = c.signal_fd < 0 ? lost(&c, errno, "cannot watch signals") : 0;
	if (r == 0 && attach->in_fd >= 0 && (c.input = sk_input_open(attach->in_fd)) < 0)
		r = lost(&c, c.input, "cannot read the standard input");
	if (r == 0)
		r = run(&c);
	sk_input_close(attach->in_fd, c.input);
	sk_term_restore();
	sigprocmask(SIG_SETMASK, &before, NULL);
	sk_close_fd(&c.signal_fd);
	sk_sink_fini(&c.sinks[0]);
	sk_sink_fini(&c.sinks[1]);
	sk_buf_fini(&c.in);
	sk_buf_fini(&c.out);
	return r;
}
