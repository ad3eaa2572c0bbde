/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What few programs do and some rely on: odd states of the processor when the kernel is entered, system calls by hand,
 * large reservations, single steps. Prints a line for each, to be compared with the same program's output on the host.
 * Static: it runs in any image.
 *
 * corners            all that do the same anywhere
 * corners NAME…      these
 * corners -l         names
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define MIB (1ul << 20)
#define GIB (1ul << 30)
#define TIB (1ul << 40)

static const char *program;

static const char *word(const void *p)
{
	return p == MAP_FAILED ? strerrorname_np(errno) : "mapped";
}

/* --- the processor's state --- */

#define AC "$0x40000"
#define DF "$0x400"

/* Alignment checks of the processor are for the program, not for the kernel that it asks. */
static void alignment_flag(void)
{
	char *p = mmap(NULL, 64 * MIB, PROT_READ | PROT_WRITE, ANON, -1, 0);
	struct timespec end, now;
	long turns = 0, wrong = 0;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_nsec += 200000000;
	do {
		long pid = SYS_getpid;

		__asm__ volatile("pushf; orl " AC ", (%%rsp); popf; syscall\n\t"
				 "movb $1, (%1)\n\tpushf; andl $~0x40000, (%%rsp); popf"
				 : "+a"(pid)
				 : "r"(p + 4096 * (turns % 16384))
				 : "rcx", "r11", "memory", "cc");
		wrong += pid != getpid();
		turns++;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec < end.tv_sec + (end.tv_nsec >= 1000000000) || turns < 1000);
	printf("calls and faults: %s\n", wrong ? "wrong" : "right");
	/* Timers meanwhile */
	__asm__ volatile("pushf; orl " AC ", (%%rsp); popf\n1: decq %0; jnz 1b\n\t"
			 "pushf; andl $~0x40000, (%%rsp); popf"
			 : "+r"((long){ 60000000 })
			 :
			 : "memory", "cc");
	puts("interrupts: right");
}

static void direction_flag(void)
{
	char a[64] = "0123456789", b[64];
	int fds[2], i;
	bool right = pipe(fds) == 0;

	for (i = 0; i < 1000; i++) {
		long n = SYS_write;

		__asm__ volatile("std; syscall; cld"
				 : "+a"(n)
				 : "D"((long)fds[1]), "S"(a), "d"(64l)
				 : "rcx", "r11", "memory", "cc");
		right = right && n == 64 && read(fds[0], b, 64) == 64 && memcmp(a, b, 64) == 0;
	}
	puts(right ? "right" : "wrong");
}

