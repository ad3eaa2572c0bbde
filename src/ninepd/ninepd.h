/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_NINEPD_NINEPD_H
#define SK_NINEPD_NINEPD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/acceptor.h"
#include "base/error.h"
#include "base/loop.h"
#include "export/mounts.h"
#include "export/export.h"
#include "ninep/server.h"
#include "virtio/device.h"

/* skerry-9pd: the parts of the program. */
#define NINEPD_EXPORTS 64u
#define NINEPD_CONNECTIONS 64u
#define NINEPD_FDS 262144u
#define NINEPD_SECRET_MAX 4096u

struct ninepd_export {
	char name[64]; /* mount tag, first part of aname */
	char *path;    /* as given; NULL: a descriptor */
	char *file;    /* the name of a single file */
	int fd;	       /* O_PATH */
	int directory; /* O_PATH, of a single file that is followed, until the process is locked down; or -1 */
	bool is_dir, readonly;
	bool who_given, keep_given;   /* config.who, config.keep: by the command line, not to be found out */
	bool slave;		      /* what the host mounts below it later is served, too */
	bool nonrecursive;	      /* mounts below it are not served */
	bool long_leases;	      /* good for an hour */
	bool has_parts;		      /* others, which have its fs */
	bool overlaps;		      /* with another export: no leases */
	struct sk_mount_tree *mounts; /* where the directory lies in the host's table; NULL: not known */
	struct sk_export_config config;
	char *host_path;     /* of the directory; NULL: not known */
	struct sk_9p_fs *fs; /* its own; NULL: it is a part of another export */
	/* The virtio device, where the export has one of its own. */
	int vhost_fd;
	bool vfio; /* the socket's clients speak vfio-user, not vhost-user */
	struct sk_device *device;
};

struct ninepd {
	struct ninepd_export exports[NINEPD_EXPORTS];
	struct sk_9p_export served[NINEPD_EXPORTS];
	/* The virtio device that has all exports (no socket: none). */
	int all_fd;
	bool all_vfio;
	char all_tag[64];
	struct sk_device *all;
	unsigned n_exports;
	struct {
		int fd;
		char *path; /* unlinked at the end */
		struct sk_acceptor *acceptor;
	} listeners[16];
	unsigned n_listeners;
	int connected[NINEPD_CONNECTIONS]; /* --fd: connections that exist; the program ends with the last of them */
	unsigned n_connected, n_connected_open;
	bool by_name; /* on those an attach names its export, also where there is only one */
	uint8_t *secret;
	size_t secret_len;
	unsigned max_fds;
	bool no_sandbox, allow_devices;
	bool isolated; /* the mount namespace holds the exports alone */
	int wait_fd;   /* --wait: a descriptor that is readable once all shares are mounted; 0: they are already */
	int owner_fd;  /* --owner: a pipe whose other end is closed when the owner goes; 0: there is none */
	int follow_fd; /* from the follower; or -1 */
	struct sk_source *follow;
	int propagate_fd; /* from the process that tells of mounts; or -1 */
	struct sk_source *propagate;
	int signal_fd;
	struct sk_source *signals;
	bool single; /* --once: the program ends with the first frontend */
	struct sk_loop *loop;
	struct sk_source *lock_timer;
	const struct sk_export_ops *backend; /* of all exports */
	struct sk_export_pool *pool;
	struct sk_host_mounts *mounts; /* the host's; NULL: it is not needed */
	struct sk_watch *watch;	       /* NULL: the host cannot, or nobody needs it */
	bool (*settled)(void *arg);    /* for the server, its argument is this; NULL: nothing is watched */
	struct sk_9p_server *server;
	struct ninepd_conn *conns;
	unsigned n_conns;
};

/* session.c. The session of the virtio device that an export has; NULL: it has none. */
struct sk_9p_session *ninepd_session(const struct ninepd *d, unsigned export);

/* options.c. Opens everything that is named. */
int ninepd_options(struct ninepd *d, int argc, char **argv, struct sk_error *err);
void ninepd_usage(void);

/* confine.c: two stages. The first, before the exports are set up, moves this process into a mount namespace that holds
 * the exports alone (their descriptors change); the second, when everything is open, gives up the rest. */
int ninepd_isolate(struct ninepd *d, struct sk_error *err);
int ninepd_lock_down(struct ninepd *d, struct sk_error *err);
/* A user namespace in which a plain user is himself. 0 or negative errno. */
int ninepd_enter_user_namespace(void);
/* A private copy of the mount that `fd` (O_PATH) leads to, and of those below it if `recursive`; mounted nowhere. No
 * set-id bits, devices, programs or symbolic links work on it. Descriptor (O_PATH) or negative errno. */
int ninepd_copy_mounts(int fd, bool readonly, bool recursive);

/* follow.c: single files whose name is given to another file. The first, before the isolation, starts what follows
 * them; the second takes what it sends. */
int ninepd_follow(struct ninepd *d, struct sk_error *err);
int ninepd_following(struct ninepd *d);

/* propagate.c: what the host mounts and unmounts below exports with the option "slave". The first, before the
 * isolation, starts the process that watches; the second, when the exports are set up, takes what is mounted
 * already, and listens. */
int ninepd_propagate(struct ninepd *d, struct sk_error *err);
int ninepd_propagating(struct ninepd *d, struct sk_error *err);

/* listen.c: adds a TCP socket "ADDRESS:PORT", which without a secret is on a loopback address only; reads the secret. */
int ninepd_add_tcp(struct ninepd *d, const char *arg, struct sk_error *err);
int ninepd_read_secret(struct ninepd *d, const char *path, struct sk_error *err);
/* Takes the socket, on failure too; `path` (may be NULL) is borrowed. */
int ninepd_add_listener(struct ninepd *d, int take_fd, const char *path, struct sk_error *err);

/* serve.c: stream connections. */
int ninepd_listen(struct ninepd *d, struct sk_error *err);
/* Tells all of them what others have done in a directory; NULL: that was all for now. */
void ninepd_event(struct ninepd *d, const struct sk_9p_event *event);
void ninepd_close_all(struct ninepd *d);

/* auth.c: the shared secret. A session's `auth_arg` is one of these, its connection's. */
struct ninepd_proof {
	const struct ninepd *d;
	bool given; /* the client has proved that it knows the secret */
};
extern const struct sk_9p_auth_ops ninepd_auth;

#endif
