/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --systemd-cgroup: systemd makes the container's control group, as a scope unit of the slice that cgroupsPath names
 * ("slice:prefix:name"), and hands it over (Delegate=). What systemd is to know of the limits it is told as the unit's
 * properties: limits written past it would be gone after its next reload. Everything else is as with any other group
 * (cgroup.c): the monitor joins it, in each hierarchy.
 *
 * A scope begins with a process in it. That is a placeholder, which leaves when the monitor has joined; the scope ends
 * with its last process. systemd's own tools are asked (systemd-run, systemctl): they find it where there is no message
 * bus, too, and tell in words what it does not like.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/process.h"
#include "oci/oci.h"

#define SK_SYSTEMD_WAIT_MS 30000 /* as long as runc waits */
#define SK_SYSTEMD_PROPERTIES 16u

/* Words for a command line, owned. */
struct bus_words {
	char *word[SK_SYSTEMD_PROPERTIES * 2 + 16];
	size_t n;
};

static void add(struct bus_words *w, char *take_word)
{
	if (take_word && w->n < SK_ARRAY_SIZE(w->word) - 1)
		w->word[w->n++] = take_word;
	else
		free(take_word);
}

static void words_fini(struct bus_words *w)
{
	while (w->n)
		free(w->word[--w->n]);
}

/* Only the machine's root asks the machine's systemd, and a user only his own: root of a user namespace is a user. */
static bool is_users(void)
{
	return geteuid() != 0 || sk_in_user_namespace();
}

/* "a-b.slice" → "/a.slice/a-b.slice", "-.slice" → "". */
static int expand_slice(const char *slice, char *ret, size_t size)
{
	size_t n = strlen(slice), off = 0, i;

	ret[0] = '\0';
	if (n < 7 || strcmp(slice + n - 6, ".slice") != 0 || strchr(slice, '/'))
		return -EINVAL;
	n -= 6;
	if (n == 1 && slice[0] == '-')
		return 0;
	if (slice[0] == '-' || slice[n - 1] == '-')
		return -EINVAL;
	for (i = 1; i <= n; i++) {
		if (slice[i] != '-' && i != n)
			continue;
		if (slice[i - 1] == '-')
			return -EINVAL;
		off += (size_t)snprintf(ret + off, size - off, "/%.*s.slice", (int)i, slice);
		if (off >= size)
			return -ENAMETOOLONG;
	}
	return 0;
}

int sk_oci_systemd_name(const char *path, const char *id, struct sk_oci_scope *ret, struct sk_error *err)
{
	static const char unit_characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:-_.\\@";
	char prefix[64] = "skerry", name[208];
	size_t colons = 0, i;
	int n, r;

	*ret = (struct sk_oci_scope){ .slice = "system.slice" };
	if (is_users())
		snprintf(ret->slice, sizeof(ret->slice), "user.slice");
	n = snprintf(name, sizeof(name), "%s", id);
	if (path && *path) {
		const char *first = strchr(path, ':'), *second = first ? strchr(first + 1, ':') : NULL;

		for (i = 0; path[i]; i++)
			colons += path[i] == ':';
		if (colons != 2)
			return sk_error_set(err, EINVAL,
					    "expected cgroupsPath to be of format \"slice:prefix:name\" for systemd "
					    "cgroups, got \"%s\" instead",
					    path);
		if (first - path >= (ptrdiff_t)sizeof(ret->slice) || second - first > (ptrdiff_t)sizeof(prefix))
			return sk_error_set(err, ENAMETOOLONG, "cgroupsPath is too long");
		if (first > path)
			snprintf(ret->slice, sizeof(ret->slice), "%.*s", (int)(first - path), path);
		snprintf(prefix, sizeof(prefix), "%.*s", (int)(second - first - 1), first + 1);
		n = snprintf(name, sizeof(name), "%s", second + 1);
	}
	if (n >= (int)sizeof(name))
		return sk_error_set(err, ENAMETOOLONG, "the container's id is too long for a unit of systemd's");
	snprintf(ret->unit, sizeof(ret->unit), "%s-%s.scope", prefix, name);
	if (!name[0] || strspn(ret->unit, unit_characters) != strlen(ret->unit))
		return sk_error_set(err, EINVAL, "cgroupsPath: \"%s\" cannot be the name of a unit", ret->unit);
	r = expand_slice(ret->slice, ret->path, sizeof(ret->path) - sizeof(ret->unit) - 1);
	if (r < 0)
		return sk_error_set(err, EINVAL, "invalid slice name: %s", ret->slice);
	n = (int)strlen(ret->path);
	snprintf(ret->path + n, sizeof(ret->path) - (size_t)n, "/%s", ret->unit);
	return 0;
}

