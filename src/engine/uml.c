/* SPDX-License-Identifier: Apache-2.0 */
/*
 * User-mode Linux: the guest kernel is a program (kernel/, seccomp mode). It needs no hardware virtualization and
 * computes at native speed.
 *
 * The guest is not separated from that program by hardware: whoever owns the guest kernel owns the process. So the
 * boundary is around the process tree: own user, mount, pid, network, ipc and uts namespaces with nothing in them but
 * the kernel, the initramfs and the device sockets; a seccomp filter; no capabilities (confine.c, uml_filter.c). Its
 * memory is a file on a private tmpfs of exactly the size asked for.
 *
 * The programs of the guest run in processes of their own, or in place: with the guest kernel mapped into their
 * processes. That is faster, and what holds if nothing is said, where the host can do it and the guest has the whole
 * sandbox (docs/security.md).
 *
 * It dies with its parent thread (PR_SET_PDEATHSIG), and as the init of its pid namespace takes all its stubs along.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/id.h"
#include "engine/engine_internal.h"

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_OFF 0
#endif
#ifndef HWCAP2_FSGSBASE
#define HWCAP2_FSGSBASE (1 << 1)
#endif

#define SK_UML_KERNEL "linux-uml"
/*
 * A process of the guest (not a thread) is a process of the host, and a socket of the kernel's. The containers' own
 * limit is below that (cli/spec.c), so that the agent can always start one. Where the host refuses, fork in the guest
 * returns EAGAIN.
 */
#define SK_UML_PROCESSES 5120u
#define SK_UML_FILES 8192u
/* What the guest kernel has place for if it is in place (INPLACE_PHYSMEM in kernel/patches/0080). */
#define SK_UML_IN_PLACE_MEMORY ((128ull << 30) - (32ull << 20))

/* Paths are relative to the run directory where there are no namespaces. */
static void build_args(struct sk_args *a, const struct sk_engine_config *c, bool namespaces, bool in_place,
		       const char *initramfs)
{
	size_t i;

	sk_args_add(a, "skerry-vm-%.12s", c->name);
	sk_args_add(a, "mem=%lluK", (unsigned long long)(c->memory / 1024));
	sk_args_add(a, "ncpus=%u", c->cpus);
	sk_args_add(a, "initrd=%s", namespaces ? "/initramfs" : initramfs);
	sk_args_add(a, "uml_dir=%s", namespaces ? "/tmp" : "root");
	sk_args_add(a, "umid=uml");
	sk_args_add(a, "seccomp=on");
	if (in_place)
		sk_args_add(a, "inplace");
	sk_args_add(a, "con=null");
	sk_args_add(a, "con0=null,fd:1");
	if (!getenv("SKERRY_DEBUG")) {
		sk_args_add(a, "quiet");
		sk_args_add(a, "loglevel=4");
	}
	sk_args_add(a, "panic=-1");
	sk_args_add(a, "dummy.numdummies=0"); /* lo and our own devices, nothing else */
	sk_args_add(a, "lpj=40000000");	      /* else 70 ms of measuring a delay loop that nothing depends on */
	sk_args_add(a, "oops=panic");
	sk_args_add(a, "random.trust_bootloader=on");
	sk_args_add(a, SK_GUEST_REPORTING_ORDER);
	sk_args_add(a, SK_GUEST_REPORTING_DELAY);
	sk_args_add(a, SK_GUEST_GRACE_PERIODS);
	for (i = 0; i < c->n_devices; i++)
		sk_args_add(a, "virtio_uml.device=vu/%s:%u", c->devices[i].socket, c->devices[i].virtio_id);
	if (c->extra_args)
		sk_args_add(a, "%s", c->extra_args);
}

/* True if the host places mappings of programs from the bottom up, where those of the guest's programs are to be. */
static bool legacy_layout(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/sys/vm/legacy_va_layout", "re");

	return f && fgetc(f) == '1';
}

