/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest of User-mode Linux gives a program page by page follows each other in memory (kernel patch 0086), and the
 * variables of a program take few faults. Wants to be root, for the frame numbers. Prints "right", or what is not.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define PAGE 4096
#define FRAME(entry) ((entry) & ((1ULL << 55) - 1))

static char variables[8 * PAGE] __attribute__((aligned(PAGE)));
static char filled[8 * PAGE] __attribute__((aligned(PAGE))) = { 1 };

static long faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

/* How many of n pages have the frame behind that of the page before */
static int in_order(int fd, const char *at, int n)
{
	uint64_t entries[64];
	int i, follow = 0;

	if (pread(fd, entries, 8 * (size_t)n, (off_t)((uintptr_t)at / PAGE * 8)) != 8 * n)
		return -1;
	for (i = 1; i < n; i++)
		follow += FRAME(entries[i]) == FRAME(entries[i - 1]) + 1;
	return follow;
}

static long faults_of(char *at, int n)
{
	long before = faults();
	int i;

	for (i = 0; i < n; i++)
		((volatile char *)at)[i * PAGE] = 1;
	return faults() - before;
}

int main(void)
{
	int fd = open("/proc/self/pagemap", O_RDONLY), n;
	char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long taken;

	if (fd < 0 || p == MAP_FAILED)
		return 1;
	faults_of(p, 64);
	n = in_order(fd, p, 64);
	if (n < 48)
		return printf("%d of 64 new pages follow the one before\n", n), 1;
	taken = faults_of(variables, 8) + faults_of(filled, 8);
	if (taken > 8)
		return printf("%ld faults for 16 pages of variables\n", taken), 1;
	puts("right");
	return 0;
}
