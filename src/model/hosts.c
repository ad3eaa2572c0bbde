/* SPDX-License-Identifier: Apache-2.0 */
/* /etc/hosts, /etc/hostname and /etc/resolv.conf of a container, from options and the host's resolv.conf. */
#include "model/hosts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

int sk_host_parse(const char *s, struct sk_host *ret, char *why)
{
	size_t n = strcspn(s, "=:");
	char ip[64], buf[16];
	size_t len;

	if (n == 0 || !s[n]) {
		snprintf(why, 256, "bad format for add-host: \"%.64s\"", s);
		return -EINVAL;
	}
	snprintf(ip, sizeof(ip), "%s", s + n + 1);
	len = strlen(ip);
	if (ip[0] == '[' && len > 2 && ip[len - 1] == ']') {
		ip[len - 1] = '\0';
		memmove(ip, ip + 1, len - 1);
	}
	if (strcmp(ip, "host-gateway") == 0) {
		snprintf(ip, sizeof(ip), SK_NET_GATEWAY);
	} else if (inet_pton(AF_INET, ip, buf) != 1 && inet_pton(AF_INET6, ip, buf) != 1) {
		snprintf(why, 256, "invalid IP address in add-host: \"%.64s\"", s + n + 1);
		return -EINVAL;
	}
	ret->name = sk_xstrndup(s, n);
	ret->ip = sk_xstrdup(ip);
	return 0;
}

void sk_host_fini(struct sk_host *host)
{
	free(host->name);
	free(host->ip);
	*host = (struct sk_host){ 0 };
}

char *sk_hosts_file(const char *hostname, const char *domainname, const struct sk_strv *add_host,
		    const struct sk_network_kind *network)
{
	struct sk_text t = { 0 };
	char why[256];
	size_t i;

	sk_text_puts(&t, "127.0.0.1\tlocalhost\n"
			 "::1\tlocalhost ip6-localhost ip6-loopback\n"
			 "fe00::\tip6-localnet\n"
			 "ff00::\tip6-mcastprefix\n"
			 "ff02::1\tip6-allnodes\n"
			 "ff02::2\tip6-allrouters\n");
	for (i = 0; i < add_host->n; i++) {
		struct sk_host host;

		if (sk_host_parse(add_host->v[i], &host, why) < 0)
			continue;
		sk_text_printf(&t, "%s\t%s\n", host.ip, host.name);
		sk_host_fini(&host);
	}
	if (*network->gateway)
		sk_text_printf(&t, "%s\thost.skerry.internal host.docker.internal\n", network->gateway);
	sk_text_printf(&t, "%s\t", *network->address ? network->address : "127.0.1.1");
	if (*domainname)
		sk_text_printf(&t, "%s.%s ", hostname, domainname);
	sk_text_printf(&t, "%s\n", hostname);
	return sk_text_take(&t);
}

char *sk_resolv_conf(const struct sk_strv *dns, const struct sk_strv *search, const struct sk_strv *options)
{
	struct sk_text t = { 0 };
	size_t i;

	for (i = 0; i < dns->n; i++)
		sk_text_printf(&t, "nameserver %s\n", dns->v[i]);
	/* "." alone: none at all */
	if (search->n && !(search->n == 1 && strcmp(search->v[0], ".") == 0)) {
		sk_text_puts(&t, "search");
		for (i = 0; i < search->n; i++)
			sk_text_printf(&t, " %s", search->v[i]);
		sk_text_puts(&t, "\n");
	}
	if (options->n) {
		sk_text_puts(&t, "options");
		for (i = 0; i < options->n; i++)
			sk_text_printf(&t, " %s", options->v[i]);
		sk_text_puts(&t, "\n");
	}
	return sk_text_take(&t);
}

#define NAMESERVERS_MAX 3 /* the resolver's */

static void add_words(struct sk_strv *list, char *rest)
{
	char *word, *next;

	for (word = strtok_r(rest, " \t", &next); word; word = strtok_r(NULL, " \t", &next))
		sk_strv_add(list, word);
}

/* libslirp asks the first name server of IPv4 for SK_NET_DNS, and the first of IPv6 for SK_NET_DNS6, whichever that is
 * when it is asked. The resolver in the container asks the others of IPv4 when the first one is silent. One on a loopback
 * address is the host's only. */
static void add_nameserver(struct sk_strv *dns, const char *word, bool *first, bool *any6)
{
	struct in_addr a;

	*any6 |= word && strchr(word, ':');
	if (!word || inet_pton(AF_INET, word, &a) != 1)
		return;
	if (*first)
		*first = false;
	else if (dns->n < NAMESERVERS_MAX && ntohl(a.s_addr) >> 24 != 127 && a.s_addr != 0 && !sk_strv_has(dns, word))
		sk_strv_add(dns, word);
}

void sk_host_resolv(char *text, struct sk_strv *dns, struct sk_strv *search, struct sk_strv *options)
{
	char *line, *next_line, *word, *rest;
	bool first = true, any6 = false;
	size_t at = dns ? dns->n : 0;

	if (dns)
		sk_strv_add(dns, SK_NET_DNS);
	for (line = strtok_r(text, "\n", &next_line); line; line = strtok_r(NULL, "\n", &next_line)) {
		word = strtok_r(line, " \t", &rest);
		if (!word)
			continue;
		if (dns && strcmp(word, "nameserver") == 0) {
			add_nameserver(dns, strtok_r(NULL, " \t", &rest), &first, &any6);
		} else if (search && (strcmp(word, "search") == 0 || strcmp(word, "domain") == 0)) {
			sk_strv_fini(search); /* the last line counts */
			add_words(search, rest);
		} else if (options && strcmp(word, "options") == 0) {
			add_words(options, rest);
		}
	}
	if (dns && first && any6) {
		free(dns->v[at]);
		dns->v[at] = sk_xstrdup(SK_NET_DNS6);
	}
}

char *sk_hostname_file(const char *hostname)
{
	return sk_xasprintf("%s\n", hostname);
}
