/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VIRTIO_NOTIFY_H
#define SK_VIRTIO_NOTIFY_H

/* Adds 1 to an eventfd that others hold, too. Never blocks, whatever they do to it meanwhile. 0, -EINVAL: it is none,
 * or another negative errno. To be called first after the process's last fork. */
int sk_notify(int eventfd);

#endif
