/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of QEMU, and what is found out before it is used: each thing that can be wrong has a message of its
 * own that says what to do. */
#include "../sk_test.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "engine/engine_internal.h"
#include "virtio/device.h"

static char dir[] = "/tmp/sk-test-qemu-XXXXXX";
static char cache[64], device[64];

static void copy_program(const char *name)
{
	_cleanup_fd_ int in = open(getenv("SKERRY_TEST_QEMU"), O_RDONLY), out = -1;
	char path[128];

	snprintf(path, sizeof(path), "%s/q/bin/%s", dir, name);
	out = open(path, O_WRONLY | O_CREAT, 0755);
	assert_true(in >= 0 && out >= 0);
	assert_int_equal(sk_fs_copy_sparse(in, out), 0);
}

/* The parts of a vmlinux: code at 16 MiB, data and zeroes at 18 MiB, and the note with the entry point. */
struct kernel_file {
	Elf64_Ehdr head;
	Elf64_Phdr text, data, note;
	struct {
		Elf64_Nhdr other;
		char other_name[4], other_text[4];
		Elf64_Nhdr pvh;
		char name[4];
		uint32_t entry[2];
	} notes;
	char text_bytes[5000], data_bytes[3000];
};

static struct kernel_file kernel_of(unsigned machine)
{
	struct kernel_file k = {
		.head = { .e_machine = (Elf64_Half)machine,
			  .e_type = ET_EXEC,
			  .e_phoff = offsetof(struct kernel_file, text),
			  .e_phentsize = sizeof(Elf64_Phdr),
			  .e_phnum = 3 },
		.text = { .p_type = PT_LOAD,
			  .p_offset = offsetof(struct kernel_file, text_bytes),
			  .p_filesz = sizeof(k.text_bytes),
			  .p_memsz = sizeof(k.text_bytes),
			  .p_paddr = 16 << 20 },
		.data = { .p_type = PT_LOAD,
			  .p_offset = offsetof(struct kernel_file, data_bytes),
			  .p_filesz = sizeof(k.data_bytes),
			  .p_memsz = 1 << 20,
			  .p_paddr = 18 << 20 },
		.note = { .p_type = PT_NOTE,
			  .p_offset = offsetof(struct kernel_file, notes),
			  .p_filesz = sizeof(k.notes) },
		.notes = { .other = { 4, 1, 3 },
			   .other_name = "GNU",
			   .pvh = { 4, 8, 18 },
			   .name = "Xen",
			   .entry = { 0x1234560, 0 } },
	};

	memcpy(k.head.e_ident, ELFMAG, SELFMAG);
	k.head.e_ident[EI_CLASS] = ELFCLASS64;
	memset(k.text_bytes, 't', sizeof(k.text_bytes));
	memset(k.data_bytes, 'd', sizeof(k.data_bytes));
	return k;
}

static void save_kernel(const struct kernel_file *k)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/" SK_QEMU_KERNEL, dir);
	assert_int_equal(sk_fs_write_atomic(AT_FDCWD, path, k, sizeof(*k), 0644, false), 0);
}

static void write_kernel(unsigned machine)
{
	struct kernel_file k = kernel_of(machine);

	save_kernel(&k);
}

