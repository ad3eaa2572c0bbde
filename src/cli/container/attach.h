/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_CLI_ATTACH_H
#define SK_CLI_ATTACH_H

#include <stdbool.h>

#include "base/error.h"

/* The user's end of a container's (or an exec's) streams: see the theory in attach.c. */
struct sk_attach {
	int in_fd, out_fd, err_fd; /* -1: this stream is not wanted */
	bool tty;		   /* the process has a terminal: raw mode where in_fd is one, resize, detach keys */
	bool start;		   /* ask for the container's start first; its answer comes on this connection */
	bool sig_proxy;		   /* pass signals on (never with tty) */
	const char *detach_keys;   /* NULL: docker's */
};

enum sk_attach_end {
	SK_ATTACH_EXITED,   /* `code` */
	SK_ATTACH_DETACHED, /* by keys, or by a signal that is not passed on (`code` 128 + signal) */
	SK_ATTACH_REFUSED,  /* the start failed: the error says why, `code` 125, 126 or 127 */
	SK_ATTACH_LOST,	    /* the monitor is gone, or our own output: `code` */
};

struct sk_attach_result {
	enum sk_attach_end end;
	int code;
	bool oom;
	bool started;
	int signal; /* we were told to die of it */
};

/* Runs on `fd`, a connection in attached state (the reply to attach or exec has been read), until the process ends, the
 * user detaches, or something breaks; `fd` stays the caller's. Returns 0 with `*ret` set, negative errno with `err` set
 * for SK_ATTACH_REFUSED and _LOST too. */
int sk_attach_run(int fd, const struct sk_attach *attach, struct sk_attach_result *ret, struct sk_error *err);

#endif
