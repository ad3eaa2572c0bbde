/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * Windows reports what happens in a directory and below it through one handle of that directory (ReadDirectoryChangesW): of
 * exports that lie in each other only the outermost has one. A handle below would keep directories above it from being
 * renamed, which is why there is none for each directory that a client looks at, as on Linux.
 *
 * A thread of ours waits for the reports at a completion port, asks for the next one, and hands them to the loop's thread,
 * which it wakes through a socket. There each record becomes an event, if its directory is one that a client holds.
 *
 * What Windows does not tell is not told:
 *   - a change of a file is IN_MODIFY, and IN_CLOSE_WRITE with it: there is no record of a close; the record may come only
 *     when the writer closes the file. A change of attributes alone is not asked for: it would look the same.
 *   - a move from one directory to another is the end of one name and the beginning of another.
 * So nothing is promised (no leases): a client uses what it has seen for a second, with or without an event.
 *
 * Echoes: a record does not name its process. What clients do through this process is noted (winwatch_expect()), by
 * directory, name and kind, and a record that was expected is left out. A record that does not come is expected for ECHO_MS:
 * what others do to the same name meanwhile is taken for the echo, and not told.
 *
 * Bounds: QUEUE_MAX bytes of records wait for the loop, and ECHO_MAX echoes are expected; beyond the first, and where the
 * system's own buffer overflows, one event says that some were lost.
 */
#include "export/winwatch.h"

#include <errno.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "export/winfs_internal.h"

#define ROOTS_MAX 64u
#define BUFFER_BYTES 65536u /* more is refused for directories of other machines */
#define QUEUE_MAX (1u << 20)
#define ECHO_MS 2000u
#define ECHO_MAX 65536u
#define ECHO_BUCKETS 1024u
#define PATH_CHARS 32768u
#define SEEN 32u
#define FILTER                                                                                  \
	(FILE_NOTIFY_CHANGE_FILE_NAME | FILE_NOTIFY_CHANGE_DIR_NAME | FILE_NOTIFY_CHANGE_SIZE | \
	 FILE_NOTIFY_CHANGE_LAST_WRITE)

struct root {
	struct winfs *fs;
	wchar_t *path; /* as the system calls it, without a slash at its end */
	HANDLE h;      /* NULL: another one reports for it */
	OVERLAPPED o;
	DWORD *buffer;
};

/* A report, as it came. */
struct report {
	struct report *next;
	const struct root *root;
	DWORD bytes;
	DWORD records[];
};

struct echo {
	struct echo *next, **link;   /* of its bucket */
	struct echo *later, *sooner; /* by age */
	uint64_t dir, until;	     /* ms */
	unsigned what, count;
	wchar_t name[];
};

struct sk_winwatch {
	struct sk_loop *loop;
	sk_winwatch_cb cb;
	void *arg;
	struct root roots[ROOTS_MAX];
	unsigned n;
	HANDLE port, thread;
	int wake[2]; /* the loop watches the first; a byte in the second wakes it */
	struct sk_source *source;
	SRWLOCK lock; /* of what follows */
	struct report *reports, **last;
	size_t queued;
	bool lost, woken;
	/* The loop's thread alone: */
	struct echo *echoes[ECHO_BUCKETS], *oldest, *newest;
	unsigned n_echoes;
	struct {
		uint64_t dir;
		wchar_t name[SK_WINDOWS_NAME_MAX + 1];
	} seen[SEEN]; /* changes that were told in this round */
	unsigned n_seen, next_seen;
	HANDLE at; /* of directory at_node; NULL */
	const struct sk_9p_node *at_node;
};

/* ---- echoes */

static struct echo **bucket(struct sk_winwatch *w, uint64_t dir, const wchar_t *name, unsigned what)
{
	uint32_t h = 2166136261u ^ (uint32_t)dir ^ (uint32_t)(dir >> 32) ^ what;

	for (; *name; name++)
		h = (h ^ towupper(*name)) * 16777619u;
	return &w->echoes[h % ECHO_BUCKETS];
}

