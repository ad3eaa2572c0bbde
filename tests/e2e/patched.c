/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What programs can tell of system call instructions that the guest kernel has patched ("uml_isolation": "in-place").
 * Static: it runs in any image. Its own two call sites have the two forms that are patched.
 *
 * text       which of them are patched after a hot loop, in memory and in the file
 * middle     jumps to the instructions that were there
 * signals    a hot loop and a restarted read under a timer
 * processes  fork, vfork, threads and exec after patching
 * trace      a debugger at a patched site
 * filter     a seccomp filter that is installed after patching
 * registers  the vector registers over many calls, with other tasks that do the same
 * code       code that is made, mapped shared, replaced or made writable
 * interrupt  int $0x80
 *
 * Without patching all but the first two lines of "text" are the same.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <immintrin.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/ucontext.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HOT 200
#define STUBS 0x61600000ul
#define STUBS_END 0x62000000ul

long number(void);
long test(long nr, long a, long b, long c);
extern unsigned char number_syscall[], test_syscall[], test_compare[], sites_end[];

/* test() returns -1000 minus the error, to show that the comparison behind the call was made. */
__asm__(".text\n\t.balign 64\n"
	"number:\n\t"
	"movl $110, %eax\n"
	"number_syscall:\n\t"
	"syscall\n\t"
	"ret\n\t"
	".balign 64\n"
	"test:\n\t"
	"movq %rdi, %rax\n\t"
	"movq %rsi, %rdi\n\t"
	"movq %rdx, %rsi\n\t"
	"movq %rcx, %rdx\n"
	"test_syscall:\n\t"
	"syscall\n"
	"test_compare:\n\t"
	"cmpq $-4096, %rax\n\t"
	"ja 1f\n\t"
	"ret\n"
	"1:\tsubq $1000, %rax\n\t"
	"ret\n"
	"sites_end:\n");

static void heat(void)
{
	int i;

	for (i = 0; i < HOT; i++) {
		(void)number();
		(void)test(SYS_getppid, 0, 0, 0);
	}
}

static void say(const char *what, int right)
{
	printf("%s: %s\n", what, right ? "right" : "WRONG");
	(void)fflush(stdout);
}

/* A function that begins at `ip`, with that in %rax */
static long call_at(const void *ip, long rax)
{
	__asm__ volatile("call *%[ip]" : "+a"(rax) : [ip] "r"(ip) : "rcx", "r11", "memory", "cc");
	return rax;
}

static int text(void)
{
	const unsigned char original[] = { 0xb8, 110, 0, 0, 0, 0x0f, 0x05, 0xc3 };
	static unsigned char file[4 << 20];
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, file, sizeof(file));

	heat();
	printf("number: %s\n", memcmp((void *)number, original, 8) == 0 ? "as it was" : "patched");
	printf("test: %s\n", test_syscall[0] == 0x0f ? "as it was" : "patched");
	say("file", n > 0 && memmem(file, (size_t)n, original, sizeof(original)));
	say("calls", number() == getppid() && test(SYS_getpid, 0, 0, 0) == getpid() &&
			     test(SYS_close, -1, 0, 0) == -1000 - EBADF);
	return 0;
}

static int middle(void)
{
	long flags = 0, kept;

	heat();
	say("own number", call_at(number_syscall, SYS_getpid) == getpid());
	say("behind, small", call_at(test_compare, 5) == 5);
	say("behind, error", call_at(test_compare, -5) == -1005);
	heat();
	/* Carry, parity, sign, overflow */
	__asm__ volatile("pushq $0xa87\n\tpopfq\n\tcall number\n\tpushfq\n\tpopq %[f]"
			 : [f] "=r"(flags)
			 :
			 : "rax", "rcx", "r11", "memory", "cc");
	say("flags", (flags & 0xfd5) == (0xa87 & 0xfd5));
	__asm__ volatile("movq $0x1234567, %%r12\n\tmovq $77, %%r9\n\tmovq $88, %%rdx\n\tcall number\n\t"
			 "leaq (%%r12, %%r9), %[k]\n\taddq %%rdx, %[k]"
			 : [k] "=r"(kept)
			 :
			 : "rax", "rcx", "rdx", "r9", "r11", "r12", "memory", "cc");
	say("registers", kept == 0x1234567 + 77 + 88);
	return 0;
}

