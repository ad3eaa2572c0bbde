/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The primitive calls on files, by the system's native interface: it opens relative to the handle of a directory, which
 * the one above it (CreateFile) cannot. Everything is opened without following a reparse point (symbolic link,
 * junction, mount point) unless that is asked for.
 *
 * Newer calls (removal and renaming with POSIX semantics: Windows 10 1709 on NTFS) are tried first, and the older ones
 * where the file system says that it does not know them. Which answer means that differs: STATUS_INVALID_INFO_CLASS,
 * STATUS_NOT_IMPLEMENTED, STATUS_NOT_SUPPORTED, STATUS_INVALID_PARAMETER.
 */
#include "base/platform/windows/system.h"

#define INFO_BASIC 4
#define INFO_RENAME 10
#define INFO_LINK 11
#define INFO_DISPOSITION 13
#define INFO_DISPOSITION_EX 64
#define INFO_RENAME_EX 65
#define DISPOSITION_DELETE 1u
#define DISPOSITION_POSIX 2u
#define DISPOSITION_IGNORE_READONLY 16u
#define RENAME_REPLACE 1u
#define RENAME_POSIX 2u
#define RENAME_IGNORE_READONLY 64u
#define LIST_BYTES 65536u
#define INFO_FS_FULL_SIZE 7
#define INFO_FULL_DIR 38 /* FileIdFullDirectoryInformation */

#define ST_NO_SUCH_CLASS ((long)0xC0000003)
#define ST_NOT_IMPLEMENTED ((long)0xC0000002)
#define ST_NOT_SUPPORTED ((long)0xC00000BB)
#define ST_INVALID_PARAMETER ((long)0xC000000D)
#define ST_ACCESS_DENIED ((long)0xC0000022)
#define ST_NO_MORE_FILES ((long)0x80000006)
#define ST_NO_SUCH_FILE ((long)0xC000000F)
#define ST_NAME_INVALID ((long)0xC0000033)
#define ST_NO_MEMORY ((long)0xC0000017)

#define EPOCH_1601 116444736000000000ll

NTSTATUS NTAPI NtSetInformationFile(HANDLE file, PIO_STATUS_BLOCK io, PVOID info, ULONG len,
				    FILE_INFORMATION_CLASS kind);
NTSTATUS NTAPI NtQueryDirectoryFile(HANDLE file, HANDLE event, PIO_APC_ROUTINE apc, PVOID arg, PIO_STATUS_BLOCK io,
				    PVOID info, ULONG len, FILE_INFORMATION_CLASS kind, BOOLEAN single,
				    PUNICODE_STRING mask, BOOLEAN restart);

struct id_full_dir {
	ULONG next, index;
	LARGE_INTEGER created, accessed, written, changed, size, allocated;
	ULONG attributes, name_bytes, ea_size;
	LARGE_INTEGER ino;
	WCHAR name[1];
};

/* Of both rename and link: flags of the newer calls, or "replace" in the first byte of the older ones. */
struct name_info {
	ULONG flags;
	HANDLE dir;
	ULONG bytes;
	WCHAR name[1];
};

struct timespec sk_nt_to_unix(int64_t t)
{
	int64_t since = t - EPOCH_1601, sec = since / 10000000, rest = since % 10000000;

	if (rest < 0) {
		rest += 10000000;
		sec--;
	}
	return (struct timespec){ .tv_sec = sec, .tv_nsec = (long)rest * 100 };
}

int64_t sk_nt_from_unix(int64_t sec, long nsec)
{
	const int64_t max = (INT64_MAX - EPOCH_1601) / 10000000 - 1;

	if (sec > max)
		sec = max;
	if (sec < -EPOCH_1601 / 10000000 + 1)
		sec = -EPOCH_1601 / 10000000 + 1; /* 0 would mean "leave it" */
	return EPOCH_1601 + sec * 10000000 + nsec / 100;
}

