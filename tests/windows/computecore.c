/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stand-in for Windows' computecore.dll, for tests under Wine, which has none. It takes the calls that Skerry makes,
 * judges the description of a VM as the real one does (hcs_schema.c), keeps the VM's states, and answers with documents and
 * events from a thread of its own. Its guest does nothing but to write a line to the serial port's pipe; where the
 * kernel's command line has the word "standin.exit" it powers off, with "standin.crash" it ends unexpectedly.
 *
 * SKERRY_STANDIN_ENGINE: path of tests/windows/standin_engine.c's program on the host. It is started, and boots a real guest
 * with the disks of the description; the guest's streams go through the directory SKERRY_TEST_STREAMS, its console to the
 * pipe. It ends with the VM, and the VM with it. SKERRY_STANDIN_KIND: the engine for Linux that it takes (uml).
 *
 * A VM with devices of a process of the host ("FlexibleIov") starts only if the stand-in for vmdevicehost.dll is loaded, and has
 * them for this VM.
 *
 * SKERRY_STANDIN_SCHEMA: minor number of the newest schema (5). SKERRY_STANDIN_DENY=1: the user may not use Hyper-V.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/platform/windows/system.h"
#include "hcs_schema.h"

#include <computecore.h>
#include <objbase.h>

#define BAD_STATE 0x80370105u
#define STOPPED 0x80370110u
#define EXISTS 0x8037010fu
#define DENIED 0x80070005u
#define CORRUPTED 0x80070570u
#define NO_DEVICE 0x80070490u /* ERROR_NOT_FOUND */
#define UNEXPECTED 0x80370106u
#define SYSTEMS 16u
#define GRANTED 64u
#define WORDS 2048u
#define LINE 16384u
#define ENGINE_MS 20000

enum state { NONE, CREATED, RUNNING, ENDED };

struct standin {
	enum state state;
	wchar_t id[64];
	char command_line[4096], pipe[256];
	json_t *document;
	int engine; /* the connection of the engine; -1: there is none */
	HCS_EVENT_CALLBACK callback;
	void *arg;
};
struct operation {
	uint32_t result;
	wchar_t document[WORDS]; /* "": none */
};

static struct standin systems[SYSTEMS];
static CRITICAL_SECTION lock; /* a callback runs with it held: none comes after HcsCloseComputeSystem() */
static wchar_t granted[GRANTED][260];
static unsigned n_granted;

BOOL WINAPI DllMain(HINSTANCE self, DWORD why, LPVOID unused);

BOOL WINAPI DllMain(HINSTANCE self, DWORD why, LPVOID unused)
{
	(void)self;
	(void)unused;
	if (why == DLL_PROCESS_ATTACH)
		InitializeCriticalSection(&lock);
	return TRUE;
}

static wchar_t *copy(const wchar_t *text)
{
	size_t n = (wcslen(text) + 1) * sizeof(*text);
	wchar_t *p = LocalAlloc(LMEM_FIXED, n);

	if (p)
		memcpy(p, text, n);
	return p;
}

static HRESULT done(HCS_OPERATION handle, uint32_t result, const char *why)
{
	struct operation *o = (void *)handle;
	char text[200], *p;

	snprintf(text, sizeof(text), "%s", why);
	for (p = text; *p; p++)
		if (*p == '\\' || *p == '"')
			*p = '/'; /* as good as escaped */
	o->result = result;
	o->document[0] = L'\0';
	if (result != HCS_OK)
		swprintf(o->document, WORDS, L"{\"Error\":%ld,\"ErrorMessage\":\"%hs\"}", (long)(int32_t)result, text);
	return (HRESULT)HCS_OK;
}

__declspec(dllexport) HCS_OPERATION WINAPI HcsCreateOperation(const void *context, HCS_OPERATION_COMPLETION callback)
{
	(void)context;
	return callback ? NULL : (HCS_OPERATION)calloc(1, sizeof(struct operation));
}

__declspec(dllexport) void WINAPI HcsCloseOperation(HCS_OPERATION operation)
{
	free(operation);
}

