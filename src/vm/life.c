/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a container: transitions, exit codes and restarts, without I/O. See life.h. */
#include "vm/life.h"

#include <errno.h>
#include <stdio.h>

#define EXIT_VM_FAILED 125
#define EXIT_KILLED 137 /* 128 + SIGKILL */

const struct sk_life_policy sk_life_standalone = {
	.name = "standalone",
	.ends_unwanted = true,
	.restarts = true,
};

const struct sk_life_policy sk_life_managed = {
	.name = "managed",
	.create_apart = true,
	.needs_creator = true,
	.killed_is_137 = true,
};

void sk_life_boot(struct sk_life *l)
{
	l->phase = SK_PHASE_BOOTING;
	l->oom = l->mounted = l->starting = false;
	l->exit_code = 0;
}

void sk_life_ready(struct sk_life *l)
{
	l->phase = SK_PHASE_READY;
}

bool sk_life_want_start(struct sk_life *l)
{
	bool first = !l->start_wanted;

	l->start_wanted = true;
	return first;
}

bool sk_life_may_start(const struct sk_life *l)
{
	return l->phase == SK_PHASE_READY && !l->starting && !l->mounted;
}

bool sk_life_may_mount(const struct sk_life *l)
{
	return !l->mounted && !l->starting;
}

bool sk_life_started(struct sk_life *l, uint64_t now_ms)
{
	if (l->phase != SK_PHASE_READY)
		return false;
	l->phase = SK_PHASE_RUNNING;
	l->ran = true;
	l->started_ms = now_ms;
	return true;
}

void sk_life_failed(struct sk_life *l, int error, int exit_code, const char *message)
{
	snprintf(l->failure, sizeof(l->failure), "%s", message);
	l->failure_errno = error;
	l->failure_exit_code = exit_code;
	l->exit_code = exit_code ? exit_code : EXIT_VM_FAILED;
}

bool sk_life_lost(struct sk_life *l, const char *why)
{
	if (l->lost || l->phase == SK_PHASE_DOWN)
		return false;
	l->lost = true;
	if (l->phase != SK_PHASE_STOPPING)
		snprintf(l->why, sizeof(l->why), "%s", why);
	return true;
}

bool sk_life_stop(struct sk_life *l)
{
	l->stop_wanted = true;
	if (l->phase == SK_PHASE_BOOTING || l->phase == SK_PHASE_READY)
		sk_life_lost(l, "");
	return l->phase == SK_PHASE_RUNNING;
}

void sk_life_kill(struct sk_life *l)
{
	l->killed = true;
	sk_life_lost(l, "");
}

void sk_life_process_done(struct sk_life *l)
{
	l->process_done = true;
}

/* ---- what is to be done */

enum sk_life_action sk_life_next(const struct sk_life *l)
{
	bool may_end = l->phase == SK_PHASE_RUNNING || (l->policy->create_apart && l->phase == SK_PHASE_READY);

	if (l->process_done && may_end)
		return SK_LIFE_STOP_GUEST;
	if (l->lost && l->phase != SK_PHASE_DOWN)
		return SK_LIFE_TAKE_DOWN;
	if (l->phase == SK_PHASE_DOWN && l->restart_due && (l->stop_wanted || l->killed))
		return SK_LIFE_CANCEL_RESTART;
	return SK_LIFE_NOTHING;
}

enum sk_life_action sk_life_idle(const struct sk_life *l, const struct sk_life_view *view)
{
	bool waiting = l->phase == SK_PHASE_READY || l->phase == SK_PHASE_BOOTING;

	if (l->handing_over && !view->connected)
		return SK_LIFE_HAND_OVER;
	if (l->final && !view->connected && view->output_is_out)
		return SK_LIFE_QUIT;
	if (l->policy->needs_creator && view->creator_gone && waiting && !l->lost)
		return SK_LIFE_KILL;
	if (l->policy->ends_unwanted && !view->connected && !l->start_wanted && waiting)
		return SK_LIFE_SHUT_DOWN;
	return SK_LIFE_NOTHING;
}

/* ---- the end of one */

void sk_life_stopping(struct sk_life *l, int code, bool oom)
{
	l->process_done = false;
	l->phase = SK_PHASE_STOPPING;
	l->exit_code = code;
	l->oom |= oom;
}

void sk_life_unwanted(struct sk_life *l)
{
	l->phase = SK_PHASE_STOPPING;
}

bool sk_life_down(struct sk_life *l)
{
	bool stopping = l->phase == SK_PHASE_STOPPING, running = l->phase == SK_PHASE_RUNNING || stopping;

	if (l->phase == SK_PHASE_RUNNING || (l->policy->killed_is_137 && l->killed && !stopping))
		l->exit_code = EXIT_KILLED; /* taken down with its VM */
	if (l->why[0] && !l->killed) {
		if (!l->failure[0])
			snprintf(l->failure, sizeof(l->failure), "%s", l->why);
		l->failure_errno = EIO;
		if (!running)
			l->exit_code = EXIT_VM_FAILED;
	}
	l->phase = SK_PHASE_DOWN;
	l->starting = l->lost = l->process_done = false;
	return running;
}

bool sk_life_will_restart(const struct sk_life *l)
{
	if (l->killed || l->stop_wanted || l->failure[0])
		return false;
	switch (l->restart) {
	case SK_RESTART_NO:
		return false;
	case SK_RESTART_ON_FAILURE:
		return l->exit_code != 0 && (!l->restart_max || l->restarts < l->restart_max);
	case SK_RESTART_ALWAYS:
	case SK_RESTART_UNLESS_STOPPED:
		return true;
	}
	return false;
}

static void back_off(struct sk_life *l, uint64_t now_ms)
{
	if (now_ms - l->started_ms >= SK_BACKOFF_RESET_MS || l->backoff_ms == 0)
		l->backoff_ms = SK_BACKOFF_MIN_MS;
	else
		l->backoff_ms = l->backoff_ms * 2 > SK_BACKOFF_MAX_MS ? SK_BACKOFF_MAX_MS : l->backoff_ms * 2;
}

bool sk_life_after(struct sk_life *l, bool ran_until_now, uint64_t now_ms)
{
	/* A VM that fell over is restarted like a program that did. */
	if (ran_until_now && l->failure[0] && l->restart != SK_RESTART_NO && !l->killed && !l->stop_wanted)
		l->failure[0] = '\0';
	if (!ran_until_now || !sk_life_will_restart(l))
		return false;
	back_off(l, now_ms);
	l->restarts++;
	l->restart_due = true;
	return true;
}

void sk_life_restart_now(struct sk_life *l)
{
	l->restart_due = false;
	l->handing_over = true;
}
