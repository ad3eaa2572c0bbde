# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# Databases from Debian's packages on a directory of the host and on a volume: started, loaded, killed with -9 (the whole VM; a process of theirs),
# started again, and everything that was acknowledged has to be there.
# shellcheck source=tests/mounts/lib.sh
. "$SUITE/lib.sh"

postgres_on() {
	place "$1"
	serve_in pg -m 1g --shm-size 128m -v "$data:/data" "$IMG" bash /suite/postgres.sh serve
	ready 240 pg bash /suite/postgres.sh ready
	ok skerry exec pg stat -c '%U %a' /data/pg
	same "$out" 'postgres 700'
	ok skerry exec pg bash /suite/postgres.sh sql
	ok skerry exec pg bash /suite/postgres.sh bench "$(long 3 20)"
	hasnt "$out" 'number of transactions actually processed: 0$'
	load_until_killed pg "$(long 6 20)" bash /suite/postgres.sh load
	ok skerry start pg
	ready 240 pg bash /suite/postgres.sh ready
	ok skerry exec pg bash /suite/postgres.sh check "$(last_acked)"
	# A process of it dies: the others recover by themselves.
	ok skerry exec pg bash /suite/postgres.sh kill
	ready 240 pg bash /suite/postgres.sh ready
	ok skerry exec pg bash /suite/postgres.sh check "$(last_acked)"
	ok skerry exec pg bash /suite/postgres.sh sql
	ok skerry stop -t 60 pg
	# And a container of another name on the same data.
	ok skerry rm pg
	serve_in pg2 -m 1g --shm-size 128m -v "$data:/data" "$IMG" bash /suite/postgres.sh serve
	ready 240 pg2 bash /suite/postgres.sh ready
	ok skerry exec pg2 bash /suite/postgres.sh check "$(last_acked)"
}
# case: timeout=900
case_db_postgres_bind() { postgres_on bind; }
# case: timeout=900 full
case_db_postgres_volume() { postgres_on volume; }

mariadb_on() {
	place "$1"
	serve_in my -m 1g --init -v "$data:/data" "$IMG" bash /suite/mariadb.sh serve
	ready 300 my bash /suite/mariadb.sh ready
	ok skerry exec my bash /suite/mariadb.sh bench "$(long 3 20)"
	load_until_killed my "$(long 6 20)" bash /suite/mariadb.sh load
	ok skerry start my
	ready 300 my bash /suite/mariadb.sh ready
	ok skerry exec my bash /suite/mariadb.sh check "$(last_acked)"
	# The server alone, its container goes with it.
	skerry exec my bash /suite/mariadb.sh load >"$WORK/acked2" 2>/dev/null &
	until_ok 60 grep -q '^acked' "$WORK/acked2"
	sleep 5
	ok skerry exec my bash -c 'kill -9 $(cat /run/mysqld/pid)'
	until_ok 60 is_status my exited
	wait $! || true
	ok skerry start my
	ready 300 my bash /suite/mariadb.sh ready
	ok skerry exec my bash /suite/mariadb.sh check "$(sed -n 's/^acked \([0-9]*\)$/\1/p' "$WORK/acked2" | tail -1)"
	ok skerry stop -t 60 my
}
# case: timeout=1200 full
case_db_mariadb_bind() { mariadb_on bind; }
# case: timeout=1200 full
case_db_mariadb_volume() { mariadb_on volume; }

rabbitmq_on() {
	large_program
	place "$1"
	serve_in mq -m 1g -v "$data:/data" "$IMG" bash /suite/rabbitmq.sh serve
	ready 400 mq bash /suite/rabbitmq.sh ready
	ok skerry exec mq stat -c '%U %a' /data/.erlang.cookie
	has "$out" '^rabbitmq [46]00$'
	load_until_killed mq "$(long 10 20)" python3 /suite/rabbitmq.py publish
	ok skerry start mq
	ready 400 mq bash /suite/rabbitmq.sh ready
	ok skerry exec mq stat -c '%U %a' /data/.erlang.cookie
	has "$out" '^rabbitmq [46]00$'
	ok skerry exec mq python3 /suite/rabbitmq.py consume "$(last_acked)"
	ok skerry stop -t 90 mq
}
# case: timeout=1500 full
case_db_rabbitmq_bind() { rabbitmq_on bind; }
# case: timeout=1500 full
case_db_rabbitmq_volume() { rabbitmq_on volume; }

