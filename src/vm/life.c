/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a container: transitions, exit codes and restarts, without I/O. See life.h. */
#include "vm/life.h"

#include <errno.h>
#include <stdio.h>

#define EXIT_VM_FAILED 125
#define EXIT_KILLED 137 /* 128 + SIGKILL */

/* ---- what is legal, by policy, verb and phase */

#define R SK_LIFE_REFUSED
#define E SK_LIFE_ENDED
#define U SK_LIFE_UNKNOWN
#define G SK_LIFE_GO
#define N SK_LIFE_NOTED
#define L SK_LIFE_LATER
#define D SK_LIFE_DONE
#define A SK_LIFE_ABORT

/* clang-format off */
static const uint8_t standalone_rules[SK_LIFE_VERBS][SK_PHASES] = {
	/*                   BOOTING READY CREATED RUNNING STOPPING DOWN */
	[SK_LIFE_ATTACH]  = {   G,     G,     U,      G,      E,     E },
	[SK_LIFE_CREATE]  = {   U,     U,     U,      U,      U,     U },
	[SK_LIFE_START]   = {   N,     N,     U,      D,      E,     E },
	[SK_LIFE_EXEC]    = {   R,     R,     U,      G,      R,     R },
	[SK_LIFE_SIGNAL]  = {   R,     G,     U,      G,      G,     R },
	[SK_LIFE_STOP]    = {   G,     G,     U,      G,      G,     G },
	[SK_LIFE_WAIT]    = {   N,     N,     U,      N,      N,     N },
	[SK_LIFE_COPY]    = {   L,     G,     U,      G,      G,     R },
	[SK_LIFE_JOIN]    = {   U,     U,     U,      U,      U,     U },
	[SK_LIFE_PROVIDE] = {   U,     U,     U,      U,      U,     U },
};

static const uint8_t managed_rules[SK_LIFE_VERBS][SK_PHASES] = {
	/*                   BOOTING READY CREATED RUNNING STOPPING DOWN */
	[SK_LIFE_ATTACH]  = {   G,     G,     G,      G,      E,     E },
	[SK_LIFE_CREATE]  = {   N,     N,     R,      R,      E,     E },
	[SK_LIFE_START]   = {   R,     R,     G,      R,      E,     E },
	[SK_LIFE_EXEC]    = {   R,     R,     G,      G,      R,     R },
	[SK_LIFE_SIGNAL]  = {   A,     A,     A,      G,      G,     R },
	[SK_LIFE_STOP]    = {   G,     G,     G,      G,      G,     G },
	[SK_LIFE_WAIT]    = {   N,     N,     N,      N,      N,     N },
	[SK_LIFE_COPY]    = {   L,     G,     G,      G,      G,     R },
	[SK_LIFE_JOIN]    = {   R,     R,     R,      G,      R,     R },
	[SK_LIFE_PROVIDE] = {   G,     G,     G,      G,      G,     G },
};

static const uint8_t member_rules[SK_LIFE_VERBS][SK_PHASES] = {
	/*                   BOOTING READY CREATED RUNNING STOPPING DOWN */
	[SK_LIFE_ATTACH]  = {   U,     U,     U,      U,      U,     U },
	[SK_LIFE_CREATE]  = {   U,     U,     U,      U,      U,     U },
	[SK_LIFE_START]   = {   R,     R,     G,      R,      E,     E },
	[SK_LIFE_EXEC]    = {   R,     R,     G,      G,      R,     R },
	[SK_LIFE_SIGNAL]  = {   G,     G,     G,      G,      G,     R },
	[SK_LIFE_STOP]    = {   U,     U,     U,      U,      U,     U },
	[SK_LIFE_WAIT]    = {   U,     U,     U,      U,      U,     U },
	[SK_LIFE_COPY]    = {   R,     R,     G,      G,      R,     R },
	[SK_LIFE_JOIN]    = {   U,     U,     U,      U,      U,     U },
	[SK_LIFE_PROVIDE] = {   U,     U,     U,      U,      U,     U },
};
/* clang-format on */

