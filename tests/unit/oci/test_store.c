/* SPDX-License-Identifier: Apache-2.0 */
/* The store of skerry-oci: what others planted in it, what is damaged in it, and how large it may be. */
#include "../sk_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "oci/oci.h"

static char dir[] = "/tmp/sk-test-oci-XXXXXX";

static int setup(void **state)
{
	(void)state;
	return mkdtemp(dir) ? chdir(dir) : -1;
}

static int teardown(void **state)
{
	(void)state;
	return chdir("/") < 0 ? -1 : sk_fs_remove_tree(AT_FDCWD, dir);
}

/* A store that another user laid out beforehand, with a record whose hooks `delete` would run. */
static void test_planted(void **state)
{
	static const char record[] = "{\"id\":\"job1\",\"hooks\":{\"poststop\":[{\"path\":\"/bin/false\"}]}}";
	struct sk_oci o = { .paths.root = NULL };
	struct sk_error err = SK_ERROR_INIT;

	(void)state;
	assert_int_equal(sk_fs_mkdir_p("store/containers/c", 0700), 0);
	assert_int_equal(sk_fs_write_atomic(AT_FDCWD, "store/containers/c/oci.json", record, strlen(record), 0666, 0),
			 0);
	assert_int_equal(chmod("store", 0777), 0);
	assert_int_equal(sk_oci_paths(&o, "store", &err), -EPERM);
	assert_non_null(strstr(err.message, "other users may write"));
	sk_paths_fini(&o.paths);
	assert_int_equal(chmod("store", 0711), 0);
	assert_int_equal(chmod("store/containers", 0777), 0);
	assert_int_equal(sk_oci_paths(&o, "store", NULL), -EPERM);
	sk_paths_fini(&o.paths);
	assert_int_equal(chmod("store/containers", 0700), 0);
	assert_int_equal(sk_oci_paths(&o, "store", NULL), 0);
	sk_paths_fini(&o.paths);
	if (geteuid() != 0)
		return;
	assert_int_equal(chown("store", 54321, 54321), 0);
	assert_int_equal(sk_oci_paths(&o, "store", NULL), -EPERM);
	sk_paths_fini(&o.paths);
}

/* A record that is cut off, gone, or too large does not keep the container for ever. */
static void test_damaged(void **state)
{
	static const char *const argv[] = { "delete", "--force", "c1", NULL };
	char *args[4], path[200];
	struct sk_oci o = { .paths.root = NULL, .log_path = "log" };
	struct sk_error err = SK_ERROR_INIT;
	struct sk_oci_container c;
	int i, k;

	(void)state;
	assert_int_equal(sk_fs_mkdir_p("damaged", 0700), 0);
	assert_int_equal(sk_oci_paths(&o, "damaged", &err), 0);
	for (i = 0; i < 3; i++) {
		if (sk_oci_container_new(&o, "c1", &c, &err) < 0)
			fail_msg("%s", err.message);
		snprintf(path, sizeof(path), "%s/oci.json", c.dir);
		if (i == 0)
			unlink(path);
		else
			assert_int_equal(truncate(path, i == 1 ? 3 : 100 << 20), 0);
		sk_oci_container_close(&c);
		for (k = 0; k < 4; k++)
			args[k] = (char *)(uintptr_t)argv[k];
		if (sk_oci_delete(&o, 3, args, &err) < 0)
			fail_msg("%s", err.message);
		*strrchr(path, '/') = '\0';
		assert_int_equal(access(path, F_OK), -1);
	}
	sk_paths_fini(&o.paths);
}

/* Whatever a config.json may have can be written and read again. */
static void test_large(void **state)
{
	struct sk_oci o = { .paths.root = NULL };
	struct sk_error err = SK_ERROR_INIT;
	struct sk_oci_container c;
	json_t *list = json_array();
	char *much;
	int i;

	(void)state;
	assert_int_equal(sk_fs_mkdir_p("large", 0700), 0);
	assert_int_equal(sk_oci_paths(&o, "large", &err), 0);
	assert_int_equal(sk_oci_container_new(&o, "c1", &c, &err), 0);
	for (i = 0; i < 1000000; i++)
		json_array_append_new(list, json_string("a="));
	json_object_set_new(c.record, "process", json_pack("{s:o}", "env", list));
	assert_int_equal(sk_oci_container_save(&c, &err), 0);
	sk_oci_container_close(&c);
	if (sk_oci_container_open(&o, "c1", &c, &err) < 0)
		fail_msg("%s", err.message);
	/* What could not be read is not written. */
	much = calloc(1, 33 << 20);
	memset(much, 'x', (33 << 20) - 1);
	json_object_set_new(c.record, "much", json_string(much));
	free(much);
	assert_int_equal(sk_oci_container_save(&c, &err), -EFBIG);
	sk_oci_container_close(&c);
	assert_int_equal(sk_oci_container_open(&o, "c1", &c, &err), 0);
	sk_oci_container_close(&c);
	sk_paths_fini(&o.paths);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_planted), cmocka_unit_test(test_damaged),
					    cmocka_unit_test(test_large) };

	return cmocka_run_group_tests_name("oci-store", tests, setup, teardown);
}
