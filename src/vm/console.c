/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest kernel's console: a pipe from the engine, read on the loop and written to log/console.log. It goes through
 * us, and not to the file at once, because it must not fill the host's disk.
 */
#include "vm/console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/socket.h"

#define SK_CONSOLE_MAX (1u << 20)
#define SK_CONSOLE_TAIL 32   /* bytes that are looked at once more, with what follows: words may come in pieces */
#define SK_CONSOLE_DRAIN 16u /* reads of 4 KiB */
#define SK_PANIC "Kernel panic - not syncing"
#define SK_BAD_LAYER "SQUASHFS error: "

struct sk_console {
	struct sk_loop *loop;
	const struct sk_console_events *events;
	void *arg;
	int fd, log_fd;
	struct sk_source *source; /* NULL: the engine has closed its end */
	size_t written;
	char tail[SK_CONSOLE_TAIL]; /* what was read last */
};

static void on_console(void *arg, int fd, unsigned events)
{
	struct sk_console *c = arg;
	char all[SK_CONSOLE_TAIL + 4096], *buf = all + SK_CONSOLE_TAIL;
	ssize_t n = read(fd, buf, sizeof(all) - SK_CONSOLE_TAIL);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		sk_loop_remove(SK_TAKE_PTR(c->source));
		return;
	}
	memcpy(all, c->tail, SK_CONSOLE_TAIL);
	memcpy(c->tail, all + n, SK_CONSOLE_TAIL);
	if (memmem(all, SK_CONSOLE_TAIL + (size_t)n, SK_PANIC, sizeof(SK_PANIC) - 1))
		c->events->panic(c->arg);
	if (memmem(all, SK_CONSOLE_TAIL + (size_t)n, SK_BAD_LAYER, sizeof(SK_BAD_LAYER) - 1))
		c->events->bad_layer(c->arg);
	if (c->written >= SK_CONSOLE_MAX)
		return;
	c->written += (size_t)n;
	if (sk_fs_write_all(c->log_fd, buf, (size_t)n) < 0)
		c->written = SK_CONSOLE_MAX;
}

int sk_console_new(struct sk_loop *loop, int take_log_fd, const struct sk_console_events *events, void *arg,
		   struct sk_console **ret_console, int *ret_write_fd, struct sk_error *err)
{
	struct sk_console *c = calloc(1, sizeof(*c));
	int pipefd[2], r = !c ? -ENOMEM : pipe2(pipefd, O_CLOEXEC) < 0 ? -errno : 0;

	if (r < 0) {
		free(c);
		sk_close_fd(&take_log_fd);
		return sk_error_errno(err, r, "cannot open the console log");
	}
	*c = (struct sk_console){ .loop = loop, .events = events, .arg = arg, .fd = pipefd[0], .log_fd = take_log_fd };
	sk_socket_nonblock(c->fd);
	c->source = sk_loop_add_fd(loop, c->fd, SK_LOOP_READ, on_console, c);
	if (!c->source) {
		close(pipefd[1]);
		sk_console_free(c);
		return sk_error_errno(err, ENOMEM, "cannot open the console log");
	}
	*ret_console = c;
	*ret_write_fd = pipefd[1];
	return 0;
}

void sk_console_drain(struct sk_console *c)
{
	unsigned i;

	for (i = 0; c && i < SK_CONSOLE_DRAIN && c->source; i++)
		on_console(c, c->fd, SK_LOOP_READ);
}

void sk_console_free(struct sk_console *c)
{
	if (!c)
		return;
	if (c->source)
		on_console(c, c->fd, SK_LOOP_READ);
	sk_loop_remove(c->source);
	sk_close_fd(&c->fd);
	sk_close_fd(&c->log_fd);
	free(c);
}
