/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The VM of a sandbox on Windows: Hyper-V's (engine/hyperv.h). Nothing of ours is a device there. Layers and disks are
 * virtual hard disks (layers of a fixed size, base/vhd.h; disks that grow, base/vhdx.h), in the order of their numbers on
 * the SCSI controller, streams are Hyper-V's sockets, the console is a named pipe.
 *
 * Two things come from threads that are not the loop's: the end of the VM, from the service, and the bytes of the console,
 * from a thread that reads the pipe. Both go through a socket to the loop, and do nothing else.
 */
#include "vm/sandbox_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/platform/windows/system.h"
#include "base/vhd.h"
#include "base/vhdx.h"
#include "engine/hyperv.h"
#include "virtio/stream_kinds.h"

#define DISKS_MAX 64u
#define PIPE_BYTES 4096u
#define THREAD_MS 5000u
/* For tests: a directory, see stream_kinds.h. Each VM has one of its own in it. */
#define STREAMS_VARIABLE "SKERRY_TEST_STREAMS"

struct sk_sandbox_vm {
	struct sk_hyperv *hyperv;
	char *streams; /* the directory of the VM's TCP streams; NULL: Hyper-V's sockets carry them */
	int wake[2];   /* the loop's end, the service's */
	struct sk_source *source;
	wchar_t pipe_name[64];
	HANDLE pipe, thread;
	int console_fd; /* the thread's */
	char *paths[DISKS_MAX];
	struct sk_engine_disk disks[DISKS_MAX];
	unsigned n_disks;
};

/* ---- the console */

/* Reads until the VM has closed its end, or ours is closed. */
static DWORD WINAPI read_console(void *arg)
{
	struct sk_sandbox_vm *vm = arg;
	char buf[PIPE_BYTES];
	DWORD n;

	if (ConnectNamedPipe(vm->pipe, NULL) || GetLastError() == ERROR_PIPE_CONNECTED)
		while (ReadFile(vm->pipe, buf, sizeof(buf), &n, NULL) && n)
			if (sk_fs_write_all(vm->console_fd, buf, n) < 0)
				break;
	sk_close_fd(&vm->console_fd);
	return 0;
}

static int console_up(struct sk_sandbox *s, struct sk_error *err)
{
	struct sk_sandbox_vm *vm = s->vm;
	char name[33];
	int r = sk_sandbox_console_up(s, &vm->console_fd, err);

	if (r < 0)
		return r;
	sk_random_hex(name, 16);
	swprintf(vm->pipe_name, SK_ARRAY_SIZE(vm->pipe_name), L"\\\\.\\pipe\\skerry-%hs", name);
	vm->pipe = CreateNamedPipeW(vm->pipe_name, PIPE_ACCESS_INBOUND | FILE_FLAG_FIRST_PIPE_INSTANCE,
				    PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS, 1, PIPE_BYTES, PIPE_BYTES, 0, NULL);
	if (vm->pipe != INVALID_HANDLE_VALUE)
		vm->thread = CreateThread(NULL, 0, read_console, vm, 0, NULL);
	return vm->thread ? 0 : sk_error_errno(err, sk_win_errno(GetLastError()), "cannot open the console");
}

