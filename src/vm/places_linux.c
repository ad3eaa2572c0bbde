/* SPDX-License-Identifier: Apache-2.0 */
/* Where this system has what belongs to Skerry: XDG's directories, or for root those of the file system's hierarchy. */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/process.h"
#include "vm/places.h"
#include "vm/state.h"

static char *home_dir(void)
{
	const char *home = getenv("HOME");
	const struct passwd *pw;

	if (home && home[0] == '/')
		return strdup(home);
	pw = getpwuid(geteuid());
	return strdup(pw ? pw->pw_dir : "/");
}

/* Not the root of a plain user's namespace, as which rootless podman calls its runtime. */
static bool is_root(void)
{
	return geteuid() == 0 && (!sk_in_user_namespace() || access("/run", W_OK) == 0);
}

char *sk_place_root(void)
{
	_cleanup_free_ char *home = NULL;
	const char *xdg = getenv("XDG_DATA_HOME");

	if (is_root())
		return strdup("/var/lib/skerry");
	if (xdg && xdg[0] == '/')
		return sk_asprintf("%s/skerry", xdg);
	home = home_dir();
	return home ? sk_asprintf("%s/.local/share/skerry", home) : NULL;
}

char *sk_paths_runtime(const char *name)
{
	const char *xdg = getenv("XDG_RUNTIME_DIR");
	_cleanup_free_ char *home = NULL;
	char path[64];
	struct stat st;

	if (xdg && xdg[0] == '/' && access(xdg, W_OK) == 0)
		return sk_asprintf("%s/%s", xdg, name);
	/* Of systemd or elogind, where su or cron has lost the variable. */
	snprintf(path, sizeof(path), "/run/user/%u", geteuid());
	if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid())
		return sk_asprintf("%s/%s", path, name);
	/* Not /tmp: another user could take any name there first, and keep it. */
	xdg = getenv("XDG_DATA_HOME");
	if (xdg && xdg[0] == '/')
		return sk_asprintf("%s/%s/run", xdg, name);
	home = home_dir();
	return home ? sk_asprintf("%s/.local/share/%s/run", home, name) : NULL;
}

char *sk_place_run(void)
{
	const char *root = getenv("SKERRY_ROOT");
	_cleanup_free_ char *home = NULL;

	if (is_root())
		return strdup("/run/skerry");
	/* A store in $SKERRY_ROOT is often used by accounts without a writable home directory. */
	home = home_dir();
	if (root && root[0] && (!home || access(home, W_OK) < 0))
		return sk_asprintf("%s/run", root);
	return sk_paths_runtime("skerry");
}

char *sk_place_config(bool of_user)
{
	const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	if (!of_user)
		return strdup("/etc/skerry/config.json");
	if (xdg && xdg[0] == '/')
		return sk_asprintf("%s/skerry/config.json", xdg);
	return home && home[0] == '/' ? sk_asprintf("%s/.config/skerry/config.json", home) : NULL;
}

bool sk_place_is_full(const char *path)
{
	return path[0] == '/';
}
