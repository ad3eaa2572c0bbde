# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# Directories and files of the host, and volumes.

# case: quick
case_mount_bind_directory() {
	mkdir share
	echo from-host >share/f
	run -v "$PWD/share:/data" "$IMG" sh -c 'cat /data/f; echo from-guest >/data/g; ln /data/g /data/h; stat -c %h /data/g; mkfifo /data/p; ln -s f /data/l'
	same "$out" $'from-host\n2'
	same "$(cat share/g)" from-guest
	run -v "$PWD/share:/data" "$IMG" test -p /data/p
	same "$(readlink share/l)" f
}

# case: quick
case_mount_bind_ownership() {
	mkdir share
	# As a plain user the host refuses; the container sees what it asked for all the same, now and in the next container.
	run -v "$PWD/share:/data" "$IMG" sh -c 'touch /data/f; chown 1234:4321 /data/f; chmod 0600 /data/f; stat -c %u:%g:%a /data/f'
	same "$out" 1234:4321:600
	run -v "$PWD/share:/data" "$IMG" stat -c %u:%g:%a /data/f
	same "$out" 1234:4321:600
}

# case: quick
case_mount_bind_readonly() {
	mkdir share
	echo x >share/f
	expect 1 skerry run --rm -v "$PWD/share:/data:ro" "$IMG" touch /data/f
	same "$(cat share/f)" x
	expect 1 skerry run --rm --mount "type=bind,source=$PWD/share,target=/data,readonly" "$IMG" rm /data/f
	same "$(cat share/f)" x
}

# case: quick
case_mount_bind_file() {
	echo one >one
	echo two >two
	run -v "$PWD/one:/etc/one" "$IMG" sh -c 'cat /etc/one; echo changed >/etc/one'
	same "$out" one
	same "$(cat one)" changed
}

case_mount_bind_missing() {
	run -v "$PWD/made:/data" "$IMG" touch /data/f
	[ -f made/f ] || fail '-v did not make the directory'
	expect 125 skerry run --rm --mount "type=bind,source=$PWD/missing,target=/data" "$IMG" true
	complaint missing
}

# case: quick
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

# case: quick
case_mount_volume() {
	run -v vol:/etc "$IMG" sh -c 'ls /etc | wc -l; echo kept >/etc/kept; stat -c %a /etc'
	has "$out" $'^[1-9][0-9]+'
	run -v vol:/x "$IMG" cat /x/kept
	same "$out" kept
	expect 0 skerry volume ls -q
	same "$out" vol
	expect 0 skerry volume inspect -f '{{.Name}} {{.Driver}}' vol
	same "$(skerry volume inspect -f '{{json .Options}} {{.Options}}' "$(skerry volume create)")" '{} map[]'
	same "$out" 'vol local'
	expect 0 skerry create --name user -v vol:/x "$IMG" true
	expect 1 skerry volume rm vol
	complaint 'in use'
	expect 0 skerry rm user
	expect 0 skerry volume rm vol
	expect 1 skerry volume inspect vol
	complaint 'no such volume'
}

# A new volume gets what the image has at its place, also where the container may only read it.
case_mount_volume_filled_readonly() {
	run -v vol:/etc/apt:ro "$IMG" sh -c 'ls -d /etc/apt/sources.list.d; touch /etc/apt/x || true'
	same "$out" /etc/apt/sources.list.d
	has "$err" 'Read-only file system'
	run -v vol:/v:ro "$IMG" ls -d /v/sources.list.d
}

# What an image declares as VOLUME: an anonymous volume that starts with the image's content.
# case: timeout=90
case_mount_volume_of_the_image() {
	mkdir -p root/data
	echo from-image >root/data/f
	chmod 1777 root/data
	tar -C root -cf t.tar .
	tar -A -f t.tar "$TAR"
	ok skerry import --change 'VOLUME /data' --change 'VOLUME /made/here' t.tar vol:1
	# With --rm it goes with its container, in the foreground and in the background.
	run vol:1 sh -c 'cat /data/f; stat -c %a /data; stat -c %a /made/here; grep -c " /data 9p\| /data .*9p " /proc/self/mountinfo /proc/mounts >/dev/null; echo x >/data/x'
	same "$out" $'from-image\n1777\n755'
	same "$(skerry volume ls -q)" '' 'after run --rm'
	ok skerry run -d --rm --name d1 vol:1 sh -c 'chown 33:33 /data; chmod 700 /data; echo x >/data/x; sleep 1000'
	same "$(skerry volume ls -q | wc -l)" 2
	ok skerry rm -f d1
	same "$(skerry volume ls -q)" '' 'after run -d --rm'
	# Without, it stays until `rm -v`.
	ok skerry run --name k1 vol:1 sh -c 'echo kept >/data/g'
	same "$(field k1 'sorted(m["Destination"] for m in d["Mounts"] if m["Type"] == "volume")')" '["/data", "/made/here"]'
	local name
	name=$(field k1 '[m["Name"] for m in d["Mounts"] if m["Destination"] == "/data"][0]')
	run -v "$name:/x" "$IMG" cat /x/f /x/g
	same "$out" $'from-image\nkept'
	ok skerry start -a k1
	ok skerry rm k1
	same "$(skerry volume ls -q | wc -l)" 2 'after rm'
	ok skerry volume prune -f
	same "$(skerry volume ls -q)" ''
	ok skerry run --name k2 vol:1 true
	ok skerry rm -v k2
	same "$(skerry volume ls -q)" '' 'after rm -v'
	# One that another container was given stays, though its first container was to take it along.
	ok skerry run -d --rm --name d2 vol:1 sleep 1000
	name=$(field d2 '[m["Name"] for m in d["Mounts"] if m["Destination"] == "/data"][0]')
	ok skerry create --name second -v "$name:/y" "$IMG" cat /y/f
	ok skerry rm -f d2
	same "$(skerry volume ls -q)" "$name"
	ok skerry start -a second
	same "$out" from-image
	ok skerry rm -v second
	# Something of the user's own in its place: no volume. A container that cannot be made leaves none.
	mkdir own
	run -v "$PWD/own:/data" --tmpfs /made/here vol:1 touch /data/mine
	test -e own/mine || fail 'not mounted'
	ok skerry create --name taken "$IMG" true
	expect 125 skerry run --name taken vol:1 true
	expect 127 skerry run --rm vol:1 /no/such/program
	same "$(skerry volume ls -q)" '' 'after failures'
	same "$(ls "$SKERRY_ROOT/tmp")" ''
	run --read-only vol:1 sh -c 'touch /data/w /made/here/w; touch /w 2>/dev/null || echo readonly'
	same "$out" readonly
}

# A file of the user's wins over what the container would be given under its name.
case_mount_over_given_files() {
	local file
	echo '10.9.8.7 mine # a line of my own' >"$WORK/mine"
	for file in hosts resolv.conf hostname; do
		run -v "$WORK/mine:/etc/$file:ro" "$IMG" cat "/etc/$file"
		same "$out" '10.9.8.7 mine # a line of my own'
	done
	run -v "$WORK/mine:/etc/hosts" "$IMG" sh -c 'echo more >>/etc/hosts; getent hosts mine; cat /etc/hostname | wc -l; grep -c nameserver /etc/resolv.conf'
	has "$out" '10.9.8.7 +mine'
	same "$(tail -1 "$WORK/mine")" more
	mkdir "$WORK/a,b"
	touch "$WORK/a,b/in a comma"
	run --mount "type=bind,\"source=$WORK/a,b\",target=/x" "$IMG" ls /x
	same "$out" 'in a comma'
}