static volatile sig_atomic_t n_signals, n_strange;

static void on_signal(int sig, siginfo_t *si, void *uc)
{
	uintptr_t ip = (uintptr_t)((ucontext_t *)uc)->uc_mcontext.gregs[REG_RIP];

	(void)sig;
	(void)si;
	n_signals++;
	if (ip >= STUBS && ip < STUBS_END)
		n_strange++;
	(void)number();
}

static void handle(int sig, int flags)
{
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | flags };

	sigaction(sig, &sa, NULL);
}

static void timer(int which, int usecs)
{
	struct itimerval t = { { 0, usecs }, { 0, usecs } };

	setitimer(which, &t, NULL);
}

/* Reads from a pipe that gets its byte later. */
static long late_read(void)
{
	int fds[2];
	char byte;
	long r;
	pid_t pid;

	if (pipe(fds) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		usleep(100000);
		_exit(write(fds[1], "x", 1) != 1);
	}
	r = test(SYS_read, fds[0], (long)&byte, 1);
	close(fds[0]);
	close(fds[1]);
	timer(ITIMER_REAL, 0);
	waitpid(pid, NULL, 0);
	return r;
}

static int signals(void)
{
	static char stack[65536];
	const stack_t other = { .ss_sp = stack, .ss_size = sizeof(stack) };
	long parent = getppid(), i, wrong = 0;

	heat();
	sigaltstack(&other, NULL);
	handle(SIGPROF, SA_RESTART | SA_ONSTACK);
	handle(SIGALRM, SA_RESTART);
	timer(ITIMER_PROF, 1000);
	timer(ITIMER_REAL, 700);
	for (i = 0; i < 3000000 && (n_signals < 200 || i < 300000); i++)
		wrong += number() != parent || test(SYS_getppid, 0, 0, 0) != parent;
	timer(ITIMER_PROF, 0);
	timer(ITIMER_REAL, 0);
	say("loop", wrong == 0);
	say("signals", n_signals > 10);
	say("addresses", n_strange == 0);
	timer(ITIMER_REAL, 2000);
	say("restarted", late_read() == 1);
	handle(SIGALRM, 0);
	timer(ITIMER_REAL, 20000);
	say("interrupted", late_read() == -1000 - EINTR);
	return 0;
}

static void *thread(void *arg)
{
	long pid = getpid(), i, wrong = 0;

	(void)arg;
	for (i = 0; i < 50000; i++) {
		wrong += test(SYS_getpid, 0, 0, 0) != pid;
		if (i % 64 == 0)
			(void)test(SYS_sched_yield, 0, 0, 0);
	}
	return (void *)wrong;
}

static int status_of(pid_t pid)
{
	int status = -1;

	waitpid(pid, &status, 0);
	return status;
}

static int processes(void)
{
	pthread_t threads[3];
	volatile long pid, i, wrong = 0;
	void *ret;

	heat();
	pid = test(SYS_fork, 0, 0, 0);
	if (pid == 0)
		_exit(number() == getppid() && test(SYS_getpid, 0, 0, 0) == getpid() ? 7 : 1);
	say("fork", WEXITSTATUS(status_of((pid_t)pid)) == 7);
	for (i = 0; i < 20; i++) {
		pid = vfork();
		if (pid == 0) {
			(void)number();
			_exit(8);
		}
		wrong += WEXITSTATUS(status_of((pid_t)pid)) != 8 || number() != getppid();
	}
	say("vfork", wrong == 0);
	for (i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, thread, NULL);
	for (wrong = 0, i = 0; i < 3; i++) {
		(void)pthread_join(threads[i], &ret);
		wrong += (long)ret;
	}
	say("threads", wrong == 0);
	pid = fork();
	if (pid == 0) {
		static const char *const argv[] = { "/p", "text", NULL };

		(void)test(SYS_execve, (long)"/proc/self/exe", (long)argv, (long)environ);
		_exit(1);
	}
	say("exec", status_of((pid_t)pid) == 0);
	pid = fork();
	if (pid == 0)
		(void)test(SYS_exit_group, 9, 0, 0);
	say("exit", WEXITSTATUS(status_of((pid_t)pid)) == 9);
	return 0;
}

