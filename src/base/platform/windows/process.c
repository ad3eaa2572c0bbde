/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Child processes. A child inherits the three standard streams and nothing else; where it is to end with us it is in a
 * job object whose only handle is ours. Not to be had on this system, and refused: namespaces, descriptors under the
 * same numbers, a function to run in the child.
 */
#include "base/process.h"

#include "base/cleanup.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/platform/windows/system.h"

#define KEPT_MAX 128u /* descriptors that a child has besides its streams */
#define CHILDREN 64u
#define TAIL 512u

/* Handles of children that nobody has waited for. */
static struct child {
	DWORD pid;
	HANDLE process, job;
} children[CHILDREN];
static SRWLOCK children_lock = SRWLOCK_INIT;

int sk_std_fds_open(void)
{
	return 0; /* the runtime keeps the numbers 0 to 2 for them */
}

void sk_fd_table_grow(unsigned n)
{
	(void)n;
}

bool sk_in_user_namespace(void)
{
	return false;
}

/* ---- finding programs */

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* `dir`/`name`, or the same with ".exe", if that is a file. */
static char *program_in(const char *dir, size_t n, const char *name)
{
	static const char *const suffixes[] = { ".exe", "" };
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(suffixes); i++) {
		char *path = sk_asprintf("%.*s%s%s%s", (int)n, dir, n ? "/" : "", name, suffixes[i]);

		if (!path || is_program(path))
			return path;
		free(path);
	}
	return NULL;
}

char *sk_find_program(const char *name)
{
	const char *dir = getenv("PATH"), *end;

	if (strpbrk(name, "/\\")) {
		char *found = program_in("", 0, name);

		return found ? found : strdup(name);
	}
	/* Not in the current directory, where the system itself looks first. */
	for (; dir && *dir; dir = *end ? end + 1 : end) {
		char *path;

		end = strchrnul(dir, ';');
		if (end - dir < 3 || dir[1] != ':')
			continue;
		path = program_in(dir, (size_t)(end - dir), name);
		if (path)
			return path;
	}
	errno = ENOENT;
	return NULL;
}

/* ---- the command line */

/* One argument, so that the child's runtime reads it as it is (the rules of CommandLineToArgvW). */
static void quote(struct sk_buf *b, const char *arg, bool *ok)
{
	const char *p;
	size_t slashes = 0;

	*ok &= sk_buf_append(b, "\"", 1) == 0;
	for (p = arg; *p; p++) {
		if (*p == '\\') {
			slashes++;
		} else if (*p == '"') {
			for (slashes++; slashes; slashes--)
				*ok &= sk_buf_append(b, "\\", 1) == 0;
		} else {
			slashes = 0;
		}
		*ok &= sk_buf_append(b, p, 1) == 0;
	}
	for (; slashes; slashes--)
		*ok &= sk_buf_append(b, "\\", 1) == 0;
	*ok &= sk_buf_append(b, "\"", 1) == 0;
}

static wchar_t *command_line(const char *const *argv)
{
	struct sk_buf b;
	wchar_t *line;
	bool ok = true;
	size_t i;

	sk_buf_init(&b, 1 << 16);
	for (i = 0; argv[i]; i++) {
		if (i)
			ok &= sk_buf_append(&b, " ", 1) == 0;
		quote(&b, argv[i], &ok);
	}
	ok &= sk_buf_append(&b, "", 1) == 0;
	line = ok ? sk_win_wide((const char *)sk_buf_data(&b)) : NULL;
	sk_buf_fini(&b);
	return line;
}

/* "A=B\0C=D\0\0". */
static wchar_t *environment(const char *const *envp)
{
	wchar_t *block = malloc(2 * sizeof(*block));
	size_t len = 0, i;

	for (i = 0; block && envp[i]; i++) {
		_cleanup_free_ wchar_t *one = sk_win_wide(envp[i]);
		size_t n = one ? wcslen(one) + 1 : 0;
		wchar_t *p = one ? realloc(block, (len + n + 2) * sizeof(*p)) : NULL;

		if (!p) {
			free(block);
			return NULL;
		}
		block = p;
		memcpy(block + len, one, n * sizeof(*p));
		len += n;
	}
	if (block)
		block[len] = block[len + 1] = L'\0';
	return block;
}

/* ---- starting */

