/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds out what has to be known before QEMU is used: which QEMU there is, its version, and whether KVM works. A
 * /dev/kvm that opens proves nothing (nested virtualization without support hangs in the first instructions), so a
 * small guest is booted, and killed when it has printed nothing by the deadline.
 *
 * The answers are kept in <cache_dir>/engines.json as long as the host is up and nothing that they depend on has
 * changed (program, kernel, rights of the device). A lock lets one process probe while the others wait for its answer.
 * Where nothing can be kept, each start probes.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/private.h"
#include "base/log.h"
#include "base/loop.h"
#include "engine/engine_internal.h"

#define QEMU_NAME "qemu-system-x86_64"
#define QEMU_PACKAGE "install it (Debian: apt install qemu-system-x86)"
#define CACHE_MAX (64u * 1024u)
#define VERSION_TIMEOUT_MS 10000
#define KVM_TIMEOUT_MS 5000u
#define KILL_TIMEOUT_MS 3000
#define PROBE_MEMORY (96ull << 20)

/* --- the cache of results --- */

struct cache {
	int dirfd, lock_fd;
	json_t *all; /* {"boot": id, …} */
};

static void stamp_of(const char *path, char *buf, size_t size)
{
	struct stat st;

	if (stat(path, &st) < 0)
		snprintf(buf, size, "%s: missing", path);
	else
		snprintf(buf, size, "%s:%llu:%lld.%09ld:%llu:%o:%u:%u", path, (unsigned long long)st.st_size,
			 (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec, (unsigned long long)st.st_ino, st.st_mode,
			 st.st_uid, st.st_gid);
}

/* Never fails: without a directory nothing is found and nothing is kept. */
static void cache_open(struct cache *c, const struct sk_engine_settings *s)
{
	_cleanup_free_ char *text = NULL, *boot = NULL;
	const char *id;

	*c = (struct cache){ .dirfd = -1, .lock_fd = -1 };
	if (s->cache_dir)
		c->dirfd = sk_private_dir(s->cache_dir, 0700, NULL, NULL);
	if (c->dirfd >= 0)
		c->lock_fd = openat(c->dirfd, "engines.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (c->lock_fd >= 0)
		sk_fs_lock(c->lock_fd, true, true);
	if (c->dirfd >= 0 && sk_fs_read(c->dirfd, "engines.json", CACHE_MAX, &text, NULL) == 0)
		c->all = json_loads(text, 0, NULL);
	if (sk_fs_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 128, &boot, NULL) == 0)
		boot[strcspn(boot, "\n")] = '\0';
	id = json_string_value(json_object_get(c->all, "boot"));
	if (!json_is_object(c->all) || !id || !boot || strcmp(id, boot) != 0) {
		json_decref(c->all);
		c->all = json_pack("{s:s}", "boot", boot ? boot : "");
	}
}

/* The cached answer about `name` with these inputs; NULL: there is none. */
static const json_t *cache_get(const struct cache *c, const char *name, const char *key)
{
	const json_t *o = json_object_get(c->all, name);
	const char *k = json_string_value(json_object_get(o, "key"));

	return k && strcmp(k, key) == 0 ? o : NULL;
}

static void cache_put(struct cache *c, const char *name, const char *key, json_t *take)
{
	_cleanup_free_ char *text = NULL;

	json_object_set_new(take, "key", json_string(key));
	json_object_set_new(take, "at", json_integer((json_int_t)time(NULL)));
	json_object_set_new(c->all, name, take);
	text = json_dumps(c->all, JSON_INDENT(1));
	if (text && c->dirfd >= 0)
		sk_fs_write_atomic(c->dirfd, "engines.json", text, strlen(text), 0600, false);
}

static void cache_close(struct cache *c)
{
	json_decref(c->all);
	sk_close_fd(&c->lock_fd);
	sk_close_fd(&c->dirfd);
}

/* --- QEMU --- */

static int find_program(const struct sk_engine_settings *s, char *ret, size_t size, struct sk_error *err)
{
	const char *name = s->qemu && *s->qemu ? s->qemu : QEMU_NAME;
	_cleanup_free_ char *found = sk_find_program(name), *real = NULL;

	if (strchr(name, '/')) {
		real = access(name, X_OK) == 0 ? realpath(name, NULL) : NULL;
		if (!real)
			return sk_error_errno(err, errno, "cannot run QEMU at %s (\"qemu\" of the configuration file)",
					      name);
	}
	if (!real && found)
		real = realpath(found, NULL);
	if (!real)
		return sk_error_set(err, ENOENT,
				    "there is no QEMU: no %s in PATH; " QEMU_PACKAGE ", or use --engine uml", name);
	if ((size_t)snprintf(ret, size, "%s", real) >= size)
		return sk_error_set(err, ENAMETOOLONG, "the path of QEMU is too long: %s", real);
	return 0;
}

/* Reads until end of file, `needle`, or the deadline. 1: found, 0: end of file, -ETIMEDOUT. The last bytes stay in
 * `buf`. */
static int read_until(int fd, const char *needle, uint64_t deadline, char *buf, size_t size)
{
	size_t len = 0;

	buf[0] = '\0';
	for (;;) {
		uint64_t now = sk_now_ms();
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t n;

		if (now >= deadline)
			return -ETIMEDOUT;
		if (poll(&p, 1, (int)(deadline - now)) <= 0)
			continue;
		if (len == size - 1) {
			memmove(buf, buf + size / 2, len - size / 2);
			len -= size / 2;
		}
		n = read(fd, buf + len, size - 1 - len);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return 0;
		len += (size_t)n;
		buf[len] = '\0';
		if (needle && strstr(buf, needle))
			return 1;
	}
}

/* For sure: killed, and waited for no longer than that takes. False: it cannot be killed (stuck in the host's kernel).
 */
static bool kill_surely(pid_t pid)
{
	const struct timespec pause = { .tv_nsec = 5000000 };
	uint64_t end = sk_now_ms() + KILL_TIMEOUT_MS;

	kill(pid, SIGKILL);
	do {
		if (waitpid(pid, NULL, WNOHANG) != 0)
			return true;
		nanosleep(&pause, NULL);
	} while (sk_now_ms() < end);
	return false;
}

static int ask_version(const char *program, char *buf, size_t size, struct sk_error *err)
{
	const char *argv[] = { program, "--version", NULL };
	_cleanup_fd_ int out = -1, in = -1;
	struct sk_spawn s = SK_SPAWN_INIT;
	int pipefd[2], r;
	pid_t pid;

	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return sk_error_errno(err, errno, "cannot ask QEMU for its version");
	out = pipefd[0];
	in = pipefd[1];
	s.file = program;
	s.argv = argv;
	s.stdout_fd = s.stderr_fd = in;
	s.die_with_parent = true;
	r = sk_spawn(&s, &pid, NULL, err);
	if (r < 0)
		return sk_error_wrap(err, "QEMU does not start; " QEMU_PACKAGE " again, or use --engine uml");
	sk_close_fd(&in);
	r = read_until(out, NULL, sk_now_ms() + VERSION_TIMEOUT_MS, buf, size);
	kill_surely(pid);
	return r < 0 ? sk_error_set(err, ETIMEDOUT, "%s --version does not end", program) : 0;
}

static int parse_version(const char *text, struct sk_qemu_facts *f)
{
	const char *p = strstr(text, "version ");
	unsigned major, minor, micro = 0;

	if (!p || sscanf(p + 8, "%u.%u.%u", &major, &minor, &micro) < 2 || major > 999 || minor > 99 || micro > 99)
		return -EINVAL;
	f->number = major * 10000 + minor * 100 + micro;
	snprintf(f->version, sizeof(f->version), "%u.%u.%u", major, minor, micro);
	return 0;
}

/* Ticks of the processor's counter against the kernel's clock, for 10 ms: to some 10 parts of a million. */
static uint64_t measure_tsc_khz(void)
{
#if defined(__x86_64__)
	const struct timespec pause = { .tv_nsec = 10000000 };
	struct timespec a, b;
	uint64_t ta, tb, ns;

	clock_gettime(CLOCK_MONOTONIC_RAW, &a);
	ta = __rdtsc();
	nanosleep(&pause, NULL);
	clock_gettime(CLOCK_MONOTONIC_RAW, &b);
	tb = __rdtsc();
	ns = (uint64_t)(b.tv_sec - a.tv_sec) * 1000000000u + (uint64_t)b.tv_nsec - (uint64_t)a.tv_nsec;
	return ns ? (uint64_t)((double)(tb - ta) * 1e6 / (double)ns) : 0;
#else
	return 0;
#endif
}

static int check_version(const struct sk_qemu_facts *f, struct sk_error *err)
{
	if (f->number >= SK_QEMU_MIN_VERSION)
		return 0;
	return sk_error_set(err, ENOTSUP,
			    "QEMU %s at %s is too old: 7.2 or newer is needed; install a newer one and name it as "
			    "\"qemu\" in the configuration file, or use --engine uml",
			    f->version, f->path);
}

int sk_qemu_find(const struct sk_engine_settings *s, struct sk_qemu_facts *f, struct sk_error *err)
{
	char key[900], text[512] = "";
	const json_t *known;
	struct cache c;
	int r;

	*f = (struct sk_qemu_facts){ .number = 0 };
	r = find_program(s, f->path, sizeof(f->path), err);
	if (r < 0)
		return r;
	stamp_of(f->path, key, sizeof(key));
	cache_open(&c, s);
	known = cache_get(&c, "qemu", key);
	if (known) {
		snprintf(text, sizeof(text), "version %s", json_string_value(json_object_get(known, "version")));
		f->tsc_khz = (uint64_t)json_integer_value(json_object_get(known, "tsc_khz"));
	}
	if (!known || parse_version(text, f) < 0) {
		r = ask_version(f->path, text, sizeof(text), err);
		if (r == 0 && parse_version(text, f) < 0)
			r = sk_error_set(err, EPROTO,
					 "%s does not say which version of QEMU it is: is it one? " QEMU_PACKAGE
					 ", or use --engine uml",
					 f->path);
		f->tsc_khz = measure_tsc_khz();
		if (r == 0)
			cache_put(&c, "qemu", key,
				  json_pack("{s:s,s:I}", "version", f->version, "tsc_khz", (json_int_t)f->tsc_khz));
	}
	cache_close(&c);
	return r < 0 ? r : check_version(f, err);
}

/* --- KVM --- */

static int check_device(const char *device, struct sk_error *err)
{
	_cleanup_fd_ int fd = open(device, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return 0;
	if (errno == ENOENT)
		return sk_error_set(err, ENOENT,
				    "there is no %s: turn virtualization on in the firmware's settings (or, in a "
				    "virtual machine, nested virtualization in its host's), and load the kernel module "
				    "kvm_intel or kvm_amd",
				    device);
	if (errno == EACCES || errno == EPERM)
		return sk_error_set(err, EACCES,
				    "no permission to use %s: become a member of the group that owns it (Debian: sudo "
				    "usermod -aG kvm $USER, then log in again)",
				    device);
	return sk_error_errno(err, errno,
			      "cannot open %s (is the kernel module kvm_intel or kvm_amd loaded, and virtualization "
			      "on in the firmware's settings?)",
			      device);
}

/* Why the guest ended: the kernel's panic message, else the last line with words. */
static const char *last_line(char *text)
{
	char *p = strstr(text, "Kernel panic");

	if (p) {
		p[strcspn(p, "\r\n")] = '\0';
		return p;
	}
	for (;;) {
		size_t n = strlen(text);

		while (n && (text[n - 1] == '\n' || text[n - 1] == '\r' || text[n - 1] == ' '))
			text[--n] = '\0';
		p = strrchr(text, '\n');
		if (!p)
			return text;
		if (p[1])
			return p + 1;
		*p = '\0';
	}
}

/* QEMU ended before the guest said a word. What it prints when the host's KVM does not keep its word is an assertion
 * of its source, or the registers of the processor: of no use to who reads it. */
static int probe_ended(const struct sk_engine_settings *s, char *text, struct sk_error *err)
{
	const char *device = s->kvm_device ? s->kvm_device : "/dev/kvm", *line;
	bool broken = strstr(text, "ssertion `") || strstr(text, "KVM internal error") || strstr(text, "EAX=") ||
		      strstr(text, "RAX=");

	line = last_line(text);
	if (!broken)
		return sk_error_set(err, EIO, "KVM does not run a guest: QEMU ended with \"%.300s\"", line);
	sk_log(SK_LOG_DEBUG, "QEMU on a broken KVM: %s", line);
	return sk_error_set(
		err, EIO,
		"KVM does not run a guest: %s opens, but does not do what QEMU asks of it. Inside a virtual "
		"machine its host has no nested virtualization that works: turn it on there, or leave it "
		"(another engine is used). On a real machine load the kernel module kvm_intel or kvm_amd "
		"again, then run `skerry doctor --again`",
		device);
}

static int boot_probe(const struct sk_engine_settings *s, const struct sk_qemu_facts *f, const char *run_dir,
		      struct sk_error *err)
{
	unsigned timeout = s->kvm_timeout_ms ? s->kvm_timeout_ms : KVM_TIMEOUT_MS;
	struct sk_engine_config c = { .name = "probe",
				      .run_dir = run_dir,
				      .memory = PROBE_MEMORY,
				      .cpus = 1,
				      .extra_args = "-- probe",
				      .settings = s };
	struct sk_engine_process p;
	_cleanup_fd_ int out = -1, in = -1;
	char text[2048];
	int pipefd[2], r;
	bool gone;

	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return sk_error_errno(err, errno, "cannot try KVM");
	out = pipefd[0];
	in = c.console_fd = pipefd[1];
	r = sk_qemu_start(&c, f, true, &p, err);
	if (r < 0)
		return r;
	sk_close_fd(&in);
	r = read_until(out, SK_PROBE_TOKEN, sk_now_ms() + timeout, text, sizeof(text));
	gone = kill_surely(p.pid);
	sk_close_fd(&p.pidfd);
	if (r > 0)
		return 0;
	if (r == 0)
		return probe_ended(s, text, err);
	return sk_error_set(err, ETIMEDOUT,
			    "KVM does not run a guest: %s opens, but a test guest did not come up within %u.%u s%s. "
			    "Inside a virtual machine its host may not support nested virtualization; on a slow "
			    "machine set \"kvm_timeout\" (seconds) in the configuration file and run `skerry doctor "
			    "--again`",
			    s->kvm_device ? s->kvm_device : "/dev/kvm", timeout / 1000, timeout % 1000 / 100,
			    gone ? "" : " (and it cannot be killed: this host's KVM is stuck)");
}

static int try_kvm(const struct sk_engine_settings *s, const struct sk_qemu_facts *f, struct sk_error *err)
{
	char dir[600], vu[640];
	int r;

	snprintf(dir, sizeof(dir), "%s/probe-XXXXXX", s->cache_dir ? s->cache_dir : "/tmp");
	if (!mkdtemp(dir))
		return sk_error_errno(err, errno, "cannot try KVM: no directory in %s",
				      s->cache_dir ? s->cache_dir : "/tmp");
	snprintf(vu, sizeof(vu), "%s/vu", dir);
	r = mkdir(vu, 0711) < 0 ? sk_error_errno(err, errno, "cannot make %s", vu) : boot_probe(s, f, dir, err);
	sk_fs_remove_tree(AT_FDCWD, dir);
	return r;
}

int sk_kvm_check(const struct sk_engine_settings *s, const struct sk_qemu_facts *f, struct sk_error *err)
{
	const char *device = s->kvm_device ? s->kvm_device : "/dev/kvm", *message;
	char kernel[512], a[700], b[700], key[2300];
	struct sk_error why = SK_ERROR_INIT;
	const json_t *known;
	struct cache c;
	int r = check_device(device, err);

	if (r == 0)
		r = sk_qemu_kernel_part(kernel, sizeof(kernel), err);
	if (r < 0)
		return r;
	stamp_of(f->path, a, sizeof(a));
	stamp_of(kernel, b, sizeof(b));
	snprintf(key, sizeof(key), "%s|%s|%s|%u", device, a, b, s->kvm_timeout_ms);
	cache_open(&c, s);
	known = s->probe_again ? NULL : cache_get(&c, "kvm", key);
	if (known) {
		message = json_string_value(json_object_get(known, "message"));
		r = (int)json_integer_value(json_object_get(known, "code"));
		r = r ? sk_error_set(err, r, "%s", message ? message : "KVM does not work") : 0;
	} else {
		uint64_t begun = sk_now_ms();

		r = try_kvm(s, f, &why);
		cache_put(&c, "kvm", key,
			  json_pack("{s:i,s:s,s:I}", "code", -r, "message", why.message, "ms",
				    (json_int_t)(sk_now_ms() - begun)));
		if (r < 0)
			sk_error_set(err, -r, "%s", why.message);
	}
	cache_close(&c);
	return r;
}