static void traced(void)
{
	heat();
	ptrace(PTRACE_TRACEME, 0, 0, 0);
	raise(SIGSTOP);
	(void)number();
	(void)test(SYS_close, -1, 0, 0);
	raise(SIGSTOP);
	(void)number();
	(void)number();
	(void)number();
	_exit(number() == getppid() ? 3 : 4);
}

static int stop(pid_t pid, int request, struct user_regs_struct *regs)
{
	int status;

	if (ptrace(request, pid, 0, 0) < 0 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		return -1;
	ptrace(PTRACE_GETREGS, pid, 0, regs);
	return WSTOPSIG(status);
}

/* Stops of system calls with the two sites, up to the next SIGSTOP */
static void trace_calls(pid_t pid)
{
	const uintptr_t behind_number = (uintptr_t)number_syscall + 2, behind_test = (uintptr_t)test_compare;
	struct user_regs_struct regs;
	int seen = 0, sig;

	while ((sig = stop(pid, PTRACE_SYSCALL, &regs)) == SIGTRAP) {
		if (regs.rip == behind_number && regs.orig_rax == SYS_getppid)
			seen += (long)regs.rax == -ENOSYS ? 1 : (pid_t)regs.rax == getpid() ? 10 : 10000;
		if (regs.rip == behind_test && regs.orig_rax == SYS_close)
			seen += (long)regs.rax == -ENOSYS ? 100 : (long)regs.rax == -EBADF ? 1000 : 10000;
	}
	say("system call stops", sig == SIGSTOP && seen == 1111);
}

/* Every step has to lead on, and out of number() with the right value. */
static void trace_steps(pid_t pid)
{
	struct user_regs_struct regs = { 0 };
	uintptr_t last = 0;
	int i, stuck = 0, strange = 0, right = 0;

	for (i = 0; i < 3000 && right < 2 && stop(pid, PTRACE_SINGLESTEP, &regs) == SIGTRAP; i++) {
		stuck += regs.rip == last;
		strange += regs.rip >= STUBS && regs.rip < STUBS_END;
		if (regs.rip == (uintptr_t)number_syscall + 2)
			right += (pid_t)regs.rax == getpid();
		last = regs.rip;
	}
	say("steps", right == 2 && stuck == 0 && strange == 0);
}

/* A breakpoint at the beginning of a patched site, which is removed when it is hit */
static void trace_break(pid_t pid)
{
	struct user_regs_struct regs;
	long word = ptrace(PTRACE_PEEKTEXT, pid, (long)number, 0);
	int hit, status = -1;

	ptrace(PTRACE_POKETEXT, pid, (long)number, (word & ~0xffl) | 0xcc);
	hit = stop(pid, PTRACE_CONT, &regs) == SIGTRAP && regs.rip == (uintptr_t)number + 1;
	ptrace(PTRACE_POKETEXT, pid, (long)number, word);
	regs.rip = (uintptr_t)number;
	ptrace(PTRACE_SETREGS, pid, 0, &regs);
	ptrace(PTRACE_CONT, pid, 0, 0);
	waitpid(pid, &status, 0);
	say("breakpoint", hit && WIFEXITED(status) && WEXITSTATUS(status) == 3);
}

static int trace(void)
{
	struct user_regs_struct regs;
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		traced();
	waitpid(pid, &status, 0);
	trace_calls(pid);
	trace_steps(pid);
	trace_break(pid);
	pid = fork();
	if (pid == 0) {
		for (;;)
			(void)number();
	}
	usleep(50000);
	say("attach", ptrace(PTRACE_ATTACH, pid, 0, 0) == 0 && waitpid(pid, &status, 0) == pid &&
			      ptrace(PTRACE_GETREGS, pid, 0, &regs) == 0 && regs.rip < STUBS &&
			      stop(pid, PTRACE_SINGLESTEP, &regs) == SIGTRAP && regs.rip < STUBS);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return 0;
}

static int filter(void)
{
	const uint32_t at = (uint32_t)(uintptr_t)number_syscall + 2;
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, at, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 77),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getuid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 78),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getgid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof(code) / sizeof(code[0]), code };
	pid_t pid;

	heat();
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	say("installed", prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0);
	say("by address", number() == -77);
	say("by number", test(SYS_getuid, 0, 0, 0) == -1078 && test(SYS_getpid, 0, 0, 0) == getpid());
	pid = fork();
	if (pid == 0) {
		(void)test(SYS_getgid, 0, 0, 0);
		_exit(0);
	}
	say("killed", WTERMSIG(status_of(pid)) == SIGSYS);
	return 0;
}

