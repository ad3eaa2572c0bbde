# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2016,SC2034 # variables set by ../run; code in quotes is run by p
#
# What the daemon is set up for: a dockerd of the case's own, in a network and a mount namespace of its own.

# other_daemon JSON: starts one with JSON's members in its daemon.json; docker means it from here on.
other_daemon() {
	mkdir -p "$tmp/other"
	chmod 711 "$work" "$work/cases" "$tmp" "$tmp/other"
	export DOCKER_HOST=unix://$tmp/other/docker.sock
	cat >"$tmp/other/daemon.json" <<-END
		{"data-root": "$tmp/other/data", "exec-root": "$tmp/x", "pidfile": "$tmp/other/docker.pid", "hosts": ["$DOCKER_HOST"],
		 "cgroup-parent": "$group", "bip": "172.29.78.1/24", "runtimes": {"skerry": {"path": "$work/bin/skerry-oci"}}, $1}
	END
	cat >"$tmp/other/place" <<-'END'
		#!/bin/sh
		# A user with subordinate ids, on nobody's machine but this daemon's. All of /etc: whoever changes a file there puts a new one in its place.
		ip link set lo up
		[ -d "$1/etc" ] || cp -a /etc "$1/etc"
		echo 'remap:x:61999:61999::/:/bin/false' >>"$1/etc/passwd"
		echo 'remap:x:61999:' >>"$1/etc/group"
		echo 'remap:300000:65536' | tee "$1/etc/subuid" >"$1/etc/subgid"
		mount --bind "$1/etc" /etc
		touch "$1/ready"
		exec sleep 100000
	END
	chmod 755 "$tmp/other/place"
	rm -f "$tmp/other/ready"
	unshare --net --mount --propagation private "$tmp/other/place" "$tmp/other" >"$tmp/other/log" 2>&1 </dev/null &
	place_pid=$!
	until_true 20 "[ -e $tmp/other/ready ]"
	other_daemon_start
	tar -C "$work/rootfs" -c . | docker import - box >/dev/null
}
other_daemon_start() {
	nsenter -t "$place_pid" -n -m -- dockerd --config-file "$tmp/other/daemon.json" >>"$tmp/other/log" 2>&1 </dev/null &
	until_true 30 'docker version' || tail -n 5 "$tmp/other/log"
}
# SIGNAL: whatever else is there goes on. Its pid is not a variable: points are run in subshells.
other_daemon_end() {
	local pid
	pid=$(cat "$tmp/other/docker.pid")
	kill -s "$1" "$pid"
	until_true 60 "! kill -0 $pid || grep -q '^State:.Z' /proc/$pid/status"
}
other_daemon_stop() {
	docker ps -aq | xargs -r timeout 60 docker rm -f -v >/dev/null 2>&1
	other_daemon_end TERM
	kill "$place_pid"
	wait "$place_pid" 2>/dev/null
	DOCKER_HOST=unix://$work/docker.sock
}
# As the daemon sees it.
there() { nsenter -t "$place_pid" -m -- "$@"; }

