/* SPDX-License-Identifier: Apache-2.0 */
/* What the process that runs the guest kernel can reach of the host: nothing. As root and as a plain user (whoever runs
 * the test). */
#include "../sk_test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/process.h"
#include "engine/engine.h"

static char dir[] = "/tmp/sk-test-engine-XXXXXX";

static void copy(const char *from, const char *name)
{
	_cleanup_fd_ int in = open(from, O_RDONLY), out = -1;
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	out = open(path, O_WRONLY | O_CREAT, 0755);
	assert_true(in >= 0 && out >= 0);
	assert_int_equal(sk_fs_copy_sparse(in, out), 0);
}

static int setup(void **state)
{
	char path[128];

	(void)state;
	if (!mkdtemp(dir))
		return -1;
	copy(getenv("SKERRY_TEST_PROBE"), "linux-uml");
	copy("/dev/null", "initramfs.cpio");
	setenv("SKERRY_GUEST_DIR", dir, 1);
	snprintf(path, sizeof(path), "%s/run", dir);
	if (mkdir(path, 0700) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/run/vu", dir);
	return mkdir(path, 0711) < 0 || chmod(path, 0711) < 0;
}

static int teardown(void **state)
{
	(void)state;
	return sk_fs_remove_tree(AT_FDCWD, dir);
}

static void run(char *out, size_t size)
{
	const struct sk_engine *engine;
	struct sk_engine_config c = { .name = "0123456789ab", .memory = 64 << 20, .cpus = 1 };
	struct sk_error err = SK_ERROR_INIT;
	struct sk_engine_process p;
	int pipefd[2];
	size_t len = 0;
	ssize_t n;
	char run_dir[128];

	umask(077); /* the monitor's */
	snprintf(run_dir, sizeof(run_dir), "%s/run", dir);
	c.run_dir = run_dir;
	assert_int_equal(pipe2(pipefd, O_CLOEXEC), 0);
	c.console_fd = pipefd[1];
	assert_int_equal(sk_engine_find("uml", NULL, &engine, &err), 0);
	if (engine->start(&c, &p, &err) < 0)
		fail_msg("%s", err.message);
	close(pipefd[1]);
	while ((n = read(pipefd[0], out + len, size - 1 - len)) > 0)
		len += (size_t)n;
	out[len] = '\0';
	close(pipefd[0]);
	assert_int_equal(sk_wait(p.pid), 0);
	sk_close_fd(&p.pidfd);
	sk_close_fd(&p.claim_fd);
}

static bool namespaces_work(void)
{
	const char *argv[] = { "unshare", "--user", "--mount", "--pid", "--fork", "true", NULL };
	struct sk_spawn s = SK_SPAWN_INIT;

	s.file = "unshare";
	s.argv = argv;
	return sk_run(&s, NULL) == 0;
}

static void test_reach(void **state)
{
	char out[8192], *line, *save = NULL;
	bool namespaces = geteuid() == 0 || namespaces_work();

	(void)state;
	run(out, sizeof(out));
	assert_non_null(strstr(out, "DONE"));
	for (line = strtok_r(out, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (!namespaces && (strncmp(line, "SEES", 4) == 0 || strstr(line, "/etc/passwd")))
			continue;
		if (strncmp(line, "CAN ", 4) == 0)
			fail_msg("the guest kernel's process can %s", line + 4);
		if (strncmp(line, "SEES ", 5) == 0 && !strstr(" linux initramfs vu dev tmp ", line + 5))
			fail_msg("the guest kernel's process sees /%s of the host", line + 5);
	}
	if (!namespaces)
		print_message("no user namespaces here: the file part was not tested\n");
}

/* The process goes with the thread that started it. */
static void test_dies_with_parent(void **state)
{
	const struct sk_engine *engine;
	struct sk_engine_process p;
	char script[128];
	pid_t child;
	int pipefd[2], i;

	(void)state;
	snprintf(script, sizeof(script), "%s/sleeper", dir);
	assert_int_equal(sk_fs_write_atomic(AT_FDCWD, script, "#!/bin/sh\nexec sleep 100\n", 25, 0700, false), 0);
	setenv("SKERRY_FAKE_ENGINE", script, 1);
	assert_int_equal(pipe(pipefd), 0);
	child = fork();
	if (child == 0) {
		struct sk_engine_config c = { .run_dir = dir, .console_fd = -1 };

		if (sk_engine_find("fake", NULL, &engine, NULL) < 0 || engine->start(&c, &p, NULL) < 0 ||
		    write(pipefd[1], &p.pid, sizeof(p.pid)) < 0)
			_exit(1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(pipefd[0], &p.pid, sizeof(p.pid)), sizeof(p.pid));
	assert_int_equal(kill(p.pid, 0), 0);
	kill(child, SIGKILL);
	sk_wait(child);
	for (i = 0; i < 3000 && kill(p.pid, 0) == 0; i++) {
		_cleanup_free_ char *stat = NULL;
		char path[64];

		snprintf(path, sizeof(path), "/proc/%d/stat", p.pid);
		if (sk_fs_read(AT_FDCWD, path, 4096, &stat, NULL) == 0 && strstr(stat, ") Z "))
			break; /* dead, not yet waited for by whoever inherited it */
		usleep(10000);
	}
	assert_true(i < 3000);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_reach), cmocka_unit_test(test_dies_with_parent) };

	return cmocka_run_group_tests_name("engine-confine", tests, setup, teardown);
}
