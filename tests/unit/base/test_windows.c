/* SPDX-License-Identifier: Apache-2.0 */
/* The platform Windows: POSIX's calls by handle, sockets, the loop, processes. Runs on Windows or under Wine. */
#include "../sk_test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/acceptor.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/loop.h"
#include "base/platform/windows/system.h"
#include "base/private.h"
#include "base/process.h"
#include "base/terminal.h"

static char dir[] = "/tmp/sk-test-windows-XXXXXX";
static const char *program;

static int setup(void **state)
{
	(void)state;
	return mkdtemp(dir) ? chdir(dir) : -1;
}

static int teardown(void **state)
{
	(void)state;
	return chdir("/") < 0 ? -1 : sk_fs_remove_tree(AT_FDCWD, dir);
}

static void write_file(int at, const char *name, const char *text)
{
	assert_int_equal(sk_fs_write_atomic(at, name, text, strlen(text), 0600, false), 0);
}

static void assert_file(int at, const char *name, const char *text)
{
	_cleanup_free_ char *data = NULL;

	assert_int_equal(sk_fs_read(at, name, 100, &data, NULL), 0);
	assert_string_equal(data, text);
}

/* Of a directory, from one descriptor to the next. */
static void test_directory_lock(void **state)
{
	int a, b;

	(void)state;
	assert_int_equal(mkdir("locked", 0700), 0);
	a = open("locked", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	b = open("LOCKED/.", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (b < 0) /* where names differ in case */
		b = open("locked/.", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(a >= 0 && b >= 0);
	assert_int_equal(sk_fs_lock(a, true, true), 0);
	assert_int_equal(sk_fs_lock(a, true, false), 0);
	assert_int_equal(sk_fs_lock(b, true, false), -EWOULDBLOCK);
	close(a);
	assert_int_equal(sk_fs_lock(b, true, true), 0);
	close(b);
	assert_int_equal(rmdir("locked"), 0);
}

/* Wine gives one where it runs on a terminal (tests/windows/on_terminal.py). */
static void no_console(void)
{
	if (getenv("SKERRY_TEST_CONSOLE"))
		fail_msg("there is no console");
	skip();
}

/* Ctrl-C, once; a handler runs on another thread. */
static volatile int interrupted;

static void on_interrupt(int number)
{
	interrupted = number;
}

static void test_interrupt(void **state)
{
	struct sigaction sa = { .sa_handler = on_interrupt, .sa_flags = SA_RESETHAND }, old;
	int i;

	(void)state;
	AllocConsole();
	assert_int_equal(sigaction(SIGINT, &sa, NULL), 0);
	if (!GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0))
		no_console();
	for (i = 0; i < 500 && !interrupted; i++)
		Sleep(10);
	assert_int_equal(interrupted, SIGINT);
	assert_int_equal(sigaction(SIGINT, NULL, &old), 0);
	assert_true(old.sa_handler == SIG_DFL);
	assert_true(signal(SIGINT, SIG_IGN) == SIG_DFL);
	assert_true(signal(SIGSEGV, SIG_IGN) == SIG_ERR);
	signal(SIGINT, SIG_DFL);
}

/* As for a loop: keys that interrupt, and a window that gets another size. */
static void test_console(void **state)
{
	struct pollfd pfd = { .events = POLLIN };
	CONSOLE_SCREEN_BUFFER_INFO info;
	struct signalfd_siginfo si = { 0 };
	SMALL_RECT smaller;
	sigset_t set;

	(void)state;
	if (!GetConsoleScreenBufferInfo(GetStdHandle(STD_OUTPUT_HANDLE), &info))
		no_console();
	assert_int_equal(sk_terminal_width(1), info.srWindow.Right - info.srWindow.Left + 1);
	assert_true(isatty(0) && isatty(1));
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGWINCH);
	pfd.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	assert_true(pfd.fd >= 0);
	assert_true(GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0));
	assert_int_equal(poll(&pfd, 1, 10000), 1);
	assert_int_equal(read(pfd.fd, &si, sizeof(si)), sizeof(si));
	assert_int_equal(si.ssi_signo, SIGINT);
	smaller = (SMALL_RECT){ 0, 0, (SHORT)(info.srWindow.Right - 10), info.srWindow.Bottom };
	assert_true(SetConsoleWindowInfo(GetStdHandle(STD_OUTPUT_HANDLE), TRUE, &smaller));
	assert_int_equal(poll(&pfd, 1, 10000), 1);
	assert_int_equal(read(pfd.fd, &si, sizeof(si)), sizeof(si));
	assert_int_equal(si.ssi_signo, SIGWINCH);
	assert_int_equal(sk_terminal_width(1), info.srWindow.Right - 9);
	close(pfd.fd);
	signal(SIGINT, SIG_DFL);
}

