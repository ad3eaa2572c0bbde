# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# cthon04, the Connectathon tests: basic, special and lock. (general measures compilers and nroff.)

flags='-DLINUX -DHAVE_SOCKLEN_T -DGLIBC=22 -DMMAP -DSTDARG -std=gnu89 -w'

# report NAME COMMAND…
report() {
	local name=$1 rc=0
	shift
	timeout 300 "$@" >"$log" 2>&1 </dev/null || rc=$?
	if [ "$rc" = 0 ]; then echo "pass $name"; else echo "fail $name" && sed 's/^/# /' "$log"; fi
}

run_basic() {
	local test
	for test in "$SUITE"/basic/test[1-9]*; do
		[[ $test == *.[co] ]] || report "basic/${test##*/}" env NFSTESTDIR="$place/basic" "$test" -t
	done
}

# What runtests.wrk runs.
run_special() {
	local test
	mkdir "$place/special" && cd "$place/special" || exit 1
	for test in op_unlk op_ren op_chmod 'dupreq 100 name' excltest 'negseek name' 'rename 100' truncate holey 'nfsidem 50 dir' \
		rewind telldir freesp 'bigfile -s 10 name' 'bigfile2 name'; do
		# shellcheck disable=SC2086 # a command and its arguments
		report "special/${test%% *}" "$SUITE/special/"$test
	done
	cd "$place" || exit 1
}

run_lock() {
	local program
	for program in tlocklfs tlock64; do
		[ -x "$SUITE/lock/$program" ] || continue
		mkdir "$place/$program"
		timeout 300 "$SUITE/lock/$program" -t "$place/$program" 2>&1 </dev/null | awk -v p="lock/$program" '
			/(Parent|Child): *[0-9.]+ / {
				sub(/.*(Parent|Child): */, "")
				print (/PASSED|WARNING/ ? "pass " : "fail ") p ":" $1
				seen++
			}
			/^\*\* PARENT pass/ { ended = 1 }
			{ print "# " $0 }
			END { print (seen && ended ? "pass " : "fail ") p ":ran-to-its-end" }'
	done
}

case $1 in
kind) echo files ;;
packages) echo openssl ;;
build)
	make -C basic CFLAGS="$flags" LIBS= && make -C lock CFLAGS="$flags" LIBS=-lm tlocklfs tlock64
	make -k -C special CFLAGS="$flags" LIBS= || true
	;;
run)
	place=$PWD
	log=$(mktemp)
	run_basic
	run_special
	run_lock
	;;
esac
