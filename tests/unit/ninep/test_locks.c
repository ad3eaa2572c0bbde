/* SPDX-License-Identifier: Apache-2.0 */
/* Kinds of locks, and owners of clients with the extension. What clients without it may do: test_server.c. */
#include "../sk_test.h"

#include "server_fixture.h"

#define R P9_LOCK_RDLCK
#define W P9_LOCK_WRLCK
#define U P9_LOCK_UNLCK
#define BLOCK P9_LOCK_FLAG_BLOCK
#define BLOCKED P9_LOCK_BLOCKED

/* flock(2) through an open file. */
static int cl_flock(struct client *c, uint32_t fid, uint8_t type, uint32_t flags)
{
	/* Range and owner of a flock do not count. */
	return cl_lock(c, fid, type, flags | P9_LOCK_FLAG_FLOCK, fid, fid, fid);
}

static void kinds_are_independent(void **state)
{
	struct fixture *fx = *state;
	struct client c, d;

	make(&fx->a, 1, "f");
	assert_int_equal(start_ext(fx, &c), 0);
	assert_int_equal(start_ext(fx, &d), 0);
	open_file(&c, 1, "f");
	open_file(&d, 1, "f");
	assert_int_equal(cl_lock(&c, 1, W, 0, 0, 0, 1), 0);
	assert_int_equal(cl_flock(&d, 1, W, 0), 0);
	assert_int_equal(sk_memfs_hostflock(fx->fs), W);
	assert_int_equal(sk_memfs_hostlock_at(fx->fs, 5), W);
	/* A range of the whole file is none of flock(), and the other way round. */
	assert_int_equal(cl_lock(&d, 1, R, 0, 0, 0, 1), BLOCKED);
	assert_int_equal(cl_flock(&c, 1, R, 0), BLOCKED);
	assert_int_equal(cl_getlock(&c, 1, 0, 0, 1), U);
	assert_int_equal(cl_getlock(&d, 1, 0, 0, 1), W);
	/* Unlocking one kind leaves the other. */
	assert_int_equal(cl_lock(&d, 1, U, 0, 0, 0, 1), 0);
	assert_int_equal(cl_flock(&c, 1, R, 0), BLOCKED);
	assert_int_equal(cl_flock(&d, 1, U, 0), 0);
	assert_int_equal(sk_memfs_hostflock(fx->fs), U);
	assert_int_equal(sk_memfs_hostlock_at(fx->fs, 5), W);
	/* The host's: each kind for itself. */
	sk_memfs_foreign_flock(fx->fs, R);
	assert_int_equal(cl_flock(&d, 1, W, 0), BLOCKED);
	assert_int_equal(cl_flock(&d, 1, R, 0), 0);
	assert_int_equal(cl_lock(&c, 1, W, 0, 0, 100, 1), 0);
	sk_memfs_foreign_lock(fx->fs, W, 0, 9);
	assert_int_equal(cl_flock(&c, 1, R, 0), 0);
	assert_int_equal(cl_lock(&c, 1, R, 0, 5, 1, 1), BLOCKED);
	/* A clunk drops both. */
	assert_int_equal(cl_clunk(&d, 1), 0);
	assert_int_equal(sk_memfs_hostflock(fx->fs), R);
	assert_int_equal(cl_clunk(&c, 1), 0);
	assert_int_equal(sk_memfs_hostlocks(fx->fs), 0);
	cl_end(&c);
	cl_end(&d);
}

static void flock_converts(void **state)
{
	struct fixture *fx = *state;
	struct client c, d;

	make(&fx->a, 1, "f");
	assert_int_equal(start_ext(fx, &c), 0);
	assert_int_equal(start_ext(fx, &d), 0);
	open_file(&c, 1, "f");
	open_file(&c, 2, "f");
	open_file(&d, 1, "f");
	/* Owned by the open file, not by a process or a session. */
	assert_int_equal(cl_flock(&c, 1, W, 0), 0);
	assert_int_equal(cl_flock(&c, 1, W, 0), 0);
	assert_int_equal(cl_flock(&c, 2, R, 0), BLOCKED);
	assert_int_equal(cl_flock(&c, 1, R, 0), 0);
	assert_int_equal(sk_memfs_hostflock(fx->fs), R);
	assert_int_equal(cl_flock(&c, 2, R, 0), 0);
	assert_int_equal(cl_flock(&d, 1, R, 0), 0);
	/* To exclusive where others share it: the old lock is lost, the others' are not. */
	assert_int_equal(cl_flock(&c, 1, W, 0), BLOCKED);
	assert_int_equal(cl_flock(&c, 2, U, 0), 0);
	assert_int_equal(sk_memfs_hostflock(fx->fs), R);
	assert_int_equal(cl_flock(&d, 1, W, 0), 0);
	assert_int_equal(sk_memfs_hostflock(fx->fs), W);
	assert_int_equal(cl_flock(&d, 1, R, 0), 0);
	/* Two that share it and both want it for themselves: the second gets it, the first when that one is done. */
	assert_int_equal(cl_flock(&c, 1, R, 0), 0);
	assert_int_equal(cl_flock(&c, 1, W, BLOCK), 1000);
	assert_int_equal(cl_flock(&d, 1, W, BLOCK), 0);
	assert_int_equal(c.completed, 0);
	assert_int_equal(cl_flock(&d, 1, U, 0), 0);
	assert_int_equal(c.completed, 1);
	assert_int_equal(c.last_status, P9_LOCK_SUCCESS);
	/* The host has it: lost there and here. A third that waited for it gets its turn when it asks the host. */
	assert_int_equal(cl_flock(&c, 1, R, 0), 0);
	sk_memfs_foreign_flock(fx->fs, R);
	assert_int_equal(cl_flock(&c, 1, W, 0), BLOCKED);
	assert_int_equal(sk_memfs_hostflock(fx->fs), U);
	sk_memfs_foreign_flock(fx->fs, U);
	assert_int_equal(cl_flock(&d, 1, W, 0), 0);
	cl_end(&c);
	cl_end(&d);
}

