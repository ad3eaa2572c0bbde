/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a machine's PID 1 that need no machine: command lines, the look at a disk, the kept log. */
#include "../sk_test.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "disks.h"
#include "foreign.h"
#include "machine.h"

#define MIB (UINT64_C(1) << 20)

static int parse(struct sk_machine_options *o, struct sk_error *err, const char *const *words)
{
	static char *argv[16];
	int argc = 0;

	argv[argc++] = (char *)(uintptr_t) "/sbin/skerry-machine";
	for (; *words; words++)
		argv[argc++] = (char *)(uintptr_t)*words;
	argv[argc] = NULL;
	return sk_machine_options(o, argc, argv, err);
}

static void test_options(void **state)
{
	const char *const none[] = { NULL };
	const char *const all[] = { "--engine", "podman", "--data",	      "/dev/vdb",
				    "--debug",	"--",	  "--log-level=info", NULL };
	const char *const bad_engine[] = { "--engine", "rkt", NULL }, *const bad_word[] = { "--debug", "dockerd",
											    NULL };
	const char *const bad_option[] = { "--nonsense", NULL };
	struct sk_machine_options o;
	struct sk_error err = SK_ERROR_INIT;

	(void)state;
	assert_int_equal(parse(&o, &err, none), 0);
	assert_null(o.engine);
	assert_string_equal(o.data, "serial:skerry-data");
	assert_null(o.extra[0]);
	assert_int_equal(parse(&o, &err, all), 0);
	assert_string_equal(o.engine->name, "podman");
	assert_string_equal(o.data, "/dev/vdb");
	assert_true(o.debug);
	assert_string_equal(o.extra[0], "--log-level=info");
	assert_int_equal(parse(&o, &err, bad_engine), -EINVAL);
	assert_non_null(strstr(err.message, "rkt"));
	assert_int_equal(parse(&o, &err, bad_word), -EINVAL);
	assert_int_equal(parse(&o, &err, bad_option), -EINVAL);
}

static bool has_all(const char *name)
{
	(void)name;
	return true;
}

static bool has_podman(const char *name)
{
	return strcmp(name, "podman") == 0;
}

static bool has_containerd(const char *name)
{
	return strcmp(name, "containerd") == 0;
}

static bool has_none(const char *name)
{
	(void)name;
	return false;
}

/* The path that `link` leads to. */
static const char *link_of(const struct sk_machine_engine *engine, const char *link)
{
	const char *const *p;

	for (p = engine->links; *p; p += 2)
		if (strcmp(p[0], link) == 0)
			return p[1];
	return NULL;
}

static void test_engine_of_image(void **state)
{
	const struct sk_machine_engine *engine = sk_machine_engine_of(has_all);

	(void)state;
	assert_string_equal(engine->name, "docker");
	assert_string_equal(link_of(engine, "/run/docker.sock"), "engine/docker.sock");
	engine = sk_machine_engine_of(has_podman);
	assert_string_equal(engine->name, "podman");
	assert_string_equal(link_of(engine, "/run/docker.sock"), "podman/podman.sock");
	engine = sk_machine_engine_of(has_containerd);
	assert_string_equal(engine->name, "containerd");
	assert_string_equal(link_of(engine, "/run/docker.sock"), "containerd/containerd.sock");
	assert_null(sk_machine_engine_of(has_none));
}

static bool has(const char **argv, const char *word)
{
	for (; *argv; argv++)
		if (strcmp(*argv, word) == 0)
			return true;
	return false;
}

static void test_command_lines(void **state)
{
	const char *const words[] = { "--engine", "docker", "--host-gateway-ip", "10.0.2.2",
				      "--debug",  "--",	    "--mtu=1400",	 NULL };
	const char *argv[SK_MACHINE_ARGS_MAX];
	struct sk_machine_options o;
	struct sk_error err = SK_ERROR_INIT;

	(void)state;
	assert_int_equal(parse(&o, &err, words), 0);
	assert_int_equal(sk_machine_argv(&o, &o.engine->processes[0], "/p", argv, &err), 0);
	assert_string_equal(argv[0], "containerd");
	assert_false(has(argv, "--mtu=1400"));
	assert_int_equal(sk_machine_argv(&o, &o.engine->processes[1], "/p", argv, &err), 0);
	assert_string_equal(argv[0], "dockerd");
	assert_true(has(argv, "--mtu=1400") && has(argv, "/p") && has(argv, "10.0.2.2") && has(argv, "--debug"));
	/* without a forwarder dockerd must not look for docker-proxy, which the image does not have */
	assert_int_equal(sk_machine_argv(&o, &o.engine->processes[1], NULL, argv, &err), 0);
	assert_true(has(argv, "--userland-proxy=false"));
}

