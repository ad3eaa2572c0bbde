/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is different for a container of the OCI runtime ("managed" in vm.json). The monitor is then what `docker
 * inspect` shows as the container's pid:
 *
 *   stdio     the descriptors that it was started with are the container's, copied by a proxy (vm/proxy.h) on the same
 *             loop, which is attached through an ordinary control connection
 *   network   the interfaces of the network namespace that it was started in (vm/netns.h). The VM has SK_MANAGED_NICS
 *             network devices from the beginning; an interface gets the first free one, and the agent hides those that
 *             are free. So interfaces may come and go while the container runs (docker network connect)
 *   setup     waits until the hooks have made the network, when there are hooks; the kernel boots meanwhile
 *   start     is a request of its own, after create
 *   oom       containerd learns from the host's control group that a container ran out of memory, but the guest's
 *             kernel counts that, not the host's. So at the very end a child of this process runs out of memory in
 *             that control group
 *   names     docker's embedded name server listens in the namespace, on 127.0.0.11. The agent listens on that address
 *             in the guest and carries each question here, on streams to port SK_PORT_DNS
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "vm/loopback.h"
#include "vm/monitor.h"
#include "vm/netns.h"
#include "vm/proxy.h"

#define SK_MANAGED_NICS 4u
#define SK_DNS_MAX 64u /* questions under way */
#define SK_NETWORK_SETTLE_MS 30u
#define SK_NIC_MTU 65521u
#define SK_LINGER_MS 30000u	  /* a slow reader of the container's last words … */
#define SK_KILLED_LINGER_MS 1000u /* … of one that was killed */
#define SK_OOM_ROOM (24u << 20)
#define SK_OOM_SETTLE_US 20000 /* for whoever watches to be first to hear of this, and then of the end */

struct nic {
	struct sk_device *device;
	unsigned index; /* of the interface; 0: free */
	uint8_t mac[6]; /* as the guest finds it */
};

struct dns_question {
	struct sk_monitor *m;
	struct dns_question *next;
	struct sk_stream *stream;
	int fd;
	struct sk_source *source;
	struct sk_buf to_server, to_guest;
	bool guest_eof, server_eof, connected;
};

struct sk_managed {
	struct sk_proxy *proxy;
	int signal_fd, watch_fd;
	struct sk_source *signal_source, *watch_source, *settle;
	struct nic nics[SK_MANAGED_NICS];
	struct sk_loopback *loopback;
	bool network_known, setup_due, created;
	int limit_fd, usage_fd; /* of the host's memory control group, -1: none */
	struct dns_question *questions;
	unsigned n_questions;
};

/* ---- stdio */

static void on_proxy_done(void *arg, int code, bool oom)
{
	struct sk_monitor *m = arg;

	(void)code;
	(void)oom;
	sk_loop_trigger(m->reap);
}

static void on_winch(void *arg, int fd, unsigned events)
{
	struct sk_monitor *m = arg;
	struct signalfd_siginfo si;

	(void)events;
	while (read(fd, &si, sizeof(si)) == sizeof(si))
		;
	sk_proxy_resize(m->managed->proxy);
}

/* Moves descriptor `fd` away, leaving /dev/null in its place: nobody else shall keep the container's pipes open. */
static int take_stdio(int fd)
{
	int mine = fcntl(fd, F_DUPFD_CLOEXEC, 3), null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0) {
		dup2(null, fd);
		close(null);
	}
	return mine;
}

static bool is_null_device(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 || (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3));
}

