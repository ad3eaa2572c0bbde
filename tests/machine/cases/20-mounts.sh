# shellcheck shell=bash disable=SC1091,SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# Directories of the host at their own paths, and those that are not shared.

# case: timeout=180 quick
case_machine_mounts() {
	. "$SUITE/lib.sh"
	mkdir -p "$HOME/project" "$WORK/extra" "$WORK/allowed"
	settings '"machine_mounts": ["'"$WORK/allowed"'", "'"$WORK/missing"'"]'
	export SKERRY_CONFIG=$WORK/settings.json
	start_machine --mount "$WORK/extra"
	echo from-host >"$HOME/project/file"
	ok d run --rm -v "$HOME/project:/p" box sh -c 'busybox cat /p/file; echo from-guest >/p/new; busybox chmod 640 /p/new'
	same "$out" from-host
	same "$(cat "$HOME/project/new")" from-guest
	same "$(stat -c %a "$HOME/project/new")" 640
	ok d run --rm --mount "type=bind,source=$WORK/extra,target=/e" box busybox touch /e/touched
	[ -e "$WORK/extra/touched" ] || fail 'the file is not on the host'
	ok d run --rm -v "$WORK/allowed:/a" box busybox touch /a/touched
	[ -e "$WORK/allowed/touched" ] || fail 'the file is not on the host'
	# a directory that is made by -v, as docker does, below what is shared
	ok d run --rm -v "$HOME/made/here:/m" box true
	[ -d "$HOME/made/here" ] || fail 'the directory was not made'
	# a single file
	ok d run --rm -v "$HOME/project/file:/f:ro" box busybox cat /f
	same "$out" from-host
	expect 1 d run --rm -v "$HOME/project/file:/f:ro" box sh -c 'echo x >/f'
	# What is not shared is an error, never an empty directory.
	local path
	for path in "$E2E_STAGE/guest" /boot /media /mnt /opt /srv /var/log /var/spool /opt/nothing /srv/nothing /run/nothing /tmp/nothing /var/nothing /etc/nothing /nothing /dev/nothing; do
		expect 125 d run --rm -v "$path:/x" box true
		has "$err" 'read-only file system|no such file|not permitted|permission denied'
		expect 125 d run --rm --mount "type=bind,source=$path,target=/x" box true
		has "$err" 'does not exist'
	done
	# one that vanishes
	rm -r "$WORK/extra"
	expect 125 d run --rm --mount "type=bind,source=$WORK/extra/touched,target=/e" box true

	# The engine's own socket leads to the engine.
	ok d run --rm -v /var/run/docker.sock:/var/run/docker.sock box busybox stat -c %F /var/run/docker.sock
	same "$out" socket
}

# Owners, locks, inotify and UDP: with programs of a whole Debian.
# case: timeout=300
case_machine_debian() {
	. "$SUITE/lib.sh"
	mkdir -p "$HOME/project"
	echo x >"$HOME/project/file"
	ok skerry machine init --now
	ok d import "$TAR" debian:latest
	python3 -c 'import fcntl, sys, time
f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_EX); print("locked", flush=True); time.sleep(100)' "$HOME/project/file" >"$WORK/locked" &
	local holder=$!
	until_ok 10 test -s "$WORK/locked"
	expect 1 d run --rm -v "$HOME/project:/p" debian flock -n /p/file true
	kill "$holder"
	until_ok 20 d run --rm -v "$HOME/project:/p" debian flock -n /p/file true
	ok d run -d --name holder -v "$HOME/project:/p" debian flock /p/file sleep 100
	until_ok 20 bash -c '! flock -n "$HOME/project/file" true'
	ok d rm -f holder
	until_ok 10 flock -n "$HOME/project/file" true
	# an owner that the host does not know by that number stays one in every container
	ok d run --rm -v "$HOME/project:/p" debian sh -c 'touch /p/owned; chown 1234:5678 /p/owned; chmod 4711 /p/owned'
	ok d run --rm -v "$HOME/project:/p" debian stat -c '%u:%g %a' /p/owned
	same "$out" '1234:5678 4711'
	# what the host does is told to watchers (x86-64's inotify_init1, inotify_add_watch; IN_CREATE)
	ok d run -d --name watch -v "$HOME/project:/p" debian perl -e '$| = 1; my $fd = syscall(294, 0); my $dir = "/p";
		syscall(254, $fd, $dir, 0x100) >= 0 or die; print "watching\n"; open my $f, "<&=", $fd or die; sysread $f, my $event, 4096;
		print "seen ", unpack("Z*", substr($event, 16)), "\n";'
	until_ok 20 bash -c 'DOCKER_HOST=unix://$SKERRY_ROOT/run/default/docker.sock docker logs watch | grep watching'
	touch "$HOME/project/new-file"
	until_ok 10 bash -c 'DOCKER_HOST=unix://$SKERRY_ROOT/run/default/docker.sock docker logs watch | grep "seen new-file"'
	# UDP: the answer comes from the port that was asked
	local p
	p=$(free_port udp)
	ok d run -d --name udp -p "$p:9/udp" debian perl -e 'use Socket; socket(my $s, PF_INET, SOCK_DGRAM, 0) or die;
		bind($s, sockaddr_in(9, INADDR_ANY)) or die; while (my $from = recv($s, my $data, 1000, 0)) { send($s, "to $data", 0, $from) }'
	until_ok 20 client udp-ask 127.0.0.1 "$p" ping
	has "$(client udp-ask 127.0.0.1 "$p" ping)" '^to ping'
}

