/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers with units, durations and times, read and printed as docker does. */
#include "model/units.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS 1000000000ll

int sk_parse_bool(const char *s, bool *ret)
{
	static const char *const words[2][6] = { { "0", "f", "F", "FALSE", "false", "False" },
						 { "1", "t", "T", "TRUE", "true", "True" } };
	size_t i;

	for (i = 0; i < 12; i++) {
		if (strcmp(s, words[i / 6][i % 6]) == 0) {
			*ret = i >= 6;
			return 0;
		}
	}
	return -EINVAL;
}

int sk_parse_int(const char *s, int64_t *ret)
{
	char *end;
	long long n;

	if (!isdigit((unsigned char)s[s[0] == '-' || s[0] == '+']))
		return -EINVAL;
	errno = 0;
	n = strtoll(s, &end, 10);
	if (errno || *end)
		return -EINVAL;
	*ret = n;
	return 0;
}

/* Digits with at most one point, without sign or exponent. Returns what follows, NULL if there is no number. */
static const char *parse_decimal(const char *s, double *ret)
{
	char copy[40];
	size_t n = strspn(s, "0123456789");

	if (s[n] == '.')
		n += 1 + strspn(s + n + 1, "0123456789");
	if (n == 0 || n >= sizeof(copy) || (n == 1 && *s == '.'))
		return NULL;
	memcpy(copy, s, n);
	copy[n] = '\0';
	*ret = strtod(copy, NULL);
	return s + n;
}

int sk_parse_bytes(const char *s, int64_t *ret)
{
	static const char units[] = "bkmgtp";
	const char *unit;
	double n;

	s = parse_decimal(s, &n);
	if (!s)
		return -EINVAL;
	while (*s == ' ')
		s++;
	if (*s) {
		unit = strchr(units, tolower((unsigned char)*s));
		if (!unit)
			return -EINVAL;
		n = ldexp(n, 10 * (int)(unit - units));
		s++;
		if (unit != units) {
			if (tolower((unsigned char)*s) == 'i')
				s++;
			if (tolower((unsigned char)*s) == 'b')
				s++;
			else if (s[-1] == 'i' || s[-1] == 'I')
				return -EINVAL;
		}
	}
	if (*s || !(n < 9.2e18))
		return -EINVAL;
	*ret = (int64_t)n;
	return 0;
}

int sk_parse_cpus(const char *s, int64_t *ret_nano)
{
	double n;

	s = parse_decimal(s, &n);
	if (!s || *s || n > 1e6)
		return -EINVAL;
	*ret_nano = llround(n * 1e9);
	return 0;
}

int sk_parse_duration(const char *s, int64_t *ret_ns)
{
	static const struct {
		const char *name;
		double ns;
	} units[] = { { "ns", 1 }, { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 }, { "m", 60e9 }, { "h", 3600e9 } };
	bool negative = *s == '-';
	double total = 0, n;

	s += *s == '-' || *s == '+';
	if (strcmp(s, "0") == 0) {
		*ret_ns = 0;
		return 0;
	}
	if (!*s)
		return -EINVAL;
	while (*s) {
		size_t len, i;

		s = parse_decimal(s, &n);
		if (!s)
			return -EINVAL;
		len = strspn(s, "nusmh");
		for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
			if (strlen(units[i].name) == len && memcmp(units[i].name, s, len) == 0)
				break;
		if (i == sizeof(units) / sizeof(units[0]))
			return -EINVAL;
		total += n * units[i].ns;
		s += len;
	}
	if (!(total < 9.2e18))
		return -EINVAL;
	*ret_ns = negative ? -(int64_t)total : (int64_t)total;
	return 0;
}

/* ".123456789": nanoseconds; returns what follows. */
static const char *parse_fraction(const char *s, int64_t *ret_ns)
{
	int64_t unit = NS;

	*ret_ns = 0;
	if (*s != '.' && *s != ',')
		return s;
	for (s++; isdigit((unsigned char)*s); s++) {
		unit /= 10;
		*ret_ns += (*s - '0') * unit;
	}
	return s;
}

/* "Z" or "+01:00", "-0530". 1: given, 0: not, -EINVAL. */
static int parse_zone(const char *s, long *ret_offset)
{
	int h, m, n = 0;
	char sign;

	if (!*s)
		return 0;
	if (strcmp(s, "Z") == 0 || strcmp(s, "z") == 0) {
		*ret_offset = 0;
		return 1;
	}
	if ((sscanf(s, "%c%2d:%2d%n", &sign, &h, &m, &n) != 3 && sscanf(s, "%c%2d%2d%n", &sign, &h, &m, &n) != 3) ||
	    s[n] || (sign != '+' && sign != '-') || h < 0 || h > 23 || m < 0 || m > 59)
		return -EINVAL;
	*ret_offset = (h * 60l + m) * 60 * (sign == '-' ? -1 : 1);
	return 1;
}

/* Year, month and day, and as much of the time as there is. After 2262, which nanoseconds cannot say: the last that they
 * can. */
