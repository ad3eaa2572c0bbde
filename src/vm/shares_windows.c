/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directories of the host that a VM on Windows is given. As on Linux one skerry-9pd serves them all and dies with this
 * process; the guest reaches it over one stream: the guest's end of that is joined to a socket whose other end is the
 * server's standard input.
 */
#include "vm/shares.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/platform/windows/system.h"
#include "base/process.h"
#include "base/socket.h"
#include "vm/places.h"
#include "vm/relay.h"

struct sk_shares {
	void (*lost)(void *arg, const char *why);
	void *arg;
	struct sk_token token;
	bool claimed;
	char *exports[SK_SANDBOX_SHARES];
	unsigned n;
	int fds[SK_SANDBOX_SHARES]; /* of parts, until the server has them */
	unsigned n_fds;
	sk_pid pid;
	struct sk_relay *relay;
};

/* The server has closed its end, or the guest has. */
static void on_done(void *arg, struct sk_relay *relay)
{
	const struct sk_shares *s = arg;

	(void)relay;
	if (!sk_process_runs(s->pid, -1, 0))
		s->lost(s->arg, "the file server of the VM has ended unexpectedly");
}

static const char *base_name(const char *path)
{
	const char *end = path + strlen(path);

	while (end > path && !strchr("/\\", end[-1]))
		end--;
	return end;
}

/*
 * A part of a share, which may be a volume that other containers write to at this moment: opened step by step, past no
 * link, and handed to the server as a handle, so that nothing is looked up by name a second time. A file is handed over as
 * its directory and its name, as its name may get another file. "handle:NUMBER" or "handle:NUMBER/NAME", malloc'd; NULL with
 * the error.
 */
static char *open_part(struct sk_shares *s, const struct sk_sandbox_share *share, struct sk_error *err)
{
	_cleanup_fd_ int top = open(share->path, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1;
	_cleanup_free_ char *parent = NULL;
	const char *name = base_name(share->subpath);
	struct stat st;
	char *export;

	fd = top < 0 ? -errno : sk_fs_open_beneath(top, share->subpath);
	if (fd >= 0 && fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode)) {
		close(fd);
		parent = strndup(share->subpath, (size_t)(name - share->subpath));
		fd = !parent ? -ENOMEM : sk_fs_open_beneath(top, *parent ? parent : ".");
	} else {
		name = "";
	}
	if (fd < 0) {
		sk_error_errno(err, fd, "cannot share %s of %s", share->subpath, share->path);
		return NULL;
	}
	export = sk_asprintf("handle:%llu%s%s", (unsigned long long)(uintptr_t)sk_win_handle(fd), *name ? "/" : "",
			     name);
	if (!export)
		sk_error_errno(err, ENOMEM, "cannot share %s", share->path);
	else
		s->fds[s->n_fds++] = SK_TAKE_FD(fd);
	return export;
}

/* What the server is told of a share: its path, or a part of it. malloc'd; NULL with the error. */
static char *find_place(struct sk_shares *s, const struct sk_sandbox_share *share, struct sk_error *err)
{
	struct stat st;
	char *path;

	if (share->subpath)
		return open_part(s, share, err);
	path = strdup(share->path);
	if (path && stat(path, &st) == 0)
		return path;
	sk_error_errno(err, path ? errno : ENOMEM, "cannot share %s", share->path);
	free(path);
	return NULL;
}

static int add_share(struct sk_shares *s, const struct sk_sandbox_share *share, struct sk_error *err)
{
	_cleanup_free_ char *place = NULL;
	const char *tag = share->tag;

	if (!tag || strspn(tag, "abcdefghijklmnopqrstuvwxyz0123456789") != strlen(tag) || strlen(tag) > 31)
		return sk_error_set(err, EINVAL, "vm.json: a share's tag is wrong");
	if (s->n == SK_SANDBOX_SHARES)
		return sk_error_set(err, E2BIG, "more than %u directories of the host cannot be given to one VM",
				    SK_SANDBOX_SHARES);
	place = find_place(s, share, err);
	if (!place)
		return -err->code;
	if (share->file && strcmp(share->file, base_name(place)) != 0)
		return sk_error_set(err, EINVAL, "vm.json: file \"%s\" is not that of %s", share->file, share->path);
	s->exports[s->n] = sk_asprintf("%s=%s:%s", tag, place, share->readonly && !share->copy_up ? "ro" : "rw");
	return s->exports[s->n++] ? 0 : sk_error_errno(err, ENOMEM, "cannot share %s", share->path);
}