/* ---- properties */

static bool number(const json_t *resources, const char *group, const char *key, json_int_t *ret)
{
	const json_t *v = json_object_get(json_object_get(resources, group), key);

	*ret = json_integer_value(v);
	return json_is_integer(v);
}

/* The limits that `resources` speaks of, each behind `flag` unless that is NULL. */
static void add_limits(struct bus_words *w, const json_t *resources, bool v2, const char *flag)
{
	json_int_t limit, shares, quota, period;
	struct bus_words p = { .n = 0 };
	size_t i;

	if (number(resources, "memory", "limit", &limit) && limit > 0)
		add(&p, sk_asprintf("%s=%llu", v2 ? "MemoryMax" : "MemoryLimit",
				    (unsigned long long)(sk_oci_vm_memory(resources) + SK_OCI_OVERHEAD)));
	else if (limit < 0)
		add(&p, sk_asprintf("%s=infinity", v2 ? "MemoryMax" : "MemoryLimit"));
	if (number(resources, "cpu", "shares", &shares) && shares > 1)
		add(&p, v2 ? sk_asprintf("CPUWeight=%lld", 1 + ((long long)shares - 2) * 9999 / 262142)
			   : sk_asprintf("CPUShares=%lld", (long long)shares));
	if (!number(resources, "cpu", "period", &period) || period <= 0)
		period = 100000;
	if (number(resources, "cpu", "quota", &quota) && quota > 0) {
		long long share = (long long)quota * 10000 / (long long)period; /* of 10,000 */

		add(&p, sk_asprintf("CPUQuotaPeriodSec=%lldus", (long long)period));
		add(&p, sk_asprintf("CPUQuota=%lld.%02lld%%", share / 100, share % 100));
	} else if (quota < 0) {
		add(&p, strdup("CPUQuota="));
	}
	for (i = 0; i < p.n; i++) {
		if (flag)
			add(w, strdup(flag));
		add(w, p.word[i]);
	}
}

/* ---- asking */

/* The content of `fd`, a memory file: one line, without its end. */
static void read_words(int fd, char *ret, size_t size)
{
	ssize_t n = pread(fd, ret, size - 1, 0);

	ret[n < 0 ? 0 : n] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
}

/* The placeholder says that the scope is there. */
static int wait_ready(int fd, int errors, const char *unit, struct sk_error *err)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char c, text[400];

	if (poll(&p, 1, SK_SYSTEMD_WAIT_MS) == 0)
		return sk_error_set(err, ETIMEDOUT, "timed out while waiting for systemd to create unit %s", unit);
	if (read(fd, &c, 1) == 1)
		return 0;
	read_words(errors, text, sizeof(text));
	return sk_error_set(err, EIO, "unable to start unit \"%s\": %s", unit,
			    text[0] ? text : "systemd-run has failed");
}

static void start_words(struct bus_words *w, const struct sk_oci_scope *scope, const char *id, const json_t *resources,
			bool v2)
{
	static const char *const properties[] = { "Delegate=yes",      "DefaultDependencies=no", "MemoryAccounting=yes",
						  "CPUAccounting=yes", "TasksAccounting=yes",	 "TasksMax=infinity" };
	size_t i;

	add(w, strdup("systemd-run"));
	if (is_users())
		add(w, strdup("--user"));
	add(w, strdup("--scope"));
	add(w, strdup("--quiet"));
	add(w, strdup("--collect"));
	add(w, sk_asprintf("--unit=%s", scope->unit));
	add(w, sk_asprintf("--slice=%s", scope->slice));
	add(w, sk_asprintf("--description=skerry container %.64s", id));
	for (i = 0; i < SK_ARRAY_SIZE(properties); i++) {
		add(w, strdup("-p"));
		add(w, strdup(properties[i]));
	}
	add_limits(w, resources, v2, "-p");
	add(w, strdup("--"));
	add(w, strdup("sh"));
	add(w, strdup("-c"));
	add(w, strdup("echo; read -r _"));
}

