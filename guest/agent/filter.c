/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A compiler for seccomp profiles.
 *
 * Why there is one: libseccomp, which crun uses, takes 20 ms for docker's profile, as long as all else that happens
 * between the request and the container's first instruction; this takes a fraction of one. And its programs try one
 * system call number after the other, at every system call; these search.
 *
 * The program: the architecture selects a table. In a table, the numbers 0 to 2^30 - 1 are cut into ranges with the
 * same answer, and a binary search ends at the answer, or at the conditions on arguments of one system call: rules in
 * the profile's order, each a list of comparisons that all have to hold. What no rule matches gets the default action.
 * System calls that are newer than any that the profile names, which its author could not know, are answered with
 * ENOSYS, as by runc: programs go on with the older call then. Not where the default is to allow, or to log.
 * Numbers of the x32 ABI (bit 30), which our kernels do not have, get the same; another architecture kills the process,
 * as with libseccomp.
 *
 * The tests compare with libseccomp, system call by system call.
 */
#include "filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/cleanup.h"
#include "syscall_table.h"

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#else
#define NATIVE_ARCH 0 /* no table: crun's compiler does it */
#endif
#define X32_BIT 0x40000000u
#define ARGS_MAX 6u
#define RULES_MAX 1024u
#define NUMBERS 512 /* all numbers are below */

enum compare {
	CMP_NE,
	CMP_LT,
	CMP_LE,
	CMP_EQ,
	CMP_GE,
	CMP_GT,
	CMP_MASKED_EQ,
};

struct condition {
	unsigned arg;
	enum compare op;
	uint64_t value, value2;
};

struct filter_rule {
	struct filter_rule *next; /* of the same system call */
	uint32_t action;
	unsigned n;
	struct condition conditions[ARGS_MAX];
};

struct number_range {
	uint32_t start;
	uint32_t action;
	const struct filter_rule *rules; /* NULL: always `action` */
};

struct compiler {
	struct sock_filter *out;
	size_t len;
	bool full;
	uint32_t default_action;
	int last;			    /* the highest number that the profile names */
	struct filter_rule *rules[NUMBERS]; /* of the table that is being made */
	struct filter_rule *pool;
	size_t n_pool;
	struct number_range ranges[2 * NUMBERS + 2];
};

/* --- reading the profile */

