/* SPDX-License-Identifier: Apache-2.0 */
/*
 * standin_engine PORT STREAMS MEMORY CPUS ENGINE [ro:|rw:]DISK…
 *
 * The guest behind the stand-in for computecore.dll (computecore.c): a program of the host, which Wine starts, and which
 * boots a real guest with an engine for Linux. What Hyper-V would do is done here: the disks of the VM's description are
 * block devices whose serial numbers are "lun:0", "lun:1", …, of which those that grow (VHDX) are read and written by QEMU, which
 * shows each as a file (qemu-storage-daemon, by FUSE); a connection of the guest's to vsock port N is carried to the
 * TCP port that STREAMS/host-N names (src/virtio/stream_kinds.h). MEMORY is in MiB.
 *
 * It connects to PORT of loopback: what it sends there is the guest's console. It ends when the guest does, or when that
 * connection ends. The guest's parts are in $SKERRY_STANDIN_GUEST.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/process.h"
#include "base/vhd.h"
#include "base/vhdx.h"
#include "engine/engine.h"
#include "proto/message.h"
#include "virtio/device.h"
#include "vm/device_socket.h"
#include "vm/relay.h"

#define DISKS 32
#define CID 3u
#define VIEW_TRIES 1000u /* 5 ms each */

static struct {
	struct sk_loop *loop;
	const char *streams;
	char run_dir[32];
	struct sk_device *vsock, *disks[DISKS];
	struct sk_carrier *carrier;
	struct sk_engine_device devices[DISKS + 1];
	char names[DISKS][16];
	unsigned n_disks;
	sk_pid views[DISKS]; /* of QEMU, for disks that grow */
	struct sk_engine_process process;
	int console;
} e = { .run_dir = "/tmp/sk-standin-XXXXXX", .process = { .pidfd = -1, .claim_fd = -1 } };

static void on_relay_done(void *arg, struct sk_relay *relay)
{
	(void)arg;
	sk_relay_free(relay);
}

static int connect_to(const char *port)
{
	_cleanup_fd_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	address.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
	return fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -1 : SK_TAKE_FD(fd);
}

