/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_ENGINE_HCS_H
#define SK_ENGINE_HCS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"

/*
 * A VM of Hyper-V by way of the Host Compute System (HCS), a service of Windows that takes a JSON document and answers
 * with others. Here are the documents, without a call of Windows (hcs_document.c, hcs_result.c); hcs_windows.c speaks to
 * the service. Field names and types: "JSON Schema Reference" of the Host Compute System API. What the service sends is
 * not the guest's, but a guest has a part in it (crash logs), so that it is bounded.
 */

/* Windows 10 version 1903: a Linux kernel is started directly, the guest gives memory back (cold discard hints). */
#define SK_HCS_MIN_SCHEMA 2u
/* Version 2004. */
#define SK_HCS_SCHEMA_COMPRESSED 3u
#define SK_HCS_DISKS_MAX 64u /* of one SCSI controller */
#define SK_HCS_PORTS_MAX 64u
#define SK_HCS_PCI_MAX 16u
#define SK_HCS_ID_SIZE 37u /* a GUID as text, with its NUL */
/* Bytes of a document of the service that are looked at. */
#define SK_HCS_RESULT_MAX (64u << 10)

/* A device on the VM's PCI bus that a process of the host is ("FlexibleIov"; virtio/hdv_windows.h). Both are GUIDs. */
struct sk_hcs_pci {
	const char *instance; /* of this device in this VM */
	const char *emulator; /* of the kind: the class that HdvCreateDeviceInstance() is given */
};

/* One start of a VM, as the document is made of it. Paths are Windows', with either slash. */
struct sk_hcs_start {
	unsigned schema_minor; /* of the newest schema 2.x that the service knows */
	const char *kernel;    /* an ELF file, not compressed */
	const char *initramfs;
	const char *console_pipe; /* "\\.\pipe\NAME", which exists: the guest's first serial port. NULL: nowhere */
	const char *user_sid;	  /* who may listen at and connect to the guest's ports, beside the system */
	const struct sk_hcs_pci *pci;
	size_t n_pci;
};

/*
 * The document for HcsCreateComputeSystem(), the caller's. NULL: `config` asks for what there is not (-EOPNOTSUPP: devices
 * of ours, an older Windows), or something is no path, pipe, SID or size (-EINVAL).
 */
json_t *sk_hcs_document(const struct sk_hcs_start *start, const struct sk_engine_config *config, struct sk_error *err);
/* The service of Hyper-V sockets that stands for a vsock port, as a GUID. */
void sk_hcs_service_id(uint32_t port, char buf[SK_HCS_ID_SIZE]);

/*
 * Describes a call of the service that failed: "cannot WHAT: …", with what its document says (`text` may be NULL, `n` is
 * in bytes) and what to do about it where that is known. Returns a negative errno.
 */
int sk_hcs_error(uint32_t hresult, const char *text, size_t n, struct sk_error *err, const char *what);

enum sk_hcs_exit_type {
	SK_HCS_EXIT_UNKNOWN, /* also what the service says and we do not know */
	SK_HCS_EXIT_GRACEFUL,
	SK_HCS_EXIT_FORCED,
	SK_HCS_EXIT_UNEXPECTED,
};
struct sk_hcs_exit {
	enum sk_hcs_exit_type type;
	int32_t status; /* HRESULT */
};
/* The document of an event "system exited". -EINVAL: it is none; `ret` is then "unknown" with status 0. */
int sk_hcs_parse_exit(const char *text, size_t n, struct sk_hcs_exit *ret);
/* The minor number of the newest schema 2.x, of the service's properties "Basic". -EINVAL: there is none. */
int sk_hcs_parse_schema(const char *text, size_t n, unsigned *ret_minor);
/* The address of the VM for Hyper-V sockets, of its properties: lower-case hexadecimal. -EINVAL: there is none. */
int sk_hcs_parse_runtime_id(const char *text, size_t n, char ret[SK_HCS_ID_SIZE]);

#endif
