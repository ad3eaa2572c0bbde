/* SPDX-License-Identifier: Apache-2.0 */
/* The log's rate and size. */
#include "../sk_test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <pthread.h>

#include "base/log.h"

static off_t size_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_size;
}

/* The rate is counted for each thread: a new one for each line goes round it, as time would. */
static void *one_line(void *arg)
{
	char text[1100];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	sk_log(SK_LOG_ERROR, "%s", arg ? (const char *)arg : text);
	return NULL;
}

static void write_lines(unsigned n, char *text)
{
	while (n--) {
		pthread_t t;

		assert_int_equal(pthread_create(&t, NULL, one_line, text), 0);
		pthread_join(t, NULL);
	}
}

/* Whatever a guest gives cause for and however long it runs, the log is bounded, and has the newest lines. */
static void test_bounded(void **state)
{
	char path[] = "/tmp/sk-test-log-XXXXXX", last[] = "the last line", line[64] = { 0 }, *text;
	int made = mkstemp(path), fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC);
	off_t n;

	(void)state;
	assert_true(made >= 0 && fd >= 0);
	unlink(path);
	sk_log_init(fd, SK_LOG_WARN);
	write_lines(3 * SK_LOG_BYTES_MAX / 1000, NULL);
	write_lines(1, last);
	n = size_of(fd);
	assert_in_range(n, SK_LOG_BYTES_MAX / 4 - 2000, SK_LOG_BYTES_MAX);
	assert_int_equal(pread(fd, line, 14, n - 14), 14);
	assert_string_equal(line, "the last line\n");
	/* Whole lines only. */
	text = test_malloc((size_t)n + 1);
	assert_int_equal(pread(fd, text, (size_t)n, 0), n);
	text[n] = 0;
	assert_true(strncmp(text, "20", 2) == 0 && strstr(text, "Z error: xxx"));
	test_free(text);
	sk_log_init(STDERR_FILENO, SK_LOG_WARN);
	close(fd);
	close(made);
}

/* A file that others may read as they like, or that has another writer without O_APPEND, is not cut. */
static void test_not_ours(void **state)
{
	int fd = memfd_create("log", MFD_CLOEXEC);
	char tail[64] = { 0 };
	off_t n;

	(void)state;
	sk_log_init(fd, SK_LOG_WARN);
	write_lines(6000, NULL);
	n = size_of(fd);
	assert_in_range(n, SK_LOG_BYTES_MAX / 2, SK_LOG_BYTES_MAX + 2000);
	assert_true(pread(fd, tail, 41, n - 41) == 41);
	assert_string_equal(tail, "the log is full: nothing more is written\n");
	sk_log_init(STDERR_FILENO, SK_LOG_WARN);
	close(fd);
}

/* One thread, one second: a line that reports the excess, and no more. */
static void test_rate(void **state)
{
	int fd = memfd_create("log", MFD_CLOEXEC);
	unsigned i;

	(void)state;
	sk_log_init(fd, SK_LOG_WARN);
	for (i = 0; i < 1000; i++)
		sk_log(SK_LOG_WARN, "again");
	sk_log(SK_LOG_INFO, "not at this level");
	assert_in_range(size_of(fd), 50 * 30, 400 * 60);
	sk_log_init(STDERR_FILENO, SK_LOG_WARN);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rate), cmocka_unit_test(test_bounded),
					    cmocka_unit_test(test_not_ours) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
