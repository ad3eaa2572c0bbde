#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# borg.sh init|load|check ACKED, in a container whose /data is a mount: Borg's repository, its cache, and a tree that is saved again and again.
# load prints "acked N" when archive N was made.
set -euo pipefail
export BORG_BASE_DIR=/data/home BORG_REPO=/data/repo BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes BORG_RELOCATED_REPO_ACCESS_IS_OK=yes

# The tree as archive N has it: some files of each round, one that grows, one that is replaced.
make_round() {
	local dir=/data/tree/$(($1 % 10))
	rm -rf "$dir"
	mkdir -p "$dir"
	seq "$1" $(($1 + 20000)) >"$dir/numbers"
	seq "$1" $(($1 + 50)) | split -l 1 - "$dir/file."
	ln -sf "numbers $1" "$dir/link"
	echo "round $1" >>/data/tree/all
	echo "round $1" >/data/tree/last.new
	mv /data/tree/last.new /data/tree/last
}
sums() { (cd "$1" && find . -type f ! -name '*.new' -print0 | sort -z | xargs -0 sha256sum && find . -type l -printf '%p %l\n' | sort); }

case $1 in
init)
	mkdir -p /data/tree
	borg init --encryption none
	;;
load)
	n=$(borg list --short | sed -n 's/^a//p' | sort -n | tail -1)
	for ((n = ${n:-0} + 1; ; n++)); do
		make_round "$n"
		sums /data/tree >"/data/sums.$n"
		borg create --compression none "::a$n" /data/tree
		sync "/data/sums.$n"
		echo "acked $n"
		# Old ones go, so that segments are compacted.
		if [ $((n % 4)) = 0 ]; then
			borg delete "::a$((n - 3))"
			borg compact --threshold 1
		fi
	done
	;;
check)
	# The one that was killed has left its lock.
	borg break-lock
	borg check --verify-data
	n=$2
	borg list --short
	# The last one acknowledged, and the ones before that were not deleted.
	for ((n = $2; n > 0 && n > $2 - 3; n--)); do
		[ "$((n % 4))" != 1 ] || [ "$n" = "$2" ] || continue
		rm -rf /tmp/out && mkdir /tmp/out
		(cd /tmp/out && borg extract "::a$n")
		sums /tmp/out/data/tree | cmp - "/data/sums.$n"
	done
	;;
esac
