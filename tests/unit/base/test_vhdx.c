/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtual hard disks that grow: read back by a reader of the test's own, which takes from the file what the format says.
 * (tests/windows/test_containers.py has QEMU read and write such disks.)
 */
#include "../sk_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/vhdx.h"

#define MIB (UINT64_C(1) << 20)

static char dir[] = "/tmp/sk-test-vhdx-XXXXXX";

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

static int new_file(const char *name)
{
	_cleanup_free_ char *path = sk_asprintf("%s/%s", dir, name);
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	return fd;
}

static uint64_t number(const uint8_t *p, unsigned n)
{
	uint64_t v = 0;

	while (n--)
		v = v << 8 | p[n];
	return v;
}

static void get(int fd, uint64_t offset, void *ret, size_t n)
{
	assert_int_equal(pread(fd, ret, n, (off_t)offset), n);
}

/* The sum is right if, with itself as a zero, it comes to itself; by a table here, unlike in the code. */
static void check_sum(uint8_t *p, size_t n)
{
	uint32_t table[256], sum = (uint32_t)number(p + 4, 4), crc = ~0u, i, k;

	for (i = 0; i < 256; i++) {
		table[i] = i;
		for (k = 0; k < 8; k++)
			table[i] = table[i] & 1 ? table[i] >> 1 ^ 0x82F63B78u : table[i] >> 1;
	}
	memset(p + 4, 0, 4);
	for (i = 0; i < n; i++)
		crc = table[(crc ^ p[i]) & 255] ^ crc >> 8;
	assert_int_equal(~crc, sum);
}

struct places {
	uint64_t bat, metadata;
	uint32_t bat_length;
};

static void read_regions(int fd, struct places *ret)
{
	static const uint8_t bat[16] = "\x66\x77\xc2\x2d\x23\xf6\x00\x42\x9d\x64\x11\x5e\x9b\xfd\x4a\x08",
			     metadata[16] = "\x06\xa2\x7c\x8b\x90\x47\x9a\x4b\xb8\xfe\x57\x5f\x05\x0f\x88\x6e";
	_cleanup_free_ uint8_t *t = malloc(65536);
	unsigned copy;

	for (copy = 0; copy < 2; copy++) {
		get(fd, (192 + 64 * copy) * 1024, t, 65536);
		assert_memory_equal(t, "regi", 4);
		check_sum(t, 65536);
		assert_int_equal(number(t + 8, 4), 2);
		assert_memory_equal(t + 16, bat, 16);
		assert_memory_equal(t + 48, metadata, 16);
		*ret = (struct places){ number(t + 32, 8), number(t + 64, 8), (uint32_t)number(t + 40, 4) };
		assert_int_equal(ret->bat % MIB, 0);
		assert_int_equal(ret->metadata % MIB, 0);
		assert_int_equal(ret->bat_length % MIB, 0);
	}
}

/* The item of the metadata whose GUID begins so. */
static uint64_t item(int fd, const struct places *p, uint32_t guid, unsigned bytes)
{
	uint8_t entry[32], value[8];
	unsigned i;

	for (i = 0; i < 5; i++) {
		get(fd, p->metadata + 32 + 32 * i, entry, sizeof(entry));
		if (number(entry, 4) != guid)
			continue;
		assert_int_equal(number(entry + 20, 4), bytes);
		assert_true(number(entry + 16, 4) >= 65536);
		get(fd, p->metadata + number(entry + 16, 4), value, bytes);
		return number(value, bytes);
	}
	fail();
	return 0;
}

static void check_headers(int fd)
{
	uint8_t h[4096];
	unsigned i;

	get(fd, 0, h, 8);
	assert_memory_equal(h, "vhdxfile", 8);
	for (i = 1; i <= 2; i++) {
		get(fd, i * 65536, h, sizeof(h));
		assert_memory_equal(h, "head", 4);
		check_sum(h, sizeof(h));
		assert_int_equal(number(h + 8, 8), i);
		assert_true(number(h + 48, 8) == 0 && number(h + 56, 8) == 0);
		assert_int_equal(number(h + 66, 2), 1);
		assert_int_equal(number(h + 68, 4), MIB);
		assert_int_equal(number(h + 72, 8), MIB);
	}
}

