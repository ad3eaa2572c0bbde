/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of images: the grammar of docker's references, defaults for registry and tag, and the short form that is
 * shown.
 */
#include "image/name.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fs.h"

#define DEFAULT_DOMAIN "docker.io"
#define DEFAULT_PREFIX "docker.io/"
#define REPO_MAX 255
#define TAG_MAX 128

static bool is_lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
	return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

/* path-component := alpha-numeric [separator alpha-numeric]*; separator := [_.] | "__" | "-"* */
static bool component_ok(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n) {
		size_t sep;

		if (!is_lower_alnum(s[i]))
			return false;
		while (i < n && is_lower_alnum(s[i]))
			i++;
		if (i == n)
			return true;
		sep = i;
		while (i < n && s[i] == s[sep] && (s[i] == '-' || s[i] == '_' || s[i] == '.'))
			i++;
		if (i == sep || (s[sep] == '.' && i - sep > 1) || (s[sep] == '_' && i - sep > 2))
			return false;
	}
	return false; /* empty, or ends with a separator */
}

/* A host name, IPv4 or [IPv6], with an optional port. */
static bool domain_ok(const char *s, size_t n)
{
	size_t i = 0;

	if (n && s[0] == '[') {
		for (i = 1; i < n && (isxdigit((unsigned char)s[i]) || s[i] == ':' || s[i] == '.'); i++)
			;
		if (i == n || s[i] != ']')
			return false;
		i++;
	} else {
		while (i < n && s[i] != ':') {
			if (!is_alnum(s[i]) && ((s[i] != '-' && s[i] != '.') || i == 0 || s[i - 1] == '.'))
				return false;
			i++;
		}
		if (i == 0 || !is_alnum(s[i - 1]))
			return false;
	}
	if (i == n)
		return true;
	if (s[i] != ':' || ++i == n)
		return false;
	for (; i < n; i++)
		if (!isdigit((unsigned char)s[i]))
			return false;
	return true;
}

static bool tag_ok(const char *s)
{
	size_t i, n = strlen(s);

	if (n == 0 || n > TAG_MAX || s[0] == '.' || s[0] == '-')
		return false;
	for (i = 0; i < n; i++)
		if (!is_alnum(s[i]) && s[i] != '_' && s[i] != '.' && s[i] != '-')
			return false;
	return true;
}

/* The first component names a host if it could not be a component of a path, or is "localhost". */
static bool is_domain(const char *s, size_t n)
{
	size_t i;

	if (n == 9 && memcmp(s, "localhost", 9) == 0)
		return true;
	for (i = 0; i < n; i++)
		if (s[i] == '.' || s[i] == ':' || (s[i] >= 'A' && s[i] <= 'Z'))
			return true;
	return false;
}

static bool path_ok(const char *path)
{
	for (;;) {
		size_t n = strcspn(path, "/");

		if (!component_ok(path, n))
			return false;
		if (path[n] == '\0')
			return true;
		path += n + 1;
	}
}

/* "debian" → "docker.io/library/debian"; NULL with errno EINVAL or ENOMEM. */
static char *normalise_repo(const char *repo)
{
	const char *slash = strchr(repo, '/'), *path = repo;
	size_t domain_len = 0;
	char *s;

	if (slash && is_domain(repo, (size_t)(slash - repo))) {
		domain_len = (size_t)(slash - repo);
		path = slash + 1;
		if (!domain_ok(repo, domain_len))
			goto invalid;
	}
	if (!path_ok(path))
		goto invalid;
	if (domain_len == 0 || (domain_len == 15 && memcmp(repo, "index.docker.io", 15) == 0) ||
	    (domain_len == 9 && memcmp(repo, DEFAULT_DOMAIN, 9) == 0))
		s = sk_asprintf("%s%s%s", DEFAULT_PREFIX, strchr(path, '/') ? "" : "library/", path);
	else
		s = strdup(repo);
	if (!s)
		errno = ENOMEM;
	else if (strlen(s) > REPO_MAX) {
		free(s);
		goto invalid;
	}
	return s;
invalid:
	errno = EINVAL;
	return NULL;
}

/* It would be a name if its letters were small ones. */
static bool has_upper(const char *repo)
{
	_cleanup_free_ char *lower = strdup(repo), *ok = NULL;
	char *p;
	bool upper = false;

	for (p = lower; p && *p; p++)
		if (*p >= 'A' && *p <= 'Z') {
			*p = (char)(*p - 'A' + 'a');
			upper = true;
		}
	ok = lower ? normalise_repo(lower) : NULL;
	return upper && ok;
}

int sk_name_parse(const char *text, struct sk_name *ret, struct sk_error *err)
{
	_cleanup_free_ char *copy = NULL;
	struct sk_name name = { 0 };
	const char *tag = "latest";
	char *at, *colon;

	/* 64 digits alone are an id, never a name (as in docker). */
	if (strlen(text) > 1024 || (strlen(text) == SK_DIGEST_HEX && sk_is_hex(text, SK_DIGEST_HEX)))
		return sk_error_set(err, EINVAL, "%.80s is not an image name", text);
	copy = strdup(text);
	if (!copy)
		return sk_error_errno(err, ENOMEM, "cannot parse image name");
	at = strchr(copy, '@');
	if (at) {
		*at = '\0';
		if (!sk_digest_parse(at + 1, &name.digest))
			return sk_error_set(err, EINVAL, "%.300s: the digest is not sha256: with 64 hexadecimal digits",
					    text);
	}
	colon = strrchr(copy, ':');
	if (colon && !strchr(colon, '/')) {
		*colon = '\0';
		tag = colon + 1;
	}
	if (!tag_ok(tag))
		return sk_error_set(err, EINVAL, "%.300s is not an image name: bad tag", text);
	name.repo = normalise_repo(copy);
	if (!name.repo && errno == EINVAL && has_upper(copy))
		return sk_error_set(err, EINVAL, "%.300s is not an image name: repository name must be lowercase",
				    text);
	if (!name.repo)
		return sk_error_set(err, errno, "%.300s is not an image name%s", text,
				    errno == ENOMEM ? ": out of memory" : "");
	if (!at) {
		name.tag = strdup(tag);
		if (!name.tag) {
			sk_name_fini(&name);
			return sk_error_errno(err, ENOMEM, "cannot parse image name");
		}
	}
	*ret = name;
	return 0;
}

void sk_name_fini(struct sk_name *name)
{
	free(name->repo);
	free(name->tag);
	memset(name, 0, sizeof(*name));
}

char *sk_name_key(const struct sk_name *name)
{
	if (name->digest.text[0])
		return sk_asprintf("%s@%s", name->repo, name->digest.text);
	return sk_asprintf("%s:%s", name->repo, name->tag);
}

const char *sk_name_short(const char *key)
{
	const char *rest, *slash;

	if (strncmp(key, DEFAULT_PREFIX, strlen(DEFAULT_PREFIX)) != 0)
		return key;
	rest = key + strlen(DEFAULT_PREFIX);
	if (strncmp(rest, "library/", 8) == 0 && !strchr(rest + 8, '/'))
		return rest + 8;
	/* The rest may look like a host itself: docker.io/a.b/c is not a.b/c. */
	slash = strchr(rest, '/');
	return slash && is_domain(rest, (size_t)(slash - rest)) ? key : rest;
}
