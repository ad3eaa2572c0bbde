/* SPDX-License-Identifier: Apache-2.0 */
/* vm.json: what a right one becomes, and that each wrong field is refused by name. */
#include "../sk_test.h"

#include <errno.h>
#include <string.h>

#include "vm/config.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static json_t *valid(void)
{
	return json_pack("{s:i,s:s,s:i,s:I,s:{s:s,s:[{s:s,s:s,s:i,s:i}]},s:{s:[{s:s,s:i}],s:s},s:{}}", "version", 1,
			 "id", ID, "cpus", 2, "memory", (json_int_t)512 << 20, "network", "mode", "slirp", "forwards",
			 "proto", "udp", "host_ip", "127.0.0.1", "host_port", 5353, "guest_port", 53, "rootfs",
			 "layers", "path", "/x", "size", 4096, "disk", "disk.img", "spec");
}

static void test_valid(void **state)
{
	struct sk_vm_config c;
	json_t *o = valid();

	(void)state;
	assert_int_equal(sk_vm_config_init(&c, o, NULL), 0);
	json_decref(o);
	assert_string_equal(c.id, ID);
	assert_int_equal(c.cpus, 2);
	assert_int_equal(c.network.mode, SK_NETWORK_SLIRP);
	assert_int_equal(c.network.n_forwards, 1);
	assert_true(c.forwards[0].udp);
	assert_memory_equal(c.forwards[0].host_addr, "\x7f\0\0\1", 4);
	assert_int_equal(c.forwards[0].guest_port, 53);
	assert_int_equal(c.n_layers, 1);
	assert_string_equal(c.disk, "disk.img");
	assert_int_equal(c.stop_signal, 15);
	assert_int_equal(c.log_max_size, 0); /* docker's: all is kept */
	assert_int_equal(c.log_max_file, 1);
	assert_int_equal(c.network.mac[0] & 3, 2);
	sk_vm_config_fini(&c);
	sk_vm_config_fini(&c);
}

/* Each back end is chosen by its name. */
static void test_networks(void **state)
{
	int mode;

	(void)state;
	for (mode = SK_NETWORK_NONE + 1; mode < SK_NETWORK_MODES; mode++) {
		const char *name = sk_network_backend((enum sk_network_mode)mode)->name;
		json_t *o = valid();
		struct sk_vm_config c;

		json_object_set_new(o, "network", json_pack("{s:s}", "mode", name));
		assert_int_equal(sk_vm_config_init(&c, o, NULL), 0);
		assert_int_equal(c.network.mode, mode);
		sk_vm_config_fini(&c);
		json_decref(o);
	}
}

/* Each wrong field is refused and named. */
static void test_invalid(void **state)
{
	static const struct {
		const char *field, *value, *named;
	} rows[] = {
		{ "version", "2", "version" },
		{ "id", "\"../../etc\"", "id" },
		{ "id", "\"" ID "x\"", "id" },
		{ "cpus", "0", "cpus" },
		{ "cpus", "65", "cpus" },
		{ "memory", "4096", "memory" },
		{ "memory", "-1", "memory" },
		{ "spec", "[]", "spec" },
		{ "stop_signal", "65", "stop_signal" },
		{ "network", "{\"mode\":\"tap\"}", "network" },
		{ "network", "{\"mtu\":10}", "network" },
		{ "network", "{\"mac\":\"01:00:00:00:00:00\"}", "network.mac" },
		{ "network", "{\"names\":\"host\"}", "network.names" },
		{ "network", "{\"names\":[\"host\",\"a b\"]}", "network.names" },
		{ "network", "{\"names\":[\".host\"]}", "network.names" },
		{ "services", "true", "services.publish" },
		{ "services", "{\"publish\":1}", "services.publish" },
		{ "services", "{\"ssh_auth\":true}", "services.ssh_auth" },
		{ "services", "{\"idle_stop\":-1}", "services.idle_stop" },
		{ "services", "{\"idle_stop\":\"30m\"}", "services.idle_stop" },
		{ "services", "{\"idle_stop\":2592001}", "services.idle_stop" },
		{ "services", "{\"ssh_auth\":\"agent\"}", "services.ssh_auth" },
		{ "services", "{\"later\":{}}", "services.later" },
		{ "services", "{\"later\":[\"/srv\"]}", "services.later" },
		{ "services", "{\"later\":[{\"path\":\"/srv/x\",\"target\":\"srv/x\"}]}", "services.later" },
		{ "network", "{\"mac\":\"02:00:00:00:00\"}", "network.mac" },
		{ "network", "{\"forwards\":[{\"host_port\":0,\"guest_port\":1}]}", "network.forwards" },
		{ "network", "{\"forwards\":[{\"host_port\":1,\"guest_port\":65536}]}", "network.forwards" },
		{ "network", "{\"forwards\":[{\"host_port\":1,\"guest_port\":1,\"host_ip\":\"x\"}]}",
		  "network.forwards" },
		{ "network", "{\"forwards\":[{\"host_port\":1,\"guest_port\":1,\"proto\":\"sctp\"}]}",
		  "network.forwards" },
		{ "rootfs", "{\"layers\":[{\"size\":1}]}", "rootfs.layers" },
		{ "rootfs", "{\"layers\":[{\"path\":\"/x\",\"size\":0}]}", "rootfs.layers" },
		{ "rootfs", "{\"disk\":\"../x\"}", "rootfs.disk" },
		{ "restart", "{\"policy\":\"sometimes\"}", "restart" },
		{ "restart", "{\"policy\":\"always\",\"max\":-1}", "restart" },
		{ "log", "{\"max_size\":1}", "log" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sk_error err = SK_ERROR_INIT;
		struct sk_vm_config c;
		json_t *o = valid();
		char quoted[64];

		json_object_set_new(o, rows[i].field, json_loads(rows[i].value, JSON_DECODE_ANY, NULL));
		assert_int_equal(sk_vm_config_init(&c, o, &err), -EINVAL);
		snprintf(quoted, sizeof(quoted), "\"%s\"", rows[i].named);
		if (!strstr(err.message, quoted))
			fail_msg("%s = %s: %s", rows[i].field, rows[i].value, err.message);
		json_decref(o);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_valid), cmocka_unit_test(test_networks),
					    cmocka_unit_test(test_invalid) };

	return cmocka_run_group_tests_name("vm-config", tests, NULL, NULL);
}