static struct echo *find_echo(struct sk_winwatch *w, uint64_t dir, const wchar_t *name, unsigned what)
{
	struct echo *e;

	for (e = *bucket(w, dir, name, what); e; e = e->next)
		if (e->dir == dir && e->what == what && _wcsicmp(e->name, name) == 0)
			return e;
	return NULL;
}

static void leave_age(struct sk_winwatch *w, struct echo *e)
{
	*(e->sooner ? &e->sooner->later : &w->oldest) = e->later;
	*(e->later ? &e->later->sooner : &w->newest) = e->sooner;
}

static void enter_age(struct sk_winwatch *w, struct echo *e)
{
	e->until = sk_now_ms() + ECHO_MS;
	e->later = NULL;
	e->sooner = w->newest;
	*(e->sooner ? &e->sooner->later : &w->oldest) = e;
	w->newest = e;
}

static void echo_free(struct sk_winwatch *w, struct echo *e)
{
	leave_age(w, e);
	*e->link = e->next;
	if (e->next)
		e->next->link = e->link;
	free(e);
	w->n_echoes--;
}

static void forget_old(struct sk_winwatch *w)
{
	while (w->oldest && (w->oldest->until <= sk_now_ms() || w->n_echoes > ECHO_MAX))
		echo_free(w, w->oldest);
}

void winwatch_expect(struct sk_winwatch *w, const struct sk_9p_node *dir, const wchar_t *name, unsigned what)
{
	struct echo *e = find_echo(w, dir->ino, name, what), **b;

	if (e) {
		leave_age(w, e);
	} else {
		forget_old(w);
		e = calloc(1, sizeof(*e) + (wcslen(name) + 1) * sizeof(*name));
		if (!e)
			return; /* it is told then */
		e->dir = dir->ino;
		e->what = what;
		wcscpy(e->name, name);
		b = bucket(w, e->dir, name, what);
		e->next = *b;
		e->link = b;
		if (e->next)
			e->next->link = &e->next;
		*b = e;
		w->n_echoes++;
	}
	e->count++;
	enter_age(w, e);
}

static bool is_echo(struct sk_winwatch *w, uint64_t dir, const wchar_t *name, unsigned what)
{
	struct echo *e;

	forget_old(w);
	e = find_echo(w, dir, name, what);
	if (!e)
		return false;
	/* Names come and go once each; of changes nobody knows how many records there will be. */
	if (what != WINWATCH_CHANGE && --e->count == 0)
		echo_free(w, e);
	return true;
}

/* ---- from a record to an event */

/* A name in a directory that clients know. */
struct watch_place {
	bool known;  /* a client holds the directory */
	bool hidden; /* a name that clients do not get to see */
	bool is_dir;
	uint64_t dir;
	struct winfs *fs;
	struct sk_9p_node *node; /* the directory's; borrowed for one record */
	wchar_t wide[SK_WINDOWS_NAME_MAX + 1];
	char name[P9_NAME_MAX + 1];
};

static struct sk_9p_node *held_in_any_case(struct sk_9p_node *dir, const wchar_t *name)
{
	struct sk_9p_node *n = winfs_held(dir, name);

	for (n = n ? n : dir->children; n && _wcsicmp(n->name, name) != 0; n = n->next)
		;
	return n;
}

/* The directory of `path` below the root of `fs`, and the name in it, for which `path` is cut. NULL: no client holds it. */
static struct sk_9p_node *find_directory(struct winfs *fs, wchar_t *path, const wchar_t **ret_name)
{
	struct sk_9p_node *at = &fs->root;
	wchar_t *slash;

	for (; at && (slash = wcschr(path, L'\\')); path = slash + 1) {
		*slash = L'\0';
		at = held_in_any_case(at, path);
		*slash = L'\\';
	}
	*ret_name = path;
	return at && at->dir ? at : NULL;
}

/* Where `path` begins with the directory `top`: what follows, without the slash. NULL: it does not. */
static const wchar_t *below(const wchar_t *path, const wchar_t *top)
{
	size_t n = wcslen(top);

	if (_wcsnicmp(path, top, n) != 0)
		return NULL;
	return path[n] == L'\\' ? path + n + 1 : path[n] ? NULL : path + n;
}

