/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cp: a tar stream between this host and the agent of a container's VM. A container that does not run gets its VM
 * booted for the time of the copy, without its process: the connection that launched it is held open and unused, and
 * keeps it up.
 */
#include <archive.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "cli/container/client.h"
#include "cli/commands.h"
#include "model/container.h"
#include "cli/container/cp_plan.h"
#include "cli/container/cp_stream.h"
#include "cli/container/cp_system.h"
#include "cli/container/cp_tar.h"
#include "model/create.h"
#include "model/jx.h"
#include "model/path.h"
#include "model/units.h"
#include "vm/vm.h"

#define MAX_LINKS 16
#define BOOT_WAIT_MS 60000
#define CHUNK (128u * 1024u)

struct cp_opts {
	bool archive, follow, quiet;
};

static const struct sk_opt cp_opts[] = {
	SK_OPT_BOOL_("archive", 'a', offsetof(struct cp_opts, archive), "Archive mode (copy all uid/gid information)"),
	SK_OPT_BOOL_("follow-link", 'L', offsetof(struct cp_opts, follow), "Always follow symbol link in SRC_PATH"),
	SK_OPT_BOOL_("quiet", 'q', offsetof(struct cp_opts, quiet),
		     "Suppress progress output during copy. Progress output is automatically suppressed if no terminal "
		     "is attached"),
	SK_OPT_END,
};

struct copy {
	struct sk_cli *cli;
	const struct cp_opts *o;
	struct sk_container c;
	int hold_fd; /* keeps a VM that we booted */
	struct sk_client client;
	struct sk_frame frame; /* being read by libarchive */
	bool have_frame, eof;
	uint64_t bytes;
	struct sk_error *err;
};

static int open_vm(struct copy *k, struct sk_error *err)
{
	if (sk_container_is_alive(&k->c))
		return 0;
	k->hold_fd = sk_boot(&k->cli->paths, k->c.id, k->c.config, err);
	return k->hold_fd < 0 ? k->hold_fd : 0;
}

/* A new connection; to a VM that we have just launched as soon as its monitor listens. */
static int connect_vm(struct copy *k, struct sk_error *err)
{
	int waited = 0, fd;

	for (;;) {
		struct pollfd pfd = { .fd = k->hold_fd, .events = POLLIN };

		*err = (struct sk_error)SK_ERROR_INIT;
		fd = sk_vm_connect(&k->cli->paths, k->c.id, err);
		if (fd != -ENOENT || k->hold_fd < 0 || waited >= BOOT_WAIT_MS)
			return fd;
		if (poll(&pfd, 1, 2) > 0) {
			/* Data without a request means that the VM could not boot. The answer to the first request
			 * says why. */
			*err = (struct sk_error)SK_ERROR_INIT;
			fd = sk_vm_request(&k->cli->paths, k->c.id, k->hold_fd,
					   &(const struct sk_msg){ .op = SK_REQUEST_INFO }, NULL, NULL, err);
			return fd < 0 ? fd : sk_error_set(err, EIO, "the container's monitor is gone");
		}
		waited += 2;
	}
}

static int stat_once(struct copy *k, const char *path, json_t **ret, struct sk_error *err)
{
	const struct sk_msg request = { .op = SK_REQUEST_STAT, .file = { .path = path } };
	_cleanup_fd_ int fd = connect_vm(k, err);
	struct sk_reply reply;
	int r = fd < 0 ? fd : sk_vm_request(&k->cli->paths, k->c.id, fd, &request, &reply, NULL, err);

	if (r < 0)
		return r;
	*ret = json_incref((json_t *)(uintptr_t)reply.stat);
	sk_reply_fini(&reply);
	return 0;
}

/* Stat of a path in the container. With `follow` through links; `*path` (malloc'd) becomes the resolved path. -ENOENT:
 * there is none. */
static int stat_in(struct copy *k, char **path, bool follow, bool *ret_is_dir, struct sk_error *err)
{
	int i, r;

	for (i = 0; i < MAX_LINKS; i++) {
		_cleanup_json_ json_t *st = NULL;
		_cleanup_free_ char *dir = NULL, *clean = NULL;
		const char *link;

		r = stat_once(k, *path, &st, err);
		if (r < 0)
			return r;
		*ret_is_dir = sk_jx_get_bool(st, "is_dir", false);
		link = sk_jx_get_str(st, "link", "");
		if (!*link || !follow)
			return 0;
		clean = sk_model_path_clean(*path);
		dir = sk_model_path_dir(clean);
		free(*path);
		*path = *link == '/' ? sk_model_path_clean(link) : sk_model_path_join(dir, link);
	}
	return sk_error_set(err, ELOOP, "%s: too many links", *path);
}

