/* SPDX-License-Identifier: Apache-2.0 */
/* What POSIX or GNU have and the C runtime has not: text, time, the environment. See posix/sk_posix.h. */
#include <ctype.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "base/platform/windows/system.h"

NTSTATUS NTAPI RtlGetVersion(PRTL_OSVERSIONINFOW version);

#undef strerror

char *sk_posix_strerror(int number)
{
	static const struct {
		int number;
		const char *text;
	} known[] = {
		{ EADDRINUSE, "Address already in use" },
		{ EADDRNOTAVAIL, "Cannot assign requested address" },
		{ EAFNOSUPPORT, "Address family not supported" },
		{ EALREADY, "Operation already in progress" },
		{ EBADMSG, "Bad message" },
		{ ECONNABORTED, "Connection aborted" },
		{ ECONNREFUSED, "Connection refused" },
		{ ECONNRESET, "Connection reset by peer" },
		{ EDQUOT, "Disk quota exceeded" },
		{ EHOSTUNREACH, "No route to host" },
		{ EINPROGRESS, "Operation now in progress" },
		{ EISCONN, "Already connected" },
		{ ELOOP, "Too many levels of symbolic links" },
		{ EMSGSIZE, "Message too long" },
		{ ENETDOWN, "Network is down" },
		{ ENETUNREACH, "Network is unreachable" },
		{ ENOBUFS, "No buffer space available" },
		{ ENOPROTOOPT, "Protocol option not available" },
		{ ENOTCONN, "Not connected" },
		{ ENOTSOCK, "Not a socket" },
		{ ENOTUNIQ, "Name not unique" },
		{ EOPNOTSUPP, "Operation not supported" },
		{ EPROTO, "Protocol error" },
		{ EPROTONOSUPPORT, "Protocol not supported" },
		{ ESTALE, "Stale file handle" },
		{ ETIMEDOUT, "Timed out" },
		{ EWOULDBLOCK, "Resource temporarily unavailable" },
	};
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(known); i++)
		if (known[i].number == number)
			return (char *)(uintptr_t)known[i].text;
	return strerror(number);
}

struct tm *gmtime_r(const time_t *t, struct tm *ret)
{
	return _gmtime64_s(ret, t) == 0 ? ret : NULL;
}

struct tm *localtime_r(const time_t *t, struct tm *ret)
{
	return _localtime64_s(ret, t) == 0 ? ret : NULL;
}

time_t timegm(struct tm *tm)
{
	return _mkgmtime64(tm);
}

void *memmem(const void *haystack, size_t n, const void *needle, size_t k)
{
	const uint8_t *p = haystack, *end;

	if (k == 0)
		return (void *)(uintptr_t)haystack;
	if (k > n)
		return NULL;
	for (end = p + (n - k) + 1; p < end && (p = memchr(p, *(const uint8_t *)needle, (size_t)(end - p))); p++)
		if (memcmp(p, needle, k) == 0)
			return (void *)(uintptr_t)p;
	return NULL;
}

void *memrchr(const void *data, int c, size_t n)
{
	const uint8_t *p = data;

	while (n)
		if (p[--n] == (uint8_t)c)
			return (void *)(uintptr_t)(p + n);
	return NULL;
}

char *strsep(char **rest, const char *ends)
{
	char *part = *rest, *end = part ? part + strcspn(part, ends) : NULL;

	if (!part)
		return NULL;
	*rest = *end ? end + 1 : NULL;
	*end = '\0';
	return part;
}

char *strchrnul(const char *s, int c)
{
	while (*s && *s != (char)c)
		s++;
	return (char *)(uintptr_t)s;
}

char *strndup(const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *copy = malloc(len + 1);

	if (!copy)
		return NULL;
	memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

void *reallocarray(void *p, size_t n, size_t size)
{
	if (size && n > SIZE_MAX / size) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(p, n * size);
}

char *strcasestr(const char *haystack, const char *needle)
{
	size_t n = strlen(needle);

	for (; *haystack; haystack++)
		if (_strnicmp(haystack, needle, n) == 0)
			return (char *)(uintptr_t)haystack;
	return n ? NULL : (char *)(uintptr_t)haystack;
}

int setenv(const char *name, const char *value, int overwrite)
{
	if (!overwrite && getenv(name))
		return 0;
	return _putenv_s(name, value) == 0 ? 0 : -1;
}

int unsetenv(const char *name)
{
	return _putenv_s(name, "") == 0 ? 0 : -1;
}

int uname(struct utsname *ret)
{
	RTL_OSVERSIONINFOW version = { .dwOSVersionInfoSize = sizeof(version) };
	wchar_t name[MAX_COMPUTERNAME_LENGTH + 1] = L"";
	DWORD n = SK_ARRAY_SIZE(name);
	_cleanup_free_ char *text = NULL;
	SYSTEM_INFO info;

	GetNativeSystemInfo(&info);
	RtlGetVersion(&version);
	if (GetComputerNameW(name, &n))
		text = sk_win_utf8(name, n);
	strcpy(ret->sysname, "Windows");
	strcpy(ret->machine, info.wProcessorArchitecture == PROCESSOR_ARCHITECTURE_ARM64 ? "aarch64" : "x86_64");
	snprintf(ret->nodename, sizeof(ret->nodename), "%s", text ? text : "");
	snprintf(ret->release, sizeof(ret->release), "%lu.%lu.%lu", version.dwMajorVersion, version.dwMinorVersion,
		 version.dwBuildNumber);
	return 0;
}

long long sysconf(int name)
{
	MEMORYSTATUSEX memory = { .dwLength = sizeof(memory) };
	SYSTEM_INFO info;

	GetNativeSystemInfo(&info);
	switch (name) {
	case _SC_NPROCESSORS_ONLN:
		return GetActiveProcessorCount(ALL_PROCESSOR_GROUPS);
	case _SC_PAGESIZE:
		return info.dwPageSize;
	case _SC_PHYS_PAGES:
		return GlobalMemoryStatusEx(&memory) ? (long long)(memory.ullTotalPhys / info.dwPageSize) : -1;
	default:
		return -1;
	}
}
