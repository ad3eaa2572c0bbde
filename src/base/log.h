/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_BASE_LOG_H
#define SK_BASE_LOG_H

#include <stdbool.h>

/* Diagnostics of long-lived processes (monitor, file server), one line each, to stderr or the descriptor that was set.
 * Never for messages to the user: those are errors (base/error.h). Rate-limited: a guest must not be able to fill the
 * disk. */
enum sk_log_level {
	SK_LOG_ERROR,
	SK_LOG_WARN,
	SK_LOG_INFO,
	SK_LOG_DEBUG,
};

/*
 * `fd` is borrowed; lines above `level` are dropped. A file that was opened with O_RDWR and O_APPEND, which several
 * processes may share, holds at most SK_LOG_BYTES_MAX bytes: of a full one the last quarter is kept. Another regular
 * file is somebody else's: nothing is written to it after that many bytes. Pipes and terminals have no limit.
 */
#define SK_LOG_BYTES_MAX (4u << 20)
void sk_log_init(int fd, enum sk_log_level level);
void sk_log(enum sk_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
