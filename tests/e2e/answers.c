/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What programs can tell of CPUID instructions that the guest kernel answers without the processor ("uml_isolation":
 * "in-place"). Static: its own text is the one that is looked through when it is executed. Its call sites have the forms
 * that are patched.
 *
 * text       which of them are patched, in memory and in the file
 * answers    what they say, and what they leave as it was
 * middle     jumps to the instructions that were there
 * signals    a loop under a timer
 * processes  fork, threads, exec
 * trace      a debugger's steps; a program that is executed under a debugger
 *
 * Without patching all but the first three lines of "text" are the same.
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/ucontext.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define STUBS 0x61600000ul
#define STUBS_END 0x62000000ul

struct registers {
	uint32_t a, b, c, d;
};

/*
 * Three sites, each in a function that jumps to where %r11 says if that is not 0. They use memory below the stack pointer,
 * as functions that call none may.
 */
extern unsigned char any_site[], any_second[], any_end[], zero_site[], zero_second[], zero_third[], zero_end[],
	moved_site[], moved_second[], moved_third[], moved_end[];

__asm__(".text\n\t.balign 64\n"
	"any:\n\t"
	"movq %rsp, -8(%rsp)\n\t"
	"testq %r11, %r11\n\t"
	"jz any_site\n\t"
	"jmp *%r11\n"
	"any_site:\n\t"
	"movl $0x80000001, %eax\n"
	"any_second:\n\t"
	"cpuid\n"
	"any_end:\n\t"
	"jmp end\n\t"
	".balign 64\n"
	"zero:\n\t"
	"movq %rsp, -8(%rsp)\n\t"
	"testq %r11, %r11\n\t"
	"jz zero_site\n\t"
	"jmp *%r11\n"
	"zero_site:\n\t"
	"movl $7, %eax\n"
	"zero_second:\n\t"
	"xorl %ecx, %ecx\n"
	"zero_third:\n\t"
	"cpuid\n"
	"zero_end:\n\t"
	"jmp end\n\t"
	".balign 64\n"
	"moved:\n\t"
	"movq %rsp, -8(%rsp)\n\t"
	"testq %r11, %r11\n\t"
	"jz moved_site\n\t"
	"jmp *%r11\n"
	"moved_site:\n\t"
	"movl $13, %eax\n"
	"moved_second:\n\t"
	"movl %esi, %ecx\n"
	"moved_third:\n\t"
	"cpuid\n"
	"moved_end:\n\t"
	"jmp end\n"
	/* The flags in %r11; not back if what was below the stack pointer is lost */
	"end:\n\t"
	"movq -8(%rsp), %r10\n\t"
	"pushfq\n\t"
	"popq %r11\n\t"
	"cmpq %rsp, %r10\n\t"
	"je 1f\n\t"
	"ud2\n"
	"1:\tret\n");

extern char any[], zero[], moved[];

static void say(const char *what, int right)
{
	printf("%s: %s\n", what, right ? "right" : "WRONG");
	(void)fflush(stdout);
}

/* What a site answers, and the flags after it */
static struct registers call(const char *function, const void *at, uint32_t a, uint32_t c, uint64_t *flags)
{
	register uint64_t where __asm__("r11") = (uintptr_t)at;
	uint64_t ra = a | 0xdeadbeef00000000ul, rb = ~0ul, rc = c | 0xdeadbeef00000000ul, rd = ~0ul;

	__asm__ volatile("subq $256, %%rsp\n\t"
			 "call *%[f]\n\t"
			 "addq $256, %%rsp"
			 : "+a"(ra), "+b"(rb), "+c"(rc), "+d"(rd), "+r"(where)
			 : [f] "r"(function), "S"((uint64_t)c)
			 : "r10", "memory", "cc");
	if (flags)
		*flags = where;
	if ((ra | rb | rc | rd) >> 32)
		say("upper halves", 0);
	return (struct registers){ (uint32_t)ra, (uint32_t)rb, (uint32_t)rc, (uint32_t)rd };
}

static struct registers native(uint32_t a, uint32_t c)
{
	struct registers r = { a, 0, c, 0 };

	__asm__ volatile("cpuid" : "+a"(r.a), "=b"(r.b), "+c"(r.c), "=d"(r.d));
	return r;
}

static int same(struct registers x, struct registers y)
{
	return memcmp(&x, &y, sizeof(x)) == 0;
}

static int all_right(void)
{
	return same(call(any, NULL, 1, 2, NULL), native(0x80000001, 0)) &&
	       same(call(zero, NULL, 1, 2, NULL), native(7, 0)) && same(call(moved, NULL, 1, 0, NULL), native(13, 0)) &&
	       same(call(moved, NULL, 1, 1, NULL), native(13, 1)) && same(call(moved, NULL, 1, 2, NULL), native(13, 2));
}

static int text(void)
{
	static unsigned char file[4 << 20];
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, file, sizeof(file));

	printf("any: %s\n", any_site[0] == 0xb8 ? "as it was" : "patched");
	printf("zero: %s\n", zero_site[0] == 0xb8 ? "as it was" : "patched");
	printf("moved: %s\n", moved_site[0] == 0xb8 ? "as it was" : "patched");
	say("file", n > 0 && memmem(file, (size_t)n, "\xb8\x01\x00\x00\x80\x0f\xa2\xeb", 8));
	return 0;
}

static int answers(void)
{
	uint64_t flags;

	say("all", all_right());
	(void)call(zero, NULL, 0, 5, &flags);
	/* Zero and parity are set; carry, sign and overflow are not. */
	say("flags of xor", (flags & 0x8c5) == 0x44);
	(void)call(any, NULL, 0, 5, &flags);
	say("flags", (flags & 0x8c5) == 0x44); /* those of testq */
	(void)call(moved, NULL, 0, 5, &flags);
	say("flags, moved", (flags & 0x8c5) == 0x44);
	(void)call(moved, NULL, 0, 0, &flags);
	say("flags, zero moved", (flags & 0x8c5) == 0x44);
	return 0;
}

