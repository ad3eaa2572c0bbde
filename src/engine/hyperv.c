/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine hyperv: what can be said of it before there is a monitor for Windows. Whether Hyper-V works is found out; the
 * VM's description and the calls are there (hcs_document.c, hcs_windows.c); what starts containers with them is not, and
 * so the engine does not claim to work.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/engine_internal.h"
#include "engine/hcs_windows.h"

static int ask(unsigned *ret_minor, struct sk_error *err)
{
	const char *library = getenv("SKERRY_COMPUTECORE"); /* for tests */
	struct sk_hcs *hcs;
	int r = sk_hcs_open(library && *library ? library : NULL, &hcs, err);

	if (r < 0)
		return r;
	r = sk_hcs_schema(hcs, ret_minor, err);
	sk_hcs_close(hcs);
	if (r == 0 && *ret_minor < SK_HCS_MIN_SCHEMA)
		return sk_error_set(
			err, EOPNOTSUPP,
			"the Hyper-V of this Windows is too old: Windows 10 version 1903 or later is needed");
	return r;
}

static int hyperv_probe(const struct sk_engine_settings *settings, struct sk_error *err)
{
	unsigned minor;
	int r = ask(&minor, err);

	(void)settings;
	if (r < 0)
		return r;
	return sk_error_set(err, EOPNOTSUPP,
			    "Hyper-V works here (schema 2.%u), but this version of Skerry does not start containers on "
			    "Windows",
			    minor);
}

static int hyperv_start(const struct sk_engine_config *config, struct sk_engine_process *ret, struct sk_error *err)
{
	*ret = (struct sk_engine_process){ .pidfd = -1, .claim_fd = -1 };
	return hyperv_probe(config->settings, err);
}

static int hyperv_info(const struct sk_engine_settings *settings, struct sk_engine_info *info, struct sk_error *err)
{
	struct sk_error ignored = SK_ERROR_INIT;
	unsigned minor;

	(void)settings;
	*info = (struct sk_engine_info){ .name = "hyperv", .isolation = "hardware virtualization (Hyper-V)" };
	if (ask(&minor, &ignored) == 0)
		snprintf(info->program, sizeof(info->program), "Host Compute System, schema 2.%u", minor);
	return sk_guest_part(SK_QEMU_KERNEL, info->kernel_path, sizeof(info->kernel_path), err) < 0
		       ? -err->code
		       : sk_guest_parts_info(info, err);
}

const struct sk_engine sk_engine_hyperv = {
	.name = "hyperv",
	.probe = hyperv_probe,
	.start = hyperv_start,
	.info = hyperv_info,
};
