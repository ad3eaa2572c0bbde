/* SPDX-License-Identifier: Apache-2.0 */
/* What all verbs have in common in their options: runc's words for mistakes. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "oci/oci.h"

/* A cluster's mistakes name the letter, those of a long option its name. */
static int fail(const struct sk_opt_error *e, struct sk_error *err)
{
	switch (e->fault) {
	case SK_OPT_UNKNOWN:
		return sk_error_set(err, EINVAL, "flag provided but not defined: -%.*s", e->len, e->word);
	case SK_OPT_UNKNOWN_LETTER:
	case SK_OPT_NO_VALUE_LETTER:
		return sk_error_set(err, EINVAL, "flag provided but not defined: -%c", *e->word);
	case SK_OPT_NO_VALUE:
	case SK_OPT_NEEDLESS_VALUE:
		return sk_error_set(err, EINVAL, "flag needs an argument: -%.*s", e->len, e->word);
	case SK_OPT_BAD_VALUE:
		break;
	}
	return -EINVAL;
}

const struct sk_opt_dialect sk_oci_dialect = { .abbreviations = true, .fail = fail };

int sk_oci_options(const struct sk_opt *table, void *values, bool stop, int argc, char **argv, struct sk_error *err)
{
	struct sk_opt_result parsed;
	int r = sk_opt_parse(table, &sk_oci_dialect, values, stop, argc - 1, argv + 1, &parsed, err);

	return r < 0 ? r : parsed.n_args;
}

int sk_oci_options_id(const struct sk_opt *table, void *values, int argc, char **argv, struct sk_error *err)
{
	int n = sk_oci_options(table, values, false, argc, argv, err);

	return n < 0 || n == 1 ? n : sk_error_set(err, EINVAL, "\"%s\" requires exactly 1 argument(s)", argv[0]);
}

static int check_preserve_fds(const struct sk_opt *o, void *to, const char *text, struct sk_error *err)
{
	char *end;
	long n = strtol(text, &end, 10);

	(void)o;
	(void)to;
	if (!*text || *end)
		return sk_error_set(err, EINVAL, "invalid value \"%s\" for flag -preserve-fds: parse error", text);
	return n == 0 ? 0
		      : sk_error_set(err, EOPNOTSUPP,
				     "--preserve-fds: descriptors of the host cannot be passed into a VM");
}

int sk_oci_parse_number(const char *text, json_int_t min, json_int_t max, json_int_t *ret)
{
	long long n;
	char *end;

	errno = 0;
	n = strtoll(text, &end, 10);
	if ((*text != '-' && (*text < '0' || *text > '9')) || *end || errno || n < min || n > max)
		return -EINVAL;
	*ret = n;
	return 0;
}

int sk_oci_parse_size(const char *text, json_int_t *ret)
{
	static const char units[] = "bkmgtp";
	const char *unit;
	double n;
	char *end;

	if (strcmp(text, "-1") == 0) {
		*ret = -1;
		return 0;
	}
	if (*text < '0' || *text > '9')
		return -EINVAL;
	n = strtod(text, &end);
	if (strspn(text, "0123456789.") != (size_t)(end - text))
		return -EINVAL;
	end += *end == ' ';
	unit = *end ? strchr(units, *end | 0x20) : units;
	if (!unit)
		return -EINVAL;
	end += *end != '\0';
	if (unit != units && (*end | 0x20) == 'i' && (end[1] | 0x20) == 'b')
		end += 2;
	else if (unit != units && (*end | 0x20) == 'b')
		end++;
	n = ldexp(n, 10 * (int)(unit - units));
	if (*end || !(n < 0x1p63))
		return -EINVAL;
	*ret = (json_int_t)n;
	return 0;
}

int sk_oci_cannot_open(struct sk_error *err, int code, const char *path)
{
	const char *why = strerror(code < 0 ? -code : code);

	return sk_error_set(err, code, "open %s: %c%s", path, *why | 0x20, why + 1);
}

const struct sk_opt_type sk_oci_opt_preserve_fds = { true, check_preserve_fds, NULL };

static int store_format(const struct sk_opt *o, void *to, const char *text, struct sk_error *err)
{
	(void)o;
	if (strcmp(text, "json") != 0 && strcmp(text, "table") != 0)
		return sk_error_set(err, EINVAL, "invalid format option");
	*(bool *)to = strcmp(text, "json") == 0;
	return 0;
}

const struct sk_opt_type sk_oci_opt_format = { true, store_format, NULL };

int sk_oci_write_pid(const char *path, pid_t pid, struct sk_error *err)
{
	char text[16];
	int r;

	if (!path)
		return 0;
	snprintf(text, sizeof(text), "%d", (int)pid);
	r = sk_fs_write_atomic(AT_FDCWD, path, text, strlen(text), 0644, false);
	return r < 0 ? sk_error_errno(err, r, "cannot write pid file %s", path) : 0;
}