/* A waiting locker is tried again when a failed conversion gives up the shared lock it waits for. */
static void flock_conversion_wakes(void **state)
{
	struct fixture *fx = *state;
	struct client c, d;

	make(&fx->a, 1, "f");
	assert_int_equal(start_ext(fx, &c), 0);
	assert_int_equal(start_ext(fx, &d), 0);
	open_file(&c, 1, "f");
	open_file(&d, 1, "f");
	assert_int_equal(cl_flock(&c, 1, R, 0), 0);
	sk_memfs_foreign_flock(fx->fs, R);
	assert_int_equal(cl_flock(&d, 1, W, BLOCK), 1000);
	assert_int_equal(cl_flock(&c, 1, W, 0), BLOCKED);
	sk_memfs_foreign_flock(fx->fs, U);
	/* Known to wait for the host now, which is asked again after some milliseconds, not after a second. */
	now += 10;
	sk_9p_server_timer(fx->server);
	assert_int_equal(d.completed, 1);
	assert_int_equal(d.last_status, P9_LOCK_SUCCESS);
	cl_end(&c);
	cl_end(&d);
}

/* The client's kernel names the owner: the same open file is not the same owner. */
static void exact_owners(void **state)
{
	struct fixture *fx = *state;
	struct client c;

	make(&fx->a, 1, "f");
	assert_int_equal(start_ext(fx, &c), 0);
	open_file(&c, 1, "f");
	open_file(&c, 2, "f");
	assert_int_equal(cl_lock(&c, 1, W, 0, 0, 10, 1), 0);
	assert_int_equal(cl_lock(&c, 1, W, 0, 5, 10, 2), BLOCKED);
	assert_int_equal(cl_lock(&c, 1, U, 0, 0, 10, 2), 0);
	assert_int_equal(sk_memfs_hostlock_at(fx->fs, 5), W);
	/* The same owner through two open files. */
	assert_int_equal(cl_lock(&c, 2, R, 0, 5, 10, 1), 0);
	assert_int_equal(sk_memfs_hostlock_at(fx->fs, 4), W);
	assert_int_equal(sk_memfs_hostlock_at(fx->fs, 5), R);
	assert_int_equal(cl_lock(&c, 2, U, 0, 0, 0, 1), 0);
	assert_int_equal(sk_memfs_hostlock_at(fx->fs, 0), U);
	cl_end(&c);
}

/* Ranges next to each other, locked and given up one by one: nothing else goes or stays. */
static void adjacent_ranges(void **state)
{
	struct fixture *fx = *state;
	struct client c;

	make(&fx->a, 1, "f");
	assert_int_equal(start_ext(fx, &c), 0);
	open_file(&c, 1, "f");
	assert_int_equal(cl_lock(&c, 1, W, 0, 0, 10, 1), 0);
	sk_memfs_foreign_lock(fx->fs, W, 10, 19);
	assert_int_equal(cl_lock(&c, 1, W, BLOCK, 10, 10, 1), 1000);
	assert_int_equal(cl_lock(&c, 1, U, 0, 0, 10, 1), 0);
	sk_memfs_foreign_lock(fx->fs, U, 0, 0);
	now += 10;
	sk_9p_server_timer(fx->server);
	assert_int_equal(c.last_status, P9_LOCK_SUCCESS);
	assert_int_equal(sk_memfs_hostlock_at(fx->fs, 9), U);
	assert_int_equal(sk_memfs_hostlock_at(fx->fs, 10), W);
	assert_int_equal(cl_lock(&c, 1, U, 0, 10, 10, 1), 0);
	assert_int_equal(sk_memfs_hostlock_at(fx->fs, 10), U);
	/* A change that fails changes nothing. */
	assert_int_equal(cl_lock(&c, 1, R, 0, 0, 30, 1), 0);
	sk_memfs_foreign_lock(fx->fs, R, 10, 19);
	assert_int_equal(cl_lock(&c, 1, W, 0, 5, 10, 1), BLOCKED);
	assert_int_equal(sk_memfs_hostlock_at(fx->fs, 5), R);
	assert_int_equal(sk_memfs_hostlock_at(fx->fs, 29), R);
	cl_end(&c);
}

static void flock_bound(void **state)
{
	struct fixture *fx = *state;
	struct client c;
	uint64_t i;
	int r = 0;

	make(&fx->a, 1, "f");
	assert_int_equal(start_ext(fx, &c), 0);
	open_file(&c, 1, "f");
	open_file(&c, 2, "f");
	assert_int_equal(cl_flock(&c, 1, R, 0), 0);
	for (i = 0; i < 200 && r == 0; i++)
		r = cl_lock(&c, 1, W, 0, i * 2, 1, 1);
	assert_int_equal(r, -P9_ENOLCK);
	assert_int_equal(cl_flock(&c, 2, R, 0), -P9_ENOLCK);
	/* Existing locks can still be converted and given up. */
	assert_int_equal(cl_flock(&c, 1, W, 0), 0);
	assert_int_equal(cl_flock(&c, 1, U, 0), 0);
	assert_int_equal(cl_flock(&c, 2, R, 0), 0);
	cl_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(kinds_are_independent), T(flock_converts),  T(flock_conversion_wakes),
		T(exact_owners),	  T(adjacent_ranges), T(flock_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
