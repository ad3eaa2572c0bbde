/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * The file is a log of lines, the last one of a name counts:
 *
 *   skerry-meta 1
 *   CRC32 UID:GID:MODE:TYPE NAME [TARGET]      this is kept of NAME ("." is the directory itself)
 *   CRC32 - NAME                               nothing is kept
 *   CRC32 ?SIZE,MTIME[,FROM] …                 as above, if NAME is a file of this size and time of change, and
 *                                              there is no FROM (any more)
 *
 * with the numbers as in override.h, and names in which bytes up to 32, 127 and '%' are %XX. The checksum is of what
 * follows it. A line that was cut, or damaged, is as if it were not there; the next one begins on a line of its own.
 * So a change is one appended line, and whatever is killed leaves the old record or the new one. Nothing is synced but
 * by sk_sidecar_sync(), which a client's fsync of the file or the directory calls.
 *
 * A name and its record cannot change in one step. A record is written before the name is made; a record without a
 * name harms nothing. Before a rename the record of the new name is announced: it counts if the file has come. Within
 * a directory the old name tells. Coming from another directory, a file cannot be told from one of the same size and
 * time that it was to replace: a server that is killed between the two steps may leave that one with the new record.
 *
 * Others may add, remove and rename files at any time. A file without a record is as the host says; records whose file
 * is gone are left out when the log is written again, which happens when it has grown to four times what it says. Then
 * a new file is written, synced and renamed; where only the new one is found, that was the moment of a crash. Where
 * an open file cannot be replaced, it stays as long as it is.
 *
 * Servers of one directory exclude each other by flock on the file for the time of one change, and see that somebody
 * else has changed it by its size and inode. The bytes may be anybody's: nothing of them is trusted but as text.
 */
#include "export/sidecar.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define HEADER "skerry-meta 1\n"
#define NAME_MAX_ 255u
#define TARGET_MAX 4095u
#define LINE_MAX_ (3 * (2 * NAME_MAX_ + TARGET_MAX) + 200)
#define REWRITE_MIN 65536u
#define LOCK_TRIES 50
#define LOCK_WAIT_US 10000

struct side_record {
	struct side_record *next;
	struct sk_override o;
	bool none;	/* the name has no record */
	bool announced; /* counts if the name is a file of this size and time, and `from` is none */
	char *from;	/* NULL: not from this directory */
	uint64_t size;
	int64_t mtime;
	struct side_record *before; /* of an announced one: what counts else */
	char *target;
	char name[];
};

struct sk_sidecar {
	struct side_record **buckets;
	size_t n_buckets, n;
	bool any_case;
	bool loaded, cut; /* cut: the file does not end with a line's end */
	bool stays;	  /* it could not be replaced: not tried again */
	uint64_t ino, len;
};

/* --- checksums, names */

