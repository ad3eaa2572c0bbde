/* SPDX-License-Identifier: Apache-2.0 */
/*
 * skerry-path add|remove DIRECTORY: the installer's hand for the PATH of all users. The value is changed as it is stored,
 * with its "%SystemRoot%" and whatever length; what else is in it stays as it was. Exit code 0 also if there was nothing
 * to do.
 */
#include "base/platform/windows/system.h"

#define KEY L"SYSTEM\\CurrentControlSet\\Control\\Session Manager\\Environment"
#define CHARS_MAX 32767u

static bool same(const wchar_t *a, size_t n, const wchar_t *dir)
{
	while (n && a[n - 1] == L'\\')
		n--;
	return n == wcslen(dir) && _wcsnicmp(a, dir, n) == 0;
}

/* Takes `dir` out of the list `path`, in place. False: it was not there. */
static bool take_out(wchar_t *path, const wchar_t *dir)
{
	wchar_t *p = path;
	bool found = false;

	while (*p) {
		size_t n = wcscspn(p, L";");
		wchar_t *next = p[n] ? p + n + 1 : p + n;

		if (!same(p, n, dir)) {
			p = next;
			continue;
		}
		found = true;
		memmove(p, next, (wcslen(next) + 1) * sizeof(*p));
		if (!*p && p > path) /* it was the last one */
			*--p = L'\0';
	}
	return found;
}

static long change(HKEY key, const wchar_t *dir, bool add)
{
	static wchar_t path[CHARS_MAX + 1];
	DWORD bytes = CHARS_MAX * sizeof(*path), type = REG_EXPAND_SZ;
	long r = RegQueryValueExW(key, L"Path", NULL, &type, (BYTE *)path, &bytes);
	size_t n;

	if (r != ERROR_SUCCESS && r != ERROR_FILE_NOT_FOUND)
		return r; /* too long, or no right: nothing is changed */
	if (r == ERROR_SUCCESS && type != REG_SZ && type != REG_EXPAND_SZ)
		return ERROR_INVALID_DATA;
	path[r == ERROR_SUCCESS ? bytes / sizeof(*path) : 0] = L'\0';
	if (take_out(path, dir) == add) /* there already, or not there */
		return ERROR_SUCCESS;
	n = wcslen(path);
	if (add && n + wcslen(dir) + 2 > CHARS_MAX)
		return ERROR_BUFFER_OVERFLOW;
	if (add) {
		if (n && path[n - 1] != L';')
			path[n++] = L';';
		wcscpy(path + n, dir);
	}
	return RegSetValueExW(key, L"Path", 0, type, (const BYTE *)path, (DWORD)((wcslen(path) + 1) * sizeof(*path)));
}

int main(int argc, char **argv)
{
	wchar_t *dir, *end;
	long r;
	HKEY key;

	sk_posix_main(&argc, &argv);
	if (argc != 3 || (strcmp(argv[1], "add") != 0 && strcmp(argv[1], "remove") != 0) || strchr(argv[2], ';')) {
		fputs("usage: skerry-path add|remove DIRECTORY\n", stderr);
		return 2;
	}
	dir = sk_win_wide(argv[2]);
	if (!dir)
		return 1;
	for (end = dir + wcslen(dir); end > dir && end[-1] == L'\\'; end--)
		end[-1] = L'\0';
	r = RegOpenKeyExW(HKEY_LOCAL_MACHINE, KEY, 0, KEY_QUERY_VALUE | KEY_SET_VALUE, &key);
	if (r == ERROR_SUCCESS) {
		r = change(key, dir, strcmp(argv[1], "add") == 0);
		RegCloseKey(key);
	}
	free(dir);
	if (r != ERROR_SUCCESS) {
		fprintf(stderr, "skerry-path: cannot change the PATH: error %ld\n", r);
		return 1;
	}
	/* Programs that are started from now on see it. */
	SendMessageTimeoutW(HWND_BROADCAST, WM_SETTINGCHANGE, 0, (LPARAM)L"Environment", SMTO_ABORTIFHUNG, 5000, NULL);
	return 0;
}
