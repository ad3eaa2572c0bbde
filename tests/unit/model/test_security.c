/* SPDX-License-Identifier: Apache-2.0 */
/* Capabilities, the seccomp profile, ulimits. */
#include "../sk_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/caps.h"
#include "model/jx.h"
#include "model/seccomp.h"
#include "model/ulimits.h"

static struct sk_strv list_of(const char *words)
{
	struct sk_strv list = { 0 };

	if (*words)
		sk_strv_split(&list, words, ' ');
	return list;
}

static int resolve(const char *add, const char *drop, bool privileged, struct sk_strv *caps, struct sk_error *err)
{
	struct sk_strv a = list_of(add), d = list_of(drop);
	int r = sk_caps_resolve(&a, &d, privileged, caps, err);

	sk_strv_fini(&a);
	sk_strv_fini(&d);
	return r;
}

static void test_caps(void **state)
{
	struct sk_strv caps = { 0 };
	struct sk_error err = SK_ERROR_INIT;

	(void)state;
	assert_int_equal(resolve("", "", false, &caps, &err), 0);
	assert_int_equal(caps.n, 14);
	assert_true(sk_strv_has(&caps, "CAP_NET_BIND_SERVICE") && sk_strv_has(&caps, "CAP_SETFCAP") &&
		    sk_strv_has(&caps, "CAP_MKNOD"));
	assert_false(sk_strv_has(&caps, "CAP_SYS_ADMIN") || sk_strv_has(&caps, "CAP_NET_ADMIN"));
	sk_strv_fini(&caps);
	assert_int_equal(resolve("net_admin CAP_SYS_TIME", "chown", false, &caps, &err), 0);
	assert_int_equal(caps.n, 15);
	assert_true(sk_strv_has(&caps, "CAP_NET_ADMIN") && !sk_strv_has(&caps, "CAP_CHOWN"));
	sk_strv_fini(&caps);
	assert_int_equal(resolve("CHOWN", "ALL", false, &caps, &err), 0);
	assert_int_equal(caps.n, 1);
	sk_strv_fini(&caps);
	assert_int_equal(resolve("ALL", "SYS_ADMIN", false, &caps, &err), 0);
	assert_int_equal(caps.n, 40);
	sk_strv_fini(&caps);
	assert_int_equal(resolve("", "", true, &caps, &err), 0);
	assert_int_equal(caps.n, 41);
	sk_strv_fini(&caps);
	assert_int_equal(resolve("FOO", "", false, &caps, &err), -EINVAL);
	assert_non_null(strstr(err.message, "invalid capability: \"FOO\""));
	sk_strv_fini(&caps);
}

/* "allow", "errno N" or "args" of a call in a profile: what the last matching rule without arguments says, as for
 * libseccomp they must agree. */
static const char *verdict(const json_t *profile, const char *name)
{
	static char buf[32];
	const char *found = NULL;
	json_t *rule, *n;
	size_t i, k;

	json_array_foreach(json_object_get(profile, "syscalls"), i, rule)
	{
		json_array_foreach(json_object_get(rule, "names"), k, n)
		{
			if (strcmp(json_string_value(n), name) != 0)
				continue;
			if (json_object_get(rule, "args"))
				return "args";
			assert_null(found); /* no call is named twice without arguments */
			found = sk_jx_get_str(rule, "action", "");
			if (strcmp(found, "SCMP_ACT_ERRNO") == 0) {
				snprintf(buf, sizeof(buf), "errno %d", (int)sk_jx_get_int(rule, "errnoRet", 0));
				found = buf;
			} else {
				found = "allow";
			}
		}
	}
	return found ? found : "default";
}

static void test_default_profile(void **state)
{
	struct sk_strv caps = { 0 };
	struct sk_error err = SK_ERROR_INIT;
	json_t *p;

	(void)state;
	assert_int_equal(resolve("", "", false, &caps, &err), 0);
	p = sk_seccomp_default(&caps);
	assert_string_equal(sk_jx_get_str(p, "defaultAction", ""), "SCMP_ACT_ERRNO");
	assert_int_equal(sk_jx_get_int(p, "defaultErrnoRet", 0), 38);
	assert_string_equal(verdict(p, "read"), "allow");
	assert_string_equal(verdict(p, "fchmodat2"), "allow");
	assert_string_equal(verdict(p, "ptrace"), "allow");
	assert_string_equal(verdict(p, "chroot"), "allow"); /* CAP_SYS_CHROOT is a default */
	assert_string_equal(verdict(p, "mount"), "errno 1");
	assert_string_equal(verdict(p, "io_uring_setup"), "errno 1");
	assert_string_equal(verdict(p, "keyctl"), "errno 1");
	assert_string_equal(verdict(p, "bpf"), "errno 1");
	assert_string_equal(verdict(p, "clone"), "args");
	assert_string_equal(verdict(p, "socket"), "args");
	assert_string_equal(verdict(p, "clone3"), "errno 38");
	assert_string_equal(verdict(p, "a_call_of_next_year"), "default");
	json_decref(p);
	sk_strv_fini(&caps);
	assert_int_equal(resolve("SYS_ADMIN BPF", "SYS_CHROOT", false, &caps, &err), 0);
	p = sk_seccomp_default(&caps);
	assert_string_equal(verdict(p, "mount"), "allow");
	assert_string_equal(verdict(p, "clone"), "allow");
	assert_string_equal(verdict(p, "clone3"), "allow");
	assert_string_equal(verdict(p, "bpf"), "allow");
	assert_string_equal(verdict(p, "chroot"), "errno 1");
	json_decref(p);
	sk_strv_fini(&caps);
}

