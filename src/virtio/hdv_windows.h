/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VIRTIO_HDV_WINDOWS_H
#define SK_VIRTIO_HDV_WINDOWS_H

#include "base/error.h"
#include "virtio/device.h"

/*
 * Devices of ours on the PCI bus of a VM of Hyper-V: the Host Device Virtualization of vmdevicehost.dll, loaded when it
 * is asked for (Windows 10 version 1607 and later have it).
 */
struct sk_hdv;
/* `library`: path of another one, for tests; NULL: the system's. -ENOENT: there is none, with what to do. */
int sk_hdv_open(const char *library, struct sk_hdv **ret, struct sk_error *err);
/* After all its hosts. Accepts NULL. */
void sk_hdv_close(struct sk_hdv *hdv);

/* The emulator's id of our devices in a VM's description (FlexibleIov, "EmulatorId"). */
#define SK_HDV_EMULATOR "7a3c9e52-6d0b-4f1e-9a64-5b1d0c8e2f37"

struct sk_hdv_host;
/* Makes this process the host of devices of a VM that does not run yet. `system`: its HCS_SYSTEM, borrowed as long as the
 * host lives. */
int sk_hdv_host_new(struct sk_hdv *hdv, void *system, struct sk_hdv_host **ret, struct sk_error *err);
/* With all its devices' instances; the devices themselves are the caller's. After the VM has ended. Accepts NULL. */
void sk_hdv_host_free(struct sk_hdv_host *host);
/*
 * Puts `device` into the VM as the instance with this GUID (the key of its FlexibleIov). The device was made without a
 * socket (-1), is borrowed as long as the host lives, and is served by its loop, in the thread that runs it: while that
 * thread is busy, a virtual processor that looks at the device's registers waits, SK_HDV_PATIENCE_MS at most.
 */
#define SK_HDV_PATIENCE_MS 5000u
int sk_hdv_attach(struct sk_hdv_host *host, struct sk_device *device, const char *instance, struct sk_error *err);

#endif
