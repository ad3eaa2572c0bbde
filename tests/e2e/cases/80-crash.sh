# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# Processes killed with -9, one after the other: nothing stays behind, and the state tells the truth.

case_crash_cli_foreground() {
	skerry run --name f1 "$IMG" sleep 1000 >/dev/null 2>&1 &
	local cli=$! m e
	until_ok 20 is_status f1 running
	m=$(monitor_pid f1) e=$(engine_pid f1)
	kill -9 "$cli"
	until_ok 15 gone "$e"
	until_ok 15 gone "$m"
	same "$(status f1)" exited
	ok skerry rm f1
}

# case: quick
case_crash_cli_foreground_rm() {
	skerry run --rm --name f1 "$IMG" sleep 1000 >/dev/null 2>&1 &
	local cli=$!
	until_ok 20 is_status f1 running
	kill -9 "$cli"
	until_ok 15 bash -c '[ -z "$(skerry ps -aq)" ]'
}

case_crash_cli_of_attach_and_exec() {
	# These do not own the container: it lives on.
	ok skerry run -d -i --name c1 "$IMG" cat
	skerry attach c1 >/dev/null 2>&1 </dev/zero &
	local a=$!
	skerry exec c1 sleep 1000 >/dev/null 2>&1 &
	local e=$!
	sleep 1
	kill -9 "$a" "$e"
	sleep 0.5
	same "$(status c1)" running
	ok skerry exec c1 true
}

case_crash_cli_detached_early() {
	# At any moment of `run -d`: the container is there whole, or it can be removed.
	local i
	for i in 1 2 3 4 5 6 7 8; do
		timeout -s KILL "0.0$((i * 11))" skerry run -d --name "e$i" "$IMG" sleep 1000 >/dev/null 2>&1 || true
	done
	ok skerry ps -a
	for i in $(skerry ps -aq); do ok skerry rm -f "$i"; done
	run "$IMG" true
}

# case: quick
case_crash_monitor() {
	ok skerry run -d --name m1 "$IMG" sleep 1000
	local m e
	m=$(monitor_pid m1) e=$(engine_pid m1)
	kill -9 "$m"
	until_ok 10 gone "$e"
	until_ok 10 is_status m1 exited
	same "$(field m1 'd["State"]["ExitCode"]')" 137
	ok skerry ps -a
	has "$out" 'Exited \(137\).* m1$'
	expect 1 skerry exec m1 true
	ok skerry start m1
	same "$(status m1)" running
}

case_crash_monitor_under_foreground_run() {
	skerry run --name m1 "$IMG" sleep 1000 >o 2>e &
	local cli=$! rc=0
	until_ok 20 is_status m1 running
	kill -9 "$(monitor_pid m1)"
	wait "$cli" || rc=$?
	[ "$rc" != 0 ] || fail 'the CLI says that all was well'
	until_ok 10 is_status m1 exited
}

# case: quick
case_crash_engine() {
	ok skerry run -d --name e1 "$IMG" sleep 1000
	local m e
	m=$(monitor_pid e1) e=$(engine_pid e1)
	kill -9 "$e"
	until_ok 15 gone "$m"
	same "$(status e1)" exited
	[ "$(field e1 'd["State"]["ExitCode"]')" != 0 ] || fail 'exit code 0'
	ok skerry start e1
	ok skerry exec e1 true
}

case_crash_engine_under_foreground_run() {
	skerry run --name e1 "$IMG" sleep 1000 >o 2>err &
	local cli=$! rc=0
	until_ok 20 is_status e1 running
	kill -9 "$(engine_pid e1)"
	wait "$cli" || rc=$?
	[ "$rc" != 0 ] || fail 'the CLI says that all was well'
	same "$(status e1)" exited
}

case_crash_engine_restart_policy() {
	ok skerry run -d --name e1 --restart always "$IMG" sleep 1000
	kill -9 "$(engine_pid e1)"
	until_ok 30 skerry exec e1 true
	[ "$(field e1 'd["RestartCount"]')" -ge 1 ] || fail 'no restart is counted'
}

keeper_pid() { child_pid "$1" skerry-keeper; }

# case: timeout=120
case_crash_keeper() {
	# The container lives on, and ends as it should; what the keeper was for is said or made up for.
	ok skerry run -d --name k1 "$IMG" sleep 1000
	local k
	k=$(keeper_pid k1)
	[ -n "$k" ] || fail 'there is no keeper'
	kill -9 "$k"
	ok skerry exec k1 true
	ok skerry stop -t 0 k1
	same "$(field k1 'd["State"]["ExitCode"]')" 137
	ok skerry start k1
	ok skerry exec k1 true
	ok skerry rm -f k1
	# With a restart policy it cannot be restarted any more: it ends, and says so.
	local until_told='until test -e /go; do sleep 0.2; done'
	ok skerry run -d --name k2 --restart always "$IMG" sh -c "$until_told"
	kill -9 "$(keeper_pid k2)"
	ok skerry exec -d k2 touch /go
	until_ok 30 is_status k2 exited
	has "$(field k2 'd["State"]["Error"]')" 'restarted'
	ok skerry rm k2
	# --rm in the foreground: its CLI does it.
	skerry run --rm --name k3 "$IMG" sh -c "$until_told" &
	local cli=$!
	until_ok 30 is_status k3 running
	kill -9 "$(keeper_pid k3)"
	ok skerry exec -d k3 touch /go
	wait "$cli" || fail "exit code $?"
	same "$(skerry ps -aq)" ''
}

