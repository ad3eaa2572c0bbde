/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "blockIO" of a bundle's resources: weights and throttles of the host's block devices, for the control group that the
 * VM is in. What a container reads and writes, its monitor and its file server read and write on the host, so they mean
 * here what they mean for a container of runc, whose way with the two versions of control groups this follows.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "oci/oci.h"

/* Of version 1 there are two sets of files, one for each I/O scheduler that knows weights. */
static const char *const weights[] = { "blkio.weight", "blkio.bfq.weight" }, *const device_weights[] = {
	"blkio.weight_device", "blkio.bfq.weight_device"
};

static const struct {
	const char *key, *v1, *v2;
} throttles[] = {
	{ "throttleReadBpsDevice", "blkio.throttle.read_bps_device", "rbps" },
	{ "throttleWriteBpsDevice", "blkio.throttle.write_bps_device", "wbps" },
	{ "throttleReadIOPSDevice", "blkio.throttle.read_iops_device", "riops" },
	{ "throttleWriteIOPSDevice", "blkio.throttle.write_iops_device", "wiops" },
};

static bool exists(int dir, const char *file)
{
	return faccessat(dir, file, F_OK, 0) == 0;
}

static int write_value(int dir, const char *file, const char *value)
{
	_cleanup_fd_ int fd = openat(dir, file, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return write(fd, value, strlen(value)) < 0 ? -errno : 0;
}

static long long integer(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static int set_weight(int dir, bool v1, long long weight)
{
	const char *file = v1 ? weights[!exists(dir, weights[0])] : "io.bfq.weight";
	char text[32];

	if (!v1 && !exists(dir, file)) {
		file = "io.weight"; /* 1 to 10,000, where the others go from 10 to 1,000 */
		weight = 1 + (weight - 10) * 9999 / 990;
	}
	snprintf(text, sizeof(text), "%lld", weight);
	return exists(dir, file) ? write_value(dir, file, text) : 0;
}

static int set_device_weights(int dir, bool v1, const json_t *list)
{
	const char *file = v1 ? device_weights[!exists(dir, device_weights[0])] : "io.bfq.weight";
	char text[96];
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && exists(dir, file) && i < json_array_size(list); i++) {
		const json_t *d = json_array_get(list, i);

		snprintf(text, sizeof(text), "%lld:%lld %lld", integer(d, "major"), integer(d, "minor"),
			 integer(d, "weight"));
		if (integer(d, "weight") > 0)
			r = write_value(dir, file, text);
	}
	return r;
}

static int set_throttles(int dir, bool v1, const json_t *io)
{
	char text[96];
	size_t i, k;
	int r = 0;

	for (i = 0; i < SK_ARRAY_SIZE(throttles); i++) {
		const json_t *list = json_object_get(io, throttles[i].key);

		for (k = 0; r == 0 && k < json_array_size(list); k++) {
			const json_t *d = json_array_get(list, k);

			snprintf(text, sizeof(text), "%lld:%lld %s%s%lld", integer(d, "major"), integer(d, "minor"),
				 v1 ? "" : throttles[i].v2, v1 ? "" : "=", integer(d, "rate"));
			r = write_value(dir, v1 ? throttles[i].v1 : "io.max", text);
		}
	}
	return r;
}

int sk_oci_cgroup_io(const char *path, const json_t *resources)
{
	const json_t *io = json_object_get(resources, "blockIO");
	_cleanup_fd_ int dir = json_object_size(io) ? open(path, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	bool v1;
	int r = 0;

	if (dir < 0)
		return json_object_size(io) ? -errno : 0;
	v1 = exists(dir, throttles[0].v1);
	if (!v1 && !exists(dir, "io.max"))
		return 0; /* another hierarchy of version 1, or a user's who was given no such controller */
	if (integer(io, "weight") > 0)
		r = set_weight(dir, v1, integer(io, "weight"));
	if (r == 0)
		r = set_device_weights(dir, v1, json_object_get(io, "weightDevice"));
	return r < 0 ? r : set_throttles(dir, v1, io);
}
