/* SPDX-License-Identifier: Apache-2.0 */
/* File systems of a template: the right one is taken, damaged files are refused. */
#include "../sk_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "vm/disk_template.h"

#define MIB (UINT64_C(1) << 20)

static char dir[] = "/tmp/sk-test-template-XXXXXX";

static int setup(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return sk_fs_remove_tree(AT_FDCWD, dir);
}

static void number(struct sk_buf *b, uint64_t v)
{
	uint8_t bytes[8];
	unsigned i;

	for (i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(v >> (8 * i));
	assert_int_equal(sk_buf_append(b, bytes, sizeof(bytes)), 0);
}

/* One file system: a run at its end. */
static void system_of(struct sk_buf *b, uint64_t least, uint64_t most, uint64_t size, const char *text)
{
	number(b, least);
	number(b, most);
	number(b, size);
	number(b, size - strlen(text));
	number(b, strlen(text));
	assert_int_equal(sk_buf_append(b, text, strlen(text)), 0);
	number(b, 0);
	number(b, 0);
}

static void make(struct sk_buf *b)
{
	sk_buf_init(b, 4096);
	assert_int_equal(sk_buf_append(b, "SKDISK1\n", 8), 0);
	system_of(b, 16 * MIB, 31 * MIB, 16 * MIB, "small");
	system_of(b, 32 * MIB, 1024 * MIB, 32 * MIB, "large");
	system_of(b, 64 * MIB, 64 * MIB, 64 * MIB, "exact");
	number(b, 0);
}

/* The first byte of a block of the file, whose first is at 4 MiB; `ret` is "" if none was written. */
static int write_disk(const void *data, size_t len, uint64_t size, char ret[8])
{
	_cleanup_free_ char *path = sk_asprintf("%s/disk", dir);
	_cleanup_fd_ int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct sk_vhdx disk;
	struct stat st;
	int r;

	assert_true(fd >= 0);
	memset(ret, 0, 8);
	assert_int_equal(sk_vhdx_begin(&disk, fd, size), 0);
	r = sk_disk_template_write(data, len, size, &disk);
	if (r == 0 && fstat(fd, &st) == 0)
		assert_int_equal(pread(fd, ret, 5, st.st_size - 5), 5);
	sk_vhdx_fini(&disk);
	return r;
}

static void test_choice(void **state)
{
	struct sk_buf b;
	char text[8];

	(void)state;
	make(&b);
	assert_int_equal(write_disk(sk_buf_data(&b), b.len, 15 * MIB, text), -ERANGE);
	assert_int_equal(write_disk(sk_buf_data(&b), b.len, 16 * MIB, text), 0);
	assert_string_equal(text, "small");
	assert_int_equal(write_disk(sk_buf_data(&b), b.len, 31 * MIB, text), 0);
	assert_string_equal(text, "small");
	assert_int_equal(write_disk(sk_buf_data(&b), b.len, 63 * MIB, text), 0);
	assert_string_equal(text, "large");
	assert_int_equal(write_disk(sk_buf_data(&b), b.len, 64 * MIB, text), 0);
	assert_string_equal(text, "exact");
	assert_int_equal(write_disk(sk_buf_data(&b), b.len, 65 * MIB, text), 0);
	assert_string_equal(text, "large");
	assert_int_equal(write_disk(sk_buf_data(&b), b.len, 1025 * MIB, text), -ERANGE);
	sk_buf_fini(&b);
}

static void test_damaged(void **state)
{
	struct sk_buf b;
	char text[8];
	size_t i;

	(void)state;
	make(&b);
	for (i = 0; i < b.len; i++)
		assert_int_equal(write_disk(sk_buf_data(&b), i, 16 * MIB, text), -EINVAL);
	sk_buf_fini(&b);
	/* A file system that is larger than its disk; a run that leaves it. */
	sk_buf_init(&b, 4096);
	assert_int_equal(sk_buf_append(&b, "SKDISK1\n", 8), 0);
	system_of(&b, 16 * MIB, 16 * MIB, 17 * MIB, "large");
	number(&b, 0);
	assert_int_equal(write_disk(sk_buf_data(&b), b.len, 16 * MIB, text), -EINVAL);
	sk_buf_fini(&b);
	make(&b);
	((uint8_t *)(uintptr_t)sk_buf_data(&b))[8 + 24] += 1; /* the first run's offset */
	assert_int_equal(write_disk(sk_buf_data(&b), b.len, 16 * MIB, text), -EINVAL);
	sk_buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choice),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
