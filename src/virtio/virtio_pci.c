/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * BAR 0 has virtio's four structures, a page each: common configuration, interrupt status, the device's configuration,
 * and the doorbells. BAR 1 has the MSI-X table and the pending bits. Both are memory of 32-bit addresses, and none is
 * mapped by the guest directly: each access comes here. The capabilities in the configuration space say where what is.
 * There is no interrupt pin: a driver without MSI-X gets no interrupts (ISR status works, for one that polls).
 *
 * A queue runs from the moment when the driver has enabled it and said DRIVER_OK, until a reset. It has rings at
 * guest-physical addresses. Doorbells only set a bit (`kicked`): the host first lets the guest go on, then calls
 * sk_pci_run().
 *
 * Interrupts: a queue has the number of a vector, and so has a change of the configuration. Where the host keeps the
 * table (a vfio-user client), it is told the vector and that is all. Else the vector's entry has address and data; while
 * it or the function is masked, its pending bit is set, and the interrupt is sent when the mask goes.
 *
 * Not trusted: all that is written here. Each field of the common configuration takes its own width only (64-bit ones
 * also their halves), selectors and vectors that do not exist read back as the specification says, ring addresses are
 * checked when a queue starts, and a device that fails stops until the driver resets it.
 */
#include "virtio/virtio_pci.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"

#define VENDOR 0x1af4u	    /* of all virtio devices */
#define DEVICE_BASE 0x1040u /* plus the virtio device id */

/* The configuration space. */
#define CFG_COMMAND 0x04u
#define CFG_STATUS 0x06u
#define CFG_BAR0 0x10u
#define CFG_BAR1 0x14u
#define CFG_LINE 0x3cu
#define COMMAND_MASK 0x0406u /* memory, bus master, no interrupt pin */
#define STATUS_CAPABILITIES 0x10u

/* Capabilities. */
#define CAP_COMMON 0x40u
#define CAP_ISR 0x50u
#define CAP_DEVICE 0x60u
#define CAP_NOTIFY 0x70u
#define CAP_ACCESS 0x84u
#define CAP_MSIX 0x98u
#define MSIX_CONTROL (CAP_MSIX + 2)
#define MSIX_ENABLE 0x8000u
#define MSIX_MASK_ALL 0x4000u
#define PBA_OFFSET 0x1000u

enum {
	PAGE_COMMON,
	PAGE_ISR,
	PAGE_DEVICE,
	PAGE_NOTIFY,
};
#define PAGE 0x1000u
_Static_assert(SK_PCI_NOTIFY_OFFSET == PAGE_NOTIFY * PAGE, "doorbells are where the header says");

#define QUEUE_SIZE 256u
#define NO_VECTOR 0xffffu
#define STATUS_ACKNOWLEDGE 1u
#define STATUS_DRIVER 2u
#define STATUS_DRIVER_OK 4u
#define STATUS_FEATURES_OK 8u
#define STATUS_NEEDS_RESET 64u
#define STATUS_FAILED 128u
#define STATUS_WRITABLE (STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_DRIVER_OK | STATUS_FEATURES_OK | STATUS_FAILED)

struct pci_queue {
	struct sk_pci *pci;
	uint16_t size, vector;
	bool enabled;
	uint64_t desc, avail, used;
};

struct sk_pci {
	struct sk_device *dev;
	const struct sk_pci_host *host;
	void *arg;
	struct sk_guest_mem mem;
	unsigned n_vectors;
	/* Configuration space: what is fixed, and which bits the guest may change. */
	uint8_t config[SK_PCI_CONFIG_SIZE], writable[SK_PCI_CONFIG_SIZE];
	struct {
		uint64_t address;
		uint32_t data;
		bool masked, pending;
	} vector[SK_PCI_VECTORS];
	/* Common configuration. */
	uint32_t device_feature_select, driver_feature_select;
	uint64_t driver_features;
	uint16_t config_vector, queue_select;
	uint8_t status, isr;
	struct pci_queue queue[SK_VIRTIO_QUEUES];
	uint32_t kicked; /* bit q: its doorbell was rung */
};

