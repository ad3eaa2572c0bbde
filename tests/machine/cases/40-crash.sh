# shellcheck shell=bash disable=SC1091,SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# Engines and monitors that are killed, clients in great number, and what cannot work.

# case: timeout=240
case_machine_kills() {
	. "$SUITE/lib.sh"
	start_machine
	ok d run -d --name keep --restart always box sh -c 'while :; do busybox date +%s >/seen; busybox sleep 1; done'
	ok d run -d --name plain box busybox sleep 1000
	ok skerry machine ssh 'kill -9 $(pidof dockerd)'
	until_ok 60 d exec keep busybox cat /seen
	ok skerry machine ssh 'kill -9 $(pidof containerd)'
	until_ok 60 d exec keep busybox cat /seen
	# the monitor: the machine's power is cut
	local pid
	pid=$(machine_pid)
	kill -9 "$pid"
	until_ok 20 gone "$pid"
	until_ok 20 bash -c 'skerry machine ls --format "{{.Running}}" | grep -q false'
	! d version >/dev/null 2>&1 || fail 'somebody answers'
	ok skerry machine start -q
	until_ok 60 d exec keep busybox cat /seen
	ok d ps -a --format '{{.Names}} {{.State}}'
	has "$out" 'plain exited'
}

# case: timeout=240
case_machine_thousand_connections() {
	. "$SUITE/lib.sh"
	start_machine
	ulimit -n "$(ulimit -H -n)" || true
	[ "$(ulimit -n)" = unlimited ] || [ "$(ulimit -n)" -ge 1100 ] || skip 'no more than 1,000 files may be open here'
	ok python3 - "$SKERRY_ROOT/run/default/docker.sock" <<'END'
import socket, sys
open_ones = []
for i in range(1000):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(100)
    s.connect(sys.argv[1])
    open_ones.append(s)
for s in open_ones:
    s.sendall(b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n")
assert all(s.recv(12) == b"HTTP/1.1 200" for s in open_ones)
END
	ok d ps
}

# An image of one file of 1 GiB, as `docker save` writes it.
# case: full timeout=3000
case_machine_load_gigabyte() {
	. "$SUITE/lib.sh"
	local sum
	start_machine
	ok python3 - "$WORK/big.tar" <<'END'
import hashlib, io, json, os, sys, tarfile
layer = "layer.tar"
with tarfile.open(layer, "w") as tar:
    block, info = os.urandom(1 << 20), tarfile.TarInfo("big")
    info.size = 1 << 30
    tar.fileobj.write(info.tobuf(tarfile.GNU_FORMAT))
    # nothing that compresses, nothing that repeats
    for i in range(1024):
        tar.fileobj.write(hashlib.sha256(i.to_bytes(4, "big")).digest() + block[32:])
    tar.offset = tar.fileobj.tell()
sums = hashlib.sha256()
with open(layer, "rb") as file:
    while data := file.read(1 << 20):
        sums.update(data)
config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": ["sha256:" + sums.hexdigest()]}}).encode()
manifest = json.dumps([{"Config": "config.json", "RepoTags": ["big:latest"], "Layers": [layer]}]).encode()
with tarfile.open(sys.argv[1], "w") as tar:
    for name, data in (("config.json", config), ("manifest.json", manifest)):
        info = tarfile.TarInfo(name)
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    tar.add(layer)
END
	sum=$(tar -xOf layer.tar big | sha256sum)
	rm layer.tar
	ok d load -i "$WORK/big.tar"
	has "$out" 'Loaded image: big:latest'
	ok d create --name big big nothing
	same "$(d cp big:/big - | tar -xO | sha256sum)" "$sum"
	# and while it loads others are served
	ok d rm big
	ok d rmi big
	d load -q -i "$WORK/big.tar" >"$WORK/loaded" 2>&1 &
	ok d run --rm box echo beside
	same "$out" beside
	wait $! || fail "the second load: $(cat "$WORK/loaded")"
}

# case: timeout=240
case_machine_bad_input() {
	. "$SUITE/lib.sh"
	local config path long
	expect 125 skerry machine init ../x
	complaint 'invalid machine name'
	expect 125 skerry machine init --memory 10
	complaint 'too little'
	expect 125 skerry machine init --disk-size 1m
	complaint 'too little'
	expect 125 skerry machine init --cpus 100
	complaint 'cpus'
	expect 125 skerry machine init --engine vmware
	complaint 'engine'
	expect 125 skerry machine init --mount relative
	complaint 'invalid mount'
	expect 125 skerry machine init --mount /usr
	complaint "machine's own"
	for path in / /:ro "$WORK:/"; do
		expect 125 skerry machine init --mount "$path"
		complaint 'a root of its own.*"machine_mounts": \["/"\]'
	done
	expect 125 skerry machine init --mount "$WORK/not-there"
	complaint 'not-there.*No such file'
	expect 125 skerry machine init --daemon-config <(echo 'no json')
	complaint 'JSON'
	expect 125 skerry machine init --daemon-config <(echo '{"data-root": "/x"}')
	complaint 'data-root.*own setting'
	expect 125 skerry machine init --image no-such-image-here:1
	expect 125 skerry machine start nobody
	complaint 'No such machine: nobody'
	ok skerry machine ls -q
	same "$out" '' 'nothing is left of them'
	for config in '{"machine_mounts": ["relative"]}' '{"machine_mounts": "/srv"}' '{"machine_mounts": [1]}'; do
		echo "$config" >"$WORK/config.json"
		expect 125 env SKERRY_CONFIG="$WORK/config.json" skerry machine init
		complaint 'machine_mounts'
	done
	echo '{"machine_mounts": ["/srv"' >"$WORK/config.json"
	expect 125 env SKERRY_CONFIG="$WORK/config.json" skerry machine init
	complaint 'config.json'
	echo '{"machine_mounts": ["/etc"]}' >"$WORK/config.json"
	expect 125 env SKERRY_CONFIG="$WORK/config.json" skerry machine init
	complaint "\"machine_mounts\" of the configuration.*machine's own"
	for path in /srv:rw:ro /srv/../etc /srv:relative //proc/1 "/srv/$(printf 'x%.0s' {1..300})"; do
		printf '{"machine_mounts": ["%s"]}' "$path" >"$WORK/config.json"
		expect 125 env SKERRY_CONFIG="$WORK/config.json" skerry machine init
		complaint '"machine_mounts" of the configuration.*invalid mount'
	done

	# a path that no client can connect to
	long=$WORK/$(printf 'long%.0s' {1..20})
	mkdir "$long"
	expect 125 skerry --root "$long" machine init
	complaint 'path of the machine'

	# a path that is gone at the next start: named, and a start as soon as it is there again
	mkdir "$WORK/vanishes"
	ok skerry machine init --memory 512 --mount "$WORK/vanishes"
	rmdir "$WORK/vanishes"
	expect 125 skerry machine start
	complaint 'cannot share .*/vanishes with a machine'
	mkdir "$WORK/vanishes"
	ok skerry machine start -q
	ok skerry machine rm -f

	# an image without an engine, and an engine that does not come up: its words are shown
	ok skerry machine init --image "$IMG" --memory 512
	expect 125 skerry machine start
	has "$err" 'dockerd'
	ok skerry machine rm -f
	ok skerry machine init --memory 512 --daemon-config <(echo '{"no-such-key": 1}')
	expect 125 skerry machine start
	has "$err" 'no-such-key'
	ok skerry machine rm -f

	# a data disk that somebody else has
	ok skerry machine init --memory 512
	exec 9<"$SKERRY_ROOT/machines/default/data.img"
	flock 9
	expect 125 skerry machine start
	has "$err" 'in use by another VM'
	exec 9<&-
	ok skerry machine start -q
}
