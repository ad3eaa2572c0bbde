/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directories that hold our state. What keeps others out on this system is the list of rights that the directory
 * inherits from the user's profile. Looked at here: that it is a directory, not a link, and belongs to the user, to the
 * administrators or to the system. The list itself is not judged.
 */
#include "base/private.h"

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/platform/windows/system.h"

#include <aclapi.h>

static bool is_ours(PSID owner)
{
	union {
		TOKEN_USER user;
		uint8_t space[256];
	} token;
	HANDLE process;
	DWORD n;
	bool ours = IsWellKnownSid(owner, WinBuiltinAdministratorsSid) || IsWellKnownSid(owner, WinLocalSystemSid);

	if (!ours && OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &process)) {
		ours = GetTokenInformation(process, TokenUser, &token, sizeof(token), &n) &&
		       EqualSid(owner, token.user.User.Sid);
		CloseHandle(process);
	}
	return ours;
}

static int check(int fd, const char *path, struct sk_error *err)
{
	PSECURITY_DESCRIPTOR descriptor = NULL;
	PSID owner = NULL;
	bool ours;

	if (GetSecurityInfo(sk_win_handle(fd), SE_FILE_OBJECT, OWNER_SECURITY_INFORMATION, &owner, NULL, NULL, NULL,
			    &descriptor) != ERROR_SUCCESS ||
	    !owner)
		return sk_error_set(err, EPERM, "cannot use %s: its owner cannot be read", path);
	ours = is_ours(owner);
	LocalFree(descriptor);
	if (ours)
		return 0;
	return sk_error_set(err, EPERM, "%s does not belong to the current user: remove it or choose another directory",
			    path);
}

static int open_dir(int dirfd, const char *path, struct sk_error *err)
{
	_cleanup_fd_ int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r;

	if (fd < 0)
		return sk_error_errno(err, errno, "cannot open %s", path);
	r = check(fd, path, err);
	return r < 0 ? r : SK_TAKE_FD(fd);
}

/* With slashes, as the rest of the program writes paths. */
static char *full_path(const char *path)
{
	_cleanup_free_ wchar_t *nt = sk_win_nt_path(path);
	char *text = nt ? sk_win_utf8(nt + 4, wcslen(nt + 4)) : NULL, *p;

	for (p = text; p && *p; p++)
		if (*p == '\\')
			*p = '/';
	return text;
}

int sk_private_dir(const char *path, mode_t mode, char **ret_path, struct sk_error *err)
{
	_cleanup_free_ char *full = full_path(path);
	int fd, r;

	if (!full)
		return sk_error_errno(err, errno, "cannot use %s", path);
	r = sk_fs_mkdir_p(full, mode);
	if (r < 0)
		return sk_error_errno(err, r, "cannot make %s", path);
	fd = open_dir(AT_FDCWD, full, err);
	if (fd >= 0 && ret_path)
		*ret_path = SK_TAKE_PTR(full);
	return fd;
}

int sk_private_subdir(int dirfd, const char *name, mode_t mode, struct sk_error *err)
{
	if (mkdirat(dirfd, name, mode) < 0 && errno != EEXIST)
		return sk_error_errno(err, errno, "cannot make %s", name);
	return open_dir(dirfd, name, err);
}
