/* SPDX-License-Identifier: Apache-2.0 */
/* Run in place of the User-mode Linux kernel: writes a line for every thing that it should not be able to do but can.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
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

int main(int argc, char **argv)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = { { 0 } };
	int fd;

	/* It tries to do harm: only where the engine started it. */
	if (argc < 1 || strncmp(argv[0], "skerry-vm-", 10) != 0)
		return 2;
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
	can("use bpf", syscall(SYS_bpf, 0, NULL, 0) == 0 || errno != EPERM);
	can("use io_uring", syscall(SYS_io_uring_setup, 1, NULL) >= 0 || errno != EPERM);
	can("change its user", setuid(0) == 0);
	can("signal process 2 of the host", kill(2, 0) == 0);
	can("run without no_new_privs", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1);
	if (syscall(SYS_capget, &h, d) == 0)
		can("use capabilities", d[0].effective || d[1].effective || d[0].permitted || d[1].permitted);
	can("be root", getuid() == 0);
	for (fd = 3; fd < 64; fd++)
		can("use an inherited descriptor", fcntl(fd, F_GETFD) >= 0);
	can("not use /dev/null", open("/dev/null", O_RDWR) < 0);
	/* What a kernel that panics does until it is refused; the init of a pid namespace outlives it. */
	can("outlive its abort", kill(getpid(), SIGABRT) == 0);
	printf("DONE pid %d\n", getpid());
	return 0;
}
