/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_TESTS_VIRTIO_PCI_DRIVER_H
#define SK_TESTS_VIRTIO_PCI_DRIVER_H

#include <stddef.h>
#include <stdint.h>

#include "virtio/virtio_pci.h"

/* What a guest's kernel does with a virtio device on its PCI bus, for tests: it finds the structures by the capabilities
 * and sets the device up. Whoever carries the accesses gives `read` and `write`. */
struct pci_driver {
	void (*read)(void *arg, enum sk_pci_region region, uint64_t off, void *buf, size_t len);
	void (*write)(void *arg, enum sk_pci_region region, uint64_t off, const void *buf, size_t len);
	void *arg;
	/* By pd_find(). */
	struct pd_place {
		enum sk_pci_region region;
		uint32_t off, len;
	} common, notify, isr, device;
	uint32_t notify_multiplier, access, msix;
	unsigned vectors;
};

/* Offsets in the common configuration (virtio 1.2, section 4.1.4.3). */
#define PD_STATUS 0x14u
#define PD_OK 15u /* acknowledged, driver, features, driver ok */
#define PD_NEEDS_RESET 64u

uint64_t pd_read(struct pci_driver *d, enum sk_pci_region region, uint64_t off, size_t len);
void pd_write(struct pci_driver *d, enum sk_pci_region region, uint64_t off, uint64_t v, size_t len);
uint64_t pd_common(struct pci_driver *d, uint32_t off, size_t len);
void pd_set_common(struct pci_driver *d, uint32_t off, uint64_t v, size_t len);

/* Asserts that it is a virtio device, and walks its capabilities. */
void pd_find(struct pci_driver *d, unsigned virtio_id);
uint64_t pd_features(struct pci_driver *d);
/* Resets the device, and accepts `features`; returns the status, which has FEATURES_OK if the device agrees. */
uint8_t pd_begin(struct pci_driver *d, uint64_t features);
void pd_set_queue(struct pci_driver *d, unsigned q, uint16_t num, uint16_t vector, uint64_t desc, uint64_t avail,
		  uint64_t used);
void pd_go(struct pci_driver *d);
uint8_t pd_status(struct pci_driver *d);
void pd_notify(struct pci_driver *d, unsigned q);

#endif
