/* SPDX-License-Identifier: Apache-2.0 */
/* Dockerfile lines: each applied to a configuration, and those that are refused. */
#include "../sk_test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "image/changes.h"

static void test_lines(void **state)
{
	/* Lines one after another, applied to one config, and what has come of it. */
	static const struct {
		const char *line, *config;
	} rows[] = {
		{ "CMD [\"a\", \"b c\"]", "{\"Cmd\":[\"a\",\"b c\"]}" },
		{ "cmd echo \"$X\" 'y'", "{\"Cmd\":[\"/bin/sh\",\"-c\",\"echo \\\"$X\\\" 'y'\"]}" },
		{ " ENTRYPOINT\t[\"/e\"] ", "{\"Entrypoint\":[\"/e\"]}" },
		{ "ENTRYPOINT [\"/e\"", "{\"Entrypoint\":[\"/bin/sh\",\"-c\",\"[\\\"/e\\\"\"]}" },
		{ "ENV A=1", "{\"Env\":[\"A=1\"]}" },
		{ "ENV A=1 B=\"x y\" C=a\\ b D='q\\' E= F=x=y",
		  "{\"Env\":[\"A=1\",\"B=x y\",\"C=a b\",\"D=q\\\\\",\"E=\",\"F=x=y\"]}" },
		{ "ENV A the rest = of it", "{\"Env\":[\"A=the rest = of it\"]}" },
		{ "EXPOSE 80 443/tcp 53/udp 1000-1010", "{\"ExposedPorts\":{\"80/tcp\":{},\"443/tcp\":{},\"53/udp\":{},"
							"\"1000-1010/tcp\":{}}}" },
		{ "LABEL a=b \"c d\"=\"e f\"", "{\"Labels\":{\"a\":\"b\",\"c d\":\"e f\"}}" },
		{ "USER 1000:1000", "{\"User\":\"1000:1000\"}" },
		{ "VOLUME [\"/a\", \"/b c\"]", "{\"Volumes\":{\"/a\":{},\"/b c\":{}}}" },
		{ "VOLUME /a /b", "{\"Volumes\":{\"/a\":{},\"/b\":{}}}" },
		{ "WORKDIR /w", "{\"WorkingDir\":\"/w\"}" },
		{ "WORKDIR w", "{\"WorkingDir\":\"/w\"}" },
		{ "STOPSIGNAL SIGINT", "{\"StopSignal\":\"SIGINT\"}" },
		{ "ONBUILD RUN x y", "{\"OnBuild\":[\"RUN x y\"]}" },
		{ "HEALTHCHECK NONE", "{\"Healthcheck\":{\"Test\":[\"NONE\"]}}" },
		{ "HEALTHCHECK CMD curl -f x", "{\"Healthcheck\":{\"Test\":[\"CMD-SHELL\",\"curl -f x\"]}}" },
		{ "HEALTHCHECK --interval=1m30s --timeout=1.5s --start-period=500ms --retries=4 CMD [\"a\", \"b\"]",
		  "{\"Healthcheck\":{\"Test\":[\"CMD\",\"a\",\"b\"],\"Interval\":90000000000,\"Timeout\":1500000000,"
		  "\"StartPeriod\":500000000,\"Retries\":4}}" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < SK_ARRAY_SIZE(rows); i++) {
		struct sk_error err = SK_ERROR_INIT;
		json_t *config = json_object(), *want = json_loads(rows[i].config, 0, NULL);

		assert_non_null(want);
		if (sk_change_apply(config, rows[i].line, &err) < 0)
			fail_msg("%s", err.message);
		if (!json_equal(config, want)) {
			_cleanup_free_ char *have = json_dumps(config, 0);

			fail_msg("%s: %s", rows[i].line, have);
		}
		json_decref(config);
		json_decref(want);
	}
}

static void test_replace(void **state)
{
	json_t *config = json_pack("{s:[s,s], s:s}", "Env", "PATH=/bin", "A=0", "WorkingDir", "/a");

	(void)state;
	assert_int_equal(sk_change_apply(config, "ENV A=1", NULL), 0);
	assert_int_equal(sk_change_apply(config, "ENV PATH=/x", NULL), 0);
	assert_int_equal(json_array_size(json_object_get(config, "Env")), 2);
	assert_string_equal(json_string_value(json_array_get(json_object_get(config, "Env"), 0)), "PATH=/x");
	assert_int_equal(sk_change_apply(config, "WORKDIR b", NULL), 0);
	assert_string_equal(json_string_value(json_object_get(config, "WorkingDir")), "/a/b");
	json_decref(config);
}

static void test_bad(void **state)
{
	static const char *const rows[] = { "",		  "CMD",       "RUN x",	     "COPY a b",    "ENV",
					    "ENV A",	  "ENV A=\"x", "ENV =x",     "EXPOSE http", "EXPOSE 80/icmp",
					    "EXPOSE -80", "LABEL a",   "VOLUME \"a", "USER \xff",   "ENV A=1 B",
					    "CMDx y" };
	size_t i;

	(void)state;
	for (i = 0; i < SK_ARRAY_SIZE(rows); i++) {
		struct sk_error err = SK_ERROR_INIT;
		json_t *config = json_object();

		if (sk_change_apply(config, rows[i], &err) != -EINVAL)
			fail_msg("not refused: %s", rows[i]);
		assert_int_equal(err.code, EINVAL);
		json_decref(config);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_replace),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests_name("image-changes", tests, NULL, NULL);
}
