/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that a program writes to in order is mapped ahead of it under User-mode Linux: it must not see that. Says
 * "right", or what is wrong. Static, so that it runs in any image.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE ((size_t)4096)
#define PAGES ((size_t)4096)

static void check(int right, const char *what)
{
	if (right)
		return;
	printf("%s\n", what);
	exit(1);
}

static char *new_memory(size_t pages)
{
	char *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(p != MAP_FAILED, "no memory");
	return p;
}

static size_t resident(const char *p, size_t pages)
{
	static unsigned char in[PAGES];
	size_t i, n = 0;

	check(mincore((void *)(uintptr_t)p, pages * PAGE, in) == 0, "mincore");
	for (i = 0; i < pages; i++)
		n += in[i] & 1;
	return n;
}

static void fill(char *p, size_t pages)
{
	size_t i;

	for (i = 0; i < pages; i++)
		memcpy(p + i * PAGE, &i, sizeof(i));
}

static int is_filled(const char *p, size_t pages)
{
	size_t i, k;

	for (i = 0; i < pages; i++) {
		if (memcmp(p + i * PAGE, &i, sizeof(i)) != 0)
			return 0;
		for (k = sizeof(i); k < PAGE; k++)
			if (p[i * PAGE + k])
				return 0;
	}
	return 1;
}

/* Pages ahead are never more than those that were written, nor than 32, and are empty. */
static void test_bound(void)
{
	static const size_t written[] = { 1, 2, 3, 10, 100 };
	size_t i, k;

	for (i = 0; i < sizeof(written) / sizeof(written[0]); i++) {
		size_t n = written[i], has, most = n + (n < 32 ? n : 32);
		char *p = new_memory(PAGES);

		fill(p, n);
		has = resident(p, PAGES);
		check(has >= n && has <= most, "too many pages ahead");
		for (k = n * PAGE; k < PAGES * PAGE; k++)
			check(!p[k], "a page ahead is not empty");
		munmap(p, PAGES * PAGE);
	}
}

/* Neighbours of the mapping: no access, another mapping, a file. */
static void test_neighbours(void)
{
	char *p = new_memory(PAGES), name[] = "/tmp/aheadXXXXXX";
	int fd = mkstemp(name), status, pipes[2];

	check(fd >= 0 && ftruncate(fd, (off_t)PAGE) == 0 && write(fd, "file", 4) == 4, "no file");
	unlink(name);
	check(mprotect(p + 40 * PAGE, PAGE, PROT_NONE) == 0, "mprotect");
	check(mmap(p + 80 * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0) != MAP_FAILED, "mmap");
	fill(p, 40);
	fill(p + 41 * PAGE, 39);
	check(memcmp(p + 80 * PAGE, "file", 4) == 0, "the file behind is gone");
	check(pipe(pipes) == 0 && write(pipes[1], p + 40 * PAGE, 1) < 0 && errno == EFAULT, "PROT_NONE can be read");
	fill(p + 81 * PAGE, 50);
	if (fork() == 0) {
		fill(p + 81 * PAGE, 100);
		memset(p, 0, 10 * PAGE);
		_exit(!is_filled(p + 81 * PAGE, 100));
	}
	check(wait(&status) > 0 && status == 0, "a child's pages are wrong");
	check(is_filled(p, 40) && is_filled(p + 81 * PAGE, 50), "a child's pages are its parent's");
	check(!p[140 * PAGE], "a child's new page is its parent's");
	check(madvise(p, 20 * PAGE, MADV_DONTNEED) == 0 && !p[10 * PAGE], "MADV_DONTNEED");
	fill(p, 20);
	check(is_filled(p, 40), "filled again, it is wrong");
}

/* By the kernel: read() into new memory. */
static void test_read(void)
{
	char *p = new_memory(PAGES);
	int fd = open("/proc/self/exe", O_RDONLY);
	ssize_t n = read(fd, p, 300000), i;
	char *q = mmap(NULL, 300000, PROT_READ, MAP_PRIVATE, fd, 0);

	check(n > 100000 && q != MAP_FAILED, "cannot read the program");
	for (i = 0; i < n; i++)
		check(p[i] == q[i], "read() is wrong");
}

int main(int argc, char **argv)
{
	if (argc == 2) { /* MiB that are written, and are there */
		size_t pages = (size_t)atoi(argv[1]) << 8;
		char *p = new_memory(pages);

		fill(p, pages);
		check(is_filled(p, pages), "what was written is not there");
		munmap(p, pages * PAGE); /* or the next mapping would continue it */
	}
	test_bound();
	test_neighbours();
	test_read();
	puts("right");
	return 0;
}
