/* SPDX-License-Identifier: Apache-2.0 */
/* What is done for dockerd in place of its own program: which network namespace a container has, IPv6 in it. */
#include "../sk_test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reexec.h"

#define STATE "{\"ociVersion\":\"1.0\",\"id\":\"abc\",\"status\":\"created\",\"pid\":4711,\"bundle\":\"/b\"}"

static char top[] = "/tmp/sk-reexec-XXXXXX";

static int set_up(void **state)
{
	char path[128];

	(void)state;
	if (!mkdtemp(top))
		return -1;
	snprintf(path, sizeof(path), "%s/libnetwork", top);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/all", top);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/all/disable_ipv6", top);
	return close(open(path, O_WRONLY | O_CREAT, 0600));
}

static int tear_down(void **state)
{
	static const char *const files[] = { "all/disable_ipv6", "libnetwork/ctl.sock", "libnetwork", "all", "." };
	char path[128];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(files) / sizeof(*files); i++) {
		snprintf(path, sizeof(path), "%s/%s", top, files[i]);
		if (unlink(path) < 0 && i < 4)
			rmdir(path);
	}
	return rmdir(top);
}

static void expect_file(const char *wanted)
{
	char path[128], text[16];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/all/disable_ipv6", top);
	fd = open(path, O_RDONLY);
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	assert_true(n >= 0);
	text[n] = '\0';
	assert_string_equal(text, wanted);
}

static int set_ipv6(const char *namespace, const char *interface, const char *enable)
{
	const char *argv[] = { "set-ipv6", namespace, interface, enable, NULL };

	return sk_reexec_set_ipv6(enable ? 4 : 3, (char **)(uintptr_t)argv, top);
}

static void test_ipv6(void **state)
{
	(void)state;
	assert_int_equal(set_ipv6("", "all", "false"), 0);
	expect_file("1\n");
	assert_int_equal(set_ipv6("", "all", "true"), 0);
	expect_file("0\n");
	/* a kernel without IPv6 */
	assert_int_equal(set_ipv6("", "eth0", "true"), 0);
	assert_int_equal(set_ipv6("/no/such/namespace", "all", "true"), 1);
	assert_int_equal(set_ipv6("", "../all", "false"), 1);
	assert_int_equal(set_ipv6("", "all", NULL), 1);
	expect_file("0\n");
}

/* dockerd's end of it: what it was told goes to `told`. */
static pid_t serve(const char *answer, int told)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), conn;
	char buf[512];
	ssize_t n;
	pid_t pid;

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/libnetwork/ctl.sock", top);
	unlink(sun.sun_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(fd, 1), 0);
	pid = fork();
	if (pid > 0) {
		close(fd);
		return pid;
	}
	conn = accept(fd, NULL, NULL);
	n = recv(conn, buf, sizeof(buf), 0);
	if (n > 0 && write(told, buf, (size_t)n) == n && send(conn, answer, strlen(answer), MSG_NOSIGNAL) >= 0)
		_exit(0);
	_exit(1);
}

static int tell(const char *answer, char *told, size_t size)
{
	char root[160];
	int fds[2], r, status;
	pid_t pid;
	ssize_t n;

	assert_int_equal(pipe(fds), 0);
	pid = serve(answer, fds[1]);
	close(fds[1]);
	snprintf(root, sizeof(root), "-exec-root=%s", top);
	r = sk_reexec_setkey(4, (char *[]){ (char *)"libnetwork-setkey", root, (char *)"abc", (char *)"ctl", NULL },
			     STATE, strlen(STATE));
	n = read(fds[0], told, size - 1);
	told[n > 0 ? n : 0] = '\0';
	close(fds[0]);
	waitpid(pid, &status, 0);
	return r;
}

static void test_setkey(void **state)
{
	char told[512], root[160];

	(void)state;
	assert_int_equal(tell("success", told, sizeof(told)), 0);
	assert_string_equal(told, "{\"ContainerID\":\"abc\",\"Key\":\"/proc/4711/ns/net\"}");
	assert_int_equal(tell("no sandbox of abc", told, sizeof(told)), 1);
	assert_int_equal(tell("", told, sizeof(told)), 1);
	snprintf(root, sizeof(root), "%s", top);
	/* nobody listens; wrong words; a state without a process */
	assert_int_equal(sk_reexec_setkey(5,
					  (char *[]){ (char *)"x", (char *)"-exec-root", root, (char *)"abc",
						      (char *)"other", NULL },
					  STATE, strlen(STATE)),
			 1);
	assert_int_equal(sk_reexec_setkey(2, (char *[]){ (char *)"x", (char *)"abc", NULL }, STATE, strlen(STATE)), 1);
	assert_int_equal(sk_reexec_setkey(3, (char *[]){ (char *)"x", (char *)"abc", (char *)"../x", NULL }, STATE,
					  strlen(STATE)),
			 1);
	assert_int_equal(sk_reexec_setkey(3, (char *[]){ (char *)"x", (char *)"abc", (char *)"ctl", NULL }, "{}", 2),
			 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_setkey),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
