#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# rocksdb.sh load DB OPTION...|check DB ACKED, in a container whose /data is a mount: RocksDB's db_bench writes records one after the other,
# key 0, 1, 2…, as the user nobody. load prints "acked N" when the first N are written, as db_bench says it after each hundred.
set -euo pipefail
db=/data/$2
as=(setpriv --reuid nobody --regid nogroup --clear-groups)

case $1 in
load)
	shift 2
	mkdir -p "$db"
	chown nobody:nogroup "$db"
	# Small tables, so that flushes and compactions go on all the while.
	"${as[@]}" db_bench --benchmarks=fillseq --db="$db" --num=100000000 --value_size=700 --compression_type=none --stats_interval=100 --threads=1 \
		--write_buffer_size=400000 --target_file_size_base=400000 --max_bytes_for_level_base=2000000 --seed=1 "$@" 2>&1 >/tmp/out |
		stdbuf -oL sed -n 's/.*thread 0: ([0-9]*,\([0-9]*\)) ops.*/acked \1/p'
	cat /tmp/out >&2
	;;
check)
	"${as[@]}" ldb --db="$db" checkconsistency
	"${as[@]}" db_bench --db="$db" --use_existing_db=1 --benchmarks=verifychecksum,readseq --num=1000
	# Every key up to the last one acknowledged, without a gap.
	"${as[@]}" ldb --db="$db" scan --hex --no_value | awk -v wanted="$3" '
		{
			if (substr($1, 3, 16) != sprintf("%016X", n)) { print "record " n " is missing, there is " $0; exit 1 }
			n++
		}
		END {
			print n " records"
			if (n < wanted) { print "of " wanted; exit 1 }
		}'
	;;
esac
