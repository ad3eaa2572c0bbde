/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VM_CONSOLE_H
#define SK_VM_CONSOLE_H

#include "base/error.h"
#include "base/loop.h"

/*
 * The console of a guest's kernel: what it says goes to a log, the first SK_CONSOLE_MAX bytes of a boot, and two things
 * that it may say are looked for. A guest that writes them on purpose hurts itself only.
 */
struct sk_console;

struct sk_console_events {
	void (*panic)(void *arg);
	void (*bad_layer)(void *arg); /* it cannot read a layer of the image */
};

/* Takes `take_log_fd`, also on failure. The engine gets *ret_write_fd, which is the caller's. */
int sk_console_new(struct sk_loop *loop, int take_log_fd, const struct sk_console_events *events, void *arg,
		   struct sk_console **ret_console, int *ret_write_fd, struct sk_error *err);
/* Reads what is there now: the kernel's last words may say why it is gone. Accepts NULL. */
void sk_console_drain(struct sk_console *console);
/* Reads once more what is there, which may call back. Accepts NULL. */
void sk_console_free(struct sk_console *console);

#endif
