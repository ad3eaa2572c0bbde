/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_MODEL_DEVICES_H
#define SK_MODEL_DEVICES_H

#include <jansson.h>
#include <stdbool.h>

#include "model/xmem.h"

/*
 * --device. There are no devices of the host in a VM, but the guest's kernel has some of its own that programs ask for:
 * /dev/fuse, /dev/net/tun and loop devices.
 */
int sk_check_device(const char *value, char *why); /* PATH[:PATH IN THE CONTAINER[:rwm]] */
/* HostConfig's "Devices" for the given options. */
json_t *sk_devices_to_host(const struct sk_strv *devices);
/* The specification's linux.devices; all that there are for a privileged container. */
json_t *sk_devices_to_spec(const json_t *host_devices, bool privileged);
/* Appends what lets the container use them to linux.resources.devices. */
void sk_devices_allow(json_t *rules, const json_t *host_devices);

#endif