static void put16(uint8_t *p, uint16_t v)
{
	v = htole16(v);
	memcpy(p, &v, sizeof(v));
}

static void put32(uint8_t *p, uint32_t v)
{
	v = htole32(v);
	memcpy(p, &v, sizeof(v));
}

static uint16_t get16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return le16toh(v);
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

/* A little-endian number of `len` bytes, 8 at most. */
static uint64_t get(const void *buf, size_t len)
{
	uint64_t v = 0;

	memcpy(&v, buf, len);
	return le64toh(v);
}

static uint64_t offered(const struct sk_pci *pci)
{
	return pci->dev->features | SK_VIRTIO_RING_FEATURES;
}

/* --- interrupts --- */

static void interrupt(struct sk_pci *pci, unsigned v)
{
	uint16_t control = get16(pci->config + MSIX_CONTROL);

	if (v >= pci->n_vectors || (!pci->host->keeps_table && !(control & MSIX_ENABLE)))
		return;
	if (!pci->host->keeps_table && ((control & MSIX_MASK_ALL) || pci->vector[v].masked)) {
		pci->vector[v].pending = true;
		return;
	}
	pci->host->interrupt(pci->arg, v, pci->vector[v].address, pci->vector[v].data);
}

/* Sends what waited for a mask to go. */
static void send_pending(struct sk_pci *pci)
{
	unsigned v;

	for (v = 0; v < pci->n_vectors; v++) {
		if (!pci->vector[v].pending)
			continue;
		pci->vector[v].pending = false;
		interrupt(pci, v);
	}
}

/* A queue has something for the driver; called by sk_vq_call(). */
static void on_call(void *arg)
{
	struct pci_queue *q = arg;

	q->pci->isr |= 1;
	interrupt(q->pci, q->vector);
}

static void config_changed(struct sk_pci *pci)
{
	pci->isr |= 2;
	interrupt(pci, pci->config_vector);
}

/* --- queues --- */

static void queue_stop(struct sk_pci *pci, unsigned q)
{
	struct sk_virtqueue *vq = &pci->dev->vq[q];

	pci->kicked &= ~(1u << q);
	pci->dev->again &= ~(1u << q);
	if (!vq->running)
		return;
	sk_vq_flush(vq);
	vq->running = false;
	if (pci->dev->ops->queue_stopped)
		pci->dev->ops->queue_stopped(pci->dev, q);
}

static void stop_all(struct sk_pci *pci)
{
	unsigned q;

	for (q = 0; q < pci->dev->ops->n_queues; q++)
		queue_stop(pci, q);
}

/* Starts the queue if the driver has said all that it needs. */
static void queue_try_start(struct sk_pci *pci, unsigned i)
{
	struct pci_queue *q = &pci->queue[i];
	struct sk_device *dev = pci->dev;
	struct sk_virtqueue *vq = &dev->vq[i];

	if (vq->running || !q->enabled || !(pci->status & STATUS_DRIVER_OK) || (pci->status & STATUS_NEEDS_RESET))
		return;
	vq->event_idx = sk_virtio_has(dev, VIRTIO_RING_F_EVENT_IDX);
	vq->indirect = sk_virtio_has(dev, VIRTIO_RING_F_INDIRECT_DESC);
	vq->call = on_call;
	vq->call_arg = q;
	if (sk_vq_start(vq, &pci->mem, q->size, q->desc, q->avail, q->used, 0) < 0) {
		sk_log(SK_LOG_WARN, "%s device: queue %u is not in the guest's memory", dev->name, i);
		sk_pci_needs_reset(pci);
		return;
	}
	if (dev->ops->queue_ready)
		dev->ops->queue_ready(dev, i);
	sk_pci_notify(pci, i);
}

void sk_pci_notify(struct sk_pci *pci, unsigned q)
{
	if (q < pci->dev->ops->n_queues)
		pci->kicked |= 1u << q;
}

