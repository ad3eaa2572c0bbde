/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_AGENT_MACHINE_H
#define SK_AGENT_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/*
 * The program as PID 1 of a `skerry machine`'s container:
 *
 *   skerry-machine [--engine docker|podman|containerd] --data DEVICE|serial:NAME|tmpfs [--host-gateway-ip IP]
 *                  [--idle-stop SECONDS] [--later DIRECTORY]… [--debug] [-- further arguments of the engine]
 *
 * Without --engine it runs the one that the image has.
 * Ends with 0 after SIGTERM or SIGINT, or when it was idle for --idle-stop and the host agrees, with 1 when the disk cannot be used or the engine does not come up, with 2 for a
 * wrong command line.
 */
int sk_machine_main(int argc, char **argv);

/* --- parts, for the tests ----------------------------------------------------------------------------------------- */

#define SK_MACHINE_DISK "/run/engine/disk" /* where the data disk is mounted as a whole */
#define SK_MACHINE_ARGS_MAX 96u
#define SK_MACHINE_LATER_MAX 64u

/* A process of an engine. */
struct sk_machine_process {
	const char *name;
	const char *const *argv; /* NULL-terminated */
	const char *socket;	 /* that it serves, or NULL: it says READY=1 (sd_notify) when it does */
};

/* A directory that stays writable: `from` a directory of the data disk, or NULL for memory. `keep`: what in it is
 * not hidden by that. */
#define SK_MACHINE_KEEP_MAX 2u
struct sk_machine_place {
	const char *path, *from, *keep[SK_MACHINE_KEEP_MAX];
};

/* A kind of engine. */
struct sk_machine_engine {
	const char *name;
	const char *program;			/* an image that has it is one of this engine */
	struct sk_machine_process processes[2]; /* the last one is the engine that clients speak to */
	const struct sk_machine_place *places;	/* ends with a path of NULL; those above others come first */
	const char *const *links;		/* pairs of path and target, NULL-terminated */
	const char *const *directories;		/* needed below the data disk besides the places' */
	const char *environment;		/* of its processes: NAME=VALUE, or NULL */
	/* Run when it is up, and before it is stopped: what the engine does not do for its containers. NULL: nothing. */
	const char *const *begin, *const *end;
};

struct sk_machine_options {
	const struct sk_machine_engine *engine; /* NULL: sk_machine_engine_of() the image */
	const char *data, *gateway;
	uint64_t idle_stop; /* seconds; 0: never */
	bool debug;
	struct sk_machine_later {
		const char *paths[SK_MACHINE_LATER_MAX];
		unsigned n;
	} later;      /* directories that the host is asked for when somebody looks for them */
	char **extra; /* NULL-terminated, borrowed from argv */
};

/* -EINVAL with the message. */
int sk_machine_options(struct sk_machine_options *ret, int argc, char **argv, struct sk_error *err);
/* The engine of an image with these programs; NULL: none is known. */
const struct sk_machine_engine *sk_machine_engine_of(bool (*has_program)(const char *name));
/* The command line of `process`, in `ret`, NULL-terminated; strings are the options' or static. `proxy`: path of the
 * port forwarder, or NULL. -E2BIG: too many arguments. */
int sk_machine_argv(const struct sk_machine_options *o, const struct sk_machine_process *process, const char *proxy,
		    const char *ret[SK_MACHINE_ARGS_MAX], struct sk_error *err);

enum sk_machine_fs {
	SK_MACHINE_FS_EXT4,
	SK_MACHINE_FS_NONE,  /* the disk begins with zeroes */
	SK_MACHINE_FS_OTHER, /* something that must not be overwritten */
};
/* What the first `len` bytes of a disk are, 4,096 at least; `*ret_bytes`: the size of an ext4 file system. */
enum sk_machine_fs sk_machine_probe(const void *head, size_t len, uint64_t *ret_bytes);

/* The last bytes of an output, whole lines of them. */
#define SK_MACHINE_TAIL 4096u
struct sk_machine_tail {
	char data[SK_MACHINE_TAIL];
	size_t len;
};
void sk_machine_tail_add(struct sk_machine_tail *tail, const char *data, size_t len);
/* What is kept, from the beginning of a line, NUL-terminated; at most the last `lines` lines. */
const char *sk_machine_tail_lines(struct sk_machine_tail *tail, unsigned lines);