static void test_system(void **state)
{
	_cleanup_free_ char *cwd = getcwd(NULL, 0), *real = NULL;
	_cleanup_fd_ int fd = -1;
	struct stat st;

	(void)state;
	assert_non_null(cwd);
	write_file(AT_FDCWD, "real", "x");
	real = realpath("./real/../real", NULL);
	assert_non_null(real);
	assert_string_equal(real + strlen(real) - 5, "/real");
	assert_int_equal(real[1], ':');
	assert_null(realpath("nothing", NULL));
	assert_int_equal(errno, ENOENT);
	assert_true(sysconf(_SC_NPROCESSORS_ONLN) > 0 && sysconf(_SC_PHYS_PAGES) > 0);
	fd = open("NUL", O_RDWR);
	assert_true(fd >= 0 && !isatty(fd));
	sk_close_fd(&fd);
	fd = open("space", O_RDWR | O_CREAT, 0600);
	/* Wine reserves nothing. */
	if (fallocate(fd, 0, 0, 32768) < 0) {
		assert_int_equal(errno, EOPNOTSUPP);
	} else {
		assert_int_equal(fallocate(fd, 0, 0, 10), 0);
		assert_true(fstat(fd, &st) == 0 && st.st_size == 32768);
	}
	assert_true(symlink("a", "b") < 0 && errno == EPERM);
}

