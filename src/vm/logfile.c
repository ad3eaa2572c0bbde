/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's log in docker's json-file form: whole lines, rotated by size; what a full disk refuses waits in memory
 * up to a bound.
 */
#include "vm/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/utf8.h"
#include "vm/state.h"

#define SK_LOGFILE_LINE 16384u
#define SK_LOGFILE_FLUSH 65536u
#define SK_LOGFILE_NAME "container.log"

struct sk_logfile {
	int dirfd, fd;
	uint64_t size, max_size;
	unsigned max_file;
	bool failed, lost;
	uint8_t line[2][SK_LOGFILE_LINE];
	size_t len[2];
	struct sk_buf out; /* lines not yet written */
};

static int open_current(struct sk_logfile *log)
{
	struct stat st;

	log->fd = openat(log->dirfd, SK_LOGFILE_NAME, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (log->fd < 0)
		return -errno;
	log->size = fstat(log->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
	return 0;
}

int sk_logfile_new(int dirfd, uint64_t max_size, unsigned max_file, struct sk_logfile **ret_log)
{
	struct sk_logfile *log = calloc(1, sizeof(*log));
	int r;

	if (!log)
		return -ENOMEM;
	log->dirfd = dirfd;
	log->max_size = max_size;
	log->max_file = max_file;
	sk_buf_init(&log->out, 1 << 20);
	r = open_current(log);
	if (r < 0) {
		free(log);
		return r;
	}
	*ret_log = log;
	return 0;
}

static void rotate(struct sk_logfile *log)
{
	char from[64], to[64];
	unsigned i;

	close(log->fd);
	for (i = log->max_file - 1; i > 0; i--) {
		snprintf(to, sizeof(to), SK_LOGFILE_NAME ".%u", i);
		if (i > 1)
			snprintf(from, sizeof(from), SK_LOGFILE_NAME ".%u", i - 1);
		else
			snprintf(from, sizeof(from), SK_LOGFILE_NAME);
		renameat(log->dirfd, from, log->dirfd, to);
	}
	if (log->max_file == 1)
		unlinkat(log->dirfd, SK_LOGFILE_NAME, 0);
	if (open_current(log) < 0)
		log->fd = -1;
}

static void flush(struct sk_logfile *log)
{
	int r;

	if (!log->out.len)
		return;
	r = log->fd < 0 ? -EBADF : sk_fs_write_all(log->fd, sk_buf_data(&log->out), log->out.len);
	if (r < 0) {
		if (!log->failed)
			sk_log(SK_LOG_ERROR, "cannot write the container's log: %s", strerror(-r));
		log->failed = true;
		/* Whole lines only; they are tried again with the next ones. */
		if (log->fd >= 0 && ftruncate(log->fd, (off_t)log->size) < 0)
			sk_log(SK_LOG_ERROR, "cannot cut the container's log back: %s", strerror(errno));
		return;
	}
	log->failed = log->lost = false;
	log->size += log->out.len;
	sk_buf_consume(&log->out, log->out.len);
	if (log->max_size && log->size >= log->max_size)
		rotate(log);
}

/* JSON string escape; bytes that are not UTF-8 become U+FFFD, as docker's encoder does, and `*ret_lossy` true. `to` has
 * 6 times the room. */
static size_t escape(uint8_t *to, const uint8_t *p, size_t n, bool *ret_lossy)
{
	static const char hex[] = "0123456789abcdef";
	size_t i = 0, o = 0;

	while (i < n) {
		uint8_t c = p[i];
		size_t len;

		if (c == '"' || c == '\\') {
			to[o++] = '\\';
			to[o++] = c;
		} else if (c == '\n' || c == '\r' || c == '\t') {
			to[o++] = '\\';
			to[o++] = c == '\n' ? 'n' : c == '\r' ? 'r' : 't';
		} else if (c < 0x20) {
			memcpy(to + o, "\\u00", 4);
			to[o + 4] = (uint8_t)hex[c >> 4];
			to[o + 5] = (uint8_t)hex[c & 15];
			o += 6;
		} else if (c < 0x80) {
			to[o++] = c;
		} else {
			len = sk_utf8_len(p + i, n - i);
			if (len == 0) {
				memcpy(to + o, SK_UTF8_REPLACEMENT, 3);
				*ret_lossy = true;
				o += 3;
			} else {
				memcpy(to + o, p + i, len);
				o += len;
				i += len - 1;
			}
		}
		i++;
	}
	return o;
}

static void put_line(struct sk_logfile *log, int stream, const uint8_t *p, size_t n, const char *time)
{
	bool lossy = false;
	char tail[96];
	size_t len;
	uint8_t *to;
	int tail_len = snprintf(tail, sizeof(tail), "\",\"stream\":\"%s\",\"time\":\"%s\"}\n",
				stream == 2 ? "stderr" : "stdout", time);

	if (log->out.len > SK_LOGFILE_FLUSH)
		flush(log);
	to = sk_buf_reserve(&log->out, 8 + 6 * n + 9 + SK_BASE64_LEN(n) + (size_t)tail_len);
	if (!to) {
		if (!log->lost)
			sk_log(SK_LOG_ERROR, "lines of the container's log are lost");
		log->lost = true;
		return;
	}
	memcpy(to, "{\"log\":\"", 8);
	len = 8 + escape(to + 8, p, n, &lossy);
	if (lossy) {
		memcpy(to + len, "\",\"raw\":\"", 9);
		len += 9 + sk_base64_encode(p, n, (char *)to + len + 9);
	}
	memcpy(to + len, tail, (size_t)tail_len);
	sk_buf_commit(&log->out, len + (size_t)tail_len);
}

void sk_logfile_write(struct sk_logfile *log, int stream, const uint8_t *p, size_t n)
{
	unsigned which = stream == 2 ? 1 : 0;
	char time[36];

	sk_time_now(time);
	while (n) {
		const uint8_t *nl = memchr(p, '\n', n);
		size_t take = nl ? (size_t)(nl - p) + 1 : n, room = SK_LOGFILE_LINE - log->len[which];

		if (log->len[which] == 0 && nl && take <= SK_LOGFILE_LINE) {
			put_line(log, stream, p, take, time);
		} else {
			if (take > room)
				take = room;
			memcpy(log->line[which] + log->len[which], p, take);
			log->len[which] += take;
			if (log->len[which] == SK_LOGFILE_LINE || log->line[which][log->len[which] - 1] == '\n') {
				put_line(log, stream, log->line[which], log->len[which], time);
				log->len[which] = 0;
			}
		}
		p += take;
		n -= take;
	}
	flush(log);
}

void sk_logfile_free(struct sk_logfile *log)
{
	char time[36];
	int i;

	if (!log)
		return;
	sk_time_now(time);
	for (i = 0; i < 2; i++)
		if (log->len[i])
			put_line(log, i + 1, log->line[i], log->len[i], time);
	flush(log);
	sk_buf_fini(&log->out);
	if (log->fd >= 0)
		close(log->fd);
	free(log);
}
