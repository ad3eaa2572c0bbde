/* SPDX-License-Identifier: Apache-2.0 */
/* From bundles to vm.json, and the limits of a VM's memory. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/process.h"
#include "oci/oci.h"

static char dir[64];

static void write_config(const char *text)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/config.json", dir);
	assert_int_equal(sk_fs_write_atomic(AT_FDCWD, path, text, strlen(text), 0600, false), 0);
}

/* A sound bundle with `more` members in the spec and `linux_` in its "linux". */
static void write_sound(const char *more, const char *linux_)
{
	char text[4096];

	snprintf(text, sizeof(text),
		 "{\"ociVersion\":\"1.0.2\",\"process\":{\"args\":[\"sh\"],\"cwd\":\"/"
		 "\"},\"root\":{\"path\":\"rootfs\"}%s,\"linux\":{%s}}",
		 more, linux_);
	write_config(text);
}

static int make_dir(void **state)
{
	char path[96];

	(void)state;
	strcpy(dir, "/tmp/skerry-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/rootfs", dir);
	return mkdir(path, 0755);
}

static int remove_dir(void **state)
{
	(void)state;
	return sk_fs_remove_tree(AT_FDCWD, dir);
}

static json_t *load_vm(struct sk_error *err)
{
	struct sk_oci_container c = { .id = "x" };
	struct sk_oci_bundle b;
	json_t *vm;

	memset(c.vm_id, 'a', 64);
	if (sk_oci_bundle_load(dir, &b, err) < 0)
		return NULL;
	vm = sk_oci_bundle_vm(&b, &c, err);
	sk_oci_bundle_fini(&b);
	return vm;
}

static void refused(const char *words)
{
	struct sk_error err = SK_ERROR_INIT;

	assert_null(load_vm(&err));
	if (!strstr(err.message, words))
		fail_msg("\"%s\" is not in: %s", words, err.message);
}

static void test_broken(void **state)
{
	char path[96];

	(void)state;
	refused("config.json not found");
	write_config("");
	refused("config.json");
	write_config("[1]");
	refused("ociVersion");
	write_config("{\"ociVersion\":\"2.0\"}");
	refused("unsupported ociVersion");
	write_config("{\"ociVersion\":\"1.0.0\"}");
	refused("root.path");
	write_config("{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"rootfs\"}}");
	refused("process property");
	write_config(
		"{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"rootfs\"},\"process\":{\"args\":[1],\"cwd\":\"/\"}}");
	refused("args");
	write_config(
		"{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"gone\"},\"process\":{\"args\":[\"x\"],\"cwd\":\"/\"}}");
	refused("invalid rootfs: stat");
	write_sound(",\"mounts\":[{\"type\":\"tmpfs\"}]", "");
	refused("no destination");
	write_sound(",\"mounts\":[{\"destination\":\"/x\",\"type\":\"bind\",\"source\":\"/no/such\","
		    "\"options\":[\"bind\"]}]",
		    "");
	refused("mount source /no/such");
	write_sound("", "\"devices\":[{\"path\":\"/dev/sda\",\"type\":\"b\"}]");
	refused("/dev/sda");
	snprintf(path, sizeof(path), "%s/link", dir);
	assert_int_equal(symlink("rootfs", path), 0);
	write_config(
		"{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"link\"},\"process\":{\"args\":[\"x\"],\"cwd\":\"/\"}}");
	refused("or a symlink");
	write_config(
		"{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"/\"},\"process\":{\"args\":[\"x\"],\"cwd\":\"/\"}}");
	refused("host's own root");
	/* not dropped in silence, whatever else is allowed */
	write_sound(
		"",
		"\"devices\":[{\"path\":\"/dev/ff\",\"type\":\"p\"}],\"resources\":{\"devices\":[{\"allow\":true}]},"
		"\"uidMappings\":[{\"containerID\":0,\"hostID\":1000,\"size\":10}],"
		"\"gidMappings\":[{\"containerID\":0,\"hostID\":1000,\"size\":10}],"
		"\"namespaces\":[{\"type\":\"user\"}]");
	refused("FIFO /dev/ff");
}

