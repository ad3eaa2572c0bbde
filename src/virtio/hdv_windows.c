/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * Hyper-V lets a process of the host be a PCI device of a VM. Its library calls us, on threads of its own, for each access
 * of the guest to the configuration space and the BARs; what they mean is virtio_pci.c's. We call it to map pieces of the
 * guest's memory ("apertures"), to send interrupts by the address and data of the MSI-X table, and to have an event set
 * when the guest writes to an address ("doorbell").
 *
 * A device belongs to the thread of its loop. So a callback of the library puts a call into the device's list, wakes the
 * loop through a socket, and waits for its end: with a deadline, after which the call is taken out of the list again and
 * the access fails. Doorbells are not waited for: a bit for each queue is set, and the loop woken. Where the library
 * refuses doorbells (it is said to, for hosts without rights), the guest's writes come as accesses, with the same effect.
 *
 * Memory is mapped when the guest first names it, in the largest aligned piece of up to 1 GiB that the library grants; at
 * most SK_MEM_REGIONS of them. The pieces stay until the device stops: queues have pointers into them.
 *
 * Not trusted: what the guest writes, as everywhere; the library is.
 *
 * Lifetime: an instance lives from sk_hdv_attach() to sk_hdv_host_free(), which is called when the VM has ended and the
 * library has no thread in here any more (HdvTeardownDeviceHost()).
 */
#include "virtio/hdv_windows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/platform/windows/system.h"
#include "virtio/hdv_api_windows.h"
#include "virtio/virtio_pci.h"

#define DEVICES_MAX 16u
#define PIECE_MAX (UINT64_C(1) << 30)
#define PIECE_MIN 4096u

struct sk_hdv {
	HMODULE library;
	hdv_initialize_host *initialize_host;
	hdv_teardown_host *teardown_host;
	hdv_create_device *create_device;
	hdv_create_aperture *create_aperture;
	hdv_destroy_aperture *destroy_aperture;
	hdv_deliver_interrupt *deliver_interrupt;
	hdv_register_doorbell *register_doorbell;
	hdv_unregister_doorbell *unregister_doorbell;
};

#define AT(field) offsetof(struct sk_hdv, field)
static const struct {
	const char *name;
	size_t at;
} functions[] = {
	{ "HdvInitializeDeviceHost", AT(initialize_host) },
	{ "HdvTeardownDeviceHost", AT(teardown_host) },
	{ "HdvCreateDeviceInstance", AT(create_device) },
	{ "HdvCreateGuestMemoryAperture", AT(create_aperture) },
	{ "HdvDestroyGuestMemoryAperture", AT(destroy_aperture) },
	{ "HdvDeliverGuestInterrupt", AT(deliver_interrupt) },
	{ "HdvRegisterDoorbell", AT(register_doorbell) },
	{ "HdvUnregisterDoorbell", AT(unregister_doorbell) },
};
#undef AT

/* What a thread of the library's asks of the loop's. */
struct call {
	struct call *next;
	enum { READ_ACCESS, WRITE_ACCESS, STOP } kind;
	enum sk_pci_region region;
	uint64_t off;
	uint8_t data[8];
	size_t len;
	bool done;
	int result;
};

struct doorbell {
	struct instance *instance;
	unsigned queue;
	HANDLE event, wait;
	bool registered;
};

struct instance {
	struct sk_hdv_host *host;
	struct sk_device *dev;
	struct sk_pci *pci;
	HDV_DEVICE handle;
	int wake[2]; /* the loop watches the first; a byte in the second wakes it */
	struct sk_source *source;
	SRWLOCK lock; /* of what follows */
	CONDITION_VARIABLE answered;
	struct call *calls, **last;
	uint32_t rung; /* bit q: doorbell q */
	bool woken;    /* the byte is on its way */
	struct doorbell doorbell[SK_VIRTIO_QUEUES];
};

struct sk_hdv_host {
	struct sk_hdv *hdv;
	HDV_HOST handle;
	struct instance *instance[DEVICES_MAX];
	unsigned n;
};

