# shellcheck shell=bash disable=SC2154 # out, err, WORK: the suite's lib.sh
# SPDX-License-Identifier: Apache-2.0
#
# What cases with a machine share. To be sourced by them.

command -v docker >/dev/null || skip 'this machine has no docker client'

# Docker's client for the machine $1, by its socket.
docker_of() {
	local name=$1
	shift
	DOCKER_HOST=unix://$SKERRY_ROOT/run/$name/docker.sock docker "$@"
}
d() { docker_of default "$@"; }

# start_machine [OPTION...]: the default machine runs, and has the image "box" (busybox with a link for each of its programs; it runs what it is given).
start_machine() {
	ok skerry machine init --now "$@"
	make_box
}
pack_box() {
	local program
	mkdir -p "$WORK/box/bin"
	cp "$(command -v busybox)" "$WORK/box/bin/busybox"
	for program in $(busybox --list); do
		[ "$program" = busybox ] || ln -sf busybox "$WORK/box/bin/$program"
	done
	printf '#!/bin/sh\nbusybox echo "$@"\n' >"$WORK/box/bin/report"
	chmod 755 "$WORK/box/bin/report"
	tar -C "$WORK/box" -cf "$WORK/box.tar" bin
}
make_box() {
	pack_box
	ok d import --change 'ENV PATH=/bin' "$WORK/box.tar" box:latest
}

# load_image NAME: the default machine has an image of ./images, which ./run has made.
load_image() {
	[ -s "$E2E_STAGE/$1.tar" ] || skip "the image $1 could not be made"
	ok d import "$E2E_STAGE/$1.tar" "$1:latest"
}

# with_clients SUITE: docker, its plugins and docker-compose are those of a suite of Debian from here on; $DOCKER_HOST leads to the default machine.
with_clients() {
	[ -x "$E2E_STAGE/clients-$1/bin/docker" ] || skip "there are no clients of $1"
	[[ $PATH != "$E2E_STAGE"/clients-* ]] || PATH=${PATH#*:}
	export PATH=$E2E_STAGE/clients-$1/bin:$PATH DOCKER_HOST=unix://$SKERRY_ROOT/run/default/docker.sock
	mkdir -p "$HOME/.docker"
	ln -sfn "$E2E_STAGE/clients-$1/plugins" "$HOME/.docker/cli-plugins"
	hash -r
}

# ready_in SECONDS CONTAINER COMMAND...: until the command succeeds in the container; fails early when that has ended.
ready_in() {
	local end=$((SECONDS + $(slow "$1"))) name=$2
	shift 2
	until d exec "$name" "$@" >/dev/null 2>&1; do
		if [ "$SECONDS" -gt "$end" ] || [ "$(d inspect -f '{{.State.Status}}' "$name")" = exited ]; then
			d logs --tail 30 "$name" || true
			fail "$name does not get ready: $*"
		fi
		sleep 0.5
	done
}
# last_acked FILE: the number in the last line that is whole.
last_acked() { sed -n '/^acked [0-9][0-9]* *$/p' "$1" | tail -1 | cut -d' ' -f2; }
# load_for SECONDS CONTAINER COMMAND...: what is acknowledged meanwhile goes to $WORK/acked; at the end the load is left running, its pid in $loader.
load_for() {
	local seconds=$1 name=$2
	shift 2
	d exec "$name" "$@" >"$WORK/acked" 2>"$WORK/load.err" &
	loader=$!
	until_ok 180 grep -q '^acked' "$WORK/acked"
	sleep "$seconds"
	kill -0 "$loader" 2>/dev/null || fail "the load ended by itself: $(cat "$WORK/load.err")"
}

machine_pid() { python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["pid"])' "$SKERRY_ROOT"/containers/*/state/state.json; }
