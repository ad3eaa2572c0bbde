# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# What surrounds the host's processes turns against them: other users, monitors that hang, damaged files, full tables.

# freeze NAME: stops its monitor, so that nothing is answered any more. The monitor's pid in $frozen.
freeze() {
	frozen=$(monitor_pid "$1")
	kill -STOP "$frozen"
}

# case: timeout=90
case_hostile_frozen_kill() {
	# Each request has a deadline, and what ends the container ends its monitor then.
	local frozen e
	ok skerry run -d --name f1 "$IMG" sleep 1000
	e=$(engine_pid f1)
	freeze f1
	ok timeout 60 skerry kill f1
	until_ok 10 gone "$frozen"
	until_ok 10 gone "$e"
	same "$(status f1)" exited
	ok skerry start f1
	freeze f1
	ok timeout 60 skerry rm -f f1
	until_ok 10 gone "$frozen"
	expect 1 skerry inspect f1
}

# case: timeout=120 full
case_hostile_frozen_others() {
	local frozen
	ok skerry run -d --name f1 "$IMG" sleep 1000
	freeze f1
	expect 1 timeout 60 skerry exec f1 true
	has "$err" 'does not answer'
	ok timeout 60 skerry stop f1
	until_ok 10 gone "$frozen"
	same "$(status f1)" exited
	ok skerry rm f1
}

case_hostile_damaged_files() {
	# Whatever has happened to a container's files, it can be removed, and it is in nobody's way.
	local n=0 dir what id
	ok skerry run -d --name good "$IMG" sleep 1000
	for what in 'rm config.json' ': >config.json' 'echo [] >config.json' 'rm vm.json config.json' 'mkdir -p state; echo x >state/state.json' \
		'rm -rf state' 'rm -f lock' 'rm -rf lock; mkdir lock' 'rm config.json; mkdir config.json' 'echo "{\"Name\": 5, \"Config\": 7}" >config.json'; do
		n=$((n + 1))
		ok skerry create --name "d$n" "$IMG" true
		id=$out
		dir=$SKERRY_ROOT/containers/$id
		(cd "$dir" && eval "$what")
		ok skerry ps -a
		has "$out" ' good$'
		ok skerry inspect good
		ok skerry exec good true
		ok skerry rm -f "$id"
		[ ! -e "$dir" ] || fail "$what: the container is still there"
	done
	# The files of one that runs.
	ok skerry run -d --name alive "$IMG" sleep 1000
	id=$(skerry inspect -f '{{.Id}}' alive)
	rm -r "$SKERRY_ROOT/containers/$id/config.json" "$SKERRY_ROOT/run/$id"
	ok skerry ps -a
	ok timeout 60 skerry rm -f "$id"
	[ ! -e "$SKERRY_ROOT/containers/$id" ] || fail 'the running container is still there'
}

case_hostile_system_check() {
	# Damaged layers, lists, states, descriptions: found, mended, and nothing else is touched.
	local id layer
	ok skerry system check
	same "$out" 'No problem found'
	ok skerry run --name v1 -v vol1:/data "$IMG" sh -c 'echo kept >/data/file'
	ok skerry create --name c1 "$IMG" true
	id=$out
	mkdir -p "$SKERRY_ROOT/containers/$id/state"
	echo x >"$SKERRY_ROOT/containers/$id/state/state.json"
	echo x >"$SKERRY_ROOT/volumes/vol1/volume.json"
	expect 1 skerry system check
	has "$out" "container ${id:0:12}: its state cannot be read"
	has "$out" 'volume vol1: its description cannot be read'
	has "$out" '^2 problems found: .*--repair'
	ok skerry system check --repair
	has "$out" '^2 problems found, 2 mended'
	has "$(skerry ps -a)" 'Exited \(137\).* c1$'
	ok skerry run --rm -v vol1:/data "$IMG" cat /data/file
	same "$out" kept
	ok skerry volume ls -q
	has "$out" '^vol1$'
	# descriptions of something else, and something else in the place of the state
	ok skerry create --name c2 "$IMG" true
	echo '{"Id": 5, "Name": "/c2"}' >"$SKERRY_ROOT/containers/$out/config.json"
	id=$out
	ok skerry create --name c3 "$IMG" true
	rm -rf "$SKERRY_ROOT/containers/$out/state"
	ln -s /nowhere "$SKERRY_ROOT/containers/$out/state"
	has "$(skerry ps -a)" '^'"${id:0:12}"'.* Dead '
	expect 1 skerry system check --repair
	has "$out" "container ${id:0:12}: its configuration cannot be read"
	has "$out" '^2 problems found, 1 mended'
	has "$(skerry ps -a)" 'Exited \(137\).* c3$'
	ok skerry start -a c3
	ok skerry rm -f "$id" c3
	# the list of images: containers go on, and can be removed
	echo x >"$SKERRY_ROOT/images/refs.json"
	expect 125 skerry run --rm "$IMG" true
	has "$err" 'refs.json is damaged.*system check --repair'
	ok skerry start -a v1
	ok skerry rm -f v1
	ok skerry system check --repair
	ok skerry images -q
	[ -n "$out" ] || fail 'no image is left'
	# a layer: cut short, then with other contents
	ok skerry tag "${out%%$'\n'*}" example.test/mended:1
	layer=$(find "$SKERRY_ROOT/images/layers" -name '*.squashfs' | head -n 1)
	cp "$layer" whole && chmod u+w whole
	head -c 100000 whole >short # the file itself may be linked elsewhere
	mv -f short "$layer"
	expect 125 skerry run --rm example.test/mended:1 true
	has "$err" 'is cut short: "skerry system check --repair" removes what is damaged'
	head -c 300000 /dev/urandom | dd of=whole bs=1000 seek=$(($(stat -c %s whole) * 4 / 10000)) conv=notrunc status=none
	mv -f whole "$layer"
	# what the guest cannot read is told, whatever the program makes of it
	try skerry run --name bad example.test/mended:1 sh -c 'find /usr -xdev -type f -exec cat {} + >/dev/null 2>&1; exit 0'
	has "$err" 'WARNING: a layer of the image is damaged: "skerry system check --repair"'
	has "$(field bad 'd["State"]["Error"]')" 'a layer of the image is damaged'
	expect 1 skerry system check
	has "$out" 'has other contents than when it was made'
	# its image stays: a container uses it
	expect 1 skerry system check --repair
	has "$out" 'pull or load it again \(container bad uses it\)'
	ok skerry images
	has "$out" '^example.test/mended '
	ok skerry system df
	ok skerry import "$TAR" example.test/mended:1
	ok skerry run --rm example.test/mended:1 true
	ok skerry start -a bad
	ok skerry rm -f bad
	ok skerry system check
}

