/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What programs do with files, for the cases of 61-file-operations.sh; run in a container and on the host, whose output is the
 * right one:
 *
 *   files held          a descriptor of O_PATH, and a working directory, whose name is removed or replaced
 *   files mounts        a mount of a single file whose name is replaced and removed
 *   files steps A B     a file of A bytes becomes one of B, byte by byte, by write() and posix_fallocate()
 *   files mapped N      the same from nothing to N bytes, stored through a mapping
 *   files private       a private mapping shows what is written to the file where it was not written to
 *   files busy          microseconds that a reply of the server waits for the processor, beside a program that computes
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int make(const char *name, const char *text)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) < 0) {
		perror(name);
		exit(1);
	}
	return fd;
}

static void put(const char *name, const char *text)
{
	close(make(name, text));
}

static void show(const char *what, const char *path)
{
	char text[64];
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));

	printf("%s: %.*s\n", what, n < 0 ? 99 : (int)n, n < 0 ? strerror(errno) : text);
	close(fd);
}

static void list(const char *what, const char *path)
{
	DIR *d = opendir(path);
	int n = 0;

	while (d && readdir(d))
		n++;
	printf("%s: %s\n", what, !d ? strerror(errno) : n ? "names" : "empty");
	if (d)
		closedir(d);
}

/* By the link in /proc everything is done to the file that is held. */
static void by_descriptor(const char *what, int fd)
{
	struct timespec old[2] = { { 1, 0 }, { 1, 0 } };
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	show(what, path);
	if (chmod(path, 0600) < 0 || utimensat(AT_FDCWD, path, old, 0) < 0 || truncate(path, 1) < 0)
		printf("%s: %s\n", what, strerror(errno));
	if (fstat(fd, &st) == 0)
		printf("%s: %o, %ld bytes, %ld links\n", what, st.st_mode, (long)st.st_size, (long)st.st_nlink);
}

static void held_mounts(void)
{
	put("source", "source");
	put("target", "");
	if (mount("source", "target", NULL, MS_BIND, NULL) < 0) {
		perror("mount");
		exit(1);
	}
	put("new", "new");
	rename("new", "source");
	show("mount of a replaced file", "target");
	show("its name", "source");
	put("target", "written");
	unlink("source");
	show("mount of a removed file", "target");
	umount2("target", MNT_DETACH);
}

static void held(void)
{
	int fd;

	put("f", "old");
	fd = open("f", O_PATH);
	unlink("f");
	by_descriptor("removed", fd);

	put("f", "old");
	fd = open("f", O_PATH);
	put("g", "another");
	rename("g", "f");
	by_descriptor("replaced", fd);
	show("its name", "f");

	/* Open for a while only. */
	put("h", "old");
	fd = open("h", O_PATH);
	close(open("h", O_RDWR));
	unlink("h");
	by_descriptor("removed, was open", fd);

	symlink("somewhere", "s");
	fd = open("s", O_PATH | O_NOFOLLOW);
	unlink("s");
	{
		char to[64] = "";

		printf("link: %s\n", readlinkat(fd, "", to, sizeof(to) - 1) < 0 ? strerror(errno) : to);
	}

	mkdir("d", 0755);
	if (chdir("d") < 0)
		exit(1);
	rmdir("../d");
	list("removed directory", ".");
	printf("mode: %s\n", chmod(".", 0700) < 0 ? strerror(errno) : "set");
	if (chdir("..") < 0)
		printf("way back: %s\n", strerror(errno));
}

static void steps(long from, long to)
{
	int fd = open("steps", O_RDWR | O_CREAT | O_TRUNC, 0644);
	long i;

	if (fd < 0 || ftruncate(fd, from) < 0)
		exit(1);
	for (i = from; i < to; i++)
		if (pwrite(fd, "x", 1, i) != 1 || posix_fallocate(fd, i + 1, 1) != 0)
			exit(1);
	printf("%ld bytes\n", (long)lseek(fd, 0, SEEK_END));
}

static void mapped(long n)
{
	int fd = open("mapped", O_RDWR | O_CREAT | O_TRUNC, 0644);
	char *p = mmap(NULL, n + 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	long i, wrong = 0;

	for (i = 0; i < n; i++) {
		if (posix_fallocate(fd, i, 1) != 0)
			exit(1);
		/* Behind the end of the file: the next step makes it a zero. */
		if (i % 100 == 99)
			p[i + 1] = 'y';
		if (i % 100 == 0 && p[i] != 0)
			wrong++;
		p[i] = 'x';
	}
	for (i = 0; i < n; i++)
		wrong += p[i] != 'x';
	printf("%ld bytes, %ld wrong\n", (long)lseek(fd, 0, SEEK_END), wrong);
}

static void private(void)
{
	int fd = open("private", O_RDWR | O_CREAT | O_TRUNC, 0644);
	char *p;

	if (ftruncate(fd, 5 * 4096) < 0)
		exit(1);
	p = mmap(NULL, 5 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	p[0] = 'p';
	if (pwrite(fd, "f", 1, 0) != 1 || pwrite(fd, "f", 1, 4096) != 1 || pwrite(fd, "f", 1, 3 * 4096) != 1)
		exit(1);
	printf("%c %c %c\n", p[0], p[4096], p[3 * 4096]);
}

/* How long this process could have run and did not, in ns. */
static long long waited(void)
{
	FILE *f = fopen("/proc/self/schedstat", "r");
	long long ns = 0;

	if (!f || fscanf(f, "%*s %lld", &ns) != 1)
		exit(1);
	fclose(f);
	return ns;
}

static void busy(void)
{
	enum { TIMES = 200 };
	int fd = make("busy", ""), i;
	pid_t child = fork();
	long long ns;

	if (child == 0)
		for (;;)
			__asm__ volatile("");
	ns = waited();
	for (i = 0; i < TIMES; i++)
		if (fsync(fd) < 0)
			exit(1);
	ns = waited() - ns;
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	printf("%lld\n", ns / TIMES / 1000);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (strcmp(what, "held") == 0)
		held();
	else if (strcmp(what, "mounts") == 0)
		held_mounts();
	else if (strcmp(what, "steps") == 0 && argc == 4)
		steps(atol(argv[2]), atol(argv[3]));
	else if (strcmp(what, "mapped") == 0 && argc == 3)
		mapped(atol(argv[2]));
	else if (strcmp(what, "private") == 0)
	private();
	else if (strcmp(what, "busy") == 0) busy();
	else return 2;
	return 0;
}