static int parse_date(const char *s, int64_t *ret_ns)
{
	struct tm tm = { .tm_mday = 1, .tm_isdst = -1 };
	int64_t fraction = 0;
	long offset = 0;
	time_t t;
	int n = 0, r;

	if (sscanf(s, "%4d-%2d-%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &n) != 3 || n < 8)
		return -EINVAL;
	s += n;
	if (*s == 'T' || *s == 't' || *s == ' ') {
		int parts;

		n = 0;
		parts = sscanf(s + 1, "%2d:%2d%n:%2d%n", &tm.tm_hour, &tm.tm_min, &n, &tm.tm_sec, &n);
		if (parts < 2)
			return -EINVAL;
		s = parse_fraction(s + 1 + n, &fraction);
	}
	if (tm.tm_year < 1970 || tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 ||
	    tm.tm_hour < 0 || tm.tm_hour > 23 || tm.tm_min < 0 || tm.tm_min > 59 || tm.tm_sec < 0 || tm.tm_sec > 60)
		return -EINVAL;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	r = parse_zone(s, &offset);
	if (r < 0)
		return r;
	if (tm.tm_year > 2262 - 1900) {
		*ret_ns = INT64_MAX;
		return 0;
	}
	t = r ? timegm(&tm) - offset : mktime(&tm);
	*ret_ns = (int64_t)t < INT64_MAX / NS ? (int64_t)t * NS + fraction : INT64_MAX;
	return 0;
}

int sk_parse_rfc3339(const char *s, int64_t *ret_ns)
{
	return parse_date(s, ret_ns);
}

int sk_parse_time(const char *s, int64_t now_ns, int64_t *ret_ns)
{
	size_t n = strspn(s, "0123456789");
	int64_t value, fraction;

	if (n && n < 19 && (s[n] == '\0' || s[n] == '.')) {
		const char *end = parse_fraction(s + n, &fraction);

		value = strtoll(s, NULL, 10);
		if (*end || value > INT64_MAX / NS - 1)
			return -EINVAL;
		*ret_ns = value * NS + fraction;
		return 0;
	}
	if (sk_parse_duration(s, &value) == 0) {
		*ret_ns = now_ns - value;
		return 0;
	}
	return parse_date(s, ret_ns);
}

int64_t sk_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * NS + ts.tv_nsec;
}

const char *sk_format_rfc3339(int64_t ns, char buf[40])
{
	time_t t = (time_t)(ns / NS);
	struct tm tm;
	size_t n;

	gmtime_r(&t, &tm);
	n = strftime(buf, 40, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + n, 40 - n, ".%09dZ", (int)(ns % NS));
	return buf;
}

/* Not by strftime(): on Windows its "%z" is the zone's name. */
const char *sk_format_zone(int64_t ns, char buf[8])
{
	time_t t = (time_t)(ns / NS);
	struct tm tm;
	int minutes;

	localtime_r(&t, &tm);
	minutes = (int)((timegm(&tm) - t) / 60);
	snprintf(buf, 8, "%c%02d%02d", minutes < 0 ? '-' : '+', abs(minutes) / 60 % 100, abs(minutes) % 60);
	return buf;
}

const char *sk_format_created(int64_t ns, char buf[64])
{
	time_t t = (time_t)(ns / NS);
	char zone[8];
	struct tm tm;
	size_t n;

	localtime_r(&t, &tm);
	n = strftime(buf, 64, "%Y-%m-%d %H:%M:%S ", &tm);
	n += (size_t)snprintf(buf + n, 64 - n, "%s ", sk_format_zone(ns, zone));
	if (strftime(buf + n, 64 - n, "%Z", &tm) == 0)
		buf[n - 1] = '\0'; /* a name that is too long */
	return buf;
}

const char *sk_format_duration(int64_t ns, char buf[40])
{
	int64_t s = ns / NS, hours;

	if (s < 1)
		snprintf(buf, 40, "Less than a second");
	else if (s == 1)
		snprintf(buf, 40, "1 second");
	else if (s < 60)
		snprintf(buf, 40, "%d seconds", (int)s);
	else if (s < 120)
		snprintf(buf, 40, "About a minute");
	else if (s < 3600)
		snprintf(buf, 40, "%d minutes", (int)(s / 60));
	else if ((hours = (s + 1800) / 3600) == 1)
		snprintf(buf, 40, "About an hour");
	else if (hours < 48)
		snprintf(buf, 40, "%d hours", (int)hours);
	else if (hours < 24 * 7 * 2)
		snprintf(buf, 40, "%d days", (int)(hours / 24));
	else if (hours < 24 * 30 * 2)
		snprintf(buf, 40, "%d weeks", (int)(hours / 24 / 7));
	else if (hours < 24 * 365 * 2)
		snprintf(buf, 40, "%d months", (int)(hours / 24 / 30));
	else
		snprintf(buf, 40, "%lld years", (long long)(s / 3600 / 24 / 365));
	return buf;
}

static const char *format_units(double n, double base, int digits, const char *const *units, size_t n_units,
				char buf[32])
{
	size_t i = 0;

	while (n >= base && i + 1 < n_units) {
		n /= base;
		i++;
	}
	snprintf(buf, 32, "%.*g%s", digits, n, units[i]);
	if (strchr(buf, 'e')) /* 999.9 in three digits */
		snprintf(buf, 32, "%.0f%s", n, units[i]);
	return buf;
}

const char *sk_format_size(double bytes, int digits, char buf[32])
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };

	return format_units(bytes, 1000, digits, units, 7, buf);
}

const char *sk_format_memory(double bytes, char buf[32])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };

	return format_units(bytes, 1024, 4, units, 7, buf);
}
