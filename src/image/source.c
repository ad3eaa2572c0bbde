/* SPDX-License-Identifier: Apache-2.0 */
/* See source.h. */
#include "image/source.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "image/manifest.h"
#include "image/tree.h"

#define BLOCK (256u * 1024)
#define LINKS_MAX 16

struct member {
	char *name, *link; /* link: cleaned name of another member */
	uint64_t size;
	char *json; /* contents, if kept */
	bool regular;
};

struct sk_image_source {
	int fd;				      /* borrowed */
	const volatile sig_atomic_t *give_up; /* borrowed; or NULL */
	bool directory;
	struct member *members;
	const struct member **by_name; /* sorted; of one name the last comes last */
	size_t n, cap;
	size_t json_bytes;
};

/* ---- an archive -----------------------------------------------------------------------------------------------------
 */

/*
 * A reader of the archive: one of libarchive's, or, where the archive is compressed, two behind each other, of which
 * the first unpacks. What a single reader passes over it unpacks in one go, out of our reach.
 */
struct archive_reader {
	const struct sk_image_source *s;
	struct archive *tar, *filter; /* filter: NULL for a plain archive */
	uint64_t plain;
	struct sk_error err; /* set by read_plain(): what libarchive says then is only a consequence */
};

static int archive_error(struct archive_reader *r, struct archive *a, struct sk_error *err)
{
	const char *why = archive_error_string(a);

	if (r->err.code)
		return sk_error_set(err, r->err.code, "%s", r->err.message);
	return sk_error_set(err, EBADMSG, "damaged archive: %.300s", why ? why : "unknown format");
}

static void reader_end(struct archive_reader *r)
{
	archive_read_free(r->tar);
	archive_read_free(r->filter);
}

static la_ssize_t read_plain(struct archive *a, void *arg, const void **ret)
{
	struct archive_reader *r = arg;
	la_int64_t offset;
	size_t n = 0;
	int rc = ARCHIVE_OK;

	(void)a;
	while (rc == ARCHIVE_OK && n == 0)
		rc = archive_read_data_block(r->filter, ret, &n, &offset);
	if (rc == ARCHIVE_EOF)
		return 0;
	r->plain += n;
	if (rc != ARCHIVE_OK)
		archive_error(r, r->filter, &r->err);
	else if (r->s->give_up && *r->s->give_up)
		sk_error_set(&r->err, EINTR, "interrupted");
	else
		sk_unpack_check((uint64_t)archive_filter_bytes(r->filter, -1), r->plain, &r->err);
	return r->err.code ? ARCHIVE_FATAL : (la_ssize_t)n;
}

static int open_reader(struct archive_reader *r, bool plain)
{
	struct archive *a = archive_read_new();

	*(plain ? &r->tar : &r->filter) = a;
	if (!a)
		return -ENOMEM;
	archive_read_support_filter_gzip(a);
	archive_read_support_filter_zstd(a);
	archive_read_support_filter_xz(a);
	archive_read_support_filter_bzip2(a);
	if (plain)
		archive_read_support_format_tar(a);
	else
		archive_read_support_format_raw(a);
	return lseek(r->s->fd, 0, SEEK_SET) < 0 || archive_read_open_fd(a, r->s->fd, BLOCK) != ARCHIVE_OK ? -EBADMSG
													  : 0;
}

/* An archive in an archive: unpacked by a second reader. */
static int open_packed(struct archive_reader *r, struct sk_error *err)
{
	struct archive_entry *e;
	int rc;

	archive_read_free(r->tar);
	r->tar = NULL;
	rc = open_reader(r, false);
	if (rc == 0)
		r->tar = archive_read_new();
	if (!r->filter || !r->tar)
		return rc == -EBADMSG ? archive_error(r, r->filter, err)
				      : sk_error_errno(err, ENOMEM, "cannot read the archive");
	archive_read_support_format_tar(r->tar);
	if (archive_read_next_header(r->filter, &e) != ARCHIVE_OK)
		return archive_error(r, r->filter, err);
	return archive_read_open(r->tar, r, NULL, read_plain, NULL) != ARCHIVE_OK ? archive_error(r, r->tar, err) : 0;
}

