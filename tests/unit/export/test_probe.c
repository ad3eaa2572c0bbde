/* SPDX-License-Identifier: Apache-2.0 */
/* What a file system does, asked of some that every machine has; and what follows from the answers. */
#include "../sk_test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "export/ea.h"
#include "export/probe.h"
#include "ninep/linux.h"

static void a_directory(void **state)
{
	static const enum sk_probe_depth depths[] = { SK_PROBE_LOOK, SK_PROBE_OWNER, SK_PROBE_ALL };
	char path[] = "/tmp/sk-probe-XXXXXX";
	struct sk_probe p;
	size_t i;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(path));
	fd = open(path, O_PATH | O_CLOEXEC);
	for (i = 0; i < 3; i++) {
		assert_int_equal(sk_probe_run(fd, depths[i], &p), 0);
		assert_int_equal(p.writable, i ? SK_PROBE_YES : SK_PROBE_UNKNOWN);
		assert_int_equal(p.chmod, i ? SK_PROBE_YES : SK_PROBE_UNKNOWN);
		assert_int_equal(p.chown, !i ? SK_PROBE_UNKNOWN : geteuid() ? SK_PROBE_NO : SK_PROBE_YES);
		assert_int_equal(p.symlink, i == 2 ? SK_PROBE_YES : SK_PROBE_UNKNOWN);
		assert_int_equal(p.ea, SK_PROBE_NO);
		assert_int_equal(p.marks, 0);
	}
	assert_int_equal(p.hard_link, SK_PROBE_YES);
	assert_int_equal(p.fifo, SK_PROBE_YES);
	assert_int_equal(p.socket, SK_PROBE_YES);
	assert_int_equal(p.case_matters, SK_PROBE_YES);
	assert_int_equal(p.rename_over, SK_PROBE_YES);
	assert_int_equal(p.unlink_open, SK_PROBE_YES);
	assert_int_equal(p.wsl, SK_PROBE_NO);
	assert_int_equal(p.time_ns, 1);
	/* Nothing is left. */
	close(fd);
	assert_int_equal(rmdir(path), 0);
}

/* Neither can anything be made there, not even by root. */
static void not_writable(void **state)
{
	struct sk_probe p;
	int fd = open("/proc", O_PATH | O_CLOEXEC);

	(void)state;
	assert_int_equal(sk_probe_run(fd, SK_PROBE_ALL, &p), 0);
	assert_int_equal(p.writable, SK_PROBE_NO);
	assert_int_equal(p.chown, SK_PROBE_UNKNOWN);
	assert_int_equal(p.symlink, SK_PROBE_UNKNOWN);
	close(fd);
	fd = open("/dev/null", O_PATH | O_CLOEXEC);
	assert_int_equal(sk_probe_run(fd, SK_PROBE_ALL, &p), 0);
	assert_int_equal(p.writable, SK_PROBE_UNKNOWN);
	close(fd);
	assert_true(sk_probe_run(-1, SK_PROBE_ALL, &p) < 0);
}