/* The directory of a record is that of the next one, as a rule: it stays open for a report. */
static HANDLE open_directory(struct sk_winwatch *w, const struct watch_place *p)
{
	if (w->at && w->at_node == p->node)
		return w->at;
	if (w->at)
		CloseHandle(w->at);
	w->at_node = p->node;
	if (winfs_open_dir(p->fs, p->node, &w->at) < 0)
		w->at = NULL;
	return w->at;
}

/* Finds out whether the name is a directory. False: there is nothing of that name any more. */
static bool look(struct sk_winwatch *w, struct watch_place *p)
{
	const struct sk_9p_node *held = held_in_any_case(p->node, p->wide);
	uint32_t attributes;
	HANDLE d;

	p->is_dir = held && held->dir;
	if (held)
		return true;
	d = open_directory(w, p);
	if (!d || sk_nt_attributes(d, p->wide, &attributes) < 0)
		return false;
	/* A link is shown as one, whatever it leads to. */
	p->is_dir = (attributes & FILE_ATTRIBUTE_DIRECTORY) && !(attributes & FILE_ATTRIBUTE_REPARSE_POINT);
	return true;
}

/* `full` is changed. */
static void find_place(struct sk_winwatch *w, wchar_t *full, struct watch_place *p)
{
	unsigned i;

	memset(p, 0, sizeof(*p));
	for (i = 0; i < w->n && !p->known; i++) {
		const wchar_t *rest = below(full, w->roots[i].path), *name;
		struct winfs *fs = w->roots[i].fs;
		struct sk_9p_node *dir;

		if (!rest || !*rest)
			continue;
		dir = find_directory(fs, full + (rest - full), &name);
		if (!dir || wcslen(name) > SK_WINDOWS_NAME_MAX ||
		    (fs->only && dir == &fs->root && _wcsicmp(name, fs->only) != 0))
			continue;
		p->known = true;
		p->dir = dir->ino;
		wcscpy(p->wide, name);
		p->hidden = wcsncmp(name, WINFS_GONE, wcslen(WINFS_GONE)) == 0 ||
			    sk_windows_name_decode((const uint16_t *)name, wcslen(name), p->name, sizeof(p->name)) < 0;
		p->fs = fs;
		p->node = dir;
	}
}

static void report_event(struct sk_winwatch *w, uint8_t kind, const struct watch_place *p)
{
	const struct sk_9p_event e = { .kind = kind, .is_dir = p->is_dir, .dir = p->dir, .name = p->name };

	if (p->known && !p->hidden)
		w->cb(w->arg, &e);
}

/* The second of a pair; a side that is not known to clients is 0. */
static void report_rename(struct sk_winwatch *w, const struct watch_place *from, const struct watch_place *to)
{
	const struct sk_9p_event e = { .kind = P9_EVENT_RENAME,
				       .is_dir = to->known ? to->is_dir : from->is_dir,
				       .dir = from->known ? from->dir : 0,
				       .name = from->known ? from->name : "",
				       .new_dir = to->known ? to->dir : 0,
				       .new_name = to->known ? to->name : "" };

	if (from->hidden)
		report_event(w, P9_EVENT_CREATE, to);
	else if (to->hidden)
		report_event(w, P9_EVENT_DELETE, from);
	else if (from->known || to->known)
		w->cb(w->arg, &e);
}

static bool was_seen(struct sk_winwatch *w, const struct watch_place *p)
{
	unsigned i;

	for (i = 0; i < w->n_seen; i++)
		if (w->seen[i].dir == p->dir && wcscmp(w->seen[i].name, p->wide) == 0)
			return true;
	i = w->n_seen < SEEN ? w->n_seen++ : w->next_seen++ % SEEN;
	w->seen[i].dir = p->dir;
	wcscpy(w->seen[i].name, p->wide);
	return false;
}