# Writers in two containers on one file. (WAL shares memory between its processes: that is for one container.)
sqlite_on() {
	local n
	n=$(long 60 400)
	place "$1"
	serve_in one -m 256m -v "$data:/data" "$IMG" sleep 10000
	serve_in two -m 256m -v "$data:/data" "$IMG" sleep 10000
	ok skerry exec one python3 /suite/sqlite.py init
	skerry exec one python3 /suite/sqlite.py write one "$n" >"$WORK/o1" 2>&1 &
	local a=$!
	skerry exec two python3 /suite/sqlite.py write two "$n" >"$WORK/o2" 2>&1 &
	local b=$!
	wait "$a" || fail "writer one: $(cat "$WORK/o1")"
	wait "$b" || fail "writer two: $(cat "$WORK/o2")"
	ok skerry exec one python3 /suite/sqlite.py check one "$n" two "$n"
	ok skerry exec two python3 /suite/sqlite.py check one "$n" two "$n"
	# One of them dies in the middle: the other goes on, and what the first had committed stays.
	skerry exec two python3 /suite/sqlite.py write other "$((n * 2))" >"$WORK/o2" 2>&1 &
	b=$!
	load_until_killed one 4 python3 /suite/sqlite.py write killed 1000000
	wait "$b" || fail "the writer that was left: $(cat "$WORK/o2")"
	ok skerry exec two python3 /suite/sqlite.py check one "$n" two "$n" other "$((n * 2))" killed ">=$(last_acked)"
	# In one container, WAL too.
	ok skerry exec two python3 /suite/sqlite.py wal 3 "$n"
	if [ "$1" = bind ]; then
		same "$(sqlite3 "$data/db" 'pragma integrity_check' 2>&1 || echo unreadable)" ok 'on the host'
	fi
}
# case: timeout=900
case_db_sqlite_bind() { sqlite_on bind; }
# case: timeout=900
case_db_sqlite_volume() { sqlite_on volume; }

git_on() {
	place "$1"
	serve_in repo -m 512m -v "$data:/data" "$IMG" sleep 10000
	ok skerry exec repo bash /suite/git.sh make "$(long 200 1500)"
	ok skerry exec repo bash /suite/git.sh work
	skerry exec repo bash /suite/git.sh endless >"$WORK/acked" 2>&1 &
	sleep "$(long 4 15)"
	kill_vm repo
	wait $! || true
	ok skerry start repo
	ok skerry exec repo bash /suite/git.sh check
}
# case: timeout=900
case_db_git_bind() { git_on bind; }
# case: timeout=900
case_db_git_volume() { git_on volume; }

jvm_on() {
	local n
	large_program
	n=$(long 200 1000)
	place "$1"
	serve_in j1 -m 768m -v "$data:/data" "$IMG" sleep 10000
	serve_in j2 -m 768m -v "$data:/data" "$IMG" sleep 10000
	ok skerry exec j1 java /suite/Files9p.java /data files "$n"
	# Two machines count up one number in a file under a FileChannel's lock.
	skerry exec j1 java /suite/Files9p.java /data count "$n" >"$WORK/o1" 2>&1 &
	local a=$!
	skerry exec j2 java /suite/Files9p.java /data count "$n" >"$WORK/o2" 2>&1 &
	local b=$!
	wait "$a" || fail "one: $(cat "$WORK/o1")"
	wait "$b" || fail "two: $(cat "$WORK/o2")"
	ok skerry exec j1 java /suite/Files9p.java /data expect "$((2 * n))"
	load_until_killed j1 12 java /suite/Files9p.java /data journal 100000000
	ok skerry start j1
	ok skerry exec j1 java /suite/Files9p.java /data journal-check "$(last_acked)"
}
# case: timeout=900 full
case_db_jvm_bind() { jvm_on bind; }
# case: timeout=900 full
case_db_jvm_volume() { jvm_on volume; }