/* Registers that a call leaves, SSE and AVX among them. */
static void registers(void)
{
	unsigned char before[32], after[32];
	unsigned i, mxcsr = 0x7f80, got = 0;
	bool avx = __builtin_cpu_supports("avx");
	long saved[7];

	for (i = 0; i < sizeof(before); i++)
		before[i] = (unsigned char)(i * 7 + 1);
	for (i = 0; i < 2000; i++) {
		__asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
		if (avx)
			__asm__ volatile(
				"vmovdqu (%2), %%ymm7; mov %3, %%eax; syscall; vmovdqu %%ymm7, (%1); stmxcsr %0"
				: "=m"(got)
				: "r"(after), "r"(before), "i"(SYS_sched_yield)
				: "rax", "rcx", "r11", "memory", "xmm7");
		else
			__asm__ volatile("movdqu (%2), %%xmm7; mov %3, %%eax; syscall; movdqu %%xmm7, (%1); stmxcsr %0"
					 : "=m"(got)
					 : "r"(after), "r"(before), "i"(SYS_sched_yield)
					 : "rax", "rcx", "r11", "memory", "xmm7");
		if (memcmp(before, after, avx ? 32 : 16) != 0 || got != mxcsr)
			break;
	}
	__asm__ volatile("ldmxcsr %0" : : "m"((unsigned){ 0x1f80 }));
	printf("floating point: %s\n", i == 2000 ? "kept" : "changed");
	__asm__ volatile(
		"movq $1, %%rdi; movq $2, %%rsi; movq $3, %%rdx; movq $4, %%r8; movq $5, %%r9; movq $6, %%r10\n\t"
		"movq $7, %%r12; movl %1, %%eax; syscall\n\t"
		"movq %%rdi, (%0); movq %%rsi, 8(%0); movq %%rdx, 16(%0); movq %%r8, 24(%0)\n\t"
		"movq %%r9, 32(%0); movq %%r10, 40(%0); movq %%r12, 48(%0)"
		:
		: "b"(saved), "i"(SYS_getppid)
		: "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "memory");
	for (i = 0; i < 7 && saved[i] == (long)i + 1; i++)
		;
	printf("others: %s\n", i == 7 ? "kept" : "changed");
}

/* The kernel needs no stack of the program's. */
static void stack_pointers(void)
{
	static const unsigned long where[] = { 0, 8, 0x1000, 0x123456789abc, 0x8000000000000000, ~0ul, ~0ul - 7 };
	unsigned i;

	for (i = 0; i < sizeof(where) / sizeof(where[0]); i++) {
		long r = SYS_getpid;

		__asm__ volatile("movq %%rsp, %%r12; movq %1, %%rsp; syscall; movq %%r12, %%rsp"
				 : "+a"(r)
				 : "r"(where[i])
				 : "rcx", "r11", "r12", "memory");
		printf("%#lx: %s\n", where[i], r == getpid() ? "right" : "wrong");
		/* and a page fault */
		__asm__ volatile("movq %%rsp, %%r12; movq %0, %%rsp; movb $1, (%1); movq %%r12, %%rsp"
				 :
				 : "r"(where[i]), "r"(mmap(NULL, 4096, PROT_READ | PROT_WRITE, ANON, -1, 0))
				 : "r12", "memory");
	}
}

static void *segment_base(void *arg)
{
	long i, base = (long)arg, got = 0, bad = 0;

	if (syscall(SYS_arch_prctl, 0x1001 /* ARCH_SET_GS */, base) != 0)
		return "refused";
	for (i = 0; i < 2000; i++) {
		sched_yield();
		if (syscall(SYS_arch_prctl, 0x1004 /* ARCH_GET_GS */, &got) != 0 || got != base)
			bad++;
	}
	return bad ? "wrong" : "right";
}

static void segments(void)
{
	unsigned long fs, other, back;
	pthread_t t[4];
	void *result;
	long i;

	for (i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, segment_base, (void *)(0x10000 + i * 0x1000));
	for (i = 0; i < 4; i++) {
		pthread_join(t[i], &result);
		printf("thread %ld: %s\n", i, (char *)result);
	}
	/* By instructions, where programs may: also a base that the kernel could not use itself */
	if (!(__builtin_cpu_supports("avx2")))
		return;
	__asm__ volatile("rdfsbase %0\n\tmovq $0x1234, %1\n\twrfsbase %1\n\tmovl %3, %%eax\n\tsyscall\n\t"
			 "rdfsbase %2\n\twrfsbase %0"
			 : "=&r"(fs), "=&r"(other), "=&r"(back)
			 : "i"(SYS_getpid)
			 : "rax", "rcx", "r11", "memory");
	printf("by instruction: %s\n", back == 0x1234 ? "kept" : "changed");
	/* null selectors; the host restores what it has for the thread */
	__asm__ volatile("xorl %%eax, %%eax; movw %%ax, %%ds; movw %%ax, %%es" ::: "eax");
	printf("null selectors: %d\n", getpid() > 0);
}

/* --- system calls by hand --- */

static sigjmp_buf back;
static volatile sig_atomic_t told, told_code;

static void jump(int sig, siginfo_t *info, void *context)
{
	(void)context;
	told = sig;
	told_code = info->si_code;
	siglongjmp(back, 1);
}

static void catch_all(void (*handler)(int, siginfo_t *, void *), int flags)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS };
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_NODEFER | flags };
	unsigned i;

	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &sa, NULL);
}