/* What the disk has at `offset`, by the table. */
static void read_disk(int fd, const struct places *p, uint64_t offset, void *ret, size_t n)
{
	uint64_t block = offset / MIB, entry;
	uint8_t e[8];

	get(fd, p->bat + 8 * (block + block / 4096), e, sizeof(e));
	entry = number(e, 8);
	if ((entry & 7) == 2)
		memset(ret, 0, n);
	else if ((entry & 7) == 6)
		get(fd, (entry >> 20) * MIB + offset % MIB, ret, n);
	else
		fail();
}

static void test_disk(void **state)
{
	_cleanup_fd_ int fd = new_file("disk");
	const uint64_t size = 9000 * MIB, far = 8999 * MIB + 12345;
	struct places p;
	struct sk_vhdx v;
	struct stat st;
	char text[16];

	(void)state;
	assert_int_equal(sk_vhdx_begin(&v, fd, size), 0);
	assert_int_equal(sk_vhdx_write(&v, far, "far", 3), 0);
	assert_int_equal(sk_vhdx_write(&v, 2 * MIB - 3, "across", 6), 0);
	assert_int_equal(sk_vhdx_write(&v, 4096 * MIB, "chunk", 5), 0);
	assert_int_equal(sk_vhdx_write(&v, size - 1, "ab", 2), -ERANGE);
	assert_int_equal(sk_vhdx_write(&v, UINT64_MAX, "a", 1), -ERANGE);
	assert_false(sk_vhdx_is(fd));
	assert_int_equal(sk_vhdx_finish(&v), 0);
	sk_vhdx_fini(&v);
	assert_true(sk_vhdx_is(fd));
	check_headers(fd);
	read_regions(fd, &p);
	/* 9,000 blocks, and an entry behind each 4,096. */
	assert_true(p.bat_length >= (9000 + 2) * 8);
	assert_true(item(fd, &p, 0x2FA54224u, 8) == size);
	assert_int_equal(item(fd, &p, 0xCAA16737u, 8), MIB);
	assert_int_equal(item(fd, &p, 0x8141BF1Du, 4), 512);
	assert_int_equal(item(fd, &p, 0xCDA348C7u, 4), 4096);
	read_disk(fd, &p, far, text, 3);
	assert_memory_equal(text, "far", 3);
	read_disk(fd, &p, 2 * MIB - 3, text, 3);
	assert_memory_equal(text, "acr", 3);
	read_disk(fd, &p, 2 * MIB, text, 4);
	assert_memory_equal(text, "oss\0", 4);
	read_disk(fd, &p, 4096 * MIB, text, 5);
	assert_memory_equal(text, "chunk", 5);
	read_disk(fd, &p, 77 * MIB, text, 4);
	assert_memory_equal(text, "\0\0\0\0", 4);
	/* Only what was written is there: four blocks behind the 4 MiB of what describes them. */
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 8 * MIB);
}

static void test_sizes(void **state)
{
	_cleanup_fd_ int fd = new_file("sizes");
	struct sk_vhdx v;

	(void)state;
	assert_int_equal(sk_vhdx_begin(&v, fd, 0), -EINVAL);
	sk_vhdx_fini(&v);
	assert_int_equal(sk_vhdx_begin(&v, fd, MIB + 512), -EINVAL);
	sk_vhdx_fini(&v);
	assert_int_equal(sk_vhdx_begin(&v, fd, SK_VHDX_MAX + MIB), -EINVAL);
	sk_vhdx_fini(&v);
	/* The table of a terabyte has more than one MiB. */
	assert_int_equal(sk_vhdx_begin(&v, fd, MIB * MIB), 0);
	assert_int_equal(sk_vhdx_write(&v, MIB * MIB - 4, "last", 4), 0);
	assert_int_equal(sk_vhdx_finish(&v), 0);
	sk_vhdx_fini(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_disk),
		cmocka_unit_test(test_sizes),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
