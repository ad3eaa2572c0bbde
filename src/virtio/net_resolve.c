/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * libslirp passes the guest's questions to the first name server of /etc/resolv.conf, which it reads anew when it has
 * changed. A confined process (vm/confine.c) may read the file that was there when it was confined, and whatever is in
 * systemd's directory. A VPN or a network manager replaces the file: libslirp may not read the new one, and goes on to ask
 * the old server. Then, and only then, questions are taken here. What is in the file the owner finds out
 * (sk_slirp_config.resolv_conf), once for each change.
 *
 * A question has a socket of its own, connected to the first server; a server that refuses, or does not answer within
 * SERVER_MS, is followed by the next one. The answer is the guest's when it comes from there and has the question's
 * number. Connections over TCP (after an answer that was cut off) are turned to the right server (net_resolve_tcp.c).
 *
 * Not trusted: the frame, whose lengths net_names.c checks, and the answer, which is passed on as it is. Questions are
 * bounded in number and size; what is too much is dropped, as a network does.
 */
#include "virtio/net_resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "virtio/net_names.h"

#define QUERIES_MAX 256u
#define QUESTION_MAX 4096u
#define SERVER_MS 2000u
#define CONF_MAX 16384u
#define HEADERS_MAX (ETH_HLEN + 60u + 8u)

struct query {
	struct query *next;
	struct net_resolve *r;
	int fd;
	struct sk_source *source, *timer;
	unsigned server; /* that is asked */
	bool v6;
	uint8_t head[HEADERS_MAX]; /* of its frame */
	size_t head_len, len;
	uint8_t data[];
};

struct net_resolve {
	struct sk_loop *loop;
	struct net_link *net;
	int (*read)(void *arg, char *ret, size_t size);
	void *arg;
	const char *path;
	uint16_t port;
	struct stat seen; /* the file that the next three are of */
	bool looked, ours;
	unsigned n_servers;
	struct sockaddr_storage servers[NET_RESOLVE_SERVERS];
	struct query *queries;
	unsigned n_queries;
	struct net_resolve_tcp *tcp; /* NULL: there was none to turn yet */
	uint8_t frame[NET_FRAME_MAX];
};

/* --- which servers */

static bool parse_server(char *text, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	char *scope = strchr(text, '%');
	bool v4 = inet_pton(AF_INET, text, &in.sin_addr) == 1;

	if (scope) {
		*scope++ = '\0';
		in6.sin6_scope_id = if_nametoindex(scope);
	}
	if (!v4 && inet_pton(AF_INET6, text, &in6.sin6_addr) != 1)
		return false;
	memset(ret, 0, sizeof(*ret));
	memcpy(ret, v4 ? (void *)&in : (void *)&in6, v4 ? sizeof(in) : sizeof(in6));
	return true;
}

unsigned net_resolve_parse(const char *text, uint16_t port, struct sockaddr_storage ret[NET_RESOLVE_SERVERS])
{
	_cleanup_free_ char *copy = strdup(text);
	char *rest = copy, *line;
	unsigned n = 0;

	while (n < NET_RESOLVE_SERVERS && (line = strsep(&rest, "\n"))) {
		static const char word[] = "nameserver";
		char *address;

		if (strncmp(line, word, sizeof(word) - 1) != 0 || !strchr(" \t", line[sizeof(word) - 1]))
			continue;
		address = line + sizeof(word) - 1;
		address += strspn(address, " \t");
		address[strcspn(address, " \t\r#;")] = '\0';
		if (parse_server(address, port, &ret[n]))
			n++;
	}
	return n;
}

static void ask_owner(struct net_resolve *r)
{
	char text[CONF_MAX];
	int n = r->read ? r->read(r->arg, text, sizeof(text)) : -ENOSYS;

	r->n_servers = n < 0 ? 0 : net_resolve_parse(text, r->port, r->servers);
	r->ours = r->n_servers > 0;
	if (!r->ours)
		sk_log(SK_LOG_WARN,
		       "%s was replaced and cannot be read: until the next start the guest's names are asked of the "
		       "server that the old one had",
		       r->path);
}

/* Finds out whether questions are ours, when the file has changed. */
static void look(struct net_resolve *r)
{
	_cleanup_fd_ int fd = -1;
	struct stat st;

	if (stat(r->path, &st) < 0)
		return;
	if (r->looked && st.st_dev == r->seen.st_dev && st.st_ino == r->seen.st_ino && st.st_size == r->seen.st_size &&
	    st.st_mtim.tv_sec == r->seen.st_mtim.tv_sec && st.st_mtim.tv_nsec == r->seen.st_mtim.tv_nsec)
		return;
	r->looked = true;
	r->seen = st;
	fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	r->ours = false;
	if (fd < 0)
		ask_owner(r);
	if (r->tcp)
		net_resolve_tcp_restart(r->tcp);
}

/* --- questions */

