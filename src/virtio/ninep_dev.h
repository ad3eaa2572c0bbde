/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VIRTIO_NINEP_DEV_H
#define SK_VIRTIO_NINEP_DEV_H

#include "base/error.h"
#include "ninep/server.h"
#include "virtio/device.h"

#define SK_9P_TAG_MAX 64u

/*
 * Shares for a guest: virtio-9p, mount tag `tag`. The session is made here from `server` and the exports (borrowed as
 * long as the device lives; `by_name`: an attach names one of them, otherwise there is one) and lasts from the guest's
 * Tversion until the frontend goes. Requests are answered inline on the loop.
 */
int sk_ninep_dev_new(struct sk_loop *loop, int take_listen_fd, const char *tag, struct sk_9p_server *server,
		     const struct sk_9p_export *exports, unsigned n_exports, bool by_name,
		     struct sk_device **ret_device, struct sk_error *err);
/* Its session, for events (ninep/server.h). */
struct sk_9p_session *sk_ninep_dev_session(struct sk_device *device);

#endif
