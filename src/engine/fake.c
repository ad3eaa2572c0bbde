/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of what stands above engines: runs the program named by $SKERRY_FAKE_ENGINE with the run directory as its
 * argument and the guest's console as its output, in place of a guest kernel. It may connect to the device sockets as a
 * vhost-user frontend, say nothing, or die.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/engine_internal.h"

static int fake_probe(const struct sk_engine_settings *settings, struct sk_error *err)
{
	(void)settings;
	if (!getenv("SKERRY_FAKE_ENGINE"))
		return sk_error_set(err, ENOENT, "the fake engine is for tests: it needs SKERRY_FAKE_ENGINE");
	return 0;
}

static int fake_start(const struct sk_engine_config *c, struct sk_engine_process *ret, struct sk_error *err)
{
	const char *argv[] = { getenv("SKERRY_FAKE_ENGINE"), c->run_dir, NULL };
	struct sk_spawn s = SK_SPAWN_INIT;
	sk_pid pid;
	int r;

	*ret = (struct sk_engine_process){ .pidfd = -1, .claim_fd = -1 };
	if (!argv[0])
		return fake_probe(NULL, err);
	s.file = argv[0];
	s.argv = argv;
	s.stdout_fd = c->console_fd;
	s.stderr_fd = c->console_fd;
	s.die_with_parent = true;
	r = sk_spawn(&s, &pid, &ret->pidfd, err);
	if (r == 0)
		ret->pid = pid;
	return r;
}

static int fake_info(const struct sk_engine_settings *settings, struct sk_engine_info *info, struct sk_error *err)
{
	(void)settings;
	(void)err;
	*info = (struct sk_engine_info){ .name = "fake", .isolation = "none: for tests" };
	return 0;
}

const struct sk_engine sk_engine_fake = {
	.name = "fake",
	.probe = fake_probe,
	.start = fake_start,
	.info = fake_info,
};
