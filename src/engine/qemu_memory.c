/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's memory under QEMU: a file on the tmpfs that is QEMU's root, as it is under User-mode Linux. The kernel is
 * put where it belongs in it before QEMU starts, which is spared the work; and QEMU would keep the whole kernel mapped
 * for as long as it runs, which is 15 MiB of an idle guest. What it gets as its -kernel is an ELF file that says no
 * more than where to begin.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "engine/engine_internal.h"

/* "Xen" note with the 32-bit entry of a PVH kernel: Linux Documentation, "x86/boot: PVH", xen/interface/elfnote.h. */
#define NOTE_PHYS32_ENTRY 18u
#define NOTES_MAX 4096u
#define PHDRS_MAX 32u
/* Free in every PC's memory, and the kernel is far above. */
#define START_ADDRESS 0x100000u
#define KERNEL_LOWEST 0x200000u

struct pvh_note {
	Elf64_Nhdr head;
	char name[4];
	uint64_t entry;
};
struct start_file {
	Elf64_Ehdr head;
	Elf64_Phdr load, note;
	struct pvh_note pvh;
};
_Static_assert(sizeof(struct pvh_note) == 24, "as in the file");
_Static_assert(sizeof(struct start_file) == SK_QEMU_START_FILE, "as in the file");

static size_t padded(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

static int find_entry(const char *notes, size_t size, uint64_t *ret)
{
	size_t at = 0;

	while (size - at >= sizeof(Elf64_Nhdr)) {
		size_t left = size - at - sizeof(Elf64_Nhdr), name, desc;
		Elf64_Nhdr n;

		memcpy(&n, notes + at, sizeof(n));
		name = padded(n.n_namesz);
		desc = padded(n.n_descsz);
		if (name > left || desc > left - name)
			return -ENOEXEC;
		at += sizeof(n) + name;
		if (n.n_type == NOTE_PHYS32_ENTRY && n.n_namesz == 4 && memcmp(notes + at - name, "Xen", 4) == 0 &&
		    n.n_descsz == sizeof(*ret)) {
			memcpy(ret, notes + at, sizeof(*ret));
			return 0;
		}
		at += desc;
	}
	return -ENOENT;
}

static int read_notes(int fd, const Elf64_Phdr *p, uint64_t *ret_entry)
{
	char notes[NOTES_MAX];

	if (p->p_filesz > sizeof(notes) || pread(fd, notes, p->p_filesz, (off_t)p->p_offset) != (ssize_t)p->p_filesz)
		return -ENOEXEC;
	return find_entry(notes, p->p_filesz, ret_entry);
}

static int add_load(struct sk_qemu_memory *m, const Elf64_Phdr *p)
{
	if (p->p_memsz == 0)
		return 0;
	if (m->n_loads == SK_QEMU_LOADS || p->p_filesz > p->p_memsz || p->p_paddr < KERNEL_LOWEST)
		return -ENOEXEC;
	if (p->p_memsz > m->size || p->p_paddr > m->size - p->p_memsz)
		return -ENOMEM;
	m->loads[m->n_loads++] = (struct sk_qemu_load){ p->p_offset, p->p_filesz, p->p_paddr };
	return 0;
}

static void write_start(struct sk_qemu_memory *m, uint64_t entry)
{
	struct start_file s = {
		.head = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			  .e_type = ET_EXEC,
			  .e_machine = EM_X86_64,
			  .e_version = EV_CURRENT,
			  .e_entry = entry,
			  .e_phoff = offsetof(struct start_file, load),
			  .e_ehsize = sizeof(s.head),
			  .e_phentsize = sizeof(s.load),
			  .e_phnum = 2 },
		.load = { .p_type = PT_LOAD,
			  .p_flags = PF_R,
			  .p_vaddr = START_ADDRESS,
			  .p_paddr = START_ADDRESS,
			  .p_filesz = sizeof(s),
			  .p_memsz = sizeof(s),
			  .p_align = 4096 },
		.note = { .p_type = PT_NOTE,
			  .p_flags = PF_R,
			  .p_offset = offsetof(struct start_file, pvh),
			  .p_filesz = sizeof(s.pvh),
			  .p_memsz = sizeof(s.pvh),
			  .p_align = 4 },
		.pvh = { .head = { 4, sizeof(entry), NOTE_PHYS32_ENTRY }, .name = "Xen", .entry = entry },
	};

	memcpy(m->start, &s, sizeof(s));
}