static char *rooted(const char *path)
{
	return path[0] == '/' ? sk_xstrdup(path) : sk_xasprintf("/%s", path);
}

/* ---- from the container */

static la_ssize_t on_read(struct archive *a, void *arg, const void **ret)
{
	struct copy *k = arg;
	struct sk_error err = SK_ERROR_INIT;

	if (k->have_frame)
		sk_frame_consume(&k->client.in, &k->frame);
	k->have_frame = false;
	while (!k->eof) {
		if (sk_client_next(&k->client, &k->frame, &err) < 0) {
			archive_set_error(a, EIO, "%s", err.message);
			return -1;
		}
		if (k->frame.type == SK_FRAME_STDOUT && k->frame.len) {
			k->have_frame = true;
			*ret = k->frame.payload;
			return (la_ssize_t)k->frame.len;
		}
		if (k->frame.type == SK_FRAME_JSON) { /* refused before it began: left for the reply */
			k->eof = true;
			break;
		}
		k->eof = k->frame.type == SK_FRAME_STDOUT;
		sk_frame_consume(&k->client.in, &k->frame);
	}
	*ret = NULL;
	return 0;
}

static int begin_get(struct copy *k, const struct sk_msg *request, struct sk_error *err)
{
	int fd = connect_vm(k, err);

	if (fd < 0)
		return fd;
	sk_client_init(&k->client, fd);
	k->client.paths = &k->cli->paths;
	k->client.id = k->c.id;
	return sk_client_request(&k->client, request, err);
}

/* The reply behind the archive has the last word: its error explains a broken archive. */
static int end_get(struct copy *k, int r, struct sk_error *err)
{
	struct sk_error reply = SK_ERROR_INIT;
	struct sk_frame frame;
	int q = 0;

	if (k->have_frame)
		sk_frame_consume(&k->client.in, &k->frame);
	k->have_frame = false;
	while (!k->eof && r == 0 && (q = sk_client_next(&k->client, &frame, &reply)) == 0 &&
	       frame.type == SK_FRAME_STDOUT) {
		k->eof = frame.len == 0;
		sk_frame_consume(&k->client.in, &frame);
	}
	if (r < 0 && !k->eof)
		return r; /* our own side failed: do not wait for the rest */
	if (q == 0)
		q = sk_client_reply(&k->client, SK_REQUEST_GET, &reply);
	if (q < 0 && (r == 0 || q != -ECONNRESET)) {
		*err = reply;
		return q;
	}
	return r;
}

struct guest_input {
	struct sk_input in;
	struct copy *k;
	struct archive *a; /* for its error only */
	const uint8_t *data;
	size_t len;
};

static ssize_t read_guest(struct sk_input *in, void *buf, size_t len, struct sk_error *err)
{
	struct guest_input *g = (struct guest_input *)in;
	const void *data;

	if (g->len == 0) {
		la_ssize_t n = on_read(g->a, g->k, &data);

		if (n <= 0)
			return n < 0 ? sk_error_set(err, EIO, "%s", archive_error_string(g->a)) : 0;
		g->data = data;
		g->len = (size_t)n;
	}
	if (len > g->len)
		len = g->len;
	memcpy(buf, g->data, len);
	g->data += len;
	g->len -= len;
	return (ssize_t)len;
}

static int get_to(struct copy *k, const struct sk_msg *request, const struct sk_cp_use *use)
{
	struct guest_input g = { .in = { read_guest }, .k = k, .a = archive_read_new() };
	int r = begin_get(k, request, k->err);

	if (r == 0)
		r = use->use(use->arg, &g.in, k->err);
	archive_read_free(g.a);
	return end_get(k, r, k->err);
}

