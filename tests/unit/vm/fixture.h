/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_TESTS_VM_FIXTURE_H
#define SK_TESTS_VM_FIXTURE_H

#include "../sk_test.h"

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/id.h"
#include "vm/state.h"

/*
 * A store in a temporary directory, with one container at a time whose engine is the fake one, and the messages that a
 * client exchanges with its monitor. What cannot be done fails the test.
 */
#define FX_TRIES 3000 /* of 10 ms: how long is waited for another process */

struct fx_store {
	char root[64];
	struct sk_paths paths;
	char id[SK_ID_LEN + 1]; /* of the container that was made last */
};

/* For setup and teardown of a group; 0 or -1. */
int fx_store_init(struct fx_store *store);
int fx_store_fini(struct fx_store *store);
/* The fake engine runs this script from now on; it is written into the directory. */
void fx_engine_script(const char *dir, const char *text);
/* A new container. vm.json has what every one needs, and what is in `take_more` (NULL: nothing). */
void fx_new_container(struct fx_store *store, json_t *take_more);
/* A path in the container's directory, malloc'd. */
char *fx_path(const struct fx_store *store, const char *name);

/* state.json, the caller's; NULL: there is no such container. */
json_t *fx_state(const struct fx_store *store);
/* Its "status"; "gone". In `buf`. */
const char *fx_status(const struct fx_store *store, char buf[32]);
void fx_wait_status(const struct fx_store *store, const char *wanted);

/* A frame with a JSON text. */
void fx_send(int fd, const char *text);
/* The next JSON frame on a connection, past output, the caller's; NULL: it has been closed. Waits. */
json_t *fx_receive(int fd);
/* A request's answer has to say "ok". */
void fx_expect_ok(int fd);

#endif
