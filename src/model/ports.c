/* SPDX-License-Identifier: Apache-2.0 */
/*
 * -p and --expose: docker's notations, ranges, free ports of the host, and the forms that config.json, vm.json and
 * docker ps have.
 */
#include "model/ports.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "model/jx.h"
#include "model/units.h"

void sk_ports_fini(struct sk_ports *ports)
{
	free(ports->v);
	*ports = (struct sk_ports){ 0 };
}

static struct sk_port *add(struct sk_ports *ports)
{
	ports->v = sk_xrealloc(ports->v, ports->n + 1, sizeof(*ports->v));
	ports->v[ports->n] = (struct sk_port){ 0 };
	return &ports->v[ports->n++];
}

/* "80" or "80-90"; ports from `min`. */
static int parse_range(const char *s, uint16_t *ret_first, uint16_t *ret_last)
{
	const char *dash = strchr(s, '-');
	char first[8];
	int64_t a, b;

	if (!dash) {
		if (sk_parse_int(s, &a) < 0 || a < 0 || a > 65535)
			return -EINVAL;
		b = a;
	} else {
		if ((size_t)(dash - s) >= sizeof(first))
			return -EINVAL;
		memcpy(first, s, (size_t)(dash - s));
		first[dash - s] = '\0';
		if (sk_parse_int(first, &a) < 0 || sk_parse_int(dash + 1, &b) < 0 || a < 0 || b > 65535 || b < a)
			return -EINVAL;
	}
	*ret_first = (uint16_t)a;
	*ret_last = (uint16_t)b;
	return 0;
}

static int parse_proto(const char *s, bool *ret_udp, char *why)
{
	if (strcasecmp(s, "tcp") == 0 || strcasecmp(s, "udp") == 0) {
		*ret_udp = strcasecmp(s, "udp") == 0;
		return 0;
	}
	snprintf(why, 256,
		 strcasecmp(s, "sctp") == 0 ? "proto sctp is not supported: tcp and udp are" : "invalid proto: %.32s",
		 s);
	return -EINVAL;
}

/* Cuts "ip:host:container", "host:container", "container" into its parts, in place. An IPv6 address may have brackets.
 */
static int split_spec(char *spec, char **ret_ip, char **ret_host, char **ret_container, char *why)
{
	static char none[1];
	char *rest = spec, *ip = none, *host = none, *colon;
	char buf[16];

	if (*spec == '[') {
		char *end = strchr(spec, ']');

		if (!end || end[1] != ':') {
			snprintf(why, 256, "invalid IP address: %.64s", spec);
			return -EINVAL;
		}
		*end = '\0';
		ip = spec + 1;
		rest = end + 2;
	}
	*ret_container = rest;
	colon = strrchr(rest, ':');
	if (colon) {
		*colon = '\0';
		*ret_container = colon + 1;
		host = rest;
		colon = strrchr(rest, ':');
		if (colon) {
			*colon = '\0';
			host = colon + 1;
			ip = *ip ? colon : rest; /* two addresses: "" fails below */
		}
	}
	if (ip != none && inet_pton(AF_INET, ip, buf) != 1 && inet_pton(AF_INET6, ip, buf) != 1) {
		snprintf(why, 256, "invalid IP address: %.64s", ip);
		return -EINVAL;
	}
	*ret_ip = ip;
	*ret_host = host;
	return 0;
}

int sk_ports_parse(struct sk_ports *ports, const char *spec, char *why)
{
	_cleanup_free_ char *copy = sk_xstrdup(spec);
	uint16_t first, last, host_first = 0, host_last = 0, i;
	char *slash = strchr(copy, '/'), *ip, *host, *container;
	bool udp = false;
	int r;

	if (slash) {
		*slash = '\0';
		r = parse_proto(slash + 1, &udp, why);
		if (r < 0)
			return r;
	}
	r = split_spec(copy, &ip, &host, &container, why);
	if (r < 0)
		return r;
	if (!*container) {
		snprintf(why, 256, "no port specified: %.128s<empty>", spec);
		return -EINVAL;
	}
	if (parse_range(container, &first, &last) < 0 || first == 0) {
		snprintf(why, 256, "invalid containerPort: %.64s", container);
		return -EINVAL;
	}
	if (*host && parse_range(host, &host_first, &host_last) < 0) {
		snprintf(why, 256, "invalid hostPort: %.64s", host);
		return -EINVAL;
	}
	if (*host && last != first && host_last - host_first != last - first) {
		snprintf(why, 256, "invalid ranges specified for container and host Ports: %.64s and %.64s", container,
			 host);
		return -EINVAL;
	}
	for (i = 0; i <= last - first; i++) {
		struct sk_port *p = add(ports);

		p->udp = udp;
		snprintf(p->host_ip, sizeof(p->host_ip), "%s", ip);
		p->guest_port = (uint16_t)(first + i);
		p->host_port = host_first ? (uint16_t)(host_first + i) : 0;
		p->host_end = last == first ? host_last : p->host_port;
	}
	return 0;
}

