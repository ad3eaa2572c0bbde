/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls of the Host Compute System. Each is an operation: begun, and then waited for with a deadline; its result is a JSON
 * document in UTF-16 (hcs_result.c). That a VM has ended is told by a callback on a thread of the service's library,
 * which does no more than to keep what it was told and to set an event.
 *
 * A VM ends with the last handle of it ("ShouldTerminateOnLastHandleClosed" in the document), and handles go with the
 * process: whatever ends the owner of a VM ends the VM.
 */
#include "engine/hcs_windows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/platform/windows/system.h"

#include <computecore.h>
#include <sddl.h>

/* The functions in use; all that Windows 10 version 1903 has. */
struct sk_hcs {
	HMODULE library;
	__typeof__(HcsCreateOperation) *create_operation;
	__typeof__(HcsCloseOperation) *close_operation;
	__typeof__(HcsWaitForOperationResult) *wait_result;
	__typeof__(HcsCreateComputeSystem) *create;
	__typeof__(HcsStartComputeSystem) *start;
	__typeof__(HcsTerminateComputeSystem) *terminate;
	__typeof__(HcsCloseComputeSystem) *close;
	__typeof__(HcsSetComputeSystemCallback) *set_callback;
	__typeof__(HcsGetServiceProperties) *service_properties;
	__typeof__(HcsGrantVmAccess) *grant;
};

#define AT(field) offsetof(struct sk_hcs, field)
static const struct {
	const char *name;
	size_t at;
} functions[] = {
	{ "HcsCreateOperation", AT(create_operation) },
	{ "HcsCloseOperation", AT(close_operation) },
	{ "HcsWaitForOperationResult", AT(wait_result) },
	{ "HcsCreateComputeSystem", AT(create) },
	{ "HcsStartComputeSystem", AT(start) },
	{ "HcsTerminateComputeSystem", AT(terminate) },
	{ "HcsCloseComputeSystem", AT(close) },
	{ "HcsSetComputeSystemCallback", AT(set_callback) },
	{ "HcsGetServiceProperties", AT(service_properties) },
	{ "HcsGrantVmAccess", AT(grant) },
};
#undef AT

struct sk_hcs_vm {
	struct sk_hcs *hcs;
	HCS_SYSTEM system;
	char id[SK_HCS_ID_SIZE];
	HANDLE ended; /* event: `exit` is set */
	SRWLOCK lock;
	struct sk_hcs_exit exit;
	void (*on_end)(void *arg); /* called with the lock held */
	void *on_end_arg;
};

int sk_hcs_open(const char *library, struct sk_hcs **ret, struct sk_error *err)
{
	_cleanup_free_ wchar_t *path = library ? sk_win_wide(library) : NULL;
	struct sk_hcs *hcs = calloc(1, sizeof(*hcs));
	size_t i;

	if (!hcs || (library && !path)) {
		free(hcs);
		return sk_error_errno(err, errno, "cannot use the Host Compute System");
	}
	hcs->library =
		path ? LoadLibraryW(path) : LoadLibraryExW(L"computecore.dll", NULL, LOAD_LIBRARY_SEARCH_SYSTEM32);
	if (!hcs->library) {
		free(hcs);
		return sk_error_set(err, ENOENT,
				    "this Windows has no Hyper-V (%s): enable the Windows feature \"Virtual Machine "
				    "Platform\" (Windows 10 version 1903 or later), then restart",
				    library ? library : "computecore.dll is missing");
	}
	for (i = 0; i < SK_ARRAY_SIZE(functions); i++) {
		FARPROC f = GetProcAddress(hcs->library, functions[i].name);

		if (!f) {
			sk_hcs_close(hcs);
			return sk_error_set(
				err, ENOENT,
				"the Hyper-V of this Windows is too old (it has no %s): Windows 10 version 1903 "
				"or later is needed",
				functions[i].name);
		}
		memcpy((char *)hcs + functions[i].at, &f, sizeof(f));
	}
	*ret = hcs;
	return 0;
}

void sk_hcs_close(struct sk_hcs *hcs)
{
	if (!hcs)
		return;
	FreeLibrary(hcs->library);
	free(hcs);
}

/* UTF-8 of a document of the service, which is freed; NULL: none, or one that is too long. */
static char *take_text(PWSTR document)
{
	size_t n = document ? wcsnlen(document, SK_HCS_RESULT_MAX + 1) : 0;
	char *text = document && n <= SK_HCS_RESULT_MAX ? sk_win_utf8(document, n) : NULL;

	LocalFree(document);
	return text;
}