/* Milliseconds to wait before start number `failures` (1: the first after a failure) of an engine. */
uint64_t sk_machine_backoff(unsigned failures);

/* machine_idle.c: a machine in which nothing runs. */
#define SK_MACHINE_REST_MS 10000u /* between looks */
struct sk_machine_rest {
	uint64_t cpu_us;  /* that the engine had used at the last look */
	unsigned looks;	  /* in a row at which it rested */
	unsigned compact; /* looks at which free memory is to be compacted */
};
/* A look, `span_us` after the last one. True: it has rested long enough. */
bool sk_machine_rest_tick(struct sk_machine_rest *rest, bool quiet, uint64_t cpu_us, uint64_t span_us);
/* How many of `cache` bytes of page cache are to be given back. */
uint64_t sk_machine_rest_excess(uint64_t cache);
/*
 * Has the read-only disks of `sys_block` (/sys/block) read little ahead. Before anything of them is opened that is to
 * stay open. One that refuses keeps what it has: that costs memory, no more.
 */
void sk_machine_read_ahead(const char *sys_block);
/* To be called each SK_MACHINE_REST_MS; gives memory back. */
void sk_machine_rest_look(struct sk_machine_rest *rest, bool quiet);
struct sk_machine_idle {
	uint64_t after_ms, since_ms;
	bool quiet; /* at the last look */
};
/* How often to look. */
uint64_t sk_machine_idle_look_ms(uint64_t idle_ms);
/* A look at `now_ms`. True: it has been quiet for as long as it takes. */
bool sk_machine_idle_tick(struct sk_machine_idle *idle, bool quiet, uint64_t now_ms);
/* Whether /proc (`proc`) has no processes but those of `own`. */
bool sk_machine_is_quiet(const char *proc, const pid_t *own, size_t n);
/* 0: the host waits for the machine's end. -EBUSY: a client is connected, or was not long ago. */
int sk_machine_ask_to_stop(struct sk_error *err);

/* machine_ingress.c: what a swarm's services publish on all nodes. */
#define SK_MACHINE_INGRESS "/run/docker/netns/ingress_sbox" /* where the engine has an ingress network */
#define SK_MACHINE_INGRESS_MAX 256u
struct sk_machine_ingress {
	bool udp;
	unsigned port, to; /* of all nodes; at the address */
	char address[16];
};
/* The ports in the output of `iptables -t nat -S DOCKER-INGRESS`. How many; what is no such rule is left out. */
unsigned sk_machine_ingress_parse(const char *rules, struct sk_machine_ingress *ret, unsigned max);
/* Starts the process that publishes them, until SK_MACHINE_INGRESS goes. Its pid; 0: it cannot be started. */
pid_t sk_machine_ingress_start(void);

/* --- steps ---------------------------------------------------------------------------------------------------------*/

/* Checks the data disk, enlarges its file system, mounts it at SK_MACHINE_DISK. `data`: see above. */
int sk_machine_disk_mount(const char *data, struct sk_error *err);
/* Unmounts it, and what is bound from it; what cannot be unmounted is synced. */
void sk_machine_disk_unmount(const struct sk_machine_engine *engine);
/* Makes SK_MACHINE_DISK's mount point, before the disk is mounted. */
int sk_machine_places_first(struct sk_error *err);
/* Mounts the engine's places, makes everything else read-only and the mounts shared. */
int sk_machine_places(const struct sk_machine_engine *engine, struct sk_error *err);
/*
 * machine_later.c: mounts autofs where these directories would be, and starts the process that answers it. Before the
 * places are made read-only. Its pid; 0: there is nothing to do, or it cannot be had, which the log says.
 */
pid_t sk_machine_later_start(const struct sk_machine_later *later);
/* The control group that the engine runs in, so that those of its containers can have limits. */
int sk_machine_cgroups(struct sk_error *err);
/* Runs a program to its end. Its exit code, 128 + signal, or negative errno. Output goes to ours. */
int sk_machine_run(const char *const *argv);

#endif
