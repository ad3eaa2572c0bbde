# SPDX-License-Identifier: Apache-2.0
#
# bash tests/oci/engines/systemd.sh [CASE …]: --systemd-cgroup, with a systemd of its own: the machine's, started as process 1 of namespaces of its own, with nothing
# but its slices, and ended by its pid.
# shellcheck shell=bash disable=SC2016,SC2034,SC2128,SC2154,SC2178,SC2181 # words for shells in containers; variables of common.sh
# shellcheck source=tests/oci/engines/common.sh
. "$(dirname "$0")/common.sh"
need python3 unshare nsenter systemctl systemd-run
for systemd in /lib/systemd/systemd /usr/lib/systemd/systemd ''; do [ ! -x "$systemd" ] || break; done
[ -n "$systemd" ] || skip "systemd is not installed"

group=skerry-test-systemd-$$
cat >"$work/systemd" <<END
#!/bin/bash
# Into a control group that will be its root in each hierarchy, then into namespaces, then systemd.
if [ "\${1:-}" != inside ]; then
	for dir in \$(awk '\$3 ~ /^cgroup2?\$/ { print \$2 }' /proc/mounts); do
		[ ! -e "\$dir/cgroup.subtree_control" ] || for c in cpu memory pids cpuset io; do echo "+\$c" >"\$dir/cgroup.subtree_control"; done
		mkdir -p "\$dir/$group"
		[ ! -e "\$dir/$group/cpuset.cpus" ] || for f in cpus mems; do cat "\$dir/cpuset.\$f" >"\$dir/$group/cpuset.\$f"; done
		echo \$\$ >"\$dir/$group/cgroup.procs"
	done 2>/dev/null
	exec unshare --mount --pid --cgroup --uts --ipc --net --fork --kill-child --mount-proc "\$0" inside
fi
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system
printf '[Unit]\nDescription=nothing\nDefaultDependencies=no\n' >/run/systemd/system/nothing.target
mapfile -t kinds < <(awk '\$3 == "cgroup" { print \$2, \$4 } \$3 == "cgroup2" { print \$2, "2" }' /proc/mounts)
umount -R /sys/fs/cgroup
if [ "\${kinds[0]}" = "/sys/fs/cgroup 2" ]; then
	mount -t cgroup2 cgroup2 /sys/fs/cgroup
else
	mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
	for kind in "\${kinds[@]}"; do
		mkdir -p "\${kind%% *}"
		case \$kind in
		*" 2") mount -t cgroup2 cgroup2 "\${kind%% *}" ;;
		*name=systemd*) mount -t cgroup -o none,name=systemd cgroup "\${kind%% *}" ;;
		*) mount -t cgroup -o "\${kind##*,}" cgroup "\${kind%% *}" ;;
		esac
	done
