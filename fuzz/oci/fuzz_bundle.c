/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and checks a bundle's config.json, and makes the description of a VM, or of a member of another VM, from it.
 * Nothing of the host is changed; paths in it are looked at. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "oci/oci.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_oci_container c = { .id = "fuzz" };
	struct sk_oci_bundle b;
	json_t *mounts = NULL;

	if (size > 65536 || sk_oci_bundle_parse("/", (const char *)data, size, &b, &err) < 0)
		return 0;
	memset(c.vm_id, 'a', 64);
	json_decref(sk_oci_bundle_vm(&b, &c, &err));
	err = (struct sk_error)SK_ERROR_INIT;
	json_decref(sk_oci_bundle_member(&b, &mounts, &err));
	json_decref(mounts);
	json_decref(sk_oci_guest_resources(json_object_get(json_object_get(b.spec, "linux"), "resources")));
	sk_oci_bundle_fini(&b);
	return 0;
}
