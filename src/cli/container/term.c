/* SPDX-License-Identifier: Apache-2.0 */
/* The key sequence that detaches. The terminal itself is each system's own: term_linux.c, term_windows.c. */
#include "cli/container/term.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "model/xmem.h"

/* One key of a sequence: a character, DEL, or ctrl- and a letter, @, [, \, ], ^ or _. */
static int parse_key(const char *s)
{
	if (s[0] && !s[1])
		return (unsigned char)s[0];
	if (strcmp(s, "DEL") == 0)
		return 127;
	if (strncasecmp(s, "ctrl-", 5) != 0 || !s[5] || s[6])
		return -EINVAL;
	if (s[5] >= 'a' && s[5] <= 'z')
		return s[5] - 'a' + 1;
	if (s[5] >= 'A' && s[5] <= 'Z')
		return s[5] - 'A' + 1;
	if (s[5] == '@')
		return 0;
	if (s[5] >= '[' && s[5] <= '_')
		return s[5] - '[' + 27;
	return -EINVAL;
}

int sk_detach_parse(struct sk_detach *detach, const char *text)
{
	struct sk_strv keys = { 0 };
	size_t i;
	int key = 0;

	*detach = (struct sk_detach){ 0 };
	if (!text || !*text)
		text = "ctrl-p,ctrl-q";
	sk_strv_split(&keys, text, ',');
	for (i = 0; key >= 0 && i < keys.n; i++) {
		key = i < SK_DETACH_KEYS_MAX ? parse_key(keys.v[i]) : -EINVAL;
		if (key >= 0)
			detach->keys[detach->n++] = (uint8_t)key;
	}
	sk_strv_fini(&keys);
	return key < 0 ? key : 0;
}

bool sk_detach_filter(struct sk_detach *d, const uint8_t *in, size_t n, uint8_t *out, size_t *ret_len)
{
	size_t len = 0, i;

	for (i = 0; i < n; i++) {
		if (d->n && in[i] == d->keys[d->matched]) {
			if (++d->matched == d->n) {
				d->matched = 0;
				*ret_len = len;
				return true;
			}
			continue;
		}
		/* Not the sequence: the keys held back are sent. The last byte may begin the sequence anew. */
		memcpy(out + len, d->keys, d->matched);
		len += d->matched;
		d->matched = 0;
		if (d->n && in[i] == d->keys[0])
			d->matched = 1;
		else
			out[len++] = in[i];
	}
	*ret_len = len;
	return false;
}