# --userns-remap: root of a container is a nobody on the host, and its files are that nobody's.
case_remap() {
	local dir=$tmp/dir merged
	other_daemon '"userns-remap": "remap"'
	mkdir -p "$dir/theirs" "$dir/closed"
	chown 300000:300000 "$dir/theirs"
	chmod 700 "$dir/closed"
	echo secret >"$dir/closed/file"
	p remapped 'docker info -f "{{.SecurityOptions}}" | grep -o name=userns; ls $tmp/other/data | grep 300000' '300000.300000'
	p run 'd box sh -c "id; tr -s \" \" </proc/self/uid_map; tr -s \" \" </proc/self/gid_map"' '0 300000 65536'
	up "$me" box sleep 1000
	merged=$(show "$me" '{{.GraphDriver.Data.MergedDir}}')
	p files 'x $me sh -c "touch /root/a; mkdir /root/d; ln -s a /root/l; touch /root/b; chown 5:6 /root/b; mkfifo /root/p; stat -c \"%n %u:%g\" /root/*; cat /etc/passwd | wc -l"' '/root/b 5:6'
	p files-outside 'there stat -c "%n %F %u:%g" $merged/root/a $merged/root/b $merged/root/d $merged/root/l $merged/root/p | sed "s|$merged||"' '300005:300006'
	p written-outside 'echo from-host | there tee $merged/root/h >/dev/null; there chown 300007:300007 $merged/root/h; x $me sh -c "cat /root/h; stat -c %u /root/h"' '^7|from-host'
	p bind 'd -v $dir/theirs:/v box sh -c "echo x >/v/f; stat -c %u /v /v/f"; stat -c "%u:%g" $dir/theirs/f' '300000:300000'
	p not-theirs 'd -v $dir:/v box sh -c "touch /v/x; cat /v/closed/file; stat -c %u /v"; ls $dir' 'Permission denied'
	p read-only 'd -v $dir/theirs:/v:ro box sh -c "cat /v/f; touch /v/g"' 'Read-only'
	p volume 'docker volume create $me-v >/dev/null; docker run --rm -v $me-v:/d box sh -c "echo runc >/d/a; chown 7:7 /d/a"; d -v $me-v:/d box sh -c "cat /d/a; stat -c %u /d/a; echo back >/d/b"; stat -c "%u" $(docker volume inspect -f {{.Mountpoint}} $me-v)/*' '300007'
	p user 'd -u 1000:1001 box sh -c "id -u; touch /tmp/x; stat -c %u:%g /tmp/x; touch /x"' 'Permission denied'
	p mounts 'd --tmpfs /t --shm-size 3m box sh -c "touch /t/a /dev/shm/a; stat -c \"%n %u\" /t /t/a /dev/shm/a /dev/pts; echo x >/dev/null; head -c 4 /dev/zero | wc -c"' '/t/a 0'
	p terminal 'd -t box sh -c "tty; stat -c %u /dev/pts/0"' '/dev/pts/0'
	p rights 'd box sh -c "grep ^Cap /proc/self/status; mknod /tmp/c c 1 3; chown 5:5 /tmp && echo owned; hostname x; mount -t tmpfs x /mnt"' 'owned'
	p exec 'x $me sh -c "id -u; exit 3"; x -u 7 $me id -u' 'exit 0$'
	p copy 'echo in >$tmp/in; chown 1:1 $tmp/in; docker cp $tmp/in $me:/root/in; x $me sh -c "cat /root/in; stat -c %u:%g /root/in"; docker cp $me:/root/b - | tar -tv | tr -s " " | cut -d " " -f 1-2' 'in'
	p diff 'docker diff $me | sort' 'A /root/a'
	p commit 'docker commit $me $me:new >/dev/null; docker run --rm $me:new stat -c "%n %u:%g" /root/b /root/a' '/root/b 5:6'
	p network 'd box sh -c "ip -4 -o addr show eth0 | wc -l; nc -w 5 172.29.78.1 9 </dev/null; echo \$?"; d --network none box ls /sys/class/net' 'refused.*lo'
	# A VM's network is not that of its user namespaces' roots: no raw sockets. What ping (not busybox's) uses first is there.
	differ ping 'd -v /usr/bin/perl:/perl:ro -v /usr/lib/x86_64-linux-gnu:/usr/lib/x86_64-linux-gnu:ro -e LD_LIBRARY_PATH=/usr/lib/x86_64-linux-gnu box sh -c "ping -c 1 -w 5 172.29.78.1; /perl -e \"print socket(S, 2, 2, 1) ? qq(ping socket\\n) : qq(\\$!\\n)\""' '1 packets received' 'ping socket'
	# All users but root are one reserved user among the stand-ins.
	differ pids 'docker top $me -eo pid,uid,args | tail -n 1 | xargs | cut -d " " -f 2-' '300000 sleep 1000' '1526726655 sleep 1000'
	p restart 'docker restart -t 0 $me >/dev/null; x $me cat /root/in; docker stop -t 0 $me >/dev/null; docker start $me >/dev/null; x $me stat -c %u /root/b' '(^|.)5'
	p host-users 'd --userns host box sh -c "tr -s \" \" </proc/self/uid_map"' '0 0 4294967295'
	other_daemon_stop
}

# "default-runtime": docker run without a word about it, and docker build (the old builder: its steps are containers of the default runtime).
case_default_runtime() {
	other_daemon "\"default-runtime\": \"$runtime\""
	export DOCKER_BUILDKIT=0
	mkdir -p "$tmp/build/directory"
	echo one >"$tmp/build/directory/file"
	echo skip >"$tmp/build/skipped"
	echo skipped >"$tmp/build/.dockerignore"
	cat >"$tmp/build/Dockerfile" <<-'END'
		FROM box AS first
		ARG WORD=none
		ENV KEPT=$WORD
		RUN echo $KEPT >/made && id -u >>/made && uname -r >/kernel && pwd >>/made
		WORKDIR /there
		COPY --chown=1000:1001 directory /there/directory
		COPY . /all/
		RUN ls -A /all && stat -c '%n %u:%g %a' directory/file && chmod 600 directory/file && ln -s file directory/link && rm /all/Dockerfile
		USER anna
		RUN id -un && touch /tmp/hers && ! touch /no 2>/dev/null
		FROM box
		COPY --from=first /made /there /copied/
		COPY --from=first /kernel /tmp/hers /
		RUN ["/bin/sh", "-c", "find /copied | sort; cat /copied/made"]
		RUN printf '#!/bin/sh\necho "ran $1"\n' >/run.sh && chmod 755 /run.sh
		HEALTHCHECK --interval=1s CMD test -e /made || exit 1
		ENTRYPOINT ["/run.sh"]
		CMD ["default"]
	END
	p runtime 'docker info -f "{{json .DefaultRuntime}}"' 'exit 0$'
	differ run 'docker run --rm box uname -r' '.' 'skerry'
	p build 'docker build -t $me --build-arg WORD=given $tmp/build 2>&1 | grep -v -E "^(Step|Removing| --->|Sending|Successfully)"; docker images -q $me | wc -l' 'anna.*/copied/directory/file.*given'
	differ built-in 'docker run --rm --entrypoint cat $me /kernel' '.' 'skerry'
	p result 'docker run --rm $me; docker run --rm $me word; docker run --rm --entrypoint sh $me -c "stat -c \"%n %u:%g %a\" /copied/directory/file /tmp/hers /hers 2>&1; readlink /copied/directory/link"' 'ran default.*ran word.*1000:1001 600'
	p with-runc 'docker run --rm --runtime runc $me other' 'ran other'
	p again 'docker build -t $me --build-arg WORD=given $tmp/build 2>/dev/null | grep -c "Using cache"' '^[1-9]'
	p step-fails 'printf "FROM box\nRUN echo before; exit 9\n" | docker build - 2>&1 | grep -E "before|non-zero code: 9"' 'code: 9'
	p no-program 'printf "FROM box\nRUN [\"/no/such\"]\n" | docker build - >/dev/null 2>&1; echo $?' '^[1-9]'
	p network-none 'printf "FROM box\nRUN ls /sys/class/net\n" | docker build --network none - 2>&1 | grep -x -E "lo|eth0"' '^lo'
	p network 'printf "FROM box\nRUN ip -4 -o addr show eth0 | wc -l\n" | docker build - 2>&1 | grep -x 1' '^1'
	p limits 'printf "FROM box\nRUN cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes\n" | docker build -m 100m - 2>&1 | grep -x 104857600' '104857600'
	other_daemon_stop
}

