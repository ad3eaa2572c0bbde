/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_TESTS_WINDOWS_VMDEVICEHOST_H
#define SK_TESTS_WINDOWS_VMDEVICEHOST_H

#include "virtio/hdv_api_windows.h"

/* The stand-in for vmdevicehost.dll (vmdevicehost.c): what a test calls as the guest. */
#define STANDIN_MEMORY 0x1000000u
#define STANDIN_MEMORY_SIZE 0x800000u

/* From the next start on, as for a host without rights. */
void standin_refuse_doorbells(void);
BYTE *standin_memory(void);
/* Whether a process of the host is this device of the VM. */
BOOL standin_has_device(void *system, const GUID *class_id, const GUID *instance);
unsigned standin_apertures(unsigned device);
/* How many there were; address and data of the last one. */
unsigned standin_interrupts(unsigned device, UINT64 *address, UINT32 *data);
HRESULT standin_start(unsigned device, struct hdv_pci_id *id, UINT32 bars[HDV_PCI_BARS]);
void standin_stop(unsigned device);
HRESULT standin_read_config(unsigned device, UINT32 offset, UINT32 *value);
HRESULT standin_write_config(unsigned device, UINT32 offset, UINT32 value);
HRESULT standin_read(unsigned device, int bar, UINT64 offset, UINT64 length, BYTE *value);
/* Rings a doorbell that is registered there. */
HRESULT standin_write(unsigned device, int bar, UINT64 offset, UINT64 length, const BYTE *value);

#endif
