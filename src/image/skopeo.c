/* SPDX-License-Identifier: Apache-2.0 */
/* Runs skopeo, which talks to registries: its two commands, its credentials, and its errors in our words.. */
#include "image/skopeo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/process.h"

#define STDERR_FILE "skopeo.err"
#define STDOUT_FILE "skopeo.out"
#define STDERR_MAX (64u << 10)
#define RETRIES "2"
#define ARGS_MAX 20

/* ---- words */

/* Messages of skopeo and ours for them. The first match counts. `ours` NULL: skopeo's own words from there on. */
static const struct {
	const char *find, *ours;
	int code;
} reasons[] = {
	{ "no space left on device", "no space left on device", ENOSPC },
	{ "server gave HTTP response to HTTPS client", "the registry does not speak TLS (allow it as insecure?)",
	  EPROTO },
	{ "x509: ", NULL, EPROTO },
	{ "toomanyrequests", "too many requests: the registry's rate limit is reached", EBUSY },
	{ "connection refused", "connection refused", ECONNREFUSED },
	{ "no such host", "no such host", EHOSTUNREACH },
	{ "server misbehaving", "the registry's name cannot be looked up", EHOSTUNREACH },
	{ "Temporary failure in name resolution", "the registry's name cannot be looked up", EHOSTUNREACH },
	{ "network is unreachable", "network is unreachable", ENETUNREACH },
	{ "no route to host", "no route to host", EHOSTUNREACH },
	{ "i/o timeout", "timed out", ETIMEDOUT },
	{ "Client.Timeout", "timed out", ETIMEDOUT },
	{ "invalid username/password", "unauthorized: wrong user name or password", EACCES },
	{ "incorrect username or password", "unauthorized: wrong user name or password", EACCES },
	{ "unauthorized", "unauthorized: the image does not exist or needs a login", EACCES },
	{ "authentication required", "unauthorized: the image does not exist or needs a login", EACCES },
	{ "access to the resource is denied", "denied: the image does not exist or needs a login", EACCES },
	{ "manifest unknown", "manifest unknown: no such image or tag", ENOENT },
	{ "name unknown", "name unknown: no such repository", ENOENT },
	{ "repository name not known", "name unknown: no such repository", ENOENT },
	{ "Source image rejected", NULL, EPERM },
};

/* The text of the last `msg="…"` of logrus, unquoted; or the last line. */
static void last_message(const char *text, char *out, size_t size)
{
	const char *p = text, *msg = NULL, *line = text, *nl;
	size_t n = 0;

	while ((p = strstr(p, "msg=\"")))
		msg = p += 5;
	if (msg) {
		for (; *msg && *msg != '"' && n + 1 < size; msg++) {
			if (*msg == '\\' && msg[1])
				msg++;
			out[n++] = *msg == '\n' ? ' ' : *msg;
		}
	} else {
		while ((nl = strchr(line, '\n')) && nl[1])
			line = nl + 1;
		n = strcspn(line, "\n");
		n = n < size - 1 ? n : size - 1;
		memcpy(out, line, n);
	}
	out[n] = '\0';
}

/* Which host: Go says "lookup NAME: no such host", or "lookup NAME on SERVER: …". */
static void add_host(const char *text, char *out, size_t size)
{
	const char *p = strstr(text, "lookup ");
	size_t n;

	if (!p)
		return;
	p += 7;
	n = strcspn(p, " :\"");
	if (n && n < 254)
		snprintf(out + strlen(out), size - strlen(out), ": %.*s", (int)n, p);
}