/* The names in our archives are ours to compare: as bytes, whatever the user's locale is. */
static int archive_begin(struct sk_image_source *s, struct archive_reader *r, struct sk_error *err)
{
	int rc;

	*r = (struct archive_reader){ .s = s };
	rc = open_reader(r, true);
	if (rc < 0)
		rc = r->tar ? archive_error(r, r->tar, err) : sk_error_errno(err, ENOMEM, "cannot read the archive");
	else if (archive_filter_code(r->tar, 0) != ARCHIVE_FILTER_NONE)
		rc = open_packed(r, err);
	if (rc < 0)
		reader_end(r);
	return rc;
}

static int keep_json(struct sk_image_source *s, struct archive_reader *rd, struct member *m, struct sk_error *err)
{
	size_t len = 0;
	char first;
	la_ssize_t n = archive_read_data(rd->tar, &first, 1);

	if (n < 0)
		return archive_error(rd, rd->tar, err);
	if (n == 0 || (first != '{' && first != '['))
		return 0;
	if (m->size > SK_SOURCE_JSON_MAX - s->json_bytes)
		return sk_error_set(err, E2BIG, "the archive has too many documents");
	m->json = malloc((size_t)m->size + 1);
	if (!m->json)
		return sk_error_errno(err, ENOMEM, "cannot read the archive");
	s->json_bytes += (size_t)m->size;
	m->json[len++] = first;
	while (len < m->size) {
		n = archive_read_data(rd->tar, m->json + len, (size_t)m->size - len);
		if (n < 0)
			return archive_error(rd, rd->tar, err);
		if (n == 0)
			return sk_error_set(err, EBADMSG, "damaged archive: %.200s is cut off", m->name);
		len += (size_t)n;
	}
	m->json[len] = '\0';
	return 0;
}

/* A link's target as a cleaned name: a hard link's from the root, a symbolic link's from its own directory. */
static int member_link(struct member *m, const char *hard, const char *symbolic)
{
	_cleanup_free_ char *joined = NULL;
	char clean[SK_TREE_PATH_MAX];
	const char *slash = strrchr(m->name, '/');

	if (!hard && !symbolic)
		return 0;
	joined = hard				? strdup(hard)
		 : symbolic[0] == '/' || !slash ? sk_asprintf("%s", symbolic)
						: sk_asprintf("%.*s/%s", (int)(slash - m->name), m->name, symbolic);
	if (!joined)
		return -ENOMEM;
	if (sk_path_clean(joined, clean) < 0)
		return 0; /* leads out of the archive: to nothing */
	m->link = strdup(clean);
	return m->link ? 0 : -ENOMEM;
}

static int add_member(struct sk_image_source *s, struct archive_reader *rd, struct archive_entry *e,
		      struct sk_error *err)
{
	const char *path = archive_entry_pathname(e);
	char clean[SK_TREE_PATH_MAX];
	struct member *m;

	if (!path || sk_path_clean(path, clean) < 0)
		return sk_error_set(err, EINVAL, "bad name in the archive: \"%.300s\"", path ? path : "");
	if (s->n == SK_SOURCE_MEMBERS_MAX)
		return sk_error_set(err, E2BIG, "the archive has more than %u members", SK_SOURCE_MEMBERS_MAX);
	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 64;
		struct member *p = reallocarray(s->members, cap, sizeof(*p));

		if (!p)
			return sk_error_errno(err, ENOMEM, "cannot read the archive");
		s->members = p;
		s->cap = cap;
	}
	m = &s->members[s->n];
	*m = (struct member){ .name = strdup(clean) };
	if (!m->name)
		return sk_error_errno(err, ENOMEM, "cannot read the archive");
	s->n++;
	if (member_link(m, archive_entry_hardlink(e),
			archive_entry_filetype(e) == S_IFLNK ? archive_entry_symlink(e) : NULL) < 0)
		return sk_error_errno(err, ENOMEM, "cannot read the archive");
	m->regular = !m->link && archive_entry_filetype(e) == S_IFREG && archive_entry_size(e) >= 0;
	m->size = m->regular ? (uint64_t)archive_entry_size(e) : 0;
	return m->regular && m->size && m->size <= SK_JSON_MAX ? keep_json(s, rd, m, err) : 0;
}