static const unsigned char code[] = {
	0xb8, SYS_getpid, 0, 0, 0, 0x0f, 0x05, 0xc3, /* mov $SYS_getpid, %eax; syscall; ret */
};

/* What a JIT makes: in memory that is writable meanwhile, that is not, and that is mapped twice. */
static void hand_made(void)
{
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, ANON, -1, 0), *q;
	int fd = memfd_create("code", 0), i;

	memcpy(p, code, sizeof(code));
	printf("writable: %s\n", ((int (*)(void))p)() == getpid() ? "right" : "wrong");
	/* the instruction on two pages */
	memcpy(p + 4096 - 6, code, sizeof(code));
	printf("on two pages: %s\n", ((int (*)(void))(p + 4096 - 6))() == getpid() ? "right" : "wrong");
	mprotect(p, 8192, PROT_READ | PROT_EXEC);
	printf("not writable: %s\n", ((int (*)(void))p)() == getpid() ? "right" : "wrong");
	mprotect(p, 8192, PROT_EXEC);
	printf("only executable: %s\n", ((int (*)(void))p)() == getpid() ? "right" : "wrong");
	if (fd < 0 || ftruncate(fd, 4096) < 0)
		return;
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	q = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	for (i = 0; i < 1000; i++) {
		memcpy(p, code, sizeof(code));
		p[1] = i % 2 ? SYS_getpid : SYS_getppid;
		if (((int (*)(void))q)() != (i % 2 ? getpid() : getppid()))
			break;
		/* what was a call is none */
		p[5] = (char)0x90;
		p[6] = (char)0x90;
		if (((int (*)(void))q)() != p[1])
			break;
	}
	printf("changed beside: %s\n", i == 1000 ? "right" : "wrong");
	printf("the code itself: %s\n", memcmp(p, q, 4096) == 0 && q[5] == (char)0x90 ? "right" : "wrong");
}

static void numbers(void)
{
	static const long numbers[] = { -1, 512, 1000, 0x40000000 | SYS_getpid, 0x7fffffff };
	unsigned i;

	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		errno = 0;
		printf("%ld: %s\n", numbers[i], syscall(numbers[i]) == -1 ? strerrorname_np(errno) : "done");
	}
	/* The host takes 32 bits of it */
	printf("upper half: %s\n", syscall(0x100000000 | SYS_getpid) == getpid() ? "ignored" : strerrorname_np(errno));
}

/* 32-bit calls: done where the kernel has them, or refused so that the program and nothing else knows of it. */
static void old_calls(void)
{
	long r;

	catch_all(jump, 0);
	if (!sigsetjmp(back, 1)) {
		__asm__ volatile("int $0x80" : "=a"(r) : "0"(20l) : "r8", "r9", "r10", "r11", "memory");
		printf("int 0x80: %s\n", r == getpid() ? "done" : r == -ENOSYS ? "ENOSYS" : "something else");
	} else {
		printf("int 0x80: %s\n", strsignal(told));
	}
	fflush(stdout);
	/* exit_group of 32 bits, io_setup or mmap of 64: nothing of another meaning is done */
	if (!sigsetjmp(back, 1)) {
		__asm__ volatile("int $0x80"
				 : "=a"(r)
				 : "0"(4l), "b"(1l), "c"("x"), "d"(0l)
				 : "r8", "r9", "r10", "r11", "memory");
		printf("int 0x80 write: %s\n", r >= -EFAULT && r <= 0 ? "done"
					       : r == -ENOSYS	      ? "ENOSYS"
								      : "something else");
	} else {
		printf("int 0x80 write: %s\n", strsignal(told));
	}
	fflush(stdout);
}

static void sysenter(void)
{
	catch_all(jump, 0);
	if (!sigsetjmp(back, 1)) {
		__asm__ volatile("movq %%rsp, %%rbp; movl $20, %%eax; sysenter" ::
					 : "memory", "rax", "rcx", "rdx", "rbp");
		puts("went on");
	} else {
		puts("a signal");
	}
}

