/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries what a process that runs the guest kernel could reach of the host: nothing. As root and as a plain user (as
 * which the test runs).
 */
#include "../sk_test.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
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

/* 0 or what start() said. */
static int run_isolated(enum sk_confinement sandbox, enum sk_uml_isolation isolation, unsigned cpus, char *out,
			size_t size, struct sk_error *err)
{
	const struct sk_engine *engine;
	struct sk_engine_settings settings = { .sandbox = sandbox, .uml_isolation = isolation };
	struct sk_engine_config c = { .name = "0123456789ab", .memory = 64 << 20, .cpus = cpus, .settings = &settings };
	struct sk_engine_process p;
	int pipefd[2];
	size_t len = 0;
	ssize_t n;
	char run_dir[128];
	int r;

	umask(077); /* the monitor's */
	snprintf(run_dir, sizeof(run_dir), "%s/run", dir);
	c.run_dir = run_dir;
	assert_int_equal(pipe2(pipefd, O_CLOEXEC), 0);
	c.console_fd = pipefd[1];
	assert_int_equal(sk_engine_find("uml", NULL, &engine, err), 0);
	r = engine->start(&c, &p, err);
	close(pipefd[1]);
	out[0] = '\0';
	if (r < 0) {
		close(pipefd[0]);
		return r;
	}
	while ((n = read(pipefd[0], out + len, size - 1 - len)) > 0)
		len += (size_t)n;
	out[len] = '\0';
	close(pipefd[0]);
	assert_int_equal(sk_wait(p.pid), 0);
	sk_close_fd(&p.pidfd);
	sk_close_fd(&p.claim_fd);
	return 0;
}

static int run(enum sk_confinement sandbox, char *out, size_t size, struct sk_error *err)
{
	return run_isolated(sandbox, SK_UML_AUTO, 1, out, size, err);
}

/* What the guest kernel was told of "uml_isolation": "in-place". */
static bool said_in_place(const char *out)
{
	return strstr(out, "IS in place\n") != NULL;
}

static bool namespaces_work(void)
{
	const char *argv[] = { "unshare", "--user", "--mount", "--pid", "--fork", "true", NULL };
	struct sk_spawn s = SK_SPAWN_INIT;

	s.file = "unshare";
	s.argv = argv;
	return sk_run(&s, NULL) == 0;
}

static int listen_abstract(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t len = (size_t)snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1, "sk-test-engine");

	assert_int_equal(bind(fd, (struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len)),
			 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

/* Lines of the probe that are not as they should be; the number of them. */
static int judge(char *out)
{
	char *line, *save = NULL;
	int bad = strstr(out, "DONE") ? 0 : 1;

	for (line = strtok_r(out, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		/* In a user namespace without another: by its number only. */
		if (strcmp(line, "CAN be root") == 0 && sk_in_user_namespace())
			continue;
		if (strncmp(line, "CAN ", 4) == 0 ||
		    (strncmp(line, "SEES ", 5) == 0 && !strstr(" linux initramfs vu dev tmp ", line + 5))) {
			print_message("the guest kernel's process: %s\n", line);
			bad++;
		}
	}
	return bad;
}

static void test_reach(void **state)
{
	struct sk_error err = SK_ERROR_INIT;
	char out[8192];
	int fd;

	(void)state;
	if (geteuid() != 0 && !namespaces_work()) {
		print_message("no user namespaces here: not tested\n");
		skip();
	}
	fd = listen_abstract();
	if (run(SK_CONFINEMENT_NAMESPACES, out, sizeof(out), &err) < 0)
		fail_msg("%s", err.message);
	close(fd);
	assert_int_equal(judge(out), 0);
}

/* "auto" is in place with the whole sandbox and a host that can do it. */
static void test_isolation(void **state)
{
	struct sk_error err = SK_ERROR_INIT;
	bool possible = sk_uml_in_place_check(64 << 20, &err) == 0;
	char out[8192];

	(void)state;
	if (geteuid() != 0 && !namespaces_work()) {
		print_message("no user namespaces here: not tested\n");
		skip();
	}
	assert_int_equal(run_isolated(SK_CONFINEMENT_NAMESPACES, SK_UML_AUTO, 1, out, sizeof(out), &err), 0);
	assert_int_equal(said_in_place(out), possible);
	assert_int_equal(run_isolated(SK_CONFINEMENT_FILTER, SK_UML_AUTO, 1, out, sizeof(out), &err), 0);
	assert_int_equal(said_in_place(out), possible); /* there are namespaces all the same */
	assert_int_equal(run_isolated(SK_CONFINEMENT_NAMESPACES, SK_UML_AUTO, 2, out, sizeof(out), &err), 0);
	assert_int_equal(said_in_place(out), possible);
	assert_int_equal(run_isolated(SK_CONFINEMENT_NAMESPACES, SK_UML_SEPARATE, 1, out, sizeof(out), &err), 0);
	assert_false(said_in_place(out));
	if (!possible)
		skip();
	assert_int_equal(run_isolated(SK_CONFINEMENT_NAMESPACES, SK_UML_IN_PLACE, 1, out, sizeof(out), &err), 0);
	assert_true(said_in_place(out));
	assert_int_equal(run_isolated(SK_CONFINEMENT_NAMESPACES, SK_UML_IN_PLACE, 2, out, sizeof(out), &err), 0);
	assert_true(said_in_place(out));
}

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY), r = fd < 0 || write(fd, text, strlen(text)) < 0;

	close(fd);
	return r;
}