/* As runc refuses them. */
static void test_nonsense(void **state)
{
	static const struct {
		const char *more, *linux_, *words;
	} cases[] = {
		{ ",\"hooks\":[]", "", "hooks must be an object" },
		{ ",\"hooks\":{\"prestart\":[{\"path\":\"/bin/true\",\"timeout\":-1}]}", "",
		  "prestart hook #0: timeout" },
		{ ",\"annotations\":{\"a\":1}", "", "annotations must be text" },
		{ ",\"mounts\":{}", "", "mounts must be a list" },
		{ ",\"mounts\":[{\"destination\":\"/proc/sys\",\"type\":\"tmpfs\"}]", "", "it is inside /proc" },
		{ ",\"mounts\":[{\"destination\":\"//proc//uptime/x\",\"type\":\"tmpfs\"}]", "", "it is inside /proc" },
		{ ",\"mounts\":[{\"destination\":\"/mnt\",\"type\":\"bind\",\"source\":\"/tmp\",\"options\":[\"ro\"]}]",
		  "", "error mounting \"/tmp\" to rootfs at \"/mnt\": no such device" },
		{ ",\"mounts\":[{\"destination\":\"proc/\",\"type\":\"bind\",\"source\":\"/"
		  "tmp\",\"options\":[\"bind\"]}]",
		  "", "is not of type proc" },
		{ "", "\"rootfsPropagation\":\"foo\"", "rootfsPropagation=foo is not supported" },
		{ "", "\"rootfsPropagation\":\"runbindable\"", "rootfsPropagation=runbindable is not supported" },
		{ "", "\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"ipc\"},{\"type\":\"pid\"}]",
		  "duplicated ns \"pid\"" },
		{ "", "\"resources\":{\"memory\":{\"swap\":67108864}}", "swap limit without memory limit" },
		{ "", "\"resources\":{\"memory\":{\"limit\":-1,\"swap\":67108864}}",
		  "swap limit without memory limit" },
		{ "", "\"intelRdt\":{\"l3CacheSchema\":\"L3:0=f\"}", "Intel RDT is not supported" },
		{ "", "\"maskedPaths\":[\"/x\"]", "without a private MNT namespace" },
		{ "", "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_FOO\"]}",
		  "string SCMP_ARCH_FOO is not a valid arch" },
		{ "", "\"resources\":{\"memory\":{\"limit\":-5}}", "memory limit -5" },
		{ "", "\"resources\":{\"memory\":{\"limit\":\"64m\"}}", "memory.limit must be a whole number" },
		{ "", "\"resources\":{\"memory\":{\"limit\":67108864,\"swap\":1000}}", "memory+swap limit" },
		{ "", "\"resources\":{\"memory\":{\"swappiness\":200}}", "swappiness value: 200" },
		{ "", "\"resources\":{\"pids\":{\"limit\":\"x\"}}", "pids.limit must be a whole number" },
		{ "", "\"resources\":{\"devices\":[{\"allow\":true,\"type\":\"z\"}]}", "device type \"z\"" },
	};
	static const char *const processes[][2] = {
		{ "\"env\":[\"FOO\"]", "invalid environment variable: \"FOO\"" },
		{ "\"env\":[\"=x\"]", "name can't be empty" },
		{ "\"env\":\"x\"", "env must be a list" },
		{ "\"terminal\":\"x\"", "process.terminal must be true or false" },
		{ "\"user\":{\"uid\":\"x\"}", "process.user.uid must be a whole number" },
		{ "\"user\":{\"uid\":4294967295}", "uids and gids must be in range" },
		{ "\"user\":{\"gid\":-1}", "uids and gids must be in range" },
		{ "\"user\":{\"additionalGids\":[5,4294967296]}", "uids and gids must be in range" },
		{ "\"user\":{\"additionalGids\":[\"5\"]}", "uids and gids must be in range" },
	};
	char text[512];
	size_t i;

	(void)state;
	for (i = 0; i < SK_ARRAY_SIZE(cases); i++) {
		write_sound(cases[i].more, cases[i].linux_);
		refused(cases[i].words);
	}
	for (i = 0; i < SK_ARRAY_SIZE(processes); i++) {
		snprintf(text, sizeof(text),
			 "{\"ociVersion\":\"1.0.2\",\"process\":{\"args\":[\"sh\"],\"cwd\":\"/\",%s},"
			 "\"root\":{\"path\":\"rootfs\"}}",
			 processes[i][0]);
		write_config(text);
		refused(processes[i][1]);
	}
}

