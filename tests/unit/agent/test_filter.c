/* SPDX-License-Identifier: Apache-2.0 */
/* The filter compiler against libseccomp: both programs are run over many system calls and have to say the same. */
#include "../sk_test.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "filter.h"

static struct sock_filter ours[SK_FILTER_MAX], theirs[32768];
static size_t n_theirs;

/* Runs the filter as the kernel does (net/core/filter.c, the part that seccomp may use). */
static uint32_t run(const struct sock_filter *f, size_t n, const struct seccomp_data *data)
{
	uint32_t a = 0, mem[16] = { 0 };
	size_t pc;

	for (pc = 0; pc < n; pc++) {
		const struct sock_filter *i = &f[pc];

		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			assert_true(i->k % 4 == 0 && i->k <= sizeof(*data) - 4);
			memcpy(&a, (const uint8_t *)data + i->k, 4);
			break;
		case BPF_LD | BPF_MEM:
			a = mem[i->k & 15];
			break;
		case BPF_ST:
			mem[i->k & 15] = a;
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= i->k;
			break;
		case BPF_JMP | BPF_JA:
			pc += i->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += a == i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			pc += a > i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			pc += a >= i->k ? i->jt : i->jf;
			break;
		case BPF_RET | BPF_K:
			return i->k;
		default:
			fail_msg("instruction %#x at %zu", i->code, pc);
		}
	}
	fail_msg("ran off the end");
	return 0;
}

static uint32_t action_of(const json_t *name, const json_t *e)
{
	const char *s = json_string_value(name);
	int n = json_is_integer(e) ? (int)json_integer_value(e) : EPERM;

	if (strcmp(s, "SCMP_ACT_ALLOW") == 0)
		return SCMP_ACT_ALLOW;
	if (strcmp(s, "SCMP_ACT_TRAP") == 0)
		return SCMP_ACT_TRAP;
	return SCMP_ACT_ERRNO(n);
}

