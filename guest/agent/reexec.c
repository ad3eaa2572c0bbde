/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * dockerd 20.10 executes itself, under other names, for steps that need a process of their own; two of them for each
 * container with a network. Each time Go initializes all of its packages: thousands of page faults, to write one byte or
 * one line. In a machine those two are this program:
 *
 *   set-ipv6 NAMESPACE INTERFACE true|false   writes disable_ipv6 in that network namespace
 *   libnetwork-setkey -exec-root=DIR CONTAINER CONTROLLER
 *                       a hook, with the container's state on stdin: tells dockerd, on DIR/libnetwork/CONTROLLER.sock, which
 *                       network namespace the container has. dockerd answers "success", or why not
 *
 * What else dockerd executes itself for (to unpack layers) goes on to it. dockerd comes here as the engine image names
 * SK_REEXEC in it instead of /proc/self/exe (guest/build-engine), crun as its list of hooks says so (guest/patches); any
 * other dockerd does it all by itself. Words and exit codes are moby v20.10's, libnetwork/osl/namespace_linux.go and
 * sandbox_externalkey_unix.go.
 */
#include "reexec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <jansson.h>

#include "base/cleanup.h"
#include "base/fs.h"

#define STATE_MAX (1u << 20)
#define ANSWER_MS 120000 /* dockerd sets the network up meanwhile */

static const char *const dockerds[] = { "/usr/sbin/dockerd", "/usr/bin/dockerd", "/usr/local/bin/dockerd" };

/* --- set-ipv6 */

static int enter_network(const char *path)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 || setns(fd, CLONE_NEWNET) < 0 ? -errno : 0;
}

int sk_reexec_set_ipv6(int argc, char **argv, const char *sysctl)
{
	char path[128];
	bool enable;
	int fd, n, r;

	if (argc < 4 || strchr(argv[2], '/') || argv[2][0] == '.') {
		fprintf(stderr, "invalid arguments for set-ipv6\n");
		return 1;
	}
	enable = strcmp(argv[3], "true") == 0;
	r = *argv[1] ? enter_network(argv[1]) : 0;
	if (r < 0) {
		fprintf(stderr, "failed to enter network namespace %s: %s\n", argv[1], strerror(-r));
		return 1;
	}
	n = snprintf(path, sizeof(path), "%s/%s/disable_ipv6", sysctl, argv[2]);
	fd = n < (int)sizeof(path) ? open(path, O_WRONLY | O_TRUNC | O_CLOEXEC) : -1;
	if (fd < 0 && errno == ENOENT) {
		fprintf(stderr, "file does not exist: %s : Has IPv6 been disabled in this node's kernel?\n", path);
		return 0;
	}
	r = fd < 0 || write(fd, enable ? "0\n" : "1\n", 2) != 2;
	if (r)
		fprintf(stderr, "failed to %s IPv6 forwarding for container's interface %s: %s\n",
			enable ? "enable" : "disable", argv[2], strerror(errno));
	sk_close_fd(&fd);
	return r;
}

/* --- libnetwork-setkey */

struct setkey {
	const char *root, *container, *controller;
	json_int_t pid;
};

static bool parse_key(int argc, char **argv, const char *state, size_t len, struct setkey *ret)
{
	const char *words[2] = { NULL, NULL };
	json_t *json = json_loadb(state, len, 0, NULL);
	int i, n = 0;

	*ret = (struct setkey){ .root = "/run/docker", .pid = json_integer_value(json_object_get(json, "pid")) };
	json_decref(json);
	for (i = 1; i < argc; i++) {
		const char *word = argv[i] + (strncmp(argv[i], "--", 2) == 0);

		if (strncmp(word, "-exec-root=", 11) == 0)
			ret->root = word + 11;
		else if (strcmp(word, "-exec-root") == 0 && i + 1 < argc)
			ret->root = argv[++i];
		else if (n < 2)
			words[n++] = argv[i];
		else
			return false;
	}
	ret->container = words[0];
	ret->controller = words[1];
	return n == 2 && ret->pid > 0 && !strchr(words[1], '/');
}

static int connect_dockerd(const struct setkey *k)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
	    n = snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/libnetwork/%s.sock", k->root, k->controller);

	if (fd >= 0 && n < (int)sizeof(sun.sun_path) && connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0)
		return fd;
	n = n < (int)sizeof(sun.sun_path) ? -errno : -ENAMETOOLONG;
	sk_close_fd(&fd);
	return n;
}

/* Asks, and reads the answer into `answer`, NUL-terminated. */
static int tell(const struct setkey *k, char *answer, size_t size)
{
	_cleanup_fd_ int fd = connect_dockerd(k);
	_cleanup_free_ char *text = NULL;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char ns[64];
	json_t *json;
	ssize_t n;
	int r;

	if (fd < 0)
		return fd;
	snprintf(ns, sizeof(ns), "/proc/%lld/ns/net", (long long)k->pid);
	json = json_pack("{s:s, s:s}", "ContainerID", k->container, "Key", ns);
	text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	if (!text)
		return -EINVAL;
	r = sk_fs_write_all(fd, text, strlen(text));
	if (r < 0)
		return r;
	if (poll(&p, 1, ANSWER_MS) != 1)
		return -ETIMEDOUT;
	n = recv(fd, answer, size - 1, MSG_DONTWAIT);
	if (n < 0)
		return -errno;
	answer[n] = '\0';
	return 0;
}

int sk_reexec_setkey(int argc, char **argv, const char *state, size_t len)
{
	char answer[1024];
	struct setkey k;
	int r;

	if (!parse_key(argc, argv, state, len, &k)) {
		fprintf(stderr, "libnetwork-setkey: wrong arguments or state\n");
		return 1;
	}
	r = tell(&k, answer, sizeof(answer));
	if (r < 0)
		fprintf(stderr, "cannot tell dockerd the container's network: %s\n", strerror(-r));
	else if (strcmp(answer, "success") != 0)
		fprintf(stderr, "%s\n", *answer ? answer : "dockerd has closed the connection");
	return r < 0 || strcmp(answer, "success") != 0;
}

static int setkey(int argc, char **argv)
{
	_cleanup_free_ char *state = malloc(STATE_MAX);
	size_t len = 0;
	ssize_t n = 1;

	while (state && n != 0 && len < STATE_MAX) {
		n = read(STDIN_FILENO, state + len, STATE_MAX - len);
		if (n < 0 && errno != EINTR)
			n = 0;
		len += n > 0 ? (size_t)n : 0;
	}
	return sk_reexec_setkey(argc, argv, state ? state : "", len);
}

/* --- */

int sk_reexec_main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/');
	size_t i;

	name = name ? name + 1 : argv[0];
	if (strcmp(name, "set-ipv6") == 0)
		return sk_reexec_set_ipv6(argc, argv, "/proc/sys/net/ipv6/conf");
	if (strcmp(name, "libnetwork-setkey") == 0)
		return setkey(argc, argv);
	for (i = 0; i < SK_ARRAY_SIZE(dockerds); i++)
		execv(dockerds[i], argv);
	fprintf(stderr, "skerry-machine: cannot execute dockerd as %s: %s\n", name, strerror(errno));
	return 127;
}
