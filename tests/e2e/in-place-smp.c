/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What programs on several processors can do to each other's memory, signals and processes. Each test says its name and
 * "ok"; a wrong one says what it found, and the program ends with 1. For a guest whose kernel is in the processes of its
 * programs ("uml_isolation": "in-place"), but right in any. Static: it runs in any image.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define WORDS (PAGE / sizeof(uint64_t))

static const char *test_name;

static void __attribute__((format(printf, 1, 2), noreturn)) wrong(const char *format, ...)
{
	va_list ap;

	fprintf(stderr, "%s: ", test_name);
	__builtin_va_start(ap, format);
	vfprintf(stderr, format, ap);
	__builtin_va_end(ap);
	fputc('\n', stderr);
	_exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* On a busy host a test does less: its loops end when it has had its time. */
static double enough;

static bool late(void)
{
	return now() > enough;
}

static pthread_t start(void *(*f)(void *), void *arg)
{
	pthread_t t;

	if (pthread_create(&t, NULL, f, arg) != 0)
		wrong("pthread_create: %s", strerror(errno));
	return t;
}

static void *new_page(void *where)
{
	void *p =
		mmap(where, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | (where ? MAP_FIXED : 0), -1, 0);

	if (p == MAP_FAILED)
		wrong("mmap: %s", strerror(errno));
	return p;
}

static void spin(double seconds)
{
	double end = now() + seconds;

	while (now() < end)
		;
}

static void ended(pid_t pid)
{
	int status;

	if (pid < 0)
		wrong("fork: %s", strerror(errno));
	if (waitpid(pid, &status, 0) != pid || status != 0)
		wrong("a child ended with %#x", (unsigned)status);
}

/* --- at once: two threads hand a word to and fro, without a system call --- */

static atomic_uint turn;
static atomic_bool stop;

static void *other_turn(void *arg)
{
	(void)arg;
	while (!stop)
		if (turn & 1)
			turn++;
	return NULL;
}

/* With one processor, or threads that wait for each other, a turn takes a time slice. */
static void test_at_once(void)
{
	double end = now() + 60;
	unsigned mine = 0;
	uint64_t looks;
	pthread_t t;

	stop = false;
	turn = 0;
	t = start(other_turn, NULL);
	for (looks = 1; mine < 20000 && (looks % (1 << 20) || now() < end); looks++)
		if (!(turn & 1)) {
			turn++;
			mine++;
		}
	stop = true;
	pthread_join(t, NULL);
	if (mine < 20000)
		wrong("%u turns in 60 s: the threads do not run at the same time", mine);
}

/* --- pages that are taken from a thread that writes to them --- */

static uint64_t *_Atomic target;
static __thread sigjmp_buf back;

static void no_page(int sig)
{
	(void)sig;
	siglongjmp(back, 1);
}

static void *writer(void *arg)
{
	volatile uint64_t *p;
	uint64_t n = 0;
	size_t i;

	(void)arg;
	while (!stop) {
		if (sigsetjmp(back, 1))
			sched_yield();
		p = target;
		for (i = 0; p && i < WORDS; i++)
			p[i] = 0xdead000000000000u | n++;
	}
	return NULL;
}

static void wait_written(volatile uint64_t *p)
{
	double end = now() + 20;

	while (p[0] == 0 && now() < end)
		;
	if (p[0] == 0)
		wrong("nobody has written for 20 s");
}

static void with_writer(void (*f)(void), unsigned rounds)
{
	struct sigaction sa = { .sa_handler = no_page, .sa_flags = SA_NODEFER };
	pthread_t t;

	sigaction(SIGSEGV, &sa, NULL);
	stop = false;
	target = NULL;
	t = start(writer, NULL);
	while (rounds-- > 0 && !late())
		f();
	stop = true;
	target = NULL;
	pthread_join(t, NULL);
	signal(SIGSEGV, SIG_DFL);
}

/* What the writer had is somebody else's: the writer must not reach it. New pages at old addresses. */
static void check_others(void)
{
	static uint64_t(*others)[WORDS];
	size_t i, k;

	if (!others)
		others = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (i = 0; i < 8; i++)
		for (k = 0; k < WORDS; k++)
			others[i][k] = i;
	spin(50e-6);
	for (i = 0; i < 8; i++)
		for (k = 0; k < WORDS; k++)
			if (others[i][k] != i)
				wrong("%#lx written to a page that was taken before", (long)others[i][k]);
	madvise(others, 8 * PAGE, MADV_DONTNEED);
}

static void unmap_round(void)
{
	uint64_t *p;

	check_others();
	p = new_page(NULL);
	target = p;
	wait_written(p);
	munmap(p, PAGE);
	check_others();
	target = NULL;
}

static void test_munmap(void)
{
	with_writer(unmap_round, 400);
}

static uint64_t *shared_page;

static void drop_round(void)
{
	target = shared_page;
	wait_written(shared_page);
	if (madvise(shared_page, PAGE, MADV_DONTNEED) != 0)
		wrong("madvise: %s", strerror(errno));
	check_others();
}

static void test_madvise(void)
{
	shared_page = new_page(NULL);
	with_writer(drop_round, 400);
}

static void must_not_change(const char *when)
{
	volatile uint64_t *p = shared_page;
	uint64_t before[WORDS];
	size_t i;

	for (i = 0; i < WORDS; i++)
		before[i] = p[i];
	spin(50e-6);
	for (i = 0; i < WORDS; i++)
		if (p[i] != before[i])
			wrong("%s: word %zu was %#lx and is %#lx", when, i, (long)before[i], (long)p[i]);
}

static void protect_round(void)
{
	target = shared_page;
	wait_written(shared_page);
	if (mprotect(shared_page, PAGE, PROT_READ) != 0)
		wrong("mprotect: %s", strerror(errno));
	must_not_change("read only");
	mprotect(shared_page, PAGE, PROT_READ | PROT_WRITE);
	shared_page[0] = 0;
}

static void test_mprotect(void)
{
	shared_page = new_page(NULL);
	with_writer(protect_round, 400);
}

/* The child has its parent's pages of the moment of the fork, whatever the parent's other threads do. */
static void fork_round(void)
{
	pid_t pid;

	target = shared_page;
	wait_written(shared_page);
	pid = fork();
	if (pid == 0) {
		must_not_change("in the child");
		_exit(0);
	}
	ended(pid);
}

static void test_fork_copy(void)
{
	shared_page = new_page(NULL);
	with_writer(fork_round, 200);
}

/* Threads that map and unmap, each on its own, and all of what they wrote is there. */
static void *mapper(void *arg)
{
	uint64_t seed = (uintptr_t)arg, *p[16] = { NULL }, was[16] = { 0 };
	unsigned n, i, pages[16] = { 0 };
	size_t k;

	for (n = 0; n < 1500 && !late(); n++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		i = (seed >> 40) % 16;
		if (p[i]) {
			for (k = 0; k < pages[i] * WORDS; k += 61)
				if (p[i][k] != was[i] + k)
					wrong("%#lx in the place of %#lx", (long)p[i][k], (long)(was[i] + k));
			munmap(p[i], pages[i] * PAGE);
		}
		pages[i] = 1 + (seed >> 50) % 32;
		was[i] = seed;
		p[i] = mmap(NULL, pages[i] * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p[i] == MAP_FAILED)
			wrong("mmap: %s", strerror(errno));
		for (k = 0; k < pages[i] * WORDS; k += 61)
			p[i][k] = seed + k;
	}
	for (i = 0; i < 16; i++)
		if (p[i])
			munmap(p[i], pages[i] * PAGE);
	return NULL;
}

static void test_mappers(void)
{
	pthread_t t[4];
	uintptr_t i;

	for (i = 0; i < 4; i++)
		t[i] = start(mapper, (void *)(i + 1));
	for (i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
}

/* --- registers and thread-local variables, whatever processor a thread goes on on --- */

static __thread uint64_t mine;

static void *wanderer(void *arg)
{
	uint64_t id = (uintptr_t)arg;
	double x = (double)id, y = x;
	unsigned n, cpu;
	cpu_set_t set;

	mine = id;
	for (n = 0; n < 3000 && !late(); n++) {
		CPU_ZERO(&set);
		CPU_SET((n + id) % 2, &set);
		if (n % 3 == 0 && sched_setaffinity(0, sizeof(set), &set) != 0)
			wrong("sched_setaffinity: %s", strerror(errno));
		if (n % 3 == 0 && (syscall(SYS_getcpu, &cpu, NULL, NULL) != 0 || cpu != (n + id) % 2))
			wrong("on processor %u, not %u", cpu, (unsigned)((n + id) % 2));
		x = x * 1.0000001 + 1;
		if (n % 7 == 0)
			sched_yield();
		y = y * 1.0000001 + 1;
		if (mine != id || x != y)
			wrong("thread %lu has %lu, and %f for %f", (long)id, (long)mine, x, y);
	}
	return NULL;
}

static void test_wander(void)
{
	pthread_t t[6];
	uintptr_t i;

	for (i = 0; i < 6; i++)
		t[i] = start(wanderer, (void *)(i + 1));
	for (i = 0; i < 6; i++)
		pthread_join(t[i], NULL);
}

/* --- waiting for each other --- */

static atomic_uint ball;

static void *player(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg, n, v;

	for (n = 0; n < 5000; n++) {
		while (((v = ball) & 1) != me)
			syscall(SYS_futex, &ball, FUTEX_WAIT_PRIVATE, v, NULL, NULL, 0);
		ball++;
		syscall(SYS_futex, &ball, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	}
	return NULL;
}

static void test_futex(void)
{
	pthread_t a, b;

	ball = 0;
	a = start(player, (void *)0);
	b = start(player, (void *)1);
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	if (ball != 10000)
		wrong("%u turns", ball);
}

static void *sleeper(void *arg)
{
	unsigned n;
	double t;

	(void)arg;
	for (n = 0; n < 200 && !late(); n++) {
		t = now();
		usleep(1000);
		t = now() - t;
		if (t < 0.001 || t > 20)
			wrong("slept for %f s", t);
	}
	return NULL;
}

static void test_sleep(void)
{
	pthread_t t[4];
	unsigned i;

	for (i = 0; i < 4; i++)
		t[i] = start(sleeper, NULL);
	for (i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
}

static atomic_uint signals;

static void count(int sig)
{
	(void)sig;
	signals++;
}

static void *target_thread(void *arg)
{
	volatile uint64_t n = 0;

	(void)arg;
	while (!stop)
		n++;
	return NULL;
}

static void test_signals(void)
{
	double end = now() + 60;
	unsigned n;
	pthread_t t;

	signal(SIGUSR1, count);
	stop = false;
	signals = 0;
	t = start(target_thread, NULL);
	for (n = 1; n <= 2000 && !late(); n++) {
		pthread_kill(t, SIGUSR1);
		while (signals < n && now() < end)
			;
		if (signals != n)
			wrong("%u of %u signals after 60 s", signals, n);
	}
	stop = true;
	pthread_join(t, NULL);
}

/* --- processes and threads that come and go --- */

static void *nothing(void *arg)
{
	return arg;
}

static void *starts_threads(void *arg)
{
	unsigned n;

	(void)arg;
	for (n = 0; n < 500 && !late(); n++)
		pthread_join(start(nothing, NULL), NULL);
	return NULL;
}

static void test_threads(void)
{
	pthread_t t[3];
	unsigned i;

	for (i = 0; i < 3; i++)
		t[i] = start(starts_threads, NULL);
	for (i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
}

/* By vfork() */
static void *spawns(void *arg)
{
	char *argv[] = { "in-place-smp", "nothing", NULL };
	unsigned n;
	pid_t pid;

	(void)arg;
	for (n = 0; n < 80 && !late(); n++) {
		if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, NULL) != 0)
			wrong("posix_spawn: %s", strerror(errno));
		ended(pid);
	}
	return NULL;
}

static void test_spawn(void)
{
	pthread_t t[3];
	unsigned i;

	for (i = 0; i < 3; i++)
		t[i] = start(spawns, NULL);
	for (i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
}

static void test_forks(void)
{
	pid_t pid[4], child;
	unsigned i, n;

	for (i = 0; i < 4; i++) {
		pid[i] = fork();
		if (pid[i] != 0)
			continue;
		for (n = 0; n < 150 && !late(); n++) {
			child = fork();
			if (child == 0)
				_exit(0);
			ended(child);
		}
		_exit(0);
	}
	for (i = 0; i < 4; i++)
		ended(pid[i]);
}

static void test_kill(void)
{
	unsigned i, n;
	int status;
	pid_t pid;

	for (n = 0; n < 40 && !late(); n++) {
		pid = fork();
		if (pid == 0) {
			stop = false;
			for (i = 0; i < 4; i++)
				start(target_thread, NULL);
			pause();
		}
		usleep(n % 5 * 1000);
		kill(pid, SIGKILL);
		if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
			wrong("killed, and ended with %#x", (unsigned)status);
	}
}

/* Many address spaces, with two threads each, that wait for each other */
static void test_many(void)
{
	pid_t pid[40];
	unsigned i;
	char byte = 0;
	int p[2], q[2];
	pthread_t t;

	for (i = 0; i < 40; i++) {
		pid[i] = fork();
		if (pid[i] != 0)
			continue;
		stop = false;
		t = start(wanderer, (void *)(uintptr_t)(i + 1));
		if (pipe(p) != 0 || pipe(q) != 0)
			wrong("pipe: %s", strerror(errno));
		if (fork() == 0) {
			close(p[1]);
			close(q[0]);
			while (read(p[0], &byte, 1) == 1 && byte++ < 50 && write(q[1], &byte, 1) == 1)
				;
			_exit(0);
		}
		for (byte = 0; byte < 50;)
			if (write(p[1], &byte, 1) != 1 || read(q[0], &byte, 1) != 1)
				wrong("pipe: %s", strerror(errno));
		pthread_join(t, NULL);
		_exit(0);
	}
	for (i = 0; i < 40; i++)
		ended(pid[i]);
}

/* Filters are memory of vmalloc(), and its addresses are used again after some thousands. */
static void test_vmalloc(void)
{
	struct sock_filter code[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	struct sock_fprog filter = { .len = 1, .filter = code };
	unsigned i, n, k;
	pid_t pid[4], child;

	for (i = 0; i < 4; i++) {
		pid[i] = fork();
		if (pid[i] != 0)
			continue;
		for (n = 0; n < 12 && !late(); n++) {
			child = fork();
			if (child == 0) {
				prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
				for (k = 0; k < 60; k++)
					if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)
						_exit(2);
				for (k = 0; k < 60; k++)
					if (getppid() <= 0)
						_exit(3);
				_exit(0);
			}
			ended(child);
		}
		_exit(0);
	}
	for (i = 0; i < 4; i++)
		ended(pid[i]);
}

/* --- system calls that the kernel patches after some of them, while others are at the same place --- */

#define PLACES 400

static int (*places[PLACES])(void);

/* A file of functions that call getppid(), of both forms that are patched, at all distances from the end of a line */
static void make_places(void)
{
	static const unsigned char number[] = { 0xb8, 110, 0, 0, 0, 0x0f, 0x05, 0xc3 };
	static const unsigned char tested[] = { 0xb8, 110,  0, 0,    0,	   0x90, 0x0f, 0x05,
						0x48, 0x3d, 0, 0xf0, 0xff, 0xff, 0xc3 };
	char name[] = "/tmp/in-place-XXXXXX";
	unsigned char text[8 * PAGE];
	size_t at = 64, i;
	char *p;
	int fd;

	memset(text, 0xcc, sizeof(text));
	fd = mkstemp(name);
	if (fd < 0)
		wrong("mkstemp: %s", strerror(errno));
	unlink(name);
	for (i = 0; i < PLACES; i++) {
		size_t length = i % 2 ? sizeof(tested) : sizeof(number);

		memcpy(text + at, i % 2 ? tested : number, length);
		places[i] = (int (*)(void))(uintptr_t)at;
		at += length + 17 + i % 7;
	}
	if (at > sizeof(text) || write(fd, text, sizeof(text)) != (ssize_t)sizeof(text))
		wrong("the text has no room");
	p = mmap(NULL, sizeof(text), PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		wrong("mmap: %s", strerror(errno));
	close(fd);
	for (i = 0; i < PLACES; i++)
		places[i] = (int (*)(void))((uintptr_t)p + (uintptr_t)places[i]);
}

static void *caller(void *arg)
{
	int parent = getppid(), r;
	unsigned i, n;

	(void)arg;
	for (i = 0; i < PLACES; i++)
		for (n = 0; n < 40; n++) {
			r = places[i]();
			if (r != parent)
				wrong("place %u, call %u: %d, not %d", i, n, r, parent);
		}
	return NULL;
}

static void *disturber(void *arg)
{
	while (!stop) {
		pthread_kill(*(pthread_t *)arg, SIGUSR1);
		usleep(50);
	}
	return NULL;
}

static void test_patches(void)
{
	pthread_t t[4], d;
	unsigned round, i;
	pid_t pid;

	for (round = 0; round < 5; round++) {
		pid = fork();
		if (pid == 0) {
			make_places();
			signal(SIGUSR1, count);
			stop = false;
			for (i = 0; i < 4; i++)
				t[i] = start(caller, NULL);
			d = start(disturber, &t[0]);
			for (i = 1; i < 4; i++)
				pthread_join(t[i], NULL);
			stop = true;
			pthread_join(d, NULL);
			pthread_join(t[0], NULL);
			_exit(0);
		}
		ended(pid);
	}
}

static const struct {
	const char *name;
	void (*f)(void);
} tests[] = {
	{ "at-once", test_at_once },   { "munmap", test_munmap },	{ "madvise", test_madvise },
	{ "mprotect", test_mprotect }, { "fork-copy", test_fork_copy }, { "mappers", test_mappers },
	{ "wander", test_wander },     { "futex", test_futex },		{ "sleep", test_sleep },
	{ "signals", test_signals },   { "threads", test_threads },	{ "spawn", test_spawn },
	{ "forks", test_forks },       { "kill", test_kill },		{ "many", test_many },
	{ "vmalloc", test_vmalloc },   { "patches", test_patches },
};

int main(int argc, char **argv)
{
	bool all = argc < 2;
	size_t i;
	int k;

	if (!all && strcmp(argv[1], "nothing") == 0)
		return 0;
	for (i = 0; i < sizeof(tests) / sizeof(*tests); i++) {
		bool wanted = all;

		for (k = 1; k < argc; k++)
			wanted |= strcmp(argv[k], tests[i].name) == 0;
		if (!wanted)
			continue;
		test_name = tests[i].name;
		enough = now() + 2;
		tests[i].f();
		printf("%s: ok\n", test_name);
		fflush(stdout);
	}
	return 0;
}
