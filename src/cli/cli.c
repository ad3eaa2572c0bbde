/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"

int sk_cli_open(struct sk_cli *cli, struct sk_error *err)
{
	int r;

	if (cli->opened)
		return 0;
	r = sk_paths_init(&cli->paths, cli->root, err);
	cli->opened = r == 0;
	return r;
}

int sk_cli_store(struct sk_cli *cli, struct sk_store **ret_store, struct sk_error *err)
{
	int r = sk_cli_open(cli, err);

	if (r == 0 && !cli->store)
		r = sk_store_open(cli->paths.root, &cli->store, err);
	if (r == 0)
		*ret_store = cli->store;
	return r;
}

void sk_cli_close(struct sk_cli *cli)
{
	if (cli->store)
		sk_store_close(cli->store);
	cli->store = NULL;
	if (cli->opened)
		sk_paths_fini(&cli->paths);
	cli->opened = false;
}

void sk_cli_error(const struct sk_error *err)
{
	fflush(stdout);
	fprintf(stderr, "skerry: %s\n",
		err->message[0] ? err->message : "something went wrong, without a reason given");
}

int sk_cli_fail(const struct sk_error *err, int code)
{
	sk_cli_error(err);
	return code;
}

void sk_cli_warn(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("WARNING: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

bool sk_cli_confirm(const char *question)
{
	char answer[16] = "";

	printf("%s [y/N] ", question);
	fflush(stdout);
	if (!fgets(answer, sizeof(answer), stdin)) {
		putchar('\n');
		return false;
	}
	return answer[0] == 'y' || answer[0] == 'Y';
}

int sk_each(struct sk_cli *cli, int argc, char **argv, bool echo,
	    int (*one)(struct sk_cli *cli, const char *ref, void *arg, struct sk_error *err), void *arg)
{
	int i, code = 0;

	for (i = 0; i < argc; i++) {
		struct sk_error err = SK_ERROR_INIT;
		int r = one(cli, argv[i], arg, &err);

		if (r < 0) {
			code = sk_cli_fail(&err, 1);
		} else if (echo && r == 0) {
			printf("%s\n", argv[i]);
			fflush(stdout);
		}
	}
	return code;
}
