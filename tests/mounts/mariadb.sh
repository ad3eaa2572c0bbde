#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# mariadb.sh serve|ready|bench N|load|check ACKED, in a container whose /data is a mount.
set -euo pipefail
socket=/run/mysqld/mysqld.sock
sql=(mariadb --no-defaults -S "$socket" -u root -N)
mkdir -p /run/mysqld && chown mysql:mysql /run/mysqld
text="repeat(md5(n), 30)"
# shellcheck source=tests/mounts/acked.sh
. "${0%/*}/acked.sh"

case $1 in
serve)
	if [ ! -e /data/my/mysql ]; then
		mkdir -p /data/my
		chown mysql:mysql /data/my
		mariadb-install-db --no-defaults --user=mysql --datadir=/data/my --auth-root-authentication-method=normal --skip-test-db >/dev/null
	fi
	exec mariadbd --no-defaults --user=mysql --datadir=/data/my --socket="$socket" --skip-networking --innodb-buffer-pool-size=64M \
		--innodb-log-file-size=32M --innodb-flush-log-at-trx-commit=1 --log-bin=/data/my/binlog --sync-binlog=1 --pid-file=/run/mysqld/pid
	;;
ready) exec mariadb-admin --no-defaults -S "$socket" -u root ping ;;
bench)
	"${sql[@]}" -e 'create database if not exists sbtest'
	words=(sysbench oltp_read_write --db-driver=mysql --mysql-socket="$socket" --mysql-user=root --tables=2 --table-size=5000 --threads=4 --time="$2")
	"${sql[@]}" -e 'select 1 from sbtest.sbtest1 limit 1' >/dev/null 2>&1 || "${words[@]}" prepare
	exec "${words[@]}" run
	;;
load)
	sysbench oltp_write_only --db-driver=mysql --mysql-socket="$socket" --mysql-user=root --tables=2 --table-size=5000 --threads=2 --time=1000 run >/dev/null 2>&1 &
	load_rows
	;;
check)
	check_rows "$2"
	for table in t.acked sbtest.sbtest1 sbtest.sbtest2; do
		"${sql[@]}" -e "check table $table extended" | grep -q 'status.*OK' || {
			"${sql[@]}" -e "check table $table extended"
			exit 1
		}
	done
	exec mariadb-dump --no-defaults -S "$socket" -u root --all-databases --result-file=/dev/null
	;;
esac