/* From 32-bit code */
static void old_calls_in_old_code(void)
{
	/* mov $20, %eax; int $0x80; ud2 */
	static const unsigned char bad[] = { 0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0x0f, 0x0b };
	unsigned char *p = mmap((void *)0x10000000, 65536, PROT_READ | PROT_WRITE | PROT_EXEC, ANON | MAP_FIXED, -1, 0);
	struct {
		unsigned offset;
		unsigned short selector;
	} __attribute__((packed)) to = { 0x10000000, 0x23 };

	catch_all(jump, 0);
	memcpy(p, bad, sizeof(bad));
	if (!sigsetjmp(back, 1))
		__asm__ volatile("movl $0x10008000, %%esp; ljmp *(%0)" : : "r"(&to) : "rax", "memory");
	puts("a signal");
}

/* --- exceptions and signals --- */

static void (*const volatile wild)(void) = (void (*)(void))0xdeadbeef000;

static void bad_jumps(void)
{
	static const struct {
		const char *name;
		unsigned long to;
	} jumps[] = {
		{ "null", 0 },
		{ "unmapped", 0xdeadbeef000 },
		{ "not canonical", 0x8000000000000000 },
		{ "the host's kernel", 0xffffffff81000000 },
		{ "the end", 0x7ffffffff000 },
	};
	unsigned i;

	catch_all(jump, 0);
	for (i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
		if (!sigsetjmp(back, 1)) {
			((void (*)(void))jumps[i].to)();
			printf("%s: came back\n", jumps[i].name);
		} else {
			printf("%s: %s\n", jumps[i].name, strsignal(told));
		}
	}
}

static volatile int depth_reached;

static int __attribute__((noinline)) recurse(int depth)
{
	volatile char room[4096];

	room[0] = (char)depth;
	depth_reached = depth;
	return depth == 0 ? room[0] : recurse(depth - 1) + room[0];
}

static void stack_overflow(void)
{
	stack_t ss = { .ss_sp = malloc(65536), .ss_size = 65536 };
	int i;

	sigaltstack(&ss, NULL);
	catch_all(jump, SA_ONSTACK);
	for (i = 0; i < 3; i++) {
		if (!sigsetjmp(back, 1))
			recurse(INT_MAX);
		printf("%s %d\n", strsignal(told), told_code == SEGV_MAPERR || told_code == SEGV_ACCERR);
	}
}

static void large_stack(void)
{
	struct rlimit limit = { 900 * MIB, RLIM_INFINITY };

	if (getenv("CORNERS_AGAIN")) {
		recurse(50000); /* 200 MB and more */
		puts("deep");
		return;
	}
	setenv("CORNERS_AGAIN", "1", 1);
	if (setrlimit(RLIMIT_STACK, &limit) == 0)
		execl(program, program, "large_stack", NULL);
	perror("exec");
}

static volatile long handled;

static void change_context(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)sig;
	(void)info;
	handled++;
	uc->uc_mcontext.gregs[REG_RIP] += 2; /* ud2 */
	uc->uc_mcontext.gregs[REG_RAX] += 5;
	uc->uc_mcontext.fpregs->_xmm[3].element[0] += 5;
}

static void changed_context(void)
{
	unsigned long rax = 0, xmm = 0;
	int i;

	catch_all(change_context, 0);
	for (i = 0; i < 1000; i++)
		__asm__ volatile("movq %1, %%xmm3; ud2; movq %%xmm3, %1" : "+a"(rax), "+r"(xmm) : : "xmm3", "memory");
	printf("%ld times, %lu, %lu\n", handled, rax, xmm);
}

/* Null checks that cost nothing: the handler goes on elsewhere. */
extern char null_check[], null_found[];

static void to_found(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)sig;
	(void)info;
	if (uc->uc_mcontext.gregs[REG_RIP] == (greg_t)null_check)
		uc->uc_mcontext.gregs[REG_RIP] = (greg_t)null_found;
}

