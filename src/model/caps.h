/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_MODEL_CAPS_H
#define SK_MODEL_CAPS_H

#include <stdbool.h>

#include "base/error.h"
#include "model/xmem.h"

/* Linux capabilities by name, with docker's defaults. */

/* Fills `caps` ("CAP_CHOWN", …, in the kernel's order): docker's 14, changed by --cap-add and --cap-drop ("net_admin",
 * "CAP_NET_ADMIN", "ALL"); all of them where `privileged`. -EINVAL for a name that is none. */
int sk_caps_resolve(const struct sk_strv *add, const struct sk_strv *drop, bool privileged, struct sk_strv *caps,
		    struct sk_error *err);

#endif
