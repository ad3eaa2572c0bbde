/* SPDX-License-Identifier: Apache-2.0 */
/*
 * QEMU, with the processor's own virtualization (engine "kvm") or emulating one (engine "tcg").
 *
 * Under KVM the boundary between guest and host is the processor's; what the guest can talk to behind it is QEMU's
 * emulation of a serial port, a balloon and interrupt controllers, and our devices. So QEMU is shut in like any engine
 * (confine.c): namespaces with its own program and libraries, the guest parts and the device sockets in sight, no
 * capabilities, a filter of ours and QEMU's own sandbox.
 *
 * One process: it dies with its parent thread, and SIGSTOP stops all of it. It ends by itself when the guest powers off
 * or panics.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "engine/engine_internal.h"

#define MIB (1024ull * 1024ull)

/* The directory that "bin/" with QEMU in it is in: "/usr". */
static void prefix_of(const char *path, char *buf, size_t size)
{
	char *slash;
	int i;

	snprintf(buf, size, "%s", path);
	for (i = 0; i < 2; i++) {
		slash = strrchr(buf, '/');
		if (slash && slash != buf)
			*slash = '\0';
	}
}

/* Files that QEMU and its loader read. A QEMU from elsewhere brings its data below its own prefix. */
static void bind_program(struct sk_confine *f, const char *program, const char *prefix)
{
	static const char *const directories[] = { "/usr/lib",	      "/usr/lib64",	 "/lib",
						   "/lib64",	      "/usr/share/qemu", "/usr/share/seabios",
						   "/usr/share/qboot" };
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(directories); i++)
		sk_confine_bind(f, directories[i], directories[i] + 1, true, true);
	sk_confine_bind(f, "/etc/ld.so.cache", "etc/ld.so.cache", false, true);
	if (strcmp(prefix, "/usr") == 0)
		sk_confine_bind(f, program, program + 1, false, false);
	else
		sk_confine_bind(f, prefix, prefix + 1, true, false);
}

/* qboot, which does no more than to start a kernel, where QEMU has brought it along: "" if not. */
static void find_firmware(const char *prefix, char *buf, size_t size)
{
	static const char *const places[] = { "qemu", "qboot" };
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(places); i++) {
		snprintf(buf, size, "%s/share/%s/qboot.rom", prefix, places[i]);
		if (access(buf, R_OK) == 0)
			return;
	}
	buf[0] = '\0';
}

struct qemu_start {
	const struct sk_engine_config *c;
	struct sk_qemu_start q;
	char kernel[512], initramfs[512];
};

static int spawn_confined(void *arg, struct sk_confine *f, struct sk_engine_process *ret, struct sk_error *err)
{
	static const char *const env[] = { "PATH=/", "HOME=/tmp", "TMPDIR=/tmp", NULL };
	struct sk_spawn s = SK_SPAWN_INIT;
	struct sk_args args = { 0 };
	struct qemu_start *start = arg;
	const struct sk_engine_config *c = start->c;
	struct sk_qemu_start *q = &start->q;
	struct sock_fprog *filter;
	int r;

	r = sk_qemu_filter_new(!f->namespaces, &filter, err);
	if (r < 0)
		return r;
	f->filter = filter;
	q->kernel = f->namespaces ? SK_QEMU_KERNEL_FILE : start->kernel;
	q->memory = f->namespaces ? SK_QEMU_MEMORY_FILE : NULL;
	q->initramfs = f->namespaces ? "/initramfs" : start->initramfs;
	sk_qemu_args(&args, q, c);
	s.file = q->facts->path;
	s.argv = (const char *const *)args.v;
	s.envp = env;
	s.stdout_fd = c->console_fd;
	s.stderr_fd = c->console_fd;
	r = args.failed ? sk_error_set(err, E2BIG, "too many devices for one VM of QEMU")
			: sk_confine_spawn(f, &s, ret, err);
	sk_args_fini(&args);
	sk_filter_free(filter);
	f->filter = NULL;
	return r;
}

static void set_limits(struct sk_confine *f, const struct sk_engine_config *c)
{
	/* Its own memory: translated code, threads' stacks, buffers. The guest's is a file and not counted. */
	f->data_limit = 1024 * MIB + c->cpus * 32 * MIB;
	/* The guest's memory too, and what the C library reserves for each thread. */
	f->address_limit = 2 * c->memory + 16384 * MIB + c->cpus * 256 * MIB;
}

int sk_qemu_start(const struct sk_engine_config *c, const struct sk_qemu_facts *facts, bool kvm,
		  struct sk_engine_process *ret, struct sk_error *err)
{
	const char *device = c->settings && c->settings->kvm_device ? c->settings->kvm_device : "/dev/kvm";
	char prefix[512], firmware[600], process[32];
	struct qemu_start start = { .c = c,
				    .q = { .facts = facts, .kvm = kvm, .process = process, .firmware = firmware } };
	struct sk_qemu_memory memory;
	struct sk_confine f;
	int r;

