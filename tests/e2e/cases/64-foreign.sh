# shellcheck shell=bash disable=SC2154 # out, err: see lib.sh
# SPDX-License-Identifier: Apache-2.0
#
# Images for other processors: emulators come on a disk of their own, only where an image asks for them.

foreign_image() {
	python3 "$here/make_arm64.py" arm64
	ok skerry load -i arm64
}

case_foreign_image_runs() {
	[ -e "$SKERRY_GUEST_DIR/qemu-user.squashfs" ] || skip 'no emulators: make engine'
	foreign_image
	expect 7 skerry run --rm foreign
	same "$out" aarch64
	expect 7 skerry run --rm --platform linux/arm64 foreign /hello
	same "$out" aarch64
	# an image of this machine's own processor has no use for them
	ok skerry run --rm "$IMAGE" sh -c 'ls /sys/class/block; grep -c qemu /proc/filesystems || true'
	hasnt "$out" vdc 'disks of an image for this processor'
}

# A local image that is for another platform than the one asked for is not taken for it.
case_foreign_platform_is_told_apart() {
	foreign_image
	expect 125 skerry run --rm --pull never --platform linux/riscv64 foreign
	has "$err" 'not for linux/riscv64'
}
