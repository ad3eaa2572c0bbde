/* SPDX-License-Identifier: Apache-2.0 */
/*
 * QEMU's command line: machine "microvm" with nothing on it but what is named here. Devices sit on virtio-mmio; in
 * which order the guest finds them is up to QEMU's version (disks are known by their serial numbers). No BIOS menu, no
 * option ROM, no PCI, no USB, no monitor: QEMU starts our kernel at its PVH entry.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "engine/engine_internal.h"
#include "virtio/device.h"

/* Places on microvm's virtio-mmio buses. The last one is the balloon's; the first one stays empty: its interrupt is pin
 * 0 of the second I/O APIC, which Linux does not use. */
#define SK_QEMU_SLOTS 24u
#define MIB (1024u * 1024u)

/* Code that TCG has translated, at most: it is touched as it fills, and thrown away when it is full. Booting alone
 * fills 54 MiB, most of it never to be used again; what large guests run is larger. */
static unsigned translation_mib(const struct sk_engine_config *c)
{
	uint64_t mib = c->memory / MIB, more = mib > 1024 ? (mib - 1024) / 128 : 0;

	if (c->settings && c->settings->tcg_buffer)
		return c->settings->tcg_buffer;
	return (unsigned)(24 + more > 256 ? 256 : 24 + more);
}

/*
 * Emulated processor: all that TCG can do, but for
 *   erms     "fast string" moves, which are slow when emulated
 *   la57     page tables of five levels: one more load for each miss of the soft TLB
 *   svm      virtualization inside, which nobody asked for
 */
static void add_processor(struct sk_args *a, const struct sk_qemu_start *s, const struct sk_engine_config *c)
{
	sk_args_add(a, "-accel");
	if (s->kvm)
		sk_args_add(a, "kvm");
	else
		sk_args_add(a, "tcg,thread=multi,tb-size=%u", translation_mib(c));
	sk_args_add(a, "-cpu");
	sk_args_add(a, s->kvm ? "host" : "max,-erms,-la57,-svm");
	sk_args_add(a, "-smp");
	sk_args_add(a, "%u", c->cpus);
}

/*
 * Memory is a file that the devices map too; nothing is allocated before it is touched.
 *
 * rtc: without a clock there Linux waits a second for its reading to become valid.
 */
static void add_machine(struct sk_args *a, const struct sk_qemu_start *s, const struct sk_engine_config *c)
{
	sk_args_add(a, "-machine");
	sk_args_add(a,
		    "microvm,acpi=on,pcie=off,usb=off,rtc=on,pic=%s,pit=%s,isa-serial=on,ioapic2=on,x-option-roms=off,"
		    "auto-kernel-cmdline=off,mem-merge=off,dump-guest-core=off,memory-backend=ram",
		    s->kvm ? "off" : "on", s->kvm ? "off" : "on");
	/* Devices of virtio 1.0 and later. */
	sk_args_add(a, "-global");
	sk_args_add(a, "virtio-mmio.force-legacy=false");
	sk_args_add(a, "-m");
	sk_args_add(a, "%lluM", (unsigned long long)(c->memory / MIB));
	sk_args_add(a, "-object");
	if (s->memory)
		sk_args_add(
			a, "memory-backend-file,id=ram,mem-path=%s,size=%lluM,share=on,prealloc=off,merge=off,dump=off",
			s->memory, (unsigned long long)(c->memory / MIB));
	else
		sk_args_add(a, "memory-backend-memfd,id=ram,size=%lluM,share=on,prealloc=off,merge=off,dump=off",
			    (unsigned long long)(c->memory / MIB));
}

static void add_kernel(struct sk_args *a, const struct sk_qemu_start *s, const struct sk_engine_config *c)
{
	bool debug = getenv("SKERRY_DEBUG") != NULL;
	char tsc[64] = "";

	/* Without it Linux measures the clock against an emulated timer, which takes long, and never ends in 20 to 40
	 * of 100 boots under TCG. There the guest's TSC is the host's. */
	if (!s->kvm && s->facts->tsc_khz)
		snprintf(tsc, sizeof(tsc), " tsc_early_khz=%llu tsc=reliable", (unsigned long long)s->facts->tsc_khz);
	/* microvm's own choice is SeaBIOS, which takes 0.3 s longer under TCG. */
	if (s->firmware[0]) {
		sk_args_add(a, "-bios");
		sk_args_add(a, "%s", s->firmware);
	}
	sk_args_add(a, "-kernel");
	sk_args_add(a, "%s", s->kernel);
	sk_args_add(a, "-initrd");
	sk_args_add(a, "%s", s->initramfs);
	sk_args_add(a, "-append");
	/* mitigations: an emulated processor has no side channels of the kind, and pays for each barrier.
	 * lapic_khz: QEMU's local APIC counts nanoseconds (kernel/patches/0020): not measured, then.
	 * init_on_alloc: our devices write to memory without QEMU's knowledge, which would go on running what it has
	 * translated of the code that was in a page before. The guest's own writes tell it: each page is cleared first.
	 * percpu_alloc: processors' own data in small pages. A huge one comes with tables for all that it could hold, 4
	 * MiB of them.
	 * reboot=t: after a panic, a triple fault, which ends QEMU (-no-reboot). */
	sk_args_add(a,
		    "console=ttyS0 %s panic=-1 oops=panic reboot=t pci=off dummy.numdummies=0 "
		    "percpu_alloc=page random.trust_bootloader=on " SK_GUEST_REPORTING_ORDER
		    " " SK_GUEST_REPORTING_DELAY " " SK_GUEST_GRACE_PERIODS "%s%s%s%s",
		    debug ? "" : "quiet loglevel=4",
		    s->kvm ? "" : " mitigations=off no_timer_check lapic_khz=1000000 init_on_alloc=1", tsc,
		    c->extra_args ? " " : "", c->extra_args ? c->extra_args : "");
}

