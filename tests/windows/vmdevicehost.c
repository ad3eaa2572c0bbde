/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stands in for vmdevicehost.dll, which Wine does not have: one VM, whose memory is 8 MiB at 16 MiB of its address space,
 * and its devices. A test is the guest: it finds a device by number, and accesses its configuration space and BARs as a
 * processor does. Refuses what the real one's documentation says is not to be: apertures outside of the memory or not in
 * whole pages, handles that it did not give, doorbells twice.
 */
#include <windows.h>

#include "virtio/hdv_api_windows.h"
#include "vmdevicehost.h"

#define DEVICES 4
#define DOORBELLS 8
#define APERTURES 64
#define PAGE 4096u

static struct {
	BOOL open;
	void *system;
} host;

static struct device {
	const struct hdv_pci_interface *table;
	void *context;
	GUID class_id, instance;
	struct {
		BOOL used;
		int bar;
		UINT64 offset;
		HANDLE event;
	} doorbell[DOORBELLS];
	unsigned n_apertures, interrupts;
	void *aperture[APERTURES];
	UINT64 address;
	UINT32 data;
} devices[DEVICES];

static unsigned n_devices;
static BYTE *memory;
static BOOL no_doorbells;

#define EXPORT __declspec(dllexport)

EXPORT hdv_initialize_host HdvInitializeDeviceHost;
EXPORT hdv_teardown_host HdvTeardownDeviceHost;
EXPORT hdv_create_device HdvCreateDeviceInstance;
EXPORT hdv_create_aperture HdvCreateGuestMemoryAperture;
EXPORT hdv_destroy_aperture HdvDestroyGuestMemoryAperture;
EXPORT hdv_deliver_interrupt HdvDeliverGuestInterrupt;
EXPORT hdv_register_doorbell HdvRegisterDoorbell;
EXPORT hdv_unregister_doorbell HdvUnregisterDoorbell;

static struct device *find(HDV_DEVICE handle)
{
	struct device *d = handle;

	return d >= devices && d < devices + n_devices ? d : NULL;
}

