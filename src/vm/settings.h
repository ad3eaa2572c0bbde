/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VM_SETTINGS_H
#define SK_VM_SETTINGS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "engine/engine.h"

/*
 * What holds for all containers: /etc/skerry/config.json, then $XDG_CONFIG_HOME/skerry/config.json
 * (~/.config/skerry/config.json), then the environment; what comes later wins. $SKERRY_CONFIG names the one file that
 * is read instead. JSON objects with these members, all optional:
 *
 *   "engine": "auto"        for containers that do not name one; $SKERRY_ENGINE
 *   "qemu": "/path"         the program qemu-system-x86_64
 *   "kvm_timeout": 5        seconds for the guest that shows whether KVM works, 1 to 600
 *   "start_timeout": 60     seconds for a guest to come up, 1 to 3600
 *   "idle_reclaim": 300     seconds after which an idle guest begins to forget what it has cached of files; 0: never
 *   "tcg_buffer": 24        MiB for translated code under tcg, 8 to 2048; absent: by the size of the guest
 *   "memory": 1024          MiB of a VM without -m, 96 to 4194304
 *   "cpus": 1               processors of a VM without --cpus, 1 to 64
 *   "sandbox": "namespaces" the least that an engine is confined by; "landlock", "filter": where the host refuses the
 *                           rest
 *   "machine_idle_stop": 0  seconds without containers and clients after which machines that are made from now on stop
 *                           until they are needed again, 10 to 2592000; 0: never
 *   "uml_isolation": "auto" where programs of the engine uml run: with the guest kernel ("in-place") where that works
 *                           and the sandbox is whole, else apart from it ("separate")
 *   "host_loopback": true   guests reach services on the host's own 127.0.0.1, as host.skerry.internal; false: not
 *   "machine_mounts": []    what of the host machines see beside the user's home directory and their own mounts:
 *                           ["/srv", "/mnt:ro"]; "/": every directory that is not one of a machine's own; "/:ro"
 *
 * Anything else in a file is an error: it would be a misspelt word.
 */
struct sk_settings {
	json_t *json;		    /* strings point into it */
	const char *engine;	    /* never NULL */
	const char *source;	    /* where `engine` comes from: a file, "SKERRY_ENGINE", "default" */
	unsigned idle_reclaim;	    /* seconds */
	uint64_t default_memory;    /* bytes; 0: not said */
	unsigned default_cpus;	    /* 0: not said */
	unsigned machine_idle_stop; /* seconds; 0: never */
	bool no_host_loopback;
	const json_t *machine_mounts; /* strings; NULL: not said */
	char *source_buf, *cache_dir;
	unsigned start_timeout_ms;
	struct sk_engine_settings engines;
};
int sk_settings_init(struct sk_settings *settings, struct sk_error *err);
/* Accepts a zeroed one. */
void sk_settings_fini(struct sk_settings *settings);

#endif
