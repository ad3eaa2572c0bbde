/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* At most this many lines a second; what is over is counted and said once. */
#define SK_LOG_RATE 50u

static int log_fd = STDERR_FILENO;
static enum sk_log_level log_level = SK_LOG_WARN;
static size_t written; /* by all threads; counted, not exact */
static __thread time_t window;
static __thread unsigned in_window;

void sk_log_init(int fd, enum sk_log_level level)
{
	log_fd = fd;
	log_level = level;
	__atomic_store_n(&written, 0, __ATOMIC_RELAXED);
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

	if (level > log_level || __atomic_load_n(&written, __ATOMIC_RELAXED) > SK_LOG_BYTES_MAX)
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
	if (__atomic_add_fetch(&written, n, __ATOMIC_RELAXED) > SK_LOG_BYTES_MAX)
		n = (size_t)snprintf(line, sizeof(line), "the log is full: nothing more is written\n");
	if (write(log_fd, line, n) < 0) {
		/* nowhere to say it */
	}
	errno = saved;
}
