/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_AGENT_FOREIGN_H
#define SK_AGENT_FOREIGN_H

#include <stddef.h>

#define SK_FOREIGN_DIR "/run/qemu" /* as the lines for binfmt_misc on the disk name it */
#define SK_FOREIGN_SERIAL "skerry-qemu"

/* With a disk that has emulators of other processors (guest/build-engine --qemu-user): registers them, so that their
 * programs run in all containers. What does not work is logged: such programs end with "exec format error" then. */
void sk_foreign_register(void);
/* The length of the line at `text`, which ends at `end`; 0: none that may be registered. `*ret_next`: behind it. */
size_t sk_foreign_line(const char *text, const char *end, const char **ret_next);

#endif