# Directories of the allow-list that come after the machine's start, in directories that are not shared.
# case: timeout=240
case_machine_later() {
	. "$SUITE/lib.sh"
	local path far=$WORK/far server
	mkdir -p "$far/there"
	settings '"machine_mounts": ["'"$far/there"'", "'"$far/disk"'", "'"$far/ro"':ro", "'"$far/deep/inside"'"]'
	export SKERRY_CONFIG=$WORK/settings.json
	start_machine --home=false
	# Not there yet, or not allowed: an error, and nothing is made.
	mkdir "$far/other"
	for path in disk ro deep/inside other; do
		# 126: the client's code for "permission denied"
		try d run --rm -v "$far/$path:/x" box true
		[ "$rc" = 125 ] || [ "$rc" = 126 ] || fail "exit code $rc: $path"
		has "$err" 'read-only file system|no such file|not permitted|permission denied'
		expect 125 d run --rm --mount "type=bind,source=$far/$path,target=/x" box true
		has "$err" 'does not exist'
	done
	same "$(ls "$far")" $'other\nthere'
	# What is shared beside them stays.
	ok d run --rm -v "$far/there:/x" box touch /x/touched
	[ -e "$far/there/touched" ] || fail 'the file is not on the host'
	# and as soon as the host has it
	mkdir -p "$far/disk" "$far/ro" "$far/deep/inside/sub"
	echo from-host >"$far/disk/file"
	ok d run --rm -v "$far/disk:/x" box sh -c 'cat /x/file; echo from-guest >/x/new; chmod 640 /x/new'
	same "$out" from-host
	same "$(cat "$far/disk/new")" from-guest
	same "$(stat -c %a "$far/disk/new")" 640
	ok d run --rm --mount "type=bind,source=$far/deep/inside/sub,target=/x" box touch /x/touched
	[ -e "$far/deep/inside/sub/touched" ] || fail 'the file is not on the host'
	expect 1 d run --rm -v "$far/ro:/x" box touch /x/touched
	has "$err" 'Read-only file system'
	try d run --rm -v "$far/other:/x" box true
	[ "$rc" = 125 ] || [ "$rc" = 126 ] || fail "exit code $rc"
	# what the host changes is seen in a container that runs
	ok d run -d --name reader -v "$far/disk:/x" box sleep 1000
	ok d exec reader cat /x/file
	echo changed >"$far/disk/file"
	until_ok 5 eval '[ "$(d exec reader cat /x/file)" = changed ]'
	ok d rm -f reader
	# A file server that ends takes nothing else along, and there is another one for who comes then.
	for server in $(pgrep -P "$(pgrep -P "$(machine_pid)" skerry-sharer)"); do kill -9 "$server"; done
	until_ok 10 d run --rm -v "$far/disk:/x" box cat /x/file
	ok d run --rm -v "$far/there:/x" box ls /x/touched
	# shares like any other from the next start on
	ok skerry machine restart -q
	ok d run --rm -v "$far/disk:/x" box cat /x/file
	same "$out" changed
}

# More directories than a VM has slots for devices.
# case: timeout=240
case_machine_many_mounts() {
	. "$SUITE/lib.sh"
	local i mounts=()
	for i in {1..45}; do
		mkdir -p "$WORK/many/$i"
		echo "$i" >"$WORK/many/$i/file"
		mounts+=(--mount "$WORK/many/$i")
	done
	start_machine --home=false "${mounts[@]}"
	ok d run --rm -v "$WORK/many/1:/1" -v "$WORK/many/27:/27" -v "$WORK/many/45:/45" box cat /1/file /27/file /45/file
	same "$out" $'1\n27\n45'
	# and as many in one container
	mounts=()
	for i in {1..100}; do mounts+=(-v "$WORK/many/$((i % 45 + 1)):/m/$i"); done
	ok d run --rm "${mounts[@]}" box sh -c 'cat /m/*/file | sort -n | tail -1; ls /m | wc -l'
	same "$(tr '\n' ' ' <<<"$out")" '45 100 '
}

# case: timeout=240
case_machine_everything_shared() {
	. "$SUITE/lib.sh"
	[[ $WORK == /tmp/* ]] || skip 'the suite does not run below /tmp'
	settings '"machine_mounts": ["/"]'
	export SKERRY_CONFIG=$WORK/settings.json
	ok env TZ=Europe/Berlin skerry machine init --home=false --host-certs=true
	ok env TZ=Europe/Berlin skerry machine start -q
	make_box
	# /tmp is a place of the machine's, too, which closes those that are not shares
	ok d run --rm -v "$WORK:/w" box busybox touch /w/touched
	[ -e "$WORK/touched" ] || fail 'the file is not on the host'
	expect 125 d run --rm -v /usr/skerry-nothing:/x box true
	has "$err" 'read-only file system'
	expect 125 d run --rm -v /etc/skerry-nothing:/x box true
	has "$err" 'read-only file system'
	if [ -e /etc/ssl/certs/ca-certificates.crt ]; then
		ok skerry machine ssh md5sum /etc/ssl/certs/ca-certificates.crt
		same "${out%% *}" "$(md5sum </etc/ssl/certs/ca-certificates.crt | cut -d' ' -f1)"
	fi
	if [ -e /usr/share/zoneinfo/Europe/Berlin ]; then
		ok skerry machine ssh "date -d '2026-01-15 12:00' +%z"
		same "$out" +0100
	fi
	# the same read-only; what is named beside it stays writable
	ok skerry machine stop
	mkdir "$WORK/open"
	settings '"machine_mounts": ["'"$WORK/open"'", "/:ro"]'
	ok skerry machine start -q
	ok d run --rm -v "$WORK:/w" box busybox cat /w/touched
	expect 1 d run --rm -v "$WORK:/w" box busybox touch /w/again
	has "$err" 'Read-only file system'
	ok d run --rm -v "$WORK/open:/o" box busybox touch /o/touched
	[ -e "$WORK/open/touched" ] || fail 'the file is not on the host'
}
