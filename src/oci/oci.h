/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_OCI_OCI_H
#define SK_OCI_OCI_H

/*
 * skerry-oci: an OCI runtime with runc's command line, whose containers are VMs.
 *
 *   main.c     options, verbs, errors in runc's forms
 *   log.c      where errors go
 *   store.c    what is known of a container between two calls
 *   bundle.c   a bundle's config.json → vm.json
 *   cgroup.c   the control groups on the host that hold the whole VM
 *   systemd.c  the same made by systemd
 *   hooks.c    hooks
 *   options.c  what all verbs have in common in their options, runc's words
 *   namespaces.c  the namespaces that a bundle names
 *   mounts.c   what is mounted on the host for the container
 *   launch.c   starts the monitor as the container's process
 *   console.c  terminals
 *   request.c  requests to a container's monitor
 *   words.c    runc's words for errors
 *   create.c   create, start
 *   delete.c   delete
 *   pod.c      containers that live in the VM of another one
 *   exec.c     exec
 *   attach.c   a process on the host that stands for one in the guest
 *   ps.c       ps
 *   standin.c  processes on the host that stand for those of the guest, for docker top
 *   verbs.c    the rest
 *   info.c     spec, features
 *   install.c  registers the runtime with docker and podman
 *
 * State: <root>/containers/<vm id>/ is a container's directory as docs/protocols.md describes it, with oci.json (what
 * only this program needs) added. <root> is --root, or /run/skerry-oci. The VM's id is the container's id if that has
 * the form of one, else a digest of it. Whether a container lives is told by its monitor's lock, never by a number in a
 * file.
 *
 * Not trusted: the bundle is the caller's, who is as mighty as we are; still everything in it is checked for form,
 * because half-made bundles happen. What the guest says passes through the monitor.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/opt.h"
#include "proto/message.h"
#include "vm/state.h"

#define SK_OCI_VERSION "1.1.0"
#define SK_OCI_ID_MAX 1024u
#define SK_OCI_CONFIG_MAX (8u << 20)

struct sk_oci {
	struct sk_paths paths;
	const char *log_path; /* NULL: stderr */
	bool log_json, debug, systemd_cgroup;
};

/* A container that exists. */
struct sk_oci_container {
	char id[SK_OCI_ID_MAX + 1];
	char vm_id[65];
	char *dir;
	json_t *record; /* oci.json */
	int making_fd;	/* the directory, locked for as long as `create` is at work; -1: not ours */
};

