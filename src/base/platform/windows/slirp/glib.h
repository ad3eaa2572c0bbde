/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_WINDOWS_SLIRP_GLIB_H
#define SK_WINDOWS_SLIRP_GLIB_H

/*
 * What libslirp uses of glib, for Windows: memory, text, messages and a random number. glib itself would be four libraries
 * more to build (glib, pcre2, libffi, libintl), with threads and a start-up of its own, for these thirty functions. They
 * behave as glib's manual says, but for what libslirp needs no more of: no program is ever started (g_spawn…, for a
 * feature of libslirp that Skerry does not use), and no debug string has effect. Messages go to our log (base/log.h);
 * g_error() and a failed g_assert() end the process, as with glib.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void *gpointer;
typedef char gchar;
typedef int gint;
typedef int gboolean;
typedef unsigned guint;
typedef size_t gsize;
typedef gchar **GStrv;
typedef int GPid;
typedef void (*GSpawnChildSetupFunc)(gpointer data);
typedef enum { G_SPAWN_SEARCH_PATH = 4 } GSpawnFlags;
typedef struct {
	char *message;
} GError;
typedef struct {
	const char *key;
	unsigned value;
} GDebugKey;
typedef struct {
	char *str;
	size_t len, allocated_len;
} GString;
typedef struct GRand GRand;

#define G_OS_WIN32 1
#define GLIB_SIZEOF_VOID_P 8
#define GLIB_CHECK_VERSION(major, minor, micro) 1
#define G_LITTLE_ENDIAN 1234
#define G_BIG_ENDIAN 4321
#define G_BYTE_ORDER G_LITTLE_ENDIAN
#define GUINT16_FROM_BE(v) __builtin_bswap16(v)
#define GUINT16_TO_BE(v) __builtin_bswap16(v)
#define GUINT32_FROM_BE(v) __builtin_bswap32(v)
#define GUINT32_TO_BE(v) __builtin_bswap32(v)
#define GINT16_FROM_BE(v) ((int16_t)__builtin_bswap16((uint16_t)(v)))
#define GINT16_TO_BE(v) ((int16_t)__builtin_bswap16((uint16_t)(v)))
#define GINT32_FROM_BE(v) ((int32_t)__builtin_bswap32((uint32_t)(v)))
#define GINT32_TO_BE(v) ((int32_t)__builtin_bswap32((uint32_t)(v)))
#define G_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define G_LIKELY(x) __builtin_expect(!!(x), 1)
#define G_N_ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))
#define G_GNUC_PRINTF(at, first) __attribute__((format(gnu_printf, at, first)))
#define G_STATIC_ASSERT(x) _Static_assert(x, #x)
#ifndef TRUE
#define TRUE 1
#define FALSE 0
#endif
#ifndef MIN
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#endif

/* Memory: ends the process where there is none. */
void *sk_glib_alloc(void *p, size_t n, size_t size);
#define g_malloc(n) sk_glib_alloc(NULL, 1, n)
#define g_malloc0(n) memset(sk_glib_alloc(NULL, 1, n), 0, n)
#define g_realloc(p, n) sk_glib_alloc(p, 1, n)
#define g_new(type, n) ((type *)sk_glib_alloc(NULL, n, sizeof(type)))
#define g_new0(type, n) ((type *)memset(sk_glib_alloc(NULL, n, sizeof(type)), 0, (n) * sizeof(type)))
#define g_free free
char *g_strdup(const char *s); /* NULL: NULL */
void g_strfreev(char **list);

#define g_snprintf snprintf
#define g_vsnprintf vsnprintf
#define g_strerror strerror
#define g_getenv(name) ((const char *)NULL)
#define g_parse_debug_string(text, keys, n) ((void)(keys), (void)(n), 0u)
size_t g_strlcpy(char *to, const char *from, size_t size); /* as strlcpy() */
gboolean g_str_has_prefix(const char *s, const char *prefix);
char *g_strstr_len(const char *haystack, ptrdiff_t len, const char *needle); /* len -1: up to its end */
guint g_strv_length(char **list);

GString *g_string_new(const char *text); /* NULL: "" */
void g_string_append_printf(GString *s, const char *format, ...) G_GNUC_PRINTF(2, 3);
char *g_string_free(GString *s, gboolean with_text);

/* Of the system's random numbers. */
GRand *g_rand_new(void);
int g_rand_int_range(GRand *r, int first, int end); /* first <= n < end */
void g_rand_free(GRand *r);

void sk_glib_log(int fatal, const char *format, ...) G_GNUC_PRINTF(2, 3);
#define g_debug(...) sk_glib_log(0, __VA_ARGS__)
#define g_warning(...) sk_glib_log(0, __VA_ARGS__)
#define g_critical(...) sk_glib_log(0, __VA_ARGS__)
#define g_error(...) (sk_glib_log(1, __VA_ARGS__), abort())
#define g_assert(x) ((x) ? (void)0 : g_error("%s:%d: not so: %s", __FILE__, __LINE__, #x))
#define g_assert_not_reached() g_error("%s:%d: reached", __FILE__, __LINE__)
#define g_warn_if_fail(x) ((x) ? (void)0 : g_warning("%s:%d: not so: %s", __FILE__, __LINE__, #x))
#define g_warn_if_reached() g_warning("%s:%d: reached", __FILE__, __LINE__)
#define g_return_if_fail(x)                                                      \
	do {                                                                     \
		if (!(x)) {                                                      \
			g_critical("%s:%d: not so: %s", __FILE__, __LINE__, #x); \
			return;                                                  \
		}                                                                \
	} while (0)
#define g_return_val_if_fail(x, value)                                           \
	do {                                                                     \
		if (!(x)) {                                                      \
			g_critical("%s:%d: not so: %s", __FILE__, __LINE__, #x); \
			return value;                                            \
		}                                                                \
	} while (0)

void g_error_free(GError *error);
/* FALSE, with an error. */
gboolean g_shell_parse_argv(const char *text, int *argc, char ***argv, GError **error);
gboolean g_spawn_async_with_fds(const char *directory, char **argv, char **env, GSpawnFlags flags,
				GSpawnChildSetupFunc setup, gpointer data, GPid *pid, int in, int out, int err,
				GError **error);

#endif