#undef R
#undef E
#undef U
#undef G
#undef N
#undef L
#undef D
#undef A

#define NOT_RUNNING ENOTCONN, "the container is not running"
#define HAS_ENDED ESRCH, "the container has ended"

struct words {
	int error;
	const char *message;
};

/* Refused in this phase, and when the container has ended. */
static const struct {
	struct words refused, ended;
} words[SK_LIFE_VERBS] = {
	[SK_LIFE_NO_VERB] = { { NOT_RUNNING }, { HAS_ENDED } },
	[SK_LIFE_ATTACH] = { { NOT_RUNNING }, { NOT_RUNNING } },
	[SK_LIFE_CREATE] = { { EINVAL, "the container has been created" }, { HAS_ENDED } },
	[SK_LIFE_START] = { { EINVAL, "the container is not in the state to be started" }, { HAS_ENDED } },
	[SK_LIFE_EXEC] = { { NOT_RUNNING }, { NOT_RUNNING } },
	[SK_LIFE_SIGNAL] = { { NOT_RUNNING }, { NOT_RUNNING } },
	[SK_LIFE_STOP] = { { NOT_RUNNING }, { HAS_ENDED } },
	[SK_LIFE_WAIT] = { { NOT_RUNNING }, { HAS_ENDED } },
	[SK_LIFE_COPY] = { { NOT_RUNNING }, { NOT_RUNNING } },
	[SK_LIFE_JOIN] = { { ENOTCONN, "the VM of the pod is not running" }, { HAS_ENDED } },
	[SK_LIFE_PROVIDE] = { { NOT_RUNNING }, { HAS_ENDED } },
};

const struct sk_life_policy sk_life_standalone = {
	.name = "standalone",
	.ends_unwanted = true,
	.restarts = true,
	.rules = standalone_rules,
};

const struct sk_life_policy sk_life_managed = {
	.name = "managed",
	.create_apart = true,
	.needs_creator = true,
	.killed_is_137 = true,
	.pods = true,
	.exits_as = true,
	.rules = managed_rules,
};

const struct sk_life_policy sk_life_member = {
	.name = "member",
	.create_apart = true,
	.killed_is_137 = true,
	.rules = member_rules,
};

static enum sk_life_verdict refuse(const struct sk_life *l, enum sk_life_verdict verdict, enum sk_life_verb verb,
				   struct sk_life_refusal *ret)
{
	const struct words *w = verdict == SK_LIFE_ENDED ? &words[verb].ended : &words[verb].refused;

	if (verdict == SK_LIFE_UNKNOWN)
		*ret = (struct sk_life_refusal){
			.error = ENOSYS, .message = "only the monitor of an OCI runtime's container knows this request"
		};
	else if (verdict == SK_LIFE_ENDED && l->failure[0])
		*ret = (struct sk_life_refusal){ l->failure_errno, l->failure_exit_code, l->failure };
	else
		*ret = (struct sk_life_refusal){ .error = w->error, .message = w->message };
	return verdict;
}

enum sk_life_verdict sk_life_judge(const struct sk_life *l, enum sk_life_verb verb, struct sk_life_refusal *ret)
{
	enum sk_life_verdict verdict = (enum sk_life_verdict)l->policy->rules[verb][l->phase];
	bool beginning = verb == SK_LIFE_START || verb == SK_LIFE_CREATE;

	*ret = (struct sk_life_refusal){ 0 };
	if (verdict == SK_LIFE_UNKNOWN)
		return refuse(l, verdict, verb, ret);
	if (beginning && l->failure[0])
		verdict = SK_LIFE_ENDED;
	else if (verb == SK_LIFE_CREATE && verdict == SK_LIFE_NOTED && l->start_wanted)
		verdict = SK_LIFE_REFUSED;
	else if (verb == SK_LIFE_START && l->phase == SK_PHASE_DOWN && !l->suspended &&
		 (l->restart_due || l->handing_over))
		verdict = SK_LIFE_DONE; /* its next life comes */
	return verdict <= SK_LIFE_UNKNOWN ? refuse(l, verdict, verb, ret) : verdict;
}

