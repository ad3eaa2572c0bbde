/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Under User-mode Linux fork() copies pages that its caller may write to, and the child's other pages are mapped when
 * they are needed: programs must not see that. Says "right", or what is wrong. With the argument "few" it also wants
 * that few page faults are taken after a fork. Static, so that it runs in any image.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE ((size_t)4096)
#define AREAS 12
#define PAGES ((size_t)40)

static void check(int right, const char *what)
{
	if (right)
		return;
	printf("%s\n", what);
	fflush(stdout);
	_exit(1);
}

static char *new_memory(size_t pages)
{
	char *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(p != MAP_FAILED, "no memory");
	return p;
}

static void fill(char *p, size_t pages, char with)
{
	size_t i;

	for (i = 0; i < pages; i++)
		memset(p + i * PAGE, with + (char)(i % 7), PAGE);
}

static int is_filled(const char *p, size_t pages, char with)
{
	size_t i, k;

	for (i = 0; i < pages; i++)
		for (k = 0; k < PAGE; k++)
			if (p[i * PAGE + k] != (char)(with + (char)(i % 7)))
				return 0;
	return 1;
}

static long faults(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return r.ru_minflt;
}

static void child_is_right(void)
{
	int status;

	check(wait(&status) > 0 && status == 0, "a child failed");
}

/* What the parent wrote last is neither asked for again by it nor by its child. */
static void test_few_faults(void)
{
	char *p = new_memory(20);
	long before;

	fill(p, 20, 'a');
	if (fork() == 0) {
		before = faults();
		fill(p, 20, 'b');
		check(faults() - before < 8, "a child's writes take a fault a page");
		_exit(0);
	}
	before = faults();
	fill(p, 20, 'c');
	check(faults() - before < 8, "a parent's writes take a fault a page");
	child_is_right();
	check(is_filled(p, 20, 'c'), "a child's pages are its parent's");
	munmap(p, 20 * PAGE);
}

/* More pages than are copied, in several mappings: each process has its own, and what was read only is there. */
static void test_contents(void)
{
	char *area[AREAS], *constant = new_memory(PAGES);
	int i;

	fill(constant, PAGES, 'k');
	mprotect(constant, PAGES * PAGE, PROT_READ);
	for (i = 0; i < AREAS; i++) {
		area[i] = new_memory(PAGES + 1);
		fill(area[i], PAGES, 'a' + (char)i);
		/* A hole between them, or they were one. */
		munmap(area[i] + PAGES * PAGE, PAGE);
	}
	if (fork() == 0) {
		check(is_filled(constant, PAGES, 'k'), "a child's constant pages are wrong");
		for (i = 0; i < AREAS; i++) {
			check(is_filled(area[i], PAGES, 'a' + (char)i), "a child's pages are wrong");
			fill(area[i], PAGES, 'A' + (char)i);
		}
		if (fork() == 0) {
			for (i = AREAS - 1; i >= 0; i--)
				check(is_filled(area[i], PAGES, 'A' + (char)i), "a grandchild's pages are wrong");
			_exit(0);
		}
		fill(area[0], PAGES, '0');
		child_is_right();
		_exit(!is_filled(area[0], PAGES, '0'));
	}
	fill(area[1], PAGES, '1');
	child_is_right();
	for (i = 0; i < AREAS; i++)
		check(is_filled(area[i], PAGES, i == 1 ? '1' : 'a' + (char)i), "a parent's pages are wrong");
}

/* The neighbours of a written page of a private mapping of a file are the file's, and the file stays as it is. */
static void test_file(void)
{
	char name[] = "/tmp/forkedXXXXXX", *p, *q, page[PAGE];
	int fd = mkstemp(name), i;

	check(fd >= 0, "no file");
	unlink(name);
	for (i = 0; i < (int)PAGES; i++) {
		memset(page, 'a' + (char)(i % 7), PAGE);
		check(write(fd, page, PAGE) == (ssize_t)PAGE, "cannot write");
	}
	p = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	q = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check(p != MAP_FAILED && q != MAP_FAILED, "cannot map a file");
	check(is_filled(p, PAGES, 'a'), "a file's pages are wrong");
	p[10 * PAGE] = '!';
	if (fork() == 0) {
		p[20 * PAGE] = '?';
		_exit(p[10 * PAGE] != '!' || q[10 * PAGE] != 'a' + 3);
	}
	child_is_right();
	check(p[20 * PAGE] == 'a' + 6, "a child's page of a file is its parent's");
	p[10 * PAGE] = 'a' + 3;
	check(is_filled(p, PAGES, 'a') && is_filled(q, PAGES, 'a'), "a file's pages have changed");
}

static _Atomic uint64_t *first, *second;
static atomic_int over;

static void *count(void *unused)
{
	uint64_t i;

	(void)unused;
	for (i = 1; !over; i++) {
		*first = i;
		*second = i;
	}
	return NULL;
}

/* A child has its parent's pages as they were at one moment, whatever another thread writes meanwhile. */
static void test_threads(void)
{
	char *p = new_memory(8);
	pthread_t thread;
	int i;

	second = (void *)p;
	first = (void *)(p + 5 * PAGE);
	check(pthread_create(&thread, NULL, count, NULL) == 0, "no thread");
	for (i = 0; i < 200; i++) {
		if (fork() == 0)
			_exit(*first - *second > 1);
		child_is_right();
	}
	over = 1;
	pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "few") == 0)
		test_few_faults();
	test_contents();
	test_file();
	test_threads();
	puts("right");
	return 0;
}
