/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of skerry-9pd, and the descriptors that it names: exports opened, sockets bound. All of it happens
 * before the sandbox closes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/opt.h"
#include "ninepd/ninepd.h"

void ninepd_usage(void)
{
	fputs("Usage: skerry-9pd --export [NAME=]PATH[:OPTION,…] … (--socket PATH | --listen ADDRESS:PORT | "
	      "--vhost-user NAME=SOCKET | --vfio-user NAME=SOCKET | --fd N) …\n"
	      "\n"
	      "Serves directories and single files over 9P2000.L.\n"
	      "\n"
	      "  --export [NAME=]PATH[:OPTION,…]   PATH of a directory or file, or fd:N for an inherited O_PATH "
	      "descriptor. Options:\n"
	      "        ro            read-only\n"
	      "        trust         the clients' kernels check rights (as root: the default)\n"
	      "        check         rights are checked here, by the caller's uid\n"
	      "        squash=U:G    everything made belongs to U:G\n"
	      "        self          with this server's own user and rights\n"
	      "        mapped        the same; owner, mode and devices are kept beside (as a plain user, and as root "
	      "where "
	      "the\n"
	      "                      file system does not keep them: the default)\n"
	      "        keep=WHERE    mapped: in xattr, ea (NTFS, as WSL) or sidecar (a file in each directory); "
	      "default: "
	      "what works\n"
	      "        append        O_APPEND is done here: for clients without write-back caching\n"
	      "        nodev         no device nodes\n"
	      "        nosuid        no set-id bits and capabilities of files\n"
	      "        slave         what is mounted below PATH later is served, what is unmounted is not\n"
	      "        nonrecursive  what is mounted below PATH is not served\n"
	      "        long-leases   clients ask again after an hour, not after half a minute: changes that cannot be\n"
	      "                      watched (memory that is mapped) may be seen as late\n"
	      "        file=NAME     the name by which a single file is seen\n"
	      "  --socket PATH                     unix socket; fd:N: an inherited listening one\n"
	      "  --listen ADDRESS:PORT             TCP; without a secret on loopback addresses only\n"
	      "  --vhost-user NAME=SOCKET          virtio-9p device for export NAME; SOCKET is a path or fd:N, a "
	      "listening socket\n"
	      "  --vhost-user-all TAG=SOCKET       one device for all exports; an attach names one\n"
	      "  --vfio-user NAME=SOCKET           the same two as PCI devices, over vfio-user (QEMU 10.1 and later)\n"
	      "  --vfio-user-all TAG=SOCKET\n"
	      "  --fd N                            serves the connection on descriptor N, and ends with the last "
	      "such one\n"
	      "  --secret-file FILE                clients of sockets have to know what is in FILE\n"
	      "  --max-fds N                       descriptors to use at most\n"
	      "  --once                            end when the first virtio-9p frontend goes\n"
	      "  --wait FD                         begin when this descriptor ends: what is mounted until then is "
	      "shared\n"
	      "  --owner FD                        end at once when the other end of this pipe is closed\n"
	      "  --no-sandbox                      for debugging\n",
	      stdout);
}

/* "fd:N": the descriptor; -1: something else. */
static int fd_arg(const char *s)
{
	char *end;
	long n;

	if (strncmp(s, "fd:", 3) != 0 || !s[3])
		return -1;
	n = strtol(s + 3, &end, 10);
	return *end || n < 0 || n > 1 << 20 ? -1 : (int)n;
}

static int keep_option(struct ninepd_export *e, const char *where)
{
	static const char *const names[] = {
		[SK_EXPORT_KEEP_XATTR] = "xattr",
		[SK_EXPORT_KEEP_EA] = "ea",
		[SK_EXPORT_KEEP_SIDECAR] = "sidecar",
	};
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(names); i++) {
		if (strcmp(where, names[i]) != 0)
			continue;
		e->config.keep = (enum sk_export_keep)i;
		e->keep_given = true;
		return 0;
	}
	return -EINVAL;
}

