/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "image/manifest.h"

const char *sk_platform_host(void)
{
	static const struct {
		const char *machine, *platform;
	} known[] = {
		{ "x86_64", "linux/amd64" },	    { "AMD64", "linux/amd64" },	    { "aarch64", "linux/arm64" },
		{ "armv7l", "linux/arm/v7" },	    { "armv6l", "linux/arm/v6" },   { "i686", "linux/386" },
		{ "riscv64", "linux/riscv64" },	    { "ppc64le", "linux/ppc64le" }, { "s390x", "linux/s390x" },
		{ "loongarch64", "linux/loong64" },
	};
	struct utsname u;
	size_t i;

	if (uname(&u) == 0)
		for (i = 0; i < SK_ARRAY_SIZE(known); i++)
			if (strcmp(u.machine, known[i].machine) == 0)
				return known[i].platform;
	return "linux/amd64";
}
