/* SPDX-License-Identifier: Apache-2.0 */
/* Environment variables and labels: merged by name, from options and from files (--env-file, --label-file). */
#include "model/env.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fs.h"

#define SK_ENV_FILE_MAX (16u << 20)
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static size_t find(const struct sk_strv *env, const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < env->n; i++)
		if (strncmp(env->v[i], name, len) == 0 && (env->v[i][len] == '=' || env->v[i][len] == '\0'))
			break;
	return i;
}

void sk_env_set(struct sk_strv *env, const char *entry)
{
	const char *eq = strchr(entry, '=');
	size_t i = find(env, entry, eq ? (size_t)(eq - entry) : strlen(entry));

	if (i == env->n) {
		if (eq)
			sk_strv_add(env, entry);
		return;
	}
	if (eq) {
		free(env->v[i]);
		env->v[i] = sk_xstrdup(entry);
	} else {
		sk_strv_drop(env, i);
	}
}

void sk_env_merge(struct sk_strv *env, const struct sk_strv *from)
{
	size_t i;

	for (i = 0; i < from->n; i++)
		sk_env_set(env, from->v[i]);
}

const char *sk_env_get(const struct sk_strv *env, const char *name)
{
	size_t len = strlen(name), i = find(env, name, len);

	return i < env->n && env->v[i][len] == '=' ? env->v[i] + len + 1 : NULL;
}

void sk_env_base(struct sk_strv *env, const char *hostname, bool tty)
{
	_cleanup_free_ char *entry = sk_xasprintf("HOSTNAME=%s", hostname);

	sk_env_set(env, "PATH=" DEFAULT_PATH);
	sk_env_set(env, entry);
	if (tty)
		sk_env_set(env, "TERM=xterm");
}

void sk_env_add_option(struct sk_strv *env, const char *entry)
{
	const char *value = strchr(entry, '=') ? NULL : getenv(entry);

	if (value)
		sk_strv_take(env, sk_xasprintf("%s=%s", entry, value));
	else
		sk_strv_add(env, entry);
}

static int add_line(struct sk_strv *env, char *line, bool labels, const char *path, struct sk_error *err)
{
	char *name, *eq;

	while (isspace((unsigned char)*line))
		line++;
	if (!*line || *line == '#')
		return 0;
	name = line;
	eq = strchr(line, '=');
	if (eq == line)
		return sk_error_set(err, EINVAL,
				    "poorly formatted environment: no variable name on line '%.128s' of %s", line,
				    path);
	if (strcspn(name, " \t") < (eq ? (size_t)(eq - name) : strlen(name)))
		return sk_error_set(err, EINVAL,
				    "poorly formatted environment: variable '%.*s' contains whitespaces (%s)",
				    eq ? (int)(eq - name) : 128, name, path);
	if (eq)
		sk_strv_add(env, line);
	else if (labels)
		sk_strv_take(env, sk_xasprintf("%s=", line));
	else if (getenv(line))
		sk_strv_take(env, sk_xasprintf("%s=%s", line, getenv(line)));
	return 0;
}

int sk_env_read_file(struct sk_strv *env, const char *path, bool labels, struct sk_error *err)
{
	_cleanup_free_ char *text = NULL;
	char *line, *next;
	size_t len;
	int r = sk_fs_read(AT_FDCWD, path, SK_ENV_FILE_MAX, &text, &len);

	if (r < 0)
		return sk_error_errno(err, r, "cannot read %s", path);
	if (strlen(text) != len)
		return sk_error_set(err, EINVAL, "%s is not a text file: it has a NUL byte", path);
	line = text;
	if (strncmp(line, "\xef\xbb\xbf", 3) == 0) /* byte order mark of other systems' editors */
		line += 3;
	for (; r == 0 && line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		len = strlen(line);
		if (len && line[len - 1] == '\r')
			line[len - 1] = '\0';
		r = add_line(env, line, labels, path, err);
	}
	return r;
}