static int export_option(struct ninepd_export *e, char *o)
{
	unsigned uid, gid;

	if (strcmp(o, "trust") == 0 || strcmp(o, "check") == 0 || strcmp(o, "self") == 0 || strcmp(o, "mapped") == 0 ||
	    strncmp(o, "squash=", 7) == 0)
		e->who_given = true;
	if (strcmp(o, "ro") == 0)
		e->readonly = true;
	else if (strcmp(o, "rw") == 0)
		e->readonly = false;
	else if (strcmp(o, "trust") == 0)
		e->config.who = SK_EXPORT_TRUST;
	else if (strcmp(o, "check") == 0)
		e->config.who = SK_EXPORT_CHECK;
	else if (strcmp(o, "self") == 0)
		e->config.who = SK_EXPORT_SELF;
	else if (strcmp(o, "mapped") == 0)
		e->config.who = SK_EXPORT_MAPPED;
	else if (strncmp(o, "keep=", 5) == 0)
		return keep_option(e, o + 5);
	else if (strcmp(o, "append") == 0)
		e->config.append = true;
	else if (strcmp(o, "nodev") == 0)
		e->config.nodev = true;
	else if (strcmp(o, "nosuid") == 0)
		e->config.nosuid = true;
	else if (strcmp(o, "slave") == 0)
		e->slave = true;
	else if (strcmp(o, "nonrecursive") == 0)
		e->nonrecursive = true;
	else if (strcmp(o, "long-leases") == 0)
		e->long_leases = true;
	else if (strncmp(o, "file=", 5) == 0 && o[5] && !strchr(o + 5, '/'))
		e->file = strdup(o + 5);
	else if (sscanf(o, "squash=%u:%u", &uid, &gid) == 2) {
		e->config.who = SK_EXPORT_SQUASH;
		e->config.squash_uid = uid;
		e->config.squash_gid = gid;
	} else
		return -EINVAL;
	return 0;
}

static bool all_options(const char *list)
{
	struct ninepd_export scratch;
	_cleanup_free_ char *copy = strdup(list);
	char *o, *save = NULL;
	bool ok = true;

	memset(&scratch, 0, sizeof(scratch));
	for (o = copy ? strtok_r(copy, ",", &save) : NULL; o && ok; o = strtok_r(NULL, ",", &save)) {
		ok = export_option(&scratch, o) == 0;
		free(scratch.file);
		scratch.file = NULL;
	}
	return ok && copy;
}

/* Splits ":ro,…" off a path that may have colons itself: the last colon (before "squash=U:G" too) behind which there
 * are only options. */
static char *split_options(char *spec)
{
	char *p;

	for (p = strchr(spec, ':'); p; p = strchr(p + 1, ':')) {
		if (p[1] && all_options(p + 1)) {
			*p = 0;
			return p + 1;
		}
	}
	return NULL;
}

static int open_export(struct ninepd_export *e, const char *path, struct sk_error *err)
{
	struct stat st;
	const char *base;

	e->fd = fd_arg(path);
	if (e->fd >= 0) {
		if (fcntl(e->fd, F_SETFD, FD_CLOEXEC) < 0)
			return sk_error_errno(err, errno, "descriptor %d", e->fd);
	} else {
		e->fd = open(path, O_PATH | O_CLOEXEC);
		if (e->fd < 0)
			return sk_error_errno(err, errno, "cannot open %s", path);
		e->path = strdup(path);
	}
	if (fstat(e->fd, &st) < 0)
		return sk_error_errno(err, errno, "cannot look at %s", path);
	e->is_dir = S_ISDIR(st.st_mode);
	base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	if (!e->is_dir && !e->file)
		e->file = strdup(base);
	if (!e->name[0])
		snprintf(e->name, sizeof(e->name), "%.63s", *base ? base : "root");
	return 0;
}

static int add_export(const struct sk_opt *opt, void *to, const char *arg, struct sk_error *err)
{
	struct ninepd *d = to;
	struct ninepd_export *e = &d->exports[d->n_exports];
	_cleanup_free_ char *spec = strdup(arg);
	char *path = spec, *options, *o, *save = NULL, *eq = spec ? strchr(spec, '=') : NULL;

	(void)opt;
	if (!spec)
		return sk_error_errno(err, ENOMEM, "out of memory");
	if (d->n_exports == NINEPD_EXPORTS)
		return sk_error_set(err, E2BIG, "more than %u exports", NINEPD_EXPORTS);
	e->fd = e->vhost_fd = -1;
	e->config.who = geteuid() == 0 ? SK_EXPORT_TRUST : SK_EXPORT_MAPPED;
	d->n_exports++;
	/* A name has no slash and no colon; what else has "=" is a path. */
	if (eq && strcspn(spec, "/:") > (size_t)(eq - spec)) {
		if (eq == spec || (size_t)(eq - spec) >= sizeof(e->name))
			return sk_error_set(err, EINVAL, "an export's name has 1 to 63 bytes: %s", arg);
		memcpy(e->name, spec, (size_t)(eq - spec));
		path = eq + 1;
	}
	options = split_options(strncmp(path, "fd:", 3) == 0 ? path + 3 : path);
	for (o = options ? strtok_r(options, ",", &save) : NULL; o; o = strtok_r(NULL, ",", &save))
		if (export_option(e, o) < 0)
			return sk_error_set(err, EINVAL, "not an option of an export: %s", o);
	return open_export(e, path, err);
}

