/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_TEST_SERVER_FIXTURE_H
#define SK_TEST_SERVER_FIXTURE_H

#include "export/memory.h"
#include "p9_client.h"

/* A server of a file system in memory, with two clients; its clock is `now`, its alarm `timer`. */
static uint64_t now, timer;

static inline uint64_t test_now(void *arg)
{
	(void)arg;
	return now;
}

static inline void test_timer(void *arg, uint64_t ms)
{
	(void)arg;
	timer = ms == UINT64_MAX ? ms : now + ms;
}

/* Whether all that others did is reported, and what is reported first when that is asked. */
static bool settled;
static void (*before_settled)(void);

static inline bool test_settled(void *arg)
{
	(void)arg;
	if (before_settled)
		before_settled();
	return settled;
}

struct fixture {
	struct sk_9p_fs *fs;
	struct sk_9p_export export;
	struct sk_9p_server *server;
	struct client a, b;
};

static inline int setup(void **state)
{
	static struct fixture fx;
	struct sk_memfs_limits limits = { 1u << 20, 1000 };
	struct sk_9p_server_config config = { .now_ms = test_now,
					      .set_timer = test_timer,
					      .max_fids = 500,
					      .max_parked = 4,
					      .max_locks = 100,
					      .settled = test_settled };

	now = 1000;
	settled = false;
	before_settled = NULL;
	timer = UINT64_MAX;
	if (sk_memfs_new(&limits, &fx.fs) < 0 || sk_9p_server_new(&config, &fx.server) < 0)
		return -1;
	fx.export = (struct sk_9p_export){ .name = "x", .fs = fx.fs };
	if (cl_start(&fx.a, fx.server, &fx.export, 1000) < 0 || cl_start(&fx.b, fx.server, &fx.export, 1001) < 0)
		return -1;
	*state = &fx;
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *fx = *state;

	cl_end(&fx->a);
	cl_end(&fx->b);
	sk_9p_server_free(fx->server);
	sk_memfs_free(fx->fs);
	return 0;
}

/* A new file `name`, open as `fid`. */
static inline void make(struct client *c, uint32_t fid, const char *name)
{
	assert_int_equal(cl_walk(c, 0, fid, ""), 0);
	assert_int_equal(cl_create(c, fid, name, P9_O_RDWR, 0644, 100), 0);
}

static inline void open_file(struct client *c, uint32_t fid, const char *name)
{
	assert_int_equal(cl_walk(c, 0, fid, name), 0);
	assert_int_equal(cl_open(c, fid, P9_O_RDWR), 0);
}

/* A client that speaks the extension. */
static inline int start_ext(struct fixture *fx, struct client *c)
{
	return cl_start_ext(c, fx->server, &fx->export, 1000);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
