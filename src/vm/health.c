/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Health checks: a program in the container, run again and again, whose exit code says how it is (docker's HEALTHCHECK).
 *
 * vm.json's "healthcheck": {"args", "interval_ms", "timeout_ms", "start_period_ms", "retries"}. A probe begins so long
 * after the start, or after the end of the one before; it has so long, then it is killed and counts as failed. What it
 * writes is kept up to HEALTH_OUTPUT bytes. state.json's "health" is docker's State.Health: Status "starting", then
 * "healthy" after a success and "unhealthy" after so many failures in a row (within the start period failures do not
 * count until the first success), FailingStreak, and Log, the last HEALTH_LOG probes.
 *
 * Each change of the status is an event, but at most one in HEALTH_EVENT_MS: all containers share the log of events, and an
 * image may want a probe each millisecond. What is not told then, is with a later probe.
 *
 * While the container is paused there are no probes. The guest is not trusted: a probe that it does not answer is given
 * up by the same deadline, and a new one begins under another key.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/utf8.h"
#include "vm/monitor.h"

#define HEALTH_OUTPUT 4096u
#define HEALTH_LOG 5u
#define HEALTH_EVENT_MS 1000u

struct sk_health {
	struct sk_monitor *m;
	json_t *process; /* of the exec request */
	uint64_t interval_ms, timeout_ms, start_period_ms, started_ms;
	json_int_t retries, streak;
	const char *status, *told; /* told: in the last event */
	uint64_t told_ms;	   /* when that was */
	struct sk_source *timer;   /* until the next probe, or the end of this one's time */
	struct sk_proc *probe;	   /* NULL: none runs */
	char begun[36];		   /* when it did */
	char output[HEALTH_OUTPUT];
	size_t len;
	bool cut;
};

/* Which probe an answer to exec is for: it may have been given up meanwhile. */
struct health_ask {
	struct sk_monitor *m;
	char key[24];
};

static void begin_probe(void *arg);

static void set_timer(struct sk_health *h, uint64_t after_ms, sk_loop_cb cb)
{
	sk_loop_remove(h->timer);
	h->timer = sk_loop_add_timer(h->m->loop, after_ms, cb, h);
}

static void save(struct sk_health *h, const json_t *entry)
{
	json_t *old = json_object_get(h->m->state, "health"), *log = json_array();
	size_t n = json_array_size(json_object_get(old, "Log")), i;

	for (i = entry && n >= HEALTH_LOG ? n - HEALTH_LOG + 1 : 0; i < n; i++)
		json_array_append(log, json_array_get(json_object_get(old, "Log"), i));
	if (entry)
		json_array_append(log, (json_t *)(uintptr_t)entry);
	json_object_set_new(h->m->state, "health",
			    json_pack("{s:s, s:I, s:o}", "Status", h->status, "FailingStreak", h->streak, "Log", log));
}

static void tell_status(struct sk_health *h)
{
	uint64_t now = sk_now_ms();
	char event[40];

	if (strcmp(h->told, h->status) == 0 || (h->told_ms && now - h->told_ms < HEALTH_EVENT_MS))
		return;
	h->told = h->status;
	h->told_ms = now;
	snprintf(event, sizeof(event), "health_status: %s", h->status);
	sk_monitor_event(h->m, event);
}

static void judge(struct sk_health *h, int code)
{
	bool starting = strcmp(h->status, "starting") == 0;

	if (code == 0) {
		h->streak = 0;
		h->status = "healthy";
	} else if (!starting || sk_now_ms() - h->started_ms >= h->start_period_ms) {
		h->streak++;
		if (h->streak >= h->retries)
			h->status = "unhealthy";
	}
	tell_status(h);
}

/* What the probe has written: a program's bytes become UTF-8, as JSON wants it. `buf`: three bytes for each, and four. */
static const char *output_text(const struct sk_health *h, char *buf)
{
	const uint8_t *p = (const uint8_t *)h->output;
	size_t i = 0, at = 0;

	while (i < h->len) {
		size_t n = p[i] ? sk_utf8_len(p + i, h->len - i) : 0;

		memcpy(buf + at, n ? (const char *)p + i : SK_UTF8_REPLACEMENT, n ? n : 3);
		at += n ? n : 3;
		i += n ? n : 1;
	}
	strcpy(buf + at, h->cut ? "..." : "");
	return buf;
}

/* The probe has ended, with a code, or -1 where it could not be run or was given up; `why` is in the place of its output
 * then. */
static void end_probe(struct sk_health *h, int code, const char *why)
{
	char now[36], text[3 * HEALTH_OUTPUT + 4];
	json_t *entry;

	h->probe = NULL;
	if (!why)
		why = output_text(h, text);
	judge(h, code);
	entry = json_pack("{s:s, s:s, s:i, s:s}", "Start", h->begun, "End", sk_time_now(now), "ExitCode", code,
			  "Output", why);
	save(h, entry);
	json_decref(entry);
	sk_monitor_save(h->m);
	set_timer(h, h->interval_ms, begin_probe);
}

/* A probe of ours goes on without us. */
static void forget(struct sk_proc *p)
{
	p->owner = NULL;
	p->finished_cb = NULL;
	p->output_cb = NULL;
}

static void on_finished(struct sk_proc *p)
{
	struct sk_health *h = p->owner;

	forget(p);
	if (h && h->probe == p)
		end_probe(h, p->code, NULL);
	sk_loop_trigger(p->m->reap);
}

static void on_output(struct sk_proc *p, const uint8_t *data, size_t n)
{
	struct sk_health *h = p->owner;
	size_t room = HEALTH_OUTPUT - h->len;

	h->cut |= n > room;
	memcpy(h->output + h->len, data, n < room ? n : room);
	h->len += n < room ? n : room;
}

static void on_late(void *arg)
{
	struct sk_health *h = arg;
	struct sk_proc *p = h->probe;
	/* With what it has started: that would be one process more each time. */
	const struct sk_msg end = { .op = SK_OP_SIGNAL,
				    .container = SK_CONTAINER,
				    .key = p->key,
				    .signal = { .number = SIGKILL, .group = true } };
	char why[80];

	forget(p);
	sk_proc_killed(p);
	sk_sandbox_request(h->m->sandbox, &end, NULL, NULL);
	snprintf(why, sizeof(why), "Health check exceeded timeout (%g%s)",
		 (double)h->timeout_ms / (h->timeout_ms < 1000 ? 1 : 1000), h->timeout_ms < 1000 ? "ms" : "s");
	end_probe(h, -1, why);
}

static void refused(struct sk_monitor *m, struct sk_proc *p, const char *why)
{
	struct sk_health *h = p->owner;

	forget(p);
	p->finished = p->exited = true;
	if (h && h->probe == p)
		end_probe(h, -1, why);
	sk_loop_trigger(m->reap);
}

static void on_exec(void *arg, const struct sk_reply *reply)
{
	struct health_ask *ask = arg;
	struct sk_monitor *m = ask->m;
	struct sk_proc *p = sk_proc_find(m, SK_CONTAINER, ask->key);

	free(ask);
	if (p && reply && reply->ok)
		p->started = true;
	else if (p && reply)
		refused(m, p, reply->message);
}

/* Those that a guest has not ended, too. */
static bool too_many(const struct sk_monitor *m)
{
	const struct sk_proc *p;
	unsigned n = 0;

	for (p = m->procs; p; p = p->next)
		n++;
	return n >= SK_MAX_PROCS / 2;
}

static void begin_probe(void *arg)
{
	struct sk_health *h = arg;
	struct sk_monitor *m = h->m;
	struct sk_msg msg = { .op = SK_OP_EXEC, .container = SK_CONTAINER };
	struct health_ask *ask;
	struct sk_proc *p;

	if (strcmp(json_string_value(json_object_get(m->state, "status")), "paused") == 0) {
		set_timer(h, h->interval_ms, begin_probe);
		return;
	}
	h->len = 0;
	h->cut = false;
	sk_time_now(h->begun);
	ask = too_many(m) ? NULL : calloc(1, sizeof(*ask));
	if (ask)
		snprintf(ask->key, sizeof(ask->key), "x%u", ++m->next_key);
	p = ask ? sk_proc_new(m, SK_CONTAINER, ask->key, false, false) : NULL;
	if (!p) {
		free(ask);
		end_probe(h, -1, "too many processes, or no memory, in the monitor");
		return;
	}
	ask->m = m;
	p->owner = h;
	p->output_cb = on_output;
	p->finished_cb = on_finished;
	h->probe = p;
	msg.key = p->key;
	msg.exec.process = h->process;
	msg.exec.stdio = sk_proc_stdio(p, 0, 0);
	msg.exec.groups = json_object_get(m->config.json, "groups");
	set_timer(h, h->timeout_ms, on_late);
	if (sk_sandbox_request(m->sandbox, &msg, on_exec, ask) < 0) {
		free(ask);
		refused(m, p, "the guest cannot be asked");
	}
}

static uint64_t ms(const json_t *o, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(o, key));

	return n > 0 ? (uint64_t)n : 0;
}

