/* SPDX-License-Identifier: Apache-2.0 */
/* A store with a container for tests of the monitor, and its clients' messages. See fixture.h. */
#include "fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/frame.h"
#include "base/fs.h"

int fx_store_init(struct fx_store *s)
{
	snprintf(s->root, sizeof(s->root), "/tmp/sk-test-vm-XXXXXX");
	return mkdtemp(s->root) ? sk_paths_init(&s->paths, s->root, NULL) : -1;
}

int fx_store_fini(struct fx_store *s)
{
	sk_paths_fini(&s->paths);
	return sk_fs_remove_tree(AT_FDCWD, s->root);
}

void fx_engine_script(const char *dir, const char *text)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/engine", dir);
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
	assert_int_equal(sk_fs_write_all(fd, text, strlen(text)), 0);
	close(fd);
	setenv("SKERRY_FAKE_ENGINE", path, 1);
}

char *fx_path(const struct fx_store *s, const char *name)
{
	return sk_asprintf("%s/containers/%s/%s", s->root, s->id, name);
}

void fx_new_container(struct fx_store *s, json_t *take_more)
{
	_cleanup_free_ char *text = NULL, *path = NULL, *dir = NULL;
	json_t *vm;

	sk_random_hex(s->id, 32);
	dir = fx_path(s, "");
	path = fx_path(s, "vm.json");
	assert_int_equal(mkdir(dir, 0700), 0);
	vm = json_pack("{s:i,s:s,s:s,s:i,s:{},s:{s:s,s:s}}", "version", 1, "id", s->id, "engine", "fake", "memory",
		       128 << 20, "spec", "rootfs", "type", "9p", "tag", "rootfs");
	assert_int_equal(json_object_update(vm, take_more ? take_more : vm), 0);
	text = json_dumps(vm, 0);
	json_decref(vm);
	json_decref(take_more);
	assert_int_equal(sk_fs_write_atomic(AT_FDCWD, path, text, strlen(text), 0600, false), 0);
}

json_t *fx_state(const struct fx_store *s)
{
	json_t *state = NULL;

	return sk_vm_state_load(&s->paths, s->id, &state, NULL) < 0 ? NULL : state;
}

const char *fx_status(const struct fx_store *s, char buf[32])
{
	json_t *state = fx_state(s);

	snprintf(buf, 32, "%s", state ? json_string_value(json_object_get(state, "status")) : "gone");
	json_decref(state);
	return buf;
}

void fx_wait_status(const struct fx_store *s, const char *wanted)
{
	char buf[32];
	int i;

	for (i = 0; i < FX_TRIES && strcmp(fx_status(s, buf), wanted) != 0; i++)
		usleep(10000);
	assert_string_equal(fx_status(s, buf), wanted);
}

void fx_send(int fd, const char *text)
{
	struct sk_buf buf;

	sk_buf_init(&buf, SK_FRAME_MAX + SK_FRAME_HEADER);
	assert_int_equal(sk_frame_put(&buf, SK_FRAME_JSON, text, strlen(text)), 0);
	assert_int_equal(sk_fs_write_all(fd, sk_buf_data(&buf), buf.len), 0);
	sk_buf_fini(&buf);
}

json_t *fx_receive(int fd)
{
	struct sk_frame frame;
	json_t *o = NULL;
	struct sk_buf in;
	uint8_t byte;

	sk_buf_init(&in, SK_FRAME_MAX + SK_FRAME_HEADER);
	while (!o && read(fd, &byte, 1) == 1) {
		assert_int_equal(sk_buf_append(&in, &byte, 1), 0);
		if (sk_frame_peek(&in, &frame) != 1)
			continue;
		if (frame.type == SK_FRAME_JSON)
			o = sk_frame_json(&frame);
		sk_frame_consume(&in, &frame);
	}
	sk_buf_fini(&in);
	return o;
}

void fx_expect_ok(int fd)
{
	json_t *o = fx_receive(fd);

	assert_true(json_is_true(json_object_get(o, "ok")));
	json_decref(o);
}