void sk_pci_run(struct sk_pci *pci)
{
	uint32_t kicked = pci->kicked;
	unsigned q;

	pci->kicked = 0;
	for (q = 0; kicked; q++, kicked >>= 1)
		if (kicked & 1)
			sk_virtio_kick(pci->dev, q);
}

/* What a write of 0 to the status does (virtio 1.2, section 2.4): all of virtio's own, and not what is PCI's. */
static void reset_virtio(struct sk_pci *pci)
{
	unsigned q;

	stop_all(pci);
	pci->dev->acked = 0;
	pci->dev->failed = false;
	pci->device_feature_select = pci->driver_feature_select = 0;
	pci->driver_features = 0;
	pci->config_vector = NO_VECTOR;
	pci->queue_select = 0;
	pci->status = pci->isr = 0;
	pci->kicked = 0;
	for (q = 0; q < SK_VIRTIO_QUEUES; q++)
		pci->queue[q] = (struct pci_queue){ .pci = pci, .size = QUEUE_SIZE, .vector = NO_VECTOR };
}

void sk_pci_needs_reset(struct sk_pci *pci)
{
	stop_all(pci);
	if (pci->status & STATUS_NEEDS_RESET)
		return;
	pci->status |= STATUS_NEEDS_RESET;
	if (pci->status & STATUS_DRIVER_OK)
		config_changed(pci);
}

void sk_pci_memory_lost(struct sk_pci *pci)
{
	unsigned i;

	for (i = 0; i < pci->dev->ops->n_queues; i++) {
		struct pci_queue *q = &pci->queue[i];

		if (sk_vq_remap(&pci->dev->vq[i], q->desc, q->avail, q->used) < 0) {
			/* Not a last flush: its rings are about to go. They are still mapped, so it would be seen. */
			sk_log(SK_LOG_WARN, "%s device: queue %u has lost its memory", pci->dev->name, i);
			sk_pci_needs_reset(pci);
		}
	}
}

/* --- common configuration (virtio 1.2, section 4.1.4.3) --- */

static void write_status(struct sk_pci *pci, uint8_t v)
{
	unsigned q;

	if (v == 0) {
		reset_virtio(pci);
		return;
	}
	/* Bits are only ever set. FEATURES_OK stays off for features that were not offered. */
	v = (v & STATUS_WRITABLE) | pci->status;
	if ((v & ~pci->status & STATUS_FEATURES_OK) &&
	    ((pci->driver_features & ~offered(pci)) || !(pci->driver_features >> VIRTIO_F_VERSION_1 & 1)))
		v &= (uint8_t)~STATUS_FEATURES_OK;
	if (!(v & STATUS_FEATURES_OK))
		v &= (uint8_t)~STATUS_DRIVER_OK;
	if (v & STATUS_FEATURES_OK)
		pci->dev->acked = pci->driver_features;
	pci->status = v;
	for (q = 0; q < pci->dev->ops->n_queues; q++)
		queue_try_start(pci, q);
}

static void select_vector(struct sk_pci *pci, uint16_t *vector, uint64_t v)
{
	*vector = v < pci->n_vectors ? (uint16_t)v : NO_VECTOR;
}

enum {
	DEVICE_FEATURE_SELECT = 0x00,
	DEVICE_FEATURE = 0x04,
	DRIVER_FEATURE_SELECT = 0x08,
	DRIVER_FEATURE = 0x0c,
	CONFIG_VECTOR = 0x10,
	NUM_QUEUES = 0x12,
	DEVICE_STATUS = 0x14,
	CONFIG_GENERATION = 0x15,
	QUEUE_SELECT = 0x16,
	QUEUE_SIZE_FIELD = 0x18,
	QUEUE_VECTOR = 0x1a,
	QUEUE_ENABLE = 0x1c,
	QUEUE_NOTIFY_OFF = 0x1e,
	QUEUE_DESC = 0x20,
	QUEUE_DRIVER = 0x28,
	QUEUE_DEVICE = 0x30,
	COMMON_SIZE = 0x38,
};

