/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor's main(), and what the life of the container (life.c) comes to: requests to the guest, timers, state.json,
 * the end. Events change m->life and trigger the deferred step, on_reap(), which asks it for actions and does them.
 */
#include "vm/forward.h"
#include "vm/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/opt.h"
#include "base/process.h"
#include "base/socket.h"
#include "vm/parent.h"
#include "vm/keeper.h"

#define SK_CONFIG_MAX (16u << 20)
#define SK_SHUTDOWN_MS 10000u
#define SK_LINGER_MS 10000u
#define SK_OOM_EVENTS_MS 1000u /* between two OOM events in the log that all containers share */
#define SK_HAND_OVER_MS 2000u
#define SK_LOCK_WAIT_MS 10000u
#define SK_SUSPEND_MS 60000u /* for the engine in a machine to end */

/* What the deferred step has to do; set in callbacks, acted on when none is running. */
struct lifecycle {
	struct sk_monitor m;
	struct sk_source *signal_source, *linger;
	struct sk_keeper keeper;
};

static struct lifecycle *life(struct sk_monitor *m)
{
	return (struct lifecycle *)m; /* first member */
}

/* The container's first process has ended, and its output is out. Its readers hear of it when the VM is down and the
 * state says so. */
static void on_init_finished(struct sk_proc *p)
{
	sk_life_process_done(&p->m->life);
	sk_loop_trigger(p->m->reap);
}

static void on_down_timeout(void *arg)
{
	struct sk_monitor *m = arg;

	sk_log(SK_LOG_WARN, "the guest did not shut down in time");
	sk_monitor_lost(m, "");
}

/* `skerry update --restart` may have changed it meanwhile. */
static void reload_restart_policy(struct sk_monitor *m)
{
	_cleanup_free_ char *text = NULL;
	json_t *json = NULL;
	size_t len;

	if (!m->life.policy->restarts || sk_fs_read(m->dirfd, "vm.json", SK_CONFIG_MAX, &text, &len) < 0)
		return;
	json = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	if (json && sk_vm_config_restart(&m->config, json_object_get(json, "restart"), NULL) < 0)
		sk_log(SK_LOG_ERROR, "vm.json: the restart policy is wrong");
	json_decref(json);
	m->life.restart = m->config.restart;
	m->life.restart_max = m->config.restart_max;
}

/* The container's process has ended and its output is out: the guest writes back its disk and goes. */
static void begin_stopping(struct sk_monitor *m)
{
	sk_life_stopping(&m->life, m->init->code, m->init->oom);
	sk_health_end(m);
	reload_restart_policy(m);
	sk_loop_remove(m->stop_timer);
	sk_loop_remove(m->down_timer);
	m->stop_timer = NULL;
	m->down_timer = sk_loop_add_timer(m->loop, SK_SHUTDOWN_MS, on_down_timeout, m);
	if (m->config.auto_remove && !sk_life_will_restart(&m->life))
		sk_monitor_lost(m, ""); /* nobody will see that disk again */
	else if (sk_sandbox_shut_down(m->sandbox) < 0)
		sk_monitor_lost(m, "");
}

/* ---- down */

/* With its anonymous volumes. */
static void remove_own_files(struct sk_monitor *m)
{
	int r = sk_keeper_remove(&life(m)->keeper);

	if (r < 0)
		sk_log(SK_LOG_ERROR, "the container's directory could not be removed: %s", strerror(-r));
	sk_monitor_event(m, "destroy");
}

static void on_linger(void *arg)
{
	struct sk_monitor *m = arg;

	if (sk_policy_output_is_out(m))
		sk_loop_quit(m->loop);
	else
		sk_loop_set_timer(life(m)->linger,
				  SK_LINGER_MS); /* a slow reader has not taken all of the container's output yet */
}

/* Who waits for the end hears of it, once the state says so. */
static void tell_end(struct sk_monitor *m)
{
	sk_life_announce(&m->life);
	sk_control_vm_ended(m);
	sk_monitor_answer(m);
}

