/* SPDX-License-Identifier: Apache-2.0 */
/* Containers of a store: found, listed, damaged, and their states in docker's words. */
#include "../sk_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "model/container.h"
#include "model/jx.h"
#include "model/units.h"

static char root[] = "/tmp/sk-cli-XXXXXX";
static struct sk_paths paths;

static void add(const char *id, const char *name, const char *created)
{
	char dir[256];
	json_t *config = json_pack("{s:s,s:s,s:s,s:{s:s,s:{s:s}}}", "Id", id, "Name", name, "Created", created,
				   "Config", "Image", "img", "Labels", "k", "v");
	struct sk_error err = SK_ERROR_INIT;

	snprintf(dir, sizeof(dir), "%s/containers/%s", paths.root, id);
	assert_int_equal(sk_fs_mkdir_p(dir, 0700), 0);
	assert_int_equal(sk_container_save(&paths, id, config, &err), 0);
	json_decref(config);
}

#define ID_A "aaaa000000000000000000000000000000000000000000000000000000000001"
#define ID_B "aaaa111111111111111111111111111111111111111111111111111111111112"
#define ID_C "cccc000000000000000000000000000000000000000000000000000000000003"
#define ID_D "dddd000000000000000000000000000000000000000000000000000000000004"

static int setup(void **state)
{
	struct sk_error err = SK_ERROR_INIT;
	char dir[256];

	(void)state;
	assert_non_null(mkdtemp(root));
	assert_int_equal(sk_paths_init(&paths, root, &err), 0);
	add(ID_A, "/web", "2026-11-23T10:00:00.000000001Z");
	add(ID_B, "/db", "2026-11-23T10:00:00.000000003Z");
	add(ID_C, "/aaaa", "2026-11-23T10:00:00.000000002Z"); /* a name that looks like the beginning of an id */
	snprintf(dir, sizeof(dir), "%s/containers/%s", paths.root, ID_D); /* lost its config.json */
	assert_int_equal(sk_fs_mkdir_p(dir, 0700), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sk_paths_fini(&paths);
	return sk_fs_remove_tree(AT_FDCWD, root);
}

static const char *found(const char *ref)
{
	static char id[SK_ID_LEN + 1];
	struct sk_container c = { 0 };
	struct sk_error err = SK_ERROR_INIT;
	int r = sk_container_find(&paths, ref, &c, &err);

	if (r == -ENOENT)
		assert_non_null(strstr(err.message, "No such container: "));
	snprintf(id, sizeof(id), "%s", r == 0 ? c.id : r == -ENOENT ? "none" : r == -ENOTUNIQ ? "many" : "?");
	sk_container_fini(&c);
	return id;
}

static void test_find(void **state)
{
	(void)state;
	assert_string_equal(found("web"), ID_A);
	assert_string_equal(found("/web"), ID_A);
	assert_string_equal(found(ID_B), ID_B);
	assert_string_equal(found("aaaa1"), ID_B);
	assert_string_equal(found("c"), ID_C);
	assert_string_equal(found("aaaa"), ID_C); /* names win */
	assert_string_equal(found("aa"), "many");
	assert_string_equal(found("we"), "none");
	assert_string_equal(found("dddd"), ID_D);
	assert_string_equal(found(ID_D), ID_D);
	assert_string_equal(found(""), "none");
	assert_string_equal(found("../containers"), "none");
}

static void test_list(void **state)
{
	struct sk_containers all;
	struct sk_error err = SK_ERROR_INIT;

	(void)state;
	assert_int_equal(sk_containers_load(&paths, &all, &err), 0);
	assert_int_equal(all.n, 4);
	assert_string_equal(sk_container_name(&all.v[0]), "db"); /* newest first */
	assert_string_equal(sk_container_name(&all.v[2]), "web");
	assert_string_equal(sk_container_status(&all.v[0]), "created");
	assert_false(sk_container_is_alive(&all.v[0]));
	assert_string_equal(sk_container_status(&all.v[3]), "dead"); /* it can be seen, and removed */
	sk_containers_fini(&all);
}

/* One whose config.json is broken is still there to be seen and removed. */
static void test_damaged(void **state)
{
	struct sk_containers all;
	struct sk_error err = SK_ERROR_INIT;
	char path[256];
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/containers/%s/config.json", paths.root, ID_D);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_int_equal(write(fd, "{", 1), 1);
	close(fd);
	assert_string_equal(found("dddd"), ID_D);
	assert_int_equal(sk_containers_load(&paths, &all, &err), 0);
	assert_int_equal(all.n, 4);
	assert_string_equal(sk_container_status(&all.v[3]), "dead");
	assert_string_equal(sk_container_name(&all.v[3]), "");
	sk_containers_fini(&all);
	unlink(path);
}

static void test_names(void **state)
{
	struct sk_error err = SK_ERROR_INIT;
	char name[64];
	int lock = sk_containers_lock(&paths, &err), i;

	(void)state;
	assert_true(lock >= 0);
	assert_int_equal(sk_container_check_name(&paths, "web", NULL, &err), -EEXIST);
	assert_string_equal(err.message,
			    "Conflict. The container name \"/web\" is already in use by container \"" ID_A
			    "\". You have to remove (or rename) that container to be able to reuse that name.");
	assert_int_equal(sk_container_check_name(&paths, "web", ID_A, &err), 0);
	assert_int_equal(sk_container_check_name(&paths, "web2", NULL, &err), 0);
	assert_int_equal(sk_container_check_name(&paths, "a b", NULL, &err), -EINVAL);
	assert_int_equal(sk_container_check_name(&paths, "-x", NULL, &err), -EINVAL);
	assert_int_equal(sk_container_check_name(&paths, "../x", NULL, &err), -EINVAL);
	assert_int_equal(sk_container_check_name(&paths, "", NULL, &err), -EINVAL);
	for (i = 0; i < 100; i++) {
		sk_container_make_name(&paths, name);
		assert_non_null(strchr(name, '_'));
		assert_int_equal(sk_container_check_name(&paths, name, NULL, &err), 0);
	}
	close(lock);
}

static void test_status_text(void **state)
{
	static const struct {
		const char *json, *text;
	} cases[] = {
		{ "{\"status\":\"created\"}", "Created" },
		{ "{\"status\":\"starting\"}", "Created" },
		{ "{\"status\":\"running\",\"started_at\":\"2026-11-23T10:00:00Z\"}", "Up 2 minutes" },
		{ "{\"status\":\"paused\",\"started_at\":\"2026-11-23T10:01:59Z\"}", "Up 1 second (Paused)" },
		{ "{\"status\":\"exited\",\"exit_code\":137,\"finished_at\":\"2026-11-23T08:02:00Z\"}",
		  "Exited (137) 2 hours ago" },
		{ "{\"status\":\"restarting\",\"exit_code\":1,\"finished_at\":\"2026-11-23T10:01:50Z\"}",
		  "Restarting (1) 10 seconds ago" },
	};
	struct sk_container c = { 0 };
	int64_t now;
	char buf[96];
	size_t i;

	(void)state;
	assert_int_equal(sk_parse_rfc3339("2026-11-23T10:02:00Z", &now), 0);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		c.state = json_loads(cases[i].json, 0, NULL);
		sk_container_status_text(&c, now, buf);
		assert_string_equal(buf, cases[i].text);
		json_decref(c.state);
	}
}

static void test_inspect_state(void **state)
{
	struct sk_container c = { .state = json_pack("{s:s,s:i,s:i,s:s}", "status", "running", "pid", 12, "exit_code",
						     5, "started_at", "2026-11-23T10:00:00Z") };
	json_t *o = sk_container_inspect_state(&c);

	(void)state;
	assert_true(sk_jx_get_bool(o, "Running", false));
	assert_int_equal(sk_jx_get_int(o, "Pid", 0), 12);
	assert_int_equal(sk_jx_get_int(o, "ExitCode", -1), 0);
	assert_string_equal(sk_jx_get_str(o, "FinishedAt", ""), "0001-01-01T00:00:00Z");
	json_decref(o);
	json_decref(c.state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),  cmocka_unit_test(test_list),	  cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_names), cmocka_unit_test(test_status_text), cmocka_unit_test(test_inspect_state),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
