/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_IMAGE_INPUT_H
#define SK_IMAGE_INPUT_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct archive;

/*
 * How many bytes `packed` bytes may unpack to: any that a real layer has (a file of zeros packs to a thousandth and
 * less), but not hours of them out of a few KiB. 0 or -EFBIG with err set.
 */
#define SK_UNPACK_FREE (8ull << 30)
#define SK_UNPACK_RATIO 1100u
int sk_unpack_check(uint64_t packed, uint64_t plain, struct sk_error *err);

/*
 * A source of bytes, read from the front once: a file, a member of an archive, memory. Embedded as the first member of
 * what implements it; lives on the caller's stack.
 */
struct sk_input {
	/* Up to `len` bytes into `buf`; 0 at the end; negative errno with `err` set. */
	ssize_t (*read)(struct sk_input *in, void *buf, size_t len, struct sk_error *err);
};

struct sk_input_fd {
	struct sk_input in;
	int fd;				      /* borrowed */
	const volatile sig_atomic_t *give_up; /* when it is set while we wait for a pipe: EINTR; may be NULL */
};
void sk_input_fd_init(struct sk_input_fd *in, int fd, const volatile sig_atomic_t *give_up);

struct sk_input_memory {
	struct sk_input in;
	const uint8_t *data; /* borrowed */
	size_t len;
};
void sk_input_memory_init(struct sk_input_memory *in, const void *data, size_t len);

/* The contents of the entry at which a libarchive reader stands. */
struct sk_input_archive {
	struct sk_input in;
	struct archive *archive; /* borrowed */
};
void sk_input_archive_init(struct sk_input_archive *in, struct archive *archive);

#endif
