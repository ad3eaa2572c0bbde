/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Block devices block on the host's disk, and the balloon while the host takes memory back, so they run on a thread
 * with a loop of its own. It shares nothing with the rest but the eventfd that ends it, and what it has to tell of the
 * host's disk: two atomics and an eventfd that says that they have changed.
 */
#include "vm/storage.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/process.h"
#include "virtio/device.h"
#include "vm/device_socket.h"

#define SK_LAYERS_SOCKET "layers"
#define SK_BALLOON_SOCKET "balloon"
#define SK_FD_TABLE 512u /* descriptors of a monitor with some dozens of connections */

struct sk_storage {
	pthread_t thread;
	bool running;
	int quit_fd;
	/* What the host says of each disk; set by the thread, which then writes to full_fd. */
	struct disk_trouble {
		struct sk_storage *storage;
		atomic_bool full;
		atomic_int failed;
	} said[SK_SANDBOX_DISKS];
	int full_fd;
	struct sk_source *full_source;
	struct sk_loop *loop;
	struct sk_device *layers, *disks[SK_SANDBOX_DISKS], *balloon;
	unsigned n_disks;
	void (*trouble)(void *arg, bool is_full, int failed);
	void *arg;
};

static const char *const disk_sockets[SK_SANDBOX_DISKS] = { "disk",  "disk1", "disk2", "disk3",
							    "disk4", "disk5", "disk6", "disk7" };

static int open_layer(const struct sk_sandbox_layer *layer, int *ret_fd, struct sk_error *err)
{
	_cleanup_fd_ int fd = open(layer->path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return sk_error_errno(
			err, errno, "cannot open image layer %s (was the image removed by hand? pull or load it again)",
			layer->path);
	if (fstat(fd, &st) < 0 || (uint64_t)st.st_size < layer->size)
		return sk_error_set(err, EIO, "image layer %s is cut short: remove the image and pull or load it again",
				    layer->path);
	*ret_fd = SK_TAKE_FD(fd);
	return 0;
}

static int new_layers(struct sk_storage *b, const struct sk_storage_config *config, struct sk_error *err)
{
	_cleanup_free_ struct sk_blk_part *parts = calloc(config->n_layers, sizeof(*parts));
	unsigned n = 0;
	int sock, r = 0;

	if (!parts)
		return sk_error_errno(err, ENOMEM, "cannot open the image's layers");
	while (r == 0 && n < config->n_layers) {
		r = open_layer(&config->layers[n], &parts[n].take_fd, err);
		if (r == 0) {
			parts[n].size = config->layers[n].size;
			n++;
		}
	}
	if (r == 0)
		r = sk_device_socket(config->run_dir, SK_LAYERS_SOCKET, &sock, err);
	if (r == 0)
		return sk_blk_new(b->loop, sock, parts, n, true, &b->layers, err);
	while (n)
		close(parts[--n].take_fd);
	return r;
}

/* In the thread. */
static void on_trouble(void *arg, bool is_full, int failed)
{
	struct disk_trouble *t = arg;
	uint64_t one = 1;

	atomic_store(&t->full, is_full);
	atomic_store(&t->failed, failed);
	if (write(t->storage->full_fd, &one, sizeof(one)) < 0)
		sk_log(SK_LOG_ERROR, "cannot tell about the disk: %s", strerror(errno));
}

static void on_full_event(void *arg, int fd, unsigned events)
{
	struct sk_storage *b = arg;
	bool is_full = false;
	int failed = 0;
	unsigned i;
	uint64_t n;

	(void)events;
	if (read(fd, &n, sizeof(n)) != (ssize_t)sizeof(n))
		return;
	for (i = 0; i < b->n_disks; i++) {
		is_full |= atomic_load(&b->said[i].full);
		if (!failed)
			failed = atomic_load(&b->said[i].failed);
	}
	b->trouble(b->arg, is_full, failed);
}

static int watch_full(struct sk_storage *b, struct sk_loop *loop, struct sk_error *err)
{
	b->full_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (b->full_fd >= 0)
		b->full_source = sk_loop_add_fd(loop, b->full_fd, SK_LOOP_READ, on_full_event, b);
	return b->full_source ? 0 : sk_error_errno(err, errno, "cannot watch the disk");
}

static int new_disk(struct sk_storage *b, const struct sk_storage_config *config, struct sk_blk_part *part,
		    const struct sk_sandbox_disk *disk, struct sk_error *err)
{
	const char *serial = disk->serial;
	struct stat st;
	int sock, r;

	if (fstat(part->take_fd, &st) < 0)
		return sk_error_errno(err, errno, "cannot open a disk of the VM");
	part->size = (uint64_t)st.st_size;
	r = sk_device_socket(config->run_dir, disk_sockets[b->n_disks], &sock, err);
	if (r < 0)
		return r;
	r = sk_blk_new(b->loop, sock, part, 1, disk->readonly, &b->disks[b->n_disks], err);
	part->take_fd = -1;
	if (r < 0)
		return r;
	if (serial)
		sk_blk_set_id(b->disks[b->n_disks], serial);
	b->said[b->n_disks].storage = b;
	sk_blk_on_trouble(b->disks[b->n_disks], on_trouble, &b->said[b->n_disks]);
	b->n_disks++;
	return 0;
}

static int new_disks(struct sk_storage *b, const struct sk_storage_config *config, struct sk_error *err)
{
	unsigned i;
	int r = config->n_disks ? watch_full(b, config->loop, err) : 0;

	if (config->n_disks > SK_SANDBOX_DISKS)
		r = sk_error_set(err, E2BIG, "a VM has at most %u disks", SK_SANDBOX_DISKS);
	for (i = 0; i < config->n_disks; i++) {
		struct sk_blk_part part = { .take_fd = config->disks[i].take_fd, .scratch = config->disks[i].scratch };

		if (r == 0)
			r = new_disk(b, config, &part, &config->disks[i], err);
		sk_close_fd(&part.take_fd);
	}
	return r;
}

static int new_balloon(struct sk_storage *b, const char *run_dir, struct sk_error *err)
{
	int sock, r = sk_device_socket(run_dir, SK_BALLOON_SOCKET, &sock, err);

	return r < 0 ? r : sk_balloon_new(b->loop, sock, &b->balloon, err);
}

static void on_quit(void *arg, int fd, unsigned events)
{
	(void)fd;
	(void)events;
	sk_loop_quit(arg);
}

static void *blk_main(void *arg)
{
	struct sk_storage *b = arg;

	pthread_setname_np(pthread_self(), "blk");
	if (sk_loop_run(b->loop) < 0)
		sk_log(SK_LOG_ERROR, "the block device thread has failed");
	return NULL;
}

static int new_loop(struct sk_storage *b, struct sk_error *err)
{
	int r;

	b->quit_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = b->quit_fd < 0 ? -errno : sk_loop_new(&b->loop);
	if (r == 0 && !sk_loop_add_fd(b->loop, b->quit_fd, SK_LOOP_READ, on_quit, b->loop))
		r = -errno;
	return r < 0 ? sk_error_errno(err, r, "cannot start the block devices") : 0;
}

int sk_storage_new(const struct sk_storage_config *config, struct sk_storage **ret_storage, struct sk_error *err)
{
	struct sk_storage *b = calloc(1, sizeof(*b));
	unsigned i;
	int r;

	if (!b) {
		r = sk_error_errno(err, ENOMEM, "cannot start the block devices");
	} else {
		b->full_fd = b->quit_fd = -1;
		b->trouble = config->trouble;
		b->arg = config->arg;
		r = new_loop(b, err);
	}
	if (r == 0 && config->n_layers)
		r = new_layers(b, config, err);
	if (r < 0) {
		for (i = 0; i < config->n_disks; i++)
			close(config->disks[i].take_fd);
	} else {
		r = new_disks(b, config, err);
	}
	if (r == 0)
		r = new_balloon(b, config->run_dir, err);
	if (r == 0)
		*ret_storage = b;
	else
		sk_storage_free(b);
	return r;
}

int sk_storage_run(struct sk_storage *b, struct sk_error *err)
{
	sigset_t all, old;
	int r;

	sk_fd_table_grow(SK_FD_TABLE);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&b->thread, NULL, blk_main, b);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r)
		return sk_error_errno(err, r, "cannot start the block devices");
	b->running = true;
	return 0;
}

