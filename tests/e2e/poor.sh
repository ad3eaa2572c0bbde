#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# poor.sh mount KIND DIRECTORY UID GID | poor.sh umount DIRECTORY
#
# A file system that is not as Linux's are, mounted on DIRECTORY, which is made. Most keep no owners or modes and have 3 GiB in the file
# DIRECTORY.image. The user may write to it, as on a disk that a desktop mounts for its user. Needs root. Exit code 77, and why on stdout: not on this machine.
#
#   ntfs              ntfs-3g as it is by default: owners and modes are accepted and forgotten
#   ntfs-permissions  ntfs-3g keeps them
#   exfat             exfat-fuse
#   bindfs            shows DIRECTORY.behind, which the user may change as well: no events of this one tell of that
#   vfat              the kernel's driver, where there is one (tests/drivers/run --cases)
set -euo pipefail
PATH=/usr/sbin:/usr/bin:/sbin:/bin

skip() {
	printf '%s\n' "$1"
	exit 77
}
have() {
	local program
	for program; do
		command -v "$program" >/dev/null || skip "no $program on this machine"
	done
}
# mounted COMMAND…: what the drivers print is of use only when they fail.
mounted() {
	local text
	text=$("$@" 2>&1) || {
		umount_it
		skip "no such file system can be mounted here: $text"
	}
}

mount_it() {
	local kind=$1 owner=$2 group=$3 device
	if [ "$kind" = vfat ]; then
		grep -qw vfat /proc/filesystems || skip "no vfat in this machine's kernel"
	elif ! [ -c /dev/fuse ]; then
		skip 'no /dev/fuse on this machine'
	fi
	mkdir -p "$dir"
	if [ "$kind" = bindfs ]; then
		have bindfs
		install -d -o "$owner" -g "$group" "$dir.behind"
		mounted bindfs "$dir.behind" "$dir"
		return
	fi
	truncate -s 3G "$image"
	case $kind in
	ntfs | ntfs-permissions)
		have mkntfs ntfs-3g
		mkntfs -q -F "$image" >/dev/null 2>&1
		;;
	exfat)
		have mkfs.exfat mount.exfat-fuse losetup
		mkfs.exfat "$image" >/dev/null
		;;
	vfat)
		have mkfs.vfat losetup
		mkfs.vfat -F 32 "$image" >/dev/null
		;;
	esac
	# On a block device, as a disk is, where there can be one.
	device=$(losetup -f --show "$image" 2>/dev/null) || device=$image
	case $kind in
	ntfs) mounted ntfs-3g -o allow_other "$device" "$dir" ;;
	ntfs-permissions)
		mounted ntfs-3g -o allow_other,permissions,posix_nlink,special_files=wsl "$device" "$dir"
		chown "$owner:$group" "$dir"
		;;
	exfat)
		# The driver takes nothing else.
		[ -b "$device" ] || skip 'no loop device can be had here'
		mounted mount.exfat-fuse -o "allow_other,uid=$owner,gid=$group" "$device" "$dir"
		;;
	vfat) mounted mount -t vfat -o "uid=$owner,gid=$group,shortname=mixed,utf8=1" "$device" "$dir" ;;
	esac
}

umount_it() {
	local loop i
	umount "$dir" 2>/dev/null || umount -l "$dir" 2>/dev/null || true
	for loop in $(losetup -j "$image" -O NAME -n); do losetup -d "$loop"; done
	# The driver ends some time after its mount.
	for ((i = 0; i < 600; i++)); do
		pgrep -f "^(ntfs-3g|mount.exfat-fuse|bindfs) .*$dir" >/dev/null || break
		sleep 0.1
	done
	rm -f "$image"
}

case ${1:-} in
mount)
	dir=$3 image=$3.image
	mount_it "$2" "$4" "$5"
	;;
umount)
	dir=$2 image=$2.image
	umount_it
	;;
*)
	echo "usage: $0 mount KIND DIRECTORY UID GID | umount DIRECTORY" >&2
	exit 2
	;;
esac
