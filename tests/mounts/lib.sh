# shellcheck shell=bash disable=SC2154,SC2034
# SPDX-License-Identifier: Apache-2.0
#
# Words for the cases of mounts, on top of tests/e2e/lib.sh.

full=${SKERRY_TEST_FULL:-0}
[ "${SKERRY_TEST_SHORT:-0}" = 0 ] || full=0 # all cases, with little work each
# long SHORT FULL: a number for each form.
long() { if [ "$full" = 1 ]; then echo "$2"; else echo "$1"; fi; }

# "bind" or "volume": where the data are; sets $data to what -v wants before the colon. The directory is empty and belongs to the user,
# or is the file system that the case is on (mount=KIND).
place() {
	case $1 in
	bind)
		data=${E2E_MOUNT:-$WORK/data}
		mkdir -p "$data"
		;;
	volume) data=data ;;
	esac
}

# serve_in NAME ARG...: a detached container with the suite's scripts in /suite.
serve_in() {
	local name=$1
	shift
	ok skerry run -d --name "$name" --hostname "$name" -v "$SUITE:/suite:ro" "$@"
}

# Power cut: the whole VM, at once.
kill_vm() {
	local engine
	engine=$(engine_pid "$1")
	kill -9 "$engine"
	until_ok 30 gone "$engine"
	until_ok 30 is_status "$1" exited
}

# ready SECONDS NAME COMMAND...: until the command succeeds in the container; fails early when that has ended.
ready() {
	local end=$((SECONDS + $(slow "$1"))) name=$2
	shift 2
	until skerry exec "$name" "$@" >/dev/null 2>&1; do
		if ! is_status "$name" running; then
			skerry logs --tail 30 "$name" || true
			fail "$name ended"
		fi
		if [ "$SECONDS" -gt "$end" ]; then
			skerry logs --tail 30 "$name" || true
			fail "$name does not get ready: $*"
		fi
		sleep 0.5
	done
}

# Kills what the container runs, nothing else: what it has written is in the guest's memory, or on its way, and has to get to the data.
kill_container() {
	ok skerry kill -s KILL "$1"
	until_ok 60 is_status "$1" exited
}

# load_until KILLER NAME SECONDS COMMAND...: runs COMMAND in the container, which prints a line for all that was acknowledged; SECONDS after the
# first one calls KILLER (kill_vm, kill_container). The lines are in $WORK/acked.
load_until() {
	local killer=$1 name=$2 seconds=$3 loader
	shift 3
	skerry exec "$name" "$@" >"$WORK/acked" 2>"$WORK/load.err" &
	loader=$!
	until_ok 180 test -s "$WORK/acked"
	sleep "$seconds"
	kill -0 "$loader" 2>/dev/null || {
		cat "$WORK/load.err"
		fail "the load ended by itself: $*"
	}
	"$killer" "$name"
	wait "$loader" || true
	[ -s "$WORK/acked" ] || {
		cat "$WORK/load.err"
		fail "nothing was acknowledged in $seconds s"
	}
	printf 'acknowledged before %s: %s\n' "$killer" "$(wc -l <"$WORK/acked")"
}
# The same with a power cut.
load_until_killed() { load_until kill_vm "$@"; }

# The number in the last line that is whole (the power cut may have cut one).
last_acked() { sed -n '/^acked [0-9][0-9]* *$/p' "$WORK/acked" | tail -1 | cut -d' ' -f2; }

# import_image NAME: imports an image of ./images, which ./run has made.
import_image() {
	[ -s "$E2E_STAGE/$1.tar" ] || skip "the image $1 could not be made"
	ok skerry import "$E2E_STAGE/$1.tar" "$1"
}

# The translated code of a Java, Erlang or JavaScript machine does not fit into what idle guests get.
large_program() {
	settings '"tcg_buffer": 96'
	export SKERRY_CONFIG=$WORK/settings.json
}