static void end_query(struct query *q)
{
	struct query **link = &q->r->queries;

	while (*link != q)
		link = &(*link)->next;
	*link = q->next;
	q->r->n_queries--;
	sk_loop_remove(q->source);
	sk_loop_remove(q->timer);
	sk_close_fd(&q->fd);
	free(q);
}

static void on_answer(void *arg, int fd, unsigned events);

static int send_to(struct query *q, const struct sockaddr_storage *to)
{
	socklen_t len = to->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);

	q->fd = socket(to->ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (q->fd < 0 || connect(q->fd, (const struct sockaddr *)to, len) < 0 ||
	    send(q->fd, q->data, q->len, MSG_NOSIGNAL) < 0)
		return -errno;
	q->source = sk_loop_add_fd(q->r->loop, q->fd, SK_LOOP_READ, on_answer, q);
	return q->source ? 0 : -errno;
}

/* Asks the next server that can be asked. The query ends where there is none. */
static void ask(struct query *q)
{
	while (q->server < q->r->n_servers) {
		sk_loop_remove(q->source);
		q->source = NULL;
		sk_close_fd(&q->fd);
		if (send_to(q, &q->r->servers[q->server]) == 0) {
			sk_loop_set_timer(q->timer, SERVER_MS);
			return;
		}
		q->server++;
	}
	end_query(q);
}

static void on_timer(void *arg)
{
	struct query *q = arg;

	q->server++;
	ask(q);
}

static void on_answer(void *arg, int fd, unsigned events)
{
	struct query *q = arg;
	struct net_resolve *r = q->r;
	const size_t back = ETH_HLEN + (q->v6 ? 40 : 20) + 8; /* without options */
	const struct net_datagram d = { .v6 = q->v6, .ip = q->head + ETH_HLEN, .udp = q->head + q->head_len - 8 };
	uint8_t *data = r->frame + back;
	ssize_t n = recv(fd, data, sizeof(r->frame) - back, MSG_DONTWAIT);

	(void)events;
	if (n < 0 && errno != EAGAIN && errno != EINTR) { /* nobody listens there */
		q->server++;
		ask(q);
		return;
	}
	if (n < 12 || memcmp(data, q->data, 2) != 0 || !(data[2] & 0x80))
		return;
	if (back - ETH_HLEN + (size_t)n <= r->net->mtu) {
		net_deliver(r->net, r->frame, net_names_headers(&d, q->head, r->frame, (size_t)n));
		net_flush(r->net);
	}
	end_query(q);
}

static void take(struct net_resolve *r, const uint8_t *frame, const struct net_datagram *d)
{
	size_t head = (size_t)(d->data - frame);
	struct query *q;

	if (r->n_queries == QUERIES_MAX || head > HEADERS_MAX || d->len < 12 || d->len > QUESTION_MAX)
		return;
	q = calloc(1, sizeof(*q) + d->len);
	if (!q)
		return;
	q->r = r;
	q->fd = -1;
	q->v6 = d->v6;
	memcpy(q->head, frame, head);
	q->head_len = head;
	memcpy(q->data, d->data, d->len);
	q->len = d->len;
	q->next = r->queries;
	r->queries = q;
	r->n_queries++;
	q->timer = sk_loop_add_timer(r->loop, UINT64_MAX, on_timer, q);
	if (q->timer)
		ask(q);
	else
		end_query(q);
}

bool net_resolve_take(struct net_resolve *r, const uint8_t *frame, size_t len)
{
	struct net_datagram d;

	if (!r || !net_names_find(frame, len, &d))
		return false;
	look(r);
	if (!r->ours)
		return false;
	take(r, frame, &d);
	return true;
}

void net_resolve_turn(struct net_resolve *r, uint8_t *frame, size_t len)
{
	bool begins;

	if (!r || !net_resolve_tcp_find(frame, len, &begins))
		return;
	if (begins)
		look(r);
	if (!r->tcp && r->ours)
		r->tcp = net_resolve_tcp_new();
	if (r->tcp)
		net_resolve_tcp_turn(r->tcp, frame, len, r->servers, r->ours ? r->n_servers : 0);
}

const uint8_t *net_resolve_turn_back(struct net_resolve *r, const uint8_t *frame, size_t len)
{
	return r && r->tcp ? net_resolve_tcp_turn_back(r->tcp, frame, len) : frame;
}

/* --- life */

struct net_resolve *net_resolve_new(struct sk_loop *loop, struct net_link *net, const struct sk_slirp_config *config)
{
	struct net_resolve *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->loop = loop;
	r->net = net;
	r->read = config->resolv_conf;
	r->arg = config->resolv_arg;
	r->port = config->dns_port ? config->dns_port : 53;
	r->path = config->resolv_path ? config->resolv_path : "/etc/resolv.conf";
	return r;
}

void net_resolve_free(struct net_resolve *r)
{
	if (!r)
		return;
	while (r->queries)
		end_query(r->queries);
	free(r->tcp);
	free(r);
}
