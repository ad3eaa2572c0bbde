/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program pays for its kernel, on a machine that others use too: each operation is timed in short runs, and the
 * fastest counts, in which nothing came between. Prints "NAME MICROSECONDS" lines. Static: it runs in any image, and on
 * the host. With a word it does nothing: it is its own child.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define FILE_NAME "/tmp/steps"

static int zero, to[2], from[2];
static char *pages;
static size_t touched;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static void system_call(void)
{
	(void)syscall(SYS_getppid);
}

static void read_byte(void)
{
	char c;

	if (read(zero, &c, 1) != 1)
		exit(1);
}

static void look(void)
{
	struct stat st;

	if (stat(FILE_NAME, &st) < 0)
		exit(1);
}

static void open_close(void)
{
	close(open(FILE_NAME, O_RDONLY));
}

/* Every other page: neighbours that are mapped ahead do not count. */
static void fault(void)
{
	pages[2 * PAGE * touched++] = 1;
}

static void there_and_back(void)
{
	char c = 'x';

	if (write(to[1], &c, 1) != 1 || read(from[0], &c, 1) != 1)
		exit(1);
}

static void echo(void)
{
	char c;

	close(to[1]);
	while (read(to[0], &c, 1) == 1 && write(from[1], &c, 1) == 1)
		;
	_exit(0);
}

static void child(int exec)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (exec)
			execl("/proc/self/exe", "steps", "child", NULL);
		_exit(exec);
	}
	if (pid < 0 || waitpid(pid, NULL, 0) != pid)
		exit(1);
}

static void fork_exit(void)
{
	child(0);
}

static void fork_exec(void)
{
	child(1);
}

static void measure(const char *name, void (*step)(void), int n, int runs)
{
	double best = 1e12, begun, took;
	int i;

	while (runs--) {
		begun = now();
		for (i = 0; i < n; i++)
			step();
		took = (now() - begun) / n;
		if (took < best)
			best = took;
	}
	printf("%s %.3f\n", name, best);
	fflush(stdout);
}

static void fresh_pages(size_t n)
{
	pages = mmap(NULL, 2 * PAGE * n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED)
		exit(1);
	touched = 0;
}

/* Page after page: what comes ahead counts. */
static void touch(void)
{
	size_t size = (size_t)4 << 20, i;
	double best = 1e12, begun, took;
	char *p;
	int run;

	for (run = 0; run < 30; run++) {
		p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			exit(1);
		begun = now();
		for (i = 0; i < size; i += PAGE)
			p[i] = 1;
		took = (now() - begun) / (double)(size / PAGE);
		if (took < best)
			best = took;
		munmap(p, size);
	}
	printf("touch_page %.3f\n", best);
}

int main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1)
		return 0;
	zero = open("/dev/zero", O_RDONLY);
	close(open(FILE_NAME, O_CREAT | O_RDWR, 0600));
	if (zero < 0 || pipe(to) < 0 || pipe(from) < 0)
		return 1;
	measure("getppid", system_call, 100, 500);
	measure("read_byte", read_byte, 100, 500);
	measure("stat", look, 50, 300);
	measure("open_close", open_close, 20, 300);
	fresh_pages(20 * 300);
	measure("page_fault", fault, 20, 300);
	munmap(pages, 2 * PAGE * touched);
	touch();
	if (fork() == 0)
		echo();
	measure("pipe", there_and_back, 10, 300);
	measure("fork_exit", fork_exit, 1, 100);
	measure("fork_exec", fork_exec, 1, 100);
	unlink(FILE_NAME);
	return 0;
}