int sk_ports_parse_expose(struct sk_strv *exposed, const char *spec, char *why)
{
	_cleanup_free_ char *copy = sk_xstrdup(spec);
	char *slash = strchr(copy, '/');
	uint16_t first, last;
	bool udp = false;
	unsigned port;

	if (slash) {
		*slash = '\0';
		if (parse_proto(slash + 1, &udp, why) < 0)
			return -EINVAL;
	}
	if (parse_range(copy, &first, &last) < 0 || first == 0) {
		snprintf(why, 256, "invalid range format for --expose: %.64s", spec);
		return -EINVAL;
	}
	for (port = first; port <= last; port++) {
		_cleanup_free_ char *key = sk_xasprintf("%u/%s", port, udp ? "udp" : "tcp");

		if (!sk_strv_has(exposed, key))
			sk_strv_add(exposed, key);
	}
	return 0;
}

int sk_ports_parse_key(const char *key, uint16_t *ret_port, bool *ret_udp)
{
	unsigned port;
	int n = 0;

	if (sscanf(key, "%5u%n", &port, &n) != 1 || port < 1 || port > 65535)
		return -EINVAL;
	if (key[n] && strcmp(key + n, "/tcp") != 0 && strcmp(key + n, "/udp") != 0)
		return -EINVAL;
	*ret_port = (uint16_t)port;
	*ret_udp = strcmp(key + n, "/udp") == 0;
	return 0;
}

/* Binds for a moment. Returns the port that the kernel gave, or negative errno. */
static int try_bind(const struct sk_port *p, uint16_t port)
{
	bool v6 = strchr(p->host_ip, ':') != NULL;
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr *addr = v6 ? (struct sockaddr *)&in6 : (struct sockaddr *)&in;
	socklen_t len = v6 ? sizeof(in6) : sizeof(in);
	_cleanup_fd_ int fd = socket(addr->sa_family, (p->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
	int one = 1;

	if (fd < 0)
		return -errno;
	if (*p->host_ip)
		inet_pton(addr->sa_family, p->host_ip, v6 ? (void *)&in6.sin6_addr : (void *)&in.sin_addr);
	if (!p->udp)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, addr, len) < 0 || getsockname(fd, addr, &len) < 0)
		return -errno;
	return ntohs(v6 ? in6.sin6_port : in.sin_port);
}

static bool host_has_ipv6(void)
{
	struct sk_port any = { .host_ip = "::" };

	return try_bind(&any, 0) > 0;
}

int sk_ports_assign(struct sk_ports *ports, struct sk_error *err)
{
	size_t i, n = ports->n;
	bool v6 = host_has_ipv6();

	for (i = 0; i < n; i++) {
		struct sk_port *p = &ports->v[i];
		unsigned port = p->host_port;
		int r = 0;

		if (p->host_port && p->host_end <= p->host_port)
			continue; /* the monitor binds it and tells when it is taken */
		do
			r = try_bind(p, (uint16_t)port);
		while (r < 0 && port && ++port <= p->host_end);
		if (r < 0)
			return sk_error_errno(err, r, "no free host port for container port %u/%s", p->guest_port,
					      p->udp ? "udp" : "tcp");
		p->host_port = (uint16_t)r;
		p->host_end = p->host_port;
	}
	/* All addresses are those of IPv6, too. */
	for (i = 0; v6 && i < n; i++) {
		struct sk_port twin = ports->v[i];

		if (*twin.host_ip)
			continue;
		snprintf(twin.host_ip, sizeof(twin.host_ip), "::");
		*add(ports) = twin;
	}
	return 0;
}

void sk_ports_copy(const struct sk_ports *ports, struct sk_ports *ret)
{
	ret->n = ports->n;
	ret->v = sk_xcalloc(ports->n, sizeof(*ports->v));
	if (ports->n)
		memcpy(ret->v, ports->v, ports->n * sizeof(*ports->v));
}

