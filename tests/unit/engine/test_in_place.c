/* SPDX-License-Identifier: Apache-2.0 */
/* "uml_isolation" on a host that has no syscall user dispatch (a seccomp filter takes it away), and guests that are too large for "in-place". */
#include "../sk_test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "engine/engine.h"

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif

static char dir[] = "/tmp/sk-test-in-place-XXXXXX";

static int setup(void **state)
{
	int fd, dfd;

	(void)state;
	if (!mkdtemp(dir) || (dfd = open(dir, O_DIRECTORY | O_CLOEXEC)) < 0)
		return -1;
	fd = openat(dfd, "linux-uml", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	close(fd);
	fd = openat(dfd, "initramfs.cpio", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	close(fd);
	close(dfd);
	return setenv("SKERRY_GUEST_DIR", dir, 1);
}

static int teardown(void **state)
{
	(void)state;
	return sk_fs_remove_tree(AT_FDCWD, dir);
}

static void take_dispatch_away(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PR_SET_SYSCALL_USER_DISPATCH, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	assert_int_equal(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), 0);
}

/* What a user hears; in a process of its own, which keeps the filter. */
static void without_dispatch(void)
{
	struct sk_engine_settings settings = { .kvm_device = "/nonexistent" };
	const struct sk_engine *engine;
	struct sk_error err = SK_ERROR_INIT;

	take_dispatch_away();
	assert_int_equal(sk_engine_find("uml", &settings, &engine, &err), 0);
	assert_int_equal(sk_engine_find(NULL, &settings, &engine, &err), 0);
	assert_string_equal(engine->name, "uml");
	assert_int_equal(sk_uml_in_place_check(1u << 30, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.message, "no syscall user dispatch (Linux 5.11)"));
	settings.uml_isolation = SK_UML_IN_PLACE;
	err = (struct sk_error)SK_ERROR_INIT;
	assert_int_equal(sk_engine_find("uml", &settings, &engine, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.message, "no syscall user dispatch (Linux 5.11)"));
	assert_non_null(strstr(err.message, "\"uml_isolation\": \"auto\""));
	/* Not passed over for the emulation. */
	err = (struct sk_error)SK_ERROR_INIT;
	assert_int_equal(sk_engine_find("auto", &settings, &engine, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.message, "\"uml_isolation\": \"auto\""));
	_exit(0);
}

static void test_without_dispatch(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		without_dispatch();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_sizes(void **state)
{
	struct sk_error err = SK_ERROR_INIT;

	(void)state;
	if (sk_uml_in_place_check(1u << 30, &err) < 0)
		skip();
	assert_int_equal(sk_uml_in_place_check(UINT64_C(130000) << 20, &err), 0);
	assert_int_equal(sk_uml_in_place_check(UINT64_C(128) << 30, &err), -EINVAL);
	assert_non_null(strstr(err.message, "131040 MiB"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_without_dispatch),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