int sk_uml_in_place_check(uint64_t memory, struct sk_error *err)
{
	const char *why = NULL;

	if (!(getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE))
		why = "whose programs may not set the FS base (that takes a processor with FSGSBASE and Linux 5.9)";
	else if (prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0, 0) < 0)
		why = "which has no syscall user dispatch (Linux 5.11), or refuses it by a filter of system calls";
	else if (legacy_layout())
		why = "which maps memory from the bottom up (sysctl vm.legacy_va_layout)";
	if (why)
		return sk_error_set(err, EOPNOTSUPP, "\"in-place\" does not work on this host, %s", why);
	if (memory > SK_UML_IN_PLACE_MEMORY)
		return sk_error_set(
			err, EINVAL,
			"with \"uml_isolation\": \"in-place\" a guest has at most %llu MiB of memory: say less",
			SK_UML_IN_PLACE_MEMORY >> 20);
	return 0;
}

static int uml_probe(const struct sk_engine_settings *settings, struct sk_error *err)
{
	struct sk_error why = SK_ERROR_INIT;
	int r = sk_guest_part_check(SK_UML_KERNEL, true, err);

	if (r == 0)
		r = sk_guest_part_check(SK_GUEST_INITRAMFS, false, err);
	if (r == 0 && settings->uml_isolation == SK_UML_IN_PLACE && sk_uml_in_place_check(0, &why) < 0)
		r = sk_error_set(err, EOPNOTSUPP, "%s: say \"uml_isolation\": \"auto\" in the configuration",
				 why.message);
	return r;
}

struct uml_start {
	const struct sk_engine_config *c;
	enum sk_uml_isolation isolation; /* auto: in place if there are namespaces */
	char kernel[512], initramfs[512];
};

/*
 * Without namespaces: where the guest's memory is a file, without a name. A directory of this user's alone on the
 * host's tmpfs; a plain user's run directory is small as a rule.
 */
static void find_memory_dir(struct sk_confine *f)
{
	struct stat st;

	snprintf(f->memory_dir, sizeof(f->memory_dir), "/dev/shm/skerry-%u", geteuid());
	if (f->uid == geteuid() && (mkdir(f->memory_dir, 0700) == 0 || errno == EEXIST) &&
	    lstat(f->memory_dir, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & 077))
		return;
	f->memory_dir[0] = '\0';
}

static int spawn_confined(void *arg, struct sk_confine *f, struct sk_engine_process *ret, struct sk_error *err)
{
	static const char *const env[] = { "TMPDIR=/tmp", "HOME=/tmp", "PATH=/", NULL };
	char tmpdir[80];
	const char *plain_env[] = { tmpdir, "HOME=root", "PATH=/", NULL };
	struct sk_spawn s = SK_SPAWN_INIT;
	struct sk_args args = { 0 };
	struct uml_start *start = arg;
	bool in_place;
	int r;

	if (!f->namespaces)
		find_memory_dir(f);
	snprintf(tmpdir, sizeof(tmpdir), "TMPDIR=%s", f->memory_dir[0] ? f->memory_dir : "root");
	in_place = start->isolation == SK_UML_IN_PLACE || (start->isolation == SK_UML_AUTO && f->namespaces);
	build_args(&args, start->c, f->namespaces, in_place, start->initramfs);
	s.file = f->namespaces ? "/linux" : start->kernel;
	s.argv = (const char *const *)args.v;
	s.envp = f->namespaces ? env : plain_env;
	s.stdout_fd = start->c->console_fd;
	s.stderr_fd = start->c->console_fd;
	r = args.failed ? sk_error_errno(err, ENOMEM, "cannot start %s", s.file) : sk_confine_spawn(f, &s, ret, err);
	sk_args_fini(&args);
	return r;
}

/*
 * Of its processes each: what the kernel itself allocates, with a stack for each processor's thread; and addresses.
 * Stubs map what the guest's processes do, page by page, some of it more than once. What that takes of the host is page
 * tables, 1/512 of it.
 */
