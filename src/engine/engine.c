/* SPDX-License-Identifier: Apache-2.0 */
/* The engines by name, the choice of one for "auto", and the guest's parts (kernel, initramfs) on the disk. */
#include "engine/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "engine/engine_internal.h"
#include "skerry_config.h"

/* In the order of preference of "auto": a boundary of hardware; else what computes at native speed; else emulation. */
static const struct sk_engine *const engines[] = { &sk_engine_kvm, &sk_engine_uml, &sk_engine_tcg };

const struct sk_engine *sk_engine_at(size_t i)
{
	return i < SK_ARRAY_SIZE(engines) ? engines[i] : NULL;
}

static const struct sk_engine *by_name(const char *name)
{
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(engines); i++)
		if (strcmp(engines[i]->name, name) == 0)
			return engines[i];
	/* For tests; never chosen. */
	return strcmp(name, sk_engine_fake.name) == 0 ? &sk_engine_fake : NULL;
}

int sk_sandbox_parse(const char *name, enum sk_sandbox *ret)
{
	static const char *const names[] = {
		[SK_SANDBOX_NAMESPACES] = "namespaces",
		[SK_SANDBOX_LANDLOCK] = "landlock",
		[SK_SANDBOX_FILTER] = "filter",
	};
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(names); i++)
		if (strcmp(name, names[i]) == 0) {
			*ret = (enum sk_sandbox)i;
			return 0;
		}
	return -EINVAL;
}

bool sk_engine_name_valid(const char *name)
{
	return strcmp(name, "auto") == 0 || by_name(name);
}

int sk_engine_find(const char *name, const struct sk_engine_settings *settings, const struct sk_engine **ret_engine,
		   struct sk_error *err)
{
	static const struct sk_engine_settings none = { 0 };
	struct sk_error why = SK_ERROR_INIT, of_one;
	size_t i;
	int r;

	if (!settings)
		settings = &none;
	if (name && strcmp(name, "auto") != 0) {
		*ret_engine = by_name(name);
		if (!*ret_engine)
			return sk_error_set(err, ENOENT, "unknown engine \"%s\": it is " SK_ENGINE_NAMES, name);
		r = (*ret_engine)->probe(settings, err);
		return r < 0 ? sk_error_wrap(err, "engine %s cannot run here", name) : 0;
	}
	for (i = 0; i < SK_ARRAY_SIZE(engines); i++) {
		of_one = (struct sk_error)SK_ERROR_INIT;
		*ret_engine = engines[i];
		if (engines[i]->probe(settings, &of_one) == 0)
			return 0;
		/* The one that needs least of the machine: what it lacks is what is wrong. */
		if (engines[i] == &sk_engine_uml)
			why = of_one;
	}
	return sk_error_set(err, ENOENT, "no engine works: %s (`skerry doctor` says more)", why.message);
}

int sk_guest_part(const char *name, char *buf, size_t size, struct sk_error *err)
{
	const char *dir = getenv("SKERRY_GUEST_DIR");
	int n = dir && *dir ? snprintf(buf, size, "%s/%s", dir, name)
			    : snprintf(buf, size, "%s/guest/%s", SK_LIBEXECDIR, name);

	if (n < 0 || (size_t)n >= size)
		return sk_error_set(err, ENAMETOOLONG, "the path of guest part %s is too long", name);
	if (access(buf, R_OK) < 0)
		return sk_error_set(err, errno,
				    "guest part %s is missing: run `make build` and set SKERRY_GUEST_DIR to its out "
				    "directory, or install the skerry "
				    "package again",
				    buf);
	return 0;
}

int sk_guest_part_check(const char *name, bool exec, struct sk_error *err)
{
	char path[512];
	int r = sk_guest_part(name, path, sizeof(path), err);

	if (r == 0 && exec && access(path, X_OK) < 0)
		return sk_error_set(
			err, EACCES,
			"guest kernel %s is not executable: chmod 0755 it, or remount its file system without noexec",
			path);
	return r;
}

int sk_guest_parts_info(struct sk_engine_info *info, struct sk_error *err)
{
	char path[512], version[600];
	_cleanup_free_ char *text = NULL;
	struct stat st;
	int r;

	if (stat(info->kernel_path, &st) == 0)
		info->kernel_size = (uint64_t)st.st_size;
	snprintf(version, sizeof(version), "%.*s/kernel.version",
		 (int)(strrchr(info->kernel_path, '/') - info->kernel_path), info->kernel_path);
	if (sk_fs_read(AT_FDCWD, version, 4096, &text, NULL) == 0) {
		text[strcspn(text, "\n")] = '\0';
		snprintf(info->kernel_version, sizeof(info->kernel_version), "%.63s", text);
	}
	r = sk_guest_part(SK_GUEST_INITRAMFS, path, sizeof(path), err);
	if (r == 0 && stat(path, &st) == 0)
		info->initramfs_size = (uint64_t)st.st_size;
	return r;
}