int sk_hdv_open(const char *library, struct sk_hdv **ret, struct sk_error *err)
{
	_cleanup_free_ wchar_t *path = library ? sk_win_wide(library) : NULL;
	struct sk_hdv *hdv = calloc(1, sizeof(*hdv));
	size_t i;

	if (!hdv || (library && !path)) {
		free(hdv);
		return sk_error_errno(err, errno, "cannot give a VM devices");
	}
	hdv->library =
		path ? LoadLibraryW(path) : LoadLibraryExW(L"vmdevicehost.dll", NULL, LOAD_LIBRARY_SEARCH_SYSTEM32);
	if (!hdv->library) {
		free(hdv);
		return sk_error_set(err, ENOENT,
				    "this Windows cannot give a VM devices of ours (%s): enable the Windows feature "
				    "\"Virtual Machine Platform\", then restart",
				    library ? library : "vmdevicehost.dll is missing");
	}
	for (i = 0; i < SK_ARRAY_SIZE(functions); i++) {
		FARPROC f = GetProcAddress(hdv->library, functions[i].name);

		if (!f) {
			sk_hdv_close(hdv);
			return sk_error_set(err, ENOENT, "the Hyper-V of this Windows is too old (it has no %s)",
					    functions[i].name);
		}
		memcpy((char *)hdv + functions[i].at, &f, sizeof(f));
	}
	*ret = hdv;
	return 0;
}

void sk_hdv_close(struct sk_hdv *hdv)
{
	if (!hdv)
		return;
	FreeLibrary(hdv->library);
	free(hdv);
}

/* --- between the threads --- */

/* With the lock held. */
static void wake_loop(struct instance *in)
{
	if (in->woken)
		return;
	in->woken = send(in->wake[1], "", 1, MSG_DONTWAIT) == 1;
}

/* Has the loop's thread do a call. 0 or negative errno. */
static int do_call(struct instance *in, struct call *c)
{
	ULONGLONG end = GetTickCount64() + SK_HDV_PATIENCE_MS;

	AcquireSRWLockExclusive(&in->lock);
	c->next = NULL;
	c->done = false;
	*in->last = c;
	in->last = &c->next;
	wake_loop(in);
	while (!c->done) {
		ULONGLONG now = GetTickCount64();
		struct call **at;

		if (now < end) {
			(void)SleepConditionVariableSRW(&in->answered, &in->lock, (DWORD)(end - now), 0);
			continue;
		}
		/* Too late. What is not in the list is being done: that has no longer to wait for anybody. */
		for (at = &in->calls; *at && *at != c; at = &(*at)->next)
			;
		if (*at) {
			*at = c->next;
			if (!*at)
				in->last = at;
			c->done = true;
			c->result = -ETIMEDOUT;
		} else {
			end = now + SK_HDV_PATIENCE_MS;
		}
	}
	ReleaseSRWLockExclusive(&in->lock);
	return c->result;
}

/* Unmaps all of the guest's memory; the queues are stopped. */
static void unmap_all(struct instance *in)
{
	struct sk_guest_mem *mem = sk_pci_memory(in->pci);
	unsigned i;

	for (i = 0; i < mem->n; i++)
		in->host->hdv->destroy_aperture(in->handle, mem->regions[i].map);
	mem->n = 0;
}

static int run_call(struct instance *in, struct call *c)
{
	switch (c->kind) {
	case READ_ACCESS:
		return sk_pci_read(in->pci, c->region, c->off, c->data, c->len);
	case WRITE_ACCESS:
		return sk_pci_write(in->pci, c->region, c->off, c->data, c->len);
	default:
		sk_pci_reset(in->pci);
		unmap_all(in);
		return 0;
	}
}

/* The loop's thread: calls and doorbells. A virtual processor goes on before a queue is served. */
static void on_wake(void *arg, int fd, unsigned events)
{
	struct instance *in = arg;
	uint8_t drain[16];
	uint32_t rung;
	unsigned q;

	(void)events;
	AcquireSRWLockExclusive(&in->lock);
	while (recv(fd, drain, sizeof(drain), MSG_DONTWAIT) > 0)
		;
	in->woken = false;
	while (in->calls) {
		struct call *c = in->calls;

		in->calls = c->next;
		if (!in->calls)
			in->last = &in->calls;
		ReleaseSRWLockExclusive(&in->lock);
		c->result = run_call(in, c);
		AcquireSRWLockExclusive(&in->lock);
		c->done = true; /* whose memory is gone once the lock is */
		WakeAllConditionVariable(&in->answered);
	}
	rung = in->rung;
	in->rung = 0;
	ReleaseSRWLockExclusive(&in->lock);
	for (q = 0; rung; q++, rung >>= 1)
		if (rung & 1)
			sk_pci_notify(in->pci, q);
	sk_pci_run(in->pci);
}

static void ring(struct instance *in, unsigned q)
{
	AcquireSRWLockExclusive(&in->lock);
	in->rung |= 1u << q;
	wake_loop(in);
	ReleaseSRWLockExclusive(&in->lock);
}