static int setup(void **state)
{
	static const char *const programs[] = { "qemu-works",	"qemu-hangs", "qemu-dies",
						"qemu-asserts", "qemu-old",   "qemu-odd" };
	char path[128];
	size_t i;

	(void)state;
	if (!mkdtemp(dir) || chmod(dir, 0755) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/q/bin", dir);
	if (sk_fs_mkdir_p(path, 0755) < 0)
		return -1;
	for (i = 0; i < SK_ARRAY_SIZE(programs); i++)
		copy_program(programs[i]);
	snprintf(path, sizeof(path), "%s/initramfs.cpio", dir);
	snprintf(cache, sizeof(cache), "%s/cache", dir);
	snprintf(device, sizeof(device), "%s/kvm", dir);
	close(open(path, O_WRONLY | O_CREAT, 0644));
	close(open(device, O_WRONLY | O_CREAT, 0600));
	setenv("SKERRY_GUEST_DIR", dir, 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return sk_fs_remove_tree(AT_FDCWD, dir);
}

static struct sk_engine_settings settings_of(const char *program)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/q/bin/%s", dir, program);
	write_kernel(EM_X86_64);
	return (struct sk_engine_settings){
		.cache_dir = cache, .qemu = path, .kvm_device = device, .kvm_timeout_ms = 20000
	};
}

static int probe(const char *engine, const struct sk_engine_settings *s, struct sk_error *err)
{
	const struct sk_engine *e;

	*err = (struct sk_error)SK_ERROR_INIT;
	return sk_engine_find(engine, s, &e, err);
}

#define assert_says(err, word)                                             \
	do {                                                               \
		if (!strstr((err).message, word))                          \
			fail_msg("no \"%s\" in: %s", word, (err).message); \
	} while (0)

/* --- the command line --- */

static char *joined(const struct sk_args *a)
{
	char *text = NULL;
	size_t size, i;
	FILE *f = open_memstream(&text, &size);

	for (i = 0; i < a->n; i++)
		fprintf(f, "%s ", a->v[i]);
	fclose(f);
	return text;
}

static char *line_of(bool kvm, const struct sk_engine_config *c)
{
	const struct sk_qemu_facts facts = { .path = "/usr/bin/qemu-system-x86_64", .tsc_khz = 2345678 };
	const struct sk_qemu_start start = {
		.facts = &facts,
		.kvm = kvm,
		.kernel = SK_QEMU_KERNEL_FILE,
		.memory = SK_QEMU_MEMORY_FILE,
		.initramfs = "/initramfs",
		.firmware = "/q/qboot.rom",
		.process = "skerry-x",
	};
	struct sk_args args = { 0 };
	char *text;

	sk_qemu_args(&args, &start, c);
	assert_false(args.failed);
	text = joined(&args);
	sk_args_fini(&args);
	return text;
}

static void test_args(void **state)
{
	const struct sk_engine_device devices[] = {
		{ .virtio_id = SK_VIRTIO_VSOCK, .socket = "vsock" },
		{ .virtio_id = SK_VIRTIO_BLOCK, .socket = "layers" },
		{ .virtio_id = SK_VIRTIO_BLOCK, .socket = "disk" },
		{ .virtio_id = SK_VIRTIO_NET, .socket = "net", .mac = { 2, 0, 0, 0, 0, 0xab }, .mtu = 65520 },
		{ .virtio_id = SK_VIRTIO_9P, .socket = "share0", .tag = "mount0" },
	};
	const struct sk_engine_config c = {
		.memory = 512u << 20, .cpus = 2, .devices = devices, .n_devices = 5, .extra_args = "-- x"
	};
	static const char *const both[] = {
		"-nodefaults ",
		"-no-user-config ",
		"-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny",
		"memory-backend-file,id=ram,mem-path=/memory,size=512M,share=on,prealloc=off",
		"-m 512M ",
		"-bios /q/qboot.rom ",
		"rtc=on,",
		"-smp 2 ",
		"vhost-user-vsock-device,chardev=c0,bus=virtio-mmio-bus.22",
		"socket,id=c1,path=vu/layers",
		"vhost-user-blk,chardev=c2,num-queues=1,queue-size=256,bus=virtio-mmio-bus.20",
		"mac=02:00:00:00:00:ab,host_mtu=65520",
		"socket,id=c4,path=vu/share0",
		"vhost-user-fs-device,chardev=c4,tag=mount0,queue-size=128,bus=virtio-mmio-bus.18",
		"free-page-reporting=on",
		" -- x ",
		"-no-reboot "
	};
	_cleanup_free_ char *tcg = line_of(false, &c), *kvm = line_of(true, &c);
	size_t i;

	(void)state;
	for (i = 0; i < SK_ARRAY_SIZE(both); i++) {
		if (!strstr(tcg, both[i]) || !strstr(kvm, both[i]))
			fail_msg("no \"%s\" in: %s\n%s", both[i], tcg, kvm);
	}
	assert_non_null(strstr(tcg, "-accel tcg,"));
	assert_non_null(strstr(tcg, "-cpu max,-erms"));
	assert_non_null(strstr(tcg, "tsc_early_khz=2345678"));
	assert_non_null(strstr(tcg, "lapic_khz=1000000"));
	assert_non_null(strstr(tcg, ",tb-size=24 "));
	/* Or QEMU runs old code of pages that our devices have written to. */
	assert_non_null(strstr(tcg, " init_on_alloc=1"));
	assert_null(strstr(kvm, "init_on_alloc"));
	assert_non_null(strstr(kvm, "-accel kvm "));
	assert_non_null(strstr(kvm, "-cpu host "));
	/* Mitigations stay on where there is a processor to be mitigated. */
	assert_null(strstr(kvm, "mitigations=off"));
	assert_null(strstr(kvm, "tsc_early_khz"));
	assert_null(strstr(kvm, "lapic_khz"));
}

static void test_too_many_devices(void **state)
{
	struct sk_engine_device devices[23];
	const struct sk_engine_config c = { .memory = 512u << 20, .cpus = 1, .devices = devices, .n_devices = 23 };
	const struct sk_qemu_facts facts = { .path = "/q" };
	const struct sk_qemu_start start = {
		.facts = &facts, .kernel = "/k", .initramfs = "/i", .firmware = "", .process = "p"
	};
	struct sk_args args = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < 23; i++)
		devices[i] = (struct sk_engine_device){ .virtio_id = SK_VIRTIO_NET, .socket = "n" };
	sk_qemu_args(&args, &start, &c);
	assert_true(args.failed);
	sk_args_fini(&args);
}

