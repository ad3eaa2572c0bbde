/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that look into a container's files or processes. All of them touch what a hostile container controls (its
 * FUSE mounts, its memory by way of /proc), so each runs in a child, which holds nothing but its own descriptors and
 * may hang without harm to anyone else.
 */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "copy.h"
#include "copy_changes.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/process.h"
#include "ps.h"

struct files_job {
	struct sk_agent *agent;
	struct sk_msg req;
	char id[65], name[SK_CONTAINER_NAME], dir[128];
	pid_t init;
};

static int open_stream(const struct files_job *f, struct sk_error *err)
{
	int fd = sk_uplink_stream(&f->agent->uplink, &f->req.file.stream);

	return fd < 0 ? sk_error_errno(err, fd, "cannot connect a stream to the monitor") : fd;
}

static int transfer(const struct files_job *f, int rootfd, const char *path, struct sk_error *err)
{
	_cleanup_fd_ int fd = open_stream(f, err);
	int r;

	if (fd < 0)
		return fd;
	if (f->req.op == SK_OP_GET && (f->req.file.changes || f->req.file.list))
		r = sk_changes_send_container(f->dir, f->req.file.list, fd, err);
	else if (f->req.op == SK_OP_GET && f->req.file.unmounted)
		r = sk_copy_get_unmounted(rootfd, path, fd, err);
	else if (f->req.op == SK_OP_GET)
		r = sk_copy_get(rootfd, path, f->req.file.follow, fd, err);
	else
		r = sk_copy_put(rootfd, path, f->req.file.uid_gid, fd, err);
	shutdown(fd, SHUT_WR);
	return r;
}

/* `crun update` checks and writes the limits as it did when the container was made. */
static int update(const struct files_job *f, struct sk_error *err)
{
	_cleanup_free_ char *text = json_dumps(f->req.update.resources, JSON_COMPACT);
	char path[192], root[192];
	const char *argv[] = { "crun", "--root", root, "--cgroup-manager", "cgroupfs", "update", "-r",
			       path,   f->name,	 NULL };
	struct sk_spawn spawn = SK_SPAWN_INIT;
	int r;

	if (!text)
		return sk_error_errno(err, ENOMEM, "cannot write the limits");
	snprintf(root, sizeof(root), "%s/crun", f->agent->run_dir);
	snprintf(path, sizeof(path), "%s/update.%d", f->dir, (int)getpid());
	r = sk_fs_write_atomic(AT_FDCWD, path, text, strlen(text), 0600, false);
	if (r < 0)
		return sk_error_errno(err, r, "cannot write %s", path);
	spawn.file = f->agent->crun;
	spawn.argv = argv;
	r = sk_run(&spawn, err);
	unlink(path);
	return r > 0 ? -EIO : r;
}

static int files_child(void *arg, int report_fd)
{
	const struct files_job *f = arg;
	_cleanup_fd_ int rootfd = -1;
	struct sk_error err = SK_ERROR_INIT;
	json_t *result = NULL;
	int r = 0;

	sk_job_close_others(&report_fd, 1);
	rootfd = sk_container_root(f->dir, f->init);
	if (rootfd < 0 && f->req.op != SK_OP_UPDATE)
		r = sk_error_errno(&err, rootfd, "cannot open the container's root");
	else if (f->req.op == SK_OP_UPDATE)
		r = update(f, &err);
	else if (f->req.op == SK_OP_PS)
		result = json_pack("{s:o}", "processes", sk_ps_list(f->id, rootfd));
	else if (f->req.op == SK_OP_STAT)
		result = json_pack("{s:o*}", "stat", sk_copy_stat(rootfd, f->req.file.path, &err));
	else
		r = transfer(f, rootfd, f->req.file.path, &err);
	if (r < 0 || err.code) {
		json_decref(result);
		return sk_job_report_error(report_fd, &err, 0);
	}
	sk_job_report(report_fd, result ? result : json_object());
	return 0;
}

static void files_done(void *arg, int code, json_t *result)
{
	struct files_job *f = arg;
	struct sk_error err = SK_ERROR_INIT;
	struct sk_reply reply = { 0 };
	int exit_code = 0;

	if (code == 0 && json_is_object(result)) {
		reply.processes = json_object_get(result, "processes");
		reply.stat = json_object_get(result, "stat");
		sk_session_reply(f->agent->session, &f->req, &reply);
	} else {
		if (!sk_job_result_error(result, &err, &exit_code))
			sk_error_set(&err, EIO, "%s failed (%d)", sk_op_name(f->req.op), code);
		sk_session_fail(f->agent->session, f->req.id, &err, exit_code);
	}
	sk_msg_fini(&f->req);
	free(f);
}

void sk_files_start(struct sk_agent_container *c, struct sk_msg *take_req)
{
	static const struct sk_job_ops ops = { .run = files_child, .done = files_done };
	struct files_job *f = calloc(1, sizeof(*f));
	struct sk_error err = SK_ERROR_INIT;
	int r = -ENOMEM;

	if (f) {
		*f = (struct files_job){ .agent = c->agent, .req = *take_req, .init = sk_container_init_pid(c) };
		strcpy(f->id, c->id);
		strcpy(f->name, c->name);
		strcpy(f->dir, c->dir);
		r = sk_job_start(&c->agent->jobs, &ops, f);
		if (r == 0)
			return;
		free(f);
	}
	sk_error_errno(&err, r, "cannot start a process");
	sk_session_fail(c->agent->session, take_req->id, &err, 0);
	sk_msg_fini(take_req);
}
