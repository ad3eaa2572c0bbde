/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "oci/oci.h"

static void now(char buf[40])
{
	struct timespec ts;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	strftime(buf, 40, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/* logrus' text form: quoted, with what would break the quotes escaped. */
static char *text_line(const char *time, const char *level, const char *message)
{
	_cleanup_free_ char *quoted = malloc(2 * strlen(message) + 1);
	char *q = quoted;

	if (!quoted)
		return NULL;
	for (; *message; message++) {
		if (*message == '"' || *message == '\\' || *message == '\n')
			*q++ = '\\';
		*q++ = *message == '\n' ? 'n' : *message;
	}
	*q = '\0';
	return sk_asprintf("time=\"%s\" level=%s msg=\"%s\"\n", time, level, quoted);
}

static char *json_line(const char *time, const char *level, const char *message)
{
	json_t *o = json_pack("{s:s,s:s,s:s}", "level", level, "msg", message, "time", time);
	_cleanup_free_ char *text = NULL;

	if (!o) /* not UTF-8 */
		o = json_pack("{s:s,s:s,s:s}", "level", level, "msg", "a message that cannot be shown", "time", time);
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	return text ? sk_asprintf("%s\n", text) : NULL;
}

static int open_log(const char *path)
{
	return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644);
}

int sk_oci_log_check(struct sk_oci *o, struct sk_error *err)
{
	_cleanup_fd_ int fd = open_log(o->log_path);
	const char *path = o->log_path;
	int code = errno;

	if (fd >= 0)
		return 0;
	o->log_path = NULL;
	return sk_oci_cannot_open(err, code, path);
}

void sk_oci_log(const struct sk_oci *o, const char *level, const char *fmt, ...)
{
	char message[SK_ERROR_MAX + 256], time[40];
	_cleanup_free_ char *line = NULL;
	_cleanup_fd_ int fd = -1;
	va_list ap;

	if (strcmp(level, "debug") == 0 && !o->debug)
		return;
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	now(time);
	line = o->log_json ? json_line(time, level, message) : text_line(time, level, message);
	if (!line)
		return;
	if (o->log_path)
		fd = open_log(o->log_path);
	if (fd >= 0)
		sk_fs_write_all(fd, line, strlen(line));
	/* As runc: errors go to stderr as well. */
	if (fd < 0)
		sk_fs_write_all(STDERR_FILENO, line, strlen(line));
	else if (strcmp(level, "error") == 0)
		fprintf(stderr, "%s\n", message);
}
