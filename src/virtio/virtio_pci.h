/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VIRTIO_PCI_H
#define SK_VIRTIO_PCI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "virtio/guestmem.h"
#include "virtio/virtio_internal.h"

/*
 * A device as a function on the guest's PCI bus (virtio 1.2, section 4.1; PCI Local Bus 3.0 for the configuration space
 * and MSI-X). It knows neither who carries the guest's accesses nor how its memory is mapped: a host does, through the
 * calls below (vfio_user.c, hdv_windows.c). All of it belongs to the thread of the device's loop.
 */
struct sk_pci;

enum sk_pci_region {
	SK_PCI_CONFIG,	  /* the function's configuration space */
	SK_PCI_REGISTERS, /* BAR 0: virtio's structures and the doorbells */
	SK_PCI_MSIX,	  /* BAR 1: the table of interrupts, and those that wait */
	SK_PCI_REGIONS,
};

#define SK_PCI_CONFIG_SIZE 256u
#define SK_PCI_REGISTERS_SIZE 0x4000u
#define SK_PCI_MSIX_SIZE 0x2000u
#define SK_PCI_NOTIFY_OFFSET 0x3000u /* doorbell of queue q: 4 * q behind this, in BAR 0 */
#define SK_PCI_VECTORS (SK_VIRTIO_QUEUES + 1)
#define SK_PCI_ACCESS_MAX SK_PCI_CONFIG_SIZE /* bytes of one read or write */

struct sk_pci_host {
	/* Sends an interrupt, and never waits. `address` and `data` are what the guest put into the table. */
	void (*interrupt)(void *arg, unsigned vector, uint64_t address, uint32_t data);
	/* The host keeps the table itself, and masks: what is in ours does not count. */
	bool keeps_table;
};

/* The function of `dev`, which is borrowed, for `host` and its `arg`. NULL: no memory. The guest's memory is empty. */
struct sk_pci *sk_pci_new(struct sk_device *dev, const struct sk_pci_host *host, void *arg);
/* Stops the queues. Accepts NULL. The guest's memory is not unmapped. */
void sk_pci_free(struct sk_pci *pci);

uint64_t sk_pci_region_size(enum sk_pci_region region);
unsigned sk_pci_vectors(const struct sk_pci *pci);
/* Two bytes of the configuration space that never change (ids, class), in any thread. */
uint16_t sk_pci_fixed16(const struct sk_pci *pci, unsigned off);
/* Accesses of the guest; `off` and `len` may be anything. -EINVAL: outside of the region, or wider than
 * SK_PCI_ACCESS_MAX. What the specification does not allow otherwise reads as zero and is not written. Device callbacks
 * do not run in here, but for those that stop and start queues: call sk_pci_run() afterwards, once the guest has its
 * answer. */
int sk_pci_read(struct sk_pci *pci, enum sk_pci_region region, uint64_t off, void *buf, size_t len);
int sk_pci_write(struct sk_pci *pci, enum sk_pci_region region, uint64_t off, const void *buf, size_t len);
/* The doorbell of queue `q` was rung. */
void sk_pci_notify(struct sk_pci *pci, unsigned q);
/* Serves the queues whose doorbells were rung since the last call. */
void sk_pci_run(struct sk_pci *pci);

/* As after power-on. */
void sk_pci_reset(struct sk_pci *pci);
/* The device has failed: its queues stop, and the guest is told that it wants a reset. */
void sk_pci_needs_reset(struct sk_pci *pci);

/* The guest's memory, for the host to fill. Regions may be added at any time. */
struct sk_guest_mem *sk_pci_memory(struct sk_pci *pci);
/* Regions were taken out: queues whose rings were there are stopped, and the device wants a reset. Before they are
 * unmapped. */
void sk_pci_memory_lost(struct sk_pci *pci);

#endif