static void null_checks(void)
{
	long found = 0, i, r;

	catch_all(to_found, SA_ONSTACK);
	for (i = 0; i < 20000; i++) {
		__asm__ volatile(
			".globl null_check, null_found\nnull_check: movq (%1), %0; jmp 1f\nnull_found: movq $-1, %0\n1:"
			: "=&r"(r)
			: "r"(i % 2 ? (void *)16 : (void *)&i)
			: "memory");
		found += r == -1;
	}
	printf("%ld\n", found);
}

static ucontext_t contexts[3];
static int turns_left = 50000;

static void coroutine(int me)
{
	while (turns_left > 0) {
		turns_left--;
		swapcontext(&contexts[me], &contexts[3 - me]);
	}
}

static void coroutines(void)
{
	int i;

	for (i = 1; i <= 2; i++) {
		getcontext(&contexts[i]);
		contexts[i].uc_stack.ss_sp = malloc(65536);
		contexts[i].uc_stack.ss_size = 65536;
		contexts[i].uc_link = &contexts[0];
		makecontext(&contexts[i], (void (*)(void))coroutine, 1, i);
	}
	swapcontext(&contexts[0], &contexts[1]);
	printf("%d\n", turns_left);
}

static void count(int sig)
{
	(void)sig;
	handled++;
}

static void compute(double seconds)
{
	struct timespec start, now;
	volatile long x = 0;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
	do {
		for (int i = 0; i < 100000; i++)
			x++;
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	} while ((double)(now.tv_sec - start.tv_sec) + (double)(now.tv_nsec - start.tv_nsec) / 1e9 < seconds);
}

static void *compute_thread(void *arg)
{
	(void)arg;
	compute(0.3);
	return NULL;
}

static void profile(const char *name, int timer, int sig, bool threads)
{
	struct itimerval every = { { 0, 10000 }, { 0, 10000 } }, off = { 0 };
	pthread_t t[3];
	int i;

	handled = 0;
	signal(sig, count);
	setitimer(timer, &every, NULL);
	if (threads) {
		for (i = 0; i < 3; i++)
			pthread_create(&t[i], NULL, compute_thread, NULL);
		for (i = 0; i < 3; i++)
			pthread_join(t[i], NULL);
	} else {
		compute(0.3);
	}
	setitimer(timer, &off, NULL);
	/* 30 of 10 ms */
	printf("%s: %s\n", name, handled < 5 ? "few" : handled > 70 ? "many" : "right");
}

static void profilers(void)
{
	profile("prof", ITIMER_PROF, SIGPROF, false);
	profile("virtual", ITIMER_VIRTUAL, SIGVTALRM, false);
	profile("prof, threads", ITIMER_PROF, SIGPROF, true);
}

/* Signals that arrive at any instruction change nothing. */
static void storm(void)
{
	struct itimerval every = { { 0, 500 }, { 0, 500 } }, off = { 0 };
	unsigned long a = 1, want = 0, i, turn;
	double d = 1, want_d = 0;
	bool right = true;

	signal(SIGALRM, count);
	for (turn = 0; turn < 5; turn++) {
		if (turn)
			setitimer(ITIMER_REAL, &every, NULL);
		for (i = 0, a = 1, d = 1; i < 4000000; i++) {
			a = a * 6364136223846793005 + 1442695040888963407;
			d = d * 0.999 + (double)(a >> 40);
			if (i % 20000 == 0)
				getppid();
		}
		setitimer(ITIMER_REAL, &off, NULL);
		if (!turn) {
			want = a;
			want_d = d;
		}
		right = right && a == want && d == want_d;
	}
	printf("%s, %s\n", right ? "right" : "wrong", handled > 5 ? "many" : "few");
}

/* --- memory --- */

static void reservation(const char *name, unsigned long at, size_t size)
{
	const int flags = ANON | MAP_NORESERVE | (at ? MAP_FIXED_NOREPLACE : 0);
	char *p = mmap((void *)at, size, PROT_READ | PROT_WRITE, flags, -1, 0);

	printf("%s: %s", name, word(p));
	if (p != MAP_FAILED) {
		p[0] = p[size / 2] = p[size - 1] = 1;
		printf(", %s", p[size / 2] == 1 && p[size / 2 + 1] == 0 ? "right" : "wrong");
		printf(", %s", munmap(p, size) == 0 ? "freed" : strerrorname_np(errno));
	}
	puts("");
}

