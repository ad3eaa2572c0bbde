/* SPDX-License-Identifier: Apache-2.0 */
/* A local tree as tar. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/container/cp_system.h"
#include "cli/container/cp_tar.h"
#include "model/path.h"
#include "model/xmem.h"

struct pack {
	struct archive *out;
	struct archive_entry_linkresolver *links;
	struct sk_cp_pack *p;
	struct sk_error *err;
};

static int out_failed(struct pack *k)
{
	const char *why = archive_error_string(k->out);

	return k->err->code ? -k->err->code
			    : sk_error_set(k->err, EIO, "cannot send to the container: %s", why ? why : "write error");
}

static int send_data(struct pack *k, const char *path, int fd, int64_t size)
{
	static char chunk[128 * 1024];

	/* As many bytes as the header says, whatever the file does meanwhile. */
	while (size > 0) {
		ssize_t n = read(fd, chunk, (size_t)(size < (int64_t)sizeof(chunk) ? size : (int64_t)sizeof(chunk)));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return sk_error_errno(k->err, errno, "cannot read %s", path);
		if (n == 0)
			return sk_error_set(k->err, EIO, "cannot read %s: it became shorter meanwhile", path);
		if (archive_write_data(k->out, chunk, (size_t)n) != n)
			return out_failed(k);
		size -= n;
		k->p->bytes += (uint64_t)n;
	}
	return 0;
}

static int send_entry(struct pack *k, const char *path, const char *name, const struct stat *st)
{
	struct archive_entry *entry = archive_entry_new(), *sparse = NULL;
	_cleanup_fd_ int fd = -1;
	int r = 0;

	if (!sk_cp_describe(entry, path, st))
		r = sk_error_errno(k->err, errno, "cannot copy %s, which is a link", path);
	archive_entry_copy_pathname(entry, name);
	if (!k->p->keep_owner) {
		archive_entry_set_uid(entry, 0);
		archive_entry_set_gid(entry, 0);
	}
	archive_entry_linkify(k->links, &entry, &sparse);
	if (r == 0 && S_ISREG(st->st_mode) && archive_entry_size(entry) > 0) {
		fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 && k->p->follow)
			fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			r = sk_error_errno(k->err, errno, "cannot read %s", path);
	}
	if (r == 0 && archive_write_header(k->out, entry) < ARCHIVE_WARN)
		r = out_failed(k);
	if (r == 0 && fd >= 0)
		r = send_data(k, path, fd, archive_entry_size(entry));
	archive_entry_free(entry);
	return r;
}

static int on_visit(void *arg, const char *path, const char *below, const struct stat *st)
{
	struct pack *k = arg;
	_cleanup_free_ char *name = *below ? sk_xasprintf("%s/%s", k->p->name, below) : sk_xstrdup(k->p->name);

	return send_entry(k, path, name, st);
}

int sk_cp_pack(const char *path, struct archive *out, struct sk_cp_pack *p, struct sk_error *err)
{
	_cleanup_free_ char *start = sk_model_path_clean(path);
	struct pack k = { .out = out, .p = p, .err = err };
	int r;

	k.links = archive_entry_linkresolver_new();
	archive_entry_linkresolver_set_strategy(k.links, ARCHIVE_FORMAT_TAR_PAX_RESTRICTED);
	r = sk_cp_walk(start, p->follow || sk_model_path_ends_in_dot(path) || sk_model_path_has_trailing_slash(path),
		       on_visit, &k, err);
	archive_entry_linkresolver_free(k.links);
	if (r == 0 && archive_write_close(out) != ARCHIVE_OK)
		r = out_failed(&k);
	return r;
}