static void CALLBACK on_doorbell(void *arg, BOOLEAN timed_out)
{
	struct doorbell *d = arg;

	(void)timed_out;
	ring(d->instance, d->queue);
}

/* --- what the library calls --- */

static HRESULT to_hresult(int r)
{
	return r == 0 ? S_OK : r == -EINVAL ? E_INVALIDARG : E_FAIL;
}

static HRESULT CALLBACK pci_initialize(void *context)
{
	(void)context;
	return S_OK;
}

static void CALLBACK pci_teardown(void *context)
{
	(void)context; /* sk_hdv_host_free() does it */
}

static HRESULT CALLBACK pci_set_configuration(void *context, UINT32 n, const PCWSTR *values)
{
	(void)context;
	(void)n;
	(void)values;
	return S_OK;
}

/* The fields of the configuration space that never change are read in any thread. */
static HRESULT CALLBACK pci_get_details(void *context, struct hdv_pci_id *id, UINT32 n, UINT32 *bars)
{
	struct instance *in = context;
	UINT32 i;

	*id = (struct hdv_pci_id){ .vendor = sk_pci_fixed16(in->pci, 0),
				   .device = sk_pci_fixed16(in->pci, 2),
				   .revision = (UINT8)sk_pci_fixed16(in->pci, 8),
				   .interface_class = (UINT8)(sk_pci_fixed16(in->pci, 8) >> 8),
				   .sub_class = (UINT8)sk_pci_fixed16(in->pci, 10),
				   .base_class = (UINT8)(sk_pci_fixed16(in->pci, 10) >> 8),
				   .subsystem_vendor = sk_pci_fixed16(in->pci, 0x2c),
				   .subsystem = sk_pci_fixed16(in->pci, 0x2e) };
	/* As they read when ones have been written to them. */
	for (i = 0; i < n; i++)
		bars[i] = i == 0 ? ~(SK_PCI_REGISTERS_SIZE - 1) : i == 1 ? ~(SK_PCI_MSIX_SIZE - 1) : 0;
	return S_OK;
}

static HRESULT CALLBACK pci_start(void *context)
{
	struct instance *in = context;
	struct sk_hdv *hdv = in->host->hdv;
	unsigned q;

	for (q = 0; q < in->dev->ops->n_queues; q++) {
		struct doorbell *d = &in->doorbell[q];

		if (!d->wait || d->registered)
			continue;
		d->registered = SUCCEEDED(hdv->register_doorbell(in->handle, 0, SK_PCI_NOTIFY_OFFSET + 4 * q, 0,
								 HDV_DOORBELL_ANY_VALUE, d->event));
		if (!d->registered)
			sk_log(SK_LOG_INFO, "%s device: Hyper-V grants no doorbells", in->dev->name);
	}
	return S_OK;
}

static void CALLBACK pci_stop(void *context)
{
	struct instance *in = context;
	struct sk_hdv *hdv = in->host->hdv;
	struct call c = { .kind = STOP };
	unsigned q;

	for (q = 0; q < in->dev->ops->n_queues; q++) {
		if (in->doorbell[q].registered)
			hdv->unregister_doorbell(in->handle, 0, SK_PCI_NOTIFY_OFFSET + 4 * q, 0,
						 HDV_DOORBELL_ANY_VALUE);
		in->doorbell[q].registered = false;
	}
	(void)do_call(in, &c);
}

static HRESULT CALLBACK pci_read_config(void *context, UINT32 offset, UINT32 *value)
{
	struct call c = { .kind = READ_ACCESS, .region = SK_PCI_CONFIG, .off = offset, .len = 4 };
	int r = 0;

	/* Behind these 256 bytes a PCI Express device has more; this one has not. */
	if (offset <= SK_PCI_CONFIG_SIZE - 4)
		r = do_call(context, &c);
	memcpy(value, c.data, 4);
	return to_hresult(r);
}

static HRESULT CALLBACK pci_write_config(void *context, UINT32 offset, UINT32 value)
{
	struct call c = { .kind = WRITE_ACCESS, .region = SK_PCI_CONFIG, .off = offset, .len = 4 };

	if (offset > SK_PCI_CONFIG_SIZE - 4)
		return S_OK;
	memcpy(c.data, &value, 4);
	return to_hresult(do_call(context, &c));
}

static bool find_region(int bar, enum sk_pci_region *ret)
{
	*ret = bar == 0 ? SK_PCI_REGISTERS : SK_PCI_MSIX;
	return bar == 0 || bar == 1;
}

