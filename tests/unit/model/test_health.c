/* SPDX-License-Identifier: Apache-2.0 */
/* Health checks: what options and image come to, for inspect and for the monitor. */
#include "../sk_test.h"

#include <errno.h>
#include <string.h>

#include "model/health.h"

static void expect(const struct sk_run_opts *o, const char *image, const char *want, const char *want_vm)
{
	json_t *config = image ? json_loads(image, 0, NULL) : NULL, *health, *vm, *wanted;
	struct sk_error err = SK_ERROR_INIT;

	if (sk_health_plan(o, config, &health, &err) < 0)
		fail_msg("%s", err.message);
	wanted = want ? json_loads(want, 0, NULL) : NULL;
	assert_true((!want && !health) || json_equal(health, wanted));
	json_decref(wanted);
	vm = sk_health_to_vm(health, NULL);
	wanted = want_vm ? json_loads(want_vm, 0, NULL) : NULL;
	assert_true((!want_vm && !vm) || json_equal(vm, wanted));
	json_decref(wanted);
	json_decref(vm);
	json_decref(health);
	json_decref(config);
}

static void test_plan(void **state)
{
	static const char image[] = "{\"Test\":[\"CMD\",\"check\",\"a b\"],\"Interval\":5000000000,\"Retries\":7}";

	(void)state;
	expect(&(const struct sk_run_opts){ 0 }, NULL, NULL, NULL);
	expect(&(const struct sk_run_opts){ .health_cmd = "true" }, NULL, "{\"Test\":[\"CMD-SHELL\",\"true\"]}",
	       "{\"args\":[\"/bin/"
	       "sh\",\"-c\",\"true\"],\"interval_ms\":30000,\"timeout_ms\":30000,\"start_period_ms\":0,"
	       "\"retries\":3}");
	expect(&(const struct sk_run_opts){ 0 }, image, image,
	       "{\"args\":[\"check\",\"a "
	       "b\"],\"interval_ms\":5000,\"timeout_ms\":30000,\"start_period_ms\":0,\"retries\":7}");
	/* What is not given is the image's. */
	expect(&(const struct sk_run_opts){ .health_timeout = "1m30s", .health_start_period = "2s" }, image,
	       "{\"Test\":[\"CMD\",\"check\",\"a b\"],\"Interval\":5000000000,\"Retries\":7,\"Timeout\":90000000000,"
	       "\"StartPeriod\":2000000000}",
	       "{\"args\":[\"check\",\"a b\"],\"interval_ms\":5000,\"timeout_ms\":90000,\"start_period_ms\":2000,"
	       "\"retries\":7}");
	expect(&(const struct sk_run_opts){ .no_healthcheck = true }, image, "{\"Test\":[\"NONE\"]}", NULL);
	/* Settings without a command, and an image that says nothing sensible. */
	expect(&(const struct sk_run_opts){ .health_retries = 2 }, NULL, "{\"Retries\":2}", NULL);
	expect(&(const struct sk_run_opts){ 0 }, "{\"Test\":[\"FOO\",\"x\"]}", "{\"Test\":[\"FOO\",\"x\"]}", NULL);
	expect(&(const struct sk_run_opts){ 0 }, "{\"Test\":[\"CMD\"]}", "{\"Test\":[\"CMD\"]}", NULL);
	expect(&(const struct sk_run_opts){ 0 }, "{\"Test\":\"x\"}", "{\"Test\":\"x\"}", NULL);
	expect(&(const struct sk_run_opts){ 0 }, "[]", NULL, NULL);
}

static void refuse(const struct sk_run_opts *o, const char *words)
{
	struct sk_error err = SK_ERROR_INIT;
	json_t *health;

	assert_int_equal(sk_health_plan(o, NULL, &health, &err), -EINVAL);
	if (!strstr(err.message, words))
		fail_msg("%s", err.message);
}

static void test_refused(void **state)
{
	(void)state;
	refuse(&(const struct sk_run_opts){ .no_healthcheck = true, .health_cmd = "x" }, "--no-healthcheck conflicts");
	refuse(&(const struct sk_run_opts){ .health_interval = "-1s" }, "--health-interval cannot be negative");
	refuse(&(const struct sk_run_opts){ .health_interval = "1us" },
	       "Interval in Healthcheck cannot be less than 1ms");
	refuse(&(const struct sk_run_opts){ .health_timeout = "x" }, "--health-timeout");
	refuse(&(const struct sk_run_opts){ .health_retries = -1 }, "--health-retries cannot be negative");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plan),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests_name("model-health", tests, NULL, NULL);
}