static int load_text(const char *text, const struct sk_strv *caps, json_t **ret, struct sk_error *err)
{
	char path[] = "/tmp/sk-seccomp-XXXXXX";
	int fd = mkstemp(path), r;

	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	r = sk_seccomp_load(path, caps, ret, err);
	unlink(path);
	return r;
}

static void test_given_profile(void **state)
{
	static const char text[] =
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"archMap\":[{\"architecture\":\"SCMP_ARCH_X86_64\","
		"\"subArchitectures\":[\"SCMP_ARCH_X86\"]},"
		"{\"architecture\":\"SCMP_ARCH_AARCH64\",\"subArchitectures\":[\"SCMP_ARCH_ARM\"]}],\"syscalls\":["
		"{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[],\"comment\":\"x\",\"includes\":{},"
		"\"excludes\":{}},"
		"{\"name\":\"write\",\"action\":\"SCMP_ACT_ALLOW\"},"
		"{\"names\":[\"mount\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"caps\":[\"CAP_SYS_ADMIN\"]}},"
		"{\"names\":[\"umount2\"],\"action\":\"SCMP_ACT_ALLOW\",\"excludes\":{\"caps\":[\"CAP_SYS_ADMIN\"]}},"
		"{\"names\":[\"breakpoint\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"arches\":[\"mips\"]}}]}";
	struct sk_strv caps = { 0 };
	struct sk_error err = SK_ERROR_INIT;
	json_t *p = NULL;

	(void)state;
	assert_int_equal(load_text(text, &caps, &p, &err), 0);
	assert_int_equal(json_array_size(json_object_get(p, "architectures")), 2);
	assert_string_equal(verdict(p, "read"), "allow");
	assert_string_equal(verdict(p, "write"), "allow");
	assert_string_equal(verdict(p, "mount"), "default");
	assert_string_equal(verdict(p, "umount2"), "allow");
	assert_string_equal(verdict(p, "breakpoint"), "default");
	json_decref(p);
	sk_strv_add(&caps, "CAP_SYS_ADMIN");
	assert_int_equal(load_text(text, &caps, &p, &err), 0);
	assert_string_equal(verdict(p, "mount"), "allow");
	assert_string_equal(verdict(p, "umount2"), "default");
	json_decref(p);
	assert_int_equal(load_text("{", &caps, &p, &err), -EINVAL);
	assert_int_equal(load_text("{}", &caps, &p, &err), -EINVAL);
	assert_int_equal(sk_seccomp_load("/nonexistent", &caps, &p, &err), -ENOENT);
	sk_strv_fini(&caps);
}

static void test_ulimits(void **state)
{
	struct sk_ulimit u;
	char why[256];

	(void)state;
	assert_int_equal(sk_ulimit_parse("nofile=1024:2048", &u, why), 0);
	assert_true(u.soft == 1024 && u.hard == 2048);
	assert_string_equal(u.rlimit, "RLIMIT_NOFILE");
	assert_int_equal(sk_ulimit_parse("core=-1", &u, why), 0);
	assert_true(u.soft == -1 && u.hard == -1);
	assert_true(sk_ulimit_parse("x", &u, why) < 0);
	assert_string_equal(why, "invalid ulimit argument: x");
	assert_true(sk_ulimit_parse("bogus=1", &u, why) < 0);
	assert_true(sk_ulimit_parse("nofile=2:1", &u, why) < 0);
	assert_true(sk_ulimit_parse("nofile=-1:1", &u, why) < 0);
	assert_true(sk_ulimit_parse("nofile=a", &u, why) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_caps),
		cmocka_unit_test(test_default_profile),
		cmocka_unit_test(test_given_profile),
		cmocka_unit_test(test_ulimits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
