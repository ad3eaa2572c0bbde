/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ports that a swarm's services publish on all nodes ("ingress"). dockerd asks no docker-proxy for them: it leads them on by
 * rules of its own in the chain DOCKER-INGRESS. So a process looks at that chain once a second while the engine has an
 * ingress network, and has a skerry-proxy (machine_proxy.c) publish each port on the host as long as its rule is there. A
 * port that the host does not give is tried again after a while; the engine's log has skerry-proxy's words.
 *
 * Trust: the engine. Sizes and counts are bounded all the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/loop.h"
#include "machine.h"

#define LOOK_S 1
#define AGAIN_MS 30000u
#define RULES_MAX (1u << 20)
#define PROXY "/sbin/skerry-proxy"
#define REPORT_FD 3 /* of a proxy */

/* A port, by IPv4 and IPv6. */
struct published {
	struct sk_machine_ingress port;
	pid_t pid[2];	/* 0: does not run */
	uint64_t again; /* not before that */
	bool wanted;
};

unsigned sk_machine_ingress_parse(const char *rules, struct sk_machine_ingress *ret, unsigned max)
{
	unsigned n = 0, port, to, a[4];
	char proto[4];

	/* Of `iptables -S`: the options come in this order. */
	for (; rules && n < max; rules = strchr(rules, '\n'), rules = rules ? rules + 1 : NULL) {
		if (sscanf(rules,
			   "-A DOCKER-INGRESS -p %3[a-z] -m %*3[a-z] --dport %5u -j DNAT --to-destination "
			   "%3u.%3u.%3u.%3u:%5u",
			   proto, &port, &a[0], &a[1], &a[2], &a[3], &to) != 7 ||
		    port < 1 || port > 65535 || to < 1 || to > 65535)
			continue;
		ret[n] = (struct sk_machine_ingress){ .udp = strcmp(proto, "udp") == 0, .port = port, .to = to };
		if (!ret[n].udp && strcmp(proto, "tcp") != 0)
			continue;
		snprintf(ret[n].address, sizeof(ret[n].address), "%u.%u.%u.%u", a[0] & 255, a[1] & 255, a[2] & 255,
			 a[3] & 255);
		n++;
	}
	return n;
}

static char *read_rules(void)
{
	const char *argv[] = { "iptables", "-w", "-t", "nat", "-S", "DOCKER-INGRESS", NULL };
	char *text = NULL;
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return NULL;
	pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, STDIN_FILENO);
		dup2(fds[1], STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	close(fds[1]);
	if (pid > 0 && sk_fs_read_fd(fds[0], RULES_MAX, &text, NULL) < 0)
		text = NULL;
	close(fds[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return text;
}

static pid_t start_proxy(const struct sk_machine_ingress *p, const char *host_ip)
{
	pid_t parent = getpid(), pid;
	char port[8], to[8];
	const char *argv[] = { PROXY,	     "-proto", p->udp ? "udp" : "tcp", "-host-ip", host_ip,
			       "-host-port", port,     "-container-ip",	       p->address, "-container-port",
			       to,	     NULL };
	int null;

	snprintf(port, sizeof(port), "%u", p->port);
	snprintf(to, sizeof(to), "%u", p->to);
	pid = fork();
	if (pid != 0)
		return pid < 0 ? 0 : pid;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(1);
	null = open("/dev/null", O_RDWR);
	if (null != REPORT_FD)
		dup2(null, REPORT_FD);
	execv(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}

static void start_port(struct published *p, uint64_t now)
{
	if (now < p->again)
		return;
	p->again = now + AGAIN_MS;
	if (!p->pid[0])
		p->pid[0] = start_proxy(&p->port, "0.0.0.0");
	if (!p->pid[1])
		p->pid[1] = start_proxy(&p->port, "::");
}

static void end_port(const struct published *p)
{
	unsigned i;

	for (i = 0; i < 2; i++)
		if (p->pid[i])
			kill(p->pid[i], SIGTERM);
	for (i = 0; i < 2; i++)
		if (p->pid[i])
			waitpid(p->pid[i], NULL, 0);
}

static void reap(struct published *all, unsigned n)
{
	unsigned i, k;
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		for (i = 0; i < n; i++)
			for (k = 0; k < 2; k++)
				if (all[i].pid[k] == pid)
					all[i].pid[k] = 0;
}

static bool same_port(const struct sk_machine_ingress *a, const struct sk_machine_ingress *b)
{
	return a->udp == b->udp && a->port == b->port && a->to == b->to && strcmp(a->address, b->address) == 0;
}

/* Brings what is published in line with the rules. The number of ports. */
static unsigned follow(struct published *all, unsigned n, const struct sk_machine_ingress *ports, unsigned n_ports)
{
	unsigned i, k;

	for (i = 0; i < n; i++)
		all[i].wanted = false;
	for (k = 0; k < n_ports; k++) {
		for (i = 0; i < n && !same_port(&all[i].port, &ports[k]); i++)
			;
		if (i == n && n < SK_MACHINE_INGRESS_MAX)
			all[n++] = (struct published){ .port = ports[k] };
		if (i < n)
			all[i].wanted = true;
	}
	for (i = 0; i < n;) {
		if (all[i].wanted) {
			i++;
			continue;
		}
		end_port(&all[i]);
		all[i] = all[--n];
	}
	return n;
}

static void run(void)
{
	static struct sk_machine_ingress ports[SK_MACHINE_INGRESS_MAX];
	static struct published all[SK_MACHINE_INGRESS_MAX];
	const struct timespec pause = { .tv_sec = LOOK_S };
	unsigned i, n = 0;

	while (access(SK_MACHINE_INGRESS, F_OK) == 0) {
		_cleanup_free_ char *rules = read_rules();

		if (rules)
			n = follow(all, n, ports, sk_machine_ingress_parse(rules, ports, SK_MACHINE_INGRESS_MAX));
		reap(all, n);
		for (i = 0; i < n; i++)
			start_port(&all[i], sk_now_ms());
		nanosleep(&pause, NULL);
	}
	follow(all, n, ports, 0);
}

pid_t sk_machine_ingress_start(void)
{
	sigset_t none;
	pid_t pid = fork();

	if (pid != 0)
		return pid < 0 ? 0 : pid;
	setsid();
	prctl(PR_SET_NAME, "skerry-ingress");
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	run();
	_exit(0);
}
