/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of messages: names, tokens and addresses. */
#include "proto/parts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool sk_name_valid(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n <= SK_NAME_MAX && name[0] != '.' &&
	       strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-") == n;
}

bool sk_container_id_valid(const char *id, size_t max)
{
	size_t n = strlen(id);

	return n > 0 && n <= max && strcmp(id, ".") != 0 && strcmp(id, "..") != 0 &&
	       strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-.") == n;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int sk_token_parse(const char *hex, struct sk_token *ret)
{
	struct sk_token token = { .set = true };
	size_t i;

	if (!hex || strlen(hex) != SK_TOKEN_HEX)
		return -EINVAL;
	for (i = 0; i < SK_TOKEN_BYTES; i++) {
		int hi = hex_digit(hex[2 * i]), lo = hex_digit(hex[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return -EINVAL;
		token.bytes[i] = (uint8_t)(hi << 4 | lo);
	}
	*ret = token;
	return 0;
}

void sk_token_hex(const struct sk_token *token, char ret[SK_TOKEN_HEX + 1])
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < SK_TOKEN_BYTES; i++) {
		ret[2 * i] = digits[token->bytes[i] >> 4];
		ret[2 * i + 1] = digits[token->bytes[i] & 15];
	}
	ret[SK_TOKEN_HEX] = '\0';
}

bool sk_token_equal(const struct sk_token *a, const struct sk_token *b)
{
	return a->set && b->set && memcmp(a->bytes, b->bytes, SK_TOKEN_BYTES) == 0;
}

int sk_address_parse(const char *text, int family, struct sk_address *ret)
{
	uint8_t most = family == AF_INET6 ? 128 : 32;
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	struct sk_address address = { .family = family, .prefix = most };
	char host[INET6_ADDRSTRLEN];

	if (n >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, n);
	host[n] = '\0';
	if (inet_pton(family, host, address.addr) != 1)
		return -EINVAL;
	if (slash) {
		char *end;
		unsigned long prefix = strtoul(slash + 1, &end, 10);

		if (end == slash + 1 || *end || prefix > most || slash[1] < '0' || slash[1] > '9')
			return -EINVAL;
		address.prefix = (uint8_t)prefix;
	}
	*ret = address;
	return 0;
}