	*ret = (struct sk_engine_process){ .pidfd = -1, .claim_fd = -1 };
	r = sk_qemu_kernel(c->settings, start.kernel, sizeof(start.kernel), err);
	if (r == 0)
		r = sk_guest_part(SK_GUEST_INITRAMFS, start.initramfs, sizeof(start.initramfs), err);
	if (r == 0)
		r = sk_confine_init(&f, c, c->memory + 16 * MIB, err);
	if (r == 0)
		r = sk_qemu_memory_init(&memory, start.kernel, c->memory / MIB * MIB, err);
	if (r < 0)
		return r;
	snprintf(process, sizeof(process), "skerry-%.8s", c->name);
	prefix_of(facts->path, prefix, sizeof(prefix));
	bind_program(&f, facts->path, prefix);
	find_firmware(prefix, firmware, sizeof(firmware));
	sk_confine_bind(&f, start.initramfs, "initramfs", false, false);
	if (kvm)
		f.device = device;
	/* Where they are given without being asked for, each thread's stack would hold one. Translated code likes
	 * them, and QEMU asks for them. */
	f.no_huge_pages = kvm;
	set_limits(&f, c);
	f.fill = sk_qemu_memory_fill;
	f.fill_arg = &memory;
	r = sk_confine_start(&f, spawn_confined, &start, ret, err);
	r = r < 0 ? sk_error_wrap(err, "cannot start QEMU") : 0;
	sk_qemu_memory_fini(&memory);
	return r;
}

/* --- the two engines --- */

/* The checks that need no guest. */
static int check_parts(const struct sk_engine_settings *s, struct sk_qemu_facts *ret, struct sk_error *err)
{
	char kernel[512];
	int r = sk_qemu_find(s, ret, err);

	if (r == 0)
		r = sk_qemu_kernel_part(kernel, sizeof(kernel), err);
	return r < 0 ? r : sk_guest_part_check(SK_GUEST_INITRAMFS, false, err);
}

static int tcg_probe(const struct sk_engine_settings *s, struct sk_error *err)
{
	struct sk_qemu_facts facts;

	return check_parts(s, &facts, err);
}

static int kvm_probe(const struct sk_engine_settings *s, struct sk_error *err)
{
	struct sk_qemu_facts facts;
	int r = check_parts(s, &facts, err);

	return r < 0 ? r : sk_kvm_check(s, &facts, err);
}

static int start(const struct sk_engine_config *c, bool kvm, struct sk_engine_process *ret, struct sk_error *err)
{
	static const struct sk_engine_settings none = { 0 };
	struct sk_qemu_facts facts;
	int r = sk_qemu_find(c->settings ? c->settings : &none, &facts, err);

	return r < 0 ? r : sk_qemu_start(c, &facts, kvm, ret, err);
}

static int tcg_start(const struct sk_engine_config *c, struct sk_engine_process *ret, struct sk_error *err)
{
	return start(c, false, ret, err);
}

static int kvm_start(const struct sk_engine_config *c, struct sk_engine_process *ret, struct sk_error *err)
{
	return start(c, true, ret, err);
}

static int qemu_info(const struct sk_engine_settings *s, const char *name, const char *isolation,
		     struct sk_engine_info *info, struct sk_error *err)
{
	struct sk_qemu_facts facts;
	int r;

	*info = (struct sk_engine_info){ .name = name, .isolation = isolation };
	r = sk_qemu_find(s, &facts, err);
	if (r < 0)
		return r;
	snprintf(info->program, sizeof(info->program), "%s (QEMU %s)", facts.path, facts.version);
	r = sk_qemu_kernel_part(info->kernel_path, sizeof(info->kernel_path), err);
	return r < 0 ? r : sk_guest_parts_info(info, err);
}

static int tcg_info(const struct sk_engine_settings *s, struct sk_engine_info *info, struct sk_error *err)
{
	return qemu_info(s, "tcg", "own kernel on an emulated processor, in a confined QEMU: not a hardware boundary",
			 info, err);
}

static int kvm_info(const struct sk_engine_settings *s, struct sk_engine_info *info, struct sk_error *err)
{
	return qemu_info(s, "kvm", "own kernel behind the processor's virtualization (KVM), in a confined QEMU", info,
			 err);
}

const struct sk_engine sk_engine_kvm = {
	.name = "kvm",
	.probe = kvm_probe,
	.start = kvm_start,
	.info = kvm_info,
};

const struct sk_engine sk_engine_tcg = {
	.name = "tcg",
	.probe = tcg_probe,
	.start = tcg_start,
	.info = tcg_info,
};