int sk_skopeo_reason(const char *text, char *out, size_t size)
{
	/* Wrappings that repeat what the user asked for. */
	static const char *const prefixes[] = { "Error parsing image name ", "initializing source ",
						"parsing image name ", "Error initializing source " };
	char msg[2048];
	const char *p = msg, *q;
	size_t i;

	last_message(text, msg, sizeof(msg));
	for (i = 0; i < SK_ARRAY_SIZE(reasons); i++) {
		q = strstr(text, reasons[i].find);
		if (!q)
			continue;
		if (!reasons[i].ours && !(q = strstr(msg, reasons[i].find)))
			q = reasons[i].find;
		snprintf(out, size, "%s", reasons[i].ours ? reasons[i].ours : q);
		if (reasons[i].code == EHOSTUNREACH)
			add_host(text, out, size);
		return reasons[i].code;
	}
	for (i = 0; i < SK_ARRAY_SIZE(prefixes); i++)
		if (strncmp(p, prefixes[i], strlen(prefixes[i])) == 0 && (q = strstr(p, ": ")))
			p = q + 2;
	snprintf(out, size, "%s", *p ? p : "skopeo failed without saying why");
	return EIO;
}

/* ---- the process */

static int failed(struct sk_skopeo *s, int code, struct sk_error *err)
{
	_cleanup_free_ char *text = NULL;
	char reason[512];
	size_t len;

	if (s->op->store->cancelled)
		return sk_error_set(err, EINTR, "interrupted");
	if (sk_fs_read(s->op->dirfd, STDERR_FILE, STDERR_MAX, &text, &len) < 0 || len == 0)
		return sk_error_set(err, EIO, "skopeo failed with exit code %d", code);
	code = sk_skopeo_reason(text, reason, sizeof(reason));
	return sk_error_set(err, code, "%s", reason);
}

static int open_output(struct sk_skopeo *s, const char *name, struct sk_error *err)
{
	int fd = openat(s->op->dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);

	return fd < 0 ? sk_error_errno(err, errno, "cannot write to the image store %s", s->op->store->path) : fd;
}

static int start(struct sk_skopeo *s, const char *const *argv, struct sk_error *err)
{
	struct sk_spawn spawn = SK_SPAWN_INIT;
	_cleanup_fd_ int out = open_output(s, STDOUT_FILE, err), errfd = -1;

	if (out < 0)
		return out;
	errfd = open_output(s, STDERR_FILE, err);
	if (errfd < 0)
		return errfd;
	spawn.file = "skopeo";
	spawn.argv = argv;
	spawn.stdout_fd = out;
	spawn.stderr_fd = errfd;
	spawn.die_with_parent = true;
	s->pidfd = -1;
	return sk_spawn(&spawn, &s->pid, &s->pidfd, err);
}

int sk_skopeo_wait(struct sk_skopeo *s, int ms, struct sk_error *err)
{
	int code;

	if (s->pid == 0)
		return 0;
	if (sk_process_runs(s->pid, s->pidfd, ms))
		return 1;
	code = sk_wait(s->pid);
	s->pid = 0;
	sk_close_fd(&s->pidfd);
	return code == 0 ? 0 : failed(s, code, err);
}

void sk_skopeo_kill(struct sk_skopeo *s)
{
	if (s->pid == 0)
		return;
	sk_process_kill(s->pid);
	sk_wait(s->pid);
	s->pid = 0;
	sk_close_fd(&s->pidfd);
}

/* ---- credentials --------------------------------------------------------------------------------------------------
 */

/* 1: a file of ours; 0: no such file; -EACCES: a file of another user. */
static int check_auth_file(const char *path)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -EACCES;
	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_uid == geteuid() || st.st_uid == 0) ? 1 : -EACCES;
}

/*
 * The places where skopeo looks for credentials, in its order. Its environment may be another user's (su and sudo keep
 * HOME or XDG_RUNTIME_DIR): a file there that is not ours made it fail, for images that need no credentials, too.
 * `*ret_file`: the first that is ours, or NULL. -EACCES: there is none, but somebody else's.
 */
