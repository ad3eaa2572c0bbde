/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_CLI_CLI_H
#define SK_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "cli/flags.h"
#include "image/image.h"
#include "vm/state.h"

/*
 * The `skerry` program: main() finds the command in a table (commands.c), parses its options, and calls it. A command
 * returns the exit code; what went wrong it says with sk_cli_error(), one line on stderr.
 *
 * Here: options (flags, runopts), the table of commands and its help. print/: tables, templates, lists. container/, image/,
 * volume/, system/: the commands of each group (cmd_*.c) with what only they need; container/ joins a terminal and a
 * monitor (term, sink, attach). What an option means, and how a container is made of options and image, is in src/model.
 */
struct sk_cli {
	const char *root;    /* --root, or NULL */
	const char *command; /* as typed: "skerry run", "skerry container ls" */
	bool opened;
	struct sk_paths paths;
	struct sk_store *store;
	/* For commands that do their work by another one: runs a command line after the global options, which it
	 * changes. */
	int (*run)(struct sk_cli *cli, int argc, char **argv);
};

/* Sets `paths`; again is free. */
int sk_cli_open(struct sk_cli *cli, struct sk_error *err);
/* The image store, opened on first use. */
int sk_cli_store(struct sk_cli *cli, struct sk_store **ret_store, struct sk_error *err);
void sk_cli_close(struct sk_cli *cli);
/* "skerry: …" on stderr. */
void sk_cli_error(const struct sk_error *err);
/* The same, and returns `code`. */
int sk_cli_fail(const struct sk_error *err, int code);
void sk_cli_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Asks "… [y/N] " on the terminal. */
bool sk_cli_confirm(const char *question);

#define SK_EXIT_USAGE 125 /* wrong options; run, create: the container could not be made */

struct sk_command {
	const char *name;
	const char *args;	   /* "[OPTIONS] IMAGE [COMMAND] [ARG...]" */
	const char *summary;	   /* one line, in lists */
	const char *details;	   /* more for --help, or NULL */
	const char *aliases;	   /* "skerry container run, skerry run", or NULL */
	const struct sk_opt *opts; /* NULL: none */
	size_t opts_size;	   /* bytes of the struct that the options fill */
	void (*defaults)(void *opts);
	int min, max; /* arguments; max -1: any number */
	bool stop;    /* options end at the first argument */
	/* `opts` is zeroed, then `defaults`, then the command line. */
	int (*run)(struct sk_cli *cli, void *opts, int argc, char **argv);
	const char *refused; /* why this system has no such command, and nothing else is set but the name; else NULL */
};

/* A group ("container") or the program itself; closed by an entry without a name. */
struct sk_verb {
	const char *name;
	const struct sk_command *command;
	const struct sk_verb *group;
	const char *summary; /* of a group */
	bool common;	     /* shown under "Common Commands" */
	bool hidden;	     /* an alias: works, not shown */
};
extern const struct sk_verb sk_verbs[];

/* help.c */
void sk_help_command(const struct sk_command *command, const char *typed);
void sk_help_group(const struct sk_verb *verbs, const char *typed, const char *summary);
void sk_help_program(const struct sk_verb *verbs, const struct sk_opt *global);

/* dispatch.c: runs the command line after the global options. */
int sk_dispatch(struct sk_cli *cli, const struct sk_verb *verbs, int argc, char **argv);
/* The whole program, for main(). */
int sk_cli_main(int argc, char **argv);

#endif