static void close_parts(struct sk_shares *s)
{
	while (s->n_fds)
		close(s->fds[--s->n_fds]);
}

static int start_server(struct sk_shares *s, const struct sk_shares_config *config, struct sk_error *err)
{
	const char *argv[2 * SK_SANDBOX_SHARES + 5] = { "skerry-9pd", "--no-sandbox", "--fd", "0" };
	_cleanup_fd_ int ours = -1, theirs = -1;
	struct sk_spawn spawn = SK_SPAWN_INIT;
	_cleanup_free_ char *program = sk_place_program("skerry-9pd", "SKERRY_9PD");
	int pair[2], r;
	size_t n = 4;
	unsigned i;

	if (!program || socketpair(AF_INET, SOCK_STREAM, 0, pair) < 0)
		return sk_error_errno(err, errno, "cannot share directories");
	ours = pair[0];
	theirs = pair[1];
	for (i = 0; i < s->n; i++) {
		argv[n++] = "--export";
		argv[n++] = s->exports[i];
	}
	spawn.file = program;
	spawn.argv = argv;
	spawn.stdin_fd = theirs;
	spawn.stdout_fd = spawn.stderr_fd = config->log_fd;
	spawn.die_with_parent = true;
	spawn.keep_fds = s->fds;
	spawn.n_keep_fds = s->n_fds;
	r = sk_spawn(&spawn, &s->pid, NULL, err);
	close_parts(s);
	if (r < 0)
		return r;
	r = sk_socket_nonblock(ours);
	if (r < 0)
		return sk_error_errno(err, r, "cannot share directories");
	s->relay = sk_relay_new(config->loop, SK_TAKE_FD(ours), on_done, s);
	return s->relay ? 0 : sk_error_errno(err, ENOMEM, "cannot share directories");
}

int sk_shares_new(const struct sk_shares_config *config, struct sk_shares **ret_shares, struct sk_error *err)
{
	struct sk_shares *s;
	unsigned i;
	int r = 0;

	*ret_shares = NULL;
	if (!config->n_shares)
		return 0;
	s = calloc(1, sizeof(*s));
	if (!s)
		return sk_error_errno(err, ENOMEM, "cannot share directories");
	s->lost = config->lost;
	s->arg = config->arg;
	s->token.set = true;
	sk_random(s->token.bytes, sizeof(s->token.bytes));
	for (i = 0; r == 0 && i < config->n_shares; i++)
		r = add_share(s, &config->shares[i], err);
	if (r == 0)
		r = start_server(s, config, err);
	if (r == 0)
		*ret_shares = s;
	else
		sk_shares_free(s);
	return r;
}

void sk_shares_begin(struct sk_shares *s)
{
	(void)s; /* no mounts are passed on */
}

const char *sk_shares_device(const struct sk_shares *s)
{
	(void)s;
	return NULL;
}

const struct sk_token *sk_shares_token(const struct sk_shares *s)
{
	return s ? &s->token : NULL;
}

/* Once: the guest's mounts have one connection in common. */
ssize_t sk_shares_claim(struct sk_shares *s, const struct sk_token *token, struct sk_stream *stream,
			const uint8_t *data, size_t n)
{
	if (!s || s->claimed || !sk_token_equal(&s->token, token))
		return -1;
	s->claimed = true;
	return (ssize_t)sk_relay_join(s->relay, stream, data, n);
}

void sk_shares_free(struct sk_shares *s)
{
	unsigned i;

	if (!s)
		return;
	sk_relay_free(s->relay);
	if (s->pid) {
		sk_process_kill(s->pid);
		sk_wait(s->pid);
	}
	close_parts(s);
	for (i = 0; i < s->n; i++)
		free(s->exports[i]);
	free(s);
}
