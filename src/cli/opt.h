/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_CLI_OPT_H
#define SK_CLI_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "model/xmem.h"

/*
 * Command-line options from tables, with docker's (spf13/pflag's) rules: --flag value, --flag=value, --bool,
 * --bool=false, -abc clusters, -pVALUE, -p=VALUE, `--` ends them. A table is an array closed by an entry without a
 * name; an entry may pull in another table.
 */
enum sk_opt_kind {
	SK_OPT_BOOL,	     /* bool */
	SK_OPT_STRING,	     /* const char *, into argv; NULL when not given */
	SK_OPT_LIST,	     /* struct sk_strv */
	SK_OPT_INT,	     /* int64_t */
	SK_OPT_BYTES,	     /* int64_t, from "512m"; -1 is taken as it is */
	SK_OPT_CPUS,	     /* int64_t, 1e-9 of a processor, from "1.5" */
	SK_OPT_REFUSED,	     /* known to docker, not possible here: `help` says why and what to do */
	SK_OPT_IGNORED,	     /* taken without effect, with a value */
	SK_OPT_IGNORED_BOOL, /* taken without effect, without a value */
	SK_OPT_INCLUDE,	     /* `include` is another table; the name is not used */
};

struct sk_opt {
	const char *name; /* long form, without dashes */
	char letter;	  /* short form, 0: none */
	enum sk_opt_kind kind;
	size_t offset;	   /* of the value in the command's options */
	const char *value; /* word for the value in the help: "list", "bytes" */
	const char *help;
	/* May be NULL. Looks at one value as it is given; negative: refused, `why` (256 bytes) says why in docker's
	 * words. */
	int (*check)(const char *value, char *why);
	const struct sk_opt *include;
	bool hidden; /* not in the help */
};

/* One level of table iteration for parser and help: calls `cb` for each real entry until it returns true; returns that
 * entry. */
const struct sk_opt *sk_opt_each(const struct sk_opt *table, bool (*cb)(const struct sk_opt *opt, void *arg),
				 void *arg);

struct sk_opt_result {
	int n_args; /* positional arguments, moved to the front of argv */
	bool help;  /* --help or -h where the table has no -h: nothing else counts */
};

/* Parses argv[0..argc) into `values`. With `stop` the first positional argument ends the options (docker run, exec,
 * create). -EINVAL with docker's message. */
int sk_opt_parse(const struct sk_opt *table, void *values, bool stop, int argc, char **argv, struct sk_opt_result *ret,
		 struct sk_error *err);
/* Releases the lists in `values`. */
void sk_opt_fini(const struct sk_opt *table, void *values);

#endif
