/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VIRTIO_DEVICE_H
#define SK_VIRTIO_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/loop.h"
#include "virtio/stream.h"

/*
 * The devices that a guest sees, each a vhost-user backend (or a vfio-user server, sk_device_serve_vfio_user()) on a unix
 * socket of its own (`listen_fd`: a listening stream socket, taken). A device serves one frontend (engine) connection at a time and accepts a new one after the old one
 * has gone. One loop per device or several on one loop: a device touches nothing but its own state.
 */
struct sk_device;

/* virtio device ids (virtio 1.2, section 5) */
enum sk_virtio_id {
	SK_VIRTIO_NET = 1,
	SK_VIRTIO_BLOCK = 2,
	SK_VIRTIO_BALLOON = 5,
	SK_VIRTIO_9P = 9,
	SK_VIRTIO_VSOCK = 19,
};

/* vsock: guest_cid 3 or higher. `*ret_carrier` lives as long as the device. `lost` (may be NULL) is called when the
 * frontend went away. */
int sk_vsock_new(struct sk_loop *loop, int take_listen_fd, uint64_t guest_cid, void (*lost)(void *arg), void *arg,
		 struct sk_device **ret_device, struct sk_carrier **ret_carrier, struct sk_error *err);

/* Block device over one or more files laid end to end (each one's length rounded up to 4096 with zeros). Descriptors
 * are taken. */
#define SK_BLK_ID_READONLY "skerry-layers" /* the device's serial number */
#define SK_BLK_ID_WRITABLE "skerry-disk"
#define SK_BLK_ID_MAX 20u /* letters */
struct sk_blk_part {
	int take_fd;
	uint64_t size; /* bytes used of the file */
	bool scratch;  /* gone when the VM is: no flush need reach the host's disk, and the device offers none */
};
int sk_blk_new(struct sk_loop *loop, int take_listen_fd, const struct sk_blk_part *parts, unsigned n_parts,
	       bool readonly, struct sk_device **ret_device, struct sk_error *err);
/* Another serial number than those two; SK_BLK_ID_MAX letters at most. Before the device is used. */
void sk_blk_set_id(struct sk_device *device, const char *id);
/* `trouble` is called, on the device's loop, when a write finds no space left on the host (`is_full`): from then on the
 * guest's requests wait, until it is called again; and when one fails otherwise, with its errno, which stays. */
void sk_blk_on_trouble(struct sk_device *device, void (*trouble)(void *arg, bool is_full, int failed), void *arg);

/* Gives memory that the guest frees back to the host: a balloon with free page reporting, never inflated. Blocks for
 * some milliseconds while it does. */
int sk_balloon_new(struct sk_loop *loop, int take_listen_fd, struct sk_device **ret_device, struct sk_error *err);

/* Network: frames go to and come from a back end. The guest's side of the libslirp network, for the agent's setup
 * request (the agent appends the prefix lengths); the second family only where sk_net_host_has_ipv6(). */
#define SK_SLIRP_ADDRESS "10.0.2.15" /* /24 */
#define SK_SLIRP_GATEWAY "10.0.2.2"
#define SK_SLIRP_DNS "10.0.2.3"
#define SK_SLIRP_PREFIX6 "fd73:6b65:7272::"    /* /64, made up as RFC 4193 wants: fd00:: is in use on real networks */
#define SK_SLIRP_ADDRESS6 "fd73:6b65:7272::15" /* /64 */
#define SK_SLIRP_GATEWAY6 "fd73:6b65:7272::2"
#define SK_SLIRP_DNS6 "fd73:6b65:7272::3"
/* Recommended: libslirp then moves up to 64 KiB at a time. */
#define SK_SLIRP_MTU 65520
struct sk_slirp_forward {
	bool udp;
	uint8_t host_addr[16]; /* network order; IPv4 in the first 4 bytes */
	bool v6;
	uint16_t host_port, guest_port;
};
struct sk_slirp_config {
	uint8_t mac[6];
	uint16_t mtu;		/* 0: 1500 */
	bool no_host_loopback;	/* the guest cannot reach the host's 127.0.0.1 through the gateway address */
	bool isolated;		/* no way out at all, only forwards */
	const char *dns_search; /* may be NULL */
	const struct sk_slirp_forward *forwards;
	unsigned n_forwards;
	/* Names that the guest's name server answers itself, with the gateway's address; at most 16 of 253 bytes. */
	const char *const *names;
	unsigned n_names;
	/* Reads the host's resolv.conf into `ret`, NUL-terminated, where this process cannot any more: its length or
	 * negative errno. NULL: nobody can. */
	int (*resolv_conf)(void *arg, char *ret, size_t size);
	void *resolv_arg;
	/* For tests: another file than /etc/resolv.conf, and another port than 53. */
	const char *resolv_path;
	uint16_t dns_port;
};
/* The host has a route for IPv6. */
bool sk_net_host_has_ipv6(void);
/* Fails with "cannot publish port 0.0.0.0:8080/tcp: Address already in use" and the like. */
int sk_net_slirp_new(struct sk_loop *loop, int take_listen_fd, const struct sk_slirp_config *config,
		     struct sk_device **ret_device, struct sk_error *err);

/* Publishes one port more while the guest runs, and withdraws it. Negative errno, of bind(2) as a rule: -EADDRINUSE,
 * -EADDRNOTAVAIL, -EACCES; -EMFILE: the guest has too many sockets. All IPv6 addresses of a host that has none: 0, and
 * nothing is published. Withdrawing what is not published does nothing; connections of an IPv4 TCP port live on. */
int sk_net_slirp_publish(struct sk_device *device, const struct sk_slirp_forward *forward);
void sk_net_slirp_withdraw(struct sk_device *device, const struct sk_slirp_forward *forward);

/* Network over a packet socket on an interface of this process's network namespace; attached later, changed at any time
 * (-1: detached). The socket is taken; it was made with PACKET_VNET_HDR. */
int sk_net_packet_new(struct sk_loop *loop, int take_listen_fd, const uint8_t mac[6], uint16_t mtu,
		      struct sk_device **ret_device, struct sk_error *err);
int sk_net_packet_attach(struct sk_device *device, int take_fd);

/* The engines that connect speak vfio-user, and the guest sees a PCI device. Before the loop turns. */
void sk_device_serve_vfio_user(struct sk_device *device);

void sk_device_free(struct sk_device *device);

#endif
