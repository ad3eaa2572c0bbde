/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who directs a container: what differs between them, in one table. What is legal in each phase of its life, and what
 * comes of it, is the life's policy (life.c); a member of a pod has that only (pod.c).
 */
#include "vm/monitor.h"

static const struct sk_policy standalone = { .life = &sk_life_standalone };

static const struct sk_policy managed = {
	.life = &sk_life_managed,
	.begin = sk_managed_begin,
	.down = sk_managed_down,
	.ended = sk_managed_ended,
	.output_is_out = sk_managed_output_is_out,
	.fini = sk_managed_fini,
};

const struct sk_policy *sk_policy_of(const struct sk_vm_config *config)
{
	return config->managed ? &managed : &standalone;
}

int sk_policy_begin(struct sk_monitor *m, struct sk_error *err)
{
	return m->policy->begin ? m->policy->begin(m, err) : 0;
}

void sk_policy_down(struct sk_monitor *m)
{
	if (m->policy->down)
		m->policy->down(m);
}

void sk_policy_ended(struct sk_monitor *m)
{
	if (m->policy->ended)
		m->policy->ended(m);
}

bool sk_policy_output_is_out(const struct sk_monitor *m)
{
	return !m->policy->output_is_out || m->policy->output_is_out(m);
}

void sk_policy_fini(struct sk_monitor *m)
{
	if (m->policy->fini)
		m->policy->fini(m);
}
