# shellcheck shell=bash disable=SC1091,SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# Engines of newer Debian suites, as images of machines (docker 26 and 28), and the clients of three suites with each engine; podman's engine.

# What a client is used for most, with words and codes that all of them have.
client_works() {
	ok docker version --format '{{.Client.Version}} {{.Server.Version}}'
	printf 'client and engine: %s\n' "$out"
	ok docker run --rm box echo hello
	same "$out" hello
	expect 7 docker run --rm box sh -c 'exit 7'
	out=$(printf 'one\ntwo\n' | docker run --rm -i box wc -l) || fail 'stdin'
	same "$(tr -d ' ' <<<"$out")" 2
	ok docker run -d --name client -v "$HOME/files:/files" --health-cmd true box sh -c 'echo started; exec sleep 1000'
	ok docker exec client sh -c 'echo made >/files/made'
	same "$(cat "$HOME/files/made")" made
	ok pty --expect '/dev/pts/' --exit 0 -- docker exec -it client tty
	ok docker logs client
	has "$out" started
	ok docker cp client:/files/made "$WORK/copied"
	same "$(cat "$WORK/copied")" made
	ok docker inspect -f '{{.State.Running}} {{(index .Mounts 0).Source}}' client
	same "$out" "true $HOME/files"
	ok docker stats --no-stream --format '{{.Name}}' client
	same "$out" client
	ok docker network create clients
	ok docker network connect --alias other clients client
	ok docker run --rm --network clients box ping -c 1 -W 5 other
	ok docker save -o "$WORK/saved.tar" box
	ok docker load -i "$WORK/saved.tar"
	ok docker events --since 10m --until 0s --filter container=client --format '{{.Action}}'
	has "$out" start
	ok docker rm -f client
	ok docker network rm clients
	printf 'FROM box\nRUN echo built >/built\n' >"$WORK/Dockerfile"
	ok docker build -q -t built -f "$WORK/Dockerfile" "$HOME/files"
	ok docker run --rm built cat /built
	same "$out" built
	expect 125 docker run --rm -v /opt/nothing:/x box true
	has "$err" 'read-only file system'
}

engine_works() {
	local p q address
	p=$(free_port) q=$(free_port)
	ok d run -d --name all -p "$p:80" box httpd -f -p 80 -h /bin
	ok d run -d --name local -p "127.0.0.1:$q:80" box httpd -f -p 80 -h /bin
	until_ok 10 curl -sSf -m 5 -o /dev/null "http://127.0.0.1:$p/busybox"
	until_ok 10 curl -sSf -m 5 -o /dev/null "http://127.0.0.1:$q/busybox"
	address=$(ip -4 -o addr show scope global | awk 'NR == 1 { sub("/.*", "", $4); print $4 }')
	[ -z "$address" ] || ! curl -sS -m 5 -o /dev/null "http://$address:$q/busybox" 2>/dev/null || fail 'a port of 127.0.0.1 is reached from elsewhere'
	serve tcp-echo
	expect 125 d run --rm -p "$port:80" box true
	has "$err" 'address already in use|port is already allocated'
	ok d rm -f all local
	until_ok 5 bash -c "! curl -sS -m 2 -o /dev/null http://127.0.0.1:$p/"
	ok d info --format '{{.Driver}}'
	has "$out" '^(overlay2|overlayfs)$'
}

