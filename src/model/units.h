/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_MODEL_UNITS_H
#define SK_MODEL_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* Numbers as people write and read them, in docker's ways (docker/go-units, Go's time and strconv). Parsers return 0 or
 * -EINVAL. */

/* "true", "1", "t", "false", … as Go's strconv.ParseBool. */
int sk_parse_bool(const char *s, bool *ret);
/* Decimal, with a sign. */
int sk_parse_int(const char *s, int64_t *ret);
/* "512m", "1.5g", "64KiB", "1024": powers of 1024. */
int sk_parse_bytes(const char *s, int64_t *ret);
/* "1.5" → 1500000000. Not negative. */
int sk_parse_cpus(const char *s, int64_t *ret_nano);
/* Go's "1h30m", "1.5s", "300ms" in nanoseconds, with a sign. */
int sk_parse_duration(const char *s, int64_t *ret_ns);
/* --since, --until: RFC 3339 (whole or in part, local time where it names no zone), seconds since the epoch with a
 * fraction, or a duration before `now`. Nanoseconds since the epoch. */
int sk_parse_time(const char *s, int64_t now_ns, int64_t *ret_ns);
/* RFC 3339 as in Skerry's and docker's files; "" and docker's zero time 0001-01-01T00:00:00Z give -EINVAL. */
int sk_parse_rfc3339(const char *s, int64_t *ret_ns);

int64_t sk_now_ns(void);
/* "2026-11-23T10:00:00.123456789Z" */
const char *sk_format_rfc3339(int64_t ns, char buf[40]);
/* "+0100": what local time is ahead of UTC's then. */
const char *sk_format_zone(int64_t ns, char buf[8]);
/* "2026-11-23 10:00:00 +0000 UTC", local time: the CreatedAt of lists. */
const char *sk_format_created(int64_t ns, char buf[64]);
/* "2 hours", "About a minute", "Less than a second" */
const char *sk_format_duration(int64_t ns, char buf[40]);
/* Powers of 1000, `digits` significant digits: "77.8MB" */
const char *sk_format_size(double bytes, int digits, char buf[32]);
/* Powers of 1024, four significant digits: "1.5GiB" */
const char *sk_format_memory(double bytes, char buf[32]);

#endif
