/* SPDX-License-Identifier: Apache-2.0 */
/* The VM of a sandbox on Linux: an engine process, and devices of ours over vhost-user. See sandbox_internal.h. */
#include "vm/sandbox_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "virtio/device.h"
#include "vm/device_socket.h"

#define SK_GUEST_CID 3u
#define SK_VSOCK_SOCKET "vsock"
#define SK_DEVICES_MAX 64u

struct sk_sandbox_vm {
	struct sk_engine_process process;
	struct sk_source *process_source;
	struct sk_device *vsock;
	struct sk_storage *storage;
};

static void on_vsock_lost(void *arg)
{
	struct sk_sandbox *s = arg;

	sk_console_drain(s->console);
	sk_sandbox_lost(s, "the guest kernel has closed its devices");
}

static void on_process(void *arg, int fd, unsigned events)
{
	struct sk_sandbox *s = arg;

	(void)fd;
	(void)events;
	sk_console_drain(s->console);
	sk_sandbox_lost_see_console(s, "the VM ended unexpectedly");
}

static void on_disk_trouble(void *arg, bool full, int failed)
{
	const struct sk_sandbox *s = arg;

	s->events->disk_trouble(s->arg, full, failed);
}

static int carrier_up(struct sk_sandbox *s, struct sk_error *err)
{
	int sock, r = sk_device_socket(s->config.run_dir, SK_VSOCK_SOCKET, &sock, err);

	return r < 0 ? r : sk_vsock_new(s->loop, sock, SK_GUEST_CID, on_vsock_lost, s, &s->vm->vsock, &s->carrier, err);
}

static int storage_up(struct sk_sandbox *s, struct sk_error *err)
{
	const struct sk_storage_config c = { .loop = s->loop,
					     .run_dir = s->config.run_dir,
					     .layers = s->config.layers,
					     .n_layers = s->config.n_layers,
					     .disks = s->config.disks,
					     .n_disks = s->config.n_disks,
					     .trouble = on_disk_trouble,
					     .arg = s };

	s->config.n_disks = 0; /* taken */
	return sk_storage_new(&c, &s->vm->storage, err);
}

static int engine_up(struct sk_sandbox *s, struct sk_error *err)
{
	struct sk_engine_device devices[SK_DEVICES_MAX];
	struct sk_sandbox_vm *vm = s->vm;
	_cleanup_fd_ int console = -1;
	struct sk_engine_config c = {
		.name = s->config.name,
		.run_dir = s->config.run_dir,
		.memory = s->config.memory,
		.cpus = s->config.cpus,
		.devices = devices,
		.settings = s->config.engine_settings,
	};
	size_t n = 0;
	int r = sk_sandbox_console_up(s, &console, err);

	if (r < 0)
		return r;
	c.console_fd = console;
	devices[n++] = (struct sk_engine_device){ .virtio_id = SK_VIRTIO_VSOCK, .socket = SK_VSOCK_SOCKET };
	n += sk_storage_engine_devices(vm->storage, devices + n, SK_DEVICES_MAX - n);
	n += sk_network_engine_devices(s->network, devices + n, SK_DEVICES_MAX - n);
	n += sk_shares_engine_devices(s->shares, devices + n, SK_DEVICES_MAX - n);
	c.n_devices = n;
	r = s->config.engine->start(&c, &vm->process, err);
	if (r < 0)
		return r;
	sk_shares_place(s->shares, &vm->process);
	vm->process_source = sk_loop_add_fd(s->loop, vm->process.pidfd, SK_LOOP_READ, on_process, s);
	if (!vm->process_source)
		return sk_error_errno(err, ENOMEM, "cannot watch the VM");
	return sk_sandbox_await_boot(s, err);
}

int sk_sandbox_vm_up(struct sk_sandbox *s, struct sk_error *err)
{
	int r;

	s->vm = calloc(1, sizeof(*s->vm));
	if (!s->vm)
		return sk_error_errno(err, ENOMEM, "cannot start the VM");
	s->vm->process = (struct sk_engine_process){ .pidfd = -1, .claim_fd = -1 };
	r = sk_device_socket_dir(s->config.run_dir, err);
	if (r == 0)
		r = carrier_up(s, err);
	if (r == 0)
		r = sk_sandbox_agent_up(s, err);
	if (r == 0)
		r = sk_sandbox_network_up(s, err);
	if (r == 0)
		r = sk_sandbox_shares_up(s, err);
	if (r == 0)
		r = storage_up(s, err);
	if (r == 0)
		r = engine_up(s, err);
	if (r < 0)
		return r;
	if (s->events->confine)
		s->events->confine(s->arg);
	/* Threads from here on: what was given up is given up for them too. */
	return sk_storage_run(s->vm->storage, err);
}

pid_t sk_sandbox_engine_pid(const struct sk_sandbox *s)
{
	return s && s->vm ? s->vm->process.pid : 0;
}

void sk_sandbox_find_disks(const struct sk_sandbox *s, unsigned n_layers, struct sk_disk_addresses *ret)
{
	(void)s;
	(void)n_layers;
	*ret = (struct sk_disk_addresses){ .layers = "serial:" SK_BLK_ID_READONLY,
					   .disk = "serial:" SK_BLK_ID_WRITABLE };
}

void sk_sandbox_vm_down(struct sk_sandbox *s)
{
	struct sk_sandbox_vm *vm = s->vm;

	if (!vm)
		return;
	sk_loop_remove(SK_TAKE_PTR(vm->process_source));
	if (vm->process.pid > 0) {
		if (vm->process.pidfd < 0 || syscall(SYS_pidfd_send_signal, vm->process.pidfd, SIGKILL, NULL, 0) < 0)
			kill(vm->process.pid, SIGKILL);
		waitpid(vm->process.pid, NULL, 0);
	}
	vm->process.pid = 0;
	sk_console_free(SK_TAKE_PTR(s->console)); /* its last words */
	sk_close_fd(&vm->process.pidfd);
	sk_close_fd(&vm->process.claim_fd);
}

void sk_sandbox_vm_free(struct sk_sandbox *s)
{
	if (!s->vm)
		return;
	sk_device_free(s->vm->vsock);
	sk_storage_free(s->vm->storage);
	free(SK_TAKE_PTR(s->vm));
}
