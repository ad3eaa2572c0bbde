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

# start_machine [OPTION...]: the default machine runs, and has the image "box" (busybox; it runs what it is given).
start_machine() {
	ok skerry machine init --now "$@"
	make_box
}
pack_box() {
	mkdir -p "$WORK/box/bin"
	cp "$(command -v busybox)" "$WORK/box/bin/busybox"
	ln -sf busybox "$WORK/box/bin/sh"
	ln -sf busybox "$WORK/box/bin/true"
	printf '#!/bin/sh\nbusybox echo "$@"\n' >"$WORK/box/bin/report"
	chmod 755 "$WORK/box/bin/report"
	tar -C "$WORK/box" -cf "$WORK/box.tar" bin
}
make_box() {
	pack_box
	ok d import --change 'ENV PATH=/bin' "$WORK/box.tar" box:latest
}