/* --- memory --- */

static int memory_of(const struct kernel_file *k, uint64_t size, struct sk_qemu_memory *m, struct sk_error *err)
{
	char path[128];

	*err = (struct sk_error)SK_ERROR_INIT;
	save_kernel(k);
	snprintf(path, sizeof(path), "%s/" SK_QEMU_KERNEL, dir);
	return sk_qemu_memory_init(m, path, size, err);
}

static void assert_bytes(int fd, off_t at, size_t n, char c)
{
	char buf[8192];
	size_t i;

	assert_int_equal(pread(fd, buf, n, at), n);
	for (i = 0; i < n; i++)
		assert_int_equal(buf[i], c);
}

static void test_memory(void **state)
{
	const struct kernel_file k = kernel_of(EM_X86_64);
	_cleanup_fd_ int fd = -1, start = -1, back = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct sk_qemu_memory m;
	struct sk_error err;
	Elf64_Phdr note;
	uint64_t entry;
	struct stat st;
	Elf64_Ehdr h;

	(void)state;
	assert_int_equal(memory_of(&k, 64 << 20, &m, &err), 0);
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(sk_qemu_memory_fill(&m, geteuid()), 0);
	sk_qemu_memory_fini(&m);
	fd = open(&SK_QEMU_MEMORY_FILE[1], O_RDONLY | O_CLOEXEC);
	start = open(&SK_QEMU_KERNEL_FILE[1], O_RDONLY | O_CLOEXEC);
	unlink(&SK_QEMU_MEMORY_FILE[1]);
	unlink(&SK_QEMU_KERNEL_FILE[1]);
	assert_int_equal(fchdir(back), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 64 << 20);
	assert_true(st.st_blocks * 512 < 1 << 20); /* the rest is a hole */
	assert_bytes(fd, 16 << 20, 5000, 't');
	assert_bytes(fd, (16 << 20) + 5000, 3000, 0);
	assert_bytes(fd, 18 << 20, 3000, 'd');
	assert_bytes(fd, (18 << 20) + 3000, 5000, 0);
	/* The kernel that QEMU gets: it loads nothing but itself, and names the entry point. */
	assert_int_equal(fstat(start, &st), 0);
	assert_int_equal(st.st_size, SK_QEMU_START_FILE);
	assert_int_equal(pread(start, &h, sizeof(h), 0), sizeof(h));
	assert_int_equal(h.e_machine, EM_X86_64);
	assert_int_equal(h.e_phnum, 2);
	assert_int_equal(pread(start, &note, sizeof(note), (off_t)h.e_phoff + h.e_phentsize), sizeof(note));
	assert_int_equal(note.p_type, PT_NOTE);
	assert_int_equal(pread(start, &entry, 8, (off_t)note.p_offset + 16), 8);
	assert_int_equal(entry, 0x1234560);
}

