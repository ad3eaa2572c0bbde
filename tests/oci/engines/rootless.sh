# SPDX-License-Identifier: Apache-2.0
#
# bash tests/oci/engines/rootless.sh [CASE …]: podman of a plain user, who has only subordinate ids, with runc and with skerry. The user is made in a mount
# namespace of the test's own (its own /etc/passwd, /etc/subuid, …): nothing of it is on the machine.
# shellcheck shell=bash disable=SC2016,SC2034,SC2128,SC2154,SC2178,SC2181 # words for shells in containers; variables of common.sh
if [ "$(id -u)" = 0 ] && [ -z "${SKERRY_ROOTLESS_INSIDE:-}" ] && unshare --mount true 2>/dev/null; then
	SKERRY_ROOTLESS_INSIDE=1 exec unshare --mount --propagation private -- bash "$0" "$@"
fi
# shellcheck source=tests/oci/engines/common.sh
. "$(dirname "$0")/common.sh"
need podman conmon newuidmap slirp4netns setpriv
[ -n "${SKERRY_ROOTLESS_INSIDE:-}" ] || skip "mount namespaces cannot be made here"

uid=$((61000 + $$ % 4000))
make_user() {
	# All of /etc: whoever changes a file on the machine meanwhile puts a new one in its place, and would lay bare that of the machine here.
	cp -a /etc "$work/etc" 2>/dev/null
	echo "skerry-rootless:x:$uid:$uid::$work/home:/bin/bash" >>"$work/etc/passwd"
	echo "skerry-rootless:x:$uid:" >>"$work/etc/group"
	echo "skerry-rootless:1600000:65536" | tee "$work/etc/subuid" >"$work/etc/subgid"
	mount --bind "$work/etc" /etc || return
	mkdir -p "$work/home" "$work/runtime" "$work/share"
	chown "$uid:$uid" "$work/home" "$work/runtime" "$work/share"
	chmod 700 "$work/runtime"
	# What root keeps to itself on this machine, and the programs of the build wherever they are.
	[ ! -e /dev/net/tun ] || { mount -t tmpfs none /dev/net && mknod -m 666 /dev/net/tun c 10 200; } || return
	mkdir -p "$work/build" "$work/guest" "$work/bin"
	mount --bind "$build" "$work/build" && mount --bind "$SKERRY_GUEST_DIR" "$work/guest" || return
	cat >"$runtime_skerry" <<-END
		#!/bin/sh
		export SKERRY_MONITOR=$work/build/src/vm/skerry-monitor SKERRY_9PD=$work/build/src/ninepd/skerry-9pd SKERRY_GUEST_DIR=$work/guest $engine
		exec $work/build/src/oci/skerry-oci "\$@"
	END
	# As a login would have it: what is mounted by one is seen by all.
	mount --make-rshared /
}
make_user 2>"$work/user.log" || skip "a user cannot be made here: $(tail -n 1 "$work/user.log")"
as_user() {
	setpriv --reuid "$uid" --regid "$uid" --init-groups --reset-env -- env -C "$work/home" HOME="$work/home" XDG_RUNTIME_DIR="$work/runtime" \
		PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
}
podman() { as_user timeout "$(slow 90)" podman --cgroup-manager cgroupfs --events-backend file --log-level error "$@"; }
p() { podman --runtime "$program" "$@"; }
started() { [ -n "$(podman logs "$1")" ]; }
after_case() {
	podman rm -fa -t 0 >/dev/null 2>&1
	podman volume prune -f >/dev/null 2>&1
}
clean_up() {
	local pid
	after_case
	# Its pause process, and what a case that broke off has left.
	for pid in $(ps -eo pid,uid | awk -v uid="$uid" '$2 == uid { print $1 }'); do kill -9 "$pid"; done 2>/dev/null
	umount -l /etc /dev/net 2>/dev/null
}
finishers+=(clean_up)
tar -C "$rootfs" -c . | podman import -c 'CMD ["sleep", "100000"]' - box >"$work/import.log" 2>&1 || skip "podman does not work here for a plain user: $(tail -n 1 "$work/import.log")"
podman --runtime runc run --rm box true >"$work/try.log" 2>&1 || skip "podman with runc does not work here for a plain user: $(tail -n 1 "$work/try.log")"

same_words() {
	sed -E -e 's/\b(runc|skerry)\b/RUNTIME/g' -e 's/[0-9a-f]{64}/ID/g; s/[0-9a-f]{12}/ID/g' -e "s|$work|WORK|g" -e 's/tapfd=[0-9]+/tapfd=N/g'
}

