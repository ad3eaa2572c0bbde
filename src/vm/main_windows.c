/* SPDX-License-Identifier: Apache-2.0 */
/* skerry-monitor.exe: the monitor's main(), or the removal of a container whose monitor is about to end (keeper_windows.c). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/opt.h"
#include "vm/vm.h"

#define WAIT_TRIES 6000u /* 5 ms each */

int sk_monitor_main(int argc, char **argv); /* monitor.c */

struct args {
	const char *root, *run, *id;
	bool remove;
};

static const struct sk_opt options[] = {
	{ .name = "root", .type = SK_OPT_STRING, .offset = offsetof(struct args, root) },
	{ .name = "run", .type = SK_OPT_STRING, .offset = offsetof(struct args, run) },
	{ .name = "id", .type = SK_OPT_STRING, .offset = offsetof(struct args, id) },
	{ .name = "remove", .type = SK_OPT_BOOL, .offset = offsetof(struct args, remove) },
	{ .name = NULL },
};

/* The lock is given back at once: a directory in which a file is open cannot be moved. */
static bool wait_for_end(const struct sk_paths *paths, const char *id)
{
	_cleanup_free_ char *path = sk_asprintf("%s/containers/%s/lock", paths->root, id);
	_cleanup_fd_ int fd = path ? open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW) : -1;
	unsigned i;

	for (i = 0; fd >= 0 && i < WAIT_TRIES; i++) {
		if (sk_fs_lock(fd, true, false) == 0)
			return true;
		usleep(5000);
	}
	return false;
}

/* Other programs, the monitor among them until its process is gone, may have something open for a moment longer. */
static int remove_container(const struct args *a)
{
	struct sk_paths paths = { .root = (char *)(uintptr_t)a->root, .run = (char *)(uintptr_t)a->run };
	struct sk_error err = SK_ERROR_INIT;
	unsigned i;
	int r;

	if (!a->root || !a->run || !a->id || strlen(a->id) != 64 || sk_paths_check(&paths, &err) < 0)
		return 125;
	if (!wait_for_end(&paths, a->id))
		return 1;
	for (i = 0; i < WAIT_TRIES && (r = sk_vm_discard(&paths, a->id)) < 0 && r != -ENOENT; i++)
		usleep(5000);
	sk_vm_sweep(&paths);
	return 0;
}

int main(int argc, char **argv)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_opt_result parsed;
	struct args a = { 0 };
	int i;

	sk_posix_main(&argc, &argv);
	for (i = 1; i < argc; i++)
		if (strcmp(argv[i], "--remove") == 0)
			break;
	if (i == argc)
		return sk_monitor_main(argc, argv);
	if (sk_opt_parse(options, &sk_opt_gnu, &a, false, argc - 1, argv + 1, &parsed, &err) < 0) {
		fprintf(stderr, "%s: %s\n", argv[0], err.message);
		return 125;
	}
	return remove_container(&a);
}
