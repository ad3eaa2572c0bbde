#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# postgres.sh serve|ready|sql|bench N|load|kill|check ACKED, in a container whose /data is a mount.
set -euo pipefail
bin=$(echo /usr/lib/postgresql/*/bin)
export PGHOST=/run/postgresql PGUSER=postgres PGOPTIONS='-c client_min_messages=warning'
as() { exec setpriv --reuid postgres --regid postgres --clear-groups "$@"; }
psql=(psql -X -q -v ON_ERROR_STOP=1)
mkdir -p /run/postgresql && chown postgres:postgres /run/postgresql

case $1 in
serve)
	if [ ! -e /data/pg/PG_VERSION ]; then
		mkdir -p /data/pg
		chown postgres:postgres /data/pg
		chmod 700 /data/pg
		(as "$bin/initdb" -D /data/pg -A trust --data-checksums -E UTF8 --locale=C.UTF-8)
		printf 'shared_buffers=64MB\nmax_wal_size=128MB\nmax_prepared_transactions=5\nlisten_addresses=\x27\x27\n' >>/data/pg/postgresql.conf
	fi
	as "$bin/postgres" -D /data/pg
	;;
ready) exec "$bin/pg_isready" -q ;;
sql)
	mkdir -p /data/space && chown postgres:postgres /data/space
	"${psql[@]}" -v space=/data/space -f /suite/postgres.sql postgres
	# A copy of the running server, checked file by file.
	mkdir -p /data/copy && chown postgres:postgres /data/copy
	(as "$bin/pg_basebackup" -D /data/copy -X stream -c fast)
	"$bin/pg_verifybackup" -q /data/copy
	rm -r /data/copy
	;;
bench)
	[ -n "$("${psql[@]}" -tc "select 1 from pg_class where relname='pgbench_accounts'" postgres)" ] || "$bin/pgbench" -q -i -s 2 postgres
	exec "$bin/pgbench" -n -c 4 -j 2 -T "$2" postgres
	;;
load)
	"${psql[@]}" -c 'create table if not exists acked(n bigint primary key, t text)' postgres
	"$bin/pgbench" -n -c 3 -T 1000 postgres >/dev/null 2>&1 &
	first=$("${psql[@]}" -tAc 'select coalesce(max(n),0)+1 from acked' postgres)
	seq "$first" 100000000 | while read -r n; do
		echo "insert into acked values($n, repeat(md5('$n'), 30));"
		printf "\\\\echo acked %s\n" "$n"
	done | "${psql[@]}" postgres
	;;
kill)
	for p in /proc/[0-9]*; do
		if grep -qa '^postgres: checkpointer' "$p/cmdline" 2>/dev/null; then kill -9 "${p#/proc/}" && exit; fi
	done
	exit 1
	;;
check)
	[ "$("${psql[@]}" -tAc "select count(*) from acked where n <= $2" postgres)" = "$2" ] || {
		echo "acknowledged rows are missing: $("${psql[@]}" -tAc 'select count(*), max(n) from acked' postgres) of $2"
		exit 1
	}
	[ "$("${psql[@]}" -tAc "select count(*) from acked where t <> repeat(md5(n::text), 30)" postgres)" = 0 ]
	sums=$("${psql[@]}" -tAc 'select (select sum(abalance) from pgbench_accounts)=(select sum(tbalance) from pgbench_tellers)
		and (select sum(abalance) from pgbench_accounts)=(select sum(bbalance) from pgbench_branches)
		and (select sum(abalance) from pgbench_accounts)=(select coalesce(sum(delta),0) from pgbench_history)' postgres)
	[ "$sums" = t ] || {
		echo "transactions were torn: $sums"
		exit 1
	}
	"${psql[@]}" -c 'create extension if not exists amcheck' postgres
	"${psql[@]}" -tAc "select count(bt_index_check(c.oid, true)) from pg_index i join pg_class c on i.indexrelid=c.oid join pg_am a on c.relam=a.oid
		where a.amname='btree' and c.relpersistence='p' and i.indisvalid" postgres
	exec "$bin/pg_dump" -f /dev/null postgres
	;;
esac
