/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_AGENT_MEMORY_H
#define SK_AGENT_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "agent.h"

/* Bytes that the guest's containers may use at most, so that the kernel and the agent have room always; 0: unknown. */
uint64_t sk_memory_ceiling(void);
/* The number of kB in a line of /proc/meminfo, in bytes; 0 when there is no such line. */
uint64_t sk_memory_info(const char *text, const char *key);

/* Watches for an idle guest and shrinks its page cache then; see memory.c. `seconds`: how long it has to be idle, 0:
 * never. */
void sk_memory_watch(struct sk_agent *agent, unsigned seconds);

/* The rule alone. Called at each tick with the processor time used since boot and the size of the clean cache. */
struct sk_memory_rule {
	unsigned ticks;	  /* idle ones before anything is forgotten */
	uint64_t tick_us; /* length of one */
	uint64_t last_cpu_us;
	unsigned idle; /* ticks so far */
};
/* Returns how many bytes to forget now. */
uint64_t sk_memory_tick(struct sk_memory_rule *rule, uint64_t cpu_us, uint64_t cache);

#endif
