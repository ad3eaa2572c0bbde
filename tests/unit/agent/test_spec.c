/* SPDX-License-Identifier: Apache-2.0 */
/* The spec that crun gets, and what becomes of crun's errors. */
#include "../sk_test.h"

#include <string.h>

#include "spec.h"

static struct sk_error err;

static json_t *json(const char *text)
{
	json_t *o = json_loads(text, 0, NULL);

	assert_non_null(o);
	return o;
}

static const char *text_at(const json_t *o, const char *a, const char *b)
{
	return json_string_value(json_object_get(json_object_get(o, a), b));
}

/* A tmpfs in a shared directory comes after the directory. */
static void test_mounts_in_order(void **state)
{
	json_t *spec =
		json("{\"process\":{\"args\":[\"sh\"]},\"root\":{\"path\":\"/host\"},\"mounts\":["
		     "{\"destination\":\"/proc\"},{\"destination\":\"/data/tmp\"},{\"destination\":\"/database\"}]}");
	json_t *binds = json("[{\"destination\":\"/data\"},{\"destination\":\"/data/in\"}]"), *sysctl = NULL, *list;
	static const char *const wanted[] = { "/proc", "/data", "/data/tmp", "/database", "/data/in" };
	struct sk_stdio_spec stdio = { 0 };
	struct sk_spec_extra x = { .container = "c0", .rootfs = "/run/r", .binds = binds, .stdio = &stdio };
	size_t i;

	(void)state;
	assert_int_equal(sk_spec_complete(spec, &x, &sysctl, &err), 0);
	list = json_object_get(spec, "mounts");
	assert_int_equal(json_array_size(list), 5);
	for (i = 0; i < 5; i++)
		assert_string_equal(json_string_value(json_object_get(json_array_get(list, i), "destination")),
				    wanted[i]);
	json_decref(spec);
	json_decref(binds);
	json_decref(sysctl);
}

static void test_complete(void **state)
{
	json_t *spec = json("{\"process\":{\"args\":[\"sh\"],\"apparmorProfile\":\"p\",\"selinuxLabel\":\"l\"},"
			    "\"root\":{\"path\":\"/host\"},"
			    "\"hooks\":{\"prestart\":[{\"path\":\"/bin/evil\"}]},\"linux\":{\"cgroupsPath\":\"/docker/"
			    "x\",\"mountLabel\":\"m\","
			    "\"namespaces\":[{\"type\":\"network\",\"path\":\"/proc/1/ns/"
			    "net\"},{\"type\":\"pid\"},{\"type\":\"ipc\",\"path\":\"/p\"},{}],"
			    "\"sysctl\":{\"net.core.somaxconn\":\"9\",\"kernel.shmmax\":\"1\"}}}");
	json_t *binds = json_pack("[{s:s}]", "destination", "/etc/hosts"), *sysctl = NULL, *list;
	struct sk_stdio_spec stdio = { .terminal = true, .rows = 10, .cols = 20 };
	struct sk_spec_extra x = { .container = "c0",
				   .rootfs = "/run/r",
				   .readonly = true,
				   .init = true,
				   .init_path = "/init",
				   .binds = binds,
				   .stdio = &stdio };

	(void)state;
	assert_int_equal(sk_spec_complete(spec, &x, &sysctl, &err), 0);
	assert_string_equal(text_at(spec, "root", "path"), "/run/r");
	assert_true(json_is_true(json_object_get(json_object_get(spec, "root"), "readonly")));
	assert_null(json_object_get(spec, "hooks"));
	assert_string_equal(text_at(spec, "linux", "cgroupsPath"), "/c0");
	list = json_object_get(json_object_get(spec, "linux"), "namespaces");
	assert_int_equal(json_array_size(list), 2);
	assert_null(json_object_get(json_array_get(list, 1), "path"));
	assert_int_equal(json_object_size(sysctl), 1);
	assert_string_equal(json_string_value(json_object_get(sysctl, "net.core.somaxconn")), "9");
	assert_int_equal(json_object_size(json_object_get(json_object_get(spec, "linux"), "sysctl")), 1);
	list = json_object_get(json_object_get(spec, "process"), "args");
	assert_string_equal(json_string_value(json_array_get(list, 0)), "/sbin/docker-init");
	assert_string_equal(json_string_value(json_array_get(list, 2)), "sh");
	assert_string_equal(text_at(spec, "process", "cwd"), "/");
	assert_null(text_at(spec, "process", "apparmorProfile"));
	assert_int_equal(json_array_size(json_object_get(spec, "mounts")), 2);
	assert_true(json_is_true(json_object_get(json_object_get(spec, "process"), "terminal")));
	json_decref(spec);
	json_decref(binds);
	json_decref(sysctl);
}

/* The container's limit in the spec, when it asks for `limit` and can have `most`; 0: none. */
static json_int_t limit_of(json_int_t limit, uint64_t most)
{
	struct sk_stdio_spec stdio = { 0 };
	struct sk_spec_extra x = { .container = "c0", .rootfs = "/r", .stdio = &stdio, .memory = most };
	json_t *spec = json_pack("{s:{s:[s]}}", "process", "args", "sh"), *sysctl = NULL, *memory;

	if (limit)
		json_object_set_new(spec, "linux", json_pack("{s:{s:{s:I}}}", "resources", "memory", "limit", limit));
	assert_int_equal(sk_spec_complete(spec, &x, &sysctl, &err), 0);
	memory = json_object_get(json_object_get(json_object_get(spec, "linux"), "resources"), "memory");
	limit = json_integer_value(json_object_get(memory, "limit"));
	json_decref(spec);
	json_decref(sysctl);
	return limit;
}

