# SPDX-License-Identifier: Apache-2.0
#
# bash tests/oci/engines/podman.sh [CASE …]: podman, as root and as a plain user, with runc and with skerry. Storage and state of its own; networks get names of
# their own.
# shellcheck shell=bash disable=SC2016,SC2034,SC2128,SC2154,SC2178,SC2181 # words for shells in containers; variables of common.sh
# shellcheck source=tests/oci/engines/common.sh
. "$(dirname "$0")/common.sh"
need podman conmon
cd "$work" || exit # where conmon notes what ran out of memory

export CONTAINERS_STORAGE_CONF=$work/storage.conf CONTAINERS_CONF=$work/containers.conf
cat >"$work/storage.conf" <<END
[storage]
driver = "overlay"
graphroot = "$work/graph"
runroot = "$work/run"
END
cat >"$work/containers.conf" <<END
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "$work/tmp"
infra_image = "localhost/box"
runtime_supports_nocgroups = []
[engine.runtimes]
skerry = ["$runtime_skerry"]
[network]
network_config_dir = "$work/networks"
default_subnet = "10.93.9.0/24"
END
p() { timeout "$(slow 90)" podman --runtime "$program" "$@"; }
clean_up() {
	podman pod rm -fa -t 0 >/dev/null 2>&1
	podman rm -fa -t 0 >/dev/null 2>&1
	podman network prune -f >/dev/null 2>&1
	podman rmi -fa >/dev/null 2>&1
}
finishers+=(clean_up)
tar -C "$rootfs" -c . | podman import -c 'CMD ["sleep", "100000"]' - box >/dev/null 2>&1 || skip "podman does not work here: $(podman info 2>&1 | tail -n 1)"
same_words() {
	sed -E -e 's/time="[^"]*"/TIME/' -e 's/\b(runc|skerry)\b/RUNTIME/g' -e 's/[0-9a-f]{64}/ID/g; s/[0-9a-f]{12}/ID/g' -e "s|$work|WORK|g" -e 's/10\.93\.9\.[0-9]+/ADDRESS/g'
}

# What a case that broke off has left must not disturb the next one.
after_case() {
	podman pod rm -fa -t 0 >/dev/null 2>&1
	podman rm -fa -t 0 >/dev/null 2>&1
}

