/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker asks its runtime for the pids of a container's processes, and shows of these what the host's ps says (docker
 * top). The processes are in the guest, where no ps of the host looks. So each gets a stand-in here: a process that
 * does nothing, with the name, the arguments and the parent of the one in the guest, and which leaves after
 * SK_STAND_IN_S seconds. Those of the guest's root are root's; all others belong to one reserved user: with the user
 * that the guest claims, they would count against the limits of whoever has that number here, who could also trace
 * and kill them. Pids, times, memory and terminals are the stand-ins' own.
 *
 * The names come from the guest and are not trusted: they are shown, never used. A stand-in is this program, started
 * anew with an environment of two words, without descriptors and, where the process's user is not root, without rights.
 * One is started by that of its parent, on its way there; what has no parent among them comes from here. Each tells its
 * pid through a pipe when it has its name.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/process.h"
#include "oci/oci.h"

#define SK_STAND_IN_S 10u
#define SK_STAND_INS_MAX 512u
#define SK_STAND_IN_WAIT_MS 2000
/* Below the users of VMs (engine/confine.c). */
#define SK_STAND_IN_UID 0x5affffffu
#define SK_STAND_IN_ENV "SKERRY_STAND_IN="

struct stand_ins {
	const json_t *list;
	size_t n;
	int ready_fd;
	int parent[SK_STAND_INS_MAX]; /* in the list; -1: none there */
};

/* A pending stand-in, and the list of them. */
struct person {
	const struct stand_ins *all;
	size_t i;
};

static json_int_t number(const struct stand_ins *all, size_t i, const char *key)
{
	return json_integer_value(json_object_get(json_array_get(all->list, i), key));
}

/* Works on the list as the guest sent it, which may not be a tree. Processes in a cycle of parents are never
 * reached, and not started. */
static void find_parents(struct stand_ins *all)
{
	size_t i, j;

	for (i = 0; i < all->n; i++) {
		json_int_t ppid = number(all, i, "ppid");

		for (j = 0; j < all->n && number(all, j, "pid") != ppid; j++)
			;
		all->parent[i] = j < all->n ? (int)j : -1;
	}
}

static int become(void *arg);

static void start_one(const struct stand_ins *all, size_t i)
{
	const json_t *one = json_array_get(all->list, i);
	const char *cmd = json_string_value(json_object_get(one, "cmd")),
		   *comm = json_string_value(json_object_get(one, "comm"));
	struct person person = { .all = all, .i = i };
	_cleanup_free_ char *word = sk_asprintf(SK_STAND_IN_ENV "%.15s", comm ? comm : "?"),
			    *fd_word = sk_asprintf("SKERRY_STAND_IN_READY=%d", all->ready_fd);
	const char *argv[] = { cmd ? cmd : "?", NULL }, *envp[] = { word, fd_word, NULL };
	struct sk_spawn s = SK_SPAWN_INIT;
	pid_t pid;

	s.file = "/proc/self/exe";
	s.argv = argv;
	s.envp = envp;
	s.keep_fds = &all->ready_fd;
	s.n_keep_fds = 1;
	s.new_session = true;
	s.prepare = become;
	s.prepare_arg = &person;
	if (word && fd_word)
		sk_spawn(&s, &pid, NULL, NULL);
}

static void start_children(const struct stand_ins *all, int parent)
{
	size_t i;

	for (i = 0; i < all->n; i++)
		if (all->parent[i] == parent)
			start_one(all, i);
}

/* In the child, before exec. We have one thread: more than what is safe in signal handlers may be called here. */
static int become(void *arg)
{
	const struct person *p = arg;
	const uid_t uid = SK_STAND_IN_UID;

	start_children(p->all, (int)p->i);
	signal(SIGCHLD, SIG_IGN); /* ignored also after exec: nobody waits for the stand-ins */
	if (geteuid() != 0 || number(p->all, p->i, "uid") == 0)
		return 0;
	if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
		return -errno;
	return 0;
}

/* Reads pids until all have closed the other end, which they have with their names. */
static json_t *read_pids(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	json_t *pids = json_array();
	pid_t pid;

	while (poll(&p, 1, SK_STAND_IN_WAIT_MS) > 0 && read(fd, &pid, sizeof(pid)) == sizeof(pid))
		json_array_append_new(pids, json_integer(pid));
	return pids;
}

json_t *sk_oci_stand_ins(const json_t *processes)
{
	struct stand_ins all = { .list = processes, .n = json_array_size(processes) };
	json_t *pids;
	int ready[2];

	if (all.n > SK_STAND_INS_MAX)
		all.n = SK_STAND_INS_MAX;
	if (pipe2(ready, O_CLOEXEC) < 0)
		return json_array();
	all.ready_fd = ready[1];
	find_parents(&all);
	start_children(&all, -1);
	close(ready[1]);
	pids = read_pids(ready[0]);
	close(ready[0]);
	return pids;
}

void sk_oci_stand_in_main(void)
{
	const char *name = getenv("SKERRY_STAND_IN"), *ready = getenv("SKERRY_STAND_IN_READY");
	pid_t pid = getpid();

	if (!name)
		return;
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* nobody may trace it, not even another stand-in */
	prctl(PR_SET_NAME, name, 0, 0, 0);
	if (ready) {
		if (write(atoi(ready), &pid, sizeof(pid)) < 0)
			_exit(1);
		close(atoi(ready));
	}
	setpriority(PRIO_PROCESS, 0, 19);
	sleep(SK_STAND_IN_S);
	_exit(0);
}
