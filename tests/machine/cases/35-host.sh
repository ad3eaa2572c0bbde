# shellcheck shell=bash disable=SC1091,SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# What the host gives to a machine besides directories and ports: its ssh-agent, its clock, emulators, room on its disk.

# case: timeout=240
case_machine_ssh_agent() {
	. "$SUITE/lib.sh"
	local agent=$WORK/agent.sock pid i
	command -v ssh-agent >/dev/null || skip 'this machine has no ssh-agent'
	ok skerry machine init
	ok env SSH_AUTH_SOCK="$agent" skerry machine start -q
	ok d import "$TAR" debian:latest
	# Asks for the agent's keys: the answer is of type 12, with none.
	local list='use IO::Socket::UNIX; $SIG{PIPE} = "IGNORE"; my $s = IO::Socket::UNIX->new(Peer => "/agent") or die $!;
		syswrite($s, pack("NC", 1, 11)); my $n = sysread($s, my $d, 4096); print $n ? unpack("x4CN", $d) : "end"'
	local run=(run --rm -u 1000 -v /run/host-services/ssh-auth.sock:/agent debian perl -e "$list")
	ok d "${run[@]}"
	same "$out" end
	# one that comes later, and another one in its place
	for i in 1 2; do
		rm -f "$agent"
		ssh-agent -D -a "$agent" >/dev/null &
		pid=$!
		e2e_servers+=("$pid")
		until_ok 10 test -S "$agent"
		ok d "${run[@]}"
		same "$out" 120 "agent $i"
		kill "$pid"
		wait "$pid" || true
	done
	# not shared
	ok skerry machine set --ssh-agent=false
	ok env SSH_AUTH_SOCK="$agent" skerry machine restart -q
	ssh-agent -D -a "$agent.2" >/dev/null &
	e2e_servers+=("$!")
	ok d "${run[@]}"
	same "$out" end
}

# Setting the host's clock to what it is is the same event for the monitor as the end of a sleep.
# case: root-only serial timeout=180
case_machine_clock() {
	. "$SUITE/lib.sh"
	local pid diff
	python3 -c 'import time; time.clock_settime(time.CLOCK_REALTIME, time.time())' 2>/dev/null || skip 'the clock cannot be set here'
	start_machine
	ok d run -d --name one box sleep 1000
	ok skerry machine ssh date -s 2001-02-03
	ok d exec one date +%Y
	same "$out" 2001
	python3 -c 'import time; time.clock_settime(time.CLOCK_REALTIME, time.time())'
	until_ok 10 eval '[ "$(d exec one date +%Y)" = "$(date +%Y)" ]'
	diff=$(($(date +%s) - $(d exec one date +%s)))
	[ "${diff#-}" -le 3 ] || fail "the clock is $diff s off"
	# a VM that stood still, as a host that slept
	pid=$(machine_pid)
	kill -STOP "$pid"
	sleep 5
	kill -CONT "$pid"
	until_ok 30 d ps
	diff=$(($(date +%s) - $(d exec one date +%s)))
	[ "${diff#-}" -le 3 ] || fail "the clock is $diff s off"
}

# case: timeout=180
case_machine_platform() {
	. "$SUITE/lib.sh"
	[ -e "$SKERRY_GUEST_DIR/qemu-user.squashfs" ] || skip 'no emulators: make engine'
	start_machine
	python3 "$here/make_arm64.py" arm64
	# as `docker save` has it
	ok python3 - <<-'END'
		import json, tarfile
		def blob(descriptor):
		    return "blobs/sha256/" + descriptor["digest"].split(":")[1]
		with open("arm64/index.json") as file:
		    manifest = json.load(open("arm64/" + blob(json.load(file)["manifests"][0])))
		names = {"Config": blob(manifest["config"]), "Layers": [blob(l) for l in manifest["layers"]], "RepoTags": ["foreign:latest"]}
		with open("manifest.json", "w") as file:
		    json.dump([names], file)
		with tarfile.open("arm64.tar", "w") as tar:
		    tar.add("manifest.json")
		    for name in [names["Config"], *names["Layers"]]:
		        tar.add("arm64/" + name, name)
	END
	ok d load -i arm64.tar
	expect 7 d run --rm --platform linux/arm64 foreign /hello
	has "$out" aarch64
	# and in a build
	printf 'FROM foreign\nCOPY Dockerfile /copied\n' >Dockerfile
	ok env DOCKER_BUILDKIT=0 docker -H "unix://$SKERRY_ROOT/run/default/docker.sock" build -q --platform linux/arm64 -t built .
	ok d image inspect -f '{{.Architecture}}' built
	same "$out" arm64
	expect 7 d run --rm --platform linux/arm64 built /hello
}