static int stdio_up(struct sk_monitor *m, struct sk_error *err)
{
	bool terminal = m->config.terminal, wants_stdin = !is_null_device(0);
	struct sk_proxy_config pc = {
		.loop = m->loop, .terminal = terminal, .size_fd = -1, .done = on_proxy_done, .arg = m
	};
	struct winsize ws = { 0 };
	struct sk_conn *c;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return sk_error_errno(err, errno, "cannot pass on the container's input and output");
	pc.take_conn_fd = pair[0];
	pc.in_fd = take_stdio(0);
	pc.out_fd = take_stdio(1);
	pc.err_fd = take_stdio(2);
	if (!wants_stdin)
		sk_close_fd(&pc.in_fd);
	if (terminal)
		ioctl(pc.in_fd, TIOCGWINSZ, &ws);
	c = sk_conn_new(m, pair[1]);
	if (!c || sk_proxy_new(&pc, &m->managed->proxy) < 0)
		return sk_error_errno(err, ENOMEM, "cannot pass on the container's input and output");
	/* The process must not miss its first bytes: attached before the loop runs. */
	c->kind = SK_CONN_ATTACHED;
	c->of_proxy = true;
	c->wants_stdin = wants_stdin;
	c->rows = ws.ws_row;
	c->cols = ws.ws_col;
	sk_proc_attach(m->init, c);
	return 0;
}

static int watch_terminal(struct sk_monitor *m)
{
	sigset_t set;

	if (!m->config.terminal)
		return 0;
	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, NULL);
	m->managed->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (m->managed->signal_fd < 0)
		return -errno;
	m->managed->signal_source = sk_loop_add_fd(m->loop, m->managed->signal_fd, SK_LOOP_READ, on_winch, m);
	return m->managed->signal_source ? 0 : -ENOMEM;
}

/* ---- oom */

static void oom_init(struct sk_monitor *m)
{
	const char *group = json_string_value(json_object_get(m->config.json, "memory_group"));
	_cleanup_fd_ int dir = group ? open(group, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;

	if (dir < 0)
		return;
	m->managed->limit_fd = openat(dir, "memory.limit_in_bytes", O_WRONLY | O_CLOEXEC);
	m->managed->usage_fd = openat(dir, "memory.usage_in_bytes", O_RDONLY | O_CLOEXEC);
	if (m->managed->limit_fd < 0) {
		m->managed->limit_fd = openat(dir, "memory.max", O_WRONLY | O_CLOEXEC);
		m->managed->usage_fd = openat(dir, "memory.current", O_RDONLY | O_CLOEXEC);
	}
}

/* Bounded by itself too: where the limit does not hold it ends after this much. */
static void use_memory(void)
{
	size_t size = 4 * SK_OOM_ROOM;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p != MAP_FAILED)
		memset(p, 1, size);
}