json_t *sk_ports_to_bindings(const struct sk_ports *ports, bool given)
{
	json_t *map = sk_jx_object();
	size_t i;

	for (i = 0; i < ports->n; i++) {
		const struct sk_port *p = &ports->v[i];
		char key[16], host[16] = "";
		json_t *list, *o = sk_jx_object();

		snprintf(key, sizeof(key), "%u/%s", p->guest_port, p->udp ? "udp" : "tcp");
		if (p->host_port && p->host_end > p->host_port)
			snprintf(host, sizeof(host), "%u-%u", p->host_port, p->host_end);
		else if (p->host_port)
			snprintf(host, sizeof(host), "%u", p->host_port);
		sk_jx_set_str(o, "HostIp", given && !*p->host_ip ? "0.0.0.0" : p->host_ip);
		sk_jx_set_str(o, "HostPort", host);
		list = json_object_get(map, key);
		if (!list) {
			list = sk_jx_array();
			sk_jx_set(map, key, list);
		}
		sk_jx_push(list, o);
	}
	return map;
}

void sk_ports_from_bindings(struct sk_ports *ports, const json_t *bindings)
{
	const char *key;
	json_t *list, *o;
	size_t i;

	json_object_foreach((json_t *)(uintptr_t)bindings, key, list)
	{
		json_array_foreach(list, i, o)
		{
			struct sk_port p = { 0 };

			if (sk_ports_parse_key(key, &p.guest_port, &p.udp) < 0)
				continue;
			snprintf(p.host_ip, sizeof(p.host_ip), "%s", sk_jx_get_str(o, "HostIp", ""));
			if (*sk_jx_get_str(o, "HostPort", ""))
				(void)parse_range(sk_jx_get_str(o, "HostPort", ""), &p.host_port, &p.host_end);
			*add(ports) = p;
		}
	}
}

json_t *sk_ports_to_forwards(const struct sk_ports *ports)
{
	json_t *list = sk_jx_array();
	size_t i;

	for (i = 0; i < ports->n; i++) {
		const struct sk_port *p = &ports->v[i];
		json_t *o = sk_jx_object();

		sk_jx_set_str(o, "proto", p->udp ? "udp" : "tcp");
		sk_jx_set_str(o, "host_ip", *p->host_ip ? p->host_ip : "0.0.0.0");
		sk_jx_set_int(o, "host_port", p->host_port);
		sk_jx_set_int(o, "guest_port", p->guest_port);
		sk_jx_push(list, o);
	}
	return list;
}

/* By protocol and address, exposed-only ones first, then by port. */
static int compare(const void *a, const void *b)
{
	const struct sk_port *p = a, *q = b;
	int r;

	if (p->udp != q->udp)
		return p->udp - q->udp;
	r = strcmp(p->host_ip, q->host_ip);
	if (r)
		return r;
	if (p->guest_port != q->guest_port)
		return p->guest_port - q->guest_port;
	return p->host_port - q->host_port;
}

static void display_run(struct sk_text *t, const struct sk_port *first, const struct sk_port *last)
{
	bool v6 = strchr(first->host_ip, ':') != NULL;

	if (t->len)
		sk_text_puts(t, ", ");
	if (first->host_port) {
		sk_text_printf(t, v6 ? "[%s]:%u" : "%s:%u", first->host_ip, first->host_port);
		if (last != first)
			sk_text_printf(t, "-%u", last->host_port);
		sk_text_puts(t, "->");
	}
	sk_text_printf(t, "%u", first->guest_port);
	if (last != first)
		sk_text_printf(t, "-%u", last->guest_port);
	sk_text_puts(t, first->udp ? "/udp" : "/tcp");
}

char *sk_ports_display(const json_t *map)
{
	struct sk_ports ports = { 0 };
	struct sk_text t = { 0 };
	const char *key;
	json_t *list;
	size_t i, k;

	json_object_foreach((json_t *)(uintptr_t)map, key, list)
	{
		struct sk_port p = { 0 };

		if (!json_array_size(list) && sk_ports_parse_key(key, &p.guest_port, &p.udp) == 0)
			*add(&ports) = p;
	}
	k = ports.n;
	sk_ports_from_bindings(&ports, map);
	for (i = k; i < ports.n; i++)
		if (!*ports.v[i].host_ip)
			snprintf(ports.v[i].host_ip, sizeof(ports.v[i].host_ip), "0.0.0.0");
	if (ports.n)
		qsort(ports.v, ports.n, sizeof(*ports.v), compare);
	for (i = 0; i < ports.n; i = k) {
		for (k = i + 1; k < ports.n; k++) {
			const struct sk_port *p = &ports.v[k - 1], *q = &ports.v[k];

			if (p->udp != q->udp || strcmp(p->host_ip, q->host_ip) != 0 ||
			    q->guest_port != p->guest_port + 1 ||
			    (p->host_port ? q->host_port != p->host_port + 1 : q->host_port))
				break;
		}
		display_run(&t, &ports.v[i], &ports.v[k - 1]);
	}
	sk_ports_fini(&ports);
	return sk_text_take(&t);
}
