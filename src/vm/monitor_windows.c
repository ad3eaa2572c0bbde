/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a monitor on Windows does not have: sockets that lead into the guest, services of the host for it, containers that
 * an OCI runtime directs, a confinement. Each refuses by name what asks for it; vm.json of a container that was made on
 * Windows does not.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "vm/forward.h"
#include "vm/monitor.h"
#include "vm/parent.h"

void sk_monitor_confine(struct sk_monitor *m)
{
	(void)m;
}

/* ---- forward.h */

int sk_forwards_new(struct sk_monitor *m, struct sk_forwards **ret, struct sk_error *err)
{
	*ret = NULL;
	if (!json_array_size(json_object_get(m->config.json, "sockets")))
		return 0;
	return sk_error_set(err, EOPNOTSUPP, "vm.json: \"sockets\" are not there on Windows");
}

ssize_t sk_forwards_claim(struct sk_forwards *f, const struct sk_token *token, struct sk_stream *stream,
			  const uint8_t *data, size_t n)
{
	(void)f;
	(void)token;
	(void)stream;
	(void)data;
	(void)n;
	return -1;
}

int sk_forwards_hold(struct sk_forwards *f, uint64_t idle_ms)
{
	(void)f;
	(void)idle_ms;
	return -EOPNOTSUPP;
}

void sk_forwards_release(struct sk_forwards *f)
{
	(void)f;
}

bool sk_forwards_held(const struct sk_forwards *f)
{
	(void)f;
	return false;
}

int sk_forwards_watch(struct sk_forwards *f, void (*knock)(void *arg), void *arg)
{
	(void)f;
	(void)knock;
	(void)arg;
	return -EOPNOTSUPP;
}

unsigned sk_forwards_sockets(const struct sk_forwards *f, int ret_fds[SK_FORWARDS_MAX])
{
	(void)f;
	(void)ret_fds;
	return 0;
}

void sk_forwards_abandon(struct sk_forwards *f)
{
	(void)f;
}

void sk_forwards_free(struct sk_forwards *f)
{
	(void)f;
}

/* ---- services.h */

int sk_services_new(struct sk_loop *loop, bool publish, const char *ssh_auth, struct sk_services **ret,
		    struct sk_error *err)
{
	(void)loop;
	(void)publish;
	(void)ssh_auth;
	*ret = NULL;
	return sk_error_set(err, EOPNOTSUPP, "vm.json: \"services\" are not there on Windows");
}

int sk_services_set_later(struct sk_services *s, const struct sk_later_share *shares, unsigned n, struct sk_error *err)
{
	(void)s;
	(void)shares;
	(void)n;
	(void)err;
	return 0;
}

void sk_services_set_idle(struct sk_services *s, sk_services_idle_cb allow, void *arg)
{
	(void)s;
	(void)allow;
	(void)arg;
}

int sk_services_serve(struct sk_services *s, struct sk_sandbox *sandbox, struct sk_error *err)
{
	(void)s;
	(void)sandbox;
	(void)err;
	return 0;
}

void sk_services_free(struct sk_services *s)
{
	(void)s;
}

json_t *sk_services_add_mount(const struct sk_services *s, json_t *take_mounts)
{
	(void)s;
	return take_mounts;
}

/* ---- managed.c */

int sk_managed_begin(struct sk_monitor *m, struct sk_error *err)
{
	(void)m;
	return sk_error_set(err, EOPNOTSUPP, "vm.json: \"managed\" containers are not there on Windows");
}

void sk_managed_down(struct sk_monitor *m)
{
	(void)m;
}

void sk_managed_ended(struct sk_monitor *m)
{
	(void)m;
}

bool sk_managed_output_is_out(const struct sk_monitor *m)
{
	(void)m;
	return true;
}

void sk_managed_fini(struct sk_monitor *m)
{
	(void)m;
}

/* ---- parent.h */

void sk_parent_fork(const char *rootfs, const json_t *mounts, const json_t *guest_mounts)
{
	(void)rootfs;
	(void)mounts;
	(void)guest_mounts;
	fputs("skerry-monitor: --stand-in is not there on Windows\n", stderr);
	exit(125);
}

pid_t sk_parent_pid(void)
{
	return 0;
}
