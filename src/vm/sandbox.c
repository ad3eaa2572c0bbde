/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One boot of a VM: device sockets in <run>/<id>/vu, the devices behind them, the engine process. Block devices block
 * on the host's disk, and the balloon while the host takes memory back, so they run on a thread with a loop of its own;
 * it shares nothing with the rest but the eventfd that ends it.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/process.h"
#include "base/socket.h"
#include "vm/monitor.h"

#define SK_GUEST_CID 3u
#define SK_CONSOLE_MAX (1u << 20)
#define SK_LAST_WORDS 16u /* reads of 4 KiB */
#define SK_PANIC "Kernel panic - not syncing"
#define SK_BAD_LAYER "SQUASHFS error: "
#define SK_LAYERS_SOCKET "layers"
#define SK_DISK_SOCKET "disk"
#define SK_BALLOON_SOCKET "balloon"

#define SK_FD_TABLE 512u /* descriptors of a monitor with some dozens of connections */

struct sk_blk_thread {
	pthread_t thread;
	bool running;
	int quit_fd;
	/* What the host's disk is; set by the thread, which then writes to full_fd. */
	atomic_bool full;
	atomic_int failed;
	int full_fd;
	struct sk_source *full_source;
	struct sk_loop *loop;
	struct sk_device *layers, *disk, *balloon;
};

static int device_socket(struct sk_monitor *m, const char *name, int *ret_fd, struct sk_error *err)
{
	_cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), dirfd = -1;
	struct sockaddr_un addr;
	char path[600];

	snprintf(path, sizeof(path), "%s/vu", m->run_dir);
	dirfd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || dirfd < 0)
		return sk_error_errno(err, errno, "cannot make device socket %s", name);
	unlinkat(dirfd, name, 0);
	/* Its directory is closed to all others; inside, the engine may be another user. */
	if (sk_socket_address(dirfd, name, &addr) < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    chmod(addr.sun_path, 0666) < 0 || listen(fd, 4) < 0)
		return sk_error_errno(err, errno, "cannot make device socket %s", name);
	*ret_fd = SK_TAKE_FD(fd);
	return 0;
}

static int new_layers(struct sk_monitor *m, struct sk_error *err)
{
	_cleanup_free_ struct sk_blk_part *parts = calloc(m->config.n_layers, sizeof(*parts));
	unsigned i, n = 0;
	int sock, r = 0;

	if (!parts)
		return sk_error_errno(err, ENOMEM, "cannot open the image's layers");
	for (i = 0; i < m->config.n_layers && r == 0; i++) {
		struct stat st;
		int fd = open(m->config.layers[i].path, O_RDONLY | O_CLOEXEC);

		if (fd < 0) {
			r = sk_error_errno(
				err, errno,
				"cannot open image layer %s (was the image removed by hand? pull or load it again)",
				m->config.layers[i].path);
			break;
		}
		parts[n].take_fd = fd;
		parts[n++].size = m->config.layers[i].size;
		if (fstat(fd, &st) < 0 || (uint64_t)st.st_size < m->config.layers[i].size)
			r = sk_error_set(err, EIO,
					 "image layer %s is cut short: remove the image and pull or load it again",
					 m->config.layers[i].path);
	}
	if (r == 0)
		r = device_socket(m, SK_LAYERS_SOCKET, &sock, err);
	if (r == 0)
		return sk_blk_new(m->blk->loop, sock, parts, n, true, &m->blk->layers, err);
	while (n)
		close(parts[--n].take_fd);
	return r;
}

static int new_disk(struct sk_monitor *m, struct sk_error *err)
{
	struct sk_blk_part part = { .take_fd = openat(m->dirfd, m->config.disk, O_RDWR | O_CLOEXEC | O_NOFOLLOW) };
	struct stat st;
	int sock, r;

	if (part.take_fd < 0 || fstat(part.take_fd, &st) < 0) {
		r = sk_error_errno(err, errno, "cannot open the container's disk %s", m->config.disk);
	} else {
		part.size = (uint64_t)st.st_size;
		/* Kept through restarts, so not where there may be one. */
		part.scratch = m->config.auto_remove && m->config.restart == SK_RESTART_NO;
		r = device_socket(m, SK_DISK_SOCKET, &sock, err);
	}
	if (r == 0)
		return sk_blk_new(m->blk->loop, sock, &part, 1, false, &m->blk->disk, err);
	if (part.take_fd >= 0)
		close(part.take_fd);
	return r;
}

