/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A one-CPU User-mode Linux guest is five times faster in system calls when its process and its stubs share one host
 * CPU (a switch between them then stays local), so each VM is pinned, and VMs spread over the CPUs: file
 * "<cpu>.<level>" in the lock directory is a place; taking the lowest free level first keeps the numbers even. A
 * place is an flock, so it is free again however its holder ends.
 *
 * What works for the guest is better elsewhere: with the file server on the guest's CPU reading takes a third longer,
 * and so does syncing.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/private.h"
#include "engine/engine_internal.h"

#define SK_CPU_LEVELS 64

static int claim_place(int dirfd, int cpu, int level, int *ret_fd)
{
	_cleanup_fd_ int fd = -1;
	char name[32];
	int r;

	snprintf(name, sizeof(name), "%d.%d", cpu, level);
	fd = openat(dirfd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	r = sk_fs_lock(fd, true, false);
	if (r < 0)
		return r;
	*ret_fd = SK_TAKE_FD(fd);
	return 0;
}

int sk_cpu_claim(const char *lock_dir, int *ret_claim_fd)
{
	_cleanup_fd_ int dirfd = -1;
	int cpus[CPU_SETSIZE], n = 0, i, level, r;
	unsigned first;
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return -errno;
	for (i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &set))
			cpus[n++] = i;
	dirfd = sk_private_dir(lock_dir, 0700, NULL, NULL);
	if (dirfd < 0)
		return dirfd;
	sk_random(&first, sizeof(first)); /* not every first VM on CPU 0 */
	for (level = 0; level < SK_CPU_LEVELS; level++) {
		for (i = 0; i < n; i++) {
			int cpu = cpus[(first + (unsigned)i) % (unsigned)n];

			r = claim_place(dirfd, cpu, level, ret_claim_fd);
			if (r == 0)
				return cpu;
			if (r != -EWOULDBLOCK)
				return r;
		}
	}
	return -EAGAIN;
}

void sk_engine_keep_off(const struct sk_engine_process *engine, pid_t pid)
{
	cpu_set_t own, guest;
	int i;

	if (sched_getaffinity(pid, sizeof(own), &own) < 0 ||
	    sched_getaffinity(engine->pid, sizeof(guest), &guest) < 0 || CPU_COUNT(&guest) != 1)
		return;
	for (i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &guest))
			CPU_CLR(i, &own);
	if (CPU_COUNT(&own))
		(void)sched_setaffinity(pid, sizeof(own), &own);
}
