/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes in the guest and their streams (vm/streams.h):
 *
 *   output: guest stream → log (first process only) and every attached reader. What no reader has room for stays with
 *           the carrier, which stops the guest: nothing is lost and nothing grows.
 *   input:  reader's STDIN frames → p->in (at most the window) → guest stream; acknowledged to the reader as the guest
 *           takes it.
 *
 * A process is finished when it has exited and its output streams have ended. A guest that never ends them is given
 * SK_DRAIN_MS without a byte; of exec's processes, whose children may go on writing, only when nobody reads any more.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/frame.h"
#include "base/id.h"
#include "base/log.h"
#include "vm/monitor.h"

#define SK_DRAIN_MS 5000u
#define SK_KILLED_DRAIN_MS 1000u
#define SK_OUTPUT_CHUNK (64u * 1024u)

void sk_channel_token(struct sk_channel *ch)
{
	ch->token.set = true;
	sk_random(ch->token.bytes, sizeof(ch->token.bytes));
}

struct sk_proc *sk_proc_new(struct sk_monitor *m, const char *container, const char *key, bool terminal,
			    bool wants_stdin)
{
	struct sk_proc *p = calloc(1, sizeof(*p));
	int i;

	if (!p)
		return NULL;
	p->m = m;
	snprintf(p->key, sizeof(p->key), "%s", key);
	p->terminal = terminal;
	snprintf(p->container, sizeof(p->container), "%s", container);
	p->member = strcmp(key, SK_INIT_KEY) == 0 && strcmp(container, SK_CONTAINER) != 0;
	p->init = strcmp(key, SK_INIT_KEY) == 0 && !p->member;
	sk_buf_init(&p->in, SK_STDIN_WINDOW + SK_FRAME_MAX);
	for (i = 0; i < 3; i++) {
		struct sk_channel *ch = &p->ch[i];

		ch->proc = p;
		ch->number = i;
		/* A terminal carries all three on the second. */
		if (terminal ? i == 1 : i > 0 || wants_stdin)
			sk_channel_token(ch);
		else
			ch->done = true;
	}
	p->next = m->procs;
	m->procs = p;
	return p;
}

struct sk_proc *sk_proc_find(struct sk_monitor *m, const char *container, const char *key)
{
	struct sk_proc *p;

	for (p = m->procs; p; p = p->next)
		if (strcmp(p->key, key) == 0 && strcmp(p->container, container) == 0)
			return p;
	return NULL;
}

struct sk_stdio_spec sk_proc_stdio(const struct sk_proc *p, uint16_t rows, uint16_t cols)
{
	struct sk_stdio_spec s = { .terminal = p->terminal, .bare_newlines = p->bare_newlines };
	int i;

	for (i = 0; i < SK_STDIO_COUNT; i++)
		s.token[i] = p->ch[i].token;
	if (p->terminal && rows && cols) {
		s.rows = rows;
		s.cols = cols;
	}
	return s;
}

void sk_proc_signal(const struct sk_proc *p, int signal, bool all)
{
	const struct sk_msg msg = {
		.op = SK_OP_SIGNAL, .container = p->container, .key = p->key, .signal = { .number = signal, .all = all }
	};

	sk_sandbox_request(p->m->sandbox, &msg, NULL, NULL);
}

/* The stream that carries the process's input. */
static struct sk_channel *input_channel(struct sk_proc *p)
{
	return &p->ch[p->terminal ? 1 : 0];
}

void sk_proc_tell_exit(struct sk_proc *p)
{
	struct sk_conn *c;

	while ((c = p->readers)) {
		sk_proc_detach(c);
		sk_conn_event(
			c, &(const struct sk_msg){ .op = SK_EVENT_EXIT, .exit = { .code = p->code, .oom = p->oom } });
		sk_conn_finish(c);
	}
	sk_loop_trigger(p->m->reap);
}

static void check_finished(struct sk_proc *p)
{
	if (!p->exited || p->finished || !p->ch[1].done || !p->ch[2].done)
		return;
	p->finished = true;
	sk_loop_remove(p->drain_timer);
	p->drain_timer = NULL;
	if (p->finished_cb)
		p->finished_cb(p);
	else if (p->started) /* otherwise the answer to exec comes first, or instead */
		sk_proc_tell_exit(p);
}

static void on_drain_timeout(void *arg)
{
	struct sk_proc *p = arg;

	if ((!p->killed && (p->ch[1].stalled || p->ch[2].stalled)) || (p->readers && !p->init && !p->member)) {
		/* A reader is slow, the guest is not to blame; or a child of exec's process holds its output. */
		sk_loop_set_timer(p->drain_timer, SK_DRAIN_MS);
		return;
	}
	sk_log(SK_LOG_WARN, "the output of process %s did not end after its exit", p->key);
	sk_proc_abandon(p);
}

static unsigned drain_ms(const struct sk_proc *p)
{
	return p->killed ? SK_KILLED_DRAIN_MS : SK_DRAIN_MS;
}