long sk_nt_open(HANDLE dir, const wchar_t *name, const struct sk_nt_how *how, HANDLE *ret)
{
	size_t n = wcslen(name) * sizeof(*name);
	UNICODE_STRING text = { (USHORT)n, (USHORT)n, (wchar_t *)(uintptr_t)name };
	OBJECT_ATTRIBUTES attr = { .Length = sizeof(attr), .RootDirectory = dir, .ObjectName = &text };
	IO_STATUS_BLOCK io;
	ULONG options = how->options | (how->overlapped ? 0 : FILE_SYNCHRONOUS_IO_NONALERT);

	if (n > 0xFFF0)
		return ST_NAME_INVALID;
	/* "file:stream" is another file in disguise. */
	if (dir && wcschr(name, L':'))
		return ST_NAME_INVALID;
	attr.Attributes = OBJ_CASE_INSENSITIVE;
	if (!how->follow)
		options |= FILE_OPEN_REPARSE_POINT;
	return NtCreateFile(ret, how->access | SYNCHRONIZE, &attr, &io, NULL,
			    how->attributes ? how->attributes : FILE_ATTRIBUTE_NORMAL,
			    FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, how->disposition, options, NULL, 0);
}

static long last_error_status(void)
{
	switch (GetLastError()) {
	case ERROR_ACCESS_DENIED:
		return ST_ACCESS_DENIED;
	case ERROR_NOT_ENOUGH_MEMORY:
		return ST_NO_MEMORY;
	default:
		return ST_NOT_SUPPORTED;
	}
}

/* NtQueryAttributesFile() would be one call; Wine has it for whole paths only. */
long sk_nt_attributes(HANDLE dir, const wchar_t *name, uint32_t *ret)
{
	const struct sk_nt_how how = { .access = FILE_READ_ATTRIBUTES, .disposition = FILE_OPEN };
	FILE_BASIC_INFO info;
	HANDLE h;
	long status = sk_nt_open(dir, name, &how, &h);

	if (status < 0)
		return status;
	if (GetFileInformationByHandleEx(h, FileBasicInfo, &info, sizeof(info)))
		*ret = info.FileAttributes;
	else
		status = last_error_status();
	CloseHandle(h);
	return status;
}

long sk_nt_info(HANDLE h, struct sk_nt_info *ret)
{
	BY_HANDLE_FILE_INFORMATION by;
	FILE_BASIC_INFO basic;
	FILE_STANDARD_INFO standard;

	if (!GetFileInformationByHandle(h, &by) ||
	    !GetFileInformationByHandleEx(h, FileBasicInfo, &basic, sizeof(basic)) ||
	    !GetFileInformationByHandleEx(h, FileStandardInfo, &standard, sizeof(standard)))
		return last_error_status();
	*ret = (struct sk_nt_info){
		.dev = by.dwVolumeSerialNumber,
		.ino = (uint64_t)by.nFileIndexHigh << 32 | by.nFileIndexLow,
		.size = (uint64_t)standard.EndOfFile.QuadPart,
		.allocated = (uint64_t)standard.AllocationSize.QuadPart,
		.links = by.nNumberOfLinks,
		.attributes = by.dwFileAttributes,
		.created = basic.CreationTime.QuadPart,
		.accessed = basic.LastAccessTime.QuadPart,
		.written = basic.LastWriteTime.QuadPart,
		.changed = basic.ChangeTime.QuadPart,
	};
	if (ret->attributes & FILE_ATTRIBUTE_DIRECTORY)
		ret->size = ret->allocated = 0;
	return 0;
}

static long set_basic(HANDLE h, int64_t accessed, int64_t written, uint32_t attributes)
{
	FILE_BASIC_INFO basic = { .FileAttributes = attributes };
	IO_STATUS_BLOCK io;

	/* 0: as it is. */
	basic.LastAccessTime.QuadPart = accessed;
	basic.LastWriteTime.QuadPart = written;
	return NtSetInformationFile(h, &io, &basic, sizeof(basic), INFO_BASIC);
}

long sk_nt_set_times(HANDLE h, int64_t accessed, int64_t written)
{
	return set_basic(h, accessed < 0 ? 0 : accessed, written < 0 ? 0 : written, 0);
}

long sk_nt_set_attributes(HANDLE h, uint32_t attributes)
{
	return set_basic(h, 0, 0, attributes ? attributes : FILE_ATTRIBUTE_NORMAL);
}

bool sk_nt_is_unknown(long status)
{
	return status == ST_NO_SUCH_CLASS || status == ST_NOT_IMPLEMENTED || status == ST_NOT_SUPPORTED ||
	       status == ST_INVALID_PARAMETER;
}

