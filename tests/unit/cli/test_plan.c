/* SPDX-License-Identifier: Apache-2.0 */
/* From a command line and an image's config to the OCI configuration, the inspect object and vm.json. */
#include "../sk_test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/jx.h"
#include "cli/runopts.h"
#include "model/path.h"
#include "model/plan.h"
#include "vm/config.h"

static const char image_config[] =
	"{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Env\":[\"PATH=/"
	"bin\",\"A=image\"],\"Entrypoint\":[\"/entry\"],"
	"\"Cmd\":[\"serve\",\"-x\"],\"User\":\"www\",\"WorkingDir\":\"/srv/"
	"\",\"StopSignal\":\"SIGQUIT\",\"Volumes\":{\"/data\":{}},"
	"\"ExposedPorts\":{\"80/tcp\":{}},\"Labels\":{\"from\":\"image\",\"both\":\"image\"}}}";

static char *layers[] = { (char *)(uintptr_t) "/l0.squashfs", (char *)(uintptr_t) "/l1.squashfs" };
static uint64_t sizes[] = { 4096, 12288 };
static struct sk_image image;
static struct sk_run_opts opts;
static struct sk_plan plan;
static struct sk_error err;
static const char *argv[32];
static json_t *spec, *config, *vm;

static int setup(void **state)
{
	(void)state;
	image = (struct sk_image){
		.id = (char *)(uintptr_t) "sha256:1234", .layers = layers, .layer_sizes = sizes, .n_layers = 2
	};
	image.config = json_loads(image_config, 0, NULL);
	assert_non_null(image.config);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	json_decref(image.config);
	return 0;
}

static void drop(void)
{
	json_decref(spec);
	json_decref(config);
	json_decref(vm);
	spec = config = vm = NULL;
	sk_plan_fini(&plan);
	sk_opt_fini(sk_run_opts, &opts);
}

/* The options and arguments of a `run`, the image's name among them. */
static int make(int argc)
{
	struct sk_opt_result parsed;
	int r;

	drop();
	err = (struct sk_error)SK_ERROR_INIT;
	opts = (struct sk_run_opts){ 0 };
	sk_run_opts_defaults(&opts);
	r = sk_opt_parse(sk_run_opts, &sk_flag_dialect, &opts, true, argc, (char **)(uintptr_t)argv, &parsed, &err);
	if (r == 0)
		r = sk_plan_init(&plan, &opts, &image, argv[0], (char **)(uintptr_t)argv + 1, parsed.n_args - 1, &err);
	if (r < 0)
		return r;
	strcpy(plan.name, "web");
	sk_ports_copy(&plan.ports, &plan.given);
	assert_int_equal(sk_ports_assign(&plan.given, &err), 0);
	spec = sk_plan_spec(&plan);
	config = sk_plan_inspect(&plan, "2026-11-23T10:00:00.000000000Z");
	vm = sk_plan_vm(&plan, config);
	return 0;
}

#define RUN(...)                                                                                 \
	(memcpy(argv, (const char *[]){ __VA_ARGS__ }, sizeof((const char *[]){ __VA_ARGS__ })), \
	 make((int)(sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *))))

/* A list of strings, joined by spaces. */
static const char *joined(const json_t *list)
{
	static char buf[1024];
	json_t *v;
	size_t i;

	buf[0] = '\0';
	json_array_foreach(list, i, v)
	{
		strcat(buf, i ? " " : "");
		strncat(buf, json_string_value(v), 200);
	}
	return buf;
}

static bool list_has(const json_t *list, const char *s)
{
	json_t *v;
	size_t i;

	json_array_foreach(list, i, v) if (strcmp(json_string_value(v), s) == 0) return true;
	return false;
}

static const json_t *mount_at(const char *destination)
{
	json_t *m;
	size_t i;

	json_array_foreach(json_object_get(spec, "mounts"), i,
			   m) if (strcmp(sk_jx_get_str(m, "destination", ""), destination) == 0) return m;
	return NULL;
}