static int unix_socket(const char *path, int *ret_fd, struct sk_error *err)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	_cleanup_fd_ int fd = -1;
	mode_t mask;
	int r;

	if (strlen(path) >= sizeof(sa.sun_path))
		return sk_error_set(err, ENAMETOOLONG, "the path of a socket is too long: %s", path);
	strcpy(sa.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return sk_error_errno(err, errno, "cannot make a socket");
	unlink(path);
	mask = umask(0177);
	r = bind(fd, (struct sockaddr *)&sa, sizeof(sa));
	umask(mask);
	if (r < 0 || listen(fd, 128) < 0)
		return sk_error_errno(err, errno, "cannot listen on %s", path);
	*ret_fd = SK_TAKE_FD(fd);
	return 0;
}

/* "fd:N" or a path */
static int vhost_socket(const char *arg, int *ret_fd, struct sk_error *err)
{
	*ret_fd = fd_arg(arg);
	if (*ret_fd < 0)
		return unix_socket(arg, ret_fd, err);
	return fcntl(*ret_fd, F_SETFD, FD_CLOEXEC) < 0 ? sk_error_errno(err, errno, "descriptor %d", *ret_fd) : 0;
}

static bool is_vfio(const struct sk_opt *opt)
{
	return strncmp(opt->name, "vfio", 4) == 0;
}

static int add_vhost_all(const struct sk_opt *opt, void *to, const char *arg, struct sk_error *err)
{
	struct ninepd *d = to;
	const char *eq = strchr(arg, '=');

	if (!eq || eq == arg || (size_t)(eq - arg) >= sizeof(d->all_tag) || d->all_fd >= 0)
		return sk_error_set(err, EINVAL, "--%s wants TAG=SOCKET, once, not %s", opt->name, arg);
	memcpy(d->all_tag, arg, (size_t)(eq - arg));
	d->all_vfio = is_vfio(opt);
	return vhost_socket(eq + 1, &d->all_fd, err);
}

static int add_vhost(const struct sk_opt *opt, void *to, const char *arg, struct sk_error *err)
{
	struct ninepd *d = to;
	const char *eq = strchr(arg, '=');
	unsigned i;

	for (i = 0; eq && i < d->n_exports; i++) {
		struct ninepd_export *e = &d->exports[i];

		if (strlen(e->name) != (size_t)(eq - arg) || memcmp(e->name, arg, strlen(e->name)) != 0)
			continue;
		if (e->vhost_fd >= 0)
			return sk_error_set(err, EINVAL, "export %s has a device already: --%s %s", e->name, opt->name,
					    arg);
		e->vfio = is_vfio(opt);
		return vhost_socket(eq + 1, &e->vhost_fd, err);
	}
	return sk_error_set(err, EINVAL, "--%s wants NAME=SOCKET with the name of an export given before, not %s",
			    opt->name, arg);
}

static int add_connected(const struct sk_opt *opt, void *to, const char *arg, struct sk_error *err)
{
	struct ninepd *d = to;
	char *end;
	long fd = strtol(arg, &end, 10);

	(void)opt;
	if (d->n_connected == NINEPD_CONNECTIONS)
		return sk_error_set(err, E2BIG, "more than %u connections", NINEPD_CONNECTIONS);
	if (!*arg || *end || fd < 0 || fd > 1 << 20 || fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0)
		return sk_error_set(err, EBADF, "--fd %s: no such descriptor", arg);
	d->connected[d->n_connected++] = (int)fd;
	return 0;
}

static int add_socket(const struct sk_opt *opt, void *to, const char *arg, struct sk_error *err)
{
	int fd = fd_arg(arg), r;

	(void)opt;
	if (fd >= 0)
		return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? sk_error_errno(err, errno, "descriptor %d", fd)
							  : ninepd_add_listener(to, fd, NULL, err);
	r = unix_socket(arg, &fd, err);
	return r < 0 ? r : ninepd_add_listener(to, fd, arg, err);
}

static int set_max_fds(const struct sk_opt *opt, void *to, const char *arg, struct sk_error *err)
{
	struct ninepd *d = to;

	(void)opt;
	d->max_fds = (unsigned)strtoul(arg, NULL, 10);
	return d->max_fds < 64 ? sk_error_set(err, EINVAL, "--max-fds is 64 at least") : 0;
}

static int set_wait(const struct sk_opt *opt, void *to, const char *arg, struct sk_error *err)
{
	struct ninepd *d = to;

	(void)opt;
	d->wait_fd = atoi(arg);
	return d->wait_fd < 3 ? sk_error_set(err, EINVAL, "--wait: %s is no descriptor to wait for", arg) : 0;
}

