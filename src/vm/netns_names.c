/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * Docker's name server answers a question the way it came: it asks others over UDP what it was asked over UDP, and cuts
 * off what is too long for its client. So each question is passed on as what it was in the guest (guest/agent/dns.c):
 *
 *   SK_PORT_DNS           a connection over TCP, joined to one to the server, with whatever is said on it
 *   SK_PORT_DNS_DATAGRAM  one question over UDP with its length in front, and its answer likewise
 *
 * Lifetime: a question ends with its stream, whose other end gives up after a time. Limits: QUESTIONS_MAX at once,
 * QUESTION_MAX bytes of a datagram. Not trusted: what the guest sends, which nobody reads here but for the length.
 */
#include "vm/netns_names.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "proto/wire.h"
#include "vm/netns.h"
#include "vm/relay.h"

#define QUESTIONS_MAX 64u
#define QUESTION_MAX 4096u
#define ANSWER_MAX 65535u

struct netns_question {
	struct sk_netns_names *names;
	struct netns_question *next;
	struct sk_relay *relay;	  /* over TCP */
	struct sk_stream *stream; /* over UDP, with all that follows */
	struct sk_source *source;
	struct sk_buf text;
	int fd;
	bool asked, answered;
};

struct sk_netns_names {
	struct sk_loop *loop;
	struct netns_question *questions;
	unsigned n;
};

static void question_free(struct netns_question *q)
{
	struct netns_question **link = &q->names->questions;

	while (*link != q)
		link = &(*link)->next;
	*link = q->next;
	q->names->n--;
	sk_relay_free(q->relay);
	sk_stream_close(q->stream);
	sk_loop_remove(q->source);
	sk_close_fd(&q->fd);
	sk_buf_fini(&q->text);
	free(q);
}

/* Of the name server. On loopback a connection is made, or refused, when connect() returns. */
static int connect_to_server(int type)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(53) };
	_cleanup_fd_ int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	memcpy(&addr.sin_addr, sk_netns_dns, sizeof(sk_netns_dns));
	if (fd < 0 || (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 && errno != EINPROGRESS))
		return -errno;
	return SK_TAKE_FD(fd);
}

/* NULL: no more at once, no memory, or no server. */
static struct netns_question *question_new(struct sk_netns_names *names, int type)
{
	struct netns_question *q = names->n < QUESTIONS_MAX ? calloc(1, sizeof(*q)) : NULL;

	if (!q)
		return NULL;
	q->names = names;
	q->fd = connect_to_server(type);
	if (q->fd < 0) {
		free(q);
		return NULL;
	}
	sk_buf_init(&q->text, 2 + QUESTION_MAX);
	q->next = names->questions;
	names->questions = q;
	names->n++;
	return q;
}

/* --- over TCP --- */

static void on_done(void *arg, struct sk_relay *relay)
{
	(void)relay;
	question_free(arg);
}

static bool on_connection(void *arg, struct sk_stream *stream, uint32_t guest_port)
{
	struct sk_netns_names *names = arg;
	struct netns_question *q = question_new(names, SOCK_STREAM);

	(void)guest_port;
	if (!q)
		return false;
	q->relay = sk_relay_new(names->loop, SK_TAKE_FD(q->fd), on_done, q);
	if (!q->relay) {
		question_free(q);
		return false;
	}
	sk_relay_join(q->relay, stream, NULL, 0);
	return true;
}

/* --- over UDP --- */

static void on_answer(void *arg, int fd, unsigned events)
{
	static uint8_t answer[2 + ANSWER_MAX];
	struct netns_question *q = arg;
	ssize_t n = recv(fd, answer + 2, ANSWER_MAX, MSG_DONTWAIT);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	sk_loop_remove(SK_TAKE_PTR(q->source));
	if (n > 0) {
		answer[0] = (uint8_t)(n >> 8);
		answer[1] = (uint8_t)n;
		sk_stream_write(q->stream, answer, (size_t)n + 2); /* it has room: nothing else is written */
	}
	q->answered = true;
	sk_stream_shutdown(q->stream);
}

static size_t on_question(void *arg, const uint8_t *data, size_t n)
{
	struct netns_question *q = arg;
	const uint8_t *p;

	if (q->asked)
		return n;
	if (sk_buf_append(&q->text, data, n) < 0) {
		question_free(q);
		return n;
	}
	p = sk_buf_data(&q->text);
	if (q->text.len < 2 || q->text.len - 2 < (size_t)(p[0] << 8 | p[1]))
		return n;
	q->asked = true;
	q->source = sk_loop_add_fd(q->names->loop, q->fd, SK_LOOP_READ, on_answer, q);
	if (!q->source || send(q->fd, p + 2, (size_t)(p[0] << 8 | p[1]), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		question_free(q);
	return n;
}

static void on_eof(void *arg)
{
	struct netns_question *q = arg;

	if (q->answered || !q->asked)
		question_free(q);
}

static void on_closed(void *arg, int error)
{
	struct netns_question *q = arg;

	(void)error;
	q->stream = NULL;
	question_free(q);
}

static const struct sk_stream_events datagram_events = {
	.data = on_question,
	.eof = on_eof,
	.closed = on_closed,
};

static bool on_datagram(void *arg, struct sk_stream *stream, uint32_t guest_port)
{
	struct netns_question *q = question_new(arg, SOCK_DGRAM);

	(void)guest_port;
	if (!q)
		return false;
	q->stream = stream;
	sk_stream_set_events(stream, &datagram_events, q);
	return true;
}

/* --- life --- */

struct sk_netns_names *sk_netns_names_new(struct sk_loop *loop, struct sk_carrier *carrier)
{
	struct sk_netns_names *names = calloc(1, sizeof(*names));

	if (!names)
		return NULL;
	names->loop = loop;
	if (sk_carrier_listen(carrier, SK_PORT_DNS, on_connection, names) < 0 ||
	    sk_carrier_listen(carrier, SK_PORT_DNS_DATAGRAM, on_datagram, names) < 0) {
		free(names);
		return NULL;
	}
	return names;
}

void sk_netns_names_free(struct sk_netns_names *names)
{
	while (names && names->questions)
		question_free(names->questions);
	free(names);
}