/* Ends this monitor: writes the state, removes files, releases the lock, and only then tells the clients, which
 * may start or remove the container at once. */
static void finish(struct sk_monitor *m)
{
	struct lifecycle *l = life(m);
	bool started = json_is_string(json_object_get(m->state, "started_at"));

	m->life.final = true;
	json_object_set_new(m->state, "pid", json_integer(0));
	json_object_set_new(m->state, "engine_pid", json_integer(0));
	json_object_set_new(m->state, "error", sk_monitor_state_error(m));
	if (m->life.ran || m->life.failure[0]) {
		json_object_set_new(m->state, "exit_code", json_integer(m->life.exit_code));
		json_object_set_new(m->state, "oom_killed", json_boolean(m->life.oom));
	}
	if (m->life.ran)
		sk_monitor_set_time(m, "finished_at");
	sk_monitor_set_status(m, started ? "exited" : "created");
	sk_logfile_free(SK_TAKE_PTR(m->log));
	sk_acceptor_free(SK_TAKE_PTR(m->acceptor));
	sk_forwards_free(SK_TAKE_PTR(m->forwards));
	sk_fs_remove_tree(AT_FDCWD, m->run_dir);
	if (m->config.auto_remove && (m->life.ran || m->life.failure[0] || m->life.start_wanted || m->life.killed))
		remove_own_files(m);
	sk_close_fd(&m->lock_fd);
	tell_end(m);
	sk_policy_ended(m);
	l->linger = sk_loop_add_timer(m->loop, SK_LINGER_MS, on_linger, m);
	sk_loop_trigger(m->reap);
}

/* The next life is another monitor's: this one has given up what it takes to start a VM. */
static void hand_over(struct sk_monitor *m)
{
	int sockets[SK_FORWARDS_MAX];
	const struct sk_next_life next = { .lock_fd = m->lock_fd,
					   .listen_fd = m->listen_fd,
					   .sockets = sockets,
					   .n_sockets = sk_forwards_sockets(m->forwards, sockets),
					   .wanted = m->life.suspended,
					   .restarts = m->life.restarts,
					   .backoff_ms = m->life.backoff_ms };
	struct lifecycle *l = life(m);
	int r = sk_keeper_restart(&l->keeper, &next);

	m->life.handing_over = false;
	if (r == 0) {
		sk_forwards_abandon(SK_TAKE_PTR(m->forwards));
		sk_loop_quit(m->loop);
		return;
	}
	snprintf(m->life.failure, sizeof(m->life.failure), "cannot be restarted: %s", strerror(-r));
	finish(m);
}

static void on_hand_over_late(void *arg)
{
	struct sk_monitor *m = arg;

	life(m)->linger = NULL;
	hand_over(m);
}

static void begin_next_life(struct sk_monitor *m)
{
	/* Clients that connect from here on are accepted by the next life's monitor. */
	sk_acceptor_free(SK_TAKE_PTR(m->acceptor));
	tell_end(m);
	sk_life_restart_now(&m->life);
	life(m)->linger = sk_loop_add_timer(m->loop, SK_HAND_OVER_MS, on_hand_over_late, m);
	sk_loop_trigger(m->reap);
}

static void on_restart(void *arg)
{
	struct sk_monitor *m = arg;

	m->restart_timer = NULL;
	begin_next_life(m);
}

static void on_knock(void *arg)
{
	struct sk_monitor *m = arg;

	if (m->life.restart_due) /* not when it is being stopped */
		begin_next_life(m);
}

/* Nothing runs but this process and its keeper, until a client connects. */
static void wait_for_knock(struct sk_monitor *m)
{
	sk_monitor_set_time(m, "finished_at");
	json_object_set_new(m->state, "exit_code", json_integer(m->life.exit_code));
	json_object_set_new(m->state, "engine_pid", json_integer(0));
	sk_monitor_set_status(m, "suspended");
	if (sk_forwards_watch(m->forwards, on_knock, m) < 0) {
		sk_life_cancel_restart(&m->life);
		finish(m);
	}
}