static void set_limits(struct sk_confine *f, const struct sk_engine_config *c)
{
	bool separate = c->settings && c->settings->uml_isolation == SK_UML_SEPARATE;

	f->data_limit = (256ull + 32ull * c->cpus) << 20;
	f->address_limit = 8 * c->memory + (4ull << 30);
	/* In place a process has a thread for each processor that is in it at the same time. */
	f->process_limit = SK_UML_PROCESSES * (separate ? 1 : c->cpus);
	f->fd_limit = SK_UML_FILES;
}

/* What was asked for, or, with auto, what becomes of it with this guest: "separate", or auto still. */
static int choose_isolation(const struct sk_engine_config *c, enum sk_uml_isolation *ret, struct sk_error *err)
{
	struct sk_error why = SK_ERROR_INIT;
	int r;

	*ret = c->settings ? c->settings->uml_isolation : SK_UML_AUTO;
	if (*ret == SK_UML_SEPARATE)
		return 0;
	r = sk_uml_in_place_check(c->memory, &why);
	if (r < 0 && *ret == SK_UML_IN_PLACE)
		return sk_error_set(err, -r, "%s, or \"auto\" in the configuration", why.message);
	if (r < 0)
		*ret = SK_UML_SEPARATE;
	return 0;
}

static int uml_start(const struct sk_engine_config *c, struct sk_engine_process *ret, struct sk_error *err)
{
	struct uml_start start = { .c = c };
	char cpu_dir[600];
	_cleanup_fd_ int claim = -1;
	struct sock_fprog *filter;
	struct sk_confine f;
	int r;

	*ret = (struct sk_engine_process){ .pidfd = -1, .claim_fd = -1 };
	r = choose_isolation(c, &start.isolation, err);
	if (r == 0)
		r = sk_guest_part(SK_UML_KERNEL, start.kernel, sizeof(start.kernel), err);
	if (r == 0)
		r = sk_guest_part(SK_GUEST_INITRAMFS, start.initramfs, sizeof(start.initramfs), err);
	/* The guest's memory is a file on the tmpfs that is the engine's root. */
	if (r == 0)
		r = sk_confine_init(&f, c, c->memory + (4u << 20), err);
	if (r == 0)
		r = sk_uml_filter_new(&filter, err);
	if (r < 0)
		return r;
	sk_confine_bind(&f, start.kernel, "linux", false, false);
	sk_confine_bind(&f, start.initramfs, "initramfs", false, false);
	snprintf(cpu_dir, sizeof(cpu_dir), "%s/../cpus", c->run_dir);
	if (c->cpus == 1)
		f.cpu = sk_cpu_claim(cpu_dir, &claim);
	f.filter = filter;
	f.no_randomize = true; /* it wants that, and would start itself anew through /proc, which is not there */
	set_limits(&f, c);
	r = sk_confine_start(&f, spawn_confined, &start, ret, err);
	sk_filter_free(filter);
	if (r < 0)
		return sk_error_wrap(err, "cannot start the guest kernel");
	ret->claim_fd = SK_TAKE_FD(claim);
	return 0;
}

static int uml_info(const struct sk_engine_settings *settings, struct sk_engine_info *info, struct sk_error *err)
{
	struct sk_error why = SK_ERROR_INIT;
	bool in_place = settings->uml_isolation != SK_UML_SEPARATE && sk_uml_in_place_check(0, &why) == 0;
	int r;

	*info = (struct sk_engine_info){
		.name = "uml",
		.isolation =
			in_place ? "own kernel in a confined process tree (User-mode Linux, in place: in the "
				   "processes of its programs): not a hardware boundary"
				 : "own kernel in a confined process tree (User-mode Linux): not a hardware boundary",
	};
	r = sk_guest_part(SK_UML_KERNEL, info->kernel_path, sizeof(info->kernel_path), err);
	return r < 0 ? r : sk_guest_parts_info(info, err);
}

const struct sk_engine sk_engine_uml = {
	.name = "uml",
	.probe = uml_probe,
	.start = uml_start,
	.info = uml_info,
};
