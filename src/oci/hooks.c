/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hooks (runtime-spec, "POSIX-platform Hooks"): prestart, createRuntime, poststart and poststop run in the namespaces
 * of the caller, createContainer in the container's, as far as it has them on the host: the network, and a mount
 * namespace in which its root file system has not been handed over yet. startContainer runs in the guest. A hook
 * without an environment gets, as with runc, that of the process that runs it: the caller's, or the container's.
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

struct namespaces {
	int net, mount; /* -1: ours */
	const char *cwd;
};

static int join_namespaces(void *arg)
{
	const struct namespaces *n = arg;

	if (n->net >= 0 && setns(n->net, CLONE_NEWNET) < 0)
		return -errno;
	if (n->mount >= 0 && sk_oci_mounts_enter(n->mount) < 0)
		return -errno;
	/* The bundle may be gone when a container is deleted. */
	return n->cwd && chdir(n->cwd) < 0 && errno != ENOENT ? -errno : 0;
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

static int wait_hook(pid_t pid, int pidfd, json_int_t timeout, const char *path, int *ret_status, struct sk_error *err)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	if (timeout > 0 && timeout < 86400 && pidfd >= 0 && poll(&p, 1, (int)timeout * 1000) == 0) {
		kill(pid, SIGKILL);
		sk_wait(pid);
		return sk_error_set(err, ETIMEDOUT, "hook ran past specified timeout of %lld.0s", (long long)timeout);
	}
	while (waitpid(pid, ret_status, 0) < 0)
		if (errno != EINTR)
			return sk_error_errno(err, errno, "error running hook: %s", path);
	return 0;
}

/* The end of a process, from waitpid's status, in Go's words, which are runc's. */
static void describe_end(int status, char *buf, size_t size)
{
	const char *name;

	if (!WIFSIGNALED(status)) {
		snprintf(buf, size, "exit status %d", WEXITSTATUS(status));
		return;
	}
	name = strsignal(WTERMSIG(status));
	snprintf(buf, size, "signal: %c%s%s", *name | 0x20, name + 1, WCOREDUMP(status) ? " (core dumped)" : "");
}

static void read_text(int fd, char *buf, size_t size)
{
	ssize_t n = pread(fd, buf, size - 1, 0);

	buf[n > 0 ? (size_t)n : 0] = '\0';
}

static int run_one(const json_t *hook, const char *name, size_t index, const char *state, const json_t *environment,
		   struct namespaces *namespaces, struct sk_error *err)
{
	const char *path = json_string_value(json_object_get(hook, "path"));
	const json_t *own = json_object_get(hook, "env");
	_cleanup_free_ const char **args = strings(json_object_get(hook, "args")),
				  **env = strings(json_is_array(own) ? own : environment);
	_cleanup_fd_ int in = memfd_create("state", MFD_CLOEXEC), out = memfd_create("output", MFD_CLOEXEC),
			 errout = memfd_create("output", MFD_CLOEXEC), pidfd = -1;
	const char *plain[] = { path, NULL };
	struct sk_spawn s = SK_SPAWN_INIT;
	char output[512], errors[512];
	char end[64];
	pid_t pid;
	int status, r;

	if (!path || path[0] != '/' || !args || !env)
		return sk_error_set(err, EINVAL, "hook %s #%zu: no absolute path, or its arguments are wrong", name,
				    index);
	if (in < 0 || out < 0 || errout < 0 || sk_fs_write_all(in, state, strlen(state)) < 0 ||
	    lseek(in, 0, SEEK_SET) < 0)
		return sk_error_errno(err, errno, "hook %s #%zu", name, index);
	s.file = path;
	s.argv = args[0] ? args : plain;
	s.envp = json_is_array(own) || environment ? env : NULL;
	s.stdin_fd = in;
	s.stdout_fd = out;
	s.stderr_fd = errout;
	s.prepare = join_namespaces;
	s.prepare_arg = namespaces;
	r = sk_spawn(&s, &pid, &pidfd, NULL);
	if (r < 0) {
		const char *why = strerror(-r);

		return sk_error_set(err, -r, "error running hook #%zu: fork/exec %s: %c%s", index, path, *why | 0x20,
				    why + 1);
	}
	r = wait_hook(pid, pidfd, json_integer_value(json_object_get(hook, "timeout")), path, &status, err);
	if (r < 0)
		return sk_error_wrap(err, "error running hook #%zu", index);
	if (status == 0)
		return 0;
	read_text(out, output, sizeof(output));
	read_text(errout, errors, sizeof(errors));
	describe_end(status, end, sizeof(end));
	return sk_error_set(err, EIO, "error running hook #%zu: error running hook: %s, stdout: %s, stderr: %s", index,
			    end, output, errors);
}

int sk_oci_hooks_run_in(const json_t *hooks, const char *name, const json_t *state,
			const struct sk_oci_hook_place *place, struct sk_error *err)
{
	const json_t *list = json_object_get(hooks, name);
	_cleanup_free_ char *text = NULL;
	struct namespaces namespaces = { .net = -1, .mount = place->mount_ns, .cwd = place->cwd };
	_cleanup_fd_ int netns = -1;
	size_t i;
	int r = 0;

	if (json_array_size(list) == 0)
		return 0;
	text = json_dumps(state, JSON_COMPACT);
	if (!text)
		return sk_error_errno(err, ENOMEM, "hook %s", name);
	if (place->netns_pid > 0) {
		char path[64];

		snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)place->netns_pid);
		netns = open(path, O_RDONLY | O_CLOEXEC);
		if (netns < 0)
			return sk_error_errno(err, errno, "hook %s: cannot open the container's network namespace",
					      name);
		namespaces.net = netns;
	}
	for (i = 0; i < json_array_size(list) && r == 0; i++)
		r = run_one(json_array_get(list, i), name, i, text, place->env, &namespaces, err);
	return r;
}

int sk_oci_hooks_run(const json_t *hooks, const char *name, const json_t *state, struct sk_error *err)
{
	const struct sk_oci_hook_place here = { .cwd = json_string_value(json_object_get(state, "bundle")),
						.mount_ns = -1 };

	return sk_oci_hooks_run_in(hooks, name, state, &here, err);
}
