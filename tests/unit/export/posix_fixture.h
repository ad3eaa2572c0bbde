/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_TEST_POSIX_FIXTURE_H
#define SK_TEST_POSIX_FIXTURE_H

#include <stdbool.h>

#include "export/posix.h"
#include "p9_client.h"

/* Shared by the tests of the POSIX back end: a directory of the host, a server for it, and two clients. */
extern enum sk_export_who who; /* of all that is started */
extern char top[100];	       /* where directories are made */

struct fixture {
	char dir[110];
	int dirfd; /* the host's own way in */
	struct sk_export_pool *pool;
	struct sk_9p_fs *fs;
	struct sk_9p_export export;
	struct sk_9p_server *server;
	struct client a, b;
	struct sk_export_config config;
	unsigned max_fds;
};

/* Serves `path`, or the single file that it is as `name`. */
int fx_start(struct fixture *fx, const char *path, const char *name);
void fx_stop(struct fixture *fx);
int fx_setup(void **state, bool no_openat2, unsigned max_fds);
int fx_teardown(void **state);

/* Through a client, which has to succeed: a new file; an open one; Tsetattr, whose result is returned. */
void fx_make(struct client *c, uint32_t fid, const char *name);
void fx_open(struct client *c, uint32_t fid, const char *name, uint32_t flags);
int fx_setattr(struct client *c, uint32_t fid, struct p9_setattr a);

/* Tests of test_posix_inside.c. */
void inside_no_way_out(void **state);
void inside_race(void **state);
void inside_single_file(void **state);
void inside_single_file_replaced(void **state);
void inside_walk_again(void **state);

/* Tests of test_posix_file.c. */
void file_allocate(void **state);
void file_renamex(void **state);
void file_tmpfile(void **state);
void file_copy(void **state);
void file_flags(void **state);
void file_privileged_xattrs(void **state);
void file_link_owner(void **state);
void file_leased(void **state);

/* Tests of test_posix_socket.c. */
void socket_connect(void **state);
void socket_bind(void **state);
void socket_fifo(void **state);

/* Tests of test_posix_bounds.c. */
void bounds_budget(void **state);
void bounds_two_directories(void **state);
void bounds_many_listings(void **state);
void bounds_watched_directories(void **state);

#endif