static int connect_to_host(uint32_t port)
{
	_cleanup_free_ char *path = sk_asprintf("%s/host-%u", e.streams, port), *text = NULL;
	int fd = path && sk_fs_read(AT_FDCWD, path, 16, &text, NULL) == 0 ? connect_to(text) : -1;

	if (fd >= 0)
		fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static bool on_stream(void *arg, struct sk_stream *stream, uint32_t guest_port)
{
	const uint32_t *port = arg;
	struct sk_relay *relay;
	int fd = connect_to_host(*port);

	(void)guest_port;
	if (fd < 0)
		return false;
	relay = sk_relay_new(e.loop, fd, on_relay_done, NULL);
	if (relay)
		sk_relay_join(relay, stream, NULL, 0);
	return relay != NULL;
}

static int wait_for_view(const char *view, unsigned n, struct sk_blk_part *part, struct sk_error *err)
{
	struct stat st = { 0 };
	unsigned i;

	for (i = 0; i < VIEW_TRIES && sk_process_runs(e.views[n], -1, 5); i++)
		if (stat(view, &st) == 0 && st.st_size)
			break;
	part->take_fd = st.st_size ? open(view, O_RDWR | O_CLOEXEC) : -1;
	part->size = (uint64_t)st.st_size;
	return part->take_fd < 0
		       ? sk_error_set(err, EIO, "qemu-storage-daemon does not show disk %u (is /dev/fuse there?)", n)
		       : 0;
}

/* Its sectors as a file, which is there until that program ends. */
static int show_disk(const char *path, unsigned n, struct sk_blk_part *part, struct sk_error *err)
{
	_cleanup_free_ char *view = sk_asprintf("%s/view%u", e.run_dir, n);
	_cleanup_free_ char *export = sk_asprintf("type=fuse,id=view,node-name=disk,mountpoint=%s,writable=on", view);
	json_t *disk = json_pack("{s:s,s:s,s:s,s:{s:s,s:s,s:s}}", "driver", "vhdx", "node-name", "disk", "discard",
				 "unmap", "file", "driver", "file", "filename", path, "locking", "off");
	_cleanup_free_ char *text = json_dumps(disk, JSON_COMPACT);
	const char *argv[] = { "qemu-storage-daemon", "--blockdev", text, "--export", export, NULL };
	struct sk_spawn s = SK_SPAWN_INIT;
	int fd = view ? open(view, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1, r;

	json_decref(disk);
	if (fd < 0 || !export || !text)
		return sk_error_errno(err, errno, "cannot show disk %s", path);
	close(fd);
	s.file = argv[0];
	s.argv = argv;
	s.stderr_fd = e.console;
	s.die_with_parent = true;
	r = sk_spawn(&s, &e.views[n], NULL, err);
	return r < 0 ? r : wait_for_view(view, n, part, err);
}

static void hide_disks(void)
{
	unsigned i;

	for (i = 0; i < DISKS; i++)
		if (e.views[i] > 0) {
			kill(e.views[i], SIGTERM);
			sk_wait(e.views[i]);
		}
}

static int add_disk(const char *word, struct sk_error *err)
{
	bool readonly = strncmp(word, "ro:", 3) == 0;
	struct sk_blk_part part = { .take_fd = open(word + 3, (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC) };
	bool grows = part.take_fd >= 0 && sk_vhdx_is(part.take_fd);
	char serial[SK_BLK_ID_MAX + 1];
	unsigned n = e.n_disks;
	int sock, r;

	if (n == DISKS || part.take_fd < 0)
		return sk_error_errno(err, errno, "%s", word);
	if (grows) {
		close(part.take_fd);
		r = show_disk(word + 3, n, &part, err);
	} else {
		part.size = sk_vhd_size(part.take_fd);
		r = part.size ? 0 : sk_error_set(err, EINVAL, "%s is no virtual hard disk", word);
	}
	if (r < 0)
		return r;
	snprintf(e.names[n], sizeof(e.names[n]), "disk%u", n);
	snprintf(serial, sizeof(serial), "lun:%u", n);
	r = sk_device_socket(e.run_dir, e.names[n], &sock, err);
	if (r == 0)
		r = sk_blk_new(e.loop, sock, &part, 1, readonly, &e.disks[n], err);
	if (r < 0)
		return r;
	sk_blk_set_id(e.disks[n], serial);
	e.devices[1 + n] = (struct sk_engine_device){ .virtio_id = SK_VIRTIO_BLOCK, .socket = e.names[n] };
	e.n_disks++;
	return 0;
}

static int make_devices(int n, char **disks, struct sk_error *err)
{
	static uint32_t ports[] = { SK_PORT_CONTROL, SK_PORT_STREAM };
	int sock, i, r = sk_device_socket_dir(e.run_dir, err);

	if (r == 0)
		r = sk_device_socket(e.run_dir, "vsock", &sock, err);
	if (r == 0)
		r = sk_vsock_new(e.loop, sock, CID, NULL, NULL, &e.vsock, &e.carrier, err);
	e.devices[0] = (struct sk_engine_device){ .virtio_id = SK_VIRTIO_VSOCK, .socket = "vsock" };
	for (i = 0; r == 0 && i < 2; i++)
		r = sk_carrier_listen(e.carrier, ports[i], on_stream, &ports[i]);
	for (i = 0; r == 0 && i < n; i++)
		r = add_disk(disks[i], err);
	return r;
}

static void on_end(void *arg, int fd, unsigned events)
{
	(void)arg;
	(void)fd;
	(void)events;
	sk_loop_quit(e.loop);
}

static int run(int argc, char **argv, struct sk_error *err)
{
	const struct sk_engine_settings settings = { .sandbox = SK_CONFINEMENT_FILTER };
	struct sk_engine_config config = { .name = "standin",
					   .run_dir = e.run_dir,
					   .devices = e.devices,
					   .console_fd = e.console,
					   .settings = &settings };
	const struct sk_engine *engine = NULL;
	int r = sk_loop_new(&e.loop);

	e.streams = argv[2];
	config.memory = strtoull(argv[3], NULL, 10) << 20;
	config.cpus = (unsigned)strtoul(argv[4], NULL, 10);
	if (r < 0 || !mkdtemp(e.run_dir))
		return sk_error_errno(err, errno, "cannot start");
	r = sk_engine_find(argv[5], &settings, &engine, err);
	if (r == 0)
		r = make_devices(argc - 6, argv + 6, err);
	config.n_devices = 1 + e.n_disks;
	if (r == 0)
		r = engine->start(&config, &e.process, err);
	if (r < 0)
		return r;
	if (!sk_loop_add_fd(e.loop, e.process.pidfd, SK_LOOP_READ, on_end, NULL) ||
	    !sk_loop_add_fd(e.loop, e.console, SK_LOOP_READ, on_end, NULL))
		return sk_error_errno(err, errno, "cannot watch the guest");
	return sk_loop_run(e.loop);
}

int main(int argc, char **argv)
{
	const char *guest = getenv("SKERRY_STANDIN_GUEST");
	struct sk_error err = SK_ERROR_INIT;
	int n, r;

	if (argc < 6 || !guest) {
		fputs("usage: standin_engine PORT STREAMS MEMORY CPUS ENGINE [ro:|rw:]DISK…, with "
		      "SKERRY_STANDIN_GUEST\n",
		      stderr);
		return 2;
	}
	setenv("SKERRY_GUEST_DIR", guest, 1);
	signal(SIGPIPE, SIG_IGN);
	e.console = connect_to(argv[1]);
	if (e.console < 0)
		return 1;
	sk_log_init(e.console, SK_LOG_WARN);
	r = run(argc, argv, &err);
	if (r < 0)
		dprintf(e.console, "standin_engine: %s\n", err.message);
	if (e.process.pid > 0) {
		kill(e.process.pid, SIGKILL);
		waitpid(e.process.pid, NULL, 0);
	}
	for (n = 0; n < DISKS; n++)
		sk_device_free(e.disks[n]);
	hide_disks();
	sk_fs_remove_tree(AT_FDCWD, e.run_dir);
	return r < 0 ? 1 : 0;
}