static enum scmp_compare op_of(const char *s)
{
	static const struct {
		const char *name;
		enum scmp_compare op;
	} ops[] = {
		{ "SCMP_CMP_NE", SCMP_CMP_NE },
		{ "SCMP_CMP_LT", SCMP_CMP_LT },
		{ "SCMP_CMP_LE", SCMP_CMP_LE },
		{ "SCMP_CMP_EQ", SCMP_CMP_EQ },
		{ "SCMP_CMP_GE", SCMP_CMP_GE },
		{ "SCMP_CMP_GT", SCMP_CMP_GT },
		{ "SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ },
	};
	size_t i;

	for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		if (strcmp(s, ops[i].name) == 0)
			return ops[i].op;
	fail();
	return SCMP_CMP_EQ;
}

/* The profile by libseccomp, as crun calls it. `compat`: with 32-bit programs. */
static void compile_theirs(const json_t *profile, bool compat)
{
	uint32_t fallback =
		action_of(json_object_get(profile, "defaultAction"), json_object_get(profile, "defaultErrnoRet"));
	scmp_filter_ctx ctx = seccomp_init(fallback);
	const json_t *group, *name, *arg;
	size_t i, j, k;
	int fd = memfd_create("bpf", MFD_CLOEXEC);

	if (compat)
		seccomp_arch_add(ctx, SCMP_ARCH_X86);
	json_array_foreach(json_object_get(profile, "syscalls"), i, group)
	{
		uint32_t action = action_of(json_object_get(group, "action"), json_object_get(group, "errnoRet"));

		json_array_foreach(json_object_get(group, "names"), j, name)
		{
			int nr = seccomp_syscall_resolve_name(json_string_value(name));
			struct scmp_arg_cmp cmp[6];

			if (nr == __NR_SCMP_ERROR || action == fallback)
				continue;
			json_array_foreach(json_object_get(group, "args"), k, arg) cmp[k] = (struct scmp_arg_cmp){
				.arg = (unsigned)json_integer_value(json_object_get(arg, "index")),
				.op = op_of(json_string_value(json_object_get(arg, "op"))),
				.datum_a = (uint64_t)json_integer_value(json_object_get(arg, "value")),
				.datum_b = (uint64_t)json_integer_value(json_object_get(arg, "valueTwo")),
			};
			assert_int_equal(
				seccomp_rule_add_array(ctx, action, nr,
						       (unsigned)json_array_size(json_object_get(group, "args")), cmp),
				0);
		}
	}
	assert_int_equal(seccomp_export_bpf(ctx, fd), 0);
	n_theirs = (size_t)pread(fd, theirs, sizeof(theirs), 0) / sizeof(theirs[0]);
	seccomp_release(ctx);
	close(fd);
}

static const uint64_t values[] = { 0,	       1,	    2,		 7,
				   8,	       16,	    40,		 41,
				   0xff,       0x7e020000,  0x20000,	 0x20008,
				   0xffffffff, 0x100000000, 0x100000001, 0xffffffff00000000,
				   UINT64_MAX };

/* The newest that the profile names. */
static int newest(const json_t *profile)
{
	json_t *group, *name;
	size_t i, j;
	int last = -1;

	json_array_foreach(json_object_get(profile, "syscalls"), i, group)
	{
		json_array_foreach(json_object_get(group, "names"), j, name)
		{
			int nr = seccomp_syscall_resolve_name(json_string_value(name));

			last = nr > last ? nr : last;
		}
	}
	return last;
}

static void compare(const json_t *profile, bool compat)
{
	bool allows = strcmp(json_string_value(json_object_get(profile, "defaultAction")), "SCMP_ACT_ALLOW") == 0;
	int last = newest(profile);
	struct seccomp_data d = { .arch = AUDIT_ARCH_X86_64 };
	int n = sk_filter_compile(profile, compat, ours), nr;
	size_t i, j;

	assert_true(n > 0);
	compile_theirs(profile, compat);
	for (nr = -1; nr < 600; nr++)
		for (i = 0; i < sizeof(values) / sizeof(values[0]); i++)
			for (j = 0; j < (i % 3 ? 1 : sizeof(values) / sizeof(values[0])); j++) {
				uint32_t a, b;

				d.nr = nr;
				d.args[0] = values[i];
				d.args[1] = values[j];
				a = run(ours, (size_t)n, &d);
				b = run(theirs, n_theirs, &d);
				/* runc's rule, which libseccomp does not have. */
				if (!allows && last >= 0 && nr > last)
					b = SECCOMP_RET_ERRNO | ENOSYS;
				if (a != b && nr >= 0)
					fail_msg("call %d (%#llx, %#llx): %#x, libseccomp says %#x", nr,
						 (unsigned long long)d.args[0], (unsigned long long)d.args[1], a, b);
			}
}

static json_t *json(const char *text)
{
	json_error_t where;
	json_t *o = json_loads(text, 0, &where);

	if (!o)
		fail_msg("%s at %d", where.text, where.position);
	return o;
}

#define ARG(i, v, v2, op) "{\"index\":" #i ",\"value\":" #v ",\"valueTwo\":" #v2 ",\"op\":\"SCMP_CMP_" op "\"}"

/* The shape of docker's profile. */
static const char docker[] =
	"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":38,\"architectures\":[\"SCMP_ARCH_X86_64\",\"SCMP_"
	"ARCH_X86\"],"
	"\"syscalls\":[{\"names\":[\"read\",\"write\",\"open\",\"close\",\"stat\",\"fstat\",\"poll\",\"mmap\",\"brk\","
	"\"nosuchcall\","
	"\"epoll_pwait2\",\"exit\",\"exit_group\",\"openat2\",\"futex\",\"getrandom\",\"ioctl\"],\"action\":\"SCMP_ACT_"
	"ALLOW\"},"
	"{\"names\":[\"mount\",\"bpf\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":1},"
	"{\"names\":[\"clone3\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":38},"
	"{\"names\":[\"clone\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[" ARG(
		0, 2114060288, 0,
		"MASKED_EQ") "]},"
			     "{\"names\":[\"clone\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":1,\"args\":[" ARG(
				     0, 131072, 131072,
				     "MASKED_EQ") "]},"
						  "{\"names\":[\"personality\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":"
						  "[" ARG(0, 0, 0,
							  "EQ") "]},"
								"{\"names\":[\"personality\"],\"action\":\"SCMP_ACT_"
								"ALLOW\",\"args\":[" ARG(
									0, 4294967295, 0,
									"EQ") "]},"
									      "{\"names\":[\"personality\"],\"action\":"
									      "\"SCMP_ACT_ALLOW\",\"args\":[" ARG(
										      0, 8, 0,
										      "EQ") "]},"
											    "{\"names\":[\"kill\"],"
											    "\"action\":\"SCMP_ACT_"
											    "ALLOW\",\"args\":[" ARG(
												    0, 40, 0,
												    "NE") "]}]}";

static void test_docker(void **state)
{
	json_t *profile = json(docker);

	(void)state;
	compare(profile, false);
	compare(profile, true);
	json_decref(profile);
}

