/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VM_LOGFILE_H
#define SK_VM_LOGFILE_H

#include <stddef.h>
#include <stdint.h>

/* Docker's json-file log: one {"log":"…\n","stream":"stdout","time":"…"} a line of output; lines over 16 KiB are split
 * (no newline in "log" until the last part). Where a part is not UTF-8, "log" has U+FFFD as docker's has, and "raw" the
 * bytes themselves, in base64. container.log, rotated to container.log.1 … at `max_size` (0: never), `max_file`
 * files in all. Writing never fails the container: while the disk is full up to 1 MiB waits for
 * room, then lines are lost, which is noted once. */
struct sk_logfile;

/* `dirfd` is borrowed for the life of the log. */
int sk_logfile_new(int dirfd, uint64_t max_size, unsigned max_file, struct sk_logfile **ret_log);
/* `stream` 1 stdout, 2 stderr. */
void sk_logfile_write(struct sk_logfile *log, int stream, const uint8_t *p, size_t n);
/* Writes what is left of unfinished lines and closes. Accepts NULL. */
void sk_logfile_free(struct sk_logfile *log);

#endif
