/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * The thread's ids (fsuid, fsgid, supplementary groups, effective capabilities) are changed as late as possible and
 * stay until somebody else is served: a container whose files belong to one user costs no calls.
 *
 *   TRUST, SQUASH  the ids matter for what is created only; all capabilities stay effective ("full"), because the
 *                  client's kernel has checked, with groups and capabilities that are not known here
 *   CHECK          every operation runs with the caller's ids; the kernel takes the file capabilities from a uid other
 *                  than 0
 *   SELF, MAPPED   nothing is changed
 *
 * CAP_FSETID is never effective but around a chmod that asks for a set-group-id bit.
 */
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "export/posix_internal.h"

#define USERS_MAX 4096u
#define BIT(cap) (UINT64_C(1) << (cap))
/* Capabilities that the kernel takes from a thread whose fsuid stops being 0 (CAP_FS_SET), and those for attributes. */
#define FS_CAPS                                                                                                 \
	(BIT(CAP_CHOWN) | BIT(CAP_MKNOD) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_DAC_READ_SEARCH) | BIT(CAP_FOWNER) | \
	 BIT(CAP_FSETID) | BIT(CAP_LINUX_IMMUTABLE) | BIT(CAP_MAC_OVERRIDE) | BIT(CAP_SYS_ADMIN))

static int set_effective(uint64_t effective)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];

	if (syscall(SYS_capget, &h, d) < 0)
		return -errno;
	d[0].effective = (uint32_t)effective & d[0].permitted;
	d[1].effective = (uint32_t)(effective >> 32) & d[1].permitted;
	return syscall(SYS_capset, &h, d) < 0 ? -errno : 0;
}

int posix_cred_init(struct sk_export_pool *pool)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];

	pool->root = geteuid() == 0;
	pool->full = true;
	pool->fsuid = geteuid();
	pool->fsgid = getegid();
	if (!pool->root)
		return 0;
	if (syscall(SYS_capget, &h, d) < 0)
		return -errno;
	/* Drops our own groups: the users that we act for may not be in them. A user namespace may forbid it. */
	(void)syscall(SYS_setgroups, 0, NULL);
	pool->caps = (d[0].permitted | (uint64_t)d[1].permitted << 32) & ~BIT(CAP_FSETID);
	setfsuid(0);
	setfsgid((gid_t)pool->fsgid);
	return set_effective(pool->caps);
}

/* Sets the file system uid. False: this user namespace has no such user (the call itself reports nothing). */
static bool change_uid(uint32_t uid)
{
	setfsuid(uid);
	return (uint32_t)setfsuid((uid_t)-1) == uid;
}

static bool change_gid(uint32_t gid)
{
	setfsgid(gid);
	return (uint32_t)setfsgid((gid_t)-1) == gid;
}

/* `full`: with capabilities whatever the uid. A caller that does not exist here becomes "nobody", not the one that was
 * served before. */
static void set_ids(struct sk_export_pool *pool, uint32_t uid, uint32_t gid, bool full)
{
	bool crossed = (pool->fsuid == 0) != (uid == 0);

	full |= uid == 0;
	if (pool->fsgid != gid && !change_gid(gid))
		(void)change_gid(P9_NOBODY_GID);
	if (pool->fsuid != uid && !change_uid(uid))
		(void)change_uid(P9_NOBODY_GID);
	if (crossed || pool->full != full)
		(void)set_effective(full ? pool->caps : pool->caps & ~FS_CAPS);
	pool->fsuid = uid;
	pool->fsgid = gid;
	pool->full = full;
}

static const struct posix_user *find_user(const struct sk_export_pool *pool, uint32_t uid)
{
	const struct posix_user *u;

	for (u = pool->users; u; u = u->next)
		if (u->uid == uid)
			return u;
	return NULL;
}

static void set_groups(struct sk_export_pool *pool, const struct posix_user *u)
{
	gid_t groups[POSIX_GROUPS_MAX];
	unsigned i, n = u ? u->n_groups : 0;

	if (pool->groups_of == u)
		return;
	for (i = 0; i < n; i++)
		groups[i] = u->groups[i];
	/* Of this thread only, unlike setgroups(). */
	if (syscall(SYS_setgroups, n, groups) == 0)
		pool->groups_of = u;
}

void posix_cred_fini(struct sk_export_pool *pool)
{
	if (pool->root) {
		set_ids(pool, 0, 0, true);
		set_groups(pool, NULL);
	}
	while (pool->users) {
		struct posix_user *u = pool->users;

		pool->users = u->next;
		free(u);
	}
}

static bool is_member(const struct posix_user *u, uint32_t gid)
{
	unsigned i;

	if (!u)
		return false;
	for (i = 0; i < u->n_groups; i++)
		if (u->groups[i] == gid)
			return true;
	return u->gid == gid;
}

