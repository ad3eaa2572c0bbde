# SPDX-License-Identifier: Apache-2.0
#
# bash tests/oci/engines/pods.sh [CASE …]: pods through containerd's Kubernetes interface, with runc and with skerry. Starts a containerd of its own, in a
# network namespace of its own, and ends it by its pid.
# shellcheck shell=bash disable=SC2016,SC2034,SC2128,SC2154,SC2178,SC2181 # words for shells in containers; variables of common.sh
# shellcheck source=tests/oci/engines/common.sh
. "$(dirname "$0")/common.sh"
need containerd ctr ip nsenter
/usr/bin/python3 -c 'import grpc' 2>/dev/null || skip "python3-grpcio is not installed"
[ -x /usr/lib/cni/bridge ] || skip "containernetworking-plugins is not installed"

socket=$work/containerd.sock
netns=skerry-pods-$$
containerd_pid=
stop_containerd() {
	local id
	for id in $(c ListPodSandbox '{}' 'items[]'); do
		c StopPodSandbox "{\"pod_sandbox_id\": \"$id\"}" >/dev/null
		c RemovePodSandbox "{\"pod_sandbox_id\": \"$id\"}" >/dev/null
	done
	kill "$cri_pid"
	if [ -n "$containerd_pid" ]; then
		kill "$containerd_pid"
		wait "$containerd_pid" 2>/dev/null
	fi
	ip netns del "$netns"
}
# c METHOD JSON [FIELDS]
c() {
	local line rc=
	printf '%s\t%s\t%s\n' "$1" "${3:--}" "$2" >&"$to_cri"
	while IFS= read -r -t 150 line <&"$from_cri"; do
		case $line in
		$'\x1e'*) rc=${line#?} && break ;;
		*) printf '%s\n' "$line" ;;
		esac
	done
	return "${rc:-1}"
}
finishers+=(stop_containerd)

