/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine hyperv: whether Hyper-V works here, and the life of one of its VMs. The VM's description is made in
 * hcs_document.c, the calls are in hcs_windows.c.
 */
#include "engine/hyperv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/id.h"
#include "engine/engine_internal.h"
#include "engine/hcs_windows.h"

struct sk_hyperv {
	struct sk_hcs *hcs;
	struct sk_hcs_vm *vm;
	bool started;
};

static int open_hcs(struct sk_hcs **ret, unsigned *ret_minor, struct sk_error *err)
{
	const char *library = getenv("SKERRY_COMPUTECORE"); /* for tests */
	int r = sk_hcs_open(library && *library ? library : NULL, ret, err);

	if (r < 0)
		return r;
	r = sk_hcs_schema(*ret, ret_minor, err);
	if (r == 0 && *ret_minor < SK_HCS_MIN_SCHEMA)
		r = sk_error_set(err, EOPNOTSUPP,
				 "the Hyper-V of this Windows is too old: Windows 10 version 1903 or later is needed");
	if (r < 0)
		sk_hcs_close(SK_TAKE_PTR(*ret));
	return r;
}

static int ask(unsigned *ret_minor, struct sk_error *err)
{
	struct sk_hcs *hcs = NULL;
	int r = open_hcs(&hcs, ret_minor, err);

	sk_hcs_close(hcs);
	return r;
}

static int hyperv_probe(const struct sk_engine_settings *settings, struct sk_error *err)
{
	unsigned minor;
	int r = ask(&minor, err);

	(void)settings;
	if (r == 0)
		r = sk_guest_part_check(SK_HYPERV_KERNEL, false, err);
	return r < 0 ? r : sk_guest_part_check(SK_GUEST_INITRAMFS, false, err);
}

/* It is no process that devices of ours could be attached to: the sandbox makes it with sk_hyperv_new(). */
static int hyperv_start(const struct sk_engine_config *config, struct sk_engine_process *ret, struct sk_error *err)
{
	*ret = (struct sk_engine_process){ .pidfd = -1, .claim_fd = -1 };
	return sk_error_set(err, EOPNOTSUPP, "cannot start VM %s: a VM of Hyper-V takes no devices of ours",
			    config->name);
}

static int hyperv_info(const struct sk_engine_settings *settings, struct sk_engine_info *info, struct sk_error *err)
{
	struct sk_error ignored = SK_ERROR_INIT;
	unsigned minor;

	(void)settings;
	*info = (struct sk_engine_info){ .name = "hyperv", .isolation = "hardware virtualization (Hyper-V)" };
	if (ask(&minor, &ignored) == 0)
		snprintf(info->program, sizeof(info->program), "Host Compute System, schema 2.%u", minor);
	return sk_guest_part(SK_HYPERV_KERNEL, info->kernel_path, sizeof(info->kernel_path), err) < 0
		       ? -err->code
		       : sk_guest_parts_info(info, err);
}

const struct sk_engine sk_engine_hyperv = {
	.name = "hyperv",
	.probe = hyperv_probe,
	.start = hyperv_start,
	.info = hyperv_info,
};

/* ---- one VM */

/* A GUID of version 4: random. */
static void make_id(char buf[SK_HCS_ID_SIZE])
{
	unsigned char b[16];

	sk_random(b, sizeof(b));
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	snprintf(buf, SK_HCS_ID_SIZE, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
		 b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

static int describe(const struct sk_hyperv_config *config, unsigned minor, const char *sid, json_t **ret,
		    struct sk_error *err)
{
	char kernel[512], initramfs[512];
	const struct sk_hcs_start start = { .schema_minor = minor,
					    .kernel = kernel,
					    .initramfs = initramfs,
					    .console_pipe = config->console_pipe,
					    .user_sid = sid,
					    .pci = config->pci,
					    .n_pci = config->n_pci };
	int r = sk_guest_part(SK_HYPERV_KERNEL, kernel, sizeof(kernel), err);

	if (r == 0)
		r = sk_guest_part(SK_GUEST_INITRAMFS, initramfs, sizeof(initramfs), err);
	if (r < 0)
		return r;
	*ret = sk_hcs_document(&start, config->engine, err);
	return *ret ? 0 : -err->code;
}

int sk_hyperv_new(const struct sk_hyperv_config *config, struct sk_hyperv **ret, struct sk_error *err)
{
	_cleanup_free_ char *sid = sk_hcs_user(err);
	struct sk_hyperv *v = sid ? calloc(1, sizeof(*v)) : NULL;
	json_t *document = NULL;
	char id[SK_HCS_ID_SIZE];
	unsigned minor;
	int r;

	if (!sid)
		return -err->code;
	if (!v)
		return sk_error_errno(err, ENOMEM, "cannot make a VM");
	make_id(id);
	r = open_hcs(&v->hcs, &minor, err);
	if (r == 0)
		r = describe(config, minor, sid, &document, err);
	if (r == 0)
		r = sk_hcs_vm_new(v->hcs, id, document, config->engine, &v->vm, err);
	json_decref(document);
	if (r < 0) {
		sk_hyperv_free(v);
		return r;
	}
	sk_hcs_vm_on_end(v->vm, config->ended, config->arg);
	*ret = v;
	return 0;
}

void *sk_hyperv_system(const struct sk_hyperv *v)
{
	return sk_hcs_vm_system(v->vm);
}

const char *sk_hyperv_address(const struct sk_hyperv *v)
{
	return sk_hcs_vm_address(v->vm);
}

int sk_hyperv_start(struct sk_hyperv *v, struct sk_error *err)
{
	int r = sk_hcs_vm_start(v->vm, err);

	v->started = r == 0;
	return r;
}

void sk_hyperv_end(struct sk_hyperv *v, char *buf, size_t size)
{
	struct sk_error ignored = SK_ERROR_INIT;
	struct sk_hcs_exit end;

	buf[0] = '\0';
	if (sk_hcs_vm_wait(v->vm, 0, &end, &ignored) == 0 && end.type == SK_HCS_EXIT_UNEXPECTED)
		snprintf(buf, size, "the VM ended unexpectedly (0x%08x)", (unsigned)end.status);
}

void sk_hyperv_free(struct sk_hyperv *v)
{
	struct sk_error ignored = SK_ERROR_INIT;

	if (!v)
		return;
	if (v->vm)
		sk_hcs_vm_on_end(v->vm, NULL, NULL);
	if (v->started)
		sk_hcs_vm_kill(v->vm, &ignored); /* where that fails it goes with its last handle, below */
	sk_hcs_vm_free(v->vm);
	sk_hcs_close(v->hcs);
	free(v);
}