static void test_bad_memory(void **state)
{
	struct kernel_file k = kernel_of(EM_X86_64);
	struct sk_qemu_memory m;
	struct sk_error err;

	(void)state;
	assert_int_equal(memory_of(&k, 18 << 20, &m, &err), -ENOMEM);
	assert_says(err, "18 MiB of memory do not hold");
	k.notes.pvh.n_type = 17;
	assert_int_equal(memory_of(&k, 64 << 20, &m, &err), -ENOEXEC);
	assert_says(err, "PVH");
	k = kernel_of(EM_X86_64);
	k.notes.other.n_namesz = UINT32_MAX;
	assert_int_equal(memory_of(&k, 64 << 20, &m, &err), -ENOEXEC);
	k = kernel_of(EM_X86_64);
	k.notes.other.n_descsz = UINT32_MAX - 5;
	assert_int_equal(memory_of(&k, 64 << 20, &m, &err), -ENOEXEC);
	k = kernel_of(EM_X86_64);
	k.note.p_filesz = 1 << 20;
	assert_int_equal(memory_of(&k, 64 << 20, &m, &err), -ENOEXEC);
	k = kernel_of(EM_X86_64);
	k.data.p_paddr = UINT64_MAX - 4096;
	assert_int_equal(memory_of(&k, 64 << 20, &m, &err), -ENOMEM);
	k = kernel_of(EM_X86_64);
	k.data.p_filesz = k.data.p_memsz + 1;
	assert_int_equal(memory_of(&k, 64 << 20, &m, &err), -ENOEXEC);
	k = kernel_of(EM_X86_64);
	k.head.e_phnum = 1000;
	assert_int_equal(memory_of(&k, 64 << 20, &m, &err), -ENOEXEC);
	k = kernel_of(EM_X86_64);
	k.text.p_paddr = 4096;
	assert_int_equal(memory_of(&k, 64 << 20, &m, &err), -ENOEXEC);
}

/* A file that is shorter than its headers say: seen while it is copied. */
static void test_short_kernel(void **state)
{
	struct kernel_file k = kernel_of(EM_X86_64);
	struct sk_qemu_memory m;
	struct sk_error err;

	(void)state;
	k.data.p_offset = sizeof(k) - 10;
	assert_int_equal(memory_of(&k, 64 << 20, &m, &err), 0);
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(sk_qemu_memory_fill(&m, geteuid()), -ENOEXEC);
	unlink(&SK_QEMU_MEMORY_FILE[1]);
	sk_qemu_memory_fini(&m);
	assert_int_equal(chdir("/"), 0);
}

/* --- what can be wrong --- */

static void test_no_qemu(void **state)
{
	struct sk_engine_settings s = { .cache_dir = cache };
	_cleanup_free_ char *path = strdup(getenv("PATH"));
	struct sk_error err;

	(void)state;
	/* The system's directories are searched whatever PATH says. */
	if (access("/usr/bin/qemu-system-x86_64", F_OK) < 0) {
		setenv("PATH", dir, 1);
		assert_int_equal(probe("tcg", &s, &err), -ENOENT);
		setenv("PATH", path, 1);
		assert_says(err, "there is no QEMU");
		assert_says(err, "apt install qemu-system-x86");
	}
	s.qemu = "/nonexistent/qemu";
	assert_int_equal(probe("kvm", &s, &err), -ENOENT);
	assert_says(err, "/nonexistent/qemu");
}

