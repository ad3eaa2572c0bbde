/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clocks as programs read them: by the vDSO, and by system calls. Prints "right", or what is wrong.
 * clocks [in-place]: in-place: the vDSO must not make a system call. Needs CAP_SYS_ADMIN, CAP_SYS_TIME, CAP_SYS_PTRACE.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const clockid_t clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC,	   CLOCK_MONOTONIC_RAW,
				    CLOCK_BOOTTIME, CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE,
				    CLOCK_TAI };
enum { CLOCKS = sizeof(clocks) / sizeof(clocks[0]) };

static void wrong(const char *what)
{
	printf("wrong: %s\n", what);
	exit(1);
}

static int64_t by_vdso(clockid_t clock)
{
	struct timespec t;

	if (clock_gettime(clock, &t) < 0)
		wrong("clock_gettime");
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int64_t by_call(clockid_t clock)
{
	struct timespec t;

	if (syscall(SYS_clock_gettime, clock, &t) < 0)
		wrong("the system call");
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* The kernel kills the child at the first system call. */
static void no_calls(void)
{
	int status;

	if (fork() == 0) {
		struct timeval tv;
		struct timespec t;
		int i;

		prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
		for (i = 0; i < 1000; i++)
			by_vdso(clocks[i % CLOCKS]);
		gettimeofday(&tv, NULL);
		clock_getres(CLOCK_MONOTONIC, &t);
		syscall(SYS_exit, time(NULL) - tv.tv_sec > 1);
	}
	if (wait(&status) < 0 || status)
		wrong("the vDSO makes system calls");
}

static void in_order(void)
{
	int i;

	for (i = 0; i < 200000; i++) {
		int64_t a = by_vdso(clocks[i % 4]), b = by_call(clocks[i % 4]), c = by_vdso(clocks[i % 4]);

		if (a > b || b > c)
			wrong("time goes backwards between the vDSO and the system call");
	}
}

static void set(void)
{
	struct timespec t;
	int64_t before = by_vdso(CLOCK_REALTIME);

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec += 3600;
	if (clock_settime(CLOCK_REALTIME, &t) < 0)
		wrong("clock_settime");
	before = by_vdso(CLOCK_REALTIME) - before;
	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec -= 3600;
	clock_settime(CLOCK_REALTIME, &t);
	if (before < INT64_C(3600000000000))
		wrong("the vDSO does not see a clock that was set");
}

static void namespaces(void)
{
	int64_t here = by_vdso(CLOCK_MONOTONIC);
	int fd, status;

	if (unshare(CLONE_NEWTIME) < 0)
		wrong("unshare");
	fd = open("/proc/self/timens_offsets", O_WRONLY);
	if (fd < 0 || write(fd, "monotonic 1000 0\n", 17) != 17)
		wrong("timens_offsets");
	close(fd);
	if (fork() == 0) {
		int64_t a = by_vdso(CLOCK_MONOTONIC), b = by_call(CLOCK_MONOTONIC);

		_exit(a > b || a - here < INT64_C(1000000000000));
	}
	if (wait(&status) < 0 || status)
		wrong("the vDSO in a time namespace");
}

/* A system call of the host's vDSO, which programs reach, is not made. `code`: where it begins. */
static void calls_of_host(const unsigned char *code)
{
	struct user_regs_struct regs;
	int status, i = 0;
	pid_t pid;

	while (i < 4096 && (code[i] != 0x0f || code[i + 1] != 0x05))
		i++;
	if (i == 4096)
		wrong("no system call in the host's vDSO");
	pid = fork();
	if (pid == 0) {
		ptrace(PTRACE_TRACEME);
		raise(SIGSTOP);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	ptrace(PTRACE_GETREGS, pid, NULL, &regs);
	regs.rip = (uintptr_t)code + (unsigned)i;
	regs.rax = SYS_getppid;
	regs.orig_rax = (unsigned long)-1;
	ptrace(PTRACE_SETREGS, pid, NULL, &regs);
	ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL);
	waitpid(pid, &status, 0);
	ptrace(PTRACE_GETREGS, pid, NULL, &regs);
	ptrace(PTRACE_KILL, pid, NULL, NULL);
	waitpid(pid, &status, 0);
	if ((int64_t)regs.rax != -ENOSYS) {
		printf("rax %lld\n", (long long)regs.rax);
		wrong("a system call in the host's vDSO is made");
	}
}

/* The host's clock_gettime(): the first word of the vDSO's data. */
static const unsigned char *host_vdso(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long start;
	char line[256];

	while (maps && fgets(line, sizeof(line), maps))
		if (strstr(line, "[vvar]") && sscanf(line, "%lx-", &start) == 1)
			return *(const unsigned char *const *)start;
	wrong("there is no [vvar]");
	return NULL;
}

int main(int argc, char **argv)
{
	in_order();
	set();
	if (argc > 1 && strcmp(argv[1], "in-place") == 0) {
		no_calls();
		calls_of_host(host_vdso());
	}
	namespaces();
	puts("right");
	return 0;
}