/* In the thread. */
static void on_trouble(void *arg, bool is_full, int failed)
{
	struct sk_blk_thread *t = arg;
	uint64_t one = 1;

	atomic_store(&t->full, is_full);
	atomic_store(&t->failed, failed);
	if (write(t->full_fd, &one, sizeof(one)) < 0)
		sk_log(SK_LOG_ERROR, "cannot tell about the disk: %s", strerror(errno));
}

static void on_full_event(void *arg, int fd, unsigned events)
{
	struct sk_monitor *m = arg;
	uint64_t n;

	(void)events;
	if (read(fd, &n, sizeof(n)) == (ssize_t)sizeof(n))
		sk_monitor_disk_trouble(m, atomic_load(&m->blk->full), atomic_load(&m->blk->failed));
}

static int watch_full(struct sk_monitor *m, struct sk_error *err)
{
	struct sk_blk_thread *t = m->blk;

	if (!t->disk)
		return 0;
	t->full_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (t->full_fd >= 0)
		t->full_source = sk_loop_add_fd(m->loop, t->full_fd, SK_LOOP_READ, on_full_event, m);
	if (!t->full_source)
		return sk_error_errno(err, errno, "cannot watch the container's disk");
	sk_blk_on_trouble(t->disk, on_trouble, t);
	return 0;
}

static int new_balloon(struct sk_monitor *m, struct sk_error *err)
{
	int sock, r = device_socket(m, SK_BALLOON_SOCKET, &sock, err);

	return r < 0 ? r : sk_balloon_new(m->blk->loop, sock, &m->blk->balloon, err);
}

static void on_quit(void *arg, int fd, unsigned events)
{
	(void)fd;
	(void)events;
	sk_loop_quit(arg);
}

static void *blk_main(void *arg)
{
	struct sk_blk_thread *t = arg;

	pthread_setname_np(pthread_self(), "blk");
	if (sk_loop_run(t->loop) < 0)
		sk_log(SK_LOG_ERROR, "the block device thread has failed");
	return NULL;
}

static int blk_up(struct sk_monitor *m, struct sk_error *err)
{
	int r;

	m->blk = calloc(1, sizeof(*m->blk));
	if (!m->blk)
		return sk_error_errno(err, ENOMEM, "cannot start the block devices");
	m->blk->full_fd = -1;
	m->blk->quit_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = m->blk->quit_fd < 0 ? -errno : sk_loop_new(&m->blk->loop);
	if (r < 0)
		return sk_error_errno(err, r, "cannot start the block devices");
	if (!sk_loop_add_fd(m->blk->loop, m->blk->quit_fd, SK_LOOP_READ, on_quit, m->blk->loop))
		return sk_error_errno(err, errno, "cannot start the block devices");
	r = m->config.n_layers ? new_layers(m, err) : 0;
	if (r == 0 && m->config.disk)
		r = new_disk(m, err);
	if (r == 0)
		r = watch_full(m, err);
	if (r == 0)
		r = new_balloon(m, err);
	return r;
}

static int blk_run(struct sk_monitor *m, struct sk_error *err)
{
	sigset_t all, old;
	int r;

	sk_fd_table_grow(SK_FD_TABLE);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&m->blk->thread, NULL, blk_main, m->blk);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r)
		return sk_error_errno(err, r, "cannot start the block devices");
	m->blk->running = true;
	return 0;
}

static void blk_down(struct sk_monitor *m)
{
	struct sk_blk_thread *t = m->blk;
	uint64_t one = 1;

	if (!t)
		return;
	m->blk = NULL;
	if (t->running) {
		if (write(t->quit_fd, &one, sizeof(one)) < 0)
			sk_log(SK_LOG_ERROR, "cannot stop the block device thread");
		pthread_join(t->thread, NULL);
	}
	sk_device_free(t->layers);
	sk_device_free(t->disk);
	sk_device_free(t->balloon);
	sk_loop_free(t->loop);
	sk_loop_remove(t->full_source);
	sk_close_fd(&t->full_fd);
	if (t->quit_fd >= 0)
		close(t->quit_fd);
	free(t);
}

static int net_up(struct sk_monitor *m, struct sk_error *err)
{
	struct sk_slirp_config c = {
		.mtu = m->config.mtu,
		.no_host_loopback = !m->config.host_loopback || m->settings.no_host_loopback,
		.isolated = m->config.isolated,
		.forwards = m->config.forwards,
		.n_forwards = m->config.n_forwards,
	};
	int sock, r;

	if (m->managed && m->config.netns)
		return sk_managed_devices(m, device_socket, err);
	if (!m->config.network)
		return 0;
	memcpy(c.mac, m->config.mac, sizeof(c.mac));
	r = device_socket(m, "net", &sock, err);
	return r < 0 ? r : sk_net_slirp_new(m->loop, sock, &c, &m->net, err);
}

