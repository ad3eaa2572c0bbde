/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_EXPORT_POSIX_H
#define SK_EXPORT_POSIX_H

#include "export/export.h"

/*
 * The functions of sk_export_posix (export.h says what each does), for tests. The pool holds the budget of descriptors
 * and the thread's file system ids.
 */
int sk_posix_pool_new(unsigned max_fds, struct sk_export_pool **ret_pool, struct sk_error *err);
void sk_posix_pool_free(struct sk_export_pool *pool);
int sk_posix_pool_load_users(struct sk_export_pool *pool);
/* Descriptors in use: of nodes, of open files. */
void sk_posix_pool_used(const struct sk_export_pool *pool, unsigned *ret_nodes, unsigned *ret_files);

int sk_posix_new(struct sk_export_pool *pool, int take_fd, const char *name, const struct sk_export_config *config,
		 struct sk_9p_fs **ret_fs, struct sk_error *err);
void sk_posix_free(struct sk_9p_fs *fs);
void sk_posix_lease(struct sk_9p_fs *fs, struct sk_watch *watch, sk_export_event_cb event, void *arg);
void sk_posix_on_watch(const struct sk_watch_event *event);
int sk_posix_replace(struct sk_9p_fs *fs, int take_fd);
int sk_posix_mount(struct sk_9p_fs *fs, uint64_t id, int take_fd, uint64_t parent, const char *path);
void sk_posix_unmount(struct sk_9p_fs *fs, uint64_t id);
struct sk_9p_node *sk_posix_root(struct sk_9p_fs *fs);
int sk_posix_below(struct sk_9p_fs *fs, const char *path, struct sk_9p_node **ret_node);
void sk_posix_put(struct sk_9p_fs *fs, struct sk_9p_node *node);
void sk_posix_identity(const struct sk_9p_node *node, uint64_t *ret_dev, uint64_t *ret_ino, uint64_t *ret_mnt);

#endif
