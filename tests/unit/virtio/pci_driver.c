/* SPDX-License-Identifier: Apache-2.0 */
/* A virtio driver of PCI devices for tests: capabilities, features, queues. */
#include "pci_driver.h"

#include "../sk_test.h"

#include <string.h>

uint64_t pd_read(struct pci_driver *d, enum sk_pci_region region, uint64_t off, size_t len)
{
	uint64_t v = 0;

	d->read(d->arg, region, off, &v, len);
	return v;
}

void pd_write(struct pci_driver *d, enum sk_pci_region region, uint64_t off, uint64_t v, size_t len)
{
	d->write(d->arg, region, off, &v, len);
}

uint64_t pd_common(struct pci_driver *d, uint32_t off, size_t len)
{
	return pd_read(d, d->common.region, d->common.off + off, len);
}

void pd_set_common(struct pci_driver *d, uint32_t off, uint64_t v, size_t len)
{
	pd_write(d, d->common.region, d->common.off + off, v, len);
}

static void vendor_capability(struct pci_driver *d, uint32_t at)
{
	struct pd_place *places[] = { NULL, &d->common, &d->notify, &d->isr, &d->device };
	uint8_t type = (uint8_t)pd_read(d, SK_PCI_CONFIG, at + 3, 1);
	uint8_t bar = (uint8_t)pd_read(d, SK_PCI_CONFIG, at + 4, 1);

	if (type == 5) {
		d->access = at;
		return;
	}
	assert_in_range(type, 1, 4);
	assert_int_equal(places[type]->len, 0);
	*places[type] = (struct pd_place){ .region = bar == 0 ? SK_PCI_REGISTERS : SK_PCI_MSIX,
					   .off = (uint32_t)pd_read(d, SK_PCI_CONFIG, at + 8, 4),
					   .len = (uint32_t)pd_read(d, SK_PCI_CONFIG, at + 12, 4) };
	if (type == 2)
		d->notify_multiplier = (uint32_t)pd_read(d, SK_PCI_CONFIG, at + 16, 4);
}

void pd_find(struct pci_driver *d, unsigned virtio_id)
{
	uint32_t at, seen = 0;

	assert_int_equal(pd_read(d, SK_PCI_CONFIG, 0, 2), 0x1af4);
	assert_int_equal(pd_read(d, SK_PCI_CONFIG, 2, 2), 0x1040 + virtio_id);
	assert_true(pd_read(d, SK_PCI_CONFIG, 6, 2) & 0x10);
	for (at = (uint32_t)pd_read(d, SK_PCI_CONFIG, 0x34, 1); at;
	     at = (uint32_t)pd_read(d, SK_PCI_CONFIG, at + 1, 1)) {
		uint8_t id = (uint8_t)pd_read(d, SK_PCI_CONFIG, at, 1);

		assert_true(++seen < 20);
		if (id == 9) {
			vendor_capability(d, at);
		} else {
			assert_int_equal(id, 0x11);
			d->msix = at;
			d->vectors = (pd_read(d, SK_PCI_CONFIG, at + 2, 2) & 0x7ff) + 1;
		}
	}
	assert_true(d->common.len >= 0x38 && d->notify.len && d->isr.len && d->device.len && d->access && d->vectors);
}

uint64_t pd_features(struct pci_driver *d)
{
	uint64_t v;

	pd_set_common(d, 0, 0, 4);
	v = pd_common(d, 4, 4);
	pd_set_common(d, 0, 1, 4);
	return v | pd_common(d, 4, 4) << 32;
}

uint8_t pd_status(struct pci_driver *d)
{
	return (uint8_t)pd_common(d, PD_STATUS, 1);
}

uint8_t pd_begin(struct pci_driver *d, uint64_t features)
{
	pd_set_common(d, PD_STATUS, 0, 1);
	assert_int_equal(pd_status(d), 0);
	pd_set_common(d, PD_STATUS, 1, 1);
	pd_set_common(d, PD_STATUS, 3, 1);
	pd_set_common(d, 8, 0, 4);
	pd_set_common(d, 12, features & UINT32_MAX, 4);
	pd_set_common(d, 8, 1, 4);
	pd_set_common(d, 12, features >> 32, 4);
	pd_set_common(d, PD_STATUS, 11, 1);
	return pd_status(d);
}

void pd_set_queue(struct pci_driver *d, unsigned q, uint16_t num, uint16_t vector, uint64_t desc, uint64_t avail,
		  uint64_t used)
{
	pd_set_common(d, 0x16, q, 2);
	assert_true(pd_common(d, 0x18, 2) >= num);
	pd_set_common(d, 0x18, num, 2);
	assert_int_equal(pd_common(d, 0x18, 2), num);
	pd_set_common(d, 0x1a, vector, 2);
	assert_int_equal(pd_common(d, 0x1a, 2), vector);
	pd_set_common(d, 0x20, desc & UINT32_MAX, 4);
	pd_set_common(d, 0x24, desc >> 32, 4);
	pd_set_common(d, 0x28, avail, 8);
	pd_set_common(d, 0x30, used & UINT32_MAX, 4);
	pd_set_common(d, 0x34, used >> 32, 4);
	pd_set_common(d, 0x1c, 1, 2);
	assert_int_equal(pd_common(d, 0x1c, 2), 1);
}

void pd_go(struct pci_driver *d)
{
	pd_set_common(d, PD_STATUS, PD_OK, 1);
}

void pd_notify(struct pci_driver *d, unsigned q)
{
	pd_set_common(d, 0x16, q, 2);
	pd_write(d, d->notify.region, d->notify.off + d->notify_multiplier * (uint32_t)pd_common(d, 0x1e, 2), q, 2);
}