# The daemon goes and comes back: containers go on without it, or come back with it.
case_daemon_restarts() {
	other_daemon '"live-restore": true'
	local beat='i=0; trap "exit 5" TERM; while :; do i=$((i+1)); echo $i >/tmp/next; mv /tmp/next /tmp/count; sleep 0.1; done'
	up "$me" -p 8081:80 box sh -c "httpd -p 80 -h /var/www; echo begun; $beat"
	up "$me-gone" box sleep 1000
	up "$me-h" --health-cmd 'test -e /etc/passwd' --health-interval 0.5s box sh -c "$beat"
	until_true 10 "docker logs $me | grep begun && x $me test -s /tmp/count"
	for way in TERM KILL; do
		p "live-$way" 'pid=$(show $me {{.State.Pid}}); other_daemon_end $way; sleep 1; other_daemon_start; [ "$(show $me {{.State.Pid}})" = "$pid" ] && x $me echo alive' 'alive'
		p "goes-on-$way" 'a=$(x $me cat /tmp/count); sleep 1; b=$(x $me cat /tmp/count); [ "$b" -gt "$a" ] && echo on; docker logs $me' 'on.begun'
		p "network-$way" 'address=$(show $me {{.NetworkSettings.IPAddress}}); d box wget -q -O - http://$address/; nsenter -t $place_pid -n busybox wget -q -O - http://$address/' 'hello.hello'
	done
	p healthy 'until_true 20 "[ \$(docker inspect -f {{.State.Health.Status}} $me-h) = healthy ]"; show $me-h {{.State.Health.Status}}' 'healthy'
	p ended-meanwhile 'pid=$(show $me-gone {{.State.Pid}}); other_daemon_end TERM; kill -9 $pid; sleep 1; other_daemon_start; ended $me-gone; show $me-gone "{{.State.Status}} {{.State.ExitCode}}"' 'exited'
	p stats 'docker stats --no-stream --format "{{.PIDs}}" $me | grep -c "^[1-9]"' '^1'
	p stop 'docker stop -t 20 $me >/dev/null; show $me "{{.State.Status}} {{.State.ExitCode}}"; docker start $me >/dev/null; x $me echo again' 'exited 5.*again'
	other_daemon_stop
	other_daemon '"live-restore": false'
	up "$me-a" --restart always box sh -c "$beat"
	up "$me-u" --restart unless-stopped box sh -c "$beat"
	up "$me-s" --restart unless-stopped box sh -c "$beat"
	up "$me-n" box sh -c "$beat"
	sleep 1
	docker stop -t 20 "$me-s" >/dev/null
	p policies 'other_daemon_end TERM; other_daemon_start; until_true 30 "x $me-a true && x $me-u true"; for c in a u s n; do show $me-$c "$c {{.State.Running}}"; done; x $me-a echo alive; x $me-u echo alive' 'a true.u true.s false.n false.alive.alive'
	# "unless-stopped" does not bring one back that the next daemon finds and ends
	p policies-killed 'other_daemon_end KILL; other_daemon_start; until_true 30 "x $me-a true"; for c in a s n; do show $me-$c "$c {{.State.Running}}"; done; x $me-a echo alive' 'a true.s false.n false.alive'
	p start 'docker start $me-n >/dev/null; x $me-n echo alive' 'alive'
	other_daemon_stop
}
