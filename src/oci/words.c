/* SPDX-License-Identifier: Apache-2.0 */
/* runc's words for errors, which docker, containerd and podman look into. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "oci/oci.h"

int sk_oci_start_error(struct sk_error *err, int exit_code, const json_t *process, const char *what)
{
	const char *program = json_string_value(json_array_get(json_object_get(process, "args"), 0));
	bool denied = exit_code == 126;

	if ((exit_code != 126 && exit_code != 127) || !program)
		return sk_error_wrap(err, "%s", what);
	/* Anything else that is missing in the guest, or not allowed there, has words of its own. */
	if (strncmp(err->message, "exec: ", 6) != 0 && !strstr(err->message, "chdir"))
		return sk_error_wrap(err, "%s: unable to start container process: error during container init", what);
	if (strstr(err->message, "chdir")) {
		const char *cwd = json_string_value(json_object_get(process, "cwd"));

		return sk_error_set(err, ENOENT,
				    "%s: unable to start container process: chdir to cwd (\"%s\") set in config.json "
				    "failed: %s",
				    what, cwd ? cwd : "", denied ? "permission denied" : "no such file or directory");
	}
	if (denied)
		return sk_error_set(err, EACCES,
				    "%s: unable to start container process: exec: \"%s\": permission denied", what,
				    program);
	if (strchr(program, '/'))
		return sk_error_set(
			err, ENOENT,
			"%s: unable to start container process: exec: \"%s\": stat %s: no such file or directory", what,
			program, program);
	return sk_error_set(err, ENOENT,
			    "%s: unable to start container process: exec: \"%s\": executable file not found in $PATH",
			    what, program);
}

void sk_oci_wrap_once(struct sk_error *err, const char *words)
{
	static const char *const inner[] = { "skerry create failed: ", "skerry start failed: " };
	size_t i, n;

	for (i = 0; i < SK_ARRAY_SIZE(inner); i++) {
		n = strlen(inner[i]);
		if (strncmp(err->message, inner[i], n) == 0)
			memmove(err->message, err->message + n, strlen(err->message + n) + 1);
	}
	sk_error_wrap(err, "%s", words);
}
