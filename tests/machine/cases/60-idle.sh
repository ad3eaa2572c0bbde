# shellcheck shell=bash disable=SC1091,SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# A machine that stops when nobody needs it, and starts when a client knocks.

is_state() { [ "$(skerry machine inspect --format '{{.State}}')" = "$1" ]; }
monitor_pid() { python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["pid"])' "$SKERRY_ROOT"/containers/*/state/state.json; }

# MiB that the monitor of the machine and all processes below it have (PSS).
machine_pss() {
	python3 - "$(monitor_pid)" <<'END'
import os, sys
parents = {}
for name in filter(str.isdigit, os.listdir("/proc")):
    try:
        with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as file:
            parents.setdefault(int(file.read().rsplit(")", 1)[1].split()[1]), []).append(int(name))
    except OSError:
        pass
todo, total = [int(sys.argv[1])], 0
while todo:
    pid = todo.pop()
    todo += parents.get(pid, [])
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            total += sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    except ProcessLookupError:
        pass
assert total > 30 << 10, "these are not all of its processes"
print(total >> 10)
END
}

# case: timeout=400
case_machine_idle_stop() {
	. "$SUITE/lib.sh"
	local pid socket=$SKERRY_ROOT/run/default/docker.sock
	expect 125 skerry machine init --idle-stop 5s
	complaint 'idle-stop'
	expect 125 skerry machine init --idle-stop soon
	complaint 'idle-stop'
	start_machine --memory 512 --idle-stop 1h
	ok skerry machine inspect --format '{{.IdleStop}} {{.State}}'
	same "$out" '3600 running'
	ok skerry machine set --idle-stop 10s
	has "$err" 'takes effect at its next start'
	ok skerry machine restart -q

	# a container, then a client that is connected, keep it running
	ok d run -d --name one box busybox sleep 1000
	sleep 14
	is_state running || fail 'it has stopped with a container in it'
	docker -H "unix://$socket" events >"$WORK/events" &
	pid=$!
	ok d rm -f one
	sleep 14
	is_state running || fail 'it has stopped with a client connected'
	kill "$pid"
	until_ok 40 is_state suspended
	ok skerry machine ls
	has "$out" '^default\* .*Suspended'
	ok skerry machine ls --format '{{.Running}} {{.State}}'
	same "$out" 'false suspended'
	same "$(stat -c %a "$socket")" 600
	has "$(cat "$SKERRY_ROOT"/containers/*/state/state.json)" '"engine_pid": *0[,}]'
	ok e2fsck -fn "$SKERRY_ROOT/machines/default/data.img"

	# the first knock brings a body, another one comes at once: none loses a byte
	docker -H "unix://$socket" import --change "ENV PATH=/bin" "$WORK/box.tar" again:latest >"$WORK/import" 2>&1 &
	pid=$!
	ok d images --format '{{.Repository}}'
	has "$out" box
	wait "$pid" || fail "import: $(cat "$WORK/import")"
	is_state running || fail 'it is not running'
	ok d run --rm again busybox echo hello
	same "$out" hello

	until_ok 40 is_state suspended
	ok skerry machine ssh echo awake
	same "$out" awake

	# stop ends the waiting, start begins anew
	until_ok 40 is_state suspended
	ok skerry machine stop
	is_state stopped || fail 'it is not stopped'
	[ ! -e "$socket" ] || fail 'the socket is left'
	ok skerry machine start -q
	until_ok 40 is_state suspended
	ok skerry machine start -q
	is_state running || fail 'it is not running'

	# one that cannot start: the client gets an error
	until_ok 40 is_state suspended
	exec 9<"$SKERRY_ROOT/machines/default/data.img"
	flock 9
	expect 1 timeout 60 docker -H "unix://$socket" version
	exec 9<&-
	until_ok 20 is_state stopped
	ok skerry machine start -q

	# kill -9 of the waiting process
	until_ok 40 is_state suspended
	pid=$(monitor_pid)
	kill -9 "$pid"
	until_ok 20 gone "$pid"
	until_ok 20 is_state stopped
	expect 1 timeout 60 docker -H "unix://$socket" version
	ok skerry machine start -q
	until_ok 40 is_state suspended
	pid=$(monitor_pid)
	ok skerry machine rm --force
	until_ok 20 gone "$pid"
}

# case: timeout=120
case_machine_idle_default() {
	. "$SUITE/lib.sh"
	echo '{"machine_idle_stop": 1800}' >"$WORK/config.json"
	ok env SKERRY_CONFIG="$WORK/config.json" skerry machine init
	ok skerry machine inspect --format '{{.IdleStop}}'
	same "$out" 1800
	ok skerry machine set --idle-stop 0
	ok skerry machine inspect --format '{{.IdleStop}}'
	same "$out" 0
	echo '{"machine_idle_stop": "30m"}' >"$WORK/config.json"
	expect 125 env SKERRY_CONFIG="$WORK/config.json" skerry machine init other
	complaint 'machine_idle_stop'
}

# Takes two minutes of waiting, and reads what only root may: the memory of the processes of a machine.
# case: root-only full timeout=600
case_machine_idle_memory() {
	. "$SUITE/lib.sh"
	local pss i above='' end=$((SECONDS + 240))
	start_machine
	ok d ps
	# What is kept is the least after a minute; an engine that waits is not always still.
	until pss=$(machine_pss) && [ "$pss" -le 120 ]; do
		[ "$SECONDS" -lt "$end" ] || fail "an idle machine has $pss MiB"
		sleep 5
	done
	# And it stays there: one look of seven may be above.
	for i in 1 2 3 4 5 6 7; do
		sleep 10
		pss=$(machine_pss)
		[ "$pss" -le 120 ] || above="$above $i:$pss"
	done
	[[ $above != *:*:* ]] || fail "an idle machine has more than 120 MiB again:$above"
	ok d run --rm box echo awake
	same "$out" awake
}
