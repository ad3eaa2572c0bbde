# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# Many at once, and many one after the other.

# case: serial timeout=240
case_scale_twenty_at_once() {
	local pids=() i rc
	for i in {1..20}; do
		skerry run --rm -m 128m --name "n$i" "$IMG" sh -c "echo from $i; sleep 2; exit $i" >"o$i" 2>"e$i" &
		pids+=($!)
	done
	for i in {1..20}; do
		rc=0
		wait "${pids[i - 1]}" || rc=$?
		[ "$rc" = "$i" ] || fail "container $i: exit code $rc: $(cat "e$i")"
		same "$(cat "o$i")" "from $i"
	done
	same "$(skerry ps -aq)" ''
}

# case: serial timeout=240
case_scale_twenty_alive_together() {
	local i
	for i in {1..20}; do skerry run -d -m 128m --name "n$i" "$IMG" sleep 1000; done
	same "$(skerry ps -q | wc -l)" 20
	for i in {1..20}; do
		ok skerry exec "n$i" hostname
	done
	skerry ps -aq | xargs skerry rm -f
}

# Two hundred starts and stops, two at a time; nothing may add up. (case.py looks for processes, files and mounts afterwards.)
# case: serial timeout=600
case_scale_two_hundred_cycles() {
	local n=200 before after
	# But for one of each processor and place on it that a VM has had: how many lived at once depends on the load.
	files() { find "$SKERRY_ROOT" -not -path '*/run/cpus/*' | wc -l; }
	run "$IMG" true
	before=$(files)
	seq "$n" | xargs -P 2 -I{} sh -c 'skerry run --rm -m 128m "$IMAGE" sh -c "exit 0" || { echo "cycle {}: $?" >&2; exit 255; }' || fail 'a cycle failed'
	after=$(files)
	[ "$after" -le $((before + 2)) ] || fail "files: $before before, $after after"
	same "$(skerry ps -aq)" ''
}

# One container, started and stopped again and again.
# case: timeout=200
case_scale_restarts_of_one() {
	local i
	ok skerry create --name one "$IMG" sleep 1000
	for i in {1..20}; do
		ok skerry start one
		ok skerry stop -t 0 one
	done
	same "$(status one)" exited
}

# Two hundred execs in one container: the monitor's descriptors and memory do not grow.
# case: timeout=200
case_scale_execs_leave_nothing() {
	ok skerry run -d --name x1 "$IMG" sleep 1000
	local m before after rss
	m=$(monitor_pid x1)
	seq 20 | xargs -P 2 -I{} skerry exec x1 true
	sleep 0.5
	before=$(find "/proc/$m/fd" | wc -l)
	rss=$(awk '/VmRSS/ { print $2 }' "/proc/$m/status")
	seq 200 | xargs -P 2 -I{} skerry exec x1 true
	sleep 1
	after=$(find "/proc/$m/fd" | wc -l)
	[ "$after" -le "$before" ] || fail "descriptors of the monitor: $before, then $after"
	after=$(awk '/VmRSS/ { print $2 }' "/proc/$m/status")
	[ "$after" -le $((rss + 4096)) ] || fail "memory of the monitor: $rss KiB, then $after"
	ok skerry top x1
	same "$(wc -l <<<"$out")" 2 'processes in the container and the heading'
}