static int set_owner(const struct sk_opt *opt, void *to, const char *arg, struct sk_error *err)
{
	struct ninepd *d = to;

	(void)opt;
	d->owner_fd = atoi(arg);
	return d->owner_fd < 3 || fcntl(d->owner_fd, F_SETFD, FD_CLOEXEC) < 0
		       ? sk_error_set(err, EINVAL, "--owner: %s is no descriptor of a pipe", arg)
		       : 0;
}

static int add_tcp(const struct sk_opt *opt, void *to, const char *arg, struct sk_error *err)
{
	(void)opt;
	return ninepd_add_tcp(to, arg, err);
}

static int set_secret(const struct sk_opt *opt, void *to, const char *path, struct sk_error *err)
{
	(void)opt;
	return ninepd_read_secret(to, path, err);
}

static const struct sk_opt_type type_export = { true, add_export, NULL };
static const struct sk_opt_type type_socket = { true, add_socket, NULL };
static const struct sk_opt_type type_listen = { true, add_tcp, NULL };
static const struct sk_opt_type type_vhost = { true, add_vhost, NULL };
static const struct sk_opt_type type_vhost_all = { true, add_vhost_all, NULL };
static const struct sk_opt_type type_fd = { true, add_connected, NULL };
static const struct sk_opt_type type_secret = { true, set_secret, NULL };
static const struct sk_opt_type type_max_fds = { true, set_max_fds, NULL };
static const struct sk_opt_type type_wait = { true, set_wait, NULL };
static const struct sk_opt_type type_owner = { true, set_owner, NULL };

static const struct sk_opt options[] = {
	{ .name = "export", .type = &type_export },
	{ .name = "socket", .type = &type_socket },
	{ .name = "listen", .type = &type_listen },
	{ .name = "vhost-user", .type = &type_vhost },
	{ .name = "vhost-user-all", .type = &type_vhost_all },
	{ .name = "vfio-user", .type = &type_vhost },
	{ .name = "vfio-user-all", .type = &type_vhost_all },
	{ .name = "fd", .type = &type_fd },
	{ .name = "secret-file", .type = &type_secret },
	{ .name = "max-fds", .type = &type_max_fds },
	{ .name = "once", .type = SK_OPT_BOOL, .offset = offsetof(struct ninepd, single) },
	{ .name = "wait", .type = &type_wait },
	{ .name = "owner", .type = &type_owner },
	{ .name = "no-sandbox", .type = SK_OPT_BOOL, .offset = offsetof(struct ninepd, no_sandbox) },
	{ .name = NULL },
};

static int fail(const struct sk_opt_error *e, struct sk_error *err)
{
	if (e->fault == SK_OPT_BAD_VALUE)
		return -EINVAL;
	sk_opt_gnu.fail(e, err);
	fprintf(stderr, "%s: %s\n", program_invocation_name, err->message);
	return sk_error_set(err, EINVAL, "see skerry-9pd --help");
}

/* Parses either the secret alone or everything else: the secret decides what may be listened on, wherever it is
 * given. */
static int parse(struct ninepd *d, bool secret, int argc, char **argv, struct sk_error *err)
{
	const struct sk_opt_dialect dialect = { .abbreviations = true, .fail = fail };
	struct sk_opt table[SK_ARRAY_SIZE(options)];
	struct sk_opt_result parsed;
	size_t i;
	int r;

	memcpy(table, options, sizeof(table));
	for (i = 0; table[i].name; i++)
		if ((table[i].type == &type_secret) != secret)
			table[i].type = table[i].type->has_value ? SK_OPT_IGNORED : SK_OPT_IGNORED_BOOL;
	r = sk_opt_parse(table, &dialect, d, false, argc - 1, argv + 1, &parsed, err);
	if (r == 0 && parsed.n_args)
		return sk_error_set(err, EINVAL, "what is %s? See skerry-9pd --help", argv[1]);
	return r;
}

int ninepd_options(struct ninepd *d, int argc, char **argv, struct sk_error *err)
{
	bool served = false;
	unsigned i;
	int r = parse(d, true, argc, argv, err);

	if (r == 0)
		r = parse(d, false, argc, argv, err);
	if (r < 0)
		return r;
	for (i = 0; i < d->n_exports; i++)
		served |= d->exports[i].vhost_fd >= 0;
	if (!d->n_exports)
		return sk_error_set(err, EINVAL, "nothing to share: see skerry-9pd --help");
	if (!served && d->all_fd < 0 && !d->n_listeners && !d->n_connected)
		return sk_error_set(err, EINVAL, "nobody to share with: see skerry-9pd --help");
	return 0;
}
