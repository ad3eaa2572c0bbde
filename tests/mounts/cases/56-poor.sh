# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: Apache-2.0
#
# The databases on file systems that keep no owners and modes (tests/e2e/poor.sh mounts them): what is between them and the container keeps them
# (docs/mounts.md, "File systems that are poorer than Linux's"). The same without guests and without databases is in
# tests/unit/ninepd/test_poor.py.
# shellcheck source=tests/mounts/lib.sh
. "$SUITE/lib.sh"
# shellcheck source=tests/mounts/cases/50-databases.sh
. "$SUITE/cases/50-databases.sh"

# poor_owners KEEP...: what doctor says is how the share works, and the share keeps what a container sets.
poor_owners() {
	ok skerry doctor --export "$E2E_MOUNT" --format '{{.Mode}} {{.Keep}}'
	same "$out" "$*"
	same "$(ls -A "$E2E_MOUNT")" '' 'what doctor has left'
	# shellcheck disable=SC2016
	run -v "$E2E_MOUNT:/d" "$IMG" sh -ec '
		cd /d; mkdir -m 750 sub; echo text >sub/f; chown 70:71 sub/f; chmod 4640 sub/f; chown -R 70 sub; ln -s sub/f link
		mkfifo pipe; mknod null c 1 3; cat link; stat -c "%U %u %g %a %F" sub sub/f pipe null link; echo x >null'
	same "$out" $'text\nUNKNOWN 70 0 750 directory\nUNKNOWN 70 71 640 regular file\nroot 0 0 644 fifo\nroot 0 0 644 character special file\nroot 0 0 777 symbolic link'
	run -v "$E2E_MOUNT:/d" "$IMG" sh -ec 'cd /d; cat link; stat -c "%u %g %a" sub/f; rm -r sub link pipe null; ls -A'
	same "$out" $'text\n70 71 640'
}

# case: timeout=300 quick mount=ntfs
case_poor_owners_ntfs() { poor_owners mapped ea; }
# case: timeout=300 quick mount=exfat
case_poor_owners_exfat() { poor_owners mapped sidecar; }
# case: timeout=300 mount=vfat
case_poor_owners_vfat() { poor_owners mapped sidecar; }

# case: timeout=900 mount=ntfs
case_poor_postgres_ntfs() { postgres_on bind; }
# case: timeout=900 full mount=ntfs-permissions
case_poor_postgres_ntfs_permissions() { postgres_on bind; }
# case: timeout=1800 full mount=exfat
case_poor_postgres_exfat() { postgres_on bind; }
# case: timeout=1800 full mount=vfat
case_poor_postgres_vfat() { postgres_on bind; }

# case: timeout=1200 full mount=ntfs
case_poor_mariadb_ntfs() { mariadb_on bind; }
# case: timeout=1200 full mount=ntfs-permissions
case_poor_mariadb_ntfs_permissions() { mariadb_on bind; }
# case: timeout=1200 full mount=exfat
case_poor_mariadb_exfat() { mariadb_on bind; }
# case: timeout=1200 full mount=vfat
case_poor_mariadb_vfat() { mariadb_on bind; }

# case: timeout=1500 full mount=ntfs
case_poor_rabbitmq_ntfs() { rabbitmq_on bind; }
# case: timeout=1500 full mount=ntfs-permissions
case_poor_rabbitmq_ntfs_permissions() { rabbitmq_on bind; }
# case: timeout=1500 full mount=exfat
case_poor_rabbitmq_exfat() { rabbitmq_on bind; }
# case: timeout=1500 full mount=vfat
case_poor_rabbitmq_vfat() { rabbitmq_on bind; }

# case: timeout=900 mount=ntfs
case_poor_sqlite_ntfs() { sqlite_on bind; }
# case: timeout=900 full mount=ntfs-permissions
case_poor_sqlite_ntfs_permissions() { sqlite_on bind; }
# case: timeout=900 full mount=exfat
case_poor_sqlite_exfat() { sqlite_on bind; }
# case: timeout=900 full mount=vfat
case_poor_sqlite_vfat() { sqlite_on bind; }

# case: timeout=900 mount=ntfs
case_poor_git_ntfs() { git_on bind; }
# case: timeout=900 full mount=ntfs-permissions
case_poor_git_ntfs_permissions() { git_on bind; }
# case: timeout=900 full mount=exfat
case_poor_git_exfat() { git_on bind; }
# case: timeout=900 full mount=vfat
case_poor_git_vfat() { git_on bind; }
