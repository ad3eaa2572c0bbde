/* SPDX-License-Identifier: Apache-2.0 */
/* Where containers live on the host, state.json and who may believe it, the event log. */
#include "vm/state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/private.h"
#include "vm/places.h"

#define SK_STATE_MAX (1u << 20)
#define SK_EVENTS_MAX (8 << 20)
#define SK_EVENTS_KEPT (4 << 20)

/* Replaces `*path` by its canonical form once it is known to be ours alone. A descriptor. */
static int make_private(char **path, struct sk_error *err)
{
	char *real;
	int fd = sk_private_dir(*path, 0700, &real, err);

	if (fd < 0) {
		sk_error_wrap(err, "state directory (choose another with --root or SKERRY_ROOT)");
		return fd;
	}
	free(*path);
	*path = real;
	return fd;
}

int sk_paths_init(struct sk_paths *paths, const char *root, struct sk_error *err)
{
	static const char *const names[] = { "containers", "images", "volumes", "tmp" };
	_cleanup_fd_ int root_fd = -1, run_fd = -1;
	size_t i;
	int r = 0;

	*paths = (struct sk_paths){ 0 };
	if (!root)
		root = getenv("SKERRY_ROOT");
	paths->root = root && root[0] ? strdup(root) : sk_place_root();
	if (!paths->root)
		return sk_error_errno(err, ENOMEM, "cannot find the state directory");
	root_fd = make_private(&paths->root, err);
	if (root_fd >= 0) {
		paths->run = root && root[0] ? sk_asprintf("%s/run", paths->root) : sk_place_run();
		run_fd = paths->run ? make_private(&paths->run, err)
				    : sk_error_errno(err, ENOMEM, "cannot find the run directory");
	}
	r = root_fd < 0 ? root_fd : run_fd;
	for (i = 0; r >= 0 && i < SK_ARRAY_SIZE(names); i++) {
		_cleanup_fd_ int fd = sk_private_subdir(root_fd, names[i], 0700, err);

		if (fd < 0) {
			sk_error_wrap(err, "%s", paths->root);
			r = fd;
		}
	}
	if (r < 0)
		sk_paths_fini(paths);
	return r < 0 ? r : 0;
}

int sk_paths_check(const struct sk_paths *paths, struct sk_error *err)
{
	_cleanup_fd_ int root = sk_private_dir(paths->root, 0700, NULL, err), run = -1;

	if (root < 0)
		return root;
	run = sk_private_dir(paths->run, 0700, NULL, err);
	return run < 0 ? run : 0;
}

char *sk_paths_host_run(void)
{
	char *run = sk_place_run();
	_cleanup_fd_ int fd = run ? make_private(&run, NULL) : -1;

	if (fd >= 0)
		return run;
	free(run);
	return NULL;
}

void sk_paths_fini(struct sk_paths *paths)
{
	free(paths->root);
	free(paths->run);
	*paths = (struct sk_paths){ 0 };
}

static const char *time_text(const struct timespec *ts, char *buf)
{
	struct tm tm;
	size_t n;

	gmtime_r(&ts->tv_sec, &tm);
	n = strftime(buf, 36, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + n, 36 - n, ".%09ldZ", ts->tv_nsec);
	return buf;
}

const char *sk_time_now(char *buf)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return time_text(&ts, buf);
}

bool sk_vm_state_is_alive(const json_t *state)
{
	static const char *const alive[] = { "starting", "running", "paused", "restarting", "suspended" };
	const char *status = json_string_value(json_object_get(state, "status"));
	size_t i;

	for (i = 0; status && i < SK_ARRAY_SIZE(alive); i++)
		if (strcmp(status, alive[i]) == 0)
			return true;
	return false;
}

static bool has_lock(int dirfd, const char *file)
{
	_cleanup_fd_ int fd = openat(dirfd, file, O_RDWR | O_CLOEXEC);

	return fd >= 0 && sk_fs_lock(fd, false, false) == -EWOULDBLOCK;
}

/* Whether a monitor holds the container's lock. The third look is for one that got it between the first and the second. */
static bool is_locked(int dirfd)
{
	return has_lock(dirfd, "lock") || has_lock(dirfd, SK_NEXT_LOCK_FILE) || has_lock(dirfd, "lock");
}

static json_t *load_once(int dirfd)
{
	_cleanup_free_ char *text = NULL;
	json_t *state = NULL;
	size_t len;

	if (sk_fs_read(dirfd, SK_STATE_FILE, SK_STATE_MAX, &text, &len) == 0)
		state = json_loadb(text, len, 0, NULL);
	if (json_is_object(state))
		return state;
	json_decref(state);
	return json_pack("{s:s,s:i,s:i}", "status", "created", "exit_code", 0, "pid", 0);
}

/* When a container was last seen alive whose end nobody recorded, because the host went down: the latest change of
 * its files. */