static uint32_t crc32_of(const char *p, size_t len)
{
	uint32_t crc = 0xffffffff;
	unsigned bit;

	while (len--) {
		crc ^= (uint8_t)*p++;
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

static size_t escape(const char *name, char *to)
{
	size_t n = 0;

	for (; *name; name++) {
		uint8_t c = (uint8_t)*name;

		if (c <= 32 || c == 127 || c == '%')
			n += (size_t)sprintf(to + n, "%%%02X", c);
		else
			to[n++] = (char)c;
	}
	to[n] = 0;
	return n;
}

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* False: not such a name. */
static bool unescape(const char *p, size_t len, char *to, size_t max)
{
	size_t n = 0;

	while (len) {
		char c = *p;

		if (n == max)
			return false;
		if (c == '%') {
			if (len < 3 || hex(p[1]) < 0 || hex(p[2]) < 0)
				return false;
			c = (char)(hex(p[1]) << 4 | hex(p[2]));
			p += 2;
			len -= 2;
		}
		if (!c)
			return false;
		to[n++] = c;
		p++;
		len--;
	}
	to[n] = 0;
	return n > 0;
}

static char fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool same_folded(const char *a, const char *b)
{
	while (*a && fold(*a) == fold(*b)) {
		a++;
		b++;
	}
	return fold(*a) == fold(*b);
}

/* --- the table */

struct sk_sidecar *sk_sidecar_new(void)
{
	return calloc(1, sizeof(struct sk_sidecar));
}

static void record_free(struct side_record *e)
{
	if (e && e->before)
		record_free(e->before);
	if (e) {
		free(e->target);
		free(e->from);
	}
	free(e);
}

static void clear(struct sk_sidecar *s)
{
	size_t i;

	for (i = 0; i < s->n_buckets; i++) {
		while (s->buckets[i]) {
			struct side_record *e = s->buckets[i];

			s->buckets[i] = e->next;
			record_free(e);
		}
	}
	s->n = 0;
	s->loaded = s->cut = false;
}

void sk_sidecar_free(struct sk_sidecar *s)
{
	if (!s)
		return;
	clear(s);
	free(s->buckets);
	free(s);
}

void sk_sidecar_any_case(struct sk_sidecar *s, bool any_case)
{
	s->any_case = any_case;
}

bool sk_sidecar_same(const struct sk_sidecar *s, const char *a, const char *b)
{
	return s->any_case ? same_folded(a, b) : strcmp(a, b) == 0;
}

static size_t bucket_of(const struct sk_sidecar *s, const char *name)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *name; name++)
		h = (h ^ (uint8_t)fold(*name)) * UINT64_C(0x100000001b3);
	return (size_t)(h ^ h >> 32) & (s->n_buckets - 1);
}

static int grow(struct sk_sidecar *s)
{
	size_t i, old = s->n_buckets;
	struct side_record **from = s->buckets, **fresh;

	if (s->n < old)
		return 0;
	fresh = calloc(old ? 2 * old : 16, sizeof(struct side_record *));
	if (!fresh)
		return -ENOMEM;
	s->buckets = fresh;
	s->n_buckets = old ? 2 * old : 16;
	for (i = 0; i < old; i++) {
		while (from[i]) {
			struct side_record *e = from[i];
			size_t b = bucket_of(s, e->name);

			from[i] = e->next;
			e->next = fresh[b];
			fresh[b] = e;
		}
	}
	free(from);
	return 0;
}

/* Where the entry of the name is linked; NULL: there is none. */
static struct side_record **place_of(const struct sk_sidecar *s, const char *name)
{
	struct side_record **at, **other = NULL;

	if (!s->n_buckets)
		return NULL;
	for (at = &s->buckets[bucket_of(s, name)]; *at; at = &(*at)->next) {
		if (strcmp((*at)->name, name) == 0)
			return at;
		if (s->any_case && same_folded((*at)->name, name))
			other = at;
	}
	return other;
}

static struct side_record *record_new(const char *name, const struct sk_override *o, const char *target)
{
	struct side_record *e = calloc(1, sizeof(*e) + strlen(name) + 1);

	if (!e)
		return NULL;
	strcpy(e->name, name);
	e->none = !o;
	if (o)
		e->o = *o;
	e->target = target ? strdup(target) : NULL;
	if (target && !e->target) {
		free(e);
		return NULL;
	}
	return e;
}

/* Enters an entry (taken) in place of that of its name. */
static int enter(struct sk_sidecar *s, struct side_record *e)
{
	struct side_record **at, *old = NULL;
	int r = e ? grow(s) : -ENOMEM;

	if (r < 0) {
		record_free(e);
		return r;
	}
	at = place_of(s, e->name);
	if (at) {
		old = *at;
		*at = old->next;
		old->next = NULL;
		s->n--;
	}
	/* Of several that were announced the last one counts, or what was before all of them. */
	if (old && old->announced && e->announced) {
		e->before = old->before;
		old->before = NULL;
	} else if (old && e->announced) {
		e->before = old;
		old = NULL;
	}
	record_free(old);
	if (e->none && !e->announced) {
		record_free(e);
		return 0;
	}
	e->next = s->buckets[bucket_of(s, e->name)];
	s->buckets[bucket_of(s, e->name)] = e;
	s->n++;
	return 0;
}