case_crash_file_server() {
	mkdir share
	ok skerry run -d --name s1 -v "$PWD/share:/data" "$IMG" sleep 1000
	local server
	server=$(child_pid s1 skerry-9pd)
	[ -n "$server" ] || fail 'there is no file server'
	kill -9 "$server"
	until_ok 20 is_status s1 exited
	has "$(field s1 'd["State"]["Error"]')" 'file server'
	[ "$(field s1 'd["State"]["ExitCode"]')" != 0 ] || fail 'exit code 0'
	ok skerry start s1
	ok skerry exec s1 touch /data/x
}

# Files that others than root create: the server has acted for them, by which it loses a parent-death signal.
# case: quick
case_crash_monitor_of_file_server() {
	mkdir -m 777 share
	ok skerry run -d --name s1 -v "$PWD/share:/data" "$IMG" sleep 1000
	ok skerry exec -u 1234:1234 s1 touch /data/created
	local server
	server=$(child_pid s1 skerry-9pd)
	[ -n "$server" ] || fail 'there is no file server'
	kill -9 "$(monitor_pid s1)"
	until_ok 5 gone "$server"
}

# case: quick
case_crash_guest_kernel() {
	# The guest's kernel dies of itself.
	ok skerry run -d --name p1 --cap-add ALL --security-opt seccomp=unconfined --security-opt systempaths=unconfined "$IMG" sleep 1000
	skerry exec p1 test -e /proc/sysrq-trigger || skip "this engine's kernel has no sysrq to make it panic"
	try timeout 20 skerry exec p1 sh -c 'mount -o remount,rw /proc/sys 2>/dev/null; mount -t proc proc /mnt; echo 1 >/mnt/sys/kernel/sysrq; echo c >/mnt/sysrq-trigger'
	[ "$rc" != 0 ] || fail 'the exec says that all was well'
	until_ok 20 is_status p1 exited
	has "$(field p1 'd["State"]["Error"]')" 'kernel panicked'
	same "$(field p1 'd["State"]["ExitCode"]')" 137
	has "$(cat "$SKERRY_ROOT"/containers/*/log/console.log)" 'Kernel panic'
	# Also of a container in the foreground.
	expect 137 timeout 60 skerry run --rm --cap-add ALL --security-opt seccomp=unconfined --security-opt systempaths=unconfined "$IMG" \
		sh -c 'mount -t proc proc /mnt; echo 1 >/mnt/sys/kernel/sysrq; echo c >/mnt/sysrq-trigger; sleep 1000'
	has "$err" 'kernel panicked'
}

case_crash_fsynced_data_stays() {
	ok skerry run -d --name db "$IMG" bash -c '
		i=0
		while :; do
			i=$((i + 1)); echo "row $i" >>/root/rows; sync /root/rows || exit 1; echo "$i"
		done'
	sleep 3
	local last e
	e=$(engine_pid db)
	kill -9 "$e"
	until_ok 15 is_status db exited
	last=$(skerry logs db | tail -1)
	[ "$last" -gt 5 ] || fail "only $last rows"
	ok skerry start db
	ok skerry exec db grep -cx "row $last" /root/rows
	same "$out" 1 "row $last, which was reported as written"
	ok skerry exec db sh -c 'touch /root/new && ls /root'
}

case_crash_image_store() {
	# An import killed at any moment leaves the store whole.
	local i
	for i in 1 2 3 4 5 6; do
		timeout -s KILL "0.$((i * 15))" skerry import "$TAR" "torn:$i" >/dev/null 2>&1 || true
	done
	ok skerry images
	run "$IMG" true
	for i in $(skerry images --format '{{.Repository}}:{{.Tag}}' | grep torn || true); do
		run "$i" true
		ok skerry rmi "$i"
	done
	ok skerry prune -f
	# Nothing half-made stays: what is there belongs to the test image.
	[ "$(find "$SKERRY_ROOT/images" -name '*.tmp*' | wc -l)" = 0 ] || fail "$(find "$SKERRY_ROOT/images" -name '*.tmp*')"
}

# A guest that does not answer any more, as a hostile one would: its kernel is stopped.
# case: timeout=120
case_crash_guest_is_silent() {
	ok skerry run -d --name silent "$IMG" sleep 1000
	kill -STOP "$(engine_pid silent)"
	ok timeout -s KILL 60 skerry kill silent
	until_ok 30 silent_has_exited
	same "$(field silent 'd["State"]["ExitCode"]')" 137
	ok skerry start silent
	kill -STOP "$(engine_pid silent)"
	ok timeout -s KILL 60 skerry stop -t 1 silent
	same "$(status silent)" exited
}

silent_has_exited() { [ "$(status silent)" = exited ]; }

# case: timeout=400 full
case_crash_silent_guest_is_asked() {
	ok skerry run -d --name silent "$IMG" sleep 1000
	kill -STOP "$(engine_pid silent)"
	expect 1 timeout -s KILL 150 skerry pause silent
	complaint 'does not answer'
	ok skerry rm -f silent
}
