/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_BASE_LOOP_H
#define SK_BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Event loop: readiness of descriptors, timers, deferred calls. One loop belongs to one thread; nothing here
 * may be called from another.
 *
 * Lifetime rules:
 *  1. A source belongs to the loop from *_add until *_remove; removing NULL is allowed.
 *  2. A callback may remove any source, its own too: the memory goes after the current round of callbacks.
 *  3. The loop never closes a descriptor.
 *  4. sk_loop_free() drops all sources.
 */
struct sk_loop;
struct sk_source;

#define SK_LOOP_READ 1u
#define SK_LOOP_WRITE 2u
#define SK_LOOP_HANGUP 4u /* reported always: error or hang-up */
#define SK_LOOP_EDGE 8u	  /* for sk_loop_add_fd(): reports what happens, not what is; nothing need be read */
#define SK_LOOP_ERROR 16u /* reported always, with SK_LOOP_HANGUP: it is an error (a reset, say), not only the end */

typedef void (*sk_loop_fd_cb)(void *arg, int fd, unsigned events);
typedef void (*sk_loop_cb)(void *arg);

/* -ENOMEM or the errno of epoll_create1, timerfd. */
int sk_loop_new(struct sk_loop **ret_loop);
void sk_loop_free(struct sk_loop *loop);

/* Watches `fd` for `events` (level-triggered without SK_LOOP_EDGE). NULL with errno set on failure. */
struct sk_source *sk_loop_add_fd(struct sk_loop *loop, int fd, unsigned events, sk_loop_fd_cb cb, void *arg);
/* Changes what is watched; 0 events keeps the source silent but for hang-up. */
int sk_loop_set_events(struct sk_source *source, unsigned events);
/* One-shot timer, `ms` milliseconds of CLOCK_MONOTONIC from now; re-arm with sk_loop_set_timer(). */
struct sk_source *sk_loop_add_timer(struct sk_loop *loop, uint64_t ms, sk_loop_cb cb, void *arg);
/* (Re-)arms; ms = UINT64_MAX disarms. */
void sk_loop_set_timer(struct sk_source *source, uint64_t ms);
/* Called once each time after sk_loop_trigger(), before the loop sleeps again. */
struct sk_source *sk_loop_add_deferred(struct sk_loop *loop, sk_loop_cb cb, void *arg);
void sk_loop_trigger(struct sk_source *source);
void sk_loop_remove(struct sk_source *source);

/* Runs until sk_loop_quit(). Returns 0, or negative errno when epoll fails. */
int sk_loop_run(struct sk_loop *loop);
/* One round, waiting at most `timeout_ms` (-1: for ever). Returns 1 if something ran, 0 on time-out, negative errno. */
int sk_loop_once(struct sk_loop *loop, int timeout_ms);
void sk_loop_quit(struct sk_loop *loop);
/* Milliseconds of CLOCK_MONOTONIC: stands still while the host sleeps, as guests and clients do, so that no deadline is
 * over when it wakes up. */
uint64_t sk_now_ms(void);

#endif
