/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_WINDOWS_SYSTEM_H
#define SK_WINDOWS_SYSTEM_H

/*
 * What the files of this directory share, and nobody else includes but what is written for Windows: the system's own
 * headers come with it.
 */
#include <sys/socket.h>
#include <winternl.h>

/* ---- text.c */
/* malloc'd UTF-16 of UTF-8 and back; NULL with errno: EILSEQ, ENOMEM. */
wchar_t *sk_win_wide(const char *text);
char *sk_win_utf8(const wchar_t *text, size_t n);

/* ---- status.c */
/* A positive errno value for an error of the system's (GetLastError(), WSAGetLastError()), or an NTSTATUS. */
int sk_win_errno(unsigned long error);
int sk_win_status_errno(long status);
/* Sets errno from GetLastError() or a status; -1. */
int sk_win_fail(void);
int sk_win_fail_status(long status);

/* ---- nt.c: the primitive calls below names. */
/* How sk_nt_open() opens. */
struct sk_nt_how {
	unsigned long access;	   /* SYNCHRONIZE is added */
	unsigned long disposition; /* FILE_OPEN, FILE_CREATE, FILE_OPEN_IF, FILE_OVERWRITE_IF */
	unsigned long options;	   /* FILE_*; FILE_SYNCHRONOUS_IO_NONALERT and FILE_OPEN_REPARSE_POINT are added */
	unsigned long attributes;  /* of a new file */
	bool follow;		   /* a reparse point that the name leads to is followed */
	bool overlapped;	   /* for calls that do not wait: no FILE_SYNCHRONOUS_IO_NONALERT */
};
/*
 * Opens `name` relative to the directory `dir` (NULL: `name` is a whole path, "\\??\\…"); "" is the directory itself.
 * Others may read, write and remove what is open. Names are taken as they are: no current directory, no ".", no "..",
 * no device names, no streams (a colon is refused with STATUS_OBJECT_NAME_INVALID unless dir is NULL). A status.
 */
long sk_nt_open(HANDLE dir, const wchar_t *name, const struct sk_nt_how *how, HANDLE *ret);

/* FILE_ATTRIBUTE_* of `name` in the directory; a reparse point's own. A status. */
long sk_nt_attributes(HANDLE dir, const wchar_t *name, uint32_t *ret);

struct sk_nt_info {
	uint64_t dev, ino; /* serial number of the volume, number in it */
	uint64_t size, allocated;
	uint32_t links, attributes;		     /* FILE_ATTRIBUTE_* */
	int64_t created, accessed, written, changed; /* 100 ns since 1601 */
};
long sk_nt_info(HANDLE h, struct sk_nt_info *ret);
/* -1: leaves a time as it is. */
long sk_nt_set_times(HANDLE h, int64_t accessed, int64_t written);
long sk_nt_set_attributes(HANDLE h, uint32_t attributes);
/* Of a handle with DELETE: gives it the name in `dir`. What has that name is replaced if `replace`. */
long sk_nt_rename(HANDLE h, HANDLE dir, const wchar_t *name, bool replace);
long sk_nt_link(HANDLE h, HANDLE dir, const wchar_t *name);
/*
 * Of a handle with DELETE and FILE_WRITE_ATTRIBUTES. now: the name goes at once, also where others have it open (NTFS with
 * Windows 10 1709); later: with the last handle; sk_nt_remove(): now, if the file system can. A file that is read-only
 * goes as well.
 */
long sk_nt_remove(HANDLE h);
long sk_nt_remove_now(HANDLE h);
long sk_nt_remove_later(HANDLE h);
/* The status says that the file system (or this Windows) does not know the call. */
bool sk_nt_is_unknown(long status);
struct sk_nt_space {
	uint64_t all, mine, unused; /* units; what this user may take, what is free */
	uint32_t unit;		    /* bytes */
};
long sk_nt_space(HANDLE h, struct sk_nt_space *ret);
/* Entries of a directory, from the start or on. The callback's name is not terminated. False: stop; that entry comes
 * again the next time only if the listing starts over. */
typedef bool (*sk_nt_entry_cb)(void *arg, const wchar_t *name, size_t n, uint32_t attributes, uint64_t ino);
long sk_nt_list(HANDLE dir, bool restart, sk_nt_entry_cb cb, void *arg);

/* Unix time of a file's, and back. */
struct timespec sk_nt_to_unix(int64_t t);
int64_t sk_nt_from_unix(int64_t sec, long nsec);

/* ---- descriptors (file.c, socket.c) */
/* The handle behind a descriptor; INVALID_HANDLE_VALUE with errno EBADF. Borrowed. */
HANDLE sk_win_handle(int fd);
/* A descriptor for a handle, which is taken, on failure too. -1 with errno. */
int sk_win_descriptor(HANDLE take_handle, int flags);
/* Whether it is a socket of ours, and which; INVALID_SOCKET with errno ENOTSOCK. */
SOCKET sk_win_socket(int fd);
bool sk_win_is_socket(int fd);
/* Closes the socket behind the descriptor, if it is one. */
void sk_win_forget_socket(int fd);
/* Gives back the lock of a directory that the descriptor has, if it has one (fs.c). */
void sk_win_forget_lock(int fd);
/* Absolute "\\??\\C:\\…" of a path; malloc'd; NULL with errno. */
wchar_t *sk_win_nt_path(const char *path);

#endif
