/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VM_KEEPER_H
#define SK_VM_KEEPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "vm/state.h"

/*
 * A child of the monitor, forked before the monitor gives anything up. It sleeps until it is asked for one of the
 * things that a confined monitor cannot do, and goes when the monitor goes. See keeper.c.
 */
struct sk_keeper {
	int fd; /* -1: there is none */
	pid_t pid;
	bool late; /* an answer that was not waited for is still to come */
};

#define SK_KEEPER_SOCKETS 4u

/* What one life of a container hands on to the next. */
struct sk_next_life {
	int lock_fd, listen_fd;
	const int *sockets; /* that lead into the guest, in the order of vm.json */
	unsigned n_sockets; /* SK_KEEPER_SOCKETS at most */
	bool wanted;	    /* somebody waits for it: it starts even where no restart was counted */
	unsigned restarts;
	uint64_t backoff_ms;
};

/* `self`: the monitor's argv[0]; `id` and `paths` are copied. No threads yet. */
int sk_keeper_start(struct sk_keeper *k, const char *self, const struct sk_paths *paths, const char *id,
		    struct sk_error *err);
/* Becomes the monitor of the container's next life. The caller ends without touching the container's files any more. */
int sk_keeper_restart(struct sk_keeper *k, const struct sk_next_life *next);
/* Takes the container's directory and the anonymous volumes that go with it away, and deletes them after this
 * returns. */
int sk_keeper_remove(struct sk_keeper *k);
/* Reads /etc/resolv.conf as it is now, NUL-terminated; what does not fit is left out. Its length or negative errno. */
int sk_keeper_resolv_conf(struct sk_keeper *k, char *ret, size_t size);
/* Tells the keeper to exit, and waits until it has. */
void sk_keeper_end(struct sk_keeper *k);

#endif