/* The structure as it is now. */
static void common_image(const struct sk_pci *pci, uint8_t c[COMMON_SIZE])
{
	uint64_t features = offered(pci);
	const struct pci_queue *q = pci->queue_select < pci->dev->ops->n_queues ? &pci->queue[pci->queue_select] : NULL;

	memset(c, 0, COMMON_SIZE);
	put32(c + DEVICE_FEATURE_SELECT, pci->device_feature_select);
	if (pci->device_feature_select < 2)
		put32(c + DEVICE_FEATURE, (uint32_t)(features >> 32 * pci->device_feature_select));
	put32(c + DRIVER_FEATURE_SELECT, pci->driver_feature_select);
	if (pci->driver_feature_select < 2)
		put32(c + DRIVER_FEATURE, (uint32_t)(pci->driver_features >> 32 * pci->driver_feature_select));
	put16(c + CONFIG_VECTOR, pci->config_vector);
	put16(c + NUM_QUEUES, (uint16_t)pci->dev->ops->n_queues);
	c[DEVICE_STATUS] = pci->status;
	put16(c + QUEUE_SELECT, pci->queue_select);
	if (!q)
		return; /* a size of 0: no such queue */
	put16(c + QUEUE_SIZE_FIELD, q->size);
	put16(c + QUEUE_VECTOR, q->vector);
	put16(c + QUEUE_ENABLE, q->enabled);
	put16(c + QUEUE_NOTIFY_OFF, pci->queue_select);
	put32(c + QUEUE_DESC, (uint32_t)q->desc);
	put32(c + QUEUE_DESC + 4, (uint32_t)(q->desc >> 32));
	put32(c + QUEUE_DRIVER, (uint32_t)q->avail);
	put32(c + QUEUE_DRIVER + 4, (uint32_t)(q->avail >> 32));
	put32(c + QUEUE_DEVICE, (uint32_t)q->used);
	put32(c + QUEUE_DEVICE + 4, (uint32_t)(q->used >> 32));
}

static void write_address(uint64_t *field, uint64_t at, uint64_t v, size_t len)
{
	unsigned shift = at % 8 ? 32 : 0;

	if (len == 8)
		*field = v;
	else
		*field = (*field & ~((uint64_t)UINT32_MAX << shift)) | v << shift;
}

static void write_queue(struct sk_pci *pci, uint64_t at, uint64_t v, size_t len)
{
	struct pci_queue *q;
	unsigned i = pci->queue_select;

	if (i >= pci->dev->ops->n_queues)
		return;
	q = &pci->queue[i];
	if (at == QUEUE_VECTOR && len == 2)
		select_vector(pci, &q->vector, v);
	if (q->enabled)
		return; /* the rest stands still until a reset */
	if (at == QUEUE_SIZE_FIELD && len == 2) {
		if (v > 0 && v <= QUEUE_SIZE && (v & (v - 1)) == 0)
			q->size = (uint16_t)v;
	} else if (at == QUEUE_ENABLE && len == 2 && v == 1) {
		q->enabled = true;
		queue_try_start(pci, i);
	} else if (at >= QUEUE_DESC && (len == 8 ? at % 8 == 0 : len == 4)) {
		write_address(at < QUEUE_DRIVER ? &q->desc : at < QUEUE_DEVICE ? &q->avail : &q->used, at, v, len);
	}
}

