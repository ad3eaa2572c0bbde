/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * podman's engine asks nobody for ports of the host: its netavark leads ports of the machine to a container. So podman
 * finds this program first, under netavark's name in /usr/local/libexec/podman (machine_engine.c), with netavark's command
 * line and the container's networks and ports as JSON on stdin. Before netavark itself sets the networks up, the ports are
 * published on the host, each by a skerry-proxy, as dockerd has it (machine_proxy.c); where one is not to be had, podman
 * is told so in netavark's way, and the container does not start. After netavark has taken the networks down, they go.
 *
 * A process for each container, the holder, has its proxies as children. It listens on a socket named for the container,
 * and ends them when somebody connects: no number of a process is kept anywhere. It closes the connection when they are
 * gone. A proxy does not outlive it.
 *
 * Addresses of a container's IPv6 networks are not led to: the ports go to its first IPv4 address.
 *
 * Trust: the engine. Sizes and counts are bounded all the same.
 */
#include "machine_netavark.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/loop.h"

#define TEXT_MAX (4u << 20)
#define DIRECTORY "/run/engine/ports"
#define PROXY "/sbin/skerry-proxy"
#define PROXY_MS 20000	 /* its own deadlines are shorter */
#define RELEASE_MS 15000 /* until the ports are withdrawn */
#define REPORT_FD 3	 /* of a proxy */

static const char *const netavarks[] = { "/usr/libexec/podman/netavark", "/usr/lib/podman/netavark" };

/* --- what podman says */

static bool is_word(const char *text)
{
	size_t n = text ? strlen(text) : 0;

	return n > 0 && n < 129 &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == n;
}

static const char *first_address(const json_t *networks)
{
	const char *name;
	json_t *network;
	size_t i;

	json_object_foreach((json_t *)(uintptr_t)networks, name, network)
	{
		const json_t *addresses = json_object_get(network, "static_ips");

		for (i = 0; i < json_array_size(addresses); i++) {
			const char *text = json_string_value(json_array_get(addresses, i));

			if (text && !strchr(text, ':'))
				return text;
		}
	}
	return NULL;
}

static int add_port(struct sk_netavark_request *to, const struct sk_netavark_port *port, struct sk_error *err)
{
	struct sk_netavark_port *more;

	if (to->n == SK_NETAVARK_PORTS_MAX)
		return sk_error_set(err, EINVAL, "more than %u ports of a container", SK_NETAVARK_PORTS_MAX);
	more = realloc(to->ports, (to->n + 1) * sizeof(*more));
	if (!more)
		return sk_error_errno(err, ENOMEM, "cannot publish ports");
	to->ports = more;
	more[to->n++] = *port;
	return 0;
}

/* A mapping is of `range` ports in a row; without an address it is of all, those of IPv6 too. */
static int add_mapping(struct sk_netavark_request *to, const json_t *m, const char *address, struct sk_error *err)
{
	json_int_t host = json_integer_value(json_object_get(m, "host_port")),
		   container = json_integer_value(json_object_get(m, "container_port")),
		   range = json_integer_value(json_object_get(m, "range")), i;
	const char *proto = json_string_value(json_object_get(m, "protocol")),
		   *ip = json_string_value(json_object_get(m, "host_ip"));
	bool all = !ip || !*ip;
	int r = 0;

	range = range < 1 ? 1 : range;
	if (host < 1 || container < 1 || range > 65535 || host > 65536 - range || container > 65536 - range)
		return sk_error_set(err, EINVAL, "ports to publish that are none: %lld to %lld, %lld in all",
				    (long long)host, (long long)container, (long long)range);
	for (i = 0; i < range && r == 0; i++) {
		struct sk_netavark_port port = { .proto = proto && *proto ? proto : "tcp",
						 .host_ip = all ? "0.0.0.0" : ip,
						 .container_ip = address,
						 .host_port = (uint16_t)(host + i),
						 .container_port = (uint16_t)(container + i) };

		r = add_port(to, &port, err);
		port.host_ip = "::";
		if (r == 0 && all)
			r = add_port(to, &port, err);
	}
	return r;
}

int sk_netavark_parse(const char *text, size_t len, struct sk_netavark_request *ret, struct sk_error *err)
{
	json_t *json = json_loadb(text, len, 0, NULL);
	const json_t *list = json_object_get(json, "port_mappings");
	const char *id = json_string_value(json_object_get(json, "container_id")),
		   *address = first_address(json_object_get(json, "networks"));
	size_t i;
	int r = 0;

	*ret = (struct sk_netavark_request){ .json = json };
	if (!is_word(id))
		r = sk_error_set(err, EINVAL, "what podman says to netavark has no container");
	else
		snprintf(ret->container, sizeof(ret->container), "%s", id);
	if (r == 0 && json_array_size(list) && !address)
		r = sk_error_set(err, EINVAL,
				 "ports are published on the host of a machine for containers with an "
				 "IPv4 address only");
	for (i = 0; r == 0 && i < json_array_size(list); i++)
		r = add_mapping(ret, json_array_get(list, i), address, err);
	if (r < 0)
		sk_netavark_request_fini(ret);
	return r;
}