int sk_oci_systemd_start(const struct sk_oci_scope *scope, const char *id, const json_t *resources, bool v2,
			 struct sk_oci_holder *ret, struct sk_error *err)
{
	_cleanup_fd_ int in = -1, hold = -1, out = -1, ready = -1, errors = -1;
	struct sk_spawn s = SK_SPAWN_INIT;
	struct bus_words w = { .n = 0 };
	struct stat st;
	int stop[2], output[2], r;

	if (lstat("/run/systemd/system", &st) < 0 || !S_ISDIR(st.st_mode))
		return sk_error_set(err, ENOENT,
				    "systemd not running on this host, cannot use systemd cgroups manager");
	if (pipe2(stop, O_CLOEXEC) < 0)
		return sk_error_errno(err, errno, "cannot ask systemd");
	in = stop[0];
	hold = stop[1];
	if (pipe2(output, O_CLOEXEC) < 0)
		return sk_error_errno(err, errno, "cannot ask systemd");
	ready = output[0];
	out = output[1];
	errors = memfd_create("systemd-run", MFD_CLOEXEC);
	if (errors < 0)
		return sk_error_errno(err, errno, "cannot ask systemd");
	start_words(&w, scope, id, resources, v2);
	s.file = "systemd-run";
	s.argv = (const char *const *)w.word;
	s.stdin_fd = in;
	s.stdout_fd = out;
	s.stderr_fd = errors;
	r = sk_spawn(&s, &ret->pid, NULL, err);
	words_fini(&w);
	sk_close_fd(&out);
	if (r == 0)
		r = wait_ready(ready, errors, scope->unit, err);
	ret->fd = SK_TAKE_FD(hold);
	if (r < 0)
		sk_oci_systemd_release(ret);
	return r;
}

void sk_oci_systemd_release(struct sk_oci_holder *h)
{
	if (h->pid > 0) {
		kill(h->pid, SIGKILL);
		sk_wait(h->pid);
	}
	h->pid = 0;
	sk_close_fd(&h->fd);
}

/* systemctl VERB …; `take_words` are its arguments. */
static int systemctl(struct bus_words *w, struct sk_error *err)
{
	struct sk_spawn s = SK_SPAWN_INIT;
	int r;

	s.file = "systemctl";
	s.argv = (const char *const *)w->word;
	r = sk_run(&s, err);
	words_fini(w);
	return r;
}

int sk_oci_systemd_update(const char *unit, const json_t *resources, bool v2, struct sk_error *err)
{
	struct bus_words w = { .n = 0 };
	size_t before;
	int r;

	add(&w, strdup("systemctl"));
	if (is_users())
		add(&w, strdup("--user"));
	add(&w, strdup("--runtime"));
	add(&w, strdup("set-property"));
	add(&w, strdup(unit));
	before = w.n;
	add_limits(&w, resources, v2, NULL);
	if (w.n == before) {
		words_fini(&w);
		return 0;
	}
	r = systemctl(&w, err);
	return r == 0 ? 0 : sk_error_wrap(err, "unable to set unit properties");
}

void sk_oci_systemd_stop(const char *unit)
{
	struct sk_error quiet = SK_ERROR_INIT;
	struct bus_words w = { .n = 0 };

	add(&w, strdup("systemctl"));
	if (is_users())
		add(&w, strdup("--user"));
	add(&w, strdup("stop"));
	add(&w, strdup(unit));
	systemctl(&w, &quiet); /* it has gone by itself, as a rule */
}
