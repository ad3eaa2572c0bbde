/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual hard disks of a fixed size: what the specification's fields say, and files that become one. */
#include "../sk_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/vhd.h"

static char dir[] = "/tmp/sk-test-vhd-XXXXXX";

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

static uint64_t number(const uint8_t *p, unsigned n)
{
	uint64_t v = 0;

	while (n--)
		v = v << 8 | *p++;
	return v;
}

static void test_footer(void **state)
{
	const uint64_t size = 64ull << 30;
	uint8_t f[SK_VHD_FOOTER];
	uint32_t sum = 0;
	unsigned i;

	(void)state;
	sk_vhd_footer(size, f);
	assert_memory_equal(f, "conectix", 8);
	assert_int_equal(number(f + 8, 4), 2);
	assert_int_equal(number(f + 12, 4), 0x10000);
	assert_true(number(f + 16, 8) == UINT64_MAX);
	assert_true(number(f + 40, 8) == size && number(f + 48, 8) == size);
	assert_int_equal(number(f + 60, 4), 2);
	for (i = 0; i < sizeof(f); i++)
		sum += i >= 64 && i < 68 ? 0 : f[i];
	assert_int_equal((uint32_t)number(f + 64, 4), ~sum);
	/* The specification's own limit of the geometry, and its example of a disk of 10 MiB: 301 × 4 × 17. */
	assert_int_equal(number(f + 56, 2), 65535 * 16ull * 255 > size / 512 ? size / 512 / 255 / 16 : 65535);
	sk_vhd_footer(10u << 20, f);
	assert_int_equal(number(f + 56, 4), 301u << 16 | 4 << 8 | 17);
}

static void test_parse(void **state)
{
	uint8_t f[SK_VHD_FOOTER];

	(void)state;
	sk_vhd_footer(8192, f);
	assert_int_equal(sk_vhd_parse(f, 8192 + SK_VHD_FOOTER), 8192);
	assert_int_equal(sk_vhd_parse(f, 8192), 0);
	assert_int_equal(sk_vhd_parse(f, 16384 + SK_VHD_FOOTER), 0);
	f[511] ^= 1;
	assert_int_equal(sk_vhd_parse(f, 8192 + SK_VHD_FOOTER), 0);
	sk_vhd_footer(8192, f);
	f[60 + 3] = 3; /* a dynamic one; the sum is then wrong as well */
	assert_int_equal(sk_vhd_parse(f, 8192 + SK_VHD_FOOTER), 0);
	memset(f, 0, sizeof(f));
	assert_int_equal(sk_vhd_parse(f, SK_VHD_FOOTER), 0);
}

static void test_make(void **state)
{
	_cleanup_free_ char *path = sk_asprintf("%s/disk", dir);
	_cleanup_fd_ int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	struct stat st;
	char text[5];

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(sk_vhd_size(fd), 0);
	assert_int_equal(sk_fs_write_all(fd, "hello", 5), 0);
	assert_int_equal(sk_vhd_size(fd), 0);
	assert_int_equal(sk_vhd_make(fd), 0);
	assert_int_equal(sk_vhd_size(fd), 4096);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 4096 + SK_VHD_FOOTER);
	assert_int_equal(pread(fd, text, 5, 0), 5);
	assert_memory_equal(text, "hello", 5);
	/* Again is once. */
	assert_int_equal(sk_vhd_make(fd), 0);
	assert_int_equal(sk_vhd_size(fd), 4096);
	/* A cut one is none. */
	assert_int_equal(ftruncate(fd, 4096 + SK_VHD_FOOTER - 1), 0);
	assert_int_equal(sk_vhd_size(fd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_footer),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_make),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
