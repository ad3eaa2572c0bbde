/* SPDX-License-Identifier: Apache-2.0 */
/* Starts a container and attaches to it, or does not: what `run` and `start` share, with the exit code. */
#include "cli/container/launch.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/container/term.h"
#include "model/create.h"
#include "model/jx.h"
#include "vm/vm.h"

void sk_launch_hold_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static const char *name_of(const json_t *config)
{
	const char *name = sk_jx_get_str(config, "Name", "/?");

	return name + (*name == '/');
}

int sk_launch_detached(struct sk_cli *cli, const char *id, json_t *config, int *ret_code, struct sk_error *err)
{
	const struct sk_msg start = { .op = SK_REQUEST_START };
	_cleanup_fd_ int fd = sk_boot(&cli->paths, id, config, err);
	int code = 0, r = fd;

	if (r >= 0)
		r = sk_vm_request(&cli->paths, id, fd, &start, NULL, &code, err);
	if (r < 0) {
		*ret_code = code ? code : 125;
		return sk_error_wrap(err, "cannot start container %s", name_of(config));
	}
	return 0;
}

int sk_launch_end(const struct sk_attach_result *result, int r, const struct sk_error *err, const char *name)
{
	switch (result->end) {
	case SK_ATTACH_EXITED:
		if (r < 0)
			sk_cli_error(err);
		break;
	case SK_ATTACH_DETACHED:
		if (!result->signal)
			fputs("\nread escape sequence\n", stderr);
		break;
	case SK_ATTACH_REFUSED:
		fprintf(stderr, "skerry: cannot start container %s: %s\n", name, err->message);
		break;
	case SK_ATTACH_LOST:
		if (r < 0 && result->code != 128 + SIGPIPE)
			sk_cli_error(err);
		break;
	}
	return result->code;
}

int sk_launch_attached(struct sk_cli *cli, const char *id, json_t *config, const struct sk_run_launch *launch)
{
	const struct sk_msg request = { .op = SK_REQUEST_ATTACH,
					.attach = { .input = launch->stdin_open, .owner = launch->owner } };
	struct sk_attach_result result;
	struct sk_error err = SK_ERROR_INIT;
	struct sk_detach keys;
	bool tty = sk_jx_get_bool(config, "Config.Tty", false);
	struct sk_attach attach = {
		.in_fd = launch->stdin_open ? STDIN_FILENO : -1,
		.out_fd = launch->stdout_open ? STDOUT_FILENO : -1,
		.err_fd = launch->stderr_open ? STDERR_FILENO : -1,
		.tty = tty,
		.start = launch->boot,
		.sig_proxy = launch->sig_proxy,
		.detach_keys = launch->detach_keys,
	};
	_cleanup_fd_ int fd = -1;
	int r, code = 0;

	/* Before anything is started. */
	if (sk_detach_parse(&keys, launch->detach_keys) < 0) {
		fprintf(stderr, "skerry: invalid detach keys (%s): give letters, or ctrl- and one, joined by commas\n",
			launch->detach_keys);
		return launch->owner ? 125 : 1;
	}
	fd = launch->boot ? sk_boot(&cli->paths, id, config, &err) : sk_vm_connect(&cli->paths, id, &err);
	if (fd < 0)
		return sk_cli_fail(&err, launch->boot && !launch->failed ? 125 : 1);
	r = sk_vm_request(&cli->paths, id, fd, &request, NULL, &code, &err);
	if (r < 0) {
		sk_error_wrap(&err, launch->boot ? "cannot start container %s" : "cannot attach to container %s",
			      name_of(config));
		if (launch->failed)
			code = launch->failed;
		return sk_cli_fail(&err, launch->boot ? (code ? code : 125) : 1);
	}
	r = sk_attach_run(fd, &attach, &result, &err);
	code = sk_launch_end(&result, r, &err, name_of(config));
	return result.end == SK_ATTACH_REFUSED && launch->failed ? launch->failed : code;
}
