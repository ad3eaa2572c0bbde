/* SPDX-License-Identifier: Apache-2.0 */
/* --cap-add, --cap-drop and --privileged: docker's names and its default set, as lists for the spec. */
#include "model/caps.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"

/* By number (linux/capability.h). */
static const char *const names[] = {
	"CAP_CHOWN",
	"CAP_DAC_OVERRIDE",
	"CAP_DAC_READ_SEARCH",
	"CAP_FOWNER",
	"CAP_FSETID",
	"CAP_KILL",
	"CAP_SETGID",
	"CAP_SETUID",
	"CAP_SETPCAP",
	"CAP_LINUX_IMMUTABLE",
	"CAP_NET_BIND_SERVICE",
	"CAP_NET_BROADCAST",
	"CAP_NET_ADMIN",
	"CAP_NET_RAW",
	"CAP_IPC_LOCK",
	"CAP_IPC_OWNER",
	"CAP_SYS_MODULE",
	"CAP_SYS_RAWIO",
	"CAP_SYS_CHROOT",
	"CAP_SYS_PTRACE",
	"CAP_SYS_PACCT",
	"CAP_SYS_ADMIN",
	"CAP_SYS_BOOT",
	"CAP_SYS_NICE",
	"CAP_SYS_RESOURCE",
	"CAP_SYS_TIME",
	"CAP_SYS_TTY_CONFIG",
	"CAP_MKNOD",
	"CAP_LEASE",
	"CAP_AUDIT_WRITE",
	"CAP_AUDIT_CONTROL",
	"CAP_SETFCAP",
	"CAP_MAC_OVERRIDE",
	"CAP_MAC_ADMIN",
	"CAP_SYSLOG",
	"CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND",
	"CAP_AUDIT_READ",
	"CAP_PERFMON",
	"CAP_BPF",
	"CAP_CHECKPOINT_RESTORE",
};

#define BIT(n) (1ull << (n))
#define ALL (BIT(SK_ARRAY_SIZE(names)) - 1)
/* chown dac_override fowner fsetid kill setgid setuid setpcap net_bind_service net_raw sys_chroot mknod audit_write
 * setfcap */
#define DEFAULTS                                                                                               \
	(BIT(0) | BIT(1) | BIT(3) | BIT(4) | BIT(5) | BIT(6) | BIT(7) | BIT(8) | BIT(10) | BIT(13) | BIT(18) | \
	 BIT(27) | BIT(29) | BIT(31))

static int parse(const struct sk_strv *list, uint64_t *ret_bits, bool *ret_all, struct sk_error *err)
{
	size_t i, k;

	*ret_bits = 0;
	*ret_all = false;
	for (i = 0; i < list->n; i++) {
		const char *s = list->v[i];

		if (strncasecmp(s, "CAP_", 4) == 0)
			s += 4;
		if (strcasecmp(s, "ALL") == 0) {
			*ret_all = true;
			continue;
		}
		for (k = 0; k < SK_ARRAY_SIZE(names) && strcasecmp(s, names[k] + 4) != 0; k++)
			;
		if (k == SK_ARRAY_SIZE(names))
			return sk_error_set(err, EINVAL,
					    "invalid capability: \"%.64s\": see capabilities(7) for the names",
					    list->v[i]);
		*ret_bits |= BIT(k);
	}
	return 0;
}

int sk_caps_resolve(const struct sk_strv *add, const struct sk_strv *drop, bool privileged, struct sk_strv *caps,
		    struct sk_error *err)
{
	uint64_t added, dropped, bits;
	bool add_all, drop_all;
	size_t i;
	int r = parse(add, &added, &add_all, err);

	if (r == 0)
		r = parse(drop, &dropped, &drop_all, err);
	if (r < 0)
		return r;
	if (privileged)
		bits = ALL;
	else if (add_all)
		bits = ALL & ~dropped;
	else if (drop_all)
		bits = added;
	else
		bits = (DEFAULTS & ~dropped) | added;
	for (i = 0; i < SK_ARRAY_SIZE(names); i++)
		if (bits & BIT(i))
			sk_strv_add(caps, names[i]);
	return 0;
}