case_run() {
	p run --rm box sh -c 'echo out; id; exit 3'; echo $?
	echo in | p run --rm -i box cat; echo $?
	p run --rm box /no/such >/dev/null 2>&1; echo $?
	p run --rm box /etc/passwd >/dev/null 2>&1; echo $?
	p run --rm -e A=b -w /tmp -u 1000:1000 --hostname there box sh -c 'echo $A; pwd; id -u; hostname'; echo $?
	p run --rm --read-only box touch /x; echo $?
	p run --rm --cap-drop all box grep CapEff /proc/self/status
	p run --rm --ulimit nofile=77:88 box sh -c 'ulimit -n; ulimit -Hn'
	p run --rm --init box sh -c 'ps | wc -l' >/dev/null; echo $?
	p run --rm --shm-size 7m --tmpfs /t:size=1m box sh -c 'df -k /dev/shm | tail -n 1 | cut -c 1-30; touch /t/x && echo tmpfs'
	p run --rm box sh -c 'touch /a; chown 5:6 /a; mkfifo /p; ln -s a l; stat -c "%n %F %u %g" /a /p /l'
}
case_life() {
	p run -d --log-driver k8s-file --name life box sh -c 'echo started; trap "exit 9" TERM; while :; do sleep 0.1; done' >/dev/null
	wait_for started life
	p exec life sh -c 'echo exec; exit 4'; echo $?
	p exec -u 7 -e X=y -w /etc life sh -c 'id -u; echo $X; pwd'; echo $?
	p exec life no-such >/dev/null 2>&1; echo $?
	p ps --format '{{.Names}}'
	p stop -t 20 life >/dev/null; p inspect -f '{{.State.ExitCode}} {{.State.Status}}' life
	p start life >/dev/null; p kill life >/dev/null; p wait life
	p rm life >/dev/null; echo $?
	p ps -aq
}
case_files() {
	echo one >"$work/share/file"
	chown "$uid:$uid" "$work/share/file"
	p run --rm -v "$work/share:/v" -v "$work/share/file:/single:ro" box sh -c 'cat /v/file /single; echo two >/v/new; chown 5:6 /v/new; echo no >/single'; echo $?
	# Root inside is the user outside, others are of the user's subordinate ids.
	stat -c '%u:%g %s' "$work/share/file" "$work/share/new"
	rm -f "$work/share/new"
	p volume create "vol$runtime" >/dev/null
	podman --runtime runc run --rm -v "vol$runtime:/d" box sh -c 'echo from-runc >/d/a; chown 7:7 /d/a'
	p run --rm -v "vol$runtime:/d" box sh -c 'cat /d/a; stat -c %u /d/a; echo back >/d/b'
	podman --runtime runc run --rm -v "vol$runtime:/d" box cat /d/b
	p volume rm "vol$runtime" >/dev/null
	changed_files
	p commit -q files "im$runtime" >/dev/null; echo $?
	p rm -f -t 0 files >/dev/null
	podman --runtime runc run --rm "im$runtime" cat /etc/made
	podman rmi "im$runtime" >/dev/null
}
case_users() {
	p run --rm --userns keep-id box sh -c 'id; cat /proc/self/uid_map | tr -s " "'; echo $?
	p run --rm --userns keep-id -v "$work/share:/v" box sh -c 'touch /v/mine; stat -c "%u %g" /v/mine'; echo $?
	stat -c '%u %g' "$work/share/mine"
	rm -f "$work/share/mine"
	p run --rm --uidmap 0:1:1000 --gidmap 0:1:1000 box sh -c 'id; tr -s " " </proc/self/uid_map; touch /root/x; stat -c %u /root/x'; echo $?
	p run --rm --userns nomap box id 2>/dev/null; echo $?
	p run --rm --userns auto:size=4096 box sh -c 'id -u; touch /x; stat -c %u /x'; echo $?
}
case_network() {
	p run --rm box sh -c 'ip -o -4 addr show tap0 | tr -s " " | cut -d " " -f 2-4; ip route | cut -d " " -f 1-3 | sort; grep -c nameserver /etc/resolv.conf'
	# podman's own port handler dials from within the network namespace, slirp4netns from outside.
	for handler in rootlesskit slirp4netns; do
		p run -d --name web --network slirp4netns:port_handler=$handler -p 127.0.0.1:28982:80 box httpd -f -p 80 -h /etc >/dev/null || return
		wait_for python3 -c 'import urllib.request; urllib.request.urlopen("http://127.0.0.1:28982/passwd", timeout=5)'
		python3 -c 'import urllib.request; print(urllib.request.urlopen("http://127.0.0.1:28982/group", timeout=5).read().decode())'
		p rm -f -t 0 web >/dev/null
	done
	p run --rm --network none box sh -c 'ls /sys/class/net'
	p run --rm --network host box true; echo $?
}
run_cases "$@"
