/* SPDX-License-Identifier: Apache-2.0 */
/*
 * User-mode Linux: the guest kernel is a program (kernel/, seccomp mode). It needs no hardware virtualization and
 * computes at native speed.
 *
 * The guest is not separated from that program by hardware: whoever owns the guest kernel owns the process. So the
 * boundary is around the process tree: own user, mount, pid, network, ipc and uts namespaces with nothing in them but
 * the kernel, the initramfs and the device sockets; a seccomp filter; no capabilities (uml_confine.c). Its memory is a
 * file on a private tmpfs of exactly the size asked for.
 *
 * It dies with its parent thread (PR_SET_PDEATHSIG), and as the init of its pid namespace takes all its stubs along.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/log.h"
#include "engine/engine_internal.h"

#define SK_UML_KERNEL "linux-uml"
#define SK_UML_INITRAMFS "initramfs.cpio"
#define SK_UML_MAX_ARGS 40
#define SK_UML_ARG_MAX 192
/* Users of VMs that root starts: one of their own each, far from any real account. */
#define SK_UML_UID_BASE 0x5b000000u

struct uml_args {
	char text[SK_UML_MAX_ARGS][SK_UML_ARG_MAX];
	const char *argv[SK_UML_MAX_ARGS + 1];
	size_t n;
};