bool sk_sidecar_find(const struct sk_sidecar *s, const char *name, struct sk_override *ret, const char **ret_target)
{
	struct side_record **at = place_of(s, name), *e = at ? *at : NULL;

	if (ret_target)
		*ret_target = NULL;
	if (e && e->announced)
		e = e->before;
	if (!e || e->none)
		return false;
	*ret = e->o;
	if (ret_target)
		*ret_target = e->target;
	return true;
}

size_t sk_sidecar_count(const struct sk_sidecar *s)
{
	return s->n;
}

/* --- lines */

/* The word up to the next space or the end; moves on behind it. */
static const char *word(const char **at, const char *end, size_t *ret_len)
{
	const char *start = *at, *p = memchr(start, ' ', (size_t)(end - start));

	*ret_len = (size_t)((p ? p : end) - start);
	*at = p ? p + 1 : end;
	return start;
}

/* `from`: the old name, "": it is in another directory. */
static bool parse_announced(const char *w, size_t len, struct side_record *e, char from[NAME_MAX_ + 1])
{
	char text[64 + 3 * NAME_MAX_], *stop;

	if (len >= sizeof(text))
		return false;
	memcpy(text, w, len);
	text[len] = 0;
	from[0] = 0;
	e->announced = true;
	e->size = strtoull(text + 1, &stop, 10);
	if (*stop != ',')
		return false;
	e->mtime = strtoll(stop + 1, &stop, 10);
	if (*stop == ',')
		return unescape(stop + 1, strlen(stop + 1), from, NAME_MAX_) && !strchr(from, '/');
	return *stop == 0;
}

/* The record (taken) with what `head` says of an announcement. NULL: no memory. */
static struct side_record *announced(struct side_record *take_record, const struct side_record *head, const char *from)
{
	struct side_record *e = take_record;

	if (!e || !head->announced)
		return e;
	e->announced = true;
	e->size = head->size;
	e->mtime = head->mtime;
	e->from = *from ? strdup(from) : NULL;
	if (*from && !e->from) {
		record_free(e);
		return NULL;
	}
	return e;
}

/* Takes a line without its end. -EINVAL: no record. */
static int take_line(struct sk_sidecar *s, const char *line, size_t len)
{
	const char *at = line + 9, *end = line + len, *w;
	char sum[9], name[NAME_MAX_ + 1], from[NAME_MAX_ + 1] = "", target[TARGET_MAX + 1];
	struct side_record head = { .none = true };
	struct sk_override o;
	size_t n;

	if (len < 12 || len > LINE_MAX_ || line[8] != ' ')
		return -EINVAL;
	snprintf(sum, sizeof(sum), "%08" PRIx32, crc32_of(at, (size_t)(end - at)));
	if (memcmp(sum, line, 8) != 0)
		return -EINVAL;
	w = word(&at, end, &n);
	if (n && *w == '?') {
		if (!parse_announced(w, n, &head, from))
			return -EINVAL;
		w = word(&at, end, &n);
	}
	if (!(n == 1 && *w == '-')) {
		head.none = false;
		if (!sk_override_parse(w, n, &o))
			return -EINVAL;
	}
	w = word(&at, end, &n);
	if (!unescape(w, n, name, NAME_MAX_) || strchr(name, '/') || strcmp(name, "..") == 0)
		return -EINVAL;
	w = word(&at, end, &n);
	if (n && !unescape(w, n, target, TARGET_MAX))
		return -EINVAL;
	return enter(s, announced(record_new(name, head.none ? NULL : &o, n ? target : NULL), &head, from));
}

int sk_sidecar_parse(struct sk_sidecar *s, const char *text, size_t len)
{
	while (len) {
		const char *end = memchr(text, '\n', len);
		size_t n = end ? (size_t)(end - text) : len;

		s->cut = !end;
		/* Without its end, a line may be the beginning of a longer one. */
		if (end && take_line(s, text, n) == -ENOMEM)
			return -ENOMEM;
		text += n + !!end;
		len -= n + !!end;
	}
	return 0;
}