static void test_image_defaults(void **state)
{
	json_t *env;

	(void)state;
	assert_int_equal(RUN("img"), 0);
	assert_string_equal(joined(sk_jx_at(spec, "process.args")), "/entry serve -x");
	env = sk_jx_at(spec, "process.env");
	assert_string_equal(json_string_value(json_array_get(env, 0)), "PATH=/bin");
	assert_true(list_has(env, "A=image"));
	assert_false(list_has(env, "TERM=xterm"));
	assert_string_equal(sk_jx_get_str(spec, "process.cwd", ""), "/srv");
	assert_int_equal(json_array_size(sk_jx_at(spec, "process.capabilities.bounding")), 14);
	assert_false(sk_jx_get_bool(spec, "process.terminal", true));
	assert_int_equal(json_array_size(sk_jx_at(spec, "linux.namespaces")), 5);
	assert_non_null(sk_jx_at(spec, "linux.seccomp"));
	assert_true(list_has(sk_jx_at(spec, "linux.readonlyPaths"), "/proc/sys"));
	assert_true(list_has(json_object_get(mount_at("/sys"), "options"), "ro"));
	assert_true(list_has(json_object_get(mount_at("/dev/shm"), "options"), "size=67108864"));
	assert_null(sk_jx_at(spec, "linux.resources.memory"));
	assert_string_equal(sk_jx_get_str(vm, "user", ""), "www");
	assert_int_equal(sk_jx_get_int(vm, "stop_signal", 0), 3);
	assert_int_equal(sk_jx_get_int(vm, "cpus", 0), 1);
	assert_int_equal(sk_jx_get_int(vm, "memory", 0), (int64_t)SK_DEFAULT_VM_MEMORY);
	assert_string_equal(sk_jx_get_str(config, "Config.StopSignal", ""), "SIGQUIT");
	assert_string_equal(sk_jx_get_str(config, "Path", ""), "/entry");
	assert_string_equal(joined(json_object_get(config, "Args")), "serve -x");
	assert_string_equal(sk_jx_get_str(config, "Name", ""), "/web");
	assert_non_null(json_object_get(sk_jx_at(config, "Config.Volumes"), "/data"));
	assert_non_null(json_object_get(sk_jx_at(config, "Config.ExposedPorts"), "80/tcp"));
	assert_true(json_is_null(json_object_get(sk_jx_at(config, "NetworkSettings.Ports"), "80/tcp")));
	assert_int_equal(strlen(sk_jx_get_str(config, "Config.Hostname", "")), 12);
}

/* A hostile image: nothing is compared or made for it by the hundred thousand. */
static void test_image_bounds(void **state)
{
	json_t *of = json_object_get(image.config, "config"), *keep = json_deep_copy(of), *env = json_array(),
	       *volumes = json_object(), *ports = json_object();
	char name[32];
	int i;

	(void)state;
	for (i = 0; i < 200000; i++) {
		snprintf(name, sizeof(name), "a%d=", i);
		json_array_append_new(env, json_string(name));
	}
	json_object_set_new(of, "Env", env);
	assert_int_equal(RUN("img"), -E2BIG);
	assert_non_null(strstr(err.message, "200000 variables"));
	json_object_update(of, keep);
	for (i = 0; i < 1025; i++) {
		snprintf(name, sizeof(name), "/v%d", i);
		json_object_set_new(volumes, name, json_object());
	}
	json_object_set_new(of, "Volumes", volumes);
	assert_int_equal(RUN("img"), -E2BIG);
	assert_non_null(strstr(err.message, "1025 volumes"));
	json_object_update(of, keep);
	for (i = 0; i < 70000; i++) {
		snprintf(name, sizeof(name), "%d/%s", i % 65535 + 1, i < 65535 ? "tcp" : "udp");
		json_object_set_new(ports, name, json_object());
	}
	json_object_set_new(of, "ExposedPorts", ports);
	assert_int_equal(RUN("img"), -E2BIG);
	assert_non_null(strstr(err.message, "70000 ports"));
	json_object_update(of, keep);
	json_decref(keep);
	assert_int_equal(RUN("img"), 0);
}

