/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program of a guest whose kernel is in its own processes ("uml_isolation": "in-place"), which knows that. Static: it
 * runs in any image.
 *
 * place      asks for memory where the kernel is, and near by
 * scribble   writes over the kernel's data
 * calls      makes system calls of the host, by the kernel's own instructions
 * tables     has the kernel meet its own memory for the first time in process after process, with interrupts
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define KERNEL 0x60000000ul
#define KERNEL_TEXT (KERNEL + 0x1000)
#define KERNEL_DATA (KERNEL + 0x900000)

static const char *word(void *p)
{
	return p == MAP_FAILED ? strerrorname_np(errno) : "mapped";
}

static int place(void)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	size_t big = 1ul << 30;
	char *p;
	int i;

	printf("fixed: %s\n", word(mmap((void *)KERNEL, 4096, PROT_READ, flags | MAP_FIXED, -1, 0)));
	printf("end in it: %s\n", word(mmap((void *)(KERNEL - 4096), 8192, PROT_READ, flags | MAP_FIXED, -1, 0)));
	printf("below: %s\n", word(mmap((void *)(KERNEL - 4096), 4096, PROT_READ, flags | MAP_FIXED, -1, 0)));
	p = mmap((void *)KERNEL, 4096, PROT_READ, flags, -1, 0);
	printf("hint: %s\n", p != MAP_FAILED && (uintptr_t)p != KERNEL ? "elsewhere" : word(p));
	p = mmap(NULL, 8192, PROT_READ, flags, -1, 0);
	printf("moved: %s\n", word(mremap(p, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)KERNEL)));
	for (i = 0; i < 4; i++) {
		p = mmap(NULL, big, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, -1, 0);
		if (p == MAP_FAILED || ((uintptr_t)p < KERNEL + 4096 && (uintptr_t)p + big > KERNEL))
			return printf("%d: %p\n", i, (void *)p);
		p[0] = p[big - 1] = 1;
	}
	printf("munmap: %d\n", munmap((void *)(KERNEL - (1 << 20)), 64 << 20));
	return 0;
}

static int scribble(void)
{
	volatile char *p = (char *)KERNEL_DATA;
	size_t i;

	for (i = 0; i < 0x80000; i++)
		p[i] = (char)i;
	for (;;)
		(void)getppid();
}

static sigjmp_buf back;

static void no_memory(int sig)
{
	(void)sig;
	siglongjmp(back, 1);
}

/* syscall; cmp $-4095, %rax; jae: in the kernel's C library */
static const unsigned char *find_instruction(void)
{
	static const unsigned char code[] = { 0x0f, 0x05, 0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff, 0x73 };
	const unsigned char *p = (const unsigned char *)KERNEL_TEXT;

	signal(SIGSEGV, no_memory);
	if (sigsetjmp(back, 1))
		return NULL;
	while (memcmp(p, code, sizeof(code)) != 0 || p[10] != 0xc3)
		p++;
	return p;
}

static const unsigned char *instruction;

/* -1: refused. The C library of the kernel writes its errno where this one has its own. */
static long host(long nr, long a, long b, long c)
{
	long r = nr;

	__asm__ volatile("xorl %%r10d, %%r10d\n\tcall *%[i]"
			 : "+a"(r)
			 : [i] "r"(instruction), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r8", "r9", "r10", "r11", "memory", "cc");
	return r;
}

static void refused(const char *name, long result)
{
	printf("%s: %s\n", name, result == -1 ? "refused" : "ALLOWED");
}

static int calls(void)
{
	static char page[4096];

	instruction = find_instruction();
	if (!instruction) {
		puts("no kernel here");
		return 0;
	}
	printf("getpid: %s\n", host(SYS_getpid, 0, 0, 0) > 0 ? "a process of the host" : "refused");
	refused("file", host(SYS_open, (long)"/etc/passwd", O_RDONLY, 0));
	refused("proc", host(SYS_open, (long)"/proc/self/maps", O_RDONLY, 0));
	refused("network", host(SYS_socket, AF_INET, SOCK_STREAM, 0));
	refused("netlink", host(SYS_socket, AF_NETLINK, SOCK_RAW, 0));
	refused("mount", host(SYS_mount, (long)"none", (long)"/tmp", (long)"tmpfs"));
	refused("user namespace", host(SYS_unshare, CLONE_NEWUSER, 0, 0));
	refused("namespace by clone", host(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0));
	refused("ptrace", host(SYS_ptrace, 16, 1, 0));
	refused("other memory", host(SYS_process_vm_readv, 1, (long)page, 1));
	refused("bpf", host(SYS_bpf, 0, (long)page, 64));
	refused("perf", host(SYS_perf_event_open, (long)page, 0, -1));
	refused("keys", host(SYS_keyctl, 0, -3, 0));
	refused("module", host(SYS_init_module, (long)page, 4096, (long)""));
	refused("io_uring", host(SYS_io_uring_setup, 1, (long)page, 0));
	refused("userfaultfd", host(SYS_userfaultfd, 0, 0, 0));
	refused("set the time", host(SYS_clock_settime, 0, (long)page, 0));
	refused("chroot", host(SYS_chroot, (long)"/tmp", 0, 0));
	refused("setuid", host(SYS_setuid, 0, 0, 0));
	return 0;
}

static void nothing(int signal)
{
	(void)signal;
}

/*
 * A table of many descriptors is memory of vmalloc(), which a new host process has not mapped: the kernel has a fault
 * of its own for every few pages of it, in a system call that is patched.
 */
static int tables(void)
{
	const struct itimerval often = { .it_interval.tv_usec = 20, .it_value.tv_usec = 20 };
	const int many = 700000, rounds = 60;
	const struct rlimit limit = { .rlim_cur = many + 1, .rlim_max = many + 1 };
	int wrong = 0;

	if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || dup2(0, many) != many) {
		printf("no table: %s\n", strerror(errno));
		return 1;
	}
	for (int i = 0; i < rounds; i++) {
		int status;
		pid_t child = fork();

		if (child == 0) {
			signal(SIGALRM, nothing);
			setitimer(ITIMER_REAL, &often, NULL);
			for (int fd = 3; fd < many; fd += 512)
				if (fcntl(fd, F_GETFD) != -1)
					_exit(1);
			_exit(fcntl(many, F_GETFD) == -1);
		}
		if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
			wrong++;
	}
	printf("%d children, %d wrong\n", rounds, wrong);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "place") == 0)
		return place();
	if (strcmp(what, "scribble") == 0)
		return scribble();
	if (strcmp(what, "tables") == 0)
		return tables();
	return strcmp(what, "calls") == 0 ? calls() : 2;
}