/* A suspension that does not come to its end: nobody is kept waiting for it. */
static void on_suspend_timeout(void *arg)
{
	struct sk_monitor *m = arg;

	m->stop_timer = NULL;
	m->life.suspending = false;
	sk_log(SK_LOG_WARN, "the machine wanted to stop and did not");
	sk_forwards_release(m->forwards);
}

/* The guest asks whether it may stop, as nobody needs it. */
static int on_idle(void *arg)
{
	struct sk_monitor *m = arg;
	int r = m->stop_timer ? -EBUSY : sk_forwards_hold(m->forwards, m->config.idle_stop * UINT64_C(1000));

	if (r < 0)
		return r;
	m->stop_timer = sk_loop_add_timer(m->loop, SK_SUSPEND_MS, on_suspend_timeout, m);
	if (m->stop_timer && sk_life_suspend(&m->life))
		return 0;
	sk_loop_remove(SK_TAKE_PTR(m->stop_timer));
	sk_forwards_release(m->forwards);
	return -EBUSY;
}

static void schedule_restart(struct sk_monitor *m)
{
	json_object_set_new(m->state, "restart_count", json_integer(m->life.restarts));
	json_object_set_new(m->state, "exit_code", json_integer(m->life.exit_code));
	sk_monitor_set_time(m, "finished_at");
	sk_monitor_set_status(m, "restarting");
	m->restart_timer = sk_loop_add_timer(m->loop, m->life.backoff_ms, on_restart, m);
	if (!m->restart_timer) {
		m->life.restart_due = false;
		finish(m);
	}
}

static void go_down(struct sk_monitor *m)
{
	bool ran = sk_life_down(&m->life);
	struct sk_conn *c;
	struct sk_proc *p;

	sk_health_end(m);
	sk_loop_remove(m->stop_timer);
	sk_loop_remove(m->down_timer);
	m->stop_timer = m->down_timer = NULL;
	for (p = m->procs; p; p = p->next)
		sk_proc_abandon(p);
	for (c = m->conns; c; c = c->next) {
		sk_stream_close(c->copy.stream);
		c->copy.stream = NULL;
		c->copy.done = true;
	}
	sk_guest_down(m);
	sk_policy_down(m);
	m->life.lost = m->life.process_done = false; /* set by callbacks while the sandbox was freed */
	if (ran) {
		sk_monitor_event(m, "die");
		reload_restart_policy(m);
	}
	if (sk_life_after(&m->life, ran, sk_now_ms())) {
		tell_end(m);
		if (m->life.suspended)
			wait_for_knock(m);
		else
			schedule_restart(m);
	} else {
		finish(m);
	}
}

/* ---- the deferred step */

static void reap_procs(struct sk_monitor *m)
{
	struct sk_proc *p, *next;

	for (p = m->procs; p; p = next) {
		next = p->next;
		if (p != m->init && p->finished && !p->readers)
			sk_proc_free(p);
	}
}

static void ask_to_shut_down(struct sk_monitor *m)
{
	m->down_timer = sk_loop_add_timer(m->loop, SK_SHUTDOWN_MS, on_down_timeout, m);
	if (sk_sandbox_shut_down(m->sandbox) < 0)
		sk_monitor_lost(m, "");
}

/* Booted for a copy only, or its client went before it started anything: nobody is left to ask for more. */
static void shut_down_unwanted(struct sk_monitor *m)
{
	if (!sk_control_close(m))
		return; /* a client has just connected */
	sk_life_unwanted(&m->life);
	ask_to_shut_down(m);
}

