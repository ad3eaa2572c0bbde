/* SPDX-License-Identifier: Apache-2.0 */
/* state.json and who may believe it, planted directories, the event log. */
#include "../sk_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "vm/keeper.h"
#include "vm/vm.h"

static char root[] = "/tmp/sk-test-state-XXXXXX";
static struct sk_paths paths;

static int setup(void **state)
{
	(void)state;
	return mkdtemp(root) ? sk_paths_init(&paths, root, NULL) : -1;
}

static int teardown(void **state)
{
	(void)state;
	sk_paths_fini(&paths);
	return sk_fs_remove_tree(AT_FDCWD, root);
}

static const char *status_of(const char *id)
{
	static char buf[32];
	json_t *state;

	assert_int_equal(sk_vm_state_load(&paths, id, &state, NULL), 0);
	snprintf(buf, sizeof(buf), "%s", json_string_value(json_object_get(state, "status")));
	json_decref(state);
	return buf;
}

/* "running" is believed only while the lock is held. */
static void test_truth(void **state)
{
	_cleanup_fd_ int dirfd = -1, lock = -1;
	char dir[128];
	json_t *s = json_pack("{s:s,s:i}", "status", "running", "pid", 1), *back;

	(void)state;
	snprintf(dir, sizeof(dir), "%s/containers/c1", root);
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_string_equal(status_of("c1"), "created");
	dirfd = open(dir, O_RDONLY | O_DIRECTORY);
	assert_int_equal(sk_vm_state_save(dirfd, s, NULL), 0);
	json_decref(s);
	lock = openat(dirfd, "lock", O_RDWR | O_CREAT, 0600);
	assert_int_equal(sk_fs_lock(lock, true, false), 0);
	assert_string_equal(status_of("c1"), "running");
	assert_int_equal(sk_vm_remove(&paths, "c1", NULL), -EBUSY);
	sk_close_fd(&lock);
	/* Or the other one, by which the next life's monitor waits for it. */
	lock = openat(dirfd, SK_NEXT_LOCK_FILE, O_RDWR | O_CREAT, 0600);
	assert_string_equal(status_of("c1"), "exited");
	assert_int_equal(sk_fs_lock(lock, true, false), 0);
	assert_string_equal(status_of("c1"), "running");
	sk_close_fd(&lock);
	assert_int_equal(sk_vm_state_load(&paths, "c1", &back, NULL), 0);
	assert_string_equal(json_string_value(json_object_get(back, "status")), "exited");
	assert_int_equal(json_integer_value(json_object_get(back, "exit_code")), 137);
	json_decref(back);
	assert_int_equal(sk_vm_remove(&paths, "c1", NULL), 0);
	assert_int_equal(sk_vm_state_load(&paths, "c1", &back, NULL), -ENOENT);
}

/* A state file that was cut short by a full disk or a crash is no reason to refuse the container. */
static void test_damaged(void **state)
{
	_cleanup_fd_ int dirfd = -1;
	char dir[128];

	(void)state;
	snprintf(dir, sizeof(dir), "%s/containers/c2", root);
	assert_int_equal(mkdir(dir, 0700), 0);
	dirfd = open(dir, O_RDONLY | O_DIRECTORY);
	assert_int_equal(mkdirat(dirfd, SK_STATE_DIR, 0700), 0);
	assert_int_equal(sk_fs_write_atomic(dirfd, SK_STATE_FILE, "{\"status\":\"run", 14, 0600, false), 0);
	assert_string_equal(status_of("c2"), "created");
}

static void test_paths_refused(void **state)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_paths p;

	(void)state;
	assert_int_equal(sk_paths_init(&p, "/proc/nowhere", &err), -ENOENT);
	assert_non_null(strstr(err.message, "/proc/nowhere"));
}

/* A store that another user could have filled is not opened, whatever is in it. */
static void test_planted(void **state)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_paths p;
	char dir[64];

	(void)state;
	snprintf(dir, sizeof(dir), "%s/planted", root);
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(chmod(dir, 0777), 0);
	assert_int_equal(sk_paths_init(&p, dir, &err), -EPERM);
	assert_non_null(strstr(err.message, "other users may write"));
	assert_int_equal(chmod(dir, 0700), 0);
	snprintf(dir, sizeof(dir), "%s/planted/containers", root);
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(chmod(dir, 0777), 0);
	snprintf(dir, sizeof(dir), "%s/planted", root);
	assert_int_equal(sk_paths_init(&p, dir, &err), -EPERM);
}

/* Without a run directory of its own, nothing is in /tmp, where another user could take the name first. */
static void test_runtime(void **state)
{
	_cleanup_free_ char *path = NULL, *given = NULL;

	(void)state;
	setenv("XDG_RUNTIME_DIR", root, 1);
	given = sk_paths_runtime("x");
	assert_memory_equal(given, root, strlen(root));
	setenv("XDG_RUNTIME_DIR", "/nonexistent", 1);
	path = sk_paths_runtime("x");
	assert_non_null(path);
	assert_null(strstr(path, "/tmp/"));
	unsetenv("XDG_RUNTIME_DIR");
}

static void test_disk(void **state)
{
	struct stat st;
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/containers/c3", root);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(sk_vm_make_disk(&paths, "c3", 8ull << 30, NULL), 0);
	snprintf(path, sizeof(path), "%s/containers/c3/disk.img", root);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 8ll << 30);
	assert_true(st.st_blocks * 512 < 4 << 20);
	assert_int_equal(sk_vm_make_disk(&paths, "c3", 8ull << 30, NULL), -EEXIST);
}

