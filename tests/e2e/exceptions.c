/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints what signal handlers are told of exceptions, a line for each, to be compared with the same program's output on
 * the host; then what debuggers use. Static: it runs in any image.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

static sigjmp_buf back;
static siginfo_t info;
static long trap, err, cr2, rip;

static void handler(int sig, siginfo_t *i, void *context)
{
	const greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void)sig;
	info = *i;
	trap = r[REG_TRAPNO];
	err = r[REG_ERR];
	cr2 = r[REG_CR2];
	rip = r[REG_RIP];
	siglongjmp(back, 1);
}

/* `at`: where the fault is; 0: the instruction itself. */
static void report(const char *what, unsigned long at, int page_fault)
{
	unsigned long addr = (unsigned long)info.si_addr;

	printf("%s: signal %d code %d address %s trap %ld error %lx", what, info.si_signo, info.si_code,
	       addr == 0		    ? "none"
	       : addr == at		    ? "right"
	       : addr == (unsigned long)rip ? "of the instruction"
					    : "wrong",
	       trap, err);
	if (page_fault)
		printf(" cr2 %s", (unsigned long)cr2 == at ? "right" : "wrong");
	puts("");
	fflush(stdout);
}

#define TRY(what, at, page_fault, ...)                                 \
	do {                                                           \
		memset(&info, 0, sizeof(info));                        \
		trap = err = -1;                                       \
		if (!sigsetjmp(back, 1)) {                             \
			__VA_ARGS__;                                   \
			printf("%s: nothing\n", what);                 \
		} else {                                               \
			report(what, (unsigned long)(at), page_fault); \
		}                                                      \
	} while (0)

static volatile int zero;

static void page_faults(void)
{
	/* Large: of few pages a guest gives all to a program that writes to one, and of 16 KiB, too. */
	char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *heap = malloc(64);
	int fd = memfd_create("x", 0), fds[2];
	char *file = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	p[0] = p[4096] = (char)0xc3;
	*heap = (char)0xc3;
	TRY("read of null", 8, 1, (void)*(volatile int *)8);
	TRY("write to null", 16, 1, *(volatile int *)16 = 1);
	TRY("call of null", 0, 0, ((void (*)(void))(long)zero)());
	TRY("call of data", p, 1, ((void (*)(void))p)());
	TRY("call of the heap", heap, 1, ((void (*)(void))heap)());
	mprotect(p, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
	TRY("call of code", p, 1, ((void (*)(void))p)());
	mprotect(p, 4096, PROT_READ);
	TRY("write to read-only", p + 7, 1, p[7] = 1);
	TRY("call of what was code", p, 1, ((void (*)(void))p)());
	mprotect(p, 4096, PROT_NONE);
	TRY("read of no access", p + 5, 1, (void)*(volatile char *)(p + 5));
	if (pipe(fds) == 0)
		printf("write of no access: %d\n", (int)write(fds[1], p, 1));
	p += 512 << 10;
	mprotect(p, 4096, PROT_READ);
	TRY("write to untouched read-only", p + 1, 1, p[1] = 1);
	munmap(p, 4096);
	TRY("read of unmapped", p, 1, (void)*(volatile char *)p);
	if (ftruncate(fd, 4096) == 0)
		TRY("read beyond the end of a file", file + 4096, 1, (void)*(volatile char *)(file + 4096));
	TRY("read of the kernel", 0xffff888000000000, 1, (void)*(volatile char *)0xffff888000000000);
}

static void traps(void)
{
	volatile int b = 0;

	TRY("address that none is", 0, 0, (void)*(volatile char *)0x8000000000000000);
	TRY("division by zero", 0, 0, {
		volatile int a = 1;
		zero = a / b;
	});
	TRY("division too large", 0, 0, {
		volatile int a = (int)0x80000000;
		b = -1;
		zero = a / b;
	});
	TRY("undefined instruction", 0, 0, asm volatile("ud2"));
	TRY("breakpoint", 0, 0, asm volatile("int3"));
	TRY("debug trap", 0, 0, asm volatile(".byte 0xf1"));
	TRY("privileged instruction", 0, 0, asm volatile("hlt"));
	TRY("interrupt", 0, 0, asm volatile("int $0x21"));
	TRY("single step", 0, 0, asm volatile("pushf; orl $0x100,(%%rsp); popf; nop; nop" ::: "cc", "memory"));
	TRY("floating point", 0, 0, {
		unsigned mxcsr = 0x1f80 & ~0x200u;
		asm volatile("ldmxcsr %0; pxor %%xmm1,%%xmm1; movd %1,%%xmm0; divss %%xmm1,%%xmm0"
			     :
			     : "m"(mxcsr), "r"(0x3f800000)
			     : "xmm0", "xmm1");
	});
	asm volatile("ldmxcsr %0" : : "m"((unsigned){ 0x1f80 }));
}

static void debugger(void)
{
	struct user_regs_struct regs;
	unsigned char area[8192];
	struct iovec iov = { area, sizeof(area) };
	int status, steps = 0;
	unsigned xcr0, high;
	pid_t c = fork();

	if (c == 0) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		for (int i = 0; i < 100; i++)
			asm volatile("nop");
		_exit(7);
	}
	waitpid(c, &status, 0);
	asm volatile("xgetbv" : "=a"(xcr0), "=d"(high) : "c"(0));
	if (ptrace(PTRACE_GETREGSET, c, NT_X86_XSTATE, &iov) == 0)
		printf("registers: xcr0 %s, software bytes %s\n",
		       (*(unsigned long *)(area + 464) & 0xe7) == (xcr0 & 0xe7) ? "right" : "wrong",
		       *(unsigned long *)(area + 472) == 0 ? "zero" : "not zero");
	printf("written back: %ld\n", ptrace(PTRACE_SETREGSET, c, NT_X86_XSTATE, &iov));
	ptrace(PTRACE_GETREGS, c, 0, &regs);
	regs.eflags |= 0x81;
	ptrace(PTRACE_SETREGS, c, 0, &regs);
	regs.eflags &= ~0x81ul;
	ptrace(PTRACE_SETREGS, c, 0, &regs);
	ptrace(PTRACE_GETREGS, c, 0, &regs);
	printf("flags cleared: %s\n", regs.eflags & 0x81 ? "no" : "yes");
	printf("debug registers: %lx %lx\n", ptrace(PTRACE_PEEKUSER, c, offsetof(struct user, u_debugreg[3]), 0),
	       ptrace(PTRACE_PEEKUSER, c, offsetof(struct user, u_debugreg[7]), 0));
	while (steps < 200 && ptrace(PTRACE_SINGLESTEP, c, 0, 0) == 0 && waitpid(c, &status, 0) > 0 &&
	       WIFSTOPPED(status))
		steps++;
	printf("single steps: %s\n", steps > 100 ? "many" : "few");
	kill(c, SIGKILL);
	waitpid(c, &status, 0);
}

int main(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP };
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_NODEFER };
	unsigned i;

	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &sa, NULL);
	page_faults();
	traps();
	debugger();
	return 0;
}