static int parse_action(const json_t *name, const json_t *errno_ret, uint32_t *ret)
{
	static const struct {
		const char *name;
		uint32_t action;
		bool has_errno;
	} actions[] = {
		{ "SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW, false },
		{ "SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO, true },
		{ "SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD, false },
		{ "SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD, false },
		{ "SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS, false },
		{ "SCMP_ACT_TRAP", SECCOMP_RET_TRAP, false },
		{ "SCMP_ACT_LOG", SECCOMP_RET_LOG, false },
	};
	const char *s = json_string_value(name);
	json_int_t e = json_is_integer(errno_ret) ? json_integer_value(errno_ret) : EPERM;
	size_t i;

	for (i = 0; s && i < SK_ARRAY_SIZE(actions); i++)
		if (strcmp(s, actions[i].name) == 0) {
			if (actions[i].has_errno && (e < 0 || e > 4095))
				return -EINVAL;
			if (!actions[i].has_errno && json_is_integer(errno_ret))
				return -EOPNOTSUPP;
			*ret = actions[i].action | (actions[i].has_errno ? (uint32_t)e : 0u);
			return 0;
		}
	return -EOPNOTSUPP;
}

static int parse_condition(const json_t *arg, struct condition *ret)
{
	static const char *const ops[] = { "SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE",	      "SCMP_CMP_EQ",
					   "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ" };
	const char *op = json_string_value(json_object_get(arg, "op"));
	json_int_t index = json_integer_value(json_object_get(arg, "index"));
	size_t i;

	for (i = 0; op && i < SK_ARRAY_SIZE(ops); i++)
		if (strcmp(op, ops[i]) == 0)
			break;
	if (!op || i == SK_ARRAY_SIZE(ops) || index < 0 || index >= (json_int_t)ARGS_MAX)
		return -EINVAL;
	/* A number that JSON here cannot hold. */
	if (json_is_real(json_object_get(arg, "value")) || json_is_real(json_object_get(arg, "valueTwo")))
		return -EOPNOTSUPP;
	ret->arg = (unsigned)index;
	ret->op = (enum compare)i;
	ret->value = (uint64_t)json_integer_value(json_object_get(arg, "value"));
	ret->value2 = (uint64_t)json_integer_value(json_object_get(arg, "valueTwo"));
	return 0;
}

static int compare_name(const void *key, const void *entry)
{
	return strcmp(key, ((const struct sk_syscall *)entry)->name);
}

static int add_rule(struct compiler *c, int nr, uint32_t action, const struct condition *conditions, unsigned n)
{
	struct filter_rule **link = &c->rules[nr], *r;

	if (c->n_pool == RULES_MAX)
		return -E2BIG;
	while (*link)
		link = &(*link)->next;
	r = &c->pool[c->n_pool++];
	*r = (struct filter_rule){ .action = action, .n = n };
	if (n)
		memcpy(r->conditions, conditions, n * sizeof(*conditions));
	*link = r;
	return 0;
}

/* Several comparisons of one argument are alternatives; of different arguments, they all have to hold. The runtimes
 * read it so. */
static int add_conditions(struct compiler *c, int nr, uint32_t action, const json_t *args)
{
	struct condition conditions[ARGS_MAX];
	unsigned seen = 0, n = 0, i;
	bool alternatives = false;
	int r = 0;

	if (json_array_size(args) > ARGS_MAX)
		return -EOPNOTSUPP;
	for (n = 0; n < json_array_size(args); n++) {
		r = parse_condition(json_array_get(args, n), &conditions[n]);
		if (r < 0)
			return r;
		alternatives |= (seen & 1u << conditions[n].arg) != 0;
		seen |= 1u << conditions[n].arg;
	}
	if (!alternatives)
		return add_rule(c, nr, action, conditions, n);
	for (i = 0; i < n && r == 0; i++)
		r = add_rule(c, nr, action, &conditions[i], 1);
	return r;
}

static int add_group(struct compiler *c, const json_t *group, bool is32)
{
	const json_t *names = json_object_get(group, "names"), *args = json_object_get(group, "args");
	uint32_t action;
	size_t i;
	int r = parse_action(json_object_get(group, "action"), json_object_get(group, "errnoRet"), &action);

	for (i = 0; i < json_array_size(names) && r == 0; i++) {
		const char *name = json_string_value(json_array_get(names, i));
		const struct sk_syscall *s;
		int nr;

		if (!name)
			return -EINVAL;
		s = bsearch(name, sk_syscalls, SK_ARRAY_SIZE(sk_syscalls), sizeof(*s), compare_name);
		nr = s ? (is32 ? s->nr32 : s->nr) : -1;
		if (nr >= NUMBERS)
			return -EOPNOTSUPP;
		if (nr > c->last)
			c->last = nr;
		if (nr >= 0 && action != c->default_action) /* a name that this kernel does not have needs no rule */
			r = add_conditions(c, nr, action, args);
	}
	return r;
}

/* --- writing the program */

static void emit(struct compiler *c, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
	if (c->len == SK_FILTER_MAX) {
		c->full = true;
		return;
	}
	c->out[c->len++] = (struct sock_filter){ .code = code, .jt = jt, .jf = jf, .k = k };
}

static void emit_return(struct compiler *c, uint32_t action)
{
	emit(c, BPF_RET | BPF_K, 0, 0, action);
}

static void load_arg(struct compiler *c, unsigned arg, bool high)
{
	size_t at = offsetof(struct seccomp_data, args) + 8 * arg + (high ? 4 : 0);

	emit(c, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)at);
}

/* A jump whose one way out is "the rule does not match": patched when the rule's end is known. */
#define TO_FAIL 0xff

/* `A op k` on the high word decides unless it is equal; then the low word does. */
static void emit_order(struct compiler *c, const struct condition *x)
{
	bool greater = x->op == CMP_GT || x->op == CMP_GE;
	uint32_t hi = (uint32_t)(x->value >> 32), lo = (uint32_t)x->value;
	/* GT: low > lo; LE is its negation. GE: low >= lo; LT is its negation. */
	uint16_t low = x->op == CMP_GT || x->op == CMP_LE ? BPF_JGT : BPF_JGE;

	load_arg(c, x->arg, true);
	emit(c, BPF_JMP | BPF_JGT | BPF_K, greater ? 3 : TO_FAIL, 0, hi); /* above: over the rest */
	emit(c, BPF_JMP | BPF_JEQ | BPF_K, 0, greater ? TO_FAIL : 2, hi); /* below */
	load_arg(c, x->arg, false);
	emit(c, BPF_JMP | low | BPF_K, greater ? 0 : TO_FAIL, greater ? TO_FAIL : 0, lo);
}

static void emit_condition(struct compiler *c, const struct condition *x)
{
	uint64_t value = x->value, mask = UINT64_MAX;

	switch (x->op) {
	case CMP_MASKED_EQ:
		mask = x->value;
		value = x->value2 & mask;
		/* fall through */
	case CMP_EQ:
		load_arg(c, x->arg, true);
		if (mask != UINT64_MAX)
			emit(c, BPF_ALU | BPF_AND | BPF_K, 0, 0, (uint32_t)(mask >> 32));
		emit(c, BPF_JMP | BPF_JEQ | BPF_K, 0, TO_FAIL, (uint32_t)(value >> 32));
		load_arg(c, x->arg, false);
		if (mask != UINT64_MAX)
			emit(c, BPF_ALU | BPF_AND | BPF_K, 0, 0, (uint32_t)mask);
		emit(c, BPF_JMP | BPF_JEQ | BPF_K, 0, TO_FAIL, (uint32_t)value);
		return;
	case CMP_NE:
		load_arg(c, x->arg, true);
		emit(c, BPF_JMP | BPF_JEQ | BPF_K, 0, 2, (uint32_t)(value >> 32));
		load_arg(c, x->arg, false);
		emit(c, BPF_JMP | BPF_JEQ | BPF_K, TO_FAIL, 0, (uint32_t)value);
		return;
	case CMP_GT:
	case CMP_GE:
	case CMP_LT:
	case CMP_LE:
		emit_order(c, x);
		return;
	}
}

static void emit_rules(struct compiler *c, const struct filter_rule *rules)
{
	const struct filter_rule *r;

	for (r = rules; r; r = r->next) {
		size_t start = c->len, i;
		unsigned n;

		for (n = 0; n < r->n; n++)
			emit_condition(c, &r->conditions[n]);
		emit_return(c, r->action);
		for (i = start; i < c->len; i++) {
			struct sock_filter *f = &c->out[i];

			if (BPF_CLASS(f->code) != BPF_JMP)
				continue;
			if (f->jt == TO_FAIL)
				f->jt = (uint8_t)(c->len - i - 1);
			if (f->jf == TO_FAIL)
				f->jf = (uint8_t)(c->len - i - 1);
		}
		if (r->n == 0)
			return; /* nothing behind it can be reached */
	}
	emit_return(c, c->default_action);
}

/* Binary search over ranges [lo, hi). */
static void emit_search(struct compiler *c, size_t lo, size_t hi)
{
	size_t mid = lo + (hi - lo) / 2, at = c->len, size;

	if (hi - lo == 1) {
		if (c->ranges[lo].rules)
			emit_rules(c, c->ranges[lo].rules);
		else
			emit_return(c, c->ranges[lo].action);
		return;
	}
	emit(c, BPF_JMP | BPF_JGE | BPF_K, 0, 1, c->ranges[mid].start);
	emit(c, BPF_JMP | BPF_JA, 0, 0, 0);
	emit_search(c, lo, mid);
	size = c->len - at - 2;
	if (c->full)
		return;
	if (size <= UINT8_MAX) { /* near enough for the comparison itself */
		memmove(&c->out[at + 1], &c->out[at + 2], size * sizeof(*c->out));
		c->len--;
		c->out[at].jt = (uint8_t)size;
		c->out[at].jf = 0;
	} else {
		c->out[at + 1].k = (uint32_t)size;
	}
	emit_search(c, mid, hi);
}

static bool same_answer(const struct number_range *a, const struct number_range *b)
{
	return !a->rules && !b->rules && a->action == b->action;
}

static bool is_permissive(uint32_t action)
{
	return action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_LOG;
}

static void emit_table(struct compiler *c)
{
	size_t n = 0, nr;

	for (nr = 0; nr <= NUMBERS; nr++) {
		const struct filter_rule *rules = nr < NUMBERS ? c->rules[nr] : NULL;
		bool unknown = c->last >= 0 && (int)nr > c->last && !is_permissive(c->default_action);
		struct number_range r = { .start = (uint32_t)nr,
					  .action = unknown ? SECCOMP_RET_ERRNO | ENOSYS : c->default_action };

		if (rules && rules->n == 0)
			r.action = rules->action;
		else
			r.rules = rules;
		if (n == 0 || !same_answer(&c->ranges[n - 1], &r))
			c->ranges[n++] = r;
	}
	emit_search(c, 0, n);
}

static int compile_table(struct compiler *c, const json_t *seccomp, uint32_t arch, bool is32)
{
	const json_t *groups = json_object_get(seccomp, "syscalls");
	size_t at = c->len, size, i;
	int r = 0;

	memset(c->rules, 0, sizeof(c->rules));
	c->n_pool = 0;
	c->last = -1;
	for (i = 0; i < json_array_size(groups) && r == 0; i++)
		r = add_group(c, json_array_get(groups, i), is32);
	if (r < 0)
		return r;
	/* expects the architecture in A; leaves it there for the next table */
	emit(c, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, arch);
	emit(c, BPF_JMP | BPF_JA, 0, 0, 0);
	emit(c, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
	emit_table(c);
	if (c->full)
		return -E2BIG;
	size = c->len - at - 2;
	c->out[at + 1].k = (uint32_t)size;
	return 0;
}

static bool has_arch(const json_t *seccomp, const char *name)
{
	const json_t *list = json_object_get(seccomp, "architectures");
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		const char *s = json_string_value(json_array_get(list, i));

		if (s && strcmp(s, name) == 0)
			return true;
	}
	return false;
}

int sk_filter_compile(const json_t *seccomp, bool compat, struct sock_filter ret_program[SK_FILTER_MAX])
{
	_cleanup_free_ struct compiler *c = NULL;
	_cleanup_free_ struct filter_rule *pool = NULL;
	int r;

	if (NATIVE_ARCH == 0 || !json_is_object(seccomp) || json_object_get(seccomp, "listenerPath"))
		return -EOPNOTSUPP;
	c = calloc(1, sizeof(*c));
	pool = calloc(RULES_MAX, sizeof(*pool));
	if (!c || !pool)
		return -ENOMEM;
	c->out = ret_program;
	c->pool = pool;
	r = parse_action(json_object_get(seccomp, "defaultAction"), json_object_get(seccomp, "defaultErrnoRet"),
			 &c->default_action);
	if (r < 0)
		return r;
	emit(c, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, arch));
	r = compile_table(c, seccomp, NATIVE_ARCH, false);
	if (r == 0 && compat && has_arch(seccomp, "SCMP_ARCH_X86"))
		r = compile_table(c, seccomp, AUDIT_ARCH_I386, true);
	emit_return(c, SECCOMP_RET_KILL_PROCESS);
	if (r < 0)
		return r;
	return c->full ? -E2BIG : (int)c->len;
}

/* --- for crun */

void sk_filter_prepare(json_t *spec)
{
	json_t *seccomp = json_object_get(json_object_get(spec, "linux"), "seccomp"), *annotations;
	_cleanup_free_ struct sock_filter *program = seccomp ? calloc(SK_FILTER_MAX, sizeof(*program)) : NULL;
	/* a file that only kernels with 32-bit programs have */
	bool compat = access("/proc/sys/abi/vsyscall32", F_OK) == 0;
	_cleanup_free_ char *text = NULL;
	int n;

	if (!program)
		return;
	n = sk_filter_compile(seccomp, compat, program);
	if (n < 0)
		return;
	text = malloc(SK_BASE64_LEN((size_t)n * sizeof(*program)) + 1);
	if (text)
		text[sk_base64_encode(program, (size_t)n * sizeof(*program), text)] = '\0';
	annotations = json_object_get(spec, "annotations");
	if (!json_is_object(annotations)) {
		annotations = json_object();
		json_object_set_new(spec, "annotations", annotations);
	}
	if (text && json_object_set_new(annotations, "run.oci.seccomp_bpf_data", json_string(text)) == 0)
		json_object_del(seccomp, "syscalls"); /* not needed any more, and long */
}