static void act(struct sk_monitor *m, enum sk_life_action action)
{
	switch (action) {
	case SK_LIFE_NOTHING:
		break;
	case SK_LIFE_STOP_GUEST:
		begin_stopping(m);
		break;
	case SK_LIFE_TAKE_DOWN:
		go_down(m);
		break;
	case SK_LIFE_CANCEL_RESTART:
		sk_loop_remove(SK_TAKE_PTR(m->restart_timer));
		sk_loop_remove(SK_TAKE_PTR(life(m)->linger));
		sk_life_cancel_restart(&m->life);
		finish(m);
		break;
	case SK_LIFE_HAND_OVER:
		sk_loop_remove(SK_TAKE_PTR(life(m)->linger));
		hand_over(m);
		break;
	case SK_LIFE_QUIT:
		sk_loop_quit(m->loop);
		break;
	case SK_LIFE_KILL:
		sk_monitor_kill(m);
		break;
	case SK_LIFE_SHUT_DOWN:
		shut_down_unwanted(m);
		break;
	}
}

/* The deferred step: what the events since the last one come to, now that no callback is running. */
static void on_reap(void *arg)
{
	struct sk_monitor *m = arg;
	enum sk_life_action action;
	struct sk_life_view view;

	while ((action = sk_life_next(&m->life)) != SK_LIFE_NOTHING)
		act(m, action);
	sk_control_step(m);
	reap_procs(m);
	view = (struct sk_life_view){ .connected = m->conns != NULL,
				      .creator_gone = !sk_control_has_clients(m),
				      .output_is_out = sk_policy_output_is_out(m) };
	act(m, sk_life_idle(&m->life, &view));
}

/* ---- what the sandbox tells */

static void on_confine(void *arg)
{
	sk_monitor_confine(arg);
}

static void on_hello(void *arg, const char *kernel)
{
	struct sk_monitor *m = arg;

	json_object_set_new(m->state, "kernel", json_string(kernel));
}

static void on_ready(void *arg)
{
	struct sk_monitor *m = arg;

	sk_life_ready(&m->life);
	if (m->life.start_wanted)
		sk_monitor_start_container(m);
	sk_control_ready(m);
}

static void on_lost(void *arg, const char *why)
{
	sk_monitor_lost(arg, why);
}

static void on_oom(struct sk_monitor *m)
{
	m->life.oom = true;
	json_object_set_new(m->state, "oom_killed", json_true());
	if (m->init->oom_ms && sk_now_ms() - m->init->oom_ms < SK_OOM_EVENTS_MS)
		return;
	m->init->oom_ms = sk_now_ms();
	json_object_set_new(m->state, "ooms", json_integer(json_integer_value(json_object_get(m->state, "ooms")) + 1));
	sk_monitor_save(m);
	sk_monitor_event(m, "oom");
}

static void on_event(void *arg, const struct sk_msg *event)
{
	struct sk_monitor *m = arg;
	struct sk_proc *p;

	switch (event->op) {
	case SK_AGENT_EXIT:
		p = sk_proc_find(m, event->container, event->key);
		if (p && !p->exited)
			sk_proc_exited(p, event->exit.code, event->exit.oom);
		break;
	case SK_AGENT_OOM:
		if (strcmp(event->container, SK_CONTAINER) == 0)
			on_oom(m);
		else
			sk_pod_oom(m, event->container);
		break;
	default:
		break;
	}
}

static void on_disk_trouble(void *arg, bool full, int failed)
{
	sk_monitor_disk_trouble(arg, full, failed);
}

static void on_layers_damaged(void *arg)
{
	sk_monitor_layers_damaged(arg);
}

static ssize_t on_stream(void *arg, const struct sk_token *token, struct sk_stream *stream, const uint8_t *data,
			 size_t n)
{
	struct sk_monitor *m = arg;
	ssize_t taken = sk_stdio_claim(m, token, stream, data, n);

	return taken >= 0 ? taken : sk_forwards_claim(m->forwards, token, stream, data, n);
}