void sk_netavark_request_fini(struct sk_netavark_request *request)
{
	free(request->ports);
	json_decref(request->json);
	*request = (struct sk_netavark_request){ 0 };
}

/* --- the holder */

/* Runs a proxy. Its pid; the pipe on which it reports in `ret_report`. */
static pid_t start_proxy(const struct sk_netavark_port *port, int *ret_report)
{
	char host_port[8], container_port[8];
	int report[2];
	pid_t pid;

	if (pipe2(report, O_CLOEXEC) < 0)
		return -1;
	snprintf(host_port, sizeof(host_port), "%u", port->host_port);
	snprintf(container_port, sizeof(container_port), "%u", port->container_port);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (report[1] == REPORT_FD ? fcntl(REPORT_FD, F_SETFD, 0) < 0 : dup2(report[1], REPORT_FD) < 0)
			_exit(127);
		execl(PROXY, "skerry-proxy", "-proto", port->proto, "-host-ip", port->host_ip, "-host-port", host_port,
		      "-container-ip", port->container_ip, "-container-port", container_port, "-host-only",
		      (char *)NULL);
		_exit(127);
	}
	close(report[1]);
	*ret_report = report[0];
	return pid;
}

/* Reads until the other end is closed. Returns how many bytes, NUL-terminated; -ETIMEDOUT. */
static int read_report(int fd, char *buf, size_t size)
{
	uint64_t end = sk_now_ms() + PROXY_MS, now;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t len = 0;
	ssize_t n = 1;

	while (n != 0 && len < size - 1) {
		now = sk_now_ms();
		if (now >= end)
			return -ETIMEDOUT;
		if (poll(&p, 1, (int)(end - now)) <= 0)
			continue;
		n = read(fd, buf + len, size - 1 - len);
		if (n < 0 && errno != EINTR)
			return -errno;
		len += n > 0 ? (size_t)n : 0;
	}
	buf[len] = '\0';
	return (int)len;
}

static int publish(const struct sk_netavark_port *port, pid_t *ret_pid, struct sk_error *err)
{
	_cleanup_fd_ int report = -1;
	char text[SK_ERROR_MAX + 8];
	int r;

	*ret_pid = start_proxy(port, &report);
	if (*ret_pid < 0)
		return sk_error_errno(err, errno, "cannot publish port %u", port->host_port);
	r = read_report(report, text, sizeof(text));
	if (r < 0)
		return sk_error_errno(err, r, "cannot publish port %u", port->host_port);
	if (strcmp(text, "0\n") == 0)
		return 0;
	return sk_error_set(err, EADDRINUSE, "%s", strncmp(text, "1\n", 2) == 0 ? text + 2 : "skerry-proxy has ended");
}

static void end_proxies(const pid_t *pids, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (pids[i] > 0)
			kill(pids[i], SIGTERM);
	for (i = 0; i < n; i++)
		while (pids[i] > 0 && waitpid(pids[i], NULL, 0) < 0 && errno == EINTR)
			;
}

static struct sockaddr_un socket_of(const char *container)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	/* An id is 64 digits; a longer one is cut off. */
	snprintf(sun.sun_path, sizeof(sun.sun_path), DIRECTORY "/%.64s", container);
	return sun;
}

static int listen_for(const char *container, struct sk_error *err)
{
	struct sockaddr_un sun = socket_of(container);
	_cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	mkdir(DIRECTORY, 0700);
	unlink(sun.sun_path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 || listen(fd, 8) < 0)
		return sk_error_errno(err, errno, "cannot hold ports of a container");
	return SK_TAKE_FD(fd);
}

/* Nobody who started this waits for its end. */
static void leave(int report)
{
	int opened = open("/dev/null", O_RDWR | O_CLOEXEC), null = fcntl(opened, F_DUPFD_CLOEXEC, REPORT_FD + 8), i;

	setsid();
	for (i = 0; i < 3; i++)
		dup2(null, i);
	/* 3 is a proxy's, 4 ours */
	dup3(report, REPORT_FD + 1, O_CLOEXEC);
	dup3(null, REPORT_FD, O_CLOEXEC);
	syscall(SYS_close_range, REPORT_FD + 2u, ~0u, 0u);
	prctl(PR_SET_NAME, "skerry-ports");
}