enum sk_life_reply sk_life_reply(const struct sk_life *l, enum sk_life_verb verb, struct sk_life_refusal *ret)
{
	bool ended = l->phase == SK_PHASE_DOWN && l->announced;

	*ret = (struct sk_life_refusal){ 0 };
	switch (verb) {
	case SK_LIFE_CREATE:
	case SK_LIFE_START:
		if (l->phase == SK_PHASE_RUNNING || (verb == SK_LIFE_CREATE && l->phase == SK_PHASE_CREATED))
			return SK_LIFE_REPLY_OK;
		if (!ended)
			return SK_LIFE_NO_REPLY;
		refuse(l, SK_LIFE_ENDED, verb, ret);
		return SK_LIFE_REPLY_REFUSAL;
	case SK_LIFE_COPY: /* one that is to be judged later */
		if (!ended)
			return SK_LIFE_NO_REPLY;
		refuse(l, l->failure[0] ? SK_LIFE_ENDED : SK_LIFE_REFUSED, verb, ret);
		return SK_LIFE_REPLY_REFUSAL;
	case SK_LIFE_STOP:
	case SK_LIFE_WAIT:
		return ended ? SK_LIFE_REPLY_CODE : SK_LIFE_NO_REPLY;
	default:
		return SK_LIFE_NO_REPLY;
	}
}

/* ---- events */

void sk_life_boot(struct sk_life *l)
{
	l->phase = SK_PHASE_BOOTING;
	l->oom = l->mounted = l->starting = l->announced = l->suspending = l->suspended = false;
	l->exit_code = 0;
}

void sk_life_ready(struct sk_life *l)
{
	if (l->phase == SK_PHASE_BOOTING)
		l->phase = SK_PHASE_READY;
}

bool sk_life_created(struct sk_life *l)
{
	if (!l->policy->create_apart || l->phase != SK_PHASE_READY)
		return false;
	l->phase = SK_PHASE_CREATED;
	return true;
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
	if (l->phase != (l->policy->create_apart ? SK_PHASE_CREATED : SK_PHASE_READY))
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
	if (l->phase < SK_PHASE_RUNNING)
		sk_life_lost(l, "");
	return l->phase == SK_PHASE_RUNNING;
}

bool sk_life_suspend(struct sk_life *l)
{
	if (l->phase != SK_PHASE_RUNNING || l->stop_wanted || l->killed || l->suspending)
		return false;
	l->suspending = true;
	return true;
}

void sk_life_announce(struct sk_life *l)
{
	l->announced = true;
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
	bool may_end = l->phase == SK_PHASE_RUNNING || l->phase == SK_PHASE_CREATED;

	if (l->process_done && may_end)
		return SK_LIFE_STOP_GUEST;
	if (l->lost && l->phase != SK_PHASE_DOWN)
		return SK_LIFE_TAKE_DOWN;
	if (l->phase == SK_PHASE_DOWN && (l->restart_due || l->handing_over) && (l->stop_wanted || l->killed))
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

/* Anything but an end in order is no suspension: who knocks shall not wait for a machine that fails. */
static bool will_suspend(const struct sk_life *l)
{
	return l->suspending && !l->exit_code && !l->failure[0] && !l->killed && !l->stop_wanted;
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
	if (ran_until_now && will_suspend(l)) {
		l->suspended = l->restart_due = true;
		return true;
	}
	if (!ran_until_now || !sk_life_will_restart(l))
		return false;
	back_off(l, now_ms);
	l->restarts++;
	l->restart_due = true;
	return true;
}

void sk_life_cancel_restart(struct sk_life *l)
{
	l->restart_due = l->handing_over = l->suspended = false;
}

void sk_life_restart_now(struct sk_life *l)
{
	l->restart_due = false;
	l->handing_over = true;
}