static void report_change(struct sk_winwatch *w, struct watch_place *p)
{
	if (!p->known || p->hidden || is_echo(w, p->dir, p->wide, WINWATCH_CHANGE) || was_seen(w, p))
		return;
	/* That a directory has other names now is told by those names. */
	if (!look(w, p) || p->is_dir)
		return;
	report_event(w, P9_EVENT_MODIFY, p);
	report_event(w, P9_EVENT_CLOSE_WRITE, p);
}

static void report_name(struct sk_winwatch *w, bool appears, struct watch_place *p)
{
	const struct sk_9p_node *held;

	if (!p->known || p->hidden || is_echo(w, p->dir, p->wide, appears ? WINWATCH_APPEAR : WINWATCH_VANISH))
		return;
	held = held_in_any_case(p->node, p->wide);
	p->is_dir = held && held->dir;
	if (appears)
		(void)look(w, p);
	report_event(w, appears ? P9_EVENT_CREATE : P9_EVENT_DELETE, p);
}

/* The first half of a rename waits for the second, which follows it at once. */
struct half {
	bool is, echo;
	struct watch_place from;
};

static void end_half(struct sk_winwatch *w, struct half *half)
{
	if (half->is && !half->echo)
		report_event(w, P9_EVENT_DELETE, &half->from);
	half->is = false;
}

static void take_record(struct sk_winwatch *w, DWORD action, wchar_t *full, struct half *half)
{
	const struct sk_9p_node *held;
	struct watch_place p;
	bool echo;

	if (action != FILE_ACTION_RENAMED_NEW_NAME)
		end_half(w, half);
	find_place(w, full, &p);
	switch (action) {
	case FILE_ACTION_ADDED:
	case FILE_ACTION_REMOVED:
		report_name(w, action == FILE_ACTION_ADDED, &p);
		break;
	case FILE_ACTION_MODIFIED:
		report_change(w, &p);
		break;
	case FILE_ACTION_RENAMED_OLD_NAME:
		held = p.known ? held_in_any_case(p.node, p.wide) : NULL;
		p.is_dir = held && held->dir;
		*half = (struct half){ true, p.known && is_echo(w, p.dir, p.wide, WINWATCH_VANISH), p };
		break;
	case FILE_ACTION_RENAMED_NEW_NAME:
		echo = p.known && is_echo(w, p.dir, p.wide, WINWATCH_APPEAR);
		if (!half->is)
			memset(&half->from, 0, sizeof(half->from));
		if (!echo && !(half->is && half->echo)) {
			if (p.known && !p.hidden)
				(void)look(w, &p);
			report_rename(w, &half->from, &p);
		}
		half->is = false;
		break;
	default:
		break;
	}
}

static void take_report(struct sk_winwatch *w, const struct report *report)
{
	const uint8_t *at = (const uint8_t *)report->records;
	_cleanup_free_ wchar_t *full = malloc(PATH_CHARS * sizeof(*full));
	size_t left = report->bytes, top = wcslen(report->root->path);
	struct half half = { 0 };

	if (!full)
		return;
	memcpy(full, report->root->path, top * sizeof(*full));
	full[top] = L'\\';
	for (;;) {
		const FILE_NOTIFY_INFORMATION *record = (const void *)at;
		size_t fixed = offsetof(FILE_NOTIFY_INFORMATION, FileName), n;

		if (left < fixed || record->FileNameLength > left - fixed)
			break;
		n = record->FileNameLength / sizeof(*full);
		if (n < PATH_CHARS - top - 2) {
			memcpy(full + top + 1, record->FileName, n * sizeof(*full));
			full[top + 1 + n] = L'\0';
			take_record(w, record->Action, full, &half);
		}
		if (!record->NextEntryOffset || record->NextEntryOffset > left)
			break;
		at += record->NextEntryOffset;
		left -= record->NextEntryOffset;
	}
	end_half(w, &half);
	if (w->at)
		CloseHandle(w->at);
	w->at = NULL;
}

