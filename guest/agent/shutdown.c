/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/log.h"
#include "container.h"
#include "rootfs.h"

#define KILL_WAIT_MS 2000

static void kill_all(void)
{
	const struct timespec pause = { .tv_nsec = 2000000 };
	uint64_t end = sk_now_ms() + KILL_WAIT_MS;
	pid_t pid;

	kill(-1, SIGKILL);
	do {
		pid = waitpid(-1, NULL, WNOHANG);
		if (pid == 0)
			nanosleep(&pause, NULL);
	} while ((pid >= 0 || errno == EINTR) && sk_now_ms() < end);
}

/* The line of /proc/self/mounts names a share. To unmount one takes some ticks of the clock and is not needed: when
 * sync() has returned, the host has all of it, and what is open ends with the engine. */
static bool is_share(const char *type)
{
	return strncmp(type, "9p ", 3) == 0;
}

/* Every mount below the run directory but shares, last mounted first. */
static void unmount_all(const struct sk_agent *agent)
{
	_cleanup_free_ char *text = NULL;
	char *line, *end;
	size_t n = strlen(agent->run_dir);

	if (sk_fs_read(AT_FDCWD, "/proc/self/mounts", 1u << 20, &text, NULL) < 0)
		return;
	while ((line = strrchr(text, '\n'))) {
		*line = '\0';
		line = strrchr(text, '\n');
		line = strchr(line ? line + 1 : text, ' ');
		end = line ? strchr(line + 1, ' ') : NULL;
		if (!end || is_share(end + 1))
			continue;
		*end = '\0';
		if (strncmp(line + 1, agent->run_dir, n) == 0 && line[1 + n] == '/' && umount2(line + 1, 0) < 0)
			umount2(line + 1, MNT_DETACH);
		*end = ' ';
	}
}

/*
 * Ends the guest. `clean`: first syncs and unmounts the file systems; otherwise the caller throws the disk away. Then
 * tells the monitor, which may end the engine at once: that is faster than the kernel's own power-off. Does not return,
 * except in a test.
 */
void sk_agent_power_off(struct sk_agent *agent, bool clean)
{
	if (agent->session)
		sk_session_flush(agent->session, 1000);
	if (agent->test) {
		sk_loop_quit(agent->loop);
		return;
	}
	if (clean) {
		kill_all();
		unmount_all(agent);
		sync();
	}
	if (agent->session) {
		sk_session_event(agent->session, &(const struct sk_msg){ .op = SK_AGENT_HALTED });
		sk_session_flush(agent->session, 100);
	}
	reboot(RB_POWER_OFF);
	sk_log(SK_LOG_ERROR, "power off failed: %s", strerror(errno));
}