mkdir -p "$work/cni" "$work/logs"
cat >"$work/cni/10-test.conflist" <<'END'
{"cniVersion": "0.4.0", "name": "pods", "plugins": [{"type": "bridge", "bridge": "pods0", "isGateway": true,
 "ipam": {"type": "host-local", "dataDir": "WORK/ipam", "ranges": [[{"subnet": "10.93.7.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
END
sed -i "s|WORK|$work|" "$work/cni/10-test.conflist"
cat >"$work/config.toml" <<END
version = 2
root = "$work/root"
state = "$work/state"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.btrfs"]
[grpc]
  address = "$socket"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/test/pause:latest"
  disable_tcp_service = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$work/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.skerry]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.skerry.options]
      BinaryName = "$runtime_skerry"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
END
ip netns add "$netns"
ip -n "$netns" link set lo up
nsenter --net="/var/run/netns/$netns" containerd --config "$work/config.toml" >"$work/containerd.log" 2>&1 &
containerd_pid=$!
wait_for ctr -a "$socket" version || skip "containerd does not start here: $(tail -n 1 "$work/containerd.log")"
coproc "$here/cri.py" "$socket"
cri_pid=$!
exec {to_cri}>&"${COPROC[1]}" {from_cri}<&"${COPROC[0]}"
c Version '{}' >/dev/null || skip "containerd has no Kubernetes interface here"
for image in box pause; do
	command=(sleep 100000)
	"$here/make_image.py" "$rootfs" "$work/$image.tar" "docker.io/test/$image:latest" "${command[@]}"
	ctr -a "$socket" -n k8s.io images import "$work/$image.tar" >/dev/null || exit 1
done

json_list() {
	local word out=
	for word; do
		word=${word//\\/\\\\}
		out+=", \"${word//\"/\\\"}\""
	done
	echo "[${out#, }]"
}
# The pod of the case, in $pod: NAME [LINUX]
run_pod() {
	config="{\"metadata\": {\"name\": \"$1\", \"uid\": \"$1-$runtime\", \"namespace\": \"default\", \"attempt\": 0}, \"hostname\": \"$1\", \"log_directory\": \"$work/logs\", \"linux\": {${2:-}}}"
	pod=$(c RunPodSandbox "{\"config\": $config, \"runtime_handler\": \"$runtime\"}" pod_sandbox_id) || {
		echo "$pod"
		return 1
	}
}
# create NAME EXTRA COMMAND …: prints the container's id
create() {
	local name=$1 extra=$2
	shift 2
	c CreateContainer "{\"pod_sandbox_id\": \"$pod\", \"sandbox_config\": $config, \"config\": {\"metadata\": {\"name\": \"$name\", \"attempt\": ${attempt:-0}}, \"image\": {\"image\": \"docker.io/test/box:latest\"}, \"command\": $(json_list "$@"), \"log_path\": \"$name.$runtime.log\"$extra}}" container_id
}
start() { c StartContainer "{\"container_id\": \"$1\"}" >/dev/null; }
run_in_pod() {
	local id
	id=$(create "$@") && start "$id" && echo "$id"
}
# What the group of the pod's VM weighs, in containers with the default weight.
weight() {
	local file
	file=$(find /sys/fs/cgroup -path "*/$pod/cpu.shares" -o -path "*/$pod/cpu.weight" | head -n 1)
	awk -v v2="${file##*.}" '{ print int((v2 == "weight" ? ($1 - 1) * 262142 / 9999 + 2 : $1) / 1024 + 0.5) }' "$file"
}
# servers COUNT: so many file servers work with the VM's weight
servers() {
	local group pid n=0
	group=$(dirname "$(find /sys/fs/cgroup -path "*/$pod/cpu.shares" -o -path "*/$pod/cpu.weight" | head -n 1)")
	while read -r pid; do
		[ "$(cat "/proc/$pid/comm")" != skerry-9pd ] || n=$((n + 1))
	done <"$group/cgroup.procs"
	[ "$n" = "$1" ]
}
# The VM weighs what its containers do together, whatever the sandbox container is given (2).
case_weight() {
	run_pod weight || return
	[ "$runtime" = runc ] || [ "$(weight)" = 1 ] || weight
	run_in_pod plain "" sleep 1000 >/dev/null
	heavy=$(run_in_pod heavy ', "linux": {"resources": {"cpu_shares": 2048}}' sleep 1000)
	[ "$runtime" = runc ] || [ "$(weight)" = 3 ] || weight
	[ "$runtime" = runc ] || servers 3; echo $?
	c UpdateContainerResources "{\"container_id\": \"$heavy\", \"linux\": {\"cpu_shares\": 4096}}"
	[ "$runtime" = runc ] || [ "$(weight)" = 5 ] || weight
	stop "$heavy" 0
	remove "$heavy"
	[ "$runtime" = runc ] || [ "$(weight)" = 1 ] || weight
	end_pod
}
state_is() { [ "$(c ContainerStatus "{\"container_id\": \"$1\"}" status.state)" = "$2" ]; }
exited() { state_is "$1" 2; }
show_end() { c ContainerStatus "{\"container_id\": \"$1\"}" status.state,status.exit_code,status.reason; }
# Output, errors, exit code ("": 0).
ex() {
	local id=$1
	shift
	c ExecSync "{\"container_id\": \"$id\", \"timeout\": 30, \"cmd\": $(json_list "$@")}" stdout,stderr,exit_code
}
stop() { c StopContainer "{\"container_id\": \"$1\", \"timeout\": ${2:-2}}" >/dev/null; }
remove() { c RemoveContainer "{\"container_id\": \"$1\"}" >/dev/null; }
end_pod() {
	c StopPodSandbox "{\"pod_sandbox_id\": \"$pod\"}" >/dev/null
	c RemovePodSandbox "{\"pod_sandbox_id\": \"$pod\"}" >/dev/null
}
logs() { cut -d ' ' -f 2,4- "$work/logs/$1.$runtime.log"; }

case_two_containers() {
	run_pod two || return
	web=$(run_in_pod web "" httpd -f -p 8080 -h /etc)
	cli=$(run_in_pod cli "" sh -c 'echo up; while :; do sleep 1; done')
	ex "$web" hostname
	ex "$cli" sh -c 'i=0; until printf "GET /passwd HTTP/1.0\r\n\r\n" | nc -w 5 127.0.0.1 8080 | grep root; do i=$((i+1)); [ $i -lt 20 ] || break; sleep 0.2; done'
	# what they share and what not
	ex "$cli" sh -c 'echo shared >/dev/shm/file; echo own >/tmp/file; cat /proc/[0-9]*/comm | grep -c httpd'
	ex "$web" sh -c 'cat /dev/shm/file; ls /tmp; hostname'
	ex "$cli" sh -c 'ip -o -4 addr show eth0 | wc -l; exit 3'
	ip=$(c PodSandboxStatus "{\"pod_sandbox_id\": \"$pod\"}" status.network.ip)
	nsenter --net="/var/run/netns/$netns" python3 -c 'import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode(), end="")' "http://$ip:8080/group"
	end_pod
}
# forward ADDRESS PORT …: what a port-forward does: connects within the pod's network namespace on the host. Prints what came of it.
forward() {
	nsenter --net="/proc/$(cat "$work/state/io.containerd.runtime.v2.task/k8s.io/$pod/init.pid")/ns/net" python3 "$here/forward.py" "$@"
}
forwarded() { [ "$(forward echo "$@")" = "the same" ]; }
refused() { [ "$(forward echo "$@")" = "ECONNREFUSED" ]; }
# Connections made inside the pod's network namespace on the host reach its containers.
case_port_forward() {
	run_pod forward || return
	ip=$(c PodSandboxStatus "{\"pod_sandbox_id\": \"$pod\"}" status.network.ip)
	# the host's Python
	mounts=$(printf ', {"container_path": "%s", "host_path": "%s", "readonly": true}' /usr /usr /lib /lib /lib64 /lib64 /tests "$here")
	id=$(run_in_pod serve ", \"mounts\": [${mounts#, }]" /usr/bin/python3 /tests/forward.py serve 0.0.0.0:7000:echo 127.0.0.1:7001:echo '[::1]:7002:echo' 0.0.0.0:7003:count 0.0.0.0:7004:close)
	wait_for forwarded 127.0.0.1 7000
	wait_for forwarded 127.0.0.1 7001
	wait_for forwarded ::1 7002
	for address in 127.0.0.1 "$ip"; do forward echo "$address" 7000; done
	# what nobody listens on: nobody there, on the other address, on the other protocol; a client falls back
	forward echo 127.0.0.1 7009
	forward echo "$ip" 7001
	forward echo ::1 7001
	forward echo 127.0.0.1 7002
	forward echo ::1 7009
	forward localhost 7002
	forward localhost 7001
	forward small 127.0.0.1 7000
	forward half 127.0.0.1 7003
	forward closed 127.0.0.1 7004
	forward many 127.0.0.1 7001
	forward idle 127.0.0.1 7000
	# one that comes, goes, and comes again
	for i in 1 2; do
		ex "$id" sh -c '/usr/bin/python3 /tests/forward.py serve 127.0.0.1:7005:echo >/dev/null 2>&1 & echo $! >/tmp/pid'
		wait_for forwarded 127.0.0.1 7005
		ex "$id" sh -c 'kill $(cat /tmp/pid)'
		wait_for refused 127.0.0.1 7005
	done
	end_pod
}
case_restart() {
	run_pod again || return
	other=$(run_in_pod other "" sleep 1000)
	ex "$other" sh -c 'echo kept >/dev/shm/kept'
	id=$(run_in_pod work "" sh -c 'echo first; sleep 0.3; exit 4')
	wait_for exited "$id"
	show_end "$id"
	remove "$id"
	attempt=1
	id=$(run_in_pod work "" sh -c 'echo second; cat /dev/shm/kept; trap "exit 6" TERM; while :; do sleep 0.1; done')
	attempt=0
	sleep "$(slow 1)"
	logs work
	# killed from outside, as the kernel would
	kill -9 "$(cat "$work/state/io.containerd.runtime.v2.task/k8s.io/$id/init.pid")"
	wait_for exited "$id"
	show_end "$id"
	remove "$id"
	attempt=2
	id=$(run_in_pod work "" sh -c 'trap "exit 6" TERM; while :; do sleep 0.1; done')
	attempt=0
	sleep "$(slow 1)"
	stop "$id" 10
	show_end "$id"
	ex "$other" cat /dev/shm/kept
	end_pod
}
case_logs_and_errors() {
	run_pod logs || return
	id=$(run_in_pod talk "" sh -c 'echo out; echo err >&2; echo "a b  c"')
	wait_for exited "$id"
	logs talk | sort
	id=$(create bad "" /no/such/program)
	c StartContainer "{\"container_id\": \"$id\"}" 2>&1 | grep -o 'no such file or directory' | head -n 1
	show_end "$id"
	id=$(run_in_pod env ", \"envs\": [{\"key\": \"A\", \"value\": \"b\"}], \"working_dir\": \"/tmp\"" sh -c 'echo $A; pwd')
	wait_for exited "$id"
	logs env
	end_pod
}
case_terminal() {
	run_pod terminal || return
	id=$(run_in_pod tty ', "tty": true' sh -c 'test -t 1 && echo terminal; exit 5')
	wait_for exited "$id"
	logs tty | tr -d '\r'
	show_end "$id"
	end_pod
}
case_volume() {
	local dir=$work/volume-$runtime
	mkdir -p "$dir"
	echo outside >"$dir/file"
	run_pod volume || return
	one=$(run_in_pod one ", \"mounts\": [{\"container_path\": \"/v\", \"host_path\": \"$dir\"}]" sleep 1000)
	two=$(run_in_pod two ", \"mounts\": [{\"container_path\": \"/v\", \"host_path\": \"$dir\", \"readonly\": true}]" sleep 1000)
	ex "$one" sh -c 'cat /v/file; echo inside >/v/new; chown 7:8 /v/new'
	ex "$two" sh -c 'cat /v/new; touch /v/no 2>&1 | grep -o "Read-only file system"; true'
	stat -c '%n %u:%g %s' "$dir/new" | sed "s|$work||; s|$runtime||"
	end_pod
}
case_limits() {
	run_pod limits || return
	id=$(run_in_pod eat ", \"linux\": {\"resources\": {\"memory_limit_in_bytes\": 67108864}}" sh -c 'sleep 1; tail /dev/zero')
	wait_for exited "$id"
	show_end "$id"
	id=$(run_in_pod update ", \"linux\": {\"resources\": {\"memory_limit_in_bytes\": 67108864}}" sleep 1000)
	c UpdateContainerResources "{\"container_id\": \"$id\", \"linux\": {\"memory_limit_in_bytes\": 134217728}}"
	c ContainerStats "{\"container_id\": \"$id\"}" | grep -c working_set
	ex "$id" true
	end_pod
}
# stats ID: what the runtime knows of a container: MiB of memory, its limit, tenths of a second of processor, processes.
stats() {
	"$program" --root /run/containerd/runc/k8s.io events --stats "$1" | python3 -c '
import json, sys
d = json.load(sys.stdin)["data"]
m = d["memory"]["usage"]
print(m["usage"] >> 20, m["limit"] >> 20, d["cpu"]["usage"]["total"] // 10**8, d["pids"]["current"])'
}
# The program that makes the bytes has ended, and what goes on works has for a while.
eaten() { stats "$1" | awk '{ exit !($1 >= 56 && $4 == 3) }' && stats "$works" | awk '{ exit !($3 > 10) }'; }
# What each container uses, and may use, is its own.
case_stats() {
	local limit=', "linux": {"resources": {"memory_limit_in_bytes": 134217728, "cpu_quota": 50000, "cpu_period": 100000}}'
	run_pod stats || return
	eats=$(run_in_pod eats "$limit" sh -c 'head -c 60000000 /dev/zero | tail -c 60000000 | sleep 1000')
	works=$(run_in_pod works "" sh -c 'while :; do :; done')
	idle=$(run_in_pod idle ', "linux": {"resources": {"memory_limit_in_bytes": 67108864}}' sh -c 'sleep 1001 & sleep 1002 & exec sleep 1003')
	wait_for eaten "$eats"
	stats "$eats" | awk -v most="$(slow 25)" '{ print ($1 >= 56 && $1 < 80), $2, ($3 < most), $4 }'
	stats "$works" | awk '{ print ($1 < 20), ($2 > 128), ($3 > 10), $4 }'
	stats "$idle" | awk -v most="$(slow 10)" '{ print ($1 < 20), $2, ($3 < most), $4 }'
	stats "$pod" | awk -v most="$(slow 10)" '{ print ($1 < 20), ($3 < most), $4 }'
	for id in "$eats" "$idle"; do
		ex "$id" sh -c 'cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes; cat /sys/fs/cgroup/cpu.max 2>/dev/null || cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us | sed "s/-1/max/; s/\$/ 100000/"'
	done
	# one that has too little is not another's end, and is not taken out of the pod's
	id=$(run_in_pod bursts ', "linux": {"resources": {"memory_limit_in_bytes": 33554432}}' sh -c 'tail /dev/zero')
	wait_for exited "$id"
	show_end "$id"
	for id in "$eats" "$works" "$idle"; do state_is "$id" 1; echo $?; done
	stats "$eats" | awk '{ print ($1 >= 56 && $1 < 80), $2, $4 }'
	end_pod
}
# A process that runs out of memory is told while its container lives, for that container alone.
case_oom_events() {
	run_pod ooms || return
	eats=$(run_in_pod eats ', "linux": {"resources": {"memory_limit_in_bytes": 67108864}}' sleep 1000)
	other=$(run_in_pod other "" sleep 1000)
	for id in "$eats" "$other"; do
		"$program" --root /run/containerd/runc/k8s.io events --interval 1s "$id" >"$work/events.$id" 2>/dev/null &
		wait_for test -s "$work/events.$id"
	done
	for i in 1 2; do
		ex "$eats" tail /dev/zero | tail -n 1
		wait_for oom_events "$i"
		sleep 1.1 # one a second is told
	done
	grep -c '"oom"' "$work/events.$other"
	state_is "$eats" 1; echo $?
	jobs -p | xargs -r kill
	wait
	end_pod
}
oom_events() { [ "$(grep -c '"oom"' "$work/events.$eats")" -ge "$1" ]; }
full_pid_namespace() {
	run_pod pids '"security_context": {"namespace_options": {"pid": 0}}' || return
	one=$(run_in_pod one ', "linux": {"security_context": {"namespace_options": {"pid": 0}}}' sleep 1234)
	two=$(run_in_pod two ', "linux": {"security_context": {"namespace_options": {"pid": 0}}}' sleep 1000)
	ex "$two" sh -c 'ps | grep -c "[s]leep 1234"'
	end_pod
}
full_sandbox_stops() {
	run_pod ends || return
	one=$(run_in_pod one "" sleep 1000)
	c StopPodSandbox "{\"pod_sandbox_id\": \"$pod\"}" >/dev/null
	show_end "$one"
	c PodSandboxStatus "{\"pod_sandbox_id\": \"$pod\"}" status.state
	c RemovePodSandbox "{\"pod_sandbox_id\": \"$pod\"}" >/dev/null
	c ListContainers '{}'
	pgrep -fc "$work/state.*skerry-monitor"
}
full_many() {
	local i ids=()
	run_pod many || return
	for i in 1 2 3 4 5 6 7 8; do ids+=("$(run_in_pod "c$i" "" sleep 1000)"); done
	for i in 0 3 7; do ex "${ids[$i]}" hostname; done
	end_pod
}
same_words() { sed -E -e 's/[0-9a-f]{64}/ID/g' -e 's/10\.93\.7\.[0-9]+/ADDRESS/g'; }
run_cases "$@"