int sk_cp_to_fd(void *arg, struct sk_input *in, struct sk_error *err)
{
	_cleanup_free_ char *buf = sk_xcalloc(1, CHUNK);
	ssize_t n;
	int r = 0;

	while (r == 0 && (n = in->read(in, buf, CHUNK, err)) != 0) {
		if (n < 0)
			return (int)n;
		r = sk_fs_write_all(*(const int *)arg, buf, (size_t)n);
	}
	return r < 0 ? sk_error_errno(err, r, "cannot write the archive") : 0;
}

static int get_to_stdout(struct copy *k, const char *path)
{
	const struct sk_msg request = { .op = SK_REQUEST_GET, .file = { .path = path, .follow = k->o->follow } };
	int fd = STDOUT_FILENO;
	const struct sk_cp_use use = { sk_cp_to_fd, &fd };

	return get_to(k, &request, &use);
}

/* Our side of a copy: links of the destination itself are followed, as docker does. malloc'd. */
static char *local_destination(const char *path, struct sk_cp_side *side)
{
	char *real = realpath(path, NULL), *kept;
	struct stat st;

	side->exists = stat(path, &st) == 0;
	side->is_dir = side->exists && S_ISDIR(st.st_mode);
	kept = real ? sk_xstrdup(real) : sk_model_path_absolute(path);
	free(real);
	if (sk_model_path_has_trailing_slash(path) ||
	    sk_model_path_ends_in_dot(
		    path)) { /* the path means a directory: keep the slash, which the rules of cp look at */
		char *longer = sk_xasprintf("%s/", kept);

		free(kept);
		kept = longer;
	}
	side->path = kept;
	return kept;
}

static int extract(struct copy *k, const char *dir, struct sk_cp_extract *x, const char *path)
{
	const struct sk_msg request = { .op = SK_REQUEST_GET, .file = { .path = path } };
	struct archive *a = archive_read_new();
	_cleanup_fd_ int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (dirfd < 0) {
		archive_read_free(a);
		return errno == ENOENT ? sk_error_set(k->err, ENOENT,
						      "invalid output path: directory \"%s\" does not exist", dir)
				       : sk_error_errno(k->err, errno, "cannot open %s", dir);
	}
	archive_read_support_format_tar(a);
	r = begin_get(k, &request, k->err);
	if (r == 0 && archive_read_open(a, k, NULL, on_read, NULL) != ARCHIVE_OK && !k->eof)
		r = sk_error_set(k->err, EIO, "cannot read from the container: %s", archive_error_string(a));
	if (r == 0)
		r = sk_cp_extract(a, dirfd, x, k->err);
	archive_read_free(a);
	return end_get(k, r, k->err);
}

static int copy_from(struct copy *k, const char *from, const char *to)
{
	_cleanup_free_ char *path = rooted(from), *resolved = sk_xstrdup(path), *clean = NULL, *local = NULL,
			    *dir = NULL, *name = NULL;
	struct sk_cp_side src = { .path = path, .exists = true }, dst = { 0 };
	struct sk_cp_extract x = { .keep_owner = k->o->archive };
	int r = stat_in(k, &resolved, k->o->follow, &src.is_dir, k->err);

	if (r == -ENOENT || r == -ENOTDIR) {
		*k->err = (struct sk_error)SK_ERROR_INIT;
		return sk_error_set(k->err, ENOENT, "Could not find the file %s in container %s", from,
				    sk_container_name(&k->c));
	}
	if (r < 0)
		return r;
	if (strcmp(to, "-") == 0)
		return get_to_stdout(k, path);
	local = local_destination(to, &dst);
	r = sk_cp_plan(&src, &dst, &dir, &name, k->err);
	if (r < 0)
		return r;
	clean = sk_model_path_clean(resolved);
	x.root = strcmp(clean, "/") == 0 ? "." : sk_model_path_base(clean);
	x.name = name;
	r = extract(k, dir, &x, sk_model_path_ends_in_dot(path) ? path : clean);
	k->bytes = x.bytes;
	if (r == 0 && x.skipped)
		sk_cli_warn("%u device nodes or sockets were not copied", x.skipped);
	return r;
}

/* ---- to the container */

static la_ssize_t on_write(struct archive *a, void *arg, const void *data, size_t n)
{
	struct copy *k = arg;
	size_t part = n < CHUNK ? n : CHUNK;

	if (sk_client_send(&k->client, SK_FRAME_STDIN, data, part, k->err) < 0) {
		archive_set_error(a, EPIPE, "%s", k->err->message);
		return -1;
	}
	return (la_ssize_t)part;
}

