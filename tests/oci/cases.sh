# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154 # runtime: set by run
#
# Cases of tests/oci/run: each prints what it sees, and must see the same with runc as with skerry.

case_exit_codes() {
	d box true; echo $?
	d box false; echo $?
	d box sh -c 'exit 42'; echo $?
	# shellcheck disable=SC2016
	d box sh -c 'kill -9 $$'; echo $?
	d box no-such-program; echo $?
	d box /etc/passwd; echo $?
	d box /no/such/file; echo $?
}
case_stdio() {
	echo abc | timeout 30 docker run --rm -i --runtime "$runtime" box cat
	d box sh -c 'echo out; echo err >&2' | sort
	d box sh -c 'head -c 3000000 /dev/zero | tr "\0" x' | wc -c
	head -c 2000000 /dev/zero | timeout 30 docker run --rm -i --runtime "$runtime" box wc -c
}
case_terminal() {
	script -qec "docker run --rm -it --runtime $runtime box sh -c 'tty; stty -a </dev/tty | head -n 1'" /dev/null | tr -d '\r'
}
case_process() {
	d -e A=b -w /tmp -u 1000:1001 box sh -c 'echo $A; pwd; id -u; id -g'
	d --cap-drop ALL --cap-add CHOWN box grep Cap /proc/self/status
	d --security-opt no-new-privileges box grep -E 'NoNewPrivs|^Seccomp:' /proc/self/status
	d --ulimit nofile=77:88 box sh -c 'ulimit -n; ulimit -Hn'
	d --sysctl net.ipv4.ip_default_ttl=77 box cat /proc/sys/net/ipv4/ip_default_ttl
	d --hostname there box hostname
	d --init box sh -c 'tr "\0" " " </proc/1/cmdline'
}
case_mounts() {
	local dir
	dir=$(mktemp -d "$work/mount.XXXX")
	echo one >"$dir/file"
	d -v "$dir:/v" -v "$dir/file:/single:ro" box sh -c \
		'cat /v/file /single; echo two >/v/new; chown 5:6 /v/new; chmod 640 /v/new; mkfifo /v/pipe; ln -s x /v/link; echo no >/single'
	find "$dir" -mindepth 1 -printf '%f %y %m %U:%G %s\n' | sort
	d --read-only --tmpfs /t:size=1m box sh -c 'touch /x; touch /t/y && echo tmpfs'
	d --shm-size 7m box sh -c 'df -k /dev/shm | tail -n 1'
	docker volume create "vol$runtime" >/dev/null
	docker run --rm -v "vol$runtime:/d" box sh -c 'echo from-runc >/d/a'
	d -v "vol$runtime:/d" box sh -c 'cat /d/a; echo back >/d/b'
	docker run --rm -v "vol$runtime:/d" box cat /d/b
	docker volume rm "vol$runtime" >/dev/null
}
case_copy() {
	up copy box sh -c 'echo 1 >/etc/made; rm /etc/group; sleep 100'
	sleep 1
	docker diff copy | sort
	docker cp copy:/etc/made - | tar -xO
	echo in >"$work/in"
	docker cp "$work/in" copy:/root/in
	in_c copy cat /root/in
	docker commit copy "im$runtime" >/dev/null
	gone copy
	docker run --rm "im$runtime" cat /etc/made
	docker rmi "im$runtime" >/dev/null
}
case_exec() {
	up ex box sleep 100
	in_c ex sh -c 'exit 3'; echo $?
	in_c ex no-such-program; echo $?
	in_c -u 7 -e X=y -w /etc ex sh -c 'id -u; echo $X; pwd'
	echo text | timeout 10 docker exec -i ex cat
	in_c -d ex sh -c 'echo late >/tmp/late'; sleep 1; in_c ex cat /tmp/late
	timeout 10 docker top ex -o pid | tail -n +2 | wc -l
	gone ex
}
case_pause() {
	up pa box sleep 100
	docker pause pa; docker inspect -f '{{.State.Status}}' pa
	in_c pa true; echo $?
	docker unpause pa; in_c pa echo alive
	docker update -m 100m --memory-swap 200m pa
	docker kill -s USR1 pa
	gone pa
}
case_stop() {
	up st box sh -c 'trap "exit 9" TERM; while :; do sleep 0.1; done'
	sleep 1
	docker stop -t 10 st; docker inspect -f '{{.State.ExitCode}} {{.State.Status}}' st
	docker start st; sleep 1; docker kill st; sleep 0.5; docker inspect -f '{{.State.ExitCode}}' st
	gone st
}
case_restart() {
	up re --restart on-failure:2 box sh -c 'exit 5'
	sleep 8
	docker inspect -f '{{.RestartCount}} {{.State.ExitCode}}' re
	gone re
	up he --health-cmd 'test -e /etc/passwd' --health-interval 1s box sleep 100
	sleep 4
	docker inspect -f '{{.State.Health.Status}}' he
	docker restart -t 1 he; in_c he hostname | wc -c
	gone he
}
case_limits() {
	docker run --name oom -m 64m --runtime "$runtime" box tail /dev/zero
	docker inspect -f '{{.State.OOMKilled}} {{.State.ExitCode}}' oom
	gone oom
	d --pids-limit 10 box sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 3 & done' >"$work/pids"; grep -c -i -E "fork|resource" "$work/pids"
}
case_network() {
	local address
	up web -p 127.0.0.1:28080:80 box httpd -f -p 80 -h /etc
	sleep 0.5
	address=$(docker inspect -f '{{.NetworkSettings.IPAddress}}' web)
	docker run --rm box wget -T 5 -qO- "http://$address/passwd"
	in_c web ip -o -4 addr show eth0 | tr -s ' ' | cut -d ' ' -f 2-6
	in_c web ip route | sed 's/ proto [a-z]*//; s/  */ /g; s/ *$//'
	in_c web cat /sys/class/net/eth0/mtu /sys/class/net/eth0/address
	in_c web ping -c 1 -W 3 172.29.77.1 | grep -c ' 0% packet loss'
	python3 -c 'import urllib.request; print(urllib.request.urlopen("http://127.0.0.1:28080/passwd", timeout=5).read().decode(), end="")'
	gone web
	d --network none box sh -c 'ls /sys/class/net | grep -v dummy'
}
case_networks() {
	docker network create one >/dev/null
	docker network create --ipv6 --subnet fd00:7a::/64 --subnet 172.29.78.0/24 two >/dev/null
	docker run -d --name first --network one box httpd -f -p 80 -h /etc >/dev/null
	docker run -d --name second --network two box httpd -f -p 80 -h /etc >/dev/null
	up between --network one box httpd -f -p 80 -h /etc
	sleep 0.5
	in_c between wget -T 5 -qO- http://first/passwd
	in_c first wget -T 5 -qO- http://between/passwd
	docker network connect two between
	sleep 0.5
	in_c between ls /sys/class/net | grep eth | xargs
	in_c between wget -T 5 -qO- http://second/group
	in_c between ping -6 -c 1 -W 3 fd00:7a::1 | grep -c ' 0% packet loss'
	docker network disconnect one between
	sleep 0.5
	in_c between ls /sys/class/net | grep eth | xargs
	gone first second between
	docker network rm one two >/dev/null
}
case_bad_requests() {
	docker run --rm --runtime "$runtime" -v /no/such/folder/file:/x:ro --mount type=bind,source=/no/such/folder,target=/y box true >/dev/null 2>&1; echo $?
	find "$work/exec/runtime-runc/moby/containers" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l
}
case_left_over() {
	up lo box sleep 100
	kill -9 "$(docker inspect -f '{{.State.Pid}}' lo)"
	sleep 1
	docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' lo
	docker start lo; in_c lo echo again
	gone lo
	pgrep -f "$work/exec.*skerry-monitor" | wc -l
}