static const struct sk_sandbox_events sandbox_events = {
	.confine = on_confine,
	.hello = on_hello,
	.ready = on_ready,
	.lost = on_lost,
	.event = on_event,
	.stream = on_stream,
	.disk_trouble = on_disk_trouble,
	.layers_damaged = on_layers_damaged,
};

/* ---- the start of one life */

static void boot_failed(struct sk_monitor *m, const struct sk_error *err)
{
	sk_life_failed(&m->life, err->code, 125, err->message);
	m->life.phase = SK_PHASE_DOWN;
	finish(m);
}

static void boot(struct sk_monitor *m)
{
	struct sk_error err = SK_ERROR_INIT;

	sk_proc_free(m->init);
	m->init = sk_proc_new(m, SK_CONTAINER, SK_INIT_KEY, m->config.terminal, m->config.stdin_open);
	if (m->init)
		m->init->finished_cb = on_init_finished;
	m->life.restart = m->config.restart;
	m->life.restart_max = m->config.restart_max;
	sk_life_boot(&m->life);
	if (!m->init) {
		sk_error_errno(&err, ENOMEM, "cannot start the container");
		boot_failed(m, &err);
	} else if (sk_policy_begin(m, &err) < 0 || sk_guest_boot(m, &sandbox_events, on_idle, &err) < 0) {
		boot_failed(m, &err);
	}
	json_object_set_new(m->state, "engine", json_string(m->engine ? m->engine->name : ""));
}

/* ---- set-up of the process */

static void on_signal(void *arg, int fd, unsigned events)
{
	struct sk_monitor *m = arg;
	struct signalfd_siginfo si;

	(void)events;
	while (read(fd, &si, sizeof(si)) == sizeof(si))
		sk_monitor_stop(m, m->config.stop_signal, m->config.stop_timeout);
}

static int watch_signals(struct sk_monitor *m, struct sk_error *err)
{
	struct lifecycle *l = life(m);
	sigset_t set;
	int fd;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sk_raise_size_limit();
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	l->signal_source = fd < 0 ? NULL : sk_loop_add_fd(m->loop, fd, SK_LOOP_READ, on_signal, m);
	return l->signal_source ? 0 : sk_error_errno(err, ENOMEM, "cannot start the monitor");
}

