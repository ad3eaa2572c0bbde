# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034
#
# For tests/oci/engines/*.sh. SKERRY_ENGINE: the engine (auto); SKERRY_TEST_ISOLATION: "uml_isolation" of all guests. Sets: here, build, work (removed at the end), runtime_skerry (a wrapper with the build's programs), rootfs.
# A suite defines case_* functions, which print what they see with runtime $runtime (and $program, its path), and calls run_cases "$@".
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
suite=${SKERRY_SUITE:-$(basename "$0" .sh)}
# shellcheck source=tests/oci/slow.sh
. "$here/../slow.sh"
build=$(cd "${SKERRY_BUILD:-$here/../../../build}" 2>/dev/null && pwd) || {
	echo "tests/oci: no build directory: set SKERRY_BUILD" >&2
	exit 1
}
# What make build has made, when nothing is installed.
: "${SKERRY_GUEST_DIR:=$here/../../../out}"
result() { [ -z "${SKERRY_RESULTS:-}" ] || echo "$*" >>"$SKERRY_RESULTS"; }
skip() {
	result "skip oci/$suite $*"
	echo "SKIPPED oci/$suite: $*"
	exit 0
}
need() {
	local tool
	for tool in "$@"; do
		command -v "$tool" >/dev/null || skip "$tool is not installed"
	done
}
[ "$(id -u)" = 0 ] || skip "needs root"
need runc busybox python3
work=$(mktemp -d "${TMPDIR:-/tmp}/skerry-oci-$suite.XXXXXX")
chmod 755 "$work"
finishers=()
finish() {
	local f
	for f in "${finishers[@]}"; do $f; done
	# of containers that were left behind
	awk -v at="$work/" 'index($2, at) == 1 { print $2 }' /proc/mounts | sort -r | xargs -r -n 1 umount -l
	[ "${KEEP:-}" = 1 ] || rm -rf --one-file-system "$work"
}
trap finish EXIT

engine=${SKERRY_ENGINE:+SKERRY_ENGINE=$SKERRY_ENGINE}
if [ -n "${SKERRY_TEST_ISOLATION:-}" ]; then
	engine+=" SKERRY_CONFIG=$work/settings.json"
	printf '{ "uml_isolation": "%s" }\n' "$SKERRY_TEST_ISOLATION" >"$work/settings.json"
fi
runtime_skerry=$work/skerry
cat >"$runtime_skerry" <<END
#!/bin/sh
export SKERRY_MONITOR=$build/src/vm/skerry-monitor SKERRY_9PD=$build/src/ninepd/skerry-9pd SKERRY_GUEST_DIR=$(cd "$SKERRY_GUEST_DIR" && pwd) $engine
exec $build/src/oci/skerry-oci "\$@"
END
chmod 755 "$runtime_skerry"

rootfs=$work/rootfs
make_rootfs() {
	mkdir -p "$rootfs"/{bin,dev,etc,proc,root,sys,tmp}
	chmod 1777 "$rootfs/tmp"
	cp "$(command -v busybox)" "$rootfs/bin/busybox"
	# One process, not hundreds: an emulated machine starts a few in a second.
	"$rootfs/bin/busybox" --list | python3 -c 'import os, sys
for name in sys.stdin.read().split():
    if name != "busybox":
        os.symlink("busybox", os.path.join(sys.argv[1], name))' "$rootfs/bin"
	printf 'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/:/bin/sh\n' >"$rootfs/etc/passwd"
	printf 'root:x:0:\nuser:x:1000:\n' >"$rootfs/etc/group"
}
make_rootfs

# Waits until a command succeeds (30 s at most).
wait_for() {
	local end=$((SECONDS + $(slow 30)))
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || {
			echo "waited in vain for: $*"
			return 1
		}
		sleep 0.1
	done
}

# What differs by nature: a suite may define its own.
same_words() { sed -E -e 's/[0-9a-f]{12,64}/ID/g'; }

# compared NAME: runs a case with runc and with skerry. Are their outputs the same?
compared() {
	local name=$1 call=case_$1
	[[ $name == full_* ]] && call=$name
	for runtime in runc skerry; do
		program=$(command -v runc)
		[ "$runtime" = runc ] || program=$runtime_skerry
		(
			"$call"
			echo "exit $?"
			type -t after_case >/dev/null && after_case
		) 2>&1 </dev/null | same_words >"$work/$name.$runtime.out"
	done
	cmp -s "$work/$name.runc.out" "$work/$name.skerry.out"
}
show_difference() { diff -u "$work/$1.runc.out" "$work/$1.skerry.out" | sed 1,2d; }

# Each case with runc and with skerry, and what they print compared. Cases named full_* only in the full run. Another suite runs beside this one: what fails is
# run once more at the end, and passes then as "again", which the summary lists.
run_cases() {
	local name passed=0 failed=0 all=() again=()
	if [ $# -gt 0 ]; then
		all=("$@")
	else
		mapfile -t all < <(declare -F | sed -n 's/^declare -f case_//p')
		[ "${SKERRY_TEST_FULL:-0}" = 1 ] && mapfile -t -O "${#all[@]}" all < <(declare -F | sed -n 's/^declare -f full_/full_/p')
	fi
	for name in "${all[@]}"; do
		[ "$(type -t "case_$name")" = function ] || [[ $name == full_* ]] || name=full_$name
		if compared "$name" && [ -s "$work/$name.runc.out" ] && [ "$(tail -n 1 "$work/$name.runc.out")" != "exit 127" ]; then
			passed=$((passed + 1))
			echo "ok      $suite/$name"
			result "pass oci/$suite/$name"
		elif [ ! -s "$work/$name.runc.out" ] || [ "$(tail -n 1 "$work/$name.runc.out")" = "exit 127" ]; then
			failed=$((failed + 1))
			echo "FAILED  $suite/$name: there is no such case"
			result "fail oci/$suite/$name"
		else
			echo "failed, to be run again: $suite/$name (- runc, + skerry)"
			show_difference "$name"
			again+=("$name")
		fi
	done
	for name in "${again[@]}"; do
		if compared "$name"; then
			passed=$((passed + 1))
			echo "ok      $suite/$name, the second time"
			result "again oci/$suite/$name"
		else
			failed=$((failed + 1))
			result "fail oci/$suite/$name"
			echo "FAILED  $suite/$name (- runc, + skerry)"
			show_difference "$name"
		fi
	done
	echo "tests/oci/$suite: $passed passed, $failed failed"
	[ "$failed" = 0 ]
}
# For podman's suites, which define p: the container "files" runs, and what it has changed of its image is shown.
changed_files() {
	p run -d --name files box sh -c 'echo 1 >/etc/made; rm /etc/group; sleep 1000' >/dev/null
	wait_for p exec files test -e /etc/made
	p diff files | sort
	p cp files:/etc/made - | tar -xO
}