static void arg_add(struct uml_args *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void arg_add(struct uml_args *a, const char *fmt, ...)
{
	va_list ap;

	if (a->n == SK_UML_MAX_ARGS)
		return;
	va_start(ap, fmt);
	vsnprintf(a->text[a->n], SK_UML_ARG_MAX, fmt, ap);
	va_end(ap);
	a->argv[a->n] = a->text[a->n];
	a->argv[++a->n] = NULL;
}

static void build_args(struct uml_args *a, const struct sk_engine_config *c, bool namespaces, const char *initramfs)
{
	size_t i;

	arg_add(a, "skerry-vm-%.12s", c->name);
	arg_add(a, "mem=%lluK", (unsigned long long)(c->memory / 1024));
	arg_add(a, "ncpus=%u", c->cpus);
	arg_add(a, "initrd=%s", namespaces ? "/initramfs" : initramfs);
	arg_add(a, "uml_dir=%s", namespaces ? "/tmp" : c->run_dir);
	arg_add(a, "umid=uml");
	arg_add(a, "seccomp=on");
	arg_add(a, "con=null");
	arg_add(a, "con0=null,fd:1");
	if (!getenv("SKERRY_DEBUG")) {
		arg_add(a, "quiet");
		arg_add(a, "loglevel=4");
	}
	arg_add(a, "panic=-1");
	arg_add(a, "dummy.numdummies=0"); /* lo and what we give it, nothing else */
	arg_add(a, "lpj=40000000");	  /* else 70 ms of measuring a delay loop that nothing depends on */
	arg_add(a, "oops=panic");
	arg_add(a, "random.trust_bootloader=on");
	for (i = 0; i < c->n_devices; i++)
		arg_add(a, "virtio_uml.device=vu/%s:%u", c->devices[i].socket, c->devices[i].virtio_id);
	if (c->extra_args)
		arg_add(a, "%s", c->extra_args);
}

static int uml_probe(struct sk_error *err)
{
	char path[512];
	int r = sk_guest_part(SK_UML_KERNEL, path, sizeof(path), err);

	if (r < 0)
		return r;
	if (access(path, X_OK) < 0)
		return sk_error_set(
			err, EACCES,
			"guest kernel %s is not executable: chmod 0755 it, or remount its file system without noexec",
			path);
	return sk_guest_part(SK_UML_INITRAMFS, path, sizeof(path), err);
}

/* Fills what the child needs; strings live in the caller's frame. */
static int confine_init(struct sk_uml_confine *f, const struct sk_engine_config *c, struct sk_error *err)
{
	bool root = geteuid() == 0;
	uint32_t random;

	snprintf(f->tmpfs_options, sizeof(f->tmpfs_options), "size=%lluk,mode=0755",
		 (unsigned long long)(c->memory / 1024 + 4096));
	sk_random(&random, sizeof(random));
	if (root) {
		f->uid = SK_UML_UID_BASE + (random & 0xffffff);
		if (mkdir(f->new_root, 0755) < 0 && errno != EEXIST)
			return sk_error_errno(err, errno, "cannot make %s", f->new_root);
		return 0;
	}
	f->uid = geteuid();
	snprintf(f->uid_map, sizeof(f->uid_map), "%u %u 1\n", geteuid(), geteuid());
	snprintf(f->gid_map, sizeof(f->gid_map), "%u %u 1\n", getegid(), getegid());
	if (mkdir(f->new_root, 0755) < 0 && errno != EEXIST)
		return sk_error_errno(err, errno, "cannot make %s", f->new_root);
	return 0;
}

static int spawn_confined(const struct sk_engine_config *c, struct sk_uml_confine *f, struct sk_engine_process *ret,
			  struct sk_error *err)
{
	_cleanup_free_ struct uml_args *args = calloc(1, sizeof(*args));
	static const char *const env[] = { "TMPDIR=/tmp", "HOME=/tmp", "PATH=/", NULL };
	char tmpdir[600], home[600];
	const char *plain_env[] = { tmpdir, home, "PATH=/", NULL };
	struct sk_spawn s = SK_SPAWN_INIT;

	if (!args)
		return sk_error_errno(err, ENOMEM, "cannot start the guest kernel");
	snprintf(tmpdir, sizeof(tmpdir), "TMPDIR=%s", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : c->run_dir);
	snprintf(home, sizeof(home), "HOME=%s", c->run_dir);
	build_args(args, c, f->namespaces, f->initramfs);
	s.file = f->namespaces ? "/linux" : f->kernel;
	s.argv = args->argv;
	s.envp = f->namespaces ? env : plain_env;
	s.stdout_fd = c->console_fd;
	s.stderr_fd = c->console_fd;
	s.die_with_parent = true;
	s.clone_flags = sk_uml_confine_flags(f);
	s.prepare = sk_uml_confine_apply;
	s.prepare_arg = f;
	return sk_spawn(&s, &ret->pid, &ret->pidfd, err);
}

static int uml_start(const struct sk_engine_config *c, struct sk_engine_process *ret, struct sk_error *err)
{
	char kernel[512], initramfs[512], new_root[600], dev_dir[600], cpu_dir[600];
	struct sk_uml_confine f = {
		.kernel = kernel, .initramfs = initramfs, .new_root = new_root, .dev_dir = dev_dir, .cpu = -1
	};
	_cleanup_fd_ int claim = -1;
	struct sock_fprog *filter;
	int r;

	*ret = (struct sk_engine_process){ .pidfd = -1, .claim_fd = -1 };
	r = sk_guest_part(SK_UML_KERNEL, kernel, sizeof(kernel), err);
	if (r < 0)
		return r;
	r = sk_guest_part(SK_UML_INITRAMFS, initramfs, sizeof(initramfs), err);
	if (r < 0)
		return r;
	snprintf(new_root, sizeof(new_root), "%s/root", c->run_dir);
	snprintf(dev_dir, sizeof(dev_dir), "%s/vu", c->run_dir);
	snprintf(cpu_dir, sizeof(cpu_dir), "%s/../cpus", c->run_dir);
	if (c->cpus == 1)
		f.cpu = sk_cpu_claim(cpu_dir, &claim);
	r = confine_init(&f, c, err);
	if (r < 0)
		return r;
	r = sk_uml_filter_new(&filter, err);
	if (r < 0)
		return r;
	f.filter = filter;
	f.namespaces = true;
	r = spawn_confined(c, &f, ret, err);
	if (r == -EPERM || r == -ENOSPC || r == -EINVAL || r == -ENOSYS || r == -EACCES) {
		/* No (more) user namespaces here: the filter, the lack of capabilities and no_new_privs remain. */
		sk_log(SK_LOG_WARN,
		       "no namespaces for the guest kernel (%s): it runs with less confinement; see `skerry info`",
		       strerror(-r));
		f.namespaces = false;
		r = spawn_confined(c, &f, ret, err);
	}
	sk_uml_filter_free(filter);
	if (r < 0)
		return sk_error_wrap(err, "cannot start the guest kernel");
	ret->claim_fd = SK_TAKE_FD(claim);
	return 0;
}

static int uml_info(struct sk_engine_info *info, struct sk_error *err)
{
	char path[512], version[600];
	_cleanup_free_ char *text = NULL;
	struct stat st;
	int r;

	*info = (struct sk_engine_info){
		.name = "uml",
		.isolation = "own kernel in a confined process tree (User-mode Linux): not a hardware boundary",
	};
	r = sk_guest_part(SK_UML_KERNEL, info->kernel_path, sizeof(info->kernel_path), err);
	if (r < 0)
		return r;
	if (stat(info->kernel_path, &st) == 0)
		info->kernel_size = (uint64_t)st.st_size;
	snprintf(version, sizeof(version), "%s.version", info->kernel_path);
	if (sk_fs_read(AT_FDCWD, version, 256, &text, NULL) == 0) {
		text[strcspn(text, "\n")] = '\0';
		snprintf(info->kernel_version, sizeof(info->kernel_version), "%s", text);
	}
	r = sk_guest_part(SK_UML_INITRAMFS, path, sizeof(path), err);
	if (r == 0 && stat(path, &st) == 0)
		info->initramfs_size = (uint64_t)st.st_size;
	return r;
}

const struct sk_engine sk_engine_uml = {
	.name = "uml",
	.probe = uml_probe,
	.start = uml_start,
	.info = uml_info,
};
