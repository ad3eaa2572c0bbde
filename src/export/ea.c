/* SPDX-License-Identifier: Apache-2.0 */
/* WSL's owner, mode and device of a file, above the calls of a system. See ea.h. */
#include "export/ea.h"

#include <stdlib.h>

#include "ninep/linux.h"

#define TRIES 4

static bool is_device(uint32_t mode)
{
	return (mode & P9_S_IFMT) == P9_S_IFCHR || (mode & P9_S_IFMT) == P9_S_IFBLK;
}

int sk_ea_read(const struct sk_ea_calls *calls, void *file, uint32_t type, struct sk_override *ret, bool *ret_xattrs)
{
	uint8_t *ea = malloc(SK_LX_EA_MAX);
	struct sk_lx_meta m;
	int n;

	if (!ea)
		return -P9_ENOMEM;
	n = calls->get(file, ea, SK_LX_EA_MAX);
	/* Damaged behind the fields: they count all the same. */
	if (n >= 0)
		(void)sk_lx_ea_read(ea, (size_t)n, &m);
	free(ea);
	if (ret_xattrs)
		*ret_xattrs = n >= 0 && m.xattrs;
	if (n < 0)
		return n;
	if (!m.have)
		return -P9_ENODATA;
	if (m.have & SK_LX_UID)
		ret->uid = m.uid;
	if (m.have & SK_LX_GID)
		ret->gid = m.gid;
	if (m.have & SK_LX_MODE)
		ret->mode = (m.mode & P9_S_IFMT) == type ? m.mode & (P9_S_IFMT | 07777) : type;
	if ((m.have & SK_LX_DEV) && is_device(ret->mode)) {
		ret->major = m.major;
		ret->minor = m.minor;
	}
	return 0;
}

static bool is_written(const struct sk_ea_calls *calls, void *file, uint8_t *ea, const struct sk_lx_meta *m)
{
	struct sk_lx_meta got;
	int n = calls->get(file, ea, SK_LX_EA_MAX);

	return n >= 0 && sk_lx_ea_read(ea, (size_t)n, &got) == 0 && got.have == m->have && got.uid == m->uid &&
	       got.gid == m->gid && got.mode == m->mode && got.major == m->major && got.minor == m->minor;
}

/* Fields that are to stay. */
static void keep_fields(struct sk_lx_meta *m, unsigned fields, const uint8_t *ea, int len)
{
	struct sk_lx_meta old;

	(void)sk_lx_ea_read(ea, len > 0 ? (size_t)len : 0, &old);
	if (!(fields & SK_LX_UID) && (old.have & SK_LX_UID))
		m->uid = old.uid;
	if (!(fields & SK_LX_GID) && (old.have & SK_LX_GID))
		m->gid = old.gid;
	/* The mode of another kind of file is none. */
	if (!(fields & SK_LX_MODE) && (old.have & SK_LX_MODE) && (old.mode & P9_S_IFMT) == (m->mode & P9_S_IFMT))
		m->mode = old.mode;
}

int sk_ea_write(const struct sk_ea_calls *calls, void *file, const struct sk_override *o, unsigned fields)
{
	struct sk_lx_meta m = { SK_LX_UID | SK_LX_GID | SK_LX_MODE, o->uid, o->gid, o->mode, 0, 0, false };
	uint8_t *ea = malloc(SK_LX_EA_MAX), *fresh = malloc(SK_LX_EA_MAX);
	int n, tries, r = ea && fresh ? -P9_EAGAIN : -P9_ENOMEM;

	if (is_device(o->mode)) {
		m.have |= SK_LX_DEV;
		m.major = o->major;
		m.minor = o->minor;
	}
	if (calls->lock)
		calls->lock(file);
	for (tries = 0; tries < TRIES && r == -P9_EAGAIN; tries++) {
		n = calls->get(file, ea, SK_LX_EA_MAX);
		if (n == -P9_ENODATA)
			n = 0;
		keep_fields(&m, fields, ea, n);
		if (n >= 0)
			n = sk_lx_ea_write(ea, (size_t)n, &m, calls->last_zero, fresh, SK_LX_EA_MAX);
		r = n < 0 ? n : calls->set(file, fresh, (size_t)n);
		if (r == 0 && !is_written(calls, file, ea, &m))
			r = -P9_EAGAIN;
	}
	if (calls->unlock)
		calls->unlock(file);
	free(ea);
	free(fresh);
	return r == -P9_EAGAIN ? -P9_EIO : r;
}

int sk_ea_drop_xattr(const struct sk_ea_calls *calls, void *file, const char *name)
{
	uint8_t *ea = malloc(SK_LX_EA_MAX), *fresh = malloc(SK_LX_EA_MAX);
	int n = ea && fresh ? 0 : -P9_ENOMEM;

	if (n == 0 && calls->lock)
		calls->lock(file);
	if (n == 0) {
		n = calls->get(file, ea, SK_LX_EA_MAX);
		if (n >= 0)
			n = sk_lx_xattr_drop(ea, (size_t)n, name, calls->last_zero, fresh, SK_LX_EA_MAX);
		if (n >= 0)
			n = calls->set(file, fresh, (size_t)n);
		if (calls->unlock)
			calls->unlock(file);
	}
	free(ea);
	free(fresh);
	return n;
}
