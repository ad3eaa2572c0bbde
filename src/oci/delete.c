/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delete: removes everything that is left of a container, including one whose `create` was killed or still runs.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/loop.h"
#include "oci/oci.h"
#include "vm/vm.h"

#define SK_CREATE_WAIT_MS 2000
#define SK_KILL_WAIT_MS 6000 /* longer than a guest may take to obey SIGKILL */

/* Its monitor writes its last state just before it lets go of the lock; a killed one may take a moment to be gone. */
int sk_oci_remove_files(struct sk_oci *o, const struct sk_oci_container *c, struct sk_error *err)
{
	int r = -EBUSY, tries;

	for (tries = 0; r == -EBUSY && tries < 400; tries++) {
		if (tries)
			usleep(5000);
		r = sk_vm_remove(&o->paths, c->vm_id, err);
	}
	return r;
}

/* Ends the VM, by force if necessary, and waits until it is gone. */
void sk_oci_kill_container(struct sk_oci *o, struct sk_oci_container *c)
{
	const struct sk_msg request = { .op = SK_REQUEST_KILL, .signal = { .number = SIGKILL, .all = true } };
	struct sk_error err = SK_ERROR_INIT;
	int waited = 0;

	if (sk_oci_call_to_end(o, c, &request, NULL) != -ETIMEDOUT)
		for (; waited < SK_KILL_WAIT_MS && strcmp(sk_oci_status(o, c, NULL), "stopped") != 0; waited += 5)
			usleep(5000);
	if (strcmp(sk_oci_status(o, c, NULL), "stopped") != 0 && sk_vm_end(&o->paths, c->vm_id, &err) < 0)
		sk_oci_log(o, "warning", "%s", err.message);
}

/* Ends the VM of a `create` that is at work, which then fails and takes everything back; one that does not is ended. */
static int end_creation(struct sk_oci *o, struct sk_oci_container *c, struct sk_error *err)
{
	uint64_t patient = sk_now_ms() + SK_CREATE_WAIT_MS, deadline = patient + SK_KILL_WAIT_MS;
	int r = 0;

	while (!sk_oci_container_lock(c)) {
		if (sk_now_ms() > deadline)
			return sk_error_set(err, EBUSY, "container %s is being created, and that cannot be ended",
					    c->id);
		r = sk_now_ms() < patient ? sk_vm_end(&o->paths, c->vm_id, err) : sk_vm_end_holders(c->dir, err);
		if (r < 0)
			return r;
		usleep(5000);
	}
	return 0;
}

int sk_oci_delete_container(struct sk_oci *o, struct sk_oci_container *c, struct sk_error *err)
{
	json_t *state = sk_oci_state_json(c, "stopped", 0);
	struct sk_error hook = SK_ERROR_INIT;
	int r;

	sk_oci_cgroups_remove(o, json_object_get(c->record, "cgroups"),
			      json_string_value(json_object_get(c->record, "unit")));
	r = sk_oci_remove_files(o, c, err);
	if (r == 0 && sk_oci_hooks_run(json_object_get(c->record, "hooks"), "poststop", state, &hook) < 0)
		sk_oci_log(o, "warning", "%s", hook.message);
	if (r == 0 && json_object_get(c->record, "sandbox") && sk_oci_pod_weigh(o, sk_oci_vm_of(c), &hook) < 0)
		sk_oci_log(o, "warning", "%s", hook.message);
	json_decref(state);
	return r;
}

void sk_oci_take_back(struct sk_oci *o, struct sk_oci_container *c)
{
	struct sk_error err = SK_ERROR_INIT;

	sk_oci_kill_container(o, c);
	if (sk_oci_delete_container(o, c, &err) < 0)
		sk_oci_log(o, "warning", "%s", err.message);
}

static int delete_opened(struct sk_oci *o, struct sk_oci_container *c, bool force, struct sk_error *err)
{
	const char *status = sk_oci_status(o, c, NULL);
	int r = 0;

	if (!force && strcmp(status, "stopped") != 0 && strcmp(status, "created") != 0)
		return sk_error_set(err, EBUSY, "cannot delete container %s that is not stopped: %s", c->id, status);
	if (strcmp(status, "creating") == 0)
		r = end_creation(o, c, err);
	if (r < 0)
		return r;
	if (access(c->dir, F_OK) < 0) /* taken back by its `create`, or deleted by another */
		return 0;
	if (strcmp(sk_oci_status(o, c, NULL), "stopped") != 0)
		sk_oci_kill_container(o, c);
	return sk_oci_delete_container(o, c, err);
}

int sk_oci_delete(struct sk_oci *o, int argc, char **argv, struct sk_error *err)
{
	static const struct sk_opt options[] = { { .name = "force", .letter = 'f', .type = SK_OPT_BOOL },
						 { .name = NULL } };
	struct sk_oci_container c;
	bool force = false;
	int r = sk_oci_options_id(options, &force, argc, argv, err);

	if (r < 0)
		return r;
	r = sk_oci_container_open(o, argv[1], &c, err);
	/* Without its record neither its control groups nor its hooks are known; the rest goes. */
	if (r < 0 && force) {
		struct sk_error damaged = SK_ERROR_INIT;

		r = sk_oci_container_open_damaged(o, argv[1], &c, &damaged);
		if (r == -ENOENT)
			return 0;
		if (r == 0)
			sk_oci_log(o, "warning", "%s: what can be found of it is removed",
				   err->code == ENOENT ? "the container's record is missing" : err->message);
		*err = (struct sk_error)SK_ERROR_INIT;
		if (r < 0)
			*err = damaged;
	}
	if (r < 0)
		return r;
	r = delete_opened(o, &c, force, err);
	sk_oci_container_close(&c);
	return r;
}