/* Returns the length with the line's end. */
static size_t format_line(char line[LINE_MAX_], const struct side_record *e)
{
	char override[SK_OVERRIDE_MAX], sum[9];
	size_t n = 9;

	if (e->announced) {
		n += (size_t)sprintf(line + n, "?%" PRIu64 ",%" PRId64 "%s", e->size, e->mtime, e->from ? "," : "");
		n += e->from ? escape(e->from, line + n) : 0;
		line[n++] = ' ';
	}
	if (!e->none)
		(void)sk_override_format(&e->o, override);
	n += (size_t)sprintf(line + n, "%s ", e->none ? "-" : override);
	n += escape(e->name, line + n);
	if (e->target) {
		line[n++] = ' ';
		n += escape(e->target, line + n);
	}
	snprintf(sum, sizeof(sum), "%08" PRIx32, crc32_of(line + 9, n - 9));
	memcpy(line, sum, 8);
	line[8] = ' ';
	line[n++] = '\n';
	return n;
}

/* --- the file */

static int64_t mtime_of(const struct stat *st)
{
	return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

static bool has_come(const struct side_record *e, int dirfd)
{
	struct stat st;

	if (e->from && fstatat(dirfd, e->from, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return false;
	return fstatat(dirfd, e->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && (uint64_t)st.st_size == e->size &&
	       mtime_of(&st) == e->mtime;
}

/* Whether what was announced has come. */
static int resolve(struct sk_sidecar *s, int dirfd)
{
	size_t i;

	for (i = 0; i < s->n_buckets; i++) {
		struct side_record **at = &s->buckets[i];

		while (*at) {
			struct side_record *e = *at, *before = e->before;

			if (!e->announced) {
				at = &e->next;
				continue;
			}
			e->announced = false;
			e->before = NULL;
			if (!has_come(e, dirfd)) {
				*at = before ? before : e->next;
				if (before)
					before->next = e->next;
				s->n -= !before;
				record_free(e);
			} else if (e->none) {
				*at = e->next;
				s->n--;
				record_free(before);
				record_free(e);
			} else {
				record_free(before);
				at = &e->next;
			}
		}
	}
	return 0;
}

/* As much of `len` bytes as there is: with FUSE, the size of a file that another process writes may be ahead of what can be
 * read of it. */
static int read_all(int fd, size_t len, char **ret, size_t *ret_len)
{
	_cleanup_free_ char *text = malloc(len ? len : 1);
	size_t n = 0;

	if (!text)
		return -ENOMEM;
	while (n < len) {
		ssize_t got = pread(fd, text + n, len - n, (off_t)n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	*ret = SK_TAKE_PTR(text);
	*ret_len = n;
	return 0;
}

static int load_fd(struct sk_sidecar *s, int dirfd, int fd, const struct stat *st)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int r;

	clear(s);
	if (!S_ISREG(st->st_mode) || (uint64_t)st->st_size > SK_SIDECAR_MAX)
		return -EFBIG;
	r = read_all(fd, (size_t)st->st_size, &text, &len);
	if (r == 0)
		r = sk_sidecar_parse(s, text, len);
	if (r < 0)
		return r;
	s->loaded = true;
	s->ino = st->st_ino;
	s->len = len;
	return resolve(s, dirfd);
}

static int open_file(int dirfd, int flags)
{
	int fd = openat(dirfd, SK_SIDECAR_NAME, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : fd;
}

int sk_sidecar_load(struct sk_sidecar *s, int dirfd)
{
	_cleanup_fd_ int fd = -1;
	struct stat st;

	if (fstatat(dirfd, SK_SIDECAR_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return -errno;
		/* A crash while the log was written again. */
		if (renameat(dirfd, SK_SIDECAR_NEW, dirfd, SK_SIDECAR_NAME) < 0 ||
		    fstatat(dirfd, SK_SIDECAR_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0) {
			clear(s);
			return 0;
		}
	}
	if (s->loaded && s->ino == st.st_ino && s->len == (uint64_t)st.st_size)
		return 0;
	fd = open_file(dirfd, O_RDONLY);
	if (fd < 0)
		return fd;
	return fstat(fd, &st) < 0 ? -errno : load_fd(s, dirfd, fd, &st);
}

/* Opens the file, or makes it, and has its lock. Descriptor or negative errno. */
static int open_locked(int dirfd, struct stat *ret_st)
{
	int tries, fd;

	for (tries = 0; tries < LOCK_TRIES; tries++) {
		struct stat there;

		fd = open_file(dirfd, O_RDWR | O_CREAT);
		if (fd < 0)
			return fd;
		if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
			/* It may have been replaced meanwhile. */
			if (fstat(fd, ret_st) == 0 &&
			    fstatat(dirfd, SK_SIDECAR_NAME, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
			    there.st_ino == ret_st->st_ino)
				return fd;
		} else if (errno != EWOULDBLOCK) {
			int r = -errno;

			close(fd);
			return r;
		}
		close(fd);
		usleep(LOCK_WAIT_US);
	}
	return -EAGAIN;
}

static int write_all(int fd, const char *text, size_t len, uint64_t offset)
{
	while (len) {
		ssize_t n = pwrite(fd, text, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENOSPC;
		text += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

/* Writes what the entry says, and what counts before it has come. */
static int write_record(const struct side_record *e, int fd, uint64_t *at)
{
	char line[LINE_MAX_];
	int r = e->before ? write_record(e->before, fd, at) : 0;
	size_t n = format_line(line, e);

	if (r == 0)
		r = write_all(fd, line, n, *at);
	*at += n;
	return r;
}

/* What the log says, without what was said before and of files that are gone. `fresh`: a name that is made next. */
static int write_again(struct sk_sidecar *s, int dirfd, const char *fresh)
{
	_cleanup_fd_ int fd =
		openat(dirfd, SK_SIDECAR_NEW, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	uint64_t at = sizeof(HEADER) - 1;
	struct stat st;
	size_t i;
	int r = fd < 0 ? -errno : write_all(fd, HEADER, sizeof(HEADER) - 1, 0);

	for (i = 0; i < s->n_buckets && r == 0; i++) {
		const struct side_record *e;

		for (e = s->buckets[i]; e && r == 0; e = e->next) {
			if (strcmp(e->name, fresh) != 0 && fstatat(dirfd, e->name, &st, AT_SYMLINK_NOFOLLOW) < 0 &&
			    errno == ENOENT)
				continue;
			r = write_record(e, fd, &at);
		}
	}
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r == 0 && renameat(dirfd, SK_SIDECAR_NEW, dirfd, SK_SIDECAR_NAME) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(dirfd, SK_SIDECAR_NEW, 0);
	s->loaded = false;
	return r;
}

static uint64_t live_bytes(const struct sk_sidecar *s)
{
	uint64_t sum = sizeof(HEADER);
	size_t i;

	for (i = 0; i < s->n_buckets; i++) {
		const struct side_record *e;

		for (e = s->buckets[i]; e; e = e->next)
			sum += 40 + strlen(e->name) + (e->target ? strlen(e->target) : 0);
	}
	return sum;
}

/* What was not changed of the record is as it is now. */
static void keep_fields(const struct sk_sidecar *s, struct side_record *e, unsigned fields)
{
	struct sk_override now;

	if (e->none || fields == SK_SIDECAR_ALL || !sk_sidecar_find(s, e->name, &now, NULL))
		return;
	if (!(fields & SK_SIDECAR_UID))
		e->o.uid = now.uid;
	if (!(fields & SK_SIDECAR_GID))
		e->o.gid = now.gid;
	if (!(fields & SK_SIDECAR_MODE))
		e->o.mode = now.mode;
}

/* Appends the entry (taken), and enters it. */
static int append(struct sk_sidecar *s, int dirfd, struct side_record *e, unsigned fields)
{
	_cleanup_fd_ int fd = -1;
	char line[LINE_MAX_ + sizeof(HEADER)], name[NAME_MAX_ + 1];
	size_t n = 0;
	struct stat st;
	int r = e ? 0 : -ENOMEM;

	if (r == 0) {
		fd = open_locked(dirfd, &st);
		r = fd < 0 ? fd : 0;
	}
	if (r == 0 && !(s->loaded && s->ino == st.st_ino && s->len == (uint64_t)st.st_size))
		r = load_fd(s, dirfd, fd, &st);
	/* With the lock nobody writes it. */
	if (r == 0 && s->len != (uint64_t)st.st_size)
		r = -EIO;
	if (r < 0) {
		record_free(e);
		return r;
	}
	keep_fields(s, e, fields);
	if (st.st_size == 0) {
		memcpy(line, HEADER, sizeof(HEADER) - 1);
		n = sizeof(HEADER) - 1;
	} else if (s->cut) {
		line[n++] = '\n';
	}
	n += format_line(line + n, e);
	r = (uint64_t)st.st_size + n > SK_SIDECAR_MAX ? -ENOSPC : write_all(fd, line, n, (uint64_t)st.st_size);
	if (r < 0) {
		/* Part of a line may be there. */
		s->loaded = false;
		record_free(e);
		return r;
	}
	s->cut = false;
	s->len = (uint64_t)st.st_size + n;
	memcpy(name, e->name, strlen(e->name) + 1);
	r = enter(s, e);
	/* Not having made it smaller is no error of this change. */
	if (r == 0 && !s->stays && s->len > REWRITE_MIN && s->len / 4 > live_bytes(s))
		s->stays = write_again(s, dirfd, name) < 0;
	return r;
}

int sk_sidecar_change(struct sk_sidecar *s, int dirfd, const char *name, const struct sk_override *o, unsigned fields,
		      const char *target)
{
	if (strlen(name) > NAME_MAX_ || (target && strlen(target) > TARGET_MAX))
		return -ENAMETOOLONG;
	return append(s, dirfd, record_new(name, o, target), fields);
}

int sk_sidecar_put(struct sk_sidecar *s, int dirfd, const char *name, const struct sk_override *o, const char *target)
{
	return sk_sidecar_change(s, dirfd, name, o, SK_SIDECAR_ALL, target);
}

int sk_sidecar_drop(struct sk_sidecar *s, int dirfd, const char *name)
{
	int r = sk_sidecar_load(s, dirfd);

	if (r < 0 || !place_of(s, name))
		return r;
	return append(s, dirfd, record_new(name, NULL, NULL), SK_SIDECAR_ALL);
}

int sk_sidecar_announce(struct sk_sidecar *s, int dirfd, const char *name, const struct sk_override *o,
			const char *target, const char *from, uint64_t size, int64_t mtime)
{
	const struct side_record head = { .announced = true, .size = size, .mtime = mtime };

	if (strlen(name) > NAME_MAX_ || (from && strlen(from) > NAME_MAX_))
		return -ENAMETOOLONG;
	return append(s, dirfd, announced(record_new(name, o, target), &head, from ? from : ""), SK_SIDECAR_ALL);
}

int sk_sidecar_sync(int dirfd)
{
	_cleanup_fd_ int fd = open_file(dirfd, O_RDONLY);

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	return fsync(fd) < 0 ? -errno : 0;
}

bool sk_sidecar_is(const char *name)
{
	return same_folded(name, SK_SIDECAR_NAME) || same_folded(name, SK_SIDECAR_NEW);
}

bool sk_sidecar_alias(int dirfd, const char *name)
{
	struct stat st, own;

	return strchr(name, '~') && fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       ((fstatat(dirfd, SK_SIDECAR_NAME, &own, AT_SYMLINK_NOFOLLOW) == 0 && own.st_ino == st.st_ino) ||
		(fstatat(dirfd, SK_SIDECAR_NEW, &own, AT_SYMLINK_NOFOLLOW) == 0 && own.st_ino == st.st_ino));
}

int sk_sidecar_remove(int dirfd)
{
	int copy = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *e;

	if (!d) {
		r = -errno;
		sk_close_fd(&copy);
		return r;
	}
	while (r == 0 && (e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && !sk_sidecar_is(e->d_name))
			r = -ENOTEMPTY;
	closedir(d);
	if (r == 0 && unlinkat(dirfd, SK_SIDECAR_NEW, 0) < 0 && errno != ENOENT)
		r = -errno;
	if (r == 0 && unlinkat(dirfd, SK_SIDECAR_NAME, 0) < 0 && errno != ENOENT)
		r = -errno;
	return r;
}
