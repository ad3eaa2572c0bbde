/* SPDX-License-Identifier: Apache-2.0 */
/* What libslirp uses of glib: see glib.h. */
#include "base/platform/windows/slirp/glib.h"

#include "base/id.h"
#include "base/log.h"

#define MESSAGE_MAX 512
#define STRING_MAX (1u << 20)

void *sk_glib_alloc(void *p, size_t n, size_t size)
{
	size_t bytes = n * size;

	if (size && n > SIZE_MAX / size)
		g_error("%zu times %zu bytes are too many", n, size);
	p = realloc(p, bytes > 0 ? bytes : 1);
	if (!p)
		g_error("no memory for %zu bytes", bytes);
	return p;
}

char *g_strdup(const char *s)
{
	return s ? strcpy(g_malloc(strlen(s) + 1), s) : NULL;
}

void g_strfreev(char **list)
{
	size_t i;

	for (i = 0; list && list[i]; i++)
		free(list[i]);
	free(list);
}

size_t g_strlcpy(char *to, const char *from, size_t size)
{
	size_t len = strlen(from), n = len < size ? len : size - 1;

	if (size) {
		memcpy(to, from, n);
		to[n] = '\0';
	}
	return len;
}

gboolean g_str_has_prefix(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

char *g_strstr_len(const char *haystack, ptrdiff_t len, const char *needle)
{
	size_t n = len < 0 ? strlen(haystack) : strnlen(haystack, (size_t)len);

	return memmem(haystack, n, needle, strlen(needle));
}

guint g_strv_length(char **list)
{
	guint n = 0;

	while (list[n])
		n++;
	return n;
}

GString *g_string_new(const char *text)
{
	GString *s = g_new0(GString, 1);

	s->str = g_strdup(text ? text : "");
	s->len = strlen(s->str);
	return s;
}

void g_string_append_printf(GString *s, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (n < 0 || (size_t)n > STRING_MAX - s->len)
		return;
	s->str = g_realloc(s->str, s->len + (size_t)n + 1);
	va_start(args, format);
	vsnprintf(s->str + s->len, (size_t)n + 1, format, args);
	va_end(args);
	s->len += (size_t)n;
}

char *g_string_free(GString *s, gboolean with_text)
{
	char *text = s->str;

	free(s);
	if (!with_text)
		return text;
	free(text);
	return NULL;
}

/* No state: the numbers are the system's. */
GRand *g_rand_new(void)
{
	return g_malloc(1);
}

int g_rand_int_range(GRand *r, int first, int end)
{
	uint32_t n;

	(void)r;
	sk_random(&n, sizeof(n));
	return first + (int)(n % (uint32_t)(end - first));
}

void g_rand_free(GRand *r)
{
	free(r);
}

void sk_glib_log(int fatal, const char *format, ...)
{
	char text[MESSAGE_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	sk_log(fatal ? SK_LOG_ERROR : SK_LOG_DEBUG, "libslirp: %s", text);
}

static gboolean refuse(GError **error)
{
	if (error) {
		*error = g_new0(GError, 1);
		(*error)->message = g_strdup("programs are not started here");
	}
	return FALSE;
}

void g_error_free(GError *error)
{
	free(error->message);
	free(error);
}

gboolean g_shell_parse_argv(const char *text, int *argc, char ***argv, GError **error)
{
	(void)text;
	(void)argc;
	(void)argv;
	return refuse(error);
}

gboolean g_spawn_async_with_fds(const char *directory, char **argv, char **env, GSpawnFlags flags,
				GSpawnChildSetupFunc setup, gpointer data, GPid *pid, int in, int out, int err,
				GError **error)
{
	(void)directory;
	(void)argv;
	(void)env;
	(void)flags;
	(void)setup;
	(void)data;
	(void)pid;
	(void)in;
	(void)out;
	(void)err;
	return refuse(error);
}