static void write_common(struct sk_pci *pci, uint64_t at, uint64_t v, size_t len)
{
	if (at % (len ? len : 1) || at + len > COMMON_SIZE)
		return;
	if (at == DEVICE_FEATURE_SELECT && len == 4) {
		pci->device_feature_select = (uint32_t)v;
	} else if (at == DRIVER_FEATURE_SELECT && len == 4) {
		pci->driver_feature_select = (uint32_t)v;
	} else if (at == DRIVER_FEATURE && len == 4) {
		if (pci->driver_feature_select < 2 && !(pci->status & STATUS_FEATURES_OK))
			write_address(&pci->driver_features, 4ull * pci->driver_feature_select, v, 4);
	} else if (at == CONFIG_VECTOR && len == 2) {
		select_vector(pci, &pci->config_vector, v);
	} else if (at == DEVICE_STATUS && len == 1) {
		write_status(pci, (uint8_t)v);
	} else if (at == QUEUE_SELECT && len == 2) {
		pci->queue_select = (uint16_t)v;
	} else if (at >= QUEUE_SIZE_FIELD) {
		write_queue(pci, at, v, len);
	}
}

/* --- BAR 0 --- */

static void read_registers(struct sk_pci *pci, uint64_t off, uint8_t *buf, size_t len)
{
	uint8_t image[SK_VIRTIO_CONFIG] = { 0 };
	uint64_t at = off % PAGE;
	size_t have = 0;

	switch (off / PAGE) {
	case PAGE_COMMON:
		common_image(pci, image);
		have = COMMON_SIZE;
		break;
	case PAGE_ISR:
		if (at == 0) {
			image[0] = pci->isr;
			pci->isr = 0;
			have = 1;
		}
		break;
	case PAGE_DEVICE:
		pci->dev->ops->config(pci->dev, image);
		have = sizeof(image);
		break;
	default:
		break;
	}
	if (at < have)
		memcpy(buf, image + at, len < have - at ? len : have - at);
}

static void write_registers(struct sk_pci *pci, uint64_t off, const uint8_t *buf, size_t len)
{
	uint64_t at = off % PAGE;

	switch (off / PAGE) {
	case PAGE_COMMON:
		write_common(pci, at, get(buf, len), len);
		break;
	case PAGE_DEVICE:
		if (pci->dev->ops->set_config && at < SK_VIRTIO_CONFIG && len <= SK_VIRTIO_CONFIG - at)
			pci->dev->ops->set_config(pci->dev, at, buf, len);
		break;
	case PAGE_NOTIFY:
		if (at % 4 == 0)
			sk_pci_notify(pci, (unsigned)at / 4);
		break;
	default:
		break;
	}
}

/* --- BAR 1: MSI-X --- */

static void read_msix(struct sk_pci *pci, uint64_t off, uint8_t *buf, size_t len)
{
	uint8_t image[16 * SK_PCI_VECTORS] = { 0 };
	unsigned v;

	if (off >= PBA_OFFSET) {
		for (v = 0; v < pci->n_vectors; v++)
			image[v / 8] |= (uint8_t)(pci->vector[v].pending << v % 8);
		off -= PBA_OFFSET;
	} else {
		for (v = 0; v < pci->n_vectors; v++) {
			put32(image + 16 * v, (uint32_t)pci->vector[v].address);
			put32(image + 16 * v + 4, (uint32_t)(pci->vector[v].address >> 32));
			put32(image + 16 * v + 8, pci->vector[v].data);
			put32(image + 16 * v + 12, pci->vector[v].masked);
		}
	}
	if (off < sizeof(image))
		memcpy(buf, image + off, len < sizeof(image) - off ? len : sizeof(image) - off);
}

/* A table entry is written in words of 4 or 8 bytes. */
static void write_msix(struct sk_pci *pci, uint64_t off, const uint8_t *buf, size_t len)
{
	uint64_t v = off / 16;

	if (v >= pci->n_vectors || (len != 4 && len != 8) || off % len)
		return;
	for (; len; off += 4, buf += 4, len -= 4) {
		uint32_t word = get32(buf);

		switch (off % 16) {
		case 0:
		case 4:
			write_address(&pci->vector[v].address, off, word, 4);
			break;
		case 8:
			pci->vector[v].data = word;
			break;
		default:
			pci->vector[v].masked = word & 1;
			break;
		}
	}
	send_pending(pci);
}

