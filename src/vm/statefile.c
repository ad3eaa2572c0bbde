/* SPDX-License-Identifier: Apache-2.0 */
/* What other programs read about a container: state.json, the event log, and problems with its disk or layers. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "vm/monitor.h"

void sk_monitor_save(struct sk_monitor *m)
{
	struct sk_error err = SK_ERROR_INIT;

	if (sk_vm_state_save(m->dirfd, m->state, &err) < 0)
		sk_log(SK_LOG_ERROR, "%s", err.message);
}

void sk_monitor_set_status(struct sk_monitor *m, const char *status)
{
	json_object_set_new(m->state, "status", json_string(status));
	sk_monitor_save(m);
}

const char *sk_monitor_trouble(const struct sk_monitor *m, char *buf, size_t size)
{
	buf[0] = '\0';
	if (m->disk_full)
		snprintf(buf, size, "no space left on the file system of %s", m->paths.root);
	else if (m->disk_failed)
		snprintf(buf, size, "the file system of %s: %s: writes of the container are lost", m->paths.root,
			 strerror(m->disk_failed));
	else if (m->layers_damaged)
		snprintf(buf, size,
			 "a layer of the image is damaged: \"skerry system check --repair\" removes it, then pull or "
			 "load "
			 "the image again");
	return buf;
}

/* What State.Error says: what ended the container, or else what is wrong with its disk. */
json_t *sk_monitor_state_error(const struct sk_monitor *m)
{
	char buf[4096 + 128];

	return json_string(m->life.failure[0] ? m->life.failure : sk_monitor_trouble(m, buf, sizeof(buf)));
}

void sk_monitor_layers_damaged(struct sk_monitor *m)
{
	if (m->layers_damaged)
		return;
	m->layers_damaged = true;
	sk_log(SK_LOG_ERROR, "the guest cannot read a layer: see log/console.log");
	json_object_set_new(m->state, "error", sk_monitor_state_error(m));
	sk_monitor_save(m);
}

void sk_monitor_disk_trouble(struct sk_monitor *m, bool full, int failed)
{
	if (failed && !m->disk_failed)
		sk_log(SK_LOG_ERROR, "cannot write to the file system of %s: %s: the guest is told", m->paths.root,
		       strerror(failed));
	if (full && !m->disk_full)
		sk_log(SK_LOG_WARN, "no space left on the file system of %s: the guest waits", m->paths.root);
	else if (!full && m->disk_full)
		sk_log(SK_LOG_WARN, "there is space again: the guest goes on");
	m->disk_full = full;
	m->disk_failed = failed;
	json_object_set_new(m->state, "error", sk_monitor_state_error(m));
	sk_monitor_save(m);
}

void sk_monitor_event(struct sk_monitor *m, const char *action)
{
	json_t *attributes =
		m->config.attributes ? json_copy((json_t *)(uintptr_t)m->config.attributes) : json_object();

	if (strcmp(action, "die") == 0) {
		char code[16];

		snprintf(code, sizeof(code), "%d", m->life.exit_code);
		json_object_set_new(attributes, "exitCode", json_string(code));
	}
	sk_event_append(&m->paths, "container", action, m->id, attributes);
	json_decref(attributes);
}

void sk_monitor_set_time(struct sk_monitor *m, const char *key)
{
	char buf[36];

	json_object_set_new(m->state, key, json_string(sk_time_now(buf)));
}
