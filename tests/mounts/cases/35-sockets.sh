# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# Unix sockets in a shared directory: between programs of the host and of containers, and of two containers.
# shellcheck source=tests/mounts/lib.sh
. "$SUITE/lib.sh"

sockets() { timeout 120 python3 "$SUITE/sockets.py" "$@"; }
inside() {
	local name=$1
	shift
	skerry exec "$name" timeout 120 python3 /suite/sockets.py "$@"
}
# host_serves PATH [TYPE]: its pid in $server
host_serves() {
	python3 "$SUITE/sockets.py" serve "$@" >"$1.log" 2>&1 &
	server=$!
	until_ok 10 grep -q ready "$1.log"
}
# answered COMMAND...: what a client hears of all that the server can do
answered() {
	ok "$@" ask "$path" 'echo\nhello there'
	same "$out" 'hello there'
	ok "$@" ask "$path" 'hang\n'
	same "$out" ''
	ok "$@" transfer "$path" "$(long 3000000 300000000)"
	same "$out" right
	ok "$@" many "$path" "$(long 40 300)"
	same "$out" right
}

# The host listens, the container connects: ssh-agent, docker.sock.
# case: timeout=200 quick
case_sockets_of_the_host() {
	local server path=/data/s
	mkdir share
	chmod 777 share
	host_serves share/s
	chmod 777 share/s
	serve_in one -m 256m -v "$PWD/share:/data" -v "$PWD/share:/readonly:ro" -v "$PWD/share/s:/run/one.sock" "$IMG" sleep 10000
	answered inside one
	# from a mount that is read-only, or only this file
	ok inside one ask /readonly/s 'echo\nread-only'
	same "$out" 'read-only'
	ok inside one ask /run/one.sock 'echo\none file'
	same "$out" 'one file'
	# The host sees who it is.
	ok inside one ask "$path" 'who\n'
	same "$out" "$(id -u) $(id -g)"
	if [ "$(id -u)" = 0 ]; then
		ok skerry exec -u 4321:321 one python3 /suite/sockets.py ask "$path" 'who\n'
		same "$out" '4321 321'
	fi
	# and a mode holds
	chmod 700 share/s
	ok skerry exec -u 4321 one python3 /suite/sockets.py error "$path"
	same "$out" EACCES
	kill -9 "$server"
	until_ok 10 eval '[ "$(inside one error "$path")" = ECONNREFUSED ]'
	rm share/s
	ok inside one error "$path"
	same "$out" ENOENT
	touch share/s
	ok inside one error "$path"
	same "$out" ECONNREFUSED
}

# The container listens, the host connects: a database's socket.
# case: timeout=200 quick
case_sockets_of_a_container() {
	local path=$WORK/share/s
	mkdir share
	chmod 777 share
	serve_in one -m 256m -v "$PWD/share:/data" "$IMG" python3 /suite/sockets.py serve /data/s
	until_ok 20 eval 'skerry logs one | grep -q ready'
	ok test -S share/s
	answered sockets
	# Inside, it is an ordinary one.
	ok inside one ask /data/s 'echo\ninside'
	same "$out" inside
	ok sockets ask "$path" 'who\n'
	if [ "$(id -u)" = 0 ]; then
		ok setpriv --reuid 4321 --regid 321 --clear-groups python3 - <"$SUITE/sockets.py" error "$path"
		same "$out" EACCES
		chmod 777 share/s
		ok setpriv --reuid 4321 --regid 321 --clear-groups python3 - <"$SUITE/sockets.py" ask "$path" 'who\n'
		same "$out" '4321 321'
	else
		same "$out" '0 0'
	fi
	# What is bound already
	expect 1 inside one serve /data/s
	has "$err" 'Address already in use'
	# Stopped: nobody listens, and the name stays, as everywhere.
	kill_vm one
	ok sockets error "$path"
	same "$out" ECONNREFUSED
	ok skerry run --rm -v "$PWD/share:/data" "$IMG" rm /data/s
	ok sockets error "$path"
	same "$out" ENOENT
}

# case: timeout=200 quick
case_sockets_of_two_containers() {
	local path=/there/s
	mkdir share
	chmod 777 share
	serve_in one -m 256m -v "$PWD/share:/here" "$IMG" python3 /suite/sockets.py serve /here/s
	serve_in two -m 256m -v "$PWD/share:/there" "$IMG" sleep 10000
	until_ok 20 eval 'skerry logs one | grep -q ready'
	answered inside two
	ok skerry rm -f one
	ok inside two error "$path"
	same "$out" ECONNREFUSED
}

# /dev/log, and sockets that keep messages apart.
# case: timeout=200
case_sockets_of_messages() {
	local i server
	mkdir share
	chmod 777 share
	serve_in one -m 256m -v "$PWD/share:/data" "$IMG" sleep 10000
	python3 "$SUITE/sockets.py" receive share/log 44 >log 2>&1 &
	server=$!
	until_ok 10 grep -q ready log
	chmod 777 share/log
	ok inside one log /data/log one two
	for i in 1 2 3; do ok inside one send /data/log "three $i" four; done
	ok inside one log /data/log $(seq 36)
	until_ok 20 eval '[ "$(wc -l <log)" = 45 ]'
	same "$(head -n 5 log | tr '\n' ,)" 'ready,one,two,three 1,four,'
	same "$(tail -n 36 log | tr '\n' ,)" "$(seq 36 | tr '\n' ,)"
	wait "$server"
	host_serves share/packets seqpacket
	chmod 777 share/packets
	ok inside one ask /data/packets 'who\n' seqpacket
	same "$out" "$(id -u) $(id -g)"
	kill "$server"
}