static int compare_members(const void *a, const void *b)
{
	const struct member *x = *(const struct member *const *)a, *y = *(const struct member *const *)b;
	int r = strcmp(x->name, y->name);

	return r ? r : (x > y) - (x < y);
}

/* Documents name the same members over and over: thousands of layers, through links, among thousands of members. */
static int sort_members(struct sk_image_source *s, struct sk_error *err)
{
	size_t i;

	s->by_name = calloc(s->n + 1, sizeof(struct member *));
	if (!s->by_name)
		return sk_error_errno(err, ENOMEM, "cannot read the archive");
	for (i = 0; i < s->n; i++)
		s->by_name[i] = &s->members[i];
	qsort(s->by_name, s->n, sizeof(struct member *), compare_members);
	return 0;
}

static int scan_archive(struct sk_image_source *s, struct sk_error *err)
{
	struct archive_entry *e;
	struct archive_reader rd;
	int r = archive_begin(s, &rd, err);

	if (r < 0)
		return r;
	for (;;) {
		int rc = archive_read_next_header(rd.tar, &e);

		if (rc == ARCHIVE_EOF)
			break;
		if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN) {
			r = archive_error(&rd, rd.tar, err);
			break;
		}
		if (s->give_up && *s->give_up) {
			r = sk_error_set(err, EINTR, "interrupted");
			break;
		}
		r = add_member(s, &rd, e, err);
		if (r < 0)
			break;
	}
	reader_end(&rd);
	return r < 0 ? r : sort_members(s, err);
}

/* The last member of that very name. */
static const struct member *find_name(const struct sk_image_source *s, const char *name)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(s->by_name[mid]->name, name) <= 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && strcmp(s->by_name[lo - 1]->name, name) == 0 ? s->by_name[lo - 1] : NULL;
}

/* The last member of that name, links followed; SIZE_MAX: none. */
static size_t find_member(const struct sk_image_source *s, const char *name)
{
	char clean[SK_TREE_PATH_MAX];
	const char *want = clean;
	unsigned links = 0;

	if (sk_path_clean(name, clean) < 0)
		return SIZE_MAX;
	while (links++ < LINKS_MAX) {
		const struct member *m = find_name(s, want);

		if (!m)
			return SIZE_MAX;
		if (m->regular)
			return (size_t)(m - s->members);
		if (!m->link)
			return SIZE_MAX;
		want = m->link;
	}
	return SIZE_MAX;
}

static int missing(const char *name, struct sk_error *err)
{
	return sk_error_set(err, ENOENT, "it has no %.200s", name);
}

/* Hands out the members; `order[i]`: which member want i is. */
static int each_archive(struct sk_image_source *s, const size_t *order, size_t n, sk_source_cb cb, void *arg,
			struct sk_error *err)
{
	struct archive_entry *e;
	struct archive_reader rd;
	size_t at, i;
	int r = archive_begin(s, &rd, err);

	if (r < 0)
		return r;
	for (at = 0; r == 0; at++) {
		struct sk_input_archive in;
		int rc = archive_read_next_header(rd.tar, &e);

		if (rc == ARCHIVE_EOF)
			break;
		if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN) {
			r = archive_error(&rd, rd.tar, err);
			break;
		}
		for (i = 0; i < n && order[i] != at; i++)
			;
		if (i == n)
			continue;
		sk_input_archive_init(&in, rd.tar);
		r = cb(arg, i, &in.in, s->members[at].size, err);
	}
	if (r == 0 && at != s->n)
		r = sk_error_set(err, EBADMSG, "the archive changed while it was read");
	reader_end(&rd);
	return r;
}

/* ---- a directory */

static int open_below(int dirfd, const char *path)
{
	char clean[SK_TREE_PATH_MAX];
	struct stat st;
	int fd;

	if (sk_path_clean(path, clean) < 0 || !clean[0])
		return -ENOENT;
	fd = sk_fs_open_file_beneath(dirfd, clean);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return -ENOENT;
	}
	return fd;
}