static int failure(HRESULT hr, PWSTR take_document, struct sk_error *err, const char *what)
{
	_cleanup_free_ char *text = take_text(take_document);

	return sk_hcs_error((uint32_t)hr, text, text ? strlen(text) : 0, err, what);
}

int sk_hcs_schema(struct sk_hcs *hcs, unsigned *ret_minor, struct sk_error *err)
{
	PWSTR document = NULL;
	HRESULT hr = hcs->service_properties(L"{\"PropertyTypes\":[\"Basic\"]}", &document);
	_cleanup_free_ char *text = NULL;

	if (FAILED(hr))
		return failure(hr, document, err, "ask Hyper-V for its version");
	text = take_text(document);
	if (sk_hcs_parse_schema(text, text ? strlen(text) : 0, ret_minor) < 0)
		return sk_error_set(err, EPROTO, "cannot ask Hyper-V for its version: it does not name a schema 2.x");
	return 0;
}

char *sk_hcs_user(struct sk_error *err)
{
	union {
		TOKEN_USER user;
		uint8_t space[256];
	} token;
	char *text = NULL;
	LPSTR sid = NULL;
	HANDLE process;
	DWORD n;

	if (OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &process)) {
		if (GetTokenInformation(process, TokenUser, &token, sizeof(token), &n) &&
		    ConvertSidToStringSidA(token.user.User.Sid, &sid))
			text = strdup(sid);
		CloseHandle(process);
	}
	LocalFree(sid);
	if (!text)
		sk_error_errno(err, sk_win_errno(GetLastError()), "cannot find out the current user");
	return text;
}

/* Ends an operation that `hr` began. */
static int finish(struct sk_hcs *hcs, HCS_OPERATION take_operation, HRESULT hr, struct sk_error *err, const char *what)
{
	PWSTR document = NULL;

	if (SUCCEEDED(hr))
		hr = hcs->wait_result(take_operation, SK_HCS_PATIENCE_MS, &document);
	hcs->close_operation(take_operation);
	if (FAILED(hr))
		return failure(hr, document, err, what);
	LocalFree(document);
	return 0;
}

static HCS_OPERATION begin(struct sk_hcs *hcs, struct sk_error *err)
{
	HCS_OPERATION operation = hcs->create_operation(NULL, NULL);

	if (!operation)
		sk_error_errno(err, ENOMEM, "cannot call the Host Compute System");
	return operation;
}

static void CALLBACK on_event(HCS_EVENT *event, void *arg)
{
	_cleanup_free_ char *text = NULL;
	struct sk_hcs_vm *vm = arg;
	size_t n;

	/* A service that goes takes its VMs along. */
	if (event->Type != HcsEventSystemExited && event->Type != HcsEventServiceDisconnect)
		return;
	n = event->EventData ? wcsnlen(event->EventData, SK_HCS_RESULT_MAX + 1) : 0;
	if (n && n <= SK_HCS_RESULT_MAX)
		text = sk_win_utf8(event->EventData, n);
	AcquireSRWLockExclusive(&vm->lock);
	sk_hcs_parse_exit(text, text ? strlen(text) : 0, &vm->exit);
	SetEvent(vm->ended);
	if (vm->on_end)
		vm->on_end(vm->on_end_arg);
	vm->on_end = NULL;
	ReleaseSRWLockExclusive(&vm->lock);
}

static int grant_disks(struct sk_hcs_vm *vm, const wchar_t *id, const struct sk_engine_config *config,
		       struct sk_error *err)
{
	size_t i;

	for (i = 0; i < config->n_disks; i++) {
		_cleanup_free_ wchar_t *path = sk_win_wide(config->disks[i].path);
		HRESULT hr = E_OUTOFMEMORY;
		wchar_t *p;

		for (p = path; p && *p; p++)
			if (*p == L'/')
				*p = L'\\';
		if (path)
			hr = vm->hcs->grant(id, path);
		if (FAILED(hr)) {
			failure(hr, NULL, err, "let a VM use its disk");
			return sk_error_wrap(err, "%s", config->disks[i].path);
		}
	}
	return 0;
}