static HRESULT CALLBACK pci_read_memory(void *context, int bar, UINT64 offset, UINT64 length, BYTE *value)
{
	struct call c = { .kind = READ_ACCESS, .off = offset, .len = (size_t)length };
	int r;

	if (!find_region(bar, &c.region) || length > sizeof(c.data))
		return E_INVALIDARG;
	r = do_call(context, &c);
	memcpy(value, c.data, c.len);
	return to_hresult(r);
}

static HRESULT CALLBACK pci_write_memory(void *context, int bar, UINT64 offset, UINT64 length, const BYTE *value)
{
	struct call c = { .kind = WRITE_ACCESS, .off = offset, .len = (size_t)length };
	struct instance *in = context;

	if (!find_region(bar, &c.region) || length > sizeof(c.data))
		return E_INVALIDARG;
	/* A doorbell that came as an access. */
	if (bar == 0 && offset >= SK_PCI_NOTIFY_OFFSET && offset % 4 == 0 &&
	    (offset - SK_PCI_NOTIFY_OFFSET) / 4 < in->dev->ops->n_queues) {
		ring(in, (unsigned)(offset - SK_PCI_NOTIFY_OFFSET) / 4);
		return S_OK;
	}
	memcpy(c.data, value, c.len);
	return to_hresult(do_call(in, &c));
}

static const struct hdv_pci_interface interface_table = {
	.version = HDV_PCI_INTERFACE_VERSION_1,
	.initialize = pci_initialize,
	.teardown = pci_teardown,
	.set_configuration = pci_set_configuration,
	.get_details = pci_get_details,
	.start = pci_start,
	.stop = pci_stop,
	.read_config = pci_read_config,
	.write_config = pci_write_config,
	.read_memory = pci_read_memory,
	.write_memory = pci_write_memory,
};

/* --- what virtio_pci.c calls --- */

static void interrupt(void *arg, unsigned vector, uint64_t address, uint32_t data)
{
	struct instance *in = arg;

	(void)vector;
	(void)in->host->hdv->deliver_interrupt(in->handle, address, data);
}

static const struct sk_pci_host pci_host = { .interrupt = interrupt };

/* Maps the largest piece around `gpa` that there is. */
static bool on_miss(void *arg, uint64_t gpa)
{
	struct instance *in = arg;
	struct sk_guest_mem *mem = sk_pci_memory(in->pci);
	uint64_t size;

	for (size = PIECE_MAX; size >= PIECE_MIN && mem->n < SK_MEM_REGIONS; size /= 2) {
		uint64_t base = gpa & ~(size - 1);
		struct sk_mem_region r = { .gpa = base, .uva = base, .size = size };

		if (sk_mem_overlaps(mem, base, size) ||
		    FAILED(in->host->hdv->create_aperture(in->handle, base, (UINT32)size, FALSE, &r.map)))
			continue;
		r.host = r.map;
		r.map_len = (size_t)size;
		return sk_mem_insert(mem, &r) == 0;
	}
	return false;
}

static void failed(struct sk_device *dev)
{
	sk_pci_needs_reset(((struct instance *)dev->conn)->pci);
}

static void end(struct sk_device *dev)
{
	sk_pci_reset(((struct instance *)dev->conn)->pci);
	sk_virtio_gone(dev);
}

static const struct sk_virtio_server server = {
	.consequence = "it stops until the guest resets it",
	.failed = failed,
	.end = end,
};

/* Of a device that is in no VM. */
static const struct sk_virtio_server nowhere = { .consequence = "it stops" };

int sk_virtio_init(struct sk_device *dev, struct sk_loop *loop, int take_listen_fd, struct sk_error *err)
{
	return sk_virtio_init_server(dev, loop, take_listen_fd, &nowhere, err);
}

/* --- hosts and instances --- */

int sk_hdv_host_new(struct sk_hdv *hdv, void *system, struct sk_hdv_host **ret, struct sk_error *err)
{
	struct sk_hdv_host *host = calloc(1, sizeof(*host));
	HRESULT hr;

	if (!host)
		return sk_error_errno(err, ENOMEM, "cannot give a VM devices");
	host->hdv = hdv;
	hr = hdv->initialize_host(system, &host->handle);
	if (FAILED(hr)) {
		free(host);
		return sk_error_set(err, hr == E_ACCESSDENIED ? EACCES : EIO,
				    "cannot give a VM devices: Hyper-V refuses (0x%08lx)", (unsigned long)hr);
	}
	*ret = host;
	return 0;
}