/* --- configuration space --- */

static void add_capability(struct sk_pci *pci, unsigned at, unsigned next, uint8_t type, uint32_t off, uint32_t len,
			   uint8_t size)
{
	uint8_t *c = pci->config + at;

	c[0] = 0x09; /* vendor specific */
	c[1] = (uint8_t)next;
	c[2] = size;
	c[3] = type;
	put32(c + 8, off);
	put32(c + 12, len);
}

static void init_config(struct sk_pci *pci)
{
	uint8_t *c = pci->config, *w = pci->writable;
	/* Class of network controllers, of SCSI disks, of what has none. */
	uint16_t class = pci->dev->id == SK_VIRTIO_NET ? 0x0200 : pci->dev->id == SK_VIRTIO_BLOCK ? 0x0100 : 0xff00;

	put16(c, VENDOR);
	put16(c + 2, (uint16_t)(DEVICE_BASE + pci->dev->id));
	put16(w + CFG_COMMAND, COMMAND_MASK);
	put16(c + CFG_STATUS, STATUS_CAPABILITIES);
	c[8] = 1; /* revision: modern only */
	put16(c + 0x0a, class);
	put16(c + 0x2c, VENDOR);
	put16(c + 0x2e, (uint16_t)(DEVICE_BASE + pci->dev->id));
	put32(w + CFG_BAR0, ~(SK_PCI_REGISTERS_SIZE - 1));
	put32(w + CFG_BAR1, ~(SK_PCI_MSIX_SIZE - 1));
	w[CFG_LINE] = 0xff;
	c[0x34] = CAP_COMMON;
	add_capability(pci, CAP_COMMON, CAP_ISR, 1, PAGE_COMMON * PAGE, COMMON_SIZE, 16);
	add_capability(pci, CAP_ISR, CAP_DEVICE, 3, PAGE_ISR * PAGE, 1, 16);
	add_capability(pci, CAP_DEVICE, CAP_NOTIFY, 4, PAGE_DEVICE * PAGE, SK_VIRTIO_CONFIG, 16);
	add_capability(pci, CAP_NOTIFY, CAP_ACCESS, 2, PAGE_NOTIFY * PAGE, 4 * pci->dev->ops->n_queues, 20);
	put32(c + CAP_NOTIFY + 16, 4); /* a queue's number times this is the offset of its doorbell */
	add_capability(pci, CAP_ACCESS, CAP_MSIX, 5, 0, 0, 20);
	memset(w + CAP_ACCESS + 4, 0xff, 1);
	memset(w + CAP_ACCESS + 8, 0xff, 8);
	c[CAP_MSIX] = 0x11;
	put16(c + MSIX_CONTROL, (uint16_t)(pci->n_vectors - 1));
	put16(w + MSIX_CONTROL, MSIX_ENABLE | MSIX_MASK_ALL);
	put32(c + CAP_MSIX + 4, 1);		 /* the table: at 0 of BAR 1 */
	put32(c + CAP_MSIX + 8, PBA_OFFSET | 1); /* what is pending */
}

/* The window of capability 5, for who cannot reach the BARs (virtio 1.2, section 4.1.4.9): true if it names something.
 */
static bool window(const struct sk_pci *pci, enum sk_pci_region *ret_region, uint32_t *ret_off, uint32_t *ret_len)
{
	const uint8_t *c = pci->config + CAP_ACCESS;

	*ret_off = get32(c + 8);
	*ret_len = get32(c + 12);
	*ret_region = c[4] == 0 ? SK_PCI_REGISTERS : SK_PCI_MSIX;
	return c[4] < 2 && (*ret_len == 1 || *ret_len == 2 || *ret_len == 4) && *ret_off % *ret_len == 0;
}