/* The monitor's own parser takes what we write. */
static void test_vm_json(void **state)
{
	struct sk_vm_config c;

	(void)state;
	assert_int_equal(RUN("-d", "-p", "127.0.0.1:18080:80", "-m", "256m", "--cpus", "1.5", "--restart",
			     "on-failure:3", "--log-opt", "max-size=1m", "--log-opt", "max-file=2", "--mac-address",
			     "02:00:00:00:00:01", "-i", "img"),
			 0);
	assert_int_equal(sk_vm_config_init(&c, vm, &err), 0);
	assert_string_equal(c.id, plan.id);
	assert_int_equal(c.cpus, 2);
	assert_int_equal(c.memory, 325 << 20); /* the limit, 64 MiB for the kernel, and its map of the pages */
	assert_int_equal(c.n_layers, 2);
	assert_int_equal(c.layers[1].size, 12288);
	assert_int_equal(c.network.n_forwards, 1);
	assert_int_equal(c.forwards[0].host_port, 18080);
	assert_int_equal(c.restart, SK_RESTART_ON_FAILURE);
	assert_int_equal(c.restart_max, 3);
	assert_int_equal(c.log_max_size, 1 << 20);
	assert_int_equal(c.log_max_file, 2);
	assert_int_equal(c.network.mac[5], 1);
	assert_true(c.stdin_open && !c.stdin_once && !c.auto_remove && c.network.mode == SK_NETWORK_SLIRP);
	assert_int_equal(json_array_size(c.files), 3);
	assert_int_equal(sk_jx_get_int(spec, "linux.resources.memory.limit", 0), 256 << 20);
	assert_int_equal(sk_jx_get_int(spec, "linux.resources.cpu.quota", 0), 150000);
	assert_int_equal(sk_jx_get_int(config, "HostConfig.NanoCpus", 0), 1500000000);
	assert_string_equal(sk_jx_get_str(config, "HostConfig.RestartPolicy.Name", ""), "on-failure");
	sk_vm_config_fini(&c);
}

/* config.json owns what both files say: vm.json follows. */
static void test_vm_json_follows(void **state)
{
	json_t *restart = json_pack("{s:s,s:i}", "Name", "on-failure", "MaximumRetryCount", 7);
	struct sk_vm_config c;

	(void)state;
	assert_int_equal(RUN("--rm", "img"), 0);
	assert_true(json_is_true(json_object_get(vm, "auto_remove")));
	json_decref(vm);
	json_object_set_new(json_object_get(config, "HostConfig"), "AutoRemove", json_false());
	json_object_set_new(json_object_get(config, "HostConfig"), "RestartPolicy", restart);
	vm = sk_plan_vm(&plan, config);
	assert_int_equal(sk_vm_config_init(&c, vm, &err), 0);
	assert_true(!c.auto_remove && c.restart == SK_RESTART_ON_FAILURE && c.restart_max == 7);
	assert_null(json_object_get(vm, "volumes"));
	sk_vm_config_fini(&c);
}

static void test_command_line(void **state)
{
	(void)state;
	assert_int_equal(RUN("img", "other", "arg"), 0);
	assert_string_equal(joined(sk_jx_at(spec, "process.args")), "/entry other arg");
	assert_int_equal(RUN("--entrypoint", "/bin/sh", "img"), 0);
	assert_string_equal(joined(sk_jx_at(spec, "process.args")), "/bin/sh");
	assert_int_equal(RUN("--entrypoint", "", "img", "ls"), 0);
	assert_string_equal(joined(sk_jx_at(spec, "process.args")), "ls");
	assert_int_equal(RUN("--entrypoint", "", "img"), -EINVAL);
	assert_non_null(strstr(err.message, "no command specified"));
	assert_int_equal(RUN("-it", "-e", "A=mine", "-e", "PATH", "-w", "/x//y/", "-u", "1:2", "-h", "box",
			     "--domainname", "lan", "-l", "both=mine", "-l", "bare", "img"),
			 0);
	assert_true(list_has(sk_jx_at(spec, "process.env"), "A=mine"));
	assert_true(list_has(sk_jx_at(spec, "process.env"), "TERM=xterm"));
	assert_true(list_has(sk_jx_at(spec, "process.env"), "HOSTNAME=box"));
	assert_string_equal(sk_jx_get_str(spec, "process.cwd", ""), "/x/y");
	assert_string_equal(sk_jx_get_str(vm, "user", ""), "1:2");
	assert_string_equal(sk_jx_get_str(spec, "hostname", ""), "box");
	assert_string_equal(sk_jx_get_str(spec, "domainname", ""), "lan");
	assert_true(sk_jx_get_bool(vm, "terminal", false) && sk_jx_get_bool(vm, "stdin_once", false));
	assert_string_equal(sk_jx_get_str(config, "Config.Labels.both", ""), "mine");
	assert_string_equal(sk_jx_get_str(config, "Config.Labels.from", ""), "image");
	assert_string_equal(sk_jx_get_str(config, "Config.Labels.bare", "?"), "");
	assert_string_equal(sk_jx_get_str(vm, "attributes.name", ""), "web");
	assert_string_equal(sk_jx_get_str(vm, "attributes.image", ""), "img");
}