void posix_as_caller(struct posix_fs *p, const struct sk_9p_cred *cred)
{
	const struct posix_user *u;
	uint32_t gid;

	if (p->c.who != SK_EXPORT_CHECK)
		return;
	u = find_user(p->pool, cred->uid);
	gid = u ? u->gid : cred->uid == 0 ? 0 : P9_NOBODY_GID;
	/* A group asked for counts where the user is in it. */
	if (cred->gid != P9_NONUNAME && (cred->uid == 0 || is_member(u, cred->gid)))
		gid = cred->gid;
	if (p->pool->groups_of != u) {
		set_ids(p->pool, 0, 0, true);
		set_groups(p->pool, u);
	}
	set_ids(p->pool, cred->uid, gid, false);
}

void posix_as_creator(struct posix_fs *p, const struct sk_9p_cred *cred)
{
	switch (p->c.who) {
	case SK_EXPORT_TRUST:
		set_ids(p->pool, cred->uid, cred->gid == P9_NONUNAME ? 0 : cred->gid, true);
		break;
	case SK_EXPORT_SQUASH:
		set_ids(p->pool, p->c.squash_uid, p->c.squash_gid, true);
		break;
	case SK_EXPORT_CHECK:
		posix_as_caller(p, cred);
		break;
	case SK_EXPORT_SELF:
	case SK_EXPORT_MAPPED:
		break;
	}
}

/*
 * connect() with the caller's effective ids, which the kernel records as the peer's credentials. No other call here
 * depends on the effective ids, so they are the caller's for the time of this call only. The file system ids follow
 * them, and the effective capabilities are those of root or none.
 */
int posix_connect_as(struct posix_fs *p, const struct sk_9p_cred *cred, int fd, const void *addr, uint32_t len)
{
	struct sk_export_pool *pool = p->pool;
	uint32_t uid, gid;
	bool full;
	int r;

	posix_as_creator(p, cred);
	uid = pool->fsuid;
	gid = pool->fsgid;
	full = pool->full;
	if (!pool->root || (uid == 0 && gid == 0))
		return connect(fd, addr, len) < 0 ? -errno : 0;
	r = syscall(SYS_setresgid, -1, gid, -1) < 0 || syscall(SYS_setresuid, -1, uid, -1) < 0 ? -errno : 0;
	if (r == 0 && full)
		r = set_effective(pool->caps);
	if (r == 0 && connect(fd, addr, len) < 0)
		r = -errno;
	(void)syscall(SYS_setresuid, -1, 0, -1);
	(void)syscall(SYS_setresgid, -1, 0, -1);
	pool->fsuid = pool->fsgid = 0;
	pool->full = true;
	(void)set_effective(pool->caps);
	return r;
}

void posix_fsetid(struct posix_fs *p, bool on)
{
	if (!p->pool->root || !p->pool->full)
		return;
	(void)set_effective(on ? p->pool->caps | BIT(CAP_FSETID) : p->pool->caps);
}

/*
 * Linux clears set-group-id with a write, a truncation or a chown of a file whose group may not execute it if the caller is not
 * in the group. The callers are the client's, whose kernel has cleared the bit already (Tsetattr) if it had to; this
 * thread is in no group of theirs. Other set-id bits go, unless the client does that, too.
 */
bool posix_setid_stays(struct posix_fs *p, int fd)
{
	struct stat st;

	if (!p->pool->root || !p->pool->full || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    !(st.st_mode & (S_ISUID | S_ISGID)))
		return false;
	if (!p->c.client_clears && (st.st_mode & (S_ISUID | S_ISGID | S_IXGRP)) != S_ISGID)
		return false;
	posix_fsetid(p, true);
	return true;
}

/* --- the host's users */

int sk_posix_pool_load_users(struct sk_export_pool *pool)
{
	const struct passwd *pw;
	unsigned n = 0;
	int r = 0;

	setpwent();
	while (n++ < USERS_MAX && (pw = getpwent())) {
		gid_t groups[POSIX_GROUPS_MAX];
		int i, count = POSIX_GROUPS_MAX;
		struct posix_user *u = calloc(1, sizeof(*u));

		if (!u) {
			r = -ENOMEM;
			break;
		}
		if (getgrouplist(pw->pw_name, pw->pw_gid, groups, &count) < 0)
			count = POSIX_GROUPS_MAX;
		u->uid = pw->pw_uid;
		u->gid = pw->pw_gid;
		u->n_groups = (unsigned)count;
		for (i = 0; i < count; i++)
			u->groups[i] = groups[i];
		u->next = pool->users;
		pool->users = u;
	}
	endpwent();
	return r;
}
