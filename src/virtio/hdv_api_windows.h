/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VIRTIO_HDV_API_WINDOWS_H
#define SK_VIRTIO_HDV_API_WINDOWS_H

/*
 * What vmdevicehost.dll takes and calls, as Microsoft documents it ("Device Virtualization" of the Host Compute System's
 * reference); mingw-w64 has no header of it. Shared with the tests' stand-in.
 */
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include <windows.h>

typedef void *HDV_HOST, *HDV_DEVICE;

#define HDV_DEVICE_TYPE_PCI 1
#define HDV_PCI_BARS 6u
#define HDV_PCI_INTERFACE_VERSION_1 1
/* A doorbell rings for a write of any size and any value. */
#define HDV_DOORBELL_ANY_VALUE 0x80000000u

struct hdv_pci_id {
	UINT16 vendor, device;
	UINT8 revision, interface_class, sub_class, base_class;
	UINT16 subsystem_vendor, subsystem;
};

/* Called on threads of the library's, with the context of HdvCreateDeviceInstance. */
struct hdv_pci_interface {
	int version;
	HRESULT(CALLBACK *initialize)(void *context);
	void(CALLBACK *teardown)(void *context);
	HRESULT(CALLBACK *set_configuration)(void *context, UINT32 n, const PCWSTR *values);
	HRESULT(CALLBACK *get_details)(void *context, struct hdv_pci_id *id, UINT32 n_bars, UINT32 *probed_bars);
	HRESULT(CALLBACK *start)(void *context);
	void(CALLBACK *stop)(void *context);
	HRESULT(CALLBACK *read_config)(void *context, UINT32 offset, UINT32 *value);
	HRESULT(CALLBACK *write_config)(void *context, UINT32 offset, UINT32 value);
	HRESULT(CALLBACK *read_memory)(void *context, int bar, UINT64 offset, UINT64 length, BYTE *value);
	HRESULT(CALLBACK *write_memory)(void *context, int bar, UINT64 offset, UINT64 length, const BYTE *value);
};

typedef HRESULT WINAPI hdv_initialize_host(void *system, HDV_HOST *ret);
typedef HRESULT WINAPI hdv_teardown_host(HDV_HOST host);
typedef HRESULT WINAPI hdv_create_device(HDV_HOST host, int type, const GUID *class_id, const GUID *instance,
					 const void *interface_table, void *context, HDV_DEVICE *ret);
typedef HRESULT WINAPI hdv_create_aperture(HDV_DEVICE device, UINT64 address, UINT32 bytes, BOOL write_protected,
					   void **ret);
typedef HRESULT WINAPI hdv_destroy_aperture(HDV_DEVICE device, void *mapped);
typedef HRESULT WINAPI hdv_deliver_interrupt(HDV_DEVICE device, UINT64 address, UINT32 data);
typedef HRESULT WINAPI hdv_register_doorbell(HDV_DEVICE device, int bar, UINT64 offset, UINT64 value, UINT64 flags,
					     HANDLE event);
typedef HRESULT WINAPI hdv_unregister_doorbell(HDV_DEVICE device, int bar, UINT64 offset, UINT64 value, UINT64 flags);

#endif
