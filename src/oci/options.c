/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "oci/oci.h"

int sk_oci_bad_option(char **argv, struct sk_error *err)
{
	const char *word = argv[optind - 1];

	/* A letter among several has its number in optopt; of a long option it has the value that it returns. */
	if (strncmp(word, "--", 2) != 0 && optopt)
		return sk_error_set(err, EINVAL, "flag provided but not defined: -%c", optopt);
	word += strspn(word, "-");
	return sk_error_set(err, EINVAL,
			    optopt ? "flag needs an argument: -%.*s" : "flag provided but not defined: -%.*s",
			    (int)strcspn(word, "="), word);
}

int sk_oci_no_options(int argc, char **argv, int wanted, struct sk_error *err)
{
	static const struct option none[] = { { NULL, 0, NULL, 0 } };

	optind = 0;
	if (getopt_long(argc, argv, "", none, NULL) != -1)
		return sk_oci_bad_option(argv, err);
	if (argc - optind != wanted)
		return sk_error_set(err, EINVAL, "\"%s\" requires exactly %d argument(s)", argv[0], wanted);
	return 0;
}

int sk_oci_preserve_fds(const char *text, struct sk_error *err)
{
	char *end;
	long n = strtol(text, &end, 10);

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