static void test_security(void **state)
{
	(void)state;
	assert_int_equal(RUN("--privileged", "img"), 0);
	assert_null(sk_jx_at(spec, "linux.seccomp"));
	assert_null(sk_jx_at(spec, "linux.maskedPaths"));
	assert_false(list_has(json_object_get(mount_at("/sys"), "options"), "ro"));
	assert_int_equal(json_array_size(sk_jx_at(spec, "process.capabilities.effective")), 41);
	assert_true(sk_jx_get_bool(json_array_get(sk_jx_at(spec, "linux.resources.devices"), 0), "allow", false));
	assert_int_equal(RUN("--security-opt", "seccomp=unconfined", "--security-opt", "no-new-privileges",
			     "--read-only", "--init", "img"),
			 0);
	assert_null(sk_jx_at(spec, "linux.seccomp"));
	assert_true(sk_jx_get_bool(spec, "process.noNewPrivileges", false) &&
		    sk_jx_get_bool(spec, "root.readonly", false));
	assert_true(sk_jx_get_bool(vm, "init", false) && sk_jx_get_bool(vm, "rootfs.readonly", false));
	assert_int_equal(RUN("--security-opt", "bogus=1", "img"), -EINVAL);
	assert_int_equal(RUN("--security-opt", "seccomp=/nonexistent", "img"), -ENOENT);
	assert_int_equal(RUN("--cap-add", "BOGUS", "img"), -EINVAL);
}

static void test_limits(void **state)
{
	(void)state;
	assert_int_equal(RUN("--ulimit", "nofile=5:6", "--ulimit", "core=-1", "--pids-limit", "50", "--shm-size", "1g",
			     "--tmpfs", "/t:size=1m,exec", "--sysctl", "net.core.somaxconn=9", "--group-add", "7", "-u",
			     "1:2", "--oom-score-adj", "-5", "img"),
			 0);
	assert_int_equal(json_array_size(sk_jx_at(spec, "process.rlimits")), 2);
	assert_int_equal(sk_jx_get_int(json_array_get(sk_jx_at(spec, "process.rlimits"), 1), "hard", 0), -1);
	assert_int_equal(sk_jx_get_int(spec, "linux.resources.pids.limit", 0), 50);
	assert_true(list_has(json_object_get(mount_at("/dev/shm"), "options"), "size=1073741824"));
	assert_true(list_has(json_object_get(mount_at("/t"), "options"), "exec"));
	assert_true(list_has(json_object_get(mount_at("/t"), "options"), "nosuid"));
	assert_false(list_has(json_object_get(mount_at("/t"), "options"), "noexec"));
	assert_string_equal(json_string_value(json_object_get(sk_jx_at(spec, "linux.sysctl"), "net.core.somaxconn")),
			    "9");
	assert_string_equal(json_string_value(json_array_get(json_object_get(vm, "groups"), 0)), "7");
	assert_string_equal(sk_jx_get_str(vm, "user", "?"), "1:2");
	assert_string_equal(sk_jx_get_str(config, "Config.User", ""), "1:2");
	assert_int_equal(sk_jx_get_int(spec, "process.oomScoreAdj", 0), -5);
	assert_int_equal(RUN("--group-add", "audio", "--group-add", "7", "img"), 0);
	assert_int_equal(json_array_size(json_object_get(vm, "groups")), 2);
	assert_int_equal(RUN("--group-add", "a:b", "img"), -EINVAL);
	assert_int_equal(RUN("-m", "16m", "img"), 0);
	assert_int_equal(sk_jx_get_int(vm, "memory", 0), (int64_t)SK_MIN_VM_MEMORY);
	assert_int_equal(RUN("-m", "1m", "img"), -EINVAL);
	assert_int_equal(RUN("-m", "50m", "--memory-reservation", "100m", "img"), -EINVAL);
	assert_int_equal(RUN("-m", "50m", "--memory-reservation", "50m", "img"), 0);
	assert_int_equal(RUN("--cpu-shares", "-1", "img"), -EINVAL);
	assert_int_equal(RUN("--cpus", "2", "img"), 0);
	assert_null(sk_jx_at(spec, "linux.resources.cpu"));
	assert_int_equal(RUN("--cpus", "999", "img"), -EINVAL);
	assert_int_equal(RUN("--rm", "--restart", "always", "img"), -EINVAL);
	assert_int_equal(RUN("--storage-size", "1", "img"), -EINVAL);
}

