/* SPDX-License-Identifier: Apache-2.0 */
/* What doctor's checks are written with. */
#include "cli/system/doctor.h"

#include <stdio.h>

#include "model/jx.h"
#include "model/units.h"

void sk_doctor_add(json_t *checks, const char *name, const char *state, const char *text)
{
	json_t *o = sk_jx_object();

	sk_jx_set_str(o, "Name", name);
	sk_jx_set_str(o, "State", state);
	sk_jx_set_str(o, "Text", text);
	sk_jx_push(checks, o);
}

void sk_doctor_add_room(json_t *checks, int64_t memory, int64_t disk, const char *root)
{
	char text[512], size[32];

	sk_format_memory((double)memory, size);
	snprintf(text, sizeof(text),
		 memory < SK_LOW_MEMORY ? "only %s are available: guests may be killed" : "%s are available", size);
	if (memory >= 0)
		sk_doctor_add(checks, "memory", memory < SK_LOW_MEMORY ? "note" : "ok", text);
	if (disk < 0)
		return;
	sk_format_size((double)disk, 3, size);
	snprintf(text, sizeof(text),
		 disk < SK_LOW_DISK ? "only %s are free at %s: `skerry system prune` makes room" : "%s are free at %s",
		 size, root);
	sk_doctor_add(checks, "disk", disk < SK_LOW_DISK ? "note" : "ok", text);
}
