/* SPDX-License-Identifier: Apache-2.0 */
/* The container's log: lines, bytes, a full disk, rotation. */
#include "../sk_test.h"

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "vm/logfile.h"

static char dir[] = "/tmp/sk-test-log-XXXXXX";
static int dirfd_;

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY);
	return dirfd_ < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	close(dirfd_);
	return sk_fs_remove_tree(AT_FDCWD, dir);
}

/* All "log" texts of a stream, joined; every line must be JSON. */
static char *joined(const char *stream)
{
	_cleanup_free_ char *text = NULL;
	char *out = calloc(1, 1 << 20), *line, *save = NULL;

	assert_int_equal(sk_fs_read(dirfd_, "container.log", 1 << 20, &text, NULL), 0);
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		json_t *o = json_loads(line, 0, NULL);

		assert_non_null(o);
		if (strcmp(json_string_value(json_object_get(o, "stream")), stream) == 0)
			strcat(out, json_string_value(json_object_get(o, "log")));
		json_decref(o);
	}
	return out;
}

static void test_lines(void **state)
{
	_cleanup_free_ char *out = NULL, *errs = NULL;
	struct sk_logfile *log;

	(void)state;
	assert_int_equal(sk_logfile_new(dirfd_, 1 << 20, 2, &log), 0);
	sk_logfile_write(log, 1, (const uint8_t *)"one\ntw", 6);
	sk_logfile_write(log, 2, (const uint8_t *)"err \"q\" \x01\xff\n", 11);
	sk_logfile_write(log, 1, (const uint8_t *)"o\n\xc3\xa9 last", 9);
	sk_logfile_free(log);
	out = joined("stdout");
	errs = joined("stderr");
	assert_string_equal(out, "one\ntwo\n\xc3\xa9 last");
	assert_string_equal(errs, "err \"q\" \x01\xef\xbf\xbd\n");
	unlinkat(dirfd_, "container.log", 0);
}

/* Bytes that are not UTF-8 are kept in full, too. */
static void test_bytes(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct sk_logfile *log;

	(void)state;
	assert_int_equal(sk_logfile_new(dirfd_, 1 << 20, 2, &log), 0);
	sk_logfile_write(log, 1, (const uint8_t *)"a\xff\0b\n", 5);
	sk_logfile_write(log, 1, (const uint8_t *)"plain\n", 6);
	sk_logfile_free(log);
	assert_int_equal(sk_fs_read(dirfd_, "container.log", 1 << 20, &text, NULL), 0);
	assert_non_null(strstr(text, "{\"log\":\"a\xef\xbf\xbd\\u0000b\\n\",\"raw\":\"Yf8AYgo=\",\"stream\""));
	assert_non_null(strstr(text, "{\"log\":\"plain\\n\",\"stream\""));
	unlinkat(dirfd_, "container.log", 0);
}

static void check_lines(const char *out, int n)
{
	char line[32];
	int i;

	for (i = 0; i < n; i++) {
		snprintf(line, sizeof(line), "line %d\n", i);
		assert_non_null(strstr(out, line));
	}
}

/* A full disk: whole lines before it, and what could not be written once there is room. */
static void test_full(void **state)
{
	_cleanup_free_ char *full = NULL, *all = NULL;
	struct rlimit before, small;
	struct sk_logfile *log;
	char line[32];
	int i;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	assert_int_equal(sk_logfile_new(dirfd_, 1 << 20, 2, &log), 0);
	small = before;
	small.rlim_cur = 1000;
	setrlimit(RLIMIT_FSIZE, &small);
	for (i = 0; i < 100; i++) {
		snprintf(line, sizeof(line), "line %d\n", i);
		sk_logfile_write(log, 1, (const uint8_t *)line, strlen(line));
	}
	full = joined("stdout"); /* every line is whole */
	check_lines(full, 10);
	setrlimit(RLIMIT_FSIZE, &before);
	sk_logfile_write(log, 1, (const uint8_t *)"last\n", 5);
	sk_logfile_free(log);
	all = joined("stdout");
	check_lines(all, 100);
	assert_non_null(strstr(all, "line 98\nline 99\nlast\n"));
	unlinkat(dirfd_, "container.log", 0);
}

/* Without a bound the log is one file. */
static void test_unbounded(void **state)
{
	struct sk_logfile *log;
	uint8_t line[1000];
	struct stat st;
	int i;

	(void)state;
	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	assert_int_equal(sk_logfile_new(dirfd_, 0, 1, &log), 0);
	for (i = 0; i < 3000; i++)
		sk_logfile_write(log, 1, line, sizeof(line));
	sk_logfile_free(log);
	assert_int_equal(fstatat(dirfd_, "container.log", &st, 0), 0);
	assert_true(st.st_size > 3000 * 1000);
	assert_int_equal(fstatat(dirfd_, "container.log.1", &st, 0), -1);
	unlinkat(dirfd_, "container.log", 0);
}

/* A line that never ends, and rotation: bounded on disk. */
static void test_flood(void **state)
{
	struct sk_logfile *log;
	uint8_t chunk[4096];
	struct stat st;
	int i;

	(void)state;
	memset(chunk, 'x', sizeof(chunk));
	assert_int_equal(sk_logfile_new(dirfd_, 256 << 10, 3, &log), 0);
	for (i = 0; i < 1000; i++)
		sk_logfile_write(log, 1, chunk, sizeof(chunk));
	sk_logfile_free(log);
	assert_int_equal(fstatat(dirfd_, "container.log.2", &st, 0), 0);
	assert_true(st.st_size < 512 << 10);
	assert_int_equal(fstatat(dirfd_, "container.log.3", &st, 0), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_lines), cmocka_unit_test(test_bytes),
					    cmocka_unit_test(test_full), cmocka_unit_test(test_unbounded),
					    cmocka_unit_test(test_flood) };

	return cmocka_run_group_tests_name("vm-logfile", tests, setup, teardown);
}