void sk_managed_tell_oom(struct sk_monitor *m)
{
	char text[32];
	ssize_t n;
	pid_t pid;

	if (!m->managed || !m->life.oom || m->managed->limit_fd < 0)
		return;
	n = pread(m->managed->usage_fd, text, sizeof(text) - 1, 0);
	if (n <= 0)
		return;
	text[n] = '\0';
	/* The VM is gone: what is left in the group is smaller than the room that the child is given, so that it is the
	 * one to go. */
	snprintf(text, sizeof(text), "%llu", (strtoull(text, NULL, 10) + SK_OOM_ROOM) & ~4095ull);
	if (pwrite(m->managed->limit_fd, text, strlen(text), 0) < 0)
		return;
	pid = fork();
	if (pid == 0) {
		use_memory();
		_exit(0);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
	usleep(SK_OOM_SETTLE_US);
}

int sk_managed_init(struct sk_monitor *m, struct sk_error *err)
{
	int r;

	m->managed = calloc(1, sizeof(*m->managed));
	if (!m->managed)
		return sk_error_errno(err, ENOMEM, "cannot start the container");
	m->managed->signal_fd = m->managed->watch_fd = m->managed->limit_fd = m->managed->usage_fd = -1;
	oom_init(m);
	m->managed->network_known = !m->config.netns_wait;
	m->init->bare_newlines = json_is_true(json_object_get(m->config.json, "bare_newlines"));
	if (!m->config.terminal && !is_null_device(0)) {
		m->init->ch[0].done = false;
		sk_channel_token(&m->init->ch[0]);
	}
	r = stdio_up(m, err);
	if (r == 0 && (r = watch_terminal(m)) < 0)
		sk_error_errno(err, r, "cannot watch the terminal");
	return r;
}

void sk_managed_ended(struct sk_monitor *m)
{
	if (m->managed && m->managed->proxy)
		sk_proxy_ended(m->managed->proxy, m->init && m->init->killed ? SK_KILLED_LINGER_MS : SK_LINGER_MS);
}

bool sk_managed_idle(const struct sk_monitor *m)
{
	return !m->managed || !m->managed->proxy || sk_proxy_is_done(m->managed->proxy);
}

/* ---- names */

static void question_free(struct dns_question *q)
{
	struct sk_managed *g = q->m->managed;
	struct dns_question **link;

	for (link = &g->questions; *link && *link != q; link = &(*link)->next)
		;
	if (*link)
		*link = q->next;
	g->n_questions--;
	sk_stream_close(q->stream);
	sk_loop_remove(q->source);
	close(q->fd);
	sk_buf_fini(&q->to_server);
	sk_buf_fini(&q->to_guest);
	free(q);
}

/* Moves what can be moved. The question is gone when this returns false. */
static bool question_pump(struct dns_question *q)
{
	while (q->connected && q->to_server.len) {
		ssize_t n = send(q->fd, sk_buf_data(&q->to_server), q->to_server.len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n <= 0)
			break;
		sk_buf_consume(&q->to_server, (size_t)n);
	}
	while (q->to_guest.len) {
		size_t n = sk_stream_write(q->stream, sk_buf_data(&q->to_guest), q->to_guest.len);

		if (n == 0)
			break;
		sk_buf_consume(&q->to_guest, n);
	}
	if (q->server_eof && !q->to_guest.len) {
		sk_stream_shutdown(q->stream);
		if (q->guest_eof) {
			question_free(q);
			return false;
		}
	}
	if (q->source)
		sk_loop_set_events(q->source, SK_LOOP_READ | (q->to_server.len || !q->connected ? SK_LOOP_WRITE : 0));
	return true;
}

static void on_dns_server(void *arg, int fd, unsigned events)
{
	struct dns_question *q = arg;
	uint8_t chunk[8192];
	ssize_t n;

	if (events & SK_LOOP_WRITE)
		q->connected = true;
	if (events & (SK_LOOP_READ | SK_LOOP_HANGUP)) {
		n = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) ||
		    (n > 0 && sk_buf_append(&q->to_guest, chunk, (size_t)n) < 0)) {
			q->server_eof = true;
			sk_loop_remove(q->source);
			q->source = NULL;
		}
	}
	question_pump(q);
}

static size_t on_dns_data(void *arg, const uint8_t *p, size_t n)
{
	struct dns_question *q = arg;

	if (sk_buf_append(&q->to_server, p, n) < 0)
		question_free(q);
	else
		question_pump(q);
	return n;
}

static void on_dns_eof(void *arg)
{
	struct dns_question *q = arg;

	q->guest_eof = true;
	if (q->server_eof)
		question_free(q);
}

static void on_dns_writable(void *arg)
{
	question_pump(arg);
}

static void on_dns_closed(void *arg, int error)
{
	struct dns_question *q = arg;

	(void)error;
	q->stream = NULL;
	question_free(q);
}

static const struct sk_stream_events dns_events = {
	.data = on_dns_data,
	.eof = on_dns_eof,
	.writable = on_dns_writable,
	.closed = on_dns_closed,
};

static bool on_dns_accept(void *arg, struct sk_stream *stream, uint32_t guest_port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_port = htons(53),
				    .sin_addr.s_addr = htonl(0x7f00000b) };
	struct sk_monitor *m = arg;
	struct dns_question *q;

	(void)guest_port;
	if (m->managed->n_questions >= SK_DNS_MAX)
		return false;
	q = calloc(1, sizeof(*q));
	if (!q)
		return false;
	q->m = m;
	q->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (q->fd < 0 || (connect(q->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 && errno != EINPROGRESS)) {
		if (q->fd >= 0)
			close(q->fd);
		free(q);
		return false;
	}
	q->source = sk_loop_add_fd(m->loop, q->fd, SK_LOOP_READ | SK_LOOP_WRITE, on_dns_server, q);
	sk_buf_init(&q->to_server, 128u * 1024u);
	sk_buf_init(&q->to_guest, 128u * 1024u);
	q->stream = stream;
	q->next = m->managed->questions;
	m->managed->questions = q;
	m->managed->n_questions++;
	sk_stream_set_events(stream, &dns_events, q);
	return true;
}