/* What the guest kernel says goes to log/console.log through us, the first SK_CONSOLE_MAX bytes of a boot: it must not
 * fill the host's disk. */
static void on_console(void *arg, int fd, unsigned events)
{
	struct sk_monitor *m = arg;
	char all[SK_CONSOLE_TAIL + 4096], *buf = all + SK_CONSOLE_TAIL;
	ssize_t n = read(fd, buf, sizeof(all) - SK_CONSOLE_TAIL);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		sk_loop_remove(m->console_source);
		m->console_source = NULL;
		return;
	}
	/* The VM is over before the guest kernel has ended its process. What a guest writes here can hurt itself only.
	 * The words may come in pieces. */
	memcpy(all, m->console_tail, SK_CONSOLE_TAIL);
	memcpy(m->console_tail, all + n, SK_CONSOLE_TAIL);
	if (memmem(all, SK_CONSOLE_TAIL + (size_t)n, SK_PANIC, sizeof(SK_PANIC) - 1))
		sk_monitor_lost(m, "the guest kernel panicked: see log/console.log in the container's directory");
	if (memmem(all, SK_CONSOLE_TAIL + (size_t)n, SK_BAD_LAYER, sizeof(SK_BAD_LAYER) - 1))
		sk_monitor_layers_damaged(m);
	if (m->console_bytes >= SK_CONSOLE_MAX)
		return;
	m->console_bytes += (size_t)n;
	if (sk_fs_write_all(m->console_log, buf, (size_t)n) < 0)
		m->console_bytes = SK_CONSOLE_MAX;
}

/* What the guest kernel has said last may say why it is gone. */
static void last_words(struct sk_monitor *m)
{
	unsigned i;

	for (i = 0; i < SK_LAST_WORDS && m->console_source; i++)
		on_console(m, m->console_fd, SK_LOOP_READ);
}

static void on_vsock_lost(void *arg)
{
	last_words(arg);
	sk_monitor_lost(arg, "the guest kernel has closed its devices");
}

static int devices_up(struct sk_monitor *m, struct sk_error *err)
{
	char path[600];
	int sock, r;

	snprintf(path, sizeof(path), "%s/vu", m->run_dir);
	/* 0711 whatever the umask: the engine passes through as another user; the directory above is closed. */
	if ((mkdir(path, 0711) < 0 && errno != EEXIST) || chmod(path, 0711) < 0)
		return sk_error_errno(err, errno, "cannot make %s", path);
	r = device_socket(m, "vsock", &sock, err);
	if (r == 0)
		r = sk_vsock_new(m->loop, sock, SK_GUEST_CID, on_vsock_lost, m, &m->vsock, &m->carrier, err);
	if (r == 0 && ((r = sk_session_listen(m)) < 0 || (r = sk_stdio_listen(m)) < 0))
		r = sk_error_errno(err, r, "cannot listen for the agent");
	if (r == 0)
		r = net_up(m, err);
	if (r == 0)
		r = sk_shares_up(m, device_socket, err);
	if (r == 0)
		r = blk_up(m, err);
	return r;
}

static void on_boot_timeout(void *arg)
{
	struct sk_monitor *m = arg;
	char why[200];

	snprintf(why, sizeof(why),
		 "the guest did not come up within %u s: see log/console.log in the container's directory "
		 "(\"start_timeout\" "
		 "of the configuration file says how long it may take)",
		 m->settings.start_timeout_ms / 1000);
	sk_monitor_lost(m, why);
}

static void on_process(void *arg, int fd, unsigned events)
{
	(void)fd;
	(void)events;
	last_words(arg);
	sk_monitor_lost(arg, "the VM ended unexpectedly: see log/console.log in the container's directory");
}

