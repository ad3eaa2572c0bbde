/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the process that holds a port that cannot be published: from /proc, as far as the user may look. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "virtio/net_internal.h"

#define TABLE_MAX (4u << 20)
#define TCP_LISTENS 10u

/* The inode and owner of the socket that has the port, 0: none. */
static unsigned long find_socket(const char *table, uint16_t port, bool udp, unsigned *ret_uid)
{
	_cleanup_free_ char *text = NULL;
	const char *line;

	if (sk_fs_read(AT_FDCWD, table, TABLE_MAX, &text, NULL) < 0)
		return 0;
	for (line = strchr(text, '\n'); line; line = strchr(line + 1, '\n')) {
		unsigned have, state, uid;
		unsigned long inode;

		if (sscanf(line, " %*u: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x %*s %*s %*s %u %*u %lu", &have, &state, &uid,
			   &inode) == 4 &&
		    have == port && (udp || state == TCP_LISTENS)) {
			*ret_uid = uid;
			return inode;
		}
	}
	return 0;
}

/* Returns true if the process has a descriptor of the socket. */
static bool has_socket(const char *pid, const char *link)
{
	char path[300], target[64];
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *de;

	snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
	dir = opendir(path);
	while (dir && (de = readdir(dir))) {
		ssize_t n = readlinkat(dirfd(dir), de->d_name, target, sizeof(target) - 1);

		if (n > 0) {
			target[n] = '\0';
			if (strcmp(target, link) == 0)
				return true;
		}
	}
	return false;
}

static void find_holder(uint16_t port, bool udp, char *buf, size_t size)
{
	_cleanup_closedir_ DIR *proc = NULL;
	unsigned long inode;
	unsigned uid = 0;
	struct dirent *de;
	char link[40];

	inode = find_socket(udp ? "/proc/net/udp" : "/proc/net/tcp", port, udp, &uid);
	if (!inode)
		inode = find_socket(udp ? "/proc/net/udp6" : "/proc/net/tcp6", port, udp, &uid);
	if (!inode)
		return;
	snprintf(link, sizeof(link), "socket:[%lu]", inode);
	proc = opendir("/proc");
	while (proc && (de = readdir(proc))) {
		_cleanup_free_ char *comm = NULL;
		char path[300];

		if (de->d_name[0] < '1' || de->d_name[0] > '9' || !has_socket(de->d_name, link))
			continue;
		snprintf(path, sizeof(path), "/proc/%.20s/comm", de->d_name);
		if (sk_fs_read(AT_FDCWD, path, 64, &comm, NULL) < 0)
			break;
		comm[strcspn(comm, "\n")] = '\0';
		snprintf(buf, size, " by process %.20s (%.16s)", de->d_name, comm);
		return;
	}
	snprintf(buf, size, " by a process of user %u", uid);
}

void net_port_hint(int error, uint16_t port, bool udp, char *buf, size_t size)
{
	*buf = '\0';
	if (error == EADDRINUSE)
		find_holder(port, udp, buf, size);
	else if (error == EACCES && port < 1024)
		snprintf(buf, size,
			 ": choose a port from 1024 on, or let users have it: sysctl -w "
			 "net.ipv4.ip_unprivileged_port_start=%u",
			 port);
}