static void test_versions(void **state)
{
	struct sk_engine_settings s = settings_of("qemu-old");
	struct sk_qemu_facts facts;
	struct sk_error err;

	(void)state;
	assert_int_equal(probe("tcg", &s, &err), -ENOTSUP);
	assert_says(err, "QEMU 6.2.0");
	assert_says(err, "too old: 7.2 or newer");
	/* Also when it is known from before. */
	assert_int_equal(probe("tcg", &s, &err), -ENOTSUP);
	s = settings_of("qemu-odd");
	assert_int_equal(probe("tcg", &s, &err), -EPROTO);
	assert_says(err, "does not say which version");
	s = settings_of("qemu-works");
	assert_int_equal(sk_qemu_find(&s, &facts, &err), 0);
	assert_string_equal(facts.version, "7.2.22");
	assert_int_equal(facts.number, 70222);
	assert_int_equal(probe("tcg", &s, &err), 0);
}

static void test_kernel(void **state)
{
	struct sk_engine_settings s = settings_of("qemu-works");
	struct sk_error err;
	char path[128];

	(void)state;
	write_kernel(EM_AARCH64);
	assert_int_equal(probe("tcg", &s, &err), -ENOEXEC);
	assert_says(err, "made for arm64");
	assert_says(err, "make build");
	snprintf(path, sizeof(path), "%s/" SK_QEMU_KERNEL, dir);
	assert_int_equal(sk_fs_write_atomic(AT_FDCWD, path, "#!/bin/sh\n", 10, 0644, false), 0);
	assert_int_equal(probe("kvm", &s, &err), -ENOEXEC);
	assert_says(err, "not an ELF file");
	unlink(path);
	assert_int_equal(probe("kvm", &s, &err), -ENOENT);
	assert_says(err, "is missing");
	assert_says(err, "make build");
}

static void test_no_device(void **state)
{
	struct sk_engine_settings s = settings_of("qemu-works");
	struct sk_error err;

	(void)state;
	s.kvm_device = "/nonexistent/kvm";
	assert_int_equal(probe("kvm", &s, &err), -ENOENT);
	assert_says(err, "there is no /nonexistent/kvm");
	assert_says(err, "firmware");
}

