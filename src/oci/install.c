/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registers this program as a runtime: a few lines in docker's daemon.json or in a drop-in of containers.conf for
 * podman. The change is shown and, unless
 * --yes, asked for; the old file is kept beside the new one. --undo takes out what was put in and nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "oci/oci.h"

#define SK_DOCKER_CONFIG "/etc/docker/daemon.json"
#define SK_PODMAN_CONFIG "/etc/containers/containers.conf.d/50-skerry.conf"

struct change {
	const char *path;
	char *before, *after; /* NULL: no file */
};

static char *read_text(const char *path)
{
	char *text = NULL;

	return sk_fs_read(AT_FDCWD, path, SK_OCI_CONFIG_MAX, &text, NULL) < 0 ? NULL : text;
}

static void show_lines(char sign, const char *text)
{
	size_t n;

	for (; text && *text; text += n + (text[n] == '\n')) {
		n = strcspn(text, "\n");
		printf("%c%.*s\n", sign, (int)n, text);
	}
}

static int apply(const struct change *c, bool yes, struct sk_error *err)
{
	_cleanup_free_ char *dir = strdup(c->path), *backup = sk_asprintf("%s.before-skerry", c->path);
	char answer[8] = "";
	int r = 0;

	if (!dir || !backup)
		return sk_error_errno(err, ENOMEM, "install");
	if ((!c->before && !c->after) || (c->before && c->after && strcmp(c->before, c->after) == 0)) {
		printf("%s: nothing to change\n", c->path);
		return 0;
	}
	printf("--- %s\n+++ %s\n", c->before ? c->path : "(no file)", c->after ? c->path : "(removed)");
	show_lines('-', c->before);
	show_lines('+', c->after);
	if (!yes) {
		printf("Write this change? [y/N] ");
		fflush(stdout);
		if (!fgets(answer, sizeof(answer), stdin) || (answer[0] != 'y' && answer[0] != 'Y')) {
			printf("Nothing was changed.\n");
			return 0;
		}
	}
	*strrchr(dir, '/') = '\0';
	r = sk_fs_mkdir_p(dir, 0755);
	if (r == 0 && c->before)
		r = sk_fs_write_atomic(AT_FDCWD, backup, c->before, strlen(c->before), 0644, true);
	if (r == 0 && c->after)
		r = sk_fs_write_atomic(AT_FDCWD, c->path, c->after, strlen(c->after), 0644, true);
	else if (r == 0 && unlink(c->path) < 0)
		r = -errno;
	return r < 0 ? sk_error_errno(err, r, "cannot change %s", c->path) : 0;
}

static int docker_change(const char *self, const char *name, bool undo, struct change *c, struct sk_error *err)
{
	json_t *config, *runtimes;
	json_error_t je;
	char *text;

	c->before = read_text(c->path);
	config = c->before && c->before[strspn(c->before, " \t\r\n")] ? json_loads(c->before, 0, &je) : json_object();
	if (!json_is_object(config))
		return sk_error_set(err, EINVAL, "%s is not valid JSON (line %d: %s): repair it first", c->path,
				    je.line, je.text);
	runtimes = json_object_get(config, "runtimes");
	if (!undo) {
		if (!runtimes) {
			runtimes = json_object();
			json_object_set_new(config, "runtimes", runtimes);
		}
		json_object_set_new(runtimes, name, json_pack("{s:s}", "path", self));
	} else if (runtimes) {
		json_object_del(runtimes, name);
		if (json_object_size(runtimes) == 0)
			json_object_del(config, "runtimes");
	}
	text = json_object_size(config) ? json_dumps(config, JSON_INDENT(4)) : NULL;
	c->after = text ? sk_asprintf("%s\n", text) : NULL;
	free(text);
	json_decref(config);
	if (undo && !c->before)
		c->after = NULL;
	return 0;
}

static int podman_change(const char *self, const char *name, bool undo, struct change *c)
{
	c->before = read_text(c->path);
	c->after = undo ? NULL : sk_asprintf("[engine.runtimes]\n%s = [\n  \"%s\",\n]\n", name, self);
	return undo || c->after ? 0 : -ENOMEM;
}

static int self_path(char buf[PATH_MAX], struct sk_error *err)
{
	/* The script of a source tree, which says where the other parts are. */
	const char *script = getenv("SKERRY_OCI");
	ssize_t n;

	if (script && script[0] == '/' && strlen(script) < PATH_MAX) {
		strcpy(buf, script);
		return 0;
	}
	n = readlink("/proc/self/exe", buf, PATH_MAX - 1);
	if (n < 0)
		return sk_error_errno(err, errno, "cannot find this program's path");
	buf[n] = '\0';
	return 0;
}

struct install_options {
	bool docker, podman, undo, yes;
	const char *name, *config;
};

#define AT(f) offsetof(struct install_options, f)
static const struct sk_opt install_table[] = {
	{ .name = "docker", .type = SK_OPT_BOOL, .offset = AT(docker) },
	{ .name = "podman", .type = SK_OPT_BOOL, .offset = AT(podman) },
	{ .name = "undo", .type = SK_OPT_BOOL, .offset = AT(undo) },
	{ .name = "yes", .letter = 'y', .type = SK_OPT_BOOL, .offset = AT(yes) },
	{ .name = "name", .type = SK_OPT_STRING, .offset = AT(name) },
	{ .name = "config", .type = SK_OPT_STRING, .offset = AT(config) },
	{ .name = NULL },
};
#undef AT

int sk_oci_install(struct sk_oci *o, int argc, char **argv, struct sk_error *err)
{
	struct install_options x = { .name = "skerry" };
	struct change c = { 0 };
	char self[PATH_MAX];
	int r;

	(void)o;
	r = sk_oci_options(install_table, &x, false, argc, argv, err);
	if (r < 0)
		return sk_error_set(err, EINVAL, "install: unknown option");
	if (x.docker == x.podman || r != 0)
		return sk_error_set(
			err, EINVAL,
			"usage: skerry-oci install --docker|--podman [--undo] [--yes] [--name NAME] [--config FILE]");
	if (strspn(x.name, "abcdefghijklmnopqrstuvwxyz0123456789-_") != strlen(x.name) || !*x.name)
		return sk_error_set(err, EINVAL, "a runtime's name has small letters, digits, - and _ only");
	r = self_path(self, err);
	if (r < 0)
		return r;
	c.path = x.config ? x.config : x.docker ? SK_DOCKER_CONFIG : SK_PODMAN_CONFIG;
	if (c.path[0] != '/')
		return sk_error_set(err, EINVAL, "%s is not an absolute path", c.path);
	r = x.docker ? docker_change(self, x.name, x.undo, &c, err) : podman_change(self, x.name, x.undo, &c);
	if (r == 0)
		r = apply(&c, x.yes, err);
	if (r == 0 && x.docker)
		printf("docker reads this when it is told to: systemctl reload docker (or send SIGHUP to dockerd).\n");
	free(c.before);
	free(c.after);
	return r;
}
