/* SPDX-License-Identifier: Apache-2.0 */
// Does a guest of User-mode Linux wake up for each interrupt?
//
// usage: wakeup ROUNDS LIMIT_MS KERNEL ARGUMENT...
//
// Runs the kernel with guest-echo as PID 1 and its console on our pipes, sends single bytes after
// pauses of 0 to 60 microseconds (so that some arrive just as the guest goes idle) and waits for
// each to come back.  Fails if one took longer than LIMIT_MS.  A lost wake-up is only made good by
// the guest's next timer, hundreds of milliseconds later.

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void run_guest(char **argv, int in, int out)
{
	int null = open("/dev/null", O_WRONLY);

	dup2(in, 0);
	dup2(out, 1);
	dup2(null, 2);
	execv(argv[0], argv);
	_exit(127);
}

int main(int argc, char **argv)
{
	int to_guest[2], from_guest[2], rounds, i;
	double *took, start, limit;
	unsigned int random = 1;
	char byte = 0;

	if (argc < 4) {
		fprintf(stderr, "usage: wakeup ROUNDS LIMIT_MS KERNEL ARGUMENT...\n");
		return 2;
	}
	rounds = atoi(argv[1]);
	limit = atof(argv[2]) * 1e3;
	took = calloc((size_t)rounds + 1, sizeof(*took));
	if (rounds < 1 || !took || pipe(to_guest) < 0 || pipe(from_guest) < 0)
		return 2;
	if (fork() == 0) {
		close(to_guest[1]);
		close(from_guest[0]);
		run_guest(argv + 3, to_guest[0], from_guest[1]);
	}
	close(to_guest[0]);
	close(from_guest[1]);

	while (byte != 1)
		if (read(from_guest[0], &byte, 1) != 1) {
			fprintf(stderr, "wakeup: the guest did not start\n");
			return 1;
		}
	usleep(100000);
	for (i = 0; i < rounds; i++) {
		random = random * 1103515245 + 12345;
		start = now_us() + (random >> 16) % 60;
		while (now_us() < start)
			;
		if (write(to_guest[1], "x", 1) != 1 || read(from_guest[0], &byte, 1) != 1) {
			fprintf(stderr, "wakeup: the guest went away after %d rounds\n", i);
			return 1;
		}
		took[i] = now_us() - start;
	}
	if (write(to_guest[1], "q", 1) != 1)
		return 1;
	wait(NULL);

	qsort(took, (size_t)rounds, sizeof(*took), compare);
	printf("wakeup: %d rounds, median %.0f us, 99.9 %% %.0f us, longest %.1f ms\n", rounds, took[rounds / 2],
	       took[(long)rounds * 999 / 1000], took[rounds - 1] / 1e3);
	return took[rounds - 1] > limit;
}