/* A thread that waits for the VM to open the pipe gets us instead. */
static void console_down(struct sk_sandbox_vm *vm)
{
	HANDLE h;

	if (vm->thread) {
		h = CreateFileW(vm->pipe_name, GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
		if (h != INVALID_HANDLE_VALUE)
			CloseHandle(h);
		if (WaitForSingleObject(vm->thread, THREAD_MS) != WAIT_OBJECT_0)
			CancelSynchronousIo(vm->thread);
		WaitForSingleObject(vm->thread, INFINITE);
		CloseHandle(vm->thread);
	}
	if (vm->pipe != INVALID_HANDLE_VALUE)
		CloseHandle(vm->pipe);
	vm->thread = NULL;
	vm->pipe = INVALID_HANDLE_VALUE;
	sk_close_fd(&vm->console_fd);
}

/* ---- disks */

/* Hyper-V knows a disk's format by its name: each is linked into the run directory as one. */
static int add_disk(struct sk_sandbox *s, const char *path, bool readonly, struct sk_error *err)
{
	struct sk_sandbox_vm *vm = s->vm;
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool grows = !readonly && sk_vhdx_is(fd);
	char *link;

	if (fd < 0)
		return sk_error_errno(err, errno,
				      "cannot open disk %s of the VM (was an image removed by hand? load it again)",
				      path);
	if (!grows && !sk_vhd_size(fd))
		return sk_error_set(
			err, EIO,
			"%s is no virtual hard disk: it was made on another system, or is cut short. Remove "
			"the image or container, and make it again on this one",
			path);
	if (vm->n_disks == DISKS_MAX)
		return sk_error_set(err, E2BIG, "a VM has at most %u layers and disks", DISKS_MAX);
	link = sk_asprintf("%s/disk%u.%s", s->config.run_dir, vm->n_disks, grows ? "vhdx" : "vhd");
	if (!link)
		return sk_error_errno(err, ENOMEM, "cannot start the VM");
	vm->paths[vm->n_disks] = link;
	if (linkat(AT_FDCWD, path, AT_FDCWD, link, 0) < 0)
		return sk_error_errno(err, errno, "cannot link disk %s to %s", path, link);
	vm->disks[vm->n_disks++] = (struct sk_engine_disk){ .path = link, .readonly = readonly };
	return 0;
}

static int disks_up(struct sk_sandbox *s, struct sk_error *err)
{
	struct sk_sandbox_config *c = &s->config;
	unsigned i, n = c->n_disks;
	int r = 0;

	/* The VM opens them for itself alone. */
	for (i = 0; i < n; i++)
		close(c->disks[i].take_fd);
	c->n_disks = 0;
	for (i = 0; r == 0 && i < c->n_layers; i++)
		r = add_disk(s, c->layers[i].path, true, err);
	for (i = 0; r == 0 && i < n; i++) {
		if (c->disks[i].serial)
			r = sk_error_set(err, EOPNOTSUPP,
					 "disk %s: a VM on Windows has no disks but its container's own",
					 c->disks[i].serial);
		if (r == 0)
			r = add_disk(s, c->disks[i].path, c->disks[i].readonly, err);
	}
	return r;
}

void sk_sandbox_find_disks(const struct sk_sandbox *s, unsigned n_layers, struct sk_disk_addresses *ret)
{
	(void)s;
	*ret = (struct sk_disk_addresses){ .layers = "lun:0", .apart = true };
	snprintf(ret->disk, sizeof(ret->disk), "lun:%u", n_layers);
}

/* ---- the VM */

/* A thread of the service's. */
static void on_ended(void *arg)
{
	const struct sk_sandbox_vm *vm = arg;

	(void)send(vm->wake[1], "", 1, 0);
}

static void on_wake(void *arg, int fd, unsigned events)
{
	struct sk_sandbox *s = arg;
	char why[128];

	(void)fd;
	(void)events;
	sk_loop_remove(SK_TAKE_PTR(s->vm->source));
	sk_console_drain(s->console);
	sk_hyperv_end(s->vm->hyperv, why, sizeof(why));
	sk_sandbox_lost_see_console(s, *why ? why : "the VM ended unexpectedly");
}

static int watch_end(struct sk_sandbox *s, struct sk_error *err)
{
	struct sk_sandbox_vm *vm = s->vm;

	if (socketpair(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0, vm->wake) < 0)
		return sk_error_errno(err, errno, "cannot watch the VM");
	vm->source = sk_loop_add_fd(s->loop, vm->wake[0], SK_LOOP_READ, on_wake, s);
	return vm->source ? 0 : sk_error_errno(err, ENOMEM, "cannot watch the VM");
}

static int make(struct sk_sandbox *s, struct sk_error *err)
{
	static const uint32_t ports[] = { SK_PORT_CONTROL, SK_PORT_STREAM };
	struct sk_sandbox_vm *vm = s->vm;
	_cleanup_free_ char *pipe = sk_win_utf8(vm->pipe_name, wcslen(vm->pipe_name));
	const struct sk_engine_config engine = {
		.name = s->config.name,
		.run_dir = s->config.run_dir,
		.memory = s->config.memory,
		.cpus = s->config.cpus,
		.disks = vm->disks,
		.n_disks = vm->n_disks,
		.ports = ports,
		.n_ports = SK_ARRAY_SIZE(ports),
		.console_fd = -1,
		.settings = s->config.engine_settings,
	};
	const struct sk_hyperv_config c = { .engine = &engine, .console_pipe = pipe, .ended = on_ended, .arg = vm };

	return pipe ? sk_hyperv_new(&c, &vm->hyperv, err) : sk_error_errno(err, ENOMEM, "cannot make a VM");
}

static int carrier_up(struct sk_sandbox *s, struct sk_error *err)
{
	const char *dir = getenv(STREAMS_VARIABLE), *address = sk_hyperv_address(s->vm->hyperv);
	int r;

	if (dir && *dir) {
		s->vm->streams = sk_asprintf("%s/%s", dir, address);
		r = s->vm->streams ? sk_fs_mkdir_p(s->vm->streams, 0700) : -ENOMEM;
		if (r == 0)
			r = sk_socket_carrier_new(s->loop, &sk_socket_tcp, s->vm->streams, &s->carrier);
	} else {
		r = sk_socket_carrier_new(s->loop, &sk_socket_hyperv, (void *)(uintptr_t)address, &s->carrier);
	}
	return r < 0 ? sk_error_errno(err, r, "cannot listen for the guest") : 0;
}

int sk_sandbox_vm_up(struct sk_sandbox *s, struct sk_error *err)
{
	struct sk_sandbox_vm *vm = s->vm = calloc(1, sizeof(*vm));
	int r;

	if (!vm)
		return sk_error_errno(err, ENOMEM, "cannot start the VM");
	vm->wake[0] = vm->wake[1] = vm->console_fd = -1;
	vm->pipe = INVALID_HANDLE_VALUE;
	r = disks_up(s, err);
	if (r == 0)
		r = console_up(s, err);
	if (r == 0)
		r = watch_end(s, err);
	if (r == 0)
		r = make(s, err);
	if (r == 0)
		r = carrier_up(s, err);
	if (r == 0)
		r = sk_sandbox_agent_up(s, err);
	if (r == 0)
		r = sk_sandbox_network_up(s, err);
	if (r == 0)
		r = sk_sandbox_shares_up(s, err);
	if (r == 0)
		r = sk_hyperv_start(vm->hyperv, err);
	if (r < 0)
		return r;
	if (s->events->confine)
		s->events->confine(s->arg);
	return sk_sandbox_await_boot(s, err);
}

pid_t sk_sandbox_engine_pid(const struct sk_sandbox *s)
{
	(void)s;
	return 0; /* it is the service's */
}

void sk_sandbox_vm_down(struct sk_sandbox *s)
{
	struct sk_sandbox_vm *vm = s->vm;

	if (!vm)
		return;
	sk_loop_remove(SK_TAKE_PTR(vm->source));
	sk_hyperv_free(SK_TAKE_PTR(vm->hyperv));
	console_down(vm);
	sk_console_free(SK_TAKE_PTR(s->console)); /* its last words */
}

void sk_sandbox_vm_free(struct sk_sandbox *s)
{
	struct sk_sandbox_vm *vm = s->vm;
	unsigned i;

	sk_socket_carrier_free(SK_TAKE_PTR(s->carrier));
	if (!vm)
		return;
	for (i = 0; i < vm->n_disks; i++)
		unlink(vm->paths[i]);
	for (i = 0; i < DISKS_MAX; i++)
		free(vm->paths[i]);
	sk_close_fd(&vm->wake[0]);
	sk_close_fd(&vm->wake[1]);
	free(vm->streams);
	free(SK_TAKE_PTR(s->vm));
}
