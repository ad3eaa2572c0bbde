/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a monitor that does not answer, on Windows. Who holds a lock cannot be asked for; the container's state says
 * which process its monitor is, and that is ended if it is a monitor. The VM goes with it: it ends with its last handle.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/loop.h"
#include "base/platform/windows/system.h"
#include "vm/vm.h"

#define END_WAIT_MS 10000u
#define PATH_CHARS 32768u

static bool is_monitor(HANDLE process)
{
	static const wchar_t name[] = L"\\skerry-monitor.exe";
	_cleanup_free_ wchar_t *path = malloc(PATH_CHARS * sizeof(*path));
	size_t n = SK_ARRAY_SIZE(name) - 1;
	DWORD len = PATH_CHARS;

	return path && QueryFullProcessImageNameW(process, 0, path, &len) && len > n &&
	       _wcsicmp(path + len - n, name) == 0;
}

static void kill_monitor(const struct sk_paths *paths, const char *id)
{
	json_t *state = NULL;
	HANDLE h;

	if (sk_vm_state_load(paths, id, &state, NULL) < 0)
		return;
	h = OpenProcess(PROCESS_TERMINATE | PROCESS_QUERY_LIMITED_INFORMATION, FALSE,
			(DWORD)json_integer_value(json_object_get(state, "pid")));
	json_decref(state);
	if (!h)
		return;
	if (is_monitor(h))
		TerminateProcess(h, 137);
	CloseHandle(h);
}

/* Stores of images: whoever holds one for long is a skerry that loads, and is waited for. */
int sk_vm_end_holders(const char *path, struct sk_error *err)
{
	(void)path;
	(void)err;
	return 0;
}

int sk_vm_end(const struct sk_paths *paths, const char *id, struct sk_error *err)
{
	_cleanup_free_ char *path = sk_asprintf("%s/containers/%s/lock", paths->root, id);
	_cleanup_fd_ int fd = path ? open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW) : -1;
	uint64_t deadline = sk_now_ms() + END_WAIT_MS;

	while (fd >= 0 && sk_fs_lock(fd, true, false) < 0) {
		if (sk_now_ms() > deadline)
			return sk_error_set(err, EBUSY,
					    "cannot end the monitor of container %.12s: another program holds %s", id,
					    path);
		kill_monitor(paths, id);
		usleep(20000);
	}
	return 0;
}
