/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest of User-mode Linux gives a program page by page follows each other in memory (kernel patches 0086 and 0112),
 * and the variables of a program take few faults. With the path of a file of the image: its pages follow each other when it
 * was read from the middle, and after a compaction (0111); wants /proc/sys/vm to be writable. Wants to be root, for the frame
 * numbers. Prints "right", or what is not.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define PAGE 4096
#define FILE_PAGES 256
#define SPARE (64L << 20)
#define FRAME(entry) ((entry) & ((1ULL << 55) - 1))

static char variables[8 * PAGE] __attribute__((aligned(PAGE)));
static char filled[8 * PAGE] __attribute__((aligned(PAGE))) = { 1 };

static long faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

/* How many of n pages have the frame that is `step` behind that of the page before */
static int with_step(int fd, const char *at, int n, int step)
{
	uint64_t entries[FILE_PAGES];
	int i, follow = 0;

	if (pread(fd, entries, 8 * (size_t)n, (off_t)((uintptr_t)at / PAGE * 8)) != 8 * n)
		return -1;
	for (i = 1; i < n; i++)
		follow += FRAME(entries[i]) == FRAME(entries[i - 1]) + (uint64_t)step;
	return follow;
}

static int in_order(int fd, const char *at, int n)
{
	return with_step(fd, at, n, 1);
}

static long faults_of(char *at, int n)
{
	long before = faults();
	int i;

	for (i = 0; i < n; i++)
		((volatile char *)at)[i * PAGE] = 1;
	return faults() - before;
}

static void write_one(const char *path)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, "1", 1) != 1)
		printf("cannot write to %s\n", path);
	close(fd);
}

/* The first 256 pages of a file, of each 16 pages the last first, as if each was wanted alone. */
static const char *map_file(const char *path)
{
	int fd = open(path, O_RDONLY), i;
	const char *p = mmap(NULL, FILE_PAGES * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	char byte;

	if (p == MAP_FAILED || posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM) != 0)
		return NULL;
	for (i = 0; i < FILE_PAGES; i++)
		if (pread(fd, &byte, 1, (i ^ 15) * PAGE) != 1)
			return NULL;
	for (i = 0; i < FILE_PAGES; i++)
		(void)((const volatile char *)p)[i * PAGE];
	close(fd);
	return p;
}

static int of_file(int fd, const char *path)
{
	const char *p;
	char *hog;
	size_t size;
	int n;

	write_one("/proc/sys/vm/drop_caches");
	p = map_file(path);
	n = p ? in_order(fd, p, FILE_PAGES) : -1;
	if (n < FILE_PAGES * 3 / 4)
		return printf("%d of %d pages of %s follow the one before\n", n, FILE_PAGES, path), 1;

	/* Compaction moves what is low in memory up to where there is room. */
	munmap((void *)p, FILE_PAGES * PAGE);
	write_one("/proc/sys/vm/drop_caches");
	size = (size_t)sysconf(_SC_AVPHYS_PAGES) * PAGE - SPARE;
	hog = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	p = map_file(path);
	munmap(hog, size);
	write_one("/proc/sys/vm/compact_memory");
	n = p ? with_step(fd, p, FILE_PAGES, -1) : FILE_PAGES;
	if (n > FILE_PAGES / 8)
		return printf("%d of %d pages of %s lie backwards after a compaction\n", n, FILE_PAGES, path), 1;
	puts("right");
	return 0;
}

int main(int argc, char **argv)
{
	int fd = open("/proc/self/pagemap", O_RDONLY), n, i;
	char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long taken;

	if (fd < 0 || p == MAP_FAILED)
		return 1;
	if (argc > 1)
		return of_file(fd, argv[1]);
	faults_of(p, 64);
	n = in_order(fd, p, 64);
	if (n < 48)
		return printf("%d of 64 new pages follow the one before\n", n), 1;
	/* A heap: of every four pages the third first */
	for (i = 64; i < 128; i += 4)
		faults_of(p + (i + 2) * PAGE, 1);
	n = in_order(fd, p + 68 * PAGE, 60);
	if (n < 48)
		return printf("%d of 60 pages of a heap follow the one before\n", n), 1;
	taken = faults_of(variables, 8) + faults_of(filled, 8);
	if (taken > 8)
		return printf("%ld faults for 16 pages of variables\n", taken), 1;
	puts("right");
	return 0;
}