/* log.c: "error", "warning", "info", "debug" to --log and, for errors, to stderr. */
void sk_oci_log(const struct sk_oci *o, const char *level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Checks that --log can be written to; if not, messages go to stderr from then on. */
int sk_oci_log_check(struct sk_oci *o, struct sk_error *err);

/* store.c */
int sk_oci_paths(struct sk_oci *o, const char *root, struct sk_error *err);
/* Checks the id's form and makes the directory with its record, locked: the container is "creating" until
 * `making_fd` is closed, also by a process that is killed. -EEXIST. */
int sk_oci_container_new(struct sk_oci *o, const char *id, struct sk_oci_container *ret, struct sk_error *err);
/* -ENOENT: "container does not exist". */
int sk_oci_container_open(struct sk_oci *o, const char *id, struct sk_oci_container *ret, struct sk_error *err);
/* One whose record is missing or cannot be read, as far as there is a directory of it: to be deleted. */
int sk_oci_container_open_damaged(struct sk_oci *o, const char *id, struct sk_oci_container *ret, struct sk_error *err);
/* Takes the lock that `create` holds while it is at work, unless it is held. True also when the container is gone. */
bool sk_oci_container_lock(struct sk_oci_container *c);
int sk_oci_container_save(struct sk_oci_container *c, struct sk_error *err);
void sk_oci_container_close(struct sk_oci_container *c);
/* "creating", "created", "running", "paused", "stopped". `ret_state` (may be NULL): the monitor's state.json, a new
 * reference. */
const char *sk_oci_status(struct sk_oci *o, const struct sk_oci_container *c, json_t **ret_state);
/* Host pid of the container: the monitor's; 0 when stopped. */
pid_t sk_oci_pid(struct sk_oci *o, const struct sk_oci_container *c);
/* The state of the runtime specification, as hooks and `state` show it. A new reference. */
json_t *sk_oci_state_json(const struct sk_oci_container *c, const char *status, pid_t pid);
/* The same, of this moment. */
json_t *sk_oci_state_now(struct sk_oci *o, const struct sk_oci_container *c);
/* Calls `each` for every container that can be read. */
int sk_oci_each(struct sk_oci *o, void (*each)(struct sk_oci *o, struct sk_oci_container *c, void *arg), void *arg,
		struct sk_error *err);

/* bundle.c */
struct sk_oci_bundle {
	char *dir;    /* absolute */
	char *rootfs; /* absolute */
	json_t *spec;
	bool terminal;
	bool has_netns;		/* the container has a network namespace of its own … */
	const char *netns_path; /* … this one; NULL: a new one. In `spec` */
	bool netns_of_process;	/* the path is another container's process */
	bool netns_of_host;	/* the path is the namespace that we are in */
	bool sandbox;		/* the first container of a pod: others will come into its VM … */
	const char *sandbox_id; /* … or one of those, and this is the first one's id; else NULL. In `spec` */
};
/* The text of a config.json; `dir`: absolute path of the bundle. */
int sk_oci_bundle_parse(const char *dir, const char *text, size_t len, struct sk_oci_bundle *ret, struct sk_error *err);
int sk_oci_bundle_load(const char *dir, struct sk_oci_bundle *ret, struct sk_error *err);
void sk_oci_bundle_fini(struct sk_oci_bundle *b);
/* Of one of the spec's mounts. */
bool sk_oci_has_option(const json_t *mount, const char *option);
/* Checks a process, a bundle's or one of `exec --process`: arguments, directory, ids, environment. */
int sk_oci_check_process(const json_t *process, struct sk_error *err);
/* Checks "resources" of a bundle or of `update` for numbers that runc's kernel interfaces refuse. NULL is sound. */
int sk_oci_check_resources(const json_t *resources, struct sk_error *err);
/* Checks a whole config.json: what is missing, contradicts itself, or asks for something that nobody knows. */
int sk_oci_check_spec(const json_t *spec, struct sk_error *err);
bool sk_oci_is_bind(const json_t *mount);
/* Makes vm.json of the bundle. A new reference; NULL with err. */
json_t *sk_oci_bundle_vm(const struct sk_oci_bundle *b, const struct sk_oci_container *c, struct sk_error *err);
/* The same for a container that comes into a VM that runs: the spec for the guest; `*ret_mounts`: its directories of
 * the host and the like, in the form of vm.json's "mounts". New references; NULL with err. */
json_t *sk_oci_bundle_member(const struct sk_oci_bundle *b, json_t **ret_mounts, struct sk_error *err);
/* Bytes of memory that the VM needs on the host beside those of the guest. */
#define SK_OCI_OVERHEAD (96ull << 20)
uint64_t sk_oci_vm_memory(const json_t *resources);
/* The part of linux.resources that means something in the guest; a new reference. */
json_t *sk_oci_guest_resources(const json_t *resources);

/* namespaces.c: checks that each entry of linux.namespaces has a known type and, if it has a path, one of that type;
 * and that linux.sysctl sets net.* only in a network namespace of the container's own. */
int sk_oci_namespaces_check(const struct sk_oci_bundle *b, struct sk_error *err);

/* systemd.c */
struct sk_oci_scope {
	char slice[128], unit[288];
	char path[768]; /* of its group: /a.slice/a-b.slice/prefix-name.scope */
};
/* A process that is in the scope before the container is. */
struct sk_oci_holder {
	pid_t pid; /* 0: none */
	int fd;	   /* closed: it goes */
};
/* Takes `path` ("slice:prefix:name"; NULL or "": a name from `id`) apart. */
int sk_oci_systemd_name(const char *path, const char *id, struct sk_oci_scope *ret, struct sk_error *err);
/* Makes the scope, with `resources` as its limits; `v2`: in the words of control groups version 2. */
int sk_oci_systemd_start(const struct sk_oci_scope *scope, const char *id, const json_t *resources, bool v2,
			 struct sk_oci_holder *ret, struct sk_error *err);
void sk_oci_systemd_release(struct sk_oci_holder *h);
int sk_oci_systemd_update(const char *unit, const json_t *resources, bool v2, struct sk_error *err);
void sk_oci_systemd_stop(const char *unit);

/* cgroup.c: version 1, 2 and hybrid hosts. */
#define SK_CGROUPS_MAX 24u
struct sk_oci_cgroups {
	struct sk_oci_scope scope; /* unit "": the groups are ours alone, without systemd */
	struct sk_oci_holder holder;
	int procs[SK_CGROUPS_MAX]; /* cgroup.procs of each hierarchy, for joining */
	unsigned n;
	json_t *paths; /* ["/sys/fs/cgroup/memory/docker/…", …]: made by us, owned */
};
/* Which groups the container is to have: nothing is made yet. */
int sk_oci_cgroups_plan(struct sk_oci *o, const json_t *spec, const char *id, struct sk_oci_cgroups *ret,
			struct sk_error *err);
/* Makes the groups with their limits, except processor time: the VM boots without those. Groups that a plain user may
 * not make are dropped from `paths`. */
int sk_oci_cgroups_make(struct sk_oci_cgroups *g, const json_t *spec, const char *id, struct sk_error *err);
/* Sets the limits of processor time: the container has been created. */
int sk_oci_cgroups_settle(const struct sk_oci_cgroups *g, const json_t *spec, struct sk_error *err);
/* Async-signal-safe but for its memory: the calling process shares the processor time of `paths`. */
int sk_oci_cgroups_join_time(const json_t *paths);
/* Sets "blockIO" of `resources` for the control group at `path`, where it has such a controller. Returns 0 or a negative
 * errno: -ENODEV for a device that the host does not have. */
int sk_oci_cgroup_io(const char *path, const json_t *resources);
/* Applies linux.resources to groups that exist. With `best_effort` what the host cannot do is left out. */
int sk_oci_cgroups_apply(const json_t *paths, const json_t *resources, struct sk_error *err);
/* The same, and tells systemd of it where the groups are its `unit` (NULL: they are not). */
int sk_oci_cgroups_update(const json_t *paths, const char *unit, const json_t *resources, struct sk_error *err);
void sk_oci_cgroups_remove(struct sk_oci *o, const json_t *paths, const char *unit);
void sk_oci_cgroups_fini(struct sk_oci_cgroups *g);
/* Async-signal-safe: the calling process joins. */
int sk_oci_cgroups_join(const struct sk_oci_cgroups *g);
/* Lets a process run out of memory in the group, so that watchers of the group see that the guest's container did. */
void sk_oci_cgroups_tell_oom(const json_t *paths);
/* The group that counts memory, in `paths`; NULL: none. */
const char *sk_oci_cgroups_memory(const json_t *paths);
/* Numbers for `events --stats`, in runc's form; a new reference. */
json_t *sk_oci_cgroups_stats(const json_t *paths);

/* hooks.c: runs `hooks`.`name` in order, in the bundle's directory, with `state` on stdin. Stops at the first that
 * fails. */
int sk_oci_hooks_run(const json_t *hooks, const char *name, const json_t *state, struct sk_error *err);
/* Where a container's own hooks (createContainer) run, and what is in their environment when they say nothing. */
struct sk_oci_hook_place {
	const char *cwd; /* NULL: ours */
	pid_t netns_pid; /* in the network namespace of this process; 0: in ours */
	int mount_ns;	 /* and in this mount namespace; -1: in ours */
	const json_t *env;
};
int sk_oci_hooks_run_in(const json_t *hooks, const char *name, const json_t *state,
			const struct sk_oci_hook_place *place, struct sk_error *err);

/* mounts.c: mounts on the host what the guest cannot, in a namespace `*ret_ns` (-1: nothing was to be mounted), and
 * changes the bundle's mounts accordingly. */
int sk_oci_mounts_make(const struct sk_oci_bundle *b, const struct sk_oci_container *c, int *ret_ns,
		       struct sk_error *err);
/* Moves the calling process into the mount namespace. Async-signal-safe. */
int sk_oci_mounts_enter(int ns);

/* console.c */
/* A new terminal; returns the slave, raw. */
int sk_oci_console_pair(int *ret_master, struct sk_error *err);
/* A new terminal: sends its master to the unix socket at `socket_path`; the slave, raw, is the caller's. Negative
 * errno. */
int sk_oci_console_new(const char *socket_path, unsigned rows, unsigned cols, struct sk_error *err);
/* The terminal that we were started on, as runc finds it: any of the three descriptors that is one, else the one that
 * controls us. A copy, which the caller closes, or negative with the error set. */
int sk_oci_console_host(struct sk_error *err);
/* Replaces descriptors 0, 1 and 2 by /dev/null. A process with a console does not use the caller's descriptors, and
 * containerd waits until they are closed before it lets clients resize the terminal. */
void sk_oci_leave_stdio(void);

/* launch.c */
struct sk_oci_launch {
	const struct sk_oci_bundle *bundle;
	const struct sk_oci_cgroups *cgroups;
	int console_fd; /* -1: our own stdio is the container's */
	int mount_ns;	/* -1: ours */
	bool front;	/* the console is shown by us, on a terminal that adds "\r" to "\n" */
};
/* Starts the monitor; returns a control connection, CLOEXEC. */
int sk_oci_launch(struct sk_oci *o, const struct sk_oci_container *c, const struct sk_oci_launch *l, pid_t *ret_pid,
		  struct sk_error *err);

/* pod.c. A container of a pod that is not its first has "sandbox" (the first one's VM id) and "container" (the agent's
 * name of it) in its record. */
struct sk_oci_member; /* a container on its way into a VM */
/* Whose VM the bundle's container belongs into: 1: `*ret_sandbox` is that container, opened; 0: it gets one of its own;
 * negative: an error. A `sandbox_id` of nobody, whose namespaces the container does not join either, is cleared. */
int sk_oci_pod_of(struct sk_oci *o, struct sk_oci_bundle *b, struct sk_oci_container *ret_sandbox,
		  struct sk_error *err);
/* Starts the container's process on the host; nothing happens in the guest yet. */
int sk_oci_member_launch(struct sk_oci *o, struct sk_oci_container *c, const struct sk_oci_container *sandbox,
			 const struct sk_oci_launch *l, struct sk_oci_member **ret, pid_t *ret_pid,
			 struct sk_error *err);
/* Creates it in the guest. */
int sk_oci_member_create(struct sk_oci_member *m, struct sk_oci_container *c, int *ret_exit_code, struct sk_error *err);
void sk_oci_member_free(struct sk_oci_member *m);
/* Gives VM `vm_id`, whose containers have changed, the weight of them all; nothing where it has only its own one. */
int sk_oci_pod_weigh(struct sk_oci *o, const char *vm_id, struct sk_error *err);
/* Changes the status of such a container ("running", "paused"); nothing for others, whose monitor does that. */
void sk_oci_member_status(struct sk_oci *o, const struct sk_oci_container *c, const char *status);

/* create.c */
struct sk_oci_create_options {
	const char *bundle, *pid_file, *console_socket, *id;
	bool detach, keep;
	int console_fd; /* a terminal for the container, -1: none, or through the socket */
};
int sk_oci_create_parse(int argc, char **argv, bool run, struct sk_oci_create_options *ret, struct sk_error *err);
int sk_oci_create_container(struct sk_oci *o, const struct sk_oci_create_options *co, struct sk_oci_bundle *b,
			    struct sk_oci_container *c, pid_t *ret_pid, struct sk_error *err);
/* *ret_ended: the program runs, but a poststart hook has failed, which ends the container (sk_oci_take_back()). */
int sk_oci_start_container(struct sk_oci *o, struct sk_oci_container *c, bool *ret_ended, struct sk_error *err);
/* delete.c: ends the VM for sure and waits until it is gone. */
void sk_oci_kill_container(struct sk_oci *o, struct sk_oci_container *c);
int sk_oci_delete_container(struct sk_oci *o, struct sk_oci_container *c, struct sk_error *err);
/* Ends and deletes a container whose start has failed; a failure of that is logged. */
void sk_oci_take_back(struct sk_oci *o, struct sk_oci_container *c);
/* Only the directory. */
int sk_oci_remove_files(struct sk_oci *o, const struct sk_oci_container *c, struct sk_error *err);

/* standin.c: processes of this host that stand for the guest's, for callers who look them up here. */
/* Starts one for each of `processes` (the agent's reply to "ps") and returns their pids; they leave by themselves. */
json_t *sk_oci_stand_ins(const json_t *processes);
/* True: this process was started as a stand-in. It does not return then. */
void sk_oci_stand_in_main(void);

struct sk_oci_stand_in {
	int take_conn_fd; /* an attached connection */
	int signal_fd;
	int in_fd, out_fd, err_fd; /* taken; -1: none */
	int size_fd;		   /* the terminal whose size counts; -1: in_fd */
	bool terminal;
	void (*on_oom)(void *arg); /* may be NULL */
	void *arg;
};
/* attach.c: stands for a process in the guest until it ends, and returns its exit code. `ret_oom` may be NULL. */
int sk_oci_stand_in(const struct sk_oci_stand_in *s, bool *ret_oom);
/* A descriptor for the signals that go on to the process, which are blocked from then on. */
int sk_oci_catch_signals(void);
/* False: /dev/null, from which nobody will read. */
bool sk_oci_has_input(int fd);

/* Verbs. Each takes argc, argv from its own name on, and returns an exit code; a negative one is an error in `err`
 * (exit code 1). */
int sk_oci_create(struct sk_oci *o, int argc, char **argv, struct sk_error *err);
int sk_oci_run(struct sk_oci *o, int argc, char **argv, struct sk_error *err);
int sk_oci_start(struct sk_oci *o, int argc, char **argv, struct sk_error *err);
int sk_oci_delete(struct sk_oci *o, int argc, char **argv, struct sk_error *err);
int sk_oci_exec(struct sk_oci *o, int argc, char **argv, struct sk_error *err);
int sk_oci_state(struct sk_oci *o, int argc, char **argv, struct sk_error *err);
int sk_oci_kill(struct sk_oci *o, int argc, char **argv, struct sk_error *err);
int sk_oci_ps(struct sk_oci *o, int argc, char **argv, struct sk_error *err);
int sk_oci_pause(struct sk_oci *o, int argc, char **argv, struct sk_error *err);
int sk_oci_resume(struct sk_oci *o, int argc, char **argv, struct sk_error *err);
int sk_oci_update(struct sk_oci *o, int argc, char **argv, struct sk_error *err);
int sk_oci_events(struct sk_oci *o, int argc, char **argv, struct sk_error *err);
int sk_oci_list(struct sk_oci *o, int argc, char **argv, struct sk_error *err);
int sk_oci_spec(struct sk_oci *o, int argc, char **argv, struct sk_error *err);
int sk_oci_features(struct sk_oci *o, int argc, char **argv, struct sk_error *err);
int sk_oci_install(struct sk_oci *o, int argc, char **argv, struct sk_error *err);

/* options.c: command lines as runc words their mistakes. A long name may be abbreviated. */
extern const struct sk_opt_dialect sk_oci_dialect;
/* Decimal digits and nothing else, with a sign if `min` is negative. 0 or -EINVAL. */
int sk_oci_parse_number(const char *text, json_int_t min, json_int_t max, json_int_t *ret);
/* Bytes: "512m", "1.5GiB", "1024"; "-1", which stands for no limit. 0 or -EINVAL. */
int sk_oci_parse_size(const char *text, json_int_t *ret);
/* Sets the error in Go's words, which callers of runc look for: "open PATH: no such file or directory". -code. */
int sk_oci_cannot_open(struct sk_error *err, int code, const char *path);
extern const struct sk_opt_type sk_oci_opt_preserve_fds; /* no value is stored: 0 is all that a VM can do */
extern const struct sk_opt_type sk_oci_opt_format;	 /* bool: json, not table */
/* Parses a verb's command line, with its name in argv[0]; `table` NULL: it has no options; `stop`: the first argument ends the options. Returns the
 * number of arguments, which are argv[1] and so on then. */
int sk_oci_options(const struct sk_opt *table, void *values, bool stop, int argc, char **argv, struct sk_error *err);
/* The same for verbs with one argument, the container's id. */
int sk_oci_options_id(const struct sk_opt *table, void *values, int argc, char **argv, struct sk_error *err);

/* Of --pid-file; `path` NULL: none. */
int sk_oci_write_pid(const char *path, pid_t pid, struct sk_error *err);

/* words.c: for a program that cannot be started, the words from which docker takes 126 and 127. */
int sk_oci_start_error(struct sk_error *err, int exit_code, const json_t *process, const char *what);
/* Puts `words` in front of the error, in place of those of another verb. */
void sk_oci_wrap_once(struct sk_error *err, const char *words);

/* request.c */
/* The id of the VM that the container is in. */
const char *sk_oci_vm_of(const struct sk_oci_container *c);
/* A connection to the monitor of the container's VM. */
int sk_oci_connect(struct sk_oci *o, const struct sk_oci_container *c, struct sk_error *err);
/* The container's name in its VM, for requests about it; NULL where the VM has no other. */
const char *sk_oci_guest_name(const struct sk_oci_container *c);
/* A request to the container's monitor that ends the container: with less patience. */
int sk_oci_call_to_end(struct sk_oci *o, const struct sk_oci_container *c, const struct sk_msg *request,
		       struct sk_error *err);
/* A request to the container's monitor, as sk_vm_call(); `request` need not name the container. */
int sk_oci_call(struct sk_oci *o, const struct sk_oci_container *c, const struct sk_msg *request,
		struct sk_reply *ret_reply, struct sk_error *err);

#endif
