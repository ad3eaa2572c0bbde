/* SPDX-License-Identifier: Apache-2.0 */
#include "image/input.h"

#include <archive.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

int sk_unpack_check(uint64_t packed, uint64_t plain, struct sk_error *err)
{
	if (plain <= SK_UNPACK_FREE || (plain - SK_UNPACK_FREE) / SK_UNPACK_RATIO <= packed)
		return 0;
	return sk_error_set(err, EFBIG, "%llu bytes that unpack to more than %llu: a decompression bomb",
			    (unsigned long long)packed, (unsigned long long)plain);
}

#define GIVE_UP_MS 100 /* how often the flag is looked at */

static ssize_t read_fd(struct sk_input *in, void *buf, size_t len, struct sk_error *err)
{
	struct sk_input_fd *self = (struct sk_input_fd *)in;
	struct pollfd p = { .fd = self->fd, .events = POLLIN };
	ssize_t n;

	/* read() itself may be restarted after the signal that set the flag. */
	while (self->give_up && poll(&p, 1, GIVE_UP_MS) <= 0)
		if (*self->give_up)
			return sk_error_set(err, EINTR, "interrupted");
	do
		n = read(self->fd, buf, len);
	while (n < 0 && errno == EINTR);
	return n < 0 ? sk_error_errno(err, errno, "cannot read") : n;
}

void sk_input_fd_init(struct sk_input_fd *in, int fd, const volatile sig_atomic_t *give_up)
{
	in->in.read = read_fd;
	in->fd = fd;
	in->give_up = give_up;
}

static ssize_t read_memory(struct sk_input *in, void *buf, size_t len, struct sk_error *err)
{
	struct sk_input_memory *self = (struct sk_input_memory *)in;

	(void)err;
	if (len > self->len)
		len = self->len;
	if (len)
		memcpy(buf, self->data, len);
	self->data += len;
	self->len -= len;
	return (ssize_t)len;
}

void sk_input_memory_init(struct sk_input_memory *in, const void *data, size_t len)
{
	in->in.read = read_memory;
	in->data = data;
	in->len = len;
}

static ssize_t read_archive(struct sk_input *in, void *buf, size_t len, struct sk_error *err)
{
	struct sk_input_archive *self = (struct sk_input_archive *)in;
	la_ssize_t n = archive_read_data(self->archive, buf, len);
	const char *why;

	if (n >= 0)
		return (ssize_t)n;
	why = archive_error_string(self->archive);
	return sk_error_set(err, EBADMSG, "damaged archive: %.300s", why ? why : "cannot be read");
}

void sk_input_archive_init(struct sk_input_archive *in, struct archive *archive)
{
	in->in.read = read_archive;
	in->archive = archive;
}