static void reservations(void)
{
	reservation("32 TiB anywhere", 0, 32 * TIB);
	reservation("64 TiB anywhere", 0, 64 * TIB);
	reservation("ASan's shadow", 0x7fff8000, 0x10007fff8000 - 0x7fff8000);
	reservation("TSan's shadow", 0x100000000000, 0x200000000000);
	reservation("MSan's shadow", 0x500000000000, 0x20000000000);
	reservation("compressed classes", 0x800000000, GIB);
	reservation("Go's heap", 0xc000000000, 64 * MIB);
	reservation("Go's race detector", 0x200000000000, 16 * TIB);
	reservation("V8's cage", 0, 128 * GIB);
	reservation("below 4 GiB", 0xf0000000, 128 * MIB);
}

/* As Linux has it for 64-bit programs: in the first 2 GiB. */
static void low_memory(void)
{
	int i, n = 0, high = 0;

	for (i = 0; i < 24; i++) {
		char *p = mmap(NULL, 16 * MIB, PROT_READ | PROT_WRITE, ANON | MAP_32BIT | MAP_NORESERVE, -1, 0);

		if (p == MAP_FAILED)
			break;
		*p = 1;
		n++;
		high += (uintptr_t)p + 16 * MIB > 0x80000000;
	}
	printf("%d of 24, %d too high\n", n, high);
}

/* A limit holds, and memory is to be had below it. */
static void limited(void)
{
	struct rlimit limit = { 300 * MIB, 300 * MIB };
	void *p;

	setrlimit(RLIMIT_AS, &limit);
	p = mmap(NULL, 400 * MIB, PROT_READ, ANON, -1, 0);
	printf("more: %s\n", word(p));
	p = mmap(NULL, 100 * MIB, PROT_READ, ANON, -1, 0);
	printf("less: %s\n", word(p));
}

/* Many mappings: every other page is another's. */
static void scattered(void)
{
	size_t n = 75000, i, bad = 0;
	char *p = mmap(NULL, 2 * n * 4096, PROT_READ | PROT_WRITE, ANON | MAP_NORESERVE, -1, 0);

	for (i = 0; i < n; i++)
		p[2 * i * 4096] = (char)i;
	for (i = 0; i < n; i++)
		bad += p[2 * i * 4096] != (char)i;
	printf("%zu wrong\n", bad);
	/* The kernel works with memory of its own meanwhile. */
	for (i = 0; i < 5; i++) {
		int status;
		pid_t c = fork();

		if (c == 0)
			_exit(p[2 * (i * 1000) * 4096] == (char)(i * 1000) ? 3 : 4);
		if (c < 0 || waitpid(c, &status, 0) != c || WEXITSTATUS(status) != 3)
			bad++;
	}
	printf("%zu children wrong\n", bad);
}

static void unmapped(void)
{
	/* All but its own code and stack, then it goes on. */
	char *p = mmap(NULL, GIB, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);
	int i;

	for (i = 0; i < 200; i++)
		if (munmap(p + i * 4 * MIB, 2 * MIB) != 0 || mprotect(p + (i * 4 + 2) * MIB, MIB, PROT_READ) != 0)
			break;
	printf("%d\n", i);
	for (i = 0; i < 200; i++)
		if (p[(i * 4 + 2) * MIB] != 0)
			break;
	printf("%d\n", i);
}

static void randomization(void)
{
	printf("before: %#x\n", personality(0xffffffff));
	if (getenv("CORNERS_AGAIN"))
		return;
	personality(ADDR_NO_RANDOMIZE);
	setenv("CORNERS_AGAIN", "1", 1);
	fflush(stdout);
	execl(program, program, "randomization", NULL);
	perror("exec");
}

/* --- debuggers --- */