/* As a user who is neither owner nor in the group. */
static void test_no_permission(void **state)
{
	struct sk_engine_settings s = settings_of("qemu-works");
	struct sk_error err;
	int status = -1;
	pid_t pid;

	(void)state;
	if (geteuid() == 0) {
		pid = fork();
		if (pid == 0) {
			s.cache_dir = NULL;
			if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
				_exit(3);
			_exit(probe("kvm", &s, &err) != -EACCES || !strstr(err.message, "usermod -aG kvm"));
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		return;
	}
	assert_int_equal(chmod(device, 0), 0);
	assert_int_equal(probe("kvm", &s, &err), -EACCES);
	assert_says(err, "usermod -aG kvm");
	assert_int_equal(chmod(device, 0600), 0);
}

static void test_kvm_works(void **state)
{
	struct sk_engine_settings s = settings_of("qemu-works");
	const struct sk_engine *e;
	struct sk_error err;
	int r = probe("kvm", &s, &err);

	(void)state;
	if (r < 0)
		fail_msg("%s", err.message);
	assert_int_equal(sk_engine_find("auto", &s, &e, &err), 0);
	assert_string_equal(e->name, "kvm");
}

/* The deadline ends it, with all of its family; and that is remembered, until it is asked for anew. */
static void test_kvm_hangs(void **state)
{
	struct sk_engine_settings s = settings_of("qemu-hangs");
	_cleanup_free_ char *text = NULL;
	struct sk_error err;
	char path[128], *at;

	(void)state;
	s.kvm_timeout_ms = 400;
	assert_int_equal(probe("kvm", &s, &err), -ETIMEDOUT);
	assert_says(err, "did not come up within 0.4 s");
	assert_says(err, "kvm_timeout");
	assert_says(err, "nested virtualization");
	assert_null(strstr(err.message, "cannot be killed"));

	snprintf(path, sizeof(path), "%s/engines.json", cache);
	assert_int_equal(sk_fs_read(AT_FDCWD, path, 65536, &text, NULL), 0);
	at = strstr(text, "did not come up");
	assert_non_null(at);
	memcpy(at, "is remembered, ", 15);
	assert_int_equal(sk_fs_write_atomic(AT_FDCWD, path, text, strlen(text), 0600, false), 0);
	assert_int_equal(probe("kvm", &s, &err), -ETIMEDOUT);
	assert_says(err, "is remembered");
	s.probe_again = true;
	assert_int_equal(probe("kvm", &s, &err), -ETIMEDOUT);
	assert_says(err, "did not come up");
}

/* Answers from before a reboot of the host are not believed. */
static void test_another_boot(void **state)
{
	struct sk_engine_settings s = settings_of("qemu-hangs");
	_cleanup_free_ char *text = NULL;
	struct sk_error err;
	char path[128], *at;

	(void)state;
	s.kvm_timeout_ms = 300;
	assert_int_equal(probe("kvm", &s, &err), -ETIMEDOUT);
	snprintf(path, sizeof(path), "%s/engines.json", cache);
	assert_int_equal(sk_fs_read(AT_FDCWD, path, 65536, &text, NULL), 0);
	memcpy(strstr(text, "did not come up"), "is remembered, ", 15);
	at = strstr(text, "\"boot\": \"");
	assert_non_null(at);
	memcpy(at + 9, "00000000", 8);
	assert_int_equal(sk_fs_write_atomic(AT_FDCWD, path, text, strlen(text), 0600, false), 0);
	assert_int_equal(probe("kvm", &s, &err), -ETIMEDOUT);
	assert_says(err, "did not come up");
	/* Nor is a file that is none. */
	assert_int_equal(sk_fs_write_atomic(AT_FDCWD, path, "{", 1, 0600, false), 0);
	assert_int_equal(probe("kvm", &s, &err), -ETIMEDOUT);
}

static void test_kvm_dies(void **state)
{
	struct sk_engine_settings s = settings_of("qemu-dies");
	struct sk_error err;

	(void)state;
	assert_int_equal(probe("kvm", &s, &err), -EIO);
	assert_says(err, "failed to initialize kvm: No such device");
}

/* The assertion itself says nothing to a user. */
static void test_kvm_broken(void **state)
{
	struct sk_engine_settings s = settings_of("qemu-asserts");
	struct sk_error err;

	(void)state;
	assert_int_equal(probe("kvm", &s, &err), -EIO);
	assert_null(strstr(err.message, "ssertion"));
	assert_says(err, "does not do what QEMU asks of it");
	assert_says(err, "skerry doctor --again");
}

static void test_names(void **state)
{
	const struct sk_engine *e;
	struct sk_error err = SK_ERROR_INIT;

	(void)state;
	assert_true(sk_engine_name_valid("auto") && sk_engine_name_valid("tcg"));
	assert_false(sk_engine_name_valid("qemu"));
	assert_int_equal(sk_engine_find("vmware", NULL, &e, &err), -ENOENT);
	assert_says(err, "auto, kvm, uml or tcg");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_args),	     cmocka_unit_test(test_too_many_devices),
		cmocka_unit_test(test_memory),	     cmocka_unit_test(test_bad_memory),
		cmocka_unit_test(test_short_kernel), cmocka_unit_test(test_no_qemu),
		cmocka_unit_test(test_versions),     cmocka_unit_test(test_kernel),
		cmocka_unit_test(test_no_device),    cmocka_unit_test(test_no_permission),
		cmocka_unit_test(test_kvm_works),    cmocka_unit_test(test_kvm_hangs),
		cmocka_unit_test(test_another_boot), cmocka_unit_test(test_kvm_dies),
		cmocka_unit_test(test_kvm_broken),   cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("engine-qemu", tests, setup, teardown);
}