/* ---- network */

static struct nic *nic_of(struct sk_managed *g, unsigned index)
{
	unsigned i;

	for (i = 0; i < SK_MANAGED_NICS; i++)
		if (g->nics[i].index == index && g->nics[i].device)
			return &g->nics[i];
	return NULL;
}

/* Gives interface `i` a device of the guest's. -ENOSPC: none is left. */
static int attach(struct sk_managed *g, const struct sk_netns *ns, const struct sk_netns_if *i, struct nic **ret_nic)
{
	struct sk_error err = SK_ERROR_INIT;
	struct nic *nic = nic_of(g, i->index);
	int fd;

	if (sk_netns_silence(ns, i, &err) < 0)
		sk_log(SK_LOG_WARN, "%s: the host's kernel answers on it too", err.message);
	if (!nic) {
		nic = nic_of(g, 0);
		if (!nic)
			return -ENOSPC;
		fd = sk_netns_packet_socket(i->index);
		if (fd < 0)
			return fd;
		sk_net_packet_attach(nic->device, fd);
		nic->index = i->index;
	}
	*ret_nic = nic;
	return 0;
}

static json_t *interface_json(const struct sk_netns_if *i, const struct nic *nic)
{
	struct sk_interface_spec spec = {
		.name = i->name, .mtu = i->mtu, .has_ipv6 = true, .ipv6 = i->ipv6, .addresses = i->addresses
	};
	struct sk_error err = SK_ERROR_INIT;
	json_t *o;

	memcpy(spec.device, nic->mac, sizeof(spec.device));
	memcpy(spec.mac, i->mac, sizeof(spec.mac));
	o = sk_interface_encode(&spec, &err);
	if (!o)
		sk_log(SK_LOG_ERROR, "interface %s does not reach the container: %s", i->name, err.message);
	return o;
}

void sk_managed_network_fini(struct sk_network_spec *network)
{
	json_decref((json_t *)(uintptr_t)network->interfaces);
	json_decref((json_t *)(uintptr_t)network->routes);
	network->interfaces = network->routes = NULL;
}

void sk_managed_network(struct sk_monitor *m, struct sk_network_spec *ret)
{
	struct sk_managed *g = m->managed;
	struct sk_error err = SK_ERROR_INIT;
	json_t *list = json_array();
	struct sk_netns ns;
	unsigned i, k;

	*ret = (struct sk_network_spec){ .set = true, .interfaces = list };
	if (sk_netns_read(&ns, &err) < 0) {
		sk_log(SK_LOG_ERROR, "%s", err.message);
		return;
	}
	/* Those that have gone make room first. */
	for (i = 0; i < SK_MANAGED_NICS; i++) {
		for (k = 0; k < ns.n_ifs && ns.ifs[k].index != g->nics[i].index; k++)
			;
		if (k == ns.n_ifs && g->nics[i].index) {
			sk_net_packet_attach(g->nics[i].device, -1);
			g->nics[i].index = 0;
		}
	}
	for (k = 0; k < ns.n_ifs; k++) {
		struct nic *nic = NULL;
		int r = attach(g, &ns, &ns.ifs[k], &nic);

		if (r < 0)
			sk_log(SK_LOG_ERROR, "interface %s does not reach the container: %s", ns.ifs[k].name,
			       strerror(-r));
		else
			json_array_append_new(list, interface_json(&ns.ifs[k], nic)); /* refuses NULL */
	}
	sk_loopback_update(g->loopback, &ns);
	ret->routes = json_incref(ns.routes);
	ret->dns = ns.dns;
	sk_netns_fini(&ns);
}

