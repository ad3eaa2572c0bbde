/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration files: what they may say, who wins, and that nothing in them is passed over in silence. */
#include "../sk_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "vm/settings.h"

static char dir[] = "/tmp/sk-test-settings-XXXXXX";
static char file[64];

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(file, sizeof(file), "%s/config.json", dir);
	setenv("SKERRY_CONFIG", file, 1);
	unsetenv("SKERRY_ENGINE");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return sk_fs_remove_tree(AT_FDCWD, dir);
}

static int load(const char *text, struct sk_settings *s, struct sk_error *err)
{
	*err = (struct sk_error)SK_ERROR_INIT;
	assert_int_equal(sk_fs_write_atomic(AT_FDCWD, file, text, strlen(text), 0600, false), 0);
	return sk_settings_init(s, err);
}

static void test_defaults(void **state)
{
	struct sk_settings s;
	struct sk_error err;

	(void)state;
	assert_int_equal(load("{}", &s, &err), 0);
	assert_string_equal(s.engine, "auto");
	assert_string_equal(s.source, "default");
	assert_null(s.engines.qemu);
	assert_int_equal(s.engines.kvm_timeout_ms, 5000);
	assert_int_equal(s.start_timeout_ms, 60000);
	assert_int_equal(s.engines.sandbox, SK_CONFINEMENT_NAMESPACES);
	assert_int_equal(s.engines.uml_isolation, SK_UML_AUTO);
	sk_settings_fini(&s);
}

static void test_values(void **state)
{
	struct sk_settings s;
	struct sk_error err;

	(void)state;
	assert_int_equal(load("{\"engine\":\"tcg\",\"qemu\":\"/opt/q\",\"kvm_timeout\":2.5,\"start_timeout\":300,"
			      "\"tcg_buffer\":64,\"machine_idle_stop\":1800,\"memory\":3072,\"cpus\":4,\"sandbox\":"
			      "\"landlock\",\"uml_isolation\":\"in-place\"}",
			      &s, &err),
			 0);
	assert_string_equal(s.engine, "tcg");
	assert_string_equal(s.source, file);
	assert_string_equal(s.engines.qemu, "/opt/q");
	assert_int_equal(s.engines.kvm_timeout_ms, 2500);
	assert_int_equal(s.start_timeout_ms, 300000);
	assert_int_equal(s.engines.tcg_buffer, 64);
	assert_int_equal(s.machine_idle_stop, 1800);
	assert_int_equal(s.default_memory, UINT64_C(3) << 30);
	assert_int_equal(s.default_cpus, 4);
	assert_int_equal(s.engines.sandbox, SK_CONFINEMENT_LANDLOCK);
	assert_int_equal(s.engines.uml_isolation, SK_UML_IN_PLACE);
	sk_settings_fini(&s);
	setenv("SKERRY_ENGINE", "uml", 1);
	assert_int_equal(load("{\"engine\":\"tcg\"}", &s, &err), 0);
	assert_string_equal(s.engine, "uml");
	assert_int_equal(s.engines.uml_isolation, SK_UML_AUTO);
	assert_string_equal(s.source, "SKERRY_ENGINE");
	sk_settings_fini(&s);
	assert_int_equal(load("{\"uml_isolation\":\"separate\"}", &s, &err), 0);
	assert_int_equal(s.engines.uml_isolation, SK_UML_SEPARATE);
	sk_settings_fini(&s);
	setenv("SKERRY_ENGINE", "xen", 1);
	assert_int_equal(load("{}", &s, &err), -EINVAL);
	assert_non_null(strstr(err.message, "SKERRY_ENGINE is \"xen\": it is auto, kvm, uml or tcg"));
	unsetenv("SKERRY_ENGINE");
}

static void refused(const char *text, const char *word)
{
	struct sk_settings s;
	struct sk_error err;

	assert_true(load(text, &s, &err) < 0);
	if (!strstr(err.message, word) || !strstr(err.message, file))
		fail_msg("no \"%s\" in: %s", word, err.message);
}

static void test_mistakes(void **state)
{
	(void)state;
	refused("{\"engin\":\"tcg\"}", "what is \"engin\"");
	refused("{\"engine\":\"qemu\"}", "auto, kvm, uml or tcg");
	refused("{\"engine\":1}", "\"engine\"");
	refused("{\"qemu\":\"qemu\"}", "absolute path");
	refused("{\"kvm_timeout\":0}", "1 to 600");
	refused("{\"start_timeout\":\"long\"}", "1 to 3600");
	refused("{\"tcg_buffer\":4}", "8 to 2048");
	refused("{\"machine_idle_stop\":9}", "10 to 2592000");
	refused("{\"machine_idle_stop\":\"30m\"}", "machine_idle_stop");
	refused("{\"memory\":64}", "96 to 4194304");
	refused("{\"memory\":\"2g\"}", "number of MiB");
	refused("{\"cpus\":0}", "1 to 64");
	refused("{\"sandbox\":\"none\"}", "namespaces, landlock or filter");
	refused("{\"uml_isolation\":\"none\"}", "\"auto\", \"separate\" or \"in-place\"");
	refused("{\"sandbox\":false}", "namespaces, landlock or filter");
	refused("{\n\"engine\": tcg }", "line 2");
	refused("[]", "not a JSON object");
	unlink(file);
	{
		struct sk_settings s;
		struct sk_error err = SK_ERROR_INIT;

		assert_int_equal(sk_settings_init(&s, &err), -ENOENT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_mistakes),
	};

	return cmocka_run_group_tests_name("vm-settings", tests, setup, teardown);
}
