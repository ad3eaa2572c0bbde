# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# What a guest may do without asking the file server, and that it misses nothing by it.
# shellcheck source=tests/mounts/lib.sh
. "$SUITE/lib.sh"

# The file server of a container.
server_of() { pgrep -P "$(monitor_pid "$1")" -f '^skerry-9pd ' | head -n 1; }
deleted_of() { find "/proc/$1/fd" -printf '%l\n' 2>/dev/null | grep -c -- "$2.*deleted" || true; }

# Opens of files that are only read, stat, names that do not exist, listings and starts of programs need no message the
# second time: they work while the file server stands still.
# case: timeout=200 quick
case_leases_need_no_server() {
	local pid guest
	mkdir -p share/sub
	for i in 1 2 3 4 5 6 7 8; do echo "$i" | tee "share/$i" >"share/sub/$i"; done
	ln -s 1 share/link
	printf '#!/bin/sh\nexit 3\n' >share/program
	chmod 755 share/program
	# No network: a packet that happens to come makes the next open ask.
	serve_in one --network none -v "$PWD/share:/data" "$IMG" sleep 10000
	pid=$(server_of one)
	skerry exec one python3 /suite/leases.py quiet /data 4 >"$WORK/said" &
	guest=$!
	until_ok 60 grep -q ready "$WORK/said"
	kill -STOP "$pid"
	sleep 8
	cp "$WORK/said" "$WORK/meanwhile"
	kill -CONT "$pid"
	wait "$guest" || fail 'the program failed'
	grep -q '^done' "$WORK/meanwhile" || fail "something was asked for: $(cat "$WORK/said")"
}

# Whoever is told of a change finds it, whichever way it was made, though nothing is asked for in between.
# case: timeout=300
case_leases_changes_are_found() {
	local how
	mkdir share
	chmod 777 share
	serve_in one -v "$PWD/share:/data" "$IMG" sleep 10000
	for how in write stay rename remove; do
		ok python3 "$SUITE/change.py" "$how" "$(long 100 1000)" "share/$how" skerry exec -i one python3 /suite/leases.py told "/data/$how"
		has "$out" 'opened [0-9]+ wrong 0' "$how"
	done
	# And what this guest does itself.
	ok skerry exec one sh -c 'cd /data; echo a >own; cat own own; echo b >own; cat own; echo c >new; mv new own; cat own; rm own; cat own 2>/dev/null || echo gone'
	same "$out" "$(printf 'a\na\nb\nc\ngone')"
	# Modes count from the notice on, also for opens that ask nobody.
	[ "$(id -u)" = 0 ] || return 0
	echo secret >share/secret
	chmod 644 share/secret
	ok skerry exec -u 1234 one sh -c 'cat /data/secret; cat /data/secret'
	chmod 600 share/secret
	until_ok 10 sh -c '! skerry exec -u 1234 one cat /data/secret'
}

# Files that are kept open for the next open are bounded, and are given up when their names go.
# case: timeout=300
case_leases_are_bounded() {
	local pid reader fds
	mkdir share
	chmod 777 share
	serve_in one -v "$PWD/share:/data" "$IMG" sleep 10000
	pid=$(server_of one)
	for ((i = 0; i < 5000; i++)); do echo "$i" >"share/$i"; done
	mkfifo in
	skerry exec -i one python3 /suite/leases.py many /data 5000 <in >"$WORK/said" &
	reader=$!
	exec 7>in
	until_ok 120 grep -q read "$WORK/said"
	fds=$(find "/proc/$pid/fd" | wc -l)
	[ "$fds" -lt 6000 ] || fail "the file server has $fds descriptors"
	[ "$fds" -gt 1000 ] || fail "nothing was kept: the file server has $fds descriptors"
	# The host's space is free again.
	rm -f share/[0-4]*
	until_ok 20 sh -c "[ \$(find /proc/$pid/fd -printf '%l\n' 2>/dev/null | grep -c 'share/.*deleted') = 0 ]"
	ok skerry exec one sh -c 'cat /data/5 /data/5; rm /data/5'
	same "$(deleted_of "$pid" /5)" 0 'a file that the guest has removed is still open'
	echo >&7
	exec 7>&-
	wait "$reader" || fail 'the reader failed'
}
