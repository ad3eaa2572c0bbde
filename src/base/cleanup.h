/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_BASE_CLEANUP_H
#define SK_BASE_CLEANUP_H

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * Scope-bound destructors. All accept the "empty" value (-1, NULL) and preserve errno.
 * Use: `_cleanup_fd_ int fd = -1;`, `_cleanup_free_ char *s = NULL;`; hand over with SK_TAKE_FD / SK_TAKE_PTR.
 */
static inline void sk_close_fd(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd); /* never retried: the descriptor is gone whatever close() says */
	*fd = -1;
	errno = saved;
}

static inline void sk_free_ptr(void *p)
{
	int saved = errno;

	free(*(void **)p);
	*(void **)p = NULL;
	errno = saved;
}

static inline void sk_fclose_ptr(FILE **f)
{
	int saved = errno;

	if (*f)
		fclose(*f);
	*f = NULL;
	errno = saved;
}

static inline void sk_closedir_ptr(DIR **d)
{
	int saved = errno;

	if (*d)
		closedir(*d);
	*d = NULL;
	errno = saved;
}

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _cleanup_fd_ _cleanup_(sk_close_fd)
#define _cleanup_free_ _cleanup_(sk_free_ptr)
#define _cleanup_fclose_ _cleanup_(sk_fclose_ptr)
#define _cleanup_closedir_ _cleanup_(sk_closedir_ptr)

#define SK_TAKE_FD(fd)                 \
	__extension__({                \
		int *sk_fd_ = &(fd);   \
		int sk_ret_ = *sk_fd_; \
		*sk_fd_ = -1;          \
		sk_ret_;               \
	})
#define SK_TAKE_PTR(p)                          \
	__extension__({                         \
		__typeof__(p) *sk_p_ = &(p);    \
		__typeof__(p) sk_ret_ = *sk_p_; \
		*sk_p_ = NULL;                  \
		sk_ret_;                        \
	})

#define SK_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