static int create(struct sk_hcs_vm *vm, const wchar_t *id, const json_t *document, struct sk_error *err)
{
	_cleanup_free_ char *text = json_dumps(document, JSON_COMPACT);
	_cleanup_free_ wchar_t *wide = text ? sk_win_wide(text) : NULL;
	HCS_OPERATION operation;
	HRESULT hr;
	int r;

	if (!wide)
		return sk_error_errno(err, ENOMEM, "cannot make a VM");
	operation = begin(vm->hcs, err);
	if (!operation)
		return -ENOMEM;
	hr = vm->hcs->create(id, wide, operation, NULL, &vm->system);
	r = finish(vm->hcs, operation, hr, err, "make a VM");
	if (r < 0)
		return r;
	hr = vm->hcs->set_callback(vm->system, HcsEventOptionNone, vm, on_event);
	return FAILED(hr) ? failure(hr, NULL, err, "make a VM") : 0;
}

int sk_hcs_vm_new(struct sk_hcs *hcs, const char *id, const json_t *document, const struct sk_engine_config *config,
		  struct sk_hcs_vm **ret, struct sk_error *err)
{
	_cleanup_free_ wchar_t *wide = sk_win_wide(id);
	struct sk_hcs_vm *vm = calloc(1, sizeof(*vm));
	int r;

	if (!vm || !wide || strlen(id) >= sizeof(vm->id)) {
		free(vm);
		return sk_error_set(err, EINVAL, "cannot make VM %s: it is no GUID", id);
	}
	vm->hcs = hcs;
	InitializeSRWLock(&vm->lock);
	snprintf(vm->id, sizeof(vm->id), "%s", id);
	vm->ended = CreateEventW(NULL, TRUE, FALSE, NULL);
	r = vm->ended ? grant_disks(vm, wide, config, err) : sk_error_errno(err, ENOMEM, "cannot make a VM");
	if (r == 0)
		r = create(vm, wide, document, err);
	if (r < 0) {
		sk_hcs_vm_free(vm);
		return r;
	}
	*ret = vm;
	return 0;
}

int sk_hcs_vm_start(struct sk_hcs_vm *vm, struct sk_error *err)
{
	HCS_OPERATION operation = begin(vm->hcs, err);

	return operation ? finish(vm->hcs, operation, vm->hcs->start(vm->system, operation, NULL), err, "start a VM")
			 : -ENOMEM;
}

int sk_hcs_vm_wait(struct sk_hcs_vm *vm, unsigned ms, struct sk_hcs_exit *ret, struct sk_error *err)
{
	if (WaitForSingleObject(vm->ended, ms) != WAIT_OBJECT_0)
		return sk_error_set(err, ETIMEDOUT, "VM %s has not ended", vm->id);
	AcquireSRWLockShared(&vm->lock);
	*ret = vm->exit;
	ReleaseSRWLockShared(&vm->lock);
	return 0;
}

void sk_hcs_vm_on_end(struct sk_hcs_vm *vm, void (*ended)(void *arg), void *arg)
{
	AcquireSRWLockExclusive(&vm->lock);
	vm->on_end = ended;
	vm->on_end_arg = arg;
	if (ended && WaitForSingleObject(vm->ended, 0) == WAIT_OBJECT_0) {
		ended(arg);
		vm->on_end = NULL;
	}
	ReleaseSRWLockExclusive(&vm->lock);
}

int sk_hcs_vm_kill(struct sk_hcs_vm *vm, struct sk_error *err)
{
	struct sk_error unheard = SK_ERROR_INIT;
	HCS_OPERATION operation;
	int r;

	if (WaitForSingleObject(vm->ended, 0) == WAIT_OBJECT_0)
		return 0;
	if (!err)
		err = &unheard;
	operation = begin(vm->hcs, err);
	if (!operation)
		return -ENOMEM;
	r = finish(vm->hcs, operation, vm->hcs->terminate(vm->system, operation, NULL), err, "end a VM");
	if (r != -ESRCH) /* it was faster */
		return r;
	*err = (struct sk_error)SK_ERROR_INIT;
	return 0;
}

void *sk_hcs_vm_system(const struct sk_hcs_vm *vm)
{
	return vm->system;
}

const char *sk_hcs_vm_address(const struct sk_hcs_vm *vm)
{
	return vm->id;
}

void sk_hcs_vm_free(struct sk_hcs_vm *vm)
{
	if (!vm)
		return;
	/* No callback runs after its handle is closed. */
	if (vm->system) {
		vm->hcs->set_callback(vm->system, HcsEventOptionNone, NULL, NULL);
		vm->hcs->close(vm->system);
	}
	if (vm->ended)
		CloseHandle(vm->ended);
	free(vm);
}