static size_t slot(size_t device)
{
	return SK_QEMU_SLOTS - 2 - device;
}

static void add_chardev(struct sk_args *a, size_t i, const char *socket)
{
	sk_args_add(a, "-chardev");
	sk_args_add(a, "socket,id=c%zu,path=vu/%s", i, socket);
}

static void add_device(struct sk_args *a, const struct sk_engine_device *d, size_t i)
{
	const uint8_t *m = d->mac;
	char mtu[32] = "";

	switch (d->virtio_id) {
	case SK_VIRTIO_VSOCK:
		add_chardev(a, i, d->socket);
		sk_args_add(a, "-device");
		sk_args_add(a, "vhost-user-vsock-device,chardev=c%zu,bus=virtio-mmio-bus.%zu", i, slot(i));
		break;
	case SK_VIRTIO_BLOCK:
		add_chardev(a, i, d->socket);
		sk_args_add(a, "-device");
		sk_args_add(a, "vhost-user-blk,chardev=c%zu,num-queues=1,queue-size=256,bus=virtio-mmio-bus.%zu", i,
			    slot(i));
		break;
	case SK_VIRTIO_NET:
		add_chardev(a, i, d->socket);
		sk_args_add(a, "-netdev");
		sk_args_add(a, "vhost-user,id=n%zu,chardev=c%zu", i, i);
		if (d->mtu)
			snprintf(mtu, sizeof(mtu), ",host_mtu=%u", d->mtu);
		sk_args_add(a, "-device");
		sk_args_add(a,
			    "virtio-net-device,netdev=n%zu,mac=%02x:%02x:%02x:%02x:%02x:%02x%s,mq=off,ctrl_vq=off,"
			    "ctrl_rx=off,ctrl_vlan=off,ctrl_rx_extra=off,ctrl_mac_addr=off,ctrl_guest_offloads=off,"
			    "guest_announce=off,bus=virtio-mmio-bus.%zu",
			    i, m[0], m[1], m[2], m[3], m[4], m[5], mtu, slot(i));
		break;
	case SK_VIRTIO_9P:
		/* QEMU has no virtio-9p over vhost-user. Its vhost-user-fs does not look at what goes through its
		 * queues, and the guest knows (kernel/patches/0018): the second of two queues is that of 9P. */
		add_chardev(a, i, d->socket);
		sk_args_add(a, "-device");
		sk_args_add(a, "vhost-user-fs-device,chardev=c%zu,tag=%s,queue-size=128,bus=virtio-mmio-bus.%zu", i,
			    d->tag, slot(i));
		break;
	default:
		break;
	}
}

void sk_qemu_args(struct sk_args *a, const struct sk_qemu_start *s, const struct sk_engine_config *c)
{
	size_t i;

	if (c->n_devices > SK_QEMU_SLOTS - 2) {
		a->failed = true;
		return;
	}
	sk_args_add(a, "%s", s->facts->path);
	sk_args_add(a, "-name");
	sk_args_add(a, "%s,process=%s,debug-threads=on", s->process, s->process);
	sk_args_add(a, "-nodefaults");
	sk_args_add(a, "-no-user-config");
	sk_args_add(a, "-no-reboot");
	sk_args_add(a, "-display");
	sk_args_add(a, "none");
	sk_args_add(a, "-monitor");
	sk_args_add(a, "none");
	sk_args_add(a, "-sandbox");
	sk_args_add(a, "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
	add_machine(a, s, c);
	add_processor(a, s, c);
	add_kernel(a, s, c);
	sk_args_add(a, "-chardev");
	sk_args_add(a, "stdio,id=con,signal=off,mux=off");
	sk_args_add(a, "-serial");
	sk_args_add(a, "chardev:con");
	for (i = 0; i < c->n_devices; i++)
		add_device(a, &c->devices[i], i);
	/* Gives pages that the guest has freed back to the host. */
	sk_args_add(a, "-device");
	sk_args_add(a, "virtio-balloon-device,free-page-reporting=on,deflate-on-oom=on,bus=virtio-mmio-bus.%u",
		    SK_QEMU_SLOTS - 1);
}
