/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measures inside a guest what an engine costs a program (bench/run engines). Prints "NAME VALUE" lines: microseconds
 * of one operation, or seconds of a loop that is the same everywhere.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Repeats `work` for about half a second; microseconds of one. */
static double each(void (*work)(int n), int n)
{
	double begun = now(), took;

	for (;;) {
		work(n);
		took = now() - begun;
		if (took > 0.3)
			return took / n * 1e6;
		n *= 4;
		begun = now();
	}
}

static void system_calls(int n)
{
	while (n--)
		syscall(SYS_getppid);
}

static void page_faults(int n)
{
	size_t size = (size_t)n * 4096, i;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		exit(1);
	for (i = 0; i < size; i += 4096)
		p[i] = 1;
	munmap(p, size);
}

static void forks(int n)
{
	while (n--) {
		pid_t pid = fork();

		if (pid == 0) {
			execl("/proc/self/exe", "guest", "nothing", NULL);
			_exit(1);
		}
		waitpid(pid, NULL, 0);
	}
}

static void ping_pong(int n)
{
	int there[2], back[2];
	char c = 0;

	if (pipe(there) < 0 || pipe(back) < 0)
		exit(1);
	if (fork() == 0) {
		close(there[1]);
		while (read(there[0], &c, 1) == 1)
			if (write(back[1], &c, 1) != 1)
				break;
		_exit(0);
	}
	close(there[0]);
	while (n--)
		if (write(there[1], &c, 1) != 1 || read(back[0], &c, 1) != 1)
			exit(1);
	close(there[1]);
	close(back[0]);
	close(back[1]);
	wait(NULL);
}

static double integers(void)
{
	double begun = now();
	uint64_t x = 88172645463325252u, sum = 0;
	int i;

	for (i = 0; i < 200000000; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		sum += x;
	}
	return sum == 1 ? 0 : now() - begun;
}

static double floats(void)
{
	double begun = now(), sum = 0;
	int i;

	for (i = 1; i < 100000000; i++)
		sum += 1.0 / i * (i & 1 ? 1 : -1);
	return sum == 0 ? 0 : now() - begun;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "nothing") == 0)
		return 0;
	printf("syscall %.3f\n", each(system_calls, 1000));
	printf("fault %.3f\n", each(page_faults, 1000));
	printf("fork %.1f\n", each(forks, 10));
	printf("pipe %.2f\n", each(ping_pong, 100));
	printf("integers %.3f\n", integers());
	printf("floats %.3f\n", floats());
	return 0;
}