static int begin_put(struct copy *k, const char *dir, bool owners)
{
	const struct sk_msg request = { .op = SK_REQUEST_PUT, .file = { .path = dir, .uid_gid = owners } };
	int fd = connect_vm(k, k->err);

	if (fd < 0)
		return fd;
	sk_client_init(&k->client, fd);
	k->client.paths = &k->cli->paths;
	k->client.id = k->c.id;
	return sk_client_request(&k->client, &request, k->err);
}

static int end_put(struct copy *k, int r, const char *dir)
{
	struct sk_error reply = SK_ERROR_INIT, ignored = SK_ERROR_INIT;
	int q;

	if (r == 0)
		r = sk_client_send(&k->client, SK_FRAME_STDIN, NULL, 0, &ignored);
	else if (k->err->code != EPIPE && k->err->code != ECONNRESET)
		return r; /* our own side failed */
	q = sk_client_reply(&k->client, SK_REQUEST_PUT, &reply);
	if (q < 0 && (r == 0 || q != -ECONNRESET)) {
		*k->err = reply;
		if (q == -ENOENT) {
			*k->err = (struct sk_error)SK_ERROR_INIT;
			sk_error_set(k->err, ENOENT, "Could not find the file %s in container %s", dir,
				     sk_container_name(&k->c));
		}
		return q;
	}
	return q == 0 ? 0 : r;
}

