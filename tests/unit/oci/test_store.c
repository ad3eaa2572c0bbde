/* SPDX-License-Identifier: Apache-2.0 */
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

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_planted) };

	return cmocka_run_group_tests_name("oci-store", tests, setup, teardown);
}