/* A copy of the descriptor's handle that a child may inherit; of "nothing" if it is negative. */
static HANDLE inheritable(int fd)
{
	SECURITY_ATTRIBUTES sa = { .nLength = sizeof(sa), .bInheritHandle = TRUE };
	HANDLE h, copy;

	if (fd < 0)
		return CreateFileW(L"NUL", GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, &sa,
				   OPEN_EXISTING, 0, NULL);
	h = sk_win_handle(fd);
	if (h == INVALID_HANDLE_VALUE ||
	    !DuplicateHandle(GetCurrentProcess(), h, GetCurrentProcess(), &copy, 0, TRUE, DUPLICATE_SAME_ACCESS))
		return INVALID_HANDLE_VALUE;
	return copy;
}

static HANDLE new_job(void)
{
	JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = { .BasicLimitInformation.LimitFlags =
								JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE };
	HANDLE job = CreateJobObjectW(NULL, NULL);

	if (job && !SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof(limits))) {
		CloseHandle(job);
		job = NULL;
	}
	return job;
}

/* Keeps the child's handles for sk_wait(). False: too many children. */
static bool keep(DWORD pid, HANDLE process, HANDLE job)
{
	unsigned i;

	AcquireSRWLockExclusive(&children_lock);
	for (i = 0; i < CHILDREN && children[i].process; i++)
		;
	if (i < CHILDREN)
		children[i] = (struct child){ pid, process, job };
	ReleaseSRWLockExclusive(&children_lock);
	return i < CHILDREN;
}

/* A child of a program without a console would open a window for one of its own. */
static DWORD console_flags(bool detached)
{
	if (detached)
		return DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP;
	return GetConsoleWindow() ? 0 : CREATE_NO_WINDOW;
}

/* Starts the program suspended, so that it is in its job before it can start others. A positive errno. */
static int start(const char *program, wchar_t *line, wchar_t *env, bool detached, HANDLE *std, size_t n, HANDLE job,
		 PROCESS_INFORMATION *ret)
{
	_cleanup_free_ wchar_t *file = sk_win_wide(program);
	STARTUPINFOEXW si = { .StartupInfo = { .cb = sizeof(si), .dwFlags = STARTF_USESTDHANDLES } };
	SIZE_T size = 0;
	BOOL started = FALSE;
	DWORD error;

	si.StartupInfo.hStdInput = std[0];
	si.StartupInfo.hStdOutput = std[1];
	si.StartupInfo.hStdError = std[2];
	InitializeProcThreadAttributeList(NULL, 1, 0, &size);
	si.lpAttributeList = malloc(size);
	if (!file || !si.lpAttributeList)
		return ENOMEM;
	if (InitializeProcThreadAttributeList(si.lpAttributeList, 1, 0, &size)) {
		if (UpdateProcThreadAttribute(si.lpAttributeList, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, std,
					      n * sizeof(*std), NULL, NULL))
			started = CreateProcessW(file, line, NULL, NULL, TRUE,
						 CREATE_SUSPENDED | CREATE_UNICODE_ENVIRONMENT |
							 EXTENDED_STARTUPINFO_PRESENT | console_flags(detached),
						 env, NULL, &si.StartupInfo, ret);
		error = GetLastError();
		DeleteProcThreadAttributeList(si.lpAttributeList);
	} else {
		error = GetLastError();
	}
	free(si.lpAttributeList);
	if (!started)
		return sk_win_errno(error);
	if (job && !AssignProcessToJobObject(job, ret->hProcess)) {
		error = GetLastError();
		TerminateProcess(ret->hProcess, 127);
		CloseHandle(ret->hThread);
		CloseHandle(ret->hProcess);
		return sk_win_errno(error);
	}
	ResumeThread(ret->hThread);
	CloseHandle(ret->hThread);
	return 0;
}

/* Behind the streams come handles of other descriptors, which the child has by the same numbers. `on`: it may inherit them,
 * which it does as they are in its list, and nobody else. A positive errno. */
static int keep_handles(const struct sk_spawn *s, HANDLE *ret, bool on)
{
	size_t i;

	if (s->n_keep_fds > KEPT_MAX)
		return E2BIG;
	for (i = 0; i < s->n_keep_fds; i++) {
		ret[i] = sk_win_handle(s->keep_fds[i]);
		if (ret[i] == INVALID_HANDLE_VALUE ||
		    !SetHandleInformation(ret[i], HANDLE_FLAG_INHERIT, on ? HANDLE_FLAG_INHERIT : 0))
			return EBADF;
	}
	return 0;
}

