/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hooks (runtime-spec, "POSIX-platform Hooks"): prestart, createRuntime, poststart and poststop run in the namespaces
 * of the caller, createContainer in the container's, as far as it has one on the host: that is the network.
 * startContainer runs in the guest.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/process.h"
#include "oci/oci.h"

#define SK_HOOK_ARGS_MAX 4096u

static int join_netns(void *arg)
{
	return setns(*(int *)arg, CLONE_NEWNET) < 0 ? -errno : 0;
}

/* A NULL-terminated copy of a list of strings; the strings stay the list's. */
static const char **strings(const json_t *list)
{
	size_t i, n = json_array_size(list);
	const char **v = n <= SK_HOOK_ARGS_MAX ? calloc(n + 1, sizeof(*v)) : NULL;

	for (i = 0; v && i < n; i++) {
		v[i] = json_string_value(json_array_get(list, i));
		if (!v[i])
			v[i] = "";
	}
	return v;
}

static int wait_hook(pid_t pid, int pidfd, json_int_t timeout, const char *path, struct sk_error *err)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int code;

	if (timeout > 0 && timeout < 86400 && pidfd >= 0 && poll(&p, 1, (int)timeout * 1000) == 0) {
		kill(pid, SIGKILL);
		sk_wait(pid);
		return sk_error_set(err, ETIMEDOUT, "error running hook: %s did not end within %lld s", path,
				    (long long)timeout);
	}
	code = sk_wait(pid);
	return code < 0 ? sk_error_errno(err, code, "error running hook: %s", path) : code;
}

static void read_tail(int fd, char *buf, size_t size)
{
	ssize_t n = pread(fd, buf, size - 1, 0);

	buf[n > 0 ? (size_t)n : 0] = '\0';
	while (n > 0 && buf[n - 1] == '\n')
		buf[--n] = '\0';
}

static int run_one(const json_t *hook, const char *name, size_t index, const char *state, int netns_fd,
		   struct sk_error *err)
{
	const char *path = json_string_value(json_object_get(hook, "path"));
	_cleanup_free_ const char **args = strings(json_object_get(hook, "args")),
				  **env = strings(json_object_get(hook, "env"));
	_cleanup_fd_ int in = memfd_create("state", MFD_CLOEXEC), out = memfd_create("output", MFD_CLOEXEC), pidfd = -1;
	const char *plain[] = { path, NULL };
	struct sk_spawn s = SK_SPAWN_INIT;
	char output[512];
	pid_t pid;
	int r;

	if (!path || path[0] != '/' || !args || !env)
		return sk_error_set(err, EINVAL, "hook %s #%zu: no absolute path, or its arguments are wrong", name,
				    index);
	if (in < 0 || out < 0 || sk_fs_write_all(in, state, strlen(state)) < 0 || lseek(in, 0, SEEK_SET) < 0)
		return sk_error_errno(err, errno, "hook %s #%zu", name, index);
	s.file = path;
	s.argv = args[0] ? args : plain;
	s.envp = env;
	s.stdin_fd = in;
	s.stdout_fd = s.stderr_fd = out;
	if (netns_fd >= 0) {
		s.prepare = join_netns;
		s.prepare_arg = &netns_fd;
	}
	r = sk_spawn(&s, &pid, &pidfd, err);
	if (r == 0)
		r = wait_hook(pid, pidfd, json_integer_value(json_object_get(hook, "timeout")), path, err);
	if (r <= 0)
		return r;
	read_tail(out, output, sizeof(output));
	return sk_error_set(err, EIO,
			    "error running hook #%zu: error running hook: exit status %d, stdout: , stderr: %s", index,
			    r, output);
}

int sk_oci_hooks_run(const json_t *hooks, const char *name, const json_t *state, pid_t netns_pid, struct sk_error *err)
{
	const json_t *list = json_object_get(hooks, name);
	_cleanup_free_ char *text = NULL;
	_cleanup_fd_ int netns = -1;
	size_t i;
	int r = 0;

	if (json_array_size(list) == 0)
		return 0;
	text = json_dumps(state, JSON_COMPACT);
	if (!text)
		return sk_error_errno(err, ENOMEM, "hook %s", name);
	if (netns_pid > 0) {
		char path[64];

		snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)netns_pid);
		netns = open(path, O_RDONLY | O_CLOEXEC);
		if (netns < 0)
			return sk_error_errno(err, errno, "hook %s: cannot open the container's network namespace",
					      name);
	}
	for (i = 0; i < json_array_size(list) && r == 0; i++)
		r = run_one(json_array_get(list, i), name, i, text, netns, err);
	return r;
}
