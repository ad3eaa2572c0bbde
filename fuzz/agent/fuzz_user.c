/* SPDX-License-Identifier: Apache-2.0 */
/* The container's own files: passwd and group (two parts of the input), crun's log, /proc/<pid>/stat. */
#include <stdlib.h>
#include <string.h>

#include "../input.h"
#include "ps.h"
#include "spec.h"
#include "user.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const users[] = { "joe", "0", "joe:video", "1000:5", "" };
	static struct sk_user user;
	struct sk_error err = SK_ERROR_INIT;
	char *passwd = malloc(size + 1), *group, home[SK_USER_HOME_MAX] = "/", name[32];
	struct sk_ps_stat stat;
	size_t i;

	if (!passwd)
		return 0;
	memcpy(passwd, data, size);
	passwd[size] = '\0';
	group = memchr(passwd, '\0', size);
	group = group ? group + 1 : passwd + size;
	for (i = 0; i < sizeof(users) / sizeof(users[0]); i++)
		sk_user_resolve(users[i], passwd, group, &user, &err);
	sk_user_home(passwd, 1000, home);
	sk_user_name(passwd, 1000, name, sizeof(name));
	sk_spec_crun_error(passwd, "sh", &err);
	sk_ps_parse_stat(passwd, &stat);
	free(passwd);
	return 0;
}
