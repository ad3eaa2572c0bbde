/* SPDX-License-Identifier: Apache-2.0 */
#include "base/oom.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROOM (24ull << 20)
#define SETTLE_US 20000

/* Bounded by itself too: where the limit does not hold it ends after this much. */
static void use_memory(void)
{
	size_t size = 4 * ROOM;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p != MAP_FAILED)
		memset(p, 1, size);
}

void sk_oom_in_group(int limit_fd, int usage_fd)
{
	char text[32];
	ssize_t n = pread(usage_fd, text, sizeof(text) - 1, 0);
	pid_t pid;

	if (n <= 0)
		return;
	text[n] = '\0';
	snprintf(text, sizeof(text), "%llu", (strtoull(text, NULL, 10) + ROOM) & ~4095ull);
	if (pwrite(limit_fd, text, strlen(text), 0) < 0)
		return;
	pid = fork();
	if (pid == 0) {
		use_memory();
		_exit(0);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
	usleep(SETTLE_US);
}
