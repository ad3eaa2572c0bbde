/* SPDX-License-Identifier: Apache-2.0 */
/* Run in place of the User-mode Linux kernel: writes a line for every thing that it should not be able to do but can.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void can(const char *what, int yes)
{
	if (yes)
		printf("CAN %s\n", what);
}

static void list_root(void)
{
	DIR *d = opendir("/");
	struct dirent *de;

	while (d && (de = readdir(d)))
		if (de->d_name[0] != '.')
			printf("SEES %s\n", de->d_name);
	if (d)
		closedir(d);
}

/* A new process by the raw call, which makes no namespaces for it. */
static int clones(unsigned long flags)
{
	long pid = syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid((pid_t)pid, NULL, 0);
	return pid > 0;
}

static int maps(size_t size, int prot, int flags)
{
	void *p = mmap(NULL, size, prot, flags | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return 0;
	munmap(p, size);
	return 1;
}

static void try_namespaces(void)
{
	static const struct {
		const char *what;
		unsigned long flag;
	} kinds[] = {
		{ "clone a user namespace", CLONE_NEWUSER }, { "clone a mount namespace", CLONE_NEWNS },
		{ "clone a pid namespace", CLONE_NEWPID },   { "clone a network namespace", CLONE_NEWNET },
		{ "clone an ipc namespace", CLONE_NEWIPC },  { "clone a uts namespace", CLONE_NEWUTS },
	};
	struct {
		uint64_t flags, rest[10];
	} args = { .flags = CLONE_NEWUSER };
	long pid;
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		can(kinds[i].what, clones(kinds[i].flag) || clones(kinds[i].flag | CLONE_NEWUSER));
	can("not start a process", !clones(0));
	pid = syscall(SYS_clone3, &args, 64);
	if (pid == 0)
		_exit(0);
	can("clone3 a user namespace", pid > 0);
}

/* It was given 64 MiB. */
static void try_memory(void)
{
	int fd = open("/tmp", O_RDWR | O_TMPFILE, 0600);

	can("make a memory file", memfd_create("probe", 0) >= 0);
	can("share memory without a file", maps(1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED));
	can("share memory without a file by its other name", maps(1 << 20, PROT_READ | PROT_WRITE, 3));
	can("have a GiB of memory", maps(1 << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE));
	can("have 32 GiB of addresses", maps(32ull << 30, PROT_NONE, MAP_PRIVATE));
	if (fd < 0)
		fd = open("root", O_RDWR | O_TMPFILE, 0600);
	can("not make a file", fd < 0);
	can("make a file of a GiB", ftruncate(fd, 1 << 30) == 0);
	can("allocate a GiB", fallocate(fd, 0, 0, 1 << 30) == 0);
	can("not make a file of 60 MiB", ftruncate(fd, 60 << 20) != 0);
	close(fd);
}

/* The test listens, in the host's network namespace. */
static void try_sockets(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	size_t len = (size_t)snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1, "sk-test-engine");

	can("reach an abstract socket of the host",
	    connect(fd, (struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len)) == 0);
	close(fd);
}

int main(int argc, char **argv)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = { { 0 } };
	struct rlimit processes;
	int fd, i;

	/* It tries to do harm: only where the engine started it. */
	if (argc < 1 || strncmp(argv[0], "skerry-vm-", 10) != 0)
		return 2;
	for (i = 1; i < argc; i++)
		if (strcmp(argv[i], "inplace") == 0)
			puts("IS in place");
	list_root();
	can("read /etc/passwd", open("/etc/passwd", O_RDONLY) >= 0);
	can("write the kernel", open("/linux", O_WRONLY) >= 0);
	can("write the initramfs", open("/initramfs", O_WRONLY) >= 0);
	can("open an internet socket", socket(AF_INET, SOCK_STREAM, 0) >= 0);
	can("open a raw packet socket", socket(AF_PACKET, SOCK_RAW, 0) >= 0);
	can("open netlink", socket(AF_NETLINK, SOCK_RAW, 0) >= 0);
	can("mount", mount("none", "/tmp", "tmpfs", 0, NULL) == 0);
	can("make a user namespace", unshare(CLONE_NEWUSER) == 0);
	can("chroot", chroot("/tmp") == 0);
	signal(SIGXFSZ, SIG_IGN);
	try_namespaces();
	try_memory();
	try_sockets();
	can("use bpf", syscall(SYS_bpf, 0, NULL, 0) == 0 || errno != EPERM);
	can("use io_uring", syscall(SYS_io_uring_setup, 1, NULL) >= 0 || errno != EPERM);
	can("change its user", setuid(0) == 0);
	can("signal process 2 of the host", kill(2, 0) == 0);
	can("signal the process that started it", getppid() > 0 && kill(getppid(), 0) == 0);
	can("write to the directory of the test", open("vu/probe", O_WRONLY | O_CREAT, 0600) >= 0);
	can("write beside its root", open("probe", O_WRONLY | O_CREAT, 0600) >= 0 && access("vu/../root", F_OK) == 0);
	can("run without no_new_privs", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1);
	if (syscall(SYS_capget, &h, d) == 0)
		can("use capabilities", d[0].effective || d[1].effective || d[0].permitted || d[1].permitted);
	can("be root", getuid() == 0);
	can("start processes without limit", getrlimit(RLIMIT_NPROC, &processes) < 0 || processes.rlim_max > 10000);
	for (fd = 3; fd < 64; fd++)
		can("use an inherited descriptor", fcntl(fd, F_GETFD) >= 0);
	can("not use /dev/null", open("/dev/null", O_RDWR) < 0);
	/* A kernel that panics aborts; the init of a pid namespace outlives that. */
	can("outlive its abort", kill(getpid(), SIGABRT) == 0);
	printf("DONE pid %d\n", getpid());
	return 0;
}