static int middle(void)
{
	uint64_t flags;

	say("any, second", same(call(any, any_second, 0x80000006, 0, NULL), native(0x80000006, 0)));
	say("zero, second", same(call(zero, zero_second, 13, 5, &flags), native(13, 0)) && (flags & 0x8c5) == 0x44);
	say("zero, third", same(call(zero, zero_third, 13, 1, NULL), native(13, 1)));
	say("moved, second", same(call(moved, moved_second, 7, 0, NULL), native(7, 0)));
	say("moved, third", same(call(moved, moved_third, 13, 2, NULL), native(13, 2)));
	return 0;
}

static volatile sig_atomic_t n_signals, n_strange;

static void on_signal(int sig, siginfo_t *si, void *uc)
{
	uintptr_t ip = (uintptr_t)((ucontext_t *)uc)->uc_mcontext.gregs[REG_RIP];

	(void)sig;
	(void)si;
	n_signals++;
	n_strange += ip >= STUBS && ip < STUBS_END;
}

static int signals(void)
{
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct itimerval t = { { 0, 500 }, { 0, 500 } };
	const struct registers want = native(0x80000001, 0), zero_want = native(7, 0);
	long i, wrong = 0;

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &t, NULL);
	for (i = 0; i < 100000000 && n_signals < 300; i++)
		wrong += !same(call(any, NULL, 1, 2, NULL), want) || !same(call(zero, NULL, 1, 2, NULL), zero_want);
	t = (struct itimerval){ { 0, 0 }, { 0, 0 } };
	setitimer(ITIMER_REAL, &t, NULL);
	say("loop", wrong == 0);
	say("signals", n_signals > 10);
	say("addresses", n_strange == 0);
	return 0;
}

static void *thread(void *arg)
{
	const struct registers want = native(0x80000001, 0);
	long i, wrong = 0;

	(void)arg;
	for (i = 0; i < 5000; i++)
		wrong += !same(call(any, NULL, 1, 2, NULL), want);
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
	static const char *const argv[] = { "/a", "answers", NULL };
	pthread_t threads[3];
	long i, wrong = 0;
	void *ret;
	pid_t pid, inner;

	for (i = 0; i < 20; i++) {
		pid = fork();
		if (pid == 0) {
			inner = fork();
			if (inner == 0)
				_exit(all_right() ? 5 : 1);
			_exit(WEXITSTATUS(status_of(inner)) == 5 && all_right() ? 7 : 1);
		}
		/* Other programs have this one's host processes meanwhile. */
		if (i % 4 == 0)
			wrong += system("/bin/true") != 0;
		wrong += WEXITSTATUS(status_of(pid)) != 7 || !all_right();
	}
	say("fork", wrong == 0);
	for (i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, thread, NULL);
	for (wrong = 0, i = 0; i < 3; i++) {
		(void)pthread_join(threads[i], &ret);
		wrong += (long)ret;
	}
	say("threads", wrong == 0);
	pid = fork();
	if (pid == 0) {
		execv("/proc/self/exe", (char *const *)argv);
		_exit(1);
	}
	say("exec", status_of(pid) == 0);
	return 0;
}

static int trace(void)
{
	static const char *const argv[] = { "/a", "text", NULL };
	struct user_regs_struct regs = { 0 }, before;
	int status = -1, i, strange = 0, stuck = 0, seen = 0, right = 0;
	const struct registers any_want = native(0x80000001, 0), zero_want = native(7, 0), moved_want = native(13, 0);
	pid_t pid = fork();

	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		_exit(all_right() ? 3 : 4);
	}
	waitpid(pid, &status, 0);
	for (i = 0; i < 20000 && WIFSTOPPED(status); i++) {
		before = regs;
		ptrace(PTRACE_GETREGS, pid, 0, &regs);
		stuck += i > 0 && regs.rip == before.rip;
		strange += regs.rip >= STUBS && regs.rip < STUBS_END;
		if (regs.rip == (uintptr_t)any_end || regs.rip == (uintptr_t)zero_end ||
		    regs.rip == (uintptr_t)moved_end) {
			const struct registers r = { (uint32_t)regs.rax, (uint32_t)regs.rbx, (uint32_t)regs.rcx,
						     (uint32_t)regs.rdx };

			seen++;
			right += same(r, regs.rip == (uintptr_t)any_end	   ? any_want
					 : regs.rip == (uintptr_t)zero_end ? zero_want
									   : moved_want);
		}
		ptrace(PTRACE_SINGLESTEP, pid, 0, 0);
		waitpid(pid, &status, 0);
	}
	/* The last two of the five are of other subleaves. */
	say("steps", seen == 5 && right == 3 && strange == 0);
	say("each leads on", stuck == 0);
	say("end", WIFEXITED(status) && WEXITSTATUS(status) == 3);
	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		execv("/proc/self/exe", (char *const *)argv);
		_exit(1);
	}
	waitpid(pid, &status, 0);
	ptrace(PTRACE_CONT, pid, 0, 0);
	say("under a debugger", status_of(pid) == 0);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(void);
	} all[] = {
		{ "text", text },	{ "answers", answers },	    { "middle", middle },
		{ "signals", signals }, { "processes", processes }, { "trace", trace },
	};
	size_t i;

	for (i = 0; argc > 1 && i < sizeof(all) / sizeof(all[0]); i++)
		if (strcmp(argv[1], all[i].name) == 0)
			return all[i].run();
	return 2;
}