static void read_config(struct sk_pci *pci, uint64_t off, uint8_t *buf, size_t len)
{
	const uint64_t data = CAP_ACCESS + 16;
	enum sk_pci_region region;
	uint32_t at, n;

	memcpy(buf, pci->config + off, len);
	/* The whole space is read by who takes a look: a register changes by that no more than by an access of its own. */
	if (off == data && window(pci, &region, &at, &n) && n <= len)
		(void)sk_pci_read(pci, region, at, buf, n);
}

static void write_config(struct sk_pci *pci, uint64_t off, const uint8_t *buf, size_t len)
{
	const uint64_t data = CAP_ACCESS + 16;
	enum sk_pci_region region;
	uint32_t at, n;
	size_t i;

	if (off == data && window(pci, &region, &at, &n) && n <= len) {
		(void)sk_pci_write(pci, region, at, buf, n);
		return;
	}
	for (i = 0; i < len; i++) {
		uint8_t w = pci->writable[off + i], *c = &pci->config[off + i];

		*c = (uint8_t)((*c & ~w) | (buf[i] & w));
	}
	send_pending(pci);
}

/* --- what the host calls --- */

uint64_t sk_pci_region_size(enum sk_pci_region region)
{
	static const uint64_t sizes[SK_PCI_REGIONS] = { SK_PCI_CONFIG_SIZE, SK_PCI_REGISTERS_SIZE, SK_PCI_MSIX_SIZE };

	return sizes[region];
}

/* An access of `len` bytes fits, and is none of more than 8 outside the configuration space. */
static bool fits(enum sk_pci_region region, uint64_t off, size_t len)
{
	size_t max = region == SK_PCI_CONFIG ? SK_PCI_ACCESS_MAX : 8;

	return len <= max && off <= sk_pci_region_size(region) && len <= sk_pci_region_size(region) - off;
}

int sk_pci_read(struct sk_pci *pci, enum sk_pci_region region, uint64_t off, void *buf, size_t len)
{
	if (!fits(region, off, len))
		return -EINVAL;
	memset(buf, 0, len);
	if (region == SK_PCI_CONFIG)
		read_config(pci, off, buf, len);
	else if (region == SK_PCI_REGISTERS)
		read_registers(pci, off, buf, len);
	else
		read_msix(pci, off, buf, len);
	return 0;
}

int sk_pci_write(struct sk_pci *pci, enum sk_pci_region region, uint64_t off, const void *buf, size_t len)
{
	if (!fits(region, off, len))
		return -EINVAL;
	if (region == SK_PCI_CONFIG)
		write_config(pci, off, buf, len);
	else if (region == SK_PCI_REGISTERS)
		write_registers(pci, off, buf, len);
	else
		write_msix(pci, off, buf, len);
	return 0;
}

struct sk_guest_mem *sk_pci_memory(struct sk_pci *pci)
{
	return &pci->mem;
}

unsigned sk_pci_vectors(const struct sk_pci *pci)
{
	return pci->n_vectors;
}

uint16_t sk_pci_fixed16(const struct sk_pci *pci, unsigned off)
{
	return get16(pci->config + off);
}

void sk_pci_reset(struct sk_pci *pci)
{
	unsigned v, i;

	reset_virtio(pci);
	for (i = 0; i < SK_PCI_CONFIG_SIZE; i++)
		pci->config[i] &= (uint8_t)~pci->writable[i];
	for (v = 0; v < SK_PCI_VECTORS; v++) {
		pci->vector[v].address = pci->vector[v].data = 0;
		pci->vector[v].masked = true;
		pci->vector[v].pending = false;
	}
}

struct sk_pci *sk_pci_new(struct sk_device *dev, const struct sk_pci_host *host, void *arg)
{
	struct sk_pci *pci = calloc(1, sizeof(*pci));

	if (!pci)
		return NULL;
	pci->dev = dev;
	pci->host = host;
	pci->arg = arg;
	pci->n_vectors = dev->ops->n_queues + 1;
	init_config(pci);
	sk_pci_reset(pci);
	return pci;
}

void sk_pci_free(struct sk_pci *pci)
{
	if (!pci)
		return;
	stop_all(pci);
	free(pci);
}