void sk_health_begin(struct sk_monitor *m)
{
	const json_t *o = json_object_get(m->config.json, "healthcheck"), *args = json_object_get(o, "args");
	struct sk_health *h;

	sk_health_end(m);
	json_object_del(m->state, "health");
	if (!json_array_size(args))
		return;
	h = calloc(1, sizeof(*h));
	if (!h) {
		sk_log(SK_LOG_ERROR, "no memory: the container's health is not checked");
		return;
	}
	*h = (struct sk_health){
		.m = m,
		.process = json_pack("{s:O}", "args", args),
		.interval_ms = ms(o, "interval_ms"),
		.timeout_ms = ms(o, "timeout_ms"),
		.start_period_ms = ms(o, "start_period_ms"),
		.started_ms = sk_now_ms(),
		.retries = (json_int_t)ms(o, "retries"),
		.status = "starting",
		.told = "starting",
	};
	m->health = h;
	save(h, NULL);
	set_timer(h, h->interval_ms, begin_probe);
}

void sk_health_end(struct sk_monitor *m)
{
	struct sk_health *h = m->health;

	if (!h)
		return;
	m->health = NULL;
	if (h->probe)
		forget(h->probe);
	h->status = "unhealthy"; /* as docker: nobody checks any more */
	save(h, NULL);
	sk_loop_remove(h->timer);
	json_decref(h->process);
	free(h);
}
