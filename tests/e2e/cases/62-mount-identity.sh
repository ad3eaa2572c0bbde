# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# How shares map to mounts: the host's mounts below a share, and one directory that is shared more than once.

# busy COMMAND: what a command in the container says when it is refused.
BUSY='try() { if "$@" 2>/tmp/e; then echo done; else sed "s/.*: //" /tmp/e; fi; }'

# The host's mounts stay, whatever a container does to their mount points: those it was started with, and later ones, also when a
# directory above them was renamed meanwhile.
# case: root-only quick
case_mount_points_of_host_are_busy() {
	local m
	mkdir -p share/before share/dir/later share/other src/deep
	touch share/file src/f share/dir/free
	mount --bind src share/before
	mount --bind src/f share/file
	expect 0 skerry run -d --name holder -v "$PWD/share:/s" "$IMG" sleep 100
	mount -t tmpfs none share/dir/later
	expect 0 skerry exec holder sh -c "$BUSY"'
		try rmdir /s/before; try mv /s/before /s/b2; try rm /s/file; try mv /s/file /s/f2; try mv -T /s/other /s/before
		mv /s/dir /s/dir2
		try rmdir /s/dir2/later; try mv /s/dir2/later /s/l2; try perl -e "rename \"/s/other\", \"/s/dir2/later\" or die \"x: \$!\n\""
		try rm /s/dir2/free; try rmdir /s/other'
	m=$(grep -o "$PWD/share/[^ ]*" /proc/mounts | sed 's|.*/||' | sort | tr '\n' ' ')
	grep -o "$PWD/share/[^ ]*" /proc/mounts | xargs -r umount -l
	same "$(sort <<<"$out" | uniq -c | sed 's/^ *//')" $'8 Device or resource busy\n2 done' 'what the container was told'
	same "$m" 'before file later ' 'the mounts that the host has left'
	expect 0 skerry exec holder rmdir /s/dir2/later
	expect 0 skerry rm -f holder
}