static void on_wake(void *arg, int fd, unsigned events)
{
	static const struct sk_9p_event lost_event = { .kind = P9_EVENT_LOST };
	struct sk_winwatch *w = arg;
	struct report *report;
	uint8_t drain[16];
	bool lost;

	(void)events;
	AcquireSRWLockExclusive(&w->lock);
	while (recv(fd, drain, sizeof(drain), MSG_DONTWAIT) > 0)
		;
	w->woken = false;
	report = w->reports;
	w->reports = NULL;
	w->last = &w->reports;
	w->queued = 0;
	lost = w->lost;
	w->lost = false;
	ReleaseSRWLockExclusive(&w->lock);
	w->n_seen = 0;
	while (report) {
		struct report *next = report->next;

		take_report(w, report);
		free(report);
		report = next;
	}
	if (lost)
		w->cb(w->arg, &lost_event);
	w->cb(w->arg, NULL);
}

/* ---- the thread */

static bool ask(struct root *r)
{
	memset(&r->o, 0, sizeof(r->o));
	return ReadDirectoryChangesW(r->h, r->buffer, BUFFER_BYTES, !r->fs->only, FILTER, NULL, &r->o, NULL);
}

/* 0 bytes: some were lost. */
static void hand_over(struct sk_winwatch *w, const struct root *root, DWORD bytes)
{
	struct report *report = bytes ? malloc(sizeof(*report) + bytes) : NULL;

	AcquireSRWLockExclusive(&w->lock);
	if (!report || w->queued + bytes > QUEUE_MAX) {
		w->lost = true;
		free(report);
	} else {
		report->next = NULL;
		report->root = root;
		report->bytes = bytes;
		memcpy(report->records, root->buffer, bytes);
		*w->last = report;
		w->last = &report->next;
		w->queued += bytes;
	}
	if (!w->woken)
		w->woken = send(w->wake[1], "", 1, MSG_DONTWAIT) == 1;
	ReleaseSRWLockExclusive(&w->lock);
}

static DWORD WINAPI watch_thread(void *arg)
{
	struct sk_winwatch *w = arg;
	bool stop = false;
	unsigned open = 0, i;

	for (i = 0; i < w->n; i++)
		open += w->roots[i].h != NULL;
	/* Each that is asked is answered once more, also when it is taken back: its memory is the system's until then. */
	while (open || !stop) {
		struct root *root = NULL;
		OVERLAPPED *o = NULL;
		DWORD bytes = 0;
		ULONG_PTR key = 0;
		BOOL good = GetQueuedCompletionStatus(w->port, &bytes, &key, &o, INFINITE);

		if (!o) { /* sk_winwatch_free() */
			stop = true;
			for (i = 0; i < w->n; i++)
				if (w->roots[i].h)
					CancelIoEx(w->roots[i].h, &w->roots[i].o);
			continue;
		}
		root = (struct root *)key;
		if (!stop)
			hand_over(w, root, good ? bytes : 0);
		/* A directory that is gone, or a share whose machine is, reports no more. */
		if (stop || !good || !ask(root))
			open--;
	}
	return 0;
}

/* ---- the whole */

int sk_winwatch_new(struct sk_loop *loop, sk_winwatch_cb cb, void *arg, struct sk_winwatch **ret, struct sk_error *err)
{
	struct sk_winwatch *w = calloc(1, sizeof(*w));

	if (!w)
		return sk_error_errno(err, ENOMEM, "cannot watch directories");
	w->loop = loop;
	w->cb = cb;
	w->arg = arg;
	w->last = &w->reports;
	w->wake[0] = w->wake[1] = -1;
	InitializeSRWLock(&w->lock);
	*ret = w;
	return 0;
}

/* malloc'd; NULL with the system's error. */
static wchar_t *final_path(HANDLE h)
{
	wchar_t *path = malloc(PATH_CHARS * sizeof(*path)), *shorter;
	DWORD n = path ? GetFinalPathNameByHandleW(h, path, PATH_CHARS, VOLUME_NAME_DOS) : 0;

	if (!n || n >= PATH_CHARS) {
		free(path);
		return NULL;
	}
	if (path[n - 1] == L'\\')
		path[n - 1] = L'\0';
	shorter = realloc(path, (n + 1) * sizeof(*path));
	return shorter ? shorter : path;
}

