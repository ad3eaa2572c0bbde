/* SPDX-License-Identifier: Apache-2.0 */
/* Items of the lists in a message that stay JSON until somebody walks them: mounts, files, interfaces, routes. */
#include "proto/proto_internal.h"

static json_t *encode(const struct record *record, const char *what, const void *spec, struct sk_error *err)
{
	json_t *json = json_object();

	if (sk_record_encode(record, what, spec, json, err) < 0) {
		json_decref(json);
		return NULL;
	}
	return json;
}

int sk_mount_decode(const json_t *json, struct sk_mount_spec *ret, struct sk_error *err)
{
	*ret = (struct sk_mount_spec){ 0 };
	return sk_record_decode(&sk_mount_record, "mounts", json, ret, err);
}

json_t *sk_mount_encode(const struct sk_mount_spec *spec, struct sk_error *err)
{
	return encode(&sk_mount_record, "mounts", spec, err);
}

int sk_file_decode(const json_t *json, struct sk_file_spec *ret, struct sk_error *err)
{
	*ret = (struct sk_file_spec){ 0 };
	return sk_record_decode(&sk_file_record, "files", json, ret, err);
}

int sk_interface_decode(const json_t *json, struct sk_interface_spec *ret, struct sk_error *err)
{
	*ret = (struct sk_interface_spec){ 0 };
	return sk_record_decode(&sk_interface_record, "interfaces", json, ret, err);
}

json_t *sk_interface_encode(const struct sk_interface_spec *spec, struct sk_error *err)
{
	return encode(&sk_interface_record, "interfaces", spec, err);
}

int sk_route_decode(const json_t *json, struct sk_route_spec *ret, struct sk_error *err)
{
	*ret = (struct sk_route_spec){ 0 };
	return sk_record_decode(&sk_route_record, "routes", json, ret, err);
}

json_t *sk_route_encode(const struct sk_route_spec *spec, struct sk_error *err)
{
	return encode(&sk_route_record, "routes", spec, err);
}
