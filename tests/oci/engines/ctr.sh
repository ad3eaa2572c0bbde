# SPDX-License-Identifier: Apache-2.0
#
# bash tests/oci/engines/ctr.sh [CASE …]: containerd's own client, with io.containerd.runc.v2 and --runc-binary. Starts a containerd of its own and ends it by
# its pid.
# shellcheck shell=bash disable=SC2016,SC2034,SC2128,SC2154,SC2178,SC2181 # words for shells in containers; variables of common.sh
# shellcheck source=tests/oci/engines/common.sh
. "$(dirname "$0")/common.sh"
need containerd ctr

socket=$work/containerd.sock
k() { timeout "$(slow 60)" ctr -a "$socket" "$@"; }
stop_containerd() {
	local id
	for id in $(k tasks ls -q 2>/dev/null); do k tasks rm -f "$id"; done >/dev/null 2>&1
	for id in $(k containers ls -q 2>/dev/null); do k containers rm "$id"; done >/dev/null 2>&1
	kill "$containerd_pid"
	wait "$containerd_pid" 2>/dev/null
}
cat >"$work/config.toml" <<END
version = 2
root = "$work/root"
state = "$work/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.btrfs"]
[grpc]
  address = "$socket"
END
containerd --config "$work/config.toml" >"$work/containerd.log" 2>&1 &
containerd_pid=$!
finishers+=(stop_containerd)
wait_for k version || skip "containerd does not start here: $(tail -n 1 "$work/containerd.log")"
"$here/make_image.py" "$rootfs" "$work/box.tar" docker.io/test/box:latest sh
k images import "$work/box.tar" >/dev/null || exit 1

run() { k run --runtime io.containerd.runc.v2 --runc-binary "$program" "$@"; }
box=docker.io/test/box:latest
task_is() { k tasks ls | awk -v id="$1" -v want="$2" '$1 == id && $3 == want { found = 1 } END { exit !found }'; }
end() {
	k tasks rm -f "$1" >/dev/null 2>&1
	k containers rm "$1"
}

# ctr asks for the terminal's size even when the program was quicker, and says so.
same_words() { sed -E -e '/resize pty/d' -e 's/time="[^"]*"/TIME/'; }

case_run() {
	run --rm "$box" c1 sh -c 'echo out; echo err >&2; exit 3' 2>&1 | sort; echo "${PIPESTATUS[0]}"
	run --rm --env A=b --cwd /tmp --user 1000 "$box" c1 sh -c 'echo $A; pwd; id -u'; echo $?
	run --rm --read-only "$box" c1 touch /x; echo $?
	run --rm "$box" c1 /no/such 2>&1 | grep -o 'no such file or directory' | head -n 1
	run --rm --memory-limit 67108864 "$box" c1 true; echo $?
	mkdir -p "$work/share"
	echo shared >"$work/share/file"
	run --rm --mount "type=bind,src=$work/share,dst=/s,options=rbind:rw" "$box" c1 sh -c 'cat /s/file; echo back >/s/back'
	cat "$work/share/back"
	rm "$work/share/back"
	k containers ls -q
}
case_task() {
	run --detach "$box" c2 sleep 1000
	task_is c2 RUNNING; echo $?
	k tasks exec --exec-id e1 c2 sh -c 'echo inside; exit 4'; echo $?
	k tasks exec --exec-id e2 --user 1000:1000 --cwd /etc c2 sh -c 'id -u; pwd'; echo $?
	k tasks exec --exec-id e3 c2 /no/such >/dev/null 2>&1; echo $?
	k tasks ps c2 | wc -l
	k tasks metrics c2 | awk '/memory.usage_in_bytes|memory.usage /{ print ($2 > 0) } /^cpuacct.usage |cpu.usage_usec/{ print ($2 > 0) }'
	k tasks pause c2; echo $?
	task_is c2 PAUSED; echo $?
	k tasks resume c2; echo $?
	task_is c2 RUNNING; echo $?
	k tasks exec --exec-id e4 c2 true; echo $?
	k tasks kill -s TERM c2; echo $?
	k tasks kill -s KILL c2; echo $?
	wait_for task_is c2 STOPPED
	k tasks delete c2; echo $?
	end c2; echo $?
}
case_signal() {
	run --detach "$box" c3 sh -c 'trap "exit 9" USR1; while :; do sleep 0.1; done'
	sleep "$(slow 1)"
	k tasks kill -s USR1 c3
	wait_for task_is c3 STOPPED
	k tasks delete c3 2>&1 | grep -o 'exit.*9' ; echo "${PIPESTATUS[0]}"
	end c3
}
case_terminal() {
	script -qec "ctr -a $socket run --rm -t --runc-binary $program $box c4 sh -c 'tty; exit 5'; echo code \$?" /dev/null </dev/null | tr -d '\r' | sed 's/\^@//'
	run --detach "$box" c4 sleep 1000
	script -qec "ctr -a $socket tasks exec -t --exec-id t1 c4 sh -c 'tty; exit 6'; echo code \$?" /dev/null </dev/null | tr -d '\r' | sed 's/\^@//'
	k tasks kill -s KILL c4
	wait_for task_is c4 STOPPED
	end c4
}
full_killed_host_process() {
	run --detach "$box" c5 sleep 1000
	kill -9 "$(k tasks ls | awk '$1 == "c5" { print $2 }')"
	wait_for task_is c5 STOPPED
	k tasks delete c5; echo $?
	end c5
	pgrep -fc "$work/state.*skerry-monitor"
}
run_cases "$@"
