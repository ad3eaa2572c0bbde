# SPDX-License-Identifier: Apache-2.0
#
# bash tests/oci/engines/nested.sh [CASE …]: control groups of version 2 with all controllers, whatever this machine has: in a VM of the engine tcg, whose kernel has
# nothing else, with User-mode Linux in that. Limits of every kind, their updates, events, a container that runs out of memory, and what a removed one leaves behind.
# A guest in an emulated machine: minutes, and 40 of them at the most. Runs in make test-full.
# shellcheck shell=bash disable=SC2016,SC2154 # words for the shell in the VM; variables of common.sh
here=$(cd "$(dirname "$0")" && pwd)
if [ "${SKERRY_NESTED:-}" != inside ]; then
	top=$(cd "$here/../../.." && pwd)
	build=$(cd "${SKERRY_BUILD:-$top/build}" && pwd)
	guest=$(cd "${SKERRY_GUEST_DIR:-$top/out}" && pwd)
	result() { [ -z "${SKERRY_RESULTS:-}" ] || echo "$*" >>"$SKERRY_RESULTS"; }
	skip() {
		result "skip oci/nested $*"
		echo "SKIPPED oci/nested: $*"
		exit 0
	}
	[ "${SKERRY_ENGINE:-uml}" != tcg ] || skip "the emulated machine is tried once, with User-mode Linux in it"
	[ "$(id -u)" = 0 ] || skip "needs root"
	[ "$(uname -m)" = x86_64 ] || skip "the kernel for QEMU is made for x86-64"
	for tool in qemu-system-x86_64 runc busybox python3; do
		command -v "$tool" >/dev/null || skip "$tool is not installed"
	done
	for file in vmlinux-x86_64.gz linux-uml initramfs.cpio; do
		[ -e "$guest/$file" ] || skip "there is no $guest/$file"
	done
	tar=$("$top/scripts/debian-image" | tail -n 1)
	[ -f "$tar" ] || skip "there is no Debian image"
	work=$(mktemp -d "${TMPDIR:-/tmp}/skerry-oci-nested.XXXXXX")
	export SKERRY_ROOT=$work/store SKERRY_MONITOR=$build/src/vm/skerry-monitor SKERRY_9PD=$build/src/ninepd/skerry-9pd SKERRY_GUEST_DIR=$guest
	skerry=$build/src/cli/skerry
	trap '"$skerry" rm -f nested >/dev/null 2>&1; rm -rf --one-file-system "$work"' EXIT
	mkdir "$work/results"
	echo '{ "start_timeout": 600 }' >"$work/results/config.json"
	"$skerry" import "$tar" nested >/dev/null || exit 1
	[ $# -gt 0 ] || set -- controllers groups
	# Controllers are handed on by groups without processes only.
	timeout -k 20 2400 "$skerry" run --name nested --engine tcg --privileged -m 2g -v /usr:/usr:ro -v "$top:$top:ro" -v "$build:$build:ro" -v "$guest:$guest:ro" \
		-v "$work/results:/results" -e SKERRY_NESTED=inside -e SKERRY_ENGINE=uml -e SKERRY_EMULATED=1 -e SKERRY_CONFIG=/results/config.json -e SKERRY_RESULTS=/results/all -e SKERRY_BUILD="$build" \
		-e SKERRY_GUEST_DIR="$guest" nested bash -c 'mkdir /sys/fs/cgroup/init && echo $$ >/sys/fs/cgroup/init/cgroup.procs && exec bash "$0" "$@"' "$here/nested.sh" "$@"
	rc=$?
	[ ! -s "$work/results/all" ] || while read -r line; do result "$line"; done <"$work/results/all"
	# What the VM did not come to is a failure, whatever it has written before.
	[ "$rc" = 0 ] || grep -q '^fail ' "$work/results/all" 2>/dev/null || result "fail oci/nested: exit code $rc"
	exit "$rc"
fi
[ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ] || { echo "tests/oci/nested: the VM has no control groups of version 2" && exit 1; }

# What a container sees of its own group, and what is there on the host. Few processes: each takes its time to start there.
# Not compared: the memory limit of the host's group, which is the VM's, and its cgroup.freeze: a paused VM's processors stand still,
# but its monitor has to hear of the resume.
show_limits() {
	r exec c sh -c 'cd /sys/fs/cgroup && grep . memory.max memory.low memory.swap.max pids.max cpu.max cpu.weight'
	(cd /sys/fs/cgroup/skerry-nested/c && grep -s . cpu.max cpu.weight cgroup.controllers)
}
case_controllers() {
	grep -o -w -e cpu -e memory -e pids -e io /sys/fs/cgroup/cgroup.controllers
	bundle controllers 's["linux"]["cgroupsPath"] = "/skerry-nested/c"; s["linux"]["resources"] = {"memory": {"limit": 67108864, "reservation": 33554432, "swap": 134217728}, "pids": {"limit": 20}, "cpu": {"quota": 50000, "period": 100000, "shares": 512}}' sleep 10000
	create controllers c; echo $?
	r start c; echo $?
	show_limits
	r exec c sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22; do sleep 5 & done; echo all' 2>&1
	r update --memory 100000000 --memory-swap 150000000 --pids-limit 30 --cpu-quota 40000 --cpu-period 80000 --cpu-share 2048 c; echo $?
	show_limits
	echo '{"memory": {"limit": 80000000, "swap": -1}, "unified": {"pids.max": "25", "cpu.max": "30000 60000", "cpu.weight": "77"}}' | r update --resources - c; echo $?
	show_limits
	r events --stats c | grep -o -e '"type":"stats"' -e '"limit":25'
	"$program" --root "$work/state.$runtime" events c >"$work/ooms.$runtime" 2>/dev/null &
	r exec c tail /dev/zero; echo $?
	wait_for grep -q '"type":"oom"' "$work/ooms.$runtime"; echo $?
	kill $!
	wait $! 2>/dev/null
	r pause c; echo $?
	r resume c; echo $?
	r delete --force c; echo $?
	find /sys/fs/cgroup -depth -type d -path '*skerry-nested/*'
	rmdir /sys/fs/cgroup/skerry-nested; echo $?
}
# shellcheck source=tests/oci/engines/runc.sh
. "$here/runc.sh"
