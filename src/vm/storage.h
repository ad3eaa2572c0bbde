/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VM_STORAGE_H
#define SK_VM_STORAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/loop.h"
#include "engine/engine.h"

/* Layers, disks and the balloon of a sandbox, on a thread. */
struct sk_storage;

/* A read-only file. All layers of a sandbox are one device, laid end to end. */
struct sk_sandbox_layer {
	const char *path;
	uint64_t size; /* bytes used of the file */
};

/* A file, a device of its own. */
struct sk_sandbox_disk {
	int take_fd;
	const char *path;   /* of the same file, for an engine that opens it by itself; NULL where there is none such */
	const char *serial; /* by which the guest finds it, SK_BLK_ID_MAX letters at most; NULL: SK_BLK_ID_WRITABLE */
	bool readonly;
	bool scratch; /* gone when the sandbox is: a flush need not reach the host's disk */
};
#define SK_SANDBOX_DISKS 8u

struct sk_storage_config {
	struct sk_loop *loop; /* where `trouble` is called */
	const char *run_dir;  /* of the device sockets */
	const struct sk_sandbox_layer *layers;
	unsigned n_layers;
	const struct sk_sandbox_disk *disks;
	unsigned n_disks;
	/* A write to one of the disks finds no space on the host, until it is called again, or fails with an errno,
	 * which stays. */
	void (*trouble)(void *arg, bool is_full, int failed);
	void *arg;
};

/* Opens files and sockets. Takes the disks' descriptors, also on failure. */
int sk_storage_new(const struct sk_storage_config *config, struct sk_storage **ret_storage, struct sk_error *err);
/* Starts the thread. What the process has given up until now is given up for the thread, too. */
int sk_storage_run(struct sk_storage *storage, struct sk_error *err);
size_t sk_storage_engine_devices(const struct sk_storage *storage, struct sk_engine_device *ret, size_t max);
/* Ends the thread. Accepts NULL, and one that does not run. */
void sk_storage_free(struct sk_storage *storage);

#endif
