/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest kernel for QEMU. QEMU starts an uncompressed vmlinux only (by its PVH note), which is four times the size
 * of what is installed: vmlinux-x86_64.gz is unpacked once for each boot of the host into the cache directory, where
 * all VMs of a user share its pages. A plain vmlinux-x86_64 beside it comes first.
 */
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/private.h"
#include "engine/engine_internal.h"

#define KERNEL_MAX (256u << 20)

static const char *machine_name(unsigned machine)
{
	switch (machine) {
	case EM_X86_64:
		return "x86-64";
	case EM_AARCH64:
		return "arm64";
	case EM_386:
		return "i386";
	case EM_RISCV:
		return "riscv";
	default:
		return "another architecture";
	}
}

static int check_header(const char *path, const void *data, size_t size, struct sk_error *err)
{
	Elf64_Ehdr h = { .e_machine = 0 };

	if (size >= sizeof(h))
		memcpy(&h, data, sizeof(h));
	if (memcmp(h.e_ident, ELFMAG, SELFMAG) != 0)
		return sk_error_set(err, ENOEXEC,
				    "guest kernel %s is not an ELF file (a vmlinux): run `make build`, or install the "
				    "skerry package again",
				    path);
	if (h.e_machine != EM_X86_64 || h.e_ident[EI_CLASS] != ELFCLASS64)
		return sk_error_set(err, ENOEXEC,
				    "guest kernel %s is made for %s, and the guest's processor is x86-64: run `make "
				    "build` on this machine, or install the skerry package for amd64",
				    path, machine_name(h.e_machine));
	return 0;
}

/* gzopen() reads plain files too. */
static int check_kernel(const char *path, struct sk_error *err)
{
	gzFile in = gzopen(path, "rbe");
	Elf64_Ehdr h;
	int n = in ? gzread(in, &h, sizeof(h)) : -1;

	if (in)
		gzclose(in);
	return check_header(path, &h, n < 0 ? 0 : (size_t)n, err);
}

static int unpack_to(const char *path, int fd)
{
	_cleanup_free_ char *buf = malloc(1 << 20);
	gzFile in = buf ? gzopen(path, "rbe") : NULL;
	size_t total = 0;
	int n, r = 0;

	if (!in)
		return errno ? -errno : -ENOMEM;
	gzbuffer(in, 1 << 18);
	while (r == 0 && (n = gzread(in, buf, 1 << 20)) != 0) {
		total += n > 0 ? (size_t)n : 0;
		r = n < 0 || total > KERNEL_MAX ? -EIO : sk_fs_write_all(fd, buf, (size_t)n);
	}
	gzclose(in);
	return r;
}

/* Removes kernels of other installations an hour after they were made: a start that has just found one still uses
 * it. */
static void remove_old(int dirfd)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	struct stat st;

	while (dir && (e = readdir(dir)))
		if (strncmp(e->d_name, "vmlinux", 7) == 0 && fstatat(dirfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    time(NULL) - st.st_mtim.tv_sec > 3600)
			unlinkat(dirfd, e->d_name, 0);
	if (!dir && fd >= 0)
		close(fd);
}

/* `name` in the cache directory; a process that is killed meanwhile leaves a file of another name. */
static int unpack(const char *path, int dirfd, const char *name)
{
	_cleanup_fd_ int fd = -1;
	char tmp[64];
	int r;

	remove_old(dirfd);
	snprintf(tmp, sizeof(tmp), "vmlinux.tmp-%d", (int)getpid());
	unlinkat(dirfd, tmp, 0);
	fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return -errno;
	r = fchmod(fd, 0644) < 0 ? -errno : unpack_to(path, fd);
	if (r == 0 && renameat(dirfd, tmp, dirfd, name) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(dirfd, tmp, 0);
	return r;
}

int sk_qemu_kernel_part(char *buf, size_t size, struct sk_error *err)
{
	struct sk_error plain = SK_ERROR_INIT;
	int r = sk_guest_part(SK_QEMU_KERNEL, buf, size, &plain);

	if (r < 0)
		r = sk_guest_part(SK_QEMU_KERNEL ".gz", buf, size, &plain);
	if (r == -ENOENT)
		return sk_error_set(
			err, ENOENT,
			"the guest kernel for QEMU is missing (%s): in a source tree \"make build\" adds it "
			"(make quickstart leaves it out where KVM cannot be used), else install the skerry "
			"package again",
			buf);
	if (r < 0)
		return sk_error_set(err, -r, "%s", plain.message);
	return r < 0 ? r : check_kernel(buf, err);
}

int sk_qemu_kernel(const struct sk_engine_settings *s, char *buf, size_t size, struct sk_error *err)
{
	_cleanup_fd_ int dirfd = -1, lock = -1;
	char part[512], name[64];
	struct stat st;
	int r = sk_qemu_kernel_part(part, sizeof(part), err);

	if (r < 0)
		return r;
	if (strlen(part) < 3 || strcmp(part + strlen(part) - 3, ".gz") != 0) {
		snprintf(buf, size, "%s", part);
		return 0;
	}
	if (!s || !s->cache_dir)
		return sk_error_set(err, ENOENT, "cannot unpack guest kernel %s: there is no run directory", part);
	if (stat(part, &st) < 0)
		return sk_error_errno(err, errno, "cannot unpack guest kernel %s", part);
	dirfd = sk_private_dir(s->cache_dir, 0700, NULL, err);
	if (dirfd < 0)
		return sk_error_wrap(err, "cannot unpack guest kernel %s", part);
	snprintf(name, sizeof(name), "vmlinux-%llx-%llx-%llx", (unsigned long long)st.st_ino,
		 (unsigned long long)st.st_size,
		 (unsigned long long)st.st_mtim.tv_sec * 1000000000u + (unsigned long long)st.st_mtim.tv_nsec);
	if (faccessat(dirfd, name, R_OK, 0) < 0) {
		lock = openat(dirfd, "kernel.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (lock >= 0)
			sk_fs_lock(lock, true, true);
		if (faccessat(dirfd, name, R_OK, 0) < 0)
			r = unpack(part, dirfd, name);
	}
	if (r < 0)
		return sk_error_errno(err, r, "cannot unpack guest kernel %s to %s", part, s->cache_dir);
	if ((size_t)snprintf(buf, size, "%s/%s", s->cache_dir, name) >= size)
		return sk_error_set(err, ENAMETOOLONG, "the path of the run directory is too long");
	return 0;
}