/* By the handle of a directory, wherever its name has gone; a path does not leave it. */
static void test_at(void **state)
{
	_cleanup_fd_ int d = -1;
	struct stat st;

	(void)state;
	assert_int_equal(sk_fs_mkdir_p("at/\xc3\xa4/b", 0700), 0);
	d = open("at/\xc3\xa4", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(d >= 0);
	write_file(d, "b/f", "text");
	assert_file(d, "./b//f", "text");
	assert_int_equal(openat(d, "../b", O_RDONLY), -1);
	assert_int_equal(errno, EXDEV);
	assert_int_equal(openat(d, "b/f:stream", O_RDONLY), -1);
	assert_int_equal(openat(d, "none", O_RDONLY), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(fstatat(d, "b/f", &st, 0), 0);
	assert_true(S_ISREG(st.st_mode) && st.st_size == 4 && st.st_nlink == 1);
	assert_int_equal(fstat(d, &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(openat(d, "b/f", O_WRONLY | O_CREAT | O_EXCL, 0600), -1);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(unlinkat(d, "b", 0), -1);
	assert_int_equal(errno, EISDIR);
	assert_int_equal(unlinkat(d, "b", AT_REMOVEDIR), -1);
	assert_int_equal(errno, ENOTEMPTY);
	assert_int_equal(unlinkat(d, "b/f", 0), 0);
	assert_int_equal(unlinkat(d, "b", AT_REMOVEDIR), 0);
}

static void test_beneath(void **state)
{
	_cleanup_fd_ int top = -1, fd = -1;

	(void)state;
	assert_int_equal(sk_fs_mkdir_p("beneath/d", 0755), 0);
	write_file(AT_FDCWD, "beneath/d/f", "x");
	top = open("beneath", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = sk_fs_open_file_beneath(top, "d/f");
	assert_true(fd >= 0);
	assert_int_equal(sk_fs_open_beneath(top, "d/../.."), -EXDEV);
	assert_int_equal(sk_fs_open_beneath(top, "/tmp"), -EXDEV);
	assert_int_equal(sk_fs_open_beneath(top, "C:\\"), -EXDEV);
	assert_int_equal(sk_fs_open_beneath(top, "none"), -ENOENT);
}

static void test_positions(void **state)
{
	_cleanup_fd_ int fd = open("positions", O_RDWR | O_CREAT | O_TRUNC, 0600), log = -1;
	char buf[8] = "";

	(void)state;
	assert_int_equal(write(fd, "hello\n", 6), 6);
	assert_int_equal(pwrite(fd, "J", 1, 0), 1);
	assert_int_equal(write(fd, "!", 1), 1);
	assert_int_equal(pread(fd, buf, 7, 0), 7);
	assert_memory_equal(buf, "Jello\n!", 7);
	assert_int_equal(pread(fd, buf, 7, 7), 0);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 7);
	assert_int_equal(ftruncate(fd, 2), 0);
	assert_int_equal(fsync(fd), 0);
	log = open("positions", O_WRONLY | O_APPEND);
	assert_int_equal(write(log, "end", 3), 3);
	assert_int_equal(lseek(fd, 0, SEEK_END), 5);
	assert_int_equal(write(log, "end", 3), 3);
	assert_int_equal(lseek(fd, 0, SEEK_END), 8);
}

static void test_listing(void **state)
{
	static const char *const names[] = { "one", "z\xe2\x82\xac", "sub" };
	unsigned seen = 0, n = 0;
	struct dirent *e;
	DIR *d;
	size_t i;

	(void)state;
	assert_int_equal(sk_fs_mkdir_p("list/sub", 0700), 0);
	write_file(AT_FDCWD, "list/one", "1");
	write_file(AT_FDCWD, "list/z\xe2\x82\xac", "2");
	d = sk_fs_opendir(AT_FDCWD, "list");
	assert_non_null(d);
	while ((e = readdir(d)))
		for (n++, i = 0; i < SK_ARRAY_SIZE(names); i++)
			if (strcmp(e->d_name, names[i]) == 0) {
				seen |= 1u << i;
				assert_int_equal(e->d_type, i == 2 ? DT_DIR : DT_REG);
			}
	assert_int_equal(seen, 7);
	assert_int_equal(n, 5);
	closedir(d);
	assert_null(sk_fs_opendir(AT_FDCWD, "list/one"));
}

/* A path of more than 260 characters. */
static void test_long_path(void **state)
{
	char path[600] = "long";
	int i;

	(void)state;
	for (i = 0; i < 8; i++)
		strcat(path, "/0123456789012345678901234567890123456789012345678901234567890123");
	assert_int_equal(sk_fs_mkdir_p(path, 0700), 0);
	strcat(path, "/f");
	write_file(AT_FDCWD, path, "far");
	assert_file(AT_FDCWD, path, "far");
	assert_int_equal(sk_fs_remove_tree(AT_FDCWD, "long"), 0);
	assert_int_equal(access("long", F_OK), -1);
}

static void test_read_only(void **state)
{
	struct stat st;
	int fd;

	(void)state;
	write_file(AT_FDCWD, "ro", "x");
	assert_int_equal(chmod("ro", 0444), 0);
	assert_int_equal(stat("ro", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0444);
	/* Wine lets root write to it. */
	fd = open("ro", O_RDWR);
	if (fd < 0)
		assert_int_equal(errno, EACCES);
	else
		sk_close_fd(&fd);
	assert_int_equal(unlink("ro"), 0);
	assert_int_equal(access("ro", F_OK), -1);
}

static void test_space(void **state)
{
	_cleanup_fd_ int fd = open(".", O_RDONLY | O_DIRECTORY);
	struct statvfs st;

	(void)state;
	assert_int_equal(fstatvfs(fd, &st), 0);
	assert_true(st.f_blocks > 0 && st.f_bavail <= st.f_blocks && st.f_frsize >= 512);
}

static void test_private(void **state)
{
	struct sk_error err = SK_ERROR_INIT;
	_cleanup_free_ char *path = NULL;
	_cleanup_fd_ int fd = sk_private_dir("private/a", 0700, &path, &err), sub = -1;

	(void)state;
	assert_true(fd >= 0);
	assert_non_null(strstr(path, "/private/a"));
	sub = sk_private_subdir(fd, "s", 0700, &err);
	assert_true(sub >= 0);
	write_file(fd, "file", "x");
	assert_true(sk_private_subdir(fd, "file", 0700, &err) < 0);
	assert_non_null(strstr(err.message, "cannot open file"));
}

/* ---- sockets and the loop */

struct loop_test {
	struct sk_loop *loop;
	struct sk_source *client, *timer;
	struct sk_acceptor *acceptor;
	int accepted, timers;
	unsigned last;
};

static void on_accepted(void *arg, int take_fd)
{
	struct loop_test *t = arg;

	t->accepted = take_fd;
	assert_int_equal(send(take_fd, "hi", 2, 0), 2);
}

static void on_client(void *arg, int fd, unsigned events)
{
	struct loop_test *t = arg;
	char buf[8];

	t->last = events;
	if (recv(fd, buf, sizeof(buf), 0) == 2)
		sk_loop_set_timer(t->timer, 20);
	else
		sk_loop_quit(t->loop);
}

static void on_timer(void *arg)
{
	struct loop_test *t = arg;

	t->timers++;
	close(t->accepted);
}

static void test_loop(void **state)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	_cleanup_fd_ int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0),
			 client = socket(AF_INET, SOCK_STREAM, 0);
	struct loop_test t = { .accepted = -1 };
	socklen_t len = sizeof(sa);
	char c;

	(void)state;
	assert_int_equal(bind(listener, (struct sockaddr *)&sa, sizeof(sa)) | listen(listener, 4), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&sa, &len), 0);
	assert_int_equal(sk_loop_new(&t.loop), 0);
	assert_int_equal(accept4(listener, NULL, NULL, SOCK_NONBLOCK), -1);
	assert_int_equal(errno, EAGAIN);
	t.acceptor = sk_acceptor_new(t.loop, listener, on_accepted, &t);
	assert_non_null(t.acceptor);
	assert_int_equal(connect(client, (struct sockaddr *)&sa, sizeof(sa)), 0);
	t.client = sk_loop_add_fd(t.loop, client, SK_LOOP_READ, on_client, &t);
	t.timer = sk_loop_add_timer(t.loop, UINT64_MAX, on_timer, &t);
	assert_int_equal(sk_loop_run(t.loop), 0);
	assert_true(t.accepted >= 0);
	assert_int_equal(t.timers, 1);
	assert_true(t.last & (SK_LOOP_READ | SK_LOOP_HANGUP));
	assert_int_equal(recv(client, &c, 1, 0), 0);
	sk_acceptor_free(t.acceptor);
	/* A file has no readiness, as with epoll; an edge is not to be had. */
	assert_null(sk_loop_add_fd(t.loop, 1, SK_LOOP_READ, on_client, &t));
	assert_null(sk_loop_add_fd(t.loop, listener, SK_LOOP_READ | SK_LOOP_EDGE, on_client, &t));
	assert_int_equal(errno, EOPNOTSUPP);
	sk_loop_free(t.loop);
}

/* Descriptors are used again, and are no sockets any more then. */
static void test_descriptors(void **state)
{
	int pair[2], fd, i;
	struct pollfd p;

	(void)state;
	for (i = 0; i < 50; i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		p = (struct pollfd){ .fd = pair[1], .events = POLLIN };
		assert_int_equal(poll(&p, 1, 0), 0);
		assert_int_equal(write(pair[0], "x", 1), 1);
		assert_int_equal(poll(&p, 1, 1000), 1);
		close(pair[0]);
		close(pair[1]);
		fd = open("descriptor", O_RDWR | O_CREAT, 0600);
		assert_int_equal(send(fd, "x", 1, 0), -1);
		assert_int_equal(errno, ENOTSOCK);
		assert_int_equal(write(fd, "x", 1), 1);
		close(fd);
	}
}

/* ---- processes: this program again, which says what it was given */

static void test_process(void **state)
{
	const char *argv[] = { "prog",	  "--child", "3", "with blank", "back\\slash\\",
			       "quo\"te", "\\\"",    "",  "\xc3\xa4",	NULL };
	const char *sleeper[] = { "prog", "--child", "sleep", NULL };
	struct sk_error err = SK_ERROR_INIT;
	struct sk_spawn s = SK_SPAWN_INIT;
	sk_pid pid;

	(void)state;
	s.file = program;
	s.argv = argv;
	assert_int_equal(sk_run(&s, &err), 3);
	assert_non_null(strstr(err.message, "<with blank><back\\slash\\><quo\"te><\\\"><><\xc3\xa4>"));
	s.argv = sleeper;
	s.die_with_parent = true;
	assert_int_equal(sk_spawn(&s, &pid, NULL, &err), 0);
	assert_true(sk_process_runs(pid, -1, 50));
	sk_process_kill(pid);
	assert_int_equal(sk_wait(pid), 137);
	assert_int_equal(sk_wait(pid), -ECHILD);
	s.file = "C:/no/such/program";
	assert_int_equal(sk_spawn(&s, &pid, NULL, &err), -ENOENT);
	s.file = program;
	s.namespaces = SK_NS_NET;
	assert_int_equal(sk_spawn(&s, &pid, NULL, &err), -EOPNOTSUPP);
	assert_null(sk_find_program("no-such-program"));
}

/* A directory that a child is handed is that one, whatever has its name by then. */
static void test_handle_for_child(void **state)
{
	int fd, top = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct sk_error err = SK_ERROR_INIT;
	struct sk_spawn s = SK_SPAWN_INIT;
	char number[24];
	const char *argv[] = { "prog", "--child", "handle", number, NULL };

	(void)state;
	assert_int_equal(mkdir("handed", 0700), 0);
	write_file(AT_FDCWD, "handed/mark", "x");
	fd = sk_fs_open_beneath(top, "handed");
	assert_true(fd >= 0);
	assert_int_equal(rename("handed", "moved"), 0);
	assert_int_equal(mkdir("handed", 0700), 0);
	snprintf(number, sizeof(number), "%llu", (unsigned long long)(uintptr_t)sk_win_handle(fd));
	s.file = program;
	s.argv = argv;
	assert_int_not_equal(sk_run(&s, &err), 0); /* it was not handed over */
	s.keep_fds = &fd;
	s.n_keep_fds = 1;
	assert_int_equal(sk_run(&s, &err), 0);
	close(fd);
	close(top);
}

static int look_into(const char *number)
{
	int fd = sk_win_descriptor((HANDLE)(uintptr_t)strtoull(number, NULL, 10), 0);

	return fd >= 0 && openat(fd, "mark", O_RDONLY | O_CLOEXEC) >= 0 ? 0 : 5;
}

static int child(int argc, char **argv)
{
	int i;

	if (strcmp(argv[2], "handle") == 0)
		return look_into(argv[3]);

	if (strcmp(argv[2], "sleep") == 0)
		for (;;)
			poll(NULL, 0, 1000);
	for (i = 3; i < argc; i++)
		fprintf(stderr, "<%s>", argv[i]);
	return atoi(argv[2]);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_directory_lock),
		cmocka_unit_test(test_interrupt),
		cmocka_unit_test(test_console),
		cmocka_unit_test(test_system),
		cmocka_unit_test(test_at),
		cmocka_unit_test(test_beneath),
		cmocka_unit_test(test_positions),
		cmocka_unit_test(test_listing),
		cmocka_unit_test(test_long_path),
		cmocka_unit_test(test_read_only),
		cmocka_unit_test(test_space),
		cmocka_unit_test(test_private),
		cmocka_unit_test(test_loop),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_process),
		cmocka_unit_test(test_handle_for_child),
	};

	program = argv[0];
	sk_posix_main(&argc, &argv);
	if (argc > 2 && strcmp(argv[1], "--child") == 0)
		return child(argc, argv);
	return cmocka_run_group_tests_name("base-windows", tests, setup, teardown);
}