/* Each comparison, alone and with another argument's. */
static void test_comparisons(void **state)
{
	static const char *const ops[] = { "NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ" };
	size_t i, j, k;

	(void)state;
	for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		for (j = 0; j < sizeof(values) / sizeof(values[0]); j++)
			for (k = 0; k < 2 && values[j] <= INT64_MAX /* JSON cannot say more */; k++) {
				json_t *profile = json(
					"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"kill\"],"
					"\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":7,\"args\":[]}]}");
				json_t *args = json_object_get(json_array_get(json_object_get(profile, "syscalls"), 0),
							       "args");

				json_array_append_new(args, json_pack("{s:i,s:I,s:I,s:s++}", "index", 0, "value",
								      (json_int_t)values[j], "valueTwo",
								      (json_int_t)(values[j] & 0x20008), "op",
								      "SCMP_CMP_", ops[i], ""));
				if (k)
					json_array_append_new(args, json_pack("{s:i,s:i,s:i,s:s}", "index", 1, "value",
									      40, "valueTwo", 0, "op", "SCMP_CMP_GE"));
				compare(profile, false);
				json_decref(profile);
			}
}

/* Profiles by chance. */
static void test_random(void **state)
{
	static const char *const names[] = { "read",  "write", "open",	  "kill",    "mount", "socket",
					     "clone", "bpf",   "getpid",  "openat2", "tkill", "ppoll",
					     "lseek", "ioctl", "accept4", "statx",   "fchmod" };
	static const char *const ops[] = { "SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE",
					   "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT" };
	int round;

	(void)state;
	srand(4711);
	for (round = 0; round < 200; round++) {
		json_t *list = json_array(), *profile;
		size_t i;

		for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			json_t *group = json_pack("{s:[s],s:s}", "names", names[i], "action",
						  rand() % 2 ? "SCMP_ACT_ALLOW" : "SCMP_ACT_TRAP");

			if (rand() % 3 == 0)
				json_object_set_new(group, "args",
						    json_pack("[{s:i,s:I,s:s}]", "index", rand() % 2, "value",
							      (json_int_t)values[rand() % 15], "op", ops[rand() % 6]));
			if (rand() % 3)
				json_array_append(list, group);
			json_decref(group);
		}
		profile = json_pack("{s:s,s:o}", "defaultAction", rand() % 2 ? "SCMP_ACT_ERRNO" : "SCMP_ACT_ALLOW",
				    "syscalls", list);
		compare(profile, false);
		json_decref(profile);
	}
}

static void test_architectures(void **state)
{
	struct seccomp_data d = { .arch = AUDIT_ARCH_I386, .nr = 3 /* read there, close in 64 bits */ };
	json_t *profile = json(docker);
	int n;

	(void)state;
	n = sk_filter_compile(profile, true, ours);
	assert_int_equal(run(ours, (size_t)n, &d), SECCOMP_RET_ALLOW);
	d.nr = 21; /* mount */
	assert_int_equal(run(ours, (size_t)n, &d), SECCOMP_RET_ERRNO | 1);
	n = sk_filter_compile(profile, false, ours);
	assert_int_equal(run(ours, (size_t)n, &d), SECCOMP_RET_KILL_PROCESS);
	d.arch = AUDIT_ARCH_AARCH64;
	assert_int_equal(run(ours, (size_t)n, &d), SECCOMP_RET_KILL_PROCESS);
	d.arch = AUDIT_ARCH_X86_64;
	d.nr = 0x40000000; /* x32 */
	assert_int_equal(run(ours, (size_t)n, &d), SECCOMP_RET_ERRNO | 38);
	d.nr = -1;
	assert_int_equal(run(ours, (size_t)n, &d), SECCOMP_RET_ERRNO | 38);
	json_decref(profile);
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
		"{}",
		"{\"defaultAction\":\"SCMP_ACT_TRACE\"}",
		"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerPath\":\"/x\"}",
		"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_"
		"NOTIFY\"}]}",
		"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[7],\"action\":\"SCMP_ACT_TRAP\"}]}",
		"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[7]}",
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":-1}",
		"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_"
		"TRAP\",\"args\":["
		"{\"index\":6,\"value\":0,\"op\":\"SCMP_CMP_EQ\"}]}]}",
		"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_"
		"TRAP\",\"args\":["
		"{\"index\":0,\"value\":1e30,\"op\":\"SCMP_CMP_EQ\"}]}]}",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		json_t *profile = json(bad[i]);

		assert_true(sk_filter_compile(profile, false, ours) < 0);
		json_decref(profile);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_docker),	cmocka_unit_test(test_comparisons),   cmocka_unit_test(test_random),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_architectures),
	};

	return cmocka_run_group_tests_name("agent-filter", tests, NULL, NULL);
}
