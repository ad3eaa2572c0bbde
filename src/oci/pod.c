/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers that live in the VM of another one (members). There are two ways to become one:
 *
 *   annotations   Kubernetes' (containerd, CRI-O): the pod's sandbox container makes the VM, the others name it
 *   the network   a container that is to share the network of one that lives in a VM (docker run
 *                 --network container:ID, every podman pod): there is no other way than to share the VM too
 *
 * On the host such a container is a process of its own, forked from `create`: it is in the container's control groups
 * and network namespace, holds the lock of the container's directory as a monitor would, has a file server as its
 * child, and carries stdio and the exit code (vm/pod.c has the other end). All verbs find the monitor through the
 * record.
 *
 * The steps of create: start the process (`launch`) → run the hooks → make the container in the guest (`create`).
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/process.h"
#include "oci/oci.h"
#include "skerry_config.h"
#include "vm/parent.h"
#include "vm/vm.h"

#define SK_SHARES_MAX 60u

struct sk_oci_member {
	struct sk_msg request; /* join */
	json_t *spec, *mounts; /* of the request */
	char joined[4][16];    /* names in the request's "join" */
	json_t *shares;	       /* [{"path", "options", "file", "aname"}] */
	struct sk_token token; /* of the stream that has them */
	struct sk_oci *o;
	const struct sk_oci_container *c;
	char sandbox[65];
	json_t *groups; /* the VM's control groups */
	const struct sk_oci_launch *launch;
	int netns, dirfd;
	int start_fd, result_fd; /* the parent's ends, or the child's */
	pid_t server;
	json_int_t ooms;
};

