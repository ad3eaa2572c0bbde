/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_EXPORT_MOUNTS_H
#define SK_EXPORT_MOUNTS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The mount table of the host, for a process that has left the host's mount namespace. See mounts.c.
 */
struct sk_host_mounts;
struct sk_mount_tree;

/* Opens the table of the calling process's mount namespace, which stays readable after the process has left it. `path`:
 * NULL, or for tests a file in the format of /proc/self/mountinfo. 0 or negative errno. */
int sk_mounts_new(const char *path, struct sk_host_mounts **ret_mounts);
void sk_mounts_free(struct sk_host_mounts *m);
/*
 * Notes where a shared directory (`fd`, O_PATH) lies in the table. Call it in the host's mount namespace. The tree
 * belongs to the table. -ENOENT: the table does not list the directory's mount.
 */
int sk_mounts_add(struct sk_host_mounts *m, int fd, struct sk_mount_tree **ret_tree);
/* The same for a directory given by its mount and path; for tests. */
int sk_mounts_add_path(struct sk_host_mounts *m, uint64_t mount_id, const char *path, struct sk_mount_tree **ret_tree);
/* Sets the private copy of the tree's mounts (borrowed); sk_mounts_busy() refers to its entries. */
void sk_mounts_copied(struct sk_mount_tree *tree, int fd);
/* The host's number of the mount that is number `id` in the copy; a number of its own if it is none of the host's. */
uint64_t sk_mounts_id(const struct sk_mount_tree *tree, uint64_t id);
/* True if the host has something mounted on `name` in a directory of the copy; true also when that cannot be told. */
bool sk_mounts_busy(struct sk_mount_tree *tree, int dirfd, const char *name);

/* One line of the table. */
struct sk_host_mount {
	uint64_t id, dev;
	const char *root;  /* the part of the file system that is mounted */
	const char *point; /* on what path */
};
/* Calls `each` for all mounts below `path`, those nearer to the root of the tree first. Ends with the first result that
 * is not 0, and returns it; negative errno if the table cannot be read. */
int sk_mounts_each(struct sk_host_mounts *m, const char *path,
		   int (*each)(void *arg, const struct sk_host_mount *mount), void *arg);
/* Descriptor for poll(): POLLPRI and POLLERR when the table has changed. Borrowed. */
int sk_mounts_fd(const struct sk_host_mounts *m);

#endif
