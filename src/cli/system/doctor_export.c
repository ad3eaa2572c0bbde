/* SPDX-License-Identifier: Apache-2.0 */
/* doctor --export: a probe's answers in words. */
#include "cli/system/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "export/probe.h"
#include "export/sidecar.h"
#include "model/jx.h"

struct row {
	const char *name;
	size_t offset; /* of an enum sk_probe_answer */
	const char *yes, *no;
};

#define ROW(field) offsetof(struct sk_probe, field)

static const struct row rows[] = {
	{ "owners", ROW(chown), "chown stays", "chown is refused, or accepted and forgotten" },
	{ "modes", ROW(chmod), "chmod stays", "chmod is refused, or accepted and forgotten" },
	{ "attributes", ROW(xattr), "extended attributes (user.*) stay", "no extended attributes" },
	{ "NTFS attributes", ROW(ea), "EAs, as the Windows Subsystem for Linux keeps owners and modes", NULL },
	{ "symbolic links", ROW(symlink), "can be made", "cannot be made" },
	{ "hard links", ROW(hard_link), "can be made", "cannot be made" },
	{ "FIFOs", ROW(fifo), "can be made", "cannot be made" },
	{ "sockets", ROW(socket), "can be made", "cannot be made: unix sockets cannot be bound in such a share" },
	{ "devices", ROW(device), "can be made", "cannot be made" },
	{ "special files", ROW(wsl), "are those of the Windows Subsystem for Linux", NULL },
	{ "case", ROW(case_matters), "names that differ in case only are different files",
	  "names that differ in case only are one file" },
	{ "names", ROW(any_name), "may have any character", "may not have : ? and others" },
	{ "fallocate", ROW(fallocate), "allocates", "not to be had: programs write zeros instead" },
	{ "holes", ROW(punch), "can be punched", "cannot be punched" },
	{ "O_TMPFILE", ROW(tmpfile), "works", "not to be had" },
	{ "rename over an open file", ROW(rename_over), "works, and the open file stays", "refused" },
	{ "removing an open file", ROW(remove_open), "works", "refused" },
	{ "open files that were removed", ROW(unlink_open), "leave nothing",
	  "keep a hidden name until they are closed: their directory cannot be removed before" },
	{ "flock", ROW(flock), "works", "not to be had" },
	{ "mmap", ROW(mmap), "can be shared and written", "cannot be shared and written" },
};

static void add_rows(const struct sk_probe *p, json_t *checks)
{
	char text[96];
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(rows); i++) {
		enum sk_probe_answer a =
			*(const enum sk_probe_answer *)(const void *)((const char *)p + rows[i].offset);

		if (a == SK_PROBE_YES)
			sk_doctor_add(checks, rows[i].name, "ok", rows[i].yes);
		else if (a == SK_PROBE_NO && rows[i].no)
			sk_doctor_add(checks, rows[i].name, "note", rows[i].no);
	}
	if (p->time_ns) {
		snprintf(text, sizeof(text), p->time_ns < 1000000000 ? "in steps of %llu ns" : "in steps of %llu s",
			 (unsigned long long)(p->time_ns < 1000000000 ? p->time_ns : p->time_ns / 1000000000));
		sk_doctor_add(checks, "times", p->time_ns <= 100 ? "ok" : "note", text);
	}
}

static const char *const keep_names[] = {
	[SK_EXPORT_KEEP_XATTR] = "xattr",
	[SK_EXPORT_KEEP_EA] = "ea",
	[SK_EXPORT_KEEP_SIDECAR] = "sidecar",
};

static const char *const keep_texts[] = {
	[SK_EXPORT_KEEP_XATTR] = "mapped: owners, modes and devices are kept in an extended attribute of each file "
				 "(user.containers.override_stat)",
	[SK_EXPORT_KEEP_EA] = "mapped: owners and modes are kept as the Windows Subsystem for Linux keeps them "
			      "($LXUID, $LXGID, $LXMOD), and names as it does",
	[SK_EXPORT_KEEP_SIDECAR] =
		"mapped: owners, modes, devices and symbolic links are kept in a file " SK_SIDECAR_NAME
		" in each directory; no hard links, no unix sockets",
};

json_t *sk_doctor_export(const char *path, struct sk_error *err)
{
	_cleanup_fd_ int fd = open(path, O_PATH | O_CLOEXEC);
	enum sk_export_keep keep;
	enum sk_export_who who;
	struct sk_probe probe;
	json_t *all, *checks;
	struct stat st;
	int r = fd < 0 || fstat(fd, &st) < 0 ? -errno : sk_probe_run(fd, SK_PROBE_ALL, &probe);

	if (r < 0) {
		sk_error_errno(err, -r, "cannot look at %s", path);
		return NULL;
	}
	sk_probe_choose(&probe, &who, &keep);
	all = sk_jx_object();
	checks = sk_jx_array();
	sk_jx_set_str(all, "Path", path);
	sk_jx_set_str(all, "Mode", who == SK_EXPORT_TRUST ? "trust" : "mapped");
	sk_jx_set_str(all, "Keep", who == SK_EXPORT_TRUST ? "" : keep_names[keep]);
	sk_jx_set_str(all, "Text",
		      who == SK_EXPORT_TRUST ? "as it is: owners and modes of the container are the host's"
					     : keep_texts[keep]);
	if (probe.writable == SK_PROBE_UNKNOWN)
		sk_doctor_add(checks, "writing", "note", "a single file: what needs a new one was not tried");
	else if (probe.writable == SK_PROBE_NO)
		sk_doctor_add(checks, "writing", "note",
			      "this user cannot write there: what needs a new file was not tried");
	else
		sk_doctor_add(checks, "writing", "ok", "this user can make files there");
	add_rows(&probe, checks);
	sk_jx_set(all, "Checks", checks);
	return all;
}