static void test_network(void **state)
{
	struct sk_error err = SK_ERROR_INIT;
	json_t *vm;

	(void)state;
	write_sound("", "");
	vm = load_vm(&err);
	assert_string_equal(json_string_value(json_object_get(json_object_get(vm, "network"), "mode")), "slirp");
	json_decref(vm);
	write_sound(",\"hooks\":{\"prestart\":[{\"path\":\"/bin/true\"}]}", "\"namespaces\":[{\"type\":\"network\"}]");
	vm = load_vm(&err);
	assert_string_equal(json_string_value(json_object_get(json_object_get(vm, "network"), "mode")), "netns");
	assert_true(json_is_true(json_object_get(json_object_get(vm, "network"), "wait")));
	/* Hooks of the host do not reach the guest. */
	assert_null(json_object_get(json_object_get(vm, "spec"), "hooks"));
	json_decref(vm);
}

/* The sysctl of ping's sockets in the guest's spec; NULL: none. */
static void check_ping(const char *linux_, const char *want)
{
	struct sk_error err = SK_ERROR_INIT;
	json_t *vm, *spec;
	const char *got;

	write_sound("", linux_);
	vm = load_vm(&err);
	assert_non_null(vm);
	spec = json_object_get(vm, "spec");
	got = json_string_value(json_object_get(json_object_get(json_object_get(spec, "linux"), "sysctl"),
						"net.ipv4.ping_group_range"));
	if (want)
		assert_string_equal(got, want);
	else
		assert_null(got);
	json_decref(vm);
}

static void test_user_namespace(void **state)
{
#define MAP "\"uidMappings\":[{\"containerID\":0,\"hostID\":100000,\"size\":65536}],"
	(void)state;
	check_ping("\"namespaces\":[{\"type\":\"network\"}]", NULL);
	check_ping(MAP "\"namespaces\":[{\"type\":\"user\"}]", NULL);
	check_ping(MAP "\"namespaces\":[{\"type\":\"user\"},{\"type\":\"network\"}]", "0 2147483647");
	check_ping(MAP "\"sysctl\":{\"net.ipv4.ping_group_range\":\"1 0\"},\"namespaces\":[{\"type\":\"network\"}]",
		   "1 0");
}

static void test_mounts_and_devices(void **state)
{
	struct sk_error err = SK_ERROR_INIT;
	char more[512];
	json_t *vm, *share;

	(void)state;
	snprintf(more, sizeof(more),
		 ",\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
		 "{\"destination\":\"/data\",\"type\":\"bind\",\"source\":\"%s\",\"options\":[\"rbind\",\"ro\"]},"
		 "{\"destination\":\"/one\",\"source\":\"config.json\",\"options\":[\"bind\"]},"
		 "{\"destination\":\"/dev/null\",\"type\":\"bind\",\"source\":\"/dev/null\",\"options\":[\"bind\"]},"
		 "{\"destination\":\"/proc/cpuinfo\",\"source\":\"config.json\",\"options\":[\"bind\"]}]",
		 dir);
	write_sound(more, "\"devices\":[{\"path\":\"/dev/sda\",\"type\":\"b\",\"major\":8,\"minor\":0},"
			  "{\"path\":\"/dev/other\",\"type\":\"c\",\"major\":10,\"minor\":229},"
			  "{\"path\":\"/dev/pipe\",\"type\":\"p\"}],"
			  "\"resources\":{\"devices\":[{\"allow\":true,\"access\":\"rwm\"}],\"cpu\":{\"cpus\":\"0-7\","
			  "\"shares\":5}}");
	vm = load_vm(&err);
	assert_non_null(vm);
	assert_int_equal(json_array_size(json_object_get(vm, "mounts")), 3);
	share = json_array_get(json_object_get(vm, "mounts"), 0);
	assert_string_equal(json_string_value(json_object_get(share, "path")), dir);
	assert_true(json_is_true(json_object_get(share, "readonly")));
	share = json_array_get(json_object_get(vm, "mounts"), 1);
	assert_string_equal(json_string_value(json_object_get(share, "file")), "config.json");
	assert_int_equal(json_array_size(json_object_get(json_object_get(vm, "spec"), "mounts")), 2);
	/* Privileged: what the guest has not is left out, not refused. */
	share = json_object_get(json_object_get(vm, "spec"), "linux");
	assert_int_equal(json_array_size(json_object_get(share, "devices")), 2);
	share = json_object_get(json_object_get(share, "resources"), "cpu");
	assert_null(json_object_get(share, "cpus"));
	assert_int_equal(json_integer_value(json_object_get(share, "shares")), 5);
	json_decref(vm);
}