static const char *last_seen(int dirfd, char *buf)
{
	static const char *const files[] = { SK_STATE_FILE, "disk.img", "log/container.log" };
	struct timespec last = { 0, 0 };
	struct stat st;
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(files); i++)
		if (fstatat(dirfd, files[i], &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_mtim.tv_sec > last.tv_sec)
			last = st.st_mtim;
	return last.tv_sec ? time_text(&last, buf) : "";
}

static void set_killed(json_t *state, const char *when)
{
	json_object_set_new(state, "status", json_string("exited"));
	json_object_set_new(state, "exit_code", json_integer(137));
	json_object_set_new(state, "pid", json_integer(0));
	json_object_set_new(state, "error", json_string("the monitor of this container was killed"));
	json_object_set_new(state, "finished_at", json_string(when));
}

void sk_vm_state_bury(const struct sk_paths *paths, const char *id)
{
	_cleanup_free_ char *dir = sk_asprintf("%s/containers/%s", paths->root, id);
	_cleanup_fd_ int dirfd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1, lock = -1;
	json_t *state;
	char buf[36];
	int tries;

	lock = dirfd < 0 ? -1 : openat(dirfd, "lock", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (lock < 0)
		return;
	/* The kernel closes a dying process's descriptors one after the other: its lock may be held a moment longer. */
	for (tries = 0; sk_fs_lock(lock, true, false) < 0; tries++) {
		if (tries == 200)
			return; /* another monitor has taken the lock */
		usleep(5000);
	}
	state = load_once(dirfd);
	if (sk_vm_state_is_alive(state)) {
		set_killed(state, sk_time_now(buf));
		sk_vm_state_save(dirfd, state, NULL);
	}
	json_decref(state);
}

int sk_vm_state_load(const struct sk_paths *paths, const char *id, json_t **ret_state, struct sk_error *err)
{
	_cleanup_free_ char *dir = sk_asprintf("%s/containers/%s", paths->root, id);
	_cleanup_fd_ int dirfd = -1;
	json_t *state;

	dirfd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (dirfd < 0)
		return sk_error_errno(err, errno, "cannot open container %s", id);
	state = load_once(dirfd);
	if (sk_vm_state_is_alive(state) && !is_locked(dirfd)) {
		/* It may have ended properly between the two looks. */
		json_decref(state);
		state = load_once(dirfd);
		if (sk_vm_state_is_alive(state)) {
			char buf[36];

			set_killed(state, last_seen(dirfd, buf));
		}
	}
	if (!state)
		return sk_error_errno(err, ENOMEM, "cannot read the state of container %s", id);
	*ret_state = state;
	return 0;
}

/* Checks for something that is no directory at the path of the state directory. 0: there is none; 1: found; 2:
 * found and removed. */
static int check_state_dir(int dirfd, bool repair)
{
	struct stat st;

	if (fstatat(dirfd, SK_STATE_DIR, &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISDIR(st.st_mode))
		return 0;
	return repair && unlinkat(dirfd, SK_STATE_DIR, 0) == 0 ? 2 : 1;
}

int sk_vm_state_check(const struct sk_paths *paths, const char *id, bool repair)
{
	_cleanup_free_ char *dir = sk_asprintf("%s/containers/%s", paths->root, id), *text = NULL;
	_cleanup_fd_ int dirfd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1, lock = -1;
	json_t *state = NULL;
	size_t len;
	char buf[36];
	int r = dirfd < 0 ? -ENOENT : sk_fs_read(dirfd, SK_STATE_FILE, SK_STATE_MAX, &text, &len);
	int place = dirfd < 0 ? 0 : check_state_dir(dirfd, repair);

	if (place == 1)
		return 1;
	if (r == 0)
		state = json_loadb(text, len, 0, NULL);
	if ((r == -ENOENT && !place) || json_is_object(state)) {
		json_decref(state);
		return 0;
	}
	json_decref(state);
	lock = openat(dirfd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (!repair || lock < 0 || sk_fs_lock(lock, true, false) < 0)
		return 1;
	state = load_once(dirfd);
	set_killed(state, last_seen(dirfd, buf));
	json_object_set_new(state, "error", json_string("the state of this container was damaged"));
	r = sk_vm_state_save(dirfd, state, NULL);
	json_decref(state);
	return r < 0 ? 1 : 2;
}

#define SK_STATE_RESERVE SK_STATE_DIR "/reserve"
#define SK_STATE_RESERVE_BYTES 163840 /* with what five health checks may have written, each byte as JSON's \u0001 */

int sk_vm_state_reserve(int dirfd, struct sk_error *err)
{
	_cleanup_fd_ int fd =
		openat(dirfd, SK_STATE_RESERVE, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	int r = fd < 0 ? -errno : fallocate(fd, 0, 0, SK_STATE_RESERVE_BYTES) < 0 ? -errno : 0;

	/* Where a file system reserves nothing, what is overwritten in place has to do. */
	if (r == 0 || r == -EOPNOTSUPP || r == -ENOSYS)
		return 0;
	return sk_error_errno(err, r, "cannot reserve space for the container's state");
}

/* On a full disk: what may be lost in a crash is better than what is not written at all. */
static int overwrite_state(int dirfd, const char *text, size_t len)
{
	_cleanup_fd_ int fd = openat(dirfd, SK_STATE_FILE, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	size_t done = 0;

	while (fd >= 0 && done < len) {
		ssize_t n = pwrite(fd, text + done, len - done, (off_t)done);

		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return fd < 0 || ftruncate(fd, (off_t)len) < 0 ? -errno : 0;
}

/* Whatever fails, the file that is there may do; the error is that of the proper way. */
static int write_state(int dirfd, const char *text, size_t len)
{
	int r = sk_fs_write_atomic(dirfd, SK_STATE_FILE, text, len, 0600, false);

	if ((r == -ENOSPC || r == -EDQUOT) && unlinkat(dirfd, SK_STATE_RESERVE, 0) == 0)
		r = sk_fs_write_atomic(dirfd, SK_STATE_FILE, text, len, 0600, false);
	return r < 0 && overwrite_state(dirfd, text, len) == 0 ? 0 : r;
}

int sk_vm_state_save(int dirfd, const json_t *state, struct sk_error *err)
{
	_cleanup_free_ char *text = json_dumps(state, JSON_INDENT(1));
	int made = mkdirat(dirfd, SK_STATE_DIR, 0700) < 0 ? -errno : 0;
	int r = text ? write_state(dirfd, text, strlen(text)) : -ENOMEM;

	/* The directory may exist already. If it does not, report why it could not be made. */
	if (r == -ENOENT && made < 0)
		r = made;
	return r < 0 ? sk_error_errno(err, r, "cannot write the container's state") : 0;
}

/*
 * Keeps the last SK_EVENTS_KEPT bytes of the events, from the beginning of a line. In place: a monitor that is confined
 * may write to this file, and to no other that takes its name. Killed in between, it leaves events twice, but loses
 * none.
 */
static int cut_events(int fd, off_t size)
{
	_cleanup_free_ char *text = malloc(SK_EVENTS_KEPT);
	size_t n = 0;
	char *line;
	ssize_t r;

	if (!text)
		return -ENOMEM;
	while (n < SK_EVENTS_KEPT) {
		r = pread(fd, text + n, SK_EVENTS_KEPT - n, size - SK_EVENTS_KEPT + (off_t)n);
		if (r <= 0)
			return r < 0 ? -errno : -EIO;
		n += (size_t)r;
	}
	line = memchr(text, '\n', n);
	line = line ? line + 1 : text + n;
	n -= (size_t)(line - text);
	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	r = sk_fs_write_all(fd, line, n);
	return r < 0 ? (int)r : ftruncate(fd, (off_t)n) < 0 ? -errno : 0;
}

/* Locks the event log, for a second at most: all monitors and commands write to it, and one of them that is stopped, or
 * in the hands of its guest, must not hold up the others. False: somebody keeps it. */
static bool lock_events(int lock)
{
	int tries, r;

	for (tries = 0; (r = sk_fs_lock(lock, true, false)) == -EWOULDBLOCK && tries < 200; tries++)
		usleep(5000);
	return r == 0;
}

/* Without the lock the line is only added: whole, as O_APPEND does it, and perhaps where the log is being cut. */
static int append_line(const struct sk_paths *paths, const char *line)
{
	_cleanup_free_ char *path = sk_asprintf("%s/events.jsonl", paths->root);
	_cleanup_fd_ int fd = -1, lock = -1;
	bool locked;
	off_t size;
	int r = 0;

	if (!path)
		return -ENOMEM;
	lock = open(paths->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (lock < 0)
		return -errno;
	locked = lock_events(lock);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | (locked ? 0 : O_APPEND), 0600);
	if (fd < 0)
		return -errno;
	size = lseek(fd, 0, SEEK_END);
	if (locked && size > SK_EVENTS_MAX)
		r = cut_events(fd, size);
	if (r == 0 && lseek(fd, 0, SEEK_END) < 0)
		r = -errno;
	return r < 0 ? r : sk_fs_write_all(fd, line, strlen(line));
}

int sk_event_append(const struct sk_paths *paths, const char *type, const char *action, const char *id,
		    const json_t *attributes)
{
	_cleanup_free_ char *text = NULL, *line = NULL;
	struct timespec ts;
	json_t *event;

	clock_gettime(CLOCK_REALTIME, &ts);
	event = json_pack("{s:s,s:s,s:s,s:{s:s,s:O?},s:s,s:I,s:I}", "Type", type, "Action", action, "id", id, "Actor",
			  "ID", id, "Attributes", attributes, "scope", "local", "time", (json_int_t)ts.tv_sec,
			  "timeNano", (json_int_t)ts.tv_sec * 1000000000 + ts.tv_nsec);
	if (!event)
		return -ENOMEM;
	text = json_dumps(event, JSON_COMPACT);
	json_decref(event);
	line = text ? sk_asprintf("%s\n", text) : NULL;
	return line ? append_line(paths, line) : -ENOMEM;
}