# What images took goes back to the host when they go, and a disk that was not unmounted, or is damaged, is checked.
# case: timeout=300
case_machine_data_disk() {
	. "$SUITE/lib.sh"
	local data=$SKERRY_ROOT/machines/default/data.img before full
	start_machine --disk-size 20
	mkdir big
	head -c 150000000 /dev/urandom >big/file
	ok skerry machine ssh sync
	before=$(du -m "$data" | cut -f1)
	tar -C big -c file | d import - big:latest >/dev/null || fail 'import'
	ok skerry machine ssh sync
	full=$(du -m "$data" | cut -f1)
	[ "$full" -ge $((before + 130)) ] || fail "the data disk has $full MiB, $before before"
	ok d rmi big
	ok skerry machine ssh sync
	until_ok 30 eval '[ "$(du -m "'"$data"'" | cut -f1)" -le $(('"$before"' + 40)) ]'
	# killed, damaged where e2fsck -p sets it right, and full of what was there
	ok d volume create kept
	ok d run --rm -v kept:/k box sh -c 'echo kept >/k/file; sync'
	kill -9 "$(machine_pid)"
	until_ok 20 bash -c 'skerry machine ls --format "{{.Running}}" | grep -q false'
	if command -v debugfs >/dev/null; then
		e2fsck -fp "$data" >/dev/null || true
		ok debugfs -w -R 'set_super_value free_inodes_count 5' "$data"
		ok debugfs -w -R 'set_super_value state 2' "$data"
	fi
	ok skerry machine start -q
	ok d run --rm -v kept:/k box cat /k/file
	same "$out" kept
	ok skerry machine stop
	ok e2fsck -fn "$data"
}

# Another engine image finds what the former one kept; so does the next version of the one that Skerry brings.
# case: timeout=300
case_machine_upgrade() {
	. "$SUITE/lib.sh"
	start_machine --memory 512
	ok d volume create kept
	ok d run --rm -v kept:/k box sh -c 'echo kept >/k/file'
	ok d run -d --name always --restart always -v kept:/k box sleep 1000
	ok skerry tag skerry/engine:latest engine:next
	ok skerry machine set --image engine:next
	ok skerry machine restart -q
	ok skerry machine inspect --format '{{.Image}}'
	same "$out" engine:next
	until_ok 60 d exec always cat /k/file
	ok skerry machine set --image ''
	ok skerry machine stop
	# installed anew
	cp -rL "$SKERRY_GUEST_DIR" guest
	touch guest/engine.tar
	ok env SKERRY_GUEST_DIR="$PWD/guest" skerry machine start -q
	has "$err" 'Loading the engine image'
	until_ok 60 d exec always cat /k/file
	ok d images --format '{{.Repository}}'
	same "$out" box
}

# A disk of the host that is full: the machine waits and goes on, and nothing is lost.
# case: root-only timeout=300
case_machine_full_disk() {
	. "$SUITE/lib.sh"
	local small=$WORK/small filler
	unshare --mount true 2>/dev/null || skip 'no mount namespaces here'
	mkdir "$small"
	mount -t tmpfs -o size=420m none "$small" || skip 'nothing can be mounted here'
	trap 'code=$?; skerry machine rm -f >/dev/null 2>&1 || true; umount -l "$WORK/small" || true; e2e_end; exit "$code"' EXIT
	export SKERRY_ROOT=$small/store
	start_machine --memory 512
	ok d run -d --name writer box sh -c 'i=0; while :; do i=$((i + 1)); head -c 1000000 /dev/zero | tr "\0" x >/f.$((i % 30)); sync; echo $i >/n; echo $i; done'
	until_ok 30 eval '[ "$(d logs writer | wc -l)" -gt 3 ]'
	filler=$small/filler
	dd if=/dev/zero of="$filler" bs=1M status=none 2>/dev/null || true
	until_ok 60 eval 'skerry machine ls --format json | grep -q default'
	sleep 5
	# others are served meanwhile, as far as they write nothing
	ok skerry machine inspect --format '{{.State}}'
	same "$out" running
	rm "$filler"
	local n
	n=$(d logs writer | wc -l)
	until_ok 60 eval '[ "$(d logs writer | wc -l)" -gt '"$((n + 3))"' ]'
	ok d rm -f writer
	ok skerry machine stop
	ok e2fsck -fn "$SKERRY_ROOT/machines/default/data.img"
}
