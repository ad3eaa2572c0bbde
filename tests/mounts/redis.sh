#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# redis.sh serve|ready|load POLICY|check ACKED|closed, in a container whose /data is a mount. Started as Redis's official image starts
# it: as root in /data, chown, then as the user redis; with an append-only file that is rewritten often. POLICY is an appendfsync.
set -euo pipefail
cd /data
length=3000 # of the longest value

case $1 in
serve)
	find . ! -user redis -exec chown redis '{}' +
	exec setpriv --reuid redis --regid redis --clear-groups redis-server --dir /data --appendonly yes --appendfsync always \
		--auto-aof-rewrite-min-size 20kb --auto-aof-rewrite-percentage 50 --save '3 10'
	;;
ready) [ "$(redis-cli ping)" = PONG ] ;;
load)
	redis-cli config set appendfsync "$2" >/dev/null
	awk -v n="$(redis-cli --raw get last)" -v length_="$length" 'BEGIN {
		pad = sprintf("%*s", length_, "")
		gsub(" ", "x", pad)
		for (n++; ; n++)
			printf "multi\nset k:%d %d:%s\nset last %d\nexec\necho \"acked %d\"\n", n, n, substr(pad, 1, n % length_), n, n
	}' | stdbuf -oL redis-cli --raw
	;;
check)
	missing=$(redis-cli --raw eval '
		for n = 1, ARGV[1] do
			if redis.call("get", "k:" .. n) ~= n .. ":" .. string.rep("x", n % ARGV[2]) then return n end
		end
		return "none"' 0 "$2" "$length")
	[ "$missing" = none ] || {
		echo "acknowledged, and missing or not whole: $missing"
		exit 1
	}
	;;
# Redis's own look at its files, when it has ended. The log has been rewritten: its first base is gone.
closed)
	ls -l . appendonlydir
	[ ! -e appendonlydir/appendonly.aof.1.base.rdb ]
	redis-check-aof appendonlydir/appendonly.aof.manifest
	redis-check-rdb dump.rdb
	;;
esac
