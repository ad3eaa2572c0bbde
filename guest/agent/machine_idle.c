/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a machine may stop because nobody needs it. The guest knows its part of that: there is no process but PID 1 and
 * those of the engine, so no container, no step of a build and nobody who is logged in. Whether a client is connected is
 * the host's to know; it is asked, and takes no more connections once it has agreed.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "machine.h"
#include "machine_host.h"

#define IDLE_LOOKS 4u /* in the time after which the machine stops */
#define IDLE_LOOK_MIN_MS 500u
#define IDLE_LOOK_MAX_MS 15000u

uint64_t sk_machine_idle_look_ms(uint64_t idle_ms)
{
	uint64_t ms = idle_ms / IDLE_LOOKS;

	return ms < IDLE_LOOK_MIN_MS ? IDLE_LOOK_MIN_MS : ms > IDLE_LOOK_MAX_MS ? IDLE_LOOK_MAX_MS : ms;
}

bool sk_machine_idle_tick(struct sk_machine_idle *idle, bool quiet, uint64_t now_ms)
{
	if (!quiet || !idle->quiet)
		idle->since_ms = now_ms;
	idle->quiet = quiet;
	return quiet && now_ms - idle->since_ms >= idle->after_ms;
}

bool sk_machine_is_quiet(const char *proc, const pid_t *own, size_t n)
{
	_cleanup_closedir_ DIR *dir = opendir(proc);
	struct dirent *de;
	char *end;
	size_t i;
	long pid;

	if (!dir)
		return false;
	while (errno = 0, (de = readdir(dir))) {
		pid = strtol(de->d_name, &end, 10);
		if (end == de->d_name || *end)
			continue;
		for (i = 0; i < n && own[i] != pid; i++)
			;
		if (i == n)
			return false;
	}
	return errno == 0;
}

int sk_machine_ask_to_stop(struct sk_error *err)
{
	_cleanup_fd_ int fd = sk_machine_host_connect(err);
	struct sk_reply reply;
	int r = fd < 0 ? fd : sk_machine_host_ask(fd, &(const struct sk_msg){ .op = SK_SERVICE_IDLE }, &reply, err);

	if (r < 0)
		return r;
	if (!reply.ok)
		r = sk_error_set(err, reply.error, "the host does not let the machine stop: %s", reply.message);
	sk_reply_fini(&reply);
	return r;
}
