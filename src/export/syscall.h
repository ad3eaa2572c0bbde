/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_EXPORT_SYSCALL_H
#define SK_EXPORT_SYSCALL_H

#include <sys/syscall.h>

/* Linux 6.13; C libraries do not know it yet. */
#ifndef SYS_listxattrat
#define SYS_listxattrat 465
#endif

#endif
