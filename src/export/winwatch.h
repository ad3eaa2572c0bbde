/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_EXPORT_WINWATCH_H
#define SK_EXPORT_WINWATCH_H

#include "base/error.h"
#include "base/loop.h"
#include "ninep/server.h"

/*
 * Tells what others than this process do in exported directories of a Windows host, for clients whose programs watch them with
 * inotify. See winwatch.c.
 */
struct sk_winwatch;
/* `event` NULL: that was all for now. Called by the loop. */
typedef void (*sk_winwatch_cb)(void *arg, const struct sk_9p_event *event);

int sk_winwatch_new(struct sk_loop *loop, sk_winwatch_cb cb, void *arg, struct sk_winwatch **ret, struct sk_error *err);
/* An export of sk_winfs_new(), borrowed as long as the watch lives. Before sk_winwatch_start(). */
int sk_winwatch_add(struct sk_winwatch *watch, struct sk_9p_fs *fs, struct sk_error *err);
int sk_winwatch_start(struct sk_winwatch *watch, struct sk_error *err);
/* Accepts NULL. */
void sk_winwatch_free(struct sk_winwatch *watch);

#endif