__attribute__((noreturn)) static void hold(const struct sk_netavark_request *request, int report)
{
	pid_t *pids = calloc(request->n, sizeof(*pids));
	struct sk_error err = SK_ERROR_INIT;
	struct sockaddr_un sun = socket_of(request->container);
	int listener, conn = -1;
	size_t n = 0;
	int r;

	leave(report);
	listener = listen_for(request->container, &err);
	r = listener < 0 ? listener : pids ? 0 : sk_error_errno(&err, ENOMEM, "cannot publish ports");
	while (r == 0 && n < request->n) {
		r = publish(&request->ports[n], &pids[n], &err);
		n++;
	}
	if (r < 0)
		dprintf(REPORT_FD + 1, "%s", err.message);
	else
		dprintf(REPORT_FD + 1, "0\n");
	close(REPORT_FD + 1);
	while (r == 0 && conn < 0 && ((conn = accept(listener, NULL, NULL)) >= 0 || errno == EINTR))
		;
	unlink(sun.sun_path);
	end_proxies(pids, n);
	_exit(r < 0);
}

/* --- podman's calls */

static int publish_all(const struct sk_netavark_request *request, struct sk_error *err)
{
	char text[SK_ERROR_MAX];
	int report[2];
	pid_t pid;
	size_t len = 0;
	ssize_t n;

	if (!request->n)
		return 0;
	if (pipe2(report, O_CLOEXEC) < 0)
		return sk_error_errno(err, errno, "cannot publish ports");
	pid = fork();
	if (pid == 0)
		hold(request, report[1]);
	close(report[1]);
	/* The holder has deadlines. */
	while (pid > 0 && len < sizeof(text) - 1 &&
	       ((n = read(report[0], text + len, sizeof(text) - 1 - len)) > 0 || (n < 0 && errno == EINTR)))
		len += n > 0 ? (size_t)n : 0;
	text[len] = '\0';
	close(report[0]);
	if (strcmp(text, "0\n") == 0)
		return 0;
	return sk_error_set(err, EADDRINUSE, "%s",
			    *text ? text : "the process that holds a container's ports has ended");
}

/* Withdraws the ports of a container, if it has any. */
static void release(const char *container)
{
	struct sockaddr_un sun = socket_of(container);
	_cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (fd >= 0 && connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0)
		poll(&p, 1, RELEASE_MS);
}

static const char *find_netavark(void)
{
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(netavarks); i++)
		if (access(netavarks[i], X_OK) == 0)
			return netavarks[i];
	return netavarks[0];
}

/* Runs netavark with `text` as its input. Its exit code. */
static int run_netavark(const char *program, char **argv, const char *text, size_t len)
{
	_cleanup_fd_ int input = memfd_create("networks", MFD_CLOEXEC);
	int status = 0;
	pid_t pid;

	if (input < 0 || sk_fs_write_all(input, text, len) < 0 || lseek(input, 0, SEEK_SET) < 0)
		return 125;
	pid = fork();
	if (pid == 0) {
		dup2(input, STDIN_FILENO);
		execv(program, argv);
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid < 0 ? 125 : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int read_all(char **ret, size_t *ret_len)
{
	size_t len = 0, room = 0;
	char *text = NULL;
	ssize_t n = 1;

	while (n > 0) {
		if (len == room) {
			char *more = room >= TEXT_MAX ? NULL : realloc(text, room + 65536);

			if (!more) {
				free(text);
				return room >= TEXT_MAX ? -E2BIG : -ENOMEM;
			}
			text = more;
			room += 65536;
		}
		n = read(STDIN_FILENO, text + len, room - len);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			len += (size_t)n;
	}
	*ret = text;
	*ret_len = len;
	return n < 0 ? -errno : 0;
}

/* As netavark tells podman what is wrong. */
static int report(const struct sk_error *err)
{
	json_t *json = json_pack("{s:s}", "error", err->message);

	if (json)
		json_dumpf(json, stdout, JSON_COMPACT);
	json_decref(json);
	return 1;
}

static bool has_word(char **argv, const char *word)
{
	for (argv++; *argv; argv++)
		if (strcmp(*argv, word) == 0)
			return true;
	return false;
}

int sk_machine_netavark_main(int argc, char **argv)
{
	const char *program = find_netavark();
	bool setup = has_word(argv, "setup"), teardown = has_word(argv, "teardown");
	struct sk_netavark_request request;
	struct sk_error err = SK_ERROR_INIT;
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int r;

	(void)argc;
	signal(SIGPIPE, SIG_IGN);
	argv[0] = (char *)(uintptr_t)program;
	if (!setup && !teardown) {
		execv(program, argv);
		fprintf(stderr, "cannot start %s: %s\n", program, strerror(errno));
		return 127;
	}
	r = read_all(&text, &len);
	if (r < 0)
		sk_error_errno(&err, r, "cannot read what podman says to netavark");
	else
		r = sk_netavark_parse(text, len, &request, &err);
	if (r == 0 && setup) {
		release(request.container); /* of an earlier life that nobody took down */
		r = publish_all(&request, &err);
	}
	if (r < 0)
		return report(&err);
	r = run_netavark(program, argv, text, len);
	if (teardown || r != 0)
		release(request.container);
	sk_netavark_request_fini(&request);
	return r;
}