static void test_memory_is_what_there_is(void **state)
{
	(void)state;
	assert_int_equal(limit_of(0, 1000), 1000);
	assert_int_equal(limit_of(-1, 1000), 1000);
	assert_int_equal(limit_of(5000, 1000), 1000);
	assert_int_equal(limit_of(500, 1000), 500);
	assert_int_equal(limit_of(500, 0), 500);
	assert_int_equal(limit_of(0, 0), 0);
}

static void test_complete_refused(void **state)
{
	static const char *const bad[] = { "{}",
					   "{\"process\":7}",
					   "{\"process\":{}}",
					   "{\"process\":{\"args\":[]}}",
					   "{\"process\":{\"args\":[5]}}",
					   "{\"process\":{\"args\":\"sh\"}}" };
	struct sk_stdio_spec stdio = { 0 };
	struct sk_spec_extra x = { .container = "c0", .rootfs = "/r", .stdio = &stdio };
	json_t *sysctl;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		json_t *spec = json(bad[i]);

		assert_true(sk_spec_complete(spec, &x, &sysctl, &err) < 0);
		json_decref(spec);
	}
}

static void test_user_and_home(void **state)
{
	json_t *spec = json("{\"process\":{\"env\":[\"A=1\",\"HOMER=x\"]}}"),
	       *process = json_object_get(spec, "process");
	static struct sk_user user = { .uid = 5, .gid = 6, .home = "/h", .n_groups = 2, .groups = { 6, 9 } };
	json_t *exec = json("{\"args\":[\"x\"]}"), *env;

	(void)state;
	assert_int_equal(sk_spec_user(process, &user, spec, &err), 0);
	env = json_object_get(process, "env");
	assert_int_equal(json_array_size(env), 3);
	assert_string_equal(json_string_value(json_array_get(env, 2)), "HOME=/h");
	assert_int_equal(json_array_size(json_object_get(json_object_get(process, "user"), "additionalGids")), 2);
	/* an exec has the container's environment, but its own user's home */
	sk_spec_inherit(exec, spec);
	assert_int_equal(json_array_size(json_object_get(exec, "env")), 2);
	strcpy(user.home, "/other");
	assert_int_equal(sk_spec_user(exec, &user, NULL, &err), 0);
	assert_string_equal(json_string_value(json_array_get(json_object_get(exec, "env"), 2)), "HOME=/other");
	/* a HOME that was given stays */
	assert_int_equal(sk_spec_user(exec, &user, NULL, &err), 0);
	assert_int_equal(json_array_size(json_object_get(exec, "env")), 3);
	json_decref(spec);
	json_decref(exec);
}

static void test_home_not_text(void **state)
{
	json_t *process = json_object();
	static struct sk_user user = { .home = "/\xff\xfe" };

	(void)state;
	assert_int_equal(sk_spec_user(process, &user, NULL, &err), 0);
	assert_string_equal(json_string_value(json_array_get(json_object_get(process, "env"), 0)), "HOME=/");
	json_decref(process);
}

static void test_crun_errors(void **state)
{
	static const struct {
		const char *log, *program, *message;
		int code;
	} rows[] = {
		{ "2025-01-01T00:00:00.123456Z: executable file `nosuch` not found in $PATH: No such file or "
		  "directory\n",
		  "nosuch", "exec: \"nosuch\": executable file not found in $PATH", 127 },
		{ "2025-01-01T00:00:00.123456Z: executable file `/a/b` not found: No such file or directory\n", "/a/b",
		  "exec: \"/a/b\": stat /a/b: no such file or directory", 127 },
		{ "noise\n2025-01-01T00:00:00.123456Z: the path `/etc/x` exists but it is not executable: Operation "
		  "not permitted\n",
		  "/etc/x", "exec: \"/etc/x\": permission denied", 126 },
		{ "the path `/etc` is not a regular file: Operation not permitted", "/etc",
		  "exec: \"/etc\": is a directory", 126 },
		{ "cannot open `/x`: Permission denied", "/x", "exec: \"/x\": permission denied", 126 },
		{ "chdir to `/nope`: No such file or directory", "sh", "chdir to `/nope`: no such file or directory",
		  127 },
		{ "mount `x` to `y`: No such file or directory", "sh", "mount `x` to `y`: no such file or directory",
		  127 },
		{ "something else", "sh", "something else", 0 },
		{ "", "sh", "the container runtime failed", 0 },
		{ "\n\n", "sh", "the container runtime failed", 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		err = (struct sk_error)SK_ERROR_INIT;
		assert_int_equal(sk_spec_crun_error(rows[i].log, rows[i].program, &err), rows[i].code);
		assert_string_equal(err.message, rows[i].message);
		assert_true(err.code > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_complete),	 cmocka_unit_test(test_mounts_in_order),
		cmocka_unit_test(test_complete_refused), cmocka_unit_test(test_memory_is_what_there_is),
		cmocka_unit_test(test_user_and_home),	 cmocka_unit_test(test_home_not_text),
		cmocka_unit_test(test_crun_errors),
	};

	return cmocka_run_group_tests_name("agent-spec", tests, NULL, NULL);
}
