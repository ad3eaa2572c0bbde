/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_AGENT_AGENT_H
#define SK_AGENT_AGENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/loop.h"
#include "uplink.h"
#include "job.h"
#include "proto/message.h"
#include "session.h"

/* Exit codes of reaped processes that belong to no known container process yet: one may exit before crun has reported
 * its pid. */
#define SK_AGENT_ORPHANS 64

struct sk_agent_container;
struct sk_waiting;

struct sk_agent {
	struct sk_loop *loop;
	struct sk_agent_session *session;
	struct sk_uplink uplink;
	struct sk_jobs jobs;
	struct sk_agent_container *containers;
	struct sk_waiting *waiting; /* waiting.h */
	struct sk_source *retry;    /* deferred: handles them again */
	bool retry_due;
	const char *run_dir;	 /* "/run/skerry" */
	const char *crun;	 /* path of the container runtime */
	const char *self;	 /* path of this program */
	bool test;		 /* an ordinary process on a host: never touches clock, network, power */
	bool cgroups;		 /* /sys/fs/cgroup is version 2 and ours */
	uint64_t memory_ceiling; /* of each container; 0: none */
	int inotify;		 /* memory.events of the containers */
	int signal_fd;
	struct {
		pid_t pid;
		int code;
	} orphans[SK_AGENT_ORPHANS];
	unsigned next_orphan;
};

/* ops.c. Prepares the dispatcher; -ENOMEM. */
int sk_ops_init(struct sk_agent *agent);
/* What a session calls. Owns the request. */
void sk_ops_handle(void *arg, struct sk_msg *take_req);

/* shutdown.c */
void sk_agent_power_off(struct sk_agent *agent, bool clean);

#endif
