/* SPDX-License-Identifier: Apache-2.0 */
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "engine/engine_internal.h"

/* A boundary of hardware; else what computes at native speed; else emulation. */
const struct sk_engine *const sk_engines[] = { &sk_engine_kvm, &sk_engine_uml, &sk_engine_tcg };
const size_t sk_n_engines = SK_ARRAY_SIZE(sk_engines);
const struct sk_engine *const sk_engine_last = &sk_engine_uml;

/* With a mount: AppArmor lets a plain user have the namespaces, but no capabilities in them. */
bool sk_engine_namespaces(void)
{
	int flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS, status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(unshare(flags | (geteuid() ? CLONE_NEWUSER : 0)) == 0 &&
				      mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0
			      ? 0
			      : 1);
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}