static void test_too_many_arguments(void **state)
{
	static char *extra[SK_MACHINE_ARGS_MAX + 1];
	const char *const docker[] = { "--engine", "docker", NULL };
	const char *argv[SK_MACHINE_ARGS_MAX];
	struct sk_machine_options o;
	struct sk_error err = SK_ERROR_INIT;
	size_t i;

	(void)state;
	assert_int_equal(parse(&o, &err, docker), 0);
	for (i = 0; i < SK_MACHINE_ARGS_MAX; i++)
		extra[i] = (char *)(uintptr_t) "x";
	o.extra = extra;
	assert_int_equal(sk_machine_argv(&o, &o.engine->processes[1], NULL, argv, &err), -E2BIG);
}

static void put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
	p[2] = (uint8_t)(v >> 16);
	p[3] = (uint8_t)(v >> 24);
}

/* As sd_format_disk_name() and virtblk_name_format() of the kernel. */
static void test_disk_names(void **state)
{
	static const struct {
		unsigned n;
		const char *name;
	} names[] = { { 0, "sda" }, { 25, "sdz" }, { 26, "sdaa" }, { 51, "sdaz" }, { 52, "sdba" }, { 701, "sdzz" } };
	char name[SK_DISK_NAME_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		sk_disk_name("sd", names[i].n, name);
		assert_string_equal(name, names[i].name);
	}
}

static void test_probe(void **state)
{
	static uint8_t disk[65536];
	uint64_t bytes = 1;

	(void)state;
	memset(disk, 0, sizeof(disk));
	assert_int_equal(sk_machine_probe(disk, sizeof(disk), &bytes), SK_MACHINE_FS_NONE);
	assert_int_equal(bytes, 0);
	disk[60000] = 1; /* something of somebody's */
	assert_int_equal(sk_machine_probe(disk, sizeof(disk), &bytes), SK_MACHINE_FS_OTHER);
	assert_int_equal(sk_machine_probe(disk, 1024, &bytes), SK_MACHINE_FS_OTHER);
	disk[1024 + 0x38] = 0x53;
	disk[1024 + 0x39] = 0xEF;
	put32(disk + 1024 + 0x4, 25600);
	put32(disk + 1024 + 0x18, 2); /* 4 KiB */
	put32(disk + 1024 + 0x150, 1);
	assert_int_equal(sk_machine_probe(disk, sizeof(disk), &bytes), SK_MACHINE_FS_EXT4);
	assert_int_equal(bytes, 100 * MIB);
	put32(disk + 1024 + 0x60, 0x80); /* 64 bits */
	assert_int_equal(sk_machine_probe(disk, sizeof(disk), &bytes), SK_MACHINE_FS_EXT4);
	assert_int_equal(bytes, 100 * MIB + (UINT64_C(4096) << 32));
	put32(disk + 1024 + 0x18, 60); /* nonsense: no size, and no shift by it */
	assert_int_equal(sk_machine_probe(disk, sizeof(disk), &bytes), SK_MACHINE_FS_EXT4);
	assert_int_equal(bytes, 0);
}

static void test_tail(void **state)
{
	static struct sk_machine_tail tail;
	static char big[3 * SK_MACHINE_TAIL];
	const char *kept;
	char line[32];
	int i;

	(void)state;
	assert_string_equal(sk_machine_tail_lines(&tail, 3), "");
	sk_machine_tail_add(&tail, "one\ntwo\nthr", 11);
	sk_machine_tail_add(&tail, "ee\nfour\n", 8);
	assert_string_equal(sk_machine_tail_lines(&tail, 2), "three\nfour");
	assert_string_equal(sk_machine_tail_lines(&tail, 9), "one\ntwo\nthree\nfour");
	tail.len = 0;
	for (i = 0; i < 2000; i++) {
		snprintf(line, sizeof(line), "line %d\n", i);
		sk_machine_tail_add(&tail, line, strlen(line));
	}
	kept = sk_machine_tail_lines(&tail, 10000);
	assert_int_equal(strncmp(kept, "line 1", 6), 0);
	assert_string_equal(sk_machine_tail_lines(&tail, 1), "line 1999");
	memset(big, 'x', sizeof(big));
	sk_machine_tail_add(&tail, big, sizeof(big));
	assert_int_equal(strlen(sk_machine_tail_lines(&tail, 1)), SK_MACHINE_TAIL - 1);
}

static void test_backoff(void **state)
{
	(void)state;
	assert_int_equal(sk_machine_backoff(1), 100);
	assert_int_equal(sk_machine_backoff(2), 200);
	assert_int_equal(sk_machine_backoff(7), 6400);
	assert_int_equal(sk_machine_backoff(8), 10000);
	assert_int_equal(sk_machine_backoff(4000000000u), 10000);
}