/* The archive on our stdin, as it is. */
static int put_stdin(struct copy *k, const char *dir)
{
	static uint8_t chunk[CHUNK];
	int r = begin_put(k, dir, true);
	bool first = true;

	while (r == 0) {
		ssize_t n = read(STDIN_FILENO, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			r = sk_error_errno(k->err, errno, "cannot read the archive");
		if (n <= 0)
			break;
		if (first && n > 3 &&
		    (memcmp(chunk, "\x1f\x8b", 2) == 0 || memcmp(chunk, "BZh", 3) == 0 ||
		     memcmp(chunk,
			    "\xfd"
			    "7z",
			    3) == 0 ||
		     memcmp(chunk, "\x28\xb5\x2f\xfd", 4) == 0))
			r = sk_error_set(k->err, EINVAL,
					 "the archive is compressed: unpack it on the way, as with zcat");
		first = false;
		if (r == 0)
			r = sk_client_send(&k->client, SK_FRAME_STDIN, chunk, (size_t)n, k->err);
		k->bytes += (uint64_t)n;
	}
	return end_put(k, r, dir);
}

static int put_tree(struct copy *k, const char *from, const char *dir, const char *name)
{
	struct sk_cp_pack p = { .name = name, .follow = k->o->follow, .keep_owner = k->o->archive };
	struct archive *a = archive_write_new();
	int r = begin_put(k, dir, k->o->archive);

	archive_write_set_format_pax_restricted(a);
	archive_write_set_options(a, "hdrcharset=BINARY");
	archive_write_set_bytes_per_block(a, (int)CHUNK);
	archive_write_set_bytes_in_last_block(a, 512);
	if (r == 0 && archive_write_open(a, k, NULL, on_write, NULL) != ARCHIVE_OK)
		r = sk_error_set(k->err, EIO, "cannot send to the container: %s", archive_error_string(a));
	if (r == 0)
		r = sk_cp_pack(from, a, &p, k->err);
	archive_write_free(a);
	k->bytes = p.bytes;
	return end_put(k, r, dir);
}

static int copy_to(struct copy *k, const char *from, const char *to)
{
	_cleanup_free_ char *path = rooted(to), *dir = NULL, *name = NULL, *slashed = NULL;
	bool from_stdin = strcmp(from, "-") == 0, directory = sk_model_path_has_trailing_slash(path);
	struct sk_cp_side src = { .path = from }, dst = { 0 };
	struct stat st;
	int r;

	if (!from_stdin) {
		if ((k->o->follow || sk_model_path_ends_in_dot(from) || sk_model_path_has_trailing_slash(from)
			     ? stat
			     : lstat)(from, &st) < 0)
			return sk_error_errno(k->err, errno, "cannot copy %s", from);
		src.exists = true;
		src.is_dir = S_ISDIR(st.st_mode);
	}
	r = stat_in(k, &path, true, &dst.is_dir, k->err);
	if (r < 0 && r != -ENOENT)
		return r;
	dst.exists = r == 0;
	*k->err = (struct sk_error)SK_ERROR_INIT;
	if (from_stdin) {
		if (!dst.exists || !dst.is_dir)
			return sk_error_set(k->err, ENOTDIR, "destination \"%s:%s\" must be a directory",
					    sk_container_name(&k->c), to);
		return put_stdin(k, path);
	}
	slashed = directory && !sk_model_path_has_trailing_slash(path) ? sk_xasprintf("%s/", path) : sk_xstrdup(path);
	dst.path = slashed;
	r = sk_cp_plan(&src, &dst, &dir, &name, k->err);
	return r < 0 ? r : put_tree(k, from, dir, name);
}

static int copy(struct sk_cli *cli, const struct cp_opts *o, const char *container, const char *from, const char *to,
		bool out, struct sk_error *err)
{
	struct copy k = { .cli = cli, .o = o, .hold_fd = -1, .client = { .fd = -1 }, .err = err };
	char size[32];
	int r = sk_cli_open(cli, err);

	sk_client_init(&k.client, -1);
	if (r == 0)
		r = sk_container_find(&cli->paths, container, &k.c, err);
	if (r == 0)
		r = open_vm(&k, err);
	if (r == 0)
		r = out ? copy_from(&k, from, to) : copy_to(&k, from, to);
	if (r == 0 && !o->quiet && isatty(STDERR_FILENO) && strcmp(to, "-") != 0)
		fprintf(stderr, "Successfully copied %s to %s%s%s\n", sk_format_size((double)k.bytes, 3, size),
			out ? "" : sk_container_name(&k.c), out ? "" : ":", to);
	sk_client_fini(&k.client);
	sk_close_fd(&k.hold_fd);
	sk_container_fini(&k.c);
	return r;
}

static int cmd_cp(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	_cleanup_free_ char *from_container = NULL, *to_container = NULL, *from = NULL, *to = NULL, *local = NULL;
	struct sk_error err = SK_ERROR_INIT;
	const char *ours;
	int r;

	(void)argc;
	sk_cp_split(argv[0], &from_container, &from);
	sk_cp_split(argv[1], &to_container, &to);
	if (from_container && to_container) {
		fprintf(stderr, "skerry: copying between containers is not supported\n");
		return 1;
	}
	if (!from_container && !to_container) {
		fprintf(stderr, "skerry: must specify at least one container source\n");
		return 1;
	}
	if (!*from || !*to) {
		fprintf(stderr, "skerry: bad parameter: path cannot be empty\n");
		return 1;
	}
	ours = from_container ? to : from;
	local = strcmp(ours, "-") == 0 ? sk_xstrdup(ours) : sk_cp_local_path(ours, &err);
	r = !local	     ? -err.code
	    : from_container ? copy(cli, opts, from_container, from, local, true, &err)
			     : copy(cli, opts, to_container, local, to, false, &err);
	return r < 0 ? sk_cli_fail(&err, 1) : 0;
}

const struct sk_command sk_cmd_cp = {
	.name = "cp",
	.args = "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n\tskerry cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
	.summary = "Copy files/folders between a container and the local filesystem",
	.details = "Use '-' as the source to read a tar archive from stdin\n"
		   "and extract it to a directory destination in a container.\n"
		   "Use '-' as the destination to stream a tar archive of a\n"
		   "container source to stdout.",
	.aliases = "skerry container cp, skerry cp",
	.opts = cp_opts,
	.opts_size = sizeof(struct cp_opts),
	.min = 2,
	.max = 2,
	.run = cmd_cp,
};

/* ---- for others */

int sk_cp_stream(struct sk_cli *cli, const struct sk_container *container, const struct sk_msg *request,
		 const struct sk_cp_use *use, struct sk_error *err)
{
	const struct cp_opts o = { .quiet = true };
	struct copy k = { .cli = cli, .o = &o, .hold_fd = -1, .client = { .fd = -1 }, .err = err, .c = *container };
	int r;

	sk_client_init(&k.client, -1);
	r = open_vm(&k, err);
	if (r == 0)
		r = get_to(&k, request, use);
	sk_client_fini(&k.client);
	sk_close_fd(&k.hold_fd);
	return r;
}