/* A host that gives no (more) mount namespaces: from now on, for this process and its children. */
static int refuse_namespaces(void)
{
	char uid[64], gid[64];

	snprintf(uid, sizeof(uid), "%u %u 1", geteuid(), geteuid());
	snprintf(gid, sizeof(gid), "%u %u 1", getegid(), getegid());
	if (unshare(CLONE_NEWUSER) < 0)
		return -1;
	return write_text("/proc/self/setgroups", "deny") || write_text("/proc/self/uid_map", uid) ||
	       write_text("/proc/self/gid_map", gid) || write_text("/proc/sys/user/max_mnt_namespaces", "0");
}

static int without_namespaces(void)
{
	bool landlock = syscall(SYS_landlock_create_ruleset, NULL, 0, 1) >= 6;
	struct sk_error err = SK_ERROR_INIT;
	char out[8192];
	int fd;

	if (refuse_namespaces() != 0)
		return 77;
	if (run(SK_CONFINEMENT_NAMESPACES, out, sizeof(out), &err) == 0 || !strstr(err.message, "\"sandbox\"")) {
		print_message("it runs all the same: %s %s\n", err.message, out);
		return 1;
	}
	if (!landlock)
		return 77;
	fd = listen_abstract();
	err = (struct sk_error)SK_ERROR_INIT;
	if (run(SK_CONFINEMENT_LANDLOCK, out, sizeof(out), &err) < 0) {
		print_message("%s\n", err.message);
		return 1;
	}
	close(fd);
	if (said_in_place(out)) {
		print_message("in place, without namespaces\n");
		return 1;
	}
	return judge(out) ? 1 : 0;
}

/* Where namespaces are refused nothing runs, but if the configuration allows it; then Landlock hides the files. */
static void test_refused(void **state)
{
	pid_t pid = fork();
	int r;

	(void)state;
	if (pid == 0)
		_exit(without_namespaces());
	r = sk_wait(pid);
	if (r == 77) {
		print_message("no user namespaces or Landlock with scopes here: not tested\n");
		skip();
	}
	assert_int_equal(r, 0);
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
			break; /* dead, not yet reaped by its new parent */
		usleep(10000);
	}
	assert_true(i < 3000);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_reach), cmocka_unit_test(test_refused),
					    cmocka_unit_test(test_isolation), cmocka_unit_test(test_dies_with_parent) };

	return cmocka_run_group_tests_name("engine-confine", tests, setup, teardown);
}