static void test_network_and_mounts(void **state)
{
	char *full;

	(void)state;
	assert_int_equal(RUN("--network", "none", "-p", "80:80", "img"), 0);
	assert_true(json_is_null(json_object_get(vm, "network")));
	assert_string_equal(sk_jx_get_str(config, "HostConfig.NetworkMode", ""), "none");
	assert_int_equal(RUN("-P", "img"), 0);
	/* on all addresses; the second one is IPv6's, where the host has it */
	assert_in_range(json_array_size(sk_jx_at(vm, "network.forwards")), 1, 2);
	assert_string_equal(sk_jx_get_str(json_array_get(sk_jx_at(vm, "network.forwards"), 1), "host_ip", "::"), "::");
	assert_true(sk_jx_get_int(json_array_get(sk_jx_at(vm, "network.forwards"), 0), "host_port", 0) > 0);
	assert_int_equal(RUN("--network", "host", "img"), -EINVAL);
	assert_non_null(strstr(err.message, "host.skerry.internal"));
	assert_int_equal(RUN("--add-host", "db:1.2.3.4", "--dns", "9.9.9.9", "img"), 0);
	assert_non_null(
		strstr(sk_jx_get_str(json_array_get(json_object_get(vm, "files"), 0), "data", ""), "1.2.3.4\tdb"));
	assert_non_null(strstr(sk_jx_get_str(json_array_get(json_object_get(vm, "files"), 1), "data", ""),
			       "nameserver 9.9.9.9"));
	assert_int_equal(RUN("-v", "/x:/y:ro", "-v", "vol:/z", "img"), 0);
	assert_int_equal(plan.mounts.n, 3); /* and the image's own */
	assert_string_equal(plan.mounts.v[2].target, "/data");
	assert_null(plan.mounts.v[2].source);
	full = sk_model_path_absolute("/x");
	assert_string_equal(sk_jx_get_str(json_array_get(json_object_get(config, "Mounts"), 0), "Source", ""), full);
	free(full);
	assert_int_equal(RUN("--mount", "src=vol,dst=/y,volume-subpath=a", "img"), 0);
	assert_int_equal(RUN("--mount", "dst=/y,volume-subpath=a", "img"), -EINVAL);
	assert_int_equal(RUN("--mount", "src=vol,dst=/y,volume-subpath=/a", "img"), -EINVAL);
	assert_int_equal(RUN("--tmpfs", "/a", "--mount", "type=tmpfs,target=/a", "img"), -EINVAL);
	drop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_image_defaults), cmocka_unit_test(test_image_bounds),
		cmocka_unit_test(test_vm_json),	       cmocka_unit_test(test_vm_json_follows),
		cmocka_unit_test(test_command_line),   cmocka_unit_test(test_security),
		cmocka_unit_test(test_limits),	       cmocka_unit_test(test_network_and_mounts),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
