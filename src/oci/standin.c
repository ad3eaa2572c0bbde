/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker asks its runtime for the pids of a container's processes, and shows of these what the host's ps says (docker
 * top). The processes are in the guest, where no ps of the host looks. So each gets a stand-in here: a process that
 * does nothing, with the name, the arguments and the user of the one in the guest, and which leaves after SK_STAND_IN_S
 * seconds. Pids and times are the stand-ins' own.
 *
 * The names come from the guest and are not trusted: they are shown, never used. A stand-in is this program, started
 * anew with an environment of two words, without descriptors and, where the process's user is another, without rights.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <grp.h>
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
#define SK_STAND_IN_ENV "SKERRY_STAND_IN="

struct person {
	unsigned uid;
};

/* In the child, before exec. */
static int become(void *arg)
{
	const struct person *p = arg;

	if (geteuid() != 0 || p->uid == 0)
		return 0;
	if (setgroups(0, NULL) < 0 || setresgid(p->uid, p->uid, p->uid) < 0 || setresuid(p->uid, p->uid, p->uid) < 0)
		return -errno;
	return 0;
}

json_t *sk_oci_stand_ins(const json_t *processes)
{
	int ready[2], keep[1];
	json_t *pids = json_array();
	struct pollfd p;
	char fd_word[40];
	size_t i;

	/* All have their names when all have closed this. */
	if (pipe2(ready, O_CLOEXEC) < 0)
		return pids;
	keep[0] = ready[1];
	snprintf(fd_word, sizeof(fd_word), "SKERRY_STAND_IN_READY=%d", ready[1]);

	for (i = 0; i < json_array_size(processes) && i < SK_STAND_INS_MAX; i++) {
		const json_t *one = json_array_get(processes, i);
		const char *cmd = json_string_value(json_object_get(one, "cmd")),
			   *comm = json_string_value(json_object_get(one, "comm"));
		struct person person = { .uid = (unsigned)json_integer_value(json_object_get(one, "uid")) };
		_cleanup_free_ char *word = sk_asprintf(SK_STAND_IN_ENV "%.15s", comm ? comm : "?");
		const char *argv[] = { cmd ? cmd : "?", NULL }, *envp[] = { word, fd_word, NULL };
		struct sk_spawn s = SK_SPAWN_INIT;
		pid_t pid;

		s.file = "/proc/self/exe";
		s.argv = argv;
		s.envp = envp;
		s.keep_fds = keep;
		s.n_keep_fds = 1;
		s.new_session = true;
		s.prepare = become;
		s.prepare_arg = &person;
		if (word && sk_spawn(&s, &pid, NULL, NULL) == 0)
			json_array_append_new(pids, json_integer(pid));
	}
	close(ready[1]);
	p = (struct pollfd){ .fd = ready[0], .events = POLLIN };
	poll(&p, 1, SK_STAND_IN_WAIT_MS);
	close(ready[0]);
	return pids;
}

void sk_oci_stand_in_main(void)
{
	const char *name = getenv("SKERRY_STAND_IN"), *ready = getenv("SKERRY_STAND_IN_READY");

	if (!name)
		return;
	prctl(PR_SET_NAME, name, 0, 0, 0);
	if (ready)
		close(atoi(ready));
	setpriority(PRIO_PROCESS, 0, 19);
	sleep(SK_STAND_IN_S);
	_exit(0);
}