int sk_spawn(const struct sk_spawn *s, sk_pid *ret_pid, int *ret_pidfd, struct sk_error *err)
{
	_cleanup_free_ char *program = sk_find_program(s->file);
	_cleanup_free_ wchar_t *line = command_line(s->argv), *env = s->envp ? environment(s->envp) : NULL;
	HANDLE std[3 + KEPT_MAX] = { inheritable(s->stdin_fd), inheritable(s->stdout_fd), inheritable(s->stderr_fd) };
	HANDLE job = s->die_with_parent ? new_job() : NULL;
	PROCESS_INFORMATION pi = { 0 };
	size_t i;
	int e = 0;

	if (!program)
		e = errno;
	else if (s->namespaces || s->prepare)
		e = EOPNOTSUPP;
	else if (!line || (s->envp && !env) || (s->die_with_parent && !job))
		e = ENOMEM;
	for (i = 0; i < 3; i++)
		if (!e && std[i] == INVALID_HANDLE_VALUE)
			e = EBADF;
	if (!e)
		e = keep_handles(s, std + 3, true);
	if (!e)
		e = start(program, line, env, s->new_session, std, 3 + s->n_keep_fds, job, &pi);
	(void)keep_handles(s, std + 3, false);
	for (i = 0; i < 3; i++)
		if (std[i] != INVALID_HANDLE_VALUE)
			CloseHandle(std[i]);
	if (!e && !keep(pi.dwProcessId, pi.hProcess, job)) {
		TerminateProcess(pi.hProcess, 127);
		CloseHandle(pi.hProcess);
		e = EAGAIN;
	}
	if (e) {
		if (job)
			CloseHandle(job);
		return sk_error_errno(err, e, "cannot start %s", s->file);
	}
	*ret_pid = (sk_pid)pi.dwProcessId;
	if (ret_pidfd)
		*ret_pidfd = -1; /* a process is no file here: sk_wait() */
	return 0;
}

/* The child's entry, and a free one in its place if `take`. */
static struct child find_child(sk_pid pid, bool take)
{
	struct child c = { 0 };
	unsigned i;

	AcquireSRWLockExclusive(&children_lock);
	for (i = 0; i < CHILDREN && !(children[i].process && children[i].pid == (DWORD)pid); i++)
		;
	if (i < CHILDREN) {
		c = children[i];
		if (take)
			children[i] = (struct child){ 0 };
	}
	ReleaseSRWLockExclusive(&children_lock);
	return c;
}

int sk_wait(sk_pid pid)
{
	struct child c = find_child(pid, true);
	DWORD code;

	if (!c.process)
		return -ECHILD;
	WaitForSingleObject(c.process, INFINITE);
	if (!GetExitCodeProcess(c.process, &code))
		code = 127;
	CloseHandle(c.process);
	if (c.job)
		CloseHandle(c.job);
	/* An exception's number is no exit code. */
	return code > 255 ? 255 : (int)code;
}

bool sk_process_runs(sk_pid pid, int pidfd, int ms)
{
	struct child c = find_child(pid, false);

	(void)pidfd;
	return c.process && WaitForSingleObject(c.process, ms < 0 ? INFINITE : (DWORD)ms) == WAIT_TIMEOUT;
}

void sk_process_kill(sk_pid pid)
{
	struct child c = find_child(pid, false);

	if (c.process)
		TerminateProcess(c.process, 137);
}

/* Reads what the child writes, and keeps its end. */
static void read_tail(HANDLE from, char tail[TAIL + 1])
{
	char chunk[TAIL];
	size_t len = 0;
	DWORD n;

	while (ReadFile(from, chunk, sizeof(chunk), &n, NULL) && n) {
		size_t kept = n + len > TAIL ? TAIL - n : len;

		memmove(tail, tail + len - kept, kept);
		memcpy(tail + kept, chunk, n);
		len = kept + n;
		tail[len] = '\0';
	}
	while (len && (tail[len - 1] == '\n' || tail[len - 1] == '\r'))
		tail[--len] = '\0';
}

int sk_run(const struct sk_spawn *spawn, struct sk_error *err)
{
	struct sk_spawn s = *spawn;
	_cleanup_fd_ int write_end = -1;
	HANDLE from = NULL, to;
	char tail[TAIL + 1] = "";
	sk_pid pid;
	int r;

	if (s.stderr_fd < 0) {
		if (!CreatePipe(&from, &to, NULL, 0))
			return sk_error_errno(err, sk_win_errno(GetLastError()), "cannot start %s", s.file);
		write_end = s.stderr_fd = sk_win_descriptor(to, 0);
	}
	r = sk_spawn(&s, &pid, NULL, err);
	sk_close_fd(&write_end);
	if (r == 0 && from)
		read_tail(from, tail);
	if (from)
		CloseHandle(from);
	if (r < 0)
		return r;
	r = sk_wait(pid);
	if (r > 0)
		sk_error_set(err, EIO, "%s failed with exit code %d%s%s", s.file, r, *tail ? ": " : "", tail);
	return r;
}
