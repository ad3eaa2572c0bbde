/* SPDX-License-Identifier: Apache-2.0 */
/*
 * direct FILE SECONDS: writes at the end of a file with O_DIRECT while two threads read there with O_DIRECT. Prints
 * "right", or how many reads failed or brought what was not written. Static, so that it runs in any image.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define MOST 65536

static const char *path;
static atomic_bool ended;
static atomic_int failed, wrong, error;

static void *read_on(void *unused)
{
	int fd = open(path, O_RDONLY | O_DIRECT);
	off_t at = 0;
	char *buf;

	if (fd < 0 || posix_memalign((void **)&buf, PAGE, MOST) != 0)
		exit(2);
	while (!ended) {
		ssize_t n = pread(fd, buf, MOST, at), i;

		if (n < 0) {
			error = errno;
			failed++;
			continue;
		}
		for (i = 0; i < n && buf[i] == 'a'; i++)
			;
		wrong += i < n;
		at += n / PAGE * PAGE;
	}
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t readers[2];
	time_t end = time(NULL) + (argc > 2 ? atoi(argv[2]) : 5);
	off_t at = 0;
	char *buf;
	int fd, i;

	path = argv[1];
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_DIRECT, 0644);
	if (fd < 0 || posix_memalign((void **)&buf, PAGE, PAGE) != 0)
		return 2;
	memset(buf, 'a', PAGE);
	for (i = 0; i < 2; i++)
		if (pthread_create(&readers[i], NULL, read_on, NULL) != 0)
			return 2;
	for (; time(NULL) < end && at < 100 << 20; at += PAGE)
		if (pwrite(fd, buf, PAGE, at) != PAGE)
			failed++;
	ended = true;
	for (i = 0; i < 2; i++)
		pthread_join(readers[i], NULL);
	if (!failed && !wrong)
		puts("right");
	else
		printf("%d failed (%s), %d wrong\n", failed, strerror(error), wrong);
	return 0;
}
