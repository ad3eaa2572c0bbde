/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * A connection to a published port arrives at a port of the guest from a range of its own (SK_SERVICES_PORT_FIRST); from
 * there it is led on to the container by a rule in the chain NAT_CHAIN of the table nat, which is looked at before an
 * engine's own chains. So the container sees the client's address. The engine's own rules let the packets pass to it: to
 * them they are those of a published port.
 *
 * The rules are for packets from outside only, those that come in by the interface with the guest's address.
 *
 * UDP to a port of that range without a rule is dropped before Linux makes a connection of it, which would keep the
 * client's later packets from a rule that comes a moment later.
 *
 * A rule says whose it is by the process's id in a comment. It is removed by that process, or, when that was killed, by a
 * later one of these.
 *
 * All is done by the image's iptables, which knows whether the image's engine uses nf_tables or the older interface. Each
 * call is bounded by CALL_SECONDS.
 */
#include "nat.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "proto/wire.h"

#define NAT_CHAIN "SKERRY-PORTS"
#define NAT_OWNER "skerry-proxy-" /* in letters that iptables lists without quotes */
#define CALL_SECONDS 8u
#define LOCK_SECONDS "5"
#define OUTPUT_MAX (1u << 20)
#define WORDS_MAX 40u

/* A command line that is put together. */
struct nat_words {
	const char *word[WORDS_MAX];
	size_t n;
};

static void add(struct nat_words *w, const char *word)
{
	if (w->n < WORDS_MAX - 1)
		w->word[w->n++] = word;
	w->word[w->n] = NULL;
}

static void add_all(struct nat_words *w, const char *const *more)
{
	while (*more)
		add(w, *more++);
}

static void begin(struct nat_words *w, const char *table)
{
	*w = (struct nat_words){ .n = 0 };
	add_all(w, (const char *const[]){ "iptables", "-w", LOCK_SECONDS, "-t", table, NULL });
}