static void on_settled(void *arg)
{
	struct sk_msg msg = { .op = SK_OP_NETWORK };
	struct sk_monitor *m = arg;

	if (m->life.phase != SK_PHASE_READY && m->life.phase != SK_PHASE_RUNNING)
		return;
	sk_managed_network(m, &msg.network.network);
	sk_session_request(m, &msg, NULL, NULL);
	sk_managed_network_fini(&msg.network.network);
}

/* Something has changed; more is coming as a rule. */
static void on_watch(void *arg, int fd, unsigned events)
{
	struct sk_monitor *m = arg;

	(void)events;
	sk_netns_watch_drain(fd);
	if (m->managed->network_known)
		sk_loop_set_timer(m->managed->settle, SK_NETWORK_SETTLE_MS);
}

int sk_managed_devices(struct sk_monitor *m,
		       int (*device_socket)(struct sk_monitor *m, const char *name, int *ret_fd, struct sk_error *err),
		       struct sk_error *err)
{
	struct sk_managed *g = m->managed;
	unsigned i;

	for (i = 0; i < SK_MANAGED_NICS; i++) {
		uint8_t mac[6] = { 0x02, 0x53, 0x4b, 0, 0, (uint8_t)i };
		char name[8];
		int sock, r;

		snprintf(name, sizeof(name), "net%u", i);
		memcpy(g->nics[i].mac, mac, sizeof(mac));
		r = device_socket(m, name, &sock, err);
		if (r == 0)
			r = sk_net_packet_new(m->loop, sock, mac, SK_NIC_MTU, &g->nics[i].device, err);
		if (r < 0)
			return r;
	}
	g->watch_fd = sk_netns_watch();
	if (g->watch_fd < 0)
		return sk_error_errno(err, g->watch_fd, "cannot watch the container's network");
	g->watch_source = sk_loop_add_fd(m->loop, g->watch_fd, SK_LOOP_READ, on_watch, m);
	g->settle = sk_loop_add_timer(m->loop, UINT64_MAX, on_settled, m);
	if (!g->watch_source || !g->settle || sk_carrier_listen(m->carrier, SK_PORT_DNS, on_dns_accept, m) < 0)
		return sk_error_errno(err, ENOMEM, "cannot watch the container's network");
	g->loopback = sk_loopback_new(m);
	return 0;
}

size_t sk_managed_engine_devices(const struct sk_monitor *m, struct sk_engine_device *ret, size_t max)
{
	static const char *const names[SK_MANAGED_NICS] = { "net0", "net1", "net2", "net3" };
	size_t n = 0;

	if (!m->managed || !m->config.netns)
		return 0;
	for (; n < SK_MANAGED_NICS && n < max; n++) {
		ret[n] = (struct sk_engine_device){ .virtio_id = SK_VIRTIO_NET, .socket = names[n], .mtu = SK_NIC_MTU };
		memcpy(ret[n].mac, m->managed->nics[n].mac, sizeof(ret[n].mac));
	}
	return n;
}

void sk_managed_devices_down(struct sk_monitor *m)
{
	unsigned i;

	if (!m->managed)
		return;
	while (m->managed->questions)
		question_free(m->managed->questions);
	sk_loopback_free(SK_TAKE_PTR(m->managed->loopback));
	sk_loop_remove(SK_TAKE_PTR(m->managed->watch_source));
	sk_loop_remove(SK_TAKE_PTR(m->managed->settle));
	sk_close_fd(&m->managed->watch_fd);
	for (i = 0; i < SK_MANAGED_NICS; i++)
		sk_device_free(SK_TAKE_PTR(m->managed->nics[i].device));
}

ssize_t sk_managed_claim(struct sk_monitor *m, const struct sk_token *token, struct sk_stream *stream,
			 const uint8_t *data, size_t n)
{
	return m->managed ? sk_loopback_claim(m->managed->loopback, token, stream, data, n) : -1;
}

/* ---- life */