engine_and_clients() {
	local clients words=()
	if [ "$1" != default ]; then
		[ -e "$E2E_STAGE/engine-$1.tar" ] || skip "there is no engine of $1"
		ok skerry load -i "$E2E_STAGE/engine-$1.tar"
		words=(--image "skerry/engine:$1")
	fi
	mkdir -p "$HOME/files"
	start_machine "${words[@]}"
	engine_works
	for clients in bookworm trixie forky; do
		with_clients "$clients"
		client_works
	done
	# restarted, with what it had
	ok d run -d --name keep --restart always box sleep 1000
	ok skerry machine restart -q
	until_ok 60 d exec keep true
}
# case: full timeout=1800
case_machine_engines_default() {
	. "$SUITE/lib.sh"
	engine_and_clients default
}
# case: full timeout=1800
case_machine_engines_trixie() {
	. "$SUITE/lib.sh"
	engine_and_clients trixie
}
# case: full timeout=1800
case_machine_engines_forky() {
	. "$SUITE/lib.sh"
	engine_and_clients forky
}
podman_ports() {
	local p q u address
	p=$(free_port) q=$(free_port) u=$(free_port udp)
	ok d run -d --name web -p "$p:80" -p "127.0.0.1:$q:80" -p "$u:9/udp" box httpd -f -p 80 -h /bin
	until_ok 20 curl -sSf -m 5 -o "$WORK/busybox" "http://127.0.0.1:$p/busybox"
	cmp "$WORK/busybox" "$WORK/box/bin/busybox" || fail 'what came through the port is not what was served'
	until_ok 10 curl -sSf -m 5 -o "$WORK/busybox" "http://127.0.0.1:$q/busybox"
	[ ! -e /proc/net/if_inet6 ] || ok curl -sSf -m 5 -o "$WORK/busybox" "http://[::1]:$p/busybox"
	expect 1 python3 -c 'import socket, sys; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).bind(("127.0.0.1", int(sys.argv[1])))' "$u"
	has "$err" 'already in use'
	address=$(ip -4 -o addr show scope global | awk 'NR == 1 { sub("/.*", "", $4); print $4 }')
	[ -z "$address" ] || ! curl -sS -m 5 -o "$WORK/busybox" "http://$address:$q/busybox" 2>/dev/null || fail 'a port of 127.0.0.1 is reached from elsewhere'
	# A port that somebody else has, and a protocol that the host is not asked for: the container does not start, and nothing is left of its ports.
	serve tcp-echo
	expect 125 d run -d --name second -p "$port:80" box sleep 1000
	has "$err" 'address already in use'
	ok d rm -f second
	expect 125 d run -d --name second -p "$p:80" box sleep 1000
	ok d rm -f second
	expect 125 d run -d --name second -p 99:99/sctp box sleep 1000
	has "$err" 'protocol SCTP is not allowed' # podman's words
	ok curl -sSf -m 5 -o "$WORK/busybox" "http://127.0.0.1:$p/busybox"
	ok d restart -t 1 web
	until_ok 20 curl -sSf -m 5 -o "$WORK/busybox" "http://127.0.0.1:$p/busybox"
	ok d rm -f web
	! curl -sS -m 2 -o "$WORK/busybox" "http://127.0.0.1:$p/busybox" 2>/dev/null || fail 'the port is still open'
	ok skerry machine ssh 'ls /run/engine/ports; ps' # of busybox
	hasnt "$out" 'skerry-proxy|skerry-ports'
}
# What podman has of docker's interface, for docker's client and for compose, and its ports on the host.
# case: full timeout=1800
case_machine_engines_podman() {
	. "$SUITE/lib.sh"
	[ -e "$E2E_STAGE/engine-podman.tar" ] || skip 'there is no engine of podman'
	mkdir -p "$HOME/files"
	ok skerry load -i "$E2E_STAGE/engine-podman.tar"
	start_machine --image skerry/engine:podman
	ok skerry machine ssh podman run --rm box echo by-podman
	same "$out" by-podman
	ok d info --format '{{.Driver}} {{.CgroupVersion}}'
	same "$out" 'overlay 2'
	ok d run --rm -v "$HOME/files:/files" box sh -c 'echo made >/files/made; echo hello'
	same "$out" hello
	same "$(cat "$HOME/files/made")" made
	expect 125 d run --rm -v /opt/nothing:/x box true
	has "$err" 'read-only file system'
	podman_ports
	ok d run -d --name seven box sh -c 'exit 7'
	ok d wait seven
	same "$out" 7
	printf 'FROM box\nRUN echo built >/built\n' >"$HOME/files/Dockerfile"
	ok env DOCKER_BUILDKIT=0 docker -H "unix://$SKERRY_ROOT/run/default/docker.sock" build -t built "$HOME/files"
	ok d run --rm built cat /built
	same "$out" built
	with_clients forky
	cat >"$HOME/docker-compose.yml" <<-'END'
		services:
		  one:
		    image: box
		    command: sh -c 'echo from-compose; exec sleep 1000'
		    volumes: ["./files:/files"]
	END
	ok docker compose -p stack -f "$HOME/docker-compose.yml" up -d
	until_ok 20 eval 'docker compose -p stack -f "$HOME/docker-compose.yml" logs | grep -q from-compose'
	ok docker compose -p stack -f "$HOME/docker-compose.yml" exec -T one cat /files/made
	same "$out" made
	ok docker compose -p stack -f "$HOME/docker-compose.yml" down -t 1
	# Images and containers outlive the machine's end, which is in order, and those with a restart policy come back.
	ok d run -d --name keep --restart always -v "$HOME/files:/files" box sh -c 'trap "echo ended >/files/ended; exit 0" TERM; while :; do sleep 0.2; done'
	ok d exec keep true
	ok skerry machine stop
	same "$(cat "$HOME/files/ended")" ended
	ok skerry machine start -q
	until_ok 60 d exec keep true
	ok d run --rm built cat /built
	same "$out" built
	ok d ps -a --format '{{.Names}} {{.State}}'
	has "$out" '^seven exited'
}
