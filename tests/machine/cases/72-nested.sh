# shellcheck shell=bash disable=SC1091,SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# Engines in privileged containers: docker in docker, and nodes with engines of their own, as kind has them.

# What the entry point of docker's own image does with control groups of version 2: processes out of the root group, all controllers below it.
entry='mkdir -p /sys/fs/cgroup/init && while read -r p; do echo "$p" >/sys/fs/cgroup/init/cgroup.procs || true; done </sys/fs/cgroup/cgroup.procs
sed "s/^/+/; s/ / +/g" /sys/fs/cgroup/cgroup.controllers >/sys/fs/cgroup/cgroup.subtree_control
exec "$@"'

# nested NAME OPTION...: a container with a dockerd, which has the image box.
nested() {
	local name=$1
	shift
	# An inner dockerd gives its containerd 15 s, which is not enough beside other work: then it is started again.
	ok d run -d --name "$name" --hostname "$name" --restart on-failure:4 --privileged -v /var/lib/docker -v "$HOME/box.tar:/box.tar:ro" "$@" dind sh -c "$entry" sh dockerd
	ready_in 300 "$name" docker info
	ok d exec "$name" docker import -c 'ENV PATH=/bin' /box.tar box:latest
}

# case: full timeout=2400
case_machine_dind() {
	. "$SUITE/lib.sh"
	local p
	start_machine --memory 2g
	load_image dind
	cp "$WORK/box.tar" "$HOME/box.tar"
	p=$(free_port)
	nested inner -p "127.0.0.1:$p:8080" -v "$HOME/files:/files"
	ok d exec inner docker info --format '{{.Driver}} {{.CgroupVersion}}'
	same "$out" 'overlay2 2'
	ok d exec inner docker run --rm box echo nested
	same "$out" nested
	ok d exec inner docker run --rm -m 32m --cpus 0.5 --pids-limit 50 box cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max
	same "$out" $'33554432\n50'
	ok d exec inner docker network create net
	ok d exec inner docker run -d --name peer --network net box sleep 1000
	ok d exec inner docker run --rm --network net box ping -c 1 -W 5 peer
	ok d exec inner docker run --rm --network net box nslookup host.docker.internal
	has "$out" '10\.0\.2\.2'
	# From the host through both, and a directory of the host in both.
	ok d exec inner docker run -d --name web -p 8080:80 -v /files:/site box httpd -f -p 80 -h /site
	echo of-the-host >"$HOME/files/index.html"
	until_ok 20 curl -sSf -m 5 -o "$WORK/index" "http://127.0.0.1:$p/"
	same "$(cat "$WORK/index")" of-the-host
	ok d exec inner sh -c 'printf "FROM box\nRUN echo built >/file\n" | docker build -q -t built - && docker run --rm built cat /file'
	has "$out" '^built$'
	# a third one in there
	ok d exec inner docker run --rm --privileged -v /:/root box chroot /root docker version --format '{{.Server.Os}}'
	same "$out" linux
	ok d restart -t 20 inner
	ready_in 300 inner docker info
	ok d exec inner docker start web
	until_ok 20 curl -sSf -m 5 -o "$WORK/index" "http://127.0.0.1:$p/"
}

# Nodes on a network of their own, each with an engine and containers of addresses that the others have routes to.
# case: full timeout=3000
case_machine_dind_nodes() {
	. "$SUITE/lib.sh"
	local n address=()
	start_machine --memory 3g
	load_image dind
	cp "$WORK/box.tar" "$HOME/box.tar"
	ok d network create --subnet 10.215.0.0/24 nodes
	for n in 1 2 3; do nested "node$n" --network nodes --tmpfs /run --tmpfs /tmp; done
	for n in 1 2 3; do
		address[n]=$(d inspect -f '{{.NetworkSettings.Networks.nodes.IPAddress}}' "node$n")
		ok d exec "node$n" docker network create --subnet "10.244.$n.0/24" -o com.docker.network.bridge.enable_ip_masquerade=false pods
		ok d exec "node$n" iptables -P FORWARD ACCEPT
		ok d exec "node$n" iptables -I DOCKER-USER -j ACCEPT
		ok d exec "node$n" docker run -d --name pod --network pods --ip "10.244.$n.10" box sh -c "mkdir /w; echo pod $n >/w/index.html; exec httpd -f -p 80 -h /w"
	done
	for n in 1 2 3; do
		local to
		for to in 1 2 3; do
			[ "$n" = "$to" ] || ok d exec "node$n" ip route replace "10.244.$to.0/24" via "${address[to]}"
		done
	done
	for n in 1 2 3; do
		for to in 1 2 3; do
			until_ok 20 d exec "node$n" docker exec pod timeout 5 wget -q -O - "http://10.244.$to.10/"
			same "$(d exec "node$n" docker exec pod timeout 10 wget -q -O - "http://10.244.$to.10/")" "pod $to"
		done
	done
	# One of them goes.
	ok d kill node2
	ok d exec node1 docker exec pod timeout 10 wget -q -O - http://10.244.3.10/
	ok d start node2
	ready_in 300 node2 docker info
}