static int find_auth_file(char **ret_file)
{
	const char *run = getenv("XDG_RUNTIME_DIR"), *home = getenv("HOME"), *config = getenv("XDG_CONFIG_HOME"),
		   *docker = getenv("DOCKER_CONFIG");
	char *files[] = {
		run && *run ? sk_asprintf("%s/containers/auth.json", run)
			    : sk_asprintf("/run/containers/%u/auth.json", geteuid()),
		config && *config ? sk_asprintf("%s/containers/auth.json", config)
		: home		  ? sk_asprintf("%s/.config/containers/auth.json", home)
				  : NULL,
		docker && *docker ? sk_asprintf("%s/config.json", docker)
		: home		  ? sk_asprintf("%s/.docker/config.json", home)
				  : NULL,
	};
	int r, result = 0;
	size_t i;

	*ret_file = NULL;
	for (i = 0; i < SK_ARRAY_SIZE(files); i++) {
		r = files[i] && !*ret_file ? check_auth_file(files[i]) : 0;
		if (r > 0)
			*ret_file = SK_TAKE_PTR(files[i]);
		else if (r < 0)
			result = r;
		free(files[i]);
	}
	return *ret_file ? 0 : result;
}

/* Adds the option that says where credentials are, if it takes one; `*ret_own` lives as long as `argv`. */
static void add_credentials(const struct sk_skopeo *s, bool copy, const char **argv, size_t *n, char **ret_own)
{
	const char *named = getenv("REGISTRY_AUTH_FILE"), *file = s->options->auth_file;
	int r = 0;

	*ret_own = NULL;
	if (!file && !(named && *named)) {
		r = find_auth_file(ret_own);
		file = *ret_own;
	}
	if (file) {
		argv[(*n)++] = copy ? "--src-authfile" : "--authfile";
		argv[(*n)++] = file;
	} else if (r < 0) {
		argv[(*n)++] = copy ? "--src-no-creds" : "--no-creds";
	}
}

/* ---- the two commands */

int sk_skopeo_manifest(struct sk_skopeo *s, const char *ref, char **ret_data, size_t *ret_len, struct sk_error *err)
{
	_cleanup_free_ char *source = sk_asprintf("docker://%s", ref), *own = NULL;
	const char *argv[ARGS_MAX] = { "skopeo", "inspect", "--raw", "--retry-times", RETRIES };
	size_t n = 5;
	int r;

	if (!source)
		return sk_error_errno(err, ENOMEM, "cannot start skopeo");
	if (s->options->insecure)
		argv[n++] = "--tls-verify=false";
	add_credentials(s, false, argv, &n, &own);
	argv[n++] = source;
	r = start(s, argv, err);
	while (r == 0 && (r = sk_skopeo_wait(s, 200, err)) == 1) {
		r = sk_op_cancelled(s->op, err);
		if (r < 0)
			sk_skopeo_kill(s);
	}
	if (r < 0)
		return r;
	r = sk_fs_read(s->op->dirfd, STDOUT_FILE, SK_JSON_MAX, ret_data, ret_len);
	return r < 0 ? sk_error_errno(err, r, "cannot read the manifest") : 0;
}

/* skopeo refuses to copy without a trust policy. Where the machine has none, all is trusted, as docker does. */
static bool have_policy(void)
{
	const char *home = getenv("HOME");
	_cleanup_free_ char *own = sk_asprintf("%s/.config/containers/policy.json", home ? home : "");

	return (home && own && access(own, F_OK) == 0) || access("/etc/containers/policy.json", F_OK) == 0;
}

int sk_skopeo_copy(struct sk_skopeo *s, const char *ref, const char *directory, struct sk_error *err)
{
	_cleanup_free_ char *source = sk_asprintf("docker://%s", ref), *target = sk_asprintf("dir:%s", directory),
			    *own = NULL;
	const char *argv[ARGS_MAX] = { "skopeo" };
	size_t n = 1;

	if (!source || !target)
		return sk_error_errno(err, ENOMEM, "cannot start skopeo");
	if (!have_policy())
		argv[n++] = "--insecure-policy";
	argv[n++] = "--tmpdir"; /* its own would be /var/tmp, which may be small */
	argv[n++] = directory;
	argv[n++] = "copy";
	argv[n++] = "--quiet";
	argv[n++] = "--preserve-digests";
	argv[n++] = "--retry-times";
	argv[n++] = RETRIES;
	if (s->options->insecure)
		argv[n++] = "--src-tls-verify=false";
	add_credentials(s, true, argv, &n, &own);
	argv[n++] = source;
	argv[n++] = target;
	return start(s, argv, err);
}
