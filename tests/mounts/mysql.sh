#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# mysql.sh serve|ready|load|check ACKED, in a container whose /data is a mount. MySQL's own defaults: O_DIRECT, doublewrite buffer,
# redo log, binary log. Started as its official image starts it: as root, chown -R, then as the user mysql.
set -euo pipefail
socket=/data/my/mysqld.sock
sql=(mysql --no-defaults -S "$socket" -u root -N --batch)
text="repeat(sha2(n, 256), 15)"
# shellcheck source=tests/mounts/acked.sh
. "${0%/*}/acked.sh"

case $1 in
serve)
	mkdir -p /data/my
	chown -R mysql:mysql /data/my
	chmod 750 /data/my
	as=(setpriv --reuid mysql --regid mysql --clear-groups mysqld --no-defaults --datadir=/data/my)
	[ -d /data/my/mysql ] || "${as[@]}" --initialize-insecure
	exec "${as[@]}" --socket="$socket" --pid-file=/data/my/pid --mysqlx=OFF --skip-networking
	;;
ready) exec mysqladmin --no-defaults -S "$socket" -u root ping ;;
load)
	load_rows
	;;
check)
	check_rows "$2"
	"${sql[@]}" -e 'select @@innodb_flush_method, @@innodb_doublewrite' | grep -q '^O_DIRECT.ON'
	"${sql[@]}" -e 'check table t.acked extended' | grep -q 'status.*OK'
	;;
*)
	echo "unknown word: $1" >&2
	exit 2
	;;
esac
