/* SPDX-License-Identifier: Apache-2.0 */
/* Errors of the system (Win32, sockets, NTSTATUS) as errno values: one table for the two that are one space there. */
#include "base/cleanup.h"
#include "base/platform/windows/system.h"

static const struct {
	unsigned long error;
	int number;
} known[] = {
	{ ERROR_INVALID_FUNCTION, EINVAL },
	{ ERROR_FILE_NOT_FOUND, ENOENT },
	{ ERROR_PATH_NOT_FOUND, ENOENT },
	{ ERROR_TOO_MANY_OPEN_FILES, EMFILE },
	{ ERROR_ACCESS_DENIED, EACCES },
	{ ERROR_INVALID_HANDLE, EBADF },
	{ ERROR_NOT_ENOUGH_MEMORY, ENOMEM },
	{ ERROR_OUTOFMEMORY, ENOMEM },
	{ ERROR_NO_SYSTEM_RESOURCES, ENOMEM },
	{ ERROR_COMMITMENT_LIMIT, ENOMEM },
	{ ERROR_INVALID_DRIVE, ENOENT },
	{ ERROR_NOT_SAME_DEVICE, EXDEV },
	{ ERROR_NO_MORE_FILES, ENOENT },
	{ ERROR_WRITE_PROTECT, EROFS },
	{ ERROR_NOT_READY, EIO },
	{ ERROR_CRC, EIO },
	{ ERROR_IO_DEVICE, EIO },
	{ ERROR_SHARING_VIOLATION, EBUSY },
	{ ERROR_LOCK_VIOLATION, EWOULDBLOCK },
	{ ERROR_HANDLE_EOF, EIO },
	{ ERROR_HANDLE_DISK_FULL, ENOSPC },
	{ ERROR_DISK_FULL, ENOSPC },
	{ 1295, EDQUOT }, /* ERROR_DISK_QUOTA_EXCEEDED */
	{ ERROR_NOT_SUPPORTED, EOPNOTSUPP },
	{ ERROR_FILE_EXISTS, EEXIST },
	{ ERROR_ALREADY_EXISTS, EEXIST },
	{ ERROR_INVALID_PARAMETER, EINVAL },
	{ ERROR_BROKEN_PIPE, EPIPE },
	{ ERROR_NO_DATA, EPIPE },
	{ ERROR_INVALID_NAME, EINVAL },
	{ ERROR_BAD_PATHNAME, EINVAL },
	{ ERROR_DIR_NOT_EMPTY, ENOTEMPTY },
	{ ERROR_FILENAME_EXCED_RANGE, ENAMETOOLONG },
	{ ERROR_DIRECTORY, ENOTDIR },
	{ ERROR_TOO_MANY_LINKS, EMLINK },
	{ ERROR_FILE_TOO_LARGE, EFBIG },
	{ ERROR_DELETE_PENDING, ENOENT },
	{ ERROR_PRIVILEGE_NOT_HELD, EPERM },
	{ ERROR_CANT_ACCESS_FILE, ELOOP },
	{ 681, ELOOP }, /* ERROR_STOPPED_ON_SYMLINK */
	{ ERROR_NO_UNICODE_TRANSLATION, EILSEQ },
	{ ERROR_USER_MAPPED_FILE, EBUSY },
	{ WSAEINTR, EINTR },
	{ WSAEBADF, EBADF },
	{ WSAEACCES, EACCES },
	{ WSAEFAULT, EFAULT },
	{ WSAEINVAL, EINVAL },
	{ WSAEMFILE, EMFILE },
	{ WSAEWOULDBLOCK, EAGAIN },
	{ WSAEINPROGRESS, EINPROGRESS },
	{ WSAEALREADY, EALREADY },
	{ WSAENOTSOCK, ENOTSOCK },
	{ WSAEMSGSIZE, EMSGSIZE },
	{ WSAENOPROTOOPT, ENOPROTOOPT },
	{ WSAEPROTONOSUPPORT, EPROTONOSUPPORT },
	{ WSAEOPNOTSUPP, EOPNOTSUPP },
	{ WSAEAFNOSUPPORT, EAFNOSUPPORT },
	{ WSAEADDRINUSE, EADDRINUSE },
	{ WSAEADDRNOTAVAIL, EADDRNOTAVAIL },
	{ WSAENETDOWN, ENETDOWN },
	{ WSAENETUNREACH, ENETUNREACH },
	{ WSAECONNABORTED, ECONNABORTED },
	{ WSAECONNRESET, ECONNRESET },
	{ WSAENOBUFS, ENOBUFS },
	{ WSAEISCONN, EISCONN },
	{ WSAENOTCONN, ENOTCONN },
	{ WSAESHUTDOWN, EPIPE },
	{ WSAETIMEDOUT, ETIMEDOUT },
	{ WSAECONNREFUSED, ECONNREFUSED },
	{ WSAEHOSTUNREACH, EHOSTUNREACH },
};

int sk_win_errno(unsigned long error)
{
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(known); i++)
		if (known[i].error == error)
			return known[i].number;
	return EIO;
}

/* Those that the system's own translation makes one of. */
int sk_win_status_errno(long status)
{
	static const struct {
		unsigned long status;
		int number;
	} own[] = {
		{ 0xC00000BAul, EISDIR }, { 0xC0000103ul, ENOTDIR }, { 0xC0000101ul, ENOTEMPTY },
		{ 0xC0000056ul, ENOENT }, { 0xC0000002ul, ENOSYS },  { 0xC0000003ul, ENOSYS },
		{ 0xC000050Bul, ELOOP },  { 0xC0000121ul, EACCES },  { 0xC0000106ul, ENAMETOOLONG },
		{ 0xC0000275ul, EINVAL }, { 0xC0000904ul, EFBIG },
	};
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(own); i++)
		if (own[i].status == (unsigned long)status)
			return own[i].number;
	return sk_win_errno(RtlNtStatusToDosError(status));
}

int sk_win_fail(void)
{
	errno = sk_win_errno(GetLastError());
	return -1;
}

int sk_win_fail_status(long status)
{
	errno = sk_win_status_errno(status);
	return -1;
}