HRESULT WINAPI HdvInitializeDeviceHost(void *system, HDV_HOST *ret)
{
	if (!system || host.open)
		return E_INVALIDARG;
	host.open = TRUE;
	host.system = system;
	n_devices = 0;
	no_doorbells = FALSE;
	if (!memory)
		memory = VirtualAlloc(NULL, STANDIN_MEMORY_SIZE, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
	*ret = &host;
	return memory ? S_OK : E_OUTOFMEMORY;
}

HRESULT WINAPI HdvTeardownDeviceHost(HDV_HOST handle)
{
	unsigned i;

	if (handle != &host || !host.open)
		return E_HANDLE;
	for (i = 0; i < n_devices; i++)
		devices[i].table->teardown(devices[i].context);
	host.open = FALSE;
	return S_OK;
}

HRESULT WINAPI HdvCreateDeviceInstance(HDV_HOST handle, int type, const GUID *class_id, const GUID *instance,
				       const void *interface_table, void *context, HDV_DEVICE *ret)
{
	struct device *d = &devices[n_devices];

	if (handle != &host || !host.open)
		return E_HANDLE;
	if (type != HDV_DEVICE_TYPE_PCI || !class_id || !instance || !interface_table || n_devices == DEVICES)
		return E_INVALIDARG;
	ZeroMemory(d, sizeof(*d));
	d->table = interface_table;
	d->context = context;
	d->class_id = *class_id;
	d->instance = *instance;
	if (d->table->version != HDV_PCI_INTERFACE_VERSION_1)
		return E_INVALIDARG;
	n_devices++;
	*ret = d;
	return S_OK;
}

HRESULT WINAPI HdvCreateGuestMemoryAperture(HDV_DEVICE handle, UINT64 address, UINT32 bytes, BOOL write_protected,
					    void **ret)
{
	struct device *d = find(handle);

	if (!d)
		return E_HANDLE;
	if (write_protected || address % PAGE || bytes % PAGE || bytes == 0 || address < STANDIN_MEMORY ||
	    bytes > STANDIN_MEMORY_SIZE || address - STANDIN_MEMORY > STANDIN_MEMORY_SIZE - bytes)
		return E_INVALIDARG;
	if (d->n_apertures == APERTURES)
		return E_OUTOFMEMORY;
	*ret = memory + (address - STANDIN_MEMORY);
	d->aperture[d->n_apertures++] = *ret;
	return S_OK;
}

HRESULT WINAPI HdvDestroyGuestMemoryAperture(HDV_DEVICE handle, void *mapped)
{
	struct device *d = find(handle);
	unsigned i;

	for (i = 0; d && i < d->n_apertures; i++) {
		if (d->aperture[i] != mapped)
			continue;
		d->aperture[i] = d->aperture[--d->n_apertures];
		return S_OK;
	}
	return E_HANDLE;
}

HRESULT WINAPI HdvDeliverGuestInterrupt(HDV_DEVICE handle, UINT64 address, UINT32 data)
{
	struct device *d = find(handle);

	if (!d)
		return E_HANDLE;
	d->address = address;
	d->data = data;
	InterlockedIncrement((LONG *)&d->interrupts);
	return S_OK;
}

HRESULT WINAPI HdvRegisterDoorbell(HDV_DEVICE handle, int bar, UINT64 offset, UINT64 value, UINT64 flags, HANDLE event)
{
	struct device *d = find(handle);
	unsigned i, free = DOORBELLS;

	(void)value;
	if (!d)
		return E_HANDLE;
	if (no_doorbells)
		return E_ACCESSDENIED;
	if (flags != HDV_DOORBELL_ANY_VALUE || !event)
		return E_INVALIDARG;
	for (i = 0; i < DOORBELLS; i++) {
		if (!d->doorbell[i].used)
			free = i;
		else if (d->doorbell[i].bar == bar && d->doorbell[i].offset == offset)
			return E_INVALIDARG;
	}
	if (free == DOORBELLS)
		return E_OUTOFMEMORY;
	d->doorbell[free].used = TRUE;
	d->doorbell[free].bar = bar;
	d->doorbell[free].offset = offset;
	d->doorbell[free].event = event;
	return S_OK;
}

HRESULT WINAPI HdvUnregisterDoorbell(HDV_DEVICE handle, int bar, UINT64 offset, UINT64 value, UINT64 flags)
{
	struct device *d = find(handle);
	unsigned i;

	(void)value;
	(void)flags;
	for (i = 0; d && i < DOORBELLS; i++) {
		if (!d->doorbell[i].used || d->doorbell[i].bar != bar || d->doorbell[i].offset != offset)
			continue;
		d->doorbell[i].used = FALSE;
		return S_OK;
	}
	return E_HANDLE;
}

/* --- the guest's side, for tests --- */

/* Asked by the stand-in for computecore.dll, as the real service waits for a device's process to be there. */
EXPORT BOOL standin_has_device(void *system, const GUID *class_id, const GUID *instance)
{
	unsigned i;

	for (i = 0; host.open && host.system == system && i < n_devices; i++)
		if (memcmp(&devices[i].class_id, class_id, sizeof(GUID)) == 0 &&
		    memcmp(&devices[i].instance, instance, sizeof(GUID)) == 0)
			return TRUE;
	return FALSE;
}

EXPORT void standin_refuse_doorbells(void)
{
	no_doorbells = TRUE;
}

EXPORT BYTE *standin_memory(void)
{
	return memory;
}

EXPORT unsigned standin_apertures(unsigned device)
{
	return devices[device].n_apertures;
}

EXPORT unsigned standin_interrupts(unsigned device, UINT64 *address, UINT32 *data)
{
	*address = devices[device].address;
	*data = devices[device].data;
	return devices[device].interrupts;
}

EXPORT HRESULT standin_start(unsigned device, struct hdv_pci_id *id, UINT32 bars[HDV_PCI_BARS])
{
	struct device *d = &devices[device];
	HRESULT hr = d->table->initialize(d->context);

	if (SUCCEEDED(hr))
		hr = d->table->set_configuration(d->context, 0, NULL);
	if (SUCCEEDED(hr))
		hr = d->table->get_details(d->context, id, HDV_PCI_BARS, bars);
	return SUCCEEDED(hr) ? d->table->start(d->context) : hr;
}

EXPORT void standin_stop(unsigned device)
{
	devices[device].table->stop(devices[device].context);
}

EXPORT HRESULT standin_read_config(unsigned device, UINT32 offset, UINT32 *value)
{
	return devices[device].table->read_config(devices[device].context, offset, value);
}

EXPORT HRESULT standin_write_config(unsigned device, UINT32 offset, UINT32 value)
{
	return devices[device].table->write_config(devices[device].context, offset, value);
}

EXPORT HRESULT standin_read(unsigned device, int bar, UINT64 offset, UINT64 length, BYTE *value)
{
	return devices[device].table->read_memory(devices[device].context, bar, offset, length, value);
}

EXPORT HRESULT standin_write(unsigned device, int bar, UINT64 offset, UINT64 length, const BYTE *value)
{
	struct device *d = &devices[device];
	unsigned i;

	for (i = 0; i < DOORBELLS; i++) {
		if (d->doorbell[i].used && d->doorbell[i].bar == bar && d->doorbell[i].offset == offset) {
			SetEvent(d->doorbell[i].event);
			return S_OK;
		}
	}
	return d->table->write_memory(d->context, bar, offset, length, value);
}