static int plan(struct sk_qemu_memory *m)
{
	Elf64_Phdr phdrs[PHDRS_MAX];
	uint64_t entry = 0;
	Elf64_Ehdr h;
	size_t i, size;
	int r = 0;

	if (pread(m->kernel_fd, &h, sizeof(h), 0) != sizeof(h) || h.e_phnum > PHDRS_MAX ||
	    h.e_phentsize != sizeof(phdrs[0]))
		return -ENOEXEC;
	size = h.e_phnum * sizeof(phdrs[0]);
	if (pread(m->kernel_fd, phdrs, size, (off_t)h.e_phoff) != (ssize_t)size)
		return -ENOEXEC;
	for (i = 0; r == 0 && i < h.e_phnum; i++) {
		if (phdrs[i].p_type == PT_LOAD)
			r = add_load(m, &phdrs[i]);
		else if (phdrs[i].p_type == PT_NOTE && !entry &&
			 read_notes(m->kernel_fd, &phdrs[i], &entry) == -ENOEXEC)
			r = -ENOEXEC;
	}
	if (r == 0 && (!entry || entry > UINT32_MAX || m->n_loads == 0))
		r = -ENOEXEC;
	if (r == 0)
		write_start(m, entry);
	return r;
}

int sk_qemu_memory_init(struct sk_qemu_memory *m, const char *kernel, uint64_t size, struct sk_error *err)
{
	int r;

	*m = (struct sk_qemu_memory){ .kernel_fd = open(kernel, O_RDONLY | O_CLOEXEC), .size = size };
	if (m->kernel_fd < 0)
		return sk_error_errno(err, errno, "cannot open guest kernel %s", kernel);
	r = plan(m);
	if (r == 0)
		return 0;
	sk_close_fd(&m->kernel_fd);
	if (r == -ENOMEM)
		return sk_error_set(err, ENOMEM, "%llu MiB of memory do not hold the guest kernel",
				    (unsigned long long)(size >> 20));
	return sk_error_set(err, ENOEXEC,
			    "guest kernel %s cannot be started by QEMU (no kernel with a PVH entry): run `make build`, "
			    "or install the skerry package again",
			    kernel);
}

void sk_qemu_memory_fini(struct sk_qemu_memory *m)
{
	sk_close_fd(&m->kernel_fd);
}

/* --- in the child --- */

static int make_file(const char *name, uid_t uid)
{
	int fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0 || geteuid() == uid)
		return fd < 0 ? -errno : fd;
	if (fchown(fd, uid, uid) == 0)
		return fd;
	close(fd);
	return -EPERM;
}

static int copy_load(const struct sk_qemu_memory *m, const struct sk_qemu_load *l, int fd)
{
	off_t from = (off_t)l->offset;
	uint64_t left = l->size;
	ssize_t n;

	if (lseek(fd, (off_t)l->address, SEEK_SET) < 0)
		return -errno;
	for (; left; left -= (uint64_t)n) {
		n = sendfile(fd, m->kernel_fd, &from, left);
		if (n <= 0)
			return n < 0 ? -errno : -ENOEXEC;
	}
	return 0;
}

int sk_qemu_memory_fill(void *arg, uid_t uid)
{
	const struct sk_qemu_memory *m = arg;
	int fd = make_file(&SK_QEMU_MEMORY_FILE[1], uid), r;
	size_t i;

	if (fd < 0)
		return fd;
	r = ftruncate(fd, (off_t)m->size) < 0 ? -errno : 0;
	for (i = 0; r == 0 && i < m->n_loads; i++)
		r = copy_load(m, &m->loads[i], fd);
	close(fd);
	if (r < 0)
		return r;
	fd = make_file(&SK_QEMU_KERNEL_FILE[1], uid);
	if (fd < 0)
		return fd;
	r = sk_fs_write_all(fd, m->start, sizeof(m->start));
	close(fd);
	return r;
}