#define LOAD(n) "vmovdqu " #n "*32(%[in]), %%ymm" #n "\n\t"
#define STORE(n) "vmovdqu %%ymm" #n ", " #n "*32(%[out])\n\t"
#define ALL(x) x(0) x(1) x(2) x(3) x(4) x(5) x(6) x(7) x(8) x(9) x(10) x(11) x(12) x(13) x(14) x(15)

/* In registers that the called functions do not touch */
__attribute__((target("avx"))) static long vectors(long nr, int rounds, unsigned char seed)
{
	static __thread unsigned char in[512] __attribute__((aligned(32))), out[512] __attribute__((aligned(32)));
	long i, k, wrong = 0, r;

	for (i = 0; i < rounds; i++) {
		for (k = 0; k < 512 && i % 1000 == 0; k++)
			in[k] = (unsigned char)(k * 7 + seed + i);
		__asm__ volatile(ALL(LOAD) "movq %[nr], %%rdi\n\tcall test\n\t" ALL(STORE)
				 : "=&a"(r)
				 : [nr] "r"(nr), [in] "r"(in), [out] "r"(out)
				 : "rcx", "rdx", "rsi", "rdi", "r11", "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3",
				   "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",
				   "xmm14", "xmm15");
		wrong += memcmp(in, out, 512) != 0;
	}
	return wrong;
}

static void *vector_thread(void *arg)
{
	return (void *)vectors((long)arg & 1 ? SYS_sched_yield : SYS_getppid, 60000, (unsigned char)(long)arg);
}

static int registers(void)
{
	unsigned int mxcsr = 0x3f80 & ~0x1000u, now;
	pthread_t threads[4];
	void *ret;
	long i, wrong = 0;
	pid_t pid;

	if (!__builtin_cpu_supports("avx")) {
		puts("no avx here");
		return 0;
	}
	pid = fork();
	if (pid == 0)
		_exit(vectors(SYS_sched_yield, 100000, 99) != 0);
	say("one", vectors(SYS_getppid, 1000000, 1) == 0);
	_mm_setcsr(mxcsr);
	heat();
	now = _mm_getcsr();
	say("mxcsr", now == mxcsr);
	for (i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, vector_thread, (void *)(3 * i));
	for (i = 0; i < 4; i++) {
		pthread_join(threads[i], &ret);
		wrong += (long)ret;
	}
	say("threads", wrong == 0);
	say("process", status_of(pid) == 0);
	handle(SIGALRM, SA_RESTART);
	timer(ITIMER_REAL, 500);
	say("signals", vectors(SYS_getppid, 300000, 5) == 0 && n_signals > 0);
	timer(ITIMER_REAL, 0);
	return 0;
}

static const unsigned char getppid_code[] = { 0xb8, 110, 0, 0, 0, 0x0f, 0x05, 0xc3 };
static const unsigned char getpid_code[] = { 0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0xc3 };
/* mov $1,%eax; mov $5,%eax (from the sixth byte on); ret */
static const unsigned char five_code[] = { 0xb8, 1, 0, 0, 0, 0xb8, 5, 0, 0, 0, 0xc3 };

static long run_hot(const unsigned char *code)
{
	long r = 0;
	int i;

	for (i = 0; i < HOT; i++)
		r = call_at(code, 0);
	return r;
}

