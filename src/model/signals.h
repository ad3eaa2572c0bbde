/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_MODEL_SIGNALS_H
#define SK_MODEL_SIGNALS_H

/* "SIGTERM", "term", "15", "RTMIN+3": Linux's numbers (x86, Arm). -EINVAL. */
int sk_signal_parse(const char *s);

#endif
