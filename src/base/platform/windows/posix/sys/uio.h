/* SPDX-License-Identifier: Apache-2.0 */
#pragma GCC system_header
#ifndef SK_WINDOWS_SYS_UIO_H
#define SK_WINDOWS_SYS_UIO_H

#include <stddef.h>

struct iovec {
	void *iov_base;
	size_t iov_len;
};

#endif