static int each_directory(struct sk_image_source *s, const char *const *names, size_t n, sk_source_cb cb, void *arg,
			  struct sk_error *err)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < n; i++) {
		_cleanup_fd_ int fd = open_below(s->fd, names[i]);
		struct sk_input_fd in;
		struct stat st;

		if (fd < 0 || fstat(fd, &st) < 0)
			return missing(names[i], err);
		sk_input_fd_init(&in, fd, NULL);
		r = cb(arg, i, &in.in, (uint64_t)st.st_size, err);
	}
	return r;
}

/* ---- both */

int sk_source_open(int fd, const volatile sig_atomic_t *give_up, struct sk_image_source **ret, struct sk_error *err)
{
	struct sk_image_source *s = calloc(1, sizeof(*s));
	locale_t utf8, old = (locale_t)0;
	struct stat st;
	int r = 0;

	if (!s)
		return sk_error_errno(err, ENOMEM, "cannot read the archive");
	s->fd = fd;
	s->give_up = give_up;
	if (fstat(fd, &st) < 0)
		r = sk_error_errno(err, errno, "cannot read the archive");
	s->directory = r == 0 && S_ISDIR(st.st_mode);
	if (r == 0 && !s->directory) {
		utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
		if (utf8)
			old = uselocale(utf8);
		r = scan_archive(s, err);
		if (utf8) {
			uselocale(old);
			freelocale(utf8);
		}
	}
	if (r < 0) {
		sk_source_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void sk_source_free(struct sk_image_source *s)
{
	size_t i;

	if (!s)
		return;
	for (i = 0; i < s->n; i++) {
		free(s->members[i].name);
		free(s->members[i].link);
		free(s->members[i].json);
	}
	free(s->by_name);
	free(s->members);
	free(s);
}

int64_t sk_source_size(struct sk_image_source *s, const char *name)
{
	size_t i;

	if (s->directory) {
		_cleanup_fd_ int fd = open_below(s->fd, name);
		struct stat st;

		return fd < 0 || fstat(fd, &st) < 0 ? -ENOENT : (int64_t)st.st_size;
	}
	i = find_member(s, name);
	return i == SIZE_MAX ? -ENOENT : (int64_t)s->members[i].size;
}

bool sk_source_has(struct sk_image_source *s, const char *name)
{
	return sk_source_size(s, name) >= 0;
}

static int get_directory(struct sk_image_source *s, const char *name, char **ret_data, size_t *ret_len,
			 struct sk_error *err)
{
	_cleanup_fd_ int fd = open_below(s->fd, name);
	int r;

	if (fd < 0)
		return missing(name, err);
	r = sk_fs_read_fd(fd, SK_JSON_MAX, ret_data, ret_len);
	return r < 0 ? sk_error_errno(err, r, "cannot read %.200s", name) : 0;
}

int sk_source_get(struct sk_image_source *s, const char *name, char **ret_data, size_t *ret_len, struct sk_error *err)
{
	size_t i;

	if (s->directory)
		return get_directory(s, name, ret_data, ret_len, err);
	i = find_member(s, name);
	if (i == SIZE_MAX)
		return missing(name, err);
	if (!s->members[i].json)
		return sk_error_set(err, EINVAL, "%.200s is not a JSON document of at most %u bytes", name,
				    SK_JSON_MAX);
	*ret_len = (size_t)s->members[i].size;
	*ret_data = malloc(*ret_len + 1);
	if (!*ret_data)
		return sk_error_errno(err, ENOMEM, "cannot read %.200s", name);
	memcpy(*ret_data, s->members[i].json, *ret_len + 1);
	return 0;
}

int sk_source_each(struct sk_image_source *s, const char *const *names, size_t n, sk_source_cb cb, void *arg,
		   struct sk_error *err)
{
	_cleanup_free_ size_t *order = NULL;
	size_t i;

	if (n == 0)
		return 0;
	if (s->directory)
		return each_directory(s, names, n, cb, arg, err);
	order = calloc(n, sizeof(*order));
	if (!order)
		return sk_error_errno(err, ENOMEM, "cannot read the archive");
	for (i = 0; i < n; i++) {
		order[i] = find_member(s, names[i]);
		if (order[i] == SIZE_MAX)
			return missing(names[i], err);
	}
	return each_archive(s, order, n, cb, arg, err);
}