static void test_register_lines(void **state)
{
	static char text[8192];
	const char *next, *end;

	(void)state;
	strcpy(text, ":a:M::\\x7f:\\xff:/run/qemu/a:F\nno line\n\n:b");
	end = text + strlen(text);
	assert_int_equal(sk_foreign_line(text, end, &next), strlen(":a:M::\\x7f:\\xff:/run/qemu/a:F"));
	assert_int_equal(sk_foreign_line(next, end, &next), 0);
	assert_int_equal(sk_foreign_line(next, end, &next), 0);
	assert_int_equal(sk_foreign_line(next, end, &next), 2);
	assert_ptr_equal(next, end);
	memset(text, ':', sizeof(text)); /* more than the kernel takes */
	assert_int_equal(sk_foreign_line(text, text + sizeof(text), &next), 0);
}

static void test_idle(void **state)
{
	struct sk_machine_idle idle = { .after_ms = 10000 };
	const char *const good[] = { "--idle-stop", "1800", NULL };
	static const char *const bad[] = { "", "-1", "10s", "2592001" };
	char dir[] = "/tmp/skerry-test-XXXXXX", path[64];
	const pid_t own[] = { 1, 0, 17 };
	struct sk_machine_options o;
	struct sk_error err = SK_ERROR_INIT;
	size_t i;

	(void)state;
	assert_int_equal(parse(&o, &err, good), 0);
	assert_int_equal(o.idle_stop, 1800);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *const words[] = { "--idle-stop", bad[i], NULL };

		assert_int_equal(parse(&o, &err, words), -EINVAL);
	}
	assert_int_equal(sk_machine_idle_look_ms(10000), 2500);
	assert_int_equal(sk_machine_idle_look_ms(1), 500);
	assert_int_equal(sk_machine_idle_look_ms(3600000), 15000);
	assert_false(sk_machine_idle_tick(&idle, true, 1000)); /* the first look begins the time */
	assert_false(sk_machine_idle_tick(&idle, true, 10999));
	assert_true(sk_machine_idle_tick(&idle, true, 11000));
	assert_false(sk_machine_idle_tick(&idle, false, 12000));
	assert_false(sk_machine_idle_tick(&idle, true, 30000)); /* and begins it again */
	assert_true(sk_machine_idle_tick(&idle, true, 40000));

	assert_non_null(mkdtemp(dir));
	for (i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%d", dir, (int)own[2 * i]);
		assert_int_equal(mkdir(path, 0700), 0);
	}
	snprintf(path, sizeof(path), "%s/17x", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_true(sk_machine_is_quiet(dir, own, 3));
	assert_false(sk_machine_is_quiet(dir, own, 2)); /* 17 is somebody else's */
	assert_false(sk_machine_is_quiet("/no/such/directory", own, 3));
	rmdir(path);
	for (i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%d", dir, (int)own[2 * i]);
		rmdir(path);
	}
	rmdir(dir);
}

static void test_rest(void **state)
{
	struct sk_machine_rest rest = { 0 };
	uint64_t cpu = 900000; /* of a second, in each of ten */
	unsigned i;

	(void)state;
	for (i = 0; i < 5; i++, cpu += 900000)
		assert_false(sk_machine_rest_tick(&rest, true, cpu, 10000000));
	assert_true(sk_machine_rest_tick(&rest, true, cpu, 10000000));
	assert_true(sk_machine_rest_tick(&rest, true, cpu, 10000000));
	assert_false(sk_machine_rest_tick(&rest, true, cpu + 1000001, 10000000)); /* it does something */
	for (i = 0; i < 5; i++)
		assert_false(sk_machine_rest_tick(&rest, true, cpu, 10000000));
	assert_false(sk_machine_rest_tick(&rest, false, cpu, 10000000)); /* a container */
	assert_false(sk_machine_rest_tick(&rest, true, cpu, 10000000));
	assert_int_equal(sk_machine_rest_excess(0), 0);
	assert_int_equal(sk_machine_rest_excess(22 * MIB), 0);
	assert_int_equal(sk_machine_rest_excess(200 * MIB), 184 * MIB);
	assert_int_equal(sk_machine_rest_excess(8192 * MIB), 1024 * MIB);
}