/* As on a host, output that a killed process has not written yet is lost: wait for the rest only briefly. */
void sk_proc_killed(struct sk_proc *p)
{
	if (!p || p->killed)
		return;
	p->killed = true;
	if (p->drain_timer)
		sk_loop_set_timer(p->drain_timer, drain_ms(p));
}

void sk_proc_exited(struct sk_proc *p, int code, bool oom)
{
	p->exited = true;
	p->code = code;
	p->oom = oom;
	p->drain_timer = sk_loop_add_timer(p->m->loop, drain_ms(p), on_drain_timeout, p);
	check_finished(p);
}

void sk_proc_abandon(struct sk_proc *p)
{
	int i;

	for (i = 0; i < 3; i++) {
		sk_stream_close(p->ch[i].stream);
		p->ch[i].stream = NULL;
		p->ch[i].done = true;
	}
	if (!p->exited) {
		p->exited = true;
		p->code = 137;
	}
	check_finished(p);
}

void sk_proc_attach(struct sk_proc *p, struct sk_conn *c)
{
	c->proc = p;
	c->next_reader = p->readers;
	p->readers = c;
}

void sk_proc_detach(struct sk_conn *c)
{
	struct sk_proc *p = c->proc;
	struct sk_conn **link;

	if (!p)
		return;
	for (link = &p->readers; *link; link = &(*link)->next_reader) {
		if (*link == c) {
			*link = c->next_reader;
			break;
		}
	}
	c->proc = NULL;
	sk_proc_writable(p); /* it may have been the reader that the others waited for */
}

/* Acknowledges to the readers what the guest has taken of their input. */
static void acknowledge(struct sk_proc *p, size_t n)
{
	struct sk_conn *c, *next;

	for (c = p->readers; c && n; c = next) {
		size_t part = c->stdin_unacked < n ? c->stdin_unacked : n;

		next = c->next_reader;
		if (!part)
			continue;
		c->stdin_unacked -= part;
		n -= part;
		sk_conn_event(c, &(const struct sk_msg){ .op = SK_EVENT_STDIN, .input = { .taken = (uint32_t)part } });
	}
}

static void flush_stdin(struct sk_proc *p)
{
	struct sk_channel *ch = input_channel(p);
	size_t taken = 0;

	while (p->in.len && ch->stream) {
		size_t n = sk_stream_write(ch->stream, sk_buf_data(&p->in), p->in.len);

		if (n == 0)
			break;
		sk_buf_consume(&p->in, n);
		taken += n;
	}
	if (p->in.len && ch->done) { /* nobody will read it */
		taken += p->in.len;
		sk_buf_consume(&p->in, p->in.len);
	}
	if (taken)
		acknowledge(p, taken);
	if (p->in_eof && !p->in.len && ch->stream && !p->terminal)
		sk_stream_shutdown(ch->stream);
}

void sk_proc_stdin(struct sk_proc *p, const uint8_t *data, size_t n)
{
	if (n == 0)
		p->in_eof = true;
	else if (!p->in_eof)
		sk_buf_append(&p->in, data, n); /* within the window: control.c has checked */
	flush_stdin(p);
}

void sk_proc_writable(struct sk_proc *p)
{
	int i;

	for (i = 1; i < 3; i++) {
		if (p->ch[i].stalled && p->ch[i].stream) {
			p->ch[i].stalled = false;
			sk_stream_resume(p->ch[i].stream);
		}
	}
}

void sk_proc_free(struct sk_proc *p)
{
	struct sk_proc **link;
	int i;

	if (!p)
		return;
	for (link = &p->m->procs; *link; link = &(*link)->next) {
		if (*link == p) {
			*link = p->next;
			break;
		}
	}
	while (p->readers)
		sk_proc_detach(p->readers);
	for (i = 0; i < 3; i++)
		sk_stream_close(p->ch[i].stream);
	sk_loop_remove(p->drain_timer);
	sk_buf_fini(&p->in);
	free(p->life);
	free(p);
}

static size_t readers_room(const struct sk_proc *p)
{
	size_t room = SK_OUTPUT_CHUNK;
	const struct sk_conn *c;

	for (c = p->readers; c; c = c->next_reader) {
		size_t r = c->out.len < SK_CONN_HIGH ? SK_CONN_HIGH - c->out.len : 0;

		if (r < room)
			room = r;
	}
	return room;
}

/* The answer to exec comes before any output: not every carrier keeps the order between streams. */
static bool is_unanswered(const struct sk_proc *p)
{
	return p->readers && !p->init && !p->member && !p->started;
}

static size_t proc_output(struct sk_channel *ch, const uint8_t *data, size_t n)
{
	struct sk_proc *p = ch->proc;
	size_t done = 0;

	if (p->output_cb) {
		p->output_cb(p, data, n);
		return n;
	}
	if (is_unanswered(p)) {
		ch->stalled = true;
		return 0;
	}
	while (done < n) {
		size_t part = n - done, room = readers_room(p);
		struct sk_conn *c, *next;

		if (room == 0) {
			ch->stalled = true;
			break;
		}
		if (part > room)
			part = room;
		if (p->init && p->m->log)
			sk_logfile_write(p->m->log, ch->number, data + done, part);
		for (c = p->readers; c; c = next) {
			next = c->next_reader;
			sk_conn_output(c, ch->number == 2 ? SK_FRAME_STDERR : SK_FRAME_STDOUT, data + done, part);
		}
		done += part;
	}
	if (p->drain_timer && done)
		sk_loop_set_timer(p->drain_timer, drain_ms(p));
	return done;
}

