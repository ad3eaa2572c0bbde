# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# Folders and files of the host, and volumes.

case_mount_bind_folder() {
	mkdir share
	echo from-host >share/f
	run -v "$PWD/share:/data" "$IMG" sh -c 'cat /data/f; echo from-guest >/data/g; ln /data/g /data/h; stat -c %h /data/g; mkfifo /data/p; ln -s f /data/l'
	same "$out" $'from-host\n2'
	same "$(cat share/g)" from-guest
	run -v "$PWD/share:/data" "$IMG" test -p /data/p
	same "$(readlink share/l)" f
}

case_mount_bind_ownership() {
	mkdir share
	# As a plain user the host refuses; the container sees what it asked for all the same, now and in the next container.
	run -v "$PWD/share:/data" "$IMG" sh -c 'touch /data/f; chown 1234:4321 /data/f; chmod 0600 /data/f; stat -c %u:%g:%a /data/f'
	same "$out" 1234:4321:600
	run -v "$PWD/share:/data" "$IMG" stat -c %u:%g:%a /data/f
	same "$out" 1234:4321:600
}

case_mount_bind_readonly() {
	mkdir share
	echo x >share/f
	expect 1 skerry run --rm -v "$PWD/share:/data:ro" "$IMG" touch /data/f
	same "$(cat share/f)" x
	expect 1 skerry run --rm --mount "type=bind,source=$PWD/share,target=/data,readonly" "$IMG" rm /data/f
	same "$(cat share/f)" x
}

case_mount_bind_file() {
	echo one >one
	echo two >two
	run -v "$PWD/one:/etc/one" "$IMG" sh -c 'cat /etc/one; echo changed >/etc/one'
	same "$out" one
	same "$(cat one)" changed
}

case_mount_bind_missing() {
	run -v "$PWD/made:/data" "$IMG" touch /data/f
	[ -f made/f ] || fail '-v did not make the folder'
	expect 125 skerry run --rm --mount "type=bind,source=$PWD/missing,target=/data" "$IMG" true
	complaint missing
}

case_mount_host_changes_are_seen() {
	mkdir share
	expect 0 skerry run -d --name watcher -v "$PWD/share:/data" "$IMG" sleep 100
	echo new >share/f
	expect 0 skerry exec watcher cat /data/f
	same "$out" new
	echo newer-and-longer >share/f
	sleep 1
	expect 0 skerry exec watcher cat /data/f
	same "$out" newer-and-longer
	rm share/f
	sleep 1
	expect 1 skerry exec watcher cat /data/f
	expect 0 skerry rm -f watcher
}

case_mount_volume() {
	run -v vol:/etc "$IMG" sh -c 'ls /etc | wc -l; echo kept >/etc/kept; stat -c %a /etc'
	has "$out" $'^[1-9][0-9]+'
	run -v vol:/x "$IMG" cat /x/kept
	same "$out" kept
	expect 0 skerry volume ls -q
	same "$out" vol
	expect 0 skerry volume inspect -f '{{.Name}} {{.Driver}}' vol
	same "$out" 'vol local'
	expect 0 skerry create --name user -v vol:/x "$IMG" true
	expect 1 skerry volume rm vol
	complaint 'in use'
	expect 0 skerry rm user
	expect 0 skerry volume rm vol
	expect 1 skerry volume inspect vol
	complaint 'no such volume'
}