case_run() {
	p run --rm box sh -c 'echo out; exit 3'; echo $?
	echo in | p run --rm -i box cat; echo $?
	p run --rm box /no/such >/dev/null 2>&1; echo $?
	p run --rm box no-such >/dev/null 2>&1; echo $?
	p run --rm box /etc/passwd >/dev/null 2>&1; echo $?
	p run --rm -e A=b -w /tmp -u 1000:1000 --hostname there box sh -c 'echo $A; pwd; id -u; hostname'; echo $?
	p run --rm --read-only box touch /x; echo $?
	p run --rm --cap-drop all box grep CapEff /proc/self/status
	p run --rm --ulimit nofile=77:88 --ulimit nproc=500:500 box sh -c 'ulimit -n; ulimit -Hn'
	p run --rm --init box sh -c 'ps | wc -l' >/dev/null; echo $?
	p run --rm --shm-size 7m --tmpfs /t:size=1m box sh -c 'df -k /dev/shm | tail -n 1 | cut -c 1-30; touch /t/x && echo tmpfs'
}
case_life() {
	p run -d --name life box sh -c 'echo started; trap "exit 9" TERM; while :; do sleep 0.1; done' >/dev/null
	wait_for sh -c 'podman logs life | grep -q started'
	p exec life sh -c 'echo exec; exit 4'; echo $?
	p exec -u 7 -e X=y -w /etc life sh -c 'id -u; echo $X; pwd'; echo $?
	p exec life no-such >/dev/null 2>&1; echo $?
	p ps --format '{{.Names}}'
	p pause life >/dev/null; p ps -a --format '{{.State}}'
	p unpause life >/dev/null
	p top life pid >/dev/null; echo $?
	p stop -t 20 life >/dev/null; p inspect -f '{{.State.ExitCode}} {{.State.Status}}' life
	p start life >/dev/null; p kill life >/dev/null; p wait life
	p logs life | sort | uniq -c | awk '{ print $2 }'
	p rm life >/dev/null; echo $?
	p ps -aq
}
case_files() {
	mkdir -p "$work/share"
	echo one >"$work/share/file"
	p run --rm -v "$work/share:/v" -v "$work/share/file:/single:ro" box sh -c 'cat /v/file /single; echo two >/v/new; chown 5:6 /v/new; echo no >/single'; echo $?
	stat -c '%u:%g %s' "$work/share/new"
	p volume create "vol$runtime" >/dev/null
	podman --runtime runc run --rm -v "vol$runtime:/d" box sh -c 'echo from-runc >/d/a'
	p run --rm -v "vol$runtime:/d" box sh -c 'cat /d/a; echo back >/d/b'
	podman --runtime runc run --rm -v "vol$runtime:/d" box cat /d/b
	p volume rm "vol$runtime" >/dev/null
	changed_files
	echo in >"$work/in"
	p cp "$work/in" files:/root/in; p exec files cat /root/in
	# Who enters the container's root from the host must not be led out of it again by a link that the container made.
	nsenter -m -t "$(p inspect -f '{{.State.Pid}}' files)" /bin/busybox sh -c "test -e /etc/made && ! test -e /proc/$$/root$work/in"; echo $?
	p commit -q files "im$runtime" >/dev/null; echo $?
	p rm -f -t 0 files >/dev/null
	podman --runtime runc run --rm "im$runtime" cat /etc/made
	p rmi "im$runtime" >/dev/null
}
# A copy into what is the container's alone (with skerry: the guest's) is there, or is refused by name; it does not vanish.
case_copy_tmpfs() {
	mkdir -p "$work/share"
	echo data >"$work/in"
	p run -d --name copy --tmpfs /t:size=1m --tmpfs /run/deep/t -v "$work/share:/t/share" -v "$work/share:/new/place" -v "$work/in:/new/file" box sleep 1000 >/dev/null || return
	wait_for p exec copy test -d /t
	for at in /t/in /run/deep/t/in /dev/shm/in /dev/in; do
		if said=$(p cp "$work/in" "copy:$at" 2>&1); then
			p exec copy cat "$at"
		else
			[[ $runtime = runc || $said != *"read-only file system"* ]] && echo "$said" || echo data
		fi
	done
	# below one of them, a directory of the host
	p cp "$work/in" copy:/t/share/copied; echo $?
	p exec copy cat /t/share/copied
	# on mount points that the image does not have
	p cp "$work/in" copy:/new/place/copied; echo $?
	p exec copy cat /new/place/copied
	p cp copy:/new/file - | tar -xO
	p cp "$work/in" copy:/root/copied; echo $?
	p exec copy cat /root/copied
	p rm -f -t 0 copy >/dev/null
}
# Right after the start, and before it.
case_copy_early() {
	echo data >"$work/in"
	for i in 1 2 3; do
		p run -d --name "early$i" box sleep 1000 >/dev/null
		p cp "$work/in" "early$i:/in"; echo $?
		p exec "early$i" cat /in
		p create --name "earlier$i" box sleep 1000 >/dev/null
		p cp "$work/in" "earlier$i:/in"; echo $?
		p start "earlier$i" >/dev/null
		p cp "earlier$i:/in" - | tar -xO
		p exec "earlier$i" cat /in
	done
}
# Without an infra container the members share nothing.
case_pod_without_infra() {
	p pod create --infra=false --name apart >/dev/null; echo $?
	p run -d --pod apart --name a box sleep 1000 >/dev/null; echo $?
	p run -d --pod apart --name b box sleep 1000 >/dev/null; echo $?
	p exec a hostname | wc -l; p exec b echo hi
	p run --rm --pod apart box echo third; echo $?
	p pod ps --format '{{.Name}} {{.Status}} {{.NumberOfContainers}}'
	p pod stop -t 0 apart >/dev/null; echo $?
	p pod ps --format '{{.Name}} {{.Status}}'
	p pod start apart >/dev/null; echo $?
	p exec b echo again
	p pod rm -f -t 0 apart >/dev/null; echo $?
}
# Mounts that podman asks the runtime for: an overlay on a directory, an image's files.
case_overlays() {
	mkdir -p "$work/over/sub"
	echo below >"$work/over/sub/file"
	p run --rm -v "$work/over:/x:O" box sh -c 'cat /x/sub/file; echo new >/x/sub/file; cat /x/sub/file; rm -r /x/sub && ls /x | wc -l'; echo $?
	cat "$work/over/sub/file"
	p run --rm --mount type=image,source=box,destination=/y box sh -c 'cat /y/etc/group; touch /y/no'; echo $?
	p run --rm --mount type=image,source=box,destination=/y,rw=true box sh -c 'touch /y/yes && ls /y/yes'; echo $?
}
case_network() {
	p run -d --name web -p 127.0.0.1:28981:80 box httpd -f -p 80 -h /etc >/dev/null || return
	wait_for python3 -c 'import urllib.request; urllib.request.urlopen("http://127.0.0.1:28981/passwd", timeout=5)'
	p exec web sh -c 'ip -o -4 addr show eth0 | tr -s " " | cut -d " " -f 2-4; ip route | cut -d " " -f 1-3 | sort'
	address=$(p inspect -f '{{.NetworkSettings.IPAddress}}' web)
	p run --rm box sh -c "printf 'GET /group HTTP/1.0\r\n\r\n' | nc -w 5 $address 80 | tail -n 2"
	p run --rm --network container:web box sh -c "printf 'GET /group HTTP/1.0\r\n\r\n' | nc -w 5 127.0.0.1 80 | tail -n 2; hostname | wc -l"
	p rm -f -t 0 web >/dev/null
	p run --rm --network none box sh -c 'ls /sys/class/net'
}
case_pod() {
	p pod create --name pod >/dev/null || return
	p run -d --pod pod --name web box httpd -f -p 80 -h /etc >/dev/null; echo $?
	p run -d --pod pod --name cli box sleep 1000 >/dev/null; echo $?
	sleep "$(slow 1)"
	p exec cli sh -c "printf 'GET /group HTTP/1.0\r\n\r\n' | nc -w 5 127.0.0.1 80 | tail -n 2; hostname; echo x >/dev/shm/x"
	p exec web sh -c 'cat /dev/shm/x; hostname'
	p kill cli >/dev/null; p wait cli
	p start cli >/dev/null; echo $?
	p exec cli cat /dev/shm/x
	p run --rm --pod pod box sh -c 'exit 6'; echo $?
	p pod ps --format '{{.Name}} {{.Status}} {{.NumberOfContainers}}'
	p pod stop -t 1 pod >/dev/null 2>&1; echo $?
	p pod start pod >/dev/null; echo $?
	p exec cli hostname
	p pod rm -f -t 0 pod >/dev/null; echo $?
	p ps -aq
}
case_build() {
	local dir=$work/build
	b() { timeout "$(slow 90)" podman build --runtime "$program" --isolation oci --no-cache "$@" 2>&1; }
	mkdir -p "$dir/directory"
	echo one >"$dir/directory/file"
	cat >"$dir/Dockerfile" <<-'END'
		FROM box AS first
		ARG WORD=none
		RUN echo $WORD >/made && id -u >>/made && uname -r >/kernel
		WORKDIR /there
		COPY --chown=1000:1000 directory /there/directory
		RUN stat -c '%n %u:%g %a' directory/file && chmod 600 directory/file && ln -s file directory/link
		USER user
		RUN id -un && touch /tmp/hers && ! touch /no 2>/dev/null
		FROM box
		COPY --from=first /made /there /copied/
		COPY --from=first /kernel /tmp/hers /
		RUN ["/bin/sh", "-c", "find /copied | sort; cat /copied/made"]
		CMD ["cat", "/copied/made"]
	END
	b --network none --build-arg WORD=given -t "built$runtime" "$dir" | grep -v -E '^(-->|(\[./.\] )?(STEP|COMMIT)|Successfully)'
	p run --rm "built$runtime"
	p run --rm "built$runtime" sh -c 'stat -c "%n %u:%g %a" /copied/directory/file /hers; readlink /copied/directory/link'
	# the steps ran where they were meant to
	[ "$(podman --runtime runc run --rm "built$runtime" cat /kernel | grep -c skerry)" = "$([ "$runtime" = runc ]; echo $?)" ]; echo $?
	printf 'FROM box\nRUN echo before; exit 9\n' | b --network none -f - "$dir" | grep -c -E 'before|exit status 9'
	printf 'FROM box\nRUN --mount=type=bind,source=directory,target=/m cat /m/file && ! touch /m/x 2>/dev/null\n' | b --network none -f - "$dir" | grep -x one
	printf 'FROM box\nRUN --mount=type=tmpfs,target=/m touch /m/x && grep -c " /m tmpfs" /proc/mounts\n' | b --network none -f - "$dir" | grep -x 1
	printf 'FROM box\nRUN ls /sys/class/net\n' | b -f - "$dir" | grep -x -E 'lo|eth0'
	printf 'FROM box\nRUN cat /v/file; echo x >/v/new\n' | b -v "$dir/directory:/v" --network none -f - "$dir" | grep -x one
	rm -f "$dir/directory/new"
	podman rmi -f "built$runtime" >/dev/null 2>&1
}
# Many at once: each has an image in the end, and no control group is left.
builds_at_once() {
	local i n=$1 list=() pids=() dir=$work/parallel
	mkdir -p "$dir"
	printf 'FROM box\nRUN echo hi >/made\n' >"$dir/Dockerfile"
	for ((i = 0; i < n; i++)); do
		list+=("built$i")
		timeout "$(slow 300)" podman build --runtime "$program" --isolation oci --no-cache --network none -t "built$i" "$dir" >"$dir/$i" 2>&1 &
		pids+=($!)
	done
	for ((i = 0; i < n; i++)); do wait "${pids[i]}" || tail -n 3 "$dir/$i"; done
	p run --rm "built$((n - 1))" cat /made
	podman rmi -f "${list[@]}" 2>&1 | grep -c '^Untagged'
	find /sys/fs/cgroup -maxdepth 2 -name 'buildah-*' | grep -cvxF "$groups"
}
case_builds_at_once() {
	local groups
	groups=$(find /sys/fs/cgroup -maxdepth 2 -name 'buildah-*')
	builds_at_once 6
}
full_builds_at_once() {
	local groups
	groups=$(find /sys/fs/cgroup -maxdepth 2 -name 'buildah-*')
	builds_at_once 30
}
case_limits() {
	p run --name oom -m 64m box tail /dev/zero >/dev/null 2>&1; echo $?
	p inspect -f '{{.State.OOMKilled}}' oom
	p rm oom >/dev/null
	p run -d --name he --health-cmd 'test -e /etc/passwd' --health-interval disable box sleep 1000 >/dev/null
	p healthcheck run he; echo $?
	p stats --no-stream --format '{{.Name}}' he
	p rm -f -t 0 he >/dev/null
	p run --rm --userns auto box id -u >/dev/null 2>&1 || true
	p run --rm --uidmap 0:100000:5000 --gidmap 0:100000:5000 box sh -c 'id -u; touch /root/x; stat -c %u /root/x'; echo $?
}
full_terminal() {
	script -qec "podman --runtime $program run --rm -it box sh -c 'tty; exit 5'; echo code \$?" /dev/null </dev/null | tr -d '\r' | sed 's/\^@//'
	p run -d --name t box sleep 1000 >/dev/null
	script -qec "podman --runtime $program exec -it t sh -c 'tty; exit 6'; echo code \$?" /dev/null </dev/null | tr -d '\r' | sed 's/\^@//'
	p rm -f -t 0 t >/dev/null
}
run_cases "$@"
