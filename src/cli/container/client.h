/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_CLI_CLIENT_H
#define SK_CLI_CLIENT_H

#include <jansson.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/frame.h"
#include "proto/message.h"
#include "vm/state.h"

/* A connection to a monitor on which more than one answer comes. Blocking. */
struct sk_client {
	int fd; /* taken */
	/* Where set, the monitor has to show signs of life while an answer is waited for (sk_vm_await()). */
	const struct sk_paths *paths;
	const char *id;
	struct sk_buf in;
};
void sk_client_init(struct sk_client *client, int take_fd);
void sk_client_fini(struct sk_client *client);
#define _cleanup_client_ __attribute__((cleanup(sk_client_fini)))

int sk_client_send_json(struct sk_client *client, const json_t *request, struct sk_error *err);
int sk_client_send(struct sk_client *client, uint8_t type, const void *p, size_t n, struct sk_error *err);
/* Waits for the next frame; it lies in the buffer until the next call. -ECONNRESET: end of file. */
int sk_client_next(struct sk_client *client, struct sk_frame *ret, struct sk_error *err);
/* The next frame that is JSON (others are dropped). A new reference. */
int sk_client_json(struct sk_client *client, json_t **ret, struct sk_error *err);
int sk_client_request(struct sk_client *client, const struct sk_msg *request, struct sk_error *err);
/* The reply to the request `op`; a failure becomes `err`. */
int sk_client_reply(struct sk_client *client, enum sk_op op, struct sk_error *err);
/* The next event; the caller's (sk_msg_fini()). */
int sk_client_event(struct sk_client *client, struct sk_msg *ret, struct sk_error *err);

#endif