/* What a guest's 9P client says, to the file server's connection. */
static size_t share_output(struct sk_channel *ch, const uint8_t *data, size_t n)
{
	struct sk_conn *c = ch->conn;
	size_t room = c->out.len < SK_CONN_HIGH ? SK_CONN_HIGH - c->out.len : 0, part = n < room ? n : room;

	if (part < n)
		ch->stalled = true;
	if (part && !c->dead)
		sk_conn_raw(c, data, part);
	return c->dead ? n : part;
}

/* Output of a get: to its one client. Stalled only when it has SK_CONN_HIGH unsent: what it sends then resumes us. */
static size_t copy_output(struct sk_channel *ch, const uint8_t *data, size_t n)
{
	struct sk_conn *c = ch->conn;
	size_t done = 0;

	while (done < n && !c->dead) {
		size_t part = n - done, room = c->out.len < SK_CONN_HIGH ? SK_CONN_HIGH - c->out.len : 0;

		if (room == 0) {
			ch->stalled = true;
			break;
		}
		if (part > room)
			part = room;
		if (part > SK_OUTPUT_CHUNK)
			part = SK_OUTPUT_CHUNK;
		sk_conn_output(c, SK_FRAME_STDOUT, data + done, part);
		done += part;
	}
	return c->dead ? n : done;
}

static size_t on_data(void *arg, const uint8_t *data, size_t n)
{
	struct sk_channel *ch = arg;

	if (ch->conn && ch->conn->kind == SK_CONN_SHARE)
		return share_output(ch, data, n);
	if (ch->conn)
		return ch->conn->copy_put ? n : copy_output(ch, data, n);
	if (ch->number == 0)
		return n; /* nothing comes from an input */
	return proc_output(ch, data, n);
}

/* An empty frame: the program has closed its output, and may go on without it. */
static void tell_end(const struct sk_channel *ch)
{
	struct sk_conn *c, *next;

	for (c = ch->proc->readers; c; c = next) {
		next = c->next_reader;
		sk_conn_output(c, ch->number == 2 ? SK_FRAME_STDERR : SK_FRAME_STDOUT, NULL, 0);
	}
}

void sk_proc_answered(struct sk_proc *p)
{
	int i;

	p->started = true;
	for (i = 1; i < 3; i++)
		if (p->ch[i].done && !p->terminal)
			tell_end(&p->ch[i]);
	sk_proc_writable(p);
}

static void channel_ended(struct sk_channel *ch)
{
	if (ch->done)
		return;
	ch->done = true;
	ch->stalled = false;
	if (ch->conn) {
		sk_loop_trigger(ch->conn->m->reap);
		return;
	}
	if (ch->number > 0 && !ch->proc->terminal && !is_unanswered(ch->proc))
		tell_end(ch);
	if (ch == input_channel(ch->proc))
		flush_stdin(ch->proc);
	check_finished(ch->proc);
}

static void on_eof(void *arg)
{
	struct sk_channel *ch = arg;

	if (ch->conn ? !ch->conn->copy_put : ch->number > 0)
		channel_ended(ch);
}

static void on_writable(void *arg)
{
	struct sk_channel *ch = arg;

	if (ch->proc)
		flush_stdin(ch->proc);
	else
		sk_loop_trigger(ch->conn->m->reap);
}

static void on_closed(void *arg, int error)
{
	struct sk_channel *ch = arg;

	(void)error;
	ch->stream = NULL;
	channel_ended(ch);
}

static const struct sk_stream_events channel_events = {
	.data = on_data,
	.eof = on_eof,
	.writable = on_writable,
	.closed = on_closed,
};

static struct sk_channel *channel_by_token(struct sk_monitor *m, const struct sk_token *token)
{
	struct sk_proc *p;
	struct sk_conn *c;
	int i;

	for (p = m->procs; p; p = p->next)
		for (i = 0; i < 3; i++)
			if (sk_token_equal(&p->ch[i].token, token))
				return &p->ch[i];
	for (c = m->conns; c; c = c->next)
		if (sk_token_equal(&c->copy.token, token))
			return &c->copy;
	return NULL;
}

ssize_t sk_stdio_claim(void *m, const struct sk_token *token, struct sk_stream *stream, const uint8_t *data, size_t n)
{
	struct sk_channel *ch = channel_by_token(m, token);

	if (!ch)
		return -1;
	ch->token.set = false; /* used once */
	ch->stream = stream;
	sk_stream_set_events(stream, &channel_events, ch);
	if (ch->proc && ch == input_channel(ch->proc))
		flush_stdin(ch->proc);
	else if (ch->conn)
		sk_loop_trigger(ch->conn->m->reap);
	return n && ch->stream ? (ssize_t)on_data(ch, data, n) : 0;
}
