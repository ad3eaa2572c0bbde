/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
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