fi
exec env -i container=test PATH="\$PATH" SYSTEMD_UNIT_PATH=/run/systemd/system $systemd --system --unit=nothing.target --log-target=console --show-status=0
END
chmod 755 "$work/systemd"
inside() { nsenter -t "$systemd_pid" --mount --pid --cgroup --uts --ipc --net -- "$@"; }
stop_systemd() {
	[ -z "$systemd_pid" ] || kill -9 "$systemd_pid"
	wait "$starter_pid" 2>/dev/null
	awk '$3 ~ /^cgroup2?$/ { print $2 }' /proc/mounts | while read -r dir; do
		[ ! -d "$dir/$group" ] || find "$dir/$group" -depth -type d -exec rmdir {} +
	done
}
systemd_pid=
"$work/systemd" >"$work/systemd.log" 2>&1 </dev/null &
starter_pid=$!
finishers+=(stop_systemd)
for _ in $(seq 100); do
	systemd_pid=$(cat "/proc/$starter_pid/task/$starter_pid/children" 2>/dev/null)
	systemd_pid=${systemd_pid// /}
	[ -z "$systemd_pid" ] || ! inside systemctl is-active --quiet nothing.target 2>/dev/null || break
	sleep 0.1
done
inside systemctl is-active --quiet nothing.target || skip "systemd does not start in namespaces here: $(tail -n 1 "$work/systemd.log")"

# bundle NAME CGROUPSPATH 'python that changes spec s' COMMAND …: $work/NAME.$runtime
bundle() {
	local name=$1 path=$2 change=$3
	shift 3
	mkdir -p "$work/$name.$runtime"
	cp -a "$rootfs" "$work/$name.$runtime/rootfs"
	(cd "$work/$name.$runtime" && runc spec && python3 - "$path" "$change" "$@" <<'END'
import json, sys
s = json.load(open("config.json"))
s["process"]["args"] = sys.argv[3:]
s["process"]["terminal"] = False
s["root"]["readonly"] = False
s["linux"]["cgroupsPath"] = sys.argv[1]
r = s["linux"]["resources"]
exec(sys.argv[2])
json.dump(s, open("config.json", "w"))
END
	)
}
r() { inside timeout "$(slow 60)" "$program" --systemd-cgroup --root "$work/state.$runtime" "$@"; }
create() { r create --bundle "$work/$1.$runtime" --pid-file "$work/$2.pid" "$2" </dev/null >"$work/$2.$runtime.log" 2>&1; }
properties() { inside systemctl show "$1" -p "$2"; }
# Whether the container's process is in a group, in every hierarchy that this systemd has (it takes the devices' for itself).
all_in() {
	inside cat "/proc/$(cat "$work/$1.pid")/cgroup" | grep -v :devices: | cut -d : -f 3 | sort -u
}
# That of memory: its limit in bytes, where there is one.
memory_limit() {
	inside bash -c 'cat /sys/fs/cgroup/{memory/,}'"$1"'/memory.{limit_in_bytes,max} 2>/dev/null' | head -n 1
}
# What is there of the runtime's scopes. runc leaves a unit behind now and then.
left() {
	inside systemctl list-units --all --plain --no-legend --full | grep -E 'skerry.*\.scope'
	inside find /sys/fs/cgroup -name '*skerry*.scope'
}
no_scope() { [ -z "$(left)" ]; }
nothing_left() {
	[ "$runtime" = runc ] || wait_for no_scope || left
}
stopped() { r state "$1" | grep -q '"stopped"'; }
same_words() { sed -E -e 's/time="[^"]*"/TIME/' -e 's/\b(runc|skerry)(-oci)?\b/RUNTIME/g' -e "s|$work|WORK|g"; }

case_life() {
	bundle life "a-b.slice:test:one-$runtime" 'r.update(memory={"limit": 100000000}, cpu={"shares": 512, "quota": 50000, "period": 100000})' sleep 1000
	create life c; echo $?
	all_in c
	properties "test-one-$runtime.scope" LoadState,ActiveState,Slice,Delegate,ControlGroup,DefaultDependencies,MemoryAccounting,CPUAccounting,CPUShares,CPUQuotaPerSecUSec,CPUQuotaPeriodUSec
	# a VM takes more than its container
	properties "test-one-$runtime.scope" MemoryMax,MemoryLimit | grep -c '=[1-9][0-9]*$'
	r start c; echo $?
	r exec c true; echo $?
	inside systemctl show a-b.slice -p ActiveState
	r update --cpu-share 256 --cpu-quota 20000 --cpu-period 100000 --memory 200000000 c; echo $?
	properties "test-one-$runtime.scope" CPUShares,CPUQuotaPerSecUSec
	# limits that it has not been told it would take back
	inside systemctl daemon-reload
	[ "$(memory_limit "a.slice/a-b.slice/test-one-$runtime.scope")" -ge 199999488 ]; echo $?
	r delete -f c; echo $?
	nothing_left
}
case_names() {
	bundle none '' '' sleep 1000
	create none test-x; echo $?
	all_in test-x
	r delete -f test-x; echo $?
	bundle root "-.slice:test:y-$runtime" '' sleep 1000
	create root y; echo $?
	all_in y
	r delete -f y; echo $?
	bundle noslice "::test-z-$runtime" '' sleep 1000
	create noslice z; echo $?
	all_in z
	r delete -f z; echo $?
	nothing_left
}
case_end() {
	bundle end "a.slice:test:end-$runtime" '' sh -c 'echo out; exit 7'
	# again under the name: as a restart is
	for _ in 1 2; do
		r run --bundle "$work/end.$runtime" e </dev/null; echo $?
	done
	nothing_left
	bundle stop "a.slice:test:stop-$runtime" '' sh -c 'trap "exit 0" TERM; while :; do sleep 0.1; done'
	create stop e; r start e
	# systemd ends it: whoever shuts the machine down
	inside systemctl stop "test-stop-$runtime.scope" 2>/dev/null; echo $?
	wait_for stopped e
	r delete e; echo $?
	create stop e; echo $?
	kill -9 "$(r state e | python3 -c 'import json, sys; print(json.load(sys.stdin)["pid"])')" 2>/dev/null
	r delete -f e; echo $?
}
# Two containers in one VM, each with a scope of its own.
case_pod() {
	bundle sandbox "p.slice:test:sandbox-$runtime" 's["annotations"] = {"io.kubernetes.cri.container-type": "sandbox", "io.kubernetes.cri.sandbox-id": "s"}' sleep 1000
	bundle member "p.slice:test:member-$runtime" 's["annotations"] = {"io.kubernetes.cri.container-type": "container", "io.kubernetes.cri.sandbox-id": "s"}; r.update(memory={"limit": 100000000})' sleep 1000
	create sandbox s; echo $?; r start s; echo $?
	create member m; echo $?; r start m; echo $?
	all_in s
	all_in m
	# the placeholder has gone: what is left are those that the container needs
	inside systemctl status --no-pager "test-member-$runtime.scope" 2>/dev/null | grep -c 'read -r _'
	r exec m true; echo $?
	r update --memory 120000000 m; echo $?
	r delete -f m; echo $?
	r exec s true; echo $?
	r delete -f s; echo $?
	nothing_left
}
# podman asks for it by itself where it finds a systemd.
case_podman() {
	command -v podman conmon >/dev/null || { echo "no podman"; return; }
	printf '[storage]\ndriver = "overlay"\ngraphroot = "%s/graph"\nrunroot = "%s/run"\n' "$work" "$work" >"$work/storage.conf"
	printf '[containers]\nlog_driver = "k8s-file"\n[engine]\ncgroup_manager = "systemd"\nevents_logger = "file"\ntmp_dir = "%s/tmp"\n' "$work" >"$work/containers.conf"
	p() { inside timeout "$(slow 60)" env CONTAINERS_STORAGE_CONF="$work/storage.conf" CONTAINERS_CONF="$work/containers.conf" podman --runtime "$program" "$@"; }
	tar -C "$rootfs" -c . | p import - box >/dev/null 2>&1; echo $?
	p run --rm --network none box sh -c 'echo out; exit 3'; echo $?
	p run -d --network none --name named -m 100m --cpu-shares 512 box sleep 1000 >/dev/null; echo $?
	p inspect -f '{{.State.Pid}}' named >"$work/named.pid"
	all_in named | sed -E 's/[0-9a-f]{64}/ID/'
	properties "libpod-$(p inspect -f '{{.Id}}' named).scope" Slice,Delegate,CPUShares
	p exec named true; echo $?
	p rm -f -t 0 named >/dev/null; echo $?
	nothing_left
}
# docker has to be told.
case_docker() {
	local id pid docker_pid
	command -v dockerd docker >/dev/null || { echo "no docker"; return; }
	mkdir -p "$work/docker.$runtime"
	cat >"$work/docker.$runtime/daemon.json" <<-END
		{"data-root": "$work/docker.$runtime/data", "exec-root": "$work/docker.$runtime/exec", "pidfile": "$work/docker.$runtime/pid", "hosts": ["unix://$work/docker.$runtime/socket"],
		 "exec-opts": ["native.cgroupdriver=systemd"], "bip": "172.29.79.1/24", "runtimes": {"skerry": {"path": "$runtime_skerry"}}}
	END
	inside dockerd --config-file "$work/docker.$runtime/daemon.json" >"$work/docker.$runtime/log" 2>&1 &
	docker_pid=$!
	d() { timeout "$(slow 60)" docker -H "unix://$work/docker.$runtime/socket" "$@"; }
	wait_for d version || tail -n 3 "$work/docker.$runtime/log"
	d info -f '{{.CgroupDriver}}'
	tar -C "$rootfs" -c . | d import - box >/dev/null
	d run --rm --runtime "$runtime" box sh -c 'echo out; ip -o -4 addr show eth0 | wc -l; exit 3'; echo $?
	d run -d --runtime "$runtime" --name named -m 100m --cpu-shares 512 box sleep 1000 >/dev/null; echo $?
	d inspect -f '{{.State.Pid}}' named >"$work/named.pid"
	all_in named | sed -E 's/[0-9a-f]{64}/ID/'
	id=$(d inspect -f '{{.Id}}' named)
	properties "docker-$id.scope" Slice,Delegate,CPUShares
	d update --cpu-shares 256 named >/dev/null; echo $?
	properties "docker-$id.scope" CPUShares
	d stats --no-stream --format '{{.PIDs}}' named | grep -c '^[1-9]'
	d restart -t 0 named >/dev/null; echo $?
	d exec named true; echo $?
	d rm -f named >/dev/null; echo $?
	kill "$docker_pid"
	wait "$docker_pid" 2>/dev/null
	[ "$runtime" = runc ] || inside find /sys/fs/cgroup -name "docker-$id.scope"
}
case_errors() {
	local path
	bundle bad x '' true
	for path in /x a:b a.slice:b:c:d a:b:c a--b.slice:b:c ../a.slice:b:c; do
		sed -i "s|\"cgroupsPath\": *\"[^\"]*\"|\"cgroupsPath\": \"$path\"|" "$work/bad.$runtime/config.json"
		create bad b; echo $?; cat "$work/b.$runtime.log"
	done
	r list -q
	bundle noprog "a.slice:test:noprog-$runtime" 's["hooks"] = {"createRuntime": [{"path": "/bin/false"}]}' true
	create noprog b; echo $?
	nothing_left
}
run_cases "$@"