__declspec(dllexport) HRESULT WINAPI HcsWaitForOperationResult(HCS_OPERATION operation, DWORD ms, PWSTR *document)
{
	struct operation *o = (void *)operation;

	(void)ms;
	if (document)
		*document = o->document[0] ? copy(o->document) : NULL;
	return (HRESULT)o->result;
}

static bool exists(const char *path)
{
	wchar_t *wide = sk_win_wide(path);
	bool is = wide && GetFileAttributesW(wide) != INVALID_FILE_ATTRIBUTES;

	free(wide);
	return is;
}

static bool denied(void)
{
	char value[8];

	return GetEnvironmentVariableA("SKERRY_STANDIN_DENY", value, sizeof(value)) != 0;
}

/* The name says what the file has to be. */
static bool is_disk(const char *path, const wchar_t *wide)
{
	bool grows = strlen(path) > 5 && strcmp(path + strlen(path) - 5, ".vhdx") == 0;
	HANDLE h = CreateFileW(wide, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
			       OPEN_EXISTING, 0, NULL);
	LARGE_INTEGER end = { .QuadPart = -512 };
	char head[8] = "";
	DWORD n = 0;
	bool is;

	if (h == INVALID_HANDLE_VALUE)
		return false;
	is = (grows || SetFilePointerEx(h, end, NULL, FILE_END)) && ReadFile(h, head, 8, &n, NULL) && n == 8 &&
	     memcmp(head, grows ? "vhdxfile" : "conectix", 8) == 0;
	CloseHandle(h);
	return is;
}

/* A disk that the VM's worker process may not open is refused, as a file of another user's. */
static uint32_t check_granted(const json_t *document, char why[200])
{
	const json_t *scsi = json_object_get(json_object_get(json_object_get(document, "VirtualMachine"), "Devices"),
					     "Scsi"),
		     *list = json_object_get(json_object_get(scsi, "0"), "Attachments");
	const char *key;
	json_t *disk;
	unsigned i;
	bool is;

	json_object_foreach((json_t *)(uintptr_t)list, key, disk)
	{
		const char *path = json_string_value(json_object_get(disk, "Path"));
		wchar_t *wide = sk_win_wide(path);

		for (i = 0; i < n_granted && wcscmp(granted[i], wide) != 0; i++)
			;
		is = is_disk(path, wide);
		free(wide);
		if (i == n_granted) {
			snprintf(why, 200, "no access to disk %s", key);
			return DENIED;
		}
		if (!is) {
			snprintf(why, 200, "the file or directory of disk %s is corrupted", key);
			return CORRUPTED;
		}
	}
	return HCS_OK;
}

static void remember(struct standin *s, const json_t *document)
{
	const json_t *vm = json_object_get(document, "VirtualMachine"),
		     *kernel = json_object_get(json_object_get(vm, "Chipset"), "LinuxKernelDirect"),
		     *port = json_object_get(json_object_get(json_object_get(vm, "Devices"), "ComPorts"), "0");
	const char *line = json_string_value(json_object_get(kernel, "KernelCmdLine")),
		   *pipe = json_string_value(json_object_get(port, "NamedPipe"));

	snprintf(s->command_line, sizeof(s->command_line), "%s", line ? line : "");
	snprintf(s->pipe, sizeof(s->pipe), "%s", pipe ? pipe : "");
	s->document = json_incref((json_t *)(uintptr_t)document);
	s->engine = -1;
}

__declspec(dllexport) HRESULT WINAPI HcsCreateComputeSystem(PCWSTR id, PCWSTR configuration, HCS_OPERATION operation,
							    const SECURITY_DESCRIPTOR *rights, HCS_SYSTEM *ret)
{
	char *text = sk_win_utf8(configuration, wcslen(configuration)), why[200] = "Invalid JSON document";
	json_t *document = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
	struct standin *s = NULL;
	uint32_t r = denied() ? DENIED : document ? hcs_validate(document, exists, why) : HCS_BAD_DOCUMENT;
	unsigned i;

	(void)rights;
	if (r == HCS_OK)
		r = check_granted(document, why);
	EnterCriticalSection(&lock);
	for (i = 0; r == HCS_OK && i < SYSTEMS; i++) {
		if (systems[i].state != NONE && wcscmp(systems[i].id, id) == 0)
			r = EXISTS;
		else if (systems[i].state == NONE && !s)
			s = &systems[i];
	}
	if (r == HCS_OK && s) {
		s->state = CREATED;
		swprintf(s->id, 64, L"%ls", id);
		remember(s, document);
		*ret = (HCS_SYSTEM)s;
	}
	LeaveCriticalSection(&lock);
	json_decref(document);
	free(text);
	return done(operation, r, why);
}

