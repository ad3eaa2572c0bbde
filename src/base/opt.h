/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_BASE_OPT_H
#define SK_BASE_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/*
 * Command-line options from tables. A table is an array closed by an entry without a name; an entry may pull in another
 * table. Which forms an option may have, and how a mistake is reported, is a dialect: docker's (cli/flags.h), runc's
 * (oci/oci.h), or sk_opt_gnu.
 */
struct sk_opt;

/* What the value of an option is, and how it is read. */
struct sk_opt_type {
	bool has_value;
	/* Stores `value` (NULL where there is none) at `to`. Negative: refused, with the reason in `err`; positive:
	 * accepted, and the rest of the command line does not matter. NULL: the option has no effect. */
	int (*store)(const struct sk_opt *opt, void *to, const char *value, struct sk_error *err);
	void (*fini)(void *to); /* releases what `store` has allocated; may be NULL */
};

extern const struct sk_opt_type sk_opt_bool, sk_opt_string, sk_opt_refused, sk_opt_ignored, sk_opt_ignored_bool,
	sk_opt_include;

#define SK_OPT_BOOL (&sk_opt_bool)		   /* bool */
#define SK_OPT_STRING (&sk_opt_string)		   /* const char *, into argv; NULL when not given */
#define SK_OPT_REFUSED (&sk_opt_refused)	   /* known, but not possible: `help` says why and what to do */
#define SK_OPT_IGNORED (&sk_opt_ignored)	   /* accepted without effect, with a value */
#define SK_OPT_IGNORED_BOOL (&sk_opt_ignored_bool) /* accepted without effect, without a value */
#define SK_OPT_INCLUDE (&sk_opt_include)	   /* `include` is another table; the name is not used */

struct sk_opt {
	const char *name; /* long form, without dashes */
	char letter;	  /* short form, 0: none */
	const struct sk_opt_type *type;
	size_t offset;	   /* of the value in the command's options */
	const char *value; /* word for the value in the help: "list", "bytes" */
	const char *help;
	/* May be NULL. Checks one value before it is stored; negative: refused, with the reason in `why` (256 bytes). */
	int (*check)(const char *value, char *why);
	const struct sk_opt *include;
	bool hidden; /* not in the help */
};

enum sk_opt_fault {
	SK_OPT_UNKNOWN,		/* `word`: the name as it was given, without dashes and value */
	SK_OPT_UNKNOWN_LETTER,	/* `word`: the cluster from the letter on */
	SK_OPT_NO_VALUE,	/* the value is missing; `opt` is set from here on */
	SK_OPT_NO_VALUE_LETTER, /* `word`: the cluster from the letter on */
	SK_OPT_NEEDLESS_VALUE,	/* --name=VALUE of an option without one */
	SK_OPT_BAD_VALUE,	/* `word`: the value; `err` has the reason */
};

/* Describes one faulty argument to a dialect. */
struct sk_opt_error {
	enum sk_opt_fault fault;
	const struct sk_opt *opt; /* NULL: unknown */
	const char *arg;	  /* the whole argument, with its dashes */
	const char *word;
	int len; /* of `word` */
};

struct sk_opt_dialect {
	bool abbreviations; /* the start of a long name will do where only one name starts so */
	bool letter_equals; /* -p=VALUE is the same as -pVALUE */
	bool help;	    /* --help, and -h, where the table does not have them, are reported in the result */
	/* Reads the value of --bool=VALUE; NULL: that form is a mistake. */
	int (*parse_bool)(const char *value, bool *ret, struct sk_error *err);
	/* Words the mistake into `err`; returns -EINVAL. */
	int (*fail)(const struct sk_opt_error *e, struct sk_error *err);
};

/* The forms of getopt_long(), and its words. */
extern const struct sk_opt_dialect sk_opt_gnu;

/* One level of table iteration for parser and help: calls `cb` for each real entry until it returns true; returns that
 * entry. */
const struct sk_opt *sk_opt_each(const struct sk_opt *table, bool (*cb)(const struct sk_opt *opt, void *arg),
				 void *arg);

struct sk_opt_result {
	int n_args; /* positional arguments, moved to the front of argv */
	bool help;  /* nothing else counts */
};

/* Parses argv[0..argc), which does not have the program's name, into `values`. "--" ends the options; with `stop` the
 * first positional argument does as well (docker run, exec, create). Returns 0, what an option's `store` returned if
 * that was positive, or -EINVAL with the dialect's message. */
int sk_opt_parse(const struct sk_opt *table, const struct sk_opt_dialect *dialect, void *values, bool stop, int argc,
		 char **argv, struct sk_opt_result *ret, struct sk_error *err);
/* Releases what options have allocated in `values`. */
void sk_opt_fini(const struct sk_opt *table, void *values);

#endif