/* As many processors as the quota can keep busy, and no more than the host has. */
static void check_cpus(const char *cpu, int want)
{
	int n = (int)sysconf(_SC_NPROCESSORS_ONLN);
	struct sk_error err = SK_ERROR_INIT;
	char resources[128];
	json_t *vm;

	snprintf(resources, sizeof(resources), "\"resources\":{\"cpu\":{%s}}", cpu);
	write_sound("", resources);
	vm = load_vm(&err);
	assert_non_null(vm);
	assert_int_equal(json_integer_value(json_object_get(vm, "cpus")), want < n ? want : n);
	json_decref(vm);
}

static void test_cpus(void **state)
{
	(void)state;
	check_cpus("", 1);
	check_cpus("\"quota\":-1,\"period\":100000", 1);
	check_cpus("\"quota\":50000,\"period\":100000", 1);
	check_cpus("\"quota\":200000,\"period\":100000", 2);
	check_cpus("\"quota\":150000", 2);
	check_cpus("\"quota\":20000,\"period\":10000", 2);
	check_cpus("\"quota\":9223372036854775807,\"period\":1000", 16);
}

static void test_memory(void **state)
{
	json_t *small = json_pack("{s:{s:i}}", "memory", "limit", 6 << 20),
	       *large = json_pack("{s:{s:I}}", "memory", "limit", (json_int_t)1 << 30),
	       *none = json_pack("{s:{s:I}}", "memory", "limit", INT64_MAX);

	(void)state;
	assert_int_equal(sk_oci_vm_memory(small), 128 << 20);
	/* the limit, 64 MiB for the guest's kernel, and 16 and a bit for its map of the pages */
	assert_in_range(sk_oci_vm_memory(large), (1ull << 30) + (80 << 20), (1ull << 30) + (84 << 20));
	assert_true(sk_oci_vm_memory(NULL) >= 128 << 20);
	assert_int_equal(sk_oci_vm_memory(none), sk_oci_vm_memory(NULL));
	json_decref(small);
	json_decref(large);
	json_decref(none);
}

static void device_rules(bool wanted)
{
	json_t *given = json_pack("{s:[{s:b,s:s}],s:{s:i},s:{s:i}}", "devices", "allow", 0, "access", "rwm", "pids",
				  "limit", 5, "blockIO", "weight", 100),
	       *kept = sk_oci_guest_resources(given);

	assert_int_equal(json_array_size(json_object_get(kept, "devices")), wanted);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(kept, "pids"), "limit")), 5);
	assert_null(json_object_get(kept, "blockIO"));
	json_decref(kept);
	json_decref(given);
}

/* The rules of devices hold in the guest, but not those of a plain user's engine, which runc cannot apply either. */
static void test_device_rules(void **state)
{
	bool root = geteuid() == 0 && !sk_in_user_namespace();

	(void)state;
	device_rules(root);
	if (root) {
		assert_int_equal(seteuid(65534), 0);
		device_rules(false);
		assert_int_equal(seteuid(0), 0);
	}
}