/* Tells its owner that a VM has ended. With the lock held. */
static void end(struct standin *s, uint32_t status, const wchar_t *type)
{
	wchar_t data[128];
	HCS_EVENT event = { HcsEventSystemExited, data, NULL };

	s->state = ENDED;
	swprintf(data, 128, L"{\"Status\":%ld,\"ExitType\":\"%ls\"}", (long)(int32_t)status, type);
	if (s->callback)
		s->callback(&event, s->arg);
}

static void write_console(const struct standin *s)
{
	static const char text[] = "Linux version 0 (stand-in)\r\n";
	wchar_t *pipe = s->pipe[0] ? sk_win_wide(s->pipe) : NULL;
	HANDLE h = pipe ? CreateFileW(pipe, GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL) : INVALID_HANDLE_VALUE;
	DWORD n;

	if (h != INVALID_HANDLE_VALUE) {
		WriteFile(h, text, sizeof(text) - 1, &n, NULL);
		CloseHandle(h);
	}
	free(pipe);
}

/* ---- a real guest */

/* The host's name of a file, malloc'd, for the command line; NULL. */
static wchar_t *host_path(const char *path)
{
	char *(CDECL * unix_name)(const wchar_t *);
	wchar_t *wide = sk_win_wide(path), *name = NULL;
	FARPROC f = GetProcAddress(GetModuleHandleW(L"kernel32.dll"), "wine_get_unix_file_name");
	char *text;

	memcpy(&unix_name, &f, sizeof(f));
	text = f && wide ? unix_name(wide) : NULL;
	if (text) {
		name = sk_win_wide(text);
		HeapFree(GetProcessHeap(), 0, text);
	}
	free(wide);
	return name;
}

/* Appends a word in quotes: no path of a test has one. False: it does not fit, or there is no word. */
static bool add_word(wchar_t *line, const wchar_t *prefix, wchar_t *take_word)
{
	bool fits = take_word && wcslen(line) + wcslen(prefix) + wcslen(take_word) + 4 < LINE;

	if (fits) {
		wcscat(line, line[0] ? L" \"" : L"\"");
		wcscat(line, prefix);
		wcscat(line, take_word);
		wcscat(line, L"\"");
	}
	free(take_word);
	return fits;
}

static bool add_number(wchar_t *line, const json_t *number)
{
	wchar_t *text = calloc(24, sizeof(*text));

	if (text)
		swprintf(text, 24, L"%lld", (long long)json_integer_value(number));
	return add_word(line, L"", text);
}

/* Adds "STREAMS MEMORY CPUS ENGINE DISK…". */
static bool engine_line(const struct standin *s, wchar_t *line)
{
	const json_t *vm = json_object_get(s->document, "VirtualMachine"),
		     *topology = json_object_get(vm, "ComputeTopology"),
		     *list = json_object_get(
			     json_object_get(json_object_get(json_object_get(vm, "Devices"), "Scsi"), "0"),
			     "Attachments");
	const char *streams = getenv("SKERRY_TEST_STREAMS"), *kind = getenv("SKERRY_STANDIN_KIND");
	char dir[1024], number[8];
	bool good = true;
	unsigned i;

	snprintf(dir, sizeof(dir), "%s/%ls", streams ? streams : "", s->id);
	good = add_word(line, L"", host_path(dir)) &&
	       add_number(line, json_object_get(json_object_get(topology, "Memory"), "SizeInMB")) &&
	       add_number(line, json_object_get(json_object_get(topology, "Processor"), "Count")) &&
	       add_word(line, L"", sk_win_wide(kind && *kind ? kind : "uml"));
	for (i = 0; good && i < json_object_size(list); i++) {
		const json_t *disk;

		snprintf(number, sizeof(number), "%u", i);
		disk = json_object_get(list, number);
		good = add_word(line, json_is_true(json_object_get(disk, "ReadOnly")) ? L"ro:" : L"rw:",
				host_path(json_string_value(json_object_get(disk, "Path"))));
	}
	return good;
}

