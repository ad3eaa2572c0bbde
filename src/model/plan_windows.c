/* SPDX-License-Identifier: Apache-2.0 */
/* What containers on Windows cannot have yet: a network. */
#include "model/plan.h"

#include <errno.h>

static int check(const struct sk_plan *p, struct sk_error *err)
{
	const struct sk_run_opts *o = p->opts;

	if (p->network->backend)
		return sk_error_set(err, EOPNOTSUPP,
				    "--network %s: containers on Windows have no network yet: leave it out, or give "
				    "--network none",
				    p->network->name);
	if (o->publish.n || o->publish_all)
		return sk_error_set(err, EOPNOTSUPP,
				    "containers on Windows have no network yet: leave --publish and --publish-all out");
	return 0;
}

const struct sk_plan_system sk_plan_system = { .network = "none", .disk = true, .check = check };