static void put(const char *dir, const char *name, const char *text)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void test_read_ahead(void **state)
{
	static const char *const disks[] = { "vda", "vdb" };
	char dir[] = "/tmp/sk-test-XXXXXX", path[PATH_MAX], text[16] = "";
	size_t i;

	(void)state;
	assert_non_null(mkdtemp(dir));
	sk_machine_read_ahead("/no/such/directory");
	for (i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, disks[i]);
		assert_int_equal(mkdir(path, 0700), 0);
		put(path, "ro", i == 0 ? "1\n" : "0\n");
		snprintf(path, sizeof(path), "%s/%s/queue", dir, disks[i]);
		assert_int_equal(mkdir(path, 0700), 0);
		put(path, "read_ahead_kb", "8192");
	}
	sk_machine_read_ahead(dir);
	for (i = 0; i < 2; i++) {
		int fd;

		snprintf(path, sizeof(path), "%s/%s/queue/read_ahead_kb", dir, disks[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		assert_true(fd >= 0);
		assert_true(read(fd, text, sizeof(text) - 1) >= 4);
		close(fd);
		/* the images' disk, and the one that is written to */
		assert_int_equal(strncmp(text, i == 0 ? "128" : "8192", i == 0 ? 3 : 4), 0);
	}
	assert_int_equal(sk_fs_remove_tree(AT_FDCWD, dir), 0);
}

static void test_later_options(void **state)
{
	const char *const two[] = { "--later", "/srv/a", "--later", "/mnt/b c", NULL };
	const char *const relative[] = { "--later", "srv", NULL };
	static char *argv[2 * SK_MACHINE_LATER_MAX + 4];
	struct sk_machine_options o;
	struct sk_error err = SK_ERROR_INIT;
	int argc;

	(void)state;
	assert_int_equal(parse(&o, &err, two), 0);
	assert_int_equal(o.later.n, 2);
	assert_string_equal(o.later.paths[0], "/srv/a");
	assert_string_equal(o.later.paths[1], "/mnt/b c");
	assert_int_equal(parse(&o, &err, relative), -EINVAL);
	for (argc = 1; argc < (int)(2 * SK_MACHINE_LATER_MAX) + 3; argc++)
		argv[argc] = argc % 2 ? (char *)(uintptr_t) "--later" : (char *)(uintptr_t) "/srv";
	argv[0] = (char *)(uintptr_t) "/sbin/skerry-machine";
	assert_int_equal(sk_machine_options(&o, (int)(2 * SK_MACHINE_LATER_MAX) + 1, argv, &err), 0);
	assert_int_equal(o.later.n, SK_MACHINE_LATER_MAX);
	assert_int_equal(sk_machine_options(&o, (int)(2 * SK_MACHINE_LATER_MAX) + 3, argv, &err), -EINVAL);
}

static void test_ingress_rules(void **state)
{
	static const char rules[] =
		"-N DOCKER-INGRESS\n"
		"-A DOCKER-INGRESS -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.18.0.2:8080\n"
		"-A DOCKER-INGRESS -p udp -m udp --dport 53 -j DNAT --to-destination 172.18.0.2:53\n"
		"-A DOCKER-INGRESS -p sctp -m sctp --dport 9 -j DNAT --to-destination 172.18.0.2:9\n"
		"-A DOCKER-INGRESS -p tcp -m tcp --dport 70000 -j DNAT --to-destination 172.18.0.2:70000\n"
		"-A DOCKER-INGRESS -p tcp -m tcp --dport 81 -j DNAT --to-destination fd00::2:81\n"
		"-A DOCKER-INGRESS -j RETURN\n"
		"-A DOCKER-INGRESS -p tcp -m tcp --dport 82 -j DNAT --to-destination 172.18.0.3:82";
	struct sk_machine_ingress ports[4];

	(void)state;
	assert_int_equal(sk_machine_ingress_parse("", ports, 4), 0);
	assert_int_equal(sk_machine_ingress_parse("iptables: No chain/target/match by that name.\n", ports, 4), 0);
	assert_int_equal(sk_machine_ingress_parse(rules, ports, 4), 3);
	assert_true(!ports[0].udp && ports[0].port == 8080 && ports[0].to == 8080);
	assert_string_equal(ports[0].address, "172.18.0.2");
	assert_true(ports[1].udp && ports[1].port == 53);
	assert_true(!ports[2].udp && ports[2].port == 82);
	assert_string_equal(ports[2].address, "172.18.0.3");
	assert_int_equal(sk_machine_ingress_parse(rules, ports, 1), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_later_options),  cmocka_unit_test(test_ingress_rules),
		cmocka_unit_test(test_options),	       cmocka_unit_test(test_engine_of_image),
		cmocka_unit_test(test_command_lines),  cmocka_unit_test(test_too_many_arguments),
		cmocka_unit_test(test_disk_names),     cmocka_unit_test(test_probe),
		cmocka_unit_test(test_tail),	       cmocka_unit_test(test_backoff),
		cmocka_unit_test(test_idle),	       cmocka_unit_test(test_rest),
		cmocka_unit_test(test_register_lines), cmocka_unit_test(test_read_ahead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
