/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measures inside a guest what an engine costs a program (bench/run engines, bench/run peers). Prints "NAME VALUE" lines:
 * microseconds of one operation, or seconds of a loop that is the same everywhere. Arguments are the names of what is wanted.
 */
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
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

static void reads(int n)
{
	int fd = open("/dev/zero", O_RDONLY);
	char c;

	while (n--)
		if (read(fd, &c, 1) != 1)
			exit(1);
	close(fd);
}

static void stats(int n)
{
	struct stat st;

	while (n--)
		if (stat("/etc/debian_version", &st) < 0)
			exit(1);
}

static void opens(int n)
{
	while (n--) {
		int fd = open("/etc/debian_version", O_RDONLY);

		if (fd < 0)
			exit(1);
		close(fd);
	}
}

/* The first write to each page of new memory; neither mmap nor munmap counts. Median of five, microseconds a page. */
static double touch(void)
{
	const size_t size = 64 << 20;
	double took[5], swap;
	size_t at;
	int i, j;

	for (i = 0; i < 5; i++) {
		char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		double begun = now();

		if (p == MAP_FAILED)
			exit(1);
		for (at = 0; at < size; at += 4096)
			p[at] = 1;
		took[i] = now() - begun;
		munmap(p, size);
		for (j = i; j > 0 && took[j] < took[j - 1]; j--) {
			swap = took[j];
			took[j] = took[j - 1];
			took[j - 1] = swap;
		}
	}
	return took[2] / ((double)size / 4096) * 1e6;
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

static void *one_thread(void *unused)
{
	(void)unused;
	integers();
	return NULL;
}

/* Two threads of one program, each with the loop of integers(). */
static double threads(void)
{
	pthread_t other;
	double begun = now();

	if (pthread_create(&other, NULL, one_thread, NULL) != 0)
		exit(1);
	integers();
	pthread_join(other, NULL);
	return now() - begun;
}

static const struct {
	const char *name;
	void (*work)(int n); /* measured by each(), from `first` times on */
	int first;
	double (*once)(void);
	int on_request; /* only when it is named */
} benches[] = {
	{ "syscall", system_calls, 1000, NULL, 0 },
	{ "read", reads, 1000, NULL, 1 },
	{ "stat", stats, 1000, NULL, 1 },
	{ "open", opens, 1000, NULL, 1 },
	{ "fault", page_faults, 1000, NULL, 0 },
	{ "touch", NULL, 0, touch, 1 },
	{ "fork", forks, 10, NULL, 0 },
	{ "pipe", ping_pong, 100, NULL, 0 },
	{ "integers", NULL, 0, integers, 0 },
	{ "floats", NULL, 0, floats, 0 },
	{ "threads", NULL, 0, threads, 1 },
};

static int is_wanted(size_t i, int argc, char **argv)
{
	int k;

	for (k = 1; k < argc; k++)
		if (strcmp(argv[k], benches[i].name) == 0)
			return 1;
	return argc == 1 && !benches[i].on_request;
}

int main(int argc, char **argv)
{
	size_t i;

	if (argc > 1 && strcmp(argv[1], "nothing") == 0)
		return 0;
	for (i = 0; i < sizeof(benches) / sizeof(benches[0]); i++)
		if (is_wanted(i, argc, argv))
			printf("%s %.3f\n", benches[i].name,
			       benches[i].work ? each(benches[i].work, benches[i].first) : benches[i].once());
	return 0;
}