size_t sk_storage_engine_devices(const struct sk_storage *b, struct sk_engine_device *ret, size_t max)
{
	size_t n = 0;
	unsigned i;

	if (b->layers && n < max)
		ret[n++] = (struct sk_engine_device){ .virtio_id = SK_VIRTIO_BLOCK, .socket = SK_LAYERS_SOCKET };
	for (i = 0; i < b->n_disks && n < max; i++)
		ret[n++] = (struct sk_engine_device){ .virtio_id = SK_VIRTIO_BLOCK, .socket = disk_sockets[i] };
	if (n < max)
		ret[n++] = (struct sk_engine_device){ .virtio_id = SK_VIRTIO_BALLOON, .socket = SK_BALLOON_SOCKET };
	return n;
}

void sk_storage_free(struct sk_storage *b)
{
	uint64_t one = 1;
	unsigned i;

	if (!b)
		return;
	if (b->running) {
		if (write(b->quit_fd, &one, sizeof(one)) < 0)
			sk_log(SK_LOG_ERROR, "cannot stop the block device thread");
		pthread_join(b->thread, NULL);
	}
	sk_device_free(b->layers);
	for (i = 0; i < b->n_disks; i++)
		sk_device_free(b->disks[i]);
	sk_device_free(b->balloon);
	sk_loop_free(b->loop);
	sk_loop_remove(b->full_source);
	sk_close_fd(&b->full_fd);
	sk_close_fd(&b->quit_fd);
	free(b);
}