static long set_name(HANDLE h, HANDLE dir, const wchar_t *name, unsigned kind, ULONG flags)
{
	size_t n = wcslen(name) * sizeof(*name), size = sizeof(struct name_info) + n;
	struct name_info *info = calloc(1, size);
	IO_STATUS_BLOCK io;
	long status;

	if (!info)
		return ST_NO_MEMORY;
	info->flags = flags;
	info->dir = dir;
	info->bytes = (ULONG)n;
	memcpy(info->name, name, n);
	status = wcschr(name, L':') ? ST_NAME_INVALID : NtSetInformationFile(h, &io, info, (ULONG)size, kind);
	free(info);
	return status;
}

long sk_nt_rename(HANDLE h, HANDLE dir, const wchar_t *name, bool replace)
{
	ULONG flags = RENAME_POSIX | RENAME_IGNORE_READONLY | (replace ? RENAME_REPLACE : 0);
	long status = set_name(h, dir, name, INFO_RENAME_EX, flags);

	return sk_nt_is_unknown(status) ? set_name(h, dir, name, INFO_RENAME, replace) : status;
}

long sk_nt_link(HANDLE h, HANDLE dir, const wchar_t *name)
{
	return set_name(h, dir, name, INFO_LINK, false);
}

long sk_nt_remove_now(HANDLE h)
{
	ULONG flags = DISPOSITION_DELETE | DISPOSITION_POSIX | DISPOSITION_IGNORE_READONLY;
	IO_STATUS_BLOCK io;

	return NtSetInformationFile(h, &io, &flags, sizeof(flags), INFO_DISPOSITION_EX);
}

long sk_nt_remove_later(HANDLE h)
{
	struct sk_nt_info info;
	BOOLEAN yes = TRUE;
	IO_STATUS_BLOCK io;
	long status = sk_nt_info(h, &info);

	if (status >= 0 && info.attributes & FILE_ATTRIBUTE_READONLY)
		status = sk_nt_set_attributes(h, info.attributes & ~(uint32_t)FILE_ATTRIBUTE_READONLY);
	return status < 0 ? status : NtSetInformationFile(h, &io, &yes, sizeof(yes), INFO_DISPOSITION);
}

long sk_nt_remove(HANDLE h)
{
	long status = sk_nt_remove_now(h);

	return sk_nt_is_unknown(status) ? sk_nt_remove_later(h) : status;
}

long sk_nt_space(HANDLE h, struct sk_nt_space *ret)
{
	struct {
		LARGE_INTEGER all, mine, unused;
		ULONG sectors, bytes;
	} size;
	IO_STATUS_BLOCK io;
	long status = NtQueryVolumeInformationFile(h, &io, &size, sizeof(size), INFO_FS_FULL_SIZE);

	if (status >= 0)
		*ret = (struct sk_nt_space){ (uint64_t)size.all.QuadPart, (uint64_t)size.mine.QuadPart,
					     (uint64_t)size.unused.QuadPart, size.sectors * size.bytes };
	return status;
}

/* True: go on. */
static bool list_block(const uint8_t *block, size_t len, sk_nt_entry_cb cb, void *arg)
{
	size_t off = 0;

	for (;;) {
		const struct id_full_dir *e = (const void *)(block + off);

		if (off + offsetof(struct id_full_dir, name) > len)
			return true;
		if (!cb(arg, e->name, e->name_bytes / sizeof(WCHAR), e->attributes, (uint64_t)e->ino.QuadPart))
			return false;
		if (!e->next)
			return true;
		off += e->next;
	}
}

long sk_nt_list(HANDLE dir, bool restart, sk_nt_entry_cb cb, void *arg)
{
	uint8_t *block = malloc(LIST_BYTES);
	IO_STATUS_BLOCK io;
	long status = block ? 0 : ST_NO_MEMORY;

	while (status >= 0) {
		status = NtQueryDirectoryFile(dir, NULL, NULL, NULL, &io, block, LIST_BYTES, INFO_FULL_DIR, FALSE, NULL,
					      restart);
		restart = false;
		if (status == ST_NO_MORE_FILES || status == ST_NO_SUCH_FILE) {
			status = 0;
			break;
		}
		if (status >= 0 && !list_block(block, (size_t)io.Information, cb, arg))
			break;
	}
	free(block);
	return status;
}
