/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/process.h"

unsigned sk_host_load(void)
{
	static long processors; /* asked for once: a confined process cannot read it */
	struct sysinfo info;
	unsigned long load;

	if (processors <= 0)
		processors = sysconf(_SC_NPROCESSORS_ONLN);
	if (processors <= 0 || sysinfo(&info) < 0)
		return 1;
	/* The average of the last minute, in 1/65536, rounded up. */
	load = (info.loads[0] / (unsigned long)processors + 0xffff) >> SI_LOAD_SHIFT;
	return load < 1 ? 1 : load > SK_HOST_LOAD_MAX ? SK_HOST_LOAD_MAX : (unsigned)load;
}
