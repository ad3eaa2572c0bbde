/* SPDX-License-Identifier: Apache-2.0 */
/* Names of systemd's scopes and slices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "oci/oci.h"

static const struct {
	const char *path;
	const char *slice, *unit, *group; /* NULL: refused */
} names[] = {
	{ "a-b-c.slice:pre:name", "a-b-c.slice", "pre-name.scope", "/a.slice/a-b.slice/a-b-c.slice/pre-name.scope" },
	{ "kubepods-pod1_2.slice:cri-containerd:0f", "kubepods-pod1_2.slice", "cri-containerd-0f.scope",
	  "/kubepods.slice/kubepods-pod1_2.slice/cri-containerd-0f.scope" },
	{ "-.slice:p:n", "-.slice", "p-n.scope", "/p-n.scope" },
	{ "a.slice::n", "a.slice", "-n.scope", "/a.slice/-n.scope" },
	{ "/docker/x", NULL, NULL, NULL },
	{ "a.slice:n", NULL, NULL, NULL },
	{ "a.slice:p:n:m", NULL, NULL, NULL },
	{ "a:p:n", NULL, NULL, NULL },
	{ ".slice:p:n", NULL, NULL, NULL },
	{ "-a.slice:p:n", NULL, NULL, NULL },
	{ "a-.slice:p:n", NULL, NULL, NULL },
	{ "a--b.slice:p:n", NULL, NULL, NULL },
	{ "../a.slice:p:n", NULL, NULL, NULL },
	{ "a.slice:p:", NULL, NULL, NULL },
	{ "a.slice:p:n/../m", NULL, NULL, NULL },
	{ "a.slice:p:n m", NULL, NULL, NULL },
	{ "a.slice:p:n\n", NULL, NULL, NULL },
};

static void scope_names(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct sk_error err = SK_ERROR_INIT;
		struct sk_oci_scope s;
		int r = sk_oci_systemd_name(names[i].path, "id", &s, &err);

		if (!names[i].slice) {
			assert_true(r < 0);
			assert_true(err.message[0]);
			continue;
		}
		assert_int_equal(r, 0);
		assert_string_equal(s.slice, names[i].slice);
		assert_string_equal(s.unit, names[i].unit);
		assert_string_equal(s.path, names[i].group);
	}
}

/* Of lengths that nothing has room for. */
static void long_names(void **state)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_oci_scope s;
	char path[1200];
	size_t n;

	(void)state;
	for (n = 1; n < 1100; n++) {
		memset(path, 'x', n);
		strcpy(path + n, ".slice:p:n");
		sk_oci_systemd_name(path, "id", &s, &err);
		memcpy(path, "a.slice:", 8);
		memset(path + 8, 'x', n);
		strcpy(path + 8 + n, ":n");
		sk_oci_systemd_name(path, "id", &s, &err);
		strcpy(path, "a.slice:p:");
		memset(path + 10, 'x', n);
		path[10 + n] = '\0';
		if (sk_oci_systemd_name(path, "id", &s, &err) == 0)
			assert_int_equal(strlen(s.unit), n + strlen("p-.scope"));
		/* a-a-a… */
		for (size_t i = 0; i < n; i++)
			path[i] = i % 2 ? '-' : 'a';
		strcpy(path + n, ".slice:p:n");
		if (sk_oci_systemd_name(path, "id", &s, &err) == 0)
			assert_non_null(strstr(s.path, "/p-n.scope"));
	}
}

static void own_names(void **state)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_oci_scope s;

	(void)state;
	assert_int_equal(sk_oci_systemd_name(NULL, "web", &s, &err), 0);
	assert_string_equal(s.unit, "skerry-web.scope");
	assert_int_equal(sk_oci_systemd_name("", "web", &s, &err), 0);
	assert_string_equal(s.unit, "skerry-web.scope");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scope_names),
		cmocka_unit_test(long_names),
		cmocka_unit_test(own_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