#define NO SK_PROBE_NO
#define YES SK_PROBE_YES
static void choices(void **state)
{
	static const struct {
		const char *what;
		struct sk_probe p;
		enum sk_export_who who;
		enum sk_export_keep keep;
	} table[] = {
		{ "ext4, root",
		  { .root = true, .chown = YES, .chmod = YES, .xattr = YES, .ea = NO },
		  SK_EXPORT_TRUST,
		  SK_EXPORT_KEEP_XATTR },
		{ "ext4, a user",
		  { .chown = NO, .chmod = YES, .xattr = YES, .ea = NO },
		  SK_EXPORT_MAPPED,
		  SK_EXPORT_KEEP_XATTR },
		{ "NTFS, root",
		  { .root = true, .chown = NO, .chmod = NO, .xattr = YES, .ea = YES },
		  SK_EXPORT_MAPPED,
		  SK_EXPORT_KEEP_EA },
		{ "NTFS with permissions, root",
		  { .root = true, .chown = YES, .chmod = YES, .xattr = YES, .ea = YES },
		  SK_EXPORT_TRUST,
		  SK_EXPORT_KEEP_EA },
		{ "exFAT, root",
		  { .root = true, .chown = NO, .chmod = NO, .xattr = NO, .ea = NO },
		  SK_EXPORT_MAPPED,
		  SK_EXPORT_KEEP_SIDECAR },
		{ "chown stays, chmod does not",
		  { .root = true, .chown = YES, .chmod = NO, .xattr = YES, .ea = NO },
		  SK_EXPORT_MAPPED,
		  SK_EXPORT_KEEP_XATTR },
		{ "NFS, a user",
		  { .chown = NO, .chmod = YES, .xattr = NO, .ea = NO },
		  SK_EXPORT_MAPPED,
		  SK_EXPORT_KEEP_XATTR },
		{ "sshfs, root",
		  { .root = true, .chown = NO, .chmod = YES, .xattr = NO, .ea = NO },
		  SK_EXPORT_TRUST,
		  SK_EXPORT_KEEP_XATTR },
		{ "owners do not stay, attributes do",
		  { .root = true, .chown = NO, .chmod = YES, .xattr = YES, .ea = NO },
		  SK_EXPORT_MAPPED,
		  SK_EXPORT_KEEP_XATTR },
		{ "read-only, root", { .root = true, .xattr = YES, .ea = NO }, SK_EXPORT_TRUST, SK_EXPORT_KEEP_XATTR },
		{ "read-only NTFS that was shared before",
		  { .root = true, .xattr = YES, .ea = YES, .marks = SK_PROBE_MARK_EA },
		  SK_EXPORT_MAPPED,
		  SK_EXPORT_KEEP_EA },
		{ "read-only exFAT that was shared before",
		  { .root = true, .xattr = NO, .ea = NO, .marks = SK_PROBE_MARK_SIDECAR },
		  SK_EXPORT_MAPPED,
		  SK_EXPORT_KEEP_SIDECAR },
	};
	enum sk_export_who who;
	enum sk_export_keep keep;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		sk_probe_choose(&table[i].p, &who, &keep);
		if (who != table[i].who || keep != table[i].keep)
			fail_msg("%s: %d %d", table[i].what, who, keep);
	}
}

/* A volume in memory, whose EAs another program may change between two calls. */
struct volume {
	uint8_t ea[SK_LX_EA_MAX];
	size_t len;
	unsigned interfere; /* so many writes are undone by another program */
};

static int get(void *file, uint8_t *buf, size_t cap)
{
	const struct volume *v = file;

	if (!v->len)
		return -P9_ENODATA;
	if (v->len > cap)
		return -P9_ERANGE;
	memcpy(buf, v->ea, v->len);
	return (int)v->len;
}

static int set(void *file, const uint8_t *buf, size_t len)
{
	struct volume *v = file;

	if (v->interfere) {
		v->interfere--;
		return 0;
	}
	memcpy(v->ea, buf, len);
	v->len = len;
	return 0;
}

static void ea_of_two_programs(void **state)
{
	const struct sk_ea_calls calls = { .get = get, .set = set, .last_zero = true };
	const struct sk_override o = { 5, 6, S_IFBLK | 0640, 8, 1 };
	struct sk_override got = { 1, 2, S_IFBLK | 0777, 0, 0 };
	struct volume *v = calloc(1, sizeof(*v));

	(void)state;
	assert_int_equal(sk_ea_read(&calls, v, S_IFBLK, &got, NULL), -P9_ENODATA);
	assert_int_equal(got.uid, 1);
	v->interfere = 3;
	assert_int_equal(sk_ea_write(&calls, v, &o, SK_LX_ALL), 0);
	assert_int_equal(sk_ea_read(&calls, v, S_IFBLK, &got, NULL), 0);
	assert_memory_equal(&got, &o, sizeof(o));
	/* Another kind of file: no permissions, no device. */
	got = (struct sk_override){ 0, 0, 0, 0, 0 };
	assert_int_equal(sk_ea_read(&calls, v, S_IFREG, &got, NULL), 0);
	assert_int_equal(got.mode, S_IFREG);
	assert_int_equal(got.major, 0);
	/* What another server has set meanwhile stays: each sets only what it was asked to. */
	assert_int_equal(sk_ea_write(&calls, v, &(struct sk_override){ 70, 7, S_IFBLK | 0600, 8, 1 }, SK_LX_UID), 0);
	got = (struct sk_override){ 0, 0, 0, 0, 0 };
	assert_int_equal(sk_ea_read(&calls, v, S_IFBLK, &got, NULL), 0);
	assert_int_equal(got.uid, 70);
	assert_int_equal(got.gid, 6);
	assert_int_equal(got.mode, S_IFBLK | 0640);
	v->interfere = 100;
	assert_int_equal(sk_ea_write(&calls, v, &(struct sk_override){ 9, 9, S_IFBLK, 0, 0 }, SK_LX_ALL), -P9_EIO);
	free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_directory),
		cmocka_unit_test(not_writable),
		cmocka_unit_test(choices),
		cmocka_unit_test(ea_of_two_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
