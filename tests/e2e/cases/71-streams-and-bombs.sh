# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# What the standard streams do, shares that are restricted, layers as they were packed, archives that explode.

case_mount_nosuid_nodev_noexec() {
	mkdir s
	run -v "$PWD/s:/s:nosuid,nodev,noexec" "$IMG" sh -c '
		cp /bin/true /s/x && chmod 6755 /s/x && stat -c %a /s/x
		install -m 4755 /bin/true /s/y && stat -c %a /s/y
		mkdir /s/d && chmod 2755 /s/d && stat -c %a /s/d
		mknod /s/null c 1 3 2>/dev/null && echo made a device
		/s/x 2>/dev/null || echo not run: $?
		grep " /s " /proc/mounts'
	same "$(sed -n 1,4p <<<"$out" | tr '\n' ' ')" '755 755 2755 not run: 126 '
	has "$out" ' /s .*nosuid.*nodev.*noexec'
	hasnt "$out" 'made a device'
	same "$(find s -type f -perm /6000)" ''
	# By --mount; without the options all of it works.
	run --mount "type=bind,source=$PWD/s,target=/s,nosuid" "$IMG" sh -c 'chmod 4755 /s/x && stat -c %a /s/x && /s/x && echo runs'
	same "$out" "755
runs"
	run -v "$PWD/s:/s" "$IMG" sh -c 'chmod 4755 /s/x && stat -c %a /s/x && mknod /s/null c 1 3 && echo made'
	same "$out" "4755
made"
	expect 125 skerry run --rm -v "$PWD/s:/s:nosuidd" "$IMG" true
	complaint 'invalid mode'
}