/* The limit of swap that the guest is told, or 0. */
static json_int_t guest_swap(json_int_t limit, json_int_t swap)
{
	json_t *given = json_pack("{s:{s:I,s:I,s:i}}", "memory", "limit", limit, "swap", swap, "swappiness", 10), *kept,
	       *memory;
	json_int_t told;

	if (!limit)
		json_object_del(json_object_get(given, "memory"), "limit");
	kept = sk_oci_guest_resources(given);
	memory = json_object_get(kept, "memory");
	told = json_integer_value(json_object_get(memory, "swap"));
	assert_int_equal(json_integer_value(json_object_get(memory, "limit")), limit);
	assert_null(json_object_get(memory, "swappiness"));
	json_decref(kept);
	json_decref(given);
	return told;
}

/* The guest has control groups of version 2, where swap is limited by itself: it is told what that can express. */
static void test_guest_swap(void **state)
{
	(void)state;
	assert_int_equal(guest_swap(64 << 20, 128 << 20), 128 << 20);
	assert_int_equal(guest_swap(64 << 20, 64 << 20), 64 << 20);
	assert_int_equal(guest_swap(64 << 20, -1), -1);
	assert_int_equal(guest_swap(-1, -1), -1);
	assert_int_equal(guest_swap(0, -1), -1);
	assert_int_equal(guest_swap(64 << 20, 0), 0);
	assert_int_equal(guest_swap(0, 128 << 20), 0);
	assert_int_equal(guest_swap(-1, 128 << 20), 0);
}

static void stats_limit(const char *text, json_int_t wanted)
{
	json_t *paths = json_pack("[s]", dir), *stats;
	char path[96];

	snprintf(path, sizeof(path), "%s/memory.max", dir);
	assert_int_equal(sk_fs_write_atomic(AT_FDCWD, path, text, strlen(text), 0644, 0), 0);
	stats = sk_oci_cgroups_stats(paths);
	assert_int_equal(json_integer_value(
				 json_object_get(json_object_get(json_object_get(stats, "memory"), "usage"), "limit")),
			 wanted);
	json_decref(stats);
	json_decref(paths);
}

/* Version 2 says "max" where there is no limit: that is not a limit of 0. */
static void test_stats_limit(void **state)
{
	(void)state;
	stats_limit("67108864\n", 67108864);
	stats_limit("max\n", INT64_MAX);
}

static void test_start_errors(void **state)
{
	json_t *process = json_pack("{s:[s]}", "args", "prog"), *path = json_pack("{s:[s]}", "args", "/a/prog");
	struct sk_error err = { EIO, "exec: \"prog\": inner" };

	(void)state;
	sk_oci_start_error(&err, 127, process, "exec failed");
	assert_string_equal(
		err.message,
		"exec failed: unable to start container process: exec: \"prog\": executable file not found in $PATH");
	sk_error_set(&err, EIO, "exec: \"/a/prog\": inner");
	sk_oci_start_error(&err, 127, path, "exec failed");
	assert_non_null(strstr(err.message, "stat /a/prog: no such file or directory"));
	sk_error_set(&err, EIO, "exec: \"/a/prog\": inner");
	sk_oci_start_error(&err, 126, path, "exec failed");
	assert_non_null(strstr(err.message, "permission denied"));
	/* Something else is missing in the guest. */
	sk_error_set(&err, ENOENT, "mount `x` to `y`: no such file or directory");
	sk_oci_start_error(&err, 127, process, "exec failed");
	assert_string_equal(err.message, "exec failed: unable to start container process: error during container init: "
					 "mount `x` to `y`: no such file or directory");
	sk_error_set(&err, EIO, "inner");
	sk_oci_start_error(&err, 0, path, "exec failed");
	assert_string_equal(err.message, "exec failed: inner");
	json_decref(process);
	json_decref(path);
}