static void test_events(void **state)
{
	_cleanup_free_ char *text = NULL;
	char path[128];
	json_t *o, *attributes = json_pack("{s:s}", "image", "debian");

	(void)state;
	assert_int_equal(sk_event_append(&paths, "container", "start", "abc", attributes), 0);
	json_decref(attributes);
	snprintf(path, sizeof(path), "%s/events.jsonl", root);
	assert_int_equal(sk_fs_read(AT_FDCWD, path, 4096, &text, NULL), 0);
	o = json_loads(text, 0, NULL);
	assert_non_null(o);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(json_object_get(o, "Actor"), "Attributes"), "image")),
		"debian");
	json_decref(o);
}

/* The file stays the one that it is, since a confined monitor may write to no other; nothing is cut within a line. */
static void test_events_cut(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct stat before, after;
	char path[128], id[24], *end;
	size_t len;
	unsigned i;
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/events.jsonl", root);
	assert_int_equal(sk_event_append(&paths, "container", "first", "abc", NULL), 0);
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_true(fd >= 0);
	for (i = 0; i < 320000; i++)
		assert_int_equal(dprintf(fd, "{\"n\":%06u,\"some\":\"text\"}\n", i), 27);
	close(fd);
	assert_int_equal(stat(path, &before), 0);
	assert_true(before.st_size > 8 << 20);
	for (i = 0; i < 3; i++) {
		snprintf(id, sizeof(id), "last%u", i);
		assert_int_equal(sk_event_append(&paths, "container", "start", id, NULL), 0);
	}
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(after.st_ino, before.st_ino);
	assert_in_range(after.st_size, 4 << 20, (4 << 20) + 2000);
	assert_int_equal(sk_fs_read(AT_FDCWD, path, 5 << 20, &text, &len), 0);
	assert_int_equal(strncmp(text, "{\"n\":", 5), 0);
	assert_non_null(end = strstr(text, "{\"n\":319999,\"some\":\"text\"}\n{"));
	assert_non_null(end = strstr(end, "last0"));
	assert_non_null(end = strstr(end, "last1"));
	assert_non_null(strstr(end, "last2"));
	assert_null(strstr(text, "first"));
}

/* Somebody who has stopped, or will not go on, keeps the lock: events are written all the same, and nothing is cut. */
static void test_events_held(void **state)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_fd_ int held = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char path[128];
	pid_t pid;
	int i;

	(void)state;
	snprintf(path, sizeof(path), "%s/events.jsonl", root);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(sk_fs_lock(held, true, false), 0);
	pid = fork();
	if (pid == 0) {
		alarm(20); /* instead of for ever */
		_exit(sk_event_append(&paths, "container", "first", "abc", NULL) < 0 ||
		      sk_event_append(&paths, "container", "second", "abc", NULL) < 0);
	}
	assert_int_equal(waitpid(pid, &i, 0), pid);
	assert_int_equal(i, 0);
	assert_int_equal(sk_fs_read(AT_FDCWD, path, 4096, &text, NULL), 0);
	assert_non_null(strstr(text, "\"first\""));
	assert_non_null(strstr(strstr(text, "\"first\""), "}\n{\"Type\":\"container\",\"Action\":\"second\""));
}

/* state.json as it is, whoever holds the lock. */
static bool file_says(int dirfd, const char *status)
{
	_cleanup_free_ char *text = NULL;
	json_t *state;
	bool is;

	assert_int_equal(sk_fs_read(dirfd, "state/state.json", 65536, &text, NULL), 0);
	state = json_loads(text, 0, NULL);
	is = strcmp(json_string_value(json_object_get(state, "status")), status) == 0;
	json_decref(state);
	return is;
}

/* A keeper whose monitor is killed writes that down; one whose monitor ends it leaves the state, and the lock, alone. */
static void test_keeper(void **state)
{
	json_t *s = json_pack("{s:s,s:i}", "status", "running", "pid", 1);
	struct sk_keeper keeper = { .fd = -1 };
	_cleanup_fd_ int dirfd = -1, lock = -1;
	char dir[128];
	int status;

	(void)state;
	snprintf(dir, sizeof(dir), "%s/containers/kept", root);
	assert_int_equal(mkdir(dir, 0700), 0);
	dirfd = open(dir, O_RDONLY | O_DIRECTORY);
	assert_int_equal(sk_vm_state_save(dirfd, s, NULL), 0);
	json_decref(s);
	lock = openat(dirfd, "lock", O_RDWR | O_CREAT, 0600);
	assert_true(lock >= 0);
	assert_int_equal(sk_keeper_start(&keeper, "skerry-monitor", &paths, "kept", NULL), 0);
	sk_keeper_end(&keeper);
	assert_true(file_says(dirfd, "running"));
	assert_int_equal(sk_keeper_start(&keeper, "skerry-monitor", &paths, "kept", NULL), 0);
	close(keeper.fd);
	assert_int_equal(waitpid(keeper.pid, &status, 0), keeper.pid);
	assert_true(file_says(dirfd, "exited"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_truth),	      cmocka_unit_test(test_keeper),	 cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_paths_refused), cmocka_unit_test(test_disk),	 cmocka_unit_test(test_events),
		cmocka_unit_test(test_planted),	      cmocka_unit_test(test_events_cut), cmocka_unit_test(test_runtime),
		cmocka_unit_test(test_events_held),
	};

	return cmocka_run_group_tests_name("vm-state", tests, setup, teardown);
}