/* A port of loopback that the engine connects to. -1. */
static int listen_for_engine(wchar_t *line)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(address);
	json_t *number;
	bool good;

	if (fd < 0)
		return -1;
	good = bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 1) == 0 &&
	       getsockname(fd, (struct sockaddr *)&address, &len) == 0;
	number = json_integer(ntohs(address.sin_port));
	good = good && add_word(line, L"", sk_win_wide("standin_engine")) && add_number(line, number);
	json_decref(number);
	if (good)
		return fd;
	close(fd);
	return -1;
}

/* Wine starts programs of its host, but has no handle for them, and not always their standard streams: they are followed,
 * and ended, by a connection. */
static bool start_engine(struct standin *s)
{
	STARTUPINFOW si = { .cb = sizeof(si) };
	wchar_t *program = sk_win_wide(getenv("SKERRY_STANDIN_ENGINE")), *line = calloc(LINE, sizeof(*line));
	int listener = line ? listen_for_engine(line) : -1;
	PROCESS_INFORMATION pi = { 0 };
	struct pollfd pfd = { .fd = listener, .events = POLLIN };

	if (program && listener >= 0 && engine_line(s, line) &&
	    CreateProcessW(program, line, NULL, NULL, FALSE, 0, NULL, NULL, &si, &pi) && poll(&pfd, 1, ENGINE_MS) == 1)
		s->engine = accept(listener, NULL, NULL);
	if (listener >= 0)
		close(listener);
	free(program);
	free(line);
	return s->engine >= 0;
}

/* The console, until the engine has ended. The pipe is opened once, so that its end is seen. */
static void carry_console(const struct standin *s, int engine)
{
	wchar_t *pipe = s->pipe[0] ? sk_win_wide(s->pipe) : NULL;
	HANDLE h = pipe ? CreateFileW(pipe, GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL) : INVALID_HANDLE_VALUE;
	char chunk[4096];
	ssize_t n;
	DWORD done;

	while ((n = recv(engine, chunk, sizeof(chunk), 0)) > 0)
		if (h != INVALID_HANDLE_VALUE)
			WriteFile(h, chunk, (DWORD)n, &done, NULL);
	if (h != INVALID_HANDLE_VALUE)
		CloseHandle(h);
	free(pipe);
}

static DWORD WINAPI real_guest(void *arg)
{
	struct standin *s = arg;
	int engine = s->engine;

	carry_console(s, engine);
	EnterCriticalSection(&lock);
	if (s->state == RUNNING && s->engine == engine)
		end(s, 0, L"GracefulExit");
	LeaveCriticalSection(&lock);
	close(engine);
	return 0;
}

static DWORD WINAPI guest(void *arg)
{
	struct standin *s = arg;

	EnterCriticalSection(&lock);
	if (s->state == RUNNING) {
		write_console(s);
		if (strstr(s->command_line, "standin.exit"))
			end(s, 0, L"GracefulExit");
		else if (strstr(s->command_line, "standin.crash"))
			end(s, UNEXPECTED, L"UnexpectedExit");
	}
	LeaveCriticalSection(&lock);
	return 0;
}

static bool parse_guid(const char *text, GUID *ret)
{
	wchar_t braced[40];

	swprintf(braced, 40, L"{%hs}", text);
	return CLSIDFromString(braced, ret) == NOERROR;
}

static bool has_devices(struct standin *s)
{
	const json_t *list = json_object_get(json_object_get(json_object_get(s->document, "VirtualMachine"), "Devices"),
					     "FlexibleIov");
	BOOL (*has)(void *system, const GUID *class_id, const GUID *instance);
	HMODULE library = GetModuleHandleW(L"vmdevicehost.dll");
	FARPROC f = library ? GetProcAddress(library, "standin_has_device") : NULL;
	GUID class_id, instance;
	const char *key;
	json_t *device;

	memcpy(&has, &f, sizeof(f));
	json_object_foreach((json_t *)(uintptr_t)list, key, device)
	{
		if (!f || !parse_guid(key, &instance) ||
		    !parse_guid(json_string_value(json_object_get(device, "EmulatorId")), &class_id) ||
		    !has(s, &class_id, &instance))
			return false;
	}
	return true;
}