# case: timeout=120
case_hostile_many_connections() {
	# A container opens more TCP connections than its monitor has descriptors: it is refused, and nobody else notices.
	python3 -c '
import socket, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, max(4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen(1000)
print(s.getsockname()[1], flush=True)
l = []
while True:
    l.append(s.accept()[0])
' >port &
	local server=$!
	until_ok 5 test -s port
	(
		ulimit -n 1024
		skerry run -d --name many --ulimit nofile=4096:4096 "$IMG" perl -e 'use Socket; $| = 1; my @l; my $failed = 0;
			for (1..1500) {
				socket(my $s, PF_INET, SOCK_STREAM, 0) or die "socket: $!";
				if (connect($s, sockaddr_in('"$(cat port)"', inet_aton("10.0.2.2")))) { push @l, $s } else { $failed++ }
				last if $failed > 20;
			}
			print scalar(@l), " open, $failed failed\n"; for (1..50) { setsockopt($l[0], SOL_SOCKET, SO_LINGER, pack("ii", 1, 0)); shift @l } sleep 1;
			socket(my $s, PF_INET, SOCK_STREAM, 0); print connect($s, sockaddr_in('"$(cat port)"', inet_aton("10.0.2.2"))) ? "again\n" : "never again: $!\n"; sleep 1000'
	)
	until_ok 60 bash -c 'skerry logs many | grep -q again'
	ok skerry logs many
	has "$out" '^[0-9]+ open, 21 failed'
	has "$out" '^again'
	ok timeout 10 skerry exec many true
	local before after m
	m=$(monitor_pid many)
	before=$(cut -d' ' -f14 /proc/"$m"/stat)
	sleep 1
	after=$(cut -d' ' -f14 /proc/"$m"/stat)
	[ $((after - before)) -lt 40 ] || fail "the monitor spins: $((after - before)) ticks in a second"
	ok timeout 10 skerry kill many
	kill "$server"
}

case_hostile_share_streams() {
	# A program in the guest that may use vsock gets nothing of the shares, however many there are.
	local i mounts=()
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13; do
		mkdir "m$i"
		echo "$i" >"m$i/f"
		mounts+=(-v "$PWD/m$i:/m$i")
	done
	run --security-opt seccomp=unconfined "${mounts[@]}" "$IMG" sh -c 'cat /m*/f | sort -n | tail -n 1
		perl -e '"'"'use Socket; $| = 1; socket(my $s, 40, SOCK_STREAM, 0) or die "socket: $!";
			connect($s, pack("S S L L x4", 40, 0, 1027, 2)) or do { print "refused\n"; exit };
			syswrite($s, pack("L C S L S a8", 21, 100, 65535, 8192, 8, "9P2000.L")); shutdown($s, 1);
			my $n = sysread($s, my $b, 100); print $n ? "served\n" : "refused\n"'"'"
	same "$out" $'13\nrefused'
}

case_hostile_monitor_killed_finished_at() {
	# The end is dated, whoever notices it: the keeper, or who looks when that was killed, too.
	local m before
	ok skerry run -d --name k1 "$IMG" sleep 1000
	m=$(monitor_pid k1)
	before=$(date -u +%Y-%m-%dT%H:%M:%S)
	kill -9 "$m"
	until_ok 10 is_status k1 exited
	sleep 0.5
	[[ $(field k1 'd["State"]["FinishedAt"]') > $before ]] || fail "FinishedAt is before the end: $(field k1 'd["State"]["FinishedAt"]')"
	ok skerry ps -a
	has "$out" 'Exited \(137\) ([0-9]+ seconds?|Less than a second) ago'
	ok skerry start k1
	m=$(monitor_pid k1)
	kill -9 "$(child_pid k1 skerry-keeper)" "$m"
	until_ok 10 is_status k1 exited
	hasnt "$(field k1 'd["State"]["FinishedAt"]')" '^0001'
}