bool sk_managed_abandoned(const struct sk_monitor *m)
{
	const struct sk_conn *c;

	for (c = m->conns; c && (c->dead || c->of_proxy); c = c->next)
		;
	return m->managed && !m->managed->created && !c;
}

bool sk_managed_hold_setup(struct sk_monitor *m)
{
	if (!m->managed || m->managed->network_known)
		return false;
	m->managed->setup_due = true;
	return true;
}

/* Whoever waits for the creation or the start hears that it is done. */
void sk_managed_created(struct sk_monitor *m)
{
	struct sk_conn *c, *next;

	m->managed->created = true;
	sk_monitor_set_status(m, "created");
	for (c = m->conns; c; c = next) {
		next = c->next;
		if (!c->wants_start || c->dead)
			continue;
		c->wants_start = false;
		sk_conn_reply_ok(c);
		sk_conn_finish(c);
	}
}

bool sk_managed_is_created(const struct sk_monitor *m)
{
	return m->managed && m->managed->created && m->life.phase == SK_PHASE_READY;
}

static void refuse(struct sk_conn *c, int code, const char *message)
{
	sk_conn_reply_error(c, code, 0, message);
	sk_conn_finish(c);
}

static void op_network(struct sk_conn *c)
{
	struct sk_managed *g = c->m->managed;

	g->network_known = true;
	sk_shares_begin(c->m);
	if (g->setup_due)
		sk_session_setup(c->m);
	g->setup_due = false;
	sk_conn_reply_ok(c); /* and then comes create, on the same connection */
}

/* The network as it is when the container starts: newer docker makes it between create and start, and what the watch
 * tells of that may still be on its way. The guest serves requests in their order. */
static void settle_now(struct sk_monitor *m)
{
	if (m->managed->watch_fd < 0)
		return;
	sk_netns_watch_drain(m->managed->watch_fd);
	on_settled(m);
}

bool sk_managed_request(struct sk_conn *c, const struct sk_msg *request)
{
	struct sk_monitor *m = c->m;
	bool create = request->op == SK_REQUEST_CREATE,
	     ended = m->life.phase == SK_PHASE_STOPPING || m->life.phase == SK_PHASE_DOWN;

	if (request->op == SK_REQUEST_NETWORK) {
		op_network(c);
		return true;
	}
	if (request->op == SK_REQUEST_KILL && m->life.phase != SK_PHASE_RUNNING && !ended) {
		/* Nothing of it runs yet. */
		if (request->signal.number == SIGKILL)
			sk_monitor_kill(m);
		sk_conn_reply_ok(c);
		sk_conn_finish(c);
		return true;
	}
	if (!create && request->op != SK_REQUEST_START)
		return false;
	if (m->life.failure[0] || ended) {
		sk_conn_reply_error(c, m->life.failure[0] ? m->life.failure_errno : ESRCH, m->life.failure_exit_code,
				    m->life.failure[0] ? m->life.failure : "the container has ended");
		sk_conn_finish(c);
		return true;
	}
	if (create ? m->managed->created || m->life.start_wanted
		   : !m->managed->created || m->life.phase != SK_PHASE_READY) {
		refuse(c, EINVAL,
		       create ? "the container has been created" : "the container is not in the state to be started");
		return true;
	}
	c->wants_start = true;
	c->kind = SK_CONN_WAITING;
	if (create) {
		sk_monitor_want_start(m);
		return true;
	}
	settle_now(m);
	if (sk_monitor_start_created(m) < 0)
		refuse(c, ENOTCONN, "the container is not running");
	return true;
}

void sk_managed_fini(struct sk_monitor *m)
{
	struct sk_managed *g = m->managed;

	if (!g)
		return;
	sk_managed_devices_down(m);
	sk_proxy_free(g->proxy);
	sk_loop_remove(g->signal_source);
	sk_close_fd(&g->signal_fd);
	sk_close_fd(&g->limit_fd);
	sk_close_fd(&g->usage_fd);
	free(g);
	m->managed = NULL;
}