static const char *str(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

/* Opens and locks the directory: a member's own process and the commands that start or pause it all write its state.
 * Closing the descriptor releases the lock. */
static int open_state_dir(int at, const char *dir)
{
	int fd = openat(at, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		sk_fs_lock(fd, true, true);
	return fd;
}

void sk_oci_member_status(struct sk_oci *o, const struct sk_oci_container *c, const char *status)
{
	_cleanup_fd_ int dirfd = str(c->record, "sandbox") ? open_state_dir(AT_FDCWD, c->dir) : -1;
	json_t *state = NULL;

	if (dirfd < 0 || sk_vm_state_load(&o->paths, c->vm_id, &state, NULL) < 0)
		return;
	/* The lock tells whether the container has stopped, so writing a status cannot hide an end. */
	json_object_set_new(state, "status", json_string(status));
	sk_vm_state_save(dirfd, state, NULL);
	json_decref(state);
}

/* ---- whose VM */

struct pod_search {
	pid_t pid;
	char id[SK_OCI_ID_MAX + 1], container[16];
	char sandbox[65];
};

static void match_pid(struct sk_oci *o, struct sk_oci_container *c, void *arg)
{
	struct pod_search *s = arg;
	const char *container = str(c->record, "container"), *sandbox = str(c->record, "sandbox");

	if (s->id[0] || sk_oci_pid(o, c) != s->pid)
		return;
	snprintf(s->id, sizeof(s->id), "%s", c->id);
	snprintf(s->container, sizeof(s->container), "%s", container ? container : "c0");
	snprintf(s->sandbox, sizeof(s->sandbox), "%s", sandbox ? sandbox : c->vm_id);
}

static void match_vm(struct sk_oci *o, struct sk_oci_container *c, void *arg)
{
	struct pod_search *s = arg;

	(void)o;
	if (strcmp(c->vm_id, s->sandbox) == 0)
		snprintf(s->id, sizeof(s->id), "%s", c->id);
}

/* Finds the container of ours that process `pid` stands for. */
static bool find_pid(struct sk_oci *o, pid_t pid, struct pod_search *ret)
{
	*ret = (struct pod_search){ .pid = pid };
	return pid > 0 && sk_oci_each(o, match_pid, ret, NULL) == 0 && ret->id[0];
}

/* True if the bundle joins the IPC or UTS namespace of another container, as members of a pod with a sandbox
 * container do. */
static bool joins_namespaces(const struct sk_oci_bundle *b)
{
	const json_t *list = json_object_get(json_object_get(b->spec, "linux"), "namespaces");
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		const char *type = str(json_array_get(list, i), "type"), *path = str(json_array_get(list, i), "path");

		if (type && path && *path && (strcmp(type, "ipc") == 0 || strcmp(type, "uts") == 0))
			return true;
	}
	return false;
}

int sk_oci_pod_of(struct sk_oci *o, struct sk_oci_bundle *b, struct sk_oci_container *ret_sandbox, struct sk_error *err)
{
	struct pod_search s = { 0 };
	const char *id;
	int r, pid = 0;

	/* With `podman pod create --infra=false` the id is that of the pod, and no container has it. */
	if (b->sandbox_id && !joins_namespaces(b)) {
		r = sk_oci_container_open(o, b->sandbox_id, ret_sandbox, NULL);
		if (r == 0)
			sk_oci_container_close(ret_sandbox);
		else if (r == -ENOENT)
			b->sandbox_id = NULL;
	}
	id = b->sandbox_id;
	if (!id && b->netns_of_process && !b->sandbox && sscanf(b->netns_path, "/proc/%d/", &pid) == 1 &&
	    find_pid(o, pid, &s)) {
		if (strcmp(s.container, "c0") != 0) { /* a member itself: find the container that owns the VM */
			s.id[0] = '\0';
			sk_oci_each(o, match_vm, &s, NULL);
		}
		id = s.id;
	}
	if (!id || !*id)
		return 0;
	r = sk_oci_container_open(o, id, ret_sandbox, err);
	if (r == -ENOENT)
		return sk_error_set(err, ENOENT,
				    "the pod's sandbox %s does not exist here: all containers of a pod need the same "
				    "runtime",
				    id);
	if (r < 0)
		return r;
	if (strcmp(sk_oci_status(o, ret_sandbox, NULL), "running") != 0) {
		sk_oci_container_close(ret_sandbox);
		return sk_error_set(err, ESRCH, "the container whose VM is to be shared (%s) is not running", id);
	}
	return 1;
}

/* Namespaces that are joined and not made. */
static void joined_namespaces(struct sk_oci_member *m, const struct sk_oci_bundle *b)
{
	static const char *const kinds[] = { "ipc", "uts", "pid", "user" };
	struct sk_join_spec *join = &m->request.join.create.join;
	const char **names[] = { &join->ipc, &join->uts, &join->pid, &join->user };
	const json_t *list = json_object_get(json_object_get(b->spec, "linux"), "namespaces");
	size_t i, k;

	for (i = 0; i < json_array_size(list); i++) {
		const char *type = str(json_array_get(list, i), "type"), *path = str(json_array_get(list, i), "path");
		struct pod_search s;
		int pid = 0;

		for (k = 0; type && k < SK_ARRAY_SIZE(kinds) && strcmp(type, kinds[k]) != 0; k++)
			;
		if (!type || k == SK_ARRAY_SIZE(kinds) || !path || !*path)
			continue;
		sscanf(path, "/proc/%d/", &pid);
		snprintf(m->joined[k], sizeof(m->joined[k]), "%s", pid && find_pid(m->o, pid, &s) ? s.container : "c0");
		*names[k] = m->joined[k];
	}
}

/* ---- the request to the monitor */

static void add_share(struct sk_oci_member *m, const char *aname, const char *path, const char *options,
		      const char *file)
{
	json_array_append_new(m->shares, json_pack("{s:s,s:s,s:s?,s:s}", "path", path, "options", options, "file", file,
						   "aname", aname));
}

static int make_request(struct sk_oci_member *m, const struct sk_oci_bundle *b, struct sk_error *err)
{
	struct sk_create *create = &m->request.join.create;
	char token[SK_TOKEN_HEX + 1];
	size_t i;

	m->request.op = SK_REQUEST_JOIN;
	m->request.join.terminal = b->terminal;
	m->request.join.input = true;
	m->spec = sk_oci_bundle_member(b, &m->mounts, err);
	if (!m->spec)
		return -err->code;
	m->shares = json_array();
	m->token.set = true;
	sk_random(m->token.bytes, sizeof(m->token.bytes));
	sk_token_hex(&m->token, token);
	add_share(m, "rootfs", b->rootfs, "rw", NULL);
	create->rootfs = (struct sk_rootfs_spec){ .type = SK_ROOTFS_9P, .tag = "rootfs" };
	create->rootfs.own = (struct sk_share_stream){ .token = m->token, .aname = "rootfs" };
	for (i = 0; i < json_array_size(m->mounts); i++) {
		json_t *o = json_array_get(m->mounts, i);
		char options[40];

		if (!str(o, "path"))
			continue;
		snprintf(options, sizeof(options), "%s%s%s", json_is_true(json_object_get(o, "readonly")) ? "ro" : "rw",
			 json_is_true(json_object_get(o, "slave")) ? ",slave" : "",
			 json_is_true(json_object_get(o, "nonrecursive")) ? ",nonrecursive" : "");
		add_share(m, str(o, "tag"), str(o, "path"), options, str(o, "file"));
		json_object_set_new(o, "token", json_string(token));
		json_object_set_new(o, "aname", json_string(str(o, "tag")));
	}
	if (json_array_size(m->shares) == 1) /* a server of one share takes "" as the name to attach to */
		create->rootfs.own.aname = "";
	create->name = m->c->id;
	create->spec = m->spec;
	create->mounts = m->mounts;
	joined_namespaces(m, b);
	if (json_array_size(m->shares) > SK_SHARES_MAX)
		return sk_error_set(err, E2BIG, "more than %u directories and files of the host for one container",
				    SK_SHARES_MAX);
	return 0;
}

/* ---- the process on the host */

/* Tells the parent how a step went: an empty `text` means success, and a name the container's in the guest. */
static void send_result(const struct sk_oci_member *m, int exit_code, const char *text)
{
	char message[SK_ERROR_MAX + 16];

	snprintf(message, sizeof(message), "%3d%s", exit_code, text);
	sk_fs_write_all(m->result_fd, message, strlen(message) + 1);
}

static int save_state(const struct sk_oci_member *m, const char *status, int code, bool oom)
{
	char now[40];
	json_t *state = json_pack("{s:s,s:i,s:i,s:b,s:s}", "status", status, "pid",
				  strcmp(status, "exited") == 0 ? 0 : (int)sk_parent_pid(), "exit_code", code,
				  "oom_killed", oom, "changed_at", sk_time_now(now));
	int r = sk_vm_state_save(m->dirfd, state, NULL);

	json_decref(state);
	return r;
}

/* Counts in the state file, where `events` looks. */
static void on_oom(void *arg)
{
	struct sk_oci_member *m = arg;
	_cleanup_fd_ int dirfd = open_state_dir(m->dirfd, ".");
	json_t *state = NULL;

	if (dirfd < 0 || sk_vm_state_load(&m->o->paths, m->c->vm_id, &state, NULL) < 0)
		return;
	json_object_set_new(state, "ooms", json_integer(++m->ooms));
	sk_vm_state_save(dirfd, state, NULL);
	json_decref(state);
}

/* Moves the process into the container's control groups and namespaces of the host, and takes its lock. */
static int enter(const struct sk_oci_member *m, struct sk_error *err)
{
	const struct sk_oci_launch *l = m->launch;
	int r = sk_oci_cgroups_join(l->cgroups), lock;

	if (r < 0)
		return sk_error_errno(err, r, "cannot join the control groups");
	if (l->cgroups->holder.fd >= 0)
		close(l->cgroups->holder.fd);
	close(m->c->making_fd);
	setsid();
	prctl(PR_SET_NAME, "skerry-member");
	r = l->mount_ns >= 0 ? sk_oci_mounts_enter(l->mount_ns) : 0;
	if (r < 0)
		return sk_error_errno(err, r, "cannot join the mount namespace");
	if (m->netns >= 0 && setns(m->netns, CLONE_NEWNET) < 0)
		return sk_error_errno(err, errno, "cannot join the network namespace");
	if (l->console_fd >= 0) {
		ioctl(l->console_fd, TIOCSCTTY, 0);
		sk_oci_leave_stdio();
	}
	sk_parent_fork(l->bundle->rootfs, m->mounts, json_object_get(m->spec, "mounts"));
	lock = openat(m->dirfd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	r = lock < 0 ? -errno : sk_fs_lock(lock, true, false); /* held as long as this process lives */
	if (r == 0)
		r = save_state(m, "starting", 0, false);
	return r < 0 ? sk_error_errno(err, r, "cannot take the container's lock") : 0;
}

/* Connects to the monitor and turns the connection into a stream to the guest. */
static int connect_shares(struct sk_oci_member *m, struct sk_error *err)
{
	_cleanup_fd_ int fd = sk_vm_connect(&m->o->paths, m->sandbox, err);
	struct sk_msg request = { .op = SK_REQUEST_SHARE };
	int r;

	if (fd < 0)
		return fd;
	request.share.token = m->token;
	r = sk_vm_request(&m->o->paths, m->sandbox, fd, &request, NULL, NULL, err);
	return r < 0 ? r : SK_TAKE_FD(fd);
}

struct server {
	int fds[SK_SHARES_MAX + 1];
	char *words[SK_SHARES_MAX + 1];
	size_t n;
};

static int prepare_share(struct server *s, const json_t *share, struct sk_error *err)
{
	const char *path = str(share, "path"), *file = str(share, "file");
	int dir = open(path, O_PATH | O_CLOEXEC);

	if (dir < 0)
		return sk_error_errno(err, errno, "cannot share %s", path);
	s->fds[s->n] = dir;
	s->words[s->n++] = sk_asprintf("%s=fd:%d:%s%s%s", str(share, "aname"), dir, str(share, "options"),
				       file ? ",file=" : "", file ? file : "");
	return 0;
}

/* In the file server, before it starts: joins the VM's control groups, whose processor time it uses. */
static int join_vm(void *arg)
{
	sk_oci_cgroups_join_time(arg);
	return 0; /* of another user, as a plain user's groups may be */
}

static int start_server(struct sk_oci_member *m, struct sk_error *err)
{
	const char *argv[2 * SK_SHARES_MAX + 4] = { "skerry-9pd" }, *program = getenv("SKERRY_9PD");
	struct sk_spawn spawn = SK_SPAWN_INIT;
	struct server s = { .n = 0 };
	size_t i, n = 1;
	int r = 0, conn = -1;

	for (i = 0; r == 0 && i < json_array_size(m->shares); i++)
		r = prepare_share(&s, json_array_get(m->shares, i), err);
	if (r == 0)
		r = conn = connect_shares(m, err);
	if (conn >= 0) {
		r = 0;
		s.fds[s.n] = conn;
		s.words[s.n++] = sk_asprintf("%d", conn);
	}
	for (i = 0; i < s.n; i++) {
		argv[n++] = i + 1 < s.n || conn < 0 ? "--export" : "--fd";
		argv[n++] = s.words[i] ? s.words[i] : "";
	}
	spawn.file = program && *program ? program : SK_LIBEXECDIR "/skerry-9pd";
	spawn.argv = argv;
	spawn.keep_fds = s.fds;
	spawn.n_keep_fds = s.n;
	spawn.die_with_parent = true;
	spawn.prepare = join_vm;
	spawn.prepare_arg = m->groups;
	if (r == 0)
		r = sk_spawn(&spawn, &m->server, NULL, err);
	for (i = 0; i < s.n; i++) {
		close(s.fds[i]);
		free(s.words[i]);
	}
	return r;
}

/* Makes the container in the guest, which lives as long as the connection that is returned. Negative: an error. */
static int join(struct sk_oci_member *m, struct sk_reply *ret_reply, int *ret_exit_code, struct sk_error *err)
{
	_cleanup_fd_ int fd = sk_vm_connect(&m->o->paths, m->sandbox, err);
	int in = m->launch->console_fd >= 0 ? m->launch->console_fd : 0, r;
	struct winsize ws = { 0 };

	if (fd < 0)
		return fd;
	if (m->launch->bundle->terminal) {
		ioctl(in, TIOCGWINSZ, &ws);
		m->request.join.rows = ws.ws_row;
		m->request.join.cols = ws.ws_col;
		m->request.join.bare_newlines = m->launch->front;
	} else if (!sk_oci_has_input(in)) {
		m->request.join.input = false;
	}
	r = sk_vm_request(&m->o->paths, m->sandbox, fd, &m->request, ret_reply, ret_exit_code, err);
	return r < 0 ? r : SK_TAKE_FD(fd);
}

static int run_member(struct sk_oci_member *m)
{
	bool terminal = m->launch->bundle->terminal, oom = false, input;
	int in = m->launch->console_fd >= 0 ? m->launch->console_fd : 0, signal_fd, fd, code, exit_code = 0;
	struct sk_error err = SK_ERROR_INIT;
	struct sk_reply reply = { 0 };
	char start;

	if (enter(m, &err) < 0) {
		send_result(m, 0, err.message);
		return 255;
	}
	send_result(m, 0, "");
	if (read(m->start_fd, &start, 1) != 1)
		return 255; /* a hook has failed, or `create` was killed */
	signal_fd = sk_oci_catch_signals();
	fd = start_server(m, &err);
	if (fd == 0)
		fd = join(m, &reply, &exit_code, &err);
	if (fd < 0) {
		send_result(m, exit_code, err.message);
		return 255;
	}
	save_state(m, "created", 0, false);
	input = m->request.join.input;
	send_result(m, 0, reply.container);
	close(m->result_fd);
	code = sk_oci_stand_in(&(struct sk_oci_stand_in){ .take_conn_fd = fd,
							  .signal_fd = signal_fd,
							  .in_fd = input ? fcntl(in, F_DUPFD_CLOEXEC, 3) : -1,
							  .out_fd = terminal && in ? fcntl(in, F_DUPFD_CLOEXEC, 3) : 1,
							  .err_fd = terminal ? -1 : 2,
							  .size_fd = -1,
							  .terminal = terminal,
							  .on_oom = on_oom,
							  .arg = m },
			       &oom);
	if (oom)
		sk_oci_cgroups_tell_oom(m->launch->cgroups->paths);
	save_state(m, "exited", code, oom);
	return code;
}

/* ---- the parent's side */

/* Receives what the child has sent: the exit code in three characters, and the text. */
static int receive_result(const struct sk_oci_member *m, char *buf, size_t size)
{
	size_t len = 0;

	while (len < size) {
		ssize_t n = read(m->result_fd, buf + len, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EPIPE;
		if (buf[len++] == '\0')
			return len > 3 ? 0 : -EPROTO;
	}
	return -EPROTO;
}

int sk_oci_member_launch(struct sk_oci *o, struct sk_oci_container *c, const struct sk_oci_container *sandbox,
			 const struct sk_oci_launch *l, struct sk_oci_member **ret, pid_t *ret_pid,
			 struct sk_error *err)
{
	struct sk_oci_member *m = calloc(1, sizeof(*m));
	char message[SK_ERROR_MAX + 16];
	int start[2], result[2], r;
	pid_t pid;

	if (!m || pipe2(start, O_CLOEXEC) < 0)
		return sk_error_errno(err, errno, "cannot start the container");
	*ret = m;
	if (pipe2(result, O_CLOEXEC) < 0)
		return sk_error_errno(err, errno, "cannot start the container");
	*m = (struct sk_oci_member){
		.o = o, .c = c, .launch = l, .netns = -1, .start_fd = start[1], .result_fd = result[0]
	};
	snprintf(m->sandbox, sizeof(m->sandbox), "%s", sandbox->vm_id);
	m->groups = json_incref(json_object_get(sandbox->record, "cgroups"));
	m->dirfd = open(c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = make_request(m, l->bundle, err);
	if (r == 0 && l->bundle->netns_path) {
		m->netns = open(l->bundle->netns_path, O_RDONLY | O_CLOEXEC);
		if (m->netns < 0)
			r = sk_error_errno(err, errno, "network namespace %s", l->bundle->netns_path);
	}
	json_object_set_new(c->record, "sandbox", json_string(m->sandbox));
	/* Like fork(), into a pid namespace of its own: when its first process is killed, all others are, too. */
	pid = r == 0 ? (pid_t)syscall(SYS_clone, (unsigned long)CLONE_NEWPID | SIGCHLD, NULL, NULL, NULL, NULL) : -1;
	if (pid == 0) {
		close(start[1]);
		close(result[0]);
		m->start_fd = start[0];
		m->result_fd = result[1];
		_exit(run_member(m));
	}
	close(start[0]);
	close(result[1]);
	if (r == 0 && pid < 0)
		r = sk_error_errno(err, errno, "cannot start the container");
	if (r < 0)
		return r;
	*ret_pid = pid;
	r = receive_result(m, message, sizeof(message));
	if (r < 0)
		return sk_error_errno(err, r, "the container's process has gone");
	return message[3] ? sk_error_set(err, EIO, "%s", message + 3) : 0;
}

int sk_oci_member_create(struct sk_oci_member *m, struct sk_oci_container *c, int *ret_exit_code, struct sk_error *err)
{
	char message[SK_ERROR_MAX + 16];
	size_t n;
	int r;

	*ret_exit_code = 0;
	if (write(m->start_fd, "g", 1) != 1)
		return sk_error_errno(err, errno, "the container's process has gone");
	r = receive_result(m, message, sizeof(message));
	if (r < 0)
		return sk_error_errno(err, r, "the container's process has gone");
	n = strlen(message + 3);
	/* The agent's name of it: c1, c2, … */
	if (message[3] != 'c' || n < 2 || strspn(message + 4, "0123456789") != n - 1) {
		*ret_exit_code = atoi(message);
		return sk_error_set(err, EIO, "%s", message + 3);
	}
	json_object_set_new(c->record, "container", json_string(message + 3));
	return sk_oci_container_save(c, err);
}

void sk_oci_member_free(struct sk_oci_member *m)
{
	if (!m)
		return;
	close(m->start_fd);
	close(m->result_fd);
	if (m->netns >= 0)
		close(m->netns);
	if (m->dirfd >= 0)
		close(m->dirfd);
	json_decref(m->spec);
	json_decref(m->mounts);
	json_decref(m->shares);
	json_decref(m->groups);
	free(m);
}

/* ---- weight */

#define SK_DEFAULT_SHARES 1024 /* the kernel's */
#define SK_MAX_SHARES 262144
#define SK_MIN_SHARES 128 /* the least, so that exec and stop work however little its containers weigh */

struct weight {
	const char *vm_id;
	json_t *record; /* of the container that made the VM */
	json_int_t members;
	unsigned n;
};

static json_int_t shares_of(const json_t *record)
{
	json_int_t shares = json_integer_value(json_object_get(record, "cpu_shares"));

	return shares > 0 ? shares : SK_DEFAULT_SHARES;
}

static void weigh_one(struct sk_oci *o, struct sk_oci_container *c, void *arg)
{
	const char *sandbox = str(c->record, "sandbox");
	struct weight *w = arg;

	if (strcmp(c->vm_id, w->vm_id) == 0) {
		w->record = json_incref(c->record);
	} else if (sandbox && strcmp(sandbox, w->vm_id) == 0 && strcmp(sk_oci_status(o, c, NULL), "stopped") != 0) {
		w->members += shares_of(c->record);
		w->n++;
	}
}

int sk_oci_pod_weigh(struct sk_oci *o, const char *vm_id, struct sk_error *err)
{
	struct weight w = { .vm_id = vm_id };
	int r = sk_oci_each(o, weigh_one, &w, err);
	json_int_t shares;
	json_t *resources;
	bool pod;

	if (r < 0 || !w.record) {
		json_decref(w.record);
		return r;
	}
	/* The pause container's own shares, 2 with Kubernetes, say nothing about the pod. */
	pod = json_is_true(json_object_get(w.record, "pod"));
	shares = w.members + (pod && w.n ? 0 : pod ? SK_DEFAULT_SHARES : shares_of(w.record));
	if (w.n && shares < SK_MIN_SHARES)
		shares = SK_MIN_SHARES;
	if (shares > SK_MAX_SHARES)
		shares = SK_MAX_SHARES;
	resources = json_pack("{s:{s:I}}", "cpu", "shares", shares);
	r = sk_oci_cgroups_update(json_object_get(w.record, "cgroups"), str(w.record, "unit"), resources, err);
	json_decref(resources);
	json_decref(w.record);
	return r;
}