# Connections that are left, on either side, in the middle of everything: nothing of them stays.
# case: timeout=200
case_sockets_left() {
	local i server
	mkdir share
	chmod 777 share
	host_serves share/s
	chmod 777 share/s
	serve_in one -m 256m -v "$PWD/share:/data" "$IMG" sleep 10000
	for ((i = 0; i < $(long 10 100); i++)); do
		skerry exec one timeout -s KILL 0.3 python3 /suite/sockets.py transfer /data/s 1000000000 >/dev/null 2>&1 &
	done
	for i in $(jobs -p | grep -v "^$server$"); do wait "$i" || true; done
	ok inside one ask /data/s 'echo\nstill here'
	same "$out" 'still here'
	until_ok 20 eval '[ "$(ls /proc/$server/fd | wc -l)" -lt 10 ]'
	kill "$server"
}

# FIFOs carry data between the host and a container, in both directions, with ends and with readers that go.
# case: timeout=200 quick
case_fifos() {
	local f i
	mkdir share
	chmod 777 share
	serve_in one -m 256m -v "$PWD/share:/data" "$IMG" sleep 10000
	in_one() { skerry exec one timeout 60 "$@"; }
	# made by either side
	mkfifo share/h
	chmod 666 share/h
	ok in_one mkfifo -m 666 /data/c
	ok test -p share/c
	for f in h c; do
		# host to container
		in_one sha256sum </dev/null "/data/$f" >got &
		head -c "$(long 2000000 100000000)" /dev/zero | tee "share/$f" | sha256sum >sent
		wait $!
		same "$(cut -d ' ' -f 1 got)" "$(cut -d ' ' -f 1 sent)" "$f: what came"
		# container to host; the writer waits for the reader
		in_one sh -c "head -c 2000000 /dev/zero >/data/$f; echo written" >said &
		sleep 0.5
		same "$(cat said)" ''
		same "$(timeout 60 cat "share/$f" | wc -c)" 2000000 "$f: what came to the host"
		wait $!
		same "$(cat said)" written
		# within the container, as ever
		ok in_one sh -c "echo inside >/data/$f & cat /data/$f"
		same "$out" inside
	done
	# several in turn, each with an end of its own
	for i in 1 2 3; do
		in_one cat /data/h >got &
		echo "line $i" >share/h
		wait $!
		same "$(cat got)" "line $i"
	done
	# A writer whose reader on the host has gone
	in_one sh -c 'trap "" PIPE; yes >/data/h; echo "ended $?"' >said 2>&1 &
	timeout 60 head -n 1 share/h >/dev/null
	wait $!
	has "$(cat said)" 'ended 1'
	# Without a reader, and not to wait
	ok in_one python3 -c 'import os, errno
try: os.open("/data/h", os.O_WRONLY | os.O_NONBLOCK)
except OSError as e: print(errno.errorcode[e.errno])'
	same "$out" ENXIO
	timeout 60 cat share/h >got &
	until_ok 10 in_one python3 -c 'import os; os.write(os.open("/data/h", os.O_WRONLY | os.O_NONBLOCK), b"now\n")'
	wait $!
	same "$(cat got)" now
}

# Two containers
# case: timeout=200
case_fifos_of_two_containers() {
	mkdir share
	chmod 777 share
	mkfifo share/f
	chmod 666 share/f
	serve_in one -m 256m -v "$PWD/share:/data" "$IMG" sleep 10000
	serve_in two -m 256m -v "$PWD/share:/data" "$IMG" sleep 10000
	skerry exec one timeout 60 wc -c /data/f >got &
	ok skerry exec two timeout 60 sh -c 'head -c 1000000 /dev/zero >/data/f'
	wait $!
	has "$(cat got)" '^1000000 '
}

# What the last program of a container has written is there, though its VM ends with it.
# case: timeout=200
case_sockets_last_words() {
	local i server
	mkdir share
	chmod 777 share
	mkfifo -m 666 share/f
	python3 "$SUITE/sockets.py" receive share/log 6 >log 2>&1 &
	server=$!
	until_ok 10 grep -q ready log
	chmod 777 share/log
	for i in 1 2 3; do run -v "$SUITE:/suite:ro" -v "$PWD/share:/data" "$IMG" python3 /suite/sockets.py send /data/log "last $i" "words $i"; done
	wait "$server"
	same "$(tail -n 6 log | tr '\n' ,)" 'last 1,words 1,last 2,words 2,last 3,words 3,'
	for i in 1 2 3; do
		timeout 60 cat share/f >got &
		run -v "$PWD/share:/data" "$IMG" sh -c "head -c 300000 /dev/zero >/data/f"
		wait $!
		same "$(wc -c <got)" 300000
	done
	python3 -c '
import socket
with socket.socket(socket.AF_UNIX) as s:
    s.bind("share/s")
    s.listen()
    print("ready", flush=True)
    for _ in range(3):
        c, n = s.accept()[0], 0
        while part := c.recv(65536):
            n += len(part)
        print(n, flush=True)' >counts &
	server=$!
	until_ok 10 grep -q ready counts
	chmod 777 share/s
	for i in 1 2 3; do run -v "$PWD/share:/data" "$IMG" python3 -c 'import socket
s = socket.socket(socket.AF_UNIX)
s.connect("/data/s")
s.sendall(bytes(1000000))'; done
	wait "$server"
	same "$(tr '\n' , <counts)" 'ready,1000000,1000000,1000000,'
}