static void instance_free(struct instance *in)
{
	unsigned q;

	for (q = 0; q < SK_VIRTIO_QUEUES; q++) {
		struct doorbell *d = &in->doorbell[q];

		if (d->wait)
			(void)UnregisterWaitEx(d->wait, INVALID_HANDLE_VALUE);
		if (d->event)
			CloseHandle(d->event);
	}
	sk_loop_remove(in->source);
	sk_close_fd(&in->wake[0]);
	sk_close_fd(&in->wake[1]);
	if (in->dev->conn == in)
		in->dev->server->end(in->dev);
	in->dev->server = &nowhere;
	sk_pci_free(in->pci);
	free(in);
}

void sk_hdv_host_free(struct sk_hdv_host *host)
{
	unsigned i;

	if (!host)
		return;
	for (i = 0; i < host->n; i++) {
		sk_pci_reset(host->instance[i]->pci);
		unmap_all(host->instance[i]);
	}
	(void)host->hdv->teardown_host(host->handle);
	for (i = 0; i < host->n; i++)
		instance_free(host->instance[i]);
	free(host);
}

static struct instance *instance_new(struct sk_hdv_host *host, struct sk_device *dev)
{
	struct instance *in = calloc(1, sizeof(*in));
	unsigned q;

	if (!in)
		return NULL;
	in->host = host;
	in->dev = dev;
	in->wake[0] = in->wake[1] = -1;
	in->last = &in->calls;
	InitializeSRWLock(&in->lock);
	InitializeConditionVariable(&in->answered);
	in->pci = sk_pci_new(dev, &pci_host, in);
	if (in->pci && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, in->wake) == 0)
		in->source = sk_loop_add_fd(dev->loop, in->wake[0], SK_LOOP_READ, on_wake, in);
	if (!in->source) {
		instance_free(in);
		return NULL;
	}
	sk_pci_memory(in->pci)->miss = on_miss;
	sk_pci_memory(in->pci)->miss_arg = in;
	/* Without an event for it a queue has its doorbell by accesses. */
	for (q = 0; q < dev->ops->n_queues; q++) {
		struct doorbell *d = &in->doorbell[q];

		d->instance = in;
		d->queue = q;
		d->event = CreateEventW(NULL, FALSE, FALSE, NULL);
		if (d->event &&
		    !RegisterWaitForSingleObject(&d->wait, d->event, on_doorbell, d, INFINITE, WT_EXECUTEINWAITTHREAD))
			d->wait = NULL;
	}
	return in;
}

/* "1b2c3d4e-0000-1111-2222-aabbccddeeff" */
static bool parse_guid(const char *text, GUID *ret)
{
	unsigned long a;
	unsigned v[10], i;
	int end = 0;

	if (sscanf(text, "%8lx-%4x-%4x-%2x%2x-%2x%2x%2x%2x%2x%2x%n", &a, &v[0], &v[1], &v[2], &v[3], &v[4], &v[5],
		   &v[6], &v[7], &v[8], &v[9], &end) != 11 ||
	    end != 36 || text[36])
		return false;
	ret->Data1 = a;
	ret->Data2 = (unsigned short)v[0];
	ret->Data3 = (unsigned short)v[1];
	for (i = 0; i < 8; i++)
		ret->Data4[i] = (unsigned char)v[i + 2];
	return true;
}

int sk_hdv_attach(struct sk_hdv_host *host, struct sk_device *dev, const char *instance, struct sk_error *err)
{
	struct instance *in;
	GUID class_id, id;
	HRESULT hr;

	if (!parse_guid(SK_HDV_EMULATOR, &class_id) || !parse_guid(instance, &id))
		return sk_error_set(err, EINVAL, "%s is no GUID of a device", instance);
	if (host->n == DEVICES_MAX)
		return sk_error_set(err, E2BIG, "more than %u devices of a VM", DEVICES_MAX);
	in = instance_new(host, dev);
	if (!in)
		return sk_error_errno(err, ENOMEM, "cannot make the %s device", dev->name);
	dev->server = &server;
	dev->conn = in;
	hr = host->hdv->create_device(host->handle, HDV_DEVICE_TYPE_PCI, &class_id, &id, &interface_table, in,
				      &in->handle);
	if (FAILED(hr)) {
		instance_free(in);
		return sk_error_set(err, EIO, "cannot make the %s device: Hyper-V refuses (0x%08lx)", dev->name,
				    (unsigned long)hr);
	}
	host->instance[host->n++] = in;
	if (dev->ops->connected)
		dev->ops->connected(dev);
	return 0;
}