int sk_winwatch_add(struct sk_winwatch *w, struct sk_9p_fs *fs, struct sk_error *err)
{
	struct root *r = &w->roots[w->n];

	if (w->n == ROOTS_MAX)
		return sk_error_set(err, E2BIG, "more than %u directories cannot be watched", ROOTS_MAX);
	r->fs = winfs_of(fs);
	r->path = final_path(r->fs->root_handle);
	if (!r->path)
		return sk_error_errno(err, sk_win_errno(GetLastError()), "cannot watch a directory");
	r->fs->watch = w;
	w->n++;
	return 0;
}

/* Whether all that happens in `b` is reported by the handle of `a`. */
static bool covers(const struct root *a, bool a_first, const struct root *b)
{
	const wchar_t *rest = below(b->path, a->path);

	if (!rest)
		return false;
	if (a->fs->only) /* its directory alone, not what is below */
		return !*rest && b->fs->only && a_first;
	return *rest || b->fs->only || a_first;
}

static bool is_covered(const struct sk_winwatch *w, unsigned i)
{
	unsigned k;

	for (k = 0; k < w->n; k++)
		if (k != i && covers(&w->roots[k], k < i, &w->roots[i]))
			return true;
	return false;
}

static int start_root(struct sk_winwatch *w, struct root *r, struct sk_error *err)
{
	const struct sk_nt_how how = { .access = FILE_LIST_DIRECTORY,
				       .disposition = FILE_OPEN,
				       .options = FILE_DIRECTORY_FILE,
				       .overlapped = true };
	long status;

	r->buffer = malloc(BUFFER_BYTES);
	if (!r->buffer)
		return sk_error_errno(err, ENOMEM, "cannot watch a directory");
	status = sk_nt_open(r->fs->root_handle, L"", &how, &r->h);
	if (status < 0) {
		r->h = NULL;
		return sk_error_errno(err, sk_win_status_errno(status), "cannot watch a directory");
	}
	if (CreateIoCompletionPort(r->h, w->port, (ULONG_PTR)r, 0) && ask(r))
		return 0;
	sk_error_errno(err, sk_win_errno(GetLastError()), "cannot watch a directory");
	CloseHandle(r->h);
	r->h = NULL;
	return -err->code;
}

/* A directory that cannot be watched (some network drives) is served without. */
int sk_winwatch_start(struct sk_winwatch *w, struct sk_error *err)
{
	unsigned i;

	w->port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 1);
	if (w->port && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, w->wake) == 0)
		w->source = sk_loop_add_fd(w->loop, w->wake[0], SK_LOOP_READ, on_wake, w);
	if (!w->source)
		return sk_error_errno(err, ENOMEM, "cannot watch directories");
	for (i = 0; i < w->n; i++) {
		struct sk_error why = SK_ERROR_INIT;

		if (!is_covered(w, i) && start_root(w, &w->roots[i], &why) < 0)
			sk_log(SK_LOG_INFO, "changes made on the host are not told: %s", why.message);
	}
	w->thread = CreateThread(NULL, 0, watch_thread, w, 0, NULL);
	return w->thread ? 0 : sk_error_errno(err, ENOMEM, "cannot watch directories");
}

void sk_winwatch_free(struct sk_winwatch *w)
{
	unsigned i;

	if (!w)
		return;
	if (w->thread) {
		PostQueuedCompletionStatus(w->port, 0, 0, NULL);
		WaitForSingleObject(w->thread, INFINITE);
		CloseHandle(w->thread);
	}
	for (i = 0; i < w->n; i++) {
		w->roots[i].fs->watch = NULL;
		if (w->roots[i].h)
			CloseHandle(w->roots[i].h);
		free(w->roots[i].buffer);
		free(w->roots[i].path);
	}
	if (w->port)
		CloseHandle(w->port);
	sk_loop_remove(w->source);
	sk_close_fd(&w->wake[0]);
	sk_close_fd(&w->wake[1]);
	while (w->reports) {
		struct report *next = w->reports->next;

		free(w->reports);
		w->reports = next;
	}
	while (w->oldest)
		echo_free(w, w->oldest);
	free(w);
}