/* The last life is about to end, and with it its lock. */
static int wait_for_lock(struct sk_monitor *m, struct sk_error *err)
{
	_cleanup_fd_ int next = openat(m->dirfd, SK_NEXT_LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r = next < 0 ? -errno : sk_fs_lock(next, true, true);

	if (r == 0)
		r = sk_fs_lock(m->lock_fd, true, true);
	return r < 0 ? sk_error_errno(err, r, "cannot lock container %.12s", m->id) : 0;
}

/* The lock of a monitor that has just finished may be held a moment longer. */
static int take_lock(struct sk_monitor *m, struct sk_error *err)
{
	uint64_t deadline = sk_now_ms() + SK_LOCK_WAIT_MS;
	json_t *state;
	int r;

	if (m->lock_fd >= 0)
		return 0; /* handed on by this container's last life */
	m->lock_fd = openat(m->dirfd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (m->lock_fd < 0)
		return sk_error_errno(err, errno, "cannot lock container %.12s", m->id);
	if (m->listen_fd >= 0)
		return wait_for_lock(m, err);
	while ((r = sk_fs_lock(m->lock_fd, true, false)) == -EWOULDBLOCK) {
		bool alive = false;

		if (sk_vm_state_load(&m->paths, m->id, &state, NULL) == 0) {
			alive = sk_vm_state_is_alive(state);
			json_decref(state);
		}
		if (alive || sk_now_ms() > deadline)
			return sk_error_set(err, EBUSY, "container %.12s is already running", m->id);
		usleep(2000);
	}
	return r < 0 ? sk_error_errno(err, r, "cannot lock container %.12s", m->id) : 0;
}

static int load_config(struct sk_monitor *m, struct sk_error *err)
{
	_cleanup_free_ char *text = NULL;
	json_error_t je;
	json_t *json;
	size_t len;
	int r = sk_fs_read(m->dirfd, "vm.json", SK_CONFIG_MAX, &text, &len);

	if (r < 0)
		return sk_error_errno(err, r, "cannot read vm.json of container %.12s", m->id);
	json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &je);
	if (!json)
		return sk_error_set(err, EINVAL, "vm.json of container %.12s is damaged: line %d: %s", m->id, je.line,
				    je.text);
	r = sk_vm_config_init(&m->config, json, err);
	json_decref(json);
	if (r < 0)
		return r;
	m->policy = sk_policy_of(&m->config);
	m->life.policy = m->policy->life;
	return 0;
}

static int init_state(struct sk_monitor *m, struct sk_error *err)
{
	const char *address = sk_network_backend(m->config.network.mode)->address;
	int r = sk_vm_state_load(&m->paths, m->id, &m->state, err);

	if (r < 0)
		return r;
	json_object_set_new(m->state, "pid", json_integer(m->stand_in ? sk_parent_pid() : getpid()));
	json_object_set_new(m->state, "restart_count", json_integer(m->life.restarts));
	json_object_set_new(m->state, "stopped_by_user", json_false());
	json_object_set_new(m->state, "error", json_string(""));
	if (address)
		json_object_set_new(m->state, "ip", json_string(address));
	/* A VM that is booted for a copy leaves the container what it is: "starting" comes with the wish to start. */
	if (m->life.policy->create_apart)
		json_object_set_new(m->state, "status", json_string("starting"));
	r = sk_vm_state_save(m->dirfd, m->state, err);
	return r < 0 ? r : sk_vm_state_reserve(m->dirfd, err);
}

static int open_files(struct sk_monitor *m, struct sk_error *err)
{
	_cleanup_free_ char *dir = sk_asprintf("%s/containers/%s", m->paths.root, m->id);
	_cleanup_fd_ int logdir = -1;
	int r;

	m->dirfd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (m->dirfd < 0)
		return sk_error_errno(err, errno, "cannot open container %.12s", m->id);
	r = take_lock(m, err);
	if (r == 0)
		r = load_config(m, err);
	if (r < 0)
		return r;
	if (mkdirat(m->dirfd, "log", 0700) < 0 && errno != EEXIST)
		return sk_error_errno(err, errno, "cannot make the container's log directory");
	m->log_fd = openat(m->dirfd, "log/monitor.log", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (m->log_fd >= 0)
		sk_log_init(m->log_fd, getenv("SKERRY_DEBUG") ? SK_LOG_DEBUG : SK_LOG_WARN);
	logdir = openat(m->dirfd, "log", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = m->config.log_none ? 0
			       : sk_logfile_new(dup(logdir), m->config.log_max_size, m->config.log_max_file, &m->log);
	if (r < 0)
		return sk_error_errno(err, r, "cannot open the container's log");
	r = init_state(m, err);
	if (r < 0)
		return r;
	snprintf(m->run_dir, sizeof(m->run_dir), "%s/%s", m->paths.run, m->id);
	if (m->listen_fd < 0)
		sk_fs_remove_tree(AT_FDCWD, m->run_dir); /* of a monitor that was killed */
	r = sk_fs_mkdir_p(m->run_dir, 0700);
	return r < 0 ? sk_error_errno(err, r, "cannot make %s", m->run_dir) : 0;
}

static int set_up(struct sk_monitor *m, int owner_fd, struct sk_error *err)
{
	int r = sk_loop_new(&m->loop);

	if (r < 0)
		return sk_error_errno(err, r, "cannot start the monitor");
	/* The guest's connections are sockets of this process, with half of what there is (virtio/net_slirp.c). */
	m->max_conns = sk_raise_fd_limit(SK_MAX_FDS) / 4;
	if (m->max_conns > SK_MAX_CONNS)
		m->max_conns = SK_MAX_CONNS;
	m->reap = sk_loop_add_deferred(m->loop, on_reap, m);
	r = m->reap ? open_files(m, err) : sk_error_errno(err, ENOMEM, "cannot start the monitor");
	if (r == 0)
		r = watch_signals(m, err);
	if (r == 0)
		r = sk_control_listen(m, err);
	if (r == 0 && owner_fd >= 0 && !sk_conn_new(m, owner_fd))
		r = sk_error_errno(err, ENOMEM, "cannot start the monitor");
	return r;
}

/* Reports the error to the owner and exits. No state has been written yet. */
static void fail_early(struct sk_monitor *m, int owner_fd, const struct sk_error *err)
{
	struct sk_conn *c;

	sk_life_failed(&m->life, err->code, 125, err->message);
	m->life.phase = SK_PHASE_DOWN;
	m->life.final = true;
	sk_life_announce(&m->life);
	if (m->loop && m->reap) {
		sk_acceptor_free(SK_TAKE_PTR(m->acceptor));
		c = m->conns ? m->conns : owner_fd >= 0 ? sk_conn_new(m, owner_fd) : NULL;
		life(m)->linger = sk_loop_add_timer(m->loop, SK_LINGER_MS, on_linger, m);
		if (c)
			sk_loop_run(m->loop);
	}
}

static int usage(void)
{
	fprintf(stderr, "usage: skerry-monitor --root DIR --run DIR --id ID [--owner-fd N]\n"
			"Runs one VM. Started by skerry and skerry-oci, not by hand: see skerry-monitor(8).\n");
	return 125;
}

static int inherited(const char *text)
{
	int fd = atoi(text);

	return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -1 : fd;
}

struct monitor_args {
	const char *root, *run, *id, *owner_fd, *lock_fd, *listen_fd, *socket_fds, *restarts, *backoff_ms;
	bool stand_in, wanted;
};

#define AT(f) offsetof(struct monitor_args, f)
static const struct sk_opt monitor_options[] = {
	{ .name = "root", .type = SK_OPT_STRING, .offset = AT(root) },
	{ .name = "run", .type = SK_OPT_STRING, .offset = AT(run) },
	{ .name = "id", .type = SK_OPT_STRING, .offset = AT(id) },
	{ .name = "owner-fd", .type = SK_OPT_STRING, .offset = AT(owner_fd) },
	{ .name = "stand-in", .type = SK_OPT_BOOL, .offset = AT(stand_in) },
	{ .name = "lock-fd", .type = SK_OPT_STRING, .offset = AT(lock_fd) },
	{ .name = "listen-fd", .type = SK_OPT_STRING, .offset = AT(listen_fd) },
	{ .name = "socket-fds", .type = SK_OPT_STRING, .offset = AT(socket_fds) },
	{ .name = "wanted", .type = SK_OPT_BOOL, .offset = AT(wanted) },
	{ .name = "restarts", .type = SK_OPT_STRING, .offset = AT(restarts) },
	{ .name = "backoff-ms", .type = SK_OPT_STRING, .offset = AT(backoff_ms) },
	{ .name = NULL },
};
#undef AT

/* "5,6" */
static void inherit_sockets(struct sk_monitor *m, const char *list)
{
	while (list && *list && m->n_sockets < SK_ARRAY_SIZE(m->sockets)) {
		m->sockets[m->n_sockets++] = inherited(list);
		list = strchr(list, ',');
		list += list != NULL;
	}
}

static int parse_args(int argc, char **argv, struct sk_monitor *m, int *ret_owner_fd)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_opt_result parsed;
	struct monitor_args a = { 0 };

	if (sk_opt_parse(monitor_options, &sk_opt_gnu, &a, false, argc - 1, argv + 1, &parsed, &err) < 0) {
		fprintf(stderr, "%s: %s\n", argv[0], err.message);
		return -EINVAL;
	}
	if (!a.root || !a.run || !a.id || strlen(a.id) != 64)
		return -EINVAL;
	m->paths.root = (char *)(uintptr_t)a.root;
	m->paths.run = (char *)(uintptr_t)a.run;
	m->id = a.id;
	m->stand_in = a.stand_in;
	if (a.owner_fd)
		*ret_owner_fd = atoi(a.owner_fd);
	if (a.lock_fd)
		m->lock_fd = inherited(a.lock_fd);
	if (a.listen_fd)
		m->listen_fd = sk_socket_inherited(atoi(a.listen_fd));
	inherit_sockets(m, a.socket_fds);
	m->life.start_wanted = a.wanted;
	if (a.restarts)
		m->life.restarts = (unsigned)strtoul(a.restarts, NULL, 10);
	if (a.backoff_ms)
		m->life.backoff_ms = strtoull(a.backoff_ms, NULL, 10);
	return 0;
}

/* Must come before anything else is opened or allocated: the stand-in has a copy of all of it. */
static void fork_stand_in(const struct sk_monitor *m)
{
	_cleanup_free_ char *path = sk_asprintf("%s/containers/%s/vm.json", m->paths.root, m->id), *text = NULL;
	const char *rootfs;
	json_t *json = NULL;

	if (path && sk_fs_read(AT_FDCWD, path, SK_CONFIG_MAX, &text, NULL) == 0)
		json = json_loads(text, 0, NULL);
	rootfs = json_string_value(json_object_get(json_object_get(json, "rootfs"), "path"));
	sk_parent_fork(rootfs ? rootfs : "/", json_object_get(json, "mounts"),
		       json_object_get(json_object_get(json, "spec"), "mounts"));
	json_decref(json);
}

static int read_resolv_conf(void *arg, char *ret, size_t size)
{
	struct lifecycle *l = arg;

	return sk_keeper_resolv_conf(&l->keeper, ret, size);
}

int main(int argc, char **argv)
{
	static struct lifecycle l = {
		.m = { .clients = &sk_control_clients, .dirfd = -1, .lock_fd = -1, .log_fd = -1, .listen_fd = -1 },
		.keeper = { .fd = -1 },
	};
	struct sk_error err = SK_ERROR_INIT;
	struct sk_monitor *m = &l.m;
	int owner_fd = -1;

	m->policy = sk_policy_of(&m->config); /* until vm.json has been read */
	m->life.policy = m->policy->life;
	if (parse_args(argc, argv, m, &owner_fd) < 0)
		return usage();
	if (owner_fd >= 0 && ((owner_fd = sk_socket_inherited(owner_fd)) < 0 || sk_socket_nonblock(owner_fd) < 0))
		return usage();
	umask(077);
	if (sk_paths_check(&m->paths, &err) < 0) {
		fprintf(stderr, "skerry-monitor: %s\n", err.message);
		fail_early(m, owner_fd, &err);
		return 125;
	}
	if (m->stand_in)
		fork_stand_in(m);
	if (sk_keeper_start(&l.keeper, argv[0], &m->paths, m->id, &err) < 0 || set_up(m, owner_fd, &err) < 0) {
		fail_early(m, owner_fd, &err);
		sk_keeper_end(&l.keeper);
		return 125;
	}
	if (m->life.policy->restarts) {
		m->config.network.resolv_conf = read_resolv_conf;
		m->config.network.resolv_arg = &l;
	} else {
		sk_keeper_end(&l.keeper); /* managed containers are restarted and removed by whoever manages them */
	}
	if (m->life.restarts > 0)
		m->life.start_wanted = true;
	boot(m);
	if (sk_loop_run(m->loop) < 0)
		sk_log(SK_LOG_ERROR, "the event loop has failed");
	sk_guest_down(m);
	sk_policy_fini(m);
	sk_keeper_end(&l.keeper);
	return m->life.policy->exits_as ? m->life.exit_code : 0;
}