static void become(const struct nat_words *w, int out)
{
	sigset_t none;
	int null = open("/dev/null", O_RDWR);

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(null, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	if (!getenv("PATH"))
		setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	alarm(CALL_SECONDS);
	/* exec's prototype predates const: nothing is written. */
	execvp(w->word[0], (char *const *)(uintptr_t)w->word);
	dprintf(STDERR_FILENO, "%s: %s\n", w->word[0], strerror(errno));
	_exit(127);
}

/* Runs it. Returns its exit code, 128 and more: a signal, or it could not be run. `out` (may be NULL) gets what it says,
 * up to its maximum. */
static int call(const struct nat_words *w, struct sk_buf *out)
{
	char buf[4096];
	int fds[2], status = 0;
	pid_t pid;
	ssize_t n;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return 255;
	pid = fork();
	if (pid == 0)
		become(w, fds[1]);
	close(fds[1]);
	while (pid > 0 && ((n = read(fds[0], buf, sizeof(buf))) > 0 || (n < 0 && errno == EINTR)))
		if (out && n > 0)
			sk_buf_append(out, buf, (size_t)n < sk_buf_room(out) ? (size_t)n : sk_buf_room(out));
	close(fds[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid < 0)
		return 255;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int call_quietly(const char *table, const char *const *words)
{
	struct nat_words w;

	begin(&w, table);
	add_all(&w, words);
	return call(&w, NULL);
}

/* The interface that has the address. */
static void find_interface(const char *ip, char ret[IF_NAMESIZE])
{
	struct ifaddrs *all, *i;
	struct in_addr want;

	*ret = '\0';
	if (inet_pton(AF_INET, ip, &want) != 1 || getifaddrs(&all) < 0)
		return;
	for (i = all; i; i = i->ifa_next)
		if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET &&
		    ((const struct sockaddr_in *)i->ifa_addr)->sin_addr.s_addr == want.s_addr)
			snprintf(ret, IF_NAMESIZE, "%s", i->ifa_name);
	freeifaddrs(all);
}

/* `how`: -I or -D. */
static int change(const struct sk_nat_rule *rule, const char *how, struct sk_buf *out)
{
	char interface[IF_NAMESIZE], port[8], to[INET_ADDRSTRLEN + 8], owner[40];
	struct nat_words w;

	find_interface(rule->guest_ip, interface);
	snprintf(port, sizeof(port), "%u", rule->guest_port);
	snprintf(to, sizeof(to), "%.15s:%u", rule->container_ip, rule->container_port);
	snprintf(owner, sizeof(owner), NAT_OWNER "%d", (int)getpid());
	begin(&w, "nat");
	add_all(&w, (const char *const[]){ how, NAT_CHAIN, NULL });
	if (*interface)
		add_all(&w, (const char *const[]){ "-i", interface, NULL });
	add_all(&w, (const char *const[]){ "-d", rule->guest_ip, "-p", rule->udp ? "udp" : "tcp", "--dport", port, "-m",
					   "comment", "--comment", owner, "-j", "DNAT", "--to-destination", to, NULL });
	return call(&w, out);
}

/* The jump to the chain, and the guard. Others may do the same at the same time: what is there twice does no harm. */
static void connect_chain(const struct sk_nat_rule *rule)
{
	char ports[16];
	const char *jump[] = { "-C", "PREROUTING", "-j", NAT_CHAIN, NULL };
	const char *guard[] = {
		"-C", "INPUT", "-d", rule->guest_ip, "-p", "udp", "--dport", ports, "-j", "DROP", NULL
	};

	snprintf(ports, sizeof(ports), "%u:%u", SK_SERVICES_PORT_FIRST, SK_SERVICES_PORT_LAST);
	if (call_quietly("nat", jump) != 0) {
		jump[0] = "-I";
		call_quietly("nat", jump);
	}
	if (call_quietly("filter", guard) != 0) {
		guard[0] = "-I";
		call_quietly("filter", guard);
	}
}

/* The last line of a program's output. */
static const char *last_line(struct sk_buf *out)
{
	char *p, *line;

	sk_buf_append(out, "", 1);
	p = (char *)(uintptr_t)sk_buf_data(out);
	if (!p)
		return "";
	while (*p && p[strlen(p) - 1] == '\n')
		p[strlen(p) - 1] = '\0';
	line = strrchr(p, '\n');
	return line ? line + 1 : p;
}

int sk_nat_add(const struct sk_nat_rule *rule, struct sk_error *err)
{
	struct sk_buf out;
	int r;

	if (change(rule, "-I", NULL) == 0)
		return 0;
	call_quietly("nat", (const char *const[]){ "-N", NAT_CHAIN, NULL });
	connect_chain(rule);
	sk_buf_init(&out, 4096);
	r = change(rule, "-I", &out);
	if (r != 0)
		sk_error_set(err, EIO, "cannot lead port %u to %s:%u: %s", rule->guest_port, rule->container_ip,
			     rule->container_port, last_line(&out));
	sk_buf_fini(&out);
	return r == 0 ? 0 : -EIO;
}

void sk_nat_remove(const struct sk_nat_rule *rule)
{
	change(rule, "-D", NULL);
}

/* Deletes a rule as iptables lists it: "-A CHAIN words", none of which has a space in it. */
static void remove_listed(char *line)
{
	char *rest = line, *word;
	struct nat_words w;

	begin(&w, "nat");
	while ((word = strsep(&rest, " ")))
		if (*word)
			add(&w, strcmp(word, "-A") == 0 ? "-D" : word);
	call(&w, NULL);
}

/* A process that was killed may be a zombie for long: dockerd does not wait for it. That has no program any more. */
static bool is_alive(long pid)
{
	char path[40], program[16];

	snprintf(path, sizeof(path), "/proc/%ld/exe", pid);
	return readlink(path, program, sizeof(program)) >= 0 || (errno != ENOENT && errno != ESRCH);
}

static void remove_if_stale(char *line)
{
	const char *owner = strstr(line, NAT_OWNER);
	long pid = owner ? strtol(owner + sizeof(NAT_OWNER) - 1, NULL, 10) : 0;

	if (strncmp(line, "-A " NAT_CHAIN " ", sizeof("-A " NAT_CHAIN)) == 0 && pid > 0 && !is_alive(pid))
		remove_listed(line);
}

void sk_nat_tidy(const struct sk_nat_rule *rule)
{
	char *rest, *line;
	struct sk_buf out;
	struct nat_words w;

	connect_chain(rule);
	sk_buf_init(&out, OUTPUT_MAX);
	begin(&w, "nat");
	add_all(&w, (const char *const[]){ "-S", NAT_CHAIN, NULL });
	if (call(&w, &out) == 0 && out.len && sk_buf_room(&out) && sk_buf_append(&out, "", 1) == 0) {
		rest = (char *)(uintptr_t)sk_buf_data(&out);
		while ((line = strsep(&rest, "\n")))
			remove_if_stale(line);
	}
	sk_buf_fini(&out);
}