static void stepping(void)
{
	struct user_regs_struct regs;
	unsigned long calls = 0, steps = 0;
	int status;
	pid_t c = fork();

	if (c == 0) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		for (int i = 0; i < 50; i++)
			__asm__ volatile("movl %0, %%eax; syscall; nop"
					 :
					 : "i"(SYS_getppid)
					 : "rax", "rcx", "r11", "memory");
		_exit(7);
	}
	waitpid(c, &status, 0);
	while (ptrace(PTRACE_SINGLESTEP, c, 0, 0) == 0 && waitpid(c, &status, 0) == c && WIFSTOPPED(status)) {
		long text;

		if (WSTOPSIG(status) != SIGTRAP)
			printf("stopped by %d\n", WSTOPSIG(status));
		ptrace(PTRACE_GETREGS, c, 0, &regs);
		text = ptrace(PTRACE_PEEKTEXT, c, regs.rip - 2, 0);
		/* right behind a call */
		if ((text & 0xffffff) == 0x90050f)
			calls++;
		steps++;
	}
	printf("%lu calls, %s, %d\n", calls, steps > 250 && steps < 2000 ? "each instruction once" : "not each",
	       WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

/* A tracer that takes system calls of others, and answers in their place. */
static void emulation(void)
{
	struct user_regs_struct regs;
	int status, seen = 0;
	pid_t c = fork();

	if (c == 0) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		_exit(syscall(SYS_getppid) == 4711 && syscall(400, 1, 2, 3, 4, 5, 6) == 4712 ? 7 : 8);
	}
	waitpid(c, &status, 0);
	ptrace(PTRACE_SETOPTIONS, c, 0, PTRACE_O_TRACESYSGOOD);
	while (ptrace(PTRACE_SYSCALL, c, 0, 0) == 0 && waitpid(c, &status, 0) == c && WIFSTOPPED(status)) {
		if (WSTOPSIG(status) != (SIGTRAP | 0x80))
			continue;
		ptrace(PTRACE_GETREGS, c, 0, &regs);
		if (regs.orig_rax == SYS_getppid) {
			regs.orig_rax = -1ul;
		} else if (regs.orig_rax == -1ul) {
			regs.rax = 4711;
			seen++;
		} else if (regs.orig_rax == 400 && seen++ == 2) {
			regs.rax = 4712;
		}
		ptrace(PTRACE_SETREGS, c, 0, &regs);
	}
	printf("%d, %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1, seen);
}

static volatile int attached_turns;

static void *turn(void *arg)
{
	for (;;)
		(*(volatile int *)arg)++;
	return NULL;
}

/* A thread that computes is stopped, asked, changed and let go. */
static void attaching(void)
{
	volatile int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct user_fpregs_struct fp, fp2;
	struct user_regs_struct regs;
	int i, status, before, good = 0;
	pid_t c = fork();

	if (c == 0) {
		turn((void *)shared);
		_exit(0);
	}
	for (i = 0; i < 20; i++) {
		usleep(5000);
		if (ptrace(PTRACE_ATTACH, c, 0, 0) != 0 || waitpid(c, &status, 0) != c || !WIFSTOPPED(status))
			break;
		before = *shared;
		usleep(2000);
		if (before != *shared || ptrace(PTRACE_GETREGS, c, 0, &regs) != 0 || !regs.rip || !regs.rsp)
			break;
		ptrace(PTRACE_GETFPREGS, c, 0, &fp);
		memset(&fp.xmm_space, 0x5a + i, 16);
		ptrace(PTRACE_SETFPREGS, c, 0, &fp);
		ptrace(PTRACE_GETFPREGS, c, 0, &fp2);
		good += memcmp(&fp.xmm_space, &fp2.xmm_space, 256) == 0;
		ptrace(PTRACE_DETACH, c, 0, 0);
	}
	usleep(20000);
	printf("%d times, %d\n", i, good);
	kill(c, SIGKILL);
	waitpid(c, &status, 0);
	printf("%d\n", WIFSIGNALED(status) ? WTERMSIG(status) : -1);
}

/* --- processes and threads --- */

static void *many_thread(void *arg)
{
	long i, x = 0;

	for (i = 0; i < 200; i++) {
		x += i;
		if (i % 20 == 0)
			sched_yield();
	}
	__atomic_fetch_add((long *)arg, x, __ATOMIC_RELAXED);
	return NULL;
}

static void threads(void)
{
	static long sum;
	pthread_t t[200];
	int i, round;

	for (round = 0; round < 2; round++) {
		for (i = 0; i < 200; i++)
			if (pthread_create(&t[i], NULL, many_thread, &sum) != 0)
				break;
		while (i-- > 0)
			pthread_join(t[i], NULL);
	}
	printf("%ld\n", sum);
}

static void *exec_thread(void *arg)
{
	(void)arg;
	usleep(1000);
	execl(program, program, "threads", NULL);
	return NULL;
}

static void exec_by_thread(void)
{
	pthread_t t;
	int i;

	for (i = 0; i < 20; i++)
		pthread_create(&t, NULL, turn, (void *)&attached_turns);
	pthread_create(&t, NULL, exec_thread, NULL);
	pause();
}

static int vfork_child(void *arg)
{
	*(int *)arg += 1;
	_exit(3);
}

static void borrowed_memory(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	int i, n = 0, status, good = 0;

	for (i = 0; i < 200; i++) {
		pid_t c = clone(vfork_child, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, &n);

		good += waitpid(c, &status, 0) == c && WEXITSTATUS(status) == 3;
	}
	printf("%d %d\n", n, good);
}

static void refused_signals(void)
{
	/* Blocked, an exception ends the process all the same. */
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	wild();
}

static const struct {
	const char *name;
	void (*run)(void);
} corners[] = {
#define CORNER(name)        \
	{                   \
#name, name \
	}
	CORNER(alignment_flag),
	CORNER(direction_flag),
	CORNER(registers),
	CORNER(stack_pointers),
	CORNER(segments),
	CORNER(hand_made),
	CORNER(numbers),
	CORNER(bad_jumps),
	CORNER(stack_overflow),
	CORNER(large_stack),
	CORNER(changed_context),
	CORNER(null_checks),
	CORNER(coroutines),
	CORNER(profilers),
	CORNER(storm),
	CORNER(reservations),
	CORNER(low_memory),
	CORNER(limited),
	CORNER(scattered),
	CORNER(unmapped),
	CORNER(randomization),
	CORNER(stepping),
	CORNER(emulation),
	CORNER(attaching),
	CORNER(threads),
	CORNER(exec_by_thread),
	CORNER(borrowed_memory),
	CORNER(refused_signals),
	/* Only by name: the host has these calls. */
	CORNER(old_calls),
	CORNER(sysenter),
	CORNER(old_calls_in_old_code),
};

#define N (sizeof(corners) / sizeof(corners[0]))
#define N_BY_NAME 3

static bool chosen(unsigned corner, int argc, char **argv)
{
	const char *name = corners[corner].name;
	int i;

	for (i = 1; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return true;
	return argc == 1 && corner < N - N_BY_NAME;
}

/* Each in a process of its own, with a deadline. */
static void run_one(unsigned i)
{
	struct rlimit none = { 0, 0 };
	int status;
	pid_t c;

	printf("%s\n", corners[i].name);
	fflush(stdout);
	c = fork();
	if (c == 0) {
		setrlimit(RLIMIT_CORE, &none);
		alarm(120);
		corners[i].run();
		fflush(stdout);
		_exit(0);
	}
	waitpid(c, &status, 0);
	if (WIFSIGNALED(status))
		printf("  ended by %s\n", strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status))
		printf("  exit code %d\n", WEXITSTATUS(status));
	fflush(stdout);
}

int main(int argc, char **argv)
{
	unsigned i;

	program = argv[0];
	for (i = 0; i < N; i++) {
		if (argc == 2 && strcmp(argv[1], "-l") == 0)
			puts(corners[i].name);
		else if (getenv("CORNERS_AGAIN") && argc == 2 && strcmp(argv[1], corners[i].name) == 0)
			return corners[i].run(), 0;
		else if (chosen(i, argc, argv))
			run_one(i);
	}
	return 0;
}