static void test_pod(void **state)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_oci_bundle b;
	json_t *vm, *mounts = NULL, *spec;

	(void)state;
	write_sound(",\"annotations\":{\"io.kubernetes.cri.container-type\":\"sandbox\","
		    "\"io.kubernetes.cri.sandbox-memory\":\"268435456\"},\"mounts\":[{\"destination\":\"/dev/shm\","
		    "\"type\":\"bind\",\"source\":\"/dev/shm\",\"options\":[\"rbind\"]}]",
		    "");
	vm = load_vm(&err);
	assert_non_null(vm);
	assert_in_range(json_integer_value(json_object_get(vm, "memory")), (256 + 32) << 20, (256 + 128) << 20);
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(json_object_get(vm, "mounts"), 0), "type")), "shm");
	json_decref(vm);

	write_sound(",\"annotations\":{\"io.kubernetes.cri-o.ContainerType\":\"container\","
		    "\"io.kubernetes.cri-o.SandboxID\":\"pod\"}",
		    "\"namespaces\":[{\"type\":\"ipc\",\"path\":\"/proc/1/ns/ipc\"}]");
	assert_int_equal(sk_oci_bundle_load(dir, &b, &err), 0);
	assert_false(b.sandbox);
	assert_string_equal(b.sandbox_id, "pod");
	spec = sk_oci_bundle_member(&b, &mounts, &err);
	assert_non_null(spec);
	assert_null(json_object_get(spec, "annotations"));
	json_decref(spec);
	json_decref(mounts);
	sk_oci_bundle_fini(&b);
}

static void namespaces(const char *type, const char *path, const char *words)
{
	struct sk_error err = SK_ERROR_INIT;
	json_t *spec = json_pack("{s:{s:[{s:s},{s:s,s:s?}]}}", "linux", "namespaces", "type", "mount", "type", type,
				 "path", path);
	struct sk_oci_bundle b = { .spec = spec };
	int r = sk_oci_namespaces_check(&b, &err);

	assert_int_equal(r == 0, !words);
	if (words && !strstr(err.message, words))
		fail_msg("\"%s\" is not in: %s", words, err.message);
	json_decref(spec);
}

static void sysctl(const char *name, bool has_netns, bool netns_of_host, const char *words)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_oci_bundle b = { .spec = json_pack("{s:{s:{s:s}}}", "linux", "sysctl", name, "1"),
				   .has_netns = has_netns,
				   .netns_of_host = netns_of_host };

	assert_int_equal(sk_oci_namespaces_check(&b, &err) == 0, !words);
	if (words)
		assert_string_equal(err.message, words);
	json_decref(b.spec);
}

static void test_sysctls(void **state)
{
	(void)state;
	sysctl("net.ipv4.ip_forward", true, false, NULL);
	sysctl("kernel.msgmax", false, false, NULL);
	sysctl("net.ipv4.ip_forward", false, false,
	       "sysctl \"net.ipv4.ip_forward\" not allowed in host network namespace");
	sysctl("net/ipv4/ip_forward", true, true,
	       "sysctl \"net/ipv4/ip_forward\" not allowed in host network namespace");
}

static void test_namespaces(void **state)
{
	(void)state;
	namespaces("uts", NULL, NULL);
	namespaces("uts", "", NULL);
	namespaces("uts", "/proc/self/ns/uts", NULL);
	namespaces("network", "/proc/self/ns/net", NULL);
	namespaces("mount", "/proc/self/ns/mnt", NULL);
	namespaces("mnt", NULL, "namespace {\"mnt\" \"\"} does not exist");
	namespaces("ipc", "/proc/self/ns/mnt", "failed to setns into ipc namespace");
	namespaces("ipc", "/dev/null", "not a namespace");
	namespaces("ipc", "/no/such", "lstat /no/such: no such file or directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_broken, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_nonsense, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_network, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_user_namespace, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_mounts_and_devices, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_pod, make_dir, remove_dir),
		cmocka_unit_test(test_namespaces),
		cmocka_unit_test(test_sysctls),
		cmocka_unit_test_setup_teardown(test_cpus, make_dir, remove_dir),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_device_rules),
		cmocka_unit_test(test_guest_swap),
		cmocka_unit_test_setup_teardown(test_stats_limit, make_dir, remove_dir),
		cmocka_unit_test(test_start_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
