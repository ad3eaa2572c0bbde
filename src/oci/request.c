/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to the monitor of a container's VM, be that its own or a pod's. */
#include "oci/oci.h"
#include "vm/vm.h"

const char *sk_oci_vm_of(const struct sk_oci_container *c)
{
	const char *sandbox = json_string_value(json_object_get(c->record, "sandbox"));

	return sandbox ? sandbox : c->vm_id;
}

int sk_oci_connect(struct sk_oci *o, const struct sk_oci_container *c, struct sk_error *err)
{
	return sk_vm_connect(&o->paths, sk_oci_vm_of(c), err);
}

const char *sk_oci_guest_name(const struct sk_oci_container *c)
{
	return json_string_value(json_object_get(c->record, "container"));
}

int sk_oci_call(struct sk_oci *o, const struct sk_oci_container *c, const struct sk_msg *request,
		struct sk_reply *ret_reply, struct sk_error *err)
{
	struct sk_msg msg = *request;

	sk_oci_log(o, "debug", "container %s: %s", c->id, sk_op_name(msg.op));
	msg.container = sk_oci_guest_name(c);
	return sk_vm_call(&o->paths, sk_oci_vm_of(c), &msg, ret_reply, err);
}

int sk_oci_call_to_end(struct sk_oci *o, const struct sk_oci_container *c, const struct sk_msg *request,
		       struct sk_error *err)
{
	struct sk_msg msg = *request;

	msg.container = sk_oci_guest_name(c);
	return sk_vm_call_to_end(&o->paths, sk_oci_vm_of(c), &msg, err);
}
