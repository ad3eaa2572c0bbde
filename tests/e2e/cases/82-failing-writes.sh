# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# Each write of ours fails once, with ENOSPC and EIO (inject.c): the command says so and what it was, its exit code is not 0, the
# store is consistent, and the next command works.

build_injector() {
	cc -shared -fPIC -O1 -o "$WORK/inject.so" "$here/inject.c" -ldl || skip 'no C compiler here'
	head -c 4096 /dev/zero >"$WORK/calls"
}

# failing N ERRNO COMMAND...: the Nth change below the store fails; which one, in $failed.
failing() {
	local n=$1 error=$2
	shift 2
	: >"$WORK/calls"
	truncate -s 4096 "$WORK/calls"
	try env LD_PRELOAD="$WORK/inject.so" INJECT_ROOT="$SKERRY_ROOT" INJECT_STATE="$WORK/calls" INJECT_NTH="$n" INJECT_ERRNO="$error" timeout 60 "$@"
	failed=$(tail -c +9 "$WORK/calls" | tr -d '\0')
}

# What may fail unheard: nothing depends on it.
is_spare() {
	case $1 in *' /events.jsonl'* | 'open /images/lock' | *refs.json.old | 'fsync /images' | *'/cpus/'* | *monitor.log) return 0 ;; esac
	return 1
}

# each_write PREPARATION COMMAND...: the errors take turns, or one after the other where there is time.
each_write() {
	local prepare=$1 n error errors
	shift
	for ((n = 1; ; n++)); do
		errors=$((n % 2 ? 28 : 5))
		[ "${SKERRY_TEST_FULL:-0}" != 1 ] || errors='28 5'
		for error in $errors; do
			eval "$prepare" >/dev/null 2>&1 || true
			failing "$n" "$error" "$@"
			[ -n "$failed" ] || return 0
			if ! is_spare "$failed"; then
				[ "$rc" != 0 ] || fail "$*: exit code 0, but this failed: $failed"
				has "$err" 'No space left on device|no space left|Input/output error' "the error of $* when this failed: $failed"
			fi
			ok skerry system check
		done
	done
}

# The names are no beginnings of ids: those of what is gone would mean what is still there.
# case: timeout=180
case_failing_writes_of_commands() {
	build_injector
	SKERRY_ROOT=$WORK/small
	mkdir layer
	echo hi >layer/a
	tar -C layer -cf l.tar .
	ok skerry import l.tar base:1
	ok skerry create --name n0 base:1 true
	each_write 'skerry rmi -f x:1' skerry import l.tar x:1
	each_write '' skerry tag base:1 y:1
	each_write 'skerry tag base:1 z:1' skerry rmi z:1
	each_write 'skerry volume rm v1' skerry volume create v1
	each_write 'skerry volume create v2' skerry volume rm v2
	each_write 'skerry rm -f n1' skerry create --name n1 base:1 true
	each_write 'skerry create --name n2 base:1 true' skerry rm n2
	each_write 'skerry rm -f n3 n4; skerry create --name n3 base:1 true' skerry rename n3 n4
	each_write '' skerry update --restart always n0
	ok skerry inspect n0
}

# A run: what the container did counts where it could be done, else the state names the disk.
# case: full timeout=600
case_failing_writes_of_a_run() {
	local n error
	build_injector
	for ((n = 1; ; n++)); do
		for error in 28 5; do
			skerry rm -f r1 >/dev/null 2>&1 || true
			failing "$n" "$error" skerry run --name r1 "$IMG" sh -c 'echo hello; sync; echo x >/x; sync; exit 7'
			[ -n "$failed" ] || return 0
			case $rc in
			7)
				same "$out" hello
				same "$(field r1 '[d["State"]["Status"], d["State"]["ExitCode"]]')" '["exited", 7]' "the state when this failed: $failed"
				has "$(skerry logs r1 2>&1)" '^hello$' "the log when this failed: $failed"
				[ -z "$err" ] || has "$(field r1 'd["State"]["Error"]')" 'writes of the container are lost' "when this failed: $failed"
				;;
			*)
				same "$rc" 125 "the exit code when this failed: $failed"
				has "$err" 'No space left on device|Input/output error' "the error when this failed: $failed"
				;;
			esac
		done
	done
}