__declspec(dllexport) HRESULT WINAPI HcsStartComputeSystem(HCS_SYSTEM system, HCS_OPERATION operation, PCWSTR options)
{
	struct standin *s = (void *)system;
	HANDLE thread = NULL;
	HMODULE self;

	(void)options;
	/* Its threads outlive a VM, and so does this library. */
	GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
			   (const wchar_t *)systems, &self);
	EnterCriticalSection(&lock);
	if (s->state == CREATED && !has_devices(s)) {
		LeaveCriticalSection(&lock);
		return done(operation, NO_DEVICE, "A device of the compute system has no host");
	}
	if (s->state == CREATED) {
		s->state = RUNNING;
		if (!getenv("SKERRY_STANDIN_ENGINE"))
			thread = CreateThread(NULL, 0, guest, s, 0, NULL);
		else if (start_engine(s))
			thread = CreateThread(NULL, 0, real_guest, s, 0, NULL);
	}
	LeaveCriticalSection(&lock);
	if (!thread)
		return done(operation, BAD_STATE, "The operation is not valid in the current state");
	CloseHandle(thread);
	return done(operation, HCS_OK, "");
}

__declspec(dllexport) HRESULT WINAPI
	HcsTerminateComputeSystem(HCS_SYSTEM system, HCS_OPERATION operation, PCWSTR options)
{
	struct standin *s = (void *)system;
	uint32_t r = HCS_OK;

	(void)options;
	EnterCriticalSection(&lock);
	if (s->state == ENDED)
		r = STOPPED;
	else
		end(s, 0, L"ForcedExit");
	if (s->engine >= 0)
		shutdown(s->engine, SHUT_WR);
	LeaveCriticalSection(&lock);
	return done(operation, r, "The compute system has stopped");
}

__declspec(dllexport) HRESULT WINAPI HcsSetComputeSystemCallback(HCS_SYSTEM system, HCS_EVENT_OPTIONS options,
								 const void *context, HCS_EVENT_CALLBACK callback)
{
	struct standin *s = (void *)system;

	(void)options;
	EnterCriticalSection(&lock);
	s->arg = (void *)(uintptr_t)context;
	s->callback = callback;
	LeaveCriticalSection(&lock);
	return (HRESULT)HCS_OK;
}

__declspec(dllexport) void WINAPI HcsCloseComputeSystem(HCS_SYSTEM system)
{
	struct standin *s = (void *)system;

	EnterCriticalSection(&lock);
	if (s->engine >= 0)
		shutdown(s->engine, SHUT_WR);
	json_decref(s->document);
	memset(s, 0, sizeof(*s));
	LeaveCriticalSection(&lock);
}

__declspec(dllexport) HRESULT WINAPI HcsGetServiceProperties(PCWSTR query, PWSTR *ret)
{
	char minor[8] = "5";
	wchar_t text[256];

	if (denied())
		return (HRESULT)DENIED;
	if (!query || !wcsstr(query, L"\"Basic\""))
		return (HRESULT)HCS_BAD_DOCUMENT;
	GetEnvironmentVariableA("SKERRY_STANDIN_SCHEMA", minor, sizeof(minor));
	swprintf(text, 256,
		 L"{\"Properties\":[{\"SupportedSchemaVersions\":[{\"Major\":1,\"Minor\":0},{\"Major\":2,\"Minor\":%d}]"
		 L"}]}",
		 atoi(minor));
	*ret = copy(text);
	return (HRESULT)HCS_OK;
}

__declspec(dllexport) HRESULT WINAPI HcsGrantVmAccess(PCWSTR id, PCWSTR path)
{
	(void)id;
	if (GetFileAttributesW(path) == INVALID_FILE_ATTRIBUTES || n_granted == GRANTED)
		return (HRESULT)HCS_NO_FILE;
	EnterCriticalSection(&lock);
	swprintf(granted[n_granted++], 260, L"%ls", path);
	LeaveCriticalSection(&lock);
	return (HRESULT)HCS_OK;
}
