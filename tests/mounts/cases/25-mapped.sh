# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# Files that two guests and the host map shared at once.

# beside SCRIPT FILE ARG...: runs the suite's SCRIPT on share/FILE in two guests and on the host at once, numbered from 0 to 2.
beside() {
	local script=$1 who pids=()
	shift
	cp "$SUITE/$script" share
	chmod -R a+rwX share
	for who in 0 1; do
		skerry run --rm -w /w -v "$PWD/share:/w" "$IMG" python3 "$script" "$1" "$who" "${@:2}" >"out$who" 2>"err$who" &
		pids+=($!)
	done
	(cd share && python3 "$script" "$1" 2 "${@:2}") >out2 2>err2
	wait "${pids[0]}"
	wait "${pids[1]}"
}

# A lock on one file orders what is in another; counters in one page do not write over each other.
# case: timeout=120
case_mapped_counters_under_a_lock() {
	local lock
	mkdir share
	for lock in m l; do
		head -c 8192 /dev/zero >share/m
		touch share/l
		beside mapped.py m 200 "$lock"
		same "$(python3 -c 'import struct; d = open("share/m", "rb").read(); print(struct.unpack_from("Q", d, 4096), struct.unpack_from("QQQ", d))')" \
			'(600,) (200, 200, 200)' "with a lock on $lock"
	done
}

# SQLite's write-ahead log: its index is in mapped memory.
# case: timeout=120
case_mapped_sqlite_wal() {
	mkdir share
	chmod 777 share
	beside wal.py db 100
	same "$(cat out0 out1 out2)" $'100 0\n100 0\n100 0' "$(cat err0 err1 err2)"
	same "$(python3 -c 'import sqlite3
d = sqlite3.connect("share/db")
print(d.execute("pragma integrity_check").fetchone()[0], d.execute("select count(*) from rows").fetchone()[0])')" 'ok 300'
}

# Without locks, by those who look again and again.
case_mapped_seen_without_locks() {
	mkdir share
	head -c 4096 /dev/zero >share/f
	chmod -R a+rwX share
	expect 0 skerry run -d --name holder -v "$PWD/share:/w" "$IMG" python3 -c 'import mmap, os, time
m = mmap.mmap(os.open("/w/f", os.O_RDWR), 4096)
m[8] = 1
end = time.time() + 20
while m[0] == 0 and time.time() < end:
    time.sleep(0.05)
print("seen" if m[0] else "not seen")
m[9] = 3'
	until_ok 10 python3 -c 'import sys; sys.exit(open("share/f", "rb").read()[8] != 1)'
	python3 -c 'import mmap, os, time
m = mmap.mmap(os.open("share/f", os.O_RDWR), 4096)
m[0] = 7
end = time.time() + 10
while m[9] == 0 and time.time() < end:
    time.sleep(0.05)
print(m[0], m[9])' >out
	expect 0 skerry wait holder
	expect 0 skerry logs holder
	same "$out" seen
	same "$(cat out)" '7 3'
	expect 0 skerry rm holder
}
