# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: Apache-2.0
#
# The databases on file systems that keep no owners and modes: what is between them and the container keeps them (docs/mounts.md,
# "File systems that are poorer than Linux's"). Mounted images, for which root is needed; the same as a plain user, without guests and
# without databases, is in tests/unit/ninepd/test_poor.py.
# shellcheck source=tests/mounts/lib.sh
. "$SUITE/lib.sh"
# shellcheck source=tests/mounts/cases/50-databases.sh
. "$SUITE/cases/50-databases.sh"

# poor ntfs|ntfs-permissions|exfat: mounts a new one on $WORK/data, where place() looks.
poor() {
	local loop=
	mkdir -p "$WORK/data"
	truncate -s 3G "$WORK/image"
	case $1 in
	ntfs*)
		command -v mkntfs ntfs-3g >/dev/null || skip 'no ntfs-3g on this machine'
		mkntfs -q -F "$WORK/image" >/dev/null 2>&1
		if [ "$1" = ntfs ]; then
			ntfs-3g "$WORK/image" "$WORK/data" 2>/dev/null || skip 'no FUSE file system can be mounted here'
		else
			ntfs-3g -o permissions,posix_nlink,special_files=wsl "$WORK/image" "$WORK/data" 2>/dev/null || skip 'no FUSE file system can be mounted here'
		fi
		;;
	exfat)
		command -v mkfs.exfat mount.exfat-fuse >/dev/null || skip 'no exfat-fuse and exfatprogs on this machine'
		mkfs.exfat "$WORK/image" >/dev/null
		loop=$(losetup -f --show "$WORK/image") || skip 'no loop device can be had here'
		mount.exfat-fuse "$loop" "$WORK/data" >/dev/null 2>&1 || {
			losetup -d "$loop"
			skip 'no FUSE file system can be mounted here'
		}
		;;
	esac
	# shellcheck disable=SC2064 # the paths of now
	trap "poor_end '$loop'; e2e_end" EXIT
}

# The driver ends some time after its mount.
poor_end() {
	local i
	umount "$WORK/data" || umount -l "$WORK/data"
	[ -z "$1" ] || losetup -d "$1"
	for ((i = 0; i < 600; i++)); do
		pgrep -f "^(ntfs-3g|mount.exfat-fuse) .*$WORK/data" >/dev/null || return 0
		sleep 0.1
	done
}

# What doctor says is how the share works.
doctor_says() {
	ok skerry doctor --export "$WORK/data" --format '{{.Mode}} {{.Keep}}'
	same "$out" "$1"
	same "$(ls -A "$WORK/data")" '' 'what doctor has left'
}

# case: timeout=300 root-only quick
case_poor_owners() {
	local kind
	for kind in ntfs exfat; do
		poor "$kind"
		case $kind in
		ntfs) doctor_says 'mapped ea' ;;
		exfat) doctor_says 'mapped sidecar' ;;
		esac
		# shellcheck disable=SC2016
		run -v "$WORK/data:/d" "$IMG" sh -ec '
			cd /d; mkdir -m 750 sub; echo text >sub/f; chown 70:71 sub/f; chmod 4640 sub/f; chown -R 70 sub; ln -s sub/f link
			mkfifo pipe; mknod null c 1 3; cat link; stat -c "%U %u %g %a %F" sub sub/f pipe null link; echo x >null'
		same "$out" $'text\nUNKNOWN 70 0 750 directory\nUNKNOWN 70 71 640 regular file\nroot 0 0 644 fifo\nroot 0 0 644 character special file\nroot 0 0 777 symbolic link'
		run -v "$WORK/data:/d" "$IMG" sh -ec 'cd /d; cat link; stat -c "%u %g %a" sub/f; rm -r sub link pipe null; ls -A'
		same "$out" $'text\n70 71 640'
		poor_end "$(losetup -j "$WORK/image" -O NAME -n)"
		trap e2e_end EXIT
	done
}

# case: timeout=900 root-only
case_poor_postgres_ntfs() {
	poor ntfs
	postgres_on bind
}
# case: timeout=900 root-only full
case_poor_postgres_ntfs_permissions() {
	poor ntfs-permissions
	postgres_on bind
}
# case: timeout=1800 root-only full
case_poor_postgres_exfat() {
	poor exfat
	postgres_on bind
}
# case: timeout=1200 root-only full
case_poor_mariadb_ntfs() {
	poor ntfs
	mariadb_on bind
}
# case: timeout=1200 root-only full
case_poor_mariadb_exfat() {
	poor exfat
	mariadb_on bind
}
# case: timeout=1500 root-only full
case_poor_rabbitmq_ntfs() {
	poor ntfs
	rabbitmq_on bind
}
# case: timeout=900 root-only
case_poor_sqlite_ntfs() {
	poor ntfs
	sqlite_on bind
}
# case: timeout=900 root-only full
case_poor_sqlite_exfat() {
	poor exfat
	sqlite_on bind
}
# case: timeout=900 root-only
case_poor_git_ntfs() {
	poor ntfs
	git_on bind
}
# case: timeout=900 root-only full
case_poor_git_exfat() {
	poor exfat
	git_on bind
}
