/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resolves "user:group" with the image's /etc/passwd and /etc/group, as docker does. The files are the image's, so
 * they are opened below its root only, and read up to a bound.
 */
#include "user.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "confine.h"

struct passwd_field {
	const char *s;
	size_t n;
};

static bool field_is(struct passwd_field f, const char *text)
{
	return strlen(text) == f.n && memcmp(f.s, text, f.n) == 0;
}

/* Next line of `*text` cut at colons; at most `max` fields. False at the end. Comments and empty lines have no fields.
 */
static bool next_line(const char **text, struct passwd_field *fields, size_t max, size_t *ret_n)
{
	const char *p = *text, *end;
	size_t n = 0;

	if (!p || !*p)
		return false;
	end = strchrnul(p, '\n');
	*text = *end ? end + 1 : end;
	*ret_n = 0;
	if (end > p && end[-1] == '\r')
		end--;
	if (p == end || *p == '#')
		return true;
	while (n < max) {
		const char *colon = memchr(p, ':', (size_t)(end - p));

		fields[n].s = p;
		fields[n++].n = (size_t)((colon ? colon : end) - p);
		if (!colon)
			break;
		p = colon + 1;
	}
	*ret_n = n;
	return true;
}

static bool parse_id(struct passwd_field f, uint32_t *ret)
{
	uint64_t v = 0;
	size_t i;

	if (f.n == 0 || f.n > 10)
		return false;
	for (i = 0; i < f.n; i++) {
		if (f.s[i] < '0' || f.s[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(f.s[i] - '0');
	}
	/* 2^32-1 means "leave as it is" to the kernel. */
	if (v >= UINT32_MAX)
		return false;
	*ret = (uint32_t)v;
	return true;
}

struct passwd_line {
	struct passwd_field name, home;
	uint32_t uid, gid;
};

static bool next_user(const char **text, struct passwd_line *ret)
{
	struct passwd_field f[7];
	size_t n;

	while (next_line(text, f, 7, &n)) {
		if (n < 4 || f[0].n == 0 || !parse_id(f[2], &ret->uid) || !parse_id(f[3], &ret->gid))
			continue;
		ret->name = f[0];
		ret->home = n > 5 ? f[5] : (struct passwd_field){ "", 0 };
		return true;
	}
	return false;
}

static void set_home(const struct passwd_line *line, char home[SK_USER_HOME_MAX])
{
	if (line->home.n == 0 || line->home.n >= SK_USER_HOME_MAX)
		return;
	memcpy(home, line->home.s, line->home.n);
	home[line->home.n] = '\0';
}

bool sk_user_home(const char *passwd, uint32_t uid, char home[SK_USER_HOME_MAX])
{
	struct passwd_line line;

	while (next_user(&passwd, &line)) {
		if (line.uid != uid)
			continue;
		set_home(&line, home);
		return true;
	}
	return false;
}

void sk_user_name(const char *passwd, uint32_t uid, char *ret_name, size_t size)
{
	struct passwd_line line;

	while (next_user(&passwd, &line))
		if (line.uid == uid && line.name.n < size) {
			memcpy(ret_name, line.name.s, line.name.n);
			ret_name[line.name.n] = '\0';
			return;
		}
	snprintf(ret_name, size, "%u", uid);
}

static bool list_has(struct passwd_field list, const char *name, size_t name_len)
{
	const char *p = list.s, *end = list.s + list.n;

	while (p < end) {
		const char *comma = memchr(p, ',', (size_t)(end - p));
		size_t n = (size_t)((comma ? comma : end) - p);

		if (n == name_len && memcmp(p, name, n) == 0)
			return true;
		if (!comma)
			return false;
		p = comma + 1;
	}
	return false;
}

static void add_group(struct sk_user *u, uint32_t gid)
{
	size_t i;

	if (u->n_groups == SK_USER_GROUPS_MAX)
		return;
	for (i = 0; i < u->n_groups; i++)
		if (u->groups[i] == gid)
			return;
	u->groups[u->n_groups++] = gid;
}

/* The groups that list user `name` as a member. */
static void member_groups(const char *group, struct passwd_field name, struct sk_user *u)
{
	struct passwd_field f[4];
	size_t n;
	uint32_t gid;

	while (next_line(&group, f, 4, &n))
		if (n == 4 && f[0].n && parse_id(f[2], &gid) && list_has(f[3], name.s, name.n))
			add_group(u, gid);
}

static int resolve_group(const char *text, const char *group, uint32_t *ret_gid, struct sk_error *err)
{
	struct passwd_field whole = { text, strlen(text) }, f[4];
	bool number = parse_id(whole, ret_gid);
	size_t n;
	uint32_t gid;

	while (next_line(&group, f, 4, &n)) {
		if (n < 3 || f[0].n == 0 || !parse_id(f[2], &gid) || !field_is(f[0], text))
			continue;
		*ret_gid = gid;
		return 0;
	}
	if (number)
		return 0;
	return sk_error_set(err, EINVAL, "unable to find group %.64s: no matching entries in group file", text);
}

/* Fills uid, gid, home and the user's name. A name wins over a number, as with docker. */
static int resolve_user(const char *text, const char *passwd, struct sk_user *ret, struct passwd_field *ret_name,
			struct sk_error *err)
{
	struct passwd_field whole = { text, strlen(text) };
	struct passwd_line line, by_number = { 0 };
	uint32_t uid = 0;
	bool number = parse_id(whole, &uid), found_number = false;
	const char *p = passwd;

	while (next_user(&p, &line)) {
		if (field_is(line.name, text))
			goto found;
		if (number && !found_number && line.uid == uid) {
			by_number = line;
			found_number = true;
		}
	}
	if (!number)
		return sk_error_set(err, EINVAL, "unable to find user %.64s: no matching entries in passwd file", text);
	line = by_number;
	if (!found_number) {
		ret->uid = uid;
		return 0;
	}
found:
	ret->uid = line.uid;
	ret->gid = line.gid;
	ret->known = true;
	set_home(&line, ret->home);
	*ret_name = line.name;
	return 0;
}

int sk_user_resolve(const char *text, const char *passwd, const char *group, struct sk_user *ret, struct sk_error *err)
{
	_cleanup_free_ char *copy = strdup(text);
	struct passwd_field name = { NULL, 0 };
	char *colon;
	int r;

	*ret = (struct sk_user){ .home = "/" };
	if (!copy)
		return sk_error_errno(err, ENOMEM, "user %.64s", text);
	colon = strchr(copy, ':');
	if (colon)
		*colon++ = '\0';
	r = resolve_user(*copy ? copy : "0", passwd, ret, &name, err);
	if (r < 0)
		return r;
	if (colon && *colon) { /* a group given by hand: no others */
		r = resolve_group(colon, group, &ret->gid, err);
		if (r < 0)
			return r;
		name.n = 0;
	}
	add_group(ret, ret->gid);
	if (name.n)
		member_groups(group, name, ret);
	return 0;
}

int sk_user_join(const char *text, const char *group, struct sk_user *user, struct sk_error *err)
{
	uint32_t gid;
	int r = resolve_group(text, group, &gid, err);

	if (r == 0)
		add_group(user, gid);
	return r;
}

char *sk_user_read_file(int rootfd, const char *path)
{
	_cleanup_fd_ int fd = sk_confine_open_regular(rootfd, path);
	_cleanup_free_ char *data = NULL;
	struct stat st;
	size_t len = 0, cap;

	if (fd < 0 || fstat(fd, &st) < 0)
		return NULL;
	cap = st.st_size < 0 || (uint64_t)st.st_size > SK_USER_FILE_MAX ? SK_USER_FILE_MAX : (size_t)st.st_size;
	data = malloc(cap + 1);
	while (data && len < cap) {
		ssize_t n = read(fd, data + len, cap - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	if (data)
		data[len] = '\0';
	return SK_TAKE_PTR(data);
}

int sk_user_resolve_at(int rootfd, const char *text, struct sk_user *ret, struct sk_error *err)
{
	_cleanup_free_ char *passwd = sk_user_read_file(rootfd, "etc/passwd");
	_cleanup_free_ char *group = sk_user_read_file(rootfd, "etc/group");

	return sk_user_resolve(text, passwd, group, ret, err);
}