static void *map_file(void *at, const void *code, size_t size, int flags)
{
	char path[] = "/tmp/code-XXXXXX";
	int fd = mkstemp(path);
	void *p = MAP_FAILED;

	if (fd >= 0 && pwrite(fd, code, size, 64) == (ssize_t)size && ftruncate(fd, 4096) == 0)
		p = mmap(at, 4096, PROT_READ | PROT_EXEC, flags | (at ? MAP_FIXED : 0), fd, 0);
	close(fd);
	unlink(path);
	return p == MAP_FAILED ? NULL : (char *)p + 64;
}

static int code(void)
{
	unsigned char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char *q, *r;

	memcpy(p + 64, getppid_code, sizeof(getppid_code));
	mprotect(p, 4096, PROT_READ | PROT_EXEC);
	say("made", run_hot(p + 64) == getppid() && memcmp(p + 64, getppid_code, 8) == 0);
	mprotect(p, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
	p[65] = SYS_getpid;
	say("made again", run_hot(p + 64) == getpid() && memcmp(p + 64, getpid_code, 8) == 0);

	q = map_file(NULL, getppid_code, sizeof(getppid_code), MAP_SHARED);
	say("shared", q && run_hot(q) == getppid() && memcmp(q, getppid_code, 8) == 0);

	q = map_file(NULL, getppid_code, sizeof(getppid_code), MAP_PRIVATE);
	say("private", q && run_hot(q) == getppid());
	r = map_file(q - 64, getpid_code, sizeof(getpid_code), MAP_PRIVATE);
	say("replaced", r == q && run_hot(r) == getpid());
	r = map_file(q - 64, five_code, sizeof(five_code), MAP_PRIVATE);
	say("another", r == q && run_hot(r) == 5 && call_at(r + 5, 0) == 5);
	r = map_file(q - 64, getppid_code, sizeof(getppid_code), MAP_PRIVATE);
	say("back", r == q && run_hot(r) == getppid());
	mprotect(q - 64, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
	memcpy(q, getpid_code, sizeof(getpid_code));
	say("written", run_hot(q) == getpid());

	/* Across two pages, each byte of it */
	p = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (r = p + 4080; r < p + 4104; r++) {
		mprotect(p, 8192, PROT_READ | PROT_WRITE);
		memcpy(r, getppid_code, sizeof(getppid_code));
		mprotect(p, 8192, PROT_READ | PROT_EXEC);
		if (run_hot(r) != getppid())
			break;
	}
	say("two pages", r == p + 4104);
	return 0;
}

static sigjmp_buf back;

static void on_fault(int sig)
{
	siglongjmp(back, sig);
}

static int interrupt(void)
{
	long r = 20;

	signal(SIGSEGV, on_fault);
	if (sigsetjmp(back, 1) == 0) {
		__asm__ volatile("int $0x80" : "+a"(r) : : "memory", "r8", "r9", "r10", "r11");
		say("int 0x80", r == getpid()); /* on a host */
	} else {
		say("int 0x80", 1);
	}
	return 0;
}

static int clocks(void)
{
	struct timespec a, b;
	int i, wrong = 0;

	clock_gettime(CLOCK_MONOTONIC, &a);
	for (i = 0; i < 100000; i++, a = b) {
		clock_gettime(CLOCK_MONOTONIC, &b);
		wrong += b.tv_sec < a.tv_sec || (b.tv_sec == a.tv_sec && b.tv_nsec < a.tv_nsec);
	}
	say("clock", wrong == 0 && llabs(time(NULL) - (long long)test(SYS_time, 0, 0, 0)) <= 1);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(void);
	} all[] = {
		{ "text", text },	    { "middle", middle }, { "signals", signals },
		{ "processes", processes }, { "trace", trace },	  { "filter", filter },
		{ "registers", registers }, { "code", code },	  { "interrupt", interrupt },
		{ "clocks", clocks },
	};
	size_t i;

	for (i = 0; argc > 1 && i < sizeof(all) / sizeof(all[0]); i++)
		if (strcmp(argv[1], all[i].name) == 0)
			return all[i].run();
	return 2;
}
