/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process list of a container, read from /proc: for `docker top` and `skerry-oci ps`. Command lines come from the
 * container and are made printable here.
 */
#include "ps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "cgroup.h"
#include "user.h"

#define PS_MAX 4096u
#define PS_CMDLINE_MAX 4096u

struct list {
	json_t *processes;
	char *passwd;
	long long boot; /* seconds since the epoch */
	long ticks;
	unsigned long long memory; /* of the guest, bytes */
};

int sk_ps_parse_stat(const char *text, struct sk_ps_stat *ret)
{
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	size_t n;

	*ret = (struct sk_ps_stat){ 0 };
	if (!open || !close || close < open)
		return -EINVAL;
	n = (size_t)(close - open - 1);
	if (n >= sizeof(ret->comm))
		n = sizeof(ret->comm) - 1;
	memcpy(ret->comm, open + 1, n);
	/* state ppid pgrp session tty tpgid flags minflt cminflt majflt cmajflt utime stime cutime cstime prio nice
	 * threads itreal start vsize rss */
	if (sscanf(close + 1, " %c %d %d %d %d %d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %d %d %*d %llu %llu %lld",
		   &ret->state, &ret->ppid, &ret->pgrp, &ret->session, &ret->tty, &ret->tpgid, &ret->utime, &ret->stime,
		   &ret->nice, &ret->threads, &ret->start, &ret->vsize, &ret->rss) != 13)
		return -EINVAL;
	return 0;
}

static char *read_proc(pid_t pid, const char *file, size_t max, size_t *ret_len)
{
	_cleanup_fd_ int fd = -1;
	char path[64], *data;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	data = fd < 0 ? NULL : malloc(max + 1);
	if (!data)
		return NULL;
	n = read(fd, data, max);
	if (n < 0)
		n = 0;
	data[n] = '\0';
	if (ret_len)
		*ret_len = (size_t)n;
	return data;
}

/* Arguments with blanks between; bytes that are not printable ASCII or UTF-8 lead to a "?". */
static json_t *command_line(pid_t pid, const char *comm)
{
	_cleanup_free_ char *raw = NULL;
	size_t n = 0, i;
	json_t *s;

	raw = read_proc(pid, "cmdline", PS_CMDLINE_MAX, &n);
	while (n && raw[n - 1] == '\0')
		n--;
	if (!raw || n == 0)
		return json_sprintf("[%s]", comm);
	for (i = 0; i < n; i++)
		if ((unsigned char)raw[i] < ' ' || raw[i] == 0x7f)
			raw[i] = ' ';
	s = json_stringn(raw, n);
	if (s)
		return s;
	for (i = 0; i < n; i++)
		if ((unsigned char)raw[i] >= 0x80)
			raw[i] = '?';
	return json_stringn(raw, n);
}

static void tty_name(int tty, char *ret, size_t size)
{
	unsigned major = ((unsigned)tty >> 8) & 0xfff,
		 minor = ((unsigned)tty & 0xff) | (((unsigned)tty >> 12) & 0xfff00);

	if (tty == 0)
		snprintf(ret, size, "?");
	else if (major >= 136 && major <= 143)
		snprintf(ret, size, "pts/%u", (major - 136) * 256 + minor);
	else
		snprintf(ret, size, "%u:%u", major, minor);
}

/* As ps writes it: the state, and what else there is to a process. `ret`: 8 bytes. */
static void state_word(const struct sk_ps_stat *s, pid_t pid, bool locked, char *ret)
{
	*ret++ = s->state;
	if (s->nice)
		*ret++ = s->nice < 0 ? '<' : 'N';
	if (locked)
		*ret++ = 'L';
	if (s->session == pid)
		*ret++ = 's';
	if (s->threads > 1)
		*ret++ = 'l';
	if (s->tpgid == s->pgrp)
		*ret++ = '+';
	*ret = '\0';
}

static void add_process(void *arg, pid_t pid)
{
	struct list *l = arg;
	_cleanup_free_ char *stat = read_proc(pid, "stat", 4095, NULL), *status = read_proc(pid, "status", 4095, NULL);
	char tty[32], user[64], state[8];
	long long page = sysconf(_SC_PAGESIZE);
	struct sk_ps_stat s;
	const char *line;
	unsigned uid = 0, locked = 0;
	json_t *p;

	if (!stat || !status || sk_ps_parse_stat(stat, &s) < 0)
		return; /* it has just gone */
	line = strstr(status, "\nUid:");
	if (line)
		sscanf(line, "\nUid: %*u %u", &uid);
	line = strstr(status, "\nVmLck:");
	if (line)
		sscanf(line, "\nVmLck: %u", &locked);
	state_word(&s, pid, locked > 0, state);
	tty_name(s.tty, tty, sizeof(tty));
	sk_user_name(l->passwd, uid, user, sizeof(user));
	p = json_pack("{s:i,s:i,s:i,s:s,s:I,s:s,s:I,s:I,s:o,s:s%}", "pid", (int)pid, "ppid", s.ppid, "uid", (int)uid,
		      "user", user, "stime", (json_int_t)(l->boot + (long long)s.start / l->ticks), "tty", tty,
		      "time_ms", (json_int_t)((s.utime + s.stime) * 1000 / (unsigned long)l->ticks), "cpu_ms",
		      (json_int_t)((s.utime + s.stime) * 1000 / (unsigned long)l->ticks), "cmd",
		      command_line(pid, s.comm), "comm", s.comm, strlen(s.comm));
	if (p)
		json_object_update_new(p, json_pack("{s:I,s:I,s:I,s:s}", "vsz_kib", (json_int_t)(s.vsize / 1024),
						    "rss_kib", (json_int_t)(s.rss * page / 1024), "memory_kib",
						    (json_int_t)(l->memory / 1024), "stat", state));
	json_array_append_new(l->processes, p);
}

json_t *sk_ps_list(const char *container, int rootfd)
{
	struct timespec now, up;
	struct sysinfo info = { 0 };
	struct list l = { .processes = json_array(), .ticks = sysconf(_SC_CLK_TCK) };

	if (sysinfo(&info) == 0)
		l.memory = (unsigned long long)info.totalram * info.mem_unit;
	clock_gettime(CLOCK_REALTIME, &now);
	clock_gettime(CLOCK_BOOTTIME, &up);
	l.boot = (long long)now.tv_sec - (long long)up.tv_sec;
	l.passwd = rootfd >= 0 ? sk_user_read_file(rootfd, "etc/passwd") : NULL;
	sk_cgroup_pids(container, PS_MAX, add_process, &l);
	free(l.passwd);
	return l.processes;
}
