/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log of a process: lines with time and level on a descriptor, so many a second. A file of our own that is full
 * keeps its last quarter; anything else that is full gets no more lines.
 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* At most this many lines a second; a line reports that more were dropped. */
#define SK_LOG_RATE 50u

static int log_fd = STDERR_FILENO;
static enum sk_log_level log_level = SK_LOG_WARN;
static bool ours, counted; /* the file is cut when it is full; it is not, and has an end */
static size_t written;	   /* where it is counted: by all threads, not exact */
static bool cutting;
static __thread time_t window;
static __thread unsigned in_window;

void sk_log_init(int fd, enum sk_log_level level)
{
	const int wanted = O_RDWR | O_APPEND;
	struct stat st;
	int flags = fcntl(fd, F_GETFL);
	bool file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);

	log_fd = fd;
	log_level = level;
	ours = file && flags >= 0 && (flags & (O_ACCMODE | O_APPEND)) == wanted;
	counted = file && !ours;
	__atomic_store_n(&written, 0, __ATOMIC_RELAXED);
}

/* The last lines of the file, for which `buf` has `size` bytes; their length, 0: none. */
static size_t last_lines(char **buf, size_t size, off_t end)
{
	size_t n = 0;
	char *line;

	while (n < size) {
		ssize_t r = pread(log_fd, *buf + n, size - n, end - (off_t)(size - n));

		if (r <= 0)
			return 0;
		n += (size_t)r;
	}
	line = memchr(*buf, '\n', n);
	if (!line)
		return 0;
	n -= (size_t)(line + 1 - *buf);
	*buf = line + 1;
	return n;
}

/* Makes room for `n` bytes. Lines that others write meanwhile may be lost. */
static void cut(size_t n)
{
	const size_t keep = SK_LOG_BYTES_MAX / 4;
	char *buf, *lines;
	struct stat st;

	if (fstat(log_fd, &st) < 0 || (size_t)st.st_size + n <= SK_LOG_BYTES_MAX ||
	    __atomic_test_and_set(&cutting, __ATOMIC_ACQUIRE))
		return;
	lines = buf = malloc(keep);
	n = buf ? last_lines(&lines, keep, st.st_size) : 0;
	if (ftruncate(log_fd, 0) == 0 && n && write(log_fd, lines, n) < 0)
		n = 0; /* nowhere to say it */
	free(buf);
	__atomic_clear(&cutting, __ATOMIC_RELEASE);
}

static bool is_full(void)
{
	return counted && __atomic_load_n(&written, __ATOMIC_RELAXED) > SK_LOG_BYTES_MAX;
}

void sk_log(enum sk_log_level level, const char *fmt, ...)
{
	static const char *const names[] = { "error", "warning", "info", "debug" };
	int saved = errno;
	char line[1200];
	struct timespec ts;
	struct tm tm;
	va_list ap;
	size_t n;

	if (level > log_level || is_full())
		return;
	clock_gettime(CLOCK_REALTIME, &ts);
	if (ts.tv_sec != window) {
		window = ts.tv_sec;
		in_window = 0;
	}
	if (in_window++ > SK_LOG_RATE)
		return;
	gmtime_r(&ts.tv_sec, &tm);
	n = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%S", &tm);
	n += (size_t)snprintf(line + n, sizeof(line) - n, ".%03ldZ %s: ", ts.tv_nsec / 1000000, names[level]);
	if (in_window > SK_LOG_RATE) {
		snprintf(line + n, sizeof(line) - n, "too many messages, some are left out");
	} else {
		va_start(ap, fmt);
		vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
		va_end(ap);
	}
	n = strlen(line);
	line[n++] = '\n';
	if (ours)
		cut(n);
	__atomic_add_fetch(&written, n, __ATOMIC_RELAXED);
	if (is_full())
		n = (size_t)snprintf(line, sizeof(line), "the log is full: nothing more is written\n");
	if (write(log_fd, line, n) < 0) {
		/* nowhere to say it */
	}
	errno = saved;
}
