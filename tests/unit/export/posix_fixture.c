/* SPDX-License-Identifier: Apache-2.0 */
/* A server on a directory of its own and a client, for the tests of the POSIX back end. */
#include "../sk_test.h"

#include "posix_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/loop.h"

enum sk_export_who who;
char top[100];

static uint64_t clock_ms(void *arg)
{
	(void)arg;
	return sk_now_ms();
}

int fx_start(struct fixture *fx, const char *path, const char *name)
{
	struct sk_9p_server_config config = { .now_ms = clock_ms };
	struct sk_error err = SK_ERROR_INIT;
	int fd = open(path, O_PATH | O_CLOEXEC);

	fx->config.who = who;
	fx->config.squash_uid = 4321;
	fx->config.squash_gid = 4322;
	if (fd < 0 || sk_posix_pool_new(fx->max_fds, &fx->pool, &err) < 0 ||
	    sk_posix_new(fx->pool, fd, name, &fx->config, &fx->fs, &err) < 0 ||
	    sk_9p_server_new(&config, &fx->server) < 0) {
		fprintf(stderr, "%s\n", err.message);
		return -1;
	}
	fx->export = (struct sk_9p_export){ .name = "x", .fs = fx->fs };
	if (cl_start(&fx->a, fx->server, &fx->export, 0) < 0 || cl_start(&fx->b, fx->server, &fx->export, 1234) < 0)
		return -1;
	return 0;
}

void fx_stop(struct fixture *fx)
{
	unsigned nodes, files;

	cl_end(&fx->a);
	cl_end(&fx->b);
	sk_9p_server_free(fx->server);
	sk_posix_pool_used(fx->pool, &nodes, &files);
	assert_int_equal(files, 0);
	assert_true(nodes <= 2);
	sk_posix_free(fx->fs);
	sk_posix_pool_used(fx->pool, &nodes, &files);
	assert_int_equal(nodes, 0);
	sk_posix_pool_free(fx->pool);
}

int fx_setup(void **state, bool no_openat2, unsigned max_fds)
{
	static struct fixture fx;

	memset(&fx, 0, sizeof(fx));
	fx.config.no_openat2 = no_openat2;
	fx.max_fds = max_fds;
	snprintf(fx.dir, sizeof(fx.dir), "%s/XXXXXX", top);
	if (!mkdtemp(fx.dir))
		return -1;
	chmod(fx.dir, 0777);
	fx.dirfd = open(fx.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = &fx;
	return fx_start(&fx, fx.dir, NULL);
}

int fx_teardown(void **state)
{
	struct fixture *fx = *state;

	fx_stop(fx);
	close(fx->dirfd);
	return sk_fs_remove_tree(AT_FDCWD, fx->dir);
}

void fx_make(struct client *c, uint32_t fid, const char *name)
{
	assert_int_equal(cl_walk(c, 0, fid, ""), 0);
	assert_int_equal(cl_create(c, fid, name, P9_O_RDWR | P9_O_EXCL, 0644, 1234), 0);
}

void fx_open(struct client *c, uint32_t fid, const char *name, uint32_t flags)
{
	assert_int_equal(cl_walk(c, 0, fid, name), 0);
	assert_int_equal(cl_open(c, fid, flags), 0);
}

int fx_setattr(struct client *c, uint32_t fid, struct p9_setattr a)
{
	struct p9_msg t = { .type = P9_TSETATTR };

	a.fid = fid;
	t.u.setattr = a;
	return cl_call(c, &t);
}