static int console_up(struct sk_monitor *m, int *ret_write_fd, struct sk_error *err)
{
	int pipefd[2];

	m->console_bytes = 0;
	memset(m->console_tail, 0, sizeof(m->console_tail));
	m->console_log =
		openat(m->dirfd, "log/console.log", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (m->console_log < 0 || pipe2(pipefd, O_CLOEXEC) < 0)
		return sk_error_errno(err, errno, "cannot open the console log");
	m->console_fd = pipefd[0];
	*ret_write_fd = pipefd[1];
	fcntl(m->console_fd, F_SETFL, O_NONBLOCK);
	m->console_source = sk_loop_add_fd(m->loop, m->console_fd, SK_LOOP_READ, on_console, m);
	return m->console_source ? 0 : sk_error_errno(err, ENOMEM, "cannot open the console log");
}

static struct sk_engine_device net_device(const struct sk_monitor *m)
{
	struct sk_engine_device d = { .virtio_id = SK_VIRTIO_NET, .socket = "net", .mtu = m->config.mtu };

	memcpy(d.mac, m->config.mac, sizeof(d.mac));
	return d;
}

static int engine_up(struct sk_monitor *m, struct sk_error *err)
{
	struct sk_engine_device devices[64];
	_cleanup_fd_ int console = -1;
	struct sk_engine_config c = {
		.name = m->id,
		.run_dir = m->run_dir,
		.memory = m->config.memory,
		.cpus = m->config.cpus,
		.devices = devices,
		.settings = &m->settings.engines,
	};
	int r = console_up(m, &console, err);

	if (r < 0)
		return r;
	c.console_fd = console;
	devices[c.n_devices++] = (struct sk_engine_device){ .virtio_id = SK_VIRTIO_VSOCK, .socket = "vsock" };
	if (m->blk->layers)
		devices[c.n_devices++] =
			(struct sk_engine_device){ .virtio_id = SK_VIRTIO_BLOCK, .socket = SK_LAYERS_SOCKET };
	if (m->blk->disk)
		devices[c.n_devices++] =
			(struct sk_engine_device){ .virtio_id = SK_VIRTIO_BLOCK, .socket = SK_DISK_SOCKET };
	if (m->net)
		devices[c.n_devices++] = net_device(m);
	devices[c.n_devices++] =
		(struct sk_engine_device){ .virtio_id = SK_VIRTIO_BALLOON, .socket = SK_BALLOON_SOCKET };
	c.n_devices += sk_managed_engine_devices(m, devices + c.n_devices, SK_ARRAY_SIZE(devices) - c.n_devices);
	c.n_devices += sk_shares_engine_devices(m, devices + c.n_devices, SK_ARRAY_SIZE(devices) - c.n_devices);
	r = m->engine->start(&c, &m->process, err);
	if (r < 0)
		return r;
	sk_shares_place(m);
	m->process_source = sk_loop_add_fd(m->loop, m->process.pidfd, SK_LOOP_READ, on_process, m);
	m->boot_timer = sk_loop_add_timer(m->loop, m->settings.start_timeout_ms, on_boot_timeout, m);
	return m->process_source && m->boot_timer ? 0 : sk_error_errno(err, ENOMEM, "cannot watch the VM");
}

/* The engine that the container was made for; "auto" is what the settings say now. */
static int choose_engine(struct sk_monitor *m, struct sk_error *err)
{
	const char *name = m->config.engine;
	int r;

	sk_settings_fini(&m->settings);
	r = sk_settings_init(&m->settings, err);
	if (r < 0)
		return r;
	if (strcmp(name, "auto") == 0)
		name = m->settings.engine;
	return sk_engine_find(name, &m->settings.engines, &m->engine, err);
}

int sk_sandbox_up(struct sk_monitor *m, struct sk_error *err)
{
	int r = choose_engine(m, err);

	if (r == 0)
		r = devices_up(m, err);
	if (r == 0)
		r = engine_up(m, err);
	if (r == 0) {
		sk_monitor_confine(m);
		/* Threads from here on: what was given up is given up for them too. */
		r = blk_run(m, err);
	}
	if (r < 0)
		sk_sandbox_down(m);
	return r;
}

static void engine_down(struct sk_monitor *m)
{
	sk_loop_remove(m->process_source);
	sk_loop_remove(m->boot_timer);
	m->process_source = m->boot_timer = NULL;
	if (m->process.pid > 0) {
		if (m->process.pidfd < 0 || syscall(SYS_pidfd_send_signal, m->process.pidfd, SIGKILL, NULL, 0) < 0)
			kill(m->process.pid, SIGKILL);
		waitpid(m->process.pid, NULL, 0);
	}
	if (m->console_source)
		on_console(m, m->console_fd, SK_LOOP_READ); /* its last words */
	sk_loop_remove(m->console_source);
	m->console_source = NULL;
	sk_close_fd(&m->console_fd);
	sk_close_fd(&m->console_log);
	if (m->process.pidfd >= 0)
		close(m->process.pidfd);
	if (m->process.claim_fd >= 0)
		close(m->process.claim_fd);
	m->process = (struct sk_engine_process){ .pidfd = -1, .claim_fd = -1 };
}

void sk_sandbox_down(struct sk_monitor *m)
{
	engine_down(m);
	sk_session_end(m);
	sk_shares_down(m);
	sk_managed_devices_down(m);
	sk_device_free(m->net);
	sk_device_free(m->vsock);
	m->net = m->vsock = NULL;
	m->carrier = NULL;
	blk_down(m);
}
